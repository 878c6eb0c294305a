#!/usr/bin/env node
// npm run budget: the JavaScript heap of the phone's core, measured on the shipped bundle (dist/core.cjs), and of the core with what a handset
// needs (dist/dialled.cjs), lifted, dialled on and hung up. phones.js names the phones, the states they go through and their limits.
//
// Core: SIP, session descriptions, RTP with jitter buffer and G.711, the behaviour of a telephone. Baseline: the same process with Node's
// modules, buffers, sockets, clock, a silent sound device, the settings (19 kB, the store's) and this folder's own code loaded and warmed. Figure:
// heapUsed after 100 ms of rest and three forced collections, less the baseline; the median of five fresh processes; the worst phase counts. Exits 1 at
// a phone's limit or above. Once registered, the phone is at rest and drops the code of its start as the shipped one does (src/main/flags.ts); so has the baseline, and the
// media loops, whose thread drops nothing, are rehearsed again.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { phones, SLOPE_LIMIT_BYTES } from './phones.js';

const RUNS = Number(process.argv[2] ?? 5);
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

// The settings' defaults, made outside the measured process: the schema is not part of the core.
const bundled = await build({ entryPoints: [here('../../src/config/layers.ts')], bundle: true, write: false, platform: 'node', format: 'esm' });
const { defaults } = await import(`data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].contents).toString('base64')}`);
const settings = defaults();

// The core is loaded as the phone loads it, with the code that the build compiled ahead.
const { outputFiles: [packs] } = await build({ entryPoints: [here('../../src/main/packs.ts')], bundle: true, write: false, platform: 'node', format: 'esm' });
const loader = `data:text/javascript;base64,${Buffer.from(packs.contents).toString('base64')}`;

const dist = here('../../dist');
function once(phone) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [here('scenario.js'), dist, JSON.stringify(phone)], { env: { ...process.env, NODE_OPTIONS: '', BUDGET_LOADER: loader, BUDGET_SETTINGS: JSON.stringify(settings) }, stdio: ['ignore', 'pipe', 'pipe'] });
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
const kB = (bytes) => (bytes / 1_024).toFixed(0).padStart(7);
const kBs = (bytes) => kB(bytes).trim();
let failed = false;
for (const phone of phones) {
  const runs = [], count = Math.min(RUNS, phone.runs ?? RUNS);
  for (let i = 0; i < count; i++) runs.push(await once(phone));
  console.log(`${`phone ${phone.name}`.padEnd(40)} heap kB  spread  off heap kB   (median of ${count} process${count === 1 ? '' : 'es'})`);
  let worst = 0;
  for (const { name } of runs[0].phases) {
    const heaps = runs.map((r) => r.phases.find((p) => p.name === name).heap);
    const outside = median(runs.map((r) => r.phases.find((p) => p.name === name).external));
    worst = Math.max(worst, median(heaps));
    console.log(`${name.padEnd(40)} ${kB(median(heaps))} ${kB(Math.max(...heaps) - Math.min(...heaps))} ${kB(outside)}`);
  }
  const tooMuch = worst >= (phone.limitKb ?? Infinity) * 1_024;
  console.log(`worst phase ${kBs(worst)} kB ${phone.limitKb === undefined ? '(information)' : `of ${phone.limitKb}: ${tooMuch ? 'TOO MUCH' : 'ok'}`}`);
  failed ||= tooMuch;
  if (runs[0].slopeBytesPerCall !== undefined) {
    const slope = median(runs.map((r) => r.slopeBytesPerCall));
    console.log(`growth of data, code left out, over the last 900 calls, the middle one of three stretches: ${slope.toFixed(1)} bytes a call (limit ${SLOPE_LIMIT_BYTES})`);
    failed ||= slope >= SLOPE_LIMIT_BYTES;
  }
  console.log(`resident set of the whole process after all of it: ${kBs(median(runs.map((r) => r.rss)))} kB (information; Node alone is about 45,000)\n`);
}
process.exit(failed ? 1 : 0);
