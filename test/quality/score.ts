// A listening score for speech that went through a telephone, against what was said: 1 (bad) to 4.5, on the scale of PESQ (ITU-T P.862, and
// P.862.2 for wide band), of which it is no copy. The path of delays is followed first, so that delay itself, cuts of a pitch period and
// drifting clocks cost nothing; then every frame is compared by the structure of its ERB bands, its log spectrum and its dead air.
//
//   said, heard -> delays (align.ts) -> frames (features.ts) -> pooled into one disturbance -> 1 + 3.5 / (1 + disturbance ^ steepness)
//
// Fitted to published and measured PESQ means of six synthetic voices: score.test.ts holds the table. It ranks; it does not say what people
// would. Two runs of one condition over a real network differ by up to 0.1: compare no finer, and on the same words and losses.

import { delaysOf, HOP_MS } from './align.ts';
import { clicksOf } from './clicks.ts';
import { featuresOf, type Features } from './features.ts';
import type { SpeechHz } from './speech.ts';

export interface Score {
  /** 1 to 4.5. */
  readonly mos: number;
  /** Of speech: median and 95th percentile, from where it stands in `said` to where it stands in `heard`. */
  readonly delayMs: number;
  readonly delayP95Ms: number;
  /** How far the delay moved from the first to the last tenth of the speech. */
  readonly delayGrewMs: number;
  readonly clicksAMinute: number;
  /** Silence where something was said, per minute. */
  readonly deadMsAMinute: number;
  /** What the score is made of: 0 alike .. 1 for the structure, dB for the spectrum, natural log for the likelihood ratio. */
  readonly unlike: number;
  readonly lsdDb: number;
  readonly llr: number;
}

export interface ScoreOptions {
  /** The greatest delay looked for; 450 unless told. */
  readonly mostMs?: number;
  /** So much earlier than it was sent may `heard` be, from a sender whose clock runs fast; 0 unless told. */
  readonly leadMs?: number;
  /** What to leave out at both ends of `heard`, for settling; nothing unless told. */
  readonly skipMs?: number;
}

/** Weights of what is pooled, and how steeply the score falls. */
const FIT = {
  8_000: { unlike: 5, lsd: 2.4, dead: 2, steepness: 0.88 },
  16_000: { unlike: 3, lsd: 0.19, dead: 6, steepness: 3.15 },
} as const;
/** Frames of 320 ms, in which the worst counts most. */
const SYLLABLE = 20;

/** Both at `rateHz`: 8 kHz compares as a narrow-band telephone, 16 kHz as a wide-band one. `heard` must not be earlier than `said` by more than is told. */
export function score(said: Int16Array, heard: Int16Array, rateHz: SpeechHz, options: ScoreOptions = {}): Score {
  const leadMs = options.leadMs ?? 0;
  if (leadMs > 0) {
    const later = new Int16Array(heard.length + Math.round(leadMs * rateHz / 1_000));
    later.set(heard, later.length - heard.length);
    const { delayMs, delayP95Ms, ...rest } = score(said, later, rateHz, { ...options, leadMs: 0, mostMs: (options.mostMs ?? 450) + leadMs });
    return { ...rest, delayMs: delayMs - leadMs, delayP95Ms: delayP95Ms - leadMs };
  }
  const delays = delaysOf(said, heard, rateHz, options.mostMs ?? 450);
  const skip = Math.round((options.skipMs ?? 0) / HOP_MS), minutes = Math.max(1, delays.length - 2 * skip) * HOP_MS / 60_000;
  const features = featuresOf(said, heard, rateHz, delays);
  for (let r = 0; r < skip; r++) features.active[r] = features.active[delays.length - 1 - r] = features.dead[r] = features.dead[delays.length - 1 - r] = 0;
  const clicks = clicksOf(said, heard, rateHz, delays).filter((ms) => ms >= skip * HOP_MS && ms < (delays.length - skip) * HOP_MS);
  const speaking = [...delays].filter((_, r) => features.active[r] === 1), sorted = [...speaking].sort((a, b) => a - b);
  const tenth = Math.ceil(speaking.length / 10);
  let dead = 0;
  for (const one of features.dead) dead += one;
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return {
    mos: mosOf(features, rateHz),
    delayMs: at(0.5), delayP95Ms: at(0.95), delayGrewMs: median(speaking.slice(-tenth)) - median(speaking.slice(0, tenth)),
    clicksAMinute: clicks.length / minutes, deadMsAMinute: dead * HOP_MS / minutes,
    unlike: power(features, features.unlike, 1), lsdDb: power(features, features.lsdDb, 1), llr: power(features, features.llr, 1),
  };
}

function mosOf(features: Features, rateHz: SpeechHz): number {
  const fit = FIT[rateHz], dead = power(features, features.dead, 1);
  const disturbance = rateHz === 8_000
    ? fit.unlike * syllables(features, features.unlike, 2) + fit.lsd * power(features, features.lsdDb, 0.5) + fit.dead * dead
    : fit.unlike * syllables(features, features.unlike, 4) + fit.lsd * syllables(features, features.lsdDb, 4) + fit.dead * dead;
  return 1 + 3.5 / (1 + disturbance ** fit.steepness);
}

/** Mean of order `order` over the frames with speech. */
function power({ active, rows }: Features, values: ArrayLike<number>, order: number): number {
  let sum = 0, count = 0;
  for (let r = 0; r < rows; r++) {
    if (active[r] === 0) continue;
    sum += values[r]! ** order;
    count++;
  }
  return count === 0 ? 0 : (sum / count) ** (1 / order);
}

/** Mean over syllables of the mean of order `order` of each. */
function syllables({ active, rows }: Features, values: ArrayLike<number>, order: number): number {
  let sum = 0, count = 0;
  for (let from = 0; from < rows; from += SYLLABLE) {
    let powers = 0, frames = 0;
    for (let r = from; r < Math.min(rows, from + SYLLABLE); r++) {
      if (active[r] === 0) continue;
      powers += values[r]! ** order;
      frames++;
    }
    if (frames > 0) sum += frames * (powers / frames) ** (1 / order);
    count += frames;
  }
  return count === 0 ? 0 : sum / count;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
