// From keys to a number: emergency numbers first, then speed dial and service codes, then the owner's patterns. Pure.
//
// The pattern language is that of digit maps (RFC 3435 §2.1.5) with the replacement and the bar that desk phones add:
//   0-9 * # A-D +   themselves        x any digit, z 1-9, n 2-9, [2-57] one of        . any number of the last, none too
//   <9:0> at the start: replace what was dialled        ! at either end: refuse        T at the end: only after the time-out
//   a|b either        First match wins: only an earlier pattern that could still match, or its own growth, makes one wait.

import { compileRule, fit, type Rule } from './dial-rules.ts';
import { FULL, MORE, PARTIAL } from './match.ts';

export type Plan = readonly Rule[];

export interface Dialling {
  readonly plan: Plan;
  readonly emergency: readonly string[];
  /** Those of other countries: called as such unless an extension, a speed dial or a rule that changes or refuses them has them, and never before a longer number. */
  readonly abroad: readonly string[];
  readonly speedDial: Readonly<Record<string, string>>;
  /** Service codes such as '*43'. */
  readonly codes: readonly string[];
}

/** 'complete': dial now. 'may grow': it would do, but more digits could follow. */
export type Verdict =
  | { readonly say: 'incomplete' | 'refused' | 'no match' }
  | { readonly say: 'complete' | 'may grow'; readonly number: string; readonly kind: 'emergency' | 'speed dial' | 'code' | 'number' };

/** The numbers that go before every rule: the country's (unless switched off) and the owner's. */
export const emergencyNumbers = (national: readonly string[], ofCountry: boolean, own: readonly string[]): readonly string[] =>
  [...new Set([...(ofCountry ? national : []), ...own])];

/** Compiles the setting dialing.plan; PhoneError BAD_DIAL_PLAN names the pattern and what is wrong with it. */
export const compilePlan = (patterns: readonly string[]): Plan =>
  patterns.flatMap((pattern, index) => pattern.split('|').map((part) => compileRule(part, pattern, index)));

/** What the digits dialled so far come to. Without a plan every number is good and may grow. */
export function judge(dialling: Dialling, dialled: string): Verdict {
  const { plan, emergency, abroad, speedDial, codes } = dialling, foreign = abroad.includes(dialled);
  if (emergency.includes(dialled)) return { say: 'complete', number: dialled, kind: 'emergency' };
  let open = false;
  for (const number of emergency) open ||= number.startsWith(dialled);
  const short = Object.hasOwn(speedDial, dialled);
  const code = codes.includes(dialled);
  for (const key of codes) open ||= key.startsWith(dialled) && key !== dialled;
  for (const key in speedDial) open ||= key.startsWith(dialled) && key !== dialled;
  if (short || code) {
    // A rule that could still match makes a short dial wait; star codes are nobody's beginning.
    if (short) open ||= plan.length === 0 ? /^\d+$/.test(dialled) : plan.some((rule) => !rule.refuse && (fit(rule, dialled) & (PARTIAL | MORE)) !== 0);
    return short
      ? { say: open ? 'may grow' : 'complete', number: speedDial[dialled]!, kind: 'speed dial' }
      : { say: open ? 'may grow' : 'complete', number: dialled, kind: 'code' };
  }
  if (plan.length === 0) return dialled === '' ? { say: 'incomplete' } : { say: 'may grow', number: dialled, kind: foreign ? 'emergency' : 'number' };
  for (const rule of plan) {
    const fits = fit(rule, dialled);
    if ((fits & FULL) !== 0) {
      if (rule.refuse) return { say: open || (fits & MORE) !== 0 ? 'incomplete' : 'refused' };
      const number = rule.replacement + dialled.slice(rule.cut);
      return { say: open || rule.wait || (fits & MORE) !== 0 ? 'may grow' : 'complete', number, kind: emergency.includes(number) || (foreign && number === dialled) ? 'emergency' : 'number' }; // a pattern for all numbers names none
    }
    open ||= (fits & PARTIAL) !== 0;
  }
  if (foreign) return { say: open ? 'may grow' : 'complete', number: dialled, kind: 'emergency' };
  for (const number of abroad) open ||= number.startsWith(dialled);
  return { say: open ? 'incomplete' : 'no match' };
}

/** The number that `dialled` is when nothing more comes (time-out, send key, a number typed on the page); undefined when there is none. */
export function settle(dialling: Dialling, dialled: string): Extract<Verdict, { number: string }> | undefined {
  const verdict = judge(dialling, dialled);
  return 'number' in verdict ? verdict : undefined;
}
