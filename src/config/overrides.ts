// Settings given from outside the file: OFFHOOK_SIP_PORT=5070 in the environment, --set sip.port=5070 on the command line.

import { isTable, schemaRoot, unknownSetting, type Node, type Problem } from './check.ts';
import { defaultOf, leaves, nodeAt, overlay, reconcile, valueAt, withValue, type Tree } from './layers.ts';
import type { Settings } from './schema.ts';

export interface Overrides {
  /** Settings file in place of settings.toml in the state folder. Copies are kept in the state folder all the same. */
  readonly file?: string;
  /** The process's environment; names that begin with OFFHOOK_ are settings. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Names in the environment that mean something else; OFFHOOK_STATE is always one. */
  readonly notSettings?: readonly string[];
  /** 'key=value' each, later ones win. */
  readonly set?: readonly string[];
}

export type Origin = 'environment' | 'command line';

export interface Assignment {
  readonly key: string;
  readonly text: string;
  readonly from: Origin;
}

const PREFIX = 'OFFHOOK_';
const squeeze = (name: string) => name.toLowerCase().replace(/[._-]/g, '');

/** Every assignment in the order in which it takes effect; names that fit no setting are reported. */
export function assignments(overrides: Overrides, report: (problem: Problem & { from: Origin }) => void): readonly Assignment[] {
  const found: Assignment[] = [];
  const ignored = new Set(['OFFHOOK_STATE', ...overrides.notSettings ?? []]);
  const env = Object.entries(overrides.env ?? {}).filter(([name]) => name.startsWith(PREFIX) && !ignored.has(name));
  for (const [name, text = ''] of env.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const key = keyOf(name.slice(PREFIX.length));
    if (key === undefined) report({ key: name, reason: 'no such setting', from: 'environment' });
    else found.push({ key, text, from: 'environment' });
  }
  for (const line of overrides.set ?? []) {
    const equals = line.indexOf('=');
    if (equals <= 0) report({ key: line, reason: 'should be key=value, as in sip.port=5070', from: 'command line' });
    else found.push({ key: line.slice(0, equals).trim(), text: line.slice(equals + 1), from: 'command line' });
  }
  return found;
}

/** 'MEDIA_RTP_PORT_MIN' -> 'media.rtpPortMin'; 'ACCOUNTS_0_AUTH_USER' -> 'accounts.0.authUser'. */
function keyOf(name: string): string | undefined {
  const wanted = squeeze(name);
  for (const key of leaves()) {
    const short = squeeze(key);
    if (wanted === short) return key;
    const fields = nodeAt(key)?.items?.properties;
    const rest = fields !== undefined && wanted.startsWith(short) ? /^(\d{1,2})(\D+)$/.exec(wanted.slice(short.length)) : null;
    const field = rest === null ? undefined : Object.keys(fields!).find((f) => squeeze(f) === rest[2]);
    if (field !== undefined) return `${key}.${Number(rest![1])}.${field}`;
  }
  return undefined;
}

/** What `text` means for a setting of this type; what cannot be read stays text and is refused by the check. */
function parseText(node: Node, text: string): unknown {
  const trimmed = text.trim();
  if (node.type === 'boolean') return /^(true|yes|on|1)$/i.test(trimmed) ? true : /^(false|no|off|0)$/i.test(trimmed) ? false : text;
  if (node.type === 'integer' || node.type === 'number') return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : text;
  if (/^[[{]/.test(trimmed) && (node.type === 'array' || node.type === 'object' || node.anyOf !== undefined)) {
    const json = fromJson(trimmed);
    if (json !== trimmed || node.type !== 'array') return json; // else the dial pattern [2-5]xx, say
  }
  if (node.type === 'array') return trimmed === '' ? [] : trimmed.split(',').map((part) => parseText(node.items ?? {}, part.trim()));
  if (node.anyOf !== undefined) {
    const parts = trimmed.split(',').map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : part));
    return parts.length === 1 ? parts[0] : parts;
  }
  if (node.patternProperties !== undefined) {
    if (trimmed === '') return {};
    const inner = Object.values(node.patternProperties)[0] ?? {};
    const pairs = trimmed.split(',').map((part) => part.split(/=(.*)/s));
    return pairs.every((p) => p.length > 1) ? Object.fromEntries(pairs.map(([name = '', value = '']) => [name.trim(), parseText(inner, value.trim())])) : text;
  }
  return text;
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `base` with the assignments laid over it, one after the other; what is wrong is reported and left as it was. */
export function assign(base: Settings, list: readonly Assignment[], report: (problem: Problem & { from: Origin }) => void): Settings {
  let result = base;
  for (const { key, text, from } of list) {
    const tell = ({ key: at, reason }: Problem) => report({ key: at, reason, from });
    const node = nodeAt(key);
    if (node === undefined || node.properties !== undefined && !Array.isArray(valueAt(result, key.split('.').slice(0, -1).join('.')))) {
      tell({ key, reason: node === undefined ? nearest(key) : 'is a group of settings; name one of them' });
      continue;
    }
    result = place(result, key.split('.'), node, parseText(node, text), tell);
  }
  if (result === base) return base;
  const from = list.at(-1)!.from;
  return reconcile(result, base, ({ key, reason }) => report({ key, reason, from: list.findLast((a) => a.key === key)?.from ?? from }));
}

function place(settings: Settings, path: readonly string[], node: Node, value: unknown, tell: (problem: Problem) => void): Settings {
  const key = path.join('.');
  let tree: Tree = settings as unknown as Tree;
  for (let i = 1; i < path.length; i++) { // a list on the way may need its next item
    const list = valueAt(tree, path.slice(0, i).join('.'));
    const index = Number(path[i]);
    if (!Array.isArray(list) || index < list.length) continue;
    const listNode = nodeAt(path.slice(0, i).join('.'));
    if (index > list.length || listNode?.items === undefined) {
      tell({ key, reason: `there is no ${path.slice(0, i).join('.')}.${list.length} yet` });
      return settings;
    }
    tree = withValue(tree, path.slice(0, i + 1), listNode.items.properties === undefined ? value : defaultOf(listNode.items)) as Tree;
  }
  let wrong = false;
  const laid = overlay(node, valueAt(tree, key), value, undefined, key, (problem) => { wrong = true; tell(problem); });
  return wrong ? settings : withValue(tree, path, laid) as Settings;
}

function nearest(key: string): string {
  const path = key.split('.');
  let node = schemaRoot;
  for (const [i, name] of path.entries()) {
    const inner = nodeAt(path.slice(0, i + 1).join('.'));
    if (inner === undefined) return isTable(node.properties) ? unknownSetting(node, name, path.slice(0, i).join('.')) : 'no such setting';
    node = inner;
  }
  return 'no such setting';
}
