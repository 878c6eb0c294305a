// What only some calls need, kept out of the core's heap: the engine asks for it with the first call that wants it, and whoever makes the
// engine brings it from a file of its own (main/media-extras.ts). Each part adds its factory to the interface.

import type { AudioStatus } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import type { CryptoUse } from '../sdp/types.ts';
import type { ComfortNoise } from './comfort.ts';
import type { CallQuality, MediaCommand, MediaEvent, MediaSettings, RoomReport, RoomSettings, StreamId, StreamSession, StreamStats, WavProgram } from './door.ts';
import type { DtmfDetector } from './dtmf-detector.ts';
import type { JitterBuffer } from './jitter.ts';
import type { Probe } from './probe.ts';
import type { RtpPacket } from './rtp.ts';
import type { Sender } from './sender.ts';
import type { Sounding } from './tones.ts';

/** Encryption of one stream both ways (srtp.ts). */
export interface Srtp {
  /** Go on under these keys. */
  use(crypto: CryptoUse): void;
  /** The packet sealed, good until the next call; undefined: it must not leave. */
  protect(packet: Uint8Array): Uint8Array | undefined;
  protectRtcp(packet: Uint8Array): Uint8Array | undefined;
  /** Opens the packet where it lies and gives its plain length; below 0: it is to be dropped. */
  unprotect(packet: Uint8Array): number;
  unprotectRtcp(packet: Uint8Array): number;
  /** Packets dropped because they were not genuine, and because they came before. */
  readonly forged: number;
  readonly replayed: number;
}

export interface RoomOptions extends RoomSettings {
  readonly periodFrames: number;
}

export type Tell = (code: string, message: string) => void;

/** What a place does to sound besides carrying it. In each period of its card: captured and heard, then played. */
export interface RoomControl {
  /** Clean `count` samples of the microphone, in place. */
  captured(samples: Int16Array, count: number): void;
  /** Take what the far side says, alone; may change its level. */
  heard(samples: Int16Array, count: number): void;
  /** Take what goes to the card, all of it; may make it quieter. */
  played(samples: Int16Array, count: number): void;
  /** What the card says, every few periods. */
  card(status: AudioStatus): void;
  report(): RoomReport;
  close(): void;
}

/** Tells silence from speech in what is about to be sent, and describes its noise (RFC 3389). */
export interface Silence {
  /** One packet's samples: -1 when they are to be sent; else bytes of a comfort noise payload in `out` to send in their place, 0 for nothing. */
  step(samples: Int16Array, out: Uint8Array): number;
}

/** Joins the sound of two codecs (seam.ts). */
export interface Seam {
  /** `count` samples of the new one lie at `at` in `queue`; how many there are once they are joined, in place, to what came before. */
  join(queue: Int16Array, at: number, count: number): number;
}

/** Takes part in what is said and, while that may be, heard: both once in each period of the card. */
export interface Tap {
  /** Send `count` samples, or silence where the microphone is muted, with what is to be added. */
  say(samples: Int16Array, count: number, to: Pick<Sender, 'push' | 'muted' | 'enabled'>): void;
  /** Take what is heard; may add to it. */
  hear(samples: Int16Array, count: number): void;
  end(): void;
}

/** The stream that a tap is in. */
export interface Tapped {
  tap: Tap | undefined;
}

/** Mends what a receiver plays (conceal.ts, scale.ts): counts are samples of the sound being made, and each gives how many there are then. */
export interface Repair {
  /** Whether the newest sound is made up, by conceal(). */
  hiding(): boolean;
  /** The newest sound, made elsewhere, is real. */
  good(): void;
  /** `count` real samples lie `gap` after the sound so far: the noise behind them is learnt. */
  heard(gap: number, count: number): void;
  /** Make up `count` samples, with the noise behind the voice once that is gone, but for `bare`. */
  conceal(count: number, bare: boolean): void;
  /** `count` real samples lie `gap` after the sound so far: fill the gap and join both, rather later (`lean` 1) or earlier (-1), or exactly there (`still`); the first `skip` may be left out. */
  join(gap: number, count: number, skip: number, lean: number, still: boolean): number;
  /** Take one pitch period out, even a poor one (`force`), or put one in. */
  shorten(count: number, force: boolean): number;
  lengthen(count: number): number;
}

/** How a stream sounds, at both ends (call-quality.ts); told by itself every second, and a last time at the end. */
export interface Quality {
  /** As told last; undefined until enough was heard. */
  readonly now: CallQuality | undefined;
  negotiated(session: StreamSession): void;
  /** A packet came that had not come before, and is not in the jitter buffer yet; it is looked at and not kept. */
  packet(packet: RtpPacket): void;
  /** A compound packet of theirs, found whole. */
  heard(rtcp: Uint8Array): void;
  /** Put what they asked for behind our compound packet of `bytes` in `out`, but before a BYE; gives the new length. */
  append(out: Uint8Array, bytes: number, bye: boolean): number;
  close(): void;
}

/** What the stream itself knows. */
export type Measured = { stats(): StreamStats };
export interface QualityPorts {
  readonly clock: Clock;
  readonly tell: (event: MediaEvent) => void;
}

export interface MediaExtras {
  /** For the sound in x, history before `at`, at `perMs` samples a millisecond. */
  readonly repair: (x: Int16Array, at: number, perMs: number) => Repair;
  /** Comfort noise, for a sender that describes its silence (RFC 3389). */
  readonly comfort: (rateHz: number) => ComfortNoise;
  /** For the stream `id`, whose SSRC is `ours`. */
  createQuality(stream: Measured, id: StreamId, ours: number, jitter: JitterBuffer, settings: MediaSettings, ports: QualityPorts): Quality;
  /** The test of a sound card. */
  readonly probe: (rateHz: number) => Probe;
  record(stream: Tapped, command: Extract<MediaCommand, { do: 'record' }>, tell: (event: MediaEvent) => void): void;
  room(options: RoomOptions, trouble: Tell): RoomControl;
  /** For a change of codec: `sound` is what was heard last. */
  readonly createSeam: (sound: Int16Array, rateHz: number) => Seam;
  /** For sound at so many samples a second. */
  readonly createSilence: (rateHz: number) => Silence;
  readonly createSrtp: (crypto: CryptoUse) => Srtp;
  /** Listens for keys in sound of 16 kHz; each is told once, at its end. */
  readonly dtmfDetector: (onDigit: (digit: string, ms: number) => void) => Pick<DtmfDetector, 'take'>;
  /** The file of `program`, or why it cannot be played. */
  readonly wav: (program: WavProgram, rateHz: number) => Sounding | string;
}
