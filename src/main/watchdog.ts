// Pats systemd's watchdog only while both threads answer: the question goes from the main thread's timer to the media thread and
// the pat is given when its answer is back here. A thread that hangs stops the pats, and systemd starts the phone anew.
//
//   main: timer --ping n--> media: event loop --pong n--> main: pat       n must be the last one asked: an answer later than the
//                                                                         next question says that a thread stood still

import type { Media } from '../media/door.ts';
import type { Clock } from '../ports/clock.ts';

export interface Watchdog {
  /** An answer of the media thread. */
  pong(ask: number): void;
  stop(): void;
}

/** Asks at once and every `intervalMs`, which is at most half of what systemd allows; `pat` tells it that both threads live. */
export function startWatchdog(clock: Clock, media: Pick<Media, 'command'>, intervalMs: number, pat: () => void): Watchdog {
  let ask = 0;
  let cancel = () => undefined as void;
  const go = () => {
    media.command({ do: 'ping', ask: ++ask });
    cancel = clock.after(intervalMs, go);
  };
  go();
  return {
    pong(answered) {
      if (answered === ask) pat();
    },
    stop: () => cancel(),
  };
}
