// The bundle has the settings' schema as data, made from the one source at the build (scripts/plain-schema.js).

import { join } from 'node:path';
import { expect, test } from 'vitest';
import * as source from '../../src/config/schema.ts';

const root = join(import.meta.dirname, '../..');

/** Without the marks that TypeBox keeps under symbols; all else as it is, were it undefined, a pattern or a function. */
const bare = (value: unknown): unknown => Array.isArray(value) ? value.map(bare)
  : typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, bare(inner)])) : value;

test('as data the schema is what its source makes, and needs no package', async () => {
  const { plainSchema } = await import(join(root, 'scripts/plain-schema.js')) as { plainSchema: (path: string) => Promise<string> };
  const text = await plainSchema(join(root, 'src/config/schema.ts'));
  const plain = await import(`data:text/javascript,${encodeURIComponent(text)}`) as Record<string, unknown>;
  expect(Object.keys(plain).sort()).toEqual(Object.keys(source).sort());
  for (const [name, value] of Object.entries(source)) expect(plain[name], name).toStrictEqual(bare(value));
  expect(text).not.toMatch(/^import|\brequire\(/m);
});
