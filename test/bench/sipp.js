// What the benches share: SIPp as the caller, processes and their CPU time, and the floor.

import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TICKS = Number(execFileSync('getconf', ['CLK_TCK']));

/** CPU seconds that a process and its threads have used. */
export const cpuOf = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
};
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const freePort = () => new Promise((resolve) => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1', () => {
    const { port } = socket.address();
    socket.close(() => resolve(port));
  });
});

const single = (method, answer) => `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="${method}">
  <send retrans="500"><![CDATA[
${method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 ${method}
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="${answer}"/>
</scenario>
`;

/** Writes the scenarios of one request each into `folder`: options.xml, and register-NNN.xml for each answer that somebody gives. */
export function scenarios(folder) {
  writeFileSync(join(folder, 'options.xml'), single('OPTIONS', 200));
  for (const answer of [200, 405, 501]) writeFileSync(join(folder, `register-${answer}.xml`), single('REGISTER', answer));
}

/** Runs SIPp against `target`; how many calls went well and how many did not. */
export async function sipp(folder, target, args) {
  const port = await freePort();
  const child = spawn('sipp', [target, '-i', '127.0.0.1', '-p', String(port), '-nostdin', '-timeout', '120s', ...args], { cwd: folder, env: { ...process.env, TERM: 'dumb' }, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => { text += chunk; });
  child.stderr.on('data', (chunk) => { text += chunk; });
  await new Promise((resolve) => child.on('exit', resolve));
  const number = (label) => Number([...text.matchAll(new RegExp(`${label}\\s*\\|[^|]*\\|\\s*(\\d+)`, 'g'))].at(-1)?.[1] ?? 0);
  return { ok: number('Successful call'), failed: number('Failed call') };
}

/** The floor: a bare UDP socket that answers every request from its own lines. Argument: the port. */
export const FLOOR = `
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

/** Starts a program; `ready` resolves once it said so. */
export function launch(name, command, args, words = /ready|phone started/, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? ['ipc'] : [])] });
  let text = '';
  const ready = new Promise((resolve, reject) => {
    const look = (chunk) => {
      text = (text + chunk).slice(-20_000);
      if (words.test(text)) resolve();
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`${name} ended with ${code}:\n${text}`)));
  });
  ready.catch(() => undefined);
  return { child, ready };
}
