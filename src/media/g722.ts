// G.722 at 64 kbit/s: 16 kHz sound in two bands, 6 bits of ADPCM for the lower (0-4 kHz), 2 for the upper. Bit-exact with the
// Recommendation, whose names of blocks and signals stand beside the code. An octet is 2 samples, so that its RTP clock is 8000 (RFC 3551 §4.5.2).
//
//   16 kHz -> QMF -> xL -> e = x - s -> 60 levels -> IL -+-> octet IH IH IL IL IL IL IL IL
//                 -> xH -> e = x - s ->  4 levels -> IH -+
//                            s <- predictor <- inverse quantizer (4 bits of IL: the two lowest may be stolen on the way)

import type { Codec } from './codec.ts';

/** §3.1 table 11: the taps of both filters of the bank, every second one; their sum is 4096. */
const QMF = Int32Array.of(3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11);
/** Samples that the 24 taps reach back beyond the two of an octet. */
const PAST = 22;
/** 120 ms. */
const LONGEST = 1920;
/**
 * Decision levels of the lower band's quantizer (Q6), and the codes of what lies above each, positive and then negative (ILP, ILN). 32 each
 * for a search of five equal steps: the last ones repeat.
 */
const LEVELS = Int32Array.of(0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919, 2919, 2919);
const IL = Uint8Array.of(
  61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 32, 32,
  63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 4, 4);
/** What each code stands for, in units of the step: 6 bits to be heard, 4 bits to predict from, 2 bits of the upper band (QM6, QM4, QM2). */
const QM6 = Int32Array.of(
  -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
  -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
  24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
  4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136);
const QM4 = Int32Array.of(0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0);
const QM2 = Int32Array.of(-7408, -1616, 7408, 1616);
/** How the logarithm of the step moves with each code (WL by RL42, WH by RH2). */
const WL4 = Int32Array.of(-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60);
const WH2 = Int32Array.of(798, -214, 798, -214);
/** 2^(i/32) (ILB). */
const POWERS = Int32Array.from({ length: 32 }, (_, i) => Math.round(2048 * 2 ** (i / 32)));

const clip16 = (x: number): number => (x > 32767 ? 32767 : x < -32768 ? -32768 : x);
const clip15 = (x: number): number => (x > 16383 ? 16383 : x < -16384 ? -16384 : x);

// Signs of speech cannot be foretold, and a processor pays ten times for a branch it guessed wrongly: hence (x ^ s) - s, which is x where s is
// 0 and -x where it is -1.

/** One band's step size and predictor, §3.5 and §3.6: the same at both ends as long as they see the same codes. */
class Band {
  /** Prediction of the next sample (s), and the part of it that comes from past differences (sz). */
  s = 0;
  #sz = 0;
  /** Step size (det) and its logarithm (nb), which ends at `#most`. */
  det: number;
  #nb = 0;
  readonly #most: number;
  readonly #shift: number;
  /** Poles with the last reconstructions (r) and partial ones (p); six zeros with the last differences (d), newest first. */
  #a1 = 0;
  #a2 = 0;
  #r1 = 0;
  #p1 = 0;
  #p2 = 0;
  readonly #b = new Int32Array(6);
  readonly #d = new Int32Array(6);

  constructor(det: number, most: number, shift: number) {
    this.det = det;
    this.#most = most;
    this.#shift = shift;
  }

  /** Take in the difference `d` that a code stood for, and the code's weight: LOGSC, SCALE, RECONS, PARREC, UPPOL, UPZERO, FILTE, PREDIC. */
  adapt(d: number, weight: number): void {
    let nb = (this.#nb * 127 >> 7) + weight;
    nb = this.#nb = nb < 0 ? 0 : nb > this.#most ? this.#most : nb;
    const power = POWERS[nb >> 6 & 31]!, shift = this.#shift - (nb >> 11);
    this.det = (shift < 0 ? power << -shift : power >> shift) << 2;

    const r = clip16(this.s + d), p = clip16(this.#sz + d);
    const turned1 = (p ^ this.#p1) >> 31, turned2 = (p ^ this.#p2) >> 31;
    const lean = -clip16(this.#a1 << 2);
    let a2 = (Math.min(32767, (lean ^ turned1) - turned1) >> 7) + (128 ^ turned2) - turned2 + (this.#a2 * 32512 >> 15);
    a2 = this.#a2 = a2 > 12288 ? 12288 : a2 < -12288 ? -12288 : a2;
    const most = 15360 - a2;
    let a1 = (192 ^ turned1) - turned1 + (this.#a1 * 32640 >> 15);
    a1 = this.#a1 = a1 > most ? most : a1 < -most ? -most : a1;

    const zeros = this.#b, past = this.#d, up = d === 0 ? 0 : 128;
    let sz = 0;
    for (let i = 5; i >= 0; i--) {
      const turned = (past[i]! ^ d) >> 31;
      const b = zeros[i] = (zeros[i]! * 32640 >> 15) + (up ^ turned) - turned; // leaks: never beyond 16 bits
      const x = past[i] = i === 0 ? d : past[i - 1]!;
      sz = clip16(sz + (b * clip16(2 * x) >> 15));
    }
    this.#sz = sz;
    this.s = clip16(clip16((a1 * clip16(2 * r) >> 15) + (a2 * clip16(2 * this.#r1) >> 15)) + sz);
    this.#r1 = r;
    this.#p2 = this.#p1;
    this.#p1 = p;
  }
}

const lower = (): Band => new Band(32, 18432, 8);
const upper = (): Band => new Band(8, 22528, 10);

/** Code of the lower band for the difference `e`: QUANTL. */
function quantize(e: number, det: number): number {
  const size = e ^ e >> 31;
  let at = 0;
  for (let step = 16; step > 0; step >>= 1) at += (LEVELS[at + step]! * det >> 12) - size - 1 >> 31 & step; // on, where that level is not above
  return IL[(e >>> 31 << 5) + at]!;
}

/** Shared work space: nothing here waits or nests, so one for the thread will do. */
const work = new Int32Array(LONGEST + PAST);

/** Encoder and decoder of one stream, each with its own state; packets may be of any even number of samples up to 120 ms. close() frees nothing. */
export function createG722(): Codec {
  const said = { low: lower(), high: upper(), past: new Int32Array(PAST) };
  const heard = { low: lower(), high: upper(), past: new Int32Array(PAST) };
  return {
    name: 'G722',
    rateHz: 16_000,
    clockHz: 8000,
    encode(samples, out) {
      const { low, high, past } = said, count = samples.length, octets = count >> 1;
      if ((count & 1) !== 0 || count > LONGEST || octets > out.length) return 0;
      for (let i = 0; i < PAST; i++) work[i] = past[i]!;
      for (let i = 0; i < count; i++) work[PAST + i] = samples[i]!;
      for (let n = 0; n < octets; n++) {
        let even = 0, odd = 0;
        for (let i = 0; i < 12; i++) {
          even += work[2 * (n + i)]! * QMF[i]!;
          odd += work[2 * (n + i) + 1]! * QMF[11 - i]!;
        }
        const il = quantize(clip16((odd + even >> 14) - low.s), low.det);
        const eh = clip16((odd - even >> 14) - high.s);
        const far = (564 * high.det >> 12) - (eh ^ eh >> 31) - 1 >>> 31; // QUANTH: 1 beyond the level
        const ih = 3 - far - (eh >> 31 & 2);
        low.adapt(low.det * QM4[il >> 2]! >> 15, WL4[il >> 2]!);
        high.adapt(high.det * QM2[ih]! >> 15, WH2[ih]!);
        out[n] = ih << 6 | il;
      }
      for (let i = 0; i < PAST; i++) past[i] = work[count + i]!;
      return octets;
    },
    decode(payload, out) {
      const { low, high, past } = heard, octets = payload.length, count = 2 * octets;
      if (count > LONGEST || count > out.length) return 0;
      for (let i = 0; i < PAST; i++) work[i] = past[i]!;
      for (let n = 0; n < octets; n++) {
        const octet = payload[n]!, il = octet & 63, ih = octet >> 6, dh = high.det * QM2[ih]! >> 15;
        const rl = clip15(low.s + (low.det * QM6[il]! >> 15)), rh = clip15(high.s + dh);
        low.adapt(low.det * QM4[il >> 2]! >> 15, WL4[il >> 2]!);
        high.adapt(dh, WH2[ih]!);
        work[PAST + 2 * n] = rl + rh;
        work[PAST + 2 * n + 1] = rl - rh;
        let even = 0, odd = 0;
        for (let i = 0; i < 12; i++) {
          even += work[2 * (n + i)]! * QMF[i]!;
          odd += work[2 * (n + i) + 1]! * QMF[11 - i]!;
        }
        out[2 * n] = clip16(odd >> 11);
        out[2 * n + 1] = clip16(even >> 11);
      }
      for (let i = 0; i < PAST; i++) past[i] = work[count + i]!;
      return count;
    },
    close() {},
  };
}
