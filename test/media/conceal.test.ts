import { describe, expect, test } from 'vitest';
import { Concealer } from '../../src/media/conceal.ts';
import { FakeRandom } from '../fakes/random.ts';

const FRAME = 160;
/** A steady vowel of 125 Hz at 8 kHz. */
const vowel = (i: number): number => Math.round([1, 2, 3, 5, 8].reduce((x, h) => x + Math.sin(2 * Math.PI * 125 * h * i / 8000 + h) * 3000 / h, 0));
const level = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((s, v) => s + v * v, 0) / x.length);
const steepest = (x: readonly number[]): number => x.reduce((most, v, i) => (i === 0 ? 0 : Math.max(most, Math.abs(v - x[i - 1]!))), 0);

const HISTORY = 800;

/** Frames of `sound`, those in `lost` made up. */
function through(sound: (i: number) => number, frames: number, lost: readonly number[], rateHz = 8000): number[] {
  const x = new Int16Array(HISTORY + 4000), concealer = new Concealer(x, HISTORY, rateHz / 1000), out: number[] = [];
  const frame = rateHz / 50;
  for (let f = 0; f < frames; f++) {
    let count = frame;
    if (lost.includes(f)) concealer.conceal(count);
    else {
      for (let i = 0; i < frame; i++) x[HISTORY + i] = sound(f * frame + i);
      if (concealer.hiding) count = concealer.join(0, frame, 0, 0);
    }
    out.push(...x.subarray(HISTORY, HISTORY + count));
    x.copyWithin(0, count, count + HISTORY);
  }
  return out;
}

/** `before` samples of `sound`, a gap filled with the sound after it known, and `after` samples. */
function bridged(sound: (i: number) => number, before: number, gap: number, after: number, lean = 0): number[] {
  const x = new Int16Array(HISTORY + 4000), concealer = new Concealer(x, HISTORY, 8);
  for (let i = 0; i < HISTORY; i++) x[i] = sound(before - HISTORY + i);
  for (let i = 0; i < after; i++) x[HISTORY + gap + i] = sound(before + gap + i);
  const count = concealer.join(gap, after, 0, lean);
  return [...x.subarray(0, HISTORY + count)];
}

describe('concealment', () => {
  test('sound with nothing lost is left as it is', () => {
    expect(through(vowel, 20, [])).toEqual(Array.from({ length: 20 * FRAME }, (_, i) => vowel(i)));
  });

  test('the first 10 ms of a lost vowel are the vowel', () => {
    const out = through(vowel, 12, [10]);
    const made = out.slice(10 * FRAME, 10 * FRAME + 80), meant = Array.from({ length: 80 }, (_, i) => vowel(10 * FRAME + i));
    const error = level(made.map((x, i) => x - meant[i]!));
    expect(error).toBeLessThan(0.1 * level(meant));
  });

  test('neither the loss nor the return clicks', () => {
    const whole = steepest(through(vowel, 20, []));
    for (const lost of [[10], [10, 11], [10, 11, 12, 13, 14], [5, 7, 9, 11]]) expect(steepest(through(vowel, 20, lost))).toBeLessThan(1.6 * whole);
  });

  test('it fades from 50 ms on and is silent after 120', () => {
    const out = through(vowel, 20, [10, 11, 12, 13, 14, 15, 16]);
    const at = (ms: number): number => level(out.slice(10 * FRAME + 8 * ms, 10 * FRAME + 8 * (ms + 8)));
    for (const ms of [7, 42]) expect(at(ms)).toBeGreaterThan(0.9 * level(out.slice(0, 10 * FRAME)));
    expect(at(85)).toBeLessThan(0.7 * at(7));
    expect(at(122)).toBe(0);
  });

  test('what ended before the loss does not come again', () => {
    const random = new FakeRandom(7), noise = Array.from({ length: 10 * FRAME }, () => Math.round(600 * (random.fraction() - 0.5)));
    const out = through((i) => (i < 10 * FRAME - 32 ? noise[i]! : 0), 13, [10, 11]); // a hiss that ended 4 ms before
    expect(level(out.slice(10 * FRAME + 16, 12 * FRAME))).toBeLessThan(0.6 * level(noise));
  });

  test('noise goes on as noise, as loud as it was: no period is heard in it', () => {
    const random = new FakeRandom(3), noise = Array.from({ length: 20 * FRAME }, () => Math.round(4000 * (random.fraction() - 0.5)));
    const out = through((i) => noise[i]!, 14, [10, 11]).slice(10 * FRAME, 12 * FRAME);
    expect(level(out)).toBeGreaterThan(0.6 * level(noise));
    expect(level(out)).toBeLessThan(1.4 * level(noise));
    for (let lag = 20; lag <= 120; lag++) {
      const cross = out.slice(lag).reduce((sum, x, i) => sum + x * out[i]!, 0) / level(out) ** 2 / (out.length - lag);
      expect(cross, `lag ${lag}`).toBeLessThan(0.45);
    }
  });

  test('a loss that begins on a steep slope leaps no more than the voice does by itself', () => {
    let formant = 0, before = 0;
    const voice = Array.from({ length: 30 * FRAME }, (_, i) => { // a pulse every 8 ms rings at 700 Hz, and grows
      [formant, before] = [1.66 * formant - 0.94 * before + (i % 64 === 0 ? 500 * (1 + i / 1600) : 0), formant];
      return Math.round(formant);
    });
    const bend = (x: readonly number[], at: number): number => Math.max(...x.slice(at - 3, at + 6).map((_, i) => Math.abs(x[at + i]! - 3 * x[at + i - 1]! + 3 * x[at + i - 2]! - x[at + i - 3]!)));
    const usual = Math.max(...Array.from({ length: 64 }, (_, i) => bend(voice, 10 * FRAME - 64 + i)));
    for (let shift = 0; shift < 64; shift += 5) expect(bend(through((i) => voice[i + shift]!, 12, [10]), 10 * FRAME), `${shift}`).toBeLessThan(1.5 * usual);
  });

  test('behind a voice in noise the noise goes on where nothing comes for long, and not where comfort noise does', () => {
    const random = new FakeRandom(9), levels = [false, true].map((bare) => {
      const x = new Int16Array(HISTORY + 4000), concealer = new Concealer(x, HISTORY, 8), out: number[] = [];
      for (let f = 0; f < 150; f++) {
        for (let i = 0; i < FRAME; i++) x[HISTORY + i] = Math.round((f % 50 < 30 ? vowel(f * FRAME + i) : 0) + 350 * (random.fraction() - 0.5));
        if (f >= 125) concealer.conceal(FRAME, bare);
        else concealer.heard(0, FRAME);
        if (f >= 132) out.push(...x.subarray(HISTORY, HISTORY + FRAME));
        x.copyWithin(0, FRAME, FRAME + HISTORY);
      }
      return level(out);
    });
    expect(levels[0]!).toBeGreaterThan(70); // 100 of noise
    expect(levels[0]!).toBeLessThan(140);
    expect(levels[1]!).toBe(0);
  });

  test('after the return the sound is the real one again within 8 ms, be it a part of a period earlier or later', () => {
    const out = through(vowel, 20, [10, 11, 12]);
    const moved = out.length - 20 * FRAME;
    expect(Math.abs(moved)).toBeLessThanOrEqual(32);
    expect(out.slice(13 * FRAME + 64 + moved)).toEqual(Array.from({ length: 7 * FRAME - 64 }, (_, i) => vowel(13 * FRAME + 64 + i)));
  });

  test('sound that comes back in another place of its period is joined where both are alike', () => {
    const late = (i: number): number => vowel(i < 11 * FRAME ? i : i + 20);
    const out = through(late, 20, [10]);
    expect(Math.min(Math.abs(out.length - 20 * FRAME - 20), Math.abs(out.length - 20 * FRAME + 44))).toBeLessThan(3);
    expect(steepest(out)).toBeLessThan(1.05 * steepest(through(vowel, 20, [])));
  });

  test('where the sound after the gap is known, it is led back into the gap, and itself but for the quarter of a period that meets it', () => {
    const glide = (i: number): number => Math.round(6000 * Math.sin(2 * Math.PI * (125 * i / 8000 + 4 * (i / 8000) ** 2)) * (1 + 0.3 * Math.sin(i / 400)));
    const out = bridged(glide, 2000, 160, 320), moved = out.length - HISTORY - 480;
    expect(out.slice(HISTORY + 160 + moved + 30)).toEqual(Array.from({ length: 290 }, (_, i) => glide(2190 + i)));
    expect(level(out.slice(HISTORY + 160 + moved, HISTORY + 190 + moved).map((x, i) => x - glide(2160 + i)))).toBeLessThan(0.3 * level(out.slice(0, HISTORY)));
    expect(steepest(out.slice(HISTORY - 100))).toBeLessThan(1.2 * steepest(Array.from({ length: 1000 }, (_, i) => glide(1800 + i))));
    expect(level(out.slice(HISTORY + 60, HISTORY + 160))).toBeGreaterThan(0.7 * level(out.slice(0, HISTORY)));
  });

  test('a join may lean to either side, of voiced sound by half a period, of noise never', () => {
    expect(bridged(vowel, 2000, 160, 320, -1).length).toBeLessThanOrEqual(bridged(vowel, 2000, 160, 320, 1).length);
    const random = new FakeRandom(3), noise = Array.from({ length: 4000 }, () => Math.round(8000 * (random.fraction() - 0.5)));
    for (const lean of [-1, 0, 1]) expect(bridged((i) => noise[i]!, 2000, 160, 320, lean)).toHaveLength(HISTORY + 480);
  });

  test('a join that is to keep its place does, and does not leap for that', () => {
    const other = (i: number): number => vowel(i < 11 * FRAME ? i : i + 23), x = new Int16Array(HISTORY + 4000), concealer = new Concealer(x, HISTORY, 8);
    for (const gap of [0, 60, FRAME]) {
      for (let i = 0; i < HISTORY; i++) x[i] = other(11 * FRAME - gap - HISTORY + i);
      for (let i = 0; i < 2 * FRAME; i++) x[HISTORY + gap + i] = other(11 * FRAME + i);
      expect(concealer.join(gap, 2 * FRAME, 0, 0, true)).toBe(gap + 2 * FRAME);
      expect([...x.subarray(HISTORY + gap + 64, HISTORY + gap + 2 * FRAME)]).toEqual(Array.from({ length: 2 * FRAME - 64 }, (_, i) => other(11 * FRAME + 64 + i)));
      expect(steepest([...x.subarray(HISTORY - 100, HISTORY + gap + 2 * FRAME)])).toBeLessThan(1.4 * steepest(through(vowel, 20, [])));
    }
  });

  test('a loss before any sound is silence', () => {
    expect(through(vowel, 3, [0, 1, 2]).every((x) => x === 0)).toBe(true);
  });

  test('it stays in bounds at full scale, with noise, at 16 kHz and in pieces of any length', () => {
    const random = new FakeRandom(2);
    for (const rateHz of [8000, 16_000]) {
      const out = through(() => (random.fraction() < 0.5 ? 32_767 : -32_768), 30, [4, 5, 6, 7, 8, 9, 20], rateHz);
      expect(out.every((x) => x >= -32_768 && x <= 32_767)).toBe(true);
      expect(level(out.slice(4 * rateHz / 50, 5 * rateHz / 50))).toBeGreaterThan(5000);
    }
    const x = new Int16Array(HISTORY + 4000).fill(1000), concealer = new Concealer(x, HISTORY, 8);
    for (const count of [1, 7, 80, 1000, 2000, 3]) {
      concealer.good();
      concealer.conceal(count);
      x.copyWithin(0, count, count + HISTORY);
      x.fill(1000, HISTORY);
      const joined = concealer.join(0, count, 0, 1);
      expect(Math.abs(joined - count)).toBeLessThanOrEqual(60);
      x.copyWithin(0, joined, joined + HISTORY);
    }
    expect(x.every((y) => Math.abs(y) <= 1000)).toBe(true);
  });
});
