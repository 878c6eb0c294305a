import { describe, expect, test } from 'vitest';
import { lengthen, shorten } from '../../src/media/scale.ts';
import { FakeRandom } from '../fakes/random.ts';

const vowel = (i: number): number => Math.round(8000 * Math.sin(2 * Math.PI * 200 * i / 8000) + 2000 * Math.sin(2 * Math.PI * 600 * i / 8000));
const frame = (room = 160): Int16Array => Int16Array.from({ length: room }, (_, i) => (i < 160 ? vowel(i) : 0));
const noise = (): Int16Array => {
  const random = new FakeRandom(8);
  return Int16Array.from({ length: 160 }, () => 10_000 * (random.fraction() - 0.5));
};

describe('time-scaling', () => {
  test('takes whole periods out of a vowel, which goes on without a seam', () => {
    const pcm = frame();
    const count = shorten(pcm, 160, 8000, false);
    expect(160 - count).toBeGreaterThanOrEqual(40);
    expect((160 - count) % 40).toBe(0);
    for (let i = 0; i < count; i++) expect(Math.abs(pcm[i]! - vowel(i + 160 - count))).toBeLessThan(3);
  });

  test('puts whole periods in', () => {
    const pcm = frame(400);
    const count = lengthen(pcm, 160, 8000);
    expect((count - 160) % 40).toBe(0);
    expect(count).toBeGreaterThan(160);
    for (let i = 0; i < count; i++) expect(Math.abs(pcm[i]! - vowel(i))).toBeLessThan(3);
  });

  test('leaves noise alone unless forced', () => {
    expect(shorten(noise(), 160, 8000, false)).toBe(160);
    expect(lengthen(noise(), 160, 8000)).toBe(160);
    expect(shorten(noise(), 160, 8000, true)).toBeLessThan(160);
  });

  test('cuts silence by half a frame or 15 ms', () => {
    expect(shorten(new Int16Array(160), 160, 8000, false)).toBe(80);
    expect(shorten(new Int16Array(960), 960, 16_000, false)).toBe(960 - 240);
  });

  test('keeps within the array and leaves crumbs alone', () => {
    expect(lengthen(frame(170), 160, 8000)).toBe(160);
    for (const count of [0, 1, 10, 39]) expect(shorten(new Int16Array(count), count, 8000, true)).toBe(count);
  });
});
