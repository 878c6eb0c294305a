// A NAT of the kernel between two network namespaces: a house with private addresses, and the world.
//
//   inside 10.66.0.2 --- 10.66.0.1 [ NAT ] 198.51.100.1 --- 198.51.100.2, .3 outside

import { execFileSync, spawnSync } from 'node:child_process';

export interface Nat {
  readonly inside: string;
  readonly outside: string;
  close(): void;
}

export const INSIDE = '10.66.0.2', ROUTER = '198.51.100.1', OUTSIDE = '198.51.100.2', STUN = '198.51.100.3';

/** `ports`: what the NAT makes of UDP ports; all others keep theirs where they can. */
export function makeNat(name: string, ports: Readonly<Record<number, number>> = {}): Nat {
  const [inside, nat, outside] = ['in', 'nat', 'out'].map((part) => `${name}-${part}`) as [string, string, string];
  const run = (...args: string[]) => execFileSync(args[0]!, args.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
  const ip = (...args: string[]) => run('ip', ...args);
  for (const space of [inside, nat, outside]) {
    ip('netns', 'add', space);
    ip('-n', space, 'link', 'set', 'lo', 'up');
  }
  const join = (space: string, here: string, there: string, ...addresses: string[]) => {
    ip('link', 'add', 'eth0', 'netns', space, 'type', 'veth', 'peer', 'name', there, 'netns', nat);
    for (const address of addresses) ip('-n', space, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('-n', nat, 'addr', 'add', `${here}/24`, 'dev', there);
    ip('-n', space, 'link', 'set', 'eth0', 'up');
    ip('-n', nat, 'link', 'set', there, 'up');
  };
  join(inside, '10.66.0.1', 'house', INSIDE);
  join(outside, ROUTER, 'world', OUTSIDE, STUN);
  ip('-n', inside, 'route', 'add', 'default', 'via', '10.66.0.1');
  run('ip', 'netns', 'exec', nat, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
  const rule = (...args: string[]) => run('ip', 'netns', 'exec', nat, 'iptables', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'world', ...args);
  for (const [from, to] of Object.entries(ports)) rule('-p', 'udp', '--sport', from, '-j', 'SNAT', '--to-source', `${ROUTER}:${to}`);
  rule('-j', 'MASQUERADE');
  // As routers do: what nobody inside asked for is dropped, before it is taken for a connection of its own that stands in the way of one from inside.
  run('ip', 'netns', 'exec', nat, 'iptables', '-A', 'INPUT', '-i', 'world', '-m', 'conntrack', '--ctstate', 'NEW', '-j', 'DROP');
  return { inside, outside, close: () => { for (const space of [inside, nat, outside]) spawnSync('ip', ['netns', 'del', space]); } };
}
