#!/usr/bin/env node
// npm run budget: the JavaScript heap of the phone's core, measured on the shipped bundle (dist/core.cjs).
//
// Core: SIP, session descriptions, RTP with jitter buffer and G.711, the behaviour of a telephone without handset (one with a handset loads
// 37 kB and more on top, main/dialled.ts). Baseline: the same process with Node's
// modules, sockets, clock and a silent sound device loaded and warmed. Figure: heapUsed after 100 ms of rest and three forced
// collections, less the baseline; the median of seven fresh processes; the worst phase counts. Exits 1 at 1,024 kB or above. Once registered, the
// phone is at rest and drops the code of its start as the shipped one does (src/main/flags.ts); so has the baseline, and the media loops,
// whose thread drops nothing, are rehearsed again.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const LIMIT_KB = 1_024;
const SLOPE_LIMIT_BYTES = 8; // none is expected; the reading is true to 2 bytes
const RUNS = Number(process.argv[2] ?? 7);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

// The settings' defaults, made outside the measured process: the schema is not part of the core.
const bundled = await build({ entryPoints: [here('../../src/config/layers.ts')], bundle: true, write: false, platform: 'node', format: 'esm' });
const { defaults } = await import(`data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].contents).toString('base64')}`);
const settings = defaults();

// The core is loaded as the phone loads it, with the code that the build compiled ahead.
const { outputFiles: [packs] } = await build({ entryPoints: [here('../../src/main/packs.ts')], bundle: true, write: false, platform: 'node', format: 'esm' });
const loader = `data:text/javascript;base64,${Buffer.from(packs.contents).toString('base64')}`;

function once(core) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [here('scenario.js'), core], { env: { ...process.env, NODE_OPTIONS: '', BUDGET_LOADER: loader, BUDGET_SETTINGS: JSON.stringify(settings) }, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => { out += chunk; });
    child.stderr.on('data', (chunk) => { err += chunk; });
    child.on('exit', (code) => {
      const line = out.trim().split('\n').at(-1);
      if (code === 0 && line?.startsWith('{')) resolve(JSON.parse(line));
      else reject(new Error(`the measured process ended with ${code}\n${out}\n${err}`));
    });
  });
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const runs = [];
for (let i = 0; i < RUNS; i++) runs.push(await once(here('../../dist/core.cjs')));

const phases = runs[0].phases.map((p) => p.name);
const kB = (bytes) => (bytes / 1_024).toFixed(0).padStart(7);
console.log(`phase                                    heap kB  spread  off heap kB   (median of ${RUNS} processes)`);
let worst = 0;
for (const name of phases) {
  const heaps = runs.map((r) => r.phases.find((p) => p.name === name).heap);
  const outside = median(runs.map((r) => r.phases.find((p) => p.name === name).external));
  worst = Math.max(worst, median(heaps));
  console.log(`${name.padEnd(40)} ${kB(median(heaps))} ${kB(Math.max(...heaps) - Math.min(...heaps))} ${kB(outside)}`);
}
const slope = median(runs.map((r) => r.slopeBytesPerCall));
console.log(`growth of data, code left out, over the last 900 calls, the middle one of three stretches: ${slope.toFixed(1)} bytes a call (limit ${SLOPE_LIMIT_BYTES})`);
console.log(`resident set of the whole process after all of it: ${kB(median(runs.map((r) => r.rss))).trim()} kB (information; Node alone is about 45,000)`);
const failed = worst >= LIMIT_KB * 1_024 || slope >= SLOPE_LIMIT_BYTES;
console.log(`worst phase ${kB(worst).trim()} kB of ${LIMIT_KB}: ${failed ? 'TOO MUCH' : 'ok'}`);
process.exit(failed ? 1 : 0);
