// The timers of all transactions on one alarm: each transaction holds two instants, of its next resend and of its end (RFC 3261 table 4).

import type { Clock } from '../ports/clock.ts';
import { T2, timerMs } from './tables.ts';
import type { Action, Timer } from './tables.ts';
import { NEVER } from './transaction.ts';
import type { Entry } from './transaction.ts';

export type Again = Extract<Action, `double ${string}` | 'pause E'>;

export class Timers {
  readonly #clock: Clock;
  readonly #entries: readonly ReadonlyMap<string, Entry>[];
  readonly #due: (entry: Entry, timer: Timer) => void;
  #stopAlarm: (() => void) | undefined;
  #alarmAtMs = NEVER;

  /** Serves whatever is in `entries`; `due` may change them. */
  constructor(clock: Clock, entries: readonly ReadonlyMap<string, Entry>[], due: (entry: Entry, timer: Timer) => void) {
    this.#clock = clock;
    this.#entries = entries;
    this.#due = due;
  }

  start(entry: Entry, timer: Timer): void {
    const ms = timerMs(timer, entry.to.transport !== 'udp');
    if (ms === undefined) return;
    if (ms === 0) return this.#due(entry, timer);
    if (timer === 'A' || timer === 'E' || timer === 'G' || timer === '100') return this.#resend(entry, timer, ms);
    if (timer !== 'B' && timer !== 'F' && timer !== 'H') entry.resendAtMs = NEVER; // who waits for stragglers resends nothing
    entry.endTimer = timer;
    entry.endAtMs = this.#clock.now() + ms;
    this.#arm(entry.endAtMs);
  }

  stop(entry: Entry, timer: Timer): void {
    if (entry.resendTimer === timer) entry.resendAtMs = NEVER;
    else if (entry.endTimer === timer) entry.endAtMs = NEVER;
  }

  /** The next resend: after twice the pause of the last, E and G at most T2 (§17.1.1.2, §17.1.2.2, §17.2.1). */
  again(entry: Entry, how: Again): void {
    this.#resend(entry, entry.resendTimer, how === 'pause E' ? T2 : Math.min(2 * entry.resendMs, how === 'double A' ? NEVER : T2));
  }

  close(): void {
    this.#stopAlarm?.();
    this.#alarmAtMs = NEVER;
  }

  #resend(entry: Entry, timer: Timer, ms: number): void {
    entry.resendTimer = timer;
    entry.resendMs = ms;
    entry.resendAtMs = this.#clock.now() + ms;
    this.#arm(entry.resendAtMs);
  }

  #arm(atMs: number): void {
    if (atMs >= this.#alarmAtMs) return;
    this.#stopAlarm?.();
    this.#alarmAtMs = atMs;
    this.#stopAlarm = this.#clock.after(atMs - this.#clock.now(), () => this.#onAlarm());
  }

  #onAlarm(): void {
    this.#alarmAtMs = NEVER;
    this.#stopAlarm = undefined;
    const now = this.#clock.now();
    let next = NEVER;
    for (const map of this.#entries) {
      for (const entry of map.values()) {
        if (entry.endAtMs <= now) {
          entry.endAtMs = NEVER;
          this.#due(entry, entry.endTimer);
        } else if (entry.resendAtMs <= now) {
          entry.resendAtMs = NEVER;
          this.#due(entry, entry.resendTimer);
        }
        next = Math.min(next, entry.endAtMs, entry.resendAtMs);
      }
    }
    if (next === NEVER) return;
    let size = 0;
    for (const map of this.#entries) size += map.size;
    this.#arm(Math.max(next, now + (size >> 10))); // thousands are not gone through for each that is due
  }
}
