import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ComfortNoise } from '../../src/media/comfort.ts';

const RATE_HZ = 8000;
const made = (payload: readonly number[], count = 40_000): number[] => {
  const noise = new ComfortNoise(RATE_HZ), x = new Int16Array(count);
  noise.begin(Uint8Array.from(payload));
  noise.mix(x, 0, count);
  return [...x];
};
const level = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
const dbov = (x: readonly number[]): number => 20 * Math.log10(level(x) / 32_767);

test('the first byte is the level in dB below overload (RFC 3389 §3.1), whatever the spectrum', () => {
  for (const [db, ...coefficients] of [[20], [40], [60], [40, 27], [40, 227], [30, 60, 160, 120]] as const) {
    expect(Math.abs(dbov(made([db, ...coefficients]).slice(4000)) + db)).toBeLessThan(1);
  }
  expect(level(made([127]).slice(4000))).toBeLessThan(1);
});

test('reflection coefficients shape it (RFC 3389 §3.2): a first one below 127 makes it dull, one above makes it sharp', () => {
  const slope = (x: readonly number[]): number => x.reduce((sum, v, i) => sum + v * (x[i - 1] ?? 0), 0) / x.reduce((sum, v) => sum + v * v, 0);
  expect(slope(made([30, 127]))).toBeCloseTo(0, 1);
  expect(slope(made([30, 27]))).toBeCloseTo(258 * 100 / 32_768, 1);
  expect(slope(made([30, 227]))).toBeCloseTo(-258 * 100 / 32_768, 1);
});

test('it fades in over about 20 ms, goes over to another level as slowly, and fades out', () => {
  const noise = new ComfortNoise(RATE_HZ), x = new Int16Array(8000);
  noise.begin(Uint8Array.of(30));
  noise.mix(x, 0, 2000);
  noise.begin(Uint8Array.of(50));
  noise.mix(x, 2000, 2000);
  noise.end();
  expect(noise.sounds).toBe(true);
  noise.mix(x, 4000, 4000);
  const at = (from: number): number => level([...x.subarray(from, from + 160)]);
  expect(at(0)).toBeLessThan(0.8 * at(1600));
  expect(at(160)).toBeGreaterThan(0.8 * at(1600));
  expect(at(2000)).toBeGreaterThan(2 * at(3600));
  expect(at(7800)).toBe(0);
  expect(noise.sounds).toBe(false);
});

test('any payload makes noise within bounds and never louder than it says', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), (payload) => {
    const x = made([...payload], 4000);
    expect(x.every((v) => Number.isInteger(v) && Math.abs(v) <= 32_768)).toBe(true);
    if ((payload[0]! & 0x7f) > 12) expect(dbov(x)).toBeLessThan(-(payload[0]! & 0x7f) + 6 + (payload[0]! & 0x7f) / 30);
  }), { numRuns: 100 });
});
