import { expect, test } from 'vitest';
import { factorOf, Limiter, mix } from '../../src/media/mixer.ts';

const RATE_HZ = 16_000;
const sine = (hz: number, peak: number, count: number, from = 0): Float32Array => Float32Array.from({ length: count }, (_, i) => peak * Math.sin(2 * Math.PI * hz * (from + i) / RATE_HZ));

/** `sound` through a limiter in periods. */
function limited(sound: Float32Array, period = 320): Int16Array {
  const limiter = new Limiter(), out = new Int16Array(sound.length), into = new Int16Array(period);
  for (let at = 0; at < sound.length; at += period) {
    limiter.run(sound.subarray(at, at + period), into, period);
    out.set(into, at);
  }
  return out;
}

/** Part of the power of `x` that is not a sine of `hz`. */
function distortion(x: Int16Array, hz: number): number {
  let re = 0, im = 0, all = 0;
  for (let i = 0; i < x.length; i++) {
    re += x[i]! * Math.cos(2 * Math.PI * hz * i / RATE_HZ);
    im += x[i]! * Math.sin(2 * Math.PI * hz * i / RATE_HZ);
    all += x[i]! ** 2;
  }
  return 1 - 2 * (re * re + im * im) / x.length / all;
}

test('sounds add up with a gain in dB', () => {
  const into = Float32Array.from([1, 30_000, -30_000, 5]);
  mix(Int16Array.from([2, 30_000, -30_000, 9]), into, 3, factorOf(-6.0206));
  expect([...into].map(Math.round)).toEqual([2, 45_000, -45_000, 5]);
});

test('what stays below -2 dBFS passes to the sample', () => {
  const sound = sine(1000, 26_000, 3200);
  expect([...limited(sound)]).toEqual([...sound].map((x) => Math.round(x) + 0));
});

test('no sum wraps round, however loud: a voice at four times full scale stays below it from the first sample on', () => {
  const out = limited(sine(440, 131_000, 6400));
  for (let i = 0; i < out.length; i++) expect(Math.sign(out[i]!) * Math.sign(Math.round(1e6 * Math.sin(2 * Math.PI * 440 * i / RATE_HZ)))).toBeGreaterThanOrEqual(0);
  expect(Math.max(...out)).toBeLessThan(32_767);
});

test('a lasting sum too loud comes out at -2 dBFS with its shape kept: less than a thousandth of its power is distortion', () => {
  const out = limited(sine(440, 60_000, 16_000)).subarray(1600);
  expect(Math.max(...out)).toBeLessThanOrEqual(26_029);
  expect(Math.max(...out)).toBeGreaterThan(25_900);
  expect(distortion(out, 440)).toBeLessThan(0.001);
});

test('after a loud moment the gain comes back within a third of a second, without a step', () => {
  const sound = new Float32Array(16_000).map((_, i) => (i < 1600 ? 120_000 : 8000) * Math.sin(2 * Math.PI * 1000 * i / RATE_HZ));
  const out = limited(sound);
  expect(Math.max(...out.subarray(8000))).toBe(8000);
  for (let i = 2000; i + 16 < 8000; i += 16) expect(Math.max(...out.subarray(i, i + 16)) * 1.15).toBeGreaterThan(Math.max(...out.subarray(i - 16, i)));
});
