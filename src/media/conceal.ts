// Packet loss concealment for codecs without their own: the last pitch periods go on, fading, until sound is back. After the
// idea of G.711 appendix I (history, lag search, one to three periods, overlap-add), but without its output delay: the jump
// into the repetition is levelled out by a decaying offset instead.
//
//   history  ...............|<-- lag -->|            lost            | real again
//   output                              |period period period, fading|cross-fade

import { likeness } from './pitch.ts';

export class Concealer {
  /** Samples a millisecond. */
  readonly #perMs: number;
  readonly #shortest: number;
  readonly #longest: number;
  /** The newest sound, ours included, last sample last. */
  readonly #history: Int16Array;
  /** The history as it was when the loss began. */
  readonly #source: Int16Array;
  readonly #bridge: Int16Array;
  #lag = 0;
  #at = 0;
  #periods = 1;
  #step = 0;
  /** Samples made up since the last real one. */
  #made = 0;

  constructor(rateHz: number) {
    this.#perMs = rateHz / 1000;
    this.#shortest = 5 * this.#perMs;
    this.#longest = 15 * this.#perMs;
    this.#history = new Int16Array(3 * this.#longest + 4 * this.#perMs);
    this.#source = new Int16Array(this.#history.length);
    this.#bridge = new Int16Array(8 * this.#perMs);
  }

  /** Real sound: joins it to what was made up, in place, and remembers it. */
  good(pcm: Int16Array, count: number): void {
    if (this.#made > 0) { // the longer the gap, the slower the join
      const join = Math.min(count, this.#bridge.length, this.#made > 20 * this.#perMs ? 8 * this.#perMs : 4 * this.#perMs);
      this.#fill(this.#bridge, join);
      for (let i = 0; i < join; i++) {
        const weight = (i + 0.5) / join;
        pcm[i] = Math.round(this.#bridge[i]! * (1 - weight) + pcm[i]! * weight);
      }
      this.#made = 0;
    }
    this.#remember(pcm, count);
  }

  /** Make up `count` samples. */
  conceal(out: Int16Array, count: number): void {
    if (this.#made === 0) {
      this.#source.set(this.#history);
      this.#lag = this.#findLag();
      this.#at = 0;
      this.#periods = 1;
      const end = this.#source.length - 1;
      this.#step = this.#source[end]! - this.#source[end - this.#lag]!;
    }
    this.#fill(out, count);
    this.#remember(out, count);
  }

  #fill(out: Int16Array, count: number): void {
    const perMs = this.#perMs, source = this.#source, lag = this.#lag, quarter = lag >> 2;
    const holdEnd = 10 * perMs, silentFrom = 70 * perMs, settle = 2 * perMs;
    for (let i = 0; i < count; i++) {
      if (this.#at === this.#periods * lag) { // once round: two periods after 10 ms, three after 20, against buzzing
        this.#at = 0;
        if (this.#made >= holdEnd * this.#periods && this.#periods < 3) this.#periods++;
      }
      const length = this.#periods * lag, start = source.length - length;
      let x = source[start + this.#at]!;
      const toEnd = length - this.#at;
      if (toEnd <= quarter) { // the end of the loop runs into its beginning
        const weight = (quarter - toEnd + 0.5) / quarter;
        x = x * (1 - weight) + source[start - toEnd]! * weight;
      }
      if (this.#made < settle) x += this.#step * (1 - this.#made / settle);
      if (this.#made > holdEnd) x *= this.#made >= silentFrom ? 0 : (silentFrom - this.#made) / (silentFrom - holdEnd);
      out[i] = x > 32767 ? 32767 : x < -32768 ? -32768 : Math.round(x);
      this.#at++;
      this.#made++;
    }
  }

  /** The distance at which the last sound repeats itself best: a coarse search, then a fine one around its winner. */
  #findLag(): number {
    const span = 2 * this.#longest - this.#shortest, from = this.#source.length - span;
    const coarse = this.#perMs / 4;
    let best = this.#longest, most = -2;
    for (let lag = this.#shortest; lag <= this.#longest; lag += coarse) {
      const like = likeness(this.#source, from, from - lag, span, coarse);
      if (like > most) {
        most = like;
        best = lag;
      }
    }
    const middle = best;
    for (let lag = Math.max(this.#shortest, middle - coarse); lag <= Math.min(this.#longest, middle + coarse); lag++) {
      const like = likeness(this.#source, from, from - lag, span, 1);
      if (like > most) {
        most = like;
        best = lag;
      }
    }
    return best;
  }

  #remember(pcm: Int16Array, count: number): void {
    const history = this.#history, length = history.length;
    const taken = Math.min(count, length);
    history.copyWithin(0, taken);
    for (let i = 0; i < taken; i++) history[length - taken + i] = pcm[count - taken + i]!;
  }
}
