import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Resampler } from '../../src/audio/resample.ts';

const sine = (hz: number, rateHz: number, count: number, peak = 20_000) => Int16Array.from({ length: count }, (_, i) => Math.round(peak * Math.sin((2 * Math.PI * hz * i) / rateHz)));

/** Convert all of `input` in pieces of `piece`. */
function convert(fromHz: number, toHz: number, input: Int16Array, piece: number): Int16Array {
  const resampler = new Resampler(fromHz, toHz);
  const output: number[] = [];
  for (let at = 0; at < input.length; at += piece) {
    const part = input.subarray(at, at + piece);
    const room = new Int16Array(resampler.outputFor(part.length) + 1);
    output.push(...room.subarray(0, resampler.run(part, part.length, room)));
  }
  return Int16Array.from(output);
}

/** Power of the sine of `hz` against everything else, in dB, and its level against `peak`. */
function snr(samples: Int16Array, hz: number, rateHz: number, peak: number): { snrDb: number; gainDb: number } {
  let re = 0, im = 0, power = 0;
  // whole turns only, so that the sum is orthogonal
  const turns = Math.floor((samples.length * hz) / rateHz);
  const count = Math.round((turns * rateHz) / hz);
  for (let i = 0; i < count; i++) {
    const angle = (2 * Math.PI * hz * i) / rateHz;
    re += samples[i]! * Math.cos(angle);
    im += samples[i]! * Math.sin(angle);
    power += samples[i]! ** 2;
  }
  const amplitude = (2 * Math.hypot(re, im)) / count;
  const wanted = amplitude ** 2 / 2;
  return { snrDb: 10 * Math.log10(wanted / Math.max(1e-9, power / count - wanted)), gainDb: 20 * Math.log10(amplitude / peak) };
}

describe('Resampler', () => {
  test.each([
    [16_000, 48_000], [48_000, 16_000], [16_000, 44_100], [44_100, 16_000], [8_000, 48_000], [48_000, 8_000], [22_050, 16_000], [16_000, 32_000], [11_025, 8_000],
  ])('a tone from %i Hz to %i Hz keeps 60 dB of signal to noise and its level', (fromHz, toHz) => {
    for (const part of [0.05, 0.125, 0.35]) {
      const hz = Math.round(part * Math.min(fromHz, toHz) / 50) * 50;
      const output = convert(fromHz, toHz, sine(hz, fromHz, fromHz), Math.round(fromHz / 50));
      const settled = output.subarray(Math.round(toHz / 10), Math.round((toHz * 9) / 10));
      const { snrDb, gainDb } = snr(settled, hz, toHz, 20_000);
      expect(snrDb, `${hz} Hz`).toBeGreaterThan(60);
      expect(Math.abs(gainDb), `${hz} Hz`).toBeLessThan(0.1);
    }
  });

  test('what the lower rate cannot carry is 60 dB down instead of folding back', () => {
    for (const hz of [9_000, 12_000, 20_000]) {
      const output = convert(48_000, 16_000, sine(hz, 48_000, 48_000), 960).subarray(1_000);
      const rms = Math.sqrt(output.reduce((sum, s) => sum + s * s, 0) / output.length);
      expect(20 * Math.log10(Math.max(1, rms) / (20_000 / Math.SQRT2)), `${hz} Hz`).toBeLessThan(-60);
    }
  });

  test('delay is a constant of at most 1.5 ms at 16 kHz and 48 kHz', () => {
    for (const [fromHz, toHz] of [[16_000, 48_000], [48_000, 16_000]] as const) {
      const input = new Int16Array(fromHz / 10);
      input[fromHz / 20] = 30_000;
      const output = convert(fromHz, toHz, input, 160);
      const peak = output.reduce((best, s, i) => (Math.abs(s) > Math.abs(output[best]!) ? i : best), 0);
      const delayMs = (peak * 1_000) / toHz - 50;
      expect(delayMs).toBeLessThanOrEqual(1.5);
      expect(delayMs).toBeCloseTo((new Resampler(fromHz, toHz).delay * 1_000) / fromHz, 0);
    }
  });

  test('pieces of any length give what one piece gives', () => {
    const input = sine(700, 44_100, 4_410);
    const whole = convert(44_100, 16_000, input, input.length);
    fc.assert(fc.property(fc.integer({ min: 1, max: 999 }), (piece) => {
      expect(convert(44_100, 16_000, input, piece)).toEqual(whole);
    }), { numRuns: 30 });
  });

  test('inputFor names the least input that gives the outputs asked for', () => {
    fc.assert(fc.property(fc.constantFrom(8_000, 16_000, 22_050, 44_100, 48_000), fc.constantFrom(8_000, 16_000, 44_100, 48_000), fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 12 }), (fromHz, toHz, wants) => {
      const resampler = new Resampler(fromHz, toHz);
      for (const want of wants) {
        const inputs = resampler.inputFor(want);
        const output = new Int16Array(want);
        if (inputs > 0) expect(resampler.run(new Int16Array(inputs - 1), inputs - 1, output, want)).toBeLessThan(want);
        const before = inputs > 0 ? 1 : 0;
        const left = resampler.inputFor(want);
        expect(left).toBeGreaterThanOrEqual(before);
        resampler.run(new Int16Array(left), left, output, want);
      }
    }));
  });

  test('a stream taken in whole periods stays in step with its source', () => {
    const resampler = new Resampler(44_100, 16_000);
    const output = new Int16Array(160);
    let inputs = 0;
    for (let period = 0; period < 1_000; period++) {
      const needed = resampler.inputFor(160);
      inputs += needed;
      expect(resampler.run(new Int16Array(needed), needed, output, 160)).toBe(160);
    }
    expect(Math.abs(inputs - 441_000)).toBeLessThan(3);
  });

  test('equal rates pass sound through untouched and without delay', () => {
    const input = sine(440, 16_000, 320);
    expect(convert(16_000, 16_000, input, 100)).toEqual(input);
    expect(new Resampler(16_000, 16_000).delay).toBe(0);
  });

  test('loud sound is limited, never wrapped', () => {
    const square = Int16Array.from({ length: 16_000 }, (_, i) => (i % 40 < 20 ? 32_767 : -32_768));
    const output = convert(16_000, 48_000, square, 320);
    for (let i = 300; i < output.length; i++) expect(Math.abs(output[i]! - output[i - 1]!)).toBeLessThan(40_000);
  });
});
