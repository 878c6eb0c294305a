// Has V8 compile what a start of the phone runs, once, at the build: a phone registers with a registrar that is played here, then the code of its
// packs is written beside them, for each way that the phone is started. V8 takes such code only from its own version with the same flags; a phone
// that runs otherwise compiles as it goes.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** By hand, by scripts/start, by systemd/offhook.service. */
const WAYS = [[], ['--max-semi-space-size=4'], ['--max-old-space-size=96', '--max-semi-space-size=4']];
const WITHIN_MS = 20_000;
/** Long enough to take the 200 in. */
const SETTLED_MS = 100;

/** `packs` is the text of src/main/packs.ts as CommonJS. */
export async function compileAhead(dist, packs) {
  mkdirSync(join(dist, 'cache'));
  const folder = mkdtempSync(join(tmpdir(), 'offhook-build-'));
  try {
    writeFileSync(join(folder, 'packs.cjs'), packs);
    for (const [i, flags] of WAYS.entries()) await once(dist, folder, join(folder, `state${i}`), flags);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function once(dist, folder, state, flags) {
  const registrar = createSocket('udp4');
  await new Promise((resolve, reject) => {
    registrar.once('error', reject);
    registrar.bind(0, '127.0.0.1', resolve);
  });
  const { port } = registrar.address();
  mkdirSync(state);
  writeFileSync(join(state, 'settings.toml'), `[[accounts]]\nuser = "201"\nserver = "127.0.0.1:${port}"\npassword = "secret"\n\n[sip]\nhost = "127.0.0.1"\nport = 0\n`);
  const child = spawn(process.execPath, [
    ...flags, fileURLToPath(new URL('compiled-phone.cjs', import.meta.url)), dist, join(folder, 'packs.cjs'), 'run', '--state', state, '--set', 'phone.board=none',
  ], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { PATH: process.env.PATH } });
  let said = '';
  child.stderr.on('data', (text) => { said += text; });
  registrar.on('message', (bytes, from) => {
    const text = bytes.toString('latin1'), line = (name) => new RegExp(`^${name}:.*$`, 'mi').exec(text)?.[0] ?? '';
    const answer = (status, more) => registrar.send(
      `SIP/2.0 ${status}\r\n${line('Via')}\r\n${line('From')}\r\n${line('To')};tag=r\r\n${line('Call-ID')}\r\n${line('CSeq')}\r\n${more}\r\nContent-Length: 0\r\n\r\n`, from.port, from.address);
    if (line('Authorization') === '') return answer('401 Unauthorized', 'WWW-Authenticate: Digest realm="build", nonce="0123456789", algorithm=MD5, qop="auth"');
    answer('200 OK', line('Contact'));
    setTimeout(() => { if (child.connected) child.send('write'); }, SETTLED_MS);
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), WITHIN_MS);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  registrar.close();
  if (code !== 0) throw new Error(`the phone's code was not compiled ahead (node ${flags.join(' ')}):\n${said}`);
}
