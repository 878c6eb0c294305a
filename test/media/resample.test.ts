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
  test.each([100, 300, 1000, 2000, 3000, 3400])('%i Hz passes within 0.02 dB', (hz) => {
    expect(Math.abs(levelAt8k(halved(hz), hz))).toBeLessThan(0.02);
  });
  test.each([4550, 4600, 4800, 5000, 5500, 6000, 7000, 7500])('%i Hz, which would fold over, is 60 dB down or more', (hz) => {
    expect(levelAt8k(halved(hz), 8000 - hz)).toBeLessThan(-60);
  });
  test('two samples in are one out', () => {
    expect(halved(1000).length).toBeGreaterThanOrEqual(8000);
  });
});

describe('8 kHz to 16 kHz', () => {
  test.each([100, 300, 1000, 2000, 3000, 3400])('%i Hz passes within 0.02 dB and its mirror image is 60 dB down', (hz) => {
    const x = doubled(hz);
    expect(x).toHaveLength(16_000);
    expect(Math.abs(db(toneIn(x, hz, 400, 14_400)))).toBeLessThan(0.02);
    expect(db(toneIn(x, 8000 - hz, 400, 14_400))).toBeLessThan(-60);
  });
});

test('the delay is 26 samples of 16 kHz down and 28 up, for every frequency alike', () => {
  const pulse = (rate: number, width: number) => (i: number): number => Math.round(20_000 * Math.exp(-(((i - rate / 10) / width) ** 2)));
  /** Where the middle of the pulse is, in samples. */
  const middle = (x: Int16Array): number => x.reduce((sum, y, i) => sum + y * i, 0) / x.reduce((sum, y) => sum + y, 0);
  const at16 = Int16Array.from({ length: 3200 }, (_, i) => pulse(16_000, 40)(i)), at8 = Int16Array.from({ length: 1600 }, (_, i) => pulse(8000, 20)(i));
  const down = new Int16Array(1600), up = new Int16Array(3200);
  new Halver().run(at16, 3200, down, 0);
  new Doubler().run(at8, 1600, up, 0);
  expect(2 * middle(down) - 1600).toBeCloseTo(26, 1);
  expect(middle(up) - 1600).toBeCloseTo(28, 1);
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
