import { describe, expect, test } from 'vitest';
import { alaw, createG711, toAlaw, toUlaw, ulaw } from '../../src/media/g711.ts';

// G.711 tables 1a and 2a say where each segment begins and how wide its steps are; from these the decision and output values follow, in units
// of a 13-bit (A) or 14-bit (µ) sample. Written out here as the tables give them, not as the code computes them.
const A_SEGMENTS = [[0, 2], [32, 2], [64, 4], [128, 8], [256, 16], [512, 32], [1024, 64], [2048, 128]] as const; // starts, steps; 0..4096
const U_SEGMENTS = [[-1, 2], [31, 4], [95, 8], [223, 16], [479, 32], [991, 64], [2015, 128], [4063, 256]] as const; // 0..8159; the first step is half

/** Lower decision value and output value of each of the 128 magnitudes. */
const rows = (segments: readonly (readonly [number, number])[]) =>
  segments.flatMap(([start, size]) => Array.from({ length: 16 }, (_, i) => ({ from: Math.max(0, start + i * size), out: Math.max(0, start + i * size + size / 2) })));

describe.each([
  // µ-law codes have their bits inverted, A-law codes every other bit; the top bit is set for positive values (G.711 §3.2, §3.3).
  { law: 'µ-law', encode: toUlaw, decode: ulaw, table: rows(U_SEGMENTS), shift: 2, code: (n: number, negative: boolean) => (negative ? 0x7f : 0xff) - n },
  { law: 'A-law', encode: toAlaw, decode: alaw, table: rows(A_SEGMENTS), shift: 3, code: (n: number, negative: boolean) => (n | (negative ? 0 : 0x80)) ^ 0x55 },
])('$law', ({ encode, decode, table, shift, code }) => {
  test('every one of the 65,536 samples gets the code of the interval it lies in (G.711 tables 1, 2)', () => {
    const wrong: number[] = [];
    for (let sample = -32_768; sample < 32_768; sample++) {
      const negative = sample < 0;
      // A value on a decision belongs to the outer interval when positive, to the inner when negative (G.191), hence -1 - sample.
      const magnitude = (negative ? -1 - sample : sample) / (1 << shift);
      let n = 127;
      while (n > 0 && magnitude < table[n]!.from) n--;
      if (encode(sample) !== code(n, negative)) wrong.push(sample);
    }
    expect(wrong).toEqual([]);
  });

  test('every one of the 256 codes is the output value of its interval (G.711 tables 1, 2)', () => {
    for (let n = 0; n < 128; n++) {
      expect(decode[code(n, false)]).toBe(table[n]!.out * (1 << shift));
      expect(decode[code(n, true)]).toBe(0 - table[n]!.out * (1 << shift));
    }
  });

  test('a decoded code encodes to itself, save the negative nought of µ-law', () => {
    for (let byte = 0; byte < 256; byte++) expect(encode(decode[byte]!)).toBe(byte === 0x7f && decode === ulaw ? 0xff : byte);
  });
});

test('the greatest outputs are those of G.711: 8031 of 8192 and 4032 of 4096', () => {
  expect(Math.max(...ulaw)).toBe(32_124);
  expect(Math.max(...alaw)).toBe(32_256);
});

test.each(['PCMU', 'PCMA'] as const)('the %s codec is a byte a sample, and leaves alone what does not fit', (name) => {
  const codec = createG711(name);
  const samples = Int16Array.from({ length: 160 }, (_, i) => 8000 * Math.sin(i / 5));
  const payload = new Uint8Array(160);
  const back = new Int16Array(200);
  expect(codec.encode(samples, payload)).toBe(160);
  expect(codec.decode(payload, back)).toBe(160);
  for (let i = 0; i < 160; i++) expect(Math.abs(back[i]! - samples[i]!)).toBeLessThanOrEqual(Math.max(8, Math.abs(samples[i]!) / 16));
  expect(codec.encode(samples, new Uint8Array(159))).toBe(0);
  expect(codec.decode(payload, new Int16Array(159))).toBe(0);
  expect(codec.decode(new Uint8Array(0), back)).toBe(0);
});
