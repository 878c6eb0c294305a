// A sound card as the engine uses it: opened when a place on it is needed, closed 2 s after none is, one beat a period.
//
//   captured -> room -> gain, limiter -> every stream of the place
//   playback <- limiter <- gain <- every stream of the place + its tone; what was played the room gets to know
//
// When the card cannot be opened, or delivers nothing, the clock takes its place with silence: calls, tones and digits go on.

import type { AudioDevice, AudioStatus, AudioSystem } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import { Conference } from './conference.ts';
import type { MediaEvent, Place, PlaceSettings, PlaceSound, RoomSettings } from './door.ts';
import type { MediaExtras, RoomControl } from './extras.ts';
import { factorOf, Limiter, mix } from './mixer.ts';
import { createPace, type Pace } from './pace.ts';
import type { Probe } from './probe.ts';
import type { Stream } from './stream.ts';
import type { Sounding } from './tones.ts';

export const ENGINE_HZ = 16_000;
const LINGER_MS = 2000;
const WATCH_MS = 50;
/** A card that delivered nothing for so long, its whole buffer included, hangs. */
const HANGS_MS = 60;
/** Periods between two looks at what the card says of itself, for echo control. */
const LOOK = 8;

const NEVER_RAN: AudioStatus = { state: 'lost', trouble: '', xruns: 0, reopened: 0, delayFrames: 0 };

/** A place and what goes on there. */
export interface PlaceState {
  readonly place: Place;
  settings: PlaceSettings;
  warm: boolean;
  tone: Sounding | undefined;
  toneId: number;
  /** The tone before, that was ended and fades. */
  fading: Sounding | undefined;
  /** What was told of its card last. */
  told: string;
  /** Streams routed here. */
  readonly streams: Stream[];
  /** Made with the first stream here, where the settings want it; ends with the card. */
  room: RoomControl | undefined;
  readonly limiter: Limiter;
}

/** What is done to sound while it is only looked at. */
const MEASURE: RoomSettings = { echo: 'off', noise: false, micGain: false, even: false };

/** Take away what a place does to sound; the next thing that settles its card brings back what is wanted. */
export function strip(state: PlaceState): void {
  state.room?.close();
  state.room = undefined;
}

export interface CardPorts {
  readonly clock: Clock;
  readonly audio: AudioSystem;
  readonly tell: (event: MediaEvent) => void;
  readonly extras?: (() => MediaExtras) | undefined;
}

export class Card {
  readonly #ports: CardPorts;
  readonly #settings: PlaceSettings;
  readonly #places: readonly PlaceState[];
  readonly #stand: Pace;
  readonly #frames: number;
  readonly #captured: Int16Array;
  readonly #heard: Int16Array;
  readonly #sum: Float32Array;
  readonly #weighed: Float32Array;
  readonly #limiter = new Limiter();
  #beats = 0;
  /** What the card would have given and taken while the clock stands in for it. */
  readonly #silence: Int16Array;
  readonly #unheard: Int16Array;
  #conference: Conference | undefined;
  #probe: Probe | undefined;
  #probed: (whole: boolean) => void = () => undefined;
  #device: AudioDevice | undefined;
  #open = false;
  #beatMs = 0;
  #suspectMs = -1;
  #hangs = false;
  #cancelClose: (() => void) | undefined;
  #cancelWatch = (): void => undefined;

  /** `places` name the same device; the first one's settings open it. */
  constructor(places: readonly PlaceState[], ports: CardPorts) {
    this.#ports = ports;
    this.#places = places;
    this.#settings = places[0]!.settings;
    this.#frames = this.#settings.periodMs * ENGINE_HZ / 1000;
    this.#stand = createPace(ports.clock, this.#settings.periodMs, () => this.#beat(this.#silence, this.#unheard.fill(0)));
    this.#captured = new Int16Array(this.#frames);
    this.#heard = new Int16Array(this.#frames);
    this.#sum = new Float32Array(this.#frames);
    this.#weighed = new Float32Array(this.#frames);
    this.#silence = new Int16Array(this.#frames);
    this.#unheard = new Int16Array(this.#frames);
  }

  /** Let `probe` have the card to itself; `done` tells how often the card ran dry meanwhile, −1 when it did not come to its end. False when something else goes on there. */
  test(probe: Probe, done: (xruns: number) => void): boolean {
    if (this.#probe !== undefined || this.#places.some((p) => p.tone !== undefined || p.streams.length > 0)) return false;
    this.#probe = probe;
    this.settle();
    const before = this.#device?.status().xruns ?? 0;
    this.#probed = (whole) => done(whole ? (this.#device?.status().xruns ?? 0) - before : -1);
    return true;
  }

  #endProbe(whole: boolean): void {
    if (this.#probe === undefined) return;
    this.#probe = undefined;
    this.settle();
    this.#probed(whole);
  }

  /** To be called whenever a place changed: opens the card at once, closes it after a while. */
  settle(): void {
    if (this.#probe !== undefined || this.#places.some((p) => p.warm || p.tone !== undefined || p.streams.length > 0)) {
      this.#cancelClose?.();
      this.#cancelClose = undefined;
      if (!this.#open) this.#start();
      const used = this.#places.filter((p) => p.streams.length > 0);
      for (const state of used) this.#furnish(state);
      this.#device?.sidetone?.((used[0] ?? this.#places.find((p) => p.warm))?.settings.sidetone);
    } else if (this.#open) this.#cancelClose ??= this.#ports.clock.after(LINGER_MS, () => this.close());
  }

  close(): void {
    this.#cancelClose?.();
    this.#cancelClose = undefined;
    this.#cancelWatch();
    this.#stand.stop();
    this.#open = this.#hangs = false;
    const device = this.#device;
    this.#device = undefined;
    device?.close();
    this.#endProbe(false);
    for (const state of this.#places) strip(state);
  }

  /** How sound is doing where there are streams; what was not measured so far is from now on. */
  report(): PlaceSound[] {
    const sidetone = this.#device?.status().sidetone;
    return this.#places.filter((state) => state.streams.length > 0).flatMap((state) => {
      this.#furnish(state, state.settings.room ?? MEASURE);
      return state.room === undefined ? [] : [{ ...state.room.report(), place: state.place, sidetone: state.settings.sidetone === undefined ? '' : sidetone ?? 'none: this sound device has no mixer' }];
    });
  }

  #furnish(state: PlaceState, room = state.settings.room): void {
    const { extras, tell } = this.#ports;
    if (room !== undefined) state.room ??= extras?.().room({ ...room, periodFrames: this.#frames }, (code, message) => tell({ event: 'trouble', code, message }));
  }

  #start(): void {
    const { audio, clock } = this.#ports, { device: name, periods } = this.#settings;
    this.#open = true;
    this.#beatMs = clock.now();
    this.#cancelWatch = clock.after(WATCH_MS, this.#watch);
    try {
      this.#device = audio.open({ name, rateHz: ENGINE_HZ, periodFrames: this.#frames, periods, onPeriod: this.#onPeriod, onStatus: (status) => this.#tellStatus(status) });
      this.#tellStatus(this.#device.status());
    } catch (error) {
      this.#stand.start();
      this.#tellStatus({ ...NEVER_RAN, trouble: (error as Error).message });
    }
  }

  #tellStatus(status: AudioStatus): void {
    const news = `${this.#settings.device} ${status.state} ${status.trouble}`;
    for (const state of this.#places) {
      if (state.told === news) continue;
      state.told = news;
      this.#ports.tell({ event: 'device', place: state.place, device: this.#settings.device, status });
    }
  }

  readonly #onPeriod = (captured: Int16Array, playback: Int16Array): void => {
    if (!this.#open) return;
    this.#beatMs = this.#ports.clock.now();
    if (this.#hangs) {
      this.#hangs = false;
      this.#stand.stop();
      this.#tellStatus(this.#device?.status() ?? NEVER_RAN);
    }
    this.#beat(captured, playback);
  };

  /**
   * A card that says it runs but delivers nothing: the clock stands in until it does, from its last beat on. Seen twice, so that a
   * thread that stood still itself gives the card its turn first.
   */
  readonly #watch = (): void => {
    const { clock } = this.#ports, { periodMs, periods } = this.#settings, sinceMs = clock.now() - this.#beatMs, hangsMs = periodMs * periods + HANGS_MS;
    if (sinceMs >= hangsMs) {
      if (this.#suspectMs === this.#beatMs && !this.#hangs && this.#device !== undefined) {
        this.#hangs = true;
        this.#stand.start(this.#beatMs);
        const status = this.#device.status();
        if (status.state === 'running') this.#tellStatus({ ...status, state: 'lost', trouble: `the sound device "${this.#settings.device}" stands still` });
      }
      this.#suspectMs = this.#beatMs;
    }
    this.#cancelWatch = clock.after(Math.max(WATCH_MS, hangsMs - sinceMs), this.#watch);
  };

  #beat(captured: Int16Array, playback: Int16Array): void {
    const now = this.#ports.clock.now(), count = Math.min(this.#frames, playback.length, captured.length);
    const heard = this.#heard, sum = this.#sum, places = this.#places, probe = this.#probe;
    if (probe !== undefined) {
      const over = places.some((p) => p.streams.length > 0 || p.tone !== undefined); // a call goes before
      if (over || captured === this.#silence) this.#endProbe(false);
      else if (!probe.beat(captured, playback, count)) this.#endProbe(true);
      if (!over) return;
    }
    const looks = this.#beats++ % LOOK === 0;
    sum.fill(0);
    for (let p = 0; p < places.length; p++) {
      const state = places[p]!, { streams, settings } = state;
      if (streams.length === 0 && state.tone === undefined && state.fading === undefined) continue;
      const factor = factorOf(settings.playDb);
      if (streams.length > 0) {
        const spoken = this.#spoken(captured, count, state, looks);
        if (streams.length > 1) (this.#conference ??= new Conference(this.#frames)).beat(streams, spoken, sum, factor, count, now);
        else {
          streams[0]!.say(spoken, count);
          streams[0]!.hear(heard, count, now);
          state.room?.heard(heard, count);
          mix(heard, sum, count, factor);
        }
      }
      const { tone, toneId, place, fading } = state;
      if (fading !== undefined) {
        if (!fading.mix(heard.fill(0))) state.fading = undefined;
        mix(heard, sum, count, factor);
      }
      if (tone === undefined) continue;
      const more = tone.mix(heard.fill(0));
      mix(heard, sum, count, factor);
      if (!more) {
        state.tone = undefined;
        this.#ports.tell({ event: 'tone ended', place, id: toneId });
        this.settle();
      }
    }
    this.#limiter.run(sum, playback, count);
    for (let p = 0; p < places.length; p++) if (places[p]!.streams.length > 0) places[p]!.room?.played(playback, count);
  }

  /** What a place says into its streams. */
  #spoken(captured: Int16Array, count: number, state: PlaceState, looks: boolean): Int16Array {
    const { room, settings: { captureDb } } = state, spoken = this.#captured, weighed = this.#weighed;
    if (room === undefined && captureDb === 0) return captured;
    let from = captured;
    if (room !== undefined) {
      if (looks && this.#device !== undefined) room.card(this.#device.status());
      for (let i = 0; i < count; i++) spoken[i] = captured[i]!;
      room.captured(spoken, count);
      from = spoken;
    }
    if (captureDb !== 0) {
      weighed.fill(0);
      mix(from, weighed, count, factorOf(captureDb));
      state.limiter.run(weighed, spoken, count);
    }
    return spoken;
  }
}
