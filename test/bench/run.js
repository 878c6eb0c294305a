#!/usr/bin/env node
// npm run bench: what one core does, each figure beside a floor measured in the same run. Prints; never fails a build.

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../dist/offhook.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'oh-bench-'));
const TICKS = Number(execFileSync('getconf', ['CLK_TCK']));

/** CPU seconds that a process and its threads have used. */
const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const freePort = () => new Promise((resolve) => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1', () => {
    const { port } = socket.address();
    socket.close(() => resolve(port));
  });
});

const OPTIONS = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="options">
  <send retrans="500"><![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200"/>
</scenario>
`;
writeFileSync(join(folder, 'options.xml'), OPTIONS);

async function sipp(target, args) {
  const port = await freePort();
  const child = spawn('sipp', [target, '-i', '127.0.0.1', '-p', String(port), '-nostdin', '-timeout', '120s', ...args], { cwd: folder, env: { ...process.env, TERM: 'dumb' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => { text += chunk; });
  child.stderr.on('data', (chunk) => { text += chunk; });
  await new Promise((resolve) => child.on('exit', resolve));
  const number = (label) => Number([...text.matchAll(new RegExp(`${label}\\s*\\|[^|]*\\|\\s*(\\d+)`, 'g'))].at(-1)?.[1] ?? 0);
  return { ok: number('Successful call'), failed: number('Failed call') };
}

/** The floor: a bare UDP socket that answers every request from its own lines. */
const FLOOR = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (bytes, from) => {
  const text = bytes.toString('latin1');
  if (text.startsWith('ACK')) return;
  const line = (name) => text.match(new RegExp('^' + name + ':.*$', 'mi'))[0];
  const sdp = text.startsWith('INVITE') ? 'v=0\\r\\no=- 1 1 IN IP4 127.0.0.1\\r\\ns=-\\r\\nc=IN IP4 127.0.0.1\\r\\nt=0 0\\r\\nm=audio 9 RTP/AVP 0\\r\\n' : '';
  socket.send('SIP/2.0 200 OK\\r\\n' + [line('Via'), line('From'), line('To').trim() + ';tag=1', line('Call-ID'), line('CSeq')].map((l) => l.trim() + '\\r\\n').join('')
    + 'Contact: <sip:127.0.0.1:' + socket.address().port + '>\\r\\n' + (sdp ? 'Content-Type: application/sdp\\r\\n' : '') + 'Content-Length: ' + sdp.length + '\\r\\n\\r\\n' + sdp, from.port, from.address);
});
socket.bind(Number(process.argv[1]), '127.0.0.1', () => console.log('ready'));
`;

function launch(name, args) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const ready = new Promise((resolve, reject) => {
    const look = (chunk) => {
      text += chunk;
      if (/ready|phone started/.test(text)) resolve();
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}:\n${text}`)));
  });
  ready.catch(() => undefined);
  return { child, ready };
}

async function measure(name, port, args) {
  const { child, ready } = launch(name, args);
  await ready;
  const target = `127.0.0.1:${port}`;
  const result = {};
  await sipp(target, ['-sf', 'options.xml', '-m', '500', '-l', '20', '-r', '2000']); // warm
  for (const [what, count, more] of [
    ['OPTIONS', 30_000, ['-sf', 'options.xml', '-l', '100', '-r', '20000']],
    ['INVITE-ACK-BYE', 2_000, ['-sn', 'uac', '-d', '0', '-l', '3', '-r', '2000']],
  ]) {
    const cpu = cpuOf(child.pid);
    const began = process.hrtime.bigint();
    const { ok, failed } = await sipp(target, [...more, '-m', String(count)]);
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
