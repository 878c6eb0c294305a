// The settings of one phone: kept in settings.toml of its state folder, changed one writer at a time, told to whoever cares.
//
//   defaults < settings.toml < OFFHOOK_... in the environment < --set        settings.toml.good  what was last right
//              '-- only this layer is ever written --'                       settings.toml.bad   a file with faults, as it was found

import { parse, stringify, TomlError } from 'smol-toml';
import { PhoneError } from '../ports/errors.ts';
import type { Files } from '../ports/files.ts';
import { isTable, problems, schemaRoot, type Node, type Problem } from './check.ts';
import { changedKeys, chosen, defaultOf, defaults, overlay, reconcile, valueAt, withValue, type Tree } from './layers.ts';
import { assign, assignments, type Origin, type Overrides } from './overrides.ts';
import type { Settings } from './schema.ts';

export { problems, type Problem } from './check.ts';
export type { Overrides } from './overrides.ts';

/** Some settings, nested as in Settings; a list or table replaces the whole one. */
export type Patch<T = Settings> = { readonly [K in keyof T]?: T[K] extends readonly unknown[] | string | number | boolean ? T[K] : Patch<T[K]> };

export interface FoundProblem extends Problem {
  readonly from: 'file' | Origin;
}

export type ChangeOutcome =
  | { readonly ok: true; readonly changed: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

export interface Store {
  /** What is in force, all layers together. A new object after each change; never written to. */
  readonly settings: Settings;
  /** What was wrong when the store was opened; the phone runs without it. */
  readonly problems: readonly FoundProblem[];
  /** Grows with each change. */
  readonly revision: number;
  /** Dotted keys fixed from outside, where a change in the file would do nothing. */
  readonly fixed: ReadonlyMap<string, Origin>;
  /**
   * Check, write, put in force, tell; in this order, one change after the other. Resolves when the settings are on the disk. Nothing
   * changes when any of it is wrong. Rejects with PhoneError SETTINGS_NOT_SAVED when the disk refuses. A function is given the settings of
   * the file when its turn comes, and may want nothing changed.
   */
  change(patch: Patch | ((inFile: Settings) => Patch)): Promise<ChangeOutcome>;
  /** The file is as a person or a program wrote it: what stands in it besides the settings is lost when it is written. */
  readonly handwritten: boolean;
  /** `on` gets the dotted keys that changed; lists and tables count as one. Returns the function that ends it. */
  subscribe(on: (changed: readonly string[], settings: Settings) => void): () => void;
  /** Resolves when every change asked for is written. */
  close(): Promise<void>;
}

const HEAD = `# Settings of this phone. Change them here (then restart it) or on its page.
# The page writes this file anew: comments added here are lost then. What is not here has its default.

`;

/** The file as it is written. */
const fileOf = (settings: Settings): string => HEAD + stringify(chosen(settings)) + '\n';

export async function openStore({ files }: { readonly files: Files }, stateDir: string, overrides: Overrides = {}): Promise<Store> {
  const path = overrides.file ?? `${stateDir}/settings.toml`;
  const copies = `${stateDir}/${path.slice(path.lastIndexOf('/') + 1)}`;
  await files.makeFolder(stateDir);
  const found: FoundProblem[] = [];

  const loaded = await load(files, path, copies, (problem) => found.push({ ...problem, from: 'file' }));
  let inFile = loaded.settings;
  const outside = assignments(overrides, (problem) => found.push(problem));
  const fixed = new Map(outside.map(({ key, from }) => [key, from]));
  const inForce = (own: Settings, report: (problem: FoundProblem) => void) => assign(own, outside, report);

  let settings = inForce(inFile, (problem) => found.push(problem));
  let revision = 1;
  let last: Promise<unknown> = Promise.resolve();
  const listeners = new Set<(changed: readonly string[], settings: Settings) => void>();

  let handwritten = loaded.text !== undefined && loaded.text !== fileOf(inFile);

  async function apply(patch: Patch | ((inFile: Settings) => Patch)): Promise<ChangeOutcome> {
    const next = merge(schemaRoot, inFile, typeof patch === 'function' ? patch(inFile) : patch) as Settings;
    const wrong: Problem[] = [...problems(next)];
    const asked = changedKeys(inFile, next);
    for (const [key, from] of fixed) {
      const leaf = asked.find((k) => k === key || key.startsWith(`${k}.`));
      if (leaf !== undefined) wrong.push({ key: leaf, reason: `is fixed ${from === 'environment' ? 'in the environment' : 'on the command line'}; change it there` });
    }
    if (wrong.length > 0) return { ok: false, problems: wrong };
    const known = (problem: Problem) => found.some((f) => f.key === problem.key && f.reason === problem.reason);
    const after = inForce(next, (problem) => { if (!known(problem)) wrong.push({ key: problem.key, reason: problem.reason }); });
    if (wrong.length > 0) return { ok: false, problems: wrong };
    if (asked.length === 0) return { ok: true, changed: [] };

    if (!loaded.readable) throw new PhoneError('SETTINGS_NOT_SAVED', `${path} cannot be read, so it is not written over. Mend its owner and mode, then restart the phone.`);
    const text = fileOf(next);
    try {
      await files.writeAtomic(path, text);
      await files.writeAtomic(`${copies}.good`, text);
    } catch (cause) {
      throw new PhoneError('SETTINGS_NOT_SAVED', `The settings could not be written to ${path}: ${wordsOf(cause)}`, cause);
    }
    const changed = changedKeys(settings, after);
    handwritten = false;
    inFile = next;
    settings = after;
    revision++;
    if (changed.length > 0) for (const on of [...listeners]) on(changed, settings);
    return { ok: true, changed };
  }

  return {
    get settings() { return settings; },
    get revision() { return revision; },
    get handwritten() { return handwritten; },
    problems: found,
    fixed,
    change(patch) {
      const done = last.then(() => apply(patch));
      last = done.catch(() => undefined); // the caller hears of it; the next writer does not
      return done;
    },
    subscribe(on) {
      listeners.add(on);
      return () => { listeners.delete(on); };
    },
    close: async () => { await last; },
  };
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The file's layer; whatever is wrong in it replaced by the last good copy or the default. Nothing a person wrote is lost. */
async function load(files: Files, path: string, copies: string, report: (problem: Problem) => void): Promise<{ readonly settings: Settings; readonly readable: boolean; readonly text?: string }> {
  const file = path.slice(path.lastIndexOf('/') + 1);
  const named = new Set<string>();
  let wrong = false;
  const note = (problem: Problem) => {
    wrong = true;
    if (!named.has(problem.key)) report(problem); // one fault may well have another as its consequence
    named.add(problem.key);
  };
  const unreadable = (error: unknown) => { note({ key: file, reason: `cannot be read: ${wordsOf(error)}` }); };

  const written = await files.read(path).catch(unreadable);
  if (written === undefined && !wrong) return { settings: defaults(), readable: true }; // a new phone, or a file taken away on purpose
  const copy = await files.read(`${copies}.good`).catch(() => undefined); // no copy is as good as one that cannot be read
  const goodTree = copy === undefined ? undefined : readToml(copy.toString());
  const good = goodTree === undefined || 'fault' in goodTree ? undefined : settled(goodTree.tree, () => undefined);
  if (written === undefined) return { settings: good ?? defaults(), readable: false };

  const text = written.toString();
  // Ours is never empty: an empty file is what a dying disk leaves.
  const parsed = text.trim() === '' && good !== undefined ? { fault: 'the file is empty' } : readToml(text);
  let settings: Settings;
  if ('fault' in parsed) {
    note({ key: file, reason: `${parsed.fault}; ${good === undefined ? 'the defaults are' : 'the last good copy is'} used` });
    settings = good ?? defaults();
  } else {
    settings = settled(parsed.tree, note, good);
  }
  try {
    const keep = `${copies}.${wrong ? 'bad' : 'good'}`;
    if ((await files.read(keep))?.equals(written) !== true) await files.writeAtomic(keep, written);
  } catch (error) {
    note({ key: copies, reason: `no copy of the settings could be kept: ${wordsOf(error)}` });
  }
  return { settings, readable: true, text };
}

function settled(tree: Tree, report: (problem: Problem) => void, good?: Settings): Settings {
  const laid = overlay(schemaRoot, defaults(), tree, good, '', report) as Settings;
  return reconcile(laid, good ?? defaults(), report);
}

function readToml(text: string): { readonly tree: Tree } | { readonly fault: string } {
  try {
    return { tree: parse(text) as Tree };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { fault: `line ${error.line}, column ${error.column}: ${error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '')}` };
  }
}

/** `patch` over `base`: groups are entered, everything else is replaced. What is wrong stays in, for the check to name at its place. */
function merge(node: Node, base: unknown, patch: unknown): unknown {
  if (Array.isArray(patch) && node.items?.properties !== undefined) return patch.map((item) => merge(node.items!, defaultOf(node.items!), item));
  if (node.properties === undefined || !isTable(patch)) return patch;
  const laid = Object.entries(patch).filter(([, value]) => value !== undefined).map(([name, value]) => {
    const inner = Object.hasOwn(node.properties!, name) ? node.properties![name] : undefined;
    return [name, inner === undefined ? value : merge(inner, (base as Tree)[name], value)] as const;
  });
  return { ...(base as Tree), ...Object.fromEntries(laid) };
}

/** A copy without secrets, and where there are some: a secret that is set comes empty and is named in `set`. */
export function redacted(settings: Settings): { readonly settings: Settings; readonly set: readonly string[] } {
  const set: string[] = [];
  let result: unknown = settings;
  const walk = (node: Node, value: unknown, key: string): void => {
    if (node.secret === true) {
      if (value !== '') set.push(key);
      result = withValue(result as Tree, key.split('.'), '');
    } else if (node.properties !== undefined) {
      for (const [name, inner] of Object.entries(node.properties)) walk(inner, valueAt(value, name), key === '' ? name : `${key}.${name}`);
    } else if (Array.isArray(value) && node.items?.properties !== undefined) {
      for (const [i, item] of value.entries()) walk(node.items, item, `${key}.${i}`);
    }
  };
  walk(schemaRoot, settings, '');
  return { settings: result as Settings, set };
}
