// Time kept by the clock where no card keeps it: period n is due at start + n periods, so that rounding and lateness never add up.

import type { Clock } from '../ports/clock.ts';

/** Sound owed after a stall beyond this is skipped: nobody wants to hear seconds in a burst. */
export const CATCH_UP_MS = 500;

/** A timer may be early by this; half a millisecond is nothing to a period. */
const EARLY_MS = 0.5;

/**
 * Call `due` once a period, the first time one period after `fromMs`, until the returned function is called. After a stall the
 * periods owed come at once, at most CATCH_UP_MS of them; the rest is skipped and the schedule starts anew.
 */
export function pace(clock: Clock, periodFrames: number, rateHz: number, due: () => void, fromMs = clock.now()): () => void {
  let startMs = fromMs;
  let periods = 0;
  let stopped = false;
  let takeBack: () => void = () => {};
  const nextMs = () => startMs + ((periods + 1) * periodFrames * 1_000) / rateHz;
  const wake = () => {
    const nowMs = clock.now();
    if (nowMs - nextMs() > CATCH_UP_MS) {
      startMs = nowMs - CATCH_UP_MS;
      periods = 0;
    }
    while (!stopped && nextMs() <= nowMs + EARLY_MS) {
      periods++;
      due();
    }
    if (!stopped) takeBack = clock.after(Math.max(0, nextMs() - clock.now()), wake);
  };
  takeBack = clock.after(Math.max(0, nextMs() - clock.now()), wake);
  return () => {
    stopped = true;
    takeBack();
  };
}
