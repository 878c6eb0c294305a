#!/usr/bin/env node
// node test/bench/ua.js: what the user agent alone does, without phone and media, beside a bare UDP socket and Debian's baresip in the same run.
// SIPp sends OPTIONS, REGISTER (which we refuse) and calls five at once, caller.js calls one after another, answered as soon as they come. Per core-second is what the
// CPU allows; a run is repeated and the better one counts. Ends in failure when a target of the numbers to hold is missed.

import { build } from 'esbuild';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { dataOf } from '../budget/data-bytes.js';
import { FLOOR, cpuOf, freePort, launch, pause, scenarios, sipp } from './sipp.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'oh-ua-'));
scenarios(folder);
await build({ absWorkingDir: root, entryPoints: { agent: 'test/bench/ua-agent.ts' }, outdir: folder, outExtension: { '.js': '.mjs' }, bundle: true, format: 'esm', platform: 'node', target: 'node20', minify: true });

const WORK = [
  ['OPTIONS', 10_000, ['-sf', 'options.xml', '-s', 'bench', '-l', '50', '-r', '20000']],
  ['REGISTER refused', 5_000, ['-sf', 'register-405.xml', '-l', '50', '-r', '20000']],
  ['calls in turn', 4_000],
  ['calls, 5 at once', 2_000, ['-sn', 'uac', '-s', 'bench', '-d', '0', '-l', '5', '-r', '5000']],
];

/** None is expected. V8's machine code and what belongs to it grow for tens of thousands of calls; in the heap as a whole they would hide one. */
const LEAK_BYTES = 8;

async function measure(name, port, command, args, { words, share = 1, ipc = false, register = 405 } = {}) {
  const { child, ready } = launch(name, command, args, words, { ipc });
  await ready;
  process.stderr.write(`${name} ...\n`);
  const target = `127.0.0.1:${port}`, result = {};
  await sipp(folder, target, ['-sf', 'options.xml', '-m', String(4_000 * share), '-l', '20', '-r', '4000']);
  await sipp(folder, target, ['-sn', 'uac', '-d', '0', '-m', String(1_000 * share), '-l', '5', '-r', '5000']);
  const memory = async () => {
    const file = join(folder, 'heap.heapsnapshot');
    const { heap } = await new Promise((resolve) => {
      child.once('message', resolve);
      child.send(file);
    });
    return { heap, data: dataOf(readFileSync(file, 'utf8')) };
  };
  for (const [what, count, more] of WORK) {
    for (let round = 0; round < 2; round++) {
      const cpu = cpuOf(child.pid), began = process.hrtime.bigint();
      const many = String(Math.ceil(count * share));
      const { ok, failed } = more === undefined ? JSON.parse((await run(process.execPath, [join(root, 'test/bench/caller.js'), port, many])).stdout)
        : await sipp(folder, target, [...more.map((word) => word.replace('405', register)), '-m', many]);
      const seconds = Number(process.hrtime.bigint() - began) / 1e9, used = cpuOf(child.pid) - cpu;
      const one = { rate: ok / seconds, perCore: ok / used, failed };
      if (result[what] === undefined || one.perCore > result[what].perCore) result[what] = one;
    }
  }
  if (ipc) {
    const calls = async () => {
      await sipp(folder, target, ['-sn', 'uac', '-d', '0', '-l', '5', '-r', '5000', '-m', '10000']);
      await pause(1_000); // as many wait for stragglers each time: the cap
      return memory();
    };
    const before = await calls(), after = await calls();
    result.grown = { data: (after.data - before.data) / 10_000, heap: (after.heap - before.heap) / 10_000 };
  }
  child.removeAllListeners('exit');
  child.kill('SIGTERM');
  await pause(300);
  if (child.exitCode === null) child.kill('SIGKILL');
  return result;
}

try {
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const floor = await measure('floor', ports[0], process.execPath, ['-e', FLOOR, String(ports[0])], { register: 200 });
  const ours = await measure('ours', ports[1], process.execPath, ['--expose-gc', join(folder, 'agent.mjs'), String(ports[1])], { ipc: true });
  const shipped = await measure('ours, shipped flags', ports[2], process.execPath, ['--max-semi-space-size=4', join(folder, 'agent.mjs'), String(ports[2]), 'flags']);
  writeFileSync(join(folder, 'config'), [`sip_listen 127.0.0.1:${ports[3]}`, 'net_interface 127.0.0.1', 'call_max_calls 64', 'audio_source aubridge,nil', 'audio_player aubridge,nil', 'audio_alert aubridge,nil', 'rtp_ports 30000-31998',
    'module_path /usr/lib/baresip/modules', 'module g711.so', 'module aubridge.so', 'module_tmp account.so', 'module_app menu.so', ''].join('\n'));
  writeFileSync(join(folder, 'accounts'), `<sip:bench@127.0.0.1:${ports[3]}>;regint=0;answermode=auto;audio_codecs=PCMU/8000/1\n`);
  writeFileSync(join(folder, 'contacts'), '');
  let baresip;
  try {
    baresip = await measure('baresip', ports[3], 'baresip', ['-f', folder, '-4'], { words: /is ready/, share: 0.25, register: 501 });
  } catch (error) {
    console.log(`baresip is not compared with: ${error.message.split('\n').slice(0, 4).join(' | ')}`);
  }
  const all = { 'bare socket': floor, ours, 'ours, shipped flags': shipped, ...(baresip === undefined ? {} : { baresip }) };
  for (const [what] of WORK) {
    console.log(`\n${what.padEnd(22)}      rate/s  of the floor   per core-s  of the floor  failed`);
    for (const [name, result] of Object.entries(all)) {
      const { rate, perCore, failed } = result[what];
      console.log(`  ${name.padEnd(22)} ${rate.toFixed(0).padStart(9)} ${(rate / floor[what].rate).toFixed(2).padStart(13)} ${perCore.toFixed(0).padStart(12)} ${(perCore / floor[what].perCore).toFixed(2).padStart(13)} ${String(failed).padStart(7)}`);
    }
  }
  console.log(`\nheap over 10,000 calls: ${ours.grown.data.toFixed(2)} B of data more a call, with V8's code ${ours.grown.heap.toFixed(1)} B`);
  const targets = [
    ['more than 1,000 calls a core-second', ours['calls in turn'].perCore / 1_000, 1],
    ['calls in turn, of the floor\'s rate', ours['calls in turn'].rate / floor['calls in turn'].rate, 0.4],
    [`no leak over 10,000 calls: under ${LEAK_BYTES} B of data each`, ours.grown.data < LEAK_BYTES ? 1 : 0, 1],
    ...(baresip === undefined ? [] : [
      ['calls in turn, times baresip\'s rate', ours['calls in turn'].rate / baresip['calls in turn'].rate, 4],
      ['calls a core-second, times baresip\'s', ours['calls in turn'].perCore / baresip['calls in turn'].perCore, 3],
    ]),
  ];
  for (const [what, is, least] of targets) {
    console.log(`${is >= least ? 'held  ' : 'MISSED'} ${what}: ${is.toFixed(2)} (at least ${least})`);
    if (is < least) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
