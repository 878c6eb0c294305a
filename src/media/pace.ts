// A beat on an absolute schedule: late beats are caught up, so that counting them keeps time, but a long standstill is not replayed.

import type { Clock } from '../ports/clock.ts';

const MOST_BEHIND_MS = 200;

export interface Pace {
  /** Begin, when not going already. */
  start(): void;
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
    start() {
      if (going) return;
      going = true;
      nextMs = clock.now() + periodMs;
      cancel = clock.after(periodMs, due);
    },
    stop() {
      going = false;
      cancel();
    },
  };
}
