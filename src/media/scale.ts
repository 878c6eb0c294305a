// Time-scaling: takes one pitch period out of a frame, or puts one in, so that the listener hears neither. This is how the
// receive path comes nearer to the wanted delay, and how it follows a far clock that runs fast or slow.

import { likeness, loudness } from './pitch.ts';

/** Repetition good enough to cut; sound quieter than QUIET may be cut anywhere. */
const ALIKE = 0.85;
const QUIET = 80;

/** The period (2.5 to 15 ms, at most half the frame) over which the frame repeats itself; 0 when there is none good enough. */
function period(pcm: Int16Array, count: number, rateHz: number, force: boolean): number {
  const longest = Math.min(count >> 1, 0.015 * rateHz), shortest = 0.0025 * rateHz;
  if (longest < shortest) return 0;
  if (loudness(pcm, 0, count) < QUIET) return longest;
  let best = 0, most = force ? -2 : ALIKE;
  for (let p = shortest; p <= longest; p++) {
    const like = likeness(pcm, 0, p, p, 1);
    if (like > most) {
      most = like;
      best = p;
    }
  }
  return best;
}

/** Shorten `pcm[0..count)` in place by one period; gives the new count. `force` cuts at the best place even when it is poor. */
export function shorten(pcm: Int16Array, count: number, rateHz: number, force: boolean): number {
  const p = period(pcm, count, rateHz, force);
  for (let i = 0; i < p; i++) {
    const weight = (i + 0.5) / p;
    pcm[i] = Math.round(pcm[i]! * (1 - weight) + pcm[i + p]! * weight);
  }
  if (p > 0) pcm.copyWithin(p, 2 * p, count);
  return count - p;
}

/** Lengthen `pcm[0..count)` in place by one period, as far as the array has room; gives the new count. */
export function lengthen(pcm: Int16Array, count: number, rateHz: number): number {
  const p = period(pcm, count, rateHz, false);
  if (p === 0 || count + p > pcm.length) return count;
  pcm.copyWithin(2 * p, p, count);
  for (let i = 0; i < p; i++) { // what followed the first period becomes, bit by bit, the first period again
    const weight = (i + 0.5) / p;
    pcm[p + i] = Math.round(pcm[2 * p + i]! * (1 - weight) + pcm[i]! * weight);
  }
  return count + p;
}
