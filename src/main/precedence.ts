// The right of way of the media thread, watched from the main thread: a media thread that runs for half a second without a pause is at fault,
// and would starve the board; it goes on as an ordinary thread. Does not end anything: the kernel and the watchdog do.

import type { Log } from '../ports/log.ts';

/** `thread`: its number at the kernel. The returned function stops the watch. */
export async function watchPrecedence(thread: number, log: Log): Promise<() => void> {
  const { realTime } = await import('../system/realtime.ts'); // only here: it brings koffi
  const kernel = realTime();
  const tooLong = () => {
    kernel.yield(thread);
    log.warn({ code: 'SOUND_TOO_LONG' }, 'sound ran for half a second without a pause and lost its real-time priority until the next start');
    process.removeListener('SIGXCPU', tooLong); // a second one would be of an ordinary thread, and is the kernel's last word
  };
  process.on('SIGXCPU', tooLong);
  log.info({ thread }, 'sound has real-time priority');
  return () => { process.removeListener('SIGXCPU', tooLong); };
}
