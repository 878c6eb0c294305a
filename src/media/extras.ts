// What only some calls need, kept out of the core's heap: the engine asks for it with the first call that wants it, and whoever makes the
// engine brings it from a file of its own (main/media-extras.ts). Each part adds its factory to the interface.

import type { AudioStatus } from '../ports/audio.ts';
import type { PlaceSettings } from './door.ts';
import type { Probe } from './probe.ts';

export interface RoomOptions extends Pick<PlaceSettings, 'echo' | 'noise'> {
  readonly periodFrames: number;
}

/** How echo control is doing at a place. */
export interface RoomReport {
  /** `gate`: one side at a time, by setting, for want of the library, or since the canceller does not learn the room. */
  readonly echo: 'off' | 'learning' | 'converged' | 'no echo' | 'gate';
  /** How much of the echo the canceller and all together take off, dB. */
  readonly filterDb: number;
  readonly totalDb: number;
  /** From writing to hearing, as reckoned with. */
  readonly delayMs: number;
}

/** Echo control of a place. In each period of its card: captured, then played. */
export interface RoomControl {
  /** Clean `count` samples of the microphone, in place. */
  captured(samples: Int16Array, count: number): void;
  /** Take what goes to the card, all of it; may make it quieter. */
  played(samples: Int16Array, count: number): void;
  /** What the card says, every few periods. */
  card(status: AudioStatus): void;
  report(): RoomReport;
  close(): void;
}

export interface MediaExtras {
  /** The test of a sound card. */
  readonly probe: (rateHz: number) => Probe;
  room(options: RoomOptions, trouble: (code: string, message: string) => void): RoomControl;
}
