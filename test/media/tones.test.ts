import { describe, expect, test } from 'vitest';
import type { ToneProgram } from '../../src/media/door.ts';
import { peakOf, ToneGenerator } from '../../src/media/tones.ts';
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

  test('it rises in its first 5 ms and falls in the 5 ms after its end, half as loud in the midst of both, and no sample jumps', () => {
    const { sound } = play(program(0, [[1000], -10, 100], [[], 0, 100]), rateHz, 0.2);
    const ms = rateHz / 1000, peak = peakOf(-10);
    const loudest = (fromMs: number, toMs: number): number => sound.subarray(Math.round(fromMs * ms), Math.round(toMs * ms)).reduce((most, x) => Math.max(most, Math.abs(x)), 0) / peak;
    for (const [from, loud] of [[0, 0.1], [2, 0.5], [4.5, 1], [50, 1], [99, 1], [102, 0.5], [104, 0.1], [105, 0]] as const) expect(Math.abs(loudest(from, from + 1) - loud), `${from} ms`).toBeLessThan(0.12);
    const steepest = peak * (2 * Math.PI * 1000 / rateHz + Math.PI / (10 * ms));
    for (let i = 1; i < sound.length; i++) expect(Math.abs(sound[i]! - sound[i - 1]!)).toBeLessThan(steepest);
  });

  test('one sound goes over into the next without a gap', () => {
    const { sound } = play(program(0, [[950], -13, 330], [[1400], -13, 330]), rateHz, 0.6);
    const at = Math.round(0.33 * rateHz), ms = rateHz / 1000;
    for (let from = at - 5 * ms; from < at + 10 * ms; from += ms) {
      const rms = Math.sqrt(sound.subarray(from, from + 2 * ms).reduce((sum, x) => sum + x * x, 0) / (2 * ms));
      expect(rms).toBeGreaterThan(peakOf(-13) / Math.SQRT2 / 2.5);
    }
  });

  test('it can be ended anywhere, and falls from there', () => {
    const generator = new ToneGenerator(program(0, [[1000], -10, 0]), rateHz);
    const before = new Int16Array(Math.round(0.0102 * rateHz)), after = new Int16Array(Math.round(0.0048 * rateHz)), end = new Int16Array(rateHz / 100);
    generator.mix(before);
    generator.end();
    expect(generator.mix(after)).toBe(true);
    expect(generator.mix(end)).toBe(false);
    expect(end.subarray(Math.round(0.0003 * rateHz)).every((x) => x === 0)).toBe(true);
    const whole = [...before, ...after, ...end];
    const steepest = peakOf(-10) * (2 * Math.PI * 1000 / rateHz + Math.PI / (rateHz / 100));
    for (let i = 1; i < whole.length; i++) expect(Math.abs(whole[i]! - whole[i - 1]!)).toBeLessThan(steepest);
    generator.end(); // once is enough
    expect(generator.mix(end)).toBe(false);
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
  expect(generator.mix(new Int16Array(1))).toBe(true); // it falls
  expect(generator.mix(new Int16Array(40))).toBe(false);
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

test('each frequency is as much louder as its offset says', () => {
  const { sound } = play({ times: 0, steps: [{ hz: [500, 1000, 1500], dbm0: -20, offsetsDb: [0, 2, 4], ms: 0 }] }, 8000, 2);
  for (const [hz, dbm0] of [[500, -20], [1000, -18], [1500, -16]] as const) expect(levelOf(sound.subarray(4000), hz, 8000)).toBeCloseTo(dbm0, 1);
});
