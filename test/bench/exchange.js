#!/usr/bin/env node
// REGISTERs a second at the exchange, by SIPp: 100 users who register anew over UDP, first without credentials, then with them (two
// transactions each), beside a bare socket that answers 200 to everything. Prints; never fails a build. node scripts/build.js first.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cpuOf, freePort, sipp } from './sipp.js';

const dist = fileURLToPath(new URL('../../dist/offhook.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'oh-bench-'));
const USERS = 100;
const CALLS = Number(process.argv[2] ?? 5_000);

const residentOf = (pid) => Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);

const register = (cseq, more) => `<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport
Max-Forwards: 70
From: <sip:[field0]@[remote_ip]:[remote_port]>;tag=[pid]s[call_number]
To: <sip:[field0]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: ${cseq} REGISTER
Contact: <sip:[field0]@[local_ip]:[local_port]>
Expires: 600
${more}Content-Length: 0

]]></send>`;
writeFileSync(join(folder, 'proved.xml'), `<?xml version="1.0"?><scenario name="register">${register(1, '')}<recv response="401" auth="true"/>${register(2, '[field1]\n')}<recv response="200"/></scenario>`);
writeFileSync(join(folder, 'plain.xml'), `<?xml version="1.0"?><scenario name="register">${register(1, '')}<recv response="200"/></scenario>`);
writeFileSync(join(folder, 'users.csv'), `SEQUENTIAL\n${Array.from({ length: USERS }, (_, i) => `${1_000 + i};[authentication username=${1_000 + i} password=secret-${i}]`).join('\n')}\n`);

const FLOOR = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (bytes, from) => {
  const text = bytes.toString('latin1');
  const line = (name) => text.match(new RegExp('^' + name + ':.*$', 'mi'))[0];
  socket.send('SIP/2.0 200 OK\\r\\n' + [line('Via'), line('From'), line('To').trim() + ';tag=1', line('Call-ID'), line('CSeq'), line('Contact')].map((l) => l.trim() + '\\r\\n').join('') + 'Content-Length: 0\\r\\n\\r\\n', from.port, from.address);
});
socket.bind(Number(process.argv[1]), '127.0.0.1', () => console.log('ready'));
`;

const registers = (port, scenario, count, limit) => sipp(folder, `127.0.0.1:${port}`, ['-sf', scenario, '-inf', 'users.csv', '-m', String(count), '-l', String(limit), '-r', '20000']);

async function measure(port, args, scenario, each) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  await new Promise((resolve, reject) => {
    let text = '';
    for (const out of [child.stdout, child.stderr]) out.on('data', (chunk) => { text += chunk; if (/ready|exchange started/.test(text)) resolve(); });
    child.on('exit', (code) => reject(new Error(`ended with ${code}:\n${text}`)));
  });
  child.removeAllListeners('exit');
  await registers(port, scenario, 500, 20); // warm
  const cpu = cpuOf(child.pid);
  const began = process.hrtime.bigint();
  const { ok, failed } = await registers(port, scenario, CALLS, 50);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const result = { rate: each * ok / seconds, perCore: each * ok / (cpuOf(child.pid) - cpu), failed, resident: residentOf(child.pid) };
  child.kill('SIGTERM');
  await new Promise((resolve) => child.on('exit', resolve));
  return result;
}

const port = await freePort();
const floor = await measure(port, ['-e', FLOOR, String(port)], 'plain.xml', 1);
const users = Array.from({ length: USERS }, (_, i) => ['--set', `exchange.users.${i}.user=${1_000 + i}`, '--set', `exchange.users.${i}.password=secret-${i}`, '--set', `exchange.users.${i}.digest=MD5`]).flat(); // Debian's SIPp knows MD5 alone
const ours = await measure(port, [dist, 'exchange', '--state', join(folder, 'state'), '--set', 'exchange.host=127.0.0.1', '--set', `exchange.port=${port}`, ...users], 'proved.xml', 2);
rmSync(folder, { recursive: true, force: true });

const row = (what, { rate, perCore, failed, resident }) => console.log(`${what.padEnd(28)} ${rate.toFixed(0).padStart(8)} ${perCore.toFixed(0).padStart(12)} ${String(failed).padStart(8)} ${resident.toString().padStart(12)}`);
console.log('REGISTER                     a second   per core-s   failed  resident kB');
row('bare socket, no digest', floor);
row('exchange, digest, per transaction', ours);
console.log(`per core of the floor: ${(ours.perCore / floor.perCore).toFixed(2)}; over all ${CALLS} registrations of ${USERS} users`);
