// Packet loss concealment: the last pitch periods go on, fading, until sound is back, and then run into it where the two are most alike.
// After the idea of G.711 appendix I (history, lag search, repetition, overlap-add), but without its output delay: the jump
// into the repetition is levelled out by a decaying offset instead. When the sound after the gap is there in time, its own
// first periods are led back into the gap, so that the fade from the one to the other is over when it begins.
//
//   history  ..............|<-- lag -->|        gap         | sound again
//   forward                            |period period, fading -->  
//   backward                              <-- period period |
//
// The sound lies in x: history up to `at`, from there on what is being made.

import { likeness, periodAt } from './pitch.ts';

const SHORTEST_MS = 2.5;
const LONGEST_MS = 15;
/** The newest sound is sought over this long in the sound before it. */
const LIKE_MS = 12;
/** Of sound that repeats itself so well, the join may be moved by half a period either way. */
const VOICED = 0.5;
/** What is made up fades from HOLD_MS on and is silent after SILENT_MS. */
const HOLD_MS = 15;
const SILENT_MS = 90;
/** A step into or out of a repetition is levelled out over this long. */
const SETTLE_MS = 2;
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
  #step = 0;
  /** Samples made up since the last real one. */
  #made = 0;

  constructor(x: Int16Array, at: number, perMs: number) {
    this.#x = x;
    this.#at = at;
    this.#perMs = perMs;
    this.#source = new Int16Array((LONGEST_MS + LIKE_MS + 4) * perMs);
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

  /** Make up `count` samples. */
  conceal(count: number): void {
    if (this.#made === 0) this.#begin();
    if (this.#made < SILENT_MS * this.#perMs) return this.#fill(this.#x, this.#at, count);
    this.#x.fill(0, this.#at, this.#at + count);
  }

  /**
   * `count` samples of real sound lie `gap` samples after where the sound made so far ends; the first `skip` of them may be left out. Fills the
   * gap and joins both, in place; gives how many samples there are now. Moves the join by up to half a period to where both sides are
   * alike, rather later (`lean` 1) or earlier (-1).
   */
  join(gap: number, count: number, skip: number, lean: number): number {
    const x = this.#x, c = this.#ahead, perMs = this.#perMs;
    const join = (this.#made > 20 * perMs ? 2 : 1) * JOIN_MS * perMs, match = MATCH_MS * perMs;
    if (this.#made === 0) this.#begin();
    const reach = this.#voiced ? Math.max(0, Math.min(this.#lag >> 1, count - skip - match)) : 0;
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
    this.#voiced = likeness(source, newest, source, newest - this.#lag, LIKE_MS * perMs, 1) > VOICED;
    this.#round = 0;
    this.#step = source[length - 1]! - source[length - 1 - this.#lag]!;
  }

  #fill(out: Int16Array, from: number, count: number): void {
    const perMs = this.#perMs, source = this.#source, lag = this.#lag, start = source.length - lag, quarter = lag >> 2;
    const holdEnd = HOLD_MS * perMs, silentFrom = SILENT_MS * perMs, settle = SETTLE_MS * perMs;
    for (let i = 0; i < count; i++) {
      let x = source[start + this.#round]!;
      const toEnd = lag - this.#round;
      if (toEnd <= quarter) { // the end of the period runs into its beginning
        const weight = (quarter - toEnd + 0.5) / quarter;
        x = x * (1 - weight) + source[start - toEnd]! * weight;
      }
      if (this.#made < settle) x += this.#step * smooth(1 - this.#made / settle);
      if (this.#made > holdEnd) x *= this.#made >= silentFrom ? 0 : (silentFrom - this.#made) / (silentFrom - holdEnd);
      out[from + i] = x > 32767 ? 32767 : x < -32768 ? -32768 : Math.round(x);
      if (++this.#round === lag) this.#round = 0;
      this.#made++;
    }
  }
}
