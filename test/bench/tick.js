#!/usr/bin/env node
// node test/bench/tick.js [seconds=60]: how late the phone's packets leave, idle and with a busy main thread, with and without real-time priority.
//
//   phone in a call --RTP, 20 ms--> stamp.c: the kernel's own time of each packet
//   load: 20 requests a second for the page, and in the phone's main thread a scrypt each second, a TLS handshake each second, 150 ms of
//   standstill every five seconds
//
// Lateness of packet n = its time - n packet times, against the earliest. The phone's clock stands in for a card, whose periods wake the same timer.
// Needs gcc; real time needs root. Prints; never fails a build.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, pause } from './sipp.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const dist = join(root, 'dist/offhook.js');
if (!existsSync(dist)) throw new Error('npm run build first');
const { createUa, g711Answer } = await import(join(root, 'dist/ua.mjs'));
const SECONDS = Number(process.argv[2] ?? 60), PTIME_MS = 20;
const folder = mkdtempSync(join(tmpdir(), 'oh-tick-'));
const stamp = join(folder, 'stamp');
execFileSync('gcc', ['-O2', '-Wall', '-o', stamp, join(root, 'test/bench/stamp.c')]);

/** What the phone's main thread is made to do, by its inspector: it has no such switch of its own. */
const WORK = `(() => {
  const [crypto, tls] = ['crypto', 'tls'].map((name) => process.getBuiltinModule(name));
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  globalThis.shake = () => {
    const [a, b] = (() => { const { Duplex } = process.getBuiltinModule('stream'); const ends = []; for (const i of [0, 1]) ends.push(new Duplex({ read() {}, write(chunk, _, done) { ends[1 - i].push(chunk); done(); } })); return ends; })();
    new tls.TLSSocket(a, { isServer: true, requestCert: false, secureContext: tls.createSecureContext({ key, cert: CERT }) }).on('error', () => undefined);
    tls.connect({ socket: b, rejectUnauthorized: false }).on('error', () => undefined);
  };
  let n = 0;
  globalThis.load = setInterval(() => {
    crypto.scrypt('password', 'salt', 32, { N: 16384, r: 8, p: 1 }, () => undefined);
    globalThis.shake();
    if (++n % 5 === 0) for (const end = performance.now() + 150; performance.now() < end;);
  }, 1000);
})()`;

const args = (set) => Object.entries(set).flatMap(([k, v]) => ['--set', `${k}=${v}`]);
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];

async function inspect(url, expression) {
  const { WebSocket } = await import('ws').then((m) => ({ WebSocket: m.default }));
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => { socket.on('open', resolve); socket.on('error', reject); });
  const reply = await new Promise((resolve) => {
    socket.on('message', (data) => resolve(JSON.parse(data)));
    socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } }));
  });
  socket.close();
  if (reply.result?.exceptionDetails) throw new Error(JSON.stringify(reply.result.exceptionDetails));
}

async function lateness(realTime, busy) {
  const port = await freePort(), rtp = await freePort(), web = await freePort();
  const counter = spawn(stamp, [String(rtp), String(SECONDS * 1000 / PTIME_MS)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  counter.stdout.on('data', (chunk) => { text += chunk; });
  const counted = new Promise((resolve) => counter.on('exit', resolve));
  const ua = await createUa({ listen: { host: '127.0.0.1', port: 0 }, onCall: (call) => call.subscribe((event) => {
    if (event.event === 'offer') call.accept(g711Answer(event.body, call.localHost, rtp).answer);
  }) });
  const state = join(folder, `${realTime}-${busy}`);
  const phone = spawn(process.execPath, ['--inspect=127.0.0.1:0', '--max-old-space-size=96', '--max-semi-space-size=4', dist, 'run', '--state', state, '--log', 'json', ...args({
    'sip.host': '127.0.0.1', 'sip.port': port, 'web.enabled': true, 'web.host': '127.0.0.1', 'web.port': web, 'phone.board': 'bench', 'media.realTime': realTime, 'media.codecs': '["PCMU"]', 'media.rtpTimeoutS': 0,
    'sound.handset.device': 'silence', 'sound.speaker.device': 'silence', 'sound.ringer.device': 'silence',
  })], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const out of [phone.stdout, phone.stderr]) out.on('data', (chunk) => { said += chunk; });
  const until = async (pattern) => {
    for (let i = 0; i < 200 && !pattern.test(said); i++) await pause(50);
    if (!pattern.test(said)) throw new Error(`${String(pattern)} was not said:\n${said}`);
    return pattern.exec(said);
  };
  await until(/phone started/);
  if (realTime) await until(/real-time priority/);
  if (/without real-time/.test(said)) process.stderr.write('this user may not have real-time priority\n');
  const [, url] = await until(/(ws:\/\/127\.0\.0\.1:\d+\/\S+)/);
  await promisify(execFile)(process.execPath, [dist, 'call', ua.address.replace('sip:', 'sip:bench@'), '--state', state]);
  let asking;
  if (busy) {
    const cert = join(folder, 'cert.pem'), key = join(folder, 'key.pem');
    if (!existsSync(cert)) execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=bench'], { stdio: 'ignore' });
    const { readFileSync } = await import('node:fs');
    await inspect(url, WORK.replace('const key = privateKey', 'const unused = privateKey').replace('{ key, cert: CERT }', `{ key: ${JSON.stringify(readFileSync(key, 'latin1'))}, cert: ${JSON.stringify(readFileSync(cert, 'latin1'))} }`));
    asking = setInterval(() => { fetch(`http://127.0.0.1:${web}/`).then((r) => r.arrayBuffer()).catch(() => undefined); }, 50);
  }
  await counted;
  clearInterval(asking);
  phone.kill('SIGKILL');
  await ua.close();
  const rows = text.trim().split('\n').map((line) => line.split(' ').map(Number));
  const first = rows[0][1];
  const late = rows.slice(100).map(([ns, sequence]) => ns / 1e6 - ((sequence - first) & 0xffff) * PTIME_MS);
  const least = Math.min(...late);
  const sorted = late.map((ms) => ms - least).sort((a, b) => a - b);
  const middle = quantile(sorted, 0.5);
  return { p50: middle, p99: quantile(sorted, 0.99) - middle, p999: quantile(sorted, 0.999) - middle, most: sorted.at(-1) - middle, packets: sorted.length };
}

console.log(`${'packets leave, ms after the middle one'.padEnd(44)} ${['p99', 'p99.9', 'most'].map((w) => w.padStart(8)).join('')}  packets`);
for (const realTime of [true, false]) {
  const idle = await lateness(realTime, false), busy = await lateness(realTime, true);
  const name = realTime ? 'real-time priority' : 'ordinary priority';
  for (const [what, r] of [['idle', idle], ['busy', busy]]) console.log(`${`${name}, ${what}`.padEnd(44)} ${[r.p99, r.p999, r.most].map((ms) => ms.toFixed(2).padStart(8)).join('')}  ${r.packets}`);
  console.log(`${`  busy beyond idle (held to 0.5 and 5)`.padEnd(44)} ${[busy.p99 - idle.p99, busy.p999 - idle.p999].map((ms) => ms.toFixed(2).padStart(8)).join('')}`);
}
rmSync(folder, { recursive: true, force: true });
process.exit(0);
