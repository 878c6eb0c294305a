// From keys to a number: emergency numbers first, then speed dial and service codes, then the owner's patterns. Pure.
//
// The pattern language is that of digit maps (RFC 3435 §2.1.5) with the replacement and the bar that desk phones add:
//   0-9 * # A-D +   themselves        x any digit, z 1-9, n 2-9, [2-57] one of        . any number of the last, none too
//   <9:0> at the start: replace what was dialled        ! at either end: refuse        T at the end: only after the time-out
//   a|b either        First match wins: only an earlier pattern that could still match, or its own growth, makes one wait.

import { compileRule, type Rule } from './dial-rules.ts';

export type Plan = readonly Rule[];

export interface Dialling {
  readonly plan: Plan;
  readonly emergency: readonly string[];
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

/** Bits of fit(): the digits could begin a match; are one; are one that more digits could prolong. */
const PARTIAL = 1, FULL = 2, MORE = 4;

function fit({ elements }: Rule, dialled: string): number {
  const end = elements.length;
  let at = new Set<number>();
  const enter = (into: Set<number>, p: number): void => {
    into.add(p);
    if (elements[p]?.many) enter(into, p + 1);
  };
  enter(at, 0);
  for (const key of dialled) {
    const next = new Set<number>();
    for (const p of at) {
      const element = elements[p];
      if (element?.keys.includes(key)) enter(next, element.many ? p : p + 1);
    }
    at = next;
  }
  const full = at.has(end);
  const open = at.size > (full ? 1 : 0);
  return full ? FULL | (open ? MORE : 0) : open ? PARTIAL : 0;
}

/** What the digits dialled so far come to. Without a plan every number is good and may grow. */
export function judge(dialling: Dialling, dialled: string): Verdict {
  const { plan, emergency, speedDial, codes } = dialling;
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
  if (plan.length === 0) return dialled === '' ? { say: 'incomplete' } : { say: 'may grow', number: dialled, kind: 'number' };
  for (const rule of plan) {
    const fits = fit(rule, dialled);
    if ((fits & FULL) !== 0) {
      if (rule.refuse) return { say: open || (fits & MORE) !== 0 ? 'incomplete' : 'refused' };
      const number = rule.replacement + dialled.slice(rule.cut);
      return { say: open || rule.wait || (fits & MORE) !== 0 ? 'may grow' : 'complete', number, kind: emergency.includes(number) ? 'emergency' : 'number' };
    }
    open ||= (fits & PARTIAL) !== 0;
  }
  return { say: open ? 'incomplete' : 'no match' };
}

/** The number that `dialled` is when nothing more comes (time-out, send key, a number typed on the page); undefined when there is none. */
export function settle(dialling: Dialling, dialled: string): Extract<Verdict, { number: string }> | undefined {
  const verdict = judge(dialling, dialled);
  return 'number' in verdict ? verdict : undefined;
}

/**
 * Rules that an emergency number overrules, in words: those that would refuse or rewrite it, and those whose longer numbers can no longer be
 * dialled because it goes out at once. Nothing to repair for safety, but the owner should know.
 */
export function shadowed(plan: Plan, emergency: readonly string[]): readonly string[] {
  const out: string[] = [];
  for (const number of emergency) {
    for (const rule of plan) {
      const fits = fit(rule, number);
      if ((fits & FULL) !== 0 && (rule.refuse || rule.cut > 0 || rule.replacement !== '')) out.push(`"${rule.source}" would ${rule.refuse ? 'refuse' : 'change'} ${number}, which is called as it is`);
      else if ((fits & (PARTIAL | MORE)) !== 0 && !rule.elements.some((e) => e.many)) out.push(`"${rule.source}" begins like ${number}, which is called at once`);
    }
  }
  return out;
}
