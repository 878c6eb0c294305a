// Mending what a receiver plays: concealment and time-scaling of the sound in one array, where history lies before `at` and what is being
// made from there on. A call without loss, lateness and drift does without it.

import { Concealer } from './conceal.ts';
import type { Repair } from './extras.ts';
import { lengthen, shorten } from './scale.ts';

export function createRepair(x: Int16Array, at: number, perMs: number): Repair {
  const concealer = new Concealer(x, at, perMs);
  return {
    hiding: () => concealer.hiding,
    good: () => concealer.good(),
    heard: (gap, count) => concealer.heard(gap, count),
    conceal: (count, bare) => concealer.conceal(count, bare),
    join: (gap, count, skip, lean, still) => concealer.join(gap, count, skip, lean, still),
    shorten: (count, force) => shorten(x, at, count, perMs, force),
    lengthen: (count) => lengthen(x, at, count, perMs),
  };
}
