// What presses of the hook switch mean: a short one is a flash, a long one hangs up. Pure; the debounced switch and the time come in.
//
//   off hook --press--> pressed --lift within min..max--> off hook, flash
//                          |------lift before min-------> off hook, nothing
//                          '------max has passed--------> on hook, hung up

import type { HookEvent } from '../ports/hardware.ts';

export interface FlashLimits {
  readonly minMs: number;
  readonly maxMs: number;
}

/** A dial pulse opens the line for 60 to 67 ms: beside a rotary dial a flash must be longer than two of them. */
export const ROTARY_FLASH_MIN_MS = 150;

export type HookState =
  | { readonly at: 'on hook' }
  | { readonly at: 'off hook' }
  | { readonly at: 'pressed'; readonly sinceMs: number };

export const hookState = (offHook: boolean): HookState => ({ at: offHook ? 'off hook' : 'on hook' });

/** A press counts as still off hook: it may be a flash. */
export const isOffHook = (state: HookState): boolean => state.at !== 'on hook';

/** When `due` is to be given; undefined: not at all. */
export const hookDueAt = (state: HookState, limits: FlashLimits): number | undefined =>
  state.at === 'pressed' ? state.sinceMs + limits.maxMs : undefined;

export function stepHook(state: HookState, input: 'lift' | 'press' | 'due', atMs: number, limits: FlashLimits): readonly [HookState, ...HookEvent[]] {
  switch (state.at) {
    case 'on hook':
      return input === 'lift' ? [hookState(true), 'lifted'] : [state];
    case 'off hook':
      return input === 'press' ? [{ at: 'pressed', sinceMs: atMs }] : [state];
    case 'pressed': {
      const heldMs = atMs - state.sinceMs;
      if (input === 'press') return [state];
      if (input === 'due') return heldMs >= limits.maxMs ? [hookState(false), 'hung up'] : [state];
      if (heldMs < limits.minMs) return [hookState(true)];
      return heldMs <= limits.maxMs ? [hookState(true), 'flash'] : [hookState(true), 'hung up', 'lifted'];
    }
    default:
      return state satisfies never;
  }
}
