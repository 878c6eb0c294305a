import { expect, test } from 'vitest';
import { createL16 } from '../../src/media/l16.ts';

test('samples go as they are, high byte first (RFC 3551 §4.5.11)', () => {
  const codec = createL16(), out = new Uint8Array(10).fill(7);
  expect(codec.encode(Int16Array.of(0x1234, -1, -32_768, 32_767), out)).toBe(8);
  expect([...out]).toEqual([0x12, 0x34, 0xff, 0xff, 0x80, 0x00, 0x7f, 0xff, 7, 7]);
  const back = new Int16Array(4);
  expect(codec.decode(out.subarray(0, 8), back)).toBe(4);
  expect([...back]).toEqual([0x1234, -1, -32_768, 32_767]);
});

test('what does not fit, or is half a sample, comes to nothing', () => {
  const codec = createL16();
  expect(codec.encode(new Int16Array(4), new Uint8Array(7))).toBe(0);
  expect(codec.decode(new Uint8Array(3), new Int16Array(4))).toBe(0);
  expect(codec.decode(new Uint8Array(10), new Int16Array(4))).toBe(0);
});
