import { describe, expect, test } from 'vitest';
import type { ToneProgram } from '../../src/media/door.ts';
import { intercomBeep, keyError, ringCadence, ringTone, statusTones, tones, type Country, type ToneName } from '../../src/media/tone-tables.ts';
import { cadenceOf, levelOf, peakNear, play } from './listen.ts';

const RATE_HZ = 8000;
// What the standards say, typed in apart from the table: frequencies, dBm0 of each, ms on/off by turns; none: it stays.
const rows: readonly (readonly [Country, ToneName, readonly number[], number, readonly number[]])[] = [
  ['us', 'dial', [350, 440], -13, []], ['us', 'ringback', [440, 480], -19, [2000, 4000]], ['us', 'busy', [480, 620], -24, [500, 500]],
  ['us', 'congestion', [480, 620], -24, [250, 250]], ['us', 'callWaiting', [440], -13, [300, 9700]], ['us', 'howler', [1400, 2060, 2450, 2600], -9.5, [100, 100]],
  ['uk', 'dial', [350, 440], -16, []], ['uk', 'ringback', [400, 450], -16, [400, 200, 400, 2000]], ['uk', 'busy', [400], -13, [375, 375]],
  ['uk', 'congestion', [400], -13, [400, 350, 225, 525]], ['uk', 'callWaiting', [400], -13, [100, 4000]],
  ['de', 'dial', [425], -13, []], ['de', 'stutter', [400, 425], -16, []], ['de', 'ringback', [425], -13, [1000, 4000]], ['de', 'busy', [425], -13, [480, 480]],
  ['de', 'congestion', [425], -13, [240, 240]], ['de', 'callWaiting', [425], -13, [200, 200, 200, 5000]],
  ['fr', 'dial', [440], -13, []], ['fr', 'stutter', [330, 440], -16, []], ['fr', 'ringback', [440], -13, [1500, 3500]], ['fr', 'busy', [440], -13, [500, 500]],
  ['fr', 'congestion', [440], -13, [250, 250]], ['fr', 'callWaiting', [440], -13, [300, 10_000]],
  ['au', 'dial', [413, 438], -16, []], ['au', 'stutter', [413, 438], -16, [100, 40]], ['au', 'ringback', [413, 438], -16, [400, 200, 400, 2000]],
  ['au', 'busy', [425], -13, [375, 375]], ['au', 'callWaiting', [425], -13, [200, 200, 200, 4400]],
];

function hasCadence(program: ToneProgram, expected: readonly number[]): void {
  const total = expected.reduce((sum, ms) => sum + ms, 0);
  const { sound, goesOn } = play(program, RATE_HZ, 2.2 * total / 1000);
  expect(goesOn).toBe(true);
  const heard = cadenceOf(sound, RATE_HZ).slice(0, 2 * expected.length - 1);
  expect(heard).toHaveLength(2 * expected.length - 1);
  heard.forEach((ms, i) => expect(Math.abs(ms - expected[i % expected.length]!)).toBeLessThanOrEqual(1));
}

describe('national tones', () => {
  test.each(rows)('%s %s is %j Hz at %f dBm0, %j ms', (country, name, hz, dbm0, ms) => {
    const program = tones[country][name];
    // The first sound, made to last, so that its frequencies can be told apart; then the cadence as it is.
    const { sound } = play({ steps: [{ ...program.steps[0]!, ms: 0 }], times: 0 }, RATE_HZ, 1.5);
    const steady = sound.subarray(4000);
    for (const each of hz) {
      expect(Math.abs(peakNear(steady, each, RATE_HZ, 5) - each)).toBeLessThan(0.5);
      expect(Math.abs(levelOf(steady, each, RATE_HZ) - dbm0)).toBeLessThan(0.5);
    }
    const rms = Math.sqrt(steady.reduce((sum, s) => sum + s * s, 0) / steady.length);
    const total = 20 * Math.log10(rms / 32_768) + 6.15;
    expect(Math.abs(total - dbm0 - 10 * Math.log10(hz.length))).toBeLessThan(0.5); // nothing else sounds
    if (ms.length > 0) hasCadence(program, ms);
    else expect(cadenceOf(play(program, RATE_HZ, 8).sound, RATE_HZ)).toEqual([8000].map((all) => expect.closeTo(all, -1)));
  });

  test('the Australian congestion tone drops by 10 dB every other burst', () => {
    const { sound } = play(tones.au.congestion, RATE_HZ, 1.5);
    hasCadence(tones.au.congestion, [375, 375, 375, 375]);
    expect(levelOf(sound.subarray(400, 2600), 425, RATE_HZ)).toBeCloseTo(-13, 0);
    expect(levelOf(sound.subarray(6400, 8600), 425, RATE_HZ)).toBeCloseTo(-23, 0);
  });

  test.each(['uk', 'de', 'fr', 'au'] as const)('the special information tone in %s is 950, 1400, 1800 Hz for 330 ms each, then a second of silence (E.180 §8)', (country) => {
    const { sound } = play(tones[country].sit, RATE_HZ, 2.5);
    [950, 1400, 1800].forEach((hz, i) => expect(Math.abs(levelOf(sound.subarray(i * 2640 + 100, i * 2640 + 2540), hz, RATE_HZ) + 13)).toBeLessThan(0.5));
    expect(cadenceOf(sound, RATE_HZ).slice(0, 2)).toEqual([expect.closeTo(990, -0.4), expect.closeTo(1000, -0.4)]);
  });

  test('the special information tone in the us is GR-506\'s vacant code', () => {
    const { sound } = play(tones.us.sit, RATE_HZ, 1.1);
    for (const [hz, from, to] of [[985.2, 0, 380], [1370.6, 380, 654], [1776.7, 654, 1034]] as const) {
      expect(Math.abs(levelOf(sound.subarray(from * 8 + 80, to * 8 - 80), hz, RATE_HZ) + 24)).toBeLessThan(0.5);
    }
  });

  test('the stutter of the us is ten bursts, then dial tone; of the uk it changes chord without a gap', () => {
    const heard = cadenceOf(play(tones.us.stutter, RATE_HZ, 5).sound, RATE_HZ);
    expect(heard).toHaveLength(21);
    expect(heard.slice(0, 20).every((ms) => Math.abs(ms - 100) <= 1)).toBe(true);
    const { sound } = play(tones.uk.stutter, RATE_HZ, 3);
    expect(levelOf(sound.subarray(800, 5200), 350, RATE_HZ)).toBeCloseTo(-16, 0);
    expect(levelOf(sound.subarray(6800, 11_200), 350, RATE_HZ)).toBeLessThan(-50);
  });

  test.each(Object.keys(tones) as Country[])('%s has every tone told apart from its dial tone, none clipped, confirm and only confirm ending by itself', (country) => {
    for (const [name, program] of Object.entries(tones[country])) {
      const { sound, goesOn } = play(program, RATE_HZ, 12);
      expect(goesOn, name).toBe(name !== 'confirm');
      expect(sound.some((s) => s === 32_767 || s === -32_768), name).toBe(false);
      if (name !== 'dial') expect(program, name).not.toEqual(tones[country].dial);
    }
  });
});

test.each(Object.keys(ringCadence) as Country[])('the ring tone of %s has the cadence of its bell', (country) => {
  const { steps, times } = ringTone[country];
  expect(times).toBe(0);
  expect(steps.map((each) => each.ms)).toEqual(ringCadence[country]);
  steps.forEach((each, i) => expect(each.hz.length > 0).toBe(i % 2 === 0));
  expect(play(ringTone[country], 16_000, 2).sound.some((s) => s === 32_767)).toBe(false);
});

test.each([['intercom beep', intercomBeep, 450], ['key error', keyError, 200]] as const)('the %s sounds once, for less than half a second', (_, program, ms) => {
  const { sound, goesOn } = play(program, RATE_HZ, 2);
  expect(goesOn).toBe(false);
  expect(cadenceOf(sound, RATE_HZ).reduce((sum, each) => sum + each, 0)).toBeCloseTo(ms, -1);
});

describe('status tones', () => {
  const NAMES = ['all well', 'no account', 'no network', 'no such server', 'not registered', 'server silent', 'wrong password'];
  /** What an ear keeps: for each sound whether it is short or long, low, middle or high. */
  const heard = (program: ToneProgram) => {
    const { sound, goesOn } = play(program, RATE_HZ, program.steps.reduce((sum, s) => sum + s.ms, 0) / 1000);
    expect(goesOn).toBe(true); // for ever
    let at = 0;
    let pattern = '';
    cadenceOf(sound, RATE_HZ).forEach((ms, i) => {
      if (i % 2 === 0) {
        const burst = sound.subarray(at * 8 + 80, (at + ms) * 8 - 80);
        const levels = [330, 500, 800].map((hz) => levelOf(burst, hz, RATE_HZ));
        pattern += `${ms < 300 ? 'short' : 'long'} ${['low', 'middle', 'high'][levels.indexOf(Math.max(...levels))]} `;
      }
      at += ms;
    });
    return pattern.trim();
  };

  test.each([
    ['all well', 'short low short middle short high', 'three short rising beeps, pause'],
    ['no account', 'long high', 'one long high beep, pause'],
    ['no network', 'short low short low short low', 'three short low beeps, pause'],
    ['not registered', 'long low long low', 'two long low beeps, pause'],
    ['wrong password', 'short high short low short high short low', 'high low high low, four short beeps, pause'],
    ['server silent', 'long low', 'one long low beep, pause'],
    ['no such server', 'short high short middle short low', 'three short falling beeps, pause'],
  ] as const)('%s is heard as %s, and described so', (name, pattern, words) => {
    expect(heard(statusTones[name].program)).toBe(pattern);
    expect(statusTones[name].words).toBe(words);
  });

  test('there is one for each state, no two alike', () => {
    expect(Object.keys(statusTones).sort()).toEqual(NAMES);
    expect(new Set(Object.values(statusTones).map(({ program }) => heard(program))).size).toBe(NAMES.length);
    expect(new Set(Object.values(statusTones).map(({ words }) => words)).size).toBe(NAMES.length);
  });
});

test('a tone read from a table is plain data that a thread can be sent, and names that are none give undefined', () => {
  expect(structuredClone(tones.de.busy)).toEqual({ steps: [{ hz: [425], dbm0: -13, ms: 480 }, { hz: [], dbm0: 0, ms: 480 }], times: 0 });
  expect(structuredClone(statusTones['no account'].program).times).toBe(0);
  expect(Reflect.get(tones.de, 'constructor')).toBeUndefined();
  expect(Object.keys(tones.uk).sort()).toEqual(['busy', 'callWaiting', 'confirm', 'congestion', 'dial', 'howler', 'ringback', 'sit', 'stutter']);
});
