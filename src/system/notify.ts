// sd_notify(3) through libsystemd, so that systemd sees our own process id. Silent where no NOTIFY_SOCKET is set.

import { PhoneError } from '../ports/errors.ts';

/** Tells systemd 'READY=1', 'WATCHDOG=1', 'STATUS=...'; does nothing outside systemd. */
export async function systemdNotify(): Promise<(state: string) => void> {
  if (process.env['NOTIFY_SOCKET'] === undefined) return () => undefined;
  let notify: (unset: number, state: string) => number;
  try {
    const { default: koffi } = await import('koffi'); // only here: it takes longer to load than a REGISTER to be answered
    notify = koffi.load('libsystemd.so.0').func('int sd_notify(int unset, const char* state)');
  } catch (error) {
    throw new PhoneError('LIBSYSTEMD_MISSING', 'systemd started this phone but libsystemd.so.0 is missing: install the Debian package libsystemd0', error);
  }
  return (state) => { notify(0, state); };
}

/**
 * Half the time within which systemd wants to hear WATCHDOG=1 (sd_watchdog_enabled(3)); undefined when it does not, or wants it of
 * another process that we inherited the words from.
 */
export function watchdogIntervalMs(env: Readonly<Record<string, string | undefined>> = process.env, pid = process.pid): number | undefined {
  const us = Number(env['WATCHDOG_USEC']);
  const whose = env['WATCHDOG_PID'];
  return Number.isFinite(us) && us > 0 && (whose === undefined || Number(whose) === pid) ? us / 2_000 : undefined;
}
