import { expect, test } from 'vitest';
import { orderFor, predictor } from '../../src/media/predictor.ts';
import { FakeRandom } from '../fakes/random.ts';

test('the filter of a resonance is found, and how loud is what excites it', () => {
  const random = new FakeRandom(5), x = new Int16Array(4000);
  for (let i = 2, p = 0, q = 0; i < x.length; i++) {
    [p, q] = [1.6 * p - 0.9 * q + 2000 * (random.fraction() - 0.5), p];
    x[i] = Math.round(p);
  }
  const a = new Float64Array(3), fresh = predictor(x, 0, x.length, a, new Float64Array(3));
  expect(a[0]).toBe(1);
  expect(a[1]).toBeCloseTo(-1.6, 1);
  expect(a[2]).toBeCloseTo(0.9, 1);
  expect(Math.sqrt(12 * fresh)).toBeGreaterThan(1800);
  expect(Math.sqrt(12 * fresh)).toBeLessThan(2400);
});

test('silence, a step and full scale leave a filter that does not grow', () => {
  for (const perMs of [8, 16]) {
    for (const sound of [() => 0, () => 32_767, (i: number) => (i < 80 ? -32_768 : 32_767), (i: number) => 32_767 * Math.sin(i / 2)]) {
      const order = orderFor(perMs), a = new Float64Array(order + 1), past = new Float64Array(order).fill(32_767);
      const fresh = predictor(Int16Array.from({ length: 20 * perMs }, (_, i) => sound(i)), 0, 20 * perMs, a, new Float64Array(order + 1));
      expect(fresh).toBeGreaterThanOrEqual(0);
      let last = 0;
      for (let i = 0; i < 8000 * perMs; i++) {
        last = 0;
        for (let m = order; m > 0; m--) last -= a[m]! * past[m - 1]!;
        past.copyWithin(1, 0);
        past[0] = last;
      }
      expect(Math.abs(last)).toBeLessThan(40_000);
    }
  }
});
