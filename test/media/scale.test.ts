import { describe, expect, test } from 'vitest';
import { lengthen, shorten } from '../../src/media/scale.ts';
import { FakeRandom } from '../fakes/random.ts';

const vowel = (i: number): number => Math.round(8000 * Math.sin(2 * Math.PI * 200 * i / 8000) + 2000 * Math.sin(2 * Math.PI * 600 * i / 8000));
const HISTORY = 800;
/** A frame of the vowel behind some of it, in an array with room for `room` samples from the frame on. */
const frame = (room = 160): Int16Array => Int16Array.from({ length: HISTORY + room }, (_, i) => (i < HISTORY + 160 ? vowel(i) : 0));
const noise = (): Int16Array => {
  const random = new FakeRandom(8);
  return Int16Array.from({ length: HISTORY + 400 }, () => 10_000 * (random.fraction() - 0.5));
};

describe('time-scaling', () => {
  test('takes whole periods out of a vowel, which goes on without a seam', () => {
    const x = frame();
    const count = shorten(x, HISTORY, 160, 8, false);
    expect(160 - count).toBeGreaterThanOrEqual(40);
    expect((160 - count) % 40).toBe(0);
    for (let i = 0; i < count; i++) expect(Math.abs(x[HISTORY + i]! - vowel(HISTORY + i + 160 - count))).toBeLessThan(3);
  });

  test('puts whole periods in', () => {
    const x = frame(400);
    const count = lengthen(x, HISTORY, 160, 8);
    expect((count - 160) % 40).toBe(0);
    expect(count).toBeGreaterThan(160);
    for (let i = 0; i < count; i++) expect(Math.abs(x[HISTORY + i]! - vowel(HISTORY + i))).toBeLessThan(3);
  });

  test('ends with the very samples the frame ended with', () => {
    for (const scale of [(x: Int16Array) => shorten(x, HISTORY, 480, 16, true), (x: Int16Array) => lengthen(x, HISTORY, 480, 16)]) {
      const x = Int16Array.from({ length: HISTORY + 1000 }, (_, i) => vowel(i / 2) + (i % 50)), last = x.slice(HISTORY + 400, HISTORY + 480);
      const count = scale(x);
      expect(count).not.toBe(480);
      expect(x.slice(HISTORY + count - 80, HISTORY + count)).toEqual(last);
    }
  });

  test('leaves noise alone unless forced', () => {
    expect(shorten(noise(), HISTORY, 160, 8, false)).toBe(160);
    expect(lengthen(noise(), HISTORY, 160, 8)).toBe(160);
    expect(shorten(noise(), HISTORY, 160, 8, true)).toBeLessThan(160);
  });

  test('takes a vowel in noise while the noise is 15 dB below it, and not at 6 dB', () => {
    const noisy = (db: number): Int16Array => {
      const random = new FakeRandom(5), rms = 5_830 * 10 ** (-db / 20);
      return frame(400).map((x) => x + rms * Math.sqrt(12) * (random.fraction() - 0.5));
    };
    expect(shorten(noisy(15), HISTORY, 160, 8, false)).toBeLessThan(160);
    expect(lengthen(noisy(15), HISTORY, 160, 8)).toBeGreaterThan(160);
    expect(shorten(noisy(6), HISTORY, 160, 8, false)).toBe(160);
    expect(lengthen(noisy(6), HISTORY, 160, 8)).toBe(160);
  });

  test('cuts and lengthens silence by 15 ms', () => {
    expect(shorten(new Int16Array(HISTORY + 160), HISTORY, 160, 8, false)).toBe(40);
    expect(shorten(new Int16Array(HISTORY + 960), HISTORY, 960, 16, false)).toBe(960 - 240);
    expect(lengthen(new Int16Array(HISTORY + 400), HISTORY, 160, 8)).toBe(280);
  });

  test('keeps within the array and leaves crumbs alone', () => {
    expect(lengthen(frame(170), HISTORY, 160, 8)).toBe(160);
    for (const count of [0, 1, 10, 39, 59]) expect(shorten(new Int16Array(HISTORY + count), HISTORY, count, 8, true)).toBe(count);
  });
});
