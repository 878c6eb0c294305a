// The hashes by which a password can be kept (RFC 7616 §3.4.2). Beside the core: only a phone that was given a password needs it, once.

import { createHash } from 'node:crypto';
import { HASHES, nameOf, type DigestClient } from './digest.ts';

/** What a hash is called in the settings. */
const NAMES: Readonly<Record<string, string>> = { md5: 'MD5', 'sha-256': 'SHA-256', 'sha-512-256': 'SHA-512-256' };

/**
 * 'algorithm:realm:hash' for every realm that asked `credentials` for the password, a space between: for the algorithm asked for and those that are
 * stronger, so that a server which learns one finds the phone ready; never for a weaker one. '' when nobody asked, or a realm cannot be written so.
 */
export function hashesFor(credentials: DigestClient, user: string, password: string): string {
  const all: string[] = [];
  for (const { params } of credentials.known) {
    const realm = params.get('realm') ?? '', used = nameOf(params.get('algorithm'));
    if (realm === '' || /[\0-\x1f\x7f"]/.test(realm)) return '';
    const strongestFirst = Object.keys(HASHES);
    for (const name of strongestFirst.slice(0, strongestFirst.indexOf(used) + 1)) {
      const line = `${NAMES[name]}:${realm}:${createHash(HASHES[name]!).update(`${user}:${realm}:${password}`).digest('hex')}`;
      if (!all.includes(line)) all.push(line); // the same realm may ask as a server and as a proxy
    }
  }
  return all.join(' ');
}
