// One registration as a pure machine (RFC 3261 §10.2): what to send and when, and what may be shown. No messages, no digest, no
// addresses: account.ts turns responses into events and carries the actions out.
//
//   off --start--> sending --granted--> registered --timer--> sending ...
//                     |  ^                              any --stop--> leaving --> off
//                failed  timer
//                     v  |
//                    waiting            a silent try is given up after its slot, and the next one follows at once

import type { RegistrationFailure, RegistrationState } from './agent-types.ts';

/** What the server last confirmed. */
interface Binding { readonly server: string; readonly untilMs: number }

/** An outage: consecutive failures since the last confirmation. */
interface Trouble {
  readonly why: RegistrationFailure;
  readonly status: number;
  readonly detail: string;
  readonly failures: number;
  readonly sinceMs: number;
}

interface Episode {
  readonly expiresS: number;
  readonly binding?: Binding | undefined;
  readonly trouble?: Trouble | undefined;
  readonly sinceMs: number;
  readonly attempt: number;
  /** When the last try began. */
  readonly tryMs: number;
}

export type Registration =
  | { readonly phase: 'off'; readonly expiresS: number }
  | Episode & { readonly phase: 'sending'; readonly rounds: number; readonly to?: string | undefined }
  | Episode & { readonly phase: 'registered'; readonly binding: Binding }
  | Episode & { readonly phase: 'waiting'; readonly trouble: Trouble; readonly retryAtMs: number }
  | { readonly phase: 'leaving'; readonly expiresS: number; readonly rounds: number };

export type RegistrationEvent =
  | { readonly event: 'start' | 'timer' | 'stop' }
  /** The owner or the network asks for a try at once. */
  | { readonly event: 'now' }
  /** A packet came from the server. */
  | { readonly event: 'heard' }
  | { readonly event: 'granted'; readonly server: string; readonly grantedS: number }
  /** 401 or 407, as the digest client took it in. */
  | { readonly event: 'challenged'; readonly with: 'retry' | 'refused' | 'unsupported'; readonly status: number; /** Only hashes of the password are known, for other realms or algorithms. */ readonly lacking?: boolean | undefined }
  | { readonly event: 'too brief'; readonly minS: number }
  | { readonly event: 'redirected'; readonly to: string; readonly status: number }
  | { readonly event: 'refused'; readonly status: number; readonly detail: string; readonly retryAfterS?: number; readonly credentials: boolean }
  | { readonly event: 'failed'; readonly why: 'no network' | 'no such server' | 'server silent' | 'server refused' | 'not trusted'; readonly detail: string };

export type RegistrationAction =
  /** Send REGISTER with the next CSeq in place of any under way; expires 0 takes the binding back. */
  | { readonly do: 'register'; readonly expiresS: number; readonly to?: string }
  /** Set the one timer anew. */
  | { readonly do: 'wait'; readonly ms: number }
  /** Nothing is left to do: stop the timer and forget the transaction. */
  | { readonly do: 'gone' };

/**
 * Times of taste, in ms: a server that comes back is found within 5 s, and a dead one is asked no oftener than every 4 s. Departs from
 * RFC 5626 §4.5: its flow recovery begins at 30 s and grows to half an hour, in which nobody could call.
 */
export const PACE = {
  quick: 4_000, quickMost: 25_000, patience: 300_000,
  slow: 60_000, slowMost: 500_000, retryAfterMost: 600_000,
  leave: 1_900, restart: 500, roundsMost: 4, expiresMostS: 86_400,
} as const;

export const registrationOff = (expiresS: number): Registration => ({ phase: 'off', expiresS });

/** What may be shown: `registered` only while the server's word stands and at most one try has failed since. */
export function shown(r: Registration): RegistrationState {
  if (r.phase === 'off' || r.phase === 'leaving') return { state: 'off' };
  const { binding, trouble } = r;
  if (binding !== undefined && (trouble === undefined || (trouble.failures < 2 && quick(trouble.why)))) return { state: 'registered', ...binding };
  if (trouble === undefined) return { state: 'trying', sinceMs: r.sinceMs, attempt: r.attempt };
  const { why, status, detail } = trouble;
  return { state: 'failed', why, status, detail, retryAtMs: r.phase === 'waiting' ? r.retryAtMs : r.tryMs };
}

/** Failures that pass by themselves; the others need a person. */
/** Also what ends a call. */
export const LACKING = 'the kept hash of the password is for another realm or algorithm than the server asks for now: give the password once more';
const quick = (why: RegistrationFailure): boolean => why !== 'wrong password' && why !== 'not allowed';

/** From one try to the next: 4 s for five minutes, then growing with the outage up to 30 s; a person's faults from 60 s doubling to 10 min. */
function pauseMs(trouble: Trouble, nowMs: number, chance: number): number {
  const base = quick(trouble.why)
    ? Math.min(PACE.quickMost, Math.max(PACE.quick, PACE.quick * (nowMs - trouble.sinceMs) / PACE.patience))
    : Math.min(PACE.slowMost, PACE.slow * 2 ** Math.min(8, trouble.failures - 1));
  return base * (1 + 0.2 * chance);
}

type Step = readonly [Registration, ...RegistrationAction[]];

/** One event at `nowMs`; `chance` in [0, 1) spreads the waits. */
export function step(r: Registration, e: RegistrationEvent, nowMs: number, chance: number): Step {
  if (r.phase === 'off') return e.event === 'start' ? attempt({ expiresS: r.expiresS, sinceMs: nowMs, attempt: 0, tryMs: nowMs }, nowMs, chance) : [r];
  if (r.phase === 'leaving') return leaving(r, e);
  const episode: Episode = r.binding !== undefined && r.binding.untilMs <= nowMs ? { ...r, binding: undefined } : r;
  switch (e.event) {
    case 'start':
      return [r];
    case 'stop':
      return r.phase !== 'sending' && episode.binding === undefined
        ? [registrationOff(r.expiresS), { do: 'gone' }]
        : [{ phase: 'leaving', expiresS: r.expiresS, rounds: 0 }, { do: 'register', expiresS: 0 }, { do: 'wait', ms: PACE.leave }];
    case 'now':
      return r.phase === 'sending' && nowMs - r.tryMs < PACE.restart ? [r] : attempt(episode, nowMs, chance);
    case 'heard': {
      if (r.trouble === undefined || r.trouble.status !== 0 || r.phase === 'registered') return [r];
      const early = r.tryMs + PACE.quick - nowMs;
      if (early <= 0) return attempt(episode, nowMs, chance);
      return r.phase === 'waiting' ? [{ ...r, retryAtMs: Math.min(r.retryAtMs, nowMs + early) }, { do: 'wait', ms: Math.min(r.retryAtMs - nowMs, early) }] : [r];
    }
    case 'timer':
      if (r.phase !== 'sending') return attempt(episode, nowMs, chance);
      return attempt({ ...episode, trouble: worse(episode, 'server silent', 0, 'no answer', nowMs) }, nowMs, chance);
    default:
      return r.phase === 'sending' ? answered({ ...r, ...episode, phase: 'sending', rounds: r.rounds }, e, nowMs, chance) : [r];
  }
}

/** A new try: its slot is the pause to the next one, so that an unanswered transaction holds nothing up. */
function attempt(episode: Episode, nowMs: number, chance: number): Step {
  const { expiresS, binding, trouble, sinceMs } = episode;
  const slot = trouble !== undefined && quick(trouble.why) ? pauseMs(trouble, nowMs, chance) : PACE.quick * (1 + 0.2 * chance);
  return [
    { phase: 'sending', expiresS, binding, trouble, sinceMs, attempt: episode.attempt + 1, tryMs: nowMs, rounds: 0 },
    { do: 'register', expiresS }, { do: 'wait', ms: slot },
  ];
}

function worse(episode: Episode, why: RegistrationFailure, status: number, detail: string, nowMs: number): Trouble {
  const before = episode.trouble;
  const failures = before !== undefined && quick(before.why) === quick(why) ? before.failures + 1 : 1;
  return { why, status, detail, failures, sinceMs: before?.sinceMs ?? nowMs };
}

type Sending = Extract<Registration, { phase: 'sending' }>;

function answered(r: Sending, e: RegistrationEvent, nowMs: number, chance: number): Step {
  const fail = (why: RegistrationFailure, status: number, detail: string, retryAfterS = 0): Step => {
    const trouble = worse(r, why, status, detail, nowMs);
    const asked = Math.min(PACE.retryAfterMost, retryAfterS * 1000) * (1 + 0.1 * chance);
    const retryAtMs = Math.max(r.tryMs + pauseMs(trouble, nowMs, chance), nowMs + asked, nowMs + 50);
    const { expiresS, binding, sinceMs, attempt: tries, tryMs } = r;
    // A refusal is the server's own word: what it confirmed before no longer stands.
    return [
      { phase: 'waiting', expiresS, binding: status === 0 || status >= 500 ? binding : undefined, trouble, sinceMs, attempt: tries, tryMs, retryAtMs },
      { do: 'wait', ms: retryAtMs - nowMs },
    ];
  };
  const again = (expiresS: number, to = r.to): Step => [
    { ...r, expiresS, rounds: r.rounds + 1, to },
    to === undefined ? { do: 'register', expiresS } : { do: 'register', expiresS, to }, { do: 'wait', ms: PACE.quick * (1 + 0.2 * chance) },
  ];
  const tired = r.rounds >= PACE.roundsMost;
  switch (e.event) {
    case 'granted': {
      const binding = { server: e.server, untilMs: nowMs + e.grantedS * 1000 };
      return [
        { phase: 'registered', expiresS: r.expiresS, binding, sinceMs: nowMs, attempt: 0, tryMs: r.tryMs },
        { do: 'wait', ms: Math.max(2_000, e.grantedS * 1000 * (0.65 + 0.1 * chance)) },
      ];
    }
    case 'challenged':
      if (e.with === 'refused') return fail('wrong password', e.status, 'the server refused the password');
      if (e.with === 'unsupported') return fail('wrong password', e.status, e.lacking === true ? LACKING : 'the server asks for a password that is not set, or in a way not known');
      return tired ? fail('server trouble', e.status, 'the server asks for the password again and again') : again(r.expiresS);
    case 'too brief': // §10.3 step 7
      return tired || e.minS <= r.expiresS || e.minS > PACE.expiresMostS
        ? fail('server trouble', 423, 'the server accepts no registration time') : again(e.minS);
    case 'redirected':
      return r.to !== undefined || tired ? fail('server trouble', e.status, 'the server sends us round in circles') : again(r.expiresS, e.to);
    case 'refused': {
      const why = e.status >= 500 || e.status < 400 ? 'server trouble'
        : e.status === 408 ? 'server silent' : e.status === 403 && e.credentials ? 'wrong password' : 'not allowed';
      return fail(why, e.status, e.detail, e.retryAfterS);
    }
    case 'failed':
      return fail(e.why, 0, e.detail);
    default:
      return [r];
  }
}

function leaving(r: Extract<Registration, { phase: 'leaving' }>, e: RegistrationEvent): Step {
  if (e.event === 'start' || e.event === 'stop' || e.event === 'now' || e.event === 'heard') return [r];
  if (e.event === 'challenged' && e.with === 'retry' && r.rounds < 3) {
    return [{ ...r, rounds: r.rounds + 1 }, { do: 'register', expiresS: 0 }];
  }
  return [registrationOff(r.expiresS), { do: 'gone' }];
}
