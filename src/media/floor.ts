// The noise of a quiet room: how loud it is, and noise like it for the gaps that echo control makes, so that the line never sounds dead.

/** Power may rise so much a frame of 10 ms, 3 dB a second: speech does not lift the floor, a fan that starts does in a while. */
const RISE = 10 ** 0.003;
const SMOOTHING = 0.3;
/** The least of a smoothed power is below its mean by about this. */
const BIAS = 1.5;

/** Follows the least power of a sound. */
export class NoiseFloor {
  #smooth = -1;
  #least = -1;

  /** Mean square of the noise; 0 before anything came. */
  get power(): number {
    return this.#least < 0 ? 0 : this.#least * BIAS;
  }

  /** Take the mean square of one frame in which there may be noise alone. */
  take(power: number): void {
    this.#smooth = this.#smooth < 0 ? power : this.#smooth + SMOOTHING * (power - this.#smooth);
    const risen = this.#least * RISE + 1e-3;
    this.#least = this.#least < 0 || this.#smooth < risen ? this.#smooth : risen;
  }
}

/** A room's noise falls off towards high tones: one pole. */
const POLE = 0.7;
/** Makes the power of the filtered numbers, which are even over -1 to 1, one. */
const UNIT = Math.sqrt(3 * (1 - POLE * POLE));

/** Noise without end, the same each time. */
export class Hiss {
  #seed = 0x2545f491;
  #last = 0;

  /** Add noise of mean square `power` to `samples`. */
  add(samples: Int16Array, power: number): void {
    const scale = Math.sqrt(power) * UNIT;
    let seed = this.#seed, last = this.#last;
    for (let i = 0; i < samples.length; i++) {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      last = POLE * last + seed / 2_147_483_648;
      const x = samples[i]! + Math.round(scale * last);
      samples[i] = x > 32_767 ? 32_767 : x < -32_768 ? -32_768 : x;
    }
    this.#seed = seed;
    this.#last = last;
  }
}
