// Writes the numbers that have a name where the name stands, as esbuild does within a function but not for what modules share. A name costs V8
// a variable, its entry in the list of names and a longer read.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NUMBER = /^(?:export )?const ([A-Z][A-Z0-9_]+) = (-?[\d._]+|1 \/ [\d_]+);/gm;
/** A table of numbers alone: PACE.quick stands for one of them. */
const TABLE = /^(?:export )?const ([A-Z][A-Z0-9_]+) = \{((?:\s*[a-z]\w*: -?[\d._]+,?)+)\s*\} as const;$/gm;
const IMPORT = /^import \{([^}]+)\} from '(\.[^']+)';$/gm;

export const numbersIn = (text) => new Map([
  ...[...text.matchAll(NUMBER)].map(([, name, number]) => [name, `(${number})`]),
  ...[...text.matchAll(TABLE)].flatMap(([, name, list]) => [...list.matchAll(/(\w+): (-?[\d._]+)/g)].map(([, one, number]) => [`${name}.${one}`, `(${number})`])),
]);

/** `text` of the source file at `path`, with the numbers of its own and those it imports by their own names. Lines stay where they are. */
export function plainNumbers(text, path) {
  const numbers = numbersIn(text);
  for (const [, names, from] of text.matchAll(IMPORT)) {
    const wanted = names.split(',').map((name) => name.trim()).filter((name) => /^[A-Z][A-Z0-9_]+$/.test(name));
    if (wanted.length === 0) continue;
    const there = numbersIn(readFileSync(join(dirname(path), from), 'utf8'));
    for (const [name, number] of there) if (wanted.includes(name.split('.')[0])) numbers.set(name, number);
  }
  if (numbers.size === 0) return text;
  return text.split('\n').map((line) => (/^(import|export \{) |^(export )?const [A-Z][A-Z0-9_]+ = -?[\d.]/.test(line) ? line
    : line.replace(/(?<!typeof |[\w$.'"`#])([A-Z][A-Z0-9_]+)(\.[a-z]\w*)?(?![\w$'"`:])/g, (whole, name, member = '') => numbers.get(whole) ?? (numbers.has(name) ? numbers.get(name) + member : whole)))).join('\n');
}
