// Secrets never leave; a form that is sent back without them keeps them.

import { schemaRoot, type Node } from '../config/check.ts';
import { valueAt, type Tree } from '../config/layers.ts';
import type { Settings } from '../config/schema.ts';

/** `changes` with each secret that was not written anew filled in from `stored`; see SettingsChange. */
export function withSecrets(changes: unknown, stored: Settings): unknown {
  return fill(schemaRoot, changes, stored);
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The fields that tell entries of a list with secrets apart: all that identify a peer. */
const IDENTITY = ['user', 'server', 'caller'] as const;
const sameEntry = (a: Tree, b: Tree): boolean => IDENTITY.every((name) => (a[name] ?? '') === (b[name] ?? ''));

function fill(node: Node, changes: unknown, stored: unknown): unknown {
  if (Array.isArray(changes) && node.items?.properties !== undefined) {
    const before = Array.isArray(stored) ? stored as Tree[] : [];
    const taken = new Set<Tree>();
    return changes.map((item: unknown) => (isTree(item) ? fillEntry(node.items!, item, before, taken) : item));
  }
  if (node.properties === undefined || !isTree(changes)) return changes;
  const laid = Object.entries(changes).map(([name, value]) => {
    const inner = Object.hasOwn(node.properties!, name) ? node.properties![name] : undefined;
    return [name, inner === undefined ? value : fill(inner, value, valueAt(stored, name))] as const;
  });
  return Object.fromEntries(laid);
}

function fillEntry(node: Node, entry: Tree, before: readonly Tree[], taken: Set<Tree>): Tree {
  const result: Tree = { ...entry };
  const twin = before.find((old) => !taken.has(old) && sameEntry(old, entry));
  if (twin !== undefined) taken.add(twin);
  for (const [name, inner] of Object.entries(node.properties!)) {
    if (inner.secret !== true) continue;
    const value = entry[name];
    if (value === null) result[name] = '';
    else if (isTree(value)) result[name] = before[typeof value['keep'] === 'number' ? value['keep'] : -1]?.[name] ?? '';
    else if (value === '' || value === undefined) result[name] = twin?.[name] ?? '';
  }
  return result;
}
