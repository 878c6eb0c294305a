// The handset's machine as a table: line state x event -> next state and what to do. It knows one active call and one second call
// (held, or waiting to be taken); who they are, how long timers run and which tone means what is the shell's business (phone.ts).
//
//   hook, keys, calls, timers --event--> step() --actions--> shell --> agent, media, bell, lamp
//
// Leaving a line state stops its timers and its tone, unless the row says `keep`; step() puts that first.

import type { LineState } from './status.ts';

export type { LineState };

/** What the other slot holds: nothing, a call of ours on hold, or a caller who is heard as call waiting tone. */
export type Second = 'none' | 'held' | 'waiting';

export interface HandsetState {
  readonly line: LineState;
  readonly second: Second;
}

export type TimerName = 'glare' | 'hotline' | 'no dial' | 'inter digit' | 'dead' | 'howler' | 'recall';

export type HandsetEvent =
  | 'lift' | 'hang up' | 'flash' | 'digit'
  /** What the dial plan says of the digits so far: wait, dial now, no such number, a service code was carried out. */
  | 'more' | 'dial' | 'refused' | 'done'
  /** The active call: 180, sound before the answer, 2xx, never came about, was ended by the other side. */
  | 'ringing' | 'early' | 'answered' | 'failed' | 'ended'
  /** The active call ended after it asked us to call a third, who is being called (RFC 5589 §6.1). */
  | 'sent on'
  /** The held or waiting call is gone. */
  | 'second ended'
  /** A caller to ring for; one to answer at once. */
  | 'incoming' | 'intercom'
  /** From page and command line: call, answer, end. */
  | 'ask call' | 'ask answer' | 'ask end'
  | `T ${TimerName}`;

export type ToneAction = 'dial' | 'recall' | 'ringback' | 'failure' | 'gone' | 'sit' | 'congestion' | 'howler' | 'confirm';

export type HandsetAction =
  | `start ${TimerName}` | 'stop timers' | 'quiet' | `tone ${ToneAction}`
  | 'key tone' | 'collect' | 'finish' | 'forget digits' | 'dial' | 'dial hotline' | 'send digit'
  /** Slots: the caller just come in becomes active, second, or hears busy. */
  | 'take as active' | 'take as second' | 'refuse busy'
  /** The waiting or held call becomes the active one; both change places (the active one is held, the other resumed or answered). */
  | 'second to active' | 'hold' | 'resume' | 'swap'
  | 'accept' | 'accept on speaker' | 'end active' | 'end second' | 'forget active' | 'forget second'
  | 'ring' | 'recall ring' | 'stop bell' | 'waiting tone' | 'waiting off'
  | 'to handset' | 'to speaker' | 'warm' | 'cool';

interface Row {
  readonly to: LineState;
  readonly second?: Second;
  readonly do: readonly HandsetAction[];
  /** Timers and tone go on. */
  readonly keep?: true;
}

/** Event names may carry '|held', '|waiting': the row for that second call; it wins over the plain one. */
type Rows = { readonly [E in HandsetEvent | `${HandsetEvent}|${Second}`]?: Row };

/** Hanging up whatever is: a waiting caller now rings, a held one rings back, else quiet. */
const hangUp = {
  'hang up': { to: 'on hook', do: ['end active', 'cool'] },
  'hang up|held': { to: 'recall', do: ['end active', 'cool', 'recall ring', 'start recall'] },
  'hang up|waiting': { to: 'ringing', second: 'none', do: ['end active', 'waiting off', 'cool', 'second to active', 'ring'] },
} as const satisfies Rows;

/** Flash without an active call: the other call if there is one. */
const flashAway = {
  'flash': { to: 'dial tone', do: ['end active', 'forget digits', 'tone dial', 'start no dial'] },
  'flash|held': { to: 'in call', second: 'none', do: ['end active', 'second to active', 'resume'] },
  'flash|waiting': { to: 'in call', second: 'none', do: ['end active', 'waiting off', 'second to active', 'accept'] },
} as const satisfies Rows;

/** A second caller while the line is in use: heard as call waiting tone; a third hears busy. */
const waiting = (to: LineState) => ({
  'incoming': { to, second: 'waiting', do: ['take as second', 'waiting tone'] },
  'incoming|held': { to, do: ['refuse busy'] },
  'incoming|waiting': { to, do: ['refuse busy'] },
  'second ended|held': { to, second: 'none', do: ['forget second'] },
  'second ended|waiting': { to, second: 'none', do: ['waiting off', 'forget second'] },
} as const satisfies Rows);

const lost = (to: LineState) => ({ 'second ended': { to, second: 'none', do: ['waiting off', 'forget second'] } } as const satisfies Rows);

const dialTone = {
  ...hangUp, ...flashAway,
  'digit': { to: 'collecting', do: ['key tone', 'collect'] },
  'T no dial': { to: 'dead line', do: ['tone congestion', 'start dead'] },
  'T hotline': { to: 'calling', do: ['dial hotline'] },
  'ask call': { to: 'calling', do: ['dial'] },
  'ask answer|waiting': { to: 'in call', second: 'none', do: ['waiting off', 'second to active', 'accept'] },
} as const satisfies Rows;

export const table: { readonly [S in LineState]: Rows } = {
  'on hook': {
    'hang up': { to: 'on hook', do: [] },
    'lift': { to: 'just lifted', do: ['warm', 'forget digits', 'tone dial', 'start glare', 'start hotline', 'start no dial'] },
    'incoming': { to: 'ringing', do: ['take as active', 'ring'] },
    'intercom': { to: 'speaker', do: ['take as active', 'accept on speaker'] },
    'ask call': { to: 'speaker calling', do: ['to speaker', 'dial'] },
  },
  'ringing': {
    'hang up': { to: 'ringing', do: [] },
    'lift': { to: 'in call', do: ['stop bell', 'warm', 'accept'] },
    'ended': { to: 'on hook', do: ['stop bell', 'forget active'] },
    'incoming': { to: 'ringing', do: ['refuse busy'] },
    'ask answer': { to: 'speaker', do: ['stop bell', 'accept on speaker'] },
    'ask end': { to: 'on hook', do: ['stop bell', 'end active'] },
  },
  'recall': {
    'hang up|held': { to: 'recall', do: [] },
    'lift': { to: 'in call', second: 'none', do: ['stop bell', 'warm', 'to handset', 'second to active', 'resume'] },
    'second ended': { to: 'on hook', second: 'none', do: ['stop bell', 'forget second'] },
    'incoming': { to: 'recall', do: ['refuse busy'] },
    'ask answer': { to: 'speaker', second: 'none', do: ['stop bell', 'to speaker', 'second to active', 'resume'] },
    'ask end': { to: 'on hook', second: 'none', do: ['stop bell', 'end second'] },
    'T recall': { to: 'on hook', second: 'none', do: ['stop bell', 'end second'] },
  },
  /** Dial tone so fresh that a call coming in must have been meant to be answered by the lifting (hook glare). */
  'just lifted': {
    ...dialTone,
    'T glare': { to: 'dial tone', do: [], keep: true },
    'incoming': { to: 'in call', do: ['take as active', 'accept'] },
  },
  'dial tone': { ...dialTone, ...waiting('dial tone') },
  'collecting': {
    ...hangUp, ...flashAway, ...waiting('collecting'),
    'digit': { to: 'collecting', do: ['key tone', 'collect'] },
    'more': { to: 'collecting', do: ['start inter digit'] },
    'dial': { to: 'calling', do: ['dial'] },
    'refused': { to: 'dead line', do: ['tone sit', 'start dead'] },
    'done': { to: 'dial tone', do: ['forget digits', 'tone confirm', 'start no dial'] },
    'T inter digit': { to: 'collecting', do: ['finish'] },
    'ask call': { to: 'calling', do: ['dial'] },
    'ask answer|waiting': { to: 'in call', second: 'none', do: ['waiting off', 'second to active', 'accept'] },
  },
  'calling': {
    ...hangUp, ...flashAway, ...waiting('calling'),
    'ringing': { to: 'calling', do: ['tone ringback'] },
    'early': { to: 'calling', do: ['quiet'] },
    'answered': { to: 'in call', do: [] },
    'failed': { to: 'dead line', do: ['forget active', 'tone failure', 'start dead'] },
    'digit': { to: 'calling', do: ['send digit'] },
    'ask end': { to: 'dead line', do: ['end active', 'tone gone', 'start dead'] },
  },
  'in call': {
    ...hangUp, ...waiting('in call'),
    'flash': { to: 'dial tone', second: 'held', do: ['hold', 'forget digits', 'tone recall', 'start no dial'] },
    'flash|held': { to: 'in call', do: ['swap'] },
    'flash|waiting': { to: 'in call', second: 'held', do: ['waiting off', 'swap'] },
    'ask answer|waiting': { to: 'in call', second: 'held', do: ['waiting off', 'swap'] },
    'digit': { to: 'in call', do: ['key tone', 'send digit'] },
    'sent on': { to: 'calling', do: ['take as active', 'tone ringback'] },
    'ended': { to: 'dead line', do: ['forget active', 'tone gone', 'start dead'] },
    'ask end': { to: 'dead line', do: ['end active', 'tone gone', 'start dead'] },
  },
  'dead line': {
    ...hangUp, ...flashAway, ...lost('dead line'),
    'incoming': { to: 'dead line', do: ['refuse busy'] },
    'T dead': { to: 'howler', do: ['tone howler', 'start howler'] },
  },
  'howler': {
    ...hangUp, ...flashAway, ...lost('howler'),
    'incoming': { to: 'howler', do: ['refuse busy'] },
    'T howler': { to: 'silence', do: [] },
  },
  'silence': {
    ...hangUp, ...flashAway, ...lost('silence'),
    'incoming': { to: 'silence', do: ['refuse busy'] },
  },
  'speaker calling': {
    'hang up': { to: 'on hook', do: ['end active'] },
    'lift': { to: 'calling', do: ['warm', 'to handset'], keep: true },
    'ringing': { to: 'speaker calling', do: ['tone ringback'] },
    'early': { to: 'speaker calling', do: ['quiet'] },
    'answered': { to: 'speaker', do: [] },
    'failed': { to: 'on hook', do: ['forget active'] },
    'digit': { to: 'speaker calling', do: ['send digit'] },
    'incoming': { to: 'speaker calling', do: ['refuse busy'] },
    'ask end': { to: 'on hook', do: ['end active'] },
  },
  'speaker': {
    'hang up': { to: 'on hook', do: ['end active'] },
    'hang up|waiting': { to: 'ringing', second: 'none', do: ['end active', 'waiting off', 'second to active', 'ring'] },
    'hang up|held': { to: 'recall', do: ['end active', 'recall ring', 'start recall'] },
    'lift': { to: 'in call', do: ['warm', 'to handset'] },
    'digit': { to: 'speaker', do: ['send digit'] },
    'sent on|none': { to: 'speaker calling', do: ['take as active', 'tone ringback'] },
    'ended': { to: 'on hook', do: ['forget active'] },
    'ended|waiting': { to: 'ringing', second: 'none', do: ['forget active', 'waiting off', 'second to active', 'ring'] },
    'ended|held': { to: 'speaker', second: 'none', do: ['forget active', 'second to active', 'resume'] },
    ...waiting('speaker'),
    'flash|held': { to: 'speaker', do: ['swap'] },
    'flash|waiting': { to: 'speaker', second: 'held', do: ['waiting off', 'swap'] },
    'ask answer|waiting': { to: 'speaker', second: 'held', do: ['waiting off', 'swap'] },
    'ask end': { to: 'on hook', do: ['end active'] },
    'ask end|waiting': { to: 'ringing', second: 'none', do: ['end active', 'waiting off', 'second to active', 'ring'] },
    'ask end|held': { to: 'speaker', second: 'none', do: ['end active', 'second to active', 'resume'] },
  },
};

export const atRest: HandsetState = { line: 'on hook', second: 'none' };

/** States in which the handset is in the hand. */
export const offHook = (line: LineState): boolean =>
  line !== 'on hook' && line !== 'ringing' && line !== 'recall' && line !== 'speaker' && line !== 'speaker calling';

/** The row that rules `event`; undefined when the event means nothing here. */
export const rowOf = (state: HandsetState, event: HandsetEvent): Row | undefined => {
  const rows = table[state.line];
  return rows[`${event}|${state.second}`] ?? rows[event];
};

const leaving = ['stop timers', 'quiet'] as const;

/** The next state and what to do, in order; an event without a row changes nothing. */
export function step(state: HandsetState, event: HandsetEvent): readonly [HandsetState, readonly HandsetAction[]] {
  const row = rowOf(state, event);
  if (row === undefined) return [state, []];
  const next = { line: row.to, second: row.second ?? state.second };
  return [next, row.to === state.line || row.keep ? row.do : [...leaving, ...row.do]];
}
