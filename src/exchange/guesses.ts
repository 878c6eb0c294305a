// Slows down who guesses passwords: after a few wrong proofs for one user from one place nothing of his is looked at for a while, right or
// wrong, longer with each. Counted by place and user, so that one phone with a wrong password stops neither the others beside it nor its
// namesake elsewhere. Bounded: the longest quiet are forgotten first.

import type { Clock } from '../ports/clock.ts';

/** Wrong proofs that cost nothing: slips, and phones that try an old nonce. */
const FREE = 5;
/** The first pause, doubling up to the second. */
const PAUSE_MS = { first: 1_000, most: 60_000 } as const;
/** A place is forgotten after so long without a wrong proof. */
const FORGET_MS = 900_000;
const MOST = 512;

interface Wrong { count: number; atMs: number }

export class Guesses {
  readonly #clock: Clock;
  /** By place and user, the latest last. */
  readonly #wrong = new Map<string, Wrong>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until a proof of `user` from `host` is looked at again; 0: now. */
  waitMs(host: string, user: string): number {
    const wrong = this.#wrong.get(keyOf(host, user)), now = this.#clock.now();
    if (wrong === undefined || wrong.count < FREE || now - wrong.atMs >= FORGET_MS) return 0;
    return Math.max(0, wrong.atMs + Math.min(PAUSE_MS.most, PAUSE_MS.first * 2 ** Math.min(16, wrong.count - FREE)) - now);
  }

  /** A proof was looked at and was wrong. */
  wrong(host: string, user: string): void {
    const key = keyOf(host, user), now = this.#clock.now(), before = this.#wrong.get(key);
    this.#wrong.delete(key);
    if (this.#wrong.size >= MOST) this.#wrong.delete(this.#wrong.keys().next().value!);
    this.#wrong.set(key, { count: before === undefined || now - before.atMs >= FORGET_MS ? 1 : before.count + 1, atMs: now });
  }

  /** Who proves to be the user has forgotten nothing. */
  right(host: string, user: string): void {
    this.#wrong.delete(keyOf(host, user));
  }
}

/** Of IPv6 the network: whoever has one address there has them all. */
const keyOf = (host: string, user: string): string => `${host.includes(':') ? networkOf(host) : host} ${user}`;

/** The first 64 bits as written, zeros filled in. */
function networkOf(host: string): string {
  const [front = '', back] = host.split('::'), head = front === '' ? [] : front.split(':'), tail = back === undefined || back === '' ? [] : back.split(':');
  const zeros = back === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return [...head, ...Array<string>(zeros).fill('0'), ...tail].slice(0, 4).map((word) => word.replace(/^0+(?=.)/, '').toLowerCase()).join(':');
}
