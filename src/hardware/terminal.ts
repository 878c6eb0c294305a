// Keys of a terminal as the handset of the bench. Pure: bytes in, actions out; who owns the terminal puts it into raw mode.

import type { Key } from '../ports/hardware.ts';
import type { Bench } from './bench.ts';

export type TerminalAction =
  | { readonly do: 'lift or hang up' }
  | { readonly do: 'flash' }
  | { readonly do: 'privacy' }
  | { readonly do: 'quit' }
  | { readonly do: 'key'; readonly key: Key };

/** One line for people. */
export const terminalHelp = 'space: lift or hang up · 0-9 * # A-D: keys · f: flash · p: privacy · q: quit';

/** Where a decoder is inside an escape sequence: arrow keys and the like must not dial their letters. */
export type TerminalState = 'plain' | 'escape' | 'sequence';

const CTRL_C = 3, CTRL_D = 4, ESCAPE = 0x1b;

export function decodeTerminal(state: TerminalState, bytes: Uint8Array): readonly [TerminalState, ...TerminalAction[]] {
  const actions: TerminalAction[] = [];
  for (const byte of bytes) {
    if (state === 'sequence') {
      if (byte >= 0x40 && byte <= 0x7e) state = 'plain';
    } else if (state === 'escape') {
      state = byte === 0x5b || byte === 0x4f ? 'sequence' : byte === ESCAPE ? 'escape' : 'plain'; // CSI, SS3; else one key with Alt
    } else if (byte === ESCAPE) {
      state = 'escape';
    } else {
      const action = actionOf(byte);
      if (action !== undefined) actions.push(action);
    }
  }
  return [state, ...actions];
}

function actionOf(byte: number): TerminalAction | undefined {
  if (byte === CTRL_C || byte === CTRL_D) return { do: 'quit' };
  const char = String.fromCharCode(byte).toUpperCase();
  if (/^[0-9*#A-D]$/.test(char)) return { do: 'key', key: char as Key };
  switch (char) {
    case ' ': case '\r': case '\n': case 'H': return { do: 'lift or hang up' };
    case 'F': return { do: 'flash' };
    case 'P': return { do: 'privacy' };
    case 'Q': return { do: 'quit' };
    default: return undefined;
  }
}

/** Carry an action out on the bench; false: the person wants to quit. */
export function applyTerminal(bench: Bench, action: TerminalAction): boolean {
  switch (action.do) {
    case 'lift or hang up':
      if (bench.state.offHook) bench.hangUp();
      else bench.lift();
      return true;
    case 'flash': bench.flash(); return true;
    case 'privacy': bench.privacy(!bench.state.privacy); return true;
    case 'key': bench.press(action.key); return true;
    case 'quit': return false;
    default: return action satisfies never;
  }
}
