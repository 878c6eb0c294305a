import { describe, expect, test } from 'vitest';
import { opusAvailable } from '../../src/media/opus-drivers.ts';
import { DtmfDetector } from '../../src/media/dtmf-detector.ts';
import type { MediaSettings, StreamSession } from '../../src/media/door.ts';
import { readRtp, rtpPacket } from '../../src/media/rtp.ts';
import { ToneGenerator } from '../../src/media/tones.ts';
import { settle } from '../fakes/clock.ts';
import { align, call, card, end, G722, L16, mediaSettings, OPUS, PCMA, PCMU, portOf, session, sine, toneIn, voice, type Call, type End } from './bench.ts';

/** RTP packets `e` sent to an RTP port, read. */
function sentBy(c: Call, e: End, fromMs = 0) {
  return c.wire.sent.filter((d) => d.from.host === e.host && d.from.port % 2 === 0 && d.atMs >= fromMs).map((d) => {
    const packet = rtpPacket();
    expect(readRtp(d.bytes, packet)).toBe(true);
    return { ...packet, atMs: d.atMs, to: d.to };
  });
}
/** Mean of the likenesses of windows of `span` samples, each found at its own delay. */
function likeness(heard: readonly number[], said: (i: number) => number, from: number, to: number, span = 8000): { mean: number; worst: number; delayMs: number } {
  const windows = [];
  for (let at = from; at + span <= to; at += span) windows.push(align(said, heard, at, span));
  return {
    mean: windows.reduce((sum, w) => sum + w.like, 0) / windows.length,
    worst: Math.min(...windows.map((w) => w.like)),
    delayMs: windows.reduce((sum, w) => sum + w.delay / 16, 0) / windows.length,
  };
}
async function stats(e: End, stream = 1) {
  e.media.command({ do: 'measure', stream, ask: 5 });
  await settle();
  return e.of('stats').at(-1)!.stats;
}

describe('sound from one handset to the other', () => {
  // The delay is counted from a sample's place in the capture stream to its place in the playback stream of the same card beats:
  // what packet time, network (1 ms), jitter buffer (20 ms least) and resampling make together, without the card's own buffers.
  test.each([
    ['PCMA, 20 ms periods', mediaSettings(), {}, 0.99, 24],
    ['PCMU, 10 ms periods', mediaSettings({}, 10), { send: PCMU }, 0.99, 34],
    ['PCMA, packets of 10 ms', mediaSettings({}, 10), { ptimeMs: 10 }, 0.99, 24],
    ['PCMA, packets of 60 ms', mediaSettings(), { ptimeMs: 60 }, 0.99, 85],
    ['G.722, packets of 30 ms', mediaSettings(), { send: G722, receive: [G722, PCMA], ptimeMs: 30 }, 0.99, 55],
    ['L16, 20 ms periods', mediaSettings(), { send: L16, receive: [L16, PCMA] }, 0.999, 24],
    ...(opusAvailable() ? [['Opus, 20 ms periods', mediaSettings(), { send: OPUS, receive: [OPUS, PCMA] }, 0.95, 32] as const] : []),
  ] as const)('%s', async (_, settings, agreed, least, mostMs) => {
    const c = await call({ settings, session: agreed, microphone: voice });
    await c.clock.run(3000);
    for (const e of [c.a, c.b]) expect(e.of('trouble')).toEqual([]);
    const { like, delay } = align(voice, card(c.b).played, 16_000, 24_000);
    expect(like).toBeGreaterThan(least);
    expect(delay / 16).toBeLessThan(mostMs);
    expect(toneIn(card(c.a).played, 1000)).toBeLessThan(20);
  });

  test('3 % lost, 2 % doubled and 3 % out of order still leave it recognisable', async () => {
    const c = await call({ microphone: voice, seed: 11 });
    Object.assign(c.wire.weather, { loss: 0.03, duplicate: 0.02, reorder: 0.03 });
    await c.clock.run(12_000);
    const { mean, delayMs } = likeness(card(c.b).played, voice, 16_000, 112_000, 3200);
    expect(mean).toBeGreaterThan(0.9);
    expect(delayMs).toBeLessThan(100);
    const s = await stats(c.b);
    expect(s.lostPackets).toBeGreaterThan(5);
    expect(s.concealedMs).toBeGreaterThan(60);
    expect(s.playoutDelayMs).toBeLessThan(100);
  });

  test('with Opus a lost packet is mended from its successor, once the buffer holds it (RFC 7587 §3.4)', async () => {
    if (!opusAvailable()) return;
    const c = await call({ microphone: voice, settings: mediaSettings({ jitterMinMs: 40 }), session: { send: OPUS, receive: [OPUS] }, seed: 4 });
    c.wire.weather.loss = 0.05;
    await c.clock.run(10_000);
    const s = await stats(c.b);
    expect(s.lostPackets).toBeGreaterThan(10);
    expect(s.concealedMs).toBeLessThan(20 * s.lostPackets / 3);
    expect(likeness(card(c.b).played, voice, 16_000, 144_000).mean).toBeGreaterThan(0.93);
  });

  test.each([-500, 500])('a far card whose clock is %i ppm off is followed without loss or growing delay', async (ppm) => {
    const c = await call({ microphone: voice, ppm });
    await c.clock.run(30_000);
    const s = await stats(c.b);
    expect(s.concealedMs).toBeLessThanOrEqual(60);
    expect(s.latePackets).toBe(0);
    expect(s.playoutDelayMs).toBeGreaterThan(0);
    expect(s.playoutDelayMs).toBeLessThan(50);
    const { length } = card(c.b).played;
    let best = 0;
    for (let at = length - 64_000; at < length - 4000; at += 4000) best += align((i) => voice(Math.round(i * (1 + ppm / 1e6))), card(c.b).played, at, 4000).like / 15;
    expect(best).toBeGreaterThan(0.9);
  });

  test('packets count the captured samples: timestamps and sequence numbers have no gap, only the first has the marker (RFC 3551 §4.1)', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(2000);
    const sent = sentBy(c, c.a);
    expect(sent.length).toBeGreaterThanOrEqual(99);
    expect(sent.map((p) => p.marker)).toEqual(sent.map((_, i) => i === 0));
    for (let i = 1; i < sent.length; i++) {
      expect((sent[i]!.timestamp - sent[i - 1]!.timestamp) >>> 0).toBe(160);
      expect((sent[i]!.sequence - sent[i - 1]!.sequence) & 0xffff).toBe(1);
      expect(sent[i]!.payload).toHaveLength(160);
    }
  });

  test('a codec that differs each way, and one that changes by a new negotiation', async () => {
    const c = await call({ microphone: voice });
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b, { send: PCMU }) });
    await c.clock.run(2000);
    expect(new Set(sentBy(c, c.a).map((p) => p.payloadType))).toEqual(new Set([0]));
    expect(new Set(sentBy(c, c.b).map((p) => p.payloadType))).toEqual(new Set([8]));
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b) });
    await c.clock.run(2000);
    expect(align(voice, card(c.b).played, 40_000, 16_000).like).toBeGreaterThan(0.99);
  });

  test('gains of the place apply to what is captured and what is played', async () => {
    const settings = mediaSettings();
    const louder: MediaSettings = { ...settings, places: { ...settings.places, handset: { ...settings.places.handset, captureDb: 6, playDb: -12 } } };
    const c = await call({ settings: louder, microphone: sine(1000, 4000) });
    await c.clock.run(1500);
    expect(toneIn(card(c.b).played, 1000, 8000, 16_000)).toBeGreaterThan(4000 * 0.5 * 0.97);
    expect(toneIn(card(c.b).played, 1000, 8000, 16_000)).toBeLessThan(4000 * 0.51);
  });

  test('silence is not sent where comfort noise was agreed on, speech and digits are (RFC 3389)', async () => {
    const c = await call({ session: { noiseSend: 13, noiseReceive: 13 }, microphone: (i) => (i * 7919 % 61) - 30 + (i > 48_000 && i < 64_000 ? voice(i) : 0) });
    await c.clock.run(6000);
    c.a.media.command({ do: 'digit', stream: 1, digit: '7', ms: 100 });
    await c.clock.run(1000);
    const types = sentBy(c, c.a).map((p) => p.payloadType);
    expect(types.filter((type) => type === 8).length).toBeLessThan(110); // half a second to learn, a second of speech, a quarter after it
    expect(types.filter((type) => type === 13).length).toBeGreaterThan(4);
    expect(types).toContain(101);
    expect(align((i) => voice(i), card(c.b).played, 50_000, 12_000).like).toBeGreaterThan(0.98);
    expect(c.b.of('digit').map((d) => d.digit)).toEqual(['7']);
  });

  test('a muted phone sends silence, not nothing', async () => {
    const c = await call({ microphone: sine(1000, 8000) });
    c.a.media.command({ do: 'mute', stream: 1, muted: true });
    await c.clock.run(1000);
    expect(sentBy(c, c.a).length).toBeGreaterThanOrEqual(49);
    expect(toneIn(card(c.b).played, 1000)).toBeLessThan(20);
    c.a.media.command({ do: 'mute', stream: 1, muted: false });
    await c.clock.run(1000);
    expect(toneIn(card(c.b).played, 1000, 20_000, 10_000)).toBeGreaterThan(7500);
  });
});

describe('digits', () => {
  const KEYS = '0123456789*#ABCD';

  test('go both ways as events, each told once at its end and in order (RFC 4733 §2.5)', async () => {
    const c = await call({ microphone: voice });
    for (const digit of KEYS + '11') c.a.media.command({ do: 'digit', stream: 1, digit, ms: 100 });
    c.b.media.command({ do: 'digit', stream: 1, digit: '5', ms: 250 });
    await c.clock.run(6000);
    expect(c.b.of('digit').map((d) => d.digit).join('')).toBe(KEYS + '11');
    expect(new Set(c.b.of('digit').map((d) => d.ms))).toEqual(new Set([100]));
    expect(c.a.of('digit')).toEqual([{ event: 'digit', stream: 1, digit: '5', ms: 260 }]);
  });

  test('arrive exactly through loss, doubles and disorder', async () => {
    const c = await call({ microphone: voice, seed: 5 });
    Object.assign(c.wire.weather, { loss: 0.1, duplicate: 0.1, reorder: 0.1 });
    for (const digit of KEYS + KEYS) c.a.media.command({ do: 'digit', stream: 1, digit, ms: 100 });
    await c.clock.run(12_000);
    expect(c.b.of('digit').map((d) => d.digit).join('')).toBe(KEYS + KEYS);
  });

  test('take the place of sound, on its clock, with at least 65 ms between two', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(1000);
    for (const digit of '12') c.a.media.command({ do: 'digit', stream: 1, digit, ms: 100 });
    await c.clock.run(1000);
    const sent = sentBy(c, c.a), events = sent.filter((p) => p.payloadType === 101);
    expect(sent.slice(1).every((p, i) => p.atMs - sent[i]!.atMs === 20)).toBe(true); // one packet a packet time, sound or event
    expect(events).toHaveLength(14); // five of duration and two more ends each
    expect(events.map((p) => p.marker)).toEqual(events.map((_, i) => i % 7 === 0));
    expect(events[7]!.atMs - events[6]!.atMs).toBeGreaterThanOrEqual(65);
    const before = sent[sent.indexOf(events[0]!) - 1]!;
    expect((events[0]!.timestamp - before.timestamp) >>> 0).toBe(160);
    expect(sent.filter((p) => p.payloadType === 8 && p.atMs > events.at(-1)!.atMs)[0]!.marker).toBe(true);
    expect((await stats(c.b)).concealedMs).toBe(0); // and the other side hears a pause, not a loss
  });

  test.each([[48_000, 48_000], [8000, 8000], [undefined, 48_000]])('beside Opus run on the clock that was agreed, %s Hz (RFC 4733 §2.1)', async (eventHz, hz) => {
    if (!opusAvailable()) return;
    const agreed = { send: OPUS, receive: [OPUS], ...(eventHz === undefined ? {} : { eventHz }) };
    const c = await call({ microphone: voice, session: agreed });
    c.a.media.command({ do: 'digit', stream: 1, digit: '3', ms: 100 });
    await c.clock.run(500);
    expect(c.b.of('digit')).toEqual([{ event: 'digit', stream: 1, digit: '3', ms: 100 }]);
    const last = sentBy(c, c.a).filter((p) => p.payloadType === 101).at(-1)!;
    expect((last.payload[2]! << 8) | last.payload[3]!).toBe(hz / 10);
  });

  test('whose ends were all lost are told all the same', async () => {
    const c = await call();
    await c.clock.run(500);
    c.a.media.command({ do: 'digit', stream: 1, digit: '7', ms: 200 });
    await c.clock.run(100);
    c.wire.weather.loss = 1;
    await c.clock.run(300);
    expect(c.b.of('digit').map((d) => d.digit)).toEqual(['7']);
  });

  test('are sounded into the stream where the other side takes no events (Q.23)', async () => {
    const c = await call({ microphone: sine(440, 8000), session: { eventSend: undefined as never } });
    c.a.media.command({ do: 'negotiated', stream: 1, session: (({ eventSend: _, ...rest }) => rest)(session(c.b)) });
    await c.clock.run(500);
    const at = card(c.b).played.length;
    for (const digit of '15') c.a.media.command({ do: 'digit', stream: 1, digit, ms: 200 });
    await c.clock.run(1000);
    const heard = card(c.b).played;
    const first = at + 800, second = at + 800 + 16 * 260;
    expect(toneIn(heard, 697, first, 1600)).toBeGreaterThan(1500);
    expect(toneIn(heard, 1209, first, 1600)).toBeGreaterThan(1800);
    expect(toneIn(heard, 440, first, 1600)).toBeLessThan(300); // the microphone is off meanwhile
    expect(toneIn(heard, 770, second, 1600)).toBeGreaterThan(1500);
    expect(toneIn(heard, 1336, second, 1600)).toBeGreaterThan(1800);
    expect(toneIn(heard, 440, heard.length - 3200, 3200)).toBeGreaterThan(7000);
  });

  const listening = { dtmfDetector: (onDigit: (digit: string, ms: number) => void) => new DtmfDetector(onDigit) };
  const SOUNDED = { eventSend: undefined, eventReceive: undefined } as unknown as Partial<StreamSession>;
  test('are heard in the sound where the other side sends no events (Q.24)', async () => {
    const c = await call({ microphone: voice, session: SOUNDED, extras: listening });
    await c.clock.run(500);
    for (const digit of '14*D') c.a.media.command({ do: 'digit', stream: 1, digit, ms: 80 });
    await c.clock.run(2000);
    expect(c.b.of('digit').map(({ digit }) => digit).join('')).toBe('14*D');
    for (const { ms } of c.b.of('digit')) expect(Math.abs(ms - 80)).toBeLessThanOrEqual(15);
    expect(c.a.of('digit')).toEqual([]);
  });

  test('are not listened for where events were agreed, or where that is off, unless it is always on', async () => {
    let made = 0;
    const counting = { dtmfDetector: () => ({ take() { made++; } }) };
    for (const [inbandDtmf, agreed, heard] of [['auto', {}, false], ['off', SOUNDED, false], ['on', {}, true], ['auto', SOUNDED, true]] as const) {
      made = 0;
      const c = await call({ settings: mediaSettings({ inbandDtmf }), session: agreed, extras: counting });
      await c.clock.run(200);
      expect(made > 0).toBe(heard);
    }
  });

  test('are not listened for in a page to a group, which says nothing of events', async () => {
    let made = 0;
    const c = await call({ extras: { dtmfDetector: () => ({ take: () => void made++ }) } });
    c.b.media.command({ do: 'open', stream: 9, host: c.b.host, cname: 'b', group: { host: '239.1.1.1', port: 5004 } });
    await settle();
    c.b.media.command({ do: 'route', stream: 9, route: { to: 'place', place: 'speaker' } });
    await c.clock.run(200);
    expect(c.b.of('opened').map(({ port }) => port)).toContain(5004);
    expect(made).toBe(0);
  });

  test('that come both as events and in the sound are told once', async () => {
    const hear: ((digit: string, ms: number) => void)[] = [];
    const c = await call({ settings: mediaSettings({ inbandDtmf: 'on' }), extras: { dtmfDetector: (onDigit) => ({ take: () => void hear.push(onDigit) }) } });
    await c.clock.run(200);
    const sounds = hear.at(-1)!; // that of b, whose card beats last
    c.a.media.command({ do: 'digit', stream: 1, digit: '5', ms: 100 });
    await c.clock.run(300);
    sounds('5', 100);
    sounds('6', 100);
    await c.clock.run(600);
    sounds('5', 100);
    expect(c.b.of('digit').map(({ digit }) => digit).join('')).toBe('565');
  });

  test('that are none are refused with words', async () => {
    const c = await call();
    c.a.media.command({ do: 'digit', stream: 1, digit: 'x', ms: 100 });
    expect(c.a.of('trouble').map((t) => t.code)).toEqual(['DIGIT_REFUSED']);
  });
});

describe('strangers', () => {
  const rtp = (n: number, ssrc = 99, type = 8): Buffer => {
    const bytes = Buffer.alloc(172, 0xd5);
    bytes.writeUInt32BE(((0x80 << 24) | (type << 16) | (n & 0xffff)) >>> 0, 0);
    bytes.writeUInt32BE(n * 160, 4);
    bytes.writeUInt32BE(ssrc, 8);
    return bytes;
  };

  test('are neither heard nor sent to while the right one is there', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(500);
    const stranger = { host: '203.0.113.66', port: 5000 };
    for (let n = 0; n < 100; n++) {
      c.wire.sendUdp(stranger, { host: c.b.host, port: portOf(c.b) }, rtp(n));
      c.wire.sendUdp({ host: stranger.host, port: 5001 }, { host: c.b.host, port: portOf(c.b) + 1 }, Buffer.from('80c90001 00000063'.replace(' ', ''), 'hex'));
      await c.clock.run(20);
    }
    expect(c.wire.sent.filter((d) => d.to.host === stranger.host)).toEqual([]);
    expect((await stats(c.b)).refusedPackets).toBe(200);
    expect(align(voice, card(c.b).played, 16_000, 20_000).like).toBeGreaterThan(0.99);
  });

  test('a peer behind a NAT is answered where it really is, after several packets (RFC 4961)', async () => {
    const c = await call();
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b, { remote: { host: '10.1.2.3', port: 4444 }, rtcpPort: 4445 }) });
    const seen = { host: c.b.host, port: portOf(c.b) };
    c.b.audio.microphone = voice;
    await c.clock.run(1000);
    const sent = sentBy(c, c.a);
    expect(sent[0]!.to.host).toBe('10.1.2.3');
    expect(sent.at(-1)!.to).toEqual(seen);
    expect(sent.filter((p) => p.to.host === '10.1.2.3').length).toBeGreaterThanOrEqual(6);
    expect((await stats(c.a)).remote).toBe(`${seen.host}:${seen.port}`);
    await c.clock.run(10_000); // reports follow
    expect(c.wire.sent.some((d) => d.from.host === c.a.host && d.to.host === seen.host && d.to.port === seen.port + 1)).toBe(true);
  });

  test('any bytes at both ports are counted and break nothing', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(500);
    for (let n = 0; n < 3000; n++) {
      const bytes = Buffer.from(Array.from({ length: (n * 7) % 60 }, (_, i) => (i === 0 ? 0x80 | (n & 0x3f) : (n * 31 + i * 17) & 0xff)));
      c.wire.sendUdp({ host: c.a.host, port: portOf(c.a) + (n % 2) }, { host: c.b.host, port: portOf(c.b) + (n % 2) }, bytes);
      if (n % 10 === 0) await c.clock.run(10);
    }
    await c.clock.run(2000);
    const s = await stats(c.b);
    expect(s.refusedPackets).toBeGreaterThan(2000);
    expect(align(voice, card(c.b).played, card(c.b).played.length - 17_000, 16_000).like).toBeGreaterThan(0.98);
  });

  test('a sender that changes its SSRC is heard on, from its second packet (RFC 3550 §8.2)', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(1000);
    const other = end(c.wire, '192.0.2.77'); // its engine has another SSRC, sequence and clock; its packets come from where a's came
    c.a.media.command({ do: 'close', stream: 1 });
    await settle();
    other.audio.microphone = voice;
    other.media.command({ do: 'open', stream: 1, host: c.a.host, cname: 'other' });
    await settle();
    const port = portOf(c.a);
    for (let tries = 2; other.of('opened').at(-1)?.port !== port && tries < 200; tries++) {
      other.media.command({ do: 'open', stream: tries, host: c.a.host, cname: 'other' });
      await settle();
    }
    const stream = other.of('opened').find((o) => o.port === port)!.stream;
    other.media.command({ do: 'negotiated', stream, session: session(c.b) });
    other.media.command({ do: 'route', stream, route: { to: 'place', place: 'handset' } });
    const before = card(c.b).played.length;
    await c.clock.run(2000);
    expect((await stats(c.b)).refusedPackets).toBe(1);
    expect(likeness(card(c.b).played, (i) => voice(i - before), before + 8000, before + 30_000).mean).toBeGreaterThan(0.95);
  });
});

describe('hold', () => {
  test.each([
    ['sendonly', true, false], ['recvonly', false, true], ['inactive', false, false],
  ] as const)('%s: what is sent and what is heard (RFC 3264 §8.4)', async (direction, sends, hears) => {
    const c = await call({ microphone: voice });
    c.b.audio.microphone = sine(1000, 8000);
    await c.clock.run(1000);
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b, { direction }) });
    await c.clock.run(200);
    const at = card(c.a).played.length, packets = sentBy(c, c.a).length;
    await c.clock.run(1000);
    expect(sentBy(c, c.a).length - packets).toBe(sends ? 50 : 0);
    expect(toneIn(card(c.a).played, 1000, at + 2000, 10_000) > 7000).toBe(hears);
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b) });
    await c.clock.run(1000);
    expect(toneIn(card(c.a).played, 1000, card(c.a).played.length - 8000, 8000)).toBeGreaterThan(7000);
    expect(likeness(card(c.b).played, voice, card(c.b).played.length - 8200, card(c.b).played.length).mean).toBeGreaterThan(0.98);
  });

  test('address 0.0.0.0 is sent nothing (RFC 2543 hold)', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(500);
    c.a.media.command({ do: 'negotiated', stream: 1, session: session(c.b, { remote: { host: '0.0.0.0', port: portOf(c.b) } }) });
    const packets = c.wire.sent.filter((d) => d.from.host === c.a.host).length;
    await c.clock.run(12_000);
    expect(c.wire.sent.filter((d) => d.from.host === c.a.host).length).toBe(packets);
  });
});

describe('heard and silent', () => {
  test('the first packet is told, then a silence as long as set, once, then the next packet', async () => {
    const c = await call({ settings: mediaSettings({ rtpTimeoutS: 5 }) });
    await c.clock.run(1000);
    expect(c.a.of('heard')).toHaveLength(1);
    c.wire.down.add(c.b.host);
    await c.clock.run(20_000, 100);
    expect(c.a.of('silent')).toEqual([{ event: 'silent', stream: 1, seconds: 5 }]);
    c.wire.down.clear();
    await c.clock.run(100);
    expect(c.a.of('heard')).toHaveLength(2);
  });

  test('a stream on hold, and one with the setting 0, is never called silent', async () => {
    for (const [rtpTimeoutS, direction] of [[5, 'recvonly'], [0, 'sendrecv']] as const) {
      const c = await call({ settings: mediaSettings({ rtpTimeoutS }), session: { direction } });
      c.wire.down.add(c.b.host);
      await c.clock.run(30_000, 100);
      expect(c.a.of('silent')).toEqual([]);
    }
  });
});

describe('reports', () => {
  test('loss, round trip and jitter reach the other side, and BYE ends the stream (RFC 3550 §6)', async () => {
    const c = await call({ microphone: voice, seed: 3 });
    c.wire.weather.delayMs = 15;
    await c.clock.run(1000);
    c.wire.weather.loss = 0.05;
    await c.clock.run(25_000, 50);
    c.wire.weather.loss = 0;
    const s = await stats(c.a);
    expect(s.roundTripMs).toBeGreaterThan(29);
    expect(s.roundTripMs).toBeLessThan(32);
    expect(s.remoteLossPercent).toBeGreaterThan(1);
    expect(s.remoteLossPercent).toBeLessThan(12);
    expect(s.jitterMs).toBeLessThan(1);
    expect(s.codec).toBe('PCMA');
    expect(s.sentPackets).toBeGreaterThan(1200);
    const reports = c.wire.sent.filter((d) => d.from.host === c.a.host && d.from.port % 2 === 1);
    expect(reports.length).toBeGreaterThanOrEqual(4);
    expect(reports.length).toBeLessThanOrEqual(13);
    c.a.media.command({ do: 'close', stream: 1 });
    const bye = c.wire.sent.filter((d) => d.from.host === c.a.host).at(-1)!.bytes;
    expect(bye.at(-7)).toBe(203);
  });
});

describe('routes', () => {
  /** Stream 1 of b goes to `route` instead of the handset. */
  async function routed(route: Parameters<End['media']['command']>[0] & { do: 'route' }, options: Parameters<typeof call>[0] = {}): Promise<Call> {
    const c = await call({ microphone: voice, ...options });
    c.b.media.command(route);
    return c;
  }

  test('echo sends back what it hears, across codecs, with no card at all', async () => {
    const c = await routed({ do: 'route', stream: 1, route: { to: 'echo' } });
    c.b.media.command({ do: 'negotiated', stream: 1, session: session(c.a, { send: PCMU }) });
    await c.clock.run(4000);
    const { like, delay } = align(voice, card(c.a).played, 24_000, 32_000);
    expect(like).toBeGreaterThan(0.99);
    expect(delay / 16).toBeLessThan(80);
    c.a.media.command({ do: 'digit', stream: 1, digit: '4', ms: 100 });
    await c.clock.run(500);
    expect(c.b.of('digit').map((d) => d.digit)).toEqual(['4']);
    expect(c.a.of('digit')).toEqual([]); // sound only
    expect(c.b.audio.running).toHaveLength(0);
  });

  test('a program is played to the far side, to its end, and then silence goes on', async () => {
    const c = await routed({ do: 'route', stream: 1, route: { to: 'program', program: { steps: [{ hz: [600], dbm0: -10, ms: 500 }], times: 1 } } });
    await c.clock.run(2000);
    expect(toneIn(card(c.a).played, 600, 3200, 3200)).toBeGreaterThan(6000);
    expect(toneIn(card(c.a).played, 600, 16_000, 12_000)).toBeLessThan(20);
    expect(sentBy(c, c.b).length).toBeGreaterThanOrEqual(98);
  });

  const FILE = { wav: 'hold.wav', pauseMs: 0, mostDbov: -26, instead: { steps: [{ hz: [600], dbm0: -10, ms: 0 }], times: 1 } } as const;
  test('a file is played to the far side as long as the route lasts', async () => {
    const asked: unknown[] = [];
    const wav = (...given: unknown[]) => {
      asked.push(given);
      return new ToneGenerator({ steps: [{ hz: [900], dbm0: -10, ms: 0 }], times: 1 }, 16_000);
    };
    const c = await routed({ do: 'route', stream: 1, route: { to: 'program', program: FILE } }, { extras: { wav } });
    await c.clock.run(3000);
    expect(toneIn(card(c.a).played, 900, 16_000, 16_000)).toBeGreaterThan(6000);
    expect(asked).toEqual([[FILE, 16_000]]);
  });

  test.each([['cannot be played', { wav: () => 'it is not a WAV file' }, 'it is not a WAV file'], ['nobody here can play', null, 'not on this phone']])('in place of a file that %s its tone is heard, and that is told', async (_, extras, why) => {
    const c = await routed({ do: 'route', stream: 1, route: { to: 'program', program: FILE } }, { extras });
    await c.clock.run(2000);
    expect(toneIn(card(c.a).played, 600, 16_000, 12_000)).toBeGreaterThan(6000);
    expect(c.b.of('trouble')).toEqual([{ event: 'trouble', code: 'SOUND_NOT_PLAYED', message: `The sound hold.wav is not played: ${why}.` }]);
  });

  test('a file is played at a place, and falls silent when that is told to be quiet', async () => {
    const c = await call({ extras: { wav: () => new ToneGenerator({ steps: [{ hz: [900], dbm0: -10, ms: 0 }], times: 1 }, 16_000) } });
    c.a.media.command({ do: 'tone', place: 'ringer', program: FILE, id: 3 });
    await c.clock.run(1000);
    const ringer = c.a.audio.devices.find((d) => d.played !== card(c.a).played)!;
    expect(toneIn(ringer.played, 900, 3200, 8000)).toBeGreaterThan(6000);
    c.a.media.command({ do: 'quiet', place: 'ringer' });
    await c.clock.run(40);
    const at = ringer.played.length;
    await c.clock.run(500);
    expect(ringer.played.slice(at).every((x) => x === 0)).toBe(true);
    expect(c.a.of('tone ended')).toEqual([]);
  });

  test('to nothing sends silence and plays nothing, and back to a place takes it up again', async () => {
    const c = await routed({ do: 'route', stream: 1, route: { to: 'nothing' } });
    c.b.audio.microphone = sine(1000, 8000);
    await c.clock.run(1000);
    expect(sentBy(c, c.b).length).toBeGreaterThanOrEqual(48);
    expect(toneIn(card(c.a).played, 1000)).toBeLessThan(20);
    c.b.media.command({ do: 'route', stream: 1, route: { to: 'place', place: 'handset' } });
    await c.clock.run(1000);
    expect(toneIn(card(c.a).played, 1000, card(c.a).played.length - 8000, 8000)).toBeGreaterThan(7000);
  });

  test('two streams at one place are both heard and both spoken to', async () => {
    const c = await call({ microphone: voice });
    const third = end(c.wire, '192.0.2.3');
    third.audio.microphone = sine(1000, 6000);
    c.b.audio.microphone = sine(2000, 6000);
    c.a.media.command({ do: 'open', stream: 2, host: c.a.host, cname: 'a' });
    third.media.command({ do: 'open', stream: 1, host: third.host, cname: 'c' });
    await settle();
    c.a.media.command({ do: 'negotiated', stream: 2, session: session(third) });
    c.a.media.command({ do: 'route', stream: 2, route: { to: 'place', place: 'handset' } });
    third.media.command({ do: 'negotiated', stream: 1, session: session(c.a, {}, 2) });
    third.media.command({ do: 'route', stream: 1, route: { to: 'place', place: 'speaker' } });
    await c.clock.run(2000);
    const heard = card(c.a).played;
    expect(toneIn(heard, 1000, 16_000, 16_000)).toBeGreaterThan(5800);
    expect(toneIn(heard, 2000, 16_000, 16_000)).toBeGreaterThan(5800);
    for (const e of [c.b, third]) expect(align(voice, card(e).played, 12_000, 16_000).like).toBeGreaterThan(0.99);
    c.a.media.command({ do: 'close', stream: 2 });
    await c.clock.run(500);
    expect(toneIn(card(c.a).played, 1000, card(c.a).played.length - 3200, 3200)).toBeLessThan(50);
  });
});

describe('ports', () => {
  test('a pair is even and odd, within the range, and skips what others hold (RFC 3550 §11)', async () => {
    const c = await call();
    const port = portOf(c.a);
    expect(port % 2).toBe(0);
    expect(c.a.of('opened')[0]).toMatchObject({ rtcpPort: port + 1 });
    const e = end(c.wire, '192.0.2.7', mediaSettings({ rtpPortMin: 20_001, rtpPortMax: 20_007 }));
    c.wire.bindUdp({ host: e.host, port: 20_002 }, { onDatagram: () => undefined, onError: () => undefined });
    c.wire.bindUdp({ host: e.host, port: 20_005 }, { onDatagram: () => undefined, onError: () => undefined });
    for (const stream of [1, 2]) e.media.command({ do: 'open', stream, host: e.host, cname: 'e' });
    await settle();
    expect(e.of('opened').map((o) => o.port)).toEqual([20_006]);
    expect(e.of('failed').map((f) => [f.stream, f.code])).toEqual([[2, 'NO_RTP_PORT']]);
    e.media.command({ do: 'close', stream: 1 });
    e.media.command({ do: 'open', stream: 2, host: e.host, cname: 'e' }); // its number is free again
    await settle();
    expect(e.of('opened').map((o) => o.port)).toEqual([20_006, 20_006]);
  });

  test('a stream closed while it opens leaves no port behind', async () => {
    const c = await call();
    const e = end(c.wire, '192.0.2.7', mediaSettings({ rtpPortMin: 20_000, rtpPortMax: 20_001 }));
    e.media.command({ do: 'open', stream: 1, host: e.host, cname: 'e' });
    e.media.command({ do: 'close', stream: 1 });
    await settle();
    expect(e.events).toEqual([]);
    e.media.command({ do: 'open', stream: 2, host: e.host, cname: 'e' });
    await settle();
    expect(e.of('opened').map((o) => o.stream)).toEqual([2]);
  });

  test('a number in use is refused, and commands to a stream that is gone are nothing', async () => {
    const c = await call();
    c.a.media.command({ do: 'open', stream: 1, host: c.a.host, cname: 'a' });
    expect(c.a.of('failed').map((f) => f.code)).toEqual(['STREAM_IN_USE']);
    const { length } = c.a.events;
    for (const stream of [8, 9]) {
      c.a.media.command({ do: 'mute', stream, muted: true });
      c.a.media.command({ do: 'measure', stream, ask: 1 });
      c.a.media.command({ do: 'close', stream });
    }
    expect(c.a.events).toHaveLength(length);
  });
});

describe('the engine', () => {
  test('answers a ping from its loop', async () => {
    const c = await call();
    c.a.media.command({ do: 'ping', ask: 12 });
    expect(c.a.of('pong')).toEqual([]);
    await c.clock.run(10);
    expect(c.a.of('pong')).toEqual([{ event: 'pong', ask: 12 }]);
  });

  test('says once that a codec cannot be had, and keeps the rest of the call', async () => {
    const c = await call({ session: { send: PCMA, receive: [PCMA, { name: 'G729' as never, payloadType: 18 }] } });
    const bytes = Buffer.alloc(32);
    for (let n = 0; n < 5; n++) {
      bytes.set([0x80, 18, 0, n]);
      c.wire.sendUdp({ host: c.a.host, port: portOf(c.a) }, { host: c.b.host, port: portOf(c.b) }, bytes);
    }
    await c.clock.run(1000);
    expect(c.b.of('trouble').length).toBeLessThanOrEqual(1);
    expect(c.b.of('heard')).toHaveLength(1);
  });

  test('closed in the middle of everything leaves no card, port or alarm', async () => {
    const c = await call({ microphone: voice });
    c.a.media.command({ do: 'open', stream: 2, host: c.a.host, cname: 'a' });
    c.a.media.command({ do: 'tone', place: 'ringer', program: { steps: [{ hz: [440], dbm0: -10, ms: 0 }], times: 0 }, id: 1 });
    await c.clock.run(500);
    c.a.media.close();
    c.b.media.close();
    c.a.media.command({ do: 'ping', ask: 1 });
    await c.clock.run(100);
    expect([...c.a.audio.running, ...c.b.audio.running]).toEqual([]);
    expect(c.clock.pending).toBe(0);
    const again = end(c.wire, c.a.host, mediaSettings({ rtpPortMin: portOf(c.a), rtpPortMax: portOf(c.a) + 1 }));
    again.media.command({ do: 'open', stream: 1, host: c.a.host, cname: 'a' });
    await settle();
    expect(again.of('opened')).toHaveLength(1);
  });
});
