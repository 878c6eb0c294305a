import { describe, expect, test } from 'vitest';
import type { ToneProgram } from '../../src/media/door.ts';
import { ToneGenerator } from '../../src/media/tones.ts';
import { cadenceOf, levelOf, peakNear, play } from './listen.ts';

const program = (times: number, ...steps: [number[], number, number][]): ToneProgram => ({ times, steps: steps.map(([hz, dbm0, ms]) => ({ hz, dbm0, ms })) });

describe.each([8000, 16_000])('at %i Hz', (rateHz) => {
  test.each([[425, -13], [440, 0], [50, -20], [3400, -30], [1776.7, -24]])('%f Hz at %f dBm0 has that frequency and level', (hz, dbm0) => {
    const { sound } = play(program(0, [[hz], dbm0, 0]), rateHz, 2);
    const middle = sound.subarray(rateHz / 2);
    expect(Math.abs(peakNear(middle, hz, rateHz) - hz)).toBeLessThan(0.15);
    expect(Math.abs(levelOf(middle, hz, rateHz) - dbm0)).toBeLessThan(0.05);
  });

  test('steps are as long as they say, to the sample, and the program ends after its times', () => {
    const { sound, goesOn } = play(program(2, [[1000], -10, 100], [[], 0, 50], [[1000], -10, 30], [[], 0, 20]), rateHz, 1);
    expect(goesOn).toBe(false);
    const expected = [100, 50, 30, 20, 100, 50, 30];
    const heard = cadenceOf(sound, rateHz);
    expect(heard).toHaveLength(expected.length);
    heard.forEach((ms, i) => expect(Math.abs(ms - expected[i]!)).toBeLessThanOrEqual(1));
  });

  test('it sounds the same in blocks of any size', () => {
    const what = program(3, [[700, 1209], -9, 37], [[], 0, 11], [[440], -13, 53]);
    const whole = play(what, rateHz, 0.303, Math.round(0.303 * rateHz)).sound;
    for (const block of [1, 7, 80, 333]) {
      const pieces = play(what, rateHz, 0.303, block).sound;
      expect(pieces.every((sample, i) => Math.abs(sample - whole[i]!) <= 1)).toBe(true); // the recurrence starts anew in each block
    }
  });

  test('rise and fall take a millisecond, no sample jumps', () => {
    const { sound } = play(program(0, [[400], -10, 100], [[], 0, 100]), rateHz, 1);
    const steepest = 2 * Math.PI * 400 / rateHz * Math.max(...sound) + Math.max(...sound) / (rateHz / 1000) * 2;
    for (let i = 1; i < sound.length; i++) expect(Math.abs(sound[i]! - sound[i - 1]!)).toBeLessThan(steepest);
    const before = sound.subarray(0, rateHz / 1000).reduce((most, s) => Math.max(most, Math.abs(s)), 0);
    expect(Math.abs(sound[0]!)).toBeLessThan(before / 4);
  });

  test('after an hour the frequency and level have not moved', () => {
    const generator = new ToneGenerator(program(0, [[425], -13, 0]), rateHz);
    const block = new Int16Array(rateHz);
    for (let second = 0; second < 3600; second += 60) generator.mix(new Int16Array(60 * rateHz));
    generator.mix(block);
    expect(Math.abs(levelOf(block, 425, rateHz) + 13)).toBeLessThan(0.01);
    expect(Math.abs(peakNear(block, 425, rateHz, 2) - 425)).toBeLessThan(0.15);
  });
});

test('it adds to what is there and stays at full scale instead of wrapping', () => {
  const loud = new Int16Array(800).fill(30_000);
  new ToneGenerator(program(0, [[440], 0, 0]), 8000).mix(loud);
  expect(Math.max(...loud)).toBe(32_767);
  expect(Math.min(...loud)).toBeGreaterThan(30_000 - 23_000);
  const low = new Int16Array(800).fill(-30_000);
  new ToneGenerator(program(0, [[440], 0, 0]), 8000).mix(low);
  expect(Math.min(...low)).toBe(-32_768);
});

test('an ended program says so and adds nothing more; one without steps has ended', () => {
  const generator = new ToneGenerator(program(1, [[440], 0, 20]), 8000);
  expect(generator.mix(new Int16Array(159))).toBe(true);
  expect(generator.mix(new Int16Array(1))).toBe(false);
  const after = new Int16Array(160);
  expect(generator.mix(after)).toBe(false);
  expect(after.every((sample) => sample === 0)).toBe(true);
  expect(new ToneGenerator({ steps: [], times: 0 }, 8000).mix(after)).toBe(false);
});

test('a step of ms 0 lasts, whatever times says', () => {
  const { sound, goesOn } = play(program(1, [[440], -10, 100], [[350], -10, 0]), 8000, 10);
  expect(goesOn).toBe(true);
  expect(levelOf(sound.subarray(72_000), 350, 8000)).toBeCloseTo(-10, 1);
});

test('each further frequency is louder by the twist', () => {
  const { sound } = play({ times: 0, steps: [{ hz: [500, 1000, 1500], dbm0: -20, twistDb: 2, ms: 0 }] }, 8000, 2);
  for (const [hz, dbm0] of [[500, -20], [1000, -18], [1500, -16]] as const) expect(levelOf(sound.subarray(4000), hz, 8000)).toBeCloseTo(dbm0, 1);
});
