// A sound card as an AudioDevice. The capture clock drives both directions; a timer set for the instant the next period is whole
// wakes it, so that the thread never waits inside the library.
//
//   opening --ok--> serving <--stall: start again--+
//      |               |___________________________|
//      +--absent--> lost (clock keeps time, tries again) --ok--> serving
//
// A card with one direction only is served too: without a microphone the playback clock drives and silence is captured.

import type { AudioDevice, AudioOptions, AudioStatus } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { CAPTURE, PLAYBACK } from './alsa.ts';
import type { Direction, Mixer, Pcm, SoundLibrary } from './alsa.ts';
import { CaptureEnd, PlaybackEnd } from './ends.ts';
import { ERRNO } from './errno.ts';
import { CATCH_UP_MS, pace } from './pacer.ts';
import { mixerOf, Sidetone } from './sidetone.ts';
import { trouble } from './trouble.ts';

/** PCMs that may serve, best first. */
export interface Candidate {
  /** Empty: this direction is not wanted. */
  readonly capture: string;
  readonly playback: string;
  /** A card that has only one of the two will do. */
  readonly halfWillDo: boolean;
}

export interface CardPorts {
  readonly clock: Clock;
  readonly library: SoundLibrary;
  readonly log?: Log | undefined;
  /** Asked before every attempt to open, since cards come and go; `lost`: there was one before. */
  candidates(lost: boolean): readonly Candidate[];
  /** There may be no card at all: then silence is as good as a card until one appears. */
  readonly optional: boolean;
}

/** Nothing is lost, but whoever lifts the handset must not wonder about the silence. */
const NO_CARD = 'there is no sound card: nothing is heard or said here until one is plugged in';
const RETRY_MS = 500;
/** A card that gives no period for this long (and two periods) has failed. */
const STUCK_MS = 500;
/** Starts without a period between them before the card is given up. */
const RESTARTS = 5;
/** Suspended cards are asked this often whether they are back. */
const RESUME_MS = 20;

interface Ends {
  /** The PCM, for words to the owner. */
  readonly name: string;
  readonly capture: CaptureEnd | undefined;
  readonly playback: PlaybackEnd | undefined;
}

/** Corrections that no port shows, for tests and statistics. */
export interface CardCounts {
  readonly trims: number;
  readonly nudged: number;
}

export class AlsaDevice implements AudioDevice {
  readonly name: string;
  readonly rateHz: number;
  readonly periodFrames: number;
  readonly #ports: CardPorts;
  readonly #options: AudioOptions;
  readonly #periodMs: number;
  readonly #captured: Int16Array;
  readonly #playback: Int16Array;
  #ends: Ends | undefined;
  #state: AudioStatus['state'] = 'running';
  #trouble = '';
  #xruns = 0;
  #reopened = 0;
  #trims = 0;
  #nudged = 0;
  #closed = false;
  /** This device has been heard since it was opened last. */
  #serving = false;
  #wasDuplex = false;
  #restarts = 0;
  /** When the latest period was due. */
  #lastMs: number;
  /** Frames that the microphone had beyond the periods served, when it was asked last; −1 when that is not known. */
  #left = -1;
  #askedMs = 0;
  #stopTimer: () => void = () => {};
  #stopPacer: () => void = () => {};
  /** PCM that plays; '' while none does. */
  #ear = '';
  #wanted: number | 'auto' | undefined;
  #mixer: Mixer | undefined;
  #sidetone: Sidetone | undefined;
  #sidetoneTrouble = '';

  constructor(ports: CardPorts, options: AudioOptions) {
    this.name = options.name;
    this.rateHz = options.rateHz;
    this.periodFrames = options.periodFrames;
    this.#ports = ports;
    this.#options = options;
    this.#periodMs = (options.periodFrames * 1_000) / options.rateHz;
    this.#captured = new Int16Array(options.periodFrames);
    this.#playback = new Int16Array(options.periodFrames);
    this.#lastMs = ports.clock.now();
    this.#keepTime();
    this.#attempt();
  }

  status(): AudioStatus {
    const delay = this.#ends?.playback === undefined ? 0 : Math.max(0, this.#ends.playback.pcm.delay());
    return {
      state: this.#state, trouble: this.#trouble, xruns: this.#xruns, reopened: this.#reopened,
      delayFrames: delay === 0 ? 0 : Math.round((delay * this.rateHz) / this.#ends!.playback!.pcm.rateHz),
      ...(this.#wanted === undefined ? {} : { sidetone: this.#sidetone?.words ?? this.#sidetoneTrouble }),
    };
  }

  counts(): CardCounts {
    return { trims: this.#trims + (this.#ends?.playback?.trims ?? 0), nudged: this.#nudged + (this.#ends?.playback?.nudged ?? 0) };
  }

  sidetone(want: number | 'auto' | undefined): void {
    if (want === this.#wanted) return;
    this.#wanted = want;
    this.#tuneSidetone();
  }

  close(): void {
    this.#closed = true;
    this.#endSidetone();
    this.#stopTimer();
    this.#stopPacer();
    this.#release();
  }

  /** Ask the card's mixer for what is wanted now. */
  #tuneSidetone(): void {
    this.#endSidetone();
    const want = this.#wanted, { library, log } = this.#ports, ear = this.#ear;
    if (want === undefined || ear === '' || library.mixer === undefined) return;
    library.mixer(mixerOf(ear), (opened) => {
      const stands = !this.#closed && this.#wanted === want && this.#ear === ear && this.#mixer === undefined;
      if (typeof opened === 'number') {
        if (stands) this.#sidetoneTrouble = `none: the sound card has no mixer (${library.explain(opened)}), and through the phone it would come too late`;
        return;
      }
      if (!stands) return opened.close();
      this.#mixer = opened;
      this.#sidetone = new Sidetone(opened, want);
      log?.info({ device: this.name, sidetone: this.#sidetone.words }, 'sidetone');
    });
  }

  #endSidetone(): void {
    this.#sidetone?.restore();
    this.#mixer?.close();
    this.#sidetone = this.#mixer = undefined;
    this.#sidetoneTrouble = '';
  }

  // --- opening ---

  /** Try the candidates in turn; the first that opens serves. */
  #attempt(): void {
    const candidates = this.#ports.candidates(this.#state === 'lost');
    const { library } = this.#ports;
    let firstCode = 0;
    let firstName = '';
    const next = (index: number) => {
      const candidate = candidates[index];
      if (candidate === undefined) {
        this.#absent(firstCode === 0 ? ERRNO.NODEV : firstCode, firstName);
        return;
      }
      const wish = { rateHz: this.rateHz, periodFrames: this.periodFrames, periods: this.#options.periods };
      const end = (name: string, direction: Direction, done: (opened: Pcm | number | undefined) => void) => {
        if (name === '') done(undefined);
        else library.open(name, direction, wish, done);
      };
      end(candidate.capture, CAPTURE, (capture) => end(candidate.playback, PLAYBACK, (playback) => {
        const failed = typeof capture === 'number' ? capture : typeof playback === 'number' ? playback : 0;
        const half = failed !== 0 && candidate.halfWillDo && !this.#wasDuplex && missing(failed) && (typeof capture === 'object' || typeof playback === 'object');
        if (!this.#closed && (failed === 0 || half)) {
          if (half) this.#ports.log?.warn({ device: this.name, missing: typeof capture === 'object' ? 'playback' : 'capture' }, 'sound card has one direction only');
          this.#ear = typeof playback === 'object' ? candidate.playback : '';
          this.#begin(candidate.capture === '' ? candidate.playback : candidate.capture, typeof capture === 'object' ? capture : undefined, typeof playback === 'object' ? playback : undefined);
          return;
        }
        if (typeof capture === 'object') capture.close();
        if (typeof playback === 'object') playback.close();
        if (this.#closed) return;
        if (firstCode === 0) {
          firstCode = failed;
          firstName = typeof capture === 'number' ? candidate.capture : candidate.playback;
        }
        next(index + 1);
      }));
    };
    next(0);
  }

  #absent(code: number, name: string): void {
    if (this.#ports.optional && missing(code) && this.#state === 'running') this.#report('running', NO_CARD);
    else this.#report('lost', trouble(code, name, this.#ports.library.explain));
    this.#stopTimer = this.#ports.clock.after(RETRY_MS, () => this.#attempt());
  }

  #begin(name: string, capture: Pcm | undefined, playback: Pcm | undefined): void {
    this.#ends = {
      name,
      capture: capture === undefined ? undefined : new CaptureEnd(capture, this.rateHz),
      playback: playback === undefined ? undefined : new PlaybackEnd(playback, this.rateHz, this.periodFrames, capture),
    };
    this.#stopPacer();
    this.#serving = false;
    this.#restarts = 0;
    this.#lastMs = this.#ports.clock.now();
    const code = this.#start();
    if (code < 0) this.#lose(code);
    else {
      this.#sleep();
      this.#tuneSidetone();
    }
  }

  /** Start both ends of a card that is open. */
  #start(): number {
    const { capture, playback } = this.#ends!;
    this.#left = -1;
    if (capture !== undefined) {
      const code = capture.pcm.prepare();
      if (code < 0) return code;
    }
    let code = playback?.prime(this.#periodMs) ?? 0;
    if (code >= 0) code = playback?.pcm.start() ?? 0;
    if (code >= 0) code = capture?.pcm.start() ?? 0;
    return code;
  }

  // --- serving ---

  /** Wake when the next period is whole. */
  #sleep(): void {
    const { capture, playback } = this.#ends!, { clock } = this.#ports;
    let waitMs: number;
    if (capture === undefined) waitMs = playback!.dueMs();
    else if (this.#left >= 0) waitMs = this.#missingMs(capture, this.#left) - (clock.now() - this.#askedMs);
    else {
      const available = capture.pcm.available();
      waitMs = available < 0 ? 0 : this.#missingMs(capture, available);
    }
    this.#stopTimer = clock.after(Math.max(1, Math.ceil(waitMs)), this.#due);
  }

  /** Milliseconds until a period is whole, of which `available` frames are there. */
  #missingMs(capture: CaptureEnd, available: number): number {
    return ((capture.needed(this.periodFrames) - available) * 1_000) / capture.pcm.rateHz;
  }

  readonly #due = (): void => this.#wake();

  #wake(): void {
    const ends = this.#ends!;
    const code = ends.capture === undefined ? this.#servePlayback(ends.playback!) : this.#serve(ends.capture, ends.playback);
    if (this.#closed || this.#ends !== ends) return;
    if (code < 0) this.#recover(code);
    else if (this.#ports.clock.now() - this.#lastMs > STUCK_MS + 2 * this.#periodMs) this.#lose(ERRNO.TIME);
    else this.#sleep();
  }

  /** Serve every whole period that the microphone has. The card is asked no oftener than it can have news: each question is a way into the kernel. */
  #serve(capture: CaptureEnd, playback: PlaybackEnd | undefined): number {
    let dry = false;
    this.#left = -1;
    for (;;) {
      this.#askedMs = this.#ports.clock.now();
      const available = capture.pcm.available();
      if (available < 0) return available;
      const needed = capture.needed(this.periodFrames);
      const lateMs = ((available - needed) * 1_000) / capture.pcm.rateHz;
      if (lateMs < 0) {
        if (!dry) {
          this.#left = available;
          return 0;
        }
        this.#xruns++;
        return playback!.restart(-lateMs);
      }
      const code = capture.read(this.#captured, needed);
      if (code < 0) return code;
      this.#period();
      if (this.#closed) return 0;
      if (playback !== undefined && !dry) { // what a dry card did not play is too late now
        const written = playback.write(this.#playback, lateMs);
        if (written === ERRNO.PIPE) dry = true;
        else if (written < 0) return written;
      }
      const left = available - needed;
      if (!dry && left < capture.needed(this.periodFrames)) {
        this.#left = left;
        return 0;
      }
    }
  }

  /** No microphone: serve a period whenever the queue is down to its aim. */
  #servePlayback(playback: PlaybackEnd): number {
    this.#captured.fill(0);
    for (let i = 0; i < this.#options.periods; i++) {
      const dueMs = playback.dueMs();
      if (dueMs === ERRNO.PIPE) {
        this.#xruns++;
        return playback.restart(0);
      }
      if (dueMs < 0) return dueMs;
      if (dueMs > 0) return 0;
      this.#period();
      if (this.#closed) return 0;
      const written = playback.write(this.#playback, 0);
      if (written < 0 && written !== ERRNO.PIPE) return written;
    }
    return 0;
  }

  #period(): void {
    this.#lastMs = this.#ports.clock.now();
    if (!this.#serving) {
      this.#serving = true;
      this.#wasDuplex ||= this.#ends?.capture !== undefined && this.#ends.playback !== undefined;
      if (this.#state === 'lost') this.#reopened++;
      this.#report('running', '');
    }
    this.#restarts = 0;
    this.#playback.fill(0);
    this.#options.onPeriod(this.#captured, this.#playback);
  }

  // --- trouble ---

  /** `code` came from the card: start again where that can help. */
  #recover(code: number): void {
    const { capture, playback } = this.#ends!;
    if (code === ERRNO.AGAIN) {
      this.#sleep();
      return;
    }
    if (code === ERRNO.STRPIPE) {
      const resumed = (capture ?? playback!).pcm.resume();
      if (resumed === ERRNO.AGAIN) {
        this.#stopTimer = this.#ports.clock.after(RESUME_MS, () => this.#wake());
        return;
      }
    } else if (code !== ERRNO.PIPE) {
      this.#lose(code);
      return;
    }
    this.#xruns++;
    if (++this.#restarts > RESTARTS) {
      this.#lose(ERRNO.IO);
      return;
    }
    capture?.pcm.drop();
    playback?.pcm.drop();
    const started = this.#start();
    if (started < 0) {
      this.#lose(started);
      return;
    }
    this.#oweSilence();
    if (!this.#closed) this.#sleep();
  }

  /** Give the periods that a stall swallowed as silence, so that the clocks of the sound's two ends stay together. */
  #oweSilence(): void {
    const owedMs = Math.min(CATCH_UP_MS, this.#ports.clock.now() - this.#lastMs);
    for (let i = Math.floor(owedMs / this.#periodMs); i > 0 && !this.#closed; i--) this.#silent();
    this.#lastMs = this.#ports.clock.now();
  }

  readonly #silent = (): void => {
    this.#captured.fill(0);
    this.#playback.fill(0);
    this.#options.onPeriod(this.#captured, this.#playback);
  };

  #lose(code: number): void {
    const name = this.#ends?.name ?? this.name;
    this.#release();
    this.#keepTime();
    this.#report('lost', trouble(code, name, this.#ports.library.explain));
    if (!this.#closed) this.#stopTimer = this.#ports.clock.after(RETRY_MS, () => this.#attempt());
  }

  /** The clock gives silent periods from the last one on. */
  #keepTime(): void {
    this.#stopPacer = pace(this.#ports.clock, this.periodFrames, this.rateHz, this.#silent, this.#lastMs);
  }

  #release(): void {
    const ends = this.#ends;
    this.#ends = undefined;
    this.#ear = '';
    this.#endSidetone();
    if (ends?.playback !== undefined) {
      this.#trims += ends.playback.trims;
      this.#nudged += ends.playback.nudged;
      ends.playback.pcm.close();
    }
    ends?.capture?.pcm.close();
  }

  #report(state: AudioStatus['state'], words: string): void {
    if (this.#closed || (this.#state === state && this.#trouble === words)) return;
    this.#state = state;
    this.#trouble = words;
    if (state === 'lost') this.#ports.log?.warn({ device: this.name, trouble: words }, 'sound card lost');
    else if (words === '') this.#ports.log?.info({ device: this.name }, 'sound card found');
    else this.#ports.log?.warn({ device: this.name }, words);
    this.#options.onStatus(this.status());
  }
}

/** The card or this direction of it does not exist. */
function missing(code: number): boolean {
  return code === ERRNO.NOENT || code === ERRNO.NODEV || code === ERRNO.NXIO || code === ERRNO.INVAL;
}
