#!/usr/bin/env node
// npm run bench: what one core does, each figure beside a floor measured in the same run. Prints; never fails a build.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLOOR, cpuOf, freePort, launch, pause, scenarios, sipp } from './sipp.js';

const dist = fileURLToPath(new URL('../../dist/offhook.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'oh-bench-'));
scenarios(folder);

async function measure(name, port, args) {
  const { child, ready } = launch(name, process.execPath, args);
  await ready;
  const target = `127.0.0.1:${port}`;
  const result = {};
  await sipp(folder, target, ['-sf', 'options.xml', '-m', '500', '-l', '20', '-r', '2000']); // warm
  for (const [what, count, more] of [
    ['OPTIONS', 30_000, ['-sf', 'options.xml', '-l', '100', '-r', '20000']],
    ['INVITE-ACK-BYE', 2_000, ['-sn', 'uac', '-d', '0', '-l', '3', '-r', '2000']],
  ]) {
    const cpu = cpuOf(child.pid);
    const began = process.hrtime.bigint();
    const { ok, failed } = await sipp(folder, target, [...more, '-m', String(count)]);
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    result[what] = { rate: ok / seconds, perCore: ok / (cpuOf(child.pid) - cpu), failed };
  }
  child.removeAllListeners('exit');
  child.kill('SIGTERM');
  await pause(300);
  return result;
}

const port = await freePort();
const floor = await measure('floor', port, ['-e', FLOOR, String(port)]);
const ours = await measure('offhook', port, [
  dist, 'run', '--state', join(folder, 'state'),
  ...Object.entries({
    'sip.host': '127.0.0.1', 'sip.port': port, 'sip.allowAddresses': '127.0.0.1', 'calls.answer': 'auto', 'calls.logSize': 0, 'web.enabled': false, 'phone.board': 'none', 'log.level': 'warn',
    'sound.handset.device': 'silence', 'sound.speaker.device': 'silence', 'sound.ringer.device': 'silence',
  }).flatMap(([key, value]) => ['--set', `${key}=${value}`]), '--set', 'log.level=info',
]);
rmSync(folder, { recursive: true, force: true });

console.log('what             bare socket: rate/s  per core-s   offhook: rate/s  per core-s  failed   per core of the floor');
for (const what of Object.keys(floor)) {
  const a = floor[what];
  const b = ours[what];
  console.log(`${what.padEnd(16)} ${a.rate.toFixed(0).padStart(19)} ${a.perCore.toFixed(0).padStart(11)} ${b.rate.toFixed(0).padStart(17)} ${b.perCore.toFixed(0).padStart(11)} ${String(b.failed).padStart(7)} ${(b.perCore / a.perCore).toFixed(2).padStart(10)}`);
}
