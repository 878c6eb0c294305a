// Likeness of a piece of sound to itself some samples earlier: what concealment and time-scaling both stand on.

/** Normalised correlation of `count` samples at `a` and at `b`, taking every `step`-th; 0 for silence. */
export function likeness(x: Int16Array, a: number, b: number, count: number, step: number): number {
  let cross = 0, powerA = 0, powerB = 0;
  for (let i = 0; i < count; i += step) {
    const p = x[a + i]!, q = x[b + i]!;
    cross += p * q;
    powerA += p * p;
    powerB += q * q;
  }
  return powerA === 0 || powerB === 0 ? 0 : cross / Math.sqrt(powerA * powerB);
}

/** Root mean square of `count` samples from `at`. */
export function loudness(x: Int16Array, at: number, count: number): number {
  let power = 0;
  for (let i = 0; i < count; i++) power += x[at + i]! * x[at + i]!;
  return Math.sqrt(power / Math.max(1, count));
}
