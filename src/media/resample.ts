// 16 kHz <-> 8 kHz by a half-band FIR: linear phase, 55 taps, flat within 0.01 dB to 3.4 kHz (-0.25 dB at 3.6), 61 dB down from 4.55 kHz on,
// 26 samples of 16 kHz of delay down, 28 up (1.6 and 1.8 ms). Every second tap of a half-band filter is zero and the middle one is a half, so an output
// sample costs 14 products.

const PRODUCTS = 14;
const REACH = 2 * PRODUCTS - 1;
const HISTORY = 2 * REACH;
/** So many samples of 16 kHz make the halver forget all that came before. */
export const HALVER_REACH = HISTORY;
const LONGEST = 4096;

/** Taps at odd distances 1, 3 … 27 from the middle: an ideal half-band under a Kaiser window. */
const BETA = 6;
const taps = new Float64Array(PRODUCTS);
{
  const bessel = (x: number): number => {
    let sum = 1;
    for (let k = 1, term = 1; k < 25; k++) sum += term *= (x / 2 / k) ** 2;
    return sum;
  };
  let total = 0;
  for (let i = 0; i < taps.length; i++) {
    const k = 2 * i + 1;
    taps[i] = Math.sin(Math.PI * k / 2) / (Math.PI * k) * bessel(BETA * Math.sqrt(1 - (k / (REACH + 1)) ** 2)) / bessel(BETA);
    total += 2 * taps[i]!;
  }
  for (let i = 0; i < taps.length; i++) taps[i]! *= 0.5 / total; // unity at zero frequency
}

const clip = (x: number): number => (x > 32767 ? 32767 : x < -32768 ? -32768 : Math.round(x));

/** Shared work space: run() never waits and never nests, so one for the thread will do. */
const work = new Float32Array(HISTORY + 2 * LONGEST);

/** 16 kHz to 8 kHz. */
export class Halver {
  readonly #past = new Float32Array(HISTORY);

  /** Turn `count` samples (an even number) of `from` into half as many in `into` from `at` on; gives how many. */
  run(from: Int16Array, count: number, into: Int16Array, at: number): number {
    const past = this.#past;
    for (let i = 0; i < HISTORY; i++) work[i] = past[i]!;
    for (let i = 0; i < count; i++) work[HISTORY + i] = from[i]!;
    const half = count >> 1;
    for (let m = 0; m < half; m++) {
      const middle = 2 * m + 1 + REACH; // the newest tap falls on the newest sample of the pair
      let sum = 0.5 * work[middle]!;
      for (let i = 0, k = 1; i < PRODUCTS; i++, k += 2) sum += taps[i]! * (work[middle - k]! + work[middle + k]!);
      into[at + m] = clip(sum);
    }
    for (let i = 0; i < HISTORY; i++) past[i] = work[count + i]!;
    return half;
  }

  /** Forget what came before. */
  reset(): void {
    this.#past.fill(0);
  }
}

/** 8 kHz to 16 kHz. */
export class Doubler {
  /** In samples of 8 kHz. */
  readonly #past = new Float32Array(REACH + 1);

  /** Turn `count` samples of `from` into twice as many in `into` from `at` on; gives how many. */
  run(from: Int16Array, count: number, into: Int16Array, at: number): number {
    const past = this.#past, reach = past.length;
    for (let i = 0; i < reach; i++) work[i] = past[i]!;
    for (let i = 0; i < count; i++) work[reach + i] = from[i]!;
    for (let m = 0; m < count; m++) {
      const middle = m + PRODUCTS; // so many samples on either side of the new one between middle and middle + 1
      let sum = 0;
      for (let i = 0; i < PRODUCTS; i++) sum += taps[i]! * (work[middle - i]! + work[middle + 1 + i]!);
      into[at + 2 * m] = clip(work[middle]!);
      into[at + 2 * m + 1] = clip(2 * sum);
    }
    for (let i = 0; i < reach; i++) past[i] = work[count + i]!;
    return 2 * count;
  }

  /** Forget what came before. */
  reset(): void {
    this.#past.fill(0);
  }
}
