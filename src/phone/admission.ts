// Who may call in at all. Pure. Everybody else gets 403 at once and never rings.
//
// 403 and not something milder, because of what scanners do with answers: 404 and 480 tell them to try the next extension, 401 invites guessing of
// passwords, 486 and 603 that somebody is here to be rung again; 403 says that repeating is of no use (RFC 3261 §21.4.4). Silence is no choice:
// a scanner's INVITE would only be resent for half a minute.

import type { Settings } from '../config/types.ts';
import type { Endpoint } from '../ports/net.ts';
import type { Source } from '../sip/agent-types.ts';

export type Admission =
  /** `trusted`: may be answered without a person when the rules of the intercom say so. */
  | { readonly let: 'in'; readonly why: 'built-in line' | 'registered server' | 'authenticated' | 'listed address' | 'anyone may call'; readonly trusted: boolean }
  /** On the intercom's list with a password: let it prove itself. */
  | { readonly let: 'prove' }
  | { readonly let: 'out'; readonly status: number; readonly why: string };

/** `builtIn`: where our own service line calls from; `claims`: user part of the caller's address, as yet only claimed. */
export function admit(source: Source, claims: string, settings: Settings, builtIn?: Endpoint): Admission {
  const { sip, intercom } = settings;
  const { peer } = source;
  if (builtIn !== undefined && peer.host === builtIn.host && peer.port === builtIn.port) return { let: 'in', why: 'built-in line', trusted: false };
  if (source.registeredServer !== undefined && sip.acceptFrom !== 'listed') return { let: 'in', why: 'registered server', trusted: true };
  if (source.authenticated !== undefined) return { let: 'in', why: 'authenticated', trusted: true };
  if (passwordOf(settings, claims) !== undefined && intercom.enabled) return { let: 'prove' };
  for (const net of sip.allowAddresses) if (within(peer.host, net)) return { let: 'in', why: 'listed address', trusted: true };
  if (sip.acceptFrom === 'anyone') return { let: 'in', why: 'anyone may call', trusted: false };
  return { let: 'out', status: 403, why: sip.acceptFrom === 'listed' ? 'not a listed address' : 'not from a server this phone is registered at' };
}

/** Password of a caller on the intercom's list; undefined when it has none. */
export function passwordOf(settings: Settings, user: string): string | undefined {
  const entry = settings.intercom.allow.find((e) => e.password !== '' && (e.caller === user || e.caller.split('@')[0] === user));
  return user === '' ? undefined : entry?.password;
}

/** True when the numeric `host` lies in `net`: an address, or address/prefix length, IPv4 or IPv6. */
export function within(host: string, net: string): boolean {
  const slash = net.indexOf('/');
  const base = bitsOf(slash < 0 ? net : net.slice(0, slash));
  const address = bitsOf(host);
  if (base === undefined || address === undefined || base.length !== address.length) return false;
  const length = slash < 0 ? base.length * 16 : Number(net.slice(slash + 1));
  if (!(length <= base.length * 16)) return false;
  for (let i = 0; i * 16 < length; i++) {
    const mask = 0xffff << Math.max(0, 16 - (length - i * 16));
    if (((base[i]! ^ address[i]!) & mask & 0xffff) !== 0) return false;
  }
  return true;
}

/** 16-bit groups, two for IPv4 (also written ::ffff:192.0.2.1), eight for IPv6; undefined for anything else. */
function bitsOf(host: string): number[] | undefined {
  const v4 = /^(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/i.exec(host);
  if (v4 !== null) {
    const [a, b, c, d] = v4.slice(1).map(Number) as [number, number, number, number];
    return Math.max(a, b, c, d) > 255 ? undefined : [a << 8 | b, c << 8 | d];
  }
  const plain = host.split('%', 1)[0]!;
  const [head, tail, more] = plain.split('::');
  if (!plain.includes(':') || more !== undefined) return undefined;
  const groups = (text: string | undefined) => text === undefined || text === '' ? [] : text.split(':').map((g) => /^[0-9a-f]{1,4}$/i.test(g) ? parseInt(g, 16) : NaN);
  const left = groups(head), right = groups(tail);
  const gap = 8 - left.length - right.length;
  if (tail === undefined ? gap !== 0 : gap < 1) return undefined;
  const all = [...left, ...Array<number>(gap).fill(0), ...right];
  return all.some(Number.isNaN) ? undefined : all;
}
