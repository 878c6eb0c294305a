// What a person has typed into the settings but not yet saved. Pure.

import type { Problem, SettingsView } from '../types.ts';

export type Tree = Record<string, unknown>;

/** The schema as the form needs it; config/check.ts has it whole. */
export interface Node {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly unit?: string;
  readonly applies?: string;
  readonly secret?: boolean;
  readonly kind?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
}

export const at = (tree: unknown, key: string): unknown => key.split('.').reduce<unknown>((value, name) => (value as Tree | undefined)?.[name], tree);

/** A copy of `tree` with one value changed. */
export function put<T>(tree: T, key: string, value: unknown): T {
  const [name = '', ...rest] = key.split('.');
  const copy = (Array.isArray(tree) ? [...tree] : { ...tree }) as Tree;
  copy[name] = rest.length === 0 ? value : put(copy[name], rest.join('.'), value);
  return copy as T;
}

/** The values as a form holds them: a secret that is set stands as {keep: n}. */
export function draftOf(view: SettingsView): Tree {
  let draft = view.values;
  for (const key of view.set) draft = put(draft, key, { keep: Number(key.split('.').at(-2) ?? 0) });
  return draft;
}

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Dotted keys of single settings; lists and tables count as one. */
export const leaves = (node: Node, key = ''): string[] => (node.properties === undefined ? [key]
  : Object.entries(node.properties).flatMap(([name, inner]) => leaves(inner, key === '' ? name : `${key}.${name}`)));

export const nodeAt = (root: Node, key: string): Node | undefined => key.split('.').reduce<Node | undefined>((node, name) => node?.properties?.[name], root);

/** The changed settings alone, nested as the server takes them, and how many they are. */
export function changesOf(root: Node, before: Tree, after: Tree): { readonly changes: Tree; readonly keys: readonly string[] } {
  const keys = leaves(root).filter((key) => !same(at(before, key), at(after, key)));
  const changes: Tree = {};
  for (const key of keys) {
    const path = key.split('.');
    let place = changes;
    for (const name of path.slice(0, -1)) place = (place[name] ??= {}) as Tree;
    place[path.at(-1)!] = at(after, key);
  }
  return { changes, keys };
}

/** A new entry of a list. */
export const freshEntry = (node: Node): Tree => Object.fromEntries(Object.entries(node.properties ?? {}).map(([name, inner]) => [name, inner.default]));

/** What is wrong at `key` itself, and in the entries of a list or table shown as one field. */
export function troubleAt(problems: readonly Problem[], key: string, node: Node): string {
  const inside = node.items?.properties === undefined && (node.items !== undefined || node.patternProperties !== undefined);
  return problems.flatMap((p) => {
    if (p.key === key) return [p.reason];
    if (!inside || !p.key.startsWith(`${key}.`)) return [];
    const entry = p.key.slice(key.length + 1);
    return [`${node.items === undefined ? entry : `line ${Number(entry) + 1}`}: ${p.reason}`];
  }).join('; ');
}
