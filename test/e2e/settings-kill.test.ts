import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore, type Patch } from '../../src/config/store.ts';
import { systemFiles } from '../../src/system/files.ts';

const ROUNDS = 50;

/** Two settings that differ everywhere and fill some tens of kilobytes. */
const big = (mark: string): Patch => ({
  phone: { name: mark.repeat(32) },
  sip: { port: mark === 'a' ? 5071 : 5072, allowAddresses: Array.from({ length: 100 }, (_, i) => `10.${mark === 'a' ? 1 : 2}.0.${i}`) },
  dialing: { speedDial: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i}`, `sip:${mark.repeat(240)}@x`])) },
});

const writer = `
import { openStore } from './src/config/store.ts';
import { systemFiles } from './src/system/files.ts';
const [dir, ...patches] = process.argv.slice(2);
const store = await openStore({ files: systemFiles() }, dir);
process.stdout.write('ready\\n');
for (let i = 0; ; i++) {
  const outcome = await store.change(JSON.parse(patches[i % 2]));
  if (!outcome.ok) throw new Error(JSON.stringify(outcome));
}
`;

let dir = '';
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'offhook-kill-'));
  const built = await build({ stdin: { contents: writer, resolveDir: process.cwd(), loader: 'ts' }, bundle: true, write: false, format: 'esm', platform: 'node' });
  await writeFile(join(dir, 'writer.mjs'), built.outputFiles[0]!.contents);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test(`kill -9 at any instant of a write leaves the old settings or the new ones, ${ROUNDS} times`, async () => {
  const state = join(dir, 'state');
  const patches = [big('a'), big('b')];
  const seen = { a: 0, b: 0, halfWritten: 0 };
  const first = await openStore({ files: systemFiles() }, state);
  await first.change(patches[0]!);
  const a = first.settings;
  await first.change(patches[1]!);
  const b = first.settings;

  for (let round = 0; round < ROUNDS; round++) {
    const child = spawn(process.execPath, [join(dir, 'writer.mjs'), state, ...patches.map((p) => JSON.stringify(p))], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = new Promise<NodeJS.Signals | null>((resolve) => child.on('exit', (_, signal) => resolve(signal)));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40));
    child.kill('SIGKILL');
    expect(await gone).toBe('SIGKILL'); // it was still writing, and not ended by an error of its own

    if ((await readdir(state)).some((name) => name.endsWith('.tmp'))) seen.halfWritten++;
    const store = await openStore({ files: systemFiles() }, state);
    expect(store.problems).toEqual([]);
    const which = store.settings.phone.name.startsWith('a') ? 'a' : 'b';
    expect(store.settings).toEqual(which === 'a' ? a : b);
    seen[which]++;
  }
  console.log(`old or new after each of ${ROUNDS} kills: ${seen.a} × a, ${seen.b} × b; ${seen.halfWritten} kills fell into an unfinished write`);
  expect(seen.a).toBeGreaterThan(0);
  expect(seen.b).toBeGreaterThan(0);
  expect(seen.halfWritten).toBeGreaterThan(0);
}, 120_000);
