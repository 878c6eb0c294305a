import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { codePath, loadFile, openPacks, sealed, type Body, type Require } from '../../src/main/packs.ts';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'offhook-packs-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const node = createRequire(import.meta.url) as Require;
const told = (code: Record<string, string>): string => `({${Object.entries(code).map(([name, text]) => `${JSON.stringify(name)}:function(require,module,exports,url){${text}}`).join()}})\n`;

test('a module runs once, when it is first asked for, and gets what it asks for itself', () => {
  const ran: string[] = [];
  const bodies: Record<string, Body> = {
    './a.js': (require, module) => { ran.push('a'); module.exports = { b: require('./b.js'), path: require('node:path') }; },
    './b.js': (_, __, exports) => { ran.push('b'); (exports as { name: string }).name = 'b'; },
  };
  const require = openPacks(folder, node, bodies, {});
  expect(ran).toEqual([]);
  expect(require('./a.js')).toMatchObject({ b: { name: 'b' }, path: { sep: '/' } });
  expect(require('./a.js')).toBe(require('./a.js'));
  expect(ran).toEqual(['a', 'b']);
});

test('two modules that ask for each other both come to their exports', () => {
  const require = openPacks(folder, node, {
    './a.js': (require, _, exports) => { Object.assign(exports as object, { b: require('./b.js') }); },
    './b.js': (require, _, exports) => { Object.assign(exports as object, { a: require('./a.js') }); },
  }, {});
  const a = require('./a.js') as { b: { a: unknown } };
  expect(a.b.a).toBe(a);
});

test('a module of another pack brings that pack, whose modules see those that are there', () => {
  writeFileSync(join(folder, 'later.cjs'), told({ './c.js': 'exports.sum = require("./one.js").one + require("./d.js").two; exports.url = url', './d.js': 'exports.two = 2', './one.js': 'throw 1' }));
  const require = openPacks(folder, node, { './one.js': (_, __, exports) => { (exports as { one: number }).one = 1; } }, { './c.js': 'later.cjs' });
  expect(require('./c.js')).toEqual({ sum: 3, url: `file://${folder}/pack` });
});

test('any other file of the folder is one module', () => {
  writeFileSync(join(folder, 'alone.cjs'), '(function(require,module,exports){module.exports = { sep: require("node:path").sep }\n})\n');
  expect(openPacks(folder, node, {}, {})('./alone.cjs')).toEqual({ sep: '/' });
  expect(() => openPacks(folder, node, {}, {})('./none.cjs')).toThrow(/ENOENT/);
});

test('a part of Node.js that no start needs is loaded with the first use of it', () => {
  const asked = vi.fn(node);
  const { Worker } = openPacks(folder, asked, {}, {})('node:worker_threads') as { Worker: unknown };
  expect(asked).toHaveBeenCalledTimes(1);
  expect(Worker).toBe((node('node:worker_threads') as { Worker: unknown }).Worker);
  const threads = openPacks(folder, asked, {}, {})('node:worker_threads');
  expect([threads === undefined, asked.mock.calls.length]).toEqual([false, 1]);
});

/** A file that counts to 3, or says 4 where V8 was given code that comes to 4: texts of one length look the same to it. */
function withCode(damage: (file: Buffer) => Buffer = (file) => file): { readonly path: string } {
  const text = '(function(){return 3})\n', path = join(folder, 'one.cjs');
  writeFileSync(path, text);
  mkdirSync(join(folder, 'cache'));
  const script = new Script('(function(){return 4})\n', { filename: path });
  (script.runInThisContext() as () => number)();
  writeFileSync(codePath(folder, 'one.cjs'), damage(sealed(readFileSync(path), script.createCachedData())));
  return { path };
}
const counted = (): number => (loadFile(folder, 'one.cjs') as () => number)();

test('code that lies beside a file is taken in place of compiling it', () => {
  withCode();
  expect(counted()).toBe(4);
});

test.each([
  ['is cut short', (file: Buffer) => file.subarray(0, file.length - 8)],
  ['has a bit turned', (file: Buffer) => { file[file.length >> 1]! ^= 1; return file; }],
  ['is empty', () => Buffer.alloc(0)],
  ['is of zeros', (file: Buffer) => Buffer.alloc(file.length)],
] as const)('code that %s is not shown to V8, which looks at lengths alone', (_, damage) => {
  withCode(damage);
  expect(counted()).toBe(3);
});

test('code of a file that has changed since is not taken', () => {
  const { path } = withCode();
  writeFileSync(path, '(function(){return 5})\n');
  expect(counted()).toBe(5);
});

test('code that V8 does not take, of another version or with other flags, is compiled as if it were not there', () => {
  withCode((file) => {
    const code = file.subarray(20);
    code.writeUInt32LE(code.readUInt32LE(4) ^ 1, 4); // the version in V8's own head
    return sealed(readFileSync(join(folder, 'one.cjs')), code);
  });
  expect(counted()).toBe(3);
});

test('what is needed once is neither kept nor given a second time', () => {
  writeFileSync(join(folder, 'rehearsal.cjs'), '(function(require,module){module.exports={made:{}}})\n');
  const require = openPacks(folder, node, {}, {});
  const first = require('./rehearsal.cjs') as { made: object }, second = require('./rehearsal.cjs') as { made: object };
  expect(second).toEqual(first);
  expect(second.made).not.toBe(first.made);
});
