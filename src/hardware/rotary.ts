// What a rotary dial dials: pulses counted between the turning and the coming to rest. Pure; debounced contacts and times come in.
//
//   off-normal ___|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾|____   closed while the dial is away from rest
//   pulse      ‾‾‾‾‾‾‾‾|__|‾|__|‾|__|‾‾‾‾‾‾‾‾‾‾‾‾   opens about 60 ms in every 100: here a 3

import type { Key } from '../ports/hardware.ts';

/** How pulses are numbered: Sweden starts at 0, New Zealand counts backwards. */
export const pulseDigits = {
  'normal': '1234567890',
  'sweden': '0123456789',
  'new-zealand': '9876543210',
} as const;
export type PulsePlan = keyof typeof pulseDigits;

/** A dial without off-normal contact has come to rest when no pulse came for this long. */
const ROTARY_REST_MS = 250;

export interface RotaryState {
  readonly turning: boolean;
  readonly pulses: number;
  readonly lastMs: number;
}

export const rotaryState: RotaryState = { turning: false, pulses: 0, lastMs: 0 };

/** away, home: the off-normal contact; pulse: the pulse contact has gone back to rest; due: see rotaryDueAt. */
export type RotaryInput = 'away' | 'home' | 'pulse' | 'due';

/** When `due` is to be given to a dial without off-normal contact; undefined: not at all. */
export const rotaryDueAt = (state: RotaryState): number | undefined =>
  state.pulses > 0 && !state.turning ? state.lastMs + ROTARY_REST_MS : undefined;

/** The new state and the digit dialled, if any. More than ten pulses are no digit. */
export function stepRotary(state: RotaryState, input: RotaryInput, atMs: number, plan: PulsePlan, hasOffNormal: boolean): readonly [RotaryState, Key?] {
  switch (input) {
    case 'away':
      return [{ turning: true, pulses: 0, lastMs: atMs }];
    case 'pulse':
      return hasOffNormal && !state.turning ? [state] : [{ ...state, pulses: state.pulses + 1, lastMs: atMs }];
    case 'due':
      if (atMs < (rotaryDueAt(state) ?? Infinity)) return [state];
      break;
    case 'home':
      break;
    default:
      return input satisfies never;
  }
  const digit = pulseDigits[plan][state.pulses - 1] as Key | undefined;
  return digit === undefined ? [rotaryState] : [rotaryState, digit];
}
