// What the state of the line says, without the machine that moves it.

import type { HandsetState } from './machine.ts';
import type { LineState } from './status.ts';

export const atRest: HandsetState = { line: 'on hook', second: 'none' };

/** States in which the handset is in the hand. */
export const offHook = (line: LineState): boolean =>
  line !== 'on hook' && line !== 'ringing' && line !== 'recall' && line !== 'speaker' && line !== 'speaker calling';
