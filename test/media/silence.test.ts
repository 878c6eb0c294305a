import { describe, expect, test } from 'vitest';
import { createSilence } from '../../src/media/silence.ts';
import { voice } from './bench.ts';

/** Gaussian noise of `rms`, each sample the filter's `tilt` like the one before it. */
function room(rms: number, tilt = 0, seed = 1): (i: number) => number {
  let state = seed, last = 0;
  const chance = () => (state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0) / 2 ** 31;
  return () => (last = tilt * last + rms * Math.sqrt(1 - tilt * tilt) * (chance() + chance() + chance()));
}
/** What is sent of each packet: 'speech', bytes of noise, or nothing. */
function sent(sound: (i: number) => number, packets: number, rateHz = 8000, ptimeMs = 20, silence = createSilence(rateHz), from = 0): (number[] | 'speech' | undefined)[] {
  const count = rateHz * ptimeMs / 1000, out = new Uint8Array(100);
  return Array.from({ length: packets }, (_, p) => {
    const bytes = silence.step(Int16Array.from({ length: count }, (_, i) => sound(from + p * count + i)), out);
    return bytes < 0 ? 'speech' : bytes === 0 ? undefined : [...out.subarray(0, bytes)];
  });
}
const at8k = (i: number): number => voice(2 * i);
const noises = (all: ReturnType<typeof sent>): number[][] => all.filter((each) => Array.isArray(each));

describe('silence', () => {
  test('the noise of a room is described once it is known, and then once a second, not sent', () => {
    const all = sent(room(50), 250);
    expect(all.slice(0, 24).every((each) => each === 'speech')).toBe(true);
    expect(all.slice(26).includes('speech')).toBe(false);
    expect(noises(all).length).toBeGreaterThanOrEqual(4);
    expect(noises(all).length).toBeLessThanOrEqual(7);
    expect(all.findIndex(Array.isArray)).toBe(all.findIndex((each) => each !== 'speech')); // the description comes first (RFC 3389 §4)
  });

  test.each([[50, 56], [200, 44], [10, 70], [0, 127]])('noise of %i units is -%i dBov, the first byte (RFC 3389 §3.1)', (rms, level) => {
    const payload = noises(sent(room(rms), 200)).at(-1)!;
    expect(payload).toHaveLength(9);
    expect(Math.abs(payload[0]! - level)).toBeLessThanOrEqual(1);
  });

  test.each([8000, 16_000])('the coefficients make noise of the same colour again, at %i Hz (RFC 3389 §3.2)', (rateHz) => {
    for (const tilt of [-0.6, 0, 0.5, 0.9]) {
      const [, ...codes] = noises(sent(room(80, tilt), 300, rateHz)).at(-1)!;
      const k = codes.map((n) => 258 * (n - 127) / 32_768);
      expect(k[0]).toBeCloseTo(-tilt, 1);
      for (const rest of k.slice(1)) expect(Math.abs(rest)).toBeLessThan(0.15);
    }
  });

  test('speech is sent whole, with the ends of its words, and begins at once', () => {
    const silence = createSilence(8000);
    const quiet = room(30), said = (i: number) => quiet(i) + at8k(i) * (i < 32_000 ? 0 : 1);
    const all = sent(said, 400, 8000, 20, silence);
    expect(all.slice(202).filter((each) => each !== 'speech')).toEqual([]);
    expect(all.slice(30, 199).includes('speech')).toBe(false);
    const after = sent(quiet, 40, 8000, 20, silence);
    expect(after.slice(0, 12).every((each) => each === 'speech')).toBe(true);
    expect(after.slice(16).includes('speech')).toBe(false);
  });

  test('a soft s, hardly louder than the room but sharper, is speech', () => {
    const silence = createSilence(8000);
    sent(room(60, 0.9), 100, 8000, 20, silence);
    expect(sent(room(60, -0.5, 9), 5, 8000, 20, silence)).toEqual(['speech', 'speech', 'speech', 'speech', 'speech']);
  });

  test('noise that grows louder or darker is described anew within a second, and never called speech for long', () => {
    const silence = createSilence(8000);
    sent(room(50), 100, 8000, 20, silence);
    const louder = sent(room(70), 50, 8000, 20, silence);
    expect(louder.includes('speech')).toBe(false);
    expect(noises(louder).length).toBeGreaterThanOrEqual(2);
    expect(noises(louder).at(-1)![0]).toBeLessThanOrEqual(54);
    const much = sent(room(250), 400, 8000, 20, silence); // 9 dB: a window was opened
    expect(much.slice(200).includes('speech')).toBe(false);
  });

  test('a steady tone, as of music or a dial tone, is sent for as long as it lasts', () => {
    expect(sent((i) => 3000 * Math.sin(i / 3), 1000).filter((each) => each !== 'speech')).toEqual([]);
  });

  test.each([10, 30, 60])('packets of %i ms do as well', (ptimeMs) => {
    const all = sent(room(50), 5000 / ptimeMs, 8000, ptimeMs);
    expect(all.slice(600 / ptimeMs).includes('speech')).toBe(false);
    expect(noises(all).length).toBeLessThanOrEqual(7);
  });
});
