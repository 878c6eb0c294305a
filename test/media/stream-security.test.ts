import { expect, test, vi } from 'vitest';
import { extras } from '../../src/main/media-extras.ts';
import { createEngine } from '../../src/media/engine.ts';
import { createCodec } from '../../src/media/codec.ts';
import { createSrtp } from '../../src/media/srtp.ts';
import type { CryptoUse, SuiteName } from '../../src/sdp/types.ts';
import { FakeAudio } from '../fakes/audio.ts';
import { FakeClock, settle } from '../fakes/clock.ts';
import { Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';
import { align, call, card, mediaSettings, PCMA, portOf, session, voice, type Call } from './bench.ts';

const SUITE = 'AES_CM_128_HMAC_SHA1_80';
const key = (seed: number, bytes = 30) => Buffer.alloc(bytes, seed).toString('base64');
const A: CryptoUse = { suite: SUITE, send: key(1), receive: key(2) };
const swapped = ({ suite, send, receive }: CryptoUse): CryptoUse => ({ suite, send: receive, receive: send });

/** A call of two phones under `crypto`; changed by negotiate(). */
async function secret(crypto: CryptoUse | undefined = A, more: { readonly rtcpMux?: true } = {}, options: Parameters<typeof call>[0] = {}): Promise<Call & { negotiate(a: CryptoUse | undefined): void; stats(of: 'a' | 'b'): Extract<ReturnType<Call['a']['of']>[number], { event: 'stats' }>['stats'] }> {
  const rig = await call({ microphone: voice, ...options });
  const negotiate = (use: CryptoUse | undefined): void => {
    rig.a.media.command({ do: 'negotiated', stream: 1, session: session(rig.b, { ...more, ...(use === undefined ? {} : { crypto: use }) }) });
    rig.b.media.command({ do: 'negotiated', stream: 1, session: session(rig.a, { ...more, ...(use === undefined ? {} : { crypto: swapped(use) }) }) });
  };
  negotiate(crypto);
  return { ...rig, negotiate, stats(of) {
    rig[of].media.command({ do: 'measure', stream: 1, ask: 1 });
    return rig[of].of('stats').at(-1)!.stats;
  } };
}
const rtpOf = (rig: Call) => rig.wire.sent.filter(({ from, to }) => from.host === rig.a.host && to.port === portOf(rig.b) && from.port === portOf(rig.a));

test.each([[SUITE, 30, 10], ['AES_CM_128_HMAC_SHA1_32', 30, 4], ['AES_256_CM_HMAC_SHA1_80', 46, 10], ['AEAD_AES_128_GCM', 28, 16], ['AEAD_AES_256_GCM', 44, 16]] as const)('a call under %s is heard, and on the wire there is nothing of it', async (suite: SuiteName, bytes, tag) => {
  const rig = await secret({ suite, send: key(1, bytes), receive: key(2, bytes) });
  rig.clock.advance(3_000);
  expect(align(voice, card(rig.b).played, 16_000, 4_000, 2_000).like).toBeGreaterThan(0.97);
  expect(rig.stats('b')).toMatchObject({ refusedPackets: 0, forgedPackets: 0, replayedPackets: 0, lostPackets: 0 });
  const plain = await call({ microphone: voice });
  plain.clock.advance(3_000);
  const before = rtpOf(plain)[100]!.bytes, after = rtpOf(rig)[100]!.bytes;
  expect(after).toHaveLength(before.length + tag);
  let alike = 0;
  for (let i = 12; i < before.length; i++) if (before[i] === after[i]) alike++;
  expect(alike).toBeLessThan(10);
});

test('reports are encrypted as well, and understood (RFC 3711 §3.4)', async () => {
  const rig = await secret();
  rig.clock.advance(14_000);
  const reports = rig.wire.sent.filter(({ to }) => to.port === portOf(rig.b) + 1);
  expect(reports.length).toBeGreaterThan(1);
  for (const { bytes } of reports) expect(bytes.includes('phone@')).toBe(false);
  expect(rig.stats('a').roundTripMs).toBeGreaterThan(1);
});

test('a replayed, a forged and a plain packet are dropped and counted, and the call goes on', async () => {
  const rig = await secret();
  rig.clock.advance(1_000);
  const at = { host: rig.b.host, port: portOf(rig.b) }, from = { host: rig.a.host, port: portOf(rig.a) };
  const last = rtpOf(rig).at(-2)!.bytes;
  const forged = Buffer.from(last);
  forged[20]! ^= 1;
  forged[3]! += 40;
  const before = rig.stats('b');
  rig.wire.sendUdp(from, at, last);
  rig.wire.sendUdp(from, at, forged);
  rig.wire.sendUdp(from, at, Buffer.concat([Buffer.from([0x80, 8, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]), Buffer.alloc(160, 0x55)]));
  rig.wire.sendUdp(from, at, Buffer.from([0x80]));
  rig.wire.sendUdp(from, { ...at, port: at.port + 1 }, Buffer.from('80c900010102030481ca0002010203040100000000000000', 'hex'));
  rig.clock.advance(2_000);
  expect(rig.stats('b')).toMatchObject({ replayedPackets: 1, forgedPackets: 4, refusedPackets: before.refusedPackets + 5, lostPackets: 0 });
  expect(align(voice, card(rig.b).played, 32_000, 4_000, 2_000).like).toBeGreaterThan(0.97);
});

test('only genuine packets move the place where ours go (RFC 3711 §9.5)', async () => {
  const rig = await secret(), b = { host: rig.b.host, port: portOf(rig.b) };
  rig.wire.down.add(rig.a.host); // behind a NAT: its packets come from somewhere else
  const packet = (n: number) => Buffer.concat([Buffer.from([0x80, 8, 0, n, 0, 0, 0, n, 0, 0, 0, 7]), Buffer.alloc(160, 0x55)]);
  const stranger = createSrtp({ ...A, send: key(9) }), caller = createSrtp(A);
  for (let n = 0; n < 40; n++) rig.wire.sendUdp({ host: '203.0.113.66', port: 4000 }, b, stranger.protect(packet(n))!);
  rig.clock.advance(500);
  expect(rig.stats('b')).toMatchObject({ receivedPackets: 0, forgedPackets: 40, remote: `${rig.a.host}:${portOf(rig.a)}` });
  for (let n = 0; n < 10; n++) rig.wire.sendUdp({ host: '198.51.100.7', port: 5005 }, b, caller.protect(packet(n))!);
  rig.clock.advance(500);
  expect(rig.stats('b').remote).toBe('198.51.100.7:5005');
});

test('keys may change in the middle, and encryption begin and end, and nobody hears it', async () => {
  const rig = await secret(undefined);
  rig.clock.advance(1_000);
  const B: CryptoUse = { suite: 'AEAD_AES_256_GCM', send: key(3, 44), receive: key(4, 44) };
  for (const [i, use] of [A, { ...A, receive: key(5) }, B, undefined, B, A].entries()) {
    rig.negotiate(use);
    rig.clock.advance(2_000);
    expect(align(voice, card(rig.b).played, 16_000 * (1 + 2 * i) + 6_000, 4_000, 2_000).like).toBeGreaterThan(0.95);
  }
  // One packet was under way each time encryption began or ended; it cannot be read by the rules of after.
  expect(rig.stats('b').lostPackets).toBeLessThanOrEqual(3);
});

test('what cannot be encrypted does not leave', async () => {
  const clock = new FakeClock(), wire = new Wire(clock);
  const media = createEngine({ clock, random: new FakeRandom(3), udp: wire.host('192.0.2.1'), audio: new FakeAudio(clock), codec: createCodec }, mediaSettings());
  media.command({ do: 'open', stream: 1, host: '192.0.2.1', cname: 'x' });
  await settle();
  media.command({ do: 'negotiated', stream: 1, session: { remote: { host: '192.0.2.2', port: 4000 }, rtcpPort: 4001, send: PCMA, receive: [PCMA], direction: 'sendrecv', ptimeMs: 20, crypto: A } });
  clock.advance(20_000);
  expect(wire.sent).toHaveLength(0);
  media.close();
});

test('what no encrypted call needs is not made', async () => {
  const clock = new FakeClock(), wire = new Wire(clock), createSrtp = vi.fn(extras.createSrtp);
  const media = createEngine({ clock, random: new FakeRandom(3), udp: wire.host('192.0.2.1'), audio: new FakeAudio(clock), codec: createCodec, extras: () => ({ ...extras, createSrtp }) }, mediaSettings());
  media.command({ do: 'open', stream: 1, host: '192.0.2.1', cname: 'x' });
  await settle();
  const plain = { remote: { host: '192.0.2.2', port: 4000 }, rtcpPort: 4001, send: PCMA, receive: [PCMA], eventSend: 101, eventReceive: 101, direction: 'sendrecv', ptimeMs: 20 } as const;
  media.command({ do: 'negotiated', stream: 1, session: plain });
  clock.advance(10_000);
  expect(createSrtp).not.toHaveBeenCalled();
  media.command({ do: 'negotiated', stream: 1, session: { ...plain, crypto: A } });
  expect(createSrtp).toHaveBeenCalledTimes(1);
  media.close();
});

test.each([['plain', undefined], ['encrypted', A]] as const)('reports share the port of sound where both agreed (RFC 5761 §4), %s', async (_, crypto) => {
  const rig = await secret(crypto, { rtcpMux: true });
  rig.clock.advance(14_000);
  expect(rig.wire.sent.filter(({ to }) => to.port === portOf(rig.b) + 1 || to.port === portOf(rig.a) + 1)).toHaveLength(0);
  const reports = rtpOf(rig).filter(({ bytes }) => bytes[1]! >= 192 && bytes[1]! <= 223);
  expect(reports.length).toBeGreaterThan(1);
  expect(rig.stats('a').roundTripMs).toBeGreaterThan(1);
  expect(rig.stats('a').refusedPackets).toBe(0);
  rig.a.media.command({ do: 'close', stream: 1 });
  expect(rtpOf(rig).at(-1)!.bytes[1]).toBeGreaterThanOrEqual(192); // the BYE too
});

test('where it was not agreed, reports on the port of sound are refused', async () => {
  const rig = await secret(undefined);
  rig.clock.advance(100);
  const before = rig.stats('b').refusedPackets;
  rig.wire.sendUdp({ host: rig.a.host, port: portOf(rig.a) }, { host: rig.b.host, port: portOf(rig.b) }, Buffer.from('80c9000101020304', 'hex'));
  rig.clock.advance(100);
  expect(rig.stats('b').refusedPackets).toBe(before + 1);
});

