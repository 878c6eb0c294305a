// Tells when the way to others changes: an address, a carrier, the default router. `ip monitor` sleeps in the kernel until
// something happens, so an idle phone costs nothing; without it a look is taken every 15 s.
//
// The kernel's messages only say when to look: most are none of ours (a router advertisement renewing what it said, scans of
// wireless networks, containers coming and going), and each would cost a registration.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import type { Clock } from '../ports/clock.ts';

const SETTLE_MS = 500;
const POLL_MS = 15_000;

/**
 * What others are reached by, as one text to compare. The routes are the kernel's /proc/net/route and /proc/net/ipv6_route. Link-local
 * IPv6 addresses are left out: every virtual interface of a container brings one.
 */
export function waysOut(interfaces: Readonly<Record<string, readonly Pick<NetworkInterfaceInfo, 'address'>[] | undefined>>, routes: string, routes6: string): string {
  const addresses = Object.entries(interfaces).flatMap(([name, all = []]) => all.filter(({ address }) => !address.startsWith('fe80:')).map(({ address }) => `${name} ${address}`));
  const routers = routes.split('\n').map((line) => line.split('\t')).filter(([, target]) => target === '00000000').map(([name, , gateway]) => `${name} via ${gateway}`);
  const routers6 = routes6.split('\n').map((line) => line.split(/ +/)).filter((f) => /^0+$/.test(f[0] ?? '-') && f[1] === '00' && f[9] !== 'lo').map((f) => `${f[9]} via ${f[4]}`);
  return [...addresses, ...routers, ...routers6].sort().join('\n');
}

/** The text of a file; empty where there is none, as without IPv6. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

const look = () => waysOut(networkInterfaces(), textOf('/proc/net/route'), textOf('/proc/net/ipv6_route'));

/** Calls `changed` half a second after the last of a burst of changes. Returns what stops it. */
export function watchLinks(clock: Clock, changed: () => void, now: () => string = look): () => void {
  let stopped = false;
  let known = now();
  let cancel: (() => void) | undefined;
  let cancelPoll: (() => void) | undefined = clock.after(POLL_MS, () => compare()); // for what happened before `ip` listened
  const compare = () => {
    const seen = now();
    if (seen === known) return;
    known = seen; // a link that was away for a moment has changed twice
    cancel?.();
    cancel = clock.after(SETTLE_MS, changed);
  };
  const poll = () => {
    if (stopped) return;
    compare();
    cancelPoll?.();
    cancelPoll = clock.after(POLL_MS, poll);
  };
  const child = spawn('ip', ['monitor', 'link', 'address', 'route'], { stdio: ['ignore', 'pipe', 'ignore'] });
  child.on('error', poll);
  child.on('exit', poll);
  child.stdout.on('data', compare);
  return () => {
    stopped = true;
    cancel?.();
    cancelPoll?.();
    child.kill('SIGTERM');
  };
}
