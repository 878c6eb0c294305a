import { expect, test } from 'vitest';
// @ts-expect-error the build's scripts are plain JavaScript
import { nested } from '../../scripts/nested.js';
// @ts-expect-error the build's scripts are plain JavaScript
import { plainNumbers } from '../../scripts/plain-numbers.js';

const moduleOf = (path: string, names: readonly string[], more = '') => `// ${path}\n${names.map((name) => `var ${name} = [1, 2], ${name}2 = 3;\n`).join('')}${more}\n`;
const names = (letter: string, count: number) => Array.from({ length: count }, (_, i) => `${letter}${i}_`);
const run = (text: string) => (new Function(text) as () => unknown)();

test('modules are put into functions within functions as soon as they have more than 75 names together, and what comes last reaches all of them', () => {
  const text = moduleOf('src/a.ts', names('a', 20)) + moduleOf('src/b.ts', names('b', 17)) + moduleOf('src/c.ts', names('c', 1), 'function sum() { return a0_2 + c0_2; }');

  const out: string = nested(text, {}, 'result.push(sum());');

  expect(out.match(/\(\(\) => \{/g)).toHaveLength(1); // 40 and 34 names, then 3
  expect(run(`const result = []; ${out}; return result`)).toEqual([6]);
});

test('a module that needs a later one in another function is a mistake of the build', () => {
  const text = moduleOf('src/a.ts', names('a', 30)) + moduleOf('src/b.ts', names('b', 30));

  expect(() => nested(text, { 'src/a.ts': { imports: [{ path: 'src/b.ts' }] } }, '')).toThrow('src/a.ts needs src/b.ts');
  expect(() => nested(text, { 'src/b.ts': { imports: [{ path: 'src/a.ts' }] } }, '')).not.toThrow();
});

test('a number with a name is written where the name stands, and texts, members and declarations stay', () => {
  const source = "const GAP_MS = 1 / 2;\nconst NAME = 'GAP_MS';\nexport type T = typeof GAP_MS;\nconst a = 3 - GAP_MS + b.GAP_MS + `${GAP_MS}`;";

  expect(plainNumbers(source, 'none.ts').split('\n')).toEqual([
    'const GAP_MS = 1 / 2;', "const NAME = 'GAP_MS';", 'export type T = typeof GAP_MS;', 'const a = 3 - (1 / 2) + b.GAP_MS + `${(1 / 2)}`;',
  ]);
});

test('so is a number of another file', () => {
  expect(plainNumbers("import { MAX_FORWARDS, REASONS } from './build.ts';\nuse(MAX_FORWARDS, REASONS);", new URL('../../src/sip/x.ts', import.meta.url).pathname))
    .toBe("import { MAX_FORWARDS, REASONS } from './build.ts';\nuse((70), REASONS);");
});

test('so is a number of a table that holds nothing else', () => {
  const source = "export const PACE = {\n  quick: 4_000, most: 4,\n} as const;\nconst a = PACE.quick * PACE.most + PACE.other;";

  expect(plainNumbers(source, 'none.ts').split('\n').at(-1)).toBe('const a = (4_000) * (4) + PACE.other;');
});
