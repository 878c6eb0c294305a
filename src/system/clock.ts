import type { Clock } from '../ports/clock.ts';

/** What setTimeout holds, 24 days; it takes more for 1 ms. */
const LONGEST_MS = 0x7fff_ffff;

/** The machine's own time. */
export function systemClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(ms, due) {
      const timer = setTimeout(due, Math.min(ms, LONGEST_MS));
      return () => clearTimeout(timer);
    },
  };
}
