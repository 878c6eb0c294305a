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

/**
 * Lines 'phase | input > next phase: actions', read by tables.ts's rowOf. An input that is absent from a phase is ignored there: a CANCEL
 * after our 2xx, a BYE answered twice. Sections of RFC 3261: calling, hang up: no CANCEL before a provisional response (§9.1); cancelling,
 * 2xx: it crossed the CANCEL (§15); cancelling, failure: 487, or nothing for 64·T1 (§9.1); ringing, bye: §15.1.2; accepted, no ack: §13.3.1.4;
 * accepted, hang up: no BYE before the ACK (§15); confirmed, no ack: of a re-INVITE's 2xx; confirmed, lost: 481 or 408 inside the dialog
 * (§12.2.1.2), or a session that nobody refreshed (RFC 4028 §10).
 */
export const callTable = `
calling | 1xx > proceeding: progress
calling | 2xx > confirmed: ack, established
calling | failure > ended: end, gone
calling | hang up > cancel waits: end
cancel waits | 1xx > cancelling: CANCEL
cancel waits | 2xx > leaving: ack, BYE
cancel waits | failure > ended: gone
proceeding | 1xx > proceeding: progress
proceeding | 2xx > confirmed: ack, established
proceeding | failure > ended: end, gone
proceeding | hang up > cancelling: CANCEL, end
cancelling | 2xx > leaving: ack, BYE
cancelling | failure > ended: gone
ringing | accept > accepted: send 2xx, established
ringing | reject > ended: send refusal, end, gone
ringing | hang up > ended: 603, end, gone
ringing | cancel > ended: 487, end, gone
ringing | bye > ended: 487, end, gone
ringing | lost > ended: send refusal, end, gone
accepted | ack > confirmed: stop resending
accepted | no ack > leaving: BYE, end
accepted | hang up > bye waits: end
accepted | bye > ended: stop resending, end, gone
accepted | lost > leaving: stop resending, BYE, end
bye waits | ack > leaving: stop resending, BYE
bye waits | no ack > leaving: BYE
bye waits | bye > ended: stop resending, gone
confirmed | hang up > leaving: BYE, end
confirmed | bye > ended: end, gone
confirmed | no ack > leaving: BYE, end
confirmed | lost > leaving: BYE, end
leaving | bye answered > ended: gone
`;

/** Whose offer is open. One at a time in a dialog, whatever carries it (RFC 3264 §4, RFC 6337 §2.2). */
export type Open =
  | 'none'
  /** We sent INVITE or UPDATE and wait for its answer. */
  | 'ours'
  /** Their INVITE, UPDATE or PRACK, or what they offered in a response, waits for our answer. */
  | 'theirs'
  /** We offered in a response; the ACK or PRACK brings the answer. */
  | 'ack';

/** What to answer to an INVITE or an UPDATE with an offer that comes now: undefined lets it in (§14.2, RFC 3311 §5.2). */
export function collision(open: Open): 491 | 500 | undefined {
  return open === 'none' ? undefined : open === 'theirs' ? 500 : 491;
}

/** Pause before a re-INVITE refused by 491 goes out again, in units of 10 ms: the owner of the Call-ID waits longer (§14.1). */
export function glarePauseMs(ownsCallId: boolean, chance: number): number {
  return 10 * Math.round(ownsCallId ? 210 + 190 * chance : 200 * chance);
}
