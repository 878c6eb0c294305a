// Session timers (RFC 4028): what Session-Expires says, what to answer to it, and the clock that refreshes. The refresh itself is offers.ts's.

import type { Headers } from './build.ts';
import { countOf, hasToken, parseParams, wholeNumber } from './headers.ts';
import type { Talk } from './leg.ts';
import { text, type Message } from './message.ts';
import type { Ua } from './ua.ts';

/** Seconds: the shortest session that anybody may ask for (§5). */
export const MIN_SE = 90;
/** How often a longer session is asked for. */
const TRIES = 4;
/** Seconds of the longest clock: what a timer of 2^31 ms holds. */
const LONGEST = 2_000_000;

export const MIN_SE_LINE: Headers = [['Min-SE', String(MIN_SE)]];

/** Seconds and refresher ('uac', 'uas', '' where none is named) of Session-Expires; undefined when it is absent or no number. */
export function expiresOf(message: Message): { readonly s: number; readonly refresher: string } | undefined {
  const [written = '', ...params] = (text(message, 'session-expires') ?? '').split(';'), s = wholeNumber(written.trim());
  return s === undefined ? undefined : { s: Math.min(s, LONGEST), refresher: parseParams(`;${params.join(';')}`)?.get('refresher')?.toLowerCase() ?? '' };
}

/** True when 422 with Min-SE answers `request`: who knows no session timers could not read it (§9). */
export const tooShort = (request: Message): boolean => (expiresOf(request)?.s ?? MIN_SE) < MIN_SE && hasToken(request, 'supported', 'timer');

/**
 * What our 2xx to `request` says, and whether the refreshing is ours (§9, table 2): not more than was asked for, nor less than its
 * Min-SE; theirs to refresh when they can and do not name us. `wishS` is what we should like, 0 for nothing. undefined: no timer.
 */
export function agree(request: Message, wishS: number): { readonly s: number; readonly ours: boolean; readonly lines: Headers } | undefined {
  const asked = expiresOf(request), able = hasToken(request, 'supported', 'timer');
  if (asked === undefined && (wishS === 0 || !able)) return undefined;
  const least = countOf(request, 'min-se') ?? MIN_SE, wish = Math.max(wishS === 0 ? asked!.s : wishS, least);
  const s = Math.min(wish, asked?.s ?? LONGEST), ours = asked === undefined || asked.refresher === 'uas' || (asked.refresher !== 'uac' && !able);
  return { s, ours, lines: [['Session-Expires', `${s};refresher=${ours ? 'uas' : 'uac'}`], ...(able ? [['Require', 'timer'] as const] : [])] };
}

/** The clock of one session; the fields are this file's. */
export interface Session {
  readonly ua: Ua;
  readonly call: Pick<Talk, 'lose'>;
  /** Seconds, 0 for ever; and the least that was asked of us. */
  everyS: number;
  minS: number;
  /** The refreshing is ours. */
  ours: boolean;
  /** A refresh of ours is to go out. */
  due: boolean;
  longerAsked: number;
  stopClock: (() => void) | undefined;
  /** Refreshes, if that can be done now. */
  next(): void;
}

/** 422: true when it names a longer session, to be asked for at once (§7.4). */
export function longer(session: Session, response: Message): boolean {
  const least = countOf(response, 'min-se') ?? 0;
  if (response.status !== 422 || least <= session.minS || ++session.longerAsked > TRIES) return false;
  session.minS = least;
  return true;
}

/** Session-Expires and Min-SE of an INVITE or UPDATE of ours (§7.1, §7.2): in the first nobody is named. */
export function timerLines({ ua, everyS, minS, ours }: Session, first: boolean): Headers {
  const s = Math.max(first ? ua.sessionS() : everyS, minS);
  if (first ? ua.sessionS() === 0 : everyS === 0) return [];
  return [['Session-Expires', first ? String(s) : `${s};refresher=${ours ? 'uac' : 'uas'}`], ...(minS > MIN_SE ? [['Min-SE', String(minS)] as const] : [])];
}

/** Their 2xx says how long the session lasts (§7.2); nothing means for ever. */
export function keep(session: Session, response: Message): void {
  const agreed = expiresOf(response);
  setClock(session, agreed?.s ?? 0, agreed?.refresher !== 'uas');
}

/** Refresh at half time when that is ours; end a session that nobody refreshed a third before its end, 32 s at most (§10). */
export function setClock(session: Session, everyS: number, ours: boolean): void {
  session.stopClock?.();
  session.stopClock = undefined;
  session.everyS = everyS;
  session.ours = ours;
  session.longerAsked = 0;
  session.due = false;
  if (everyS !== 0) start(session, everyS, ours);
}

function start(session: Session, everyS: number, ours: boolean): void {
  const { clock } = session.ua, halfMs = ours ? 500 * everyS : 0;
  const watch = (): void => {
    session.stopClock = clock.after(1_000 * (everyS - Math.min(32, everyS / 3)) - halfMs, () => session.call.lose('network', 'the session was not refreshed'));
  };
  if (!ours) return watch();
  session.stopClock = clock.after(halfMs, () => {
    watch();
    session.due = true;
    session.next();
  });
}
