import { randomFillSync } from 'node:crypto';
import type { Random } from '../ports/random.ts';

/** The kernel's own chance, drawn 4 kB at a time. */
export function systemRandom(): Random {
  const pool = Buffer.allocUnsafeSlow(4_096);
  let used = pool.length;
  const take = (count: number): number => {
    if (used + count > pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += count;
    return used - count;
  };
  return {
    bytes(count) {
      if (count > pool.length) return randomFillSync(new Uint8Array(count));
      const start = take(count);
      return Uint8Array.prototype.slice.call(pool, start, start + count);
    },
    fraction: () => pool.readUInt32LE(take(4)) / 0x1_0000_0000,
  };
}
