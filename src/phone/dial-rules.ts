// One pattern of a dial plan as rules that dialplan.ts goes by; it says what patterns look like. In the bundle loaded with the first pattern
// (scripts/later.js).

import { PhoneError } from '../ports/errors.ts';

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
