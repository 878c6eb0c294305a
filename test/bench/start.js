#!/usr/bin/env node
// node test/bench/start.js: milliseconds from the start of the process to the 200 of its REGISTER, beside a bare Node script that sends the
// same two REGISTERs, in turn, medians. CPU time too, which a busy machine moves less. Prints; never fails a build.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../../dist/offhook.js', import.meta.url));
if (!existsSync(dist)) throw new Error('npm run build first');
const ROUNDS = Number(process.argv[2] ?? 15);
const folder = mkdtempSync(join(tmpdir(), 'oh-start-'));

/** The floor: what sending two REGISTERs takes when nothing else is there. */
const FLOOR = `
import { createSocket } from 'node:dgram';
import { createHash, randomBytes } from 'node:crypto';
const md5 = (text) => createHash('md5').update(text).digest('hex');
const port = Number(process.argv[1]), socket = createSocket('udp4'), callId = randomBytes(8).toString('hex'), tag = randomBytes(8).toString('hex');
let seq = 0;
const register = (more = '') => socket.send('REGISTER sip:127.0.0.1:' + port + ' SIP/2.0\\r\\nVia: SIP/2.0/UDP 127.0.0.1:' + socket.address().port + ';branch=z9hG4bK' + randomBytes(8).toString('hex') + ';rport\\r\\n'
  + 'Max-Forwards: 70\\r\\nFrom: <sip:201@127.0.0.1>;tag=' + tag + '\\r\\nTo: <sip:201@127.0.0.1>\\r\\nCall-ID: ' + callId + '\\r\\nCSeq: ' + ++seq + ' REGISTER\\r\\n'
  + 'Contact: <sip:201@127.0.0.1:' + socket.address().port + '>;expires=600\\r\\n' + more + 'Content-Length: 0\\r\\n\\r\\n', port, '127.0.0.1');
socket.on('message', (bytes) => {
  const text = bytes.toString('latin1');
  if (!text.startsWith('SIP/2.0 401')) return;
  const of = (name) => new RegExp(name + '="([^"]*)"').exec(text)[1], uri = 'sip:127.0.0.1:' + port, cnonce = randomBytes(8).toString('hex');
  const response = md5([md5('201:' + of('realm') + ':secret'), of('nonce'), '00000001', cnonce, 'auth', md5('REGISTER:' + uri)].join(':'));
  register('Authorization: Digest username="201", realm="' + of('realm') + '", nonce="' + of('nonce') + '", uri="' + uri + '", response="' + response + '", algorithm=MD5, cnonce="' + cnonce + '", qop=auth, nc=00000001\\r\\n');
});
socket.bind(0, '127.0.0.1', () => register());
`;

/** A registrar that challenges once, checks the answer and says when it was right. */
const registrar = createSocket('udp4');
let onRegistered = () => undefined;
const md5 = (text) => createHash('md5').update(text).digest('hex');
registrar.on('message', (bytes, from) => {
  const text = bytes.toString('latin1');
  const line = (name) => new RegExp(`^${name}:.*$`, 'mi').exec(text)?.[0] ?? '';
  const answer = (status, more = '') => registrar.send(`SIP/2.0 ${status}\r\n${['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => line(name).trim()).join('\r\n')};tag=r\r\n${more}Content-Length: 0\r\n\r\n`.replace(/(CSeq:[^\r]*);tag=r/, '$1'), from.port, from.address);
  if (!text.startsWith('REGISTER')) return;
  const said = line('Authorization');
  if (said === '') return answer('401 Unauthorized', 'WWW-Authenticate: Digest realm="bench", nonce="0123456789", algorithm=MD5, qop="auth"\r\n');
  const of = (name) => new RegExp(`[ ,]${name}="?([^",\\s]*)`).exec(said)?.[1] ?? '';
  const right = md5([md5('201:bench:secret'), '0123456789', of('nc'), of('cnonce'), 'auth', md5(`REGISTER:${of('uri')}`)].join(':'));
  if (of('response') !== right) throw new Error(`a wrong answer to the challenge: ${said}`);
  onRegistered();
  answer('200 OK', `${line('Contact').trim()}\r\n`);
});
await new Promise((resolve) => registrar.bind(0, '127.0.0.1', resolve));
const { port } = registrar.address();

const TICK_MS = 10;
/** One start: milliseconds until registered, and CPU milliseconds used by then. */
async function once(args, cwd) {
  const began = process.hrtime.bigint();
  const child = spawn(process.execPath, args, { cwd, stdio: 'ignore' });
  const took = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not registered within 20 s: ${args.join(' ')}`)), 20_000);
    onRegistered = () => {
      clearTimeout(timer);
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
      resolve({ ms: Number(process.hrtime.bigint() - began) / 1e6, cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS });
    };
  });
  onRegistered = () => undefined;
  const ended = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGKILL');
  await ended;
  return took;
}

const phone = (state) => [dist, 'run', '--state', join(folder, state), ...Object.entries({
  'sip.host': '127.0.0.1', 'sip.port': 0, 'web.enabled': true, 'web.host': '127.0.0.1', 'web.port': 0, 'phone.board': 'bench',
  'sound.handset.device': 'silence', 'sound.speaker.device': 'silence', 'sound.ringer.device': 'silence',
  'accounts.0.user': '201', 'accounts.0.server': `127.0.0.1:${port}`, 'accounts.0.password': 'secret',
}).flatMap(([key, value]) => ['--set', `${key}=${value}`])];

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const floors = [], ours = [];
for (let i = 0; i < ROUNDS; i++) {
  floors.push(await once(['--input-type=module', '-e', FLOOR, String(port)], folder));
  ours.push(await once(phone(`state${i}`), folder));
}
registrar.close();
rmSync(folder, { recursive: true, force: true });
const row = (name, runs) => console.log(`${name.padEnd(14)} ${median(runs.map((r) => r.ms)).toFixed(0).padStart(6)} ms   ${median(runs.map((r) => r.cpuMs)).toFixed(0).padStart(5)} ms CPU   (${ROUNDS} starts)`);
row('bare script', floors);
row('offhook run', ours);
console.log(`from the start to the 200 of REGISTER: ${(median(ours.map((r) => r.ms)) / median(floors.map((r) => r.ms))).toFixed(2)} times the bare script`);
