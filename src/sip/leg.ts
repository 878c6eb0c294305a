// One dialog of a call with the state of its offer and answer, and the call as its books see it: what call.ts, offers.ts and reliable.ts share.

import type { CallEvent, CallState, Ending } from './agent-types.ts';
import type { Headers } from './build.ts';
import type { Dialog } from './dialog.ts';
import { hasToken } from './headers.ts';
import type { Message } from './message.ts';
import type { CallPhase, Open } from './session-machine.ts';
import type { AccountUnit } from './ua.ts';

export const SDP_LINE: Headers = [['Content-Type', 'application/sdp']];

/** One dialog of a call with its book: an INVITE that forks makes several, each with its own target, routes and RSeq (RFC 3261 §13.2.2.4). */
export interface Leg {
  readonly dialog: Dialog;
  open: Open;
  /** The INVITE's own exchange is over: what later responses to it describe does not count (RFC 3261 §13.2.1, RFC 6337 §3.1). */
  done: boolean;
  /** RSeq of the last reliable response taken, or sent by us; -1 before the first. */
  rseq: number;
  /** Their answer in a 1xx. */
  early: Buffer | undefined;
  /** The other side allows UPDATE. */
  updates: boolean;
}

export const newLeg = (dialog: Dialog, open: Open, message: Message): Leg =>
  ({ dialog, open, done: false, rseq: -1, early: undefined, updates: hasToken(message, 'allow', 'UPDATE') });

/** The call whose books these are. */
export interface Talk {
  readonly direction: 'in' | 'out';
  readonly phase: CallPhase;
  readonly state: CallState;
  /** The dialog: the last early one that spoke, later the one that was answered. */
  readonly leg: Leg | undefined;
  readonly account: AccountUnit | undefined;
  /** User part of our Contact. */
  readonly user: string;
  /** Contact, Allow and Supported of a 2xx. */
  headers(): Headers;
  /** `headers` of a request of ours, with what every one of this call carries. */
  ours(headers: Headers): Headers;
  emit(event: CallEvent): void;
  /** A request in the dialog given. */
  ask(method: string, headers: Headers, body: Uint8Array | undefined, on: undefined, dialog: Dialog): void;
  /** PRACK came: what waited for it may go on. */
  acknowledged(): void;
  /** It cannot go on. */
  lose(by: Ending['by'], why: string): void;
  /** The other side answered 481 or 408 (RFC 3261 §12.2.1.2). */
  lost(status: number): void;
  /** No ACK came in 64·T1, or no PRACK. */
  unconfirmed(): void;
}
