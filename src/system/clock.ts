import type { Clock } from '../ports/clock.ts';

/** The machine's own time. */
export function systemClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    after(ms, due) {
      const timer = setTimeout(due, ms);
      return () => clearTimeout(timer);
    },
  };
}
