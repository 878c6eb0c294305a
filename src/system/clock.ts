import type { Clock } from '../ports/clock.ts';

/** What setTimeout holds, 24 days; it takes more for 1 ms. */
const LONGEST_MS = 0x7fff_ffff;

/** performance.now() of another origin. It makes garbage, but what it needs of Node.js is there at the start: the other has 3 ms of modules behind it. */
export function startedNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1e6;
}

/** The machine's own time. */
export function systemClock(now = (): number => performance.now()): Clock {
  return {
    now,
    wall: () => Date.now(),
    after(ms, due) {
      const timer = setTimeout(due, Math.min(ms, LONGEST_MS));
      return () => clearTimeout(timer);
    },
  };
}
