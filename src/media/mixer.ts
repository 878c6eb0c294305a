// Adding and weighing sound. Sums are floating point and meet 16 bits once, in a limiter: too loud becomes quieter, never wraps round.

/** Factor of a gain in dB. */
export const factorOf = (db: number): number => 10 ** (db / 20);

/** Add `count` samples of `from`, times `factor`, to `into`. */
export function mix(from: Int16Array, into: Float32Array, count: number, factor = 1): void {
  for (let i = 0; i < count; i++) into[i]! += from[i]! * factor;
}

/** Peaks stay below -2 dBFS ... */
const CEILING = 26_028;
/** ... by a gain that falls over 2 ms and comes back within about 0.2 s. */
const FALL = 32;
const RECOVERY_PER_SAMPLE = 1 / 3200;

/**
 * Turns down what would be louder than -2 dBFS as a whole, so that a loud voice keeps its shape; what is louder before the gain has
 * fallen is bent, not cut. What stays below passes as it is.
 */
export class Limiter {
  #gain = 1;

  /** Put the first `count` of `from`, rounded, into `into`; both may be the same sound's. */
  run(from: Float32Array, into: Int16Array, count: number): void {
    let peak = 0;
    for (let i = 0; i < count; i++) {
      const size = Math.abs(from[i]!);
      if (size > peak) peak = size;
    }
    const before = this.#gain, allowed = peak > CEILING ? CEILING / peak : 1;
    const now = this.#gain = Math.min(allowed, before + count * RECOVERY_PER_SAMPLE);
    if (before === 1 && now === 1) {
      for (let i = 0; i < count; i++) into[i] = Math.round(from[i]!);
      return;
    }
    const over = now < before ? Math.min(FALL, count) : count, step = (now - before) / over;
    for (let i = 0, gain = before; i < count; i++) {
      if (i < over) gain += step;
      into[i] = bend(from[i]! * gain);
    }
  }
}

/** Above the ceiling ever less gets through, up to full scale. */
function bend(x: number): number {
  const over = Math.abs(x) - CEILING;
  if (over <= 0) return Math.round(x);
  const room = 32_767 - CEILING, size = Math.round(CEILING + room * over / (room + over));
  return x < 0 ? -size : size;
}
