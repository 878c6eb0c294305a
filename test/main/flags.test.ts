// The flags are the whole process's, so each test is a process of its own.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const { outputFiles: [flags] } = await build({ entryPoints: [join(import.meta.dirname, '../../src/main/flags.ts')], bundle: true, write: false, platform: 'node', format: 'esm' });

/** What `script` prints as JSON; it knows the flags' module as `flags`, and heap() in bytes. */
function told(script: string): unknown {
  const url = `data:text/javascript;base64,${Buffer.from(flags!.contents).toString('base64')}`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', `
    const flags = await import('${url}');
    const turn = () => new Promise(setImmediate);
    const heap = async () => { await turn(); gc(); gc(); return process.memoryUsage().heapUsed; };
    ${script}`], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

/** A thousand functions, made and run; `sum()` runs them all. */
const functions = `
  const made = new Function(Array.from({ length: 1_000 }, (_, i) => 'function f' + i + '(a, b) { return a.one(b) + b.two(a) + ' + i + '; }').join(';') + '; return [' + Array.from({ length: 1_000 }, (_, i) => 'f' + i) + '];')();
  const each = { one: () => 1, two: () => 2 };
  const sum = () => made.reduce((total, f) => total + f(each, each), 0);`;

test('code that runs no more is dropped, and what is asked for again works as before', () => {
  const { first, dropped, again } = told(`${functions}
    const before = await heap();
    const first = sum();
    const ran = await heap();
    await flags.dropOldCode(turn);
    const dropped = (ran - await heap()) / (ran - before);
    console.log(JSON.stringify({ first, dropped, again: sum() }));`) as { first: number; dropped: number; again: number };
  expect(dropped).toBeGreaterThan(0.8);
  expect(again).toBe(first);
});

test('dropping old code ends, and afterwards collections are as they were', () => {
  const { turns, whole } = told(`
    const { PerformanceObserver, constants } = await import('node:perf_hooks');
    let turns = 0;
    await flags.dropOldCode(() => { turns++; return turn(); });
    let whole = 0;
    new PerformanceObserver((list) => { for (const e of list.getEntries()) if (e.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole++; }).observe({ entryTypes: ['gc'] });
    let kept = [];
    for (let i = 0; i < 200; i++) { kept = Array.from({ length: 2_000 }, () => [i]); await turn(); }
    console.log(JSON.stringify({ turns, whole, kept: kept.length }));`) as { turns: number; whole: number };
  expect(turns).toBeLessThan(2_000);
  expect(whole).toBe(0);
});
