import { describe, expect, test } from 'vitest';
import type { ToneProgram } from '../../src/media/door.ts';
import { intercomBeep, keyError, ringTone, statusTones } from '../../src/media/tone-tables.ts';
import { cadenceOf, levelOf, play } from './listen.ts';

const RATE_HZ = 8000;

test('the ring tone has the cadence of the bell', () => {
  const { steps, times } = ringTone([400, 200, 400, 2000]);
  expect(times).toBe(0);
  expect(steps.map((each) => [each.ms, each.hz.length > 0])).toEqual([[400, true], [200, false], [400, true], [2000, false]]);
  expect(play(ringTone([2000, 4000]), 16_000, 2).sound.some((s) => s === 32_767)).toBe(false);
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

test('a tone read from a table is plain data that a thread can be sent', () => {
  expect(structuredClone(statusTones['no account'].program)).toEqual({ steps: [{ hz: [800], dbm0: -13, ms: 600 }, { hz: [], dbm0: 0, ms: 1350 }], times: 0 });
});
