// Where in time the echo begins: the reference and the microphone, both slowed to 2 kHz, laid over one another at every delay up to 300 ms.
// Runs only while it is not known that the alignment is right.

const SLOWER = 8;
const LAGS = 600;
/** Frames in which the far side spoke, until there is an answer. */
const ENOUGH = 150;
/** The best delay stands out of the mean of all by so much, or there is no echo to be found. */
const STANDS_OUT = 6;
/** The loudest may be a reflection: the echo begins where there is so much of it, at most 20 ms before. */
const BEGINS = 0.7;
const BEFORE = 40;
/** Frames after a restart that only fill the past. */
const FILL = LAGS * SLOWER / 160;

export class DelayFinder {
  readonly #sums = new Float64Array(LAGS);
  /** The reference, slowed; twice as long as needed, so that it moves only now and then. */
  readonly #past = new Float32Array(4 * LAGS);
  #at = LAGS;
  #frames = -FILL;
  #lastReference = 0;
  #lastHeard = 0;

  restart(): void {
    this.#sums.fill(0);
    this.#frames = -FILL;
  }

  /** Take a frame of what is being written to the card now and of what was heard now; `active`: there is something to learn from. */
  take(reference: Int16Array, heard: Int16Array, active: boolean): void {
    const past = this.#past, sums = this.#sums, slowed = reference.length / SLOWER;
    if (this.#at + slowed > past.length) {
      past.copyWithin(0, this.#at - LAGS, this.#at);
      this.#at = LAGS;
    }
    for (let n = 0, i = 0; n < slowed; n++) {
      let x = 0, y = 0;
      for (let k = 0; k < SLOWER; k++, i++) {
        x += reference[i]!;
        y += heard[i]!;
      }
      // Differences: the low tones of a voice, alike for many delays, count less
      past[this.#at] = x - this.#lastReference;
      const risen = y - this.#lastHeard;
      this.#lastReference = x;
      this.#lastHeard = y;
      if (active && this.#frames >= 0) for (let lag = 0, from = this.#at; lag < LAGS; lag++, from--) sums[lag]! += risen * past[from]!;
      this.#at++;
    }
    if (active || this.#frames < 0) this.#frames++;
  }

  /** Samples from writing to hearing; -1 while nothing stands out, -2 before there was enough to judge by. */
  answer(): number {
    if (this.#frames < ENOUGH) return -2;
    const sums = this.#sums;
    let best = 0, total = 0;
    for (let lag = 0; lag < LAGS; lag++) {
      total += Math.abs(sums[lag]!);
      if (Math.abs(sums[lag]!) > Math.abs(sums[best]!)) best = lag;
    }
    if (Math.abs(sums[best]!) * LAGS < STANDS_OUT * total) return -1;
    for (let lag = Math.max(0, best - BEFORE); ; lag++) if (Math.abs(sums[lag]!) >= BEGINS * Math.abs(sums[best]!)) return lag * SLOWER;
  }
}
