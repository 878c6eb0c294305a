import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { extras as all } from '../../src/main/media-extras.ts';
import type { Codec } from '../../src/media/codec.ts';
import { createG711 } from '../../src/media/g711.ts';
import { Receiver } from '../../src/media/receiver.ts';
import { rtpPacket } from '../../src/media/rtp.ts';
import { FakeRandom } from '../fakes/random.ts';
import { align, voice } from './bench.ts';

const PCMA = 8;
const extras = () => all;
const said = (i: number): number => voice(2 * i); // at 8 kHz

/** A receiver of PCMA whose card asks for `periodMs` at a time, and packets that arrive when `arrival` says (ms, sender's clock; NaN: never). */
function receive(options: { seconds: number; arrival?: (sentMs: number, n: number) => number; periodMs?: number; sound?: (i: number) => number; codec?: Codec; minMs?: number }) {
  const { seconds, arrival = (sentMs) => sentMs, periodMs = 10, sound = said, minMs = 0 } = options;
  const codec = options.codec ?? createG711('PCMA');
  const receiver = new Receiver(minMs, 300, () => codec, extras);
  const packet = rtpPacket(), pcm = new Int16Array(160), payload = new Uint8Array(160), period = new Int16Array(16 * periodMs);
  const heard: number[] = [];
  const due = Array.from({ length: 50 * seconds }, (_, n) => ({ n, at: arrival(20 * n, n) })).filter(({ at }) => !Number.isNaN(at)).sort((a, b) => a.at - b.at);
  let d = 0;
  for (let now = 0; now < 1000 * seconds; now += periodMs) {
    for (; d < due.length && due[d]!.at < now; d++) {
      const { n, at } = due[d]!;
      for (let i = 0; i < 160; i++) pcm[i] = sound(160 * n + i);
      codec.encode(pcm, payload);
      packet.sequence = n & 0xffff;
      packet.timestamp = (160 * n) >>> 0;
      packet.payloadType = PCMA;
      packet.payload = payload.slice();
      receiver.put(packet, at);
    }
    receiver.pull(period, period.length, now);
    heard.push(...period);
  }
  return { receiver, heard };
}
/** Delay in ms of what is heard around `atMs`, and how like it is to what was said. */
const delayAt = (heard: readonly number[], atMs: number) => {
  const { like, delay } = align(voice, heard, 16 * atMs, 3200);
  return { like, ms: delay / 16 };
};

describe('delay', () => {
  test.each([10, 20])('on a line without jitter is the wait for a period of %i ms and no more', (periodMs) => {
    for (const phase of [0, 3, 7, 9]) {
      const { heard, receiver } = receive({ seconds: 4, periodMs, arrival: (ms) => ms + phase });
      const { ms, like } = delayAt(heard, 3000);
      expect(like).toBeGreaterThan(0.99);
      expect(ms).toBeGreaterThan(0);
      expect(ms - phase).toBeLessThan(periodMs + 2 + 2); // two of them are too close to a period, 1.4 of resampling
      expect(receiver.concealedMs).toBe(0);
      expect(receiver.delayMs).toBeLessThanOrEqual(periodMs + 2);
    }
  });

  test('with lateness of 0 to 40 ms is no more than 60 ms, and next to nothing is concealed', () => {
    const random = new FakeRandom(4);
    const { heard, receiver } = receive({ seconds: 30, arrival: (ms) => ms + 40 * random.fraction() });
    expect(delayAt(heard, 25_000).ms).toBeLessThan(60);
    expect(receiver.concealedMs).toBeLessThan(60);
  });

  test.each([200, -200])('a sender %i ppm off is followed for 30 minutes without a gap, without loss and without growing delay', (ppm) => {
    const hum = (i: number): number => Math.round(5000 * Math.sin(2 * Math.PI * 200 * i / 8000));
    const random = new FakeRandom(9);
    const delays: number[] = [], sent = new WeakMap<Uint8Array, number>();
    const codec = createG711('PCMA');
    let now = 0;
    const watched: Codec = {
      ...codec,
      decode(payload, out) {
        delays.push(now - sent.get(payload)!);
        return codec.decode(payload, out);
      },
    };
    const receiver = new Receiver(0, 300, () => watched, extras);
    const packet = rtpPacket(), pcm = new Int16Array(160), period = new Int16Array(160);
    const payload = new Uint8Array(160);
    let n = 0, least = Infinity, at = 0;
    for (; now < 1_800_000; now += 10) {
      for (; at < now; at = 20 * ++n * (1 - ppm / 1e6) + 3 * random.fraction()) {
        for (let i = 0; i < 160; i++) pcm[i] = hum(160 * n + i);
        codec.encode(pcm, payload);
        packet.sequence = n & 0xffff;
        packet.timestamp = (160 * n) >>> 0;
        packet.payload = payload.slice();
        sent.set(packet.payload, 20 * n * (1 - ppm / 1e6));
        receiver.put(packet, at);
      }
      receiver.pull(period, 160, now);
      if (now > 1000 && now % 1000 === 0) least = Math.min(least, Math.max(...period));
    }
    expect(receiver.concealedMs).toBe(0);
    expect(receiver.jitter.late + receiver.jitter.dropped).toBe(0);
    expect(delays.reduce((most, ms) => Math.max(most, ms), 0)).toBeLessThan(36);
    const mean = (from: number): number => delays.slice(from, from + 15_000).reduce((sum, ms) => sum + ms, 0) / 15_000;
    for (let from = 15_000; from + 15_000 <= delays.length; from += 15_000) expect(Math.abs(mean(from) - mean(0))).toBeLessThan(8);
    expect(Math.abs(receiver.acceleratedMs - receiver.expandedMs - 1.8 * ppm)).toBeLessThan(30);
    expect(least).toBeGreaterThan(4000);
  }, 60_000);
});

describe('what does not come', () => {
  test('a link that stalls once is soon as fast as before; one that does so every 5 s gets the delay for it', () => {
    const hum = (i: number): number => Math.round(5000 * Math.sin(2 * Math.PI * 200 * i / 8000));
    const stall = (ms: number, from: number): number => (ms >= from && ms < from + 150 ? from + 150 + (ms - from) / 20 : ms);
    const often = (ms: number): number => stall(ms, Math.floor(ms / 5000) * 5000 + 2500);
    const once = receive({ seconds: 16, sound: hum, arrival: (ms) => stall(ms, 10_000) }).receiver;
    expect(once.delayMs).toBeLessThan(25);
    const early = receive({ seconds: 14, sound: hum, arrival: often }).receiver, later = receive({ seconds: 29, sound: hum, arrival: often }).receiver;
    expect(later.delayMs).toBeGreaterThan(140);
    expect(later.delayMs).toBeLessThan(180);
    expect(later.concealedMs).toBe(early.concealedMs);
    const over = receive({ seconds: 60, sound: hum, arrival: (ms) => (ms < 20_000 ? often(ms) : ms) }).receiver;
    expect(over.delayMs).toBeLessThan(25);
  });

  test('the end of a stream fades into silence', () => {
    const { heard } = receive({ seconds: 3, arrival: (ms) => (ms < 2000 ? ms : NaN) });
    expect(heard.slice(16 * 2200).every((x) => x === 0)).toBe(true);
    expect(heard.slice(16 * 1900, 16 * 2000).some((x) => Math.abs(x) > 500)).toBe(true);
  });

  test('random loss is bridged without a step in the sound', () => {
    const random = new FakeRandom(6);
    const tone = (i: number): number => Math.round(6000 * Math.sin(2 * Math.PI * 160 * i / 8000) + 2000 * Math.sin(2 * Math.PI * 480 * i / 8000));
    const { heard, receiver } = receive({ seconds: 10, sound: tone, arrival: (ms) => (random.fraction() < 0.1 && ms > 200 ? NaN : ms) });
    let steepest = 0;
    for (let i = 16 * 500; i < heard.length - 16 * 200; i++) steepest = Math.max(steepest, Math.abs(heard[i]! - heard[i - 1]!));
    expect(receiver.concealedMs).toBeGreaterThan(500);
    expect(steepest).toBeLessThan(1.3 * 2 * Math.PI * (6000 * 160 + 2000 * 480) / 16_000);
  });
});

describe('a sender that is silent', () => {
  const level = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
  /** A tone for a second, silence told by `noise` (or by nothing) for a second, a tone again. */
  function pause(noise: Uint8Array | undefined, comfort: boolean, everyMs = 200) {
    const codec = createG711('PCMA'), receiver = new Receiver(0, 300, () => codec, comfort ? extras : undefined);
    const packet = rtpPacket(), pcm = new Int16Array(160), bytes = new Uint8Array(160), period = new Int16Array(160), heard: number[] = [];
    let sequence = 0;
    for (let now = 0; now < 3000; now += 10) {
      if (now % 20 === 0 && (now < 1000 || now >= 2000)) {
        for (let i = 0; i < 160; i++) pcm[i] = 5000 * Math.sin(2 * Math.PI * 250 * (8 * now + i) / 8000);
        codec.encode(pcm, bytes);
        packet.sequence = sequence++;
        packet.timestamp = 8 * now;
        packet.payload = bytes.slice();
        receiver.put(packet, now - 4);
      } else if (now >= 1000 && now < 2000 && now % everyMs === 0 && noise !== undefined) receiver.skip(sequence++, noise);
      receiver.pull(period, 160, now);
      heard.push(...period);
    }
    return { receiver, heard: (fromMs: number, toMs: number) => heard.slice(16 * fromMs, 16 * toMs) };
  }

  test('and says how, is heard as comfort noise of that level, which fades in over what was said last (RFC 3389 §3.1)', () => {
    const { heard, receiver } = pause(Uint8Array.of(50), true);
    expect(20 * Math.log10(level(heard(1200, 1950)) / 32_767)).toBeCloseTo(-50, -0.5);
    expect(level(heard(1080, 1100))).toBeGreaterThan(40);
    expect(level(heard(2150, 2900))).toBeCloseTo(5000 / Math.SQRT2, -2);
    expect(receiver.concealedMs).toBe(0);
    expect(receiver.delayMs).toBeLessThan(15);
  });

  test('and says how, is silence where nobody makes the noise', () => {
    expect(level(pause(Uint8Array.of(50), false).heard(1200, 1950))).toBe(0);
  });

  test('and says nothing, is silence and no loss, and the delay is the same after it', () => {
    const { heard, receiver } = pause(undefined, true);
    expect(level(heard(1200, 1950))).toBe(0);
    expect(level(heard(2050, 2900))).toBeCloseTo(5000 / Math.SQRT2, -2);
    expect(receiver.concealedMs).toBe(0);
    expect(receiver.delayMs).toBeLessThan(15);
  });

  test('where a codec soon fades what it conceals, the voice is held on to for 100 ms, and comes back without a leap', () => {
    const vowel = (i: number): number => Math.round(5000 * Math.sin(2 * Math.PI * 200 * i / 16_000) + 2000 * Math.sin(2 * Math.PI * 600 * i / 16_000));
    let at = 0, conceals = 0;
    const codec: Codec = {
      name: 'wide', rateHz: 16_000, clockHz: 48_000, encode: () => 0, close() {},
      decode(payload, out) {
        at = 320 * payload[0]!;
        conceals = 0;
        for (let i = 0; i < 320; i++) out[i] = vowel(at++);
        return 320;
      },
      conceal(out, samples) {
        for (let i = 0; i < samples; i++, conceals++) out[i] = Math.round(vowel(at++) * Math.max(0, 1 - conceals / 800));
        return samples;
      },
    };
    for (const lost of [1, 3, 5, 8]) {
      const receiver = new Receiver(0, 300, () => codec, extras), packet = rtpPacket(), period = new Int16Array(160), heard: number[] = [];
      for (let now = 0; now < 2000; now += 10) {
        const n = now / 20;
        if (now % 20 === 0 && (n < 50 || n >= 50 + lost)) {
          packet.sequence = n;
          packet.timestamp = 960 * n;
          packet.payload = Uint8Array.of(n);
          receiver.put(packet, now - 4);
        }
        receiver.pull(period, 160, now);
        heard.push(...period);
      }
      const level = (fromMs: number, ms: number): number => Math.sqrt(heard.slice(16 * fromMs, 16 * (fromMs + ms)).reduce((sum, x) => sum + x * x, 0) / (16 * ms));
      for (let ms = 1000; ms < Math.min(1080, 1000 + 20 * lost); ms += 10) expect(level(ms, 10), `${lost} lost, ${ms - 1000} ms`).toBeGreaterThan(0.5 * level(900, 50));
      if (lost > 7) expect(level(1130, 20)).toBe(0);
      expect(Math.max(...heard.slice(15_000).map((x, i) => Math.abs(x - heard[14_999 + i]!)))).toBeLessThan(1.4 * 880); // of the vowel 880
      expect(level(1250, 50)).toBeCloseTo(level(900, 50), -1);
    }
  });

  test('a codec with concealment of its own bridges the silence of DTX, which is no loss either', () => {
    let asked = 0;
    const codec: Codec = {
      name: 'wide', rateHz: 16_000, clockHz: 48_000, encode: () => 0, close() {},
      decode: (_, out) => out.fill(1000, 0, 320).length > 0 ? 320 : 0,
      conceal(out, samples) {
        asked += samples;
        out.fill(100, 0, samples);
        return samples;
      },
    };
    const receiver = new Receiver(0, 300, () => codec, extras), packet = rtpPacket(), period = new Int16Array(160), heard: number[] = [];
    for (let now = 0, sequence = 0; now < 2000; now += 10) {
      if (now % 20 === 0 && (now < 500 || now >= 900)) { // 400 ms of silence
        packet.sequence = sequence++;
        packet.timestamp = 48 * now;
        packet.payload = new Uint8Array(3);
        receiver.put(packet, now - 4);
      }
      receiver.pull(period, 160, now);
      heard.push(period[80]!);
    }
    expect(heard.slice(66, 89).every((x) => x === 100)).toBe(true);
    expect(asked / 16).toBeLessThan(420);
    expect(receiver.concealedMs).toBe(0);
    expect(heard.slice(93).every((x) => x === 1000)).toBe(true);
  });
});

test('any packets at any times: never throws, holds no more than its ring, gives what it is asked for, and plays no packet twice', () => {
  const step = fc.record({
    sequence: fc.oneof(fc.nat(300), fc.nat(65_535)), timestamp: fc.oneof(fc.nat(48_000), fc.nat(0xffff_ffff)), type: fc.constantFrom(0, 8, 96, 127), bytes: fc.oneof(fc.constant(160), fc.nat(2000)),
    wait: fc.oneof(fc.nat(60), fc.nat(5000)), pulls: fc.nat(5), count: fc.constantFrom(160, 320, 1, 333, 960), sound: fc.integer({ min: 0, max: 5 }),
  });
  const codecs: Record<number, Codec> = {};
  fc.assert(fc.property(fc.array(step, { maxLength: 150 }), fc.boolean(), (steps, mends) => {
    const decoded = new Set<Uint8Array>();
    const watch = (codec: Codec): Codec => ({
      ...codec,
      decode(payload, out) {
        expect(decoded.has(payload)).toBe(false);
        decoded.add(payload);
        return codec.decode(payload, out);
      },
    });
    codecs[0] = watch(createG711('PCMU'));
    codecs[8] = watch(createG711('PCMA'));
    codecs[96] = watch({ name: 'wide', rateHz: 16_000, clockHz: 48_000, encode: () => 0, decode: (payload, out) => out.fill(payload[0] ?? 0, 0, Math.min(960, out.length)).length > 959 ? Math.min(960, payload.length) : 0, conceal: (out, samples) => (samples % 160 === 0 ? (out.fill(7, 0, samples), samples) : 0), decodeFec: (next, out, samples) => (next.length > 900 && samples % 40 === 0 ? (out.fill(9, 0, samples), samples) : 0), close() {} });
    const receiver = new Receiver(0, 300, (type) => codecs[type], mends ? extras : undefined), packet = rtpPacket(), out = new Int16Array(1000);
    let now = 0;
    for (const s of steps) {
      now += s.wait;
      packet.sequence = s.sequence;
      packet.timestamp = s.timestamp;
      packet.payloadType = s.type;
      packet.payload = new Uint8Array(s.bytes).fill(s.sequence & 0xff);
      if (s.sound > 0) receiver.put(packet, now);
      else receiver.skip(s.sequence, s.bytes > 999 ? packet.payload : undefined);
      for (let i = 0; i < s.pulls; i++) {
        out.fill(12_345);
        receiver.pull(out, s.count, now + i * s.count / 16);
        if (s.count < 1000) expect(out[s.count]).toBe(12_345);
      }
      expect(receiver.jitter.held).toBeLessThanOrEqual(128);
      expect(receiver.bufferedMs).toBeLessThan(128 * 240 + 1000);
      for (const figure of [receiver.delayMs, receiver.concealedMs, receiver.acceleratedMs, receiver.expandedMs]) expect(Number.isFinite(figure)).toBe(true);
    }
  }), { numRuns: 200 });
});
