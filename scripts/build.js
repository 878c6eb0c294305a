#!/usr/bin/env node
// Bundles the phone into dist/: the program with its core beside it, the media thread, the page, the board files; and the library ua.mjs.
// koffi stays outside: it carries a native file.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, transform } from 'esbuild';
import { compileAhead } from './compile-ahead.js';
import { later } from './later.js';
import { nested } from './nested.js';
import { pack } from './packs.js';
import { plainLoops } from './plain-loops.js';
import { plainNumbers } from './plain-numbers.js';
import { plainSchema } from './plain-schema.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, process.argv[2] ?? 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// A private name costs V8 a symbol, a slot of its class's context and a slow way to the field. The compiler has held everybody to them by
// now, so in the bundle they are plain properties with names of one or two letters, set in the constructor: 32 kB less heap.
const PRIVATE = 'private$';
const plainPrivates = {
  name: 'plain privates',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/].*\.ts$/ }, async ({ path }) => ({
      contents: plainNumbers(await readFile(path, 'utf8'), path).replace(/(?<=[.\s])#(?=[a-z])/g, () => PRIVATE), loader: 'ts',
    }));
  },
};

// The settings' schema comes as plain data, so that no phone loads what it is written with.
const plainSettings = {
  name: 'plain settings',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]config[\\/]schema\.ts$/ }, async ({ path }) => ({ contents: await plainSchema(path), loader: 'js' }));
  },
};

// The core is one file of CommonJS, which the program takes as it stands. Of an ES module Node keeps for ever what only its loading needed, the
// bytecode and constants of its top level: 37 kB of heap. One file, since each one more costs 10 kB.
const core = {
  name: 'core apart',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/core\.ts$/ }, ({ kind }) => (kind === 'entry-point' ? undefined : { path: 'core', namespace: 'apart' }));
    onLoad({ filter: /./, namespace: 'apart' }, () => ({ contents: "module.exports = require('./core.cjs');" }));
    onResolve({ filter: /\/core\.cjs$/ }, ({ path }) => ({ path, external: true }));
  },
};

// A pack has a require of its own (src/main/packs.ts); node:module would load the whole of Node's module loaders.
const ownRequire = {
  name: 'own require',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:module$/ }, () => ({ path: 'require', namespace: 'own' }));
    onLoad({ filter: /./, namespace: 'own' }, () => ({ contents: 'export const createRequire = () => require;' }));
  },
};

/** What is loaded with the first call of it, in files of their own: each a list of modules, the first of which is asked for (later.js). */
const BESIDE_CORE = [
  ['src/sip/connection.ts', 'src/sip/framing.ts'],
  ['src/sip/stun.ts'],
  ['src/sip/call-requests.ts'],
  ['src/sip/multipart.ts'],
  ['src/sip/prack.ts'],
  ['src/phone/nets.ts'],
  ['src/phone/sent-on.ts'],
  ['src/phone/texts.ts'],
];
const BESIDE_DIALLED = [['src/phone/further-commands.ts'], ['src/phone/dial-rules.ts'], ['src/phone/record.ts']];

/** A bundled ES module that imports only Node's own, as CommonJS. */
function commonJs(text) {
  const named = (list, turned) => list.split(',').map((one) => { const [a, b = a] = one.trim().split(' as '); return turned ? `${b}:${a}` : `${a}:${b}`; }).join();
  const out = text
    .replace(/\bimport ?\{([^}]+)\} ?from ?"(node:[\w/]+)";/g, (_, list, from) => `const{${named(list, false)}}=require("${from}");`)
    .replace(/\bexport ?\{([^}]+)\};\s*$/, (_, list) => `module.exports={${named(list, true)}};`);
  if (/\b(import|export)\b ?[\w${*"'-]/.test(out.slice(0, 500) + out.slice(-500))) throw new Error('the core has an import or export that is not understood');
  return `"use strict";${out}`;
}

const phone = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minify: true,
  mangleProps: /^private\$/,
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false, verbatimModuleSyntax: true } },
  legalComments: 'none',
  external: ['koffi', 'onoff', '@discordjs/opus'],
  define: { OFFHOOK_VERSION: JSON.stringify(version) },
  plugins: [plainSettings, plainPrivates, core],
};

/**
 * `from` with all it imports as the function packs.ts calls, and the files of what is `beside` it. It is minified but for its white space, by which statements
 * and modules are told apart; that goes last.
 */
async function bodies(name, from, { beside = [], within = (text, inputs, last) => text + last } = {}) {
  const sets = later(root, beside);
  const one = async (entry, plugin, whole) => {
    const { outputFiles: [{ text }], metafile } = await build({
      ...phone, plugins: [plugin, ...phone.plugins], minify: false, minifyIdentifiers: true, minifySyntax: true, metafile: true, entryPoints: [entry], write: false, define: { ...phone.define, 'import.meta.url': 'packUrl' },
    });
    const { code } = await transform(`body = function(require,module,exports,packUrl){${whole(commonJs(plainLoops(text)).replaceAll('requireLater(', 'require('), metafile.inputs)}}`, {
      minifyWhitespace: true, minifySyntax: true, target: phone.target,
    });
    return `(${code.trim().slice('body='.length, -1)}\n)\n`;
  };
  writeFileSync(join(dist, `${name}.cjs`), await one(from, sets.beside, (text, inputs) => {
    const at = text.lastIndexOf('module.exports');
    return within(text.slice(0, at), inputs, text.slice(at));
  }));
  for (const { name: its, from: path, plugin } of sets.files) {
    writeFileSync(join(dist, `${its}.cjs`), await one(path, plugin, (text) => `module.exports = (given) => {${text}\nreturn module.exports; };`));
  }
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');
const bundled = async (from) => (await build({ ...phone, entryPoints: [`src/main/${from}.ts`], write: false })).outputFiles[0].text;
await bodies('core', 'src/main/core.ts', { beside: BESIDE_CORE, within: nested });
writeFileSync(join(dist, 'flags.js'), commonJs(await bundled('flags')));
// Asked for with the first call that wants it, at once: by the media thread, and keys of encrypted sound by the main thread.
await bodies('media-extras', 'src/main/media-extras.ts');
await bodies('sdes', 'src/sdp/sdes.ts');
await bodies('dialled', 'src/main/dialled.ts', { beside: BESIDE_DIALLED });
await bodies('rehearsal', 'src/media/rehearsal.ts');

const small = { minify: true, platform: 'node', target: 'node20', legalComments: 'none' };
const { outputFiles: [packs] } = await build({ ...small, absWorkingDir: root, entryPoints: ['src/main/packs.ts'], bundle: true, format: 'iife', globalName: 'packs', write: false });
const { outputFiles: outputs, metafile: meta } = await build({
  ...phone,
  entryPoints: { offhook: 'src/main.ts', 'sound-thread': 'src/main/sound-thread.ts' },
  plugins: [...phone.plugins, ownRequire],
  splitting: true,
  write: false,
  metafile: true,
});
const files = await pack({ outputs, meta, programs: ['src/main.ts', 'src/main/sound-thread.ts'], atOnce: ['src/main/flags.ts'], packs: packs.text, options: small });
for (const [name, text] of files) writeFileSync(join(dist, name), text);
chmodSync(join(dist, 'offhook.js'), 0o755);

if (existsSync(join(root, 'src/web/page/main.tsx'))) {
  await build({
    absWorkingDir: root,
    entryPoints: { page: 'src/web/page/main.tsx' },
    outdir: join(dist, 'page'),
    bundle: true,
    minify: true,
    platform: 'browser',
    target: ['es2022'],
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
  });
  cpSync(join(root, 'src/web/page/index.html'), join(dist, 'page/index.html'));
}
const { outputFiles: [packsApart] } = await build({ ...small, absWorkingDir: root, entryPoints: ['src/main/packs.ts'], bundle: true, format: 'cjs', write: false });
cpSync(join(root, 'hw/boards'), join(dist, 'boards'), { recursive: true });
cpSync(join(root, 'src/media/national-tones.txt'), join(dist, 'national-tones.txt'));
await compileAhead(dist, packsApart.text);
// Bundled CommonJS packages (ws) ask for require.
const banner = { js: "import{createRequire as offhookRequire}from'node:module';const require=offhookRequire(import.meta.url);" };
// The library: one file by itself, and its types where the compiler is at hand (a phone that is only to run has none).
await build({ ...phone, entryPoints: { ua: 'src/main/ua.ts' }, outExtension: { '.js': '.mjs' }, plugins: [plainPrivates], banner });
const tsc = join(root, 'node_modules/typescript/bin/tsc');
if (existsSync(tsc)) {
  const types = join(dist, 'types');
  const flags = ['--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--outDir', types];
  mkdirSync(types, { recursive: true });
  writeFileSync(join(types, 'package.json'), '{ "type": "module" }\n');
  execFileSync(process.execPath, [tsc, '-p', join(root, 'src/main/tsconfig.ua.json'), ...flags], { stdio: 'inherit' });
  for (const name of readdirSync(types, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue;
    const path = join(types, name);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/(from '\.[^']*)\.ts'/g, "$1.js'"));
  }
}

