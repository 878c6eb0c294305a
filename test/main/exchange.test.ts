import { createSocket } from 'node:dgram';
import { afterEach, expect, test, vi } from 'vitest';
import { openStore } from '../../src/config/store.ts';
import { openExchange, type House } from '../../src/main/exchange.ts';
import { systemClock } from '../../src/system/clock.ts';
import { systemRandom } from '../../src/system/random.ts';
import { FakeFiles } from '../fakes/files.ts';
import { FakeLog } from '../fakes/log.ts';
import { listener } from '../fakes/type-of-service.ts';

vi.stubGlobal('OFFHOOK_VERSION', 'test');
const open: { close(): unknown }[] = [];
afterEach(async () => { for (const each of open.splice(0).reverse()) await each.close(); });

test('its packets bear the mark of the settings (RFC 2474 §3)', async () => {
  const files = new FakeFiles(), store = await openStore({ files }, '/state', { set: ['exchange.host=127.0.0.1', 'exchange.port=0', 'sip.dscp=24'] });
  const house: House = await openExchange({ clock: systemClock(), random: systemRandom(), files, store, log: new FakeLog(), state: '/state' });
  open.push(house);
  const far = listener(), asker = createSocket('udp4');
  open.push(far, asker);
  const port = Number(/\d+$/.exec(house.status().listening)![0]);
  let asked = 0;
  await expect.poll(() => {
    asker.send(`OPTIONS sip:127.0.0.1:${port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${far.port};branch=z9hG4bK${++asked}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:127.0.0.1:${port}>\r\nCall-ID: ${asked}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`, port, '127.0.0.1');
    return far.read();
  }, { timeout: 10_000 }).toBe(24 << 2);
});
