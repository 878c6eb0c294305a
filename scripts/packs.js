// Turns the chunks that esbuild makes of the phone into packs of CommonJS (src/main/packs.ts): one for each program with all it imports at once, one
// for what each import() brings, without what is there by then. An ES module costs Node a loader of its own, each file more a millisecond.

import { basename } from 'node:path';
import { transform } from 'esbuild';

/** The names a chunk has among the packs. */
const nameOf = (path) => `./${basename(path)}`;

/** One chunk as the function packs.ts calls. */
async function body(text, options) {
  const { code, warnings } = await transform(text, {
    ...options, loader: 'js', format: 'cjs', define: { 'import.meta.url': 'packUrl' }, supported: { 'dynamic-import': false },
  });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('\n'));
  return `function(require,module,exports,packUrl){${code.trim()}\n}`;
}

/**
 * `outputs` and `meta` of esbuild to files by name. `programs` are entry points that Node starts; `at once` chunks of import() that belong into
 * their program's own pack all the same.
 */
export async function pack({ outputs, meta, programs, atOnce, packs, options }) {
  const chunks = new Map(Object.entries(meta.outputs).map(([path, { imports, entryPoint }]) => [nameOf(path), {
    entryPoint,
    now: imports.filter(({ kind, external }) => kind === 'import-statement' && !external).map(({ path: to }) => nameOf(to)),
    later: imports.filter(({ kind, external }) => kind === 'dynamic-import' && !external).map(({ path: to }) => nameOf(to)),
  }]));
  const texts = new Map(outputs.map(({ path, text }) => [nameOf(path), text]));
  const isAtOnce = (name) => atOnce.includes(chunks.get(name).entryPoint);
  const closure = (name, found = new Set()) => {
    if (found.has(name)) return found;
    found.add(name);
    for (const next of [...chunks.get(name).now, ...chunks.get(name).later.filter(isAtOnce)]) closure(next, found);
    return found;
  };
  const roots = [...chunks].filter(([, { entryPoint }]) => programs.includes(entryPoint)).map(([name]) => name);
  // What is surely there when an import() of a chunk comes to pass, whoever asks.
  const there = new Map(roots.map((name) => [name, new Set()]));
  for (let changed = true; changed;) {
    changed = false;
    for (const [name, before] of [...there]) {
      const now = new Set([...before, ...closure(name)]);
      for (const next of [...closure(name)].flatMap((one) => chunks.get(one).later).filter((one) => !isAtOnce(one))) {
        const known = there.get(next), both = known === undefined ? now : new Set([...known].filter((one) => now.has(one)));
        if (known !== undefined && known.size === both.size) continue;
        there.set(next, both);
        changed = true;
      }
    }
  }
  const fileOf = (name) => (roots.includes(name) ? name.slice(2) : `${basename(chunks.get(name).entryPoint).replace(/\.ts$/, '')}.cjs`);
  const where = Object.fromEntries([...there.keys()].filter((name) => !roots.includes(name)).map((name) => [name, fileOf(name)]));
  if (new Set(Object.values(where)).size !== Object.keys(where).length) throw new Error('two packs of one name');
  const files = new Map();
  for (const [name, known] of there) {
    const own = [...closure(name)].filter((one) => !known.has(one));
    const table = `{${(await Promise.all(own.map(async (one) => `${JSON.stringify(one)}:${await body(texts.get(one).replace(/^#!.*\n/, ''), options)}`))).join(',')}}`;
    files.set(fileOf(name), roots.includes(name)
      ? `#!/usr/bin/env node\n"use strict";${packs}packs.openPacks(__dirname,require,${table},${JSON.stringify(where)})(${JSON.stringify(name)});\n` : `(${table})\n`);
  }
  for (const [file, text] of files) if (/[^\x00-\x7f]/.test(text)) throw new Error(`${file} is not ASCII`); // packs.ts reads it as such
  return files;
}
