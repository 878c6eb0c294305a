// The schema of the settings as JavaScript without a package: what src/config/schema.ts exports, evaluated now and written as data.

import { build } from 'esbuild';

/** Text of a module that exports what `path` exports. */
export async function plainSchema(path) {
  const { outputFiles: [bundle] } = await build({ entryPoints: [path], bundle: true, format: 'esm', platform: 'node', target: 'node20', write: false });
  const exported = await import(`data:text/javascript;base64,${Buffer.from(bundle.contents).toString('base64')}`);
  return Object.entries(exported).map(([name, value]) => `export const ${name} = JSON.parse(${JSON.stringify(JSON.stringify(value))});\n`).join('');
}
