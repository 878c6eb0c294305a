// What the page, the command line and the log get to know of the telephone: plain JSON data, types only.

import type { Key } from '../ports/hardware.ts';
import type { CallQuality, PlaceSound, StreamStats, Verdict } from '../media/door.ts';
import type { ProbeReport } from '../media/probe.ts';

export type { PlaceSound } from '../media/door.ts';

/** Where the handset's machine stands; see machine.ts. A phone without handset is always 'on hook' there. */
export type LineState =
  | 'on hook' | 'ringing' | 'recall' | 'just lifted' | 'dial tone' | 'collecting' | 'calling' | 'in call'
  | 'dead line' | 'howler' | 'silence' | 'speaker calling' | 'speaker';

export interface MessageStatus {
  readonly waiting: boolean;
  /** Not heard yet, and heard; 0 where the server gives no counts. */
  readonly fresh: number;
  readonly old: number;
}

export interface RegistrationStatus {
  readonly account: string;
  readonly user: string;
  /** Where the phone is registered, or would be. */
  readonly server: string;
  /** Registered at the second server alone: the first does not answer. */
  readonly second: boolean;
  readonly state: 'off' | 'trying' | 'registered' | 'failed';
  /** What is wrong and what to do, a sentence; empty while all is well. */
  readonly trouble: string;
  /** Short and stable: 'wrong password', 'server silent' ...; empty while all is well. */
  readonly why: string;
  /** Seconds until the registration lapses, or until the next try. */
  readonly nextS: number;
  /** What the server last said of voice messages (RFC 3842); absent while it has said nothing. */
  readonly messages?: MessageStatus;
}

export interface CallStatus {
  readonly id: string;
  /** As in its messages; absent before the first. */
  readonly callId?: string | undefined;
  /** How it sounds; absent until enough was heard. */
  readonly quality?: CallQuality | undefined;
  readonly direction: 'in' | 'out';
  readonly state: 'calling' | 'ringing' | 'established';
  readonly remote: string;
  readonly remoteName: string;
  /** Account id; empty for a direct call. */
  readonly account: string;
  /** '' while nothing is negotiated. */
  readonly codec: string;
  readonly place: 'handset' | 'speaker' | 'ringer';
  readonly seconds: number;
  /** By us, by them. */
  readonly held: boolean;
  readonly remoteHeld: boolean;
  readonly muted: boolean;
  /** In a conference with another call of this phone. */
  readonly joined: boolean;
  /** Its sound goes into a file, and both sides hear a beep every 15 s. */
  readonly recording: boolean;
  readonly encrypted: boolean;
  /** How (RFC 4568 §6.2); '' while it is not. */
  readonly suite: string;
  /** Encrypted, but its keys travelled in messages that are not: who reads those can listen. */
  readonly keysInClear: boolean;
  readonly intercom: boolean;
  readonly emergency: boolean;
  /** Who was called first, when the call was sent on to us. */
  readonly diverted?: string;
}

export interface DeviceStatus {
  readonly place: 'handset' | 'speaker' | 'ringer';
  readonly device: string;
  readonly state: 'running' | 'lost' | 'unused';
  readonly trouble: string;
}

export interface PhoneStatus {
  readonly name: string;
  readonly board: string;
  /** 'none': a phone without handset. */
  readonly hook: 'on' | 'off' | 'none';
  readonly state: LineState;
  /** What is being played to the person at the handset: 'dial', 'busy', 'wrong password' ...; empty for silence. */
  readonly tone: string;
  /** Digits dialled so far. */
  readonly dialled: string;
  readonly bell: boolean;
  readonly registrations: readonly RegistrationStatus[];
  readonly calls: readonly CallStatus[];
  /** The last thing that went wrong, a sentence, and when; empty and 0 when nothing has. */
  readonly lastFailure: string;
  readonly lastFailureAt: number;
  readonly doNotDisturb: boolean;
  readonly privacy: boolean;
  readonly missed: number;
  /** Voice messages wait at some account's server. */
  readonly messagesWaiting: boolean;
  readonly devices: readonly DeviceStatus[];
  /** Where SIP listens. */
  readonly listening: string;
}

/** One line of life each; `at` is milliseconds since 1970. */
export type PhoneEvent = { readonly at: number } & (
  | { readonly event: 'registered'; readonly account: string; readonly server: string; readonly second: boolean }
  | { readonly event: 'registration failed'; readonly account: string; readonly why: string; readonly detail: string; readonly retryS: number }
  | { readonly event: 'unregistered'; readonly account: string }
  | { readonly event: 'messages'; readonly account: string; readonly waiting: boolean; readonly fresh: number; readonly old: number }
  /** A text came from a caller who may call (RFC 3428). */
  | { readonly event: 'message'; readonly from: string; readonly name: string; readonly account: string; readonly text: string }
  | { readonly event: 'incoming'; readonly call: string; readonly from: string; readonly name: string; readonly account: string; readonly diverted?: string }
  /** A caller who was never let in; nothing rang. */
  | { readonly event: 'refused'; readonly from: string; readonly peer: string; readonly status: number; readonly why: string }
  | { readonly event: 'calling'; readonly call: string; readonly to: string; readonly account: string }
  | { readonly event: 'ringing'; readonly call: string; readonly to: string }
  | { readonly event: 'answered'; readonly call: string; readonly remote: string; readonly codec: string; readonly intercom: boolean;
      /** The suite, where the sound is encrypted, else ''. */
      readonly encrypted: string;
    }
  /** In the middle of a call; '' when it ended. */
  | { readonly event: 'encryption'; readonly call: string; readonly encrypted: string }
  | { readonly event: 'held' | 'resumed'; readonly call: string; readonly by: 'us' | 'them' }
  /** `why`: it ended by itself, or could not begin. May come after the call's end. */
  | { readonly event: 'recording'; readonly call: string; readonly on: boolean; readonly path: string; readonly seconds: number; readonly why: string }
  | { readonly event: 'transferred'; readonly call: string; readonly to: string }
  | { readonly event: 'ended'; readonly call: string; readonly remote: string; readonly by: 'us' | 'them' | 'network'; readonly why: string; readonly status: number; readonly seconds: number }
  /** A page begins or ends to be heard on the loudspeaker. */
  | { readonly event: 'page'; readonly group: string; readonly on: boolean }
  | { readonly event: 'digit'; readonly call: string; readonly digit: string; readonly ms: number }
  | { readonly event: 'hook'; readonly off: boolean }
  | { readonly event: 'key'; readonly key: Key; readonly down: boolean }
  /** The handset's machine moved, or what is heard changed. */
  | { readonly event: 'state'; readonly state: LineState; readonly tone: string }
  | { readonly event: 'device'; readonly place: string; readonly device: string; readonly state: 'running' | 'lost'; readonly trouble: string }
);

export interface CallLogEntry {
  /** When it began, milliseconds since 1970. */
  readonly at: number;
  readonly direction: 'in' | 'out';
  readonly who: string;
  readonly name: string;
  /** Talked for; 0 for a call that never was. */
  readonly seconds: number;
  /** How it ended, in words. */
  readonly how: string;
  readonly missed: boolean;
  readonly intercom: boolean;
  /** How the other side was heard; absent where it hardly was. */
  readonly quality?: Verdict | undefined;
  /** Who was called first, when the call was sent on to us. */
  readonly diverted?: string;
}

/** `call` names one of status().calls; without it the one a person would mean. */
export type Command =
  /**
   * `target`: a number (dial plan and speed dial apply) or an address. Ok when answered, or already when it rings (`until`).
   * `intercom` asks the other side to answer by itself, `anonymous` hides or shows who calls. `headers` are further SIP header lines.
   */
  | { readonly do: 'call'; readonly target: string; readonly until?: 'ringing' | 'answered'; readonly intercom?: boolean; readonly anonymous?: boolean; readonly account?: string; readonly headers?: readonly (readonly [string, string])[] }
  | { readonly do: 'answer'; readonly call?: string }
  /** Without `call` every call. */
  | { readonly do: 'hangup'; readonly call?: string }
  | { readonly do: 'hold' | 'resume'; readonly call?: string }
  /** All three talk: the held call joins the one talked on. */
  | { readonly do: 'join' }
  /** Blind, or with `to` attended: the other side of `call` is joined to that of `to`. */
  | { readonly do: 'transfer'; readonly target?: string; readonly to?: string; readonly call?: string }
  | { readonly do: 'dtmf'; readonly digits: string; readonly ms?: number; readonly call?: string }
  /** Sends a text (RFC 3428); ok when the other side took it. */
  | { readonly do: 'message'; readonly target: string; readonly text: string; readonly account?: string }
  | { readonly do: 'mute'; readonly muted: boolean; readonly call?: string }
  /** Keep the sound of a call, or no longer; ok when the file is there, or whole. */
  | { readonly do: 'record'; readonly on: boolean; readonly call?: string }
  | { readonly do: 'measure'; readonly call?: string }
  /** How sound is doing where there are calls: echo control, levels, sidetone. */
  | { readonly do: 'sound' }
  /** Test the sound card of a place; takes about eight seconds. */
  | { readonly do: 'audio test'; readonly place: string }
  | { readonly do: 'status' }
  /** As if the handset's own hook and keys were used; refused on a phone without handset. */
  | { readonly do: 'lift' | 'hang' | 'flash' }
  | { readonly do: 'key'; readonly key: Key };

/** Ok only when the thing happened. */
export type Outcome =
  | { readonly ok: true; readonly call?: string; readonly state?: string; readonly status?: PhoneStatus; readonly stats?: StreamStats; readonly sound?: ProbeReport; readonly places?: readonly PlaceSound[] }
  | { readonly ok: false; readonly code: string; readonly why: string; readonly status?: number };

/** The telephone as the page and the command line see it. */
export interface PhoneDoor {
  status(): PhoneStatus;
  /** Returns the function that ends the subscription. */
  subscribe(on: (event: PhoneEvent) => void): () => void;
  command(command: Command): Promise<Outcome>;
  /** The call log, newest first. */
  callLog(): Promise<readonly CallLogEntry[]>;
}
