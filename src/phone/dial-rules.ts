// One pattern of a dial plan as rules that dialplan.ts goes by, which says what patterns look like; how digits meet them; and what goes before them. In the
// bundle loaded with the first pattern, speed dial or extension
// (scripts/later.js).

import { PhoneError } from '../ports/errors.ts';
import { FULL, MORE, PARTIAL } from './match.ts';

interface Element {
  /** The keys it takes. */
  readonly keys: string;
  readonly many: boolean;
}

export interface Rule {
  readonly source: string;
  readonly elements: readonly Element[];
  /** How many dialled digits `replacement` stands for. */
  readonly cut: number;
  readonly replacement: string;
  readonly refuse: boolean;
  readonly wait: boolean;
}

const digits = '0123456789';
const wild: Readonly<Record<string, string>> = { x: digits, z: digits.slice(1), n: digits.slice(2) };
const literal = /^[0-9*#A-D+]$/;

export function compileRule(part: string, pattern: string, index: number): Rule {
  const fail = (why: string): never => {
    throw new PhoneError('BAD_DIAL_PLAN', `dialing.plan.${index} "${pattern}": ${why}`);
  };
  let at = 0;
  let end = part.length;
  let refuse = false;
  let wait = false;
  if (part[0] === '!') { refuse = true; at = 1; }
  for (; end > at; end--) {
    if (part[end - 1] === '!') refuse = true;
    else if (part[end - 1] === 'T') wait = true;
    else break;
  }
  const elements: Element[] = [];
  let cut = 0;
  let replacement = '';
  if (part[at] === '<') {
    const colon = part.indexOf(':', at);
    const close = part.indexOf('>', at);
    if (colon < 0 || close < colon || close >= end) fail('a replacement is written <dialled:instead>');
    const dialled = part.slice(at + 1, colon);
    replacement = part.slice(colon + 1, close);
    for (const key of dialled) {
      if (!literal.test(key) && wild[key.toLowerCase()] === undefined) fail(`"${key}" cannot be replaced, only keys can`);
      elements.push({ keys: wild[key.toLowerCase()] ?? key, many: false });
    }
    for (const key of replacement) if (!literal.test(key)) fail(`"${key}" cannot be dialled instead`);
    cut = elements.length;
    at = close + 1;
  }
  while (at < end) {
    const key = part[at++]!;
    const last = elements.at(-1);
    if (key === '.') {
      if (last === undefined || last.many || elements.length === cut) fail('"." must follow a digit, x or [..]');
      else elements[elements.length - 1] = { keys: last.keys, many: true };
    } else if (key === '[') {
      const close = part.indexOf(']', at);
      if (close < 0 || close === at) fail('"[" needs keys and a "]"');
      const inside = part.slice(at, close);
      if (!/^([0-9*#A-D+](-[0-9])?)+$/.test(inside)) fail(`"[${inside}]" is not a choice of keys`);
      let keys = '';
      for (let i = 0; i < inside.length; i++) {
        if (inside[i + 1] !== '-') { keys += inside[i]; continue; }
        const from = digits.indexOf(inside[i]!), to = digits.indexOf(inside[i + 2]!);
        if (from < 0 || to < from) fail(`"${inside.slice(i, i + 3)}" is not a range of digits`);
        keys += digits.slice(from, to + 1);
        i += 2;
      }
      elements.push({ keys, many: false });
      at = close + 1;
    } else if (literal.test(key)) elements.push({ keys: key, many: false });
    else if (wild[key.toLowerCase()] !== undefined) elements.push({ keys: wild[key.toLowerCase()]!, many: false });
    else fail(key === 'T' || key === '!' ? `"${key}" belongs at the end` : key === '<' ? '"<" belongs at the start' : `"${key}" means nothing here`);
  }
  if (elements.length === 0) fail('matches nothing');
  return { source: part, elements, cut, replacement, refuse, wait };
}

/** How digits meet the rule: bits of match.ts. */
export function fit({ elements }: Rule, dialled: string): number {
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

/**
 * What an emergency number goes before, in words: rules that would refuse or rewrite it, speed dials and extensions of the exchange that are the same
 * number, and all longer numbers that can no longer be dialled because it goes out at once. Nothing to repair for safety, but the owner should know.
 */
export function outranked(plan: readonly Rule[], emergency: readonly string[], speedDials: readonly string[] = [], extensions: readonly string[] = []): readonly string[] {
  const out: string[] = [];
  for (const number of emergency) {
    for (const rule of plan) {
      const fits = fit(rule, number);
      if ((fits & FULL) !== 0 && (rule.refuse || rule.cut > 0 || rule.replacement !== '')) out.push(`"${rule.source}" would ${rule.refuse ? 'refuse' : 'change'} ${number}, which is called as it is`);
      else if ((fits & (PARTIAL | MORE)) !== 0 && !rule.elements.some((e) => e.many)) out.push(`"${rule.source}" begins like ${number}, which is called at once`);
    }
    for (const [what, all] of [['speed dial', speedDials], ['extension', extensions]] as const) {
      for (const one of all) {
        if (one === number) out.push(`${what} ${one} is an emergency number, which is called instead`);
        else if (one.startsWith(number)) out.push(`${what} ${one} begins like ${number}, which is called at once`);
      }
    }
  }
  return out;
}
