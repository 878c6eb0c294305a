import { expect, test } from 'vitest';
import { hookDueAt, hookState, isOffHook, stepHook, type HookState } from '../../src/hardware/hook.ts';

const limits = { minMs: 80, maxMs: 800 };
const off = hookState(true), on = hookState(false);
const pressed = (sinceMs: number): HookState => ({ at: 'pressed', sinceMs });

const rows: readonly (readonly [string, HookState, 'lift' | 'press' | 'due', number, readonly [HookState, ...string[]]])[] = [
  ['lifting is told at once', on, 'lift', 5, [off, 'lifted']],
  ['lifting twice is told once', off, 'lift', 5, [off]],
  ['a press is not told yet', off, 'press', 1_000, [pressed(1_000)]],
  ['a press on hook is nothing', on, 'press', 5, [on]],
  ['a press shorter than the shortest flash is bounce', pressed(1_000), 'lift', 1_079, [off]],
  ['the shortest flash', pressed(1_000), 'lift', 1_080, [off, 'flash']],
  ['the longest flash', pressed(1_000), 'lift', 1_800, [off, 'flash']],
  ['a longer press hangs up, even when the alarm came after the lift', pressed(1_000), 'lift', 1_801, [off, 'hung up', 'lifted']],
  ['the alarm hangs up', pressed(1_000), 'due', 1_800, [on, 'hung up']],
  ['an early alarm does not', pressed(1_000), 'due', 1_799, [pressed(1_000)]],
  ['an alarm of an earlier press is nothing', off, 'due', 1_800, [off]],
];
test.each(rows)('%s', (_name, state, input, atMs, expected) => {
  expect(stepHook(state, input, atMs, limits)).toEqual(expected);
});

test('a pressed hook is still off hook, and due after the longest flash', () => {
  expect([on, off, pressed(0)].map(isOffHook)).toEqual([false, true, true]);
  expect([on, off, pressed(7)].map((s) => hookDueAt(s, limits))).toEqual([undefined, undefined, 807]);
});
