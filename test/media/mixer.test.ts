import { expect, test } from 'vitest';
import { factorOf, mix, weigh } from '../../src/media/mixer.ts';

test('sounds add up and stop at full scale', () => {
  const into = Int16Array.from([1, 30_000, -30_000, 5]);
  mix(Int16Array.from([2, 30_000, -30_000, 9]), into, 3);
  expect([...into]).toEqual([3, 32_767, -32_768, 5]);
});

test('gain is in dB and stops at full scale, in place too', () => {
  const x = Int16Array.from([1000, -20_000, 7]);
  weigh(x, x, 2, factorOf(6.0206));
  expect([...x]).toEqual([2000, -32_768, 7]);
});
