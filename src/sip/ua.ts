// What the agent lends to its calls and accounts: sending requests and what every message of ours carries. Types only.

import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Random } from '../ports/random.ts';
import type { Account, AgentHandlers, RegistrationFailure } from './agent-types.ts';
import type { Headers } from './build.ts';
import type { DigestClient } from './digest.ts';
import type { Dialog, Path } from './dialog.ts';
import type { Hop, Place } from './locate.ts';
import type { Message } from './message.ts';
import type { CallUnit } from './call.ts';

/** An account with what the agent needs of it. */
export interface AccountUnit extends Account {
  /** Address of record, 'sip:user@server'. */
  readonly address: string;
  /** From value without tag. */
  readonly from: string;
  readonly place: Place;
  /** undefined without a password. */
  readonly credentials: DigestClient | undefined;
  /** User part of our Contact, or the whole of it in <>. */
  readonly contact: string;
  /** In its place where nobody is to be named, '' for nothing: the temporary GRUU (RFC 5627 §4.4). */
  readonly temporary: string;
  /** Route of requests outside a dialog: the outbound proxy, the server's Service-Route. */
  readonly routes: readonly string[];
  /** The hop that answered last: tried first. */
  hop: Hop | undefined;
}

export type SendFailure = Extract<RegistrationFailure, 'no network' | 'no such server' | 'server silent' | 'server refused' | 'not trusted'>;

/** How one try ended or goes on: 1xx and one final response, or a failure. */
export type Result =
  | { readonly response: Message; readonly failure?: undefined }
  | { readonly response?: undefined; readonly failure: SendFailure; readonly detail: string };

export interface Ask {
  readonly method: string;
  readonly path: Path;
  /** Where to go instead of path.hop. */
  readonly place?: Place | undefined;
  /** Tried before the place's other hops. */
  readonly first?: Hop | undefined;
  /** From with tag, To, and Call-ID; `host` is our address on the way there. */
  readonly from: (host: string) => string;
  readonly to: string;
  readonly callId: string;
  /** CSeq of the next try: challenges and redirections take another one, the next hop does not (RFC 3263 §4.3). */
  readonly seq: () => number;
  /** User part of Contact; no Contact without it. `expires` becomes its parameter. */
  readonly contact?: string | undefined;
  readonly contactParams?: string | undefined;
  readonly headers?: Headers | undefined;
  readonly body?: Uint8Array | undefined;
  readonly credentials?: DigestClient | undefined;
  /** No challenge answered: the asker decides what comes next. */
  readonly alone?: boolean | undefined;
  /** false stops answering challenges and trying further hops. */
  readonly wanted?: (() => boolean) | undefined;
  /** The hop and address of ours that is used now. */
  readonly onRoute?: ((hop: Hop, host: string) => void) | undefined;
  on(result: Result, sent: Sent): void;
}

export interface Sent {
  /** Of the last try. */
  readonly seq: number;
  readonly from: string;
  readonly authorization: Headers;
  readonly hop: Hop | undefined;
  /** Send CANCEL (RFC 3261 §9.1); the result still comes. */
  cancel(headers: Headers): void;
  /** Stop resending; nothing is told any more. */
  drop(): void;
  /** False while nothing went out. */
  readonly onTheWay: boolean;
}

export interface Ua {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly handlers: AgentHandlers;
  /** Random letters for tags, Call-IDs and ids. */
  token(): string;
  /** Seconds between the refreshes that our calls ask for, 0 for none (RFC 4028). */
  sessionS(): number;
  request(ask: Ask): Sent;
  /** ACK of a 2xx; the function sends it again. */
  ack(dialog: Dialog, seq: number, authorization: Headers, body?: Uint8Array): () => void;
  /**
   * A Contact value; a `user` that begins with < is one already. `sips`: the request, or its topmost Route or Record-Route, is for a sips:
   * address (RFC 3261 §8.1.1.8, §12.1.1).
   */
  contact(user: string, host: string, hop: Pick<Hop, 'transport'>, sips?: boolean): string;
  /** An account with what a request needs of it: at its second server while that alone serves. */
  unit(account: Account | undefined): AccountUnit | undefined;
  /** The call is over and all its messages are through. */
  forget(call: CallUnit): void;
  /** Request-URI and path of a target as a person gives it; undefined when it is no address. */
  target(target: string, account: AccountUnit | undefined): string | undefined;
}
