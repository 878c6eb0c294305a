// What the telephone is given to live on. Types only.

import type { AccountSettings, Settings } from '../config/types.ts';
import type { Media, ToneProgram } from '../media/door.ts';
import type { National } from '../media/tone-tables.ts';
import type { Clock } from '../ports/clock.ts';
import type { Cadence, Hardware } from '../ports/hardware.ts';
import type { Log } from '../ports/log.ts';
import type { Endpoint } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { Shelf } from '../ports/recordings.ts';
import type { Sdes } from '../sdp/types.ts';
import type { Account, Agent, AgentHandlers, Call } from '../sip/agent-types.ts';
import type { reportOf } from '../media/probe.ts';
import type { request } from '../sip/outside.ts';
import type { Subscriptions } from '../sip/subscriptions.ts';
import type { createPaging } from './paging.ts';
import type { TextStore } from './call-log.ts';
import type { createDialling } from './dialling.ts';
import type { createFurther } from './further-commands.ts';
import type { createHandset } from './handset.ts';
import type { destinations, plan } from './outgoing.ts';
import type { ringOf } from './ringing.ts';

/** The tone tables of the media room. */
export interface Sounds {
  /** Tones, ringing and emergency numbers of the country set, as the setting is now. */
  readonly national: () => National;
  /** What is heard in the bell's place. */
  readonly ringTone: (cadence: Cadence) => ToneProgram;
  readonly intercomBeep: ToneProgram;
  /** What whoever is held hears, so that nobody thinks the call is gone. */
  readonly holdTone: ToneProgram;
  /** The path of a WAV file of the owner's. */
  readonly file: (name: string) => string;
  readonly statusTones: Readonly<Record<'no network' | 'not registered' | 'wrong password' | 'server silent' | 'no such server' | 'all well' | 'no account', { readonly program: ToneProgram; readonly words: string }>>;
  /** A key's own tone. */
  readonly dtmfProgram: (digit: string, ms: number) => ToneProgram;
}

export type Invite = NonNullable<Call['invite']>;

/** What only some telephones use, loaded when they do. */
export interface Beyond {
  readonly request: typeof request;
  readonly Subscriptions: typeof Subscriptions;
  readonly reportOf: typeof reportOf;
  readonly createPaging: typeof createPaging;
  readonly ringOf: typeof ringOf;
}

/** See main/dialled.ts. */
export interface Dialled {
  readonly createDialling: typeof createDialling;
  readonly createFurther: typeof createFurther;
  readonly createHandset: typeof createHandset;
  readonly destinations: typeof destinations;
  readonly plan: typeof plan;
}

export interface PhonePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly media: Media;
  readonly hardware: Hardware;
  /** The settings as they are now. */
  readonly settings: () => Settings;
  /** Changes one setting by its dotted name, for service codes dialled (*78). */
  readonly change: (key: string, value: unknown) => void;
  /** A server confirmed the password of `kept`. Who keeps its hash instead says so in `kept`, before the settings change: it is the same account. */
  readonly confirmed?: (account: Account, kept: { settings: AccountSettings }) => void;
  readonly store: TextStore;
  readonly sounds: Sounds;
  /** Makes the agent that reports to these handlers; started by phone.start(). */
  readonly agent: (handlers: AgentHandlers) => Agent;
  readonly beyond: () => Promise<Beyond>;
  /** All values of a header of an INVITE, name in lower case. */
  readonly texts: (invite: Invite, name: string) => readonly string[];
  /** Opus can be used. */
  readonly opus: boolean;
  /** Keys for encrypted sound, loaded with the first call that wants them; absent: there is none. */
  readonly sdes?: (() => Sdes) | undefined;
  /** Where recorded calls lie, loaded with the first; absent: there are none. */
  readonly recordings?: () => Promise<Pick<Shelf, 'place'>>;
  /** What a handset needs, and whoever calls: loaded at once when first asked for. */
  readonly dialled: () => Dialled;
}

/** Where the service codes lead, and where their calls come from. */
export interface Services {
  /** Address called by *43. */
  readonly echo?: string;
  /** Address called by *44. */
  readonly state?: string;
  /** The built-in line's own address: calls from there are always let in. */
  readonly from?: Endpoint;
}
