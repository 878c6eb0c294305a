// The door of the media room: commands in, events out, plain data both ways, so that it works the same inside a process and
// across a thread. Nothing here carries a packet or, but for the test of a card, a sample.
//
//   phone (main thread)  --MediaCommand-->  engine (media thread)
//                        <--MediaEvent---

import type { AudioStatus } from '../ports/audio.ts';
import type { Endpoint } from '../ports/net.ts';
import type { StreamSession } from '../sdp/types.ts';
import type { ProbeSound } from './probe.ts';
import type { Word } from './quality.ts';
import type { HeardThere } from './xr.ts';

export type { CodecUse, CryptoUse, StreamSession } from '../sdp/types.ts';

/** Chosen by the caller of `open`, unique for the life of the engine. */
export type StreamId = number;

/** A place where a person listens and speaks: a sound device named in the settings. */
export type Place = 'handset' | 'speaker' | 'ringer';

/** One step of a tone: sine waves at one level each for `ms`; no frequencies is a pause. `ms` 0 lasts for ever. */
export interface ToneStep {
  readonly hz: readonly number[];
  /** Level of each frequency. */
  readonly dbm0: number;
  /** How much louder than that each frequency is; DTMF's column has 2. */
  readonly offsetsDb?: readonly number[];
  readonly ms: number;
}

export interface ToneProgram {
  readonly steps: readonly ToneStep[];
  /** How many times the steps are played; 0 is for ever. */
  readonly times: number;
}

/** A WAV file over and over, `instead` where it cannot be played. */
export interface WavProgram {
  readonly wav: string;
  /** Silence between its end and its beginning. */
  readonly pauseMs: number;
  /** As loud as this at most, on average. */
  readonly mostDbov: number;
  readonly instead: ToneProgram;
}

export type Program = ToneProgram | WavProgram;

/** What a stream is joined to. Those of a place that meet hear each other as well. `echo` sends back what it hears; `program` plays to the far side and drops what it hears. */
export type Route =
  | { readonly to: 'place'; readonly place: Place; readonly meets?: boolean }
  | { readonly to: 'echo' }
  | { readonly to: 'program'; readonly program: Program }
  | { readonly to: 'nothing' };

export interface PlaceSettings {
  readonly device: string;
  readonly periodMs: number;
  readonly periods: number;
  /** Gain applied to what is played and what is captured. */
  readonly playDb: number;
  readonly captureDb: number;
  /** What is done to sound besides; absent: nothing. */
  readonly room?: RoomSettings | undefined;
  /** One's own voice in the earpiece by the card's own mixer, dB; absent: the mixer is left alone. */
  readonly sidetone?: number | 'auto' | undefined;
}

export interface RoomSettings {
  /** Against the far side hearing itself: canceller and post-filter, the canceller alone, one side at a time, nothing. */
  readonly echo: 'full' | 'light' | 'gate' | 'off';
  /** Take steady noise off the microphone. */
  readonly noise: boolean;
  /** Bring the own voice near the usual level, and the far side's. */
  readonly micGain: boolean;
  readonly even: boolean;
}

export interface VoiceLevel {
  /** dBov; -100 is silence. */
  readonly peakDb: number;
  /** Of the voice while it speaks, before the gain. */
  readonly activeDb: number;
  readonly gainDb: number;
}

/** How sound is doing at a place. */
export interface RoomReport {
  /** `gate`: one side at a time, by setting, for want of the library, or since the canceller does not learn the room. */
  readonly echo: 'off' | 'learning' | 'converged' | 'no echo' | 'gate';
  /** How much of the echo the canceller and all together take off, dB. */
  readonly filterDb: number;
  readonly totalDb: number;
  /** From writing to hearing, as reckoned with. */
  readonly delayMs: number;
  readonly spoken: VoiceLevel;
  readonly heard: VoiceLevel;
}

export interface PlaceSound extends RoomReport {
  readonly place: Place;
  /** In words; '' where it is not asked for. */
  readonly sidetone: string;
}

export interface MediaSettings {
  readonly places: Readonly<Record<Place, PlaceSettings>>;
  readonly rtpPortMin: number;
  readonly rtpPortMax: number;
  readonly jitterMinMs: number;
  readonly jitterMaxMs: number;
  readonly opusBitrate: number;
  readonly opusComplexity: number;
  /** Whether keys are listened for in the sound: auto where the other side sends no telephone-events. */
  readonly inbandDtmf: 'off' | 'auto' | 'on';
  /** Report a stream that got no RTP for this long; 0 never does. */
  readonly rtpTimeoutS: number;
}

/** A file for a call's sound, and how long and large it may become. */
export interface RecordTo {
  readonly path: string;
  readonly maxS: number;
  readonly maxBytes: number;
}

export type MediaCommand =
  /**
   * Reserve an even RTP port and the next one for RTCP on `host`; answers `opened` or `failed`. With `group` join that multicast group instead and hear whoever
   * speaks there; `silent` then says that a page is over. `far`: whom it is for, an address or the server that leads there, so that a NAT in between is known.
   */
  | { readonly do: 'open'; readonly stream: StreamId; readonly host: string; readonly cname: string; readonly group?: Endpoint; readonly far?: string }
  /** Begin, or go on differently after a new offer and answer. */
  | { readonly do: 'negotiated'; readonly stream: StreamId; readonly session: StreamSession }
  | { readonly do: 'route'; readonly stream: StreamId; readonly route: Route }
  /** Send silence instead of the microphone. */
  | { readonly do: 'mute'; readonly stream: StreamId; readonly muted: boolean }
  /** Send `digit` as telephone-event, or as in-band DTMF where the other side does not take events. */
  | { readonly do: 'digit'; readonly stream: StreamId; readonly digit: string; readonly ms: number }
  /**
   * Record it, with a notice to both sides, or no longer; answers `recording`. Pauses while either side holds the other: what is not both said and heard is not
   * recorded.
   */
  | { readonly do: 'record'; readonly stream: StreamId; readonly to: RecordTo | undefined }
  /** Sends RTCP BYE and frees the ports. */
  | { readonly do: 'close'; readonly stream: StreamId }
  /** Play at a place, mixed with whatever stream is routed there; replaces the tone before. `id` comes back in `tone ended`. */
  | { readonly do: 'tone'; readonly place: Place; readonly program: Program; readonly id: number }
  | { readonly do: 'quiet'; readonly place: Place }
  /** Open the card now (handset lifted) or let it be closed when nothing needs it, so that the first tone is not late. */
  | { readonly do: 'warm'; readonly place: Place; readonly on: boolean }
  /** Test the card of a place; answers `probed`. */
  | { readonly do: 'probe'; readonly place: Place; readonly ask: number }
  | { readonly do: 'settings'; readonly settings: MediaSettings }
  /** Asks how sound is doing where there are streams; it is measured from the first time on. */
  | { readonly do: 'sound'; readonly ask: number }
  | { readonly do: 'measure'; readonly stream: StreamId; readonly ask: number }
  | { readonly do: 'ping'; readonly ask: number };

export interface StreamStats {
  readonly codec: string;
  readonly remote: string;
  readonly sentPackets: number;
  readonly receivedPackets: number;
  /** Sequence numbers that never came. */
  readonly lostPackets: number;
  /** Packets that came after their turn. */
  readonly latePackets: number;
  /** From strangers, or not RTP at all; those of the next two among them. */
  readonly refusedPackets: number;
  /** Of an encrypted stream: not genuine, and come before. */
  readonly forgedPackets: number;
  readonly replayedPackets: number;
  /** RFC 3550 §6.4.1 interarrival jitter. */
  readonly jitterMs: number;
  /** From the arrival of a packet that came as fast as any to its sound, and what is aimed at beyond the wait for the card. */
  readonly playoutDelayMs: number;
  readonly wantedDelayMs: number;
  /** Sound received and not played yet. */
  readonly bufferedMs: number;
  /** Sound made up for what did not come, cut to lower the delay, and repeated to raise it. */
  readonly concealedMs: number;
  readonly acceleratedMs: number;
  readonly expandedMs: number;
  /** Lost packets whose sound came with their successors (in-band FEC). */
  readonly recoveredPackets: number;
  /** From the other side's receiver reports; -1 while unknown. */
  readonly roundTripMs: number;
  readonly remoteLossPercent: number;
  /** Absent in the first second, and where nothing is heard. */
  readonly quality?: CallQuality | undefined;
}

/** What the other side's sound is worth here: opinions 1 to 4.5, ratings 0 to 100 (ITU-T G.107); conversation counts delay, listening (Lq) does not. */
export interface Verdict {
  readonly words: Word;
  readonly mosLq: number;
  readonly mosCq: number;
  readonly r: number;
  readonly rLq: number;
  /** Packets that never came, and that came too late to be heard. */
  readonly lossPercent: number;
  readonly discardPercent: number;
}

/** How a call sounds. Figures as in RFC 3611 §4.7. */
export interface CallQuality {
  readonly heard: Verdict;
  readonly path: {
    /** Share of bad packets within bursts of them and between, and how long those and the gaps are. */
    readonly burstPercent: number;
    readonly gapPercent: number;
    readonly burstMs: number;
    readonly gapMs: number;
    readonly jitterMs: number;
    /** −1 while unknown. */
    readonly roundTripMs: number;
    /** Of this side: packet time and jitter buffer. From mouth to ear: half of the round trip and of both sides'. */
    readonly endSystemMs: number;
    readonly oneWayMs: number;
    readonly playoutDelayMs: number;
    /** Delay of the jitter buffer as aimed at, as it may come to now, and at most. */
    readonly jitterNominalMs: number;
    readonly jitterMaximumMs: number;
    readonly jitterAbsoluteMs: number;
  };
  /** The other side's figures of our sound; absent where it does not report. */
  readonly there?: HeardThere;
  /** Of what is heard. */
  readonly codec: string;
  readonly payloadType: number;
  readonly packetMs: number;
  readonly ssrc: number;
  readonly remoteSsrc: number;
}

export type MediaEvent =
  /** `host`: the address at a NAT, where it is another; the ports are its too then. */
  | { readonly event: 'opened'; readonly stream: StreamId; readonly port: number; readonly rtcpPort: number; readonly host?: string }
  | { readonly event: 'failed'; readonly stream: StreamId; readonly code: string; readonly message: string }
  /** A DTMF digit arrived as telephone-event; once per digit, at its end. */
  | { readonly event: 'digit'; readonly stream: StreamId; readonly digit: string; readonly ms: number }
  /** First RTP packet of the stream, or the first after `silent`. */
  | { readonly event: 'heard'; readonly stream: StreamId }
  | { readonly event: 'silent'; readonly stream: StreamId; readonly seconds: number }
  /** A recording begins or ends; `why` is a sentence where it ended by itself, or could not begin. May come after the stream was closed. */
  | { readonly event: 'recording'; readonly stream: StreamId; readonly on: boolean; readonly path: string; readonly seconds: number; readonly why: string }
  | { readonly event: 'tone ended'; readonly place: Place; readonly id: number }
  | { readonly event: 'device'; readonly place: Place; readonly device: string; readonly status: AudioStatus }
  | { readonly event: 'stats'; readonly stream: StreamId; readonly ask: number; readonly stats: StreamStats }
  /** Every second, and a last time when the stream is closed. */
  | { readonly event: 'quality'; readonly stream: StreamId; readonly quality: CallQuality; readonly remote: string; readonly last: boolean }
  /** What the microphone heard of the test, raw, for media/probe.ts to make sense of: the one time that sound goes through the door. Else why there is none. */
  | { readonly event: 'probed'; readonly place: Place; readonly ask: number; readonly heard: ProbeSound | string }
  | { readonly event: 'sound'; readonly ask: number; readonly places: readonly PlaceSound[] }
  | { readonly event: 'pong'; readonly ask: number }
  /** Something a person should know; goes to the log. */
  | { readonly event: 'trouble'; readonly code: string; readonly message: string };

/** The engine, near or behind a thread. Commands are carried out in order; events arrive in order. */
export interface Media {
  command(command: MediaCommand): void;
  subscribe(on: (event: MediaEvent) => void): void;
  close(): void;
}
