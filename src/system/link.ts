// Tells when the machine's links or addresses change. `ip monitor` sleeps in the kernel until something happens, so an idle
// phone costs nothing; without it the addresses are compared every 15 s.

import { spawn } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import type { Clock } from '../ports/clock.ts';

const SETTLE_MS = 500;
const POLL_MS = 15_000;

const addresses = () => JSON.stringify(Object.values(networkInterfaces()).flat().map((i) => i?.address).sort());

/** Calls `changed` half a second after the last of a burst of changes. Returns what stops it. */
export function watchLinks(clock: Clock, changed: () => void): () => void {
  let stopped = false;
  let cancel: (() => void) | undefined;
  const soon = () => {
    cancel?.();
    cancel = clock.after(SETTLE_MS, changed);
  };
  const poll = (before: string) => {
    if (stopped) return;
    const now = addresses();
    if (now !== before) soon();
    cancelPoll = clock.after(POLL_MS, () => poll(now));
  };
  let cancelPoll: (() => void) | undefined;
  const child = spawn('ip', ['-o', 'monitor', 'link', 'address', 'route'], { stdio: ['ignore', 'pipe', 'ignore'] });
  child.on('error', () => poll(addresses()));
  child.on('exit', () => { if (!stopped) poll(addresses()); });
  child.stdout.on('data', soon);
  return () => {
    stopped = true;
    cancel?.();
    cancelPoll?.();
    child.kill('SIGTERM');
  };
}
