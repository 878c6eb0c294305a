// Measuring what a tone program sounds like.

import type { ToneProgram } from '../../src/media/door.ts';
import { ToneGenerator } from '../../src/media/tones.ts';

/** `seconds` of the program in blocks of `block` samples; where it ended, in samples, Infinity when it did not. */
export function play(program: ToneProgram, rateHz: number, seconds: number, block = 160): { sound: Int16Array; goesOn: boolean } {
  const generator = new ToneGenerator(program, rateHz);
  const sound = new Int16Array(Math.round(seconds * rateHz));
  let goesOn = true;
  for (let at = 0; at < sound.length && goesOn; at += block) goesOn = generator.mix(sound.subarray(at, at + block));
  return { sound, goesOn };
}

/** Level of one frequency in dBm0, by Goertzel's sum over a Hann window. */
export function levelOf(sound: Int16Array, hz: number, rateHz: number): number {
  let re = 0, im = 0, sum = 0;
  for (let i = 0; i < sound.length; i++) {
    const window = 1 - Math.cos(2 * Math.PI * (i + 0.5) / sound.length);
    re += window * sound[i]! * Math.cos(2 * Math.PI * hz * i / rateHz);
    im += window * sound[i]! * Math.sin(2 * Math.PI * hz * i / rateHz);
    sum += window;
  }
  const rms = Math.SQRT2 * Math.hypot(re, im) / sum;
  return 20 * Math.log10(Math.max(rms, 1e-9) / 32_768) + 6.15; // 0 dBm0 is -6.15 dBov
}

/** The strongest frequency within ± `span` Hz of `hz`, to a tenth. */
export function peakNear(sound: Int16Array, hz: number, rateHz: number, span = 8): number {
  let best = hz, most = -Infinity;
  for (let f = hz - span; f <= hz + span; f += 0.1) {
    const level = levelOf(sound, f, rateHz);
    if (level > most) [best, most] = [f, level];
  }
  return best;
}

/** How far from `hz` the frequency near it is: by how much its phase turned from the first half of the sound to the second. */
export function detuningOf(sound: Int16Array, hz: number, rateHz: number): number {
  const half = sound.length >> 1;
  const phase = (from: number): number => {
    let re = 0, im = 0;
    for (let i = from; i < from + half; i++) {
      const window = 1 - Math.cos(2 * Math.PI * (i - from + 0.5) / half);
      re += window * sound[i]! * Math.cos(2 * Math.PI * hz * i / rateHz);
      im -= window * sound[i]! * Math.sin(2 * Math.PI * hz * i / rateHz);
    }
    return Math.atan2(im, re);
  };
  const turned = phase(half) - phase(0);
  return Math.atan2(Math.sin(turned), Math.cos(turned)) * rateHz / (2 * Math.PI * half);
}

/** How long a generated tone takes to rise, and to fall after its end. */
export const EDGE_MS = 5;

/**
 * Lengths in ms of sound and silence by turns, beginning with sound, each from the midst of one edge to the midst of the next; silence is more
 * than 5 ms of samples not above `threshold`.
 */
export function cadenceOf(sound: Int16Array, rateHz: number, threshold = 0): number[] {
  const gap = rateHz / 200;
  const lengths: number[] = [];
  let from = 0, last = -1;
  for (let i = 0; i < sound.length; i++) {
    if (Math.abs(sound[i]!) <= threshold) continue;
    if (i - last > gap && last >= 0) {
      lengths.push((last + 1 - from) * 1000 / rateHz - EDGE_MS, (i - last - 1) * 1000 / rateHz + EDGE_MS);
      from = i;
    } else if (last < 0) from = i;
    last = i;
  }
  if (last >= 0) lengths.push((last + 1 - from) * 1000 / rateHz - EDGE_MS);
  return lengths;
}
