// Digest authentication (RFC 7616, RFC 2617, RFC 8760 in SIP): answers challenges as a client, makes and checks them as a server.
// Pure but for the hashes: chance and time are arguments. Passwords and digests never leave this file but in header values. Says
// username in UTF-8 as it is, never as username* (RFC 7616 §3.4), which no SIP server was seen to read.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { Random } from '../ports/random.ts';
import type { Headers } from './build.ts';
import { challenges, parseCredentials, quote } from './headers.ts';
import type { Challenge } from './headers.ts';
import { bodyOf, text, unfold, values } from './message.ts';
import type { Message } from './message.ts';

/** Algorithms by their name in lower case, the strongest first (RFC 8760 §2.4 leaves the order to us). */
export const HASHES: Readonly<Record<string, string>> = { 'sha-512-256': 'sha512-256', 'sha-256': 'sha256', md5: 'md5' };
const ORDER = Object.keys(HASHES);

/** What one request proves itself with. */
export interface DigestInput {
  readonly user: string;
  readonly password: string;
  /** H(user:realm:password) of the algorithm, in place of the password. */
  readonly ha1?: string | undefined;
  readonly realm: string;
  readonly nonce: string;
  readonly method: string;
  readonly uri: string;
  /** As in the challenge, '' for none: MD5. */
  readonly algorithm: string;
  /** 'auth', 'auth-int' or '' for RFC 2069. */
  readonly qop: string;
  /** Eight hex digits. */
  readonly nc: string;
  readonly cnonce: string;
  readonly body?: Uint8Array | undefined;
}

/** The response parameter (RFC 7616 §3.4.1); undefined for an algorithm nobody here knows. */
export function digestResponse(input: DigestInput): string | undefined {
  const { user, password, realm, nonce, method, uri, qop, nc, cnonce } = input;
  const session = /-sess$/i.test(input.algorithm), algorithm = HASHES[nameOf(input.algorithm)];
  if (algorithm === undefined) return undefined;
  const hash = (words: string | Uint8Array): string => createHash(algorithm).update(words).digest('hex');
  const secret = input.ha1 ?? hash(`${user}:${realm}:${password}`);
  const ha1 = session ? hash(`${secret}:${nonce}:${cnonce}`) : secret;
  const ha2 = hash(`${method}:${uri}${qop === 'auth-int' ? `:${hash(input.body ?? '')}` : ''}`);
  return hash(qop === '' ? `${ha1}:${nonce}:${ha2}` : `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`);
}

/** The challenges worth answering: one a realm and header, of the strongest algorithm known, in wire order otherwise. */
export function pickChallenges(all: readonly Challenge[], can?: (challenge: Challenge) => boolean): Challenge[] {
  const best = new Map<string, Challenge>();
  for (const one of all) {
    if (one.scheme !== 'digest' || !one.params.has('nonce') || strength(one) < 0 || qopOf(one) === undefined || can?.(one) === false) continue;
    const place = `${one.proxy} ${one.params.get('realm')}`;
    const held = best.get(place);
    if (held === undefined || strength(one) < strength(held)) best.set(place, one);
  }
  return [...best.values()];
}

/** The hash that an algorithm parameter names, in lower case. */
export const nameOf = (algorithm: string | undefined): string => (algorithm || 'md5').toLowerCase().replace(/-sess$/, '');
const strength = (challenge: Challenge): number => ORDER.indexOf(nameOf(challenge.params.get('algorithm')));

/** The protection chosen: auth before auth-int, '' when none is offered (RFC 2069); undefined when only unknown ones are. */
function qopOf(challenge: Challenge): 'auth' | 'auth-int' | '' | undefined {
  const offered = challenge.params.get('qop');
  if (offered === undefined) return '';
  const list = offered.toLowerCase().split(/[\s,]+/);
  return list.includes('auth') ? 'auth' : list.includes('auth-int') ? 'auth-int' : undefined;
}

/** The value of Authorization or Proxy-Authorization for `challenge`; `count` is how often its nonce is used, from 1. */
export function authorization(
  challenge: Challenge,
  request: Pick<DigestInput, 'user' | 'password' | 'ha1' | 'method' | 'uri' | 'body'>,
  count: number,
  cnonce: string,
): string {
  const { params } = challenge;
  const realm = params.get('realm') ?? '', nonce = params.get('nonce') ?? '', algorithm = params.get('algorithm') ?? '', opaque = params.get('opaque');
  const qop = qopOf(challenge) ?? '';
  const nc = countWords(count);
  const { user, uri } = request;
  const response = digestResponse({ ...request, realm, nonce, algorithm, qop, nc, cnonce }) ?? '';
  const hidden = params.get('userhash')?.toLowerCase() === 'true'; // RFC 7616 §3.4.4
  const name = hidden ? createHash(HASHES[nameOf(algorithm)]!).update(`${user}:${realm}`).digest('hex') : user;
  let line = `Digest username=${quote(name)}, realm=${quote(realm)}, nonce=${quote(nonce)}, uri=${quote(uri)}, response="${response}"`;
  if (algorithm !== '') line += `, algorithm=${algorithm}`;
  if (opaque !== undefined) line += `, opaque=${quote(opaque)}`;
  if (hidden) line += ', userhash=true';
  // The cnonce stands in a -sess hash even where no qop was offered (RFC 2617 §3.2.2.2)
  if (qop !== '') line += `, qop=${qop}, nc=${nc}, cnonce="${cnonce}"`;
  else if (algorithm.toLowerCase().endsWith('-sess')) line += `, cnonce="${cnonce}"`;
  return line;
}

/**
 * retry: credentials for the new challenge are ready, send again. refused: the server turned down the password, for it had a fresh
 * nonce. unsupported: no challenge that can be answered.
 */
export type Learned = 'retry' | 'refused' | 'unsupported';

/** A challenge being answered. */
interface Held {
  challenge: Challenge;
  uses: number;
  /** The nonce came in a 401 or 407: its first use tells whether the password is right. */
  fresh: boolean;
  /** Of the last use. */
  cnonce: string;
  uri: string;
}

/** The credentials of one account: keeps the servers' latest challenges and counts the use of their nonces. */
export class DigestClient {
  readonly #random: Random;
  readonly #user: string;
  readonly #password: string;
  /** Hash name, realm, HA1 each: all that is known of the password where it is not set. */
  #ha1: readonly (readonly string[])[];
  readonly #first: string;
  readonly #known = new Map<string, Held>();
  /** The last challenge could not be answered for want of the password: its hashes are for other realms or algorithms. */
  lacking = false;

  /**
   * `ha1` is 'MD5:realm:hash' or several with a space between, used where there is no password; `first` is a realm to name in a REGISTER before
   * any challenge (3GPP TS 24.229 §5.1.1.2).
   */
  constructor(random: Random, user: string, password: string, ha1 = '', first = '') {
    this.#random = random;
    this.#user = user;
    this.#password = password;
    this.#ha1 = password === '' && ha1 !== '' ? [...ha1.matchAll(HA1)] : [];
    this.#first = first;
  }

  /** The same user, with challenges of its own: for who is not the account's server. */
  apart(): DigestClient {
    const other = new DigestClient(this.#random, this.#user, this.#password);
    other.#ha1 = this.#ha1;
    return other;
  }

  /** Take in a 401 or 407. A second challenge counts as refusal when the nonce before it was new and the server does not call it stale. */
  learn(response: Message): Learned {
    const given = challenges(response), hashed = this.#password === '';
    const all = pickChallenges(given, hashed ? (one) => this.#secret(one) !== undefined : undefined);
    this.lacking = hashed && all.length === 0 && pickChallenges(given).length > 0;
    let refused = false;
    for (const challenge of all) {
      const place = `${challenge.proxy} ${challenge.params.get('realm')}`;
      const held = this.#known.get(place);
      const stale = challenge.params.get('stale')?.toLowerCase() === 'true';
      if (held !== undefined && held.fresh && held.uses === 1 && !stale) refused = true;
      if (this.#known.size >= 8) this.#known.clear(); // realms of servers; more are made up
      this.#known.set(place, { challenge, uses: 0, fresh: true, cnonce: '', uri: '' });
    }
    return all.length === 0 ? 'unsupported' : refused ? 'refused' : 'retry';
  }

  /** Header lines that prove who sends `method` to `uri`; none before the first challenge. Each call counts as one use. */
  headers(method: string, uri: string, body?: Uint8Array): Headers {
    const user = this.#user, password = this.#password;
    if (this.#known.size === 0 && this.#first !== '' && method === 'REGISTER') {
      return [['Authorization', `Digest username=${quote(user)}, realm=${quote(this.#first)}, nonce="", uri=${quote(uri)}, response=""`]];
    }
    return [...this.#known.values()].map((held) => {
      const { challenge } = held;
      held.uses++;
      held.uri = uri;
      held.cnonce = Buffer.from(this.#random.bytes(8)).toString('hex');
      return [challenge.proxy ? 'Proxy-Authorization' : 'Authorization',
        authorization(challenge, { user, password, ha1: this.#secret(challenge), method, uri, body }, held.uses, held.cnonce)] as const;
    });
  }

  /**
   * Take in the (Proxy-)Authentication-Info of a response (RFC 7616 §3.5): the nonce to use next, and whether who answered knows the
   * password as well; false when it was shown not to.
   */
  confirms(response: Message): boolean {
    let right = true;
    for (const held of this.#known.values()) {
      const { challenge, cnonce, uri, uses } = held, { params } = challenge;
      const info = parseCredentials(text(response, challenge.proxy ? 'proxy-authentication-info' : 'authentication-info') ?? '')?.params;
      const echoed = info?.get('cnonce'), proof = info?.get('rspauth'), nonce = info?.get('nextnonce');
      if (echoed !== undefined && echoed !== cnonce) continue; // of another request
      if (echoed !== undefined && proof !== undefined) {
        right = same(proof.toLowerCase(), digestResponse({
          user: this.#user, password: this.#password, ha1: this.#secret(challenge), realm: params.get('realm') ?? '', nonce: params.get('nonce') ?? '', method: '', uri,
          algorithm: params.get('algorithm') ?? '', qop: qopOf(challenge) ?? '', nc: countWords(uses), cnonce, body: bodyOf(response),
        }) ?? '') && right;
      }
      if (nonce !== undefined && right) Object.assign(held, { challenge: { ...challenge, params: new Map(params).set('nonce', nonce) }, uses: 0, fresh: false });
    }
    return right;
  }

  /** Forget all nonces: the next request goes without credentials. */
  forget(): void {
    this.#known.clear();
  }

  #secret({ params }: Challenge): string | undefined {
    return this.#ha1.find(([, name, realm]) => realm === params.get('realm') && nameOf(name) === nameOf(params.get('algorithm')))?.[3]!.toLowerCase();
  }

  /** Whoever asked for the password, one a realm, as they asked last. */
  get known(): readonly Challenge[] {
    return [...this.#known.values()].map(({ challenge }) => challenge);
  }
}

/** 'algorithm:realm:HA1', again after a space. */
const HA1 = /(?<=^| )([\w-]+):(.*?):([\da-f]{32,64})(?= |$)/gi;
const countWords = (count: number): string => count.toString(16).padStart(8, '0');

/** What a request's Authorization is worth. */
export type Verdict =
  | { readonly verdict: 'ok'; readonly user: string }
  /** None, for another realm, unknown user, wrong password, unreadable: challenge. */
  | { readonly verdict: 'wrong' | 'absent' }
  /** Right, but the nonce is too old, or its count was used before: challenge with stale. */
  | { readonly verdict: 'stale' };

/** Nonces of good requests that are remembered against replay; only who knows a password adds one. */
const SEEN_MOST = 64;

/** Our own challenges. Keeps nothing of strangers: the nonce carries its time, sealed together with the Call-ID by a key of this object. */
export class DigestServer {
  readonly #clock: Clock;
  readonly #key: Uint8Array;
  readonly realm: string;
  readonly #lifetimeMs: number;
  /** The highest count of each nonce that was good. */
  readonly #seen = new Map<string, number>();

  constructor(clock: Clock, random: Random, realm: string, lifetimeMs = 30_000) {
    this.#clock = clock;
    this.#key = random.bytes(32);
    this.realm = realm;
    this.#lifetimeMs = lifetimeMs;
  }

  /** Header lines of a 401 to `request`, the strongest algorithm first (RFC 8760 §2.3); credentials for it are good within its Call-ID. */
  challenge(request: Message, stale = false): Headers {
    const nonce = this.#nonce(Math.floor(this.#clock.now()), request);
    return ['SHA-256', 'MD5'].map((algorithm) => ['WWW-Authenticate',
      `Digest realm=${quote(this.realm)}, nonce="${nonce}", algorithm=${algorithm}, qop="auth"${stale ? ', stale=true' : ''}`] as const);
  }

  /** Check the Authorization of `request`; a proxy its Proxy-Authorization, of which there may be one a realm (RFC 3261 §22.3). */
  verify(request: Message, passwordOf: (user: string) => string | undefined, header = 'authorization'): Verdict {
    const all = values(request, header).map((line) => parseCredentials(unfold(line.toString())));
    const given = all.find((one) => one?.params.get('realm') === this.realm) ?? all[0];
    if (given === undefined || given.scheme !== 'digest') return { verdict: 'absent' };
    const p = (name: string): string => given.params.get(name) ?? '';
    const user = p('username'), nonce = p('nonce'), algorithm = p('algorithm').toLowerCase();
    const password = passwordOf(user);
    const madeAtMs = parseInt(nonce.slice(0, 12), 16);
    if (password === undefined || p('realm') !== this.realm || !/^[\da-f]{12}/.test(nonce) || !same(nonce, this.#nonce(madeAtMs, request))) return { verdict: 'wrong' };
    if (!['', 'md5', 'sha-256'].includes(algorithm) || p('qop').toLowerCase() !== 'auth' || !/^[\da-f]{8}$/i.test(p('nc'))) return { verdict: 'wrong' };
    const expected = digestResponse({
      user, password, realm: this.realm, nonce, method: request.method, uri: p('uri'), algorithm, qop: 'auth', nc: p('nc'), cnonce: p('cnonce'),
    });
    if (expected === undefined || !same(p('response').toLowerCase(), expected)) return { verdict: 'wrong' };
    const count = parseInt(p('nc'), 16);
    if (this.#clock.now() - madeAtMs > this.#lifetimeMs || count <= (this.#seen.get(nonce) ?? 0)) return { verdict: 'stale' }; // RFC 7616 §3.4: nc shows replays
    if (this.#seen.size >= SEEN_MOST) this.#seen.delete(this.#seen.keys().next().value!);
    this.#seen.set(nonce, count);
    return { verdict: 'ok', user };
  }

  #nonce(atMs: number, request: Message): string {
    const time = atMs.toString(16).padStart(12, '0');
    return time + createHmac('sha256', this.#key).update(`${time} ${text(request, 'call-id') ?? ''}`).digest('hex').slice(0, 32);
  }
}

/** Equality that takes as long for a near miss as for a far one. */
function same(a: string, b: string): boolean {
  const left = Buffer.from(a), right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}
