// Packet loss concealment: the last pitch periods go on, fading, until sound is back, and then run into it where the two are most alike.
// After the idea of G.711 appendix I (history, lag search, repetition, overlap-add), but without its output delay: what the newest
// samples are more than a period before rings out through their linear prediction instead, so that nothing leaps. What does not repeat
// itself goes on as noise through the same prediction, and where nothing comes for long the background (background.ts) is heard. When the
// sound after the gap is there in time, its own first periods are led back into the gap, so that the fade from the one to the other is over when it begins.
//
//   history  ..............|<-- lag -->|        gap         | sound again
//   forward                            |period period, fading -->  
//   backward                              <-- period period |
//
// The sound lies in x: history up to `at`, from there on what is being made.

import { Background } from './background.ts';
import { likeness, periodAt } from './pitch.ts';
import { orderFor, predictor } from './predictor.ts';

const SHORTEST_MS = 2.5;
const LONGEST_MS = 15;
/** The newest sound is sought over this long in the sound before it. */
const LIKE_MS = 12;
/** Of sound that repeats itself so well, the join may be moved by half a period either way. */
const VOICED = 0.5;
/** What is made up fades from HOLD_MS on and is silent after SILENT_MS. */
const HOLD_MS = 50;
const SILENT_MS = 120;
/** How the newest sound differs from a period before rings on so long. */
const RING_MS = 8;
/** The newest sound is foretold from this long. */
const LEARN_MS = 20;
/** Noise goes on as loud as the last of the sound was. */
const FRESH_MS = 5;
/** The filter's own tones fade by so much a sample. */
const TAME = 0.995;
/** Likeness to a period before from which on what is made up is repetition alone, and below which it is noise alone. */
const ALL_VOICE = 0.5;
const ALL_NOISE = 0.2;
/** Fade where two sounds meet, and the longest piece that is led back into a gap. */
const JOIN_MS = 4;
const LEAD_MS = 15;
/** Over so much two sounds must be alike to be joined there. */
const MATCH_MS = 5;
/** How much likeness moving the join by half a period must be worth. */
const SHY = 0.1;
/** The longest gap that is joined. */
const GAP_MS = 60;

/** From 0 to 1 without a corner at either end. */
const smooth = (x: number): number => x * x * (3 - 2 * x);

export class Concealer {
  readonly #x: Int16Array;
  readonly #at: number;
  /** Samples a millisecond. */
  readonly #perMs: number;
  /** The history as it was when the loss began. */
  readonly #source: Int16Array;
  readonly #ahead: Int16Array;
  #lag = 0;
  #voiced = false;
  #round = 0;
  /** How much of what is made up is repetition; the rest is noise. */
  #share = 1;
  /** What foretells the newest sound. */
  readonly #filter: Float64Array;
  readonly #scratch: Float64Array;
  /** What the newest samples are more than a period before, the newest first; and what noise there was. */
  readonly #ring: Float64Array;
  readonly #hiss: Float64Array;
  #hissing = 0;
  #seed = 1;
  readonly #background: Background;
  /** Comfort noise is heard in place of the background. */
  #bare = false;
  /** Samples made up since the last real one. */
  #made = 0;

  constructor(x: Int16Array, at: number, perMs: number) {
    this.#x = x;
    this.#at = at;
    this.#perMs = perMs;
    this.#source = new Int16Array((LONGEST_MS + LIKE_MS + 4) * perMs);
    this.#filter = new Float64Array(orderFor(perMs) + 1);
    this.#scratch = new Float64Array(orderFor(perMs) + 1);
    this.#ring = new Float64Array(orderFor(perMs));
    this.#hiss = new Float64Array(orderFor(perMs));
    this.#background = new Background(perMs);
    this.#ahead = new Int16Array((GAP_MS + 2 * LONGEST_MS) * perMs);
  }

  /** True while the newest sound is made up. */
  get hiding(): boolean {
    return this.#made > 0;
  }

  /** The newest sound, made elsewhere, is real. */
  good(): void {
    this.#made = 0;
  }

  /** Real sound of `count` samples lies `gap` after the sound so far, to learn the background from. */
  heard(gap: number, count: number): void {
    this.#background.heard(this.#x, this.#at + gap, count);
  }

  /** Make up `count` samples; `bare`: without background, for comfort noise is added. */
  conceal(count: number, bare = false): void {
    this.#bare = bare;
    if (this.#made === 0) this.#begin();
    if (this.#made < SILENT_MS * this.#perMs || this.#background.sounds) return this.#fill(this.#x, this.#at, count);
    this.#x.fill(0, this.#at, this.#at + count);
  }

  /**
   * `count` samples of real sound lie `gap` samples after where the sound made so far ends; the first `skip` of them may be left out. Fills the
   * gap and joins both, in place; gives how many samples there are now. Moves the join by up to half a period to where both sides are
   * alike, rather later (`lean` 1) or earlier (-1); never where the sound is to keep its place (`still`).
   */
  join(gap: number, count: number, skip: number, lean: number, still = false): number {
    const x = this.#x, c = this.#ahead, perMs = this.#perMs;
    const join = (this.#made > 20 * perMs ? 2 : 1) * JOIN_MS * perMs, match = MATCH_MS * perMs;
    if (this.#made === 0) this.#begin();
    const reach = this.#voiced && !still ? Math.max(0, Math.min(this.#lag >> 1, count - skip - match)) : 0;
    this.#fill(c, 0, gap + reach + 2 * match);
    const middle = lean * reach / 2;
    let from = this.#at + gap + skip, shift = 0, most = -2;
    for (let s = -reach; s <= reach; s++) {
      const over = Math.max(0, -gap - s);
      const like = likeness(c, gap + s + over, x, from + over, match, 1) - SHY * Math.abs(s - middle) / (reach + 1);
      if (like <= most) continue;
      most = like;
      shift = s;
    }
    const start = Math.max(0, gap + shift), left = count - skip - start + gap + shift;
    from += count - skip - left;
    const lead = Math.min(start, LEAD_MS * perMs), fade = Math.max(0, join - lead), longest = Math.min(LONGEST_MS * perMs, left - match);
    const lag = lead > 0 && longest >= this.#lag ? periodAt(x, from + longest, match, SHORTEST_MS * perMs, longest, perMs >> 2) : this.#lag;
    const quarter = lag >> 2, led = lead > 0 && lag + quarter < left ? quarter : 0, end = Math.min(left, Math.max(fade, led));
    for (let i = -lead; i < end; i++) {
      let k = i;
      while (k < 0) k += lag;
      let y = x[from + (k < left ? k : 0)]!;
      if (k < led) { // before a period comes the end of the same: it begins as that goes on
        const share = (k + 0.5) / quarter;
        y = x[from + k + lag]! * (1 - share) + y * share;
      }
      if (i < fade) {
        const weight = (i + lead + 0.5) / (lead + fade);
        y = c[start + i]! * (1 - weight) + y * weight;
      }
      if (i < 0) c[start + i] = Math.round(y);
      else x[from + i] = Math.round(y);
    }
    x.copyWithin(this.#at + start, from, from + left);
    for (let i = 0; i < start; i++) x[this.#at + i] = c[i]!;
    this.#made = 0;
    return start + left;
  }

  #begin(): void {
    const perMs = this.#perMs, source = this.#source, { length } = source, newest = length - LIKE_MS * perMs;
    for (let i = 0; i < length; i++) source[i] = this.#x[this.#at - length + i]!;
    this.#lag = periodAt(source, newest, LIKE_MS * perMs, SHORTEST_MS * perMs, LONGEST_MS * perMs, perMs >> 2);
    const like = likeness(source, newest, source, newest - this.#lag, LIKE_MS * perMs, 1);
    this.#voiced = like > VOICED;
    this.#share = smooth(Math.max(0, Math.min(1, (like - ALL_NOISE) / (ALL_VOICE - ALL_NOISE))));
    this.#round = 0;
    this.#background.begin();
    const a = this.#filter, count = LEARN_MS * perMs, fresh = FRESH_MS * perMs;
    predictor(source, length - count, count, a, this.#scratch);
    for (let m = 0; m < this.#ring.length; m++) {
      this.#hiss[m] = source[length - 1 - m]!;
      this.#ring[m] = source[length - 1 - m]! - source[length - 1 - m - this.#lag]!;
    }
    let power = 0;
    for (let i = length - fresh; i < length; i++) {
      let sum = 0;
      for (let m = 0; m < a.length; m++) sum += a[m]! * source[i - m]!;
      power += sum * sum;
    }
    this.#hissing = Math.sqrt(3 * power / fresh);
    for (let m = 1, tame = 1; m < a.length; m++) a[m]! *= (tame *= TAME);
  }

  #fill(out: Int16Array, from: number, count: number): void {
    const perMs = this.#perMs, background = this.#background, behind = background.sounds;
    const holdEnd = HOLD_MS * perMs, silentFrom = SILENT_MS * perMs;
    for (let i = 0; i < count; i++) {
      const level = this.#made <= holdEnd ? 1 : Math.max(0, (silentFrom - this.#made) / (silentFrom - holdEnd));
      let x = level === 0 ? 0 : level * this.#voice();
      if (behind) x += background.next(this.#bare ? 0 : 1 - level, this.#made);
      out[from + i] = x > 32767 ? 32767 : x < -32768 ? -32768 : Math.round(x);
      this.#made++;
    }
  }

  /** The next sample of the voice that is gone. */
  #voice(): number {
    const perMs = this.#perMs, source = this.#source, lag = this.#lag, start = source.length - lag, quarter = lag >> 2, ringing = RING_MS * perMs;
    let x = source[start + this.#round]!;
    const toEnd = lag - this.#round;
    if (toEnd <= quarter) { // the end of the period runs into its beginning
      const weight = (quarter - toEnd + 0.5) / quarter;
      x = x * (1 - weight) + source[start - toEnd]! * weight;
    }
    if (++this.#round === lag) this.#round = 0;
    if (this.#made < ringing) x += this.#next(this.#ring, 0) * smooth(1 - this.#made / ringing);
    if (this.#share === 1) return x;
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) | 0;
    return x * this.#share + this.#next(this.#hiss, this.#hissing * this.#seed / 0x8000_0000) * (1 - this.#share);
  }

  /** The sample that follows on `past`, the newest of it first, when `fresh` is new in it. */
  #next(past: Float64Array, fresh: number): number {
    const a = this.#filter;
    let y = fresh;
    for (let m = past.length; m > 0; m--) y -= a[m]! * past[m - 1]!;
    past.copyWithin(1, 0);
    past[0] = y;
    return y;
  }
}
