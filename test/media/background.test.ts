import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Background } from '../../src/media/background.ts';
import { FakeRandom } from '../fakes/random.ts';

const level = (x: ArrayLike<number>): number => Math.sqrt(Array.from(x).reduce((s, v) => s + v * v, 0) / x.length);
const slope = (x: readonly number[]): number => x.reduce((sum, v, i) => sum + v * (x[i - 1] ?? 0), 0) / x.reduce((sum, v) => sum + v * v, 0);
/** Dull noise of about `rms`. */
function dull(rms: number, seed = 1): (i: number) => number {
  const random = new FakeRandom(seed);
  let last = 0;
  return () => (last = 0.8 * last + 0.6 * rms * Math.sqrt(12) * (random.fraction() - 0.5));
}
/** Words of half a second with pauses as long between them, of 8 kHz. */
const words = (i: number): number => (i % 8000 < 4000 ? 6000 * Math.sin(2 * Math.PI * 150 * i / 8000) * Math.sin(Math.PI * (i % 8000) / 4000) : 0);

function heard(sound: (i: number) => number, seconds: number, perMs = 8): Background {
  const background = new Background(perMs), x = new Int16Array(20 * perMs);
  for (let n = 0; n < 50 * seconds; n++) {
    for (let i = 0; i < x.length; i++) x[i] = Math.round(sound(n * x.length + i));
    background.heard(x, 0, x.length);
  }
  background.begin();
  return background;
}
const made = (background: Background, count: number, from = 0, share = 1): number[] => Array.from({ length: count }, (_, i) => background.next(share, from + i));

describe('the background', () => {
  test.each([30, 100, 300])('of speech in noise of %i is as loud as the noise, within 3 dB, and as dull', (rms) => {
    const noise = dull(rms), background = heard((i) => words(i) + noise(i), 6);
    const out = made(background, 8000).slice(800);
    expect(level(out)).toBeGreaterThan(0.7 * rms);
    expect(level(out)).toBeLessThan(1.41 * rms);
    expect(Math.abs(slope(out) - 0.8)).toBeLessThan(0.12);
  });

  test('is learnt from packets of 10 ms as well', () => {
    const background = new Background(8), noise = dull(100), x = new Int16Array(240);
    for (let n = 0; n < 300; n++) {
      for (let i = 160; i < 240; i++) x[i] = Math.round(noise(i));
      background.heard(x, 160, 80);
      x.copyWithin(0, 80);
    }
    background.begin();
    const out = made(background, 8000).slice(800);
    expect(level(out)).toBeGreaterThan(70);
    expect(level(out)).toBeLessThan(141);
  });

  test('of a line that is silent between words is silence', () => {
    const background = heard(words, 6);
    expect(background.sounds).toBe(false);
    expect(level(made(background, 800))).toBe(0);
  });

  test('is not known before a second of sound, and music without a pause is none', () => {
    const noise = dull(100);
    expect(heard(noise, 0.9).sounds).toBe(false);
    expect(heard(noise, 1.1).sounds).toBe(true);
    expect(level(made(heard((i) => 8000 * Math.sin(i / 5), 5), 8000))).toBeLessThan(560);
  });

  test('fades in, goes on for 3 s and is gone after 5: nobody may be there any more', () => {
    const background = heard(dull(200), 3), at = (ms: number): number => level(made(background, 1200, 8 * ms).slice(400));
    expect(level(made(background, 40))).toBeLessThan(0.5 * 200);
    expect(at(100)).toBeGreaterThan(120);
    expect(at(2900)).toBeGreaterThan(120);
    expect(at(4000)).toBeLessThan(at(2900));
    expect(at(5200)).toBeLessThan(1);
  });

  test('comes and goes with its share, without a leap', () => {
    const background = heard(dull(200), 3);
    made(background, 1600);
    const out = made(background, 1600, 1600, 0);
    expect(level(out.slice(0, 16))).toBeGreaterThan(40);
    expect(level(out.slice(800))).toBeLessThan(1);
  });

  test('of any sound stays finite and below full scale', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 0, max: 32_767 }), fc.nat(4), (seed, loud, kind) => {
      const random = new FakeRandom(seed);
      const sound = [() => loud, (i: number) => (i & 1 ? loud : -loud), () => loud * (2 * random.fraction() - 1), (i: number) => loud * Math.sin(i / 3), (i: number) => (i % 500 === 0 ? loud : 0)][kind]!;
      for (const x of made(heard(sound, 2, 16), 2000)) if (!(Math.abs(x) <= 32_767)) throw new Error(`${x}`);
    }), { numRuns: 40 });
  });
});
