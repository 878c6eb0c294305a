// How a call sounds, as one phone tells another on the wire (RTCP XR), the person at it, and a collector (RFC 6035): between two phones, with somebody
// between them who loses packets.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMeddler, type Meddler } from './lab/meddler.ts';
import { startPeer, type Peer } from './lab/peer.ts';
import { startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';

const folder = scratch('reports');
let near: Phone, far: Phone, between: Meddler, collector: Peer;

const common = { 'media.codecs': 'PCMA', 'sip.acceptFrom': 'anyone', 'sip.allowAddresses': '127.0.0.1', 'log.level': 'debug' };
beforeAll(async () => {
  collector = await startPeer(0, 'quality');
  far = await startPhone(folder.path, { name: 'far', set: { ...common, 'calls.answer': 'auto' } });
  between = await startMeddler(far.port);
  near = await startPhone(folder.path, { name: 'near', set: { ...common, 'calls.qualityReport': `sip:quality@127.0.0.1:${collector.port}` } });
  collector.aim(near.port);
}, 60_000);
afterAll(async () => {
  await Promise.all([near?.stop(), far?.stop(), between?.stop()]);
  collector?.close();
  folder.remove();
});

interface Metrics {
  readonly loss: number;
  readonly r: number;
  readonly mosLq: number;
  readonly mosCq: number;
}
/** VoIP metrics in packets that were seen on their way, read by hand (RFC 3611 §2, §3, §4.7). */
function metricsIn(packets: readonly Buffer[]): Metrics[] {
  const found: Metrics[] = [];
  for (const bytes of packets) {
    if (bytes[1]! < 200 || bytes[1]! > 207) continue;
    expect([200, 201]).toContain(bytes[1]); // a compound packet begins with SR or RR
    for (let at = 0; at < bytes.length; at += 4 + 4 * bytes.readUInt16BE(at + 2)) {
      if (bytes[at + 1] !== 207) continue;
      const end = at + 4 + 4 * bytes.readUInt16BE(at + 2);
      for (let block = at + 8; block < end; block += 4 + 4 * bytes.readUInt16BE(block + 2)) {
        if (bytes[block] === 7) found.push({ loss: bytes[block + 8]! / 256, r: bytes[block + 24]!, mosLq: bytes[block + 26]! / 10, mosCq: bytes[block + 27]! / 10 });
      }
    }
  }
  return found;
}
type Shown = { readonly quality?: { readonly heard: { readonly words: string; readonly mosCq: number; readonly lossPercent: number }; readonly there?: { readonly mosCq: number; readonly lossPercent: number } } };
const shown = async (phone: Phone): Promise<Shown['quality']> => ((await phone.status())['calls'] as readonly Shown[])[0]?.quality;

test('both phones report what they hear, and the opinion falls with loss (RFC 3611 §4.7)', async () => {
  await near.must({ do: 'call', target: `sip:far@127.0.0.1:${between.port}` });
  await near.waitFor('answered');
  expect(await until(() => metricsIn(between.said).length > 0 && metricsIn(between.passed).length > 0, 15_000)).toBe(true);
  await pause(2_000);
  const clean = metricsIn(between.said).at(-1)!;
  expect(clean).toMatchObject({ loss: 0, r: 93, mosLq: 4.4 });
  expect((await shown(near))!.heard).toMatchObject({ words: 'very good', lossPercent: 0 });

  between.loses = 0.2;
  await pause(15_000);
  const [lossy, theirs] = [metricsIn(between.said).at(-1)!, metricsIn(between.passed).at(-1)!];
  console.log(`clean MOS ${clean.mosCq} R ${clean.r}; with loss of ${(100 * lossy.loss).toFixed(0)} % MOS ${lossy.mosCq} R ${lossy.r}; the other way MOS ${theirs.mosCq}`);
  expect(lossy.loss).toBeGreaterThan(0.05);
  expect(lossy.loss).toBeLessThan(0.2);
  expect(lossy.mosCq).toBeLessThan(clean.mosCq - 0.4);
  expect(theirs).toMatchObject({ loss: 0, mosLq: 4.4 }); // the other way nothing is lost
}, 60_000);

test('each side shows what it hears and what the other one says of it', async () => {
  const [ours, theirs] = [await shown(near), await shown(far)];
  expect(ours!.heard.lossPercent).toBeGreaterThan(5);
  expect(ours!.heard.words).not.toMatch(/good/);
  expect(ours!.there).toMatchObject({ lossPercent: 0, mosCq: 4.4 });
  expect(theirs!.heard.words).toBe('very good');
  expect(theirs!.there!.lossPercent).toBeGreaterThan(5);
  // What is shown follows the report on the wire within a second or so
  await expect.poll(async () => Math.abs((await shown(far))!.there!.mosCq - metricsIn(between.said).at(-1)!.mosCq), { timeout: 10_000, interval: 200 }).toBeLessThan(0.05);
  expect((await near.must({ do: 'measure' }))['stats']).toMatchObject({ quality: { heard: { words: ours!.heard.words } } });
}, 20_000);

test('when it is over the collector hears of it by PUBLISH (RFC 6035), and the call log keeps it', async () => {
  const { heard } = (await shown(near))!;
  await near.must({ do: 'hangup' });
  const publish = await collector.next(/^PUBLISH /, 5_000);
  expect([publish.start, publish.header('event'), publish.header('content-type')]).toEqual([`PUBLISH sip:quality@127.0.0.1:${collector.port} SIP/2.0`, 'vq-rtcpxr', 'application/vq-rtcpxr']);
  collector.respond(publish, '200 OK', { headers: ['SIP-ETag: q1', 'Expires: 60'] });
  await near.waitFor('quality reported');

  const lines = publish.body.trimEnd().split('\r\n'), there = lines.indexOf('RemoteMetrics:');
  const fields = (from: number, name: string): Record<string, string> =>
    Object.fromEntries(lines.slice(from).find((line) => line.startsWith(`${name}:`))!.slice(name.length + 1).trim().split(' ').map((pair) => pair.split('=') as [string, string]));
  expect(lines[0]).toBe('VQSessionReport: CallTerm');
  expect(there).toBeGreaterThan(lines.indexOf('LocalMetrics:'));
  expect(Number(fields(0, 'PacketLoss')['NLR'])).toBeGreaterThan(5);
  expect(Math.abs(Number(fields(0, 'QualityEst')['MOSCQ']) - heard.mosCq)).toBeLessThan(0.3);
  expect(fields(0, 'SessionDesc')).toMatchObject({ PT: '8', PD: 'PCMA', SR: '8000', FD: '20', PPS: '50' });
  expect(fields(there, 'PacketLoss')).toEqual({ NLR: '0.0', JDR: '0.0' });
  expect(fields(there, 'QualityEst')['MOSLQ']).toBe('4.4');
  const { START, STOP } = fields(0, 'Timestamps');
  expect(Date.parse(STOP!) - Date.parse(START!)).toBeGreaterThan(15_000);
  const ssrc = between.said.find((bytes) => bytes[1] === 8 || bytes[1] === 0x88)!.readUInt32BE(8);
  expect(Number(fields(0, 'LocalAddr')['SSRC'])).toBe(ssrc);
  expect(lines.at(-1)).toMatch(/^DialogID: \S+;to-tag=\S+;from-tag=\S+$/);

  const entry = JSON.parse(readFileSync(join(near.state, 'calls.jsonl'), 'utf8').trim().split('\n').at(-1)!) as { readonly quality?: { readonly mosCq: number } };
  expect(Math.abs(entry.quality!.mosCq - heard.mosCq)).toBeLessThan(0.3);
}, 30_000);

test('a phone that is not to report neither asks nor tells (setting media.rtcpXr)', async () => {
  const quiet = await startPhone(folder.path, { name: 'quiet', set: { ...common, 'media.rtcpXr': false, 'calls.answer': 'auto', 'sip.trace': true } });
  const watched = await startMeddler(quiet.port);
  try {
    await near.must({ do: 'call', target: `sip:quiet@127.0.0.1:${watched.port}` });
    await pause(8_000);
    expect(metricsIn([...watched.said, ...watched.passed])).toEqual([]);
    expect(watched.said.some((bytes) => bytes[1] === 200)).toBe(true);
    expect((await shown(near))!.heard.words).toBe('very good');
    const sdp = [...quiet.program.output().matchAll(/m=audio.*?(?=")/gs)].map(([text]) => text);
    expect(sdp.some((text) => text.includes('rtcp-xr'))).toBe(true); // the offer asked
    expect(sdp.at(-1)).not.toContain('rtcp-xr');
    await near.must({ do: 'hangup' });
    collector.respond(await collector.next(/^PUBLISH /, 5_000), '489 Bad Event');
    const line = await near.waitFor('quality not reported');
    expect(line).toMatchObject({ level: 'warn', status: 489 });
  } finally {
    await Promise.all([quiet.stop(), watched.stop()]);
  }
}, 60_000);
