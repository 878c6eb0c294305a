// A source file as one bundle in build/, for a fresh process or a worker thread to run.

import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

/** Path of a script that runs `code` with everything `source` (relative to this file) exports as `m`. */
export function bundled(source: string, code: string): string {
  const contents = `import * as m from ${JSON.stringify(fileURLToPath(new URL(source, import.meta.url)))};\n${code}`;
  const name = createHash('sha256').update(contents).digest('hex').slice(0, 16);
  const outfile = fileURLToPath(new URL(`../../build/test/${name}.mjs`, import.meta.url));
  buildSync({ stdin: { contents, resolveDir: '/' }, outfile, bundle: true, platform: 'node', format: 'esm', external: ['koffi'] });
  return outfile;
}
