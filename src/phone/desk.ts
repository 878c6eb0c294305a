// What the parts of the telephone share: its ports, its lines, its memory, and telling the world. Types only; phone.ts makes it.

import type { StatusName } from './words.ts';
import type { Line } from './line.ts';
import type { LineEvent, Outgoing } from './line-types.ts';
import type { CallLogEntry } from './status.ts';
import type { Memory } from './call-log.ts';
import type { PhonePorts, Services } from './ports.ts';
import type { PhoneEvent } from './status.ts';
import type { Dialling } from './dialplan.ts';
import type { Settings } from '../config/types.ts';
import type { Account } from '../sip/agent-types.ts';

type Untimed<E> = E extends unknown ? Omit<E, 'at'> : never;

export interface Desk {
  readonly ports: PhonePorts;
  readonly services: Services;
  readonly memory: Memory;
  /** Every call there is. */
  readonly lines: Set<Line>;
  readonly headless: boolean;
  settings(): Settings;
  dialling(): Dialling;
  newLine(direction: 'in' | 'out', remote: string): Line;
  /** Log it and tell all who listen. */
  raise(event: Untimed<PhoneEvent>): void;
  /** Keep as the last failure. */
  failed(sentence: string): void;
  remember(): void;
  /** Add to the call log. */
  record(entry: CallLogEntry): void;
  /** What the registrations have to say; undefined while all is well or nothing is to be registered. */
  trouble(): StatusName | undefined;
  /** What is heard when a number may be dialled: what is wrong; the special dial tone (E.180 §3) where messages wait or callers are kept away; dial tone. */
  dialTone(): StatusName | 'stutter' | 'dial';
  accounts(): readonly Account[];
  troubleOf(account: Account): StatusName | undefined;
  /** Set bell, ringer and lamp to what now is. */
  show(): void;
  /** Called for each event of each line until it returns true or `ms` pass. */
  watch(on: (line: Line, event: LineEvent) => boolean, ms: number, late: () => void): void;
}

/** What a number or an address comes to. */
export type Planned =
  /** `redial` is what to dial for the same again; '' where that makes no sense. */
  | { readonly call: Outgoing; readonly label: string; readonly redial: string }
  /** A service code was carried out. */
  | { readonly done: string }
  /** It cannot be called; the tone that says so. */
  | { readonly refused: string; readonly tone: StatusName | 'sit' };


