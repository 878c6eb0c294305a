// Who may call in at all. Pure. Everybody else gets 403 at once and never rings.
//
// 403 and not something milder, because of what scanners do with answers: 404 and 480 tell them to try the next extension, 401 invites guessing of
// passwords, 486 and 603 that somebody is here to be rung again; 403 says that repeating is of no use (RFC 3261 §21.4.4). Silence is no choice:
// a scanner's INVITE would only be resent for half a minute.

import type { Settings } from '../config/types.ts';
import type { Endpoint } from '../ports/net.ts';
import type { Source } from '../sip/agent-types.ts';
import { within } from './nets.ts';

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
