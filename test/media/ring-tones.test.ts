import { describe, expect, test } from 'vitest';
import { RING_TONES, ringProgram } from '../../src/media/ring-tones.ts';
import { ringTone } from '../../src/media/tone-tables.ts';
import { settingsSchema } from '../../src/config/schema.ts';
import { cadenceOf, play } from './listen.ts';

const RATE_HZ = 16_000;

test('those that may be set are those that there are', () => {
  const [allowed] = Object.values((settingsSchema.properties.sound.properties.ringTones as unknown as { patternProperties: Record<string, { pattern: string }> }).patternProperties);
  for (const name of RING_TONES) expect(name).toMatch(new RegExp(allowed!.pattern));
  expect(allowed!.pattern.match(/[a-z]{3,}(?=\|)/g)?.slice(0, RING_TONES.length)).toEqual(RING_TONES);
  expect(ringProgram('fanfare', [2000, 4000])).toBeUndefined();
  expect(ringProgram('constructor', [2000, 4000])).toBeUndefined();
});

describe.each(RING_TONES)('%s', (name) => {
  test.each([[[2000, 4000]], [[400, 200, 400, 2000]], [[300, 200, 1000, 200, 300, 4000]]])('sounds in the cadence %j, loud and not clipped', (cadence) => {
    const program = ringProgram(name, cadence)!;
    expect(program.times).toBe(0);
    expect(program.steps.reduce((sum, { ms }) => sum + ms, 0)).toBe(cadence.reduce((sum, ms) => sum + ms, 0));
    const { sound } = play(program, RATE_HZ, cadence.reduce((sum, ms) => sum + ms, 0) / 1000 + 0.3);
    expect(sound.some((s) => s === 32_767 || s === -32_768)).toBe(false);
    const heard = cadenceOf(sound, RATE_HZ, 20).slice(0, cadence.length);
    heard.forEach((ms, i) => expect(Math.abs(ms - cadence[i]!)).toBeLessThan(8));
    expect(heard.length).toBe(cadence.length);
    const on = sound.subarray(0, cadence[0]! * 16);
    expect(Math.sqrt(on.reduce((sum, s) => sum + s * s, 0) / on.length)).toBeGreaterThan(2000);
  });

  test('does not click', () => {
    const { sound } = play(ringProgram(name, [1500, 500])!, RATE_HZ, 1.5);
    let steepest = 0;
    for (let i = 1; i < sound.length; i++) steepest = Math.max(steepest, Math.abs(sound[i]! - sound[i - 1]!));
    expect(steepest).toBeLessThan(17_000); // 1750 Hz at -9 dBm0, or four sines
  });
});

test('no two are alike, and the bell is the one of the core', () => {
  const all = RING_TONES.map((name) => JSON.stringify(ringProgram(name, [1000, 4000])));
  expect(new Set(all).size).toBe(RING_TONES.length);
  expect(ringProgram('bell', [400, 200, 400, 2000])).toEqual(ringTone([400, 200, 400, 2000]));
});
