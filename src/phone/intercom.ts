// When a call is answered without a person. Pure: what the caller's headers ask for, and whether the rules allow it.
// Carrying it out safely (beep, then microphone, lamp, longest time) is the line's business.

import type { AccountSettings, Settings } from '../config/types.ts';

/** What the INVITE asks. `auto`: answer after `afterMs`; `manual`: the caller wants a person. `require`: do that or refuse (RFC 5373). */
export interface Wish {
  readonly mode: 'auto' | 'manual';
  readonly afterMs: number;
  readonly require: boolean;
  /** The header's form, for the log. */
  readonly form: string;
}

/** 'ring-answer' rings once before it is answered. */
const RING_ANSWER_MS = 2_000;
const LONGEST_WAIT_MS = 60_000;

const seconds = (text: string | undefined): number => Math.min(LONGEST_WAIT_MS, Math.max(0, Math.round(Number(text ?? 0) * 1_000) || 0));

/** What the caller wishes, read from the INVITE; undefined when nothing. `texts` gives all values of a header (name in lower case). */
export function wishOf(texts: (name: string) => readonly string[]): Wish | undefined {
  for (const name of ['priv-answer-mode', 'answer-mode']) {
    const text = texts(name)[0];
    if (text === undefined) continue;
    const [mode, ...parameters] = text.toLowerCase().split(';').map((t) => t.trim());
    const require = parameters.includes('require');
    if (mode === 'auto' || mode === 'manual') return { mode, afterMs: 0, require, form: name === 'answer-mode' ? 'Answer-Mode' : 'Priv-Answer-Mode' };
  }
  for (const text of texts('call-info')) {
    const after = /;\s*answer-after\s*=\s*"?(\d+(?:\.\d+)?)/i.exec(text);
    if (after !== null) return { mode: 'auto', afterMs: seconds(after[1]), require: false, form: 'Call-Info answer-after' };
  }
  for (const text of texts('alert-info')) {
    const after = /;\s*(?:answer-after|delay)\s*=\s*"?(\d+(?:\.\d+)?)/i.exec(text);
    const info = /(?:^|;)\s*info\s*=\s*"?([^";>]*)/i.exec(text)?.[1];
    // Without info=, vendors put the words where the URI belongs: `Auto Answer`, `<intercom>`, `"Ring Answer"`.
    const words = (info ?? text.split(';', 1)[0]!.replace(/^\s*<?\s*(?:https?:\/\/[^>/]*\/?|sip:[^>]*)?/i, '').replace(/[<>"]/g, '')).trim().toLowerCase().replace(/[\s_]+/g, '-');
    const form = `Alert-Info ${words}`;
    if (words === 'ring-answer') return { mode: 'auto', afterMs: after === null ? RING_ANSWER_MS : seconds(after[1]), require: false, form };
    if (words === 'alert-autoanswer' || words === 'auto-answer' || words === 'autoanswer' || words === 'intercom' || words === 'answer') {
      return { mode: 'auto', afterMs: seconds(after?.[1]), require: false, form };
    }
    if (/;\s*answer-after\s*=/i.test(text)) return { mode: 'auto', afterMs: seconds(after?.[1]), require: false, form: 'Alert-Info answer-after' };
  }
  return undefined;
}

export interface Caller {
  /** Came over the registration's server, or passed our digest challenge under this name. */
  readonly throughServer: boolean;
  readonly authenticated: string | undefined;
  /** May be answered by a phone without handset at all; see admission.ts. */
  readonly trusted: boolean;
  readonly user: string;
  readonly host: string;
}

export interface Surroundings {
  /** A call or the handset is in use. */
  readonly busy: boolean;
  /** Setting or switch. */
  readonly privacy: boolean;
  /** No hook switch: nobody can lift. */
  readonly headless: boolean;
}

export type Decision =
  | { readonly do: 'answer'; readonly place: 'speaker' | 'handset'; readonly afterMs: number; readonly maxS: number; readonly why: string }
  | { readonly do: 'ring'; readonly why: string }
  | { readonly do: 'refuse'; readonly status: number; readonly why: string };

/** Whether the caller is on the list; a caller's name counts only where the server or our own challenge vouches for it. */
export function onList(allow: Settings['intercom']['allow'], { throughServer, authenticated, user, host }: Caller): boolean {
  if (authenticated !== undefined) return allow.some((e) => e.password !== '' && e.caller.split('@')[0] === authenticated);
  return throughServer && allow.some(({ caller }) => caller === '*' || caller === user || caller.toLowerCase() === `${user}@${host}`.toLowerCase());
}

/** Answer, ring or refuse; the reason is one for the log. */
export function decide(wish: Wish | undefined, caller: Caller, around: Surroundings, settings: Settings, account: AccountSettings | undefined): Decision {
  const { intercom, calls } = settings;
  const listed = onList(intercom.allow, caller);
  const ring = (why: string): Decision => wish?.mode === 'auto' && wish.require
    ? { do: 'refuse', status: 403, why: `${wish.form} requires an automatic answer: ${why}` }
    : { do: 'ring', why };
  const asked = wish?.mode === 'auto' ? wish.form
    : !caller.throughServer || account === undefined || account.autoAnswer === 'off' ? undefined
    : account.autoAnswer === 'all' ? 'account answers all' : listed ? 'account answers allowed callers' : undefined;
  const headless = around.headless && calls.answer === 'auto';
  if (wish?.mode === 'manual') return headless && wish.require ? { do: 'refuse', status: 403, why: 'the caller requires a person' } : { do: 'ring', why: 'the caller wants a person' };
  if (asked === undefined && !headless) return { do: 'ring', why: 'nothing asks for an automatic answer' };
  if (around.privacy) return ring('privacy is on');
  const place = intercom.place;
  if (asked !== undefined && intercom.enabled && (listed || (wish === undefined && account?.autoAnswer === 'all'))) {
    if (!around.busy || intercom.whileBusy || headless) return { do: 'answer', place, afterMs: wish?.afterMs ?? 0, maxS: intercom.maxS, why: asked };
    return ring('in use');
  }
  if (headless) return caller.trusted ? { do: 'answer', place: 'handset', afterMs: wish?.afterMs ?? 0, maxS: 0, why: 'calls are answered' } : ring('not a caller this phone answers by itself');
  return ring(!intercom.enabled ? 'intercom is off' : 'not an allowed caller');
}
