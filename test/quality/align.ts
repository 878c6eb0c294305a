// How late each moment of a sound is: the delay between what was said and what was heard, followed through cuts, stretches and gaps.
// Every 16 ms of what was heard is sought in what was said by normalised correlation (at 8 kHz), and of all ways through the delays found
// the cheapest is taken, where staying is free, drifting cheap and leaping dear (Viterbi). So a concealed loss does not move the path,
// and a cut of one pitch period does.

import { resampled, type SpeechHz } from './speech.ts';
import { fft, powerOfTwo } from './fft.ts';

const TRACK_HZ = 8_000;
export const HOP_MS = 16;
const WINDOW_MS = 56;
const HOP = TRACK_HZ * HOP_MS / 1_000;
const WINDOW = TRACK_HZ * WINDOW_MS / 1_000;
/** Costs of a step of one lag (an eighth of a ms) and of a leap, in units of a frame's whole correlation. */
const STEP = 0.06;
const LEAP = 0.8;
/** Quieter than this against the usual window, in amplitude, says nothing about the delay. */
const QUIET = 0.05;

/** Delay in ms of each frame of `heard`; frame i has its middle at (i + 0.5) * HOP_MS. Through silence it stays as it was. */
export function delaysOf(said: Int16Array, heard: Int16Array, rateHz: SpeechHz, mostMs: number): Float64Array {
  const a = prepared(said, rateHz), b = prepared(heard, rateHz);
  const frames = Math.ceil(heard.length / rateHz * 1_000 / HOP_MS), lags = Math.round(mostMs * TRACK_HZ / 1_000) + 1;
  const usual = usualEnergy(b), matcher = new Matcher(lags), from = new Int16Array(frames * lags);
  let cost = new Float64Array(lags), next = new Float64Array(lags);
  for (let f = 0; f < frames; f++) {
    const weight = matcher.match(a, b, Math.round((f + 0.5) * HOP - WINDOW / 2), usual);
    step(cost, next, weight, matcher.likes, from, f * lags);
    [cost, next] = [next, cost];
  }
  const path = new Float64Array(frames);
  for (let f = frames - 1, at = leastOf(cost); f >= 0; f--) {
    path[f] = at * 1_000 / TRACK_HZ;
    at = from[f * lags + at]!;
  }
  return path;
}

/** At 8 kHz, with the low notes lowered: they are alike at too many lags. */
function prepared(sound: Int16Array, rateHz: SpeechHz): Float64Array {
  const low = resampled(sound, rateHz, TRACK_HZ), out = new Float64Array(low.length);
  for (let i = 1; i < low.length; i++) out[i] = low[i]! - 0.6 * low[i - 1]!;
  return out;
}

/** Of a window, while there is sound. */
function usualEnergy(sound: Float64Array): number {
  let power = 0, active = 0;
  for (const x of sound) {
    power += x * x;
    if (Math.abs(x) > 20) active++;
  }
  return WINDOW * power / Math.max(1, active);
}

class Matcher {
  /** How alike the window is to what was said so many samples earlier, 0 to 1, by lag. */
  readonly likes: Float64Array;
  readonly #lags: number;
  readonly #a: Float64Array;
  readonly #b: Float64Array;
  readonly #re: Float64Array;
  readonly #im: Float64Array;

  constructor(lags: number) {
    const size = powerOfTwo(lags + WINDOW);
    this.#lags = lags;
    this.likes = new Float64Array(lags);
    [this.#a, this.#b, this.#re, this.#im] = [new Float64Array(size), new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  }

  /** Look for heard[from ..] in what was said before; gives how much it tells, 0 to 1. */
  match(said: Float64Array, heard: Float64Array, from: number, usual: number): number {
    const a = this.#a, b = this.#b, re = this.#re, im = this.#im, lags = this.#lags, size = a.length, first = from - (lags - 1);
    let energy = 0;
    for (let i = 0; i < WINDOW; i++) energy += (heard[from + i] ?? 0) ** 2;
    const weight = Math.min(1, 2 * Math.sqrt(energy / (usual + 1)));
    if (weight < 2 * QUIET) return 0;
    a.fill(0);
    b.fill(0);
    for (let i = 0; i < lags + WINDOW - 1; i++) a[i] = said[first + i] ?? 0;
    for (let i = 0; i < WINDOW; i++) b[i] = heard[from + i] ?? 0;
    fft(a, b); // two real transforms in one complex one
    for (let k = 0; k < size; k++) {
      const m = (size - k) & (size - 1);
      const xr = (a[k]! + a[m]!) / 2, xi = (b[k]! - b[m]!) / 2, yr = (b[k]! + b[m]!) / 2, yi = (a[m]! - a[k]!) / 2;
      re[k] = xr * yr + xi * yi;
      im[k] = xi * yr - xr * yi;
    }
    fft(im, re);
    const floor = energy * 1e-3 + 1; // said nothing, heard something: not alike
    let local = 0;
    for (let i = 0; i < WINDOW; i++) local += (said[first + i] ?? 0) ** 2;
    for (let s = 0; s < lags; s++) {
      this.likes[lags - 1 - s] = Math.max(0, re[s]! / size / Math.sqrt(energy * (local + floor)));
      local = Math.max(0, local + (said[first + s + WINDOW] ?? 0) ** 2 - (said[first + s] ?? 0) ** 2);
    }
    return weight;
  }
}

function leastOf(cost: Float64Array): number {
  let least = 0;
  for (let l = 1; l < cost.length; l++) if (cost[l]! < cost[least]!) least = l;
  return least;
}

/** One frame on: the cheapest way to be at each lag, and from[at + lag], where it came from. */
function step(cost: Float64Array, next: Float64Array, weight: number, likes: Float64Array, from: Int16Array, at: number): void {
  const least = leastOf(cost), leap = cost[least]! + LEAP, lags = cost.length;
  for (let l = 0; l < lags; l++) {
    let best = cost[l]!, back = l;
    if (l > 0 && cost[l - 1]! + STEP < best) {
      best = cost[l - 1]! + STEP;
      back = l - 1;
    }
    if (l + 1 < lags && cost[l + 1]! + STEP < best) {
      best = cost[l + 1]! + STEP;
      back = l + 1;
    }
    if (leap < best) {
      best = leap;
      back = least;
    }
    next[l] = best + (weight === 0 ? 0 : weight * (1 - likes[l]!));
    from[at + l] = back;
  }
}
