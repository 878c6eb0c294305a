// Adding and weighing sound with saturation: never wraps round.

/** Factor of a gain in dB. */
export const factorOf = (db: number): number => 10 ** (db / 20);

/** Add `count` samples of `from` to `into`. */
export function mix(from: Int16Array, into: Int16Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const sum = into[i]! + from[i]!;
    into[i] = sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum;
  }
}

/** Put `count` samples of `from`, times `factor`, into `into`, which may be the same array. */
export function weigh(from: Int16Array, into: Int16Array, count: number, factor: number): void {
  for (let i = 0; i < count; i++) {
    const x = Math.round(from[i]! * factor);
    into[i] = x > 32767 ? 32767 : x < -32768 ? -32768 : x;
  }
}
