// A beat on an absolute schedule: late beats are caught up, so that counting them keeps time, but a long standstill is not replayed.

import type { Clock } from '../ports/clock.ts';

const MOST_BEHIND_MS = 500;

export interface Pace {
  /** Begin, when not going already, as if the last beat had been at `sinceMs`: now, when left out. */
  start(sinceMs?: number): void;
  stop(): void;
}

export function createPace(clock: Clock, periodMs: number, beat: () => void): Pace {
  let going = false;
  let nextMs = 0;
  let cancel = (): void => undefined;
  const due = (): void => {
    const now = clock.now();
    if (now - nextMs > MOST_BEHIND_MS) nextMs = now;
    while (going && nextMs <= now) {
      nextMs += periodMs;
      beat();
    }
    if (going) cancel = clock.after(nextMs - clock.now(), due);
  };
  return {
    start(sinceMs = clock.now()) {
      if (going) return;
      going = true;
      nextMs = sinceMs + periodMs;
      cancel = clock.after(Math.max(0, nextMs - clock.now()), due);
    },
    stop() {
      going = false;
      cancel();
    },
  };
}
