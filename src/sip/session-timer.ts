// Session timers (RFC 4028): what Session-Expires says, what to answer to it. The clock that refreshes runs in offers.ts.

import type { Headers } from './build.ts';
import { countOf, hasToken, parseParams, wholeNumber } from './headers.ts';
import { text, type Message } from './message.ts';

/** Seconds: the shortest session that anybody may ask for (§5). */
export const MIN_SE = 90;
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
