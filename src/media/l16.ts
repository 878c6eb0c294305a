// L16 at 16 kHz mono (RFC 3551 §4.5.11): the samples themselves, high byte first. 256 kbit/s, for intercoms on a wire of their own.

import type { Codec } from './codec.ts';

/** Holds no state, close() frees nothing. */
export function createL16(): Codec {
  return {
    name: 'L16',
    rateHz: 16_000,
    clockHz: 16_000,
    encode(samples, out) {
      const count = samples.length;
      if (2 * count > out.length) return 0;
      for (let i = 0; i < count; i++) {
        out[2 * i] = samples[i]! >> 8;
        out[2 * i + 1] = samples[i]!;
      }
      return 2 * count;
    },
    decode(payload, out) {
      const count = payload.length >> 1;
      if ((payload.length & 1) !== 0 || count > out.length) return 0;
      for (let i = 0; i < count; i++) out[i] = payload[2 * i]! << 8 | payload[2 * i + 1]!;
      return count;
    },
    close() {},
  };
}
