// The page's password: only its scrypt hash is kept, in `page-password` of the state folder. Deleting that file lets a new one be set.

import { scrypt, timingSafeEqual } from 'node:crypto';
import { PhoneError } from '../ports/errors.ts';
import type { Files } from '../ports/files.ts';
import type { Random } from '../ports/random.ts';

/** RFC 7914: 32 MiB and some 100 ms of a small board for each guess. */
const COST = { N: 2 ** 15, r: 8, p: 1 } as const;
const HASH_BYTES = 32;
/** Each hash takes 32 MiB, so they are made one after the other; more waiting than this are sent away. */
const MAX_WAITING = 4;

export const PASSWORD_MIN = 8;
export const PASSWORD_MAX = 512;

interface Kept { readonly N: number; readonly r: number; readonly p: number; readonly salt: string; readonly hash: string }

export interface Password {
  isSet(): Promise<boolean>;
  matches(password: string): Promise<boolean>;
  /** False when `onlyFirst` and there is one already. */
  set(password: string, onlyFirst: boolean): Promise<boolean>;
}

export function pagePassword({ files, random }: { readonly files: Files; readonly random: Random }, stateDir: string): Password {
  const path = `${stateDir}/page-password`;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (waiting >= MAX_WAITING) return Promise.reject(new PhoneError('PAGE_BUSY', 'The phone is busy checking passwords. Try again in a moment.'));
    waiting++;
    const done = last.then(work).finally(() => { waiting--; });
    last = done.catch(() => undefined);
    return done;
  }

  return {
    isSet: () => files.exists(path),
    matches: (password) => inTurn(async () => {
      const kept = read(await files.read(path));
      if (kept === undefined) return false; // a file that cannot be read opens for nobody
      const hash = await hashOf(password, Buffer.from(kept.salt, 'base64'), kept);
      const expected = Buffer.from(kept.hash, 'base64');
      return hash.length === expected.length && timingSafeEqual(hash, expected);
    }),
    set: (password, onlyFirst) => inTurn(async () => {
      if (onlyFirst && await files.exists(path)) return false;
      const salt = Buffer.from(random.bytes(16));
      const hash = await hashOf(password, salt, COST);
      const kept: Kept = { ...COST, salt: salt.toString('base64'), hash: hash.toString('base64') };
      await files.makeFolder(stateDir);
      await files.writeAtomic(path, `${JSON.stringify(kept)}\n`, 0o600);
      return true;
    }),
  };
}

function hashOf(password: string, salt: Buffer, { N, r, p }: { readonly N: number; readonly r: number; readonly p: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, HASH_BYTES, { N, r, p, maxmem: 256 * N * r }, (error, hash) => (error === null ? resolve(hash) : reject(error)));
  });
}

function read(bytes: Buffer | undefined): Kept | undefined {
  try {
    const kept = JSON.parse(bytes?.toString() ?? '') as Partial<Kept> | null;
    const { N = 0, r = 0, p = 0, salt, hash } = kept ?? {};
    const sane = Number.isInteger(Math.log2(N)) && N >= 2 && N <= 2 ** 17 && r >= 1 && r <= 16 && p >= 1 && p <= 4;
    return sane && typeof salt === 'string' && typeof hash === 'string' && hash !== '' ? { N, r, p, salt, hash } : undefined;
  } catch {
    return undefined;
  }
}
