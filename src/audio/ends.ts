// The two ends of a card as one mono stream each at the phone's rate: channels, sample size and rate are changed here, and the
// playback end keeps its fill.

import type { Pcm } from './alsa.ts';
import { ERRNO } from './errno.ts';
import { Resampler } from './resample.ts';

/** The microphone's end. */
export class CaptureEnd {
  readonly pcm: Pcm;
  readonly #resampler: Resampler;
  #raw: Int16Array | Int32Array = new Int16Array(0);
  #mono = new Int16Array(0);

  constructor(pcm: Pcm, rateHz: number) {
    this.pcm = pcm;
    this.#resampler = new Resampler(pcm.rateHz, rateHz);
  }

  /** Card frames still needed for `frames` samples. */
  needed(frames: number): number {
    return this.#resampler.inputFor(frames);
  }

  /** Fill `captured` from `needed` card frames that are known to be there; below zero: -errno. */
  read(captured: Int16Array, needed: number): number {
    const { pcm } = this;
    if (this.#mono.length < needed) {
      this.#mono = new Int16Array(2 * needed);
      this.#raw = pcm.bits === 16 ? new Int16Array(2 * needed * pcm.channels) : new Int32Array(2 * needed * pcm.channels);
    }
    if (needed > 0) {
      const got = pcm.read(this.#raw, needed);
      if (got < 0) return got;
      if (got < needed) return ERRNO.IO; // it said that they were there
    }
    toMono(this.#raw, pcm.channels, pcm.bits, this.#mono, needed);
    return this.#resampler.run(this.#mono, needed, captured, captured.length);
  }
}

/** The mean of the first two channels: a microphone on either one alone is heard. */
function toMono(raw: Int16Array | Int32Array, channels: number, bits: 16 | 32, mono: Int16Array, frames: number): void {
  const shift = bits === 32 ? 16 : 0;
  if (channels === 1) {
    for (let i = 0; i < frames; i++) mono[i] = raw[i]! >> shift;
    return;
  }
  for (let i = 0, at = 0; i < frames; i++, at += channels) mono[i] = ((raw[at]! >> shift) + (raw[at + 1]! >> shift)) >> 1;
}

/** Fill may wander by this part of a period before a frame is added or left out ... */
const NUDGE_PERIODS = 1 / 8;
/** ... and by this before sound is dropped or silence put in. */
const TRIM_PERIODS = 1;
/** Weight of the latest measurement of the fill: about a second at 20 ms periods. */
const SMOOTHING = 1 / 50;
/** Periods after a start over which the fill is averaged to know what right looks like. */
const SETTLE_PERIODS = 75;
/** Lateness of the timer and of the work in a period that playback rides out; the delay of a rate filter comes out of it. */
const MARGIN_MS = 3;
/** A card that ran dry gets a part of a period more in its queue, up to a whole one ... */
const RAISE_PERIODS = 1 / 4;
/** ... and gives it back after so many periods without: 20 s to a minute. */
const CALM_PERIODS = 2_000;

/**
 * The earpiece's end. At a start as much silence is queued as the first period needs to come in time; from then on the fill is held
 * against the drift of the two clocks, by single frames.
 */
export class PlaybackEnd {
  readonly pcm: Pcm;
  /** Times that sound was dropped or silence put in because the fill had wandered by more than a period. */
  trims = 0;
  /** Single frames left out (negative: added) to follow the other card's clock. */
  nudged = 0;
  readonly #resampler: Resampler;
  readonly #periodMs: number;
  /** Sound queued at the instant a period has been captured: the least, the most, and what is primed at a start. */
  readonly #leastMs: number;
  readonly #mostMs: number;
  #targetMs: number;
  /**
   * The fill as measured, smoothed, and what it was after the start. Positions of cards move in lumps, so a measurement may be off by a
   * lump, the same each time: only its change says anything, and the start itself has set the fill right.
   */
  #fillMs = 0;
  #rightMs = 0;
  #periods = 0;
  #calmPeriods = 0;
  #mono = new Int16Array(0);
  #raw: Int16Array | Int32Array;

  constructor(pcm: Pcm, rateHz: number, periodFrames: number, capture: Pcm | undefined) {
    this.pcm = pcm;
    this.#resampler = new Resampler(rateHz, pcm.rateHz);
    this.#periodMs = (periodFrames * 1_000) / rateHz;
    // A card that moves in lumps larger than a period is late by a lump; nothing helps but to queue as much.
    const lumpMs = Math.max(this.#periodMs, (pcm.periodFrames * 1_000) / pcm.rateHz, capture === undefined ? 0 : (capture.periodFrames * 1_000) / capture.rateHz);
    const roomMs = (pcm.bufferFrames * 1_000) / pcm.rateHz - this.#periodMs;
    const filterMs = (this.#resampler.delay * 1_000) / rateHz;
    this.#leastMs = Math.min(lumpMs + MARGIN_MS - filterMs, roomMs);
    this.#mostMs = Math.min(this.#leastMs + this.#periodMs, roomMs);
    this.#targetMs = this.#leastMs;
    this.#raw = this.#make(pcm.bufferFrames);
  }

  #make(frames: number): Int16Array | Int32Array {
    return this.pcm.bits === 16 ? new Int16Array(frames * this.pcm.channels) : new Int32Array(frames * this.pcm.channels);
  }

  /** Frames of sound that the card has not played; below zero: -errno. */
  queued(): number {
    const room = this.pcm.available();
    return room < 0 ? room : Math.max(0, this.pcm.bufferFrames - room);
  }

  /** Milliseconds until the queue is down to what it should hold when the next period is written; below zero: -errno. */
  dueMs(): number {
    const queued = this.queued();
    return queued < 0 ? queued : Math.max(0, (queued * 1_000) / this.pcm.rateHz - this.#targetMs);
  }

  /** Make ready and queue silence so that the fill is right when the next period comes `untilMs` after the start. */
  prime(untilMs: number): number {
    let code = this.pcm.prepare();
    if (code < 0) return code;
    this.#periods = 0;
    const frames = Math.min(this.pcm.bufferFrames, Math.ceil(((this.#targetMs + untilMs) * this.pcm.rateHz) / 1_000));
    this.#raw.fill(0);
    return this.pcm.write(this.#raw, frames);
  }

  /** The card ran dry: go on with silence, the next period `untilMs` from now. */
  restart(untilMs: number): number {
    this.#targetMs = Math.min(this.#mostMs, this.#targetMs + RAISE_PERIODS * this.#periodMs);
    this.#calmPeriods = 0;
    const code = this.prime(untilMs);
    return code < 0 ? code : this.pcm.start();
  }

  /**
   * Queue one period. `lateMs`: how long ago the period was due, so that the fill is measured as if in time. Below zero: -errno;
   * EPIPE when the card ran dry.
   */
  write(playback: Int16Array, lateMs: number): number {
    const queued = this.queued();
    if (queued < 0) return queued;
    this.#periods++;
    const settling = this.#periods <= SETTLE_PERIODS;
    this.#fillMs += ((queued * 1_000) / this.pcm.rateHz + lateMs - this.#fillMs) * (settling ? 1 / this.#periods : SMOOTHING);
    if (settling) this.#rightMs = this.#fillMs;
    const room = this.#resampler.outputFor(playback.length) + 1;
    if (this.#mono.length < room) this.#mono = new Int16Array(2 * room);
    let frames = this.#resampler.run(playback, playback.length, this.#mono);
    if (++this.#calmPeriods === CALM_PERIODS) {
      this.#calmPeriods = 0;
      const lowerMs = Math.min(this.#targetMs - this.#leastMs, RAISE_PERIODS * this.#periodMs);
      this.#targetMs -= lowerMs;
      this.#rightMs -= lowerMs;
    }
    const driftMs = this.#fillMs - this.#rightMs;
    if (driftMs > TRIM_PERIODS * this.#periodMs) {
      this.trims++;
      this.#fillMs -= this.#periodMs;
      return frames;
    }
    if (driftMs < -TRIM_PERIODS * this.#periodMs) {
      this.trims++;
      this.#fillMs += this.#periodMs;
      this.#raw.fill(0);
      const code = this.pcm.write(this.#raw, Math.min(frames, this.pcm.bufferFrames));
      if (code < 0 && code !== ERRNO.AGAIN) return code;
    } else if (Math.abs(driftMs) > NUDGE_PERIODS * this.#periodMs) {
      const step = driftMs > 0 ? -1 : 1;
      frames = nudge(this.#mono, frames, step);
      this.nudged -= step;
      this.#fillMs += (step * 1_000) / this.pcm.rateHz;
    }
    if (this.#raw.length < frames * this.pcm.channels) this.#raw = this.#make(2 * frames);
    fromMono(this.#mono, this.#raw, this.pcm.channels, this.pcm.bits, frames);
    const code = this.pcm.write(this.#raw, frames);
    if (code === ERRNO.AGAIN || (code >= 0 && code < frames)) {
      this.trims++; // the buffer is full: what does not fit would only be late
      return frames;
    }
    return code;
  }
}

/** `mono` on every channel. */
function fromMono(mono: Int16Array, raw: Int16Array | Int32Array, channels: number, bits: 16 | 32, frames: number): void {
  const shift = bits === 32 ? 16 : 0;
  for (let i = 0, at = 0; i < frames; i++) {
    const sample = mono[i]! << shift;
    for (let c = 0; c < channels; c++) raw[at++] = sample;
  }
}

/** Leave out (step -1) or put in (step 1) one sample where the wave is flattest, so that it is not heard; gives the new count. */
function nudge(mono: Int16Array, frames: number, step: 1 | -1): number {
  if (frames < 3) return frames;
  let best = 1;
  let least = Infinity;
  for (let i = 1; i < frames - 1; i++) {
    const bend = Math.abs(mono[i + 1]! - mono[i - 1]!);
    if (bend >= least) continue;
    least = bend;
    best = i;
  }
  if (step < 0) {
    mono.copyWithin(best, best + 1, frames);
    return frames - 1;
  }
  mono.copyWithin(best + 1, best, frames);
  mono[best] = (mono[best - 1]! + mono[best + 1]!) >> 1;
  return frames + 1;
}
