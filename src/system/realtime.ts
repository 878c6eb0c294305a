// Real-time priority (sched(7)) for one thread, by the C library, and what keeps such a thread from starving the board: the kernel counts how
// long it runs without waiting (RLIMIT_RTTIME), says SIGXCPU first, and ends the process when nobody heeds it.

import koffi from 'koffi';

// Linux, all architectures we run on.
const SCHED_OTHER = 0, SCHED_FIFO = 1, RESET_ON_FORK = 0x4000_0000;
const RLIMIT_RTTIME = 15;
const INFINITY = 0xffff_ffff_ffff_ffffn;
const EPERM = 1;

/** Above ordinary programs and Debian's sound servers' helpers, below the kernel's own interrupt threads (50). */
export const SOUND_PRIORITY = 15;
/** Running so long without waiting is no period of sound; what the thread does between two takes a few milliseconds. */
export const SOFT_US = 500_000n;
const HARD_US = 2_000_000n;

export interface RealTime {
  /**
   * Gives the calling thread SCHED_FIFO at `priority`; its children start without it. Says why not, undefined when it has it.
   */
  take(priority: number): string | undefined;
  /** The calling thread, as the kernel numbers it. */
  thread(): number;
  /** Makes `thread` an ordinary one again; whether it worked. */
  yield(thread: number): boolean;
}

/** Throws when the C library is not there. */
export function realTime(): RealTime {
  const libc = koffi.load('libc.so.6');
  const setScheduler = libc.func('int sched_setscheduler(int pid, int policy, const int32_t* priority)');
  const limitOf = libc.func('int getrlimit(int resource, _Out_ uint64_t* limits)');
  const limit = libc.func('int setrlimit(int resource, const uint64_t* limits)');
  const gettid = libc.func('int gettid(void)');
  return {
    take(priority) {
      const limits = new BigUint64Array(2);
      if (limitOf(RLIMIT_RTTIME, limits) !== 0) return `no limit of real time can be read: ${failure()}`;
      if (limits[0] === INFINITY) {
        limits[0] = SOFT_US;
        if (limits[1] === INFINITY) limits[1] = HARD_US;
        if (limit(RLIMIT_RTTIME, limits) !== 0) return `no limit of real time can be set: ${failure()}`;
      }
      if (setScheduler(0, SCHED_FIFO | RESET_ON_FORK, new Int32Array([priority])) === 0) return undefined;
      return koffi.errno() === EPERM ? 'this user may not: LimitRTPRIO in the unit, or rtprio in /etc/security/limits.conf, allows it' : failure();
    },
    thread: () => gettid() as number,
    yield: (thread) => setScheduler(thread, SCHED_OTHER | RESET_ON_FORK, new Int32Array([0])) === 0,
  };
}

const failure = () => `error ${koffi.errno()} of the kernel`;
