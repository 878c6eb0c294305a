import type { Clock } from '../ports/clock.ts';

/** Later than this the process was held up, and edges that came meanwhile still wait in the pipe. */
const LATE_MS = 8;

/**
 * Call `then` at the instant `atMs`. After a hold-up timers come before pipes: what the kernel saw and stamped before `atMs` would be read
 * after `then` decided without it. So a late alarm first gives the pipes a turn of `turnMs`; an alarm that depends on another's outcome
 * gives a longer one. Returns what takes it back.
 */
export function whenDue(clock: Clock, atMs: number, then: () => void, turnMs = 2): () => void {
  let cancel = clock.after(atMs - clock.now(), () => {
    if (clock.now() - atMs <= LATE_MS) then();
    else cancel = clock.after(turnMs, then);
  });
  return () => cancel();
}
