#!/usr/bin/env node
// Bundles the phone into dist/: one file for each thread (what they share is a chunk beside them), the page, the board files.
// koffi stays outside: it carries a native file.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, process.argv[2] ?? 'dist');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });

await build({
  absWorkingDir: root,
  entryPoints: { offhook: 'src/main.ts', 'sound-thread': 'src/main/sound-thread.ts', core: 'src/main/core.ts', flags: 'src/main/flags.ts' },
  outdir: dist,
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  minify: true,
  legalComments: 'none',
  external: ['koffi', 'onoff', '@discordjs/opus'],
  define: { OFFHOOK_VERSION: JSON.stringify(version) },
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
