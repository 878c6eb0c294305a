// Comfort noise as RFC 3389 describes it in a packet: a level, then reflection coefficients of its spectrum. Made by white noise through a
// lattice filter; added to sound in place, fading in and out, so that neither begins nor ends at once.
//
//   payload   | level, -dBov | N1 | N2 | ...      each coefficient = 258 (N - 127) / 32768 (RFC 3389 §3.2)

const MOST_COEFFICIENTS = 12;
const FULL = 32_767;
const FADE_MS = 20;

export class ComfortNoise {
  readonly #k = new Float64Array(MOST_COEFFICIENTS);
  /** What each stage of the lattice held a sample ago. */
  readonly #back = new Float64Array(MOST_COEFFICIENTS);
  /** How much nearer the gain comes to what it should be with each sample. */
  readonly #pace: number;
  #order = 0;
  #wanted = 0;
  #gain = 0;
  #seed = 1;

  constructor(rateHz: number) {
    this.#pace = 3000 / (FADE_MS * rateHz);
  }

  /** True while there is something to add. */
  get sounds(): boolean {
    return this.#wanted > 0 || this.#gain > 0.5;
  }

  /** Go over to the noise of `payload`, of one byte or more; what follows the twelfth coefficient is left out. */
  begin(payload: Uint8Array): void {
    const order = Math.min(payload.length - 1, MOST_COEFFICIENTS);
    let power = (FULL * 10 ** (-(payload[0]! & 0x7f) / 20)) ** 2 * 3; // of evenly distributed numbers a third is the mean square
    for (let i = order; i < this.#order; i++) this.#back[i] = 0;
    for (let i = 0; i < order; i++) {
      const k = Math.max(-0.99, Math.min(0.99, 258 * (payload[i + 1]! - 127) / 32_768));
      this.#k[i] = k;
      power *= 1 - k * k; // the filter is as much louder
    }
    this.#order = order;
    this.#wanted = Math.sqrt(power);
  }

  end(): void {
    this.#wanted = 0;
  }

  /** Add `count` samples to x from `at` on. */
  mix(x: Int16Array, at: number, count: number): void {
    const k = this.#k, back = this.#back, order = this.#order;
    for (let i = at; i < at + count; i++) {
      this.#gain += (this.#wanted - this.#gain) * this.#pace;
      this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) | 0;
      let forward = this.#gain * this.#seed / 0x8000_0000;
      for (let m = order - 1; m >= 0; m--) {
        forward -= k[m]! * back[m]!;
        if (m + 1 < order) back[m + 1] = back[m]! + k[m]! * forward;
      }
      if (order > 0) back[0] = forward;
      const sum = x[i]! + forward;
      x[i] = sum > 32_767 ? 32_767 : sum < -32_768 ? -32_768 : Math.round(sum);
    }
  }
}
