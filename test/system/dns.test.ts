import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemResolver, type DnsOptions } from '../../src/system/dns.ts';
import { FakeClock } from '../fakes/clock.ts';
import { startDnsServer, type DnsServer, type Zone } from './dns-server.ts';

const zone: Zone = {
  'A pbx.example': { ttlS: 60, records: ['192.0.2.1', '192.0.2.2'] },
  'A brief.example': { ttlS: 0, records: ['192.0.2.9'] },
  'SRV _sip._udp.example': { ttlS: 30, records: ['10 60 5060 a.example'] },
  'NAPTR example': { ttlS: 300, records: ['10 50 s SIP+D2U _sip._udp.example'] },
  'CNAME sip.example': { ttlS: 20, records: ['pbx.test'] },
  'A pbx.test': { ttlS: 60, records: ['192.0.2.3'] },
  'SRV _sip._tcp.example': { ttlS: 30, records: Array.from({ length: 40 }, (_, i) => `10 ${i} 5060 server-number-${i}.example`) },
};
let clock: FakeClock, server: DnsServer, folder: string;
const others: DnsServer[] = [];

beforeEach(async () => {
  clock = new FakeClock();
  server = await startDnsServer(zone);
  folder = mkdtempSync(join(tmpdir(), 'oh-dns-'));
});
afterEach(() => {
  for (const one of [server, ...others.splice(0)]) one.close();
  rmSync(folder, { recursive: true });
  expect(clock.pending, 'alarms left behind').toBe(0);
});

const at = (...servers: DnsServer[]): DnsOptions => ({ nameServers: servers.map((s) => `127.0.0.1:${s.port}`), hostsFile: join(folder, 'hosts') });
/** Real datagrams, while fake time stands still. */
async function until(true_: () => boolean): Promise<void> {
  while (!true_()) await new Promise((resolve) => setImmediate(resolve));
}
/** `promise` asks the one server, which is silent, in both rounds. */
async function inVain<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined); // looked at below
  const before = server.asked.length;
  await until(() => server.asked.length === before + 1);
  clock.advance(1_000);
  await until(() => server.asked.length === before + 2);
  clock.advance(2_000);
  return promise;
}

describe('the resolver', () => {
  test('asks for addresses, SRV and NAPTR records', async () => {
    const resolver = systemResolver(clock, at(server));
    expect(await resolver.addresses('PBX.example', 4)).toEqual(['192.0.2.1', '192.0.2.2']);
    expect(await resolver.addresses('pbx.example', 6)).toEqual([]);
    expect(await resolver.srv('_sip._udp.example')).toEqual([{ name: 'a.example', port: 5060, priority: 10, weight: 60 }]);
    expect(await resolver.naptr('example')).toEqual([{ order: 10, preference: 50, flags: 's', service: 'SIP+D2U', replacement: '_sip._udp.example' }]);
    expect(await resolver.addresses('nowhere.example', 4)).toEqual([]);
    expect(await resolver.addresses('no name.example', 4)).toEqual([]);
  });

  test('an answer is kept as long as its TTL says, even one of 0 for a moment (RFC 1035 §3.2.1)', async () => {
    const resolver = systemResolver(clock, at(server));
    for (const [name, seconds] of [['pbx.example', 60], ['brief.example', 5]] as const) {
      server.asked.length = 0;
      await resolver.addresses(name, 4);
      clock.advance(seconds * 1_000 - 1);
      await resolver.addresses(name, 4);
      expect(server.asked).toHaveLength(1);
      clock.advance(1);
      await resolver.addresses(name, 4);
      expect(server.asked).toHaveLength(2);
    }
  });

  test('that there is none is kept for the time of its SOA (RFC 2308 §5)', async () => {
    const resolver = systemResolver(clock, at(server));
    await resolver.srv('_sip._udp.nowhere.example');
    clock.advance(39_999);
    await resolver.srv('_sip._udp.nowhere.example');
    expect(server.asked).toHaveLength(1);
    clock.advance(1);
    await resolver.srv('_sip._udp.nowhere.example');
    expect(server.asked).toHaveLength(2);
  });

  test('expire() asks anew; two who ask at once ask together', async () => {
    const resolver = systemResolver(clock, at(server));
    await Promise.all([resolver.addresses('pbx.example', 4), resolver.addresses('pbx.example', 4)]);
    expect(server.asked).toHaveLength(1);
    resolver.expire();
    await resolver.addresses('pbx.example', 4);
    expect(server.asked).toHaveLength(2);
  });

  test('a question that hangs when the network changes is asked anew, and its late failure counts for nothing', async () => {
    const resolver = systemResolver(clock, at(server));
    server.mood = 'silent';
    const before = resolver.addresses('pbx.example', 4);
    before.catch(() => undefined); // looked at below
    await until(() => server.asked.length === 1);
    server.mood = 'well';
    resolver.expire();
    expect(await resolver.addresses('pbx.example', 4)).toHaveLength(2);
    server.mood = 'silent';
    clock.advance(1_000);
    await until(() => server.asked.length === 3);
    clock.advance(2_000);
    await expect(before).rejects.toMatchObject({ code: 'DNS_SILENT' });
    expect(await resolver.addresses('pbx.example', 4)).toHaveLength(2);
  });

  test('a CNAME that leads elsewhere is followed', async () => {
    expect(await systemResolver(clock, at(server)).addresses('sip.example', 4)).toEqual(['192.0.2.3']);
    expect(server.asked).toEqual(['A sip.example', 'A pbx.test']);
  });

  test('what does not fit a datagram comes over TCP (RFC 7766 §5)', async () => {
    const records = await systemResolver(clock, at(server)).srv('_sip._tcp.example');
    expect(records).toHaveLength(40);
    expect(server.asked).toEqual(['SRV _sip._tcp.example', 'tcp SRV _sip._tcp.example']);
  });

  test('a silent name server costs a second, then the next one is asked, and the one that answered first from then on', async () => {
    const dead = await startDnsServer({});
    others.push(dead);
    dead.mood = 'silent';
    const resolver = systemResolver(clock, at(dead, server));
    const asked = resolver.addresses('pbx.example', 4);
    await until(() => dead.asked.length === 1);
    clock.advance(999);
    expect(server.asked).toEqual([]);
    clock.advance(1);
    expect(await asked).toHaveLength(2);
    await resolver.srv('_sip._udp.example');
    expect(dead.asked).toEqual(['A pbx.example']);
  });

  test('one that refuses or cannot tell is passed over at once', async () => {
    const sick = await startDnsServer({});
    others.push(sick);
    for (const rcode of [2, 5]) { // SERVFAIL, REFUSED
      sick.mood = rcode;
      expect(await systemResolver(clock, at(sick, server)).addresses('pbx.example', 4)).toHaveLength(2);
    }
    const closed = await startDnsServer({});
    closed.close();
    expect(await systemResolver(clock, at(closed, server)).addresses('pbx.example', 4)).toHaveLength(2);
    expect(clock.now()).toBe(0);
  });

  test('one that knows no NAPTR has none', async () => {
    server.mood = 4; // NOTIMP
    expect(await systemResolver(clock, at(server)).naptr('example')).toEqual([]);
  });

  test('nobody answers: rejects, but what is known from before goes on serving', async () => {
    const resolver = systemResolver(clock, at(server));
    await resolver.addresses('pbx.example', 4);
    server.mood = 'silent';
    clock.advance(3_600_000);
    expect(await inVain(resolver.addresses('pbx.example', 4))).toEqual(['192.0.2.1', '192.0.2.2']);
    await expect(inVain(resolver.srv('_sip._udp.example'))).rejects.toMatchObject({ code: 'DNS_SILENT' });
    // and for a moment nobody waits for it again
    server.asked.length = 0;
    await expect(resolver.srv('_sip._udp.example')).rejects.toMatchObject({ code: 'DNS_SILENT' });
    expect(server.asked).toEqual([]);
    server.mood = 'well';
    clock.advance(3_000);
    expect(await resolver.srv('_sip._udp.example')).toHaveLength(1);
  });

  test('the hosts file goes before DNS, without the other family', async () => {
    writeFileSync(join(folder, 'hosts'), '# 192.0.2.7 pbx.example\n192.0.2.8\tother PBX.example # ours\n2001:db8::8 six.example\n');
    const resolver = systemResolver(clock, at(server));
    expect(await resolver.addresses('pbx.example', 4)).toEqual(['192.0.2.8']);
    expect(await resolver.addresses('pbx.example', 6)).toEqual([]);
    expect(await resolver.addresses('six.example', 6)).toEqual(['2001:db8::8']);
    expect(server.asked).toEqual([]);
  });

  test('name servers come from resolv.conf when none are set; what DNS does not know is left to the system', async () => {
    const resolvFile = join(folder, 'resolv.conf');
    writeFileSync(resolvFile, `search test\nnameserver [127.0.0.1]:${server.port}\nnameserver 127.0.0.1:${server.port}\n`);
    const resolver = systemResolver(clock, { resolvFile, hostsFile: join(folder, 'hosts') });
    expect(await resolver.addresses('pbx.example', 4)).toHaveLength(2);
    expect(await resolver.addresses('localhost', 4)).toContain('127.0.0.1');
    expect(server.asked).toEqual(['A pbx.example', 'A localhost']);
  });

  test('name servers are asked over IPv6 too', async () => {
    const six = await startDnsServer(zone, '::1');
    others.push(six);
    expect(await systemResolver(clock, { nameServers: [`[::1]:${six.port}`] }).addresses('pbx.example', 4)).toHaveLength(2);
  });
});
