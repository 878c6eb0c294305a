#!/usr/bin/env node
// node test/bench/parse.js: messages a core-second that the parser and the writer do, beside the npm package sip in the same run. Twenty ordinary
// messages (corpus.txt); parse is the index plus what a transaction layer touches. Each in a process of its own, in turns, the median of five.

import { build } from 'esbuild';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const PEER = 'sip@0.0.6';

/** One measurement, in a process of its own. */
async function measure(who, folder) {
  if (who.endsWith('flags')) await import(pathToFileURL(join(folder, 'flags.mjs')).href);
  const ours = await import(pathToFileURL(join(folder, 'work.mjs')).href);
  const messages = ours.corpus(pathToFileURL(join(folder, 'corpus.txt'))).map(([, bytes]) => bytes);
  let parse = ours.parse;
  let writers = messages.map((bytes) => ours.writer(bytes));
  if (who === 'sip') {
    const sip = createRequire(join(folder, 'x.js'))('sip');
    parse = (bytes) => {
      const m = sip.parse(bytes.toString('latin1')); // the package's own transports give it such a string
      const { via, from, to, cseq, contact } = m.headers;
      return (m.method ?? cseq.method).length + (m.uri?.length ?? 0) + (m.status ?? 0) + via[0].params.branch.length + (via[0].port ?? 0) + (from.params.tag?.length ?? 0) + (to.params.tag?.length ?? 0)
        + m.headers['call-id'].length + cseq.seq + (contact?.[0].uri.length ?? 0) + m.content.length;
    };
    writers = messages.map((bytes) => {
      const m = sip.parse(bytes.toString('latin1'));
      if (m.method !== undefined) return () => Buffer.from(sip.stringify(m), 'latin1').length;
      const { via, to, from, 'call-id': id, cseq, ...own } = m.headers;
      const asked = { version: '2.0', headers: { via, to, from, 'call-id': id, cseq } };
      return () => Buffer.from(sip.stringify(sip.makeResponse(asked, m.status, m.reason, { headers: own, content: m.content })), 'latin1').length;
    });
  }
  const rate = (work) => {
    let sum = 0;
    const run = (ms) => {
      let n = 0;
      const begin = performance.now(), used = process.cpuUsage();
      while (performance.now() - begin < ms) {
        for (let i = 0; i < messages.length; i++) sum += work(i);
        n += messages.length;
      }
      const { user, system } = process.cpuUsage(used); // what other programs take is nobody's fault
      return (n / (user + system)) * 1e6;
    };
    run(600); // until it is compiled
    const out = Math.max(run(300), run(300), run(300));
    if (!(sum > 0)) throw new Error('nothing was read');
    return out;
  };
  return { parse: rate((i) => parse(messages[i])), write: rate((i) => writers[i]()), touched: messages.map((bytes) => parse(bytes)) };
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'offhook-parse-'));
  try {
    try {
      execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, PEER], { stdio: 'pipe' });
    } catch (error) {
      console.error(`${PEER} could not be installed to compare with: ${String(error.stderr ?? error).trim().split('\n').at(-1)}`);
      return 1;
    }
    const options = { absWorkingDir: join(here, '../..'), bundle: true, format: 'esm', platform: 'node', target: 'node20' };
    await build({ ...options, entryPoints: ['test/bench/parse-work.ts'], outfile: join(folder, 'work.mjs'), define: { 'import.meta.url': '"file:///"' } });
    await build({ ...options, entryPoints: ['src/main/flags.ts'], outfile: join(folder, 'flags.mjs') });
    copyFileSync(join(here, 'corpus.txt'), join(folder, 'corpus.txt'));
    writeFileSync(join(folder, 'package.json'), '{}');
    if (!existsSync(join(folder, 'node_modules/sip'))) throw new Error('npm installed nothing');
    const results = { sip: [], ours: [], 'ours, shipped flags': [] };
    for (let round = 0; round < 5; round++) {
      for (const [name, who] of [['sip', 'sip'], ['ours', 'ours'], ['ours, shipped flags', 'ours-flags']]) {
        const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--measure', who, folder], { encoding: 'utf8' });
        if (child.status !== 0) throw new Error(child.stderr);
        results[name].push(JSON.parse(child.stdout));
      }
    }
    const median = (name, what) => results[name].map((r) => r[what]).sort((a, b) => a - b)[2];
    const differ = results.sip[0].touched.filter((n, i) => n !== results.ours[0].touched[i]).length;
    if (differ > 0) throw new Error(`${differ} messages were read differently: the comparison is void`);
    console.log('messages a core-second    parse   of sip     write   of sip');
    for (const name of Object.keys(results)) {
      const [parse, write] = [median(name, 'parse'), median(name, 'write')];
      console.log(`${name.padEnd(20)} ${parse.toFixed(0).padStart(10)} ${(parse / median('sip', 'parse')).toFixed(2).padStart(8)} ${write.toFixed(0).padStart(9)} ${(write / median('sip', 'write')).toFixed(2).padStart(8)}`);
    }
    const worst = Math.min(median('ours', 'parse') / median('sip', 'parse'), median('ours', 'write') / median('sip', 'write'));
    console.log(`target: twice the rate of ${PEER} under V8's own settings: ${worst >= 2 ? 'held' : 'MISSED'} (${worst.toFixed(2)})`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [mode, who, folder] = process.argv.slice(2);
if (mode === '--measure') console.log(JSON.stringify(await measure(who, folder)));
else process.exitCode = await main();
