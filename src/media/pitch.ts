// Likeness of a piece of sound to another: what concealment and time-scaling both stand on.

/** Normalised correlation of `count` samples of `x` at `a` and of `y` at `b`, taking every `step`-th; 0 for silence. */
export function likeness(x: Int16Array, a: number, y: Int16Array, b: number, count: number, step: number): number {
  let cross = 0, powerA = 0, powerB = 0;
  for (let i = 0; i < count; i += step) {
    const p = x[a + i]!, q = y[b + i]!;
    cross += p * q;
    powerA += p * p;
    powerB += q * q;
  }
  return powerA === 0 || powerB === 0 ? 0 : cross / Math.sqrt(powerA * powerB);
}

/** The distance of `shortest` to `longest` samples at which the `count` samples from `a` on are most like earlier ones: a coarse search, then a fine one around its winner. */
export function periodAt(x: Int16Array, a: number, count: number, shortest: number, longest: number, coarse: number): number {
  let best = longest, most = -2;
  for (let lag = shortest; lag <= longest; lag += coarse) {
    const like = likeness(x, a, x, a - lag, count, coarse);
    if (like <= most) continue;
    most = like;
    best = lag;
  }
  const from = Math.max(shortest, best - coarse + 1), to = Math.min(longest, best + coarse - 1);
  most = -2;
  for (let lag = from; lag <= to; lag++) {
    const like = likeness(x, a, x, a - lag, count, 1);
    if (like <= most) continue;
    most = like;
    best = lag;
  }
  return best;
}

/** Root mean square of `count` samples from `at`. */
export function loudness(x: Int16Array, at: number, count: number): number {
  let power = 0;
  for (let i = 0; i < count; i++) power += x[at + i]! * x[at + i]!;
  return Math.sqrt(power / Math.max(1, count));
}
