// How a call sounds, between two phones in fake time; the reports are read off the wire.

import { CompoundPacket, type RtcpPacket } from 'rtp.js/packets';
import { describe, expect, test } from 'vitest';
import type { CallQuality, StreamSession, StreamStats } from '../../src/media/door.ts';
import { ntpMiddle, readRtcp, rtcpNews } from '../../src/media/rtcp.ts';
import type { JitterBuffer } from '../../src/media/jitter.ts';
import { rtpPacket } from '../../src/media/rtp.ts';
import { readXr, type XrNews } from '../../src/media/xr.ts';
import { extras } from '../../src/main/media-extras.ts';
import { FakeClock } from '../fakes/clock.ts';
import { call, end, G722, mediaSettings, OPUS, PCMA, portOf, session, voice, type Call, type End } from './bench.ts';
import { opusAvailable } from '../../src/media/opus-drivers.ts';

const ASKED = { rtcpXr: 'voip-metrics' } as const;

/** Compound packets that left `from`, and what is in each. */
const reportsOf = (c: Call, from: End) => c.wire.sent.filter((d) => d.from.host === from.host && d.bytes[1]! >= 200 && d.bytes[1]! <= 207);
const typesIn = (bytes: Buffer): number[] => (new CompoundPacket(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)).getPackets() as RtcpPacket[]).map((p) => p.getPacketType());
const last = (e: End): CallQuality => e.of('quality').at(-1)!.quality;
const ssrcOf = (c: Call, e: End): number => reportsOf(c, e)[0]!.bytes.readUInt32BE(4);
const measured = async (e: End) => {
  e.media.command({ do: 'measure', stream: 1, ask: 1 });
  return e.of('stats').at(-1)!.stats;
};

describe('what is heard', () => {
  test('a clean call is very good, and said so every second', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(10_000);
    const told = c.a.of('quality');
    expect(told.length).toBeGreaterThanOrEqual(7);
    expect(told.length).toBeLessThanOrEqual(10);
    expect(last(c.a)).toMatchObject({ codec: 'PCMA', payloadType: 8, packetMs: 20, heard: { words: 'very good', lossPercent: 0, discardPercent: 0, r: 93.2, mosLq: 4.41, mosCq: 4.41 }, path: { burstPercent: 0, gapPercent: 0, jitterAbsoluteMs: 300 } });
    expect(last(c.a).path.roundTripMs).toBeGreaterThanOrEqual(0);
    expect(last(c.a).path.endSystemMs).toBeGreaterThan(20); // a packet of ours, and the wait for the card
    expect((await measured(c.a)).quality).toEqual(last(c.a));
  });

  test('loss is counted, and the opinion falls with it', async () => {
    const moses: number[] = [];
    for (const loss of [0, 0.02, 0.1]) {
      const c = await call({ microphone: voice, seed: 3 });
      c.wire.weather.loss = loss;
      await c.clock.run(40_000);
      const { heard } = last(c.b);
      moses.push(heard.mosCq);
      expect(heard.lossPercent).toBeGreaterThanOrEqual(70 * loss);
      expect(heard.lossPercent).toBeLessThanOrEqual(130 * loss);
    }
    expect(moses[0]! - moses[1]!).toBeGreaterThan(0.05);
    expect(moses[1]! - moses[2]!).toBeGreaterThan(0.3);
  });

  test('what comes too late is discarded, not lost (RFC 3611 §4.7.1)', async () => {
    const c = await call({ microphone: voice, settings: mediaSettings({ jitterMaxMs: 0 }) });
    await c.clock.run(2_000);
    c.wire.weather.reorder = 0.05; // up to 45 ms late
    await c.clock.run(20_000);
    const { heard } = last(c.b), { latePackets, lostPackets } = await measured(c.b);
    expect(latePackets).toBeGreaterThan(3);
    expect(lostPackets).toBe(0);
    expect(heard.lossPercent).toBe(0);
    expect(heard.discardPercent).toBeGreaterThan(0);
    expect(heard.discardPercent).toBeLessThanOrEqual(latePackets / 10);
  });

  test('so is what a flood leaves no time to play', async () => {
    const c = await call({ microphone: voice, settings: mediaSettings({ jitterMaxMs: 100 }) });
    await c.clock.run(5_000);
    c.wire.weather.delayMs = 1_000;
    for (let delay = 1_000; delay > 0; delay -= 20) { // what was held up comes all at once
      c.wire.weather.delayMs = delay;
      await c.clock.run(20);
    }
    c.wire.weather.delayMs = 1;
    await c.clock.run(10_000);
    const { latePackets, lostPackets } = await measured(c.b), { heard } = last(c.b);
    expect(latePackets).toBeGreaterThan(20);
    expect(lostPackets).toBe(0);
    expect(heard.lossPercent).toBe(0);
    expect(heard.discardPercent).toBeGreaterThan(2);
    expect(heard.words).not.toBe('very good');
  });

  test('another source has numbers of its own, and nothing between its first and the other\'s last was lost (RFC 3550 §5.1)', () => {
    const clock = new FakeClock(), jitter = { late: 0, dropped: 0 } as JitterBuffer;
    const stats = () => ({ playoutDelayMs: 40, wantedDelayMs: 40, jitterMs: 0, recoveredPackets: 0, roundTripMs: -1, remote: '' }) as StreamStats;
    const quality = extras.createQuality({ stats }, 1, 7, jitter, mediaSettings(), { clock, tell: () => undefined });
    quality.negotiated({ remote: { host: '192.0.2.2', port: 4000 }, rtcpPort: 4001, send: PCMA, receive: [PCMA], direction: 'sendrecv', ptimeMs: 20 });
    for (const [ssrc, first] of [[1, 100], [2, 2_000]] as const) {
      for (let i = 0; i < 300; i++) quality.packet({ ...rtpPacket(), ssrc, payloadType: PCMA.payloadType, sequence: first + i, timestamp: 160 * i });
    }
    quality.close();
    expect(quality.now?.heard).toMatchObject({ lossPercent: 0, discardPercent: 0 });
  });

  test('a packet that comes twice is neither lost nor discarded', async () => {
    const c = await call({ microphone: voice });
    c.wire.weather.duplicate = 0.5;
    await c.clock.run(10_000);
    expect(last(c.b).heard).toMatchObject({ lossPercent: 0, discardPercent: 0 });
  });

  test('an outage is one burst, between two gaps (RFC 3611 §4.7.2)', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(10_000);
    c.wire.weather.loss = 1;
    await c.clock.run(800);
    c.wire.weather.loss = 0;
    await c.clock.run(10_000);
    const { path } = last(c.b);
    expect(path.burstPercent).toBeGreaterThan(90);
    expect(path.burstMs).toBeGreaterThan(600);
    expect(path.gapMs).toBeGreaterThan(8_000);
  });

  test('delay takes from conversation, not from listening', async () => {
    const c = await call({ microphone: voice });
    c.wire.weather.delayMs = 300;
    await c.clock.run(30_000);
    const { heard, path } = last(c.b);
    expect(path.roundTripMs).toBeGreaterThan(590);
    expect(path.roundTripMs).toBeLessThan(620);
    expect(path.oneWayMs).toBeGreaterThan(300);
    expect(heard.mosLq - heard.mosCq).toBeGreaterThan(0.4);
  });

  test('each codec is rated as itself; sound that came with its successor was not lost to the ear', async () => {
    const wide = await call({ microphone: voice, session: { send: G722, receive: [G722, PCMA] } });
    await wide.clock.run(5_000);
    expect(last(wide.a)).toMatchObject({ codec: 'G722', heard: { mosLq: 4.34, words: 'very good' } });
    if (!opusAvailable()) return;
    const c = await call({ microphone: voice, settings: mediaSettings({ jitterMinMs: 40 }), session: { send: OPUS, receive: [OPUS] }, seed: 4 });
    c.wire.weather.loss = 0.05;
    await c.clock.run(20_000);
    const { heard } = last(c.b), { recoveredPackets } = await measured(c.b);
    expect(recoveredPackets).toBeGreaterThan(10);
    expect(heard.lossPercent).toBeGreaterThan(3);
    expect(heard.mosLq).toBeGreaterThan(4.25); // 4.0 were all of it lost
  });

  test('packets of 40 ms count as such', async () => {
    const c = await call({ microphone: voice, session: { ptimeMs: 40 } });
    await c.clock.run(10_000);
    expect(last(c.b).packetMs).toBe(40);
    expect(last(c.b).path.gapMs).toBeGreaterThan(6_000);
  });

  test('nothing is said of a call too short, or of one that hears nothing', async () => {
    const c = await call({ microphone: voice, session: { direction: 'sendonly' } });
    await c.clock.run(500);
    expect(c.a.of('quality')).toEqual([]);
    expect((await measured(c.a)).quality).toBeUndefined();
    c.a.media.command({ do: 'close', stream: 1 });
    await c.clock.run(10_000);
    expect(c.a.of('quality')).toEqual([]);
  });

  test('the last word comes when the stream is closed, once', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(5_300);
    c.a.media.command({ do: 'close', stream: 1 });
    await c.clock.run(5_000);
    expect(c.a.of('quality').filter((e) => e.last)).toHaveLength(1);
    expect(c.a.of('quality').at(-1)).toMatchObject({ last: true, stream: 1, remote: `192.0.2.2:${portOf(c.b)}` });
  });

  test('without the part that rates there is none of it, and the call goes on', async () => {
    const c = await call({ microphone: voice, extras: null, session: ASKED });
    await c.clock.run(10_000);
    expect(c.a.of('quality')).toEqual([]);
    expect(new Set(reportsOf(c, c.a).flatMap((d) => typesIn(d.bytes)))).toEqual(new Set([200, 202]));
  });
});

describe('reports on the wire', () => {
  test('who is asked for metrics sends them behind SR and SDES (RFC 3611 §5, §4.7; RFC 3550 §6.1)', async () => {
    const c = await call({ microphone: voice, session: ASKED });
    c.wire.weather.loss = 0.05;
    await c.clock.run(30_000);
    const reports = reportsOf(c, c.a).filter((d) => typesIn(d.bytes).includes(207));
    expect(reports.length).toBeGreaterThanOrEqual(3);
    for (const { bytes } of reports) {
      expect(typesIn(bytes)).toEqual([200, 202, 207]);
      expect(readRtcp(bytes, 1, rtcpNews())).toBe(true);
    }
    const ofB = last(c.b).ssrc, { heard } = readXr(reports.at(-1)!.bytes, ofB);
    expect(heard!.lossPercent).toBeGreaterThan(2);
    expect(heard!.lossPercent).toBeLessThan(9);
    expect(heard).toMatchObject({ gmin: 16, concealment: 2, adaptive: 3, jitterAbsoluteMs: 300, signalDb: 127 });
    expect(Math.abs(heard!.mosCq - last(c.a).heard.mosCq)).toBeLessThan(0.3);
    // and is heard of there
    expect(last(c.b).there!.mosCq).toBe(readXr(reportsOf(c, c.a).filter((d) => !d.lost && typesIn(d.bytes).includes(207)).at(-1)!.bytes, ofB).heard!.mosCq);
  });

  test('a BYE is the last packet of all (RFC 3550 §6.1)', async () => {
    const c = await call({ microphone: voice, session: ASKED });
    await c.clock.run(5_000);
    c.a.media.command({ do: 'close', stream: 1 });
    await c.clock.run(1_000);
    const { bytes } = reportsOf(c, c.a).at(-1)!, news = rtcpNews();
    expect(typesIn(bytes)).toEqual([200, 202, 207, 203]);
    expect(readRtcp(bytes, 1, news) && news.bye).toBe(true);
    expect(bytes.readUInt32BE(bytes.length - 4)).toBe(bytes.readUInt32BE(4));
  });

  test.each([undefined, 'pkt-loss-rle stat-summary=loss', 'voip-metric', ''])('who asks for %j gets none', async (rtcpXr) => {
    const c = await call({ microphone: voice, session: { rtcpXr } });
    await c.clock.run(15_000);
    expect(reportsOf(c, c.a).some((d) => typesIn(d.bytes).includes(207))).toBe(false);
    expect(last(c.b).there).toBeUndefined();
    expect(last(c.b).heard.words).toBe('very good');
  });

  test('metrics that nobody asked for are read all the same', async () => {
    const c = await call({ microphone: voice });
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b, ASKED) });
    await c.clock.run(15_000);
    expect(last(c.b).there).toMatchObject({ lossPercent: 0 });
    expect(last(c.a).there).toBeUndefined();
  });

  test('reference times are answered by the delay since, and the round trip known to who only listens (RFC 3611 §4.4, §4.5)', async () => {
    const both: Partial<StreamSession> = { rtcpXr: 'rcvr-rtt=all:128 voip-metrics' };
    const c = await call({ microphone: voice, session: both });
    c.wire.weather.delayMs = 50;
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b, { ...both, direction: 'recvonly' }) });
    await c.clock.run(30_000);
    const sent = (from: End): XrNews[] => reportsOf(c, from).map((d) => readXr(d.bytes, ssrcOf(c, from === c.a ? c.b : c.a)));
    expect(reportsOf(c, c.a).filter((d) => d.bytes[1] === 201).length).toBeGreaterThan(3); // it only listens
    expect(sent(c.a).some((news) => news.reference !== undefined)).toBe(true);
    const answered = sent(c.b).filter((news) => news.lastRr !== undefined);
    expect(answered.length).toBeGreaterThan(2);
    const references = new Set(sent(c.a).map((news) => news.reference));
    for (const { lastRr } of answered) expect(references).toContain(lastRr);
    expect(last(c.a).path.roundTripMs).toBeGreaterThan(99);
    expect(last(c.a).path.roundTripMs).toBeLessThan(102);
    expect(references).toContain(ntpMiddle(reportsOf(c, c.a).at(-1)!.atMs + c.clock.wall() - c.clock.now()));
  });

  test('rcvr-rtt=sender: who sends nothing does not answer (RFC 3611 §5.1)', async () => {
    const both: Partial<StreamSession> = { rtcpXr: 'rcvr-rtt=sender' };
    const c = await call({ microphone: voice, session: both });
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b, { ...both, direction: 'recvonly' }) });
    await c.clock.run(20_000);
    const [a, b] = [reportsOf(c, c.a), reportsOf(c, c.b)];
    expect(a.filter((d) => d.bytes[1] === 201).length).toBeGreaterThan(2);
    expect(b.filter((d) => readXr(d.bytes, 0).reference !== undefined).length).toBeGreaterThan(2);
    expect(a.some((d) => readXr(d.bytes, ssrcOf(c, c.b)).lastRr !== undefined)).toBe(false);
    expect(b.some((d) => readXr(d.bytes, ssrcOf(c, c.a)).lastRr !== undefined)).toBe(true);
  });

  test('over one port with RTP (RFC 5761), and encrypted (RFC 3711 §3.4)', async () => {
    const key = (fill: number) => Buffer.alloc(30, fill).toString('base64');
    const c = await call({ microphone: voice, session: { ...ASKED, rtcpMux: true } });
    for (const [near, far, send, receive] of [[c.a, c.b, 1, 2], [c.b, c.a, 2, 1]] as const) {
      near.media.command({ do: 'negotiated', stream: 1, session: session(far, { ...ASKED, rtcpMux: true, crypto: { suite: 'AES_CM_128_HMAC_SHA1_80', send: key(send), receive: key(receive) } }) });
    }
    await c.clock.run(15_000);
    expect(last(c.b).there).toMatchObject({ lossPercent: 0, mosCq: 4.4 });
    expect(last(c.a).there).toMatchObject({ lossPercent: 0, mosCq: 4.4 });
    expect(reportsOf(c, c.a).every((d) => d.from.port === portOf(c.a))).toBe(true);
    expect((await measured(c.a)).forgedPackets).toBe(0);
  });

  test('nonsense in an extended report changes nothing', async () => {
    const c = await call({ microphone: voice, session: ASKED });
    await c.clock.run(10_000);
    const { bytes, from, to } = reportsOf(c, c.b).find((d) => typesIn(d.bytes).includes(207))!;
    for (let at = 8; at < bytes.length; at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const bent = Buffer.from(bytes);
        bent[at] = value;
        c.wire.sendUdp(from, to, bent);
      }
    }
    await c.clock.run(10_000);
    expect(last(c.a).heard.words).toBe('very good');
    expect((await measured(c.a)).receivedPackets).toBeGreaterThan(950);
  });
});

test('a page is not rated: nobody asks it back', async () => {
  const { FakeClock } = await import('../fakes/clock.ts'), { Wire } = await import('../fakes/network.ts');
  const clock = new FakeClock(), wire = new Wire(clock);
  let made = 0;
  const a = end(wire, '192.0.2.1', mediaSettings(), 7, () => ({ ...extras, createQuality: (...args) => { made++; return extras.createQuality(...args); } }));
  a.media.command({ do: 'open', stream: 1, host: a.host, cname: 'x', group: { host: '239.1.2.3', port: 5_000 } });
  await clock.run(100);
  expect([a.of('opened').length, made, PCMA.payloadType]).toEqual([1, 0, 8]);
});
