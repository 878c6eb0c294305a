import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AdaptiveJitter } from '../../src/media/jitter.ts';
import { rtpPacket } from '../../src/media/rtp.ts';
import { FakeRandom } from '../fakes/random.ts';

const TICKS = 160; // 20 ms of G.711
const START = 1000;

/** A buffer, packets that arrive when the test says, and a player that asks every 20 ms for two pieces of 10. */
function bench(options: { min?: number; max?: number; fec?: boolean } = {}) {
  const jitter = new AdaptiveJitter(options.min ?? 20, options.max ?? 300);
  jitter.reset(8000, options.fec ?? false, 120);
  const packet = rtpPacket();
  const put = (n: number, atMs: number, timestamp = n * TICKS, sequence = n): boolean => {
    packet.sequence = sequence & 0xffff;
    packet.timestamp = timestamp >>> 0;
    packet.payloadType = 8;
    packet.payload = Buffer.from([n & 0xff, (n >> 8) & 0xff]);
    return jitter.put(packet, atMs);
  };
  /** What is played from `fromMs` to `toMs`: packets by number, gaps before them, '-' for each piece of concealment, '.' for each of waiting. */
  let owedMs = 0;
  const play = (fromMs: number, toMs: number): string[] => {
    const heard: string[] = [];
    for (let t = fromMs; t < toMs; t += 20) {
      for (owedMs += 20; owedMs > 0;) {
        const next = jitter.take(t + 20 - owedMs, 8 * Math.min(10, owedMs));
        if (next === 'play') {
          if (jitter.gap > 0) heard.push(`${jitter.single ? 'one' : 'gap'} of ${jitter.gap / 8}`);
          heard.push(String(jitter.payload![0]! + 256 * jitter.payload![1]!));
          owedMs -= 20 + jitter.gap / 8;
          jitter.played(TICKS);
        } else {
          heard.push(next === 'lost' ? '-' : '.');
          owedMs -= jitter.ticks / 8;
        }
      }
    }
    return heard;
  };
  return { jitter, put, play };
}

/** Packets that each arrive at `START + 20 n + delay(n)`, unless that is NaN; played meanwhile. */
function scenario(packets: number, delay: (n: number) => number, options: { min?: number; max?: number; fec?: boolean; stretch?: boolean } = {}) {
  const b = bench(options);
  const arrivals = Array.from({ length: packets }, (_, n) => ({ n, at: START + 20 * n + delay(n) })).filter((a) => !Number.isNaN(a.at)).sort((x, y) => x.at - y.at);
  const heard: string[] = [];
  for (let t = START; t < START + 20 * packets + 400; t += 20) {
    while (arrivals.length > 0 && arrivals[0]!.at <= t) {
      const { n, at } = arrivals.shift()!;
      b.put(n, at);
    }
    heard.push(...b.play(t, t + 20));
  }
  return { ...b, heard, sound: heard.filter((h) => /^\d+$/.test(h)), concealed: heard.filter((h) => h === '-').length };
}
const numbers = (from: number, to: number, without: readonly number[] = []) => Array.from({ length: to - from }, (_, i) => from + i).filter((n) => !without.includes(n)).map(String);

describe('playing', () => {
  test('packets on time are played in order after the least delay, and nothing is concealed until they end', () => {
    const { heard, sound, jitter } = scenario(50, () => 0);
    expect(sound).toEqual(numbers(0, 50));
    expect(heard.slice(0, 4)).toEqual(['.', '.', '0', '1']);
    expect(jitter.delayMs).toBe(20);
    expect(heard.lastIndexOf('-') - heard.indexOf('-')).toBe(11); // 120 ms of it, then silence
  });

  test('reordered packets are put in order', () => {
    const { sound, jitter } = scenario(60, (n) => (n % 7 === 3 ? 35 : 0), { min: 60 });
    expect(sound).toEqual(numbers(0, 60));
    expect(jitter.late).toBe(0);
  });

  test('a doubled packet is played once', () => {
    const b = bench();
    for (let n = 0; n < 3; n++) expect(b.put(n, START + 20 * n)).toBe(true);
    expect(b.put(1, START + 41)).toBe(false);
    expect(b.jitter.duplicates).toBe(1);
    expect(b.play(START + 41, START + 101).filter((h) => h !== '.')).toEqual(['0', '1', '2']);
  });

  test('a lost packet whose successor is there is a gap of exactly its length', () => {
    const { heard, concealed } = scenario(40, (n) => (n === 20 ? NaN : 0));
    const at = heard.indexOf('19');
    expect(heard.slice(at, at + 4)).toEqual(['19', 'one of 20', '21', '22']);
    expect(concealed).toBe(12); // the end
  });

  test('one whose successor comes while it is concealed is a gap of the rest', () => {
    const { heard } = scenario(40, (n) => (n === 20 ? NaN : 0), { min: 0 });
    const at = heard.indexOf('19');
    expect(heard.slice(at, at + 4)).toEqual(['19', '-', '-', '21']);
    const b = bench({ min: 10 });
    for (let n = 0; n < 8; n++) if (n !== 5) b.put(n, START + 20 * n);
    const some = b.play(START, START + 240);
    expect(some.slice(some.indexOf('4'), some.indexOf('7'))).toEqual(['4', 'one of 20', '6']);
  });

  test('three lost in a row are concealed until one packet\'s length is missing', () => {
    const { heard } = scenario(40, (n) => (n >= 20 && n < 23 ? NaN : 0));
    const at = heard.indexOf('19');
    expect(heard.slice(at, at + 7)).toEqual(['19', '-', '-', '-', '-', 'one of 20', '23']);
  });

  test('with error correction the gap of one packet is filled as a whole, whatever its length', () => {
    const b = bench({ fec: true });
    for (let n = 0; n < 8; n++) if (n !== 5) b.put(n, START + 20 * n, n * 3 * TICKS);
    const heard: string[] = [];
    for (let t = START; t < START + 600; t += 20) {
      const next = b.jitter.take(t, 160);
      heard.push(next === 'play' ? `${b.jitter.gap} ${b.jitter.payload![0]!}` : next);
      if (next === 'play') b.jitter.played(3 * TICKS);
    }
    expect(heard).toContain('480 6');
  });

  test('with error correction the last of several lost is a gap of its own', () => {
    const { heard } = scenario(40, (n) => (n >= 20 && n < 23 ? NaN : 0), { fec: true });
    const at = heard.indexOf('19');
    expect(heard.slice(at, at + 7)).toEqual(['19', '-', '-', '-', '-', 'one of 20', '23']);
  });

  test('where packets get lost, one packet more is held with error correction, and half a one without', () => {
    const lossy = (n: number): number => (n % 20 === 7 ? NaN : 0);
    expect(scenario(300, lossy, { min: 0, fec: true }).jitter.targetMs).toBe(20);
    expect(scenario(300, lossy, { min: 0 }).jitter.targetMs).toBe(10);
    expect(scenario(2000, (n) => (n < 300 ? lossy(n) : 0), { min: 0, fec: true }).jitter.targetMs).toBe(0);
  });

  test('a packet that is late, but still wanted, is played, and the delay grows by as much', () => {
    const { sound, jitter } = scenario(20, (n) => (n >= 10 ? 30 : 0));
    expect(sound).toEqual(numbers(0, 20));
    expect(jitter.late).toBe(0);
  });

  test('a packet after its turn is refused and counted as late', () => {
    const { sound, jitter } = scenario(40, (n) => (n === 10 ? 100 : 0));
    expect(sound).toEqual(numbers(0, 40, [10]));
    expect(jitter.late).toBe(1);
  });

  test('sequence number and timestamp wrap without a seam', () => {
    const b = bench();
    const heard: string[] = [];
    for (let n = 0; n < 20; n++) {
      b.put(n, START + 20 * n, 0xffff_ffff - 5 * TICKS + n * TICKS, 65_530 + n);
      heard.push(...b.play(START + 20 * n, START + 20 * n + 20));
    }
    expect(heard.filter((h) => h !== '.')).toEqual(numbers(0, 19));
  });

  test('a sender that pauses with its sequence going on is waited for in silence, not concealed (RFC 3551 §4.1)', () => {
    const b = bench();
    const heard: string[] = [];
    for (let t = 0; t < 100; t++) { // 20 packets, half a second of nothing, packets again
      if (t < 20 || t >= 45) b.put(t < 20 ? t : t - 25, START + 20 * t, t * TICKS);
      heard.push(...b.play(START + 20 * t, START + 20 * t + 20));
    }
    const sound = heard.filter((h) => /^\d+$/.test(h));
    expect(sound).toEqual(numbers(0, 74));
    expect(heard.filter((h) => h === '-').length).toBeLessThanOrEqual(12);
    expect(b.jitter.delayMs).toBeCloseTo(20, 0);
  });
});

test('packets that are no sound are a pause, not a loss, and the sound after them keeps its delay', () => {
  const b = bench();
  const heard: string[] = [];
  for (let n = 0; n < 60; n++) {
    if (n >= 20 && n < 27) b.jitter.skip(n);
    else b.put(n, START + 20 * n);
    heard.push(...b.play(START + 20 * n, START + 20 * n + 20));
  }
  expect(heard.filter((h) => h === '-')).toEqual([]);
  expect(heard.filter((h) => h !== '.')).toEqual(numbers(0, 59, [20, 21, 22, 23, 24, 25, 26]));
  expect(b.jitter.delayMs).toBeCloseTo(20, 6);
});

describe('a sender that starts over', () => {
  test('is believed from the second packet in a row, whether its timestamps or its sequence leapt', () => {
    for (const leap of [{ timestamp: 900_000, sequence: 0 }, { timestamp: 0, sequence: 9000 }, { timestamp: -900_000, sequence: -9000 }]) {
      const b = bench();
      const heard: string[] = [];
      for (let n = 0; n < 60; n++) {
        const after = n >= 30;
        b.put(n, START + 20 * n, n * TICKS + (after ? leap.timestamp : 0), n + (after ? leap.sequence : 0));
        heard.push(...b.play(START + 20 * n, START + 20 * n + 20));
      }
      const sound = heard.filter((h) => /^\d+$/.test(h)).map(Number);
      expect(sound).toContain(29 - 2); // the last of the old may go down with the change
      expect(sound.slice(-20)).toEqual(Array.from({ length: 20 }, (_, i) => 39 + i));
      expect(sound).not.toContain(30);
      expect(sound).toContain(31);
    }
  });

  test('one odd packet is left out and changes nothing', () => {
    const b = bench();
    const heard: string[] = [];
    for (let n = 0; n < 60; n++) {
      if (n === 30) b.put(999, START + 20 * n, 77_777_777, 40_000);
      b.put(n, START + 20 * n);
      heard.push(...b.play(START + 20 * n, START + 20 * n + 20));
    }
    expect(heard.filter((h) => /^\d+$/.test(h))).toEqual(numbers(0, 59));
  });
});

describe('the wanted delay', () => {
  test('stays at the least on a clean line', () => {
    expect(scenario(500, () => 0).jitter.targetMs).toBe(20);
    expect(scenario(500, () => 0, { min: 0 }).jitter.targetMs).toBe(0);
  });

  test('covers nearly all of what arrives late', () => {
    const random = new FakeRandom(5);
    const delays = Array.from({ length: 1500 }, () => -12 * Math.log(1 - random.fraction()));
    const { jitter } = scenario(1500, (n) => delays[n]!);
    const sorted = [...delays].sort((x, y) => x - y);
    expect(jitter.targetMs).toBeGreaterThan(sorted[Math.floor(0.98 * 1500)]!);
    expect(jitter.targetMs).toBeLessThan(sorted[1499]! + 20);
    expect(jitter.late + jitter.dropped).toBeLessThan(15);
  });

  test('never leaves the limits that are set', () => {
    expect(scenario(300, (n) => (n % 3 === 0 ? 250 : 0), { max: 80 }).jitter.targetMs).toBe(80);
  });

  test('falls again after the line got better', () => {
    const random = new FakeRandom(6);
    const { jitter } = scenario(6000, (n) => (n < 500 ? 80 * random.fraction() : 0));
    expect(jitter.targetMs).toBeLessThanOrEqual(25);
  });

  test('is followed by what the caller is told to cut', () => {
    const b = bench(), { jitter } = b;
    for (let n = 0; n < 2000; n++) {
      if (n < 100 || n > 105) b.put(n, START + 20 * n);
      if (n === 104) for (let late = 100; late <= 105; late++) b.put(late, START + 20 * n + late - 100);
      b.play(START + 20 * n, START + 20 * n + 20);
    }
    expect(jitter.targetMs).toBeLessThan(60);
    expect(jitter.excessMs).toBeGreaterThan(40);
    const excess = jitter.excessMs;
    jitter.stretched(-30);
    expect(jitter.excessMs).toBeCloseTo(excess - 30, 6);
  });

  test('a flood that nobody can play any more is thrown away at once', () => {
    const { jitter, sound } = scenario(200, (n) => (n >= 50 && n < 110 ? 1200 - 20 * (n - 50) : 0), { max: 100 });
    expect(jitter.dropped).toBeGreaterThan(20);
    expect(jitter.delayMs).toBeLessThanOrEqual(160);
    expect(sound.at(-1)).toBe('199');
  });

  test('follows a far clock that runs fast or slow without ever running away', () => {
    for (const drift of [-0.002, 0.002]) {
      const b = bench();
      let worst = 0;
      for (let n = 0; n < 5000; n++) {
        b.put(n, START + 20 * n * (1 + drift));
        b.play(START + 20 * n, START + 20 * n + 20);
        worst = Math.max(worst, b.jitter.delayMs);
      }
      expect(worst).toBeLessThan(300 + 60 + 20); // nobody cuts here: the flood limit holds
    }
  });
});

test('any packets at any times never throw, never grow and are never given twice', () => {
  const step = fc.record({
    sequence: fc.oneof(fc.nat(300), fc.nat(65_535)), timestamp: fc.oneof(fc.nat(48_000), fc.nat(0xffff_ffff)), wait: fc.oneof(fc.nat(60), fc.nat(5000)), take: fc.nat(6), sound: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), fc.boolean(), (steps, fec) => {
    const jitter = new AdaptiveJitter(20, 300), packet = rtpPacket(), given = new Set<Uint8Array>();
    jitter.reset(8000, fec, 120);
    let now = 0;
    for (const s of steps) {
      now += s.wait;
      packet.sequence = s.sequence;
      packet.timestamp = s.timestamp;
      packet.payload = new Uint8Array(1);
      if (s.sound > 0) jitter.put(packet, now);
      else jitter.skip(s.sequence);
      expect(jitter.held).toBeGreaterThanOrEqual(0);
      expect(jitter.held).toBeLessThanOrEqual(128);
      for (let i = 0; i < s.take; i++) {
        const next = jitter.take(now + 10 * i, 80);
        if (next === 'play') {
          expect(given.has(jitter.payload!)).toBe(false);
          expect(jitter.payload).toHaveLength(1);
          expect(jitter.gap).toBeGreaterThanOrEqual(0);
          expect(jitter.gap).toBeLessThanOrEqual(480);
          expect(jitter.overlap).toBeGreaterThanOrEqual(0);
          given.add(jitter.payload!);
          jitter.played(TICKS);
        } else {
          expect(jitter.ticks).toBeGreaterThan(0);
          expect(jitter.ticks).toBeLessThanOrEqual(480);
        }
      }
      expect(jitter.targetMs).toBeGreaterThanOrEqual(20);
      expect(jitter.targetMs).toBeLessThanOrEqual(300);
      expect(Number.isFinite(jitter.delayMs)).toBe(true);
    }
  }), { numRuns: 300 });
});
