// G.711: µ-law and A-law between 16-bit samples and bytes, one byte a sample. Compression is arithmetic (no 64 kB table to push
// other things out of a small cache), expansion a table of 256 each. Bit-exact with ITU-T G.191's reference.

import type { Codec } from './codec.ts';

/** One sample to µ-law, G.711 table 2: 14-bit magnitude plus 33, segment = place of its top bit. */
export function toUlaw(sample: number): number {
  const magnitude = Math.min(((sample < 0 ? ~sample : sample) >> 2) + 33, 0x1fff);
  const segment = 26 - Math.clz32(magnitude); // 0..7
  return ~((segment << 4) | ((magnitude >> (segment + 1)) & 15)) & (sample < 0 ? 0x7f : 0xff);
}

/** One sample to A-law, G.711 table 1: 12-bit magnitude, even bits turned over. */
export function toAlaw(sample: number): number {
  const magnitude = (sample < 0 ? ~sample : sample) >> 4;
  const segment = Math.max(0, 28 - Math.clz32(magnitude)); // 0..7; 0 and 1 share a step
  const code = segment === 0 ? magnitude : (segment << 4) | ((magnitude >> (segment - 1)) & 15);
  return (sample < 0 ? code : code | 0x80) ^ 0x55;
}

const table = (expand: (code: number) => number) => Int16Array.from({ length: 256 }, (_, code) => expand(code));

/** Sample of each µ-law byte. */
export const ulaw = table((code) => {
  const size = (((~code & 15) << 3) + 0x84 << (~code >> 4 & 7)) - 0x84;
  return code & 0x80 ? size : -size;
});

/** Sample of each A-law byte. */
export const alaw = table((code) => {
  const bits = code ^ 0x55;
  const segment = bits >> 4 & 7;
  const size = ((bits & 15) << 4) + (segment === 0 ? 8 : 0x108) << Math.max(0, segment - 1);
  return bits & 0x80 ? size : -size;
});

/** PCMU or PCMA; holds no state, close() frees nothing. */
export function createG711(name: 'PCMU' | 'PCMA'): Codec {
  const compress = name === 'PCMU' ? toUlaw : toAlaw;
  const samples = name === 'PCMU' ? ulaw : alaw;
  return {
    name,
    rateHz: 8000,
    clockHz: 8000,
    encode(pcm, out) {
      if (out.length < pcm.length) return 0;
      for (let i = 0; i < pcm.length; i++) out[i] = compress(pcm[i]!);
      return pcm.length;
    },
    decode(payload, out) {
      if (payload.length > out.length) return 0;
      for (let i = 0; i < payload.length; i++) out[i] = samples[payload[i]!]!;
      return payload.length;
    },
    close() {},
  };
}
