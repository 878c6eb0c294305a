import { describe, expect, test } from 'vitest';
import { Concealer } from '../../src/media/conceal.ts';
import { FakeRandom } from '../fakes/random.ts';

const FRAME = 160;
/** A steady vowel of 125 Hz at 8 kHz. */
const vowel = (i: number): number => Math.round([1, 2, 3, 5, 8].reduce((x, h) => x + Math.sin(2 * Math.PI * 125 * h * i / 8000 + h) * 3000 / h, 0));
const level = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((s, v) => s + v * v, 0) / x.length);
const steepest = (x: readonly number[]): number => x.reduce((most, v, i) => (i === 0 ? 0 : Math.max(most, Math.abs(v - x[i - 1]!))), 0);

/** Frames of `sound`, those in `lost` made up. */
function through(sound: (i: number) => number, frames: number, lost: readonly number[], rateHz = 8000): number[] {
  const concealer = new Concealer(rateHz), out: number[] = [];
  const frame = rateHz / 50;
  for (let f = 0; f < frames; f++) {
    const pcm = Int16Array.from({ length: frame }, (_, i) => sound(f * frame + i));
    if (lost.includes(f)) concealer.conceal(pcm, frame);
    else concealer.good(pcm, frame);
    out.push(...pcm);
  }
  return out;
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

  test('it fades from 10 ms on and is silent after 70', () => {
    const out = through(vowel, 20, [10, 11, 12, 13, 14]);
    const at = (ms: number): number => level(out.slice(10 * FRAME + 8 * ms, 10 * FRAME + 8 * (ms + 8)));
    expect(at(2)).toBeGreaterThan(0.8 * level(out.slice(0, 10 * FRAME)));
    expect(at(40)).toBeLessThan(0.7 * at(2));
    expect(at(72)).toBe(0);
    expect(at(90)).toBe(0);
  });

  test('after the return the sound is the real one again within 8 ms', () => {
    const out = through(vowel, 20, [10, 11, 12]);
    expect(out.slice(13 * FRAME + 64)).toEqual(Array.from({ length: 7 * FRAME - 64 }, (_, i) => vowel(13 * FRAME + 64 + i)));
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
    const concealer = new Concealer(8000), pcm = new Int16Array(2000);
    for (const count of [1, 7, 80, 1000, 2000, 3]) {
      concealer.good(pcm.fill(1000), count);
      concealer.conceal(pcm, count);
    }
    expect(pcm.every((x) => Math.abs(x) <= 1000)).toBe(true);
  });
});
