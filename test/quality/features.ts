// What two sounds differ in, frame by frame along a path of delays: likeness of structure on ERB bands (the idea of NSIM), log-spectral
// distance, likelihood ratio of linear prediction, and what is missing.

import { HOP_MS } from './align.ts';
import { fft, powerOfTwo } from './fft.ts';
import type { SpeechHz } from './speech.ts';

const FRAME_MS = 32;
/** Quieter than this against the usual active frame is silence, in dB; bands are not looked at further below. */
const SILENT_DB = -32;
const FLOOR_DB = -42;
/** Cleared by more than this against what was said: nothing is heard. */
const DEAD_DB = 24;
const BANDS = { 8_000: { count: 16, fromHz: 120, toHz: 3_500, order: 10 }, 16_000: { count: 21, fromHz: 80, toHz: 7_400, order: 16 } } as const;

/** One comparison a row; rows of what was heard first, then of what was said and left out. */
export interface Features {
  readonly rows: number;
  /** 1 where either side speaks. */
  readonly active: Uint8Array;
  /** 0 alike .. 1 nothing alike. */
  readonly unlike: Float64Array;
  readonly lsdDb: Float64Array;
  readonly llr: Float64Array;
  /** 1 where something was said and nothing heard. */
  readonly dead: Uint8Array;
}

export function featuresOf(said: Int16Array, heard: Int16Array, rateHz: SpeechHz, delaysMs: Float64Array): Features {
  const perMs = rateHz / 1_000, { count: bands } = BANDS[rateHz];
  // Pairs of middles: every frame heard against what was said then, and every frame said that the path leaps over.
  const heardAt: number[] = [], saidAt: number[] = [];
  for (let f = 0; f < delaysMs.length; f++) {
    heardAt.push((f + 0.5) * HOP_MS);
    saidAt.push((f + 0.5) * HOP_MS - delaysMs[f]!);
  }
  const whole = heardAt.length;
  for (let f = 1; f < whole; f++) {
    for (let at = saidAt[f - 1]! + HOP_MS; at < saidAt[f]! - HOP_MS / 2; at += HOP_MS) {
      heardAt.push(heardAt[f]!);
      saidAt.push(at);
    }
  }
  const rows = heardAt.length;
  const spectra = new Spectra(rateHz);
  const a = new Float64Array(rows * bands), b = new Float64Array(rows * bands), powerA = new Float64Array(rows), powerB = new Float64Array(rows), llr = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    powerA[r] = spectra.bands(said, saidAt[r]! * perMs, a, r * bands);
    powerB[r] = spectra.bands(heard, heardAt[r]! * perMs, b, r * bands);
    llr[r] = spectra.likelihood(said, saidAt[r]! * perMs, heard, heardAt[r]! * perMs);
  }
  const usualA = usual(powerA.subarray(0, whole)), gainDb = usualA - usual(powerB.subarray(0, whole));
  const active = new Uint8Array(rows), dead = new Uint8Array(rows), lsdDb = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    powerB[r]! += gainDb;
    const within = saidAt[r]! >= 0 && saidAt[r]! * perMs < said.length; // what is heard before and after is nobody's speech
    active[r] = within && Math.max(powerA[r]!, powerB[r]!) > usualA + SILENT_DB ? 1 : 0;
    dead[r] = within && r < whole && powerA[r]! > usualA + SILENT_DB + 10 && powerB[r]! < powerA[r]! - DEAD_DB ? 1 : 0;
  }
  let loudest = -Infinity; // of the usual spectrum
  for (let r = 0; r < whole; r++) if (active[r] === 1) for (let k = 0; k < bands; k++) loudest = Math.max(loudest, a[r * bands + k]!);
  const floor = loudest + FLOOR_DB;
  for (let i = 0; i < rows * bands; i++) {
    a[i] = Math.max(0, a[i]! - floor);
    b[i] = Math.max(0, b[i]! + gainDb - floor);
  }
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let k = 0; k < bands; k++) sum += (a[r * bands + k]! - b[r * bands + k]!) ** 2;
    lsdDb[r] = Math.sqrt(sum / bands);
  }
  return { rows, active, dead, lsdDb, llr, unlike: unlikeness(a, b, whole, rows, bands) };
}

/** Power in dB that the louder half of the frames has. */
function usual(powers: Float64Array): number {
  const loud = [...powers].sort((x, y) => y - x).slice(0, Math.max(1, powers.length >> 1));
  return 10 * Math.log10(loud.reduce((sum, db) => sum + 10 ** (db / 10), 0) / loud.length);
}

const RANGE_DB = -FLOOR_DB;
const C1 = (0.01 * RANGE_DB) ** 2, C3 = (0.03 * RANGE_DB) ** 2 / 2;
/** A bell of 3 by 3. */
const BELL = [0.0113, 0.0838, 0.0113, 0.0838, 0.6193, 0.0838, 0.0113, 0.0838, 0.0113] as const;

/** 1 less the mean over the bands of luminance times structure in patches of three frames by three bands. */
function unlikeness(a: Float64Array, b: Float64Array, whole: number, rows: number, bands: number): Float64Array {
  const out = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = 0;
    for (let k = 0; k < bands; k++) {
      let ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
      for (let i = -1, w = 0; i <= 1; i++) {
        const row = r >= whole || r + i < 0 || r + i >= whole ? r : r + i;
        for (let j = -1; j <= 1; j++, w++) {
          const at = row * bands + Math.max(0, Math.min(bands - 1, k + j)), weight = BELL[w]!, x = a[at]!, y = b[at]!;
          ma += weight * x;
          mb += weight * y;
          aa += weight * x * x;
          bb += weight * y * y;
          ab += weight * x * y;
        }
      }
      const va = Math.max(0, aa - ma * ma), vb = Math.max(0, bb - mb * mb), cross = ab - ma * mb;
      sum += (2 * ma * mb + C1) / (ma * ma + mb * mb + C1) * (cross + C3) / (Math.sqrt(va * vb) + C3);
    }
    out[r] = Math.min(1, Math.max(0, 1 - sum / bands));
  }
  return out;
}

/** Frames cut out of a sound and looked at. */
class Spectra {
  readonly #length: number;
  readonly #window: Float64Array;
  readonly #re: Float64Array;
  readonly #im: Float64Array;
  readonly #edges: readonly number[];
  readonly #order: number;
  readonly #ra: Float64Array;
  readonly #rb: Float64Array;
  readonly #la: Float64Array;
  readonly #lb: Float64Array;

  constructor(rateHz: SpeechHz) {
    const { count, fromHz, toHz, order } = BANDS[rateHz];
    this.#length = FRAME_MS * rateHz / 1_000;
    this.#window = Float64Array.from({ length: this.#length }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * (i + 0.5) / this.#length));
    const size = powerOfTwo(this.#length) * 2;
    this.#re = new Float64Array(size);
    this.#im = new Float64Array(size);
    const erb = (hz: number): number => 21.4 * Math.log10(1 + 0.00437 * hz), hz = (e: number): number => (10 ** (e / 21.4) - 1) / 0.00437;
    this.#edges = Array.from({ length: count + 1 }, (_, i) => Math.round(hz(erb(fromHz) + (erb(toHz) - erb(fromHz)) * i / count) * size / rateHz));
    this.#order = order;
    this.#ra = new Float64Array(order + 1);
    this.#rb = new Float64Array(order + 1);
    this.#la = new Float64Array(order + 1);
    this.#lb = new Float64Array(order + 1);
  }

  /** Level in dB of each band of the frame whose middle is sample `middle`, into out[at..]; gives that of the whole frame. */
  bands(sound: Int16Array, middle: number, out: Float64Array, at: number): number {
    const re = this.#re, im = this.#im, from = Math.round(middle) - this.#length / 2;
    re.fill(0);
    im.fill(0);
    for (let i = 0; i < this.#length; i++) re[i] = (sound[from + i] ?? 0) * this.#window[i]!;
    fft(re, im);
    let whole = 0;
    for (let k = 0; k + 1 < this.#edges.length; k++) {
      const start = this.#edges[k]!, end = Math.max(start + 1, this.#edges[k + 1]!);
      let sum = 0;
      for (let i = start; i < end; i++) sum += re[i]! * re[i]! + im[i]! * im[i]!;
      whole += sum;
      out[at + k] = 10 * Math.log10(sum / (end - start) + 1);
    }
    return 10 * Math.log10(whole + 1);
  }

  /** log of how much worse the linear prediction of `b` predicts `a` than a's own does; 0 to 2. */
  likelihood(a: Int16Array, middleA: number, b: Int16Array, middleB: number): number {
    this.#correlate(a, middleA, this.#ra);
    this.#correlate(b, middleB, this.#rb);
    levinson(this.#ra, this.#la);
    levinson(this.#rb, this.#lb);
    const own = residual(this.#ra, this.#la), other = residual(this.#ra, this.#lb);
    return own <= 0 ? 0 : Math.min(2, Math.max(0, Math.log(other / own)));
  }

  #correlate(sound: Int16Array, middle: number, out: Float64Array): void {
    const frame = this.#re, from = Math.round(middle) - this.#length / 2;
    for (let i = 0; i < this.#length; i++) frame[i] = (sound[from + i] ?? 0) * this.#window[i]!;
    for (let lag = 0; lag <= this.#order; lag++) {
      let sum = 0;
      for (let i = lag; i < this.#length; i++) sum += frame[i]! * frame[i - lag]!;
      out[lag] = sum;
    }
    out[0] = out[0]! * 1.001 + 100; // keeps silence apart from clean zeros
  }
}

/** Prediction error filter of an autocorrelation. */
export function levinson(r: Float64Array, a: Float64Array): void {
  a.fill(0);
  a[0] = 1;
  let error = r[0]!;
  for (let i = 1; i < a.length; i++) {
    let sum = 0;
    for (let j = 0; j < i; j++) sum += a[j]! * r[i - j]!;
    const k = -sum / error;
    for (let j = 1; j <= i >> 1; j++) {
      const x = a[j]!, y = a[i - j]!;
      a[j] = x + k * y;
      a[i - j] = y + k * x;
    }
    a[i] = k;
    error *= 1 - k * k;
  }
}

/** Energy that the filter `a` leaves of a sound with the autocorrelation `r`. */
function residual(r: Float64Array, a: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) for (let j = 0; j < a.length; j++) sum += a[i]! * a[j]! * r[Math.abs(i - j)]!;
  return sum;
}
