// The life of one call as a table (RFC 3261 §9, §13 to §15), and the rules of who may offer when (§14, RFC 3264, RFC 6337).
// Pure: call.ts sends what the actions say. A call is told as ended as soon as that is certain; its last messages may still be under way.

export type CallPhase =
  | 'calling' | 'cancel waits' | 'proceeding' | 'cancelling'
  | 'ringing' | 'accepted' | 'bye waits'
  | 'confirmed' | 'leaving' | 'ended';

export type CallInput =
  | '1xx' | '2xx' | 'failure' | 'hang up'
  | 'accept' | 'reject' | 'cancel' | 'ack' | 'no ack'
  | 'bye' | 'bye answered' | 'lost';

export type CallAction =
  /** Tell the owner. */
  | 'progress' | 'established' | 'end'
  /** Send: ACK of a 2xx, CANCEL, BYE, the 2xx, the refusal given, 487 to the INVITE, 603 to the INVITE. */
  | 'ack' | 'CANCEL' | 'BYE' | 'send 2xx' | 'send refusal' | '487' | '603'
  /** The ACK came, or none is wanted. */
  | 'stop resending'
  /** Forget the call. */
  | 'gone';

interface Edge { readonly to: CallPhase; readonly do: readonly CallAction[] }

/** An input that is absent from a phase is ignored there: a CANCEL after our 2xx, a BYE answered twice. */
export const callTable: { readonly [P in CallPhase]: { readonly [I in CallInput]?: Edge } } = {
  calling: {
    '1xx':      { to: 'proceeding', do: ['progress'] },
    '2xx':      { to: 'confirmed', do: ['ack', 'established'] },
    'failure':  { to: 'ended', do: ['end', 'gone'] },
    'hang up':  { to: 'cancel waits', do: ['end'] }, // §9.1: no CANCEL before a provisional response
  },
  'cancel waits': {
    '1xx':      { to: 'cancelling', do: ['CANCEL'] },
    '2xx':      { to: 'leaving', do: ['ack', 'BYE'] },
    'failure':  { to: 'ended', do: ['gone'] },
  },
  proceeding: {
    '1xx':      { to: 'proceeding', do: ['progress'] },
    '2xx':      { to: 'confirmed', do: ['ack', 'established'] },
    'failure':  { to: 'ended', do: ['end', 'gone'] },
    'hang up':  { to: 'cancelling', do: ['CANCEL', 'end'] },
  },
  cancelling: {
    '2xx':      { to: 'leaving', do: ['ack', 'BYE'] }, // the 200 crossed the CANCEL, §15
    'failure':  { to: 'ended', do: ['gone'] }, // 487, or nothing for 64·T1 (§9.1)
  },
  ringing: {
    'accept':   { to: 'accepted', do: ['send 2xx', 'established'] },
    'reject':   { to: 'ended', do: ['send refusal', 'end', 'gone'] },
    'hang up':  { to: 'ended', do: ['603', 'end', 'gone'] },
    'cancel':   { to: 'ended', do: ['487', 'end', 'gone'] },
    'bye':      { to: 'ended', do: ['487', 'end', 'gone'] }, // §15.1.2
    'lost':     { to: 'ended', do: ['end', 'gone'] },
  },
  accepted: {
    'ack':      { to: 'confirmed', do: ['stop resending'] },
    'no ack':   { to: 'leaving', do: ['BYE', 'end'] }, // §13.3.1.4
    'hang up':  { to: 'bye waits', do: ['end'] }, // §15: no BYE before the ACK
    'bye':      { to: 'ended', do: ['stop resending', 'end', 'gone'] },
    'lost':     { to: 'leaving', do: ['stop resending', 'BYE', 'end'] },
  },
  'bye waits': {
    'ack':      { to: 'leaving', do: ['stop resending', 'BYE'] },
    'no ack':   { to: 'leaving', do: ['BYE'] },
    'bye':      { to: 'ended', do: ['stop resending', 'gone'] },
  },
  confirmed: {
    'hang up':  { to: 'leaving', do: ['BYE', 'end'] },
    'bye':      { to: 'ended', do: ['end', 'gone'] },
    'no ack':   { to: 'leaving', do: ['BYE', 'end'] }, // of a re-INVITE's 2xx
    'lost':     { to: 'leaving', do: ['BYE', 'end'] }, // 481 or 408 inside the dialog, §12.2.1.2
  },
  leaving: {
    'bye answered': { to: 'ended', do: ['gone'] },
  },
  ended: {},
};

/** Whose offer is open. One at a time in a dialog, whatever carries it (RFC 3264 §4, RFC 6337 §2.2). */
export type Open =
  | 'none'
  /** We sent INVITE and wait for its final response. */
  | 'ours'
  /** Their INVITE or UPDATE waits for our final response. */
  | 'theirs'
  /** We offered in a 2xx; the ACK brings the answer. */
  | 'ack';

/** What to answer to an INVITE or an UPDATE with an offer that comes now: undefined lets it in (§14.2, RFC 3311 §5.2). */
export function collision(open: Open): 491 | 500 | undefined {
  return open === 'none' ? undefined : open === 'theirs' ? 500 : 491;
}

/** Pause before a re-INVITE refused by 491 goes out again, in units of 10 ms: the owner of the Call-ID waits longer (§14.1). */
export function glarePauseMs(ownsCallId: boolean, chance: number): number {
  return 10 * Math.round(ownsCallId ? 210 + 190 * chance : 200 * chance);
}
