import { expect, test } from 'vitest';
import { dtmfProgram } from '../../src/media/dtmf.ts';
import { cadenceOf, levelOf, peakNear, play } from './listen.ts';

// Q.23 figure 1.
const PAIRS: Readonly<Record<string, readonly [number, number]>> = {
  1: [697, 1209], 2: [697, 1336], 3: [697, 1477], A: [697, 1633], 4: [770, 1209], 5: [770, 1336], 6: [770, 1477], B: [770, 1633],
  7: [852, 1209], 8: [852, 1336], 9: [852, 1477], C: [852, 1633], '*': [941, 1209], 0: [941, 1336], '#': [941, 1477], D: [941, 1633],
};

test.each(Object.entries(PAIRS).flatMap(([key, pair]) => [[key, 8000, ...pair], [key, 16_000, ...pair]] as const))('key %s at %i Hz is %i and %i Hz at -11 and -9 dBm0 (Q.23)', (key, rateHz, low, high) => {
  const { sound, goesOn } = play(dtmfProgram(key, 200), rateHz, 0.25, rateHz / 50);
  expect(goesOn).toBe(false);
  const steady = sound.subarray(rateHz * 0.02, rateHz * 0.18);
  expect(Math.abs(peakNear(steady, low, rateHz) / low - 1)).toBeLessThan(0.001); // ±1.8 % allowed
  expect(Math.abs(peakNear(steady, high, rateHz) / high - 1)).toBeLessThan(0.001);
  expect(Math.abs(levelOf(steady, low, rateHz) + 11)).toBeLessThan(0.2);
  expect(Math.abs(levelOf(steady, high, rateHz) + 9)).toBeLessThan(0.2);
  expect(Math.abs(cadenceOf(sound, rateHz)[0]! - 200)).toBeLessThanOrEqual(1);
});

test.each(['x', '', '12', '!'])('%j is no key: as much silence', (key) => {
  const { sound, goesOn } = play(dtmfProgram(key, 100), 8000, 0.2);
  expect(goesOn).toBe(false);
  expect(sound.every((sample) => sample === 0)).toBe(true);
});

test('small letters are keys too', () => {
  expect(dtmfProgram('a', 50)).toEqual(dtmfProgram('A', 50));
});
