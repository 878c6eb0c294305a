#!/usr/bin/env node
// Bundles the phone into dist/: the program with its core beside it, the media thread, the page, the board files.
// koffi stays outside: it carries a native file.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

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
      contents: (await readFile(path, 'utf8')).replace(/(?<=[.\s])#(?=[a-z])/g, () => PRIVATE), loader: 'ts',
    }));
  },
};

// The core is one file, which the program imports as it stands: every module more costs heap. They share the class of errors, in a file of its own.
const apart = {
  name: 'apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/(core|errors)\.ts$/ }, ({ path, kind }) => (kind === 'entry-point' ? undefined : { path: `./${path.slice(path.lastIndexOf('/') + 1, -3)}.js`, external: true }));
  },
};

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
  plugins: [plainPrivates, apart],
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

await build({ ...phone, entryPoints: { core: 'src/main/core.ts', errors: 'src/ports/errors.ts', flags: 'src/main/flags.ts' } });
await build({
  ...phone,
  entryPoints: { offhook: 'src/main.ts', 'sound-thread': 'src/main/sound-thread.ts' },
  splitting: true,
  // Bundled CommonJS packages (fastify's) ask for require.
  banner: { js: "import{createRequire as offhookRequire}from'node:module';const require=offhookRequire(import.meta.url);" },
});

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
cpSync(join(root, 'hw/boards'), join(dist, 'boards'), { recursive: true });
