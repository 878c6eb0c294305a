import { describe, expect, test } from 'vitest';
import { Doubler, Halver } from '../../src/media/resample.ts';
import { sine, toneIn } from './bench.ts';

/** A sine at 16 kHz through the halver, or one at 8 kHz through the doubler, in pieces of odd sizes. */
function halved(hz: number): number[] {
  const h = new Halver(), source = sine(hz, 10_000), out = new Int16Array(400), all: number[] = [];
  for (let at = 0; at < 16_000;) {
    const count = [160, 320, 2, 40][at % 4 === 0 ? (at / 4) % 4 : 0]!;
    const written = h.run(Int16Array.from({ length: count }, (_, i) => source(at + i)), count, out, 5);
    all.push(...out.subarray(5, 5 + written));
    at += count;
  }
  return all;
}
function doubled(hz: number): number[] {
  const d = new Doubler(), out = new Int16Array(700), all: number[] = [];
  for (let at = 0; at < 8000; at += 80) {
    const written = d.run(Int16Array.from({ length: 80 }, (_, i) => Math.round(10_000 * Math.sin(2 * Math.PI * hz * (at + i) / 8000))), 80, out, 3);
    all.push(...out.subarray(3, 3 + written));
  }
  return all;
}
const db = (x: number): number => 20 * Math.log10(x / 10_000 + 1e-9);
/** toneIn measures at 16 kHz; at 8 kHz the same sine has twice the angle. */
const levelAt8k = (x: number[], hz: number): number => db(toneIn(x, 2 * hz, 200, 6000));

describe('16 kHz to 8 kHz', () => {
  test.each([100, 300, 1000, 2000, 3000, 3400])('%i Hz passes within 0.1 dB', (hz) => {
    expect(Math.abs(levelAt8k(halved(hz), hz))).toBeLessThan(0.1);
  });
  test.each([4600, 5000, 6000, 7500])('%i Hz, which would fold over, is 55 dB down or more', (hz) => {
    expect(levelAt8k(halved(hz), 8000 - hz)).toBeLessThan(-55);
  });
  test('two samples in are one out', () => {
    expect(halved(1000).length).toBeGreaterThanOrEqual(8000);
  });
});

describe('8 kHz to 16 kHz', () => {
  test.each([100, 300, 1000, 2000, 3000, 3400])('%i Hz passes within 0.1 dB and its mirror image is 55 dB down', (hz) => {
    const x = doubled(hz);
    expect(x).toHaveLength(16_000);
    expect(Math.abs(db(toneIn(x, hz, 400, 14_400)))).toBeLessThan(0.1);
    expect(db(toneIn(x, 8000 - hz, 400, 14_400))).toBeLessThan(-55);
  });
});

test('full scale is held, not wrapped round', () => {
  const d = new Doubler(), out = new Int16Array(320);
  d.run(Int16Array.from({ length: 160 }, (_, i) => (i % 8 < 4 ? 32_767 : -32_768)), 160, out, 0);
  for (let i = 60; i < 319; i++) expect(Math.abs(out[i + 1]! - out[i]!)).toBeLessThan(65_000);
});

test('after reset nothing of the past is heard', () => {
  const h = new Halver(), out = new Int16Array(80);
  h.run(new Int16Array(160).fill(20_000), 160, out, 0);
  h.reset();
  h.run(new Int16Array(160), 160, out, 0);
  expect(out.every((x) => x === 0)).toBe(true);
});
