import type { Random } from '../../src/ports/random.ts';

/** Chance that repeats itself: a 32-bit xorshift from `seed`. */
export class FakeRandom implements Random {
  #state: number;

  constructor(seed = 1) {
    this.#state = (seed | 0) === 0 ? 0x9e3779b9 : Math.imul(seed, 0x9e3779b9) | 0;
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  bytes(count: number): Uint8Array {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.#next() >>> 11;
    return out;
  }

  fraction(): number {
    return this.#next() / 0x1_0000_0000;
  }
}
