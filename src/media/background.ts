// The noise behind the far voice: learnt from the quietest of what is heard, and made anew where nothing comes for long, so that a loss sounds like a pause
// and not like a dead line. Silence of a line that has no noise stays silence.

import { NoiseFloor } from './floor.ts';
import { orderFor, predictor } from './predictor.ts';

const FRAME_MS = 10;
/** Nothing is known before so many frames: who speaks at once has no background yet. */
const ENOUGH = 100;
/** A frame is background up to so many times the power of the floor. */
const NEAR = 2;
/** What is louder than -36 dBov is no background. */
const LOUDEST = 520 ** 2;
/** The noise goes on for so long, then fades: the other side may be gone. */
const LASTS_MS = 3000;
const FADES_MS = 2000;
const RISES_MS = 20;

export class Background {
  readonly #perMs: number;
  readonly #floor = new NoiseFloor();
  /** The quietest frames, two in a row. */
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
    this.#like = new Int16Array(2 * FRAME_MS * perMs);
    this.#filter = new Float64Array(orderFor(perMs) + 1);
    this.#scratch = new Float64Array(orderFor(perMs) + 1);
    this.#past = new Float64Array(orderFor(perMs));
  }

  /** Real sound is x[at .. at + count). */
  heard(x: Int16Array, at: number, count: number): void {
    const frame = FRAME_MS * this.#perMs, floor = this.#floor;
    let quiet = 0;
    for (let from = at; from + frame <= at + count; from += frame) {
      let power = 0;
      for (let i = from; i < from + frame; i++) power += x[i]! * x[i]!;
      power /= frame;
      floor.take(power);
      this.#frames++;
      quiet = power <= NEAR * floor.power ? quiet + 1 : 0;
      if (quiet < 2) continue;
      this.#like.set(x.subarray(from - frame, from + frame));
      this.#learnt = false;
      quiet = 0;
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
    const fresh = predictor(like, 0, like.length, this.#filter, this.#scratch), wanted = Math.min(LOUDEST, this.#floor.power);
    this.#newness = power < 1 ? 0 : Math.sqrt(3 * fresh * Math.min(1, wanted / power)); // of evenly distributed numbers a third is the mean square
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
