// A sound card as the media room sees it: one mono 16-bit stream each way, paced by the capture clock.

/**
 * Called once for each period captured. `captured` holds periodFrames samples from the microphone, valid during the call only;
 * the callee fills all of `playback` (zeroed before), which is written to the card next.
 */
export type OnPeriod = (captured: Int16Array, playback: Int16Array) => void;

export interface AudioStatus {
  /** `running`; `lost`: unplugged or failed, the clock keeps time with silence until it is back. */
  readonly state: 'running' | 'lost';
  /** What is wrong, a sentence for the owner; while running only that there is no card at all. */
  readonly trouble: string;
  readonly xruns: number;
  /** Times the card was found again. */
  readonly reopened: number;
  /** Samples written that the card has not played yet. */
  readonly delayFrames: number;
  /** Whether one's own voice is in the earpiece, in words; absent while nobody asked for it. */
  readonly sidetone?: string;
}

export interface AudioDevice {
  /** As the setting names it: 'alsa:default', 'echo', 'wav:in.wav,out.wav' ... */
  readonly name: string;
  readonly rateHz: number;
  readonly periodFrames: number;
  status(): AudioStatus;
  /** Put one's own voice into the earpiece by the card's own mixer, at so many dB; undefined leaves or puts the mixer as it was. Absent: cannot. */
  sidetone?(want: number | 'auto' | undefined): void;
  /** Ends the stream and frees the card; no period is delivered after this returns. */
  close(): void;
}

export interface AudioOptions {
  /** Device by name, see the setting sound.handset. */
  readonly name: string;
  readonly rateHz: number;
  readonly periodFrames: number;
  /** Periods in the card's buffer. */
  readonly periods: number;
  readonly onPeriod: OnPeriod;
  /** Called on each change of status().state. */
  readonly onStatus: (status: AudioStatus) => void;
}

/** Opens devices by name. Throws PhoneError AUDIO_DEVICE_UNKNOWN when no driver knows the name; a card that is merely absent opens as `lost`. */
export interface AudioSystem {
  open(options: AudioOptions): AudioDevice;
  /** Names a person may choose from, with a description each. */
  list(): readonly { readonly name: string; readonly description: string; readonly input: boolean; readonly output: boolean }[];
}
