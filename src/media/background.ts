// The noise behind the far voice: learnt from the quietest of what is heard, and made anew where nothing comes for long, so that a loss sounds like a pause
// and not like a dead line. Silence of a line that has no noise stays silence.

import { orderFor, predictor } from './predictor.ts';

const FRAME_MS = 20;
/** Nothing is known before so many frames: who speaks at once has no background yet. */
const ENOUGH = 50;
/** Power of the quietest frame may rise so much a frame, half a dB a second: a long sentence does not lift it, another room does in a while. */
const RISE = 10 ** 0.001;
/** A frame is background up to so many times the power of the quietest. */
const NEAR = 1.26;
/** What is louder than -36 dBov is no background. */
const LOUDEST = 520 ** 2;
/** The noise goes on for so long, then fades: the other side may be gone. */
const LASTS_MS = 3000;
const FADES_MS = 2000;
const RISES_MS = 20;

export class Background {
  readonly #perMs: number;
  /** Mean square of the quietest frame. */
  #least = Infinity;
  /** The last frame as quiet as that. */
  readonly #like: Int16Array;
  readonly #filter: Float64Array;
  readonly #past: Float64Array;
  readonly #scratch: Float64Array;
  #frames = 0;
  #learnt = true;
  #newness = 0;
  #gain = 0;
  #seed = 7;

  constructor(perMs: number) {
    this.#perMs = perMs;
    this.#like = new Int16Array(FRAME_MS * perMs);
    this.#filter = new Float64Array(orderFor(perMs) + 1);
    this.#scratch = new Float64Array(orderFor(perMs) + 1);
    this.#past = new Float64Array(orderFor(perMs));
  }

  /** Real sound is x[at .. at + count); of shorter packets than a frame the sound before counts too. */
  heard(x: Int16Array, at: number, count: number): void {
    const frame = FRAME_MS * this.#perMs;
    for (let from = at + count - frame; from > at - frame; from -= frame) {
      let power = 0;
      for (let i = from; i < from + frame; i++) power += x[i]! * x[i]!;
      power /= frame;
      this.#frames++;
      this.#least = Math.min(power, this.#least * RISE + 1e-3);
      if (power > NEAR * this.#least) continue;
      for (let i = 0; i < frame; i++) this.#like[i] = x[from + i]!;
      this.#learnt = false;
    }
  }

  /** Nothing comes now: begin with what is known. */
  begin(): void {
    this.#gain = 0;
    if (this.#frames < ENOUGH || this.#learnt) return;
    const like = this.#like;
    let power = 0;
    for (const x of like) power += x * x;
    power /= like.length;
    const fresh = predictor(like, 0, like.length, this.#filter, this.#scratch);
    this.#newness = power < 1 ? 0 : Math.sqrt(3 * fresh * Math.min(1, LOUDEST / power)); // of evenly distributed numbers a third is the mean square
    this.#past.fill(0);
    this.#learnt = true;
  }

  /** The next sample, `share` of the whole noise, `made` samples after sound ended. */
  next(share: number, made: number): number {
    const perMs = this.#perMs, a = this.#filter, past = this.#past, faded = made - LASTS_MS * perMs;
    const wanted = faded <= 0 ? share : share * Math.max(0, 1 - faded / (FADES_MS * perMs));
    this.#gain += (wanted - this.#gain) / (RISES_MS * perMs / 3);
    this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) | 0;
    let y = this.#newness * this.#seed / 0x8000_0000;
    for (let m = past.length; m > 0; m--) y -= a[m]! * past[m - 1]!;
    past.copyWithin(1, 0);
    past[0] = y;
    return this.#gain * y;
  }

  /** False while next() would give nothing. */
  get sounds(): boolean {
    return this.#newness > 0;
  }
}
