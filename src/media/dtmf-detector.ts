// In-band DTMF out of sound of 16 kHz, to the limits of ITU-T Q.24: each key's pair of tones, and nothing else, for long enough.
//
//   sound --16 ms windows, every 5 ms--> strongest row and column --> run of windows of one key --> digit, at its end
//
// A window of 16 ms cannot tell 697 Hz from 721 Hz by loudness; how the phases turn from window to window can, and that they turn evenly tells
// tones from voices.

import { COLUMNS_HZ, KEYS, ROWS_HZ } from './dtmf.ts';
import { peakOf } from './tones.ts';

const RATE_HZ = 16_000;
const WINDOW = 256;
const HOP = 80;
const HOP_MS = 1000 * HOP / RATE_HZ;
/** Q.24: -25 dBm0 must be heard; a little more for what coders and windows take. */
const LEAST_DBM0 = -29;
/** Q.24: the column up to 4 dB louder and 8 dB softer than the row must be heard. */
const COLUMN_LOUDER_DB = 6;
const COLUMN_SOFTER_DB = 10;
/** Of all that sounds in the window. */
const LEAST_SHARE = 0.75;
/** Q.24: 1.5 % off must be taken, 3.5 % refused. */
const MOST_OFF = 0.025;
/** How evenly the phases turn: 1 is a pure tone. */
const LEAST_EVEN = 0.93;
/** Windows that a tone of 40 ms has, and one of 23 ms has not; and that a pause of 40 ms has, and a hole of 10 ms has not (Q.24). */
const LEAST_WINDOWS = 6;
const PAUSE_WINDOWS = 6;

const HZ = [...ROWS_HZ, ...COLUMNS_HZ];
const weights = Float64Array.from({ length: WINDOW }, (_, i) => (1 - Math.cos(2 * Math.PI * (i + 0.5) / WINDOW)) / 2);
const SUM = weights.reduce((sum, w) => sum + w, 0);
const SQUARES = weights.reduce((sum, w) => sum + w * w, 0);
/** The tones to compare with, made with the first detector. */
let cosines: readonly Float32Array[] | undefined, sines: readonly Float32Array[] | undefined;
const table = (of: (x: number) => number): readonly Float32Array[] => HZ.map((hz) => Float32Array.from(weights, (w, i) => w * of(2 * Math.PI * hz * i / RATE_HZ)));
/** By how much a tone of exactly that frequency turns from window to window. */
const TURNS = HZ.map((hz) => 2 * Math.PI * hz * HOP / RATE_HZ);
/** Square of a transform at the least level, and what one of a pure tone is of the window's energy. */
const LEAST_SQUARE = (peakOf(LEAST_DBM0) * SUM / 2) ** 2;
const ENERGY = 2 * SQUARES / SUM ** 2;

export class DtmfDetector {
  readonly #onDigit: (digit: string, ms: number) => void;
  readonly #cos = cosines ??= table(Math.cos);
  readonly #sin = sines ??= table(Math.sin);
  readonly #window = new Float32Array(WINDOW);
  #filled = WINDOW - HOP;
  /** Transforms of this window and of the one before. */
  readonly #re = new Float64Array(8);
  readonly #im = new Float64Array(8);
  readonly #reBefore = new Float64Array(8);
  readonly #imBefore = new Float64Array(8);
  /** Key of the window before, -1 for none; of the run; windows of the run, and since its last. */
  #before = -1;
  #key = -1;
  #windows = 0;
  #since = 0;
  /** Sums over the run of how row and column turned: product of each window with the one before, and its size. */
  readonly #turnRe = new Float64Array(2);
  readonly #turnIm = new Float64Array(2);
  readonly #size = new Float64Array(2);

  /** `onDigit` is called once for each digit, at its end. */
  constructor(onDigit: (digit: string, ms: number) => void) {
    this.#onDigit = onDigit;
  }

  /** Take the next `count` samples. */
  take(samples: Int16Array, count: number): void {
    const window = this.#window;
    for (let done = 0; done < count;) {
      const piece = Math.min(count - done, WINDOW - this.#filled);
      for (let i = 0; i < piece; i++) window[this.#filled + i] = samples[done + i]!;
      this.#filled += piece;
      done += piece;
      if (this.#filled < WINDOW) return;
      this.#hear(this.#look());
      window.copyWithin(0, HOP);
      this.#filled = WINDOW - HOP;
    }
  }

  /** The key whose tones fill the window, -1 when none do. */
  #look(): number {
    const window = this.#window, re = this.#re, im = this.#im;
    let energy = 0;
    for (let i = 0; i < WINDOW; i++) energy += (weights[i]! * window[i]!) ** 2;
    this.#reBefore.set(re);
    this.#imBefore.set(im);
    re.fill(0);
    im.fill(0);
    if (energy * LEAST_SHARE < 2 * LEAST_SQUARE * ENERGY / 4) return -1; // far too soft for a pair of tones
    let row = 0, column = 4;
    for (let f = 0; f < 8; f++) {
      const cos = this.#cos[f]!, sin = this.#sin[f]!;
      let a = 0, b = 0;
      for (let i = 0; i < WINDOW; i++) {
        a += cos[i]! * window[i]!;
        b -= sin[i]! * window[i]!;
      }
      re[f] = a;
      im[f] = b;
      if (f > 0 && f < 4 && this.#square(f) > this.#square(row)) row = f;
      if (f > 4 && this.#square(f) > this.#square(column)) column = f;
    }
    const low = this.#square(row), high = this.#square(column);
    const twistDb = 10 * Math.log10(high / low);
    const fits = low >= LEAST_SQUARE && high >= LEAST_SQUARE && twistDb <= COLUMN_LOUDER_DB && twistDb >= -COLUMN_SOFTER_DB && (low + high) * ENERGY >= LEAST_SHARE * energy;
    return fits ? 4 * row + column - 4 : -1;
  }

  #square(f: number): number {
    return this.#re[f]! ** 2 + this.#im[f]! ** 2;
  }

  #hear(key: number): void {
    if (key >= 0 && key === this.#before) this.#turn(key);
    this.#before = key;
    if (key >= 0 && key === this.#key) {
      this.#windows++;
      this.#since = 0;
    } else if (this.#key >= 0 && ++this.#since >= PAUSE_WINDOWS) this.#end();
    else if (key >= 0 && (this.#key < 0 || this.#windows < LEAST_WINDOWS)) this.#begin(key); // what was too short yet gives way to what follows
  }

  #begin(key: number): void {
    this.#key = key;
    this.#windows = 1;
    this.#since = 0;
    this.#turnRe.fill(0);
    this.#turnIm.fill(0);
    this.#size.fill(0);
  }

  #end(): void {
    const key = this.#key;
    this.#key = -1;
    if (this.#windows >= LEAST_WINDOWS && this.#pure(0, key >> 2) && this.#pure(1, 4 + (key & 3))) this.#onDigit(KEYS[key]!, this.#windows * HOP_MS);
    if (this.#before >= 0) this.#begin(this.#before);
  }

  /** Add how row and column of `key` turned since the window before. */
  #turn(key: number): void {
    if (key !== this.#key) return;
    for (let i = 0; i < 2; i++) {
      const f = i === 0 ? key >> 2 : 4 + (key & 3);
      const a = this.#re[f]!, b = this.#im[f]!, c = this.#reBefore[f]!, d = this.#imBefore[f]!;
      const re = a * c + b * d, im = b * c - a * d;
      this.#turnRe[i]! += re;
      this.#turnIm[i]! += im;
      this.#size[i]! += Math.hypot(re, im);
    }
  }

  /** Whether frequency `f` was what sounded over the whole run. */
  #pure(i: number, f: number): boolean {
    const re = this.#turnRe[i]!, im = this.#turnIm[i]!;
    const off = Math.atan2(im, re) - TURNS[f]!;
    const hz = Math.atan2(Math.sin(off), Math.cos(off)) * RATE_HZ / (2 * Math.PI * HOP);
    return Math.abs(hz) <= MOST_OFF * HZ[f]! && Math.hypot(re, im) >= LEAST_EVEN * this.#size[i]!;
  }
}
