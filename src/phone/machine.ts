// The handset's machine as a table: line state x event -> next state and what to do. It knows one active call and one second call
// (held, waiting to be taken, or joined with the active one); who they are, how long timers run and which tone means what is the shell's business (phone.ts).
//
//   hook, keys, calls, timers --event--> step() --actions--> shell --> agent, media, bell, lamp
//
// Leaving a line state stops its timers and its tone, unless the row says `keep`; step() puts that first.

import type { LineState } from './status.ts';

export type { LineState };

/** What the other slot holds: nothing, a call of ours on hold, a caller who is heard as call waiting tone, or the third of a conference. */
export type Second = 'none' | 'held' | 'waiting' | 'joined';

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
  /** The held call is taken into the conversation; the one called first is put on hold again. */
  | 'join' | 'split'
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
  /** All three talk; the two go apart again; the second is held. */
  | 'join' | 'part' | 'hold second'
  | 'accept' | 'accept on speaker' | 'end active' | 'end second' | 'forget active' | 'forget second'
  | 'ring' | 'recall ring' | 'stop bell' | 'waiting tone' | 'waiting off'
  | 'to handset' | 'to speaker' | 'warm' | 'cool';

export interface Row {
  readonly to: LineState;
  readonly second: Second;
  readonly do: readonly HandsetAction[];
  /** Timers and tone go on. */
  readonly keep: boolean;
}

// A row: `event|second -> line/second: action, action`. The second call in the event narrows the row and wins over the plain one; '.' stands for the
// line state it is in; without '/' the second call stays what it is; '~>' keeps timers and tone. Kept as text and read when an event comes, since the
// same table as objects costs six times the heap; the tests hold every word of it against the types above.

/** Rows by line state. Made when an event asks, so that a phone without handset does not keep them: 5 kB. */
export function table(): { readonly [S in LineState]: string } {
  /** Hanging up whatever is: a waiting caller now rings, a held one rings back, else quiet. */
  const hangUp = `
hang up -> on hook: end active, cool
hang up|held -> recall: end active, cool, recall ring, start recall
hang up|waiting -> ringing/none: end active, waiting off, cool, second to active, ring`;

  /** Flash without an active call to keep: the other call if there is one. */
  const flashAway = `
flash -> dial tone: end active, forget digits, tone dial, start no dial
flash|held -> in call/none: end active, second to active, resume
flash|waiting -> in call/none: end active, waiting off, second to active, accept`;

  /** All three talk: a flash drops whom the active call is with. */
  const conference = `
join|held -> ./joined: join
split|joined -> ./held: part, hold second
flash|joined -> ./none: part, end active, second to active
ask end|joined -> ./none: part, end active, second to active
ended|joined -> ./none: part, forget active, second to active
second ended|joined -> ./none: part, forget second`;

  /** A second caller while the line is in use: heard as call waiting tone; a third hears busy. */
  const waiting = `
incoming|none -> ./waiting: take as second, waiting tone
incoming -> .: refuse busy
second ended|held -> ./none: forget second
second ended|waiting -> ./none: waiting off, forget second`;

  /** Nobody listens: callers hear busy. */
  const deaf = `
incoming -> .: refuse busy
second ended -> ./none: waiting off, forget second`;

  const dialTone = `${hangUp}${flashAway}
digit -> collecting: key tone, collect
T no dial -> dead line: tone congestion, start dead
T hotline -> calling: dial hotline
ask call -> calling: dial
ask answer|waiting -> in call/none: waiting off, second to active, accept`;

  return {
    'on hook': `
hang up -> .:
lift -> just lifted: warm, forget digits, tone dial, start glare, start hotline, start no dial
incoming -> ringing: take as active, ring
intercom -> speaker: take as active, accept on speaker
ask call -> speaker calling: to speaker, dial`,
    'ringing': `
hang up -> .:
lift -> in call: stop bell, warm, accept
ended -> on hook: stop bell, forget active
incoming -> .: refuse busy
ask answer -> speaker: stop bell, accept on speaker
ask end -> on hook: stop bell, end active`,
    'recall': `
hang up|held -> .:
lift -> in call/none: stop bell, warm, to handset, second to active, resume
second ended -> on hook/none: stop bell, forget second
incoming -> .: refuse busy
ask answer -> speaker/none: stop bell, to speaker, second to active, resume
ask end -> on hook/none: stop bell, end second
T recall -> on hook/none: stop bell, end second`,
    // Dial tone so fresh that a call coming in must have been meant to be answered by the lifting (hook glare).
    'just lifted': `${dialTone}
T glare ~> dial tone:
incoming -> in call: take as active, accept`,
    'dial tone': `${dialTone}${waiting}`,
    'collecting': `${hangUp}${flashAway}${waiting}
digit -> .: key tone, collect
more -> .: start inter digit
dial -> calling: dial
refused -> dead line: tone sit, start dead
done -> dial tone: forget digits, tone confirm, start no dial
T inter digit -> .: finish
ask call -> calling: dial
ask answer|waiting -> in call/none: waiting off, second to active, accept`,
    'calling': `${hangUp}${flashAway}${waiting}
ringing -> .: tone ringback
early -> .: quiet
answered -> in call:
failed -> dead line: forget active, tone failure, start dead
digit -> .: send digit
ask end -> dead line: end active, tone gone, start dead`,
    'in call': `${hangUp}${waiting}${conference}
hang up|joined -> on hook/none: part, end active, end second, cool
sent on|joined -> calling/held: part, hold second, take as active, tone ringback
flash -> dial tone/held: hold, forget digits, tone recall, start no dial
flash|held -> .: swap
flash|waiting -> ./held: waiting off, swap
ask answer|waiting -> ./held: waiting off, swap
digit -> .: key tone, send digit
sent on -> calling: take as active, tone ringback
ended -> dead line: forget active, tone gone, start dead
ask end -> dead line: end active, tone gone, start dead`,
    'dead line': `${hangUp}${flashAway}${deaf}
T dead -> howler: tone howler, start howler`,
    'howler': `${hangUp}${flashAway}${deaf}
T howler -> silence:`,
    'silence': `${hangUp}${flashAway}${deaf}`,
    'speaker calling': `
hang up -> on hook: end active
lift ~> calling: warm, to handset
ringing -> .: tone ringback
early -> .: quiet
answered -> speaker:
failed -> on hook: forget active
digit -> .: send digit
incoming -> .: refuse busy
ask end -> on hook: end active`,
    'speaker': `${waiting}${conference}
hang up|joined -> on hook/none: part, end active, end second
hang up -> on hook: end active
hang up|waiting -> ringing/none: end active, waiting off, second to active, ring
hang up|held -> recall: end active, recall ring, start recall
lift -> in call: warm, to handset
digit -> .: send digit
sent on|none -> speaker calling: take as active, tone ringback
ended -> on hook: forget active
ended|waiting -> ringing/none: forget active, waiting off, second to active, ring
ended|held -> ./none: forget active, second to active, resume
flash|held -> .: swap
flash|waiting -> ./held: waiting off, swap
ask answer|waiting -> ./held: waiting off, swap
ask end -> on hook: end active
ask end|waiting -> ringing/none: end active, waiting off, second to active, ring
ask end|held -> ./none: end active, second to active, resume`,
  };
}

/** The row that rules `event`; undefined when the event means nothing here. */
export function rowOf(state: HandsetState, event: HandsetEvent): Row | undefined {
  const rows = table()[state.line];
  const found = (key: string): number => Math.max(rows.indexOf(`\n${key} ->`), rows.indexOf(`\n${key} ~>`));
  const narrow = found(`${event}|${state.second}`);
  const at = narrow < 0 ? found(event) : narrow;
  return at < 0 ? undefined : readRow(rows.slice(at + 1).split('\n', 1)[0]!, state);
}

/** A row's text as it applies in `state`. */
export function readRow(text: string, state: HandsetState): Row {
  const arrow = text.indexOf('> ');
  const colon = text.indexOf(':', arrow);
  const [to, second] = text.slice(arrow + 2, colon).split('/');
  return {
    to: to === '.' ? state.line : to as LineState,
    second: second === undefined ? state.second : second as Second,
    do: colon + 1 === text.length ? [] : text.slice(colon + 2).split(', ') as HandsetAction[],
    keep: text[arrow - 1] === '~',
  };
}

const leaving = ['stop timers', 'quiet'] as const;

/** The next state and what to do, in order; an event without a row changes nothing. */
export function step(state: HandsetState, event: HandsetEvent): readonly [HandsetState, readonly HandsetAction[]] {
  const row = rowOf(state, event);
  if (row === undefined) return [state, []];
  return [{ line: row.to, second: row.second }, row.to === state.line || row.keep ? row.do : [...leaving, ...row.do]];
}
