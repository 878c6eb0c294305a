// Time-scaling: takes one pitch period out of the sound, or puts one in, so that the listener hears neither. This is how the
// receive path comes nearer to the wanted delay, and how it follows a far clock that runs fast or slow.
//
//   shorten    ......|<-- p -->|fade|...       what lies p further on, faded in p earlier
//   lengthen   ......|<-- p -->|fade|...       what lies p back, faded in and gone on with

import { likeness, loudness, periodAt } from './pitch.ts';

/** Repetition good enough to cut; sound quieter than QUIET may be cut anywhere. */
const ALIKE = 0.92;
const QUIET = 80;
const SHORTEST_MS = 2.5;
const LONGEST_MS = 15;
const FADE_MS = 5;

/** Where the fade begins, as far into the sound as the longest period. */
const seam = (count: number, perMs: number): number => Math.min(count - FADE_MS * perMs, LONGEST_MS * perMs);

/** The period by which x[at..at + count), and the sound before it, repeats itself at the seam; 0 when there is none good enough. */
function period(x: Int16Array, at: number, count: number, perMs: number, force: boolean): number {
  const longest = seam(count, perMs), shortest = SHORTEST_MS * perMs;
  if (longest < shortest) return 0;
  if (loudness(x, at, count) < QUIET) return longest;
  const from = at + longest - FADE_MS * perMs, span = 2 * FADE_MS * perMs;
  const p = periodAt(x, from, span, shortest, longest, perMs >> 2);
  return force || likeness(x, from, x, from - p, span, 1) > ALIKE ? p : 0;
}

/** Shorten x[at..at + count) in place by one period; gives the new count. `force` cuts at the best place even when it is poor. */
export function shorten(x: Int16Array, at: number, count: number, perMs: number, force: boolean): number {
  const p = period(x, at, count, perMs, force), fade = FADE_MS * perMs, to = at + seam(count, perMs), from = to - p;
  if (p === 0) return count;
  for (let i = 0; i < fade; i++) {
    const weight = (i + 0.5) / fade;
    x[from + i] = Math.round(x[from + i]! * (1 - weight) + x[to + i]! * weight);
  }
  x.copyWithin(from + fade, to + fade, at + count);
  return count - p;
}

/** Lengthen x[at..at + count) in place by one period, as far as the array has room; gives the new count. */
export function lengthen(x: Int16Array, at: number, count: number, perMs: number): number {
  const p = period(x, at, count, perMs, false), fade = FADE_MS * perMs, from = at + seam(count, perMs), back = from - p;
  if (p === 0 || at + count + p > x.length) return count;
  x.copyWithin(from + fade, back + fade, at + count);
  for (let i = fade - 1; i >= 0; i--) { // backwards: a short period reads what it writes
    const weight = (i + 0.5) / fade;
    x[from + i] = Math.round(x[from + i]! * (1 - weight) + x[back + i]! * weight);
  }
  return count + p;
}
