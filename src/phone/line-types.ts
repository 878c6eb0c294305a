// What a line is given and what it tells. Types only.

import type { PhonePorts } from './ports.ts';
import type { Endpoint } from '../ports/net.ts';
import type { Route, ToneProgram } from '../media/door.ts';
import type { Account, Call, CallOptions, Ending } from '../sip/agent-types.ts';

/** Where a call of ours goes; further ones are tried when an emergency call cannot reach the first. */
export interface Destination {
  readonly target: string;
  readonly account: Account | undefined;
}

export type LineEvent =
  | { readonly is: 'calling' | 'ringing' | 'early' | 'established' }
  | { readonly is: 'held' | 'resumed'; readonly by: 'us' | 'them' }
  /** Our resume was refused for good. */
  | { readonly is: 'not held'; readonly why: string }
  /** The sound is encrypted from now on, or no longer, or otherwise. */
  | { readonly is: 'encryption' }
  | { readonly is: 'digit'; readonly digit: string; readonly ms: number }
  | { readonly is: 'transfer asked'; readonly target: string; readonly by: string }
  | { readonly is: 'transfer progress'; readonly status: number; readonly reason: string }
  | { readonly is: 'ended'; readonly ending: Ending };

export type LinePorts = Pick<PhonePorts, 'clock' | 'media' | 'settings' | 'opus' | 'sdes'> & {
  /** Names the other side of our RTCP, RFC 7022. */
  readonly cname: string;
  readonly call: (options: CallOptions) => Call;
  /** What whoever is held hears. */
  readonly holdRoute: () => Route;
  /** The address of ours to use towards a destination. */
  readonly hostFor: (to: Destination) => Promise<string>;
};

/** How a line is answered. */
export interface Answering {
  readonly route: Route;
  /** Play this first, and only then open the microphone. */
  readonly beep?: ToneProgram;
  readonly maxS?: number;
}

export interface Outgoing {
  readonly to: readonly Destination[];
  readonly user: string;
  readonly display: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly emergency?: boolean;
  /** Not called but spoken to: a multicast group. */
  readonly page?: Endpoint;
  /** undefined: as the account says. */
  readonly anonymous?: boolean | undefined;
}
