// The words of the exchange: what it is told, what it tells. Types only.

import type { Transport } from '../sip/agent-types.ts';

/** A person or a phone with a number and a password. */
export interface ExchangeUser {
  readonly user: string;
  readonly password: string;
  /** Challenges that its phone gets: some old ones stumble over a second algorithm (RFC 8760 §2.4 asks them not to). */
  readonly digest: 'SHA-256 and MD5' | 'MD5';
  /** '' for none. */
  readonly displayName: string;
  /** Number that is rung in place of this one: always, when busy, when nobody answers or no phone is there; '' for none. */
  readonly forward: string;
  readonly busyForward: string;
  readonly noAnswerForward: string;
}

/** A number that rings several users. */
export interface ExchangeGroup {
  readonly number: string;
  readonly members: readonly string[];
  readonly ring: 'all' | 'in turn';
}

export interface ExchangeSettings {
  /** Name that numbers stand behind and passwords are for; '' for the address of the machine. */
  readonly domain: string;
  /** How long a phone rings before the next one or noAnswerForward. */
  readonly noAnswerS: number;
  readonly users: readonly ExchangeUser[];
  readonly groups: readonly ExchangeGroup[];
}

/** One place where a user is registered. */
export interface RegisteredPhone {
  readonly address: string;
  readonly transport: Transport;
  readonly userAgent: string;
  /** Milliseconds since 1970 of its first registration. */
  readonly since: number;
  /** What is left of the registration. */
  readonly expiresS: number;
}

export interface ExchangeStatus {
  /** host:port where it listens. */
  readonly listening: string;
  /** Ports of TLS and WebSocket, those that are open. */
  readonly doors: readonly { readonly transport: Transport; readonly port: number }[];
  /** Calls that ring just now. */
  readonly ringing: number;
  /** Every user of the settings, registered or not. */
  readonly users: readonly {
    readonly user: string;
    readonly displayName: string;
    readonly phones: readonly RegisteredPhone[];
  }[];
}
