import { describe, expect, test } from 'vitest';
import { activeLevel, babble, resampled } from './speech.ts';

describe('the made-up voice', () => {
  test.each([8_000, 16_000] as const)('at %i Hz is as loud and as talkative as speech', (rateHz) => {
    for (const seed of [1, 2, 3]) {
      const { dbov, activity } = activeLevel(babble(rateHz, 30, seed), rateHz);
      expect(Math.abs(dbov + 26)).toBeLessThan(0.2);
      expect(Math.abs(activity - 0.75)).toBeLessThan(0.08);
    }
  });

  test('repeats itself for the same seed alone', () => {
    expect(babble(8_000, 2, 1)).toEqual(babble(8_000, 2, 1));
    expect(babble(8_000, 2, 1)).not.toEqual(babble(8_000, 2, 2));
  });
});

test('the active level of half a sine is that of the sine, its activity a half (ITU-T P.56)', () => {
  const samples = Int16Array.from({ length: 80_000 }, (_, i) => (i % 16_000 < 8_000 ? 8_000 * Math.sin(i / 4) : 0));
  const { dbov, activity } = activeLevel(samples, 8_000);
  expect(activity).toBeGreaterThan(0.5);
  expect(activity).toBeLessThan(0.68); // the hangover counts as active
  expect(dbov + 10 * Math.log10(activity / 0.5)).toBeCloseTo(20 * Math.log10(8_000 / Math.SQRT2 / 32_768), 0);
  expect(activeLevel(new Int16Array(8_000), 8_000)).toEqual({ dbov: -100, activity: 0 });
});

test('resampling keeps every sample at its instant', () => {
  const tone = Int16Array.from({ length: 16_000 }, (_, i) => 10_000 * Math.sin(2 * Math.PI * 300 * i / 16_000));
  const half = resampled(tone, 16_000, 8_000);
  expect(half.length).toBe(8_000);
  for (let i = 200; i < 7_800; i++) expect(Math.abs(half[i]! - tone[2 * i]!)).toBeLessThan(60);
});
