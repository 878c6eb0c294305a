import { describe, expect, test } from 'vitest';
import type { SoundFiles } from '../../src/audio/files.ts';
import { openWavLoop, WavLoop } from '../../src/audio/wav-loop.ts';
import { writeWav } from '../../src/audio/wav.ts';

const RATE_HZ = 16_000;
const sine = (hz: number, rateHz: number, ms: number, peak: number) => Int16Array.from({ length: rateHz * ms / 1_000 }, (_, i) => Math.round(peak * Math.sin(2 * Math.PI * hz * i / rateHz)));
const files = (bytes: Uint8Array | undefined): SoundFiles => ({
  read() {
    if (bytes === undefined) throw new Error('ENOENT');
    return bytes;
  },
  create: () => { throw new Error('not here'); },
});
const loop = (bytes: Uint8Array, more: { pauseMs?: number; mostDbov?: number } = {}): WavLoop => {
  const made = openWavLoop({ path: 'x.wav', pauseMs: 0, mostDbov: 0, rateHz: RATE_HZ, ...more }, files(bytes));
  if (typeof made === 'string') throw new Error(made);
  return made;
};
/** `ms` of it in blocks of 20 ms. */
function heard(from: WavLoop, ms: number): number[] {
  const out: number[] = [];
  for (let at = 0; at < ms; at += 20) {
    const block = new Int16Array(320);
    expect(from.mix(block)).toBe(true);
    out.push(...block);
  }
  return out;
}
function level(x: readonly number[], hz: number): number {
  let re = 0, im = 0;
  x.forEach((s, i) => {
    re += s * Math.cos(2 * Math.PI * hz * i / RATE_HZ);
    im += s * Math.sin(2 * Math.PI * hz * i / RATE_HZ);
  });
  return 2 * Math.hypot(re, im) / x.length;
}

describe('a WAV file that goes round', () => {
  test.each([8_000, 16_000, 44_100])('recorded at %i Hz is heard at its own pitch and level, over and over', (rateHz) => {
    const sound = heard(loop(writeWav(rateHz, sine(1_000, rateHz, 500, 8_000))), 3_000);
    for (let at = 1_600; at + 8_000 < sound.length; at += 8_000) expect(Math.abs(level(sound.slice(at, at + 6_400), 1_000) - 8_000)).toBeLessThan(160);
  });

  test('has its pause between end and beginning', () => {
    const sound = heard(loop(writeWav(RATE_HZ, sine(1_000, RATE_HZ, 300, 8_000)), { pauseMs: 700 }), 2_000);
    const loud = (fromMs: number, toMs: number) => Math.max(...sound.slice(fromMs * 16, toMs * 16).map(Math.abs));
    expect([loud(10, 290) > 7_000, loud(310, 990), loud(1_010, 1_290) > 7_000, loud(1_310, 1_990)]).toEqual([true, 0, true, 0]);
  });

  test('is no louder than it may be, over the whole of it, and never made louder', () => {
    const power = (x: readonly number[]) => 10 * Math.log10(x.reduce((sum, s) => sum + s * s, 0) / x.length / 32_768 ** 2);
    const loud = writeWav(RATE_HZ, sine(1_000, RATE_HZ, 500, 32_000)), soft = writeWav(RATE_HZ, sine(1_000, RATE_HZ, 500, 300));
    expect(power(heard(loop(loud, { mostDbov: -26 }), 1_000).slice(1_600))).toBeCloseTo(-26, 1);
    expect(power(heard(loop(soft, { mostDbov: -26 }), 1_000).slice(1_600))).toBeCloseTo(-43.8, 1);
  });

  test('fades in, and out when it is ended, without a click', () => {
    const it = loop(writeWav(RATE_HZ, sine(500, RATE_HZ, 500, 20_000)));
    const first = new Int16Array(325), last = new Int16Array(320);
    it.mix(first);
    it.end();
    expect(it.mix(last)).toBe(false);
    expect(last.slice(81).every((s) => s === 0)).toBe(true);
    expect(Math.max(...first.slice(0, 20).map(Math.abs))).toBeLessThan(5_000);
    const whole = [...first, ...last], steepest = 20_000 * (2 * Math.PI * 500 / RATE_HZ + 1 / 80);
    whole.forEach((s, i) => { if (i > 0) expect(Math.abs(s - whole[i - 1]!)).toBeLessThan(steepest * 1.05); });
    expect(it.mix(last)).toBe(false);
  });

  test('is added to what is there and stays at full scale', () => {
    const block = new Int16Array(320).fill(30_000);
    loop(writeWav(RATE_HZ, sine(500, RATE_HZ, 500, 20_000))).mix(block);
    expect(Math.max(...block)).toBe(32_767);
    expect(Math.min(...block)).toBeGreaterThan(9_000);
  });

  test.each([
    ['none there', undefined, 'it cannot be read: ENOENT'], ['no WAV', Buffer.from('not a sound file at all'), 'it is not a WAV file'],
    ['one without a sample', writeWav(8_000, new Int16Array(0)), 'it holds no sound'], ['a very long one', writeWav(48_000, new Int16Array(8_000_001)), 'it is larger than 16 MB'],
  ])('%s is refused in words', (_, bytes, why) => {
    expect(openWavLoop({ path: 'x.wav', pauseMs: 0, mostDbov: 0, rateHz: RATE_HZ }, files(bytes))).toBe(why);
  });
});
