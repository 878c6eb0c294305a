// Linear prediction of a piece of sound: what of a sample its predecessors foretell (Levinson and Durbin). Concealment goes on with it where sound ends.

/** The order used for sound of so many samples a millisecond. */
export const orderFor = (perMs: number): number => (perMs > 8 ? 16 : 10);

/**
 * Learn `a`, the filter that leaves of x[at .. at + count) only what is new: new = x[i] + a[1] x[i - 1] + ..., with a[0] = 1. `r` is room for
 * as many numbers as `a`. The later half counts in full, the earlier fades in. Gives the mean square of what is new.
 */
export function predictor(x: Int16Array, at: number, count: number, a: Float64Array, r: Float64Array): number {
  const order = a.length - 1, half = count >> 1;
  let weight = 0;
  for (let i = 0; i < count; i++) weight += Math.min(1, (i + 0.5) / half) ** 2;
  for (let lag = 0; lag <= order; lag++) {
    let sum = 0;
    for (let i = lag; i < count; i++) sum += x[at + i]! * Math.min(1, (i + 0.5) / half) * x[at + i - lag]! * Math.min(1, (i - lag + 0.5) / half);
    r[lag] = sum;
  }
  r[0] = r[0]! * 1.0005 + count * 0.1; // a touch of noise keeps the filter tame
  a.fill(0);
  a[0] = 1;
  let error = r[0]!;
  for (let i = 1; i <= order; i++) {
    let sum = 0;
    for (let j = 0; j < i; j++) sum += a[j]! * r[i - j]!;
    const k = -sum / error;
    for (let j = 1; j <= i >> 1; j++) {
      const p = a[j]!, q = a[i - j]!;
      a[j] = p + k * q;
      a[i - j] = q + k * p;
    }
    a[i] = k;
    error *= 1 - k * k;
  }
  return error / weight;
}
