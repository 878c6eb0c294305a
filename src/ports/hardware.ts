// Pins as the phone sees them. Times are milliseconds of Clock.now().

export type Key = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '*' | '#' | 'A' | 'B' | 'C' | 'D';

export type HookEvent = 'lifted' | 'hung up' | 'flash';

export interface HookSwitch {
  readonly offHook: boolean;
  /** Debounced; a short press is a flash, decided by the driver's settings. */
  subscribe(on: (event: HookEvent, atMs: number) => void): void;
  close(): void;
}

export interface Keypad {
  subscribe(on: (key: Key, down: boolean, atMs: number) => void): void;
  close(): void;
}

/** On and off times in ms, starting with on, repeated for ever. */
export type Cadence = readonly number[];

export interface Bell {
  /** Ring with this cadence until stop(). */
  ring(cadence: Cadence): void;
  stop(): void;
  close(): void;
}

export interface Lamp {
  /** true: lit; false: dark; a cadence: blinking. */
  show(state: boolean | Cadence): void;
  close(): void;
}

export interface Relay {
  /** Close the contact for `ms`. */
  pulse(ms: number): void;
  close(): void;
}

/** A privacy switch or button: true while pressed. */
export interface Contact {
  readonly closed: boolean;
  subscribe(on: (closed: boolean, atMs: number) => void): void;
  close(): void;
}

/** What a board offers; what it lacks is undefined. */
export interface Hardware {
  /** Board id, e.g. 'raspberry-pi', 'bench'. */
  readonly board: string;
  readonly hook?: HookSwitch;
  readonly keypad?: Keypad;
  readonly bell?: Bell;
  readonly lamp?: Lamp;
  readonly relay?: Relay;
  readonly privacy?: Contact;
  close(): void;
}

/** What a handset without parts looks like just now. */
export interface BenchState {
  readonly offHook: boolean;
  /** A call is ringing, pauses of the cadence included. */
  readonly ringing: boolean;
  /** The bell sounds just now. */
  readonly bell: boolean;
  readonly lamp: boolean;
  readonly relay: boolean;
  readonly privacy: boolean;
  /** The key that is down. */
  readonly key: Key | undefined;
}

/** A handset without parts, worked from the page and the terminal. */
export interface BenchDoor {
  readonly state: BenchState;
  lift(): void;
  hangUp(): void;
  /** A flash of the hook; nothing while on hook. */
  flash(): void;
  /** Press a key for `ms`. Presses given together follow each other, as one finger would. */
  press(key: Key, ms?: number): void;
  privacy(on: boolean): void;
  /** Called after each change of `state`. */
  subscribe(on: (state: BenchState) => void): void;
}
