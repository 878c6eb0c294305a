import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, test } from 'vitest';
// @ts-expect-error the build's scripts are plain JavaScript
import { later } from '../../scripts/later.js';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'offhook-later-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (files: Record<string, string>): void => {
  mkdirSync(join(folder, 'src'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'src', name), text);
};
const bundle = async (entry: string, plugin: unknown): Promise<string> => {
  const { outputFiles: [file] } = await build({ entryPoints: [entry], bundle: true, write: false, format: 'cjs', platform: 'node', logLevel: 'silent', plugins: [plugin as never] });
  return file!.text;
};

test('a module beside the bundle is loaded with the first call, once, and works on what the bundle has', async () => {
  write({
    'main.ts': "import { grow } from './rare.ts';\nimport { count } from './common.ts';\nexport const twice = (): number => grow(1) + grow(1);\nexport { count };\n",
    'common.ts': 'let calls = 0;\nexport const count = (): number => ++calls;\nexport const LIMIT_MS = 5;\n',
    'rare.ts': "import { count, LIMIT_MS, type Nothing } from './common.ts';\nimport { add } from './rarer.ts';\nexport function grow(by: number): number { return add(count(), by); }\n",
    'rarer.ts': 'export const add = (a: number, b: number): number => a + b;\n',
  });
  const { beside, files: [rare] } = later(folder, [['src/rare.ts', 'src/rarer.ts']]) as { beside: unknown; files: { name: string; from: string; plugin: unknown }[] };
  const core = await bundle(join(folder, 'src/main.ts'), beside), text = await bundle(rare!.from, rare!.plugin);

  const asked: string[] = [];
  const requireLater = (name: string): unknown => (given: unknown) => {
    asked.push(name);
    const module = { exports: {} };
    new Function('module', 'exports', 'given', text)(module, module.exports, given);
    return module.exports;
  };
  const module = { exports: {} as { twice(): number; count(): number } };
  new Function('module', 'exports', 'requireLater', core)(module, module.exports, requireLater);

  expect(core).not.toContain('add(');
  expect(asked).toEqual([]);
  expect(module.exports.twice()).toBe(1 + 1 + 2 + 1);
  expect(module.exports.count()).toBe(3); // there is one common.ts
  expect(asked).toEqual(['./rare.cjs']);
});

test('a module that exports more than functions is a mistake of the build', async () => {
  write({ 'main.ts': "import { TABLE } from './rare.ts';\nexport const table = TABLE;\n", 'rare.ts': 'export const TABLE = [1, 2];\n' });
  const { beside } = later(folder, [['src/rare.ts']]) as { beside: unknown };

  await expect(bundle(join(folder, 'src/main.ts'), beside)).rejects.toThrow('exports TABLE, which is no function');
});
