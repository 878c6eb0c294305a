// What the page is given to work with, and what travels between server and browser. Types only: the browser's code reads them too.

import type { FoundProblem, Problem, Store } from '../config/store.ts';
import type { CallLogEntry, PhoneDoor, PhoneStatus } from '../phone/status.ts';
import type { Clock } from '../ports/clock.ts';
import type { Files } from '../ports/files.ts';
import type { BenchDoor, BenchState, Key } from '../ports/hardware.ts';
import type { Recorded, Shelf } from '../ports/recordings.ts';
import type { Log } from '../ports/log.ts';
import type { Random } from '../ports/random.ts';

export type { CallLogEntry, PhoneEvent, PhoneStatus, PlaceSound } from '../phone/status.ts';
export type { FoundProblem, Problem } from '../config/store.ts';
export type { BenchDoor, BenchState } from '../ports/hardware.ts';

export interface PagePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly files: Files;
}

export interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface PageOptions {
  /** Empty: every address of the machine. */
  readonly host: string;
  readonly port: number;
  readonly stateDir: string;
  /** By path: '/', '/page.js', '/page.css'. */
  readonly assets: ReadonlyMap<string, Asset>;
  /** Names of this machine, besides the phone's own and *.local, under which browsers may ask for the page. */
  readonly names?: readonly string[];
  /** Shown at the foot of the page. */
  readonly version?: string;
}

export interface SoundDevice {
  readonly name: string;
  readonly description: string;
  readonly input: boolean;
  readonly output: boolean;
}

/** The phones of the house, where this phone is their exchange. */
export interface ExchangeView {
  readonly listening: string;
  /** Ports of TLS and WebSocket. */
  readonly doors: readonly { readonly transport: string; readonly port: number }[];
  /** Calls that ring just now. */
  readonly ringing: number;
  readonly users: readonly {
    readonly user: string;
    readonly displayName: string;
    /** Where it is registered; empty: nowhere. `since` is milliseconds since 1970. */
    readonly phones: readonly { readonly address: string; readonly transport: string; readonly userAgent: string; readonly since: number; readonly expiresS: number }[];
  }[];
}

export interface ExchangeDoor {
  status(): ExchangeView;
  /** Somebody came, went, or is called. Returns the function that ends it. */
  subscribe(on: () => void): () => void;
}

export interface PageDoors {
  readonly phone: PhoneDoor;
  readonly store: Store;
  /** Only where the handset is drawn. */
  readonly bench?: BenchDoor;
  /** Only where this phone is an exchange. */
  readonly exchange?: ExchangeDoor;
  /** Recorded calls. */
  readonly recordings?: () => Promise<Pick<Shelf, 'list' | 'open' | 'remove'>>;
  readonly devices?: () => readonly SoundDevice[] | Promise<readonly SoundDevice[]>;
  /** Ends the phone so that it is started again; the page offers it after a change that needs it. */
  readonly restart?: () => void;
}

export interface Page {
  /** 'http://192.168.1.20:8080', with the port as bound. */
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

// --- between server and browser ---

export interface SessionView {
  /** 'new': no password yet; 'locked': log in. */
  readonly state: 'new' | 'locked' | 'open';
  /** To be sent back as x-csrf-token with every change. */
  readonly csrf: string;
  readonly name: string;
  /** 'new' only: whether this browser is near enough to set the password. */
  readonly near: boolean;
  readonly version: string;
}

export interface StateView {
  readonly phone: PhoneStatus;
  readonly bench: BenchState | null;
  readonly exchange: ExchangeView | null;
  /** Whether calls may be recorded, or are. */
  readonly recording: 'off' | 'on-demand' | 'always';
  /** Settings that were found wrong at the start. */
  readonly problems: readonly FoundProblem[];
  readonly revision: number;
}

export interface SettingsView {
  readonly revision: number;
  readonly values: Record<string, unknown>;
  /** Secrets that are set; their values come empty. */
  readonly set: readonly string[];
  /** Dotted keys fixed from outside, with where. */
  readonly fixed: Readonly<Record<string, string>>;
  /** The settings' JSON Schema. */
  readonly schema: unknown;
  readonly canRestart: boolean;
}

/**
 * Nested settings; a list replaces the whole list. A secret in it: text is the new one, {keep: n} the one of entry n as stored, null
 * none, and '' or nothing the one of the stored entry for the same user and server (or caller).
 */
export interface SettingsChange {
  /** Of the view that was changed; an older one is refused with 409. */
  readonly revision?: number;
  readonly changes: unknown;
}

export interface SettingsSaved extends SettingsView {
  readonly changed: readonly string[];
}

/** Every refusal: a sentence, and for settings what is wrong where. */
export interface Refusal {
  readonly error: string;
  readonly problems?: readonly Problem[];
}

export interface CallsView {
  readonly calls: readonly CallLogEntry[];
}

export interface RecordingsView {
  readonly recordings: readonly Recorded[];
}

export type BenchAction =
  | { readonly do: 'lift' | 'hang up' | 'flash' }
  | { readonly do: 'key'; readonly key: Key; readonly ms?: number }
  | { readonly do: 'privacy'; readonly on: boolean };

/** What a test of a sound card found. */
export type SoundReport = NonNullable<Extract<Awaited<ReturnType<PhoneDoor['command']>>, { readonly ok: true }>['sound']>;
