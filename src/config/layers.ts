// Layers of settings: defaults < file < environment < --set. Each lays what is right over the one below and names what is wrong.
// No files here.

import { check, disagreements, isTable, join, schemaRoot, unknownSetting, type Node, type Problem } from './check.ts';
import type { Settings } from './schema.ts';

type Report = (problem: Problem) => void;

export type Tree = Record<string, unknown>;

/** A copy of plain data. structuredClone() sends it through a message port, a millisecond for all settings. */
const copy = (value: unknown): unknown =>
  Array.isArray(value) ? value.map(copy) : isTable(value) ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copy(inner)])) : value;

/** The value a setting has when nobody says anything; fresh each time. */
export function defaultOf(node: Node): unknown {
  if (node.properties === undefined) return copy(node.default);
  return Object.fromEntries(Object.entries(node.properties).map(([name, inner]) => [name, defaultOf(inner)]));
}

export const defaults = (): Settings => defaultOf(schemaRoot) as Settings;

const hasFault = (node: Node, value: unknown): boolean => {
  let fault = false;
  check(node, value, '', () => { fault = true; });
  return fault;
};

/**
 * `raw`, somebody's own writing, laid over `base`. Each setting that is wrong is reported and taken from `good`, the last settings
 * that were right, or where there are none from `base`; of a list then stays what is right in it.
 */
export function overlay(node: Node, base: unknown, raw: unknown, good: unknown, key: string, report: Report): unknown {
  if (node.properties !== undefined) {
    if (!isTable(raw)) {
      report({ key, reason: 'a group of settings' });
      return good ?? base;
    }
    const result: Tree = { ...(base as Tree) };
    for (const [name, value] of Object.entries(raw)) {
      const inner = Object.hasOwn(node.properties, name) ? node.properties[name] : undefined;
      if (inner === undefined) report({ key: join(key, name), reason: unknownSetting(node, name, key) });
      else result[name] = overlay(inner, result[name], value, isTable(good) ? good[name] : undefined, join(key, name), report);
    }
    return result;
  }
  if (node.type === 'array' && node.items !== undefined && Array.isArray(raw) && raw.length <= (node.maxItems ?? Infinity)) {
    let wrong = false;
    const kept: unknown[] = [];
    for (const [i, item] of raw.entries()) {
      const note: Report = (problem) => { wrong = true; report(problem); };
      if (node.items.properties === undefined) {
        const before: boolean = wrong;
        wrong = false;
        check(node.items, item, `${key}.${i}`, note);
        if (!wrong) kept.push(item);
        wrong ||= before;
      } else {
        const whole = overlay(node.items, defaultOf(node.items), item, undefined, `${key}.${i}`, note);
        if (!hasFault(node.items, whole)) kept.push(whole);
        else if (!wrong) check(node.items, whole, `${key}.${i}`, note); // something needed was left out
      }
    }
    return wrong && good !== undefined ? good : kept;
  }
  let wrong = false;
  check(node, raw, key, (problem) => { wrong = true; report(problem); });
  return wrong ? good ?? base : raw;
}

/** Mend settings that are right alone and wrong together: all that take part go back to `fallback`; of the accounts the later one goes. */
export function reconcile(settings: Settings, fallback: Settings, report: Report): Settings {
  let result = settings;
  for (let round = 0; round < 3; round++) {
    const found = disagreements(result);
    if (found.length === 0) return result;
    const source = round === 0 ? fallback : defaults();
    const drop = new Set<number>();
    for (const problem of found) {
      if (round === 0) report({ key: problem.key, reason: problem.reason });
      for (const key of problem.with) {
        if (key.startsWith('accounts.')) drop.add(Number(key.slice(9)));
        else result = withValue(result as unknown as Tree, key.split('.'), valueAt(source, key)) as unknown as Settings;
      }
    }
    if (drop.size > 0) result = { ...result, accounts: result.accounts.filter((_, i) => !drop.has(i)) };
  }
  return result;
}

export const valueAt = (tree: unknown, key: string): unknown =>
  key.split('.').reduce<unknown>((at, name) => (at !== null && typeof at === 'object' && Object.hasOwn(at, name) ? (at as Tree)[name] : undefined), tree);

/** A copy of `tree` with one value changed; lists and tables along the way are copied, everything else is shared. */
export function withValue(tree: Tree | readonly unknown[], path: readonly string[], value: unknown): unknown {
  const [name = '', ...rest] = path;
  const inner = rest.length === 0 ? value : withValue((tree as Tree)[name] as Tree, rest, value);
  if (!Array.isArray(tree)) return { ...(tree as Tree), [name]: inner };
  const copy: unknown[] = [...tree as readonly unknown[]];
  copy[Number(name)] = inner;
  return copy;
}

/** What differs from the defaults: that alone is written, so that a better default reaches everybody who never chose. */
export function chosen(settings: Settings): Tree {
  const differing = (node: Node, value: unknown): unknown => {
    if (node.properties === undefined) {
      if (same(value, node.default)) return undefined;
      return node.type === 'array' && node.items?.properties !== undefined ? (value as unknown[]).map((item) => differing(node.items!, item) ?? {}) : value;
    }
    const entries = Object.entries(node.properties).map(([name, inner]) => [name, differing(inner, (value as Tree)[name])] as const).filter(([, v]) => v !== undefined);
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  };
  return (differing(schemaRoot, settings) ?? {}) as Tree;
}

/** Equal as written: lists in order, tables in any order. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((v, i) => same(v, b[i]));
  if (!isTable(a) || !isTable(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

/** Dotted keys of the single settings in which the two differ; lists and tables count as one. */
export function changedKeys(before: Settings, after: Settings): readonly string[] {
  return leaves().filter((key) => !same(valueAt(before, key), valueAt(after, key)));
}

let leafKeys: readonly string[] | undefined;
/** Dotted keys of all settings; lists and tables count as one. */
export function leaves(): readonly string[] {
  const walk = (node: Node, key: string): string[] => (node.properties === undefined ? [key]
    : Object.entries(node.properties).flatMap(([name, inner]) => walk(inner, join(key, name))));
  return leafKeys ??= walk(schemaRoot, '');
}

/** The schema entry of a dotted key, list indexes and table entries included; undefined when there is none. */
export function nodeAt(key: string): Node | undefined {
  let node: Node | undefined = schemaRoot;
  for (const name of key.split('.')) {
    if (node?.properties !== undefined) node = Object.hasOwn(node.properties, name) ? node.properties[name] : undefined;
    else if (node?.patternProperties !== undefined) node = Object.values(node.patternProperties)[0];
    else if (node?.type === 'array') node = /^(0|[1-9][0-9]{0,3})$/.test(name) ? node.items : undefined;
    else return undefined;
  }
  return node;
}
