import { expect, test } from 'vitest';
import { rotaryDueAt, rotaryState, stepRotary, type PulsePlan, type RotaryInput } from '../../src/hardware/rotary.ts';

/** Turn the dial: the contact leaves rest, so many pulses come, it is home again. */
function dial(pulses: number, plan: PulsePlan, offNormal: boolean): string | undefined {
  let state = rotaryState, atMs = 0, digit: string | undefined;
  const step = (input: RotaryInput) => {
    const [next, key] = stepRotary(state, input, atMs, plan, offNormal);
    state = next;
    digit ??= key;
  };
  if (offNormal) step('away');
  for (let i = 0; i < pulses; i++) { atMs += 100; step('pulse'); }
  atMs += 250;
  step(offNormal ? 'home' : 'due');
  expect(state).toEqual(rotaryState);
  return digit;
}

test.each([[true], [false]])('one to ten pulses are 1 to 9 and 0, off-normal contact %s', (offNormal) => {
  expect(Array.from({ length: 10 }, (_, i) => dial(i + 1, 'normal', offNormal)).join('')).toBe('1234567890');
  expect(Array.from({ length: 10 }, (_, i) => dial(i + 1, 'sweden', offNormal)).join('')).toBe('0123456789');
  expect(Array.from({ length: 10 }, (_, i) => dial(i + 1, 'new-zealand', offNormal)).join('')).toBe('9876543210');
});

test('a dial turned and let go without a pulse dials nothing, nor do eleven pulses', () => {
  expect(dial(0, 'normal', true)).toBeUndefined();
  expect(dial(11, 'normal', true)).toBeUndefined();
});

test('pulses while the dial rests are none', () => {
  expect(stepRotary(rotaryState, 'pulse', 5, 'normal', true)).toEqual([rotaryState]);
});

test('without off-normal contact 250 ms of rest end the digit', () => {
  const [one] = stepRotary(rotaryState, 'pulse', 1_000, 'normal', false);
  expect(rotaryDueAt(one)).toBe(1_250);
  expect(stepRotary(one, 'due', 1_249, 'normal', false)).toEqual([one]);
  expect(stepRotary(one, 'due', 1_250, 'normal', false)).toEqual([rotaryState, '1']);
  expect(rotaryDueAt(rotaryState)).toBeUndefined();
});
