// The library as it is shipped, dist/ua.mjs: in a project of somebody else's, and with a real server between two of its user agents.

import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transformSync } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { startKamailio, passwordOf, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone } from './lab/phone.ts';
import { scratch, until } from './lab/process.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = scratch('library');
const running: { stop(): unknown }[] = [];
afterAll(async () => {
  for (const each of running) await each.stop();
  folder.remove();
});

/** A project that depends on the package, with our examples as its sources. */
function project(): string {
  const path = join(folder.path, 'project');
  mkdirSync(join(path, 'node_modules/@types'), { recursive: true });
  symlinkSync(root, join(path, 'node_modules/offhook'));
  symlinkSync(join(root, 'node_modules/@types/node'), join(path, 'node_modules/@types/node'));
  symlinkSync(join(root, 'node_modules/undici-types'), join(path, 'node_modules/undici-types'));
  writeFileSync(join(path, 'package.json'), '{"type":"module","private":true}');
  for (const name of readdirSync(join(root, 'test/examples'))) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
    cpSync(join(root, 'test/examples', name), join(path, name));
    writeFileSync(join(path, name.replace(/\.ts$/, '.js')), transformSync(readFileSync(join(root, 'test/examples', name), 'utf8'), { loader: 'ts' }).code);
  }
  return path;
}

describe('in a project of its user', () => {
  const path = project();

  test('the examples have types, by the package alone', () => {
    writeFileSync(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions: { strict: true, target: 'ES2023', module: 'NodeNext', noEmit: true, types: ['node'] }, include: ['*.ts'] }));
    const said = (): string => {
      try {
        return execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', path], { encoding: 'utf8' });
      } catch (error) {
        return String((error as { stdout?: unknown }).stdout);
      }
    };
    expect(said()).toBe('');
    writeFileSync(join(path, 'wrong.ts'), "import { createUa } from 'offhook/ua';\nawait createUa({ listen: 5060 });\n");
    expect(said()).toMatch(/wrong\.ts\(2,18\): error TS2322/);
  });

  test('the examples run under plain Node, and the process ends by itself once all is closed', async () => {
    const script = "const { message } = await import('./message.js'); console.log(JSON.stringify(await message()));";
    const { out, ms } = await new Promise<{ out: string; ms: number }>((done, fail) => {
      const begun = Date.now();
      execFile(process.execPath, ['--input-type=module', '-e', script], { cwd: path, timeout: 60_000 }, (error, out) => (error === null ? done({ out, ms: Date.now() - begun }) : fail(error)));
    });
    expect(JSON.parse(out)).toEqual(['phone: How are you?', '200 OK', '403 Forbidden']);
    expect(ms, 'no timer keeps it').toBeLessThan(30_000);
  });

  test('it needs nothing but Node: no package, no native file', () => {
    const wanted = [...readFileSync(join(root, 'dist/ua.mjs'), 'utf8').matchAll(/(?:^|;)import[^;"]*"([^"]+)"|import\("([^"]+)"\)/g)].map((m) => m[1] ?? m[2]!);
    expect(wanted).toContain('node:net');
    expect(wanted.filter((name) => !name.startsWith('node:'))).toEqual([]);
  });
});

test('it speaks WebSocket too (RFC 7118)', async () => {
  const { createUa } = await import(pathToFileURL(join(root, 'dist/ua.mjs')).href) as typeof import('offhook/ua');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'sip' });
  running.push({ stop: () => new Promise((done) => { server.close(done); }) });
  server.on('connection', (socket) => socket.on('message', (bytes) => socket.send(String(bytes).replace(/^.*/, 'SIP/2.0 200 OK'))));
  await once(server, 'listening');
  const ua = await createUa({ listen: { host: '127.0.0.1', port: 0 } });
  expect(await ua.options(`sip:127.0.0.1:${(server.address() as AddressInfo).port};transport=ws`)).toBe(200);
  await ua.close();
});

test('two of its user agents meet through Kamailio: texts, watching and a call, each challenged (RFC 3428, RFC 6665, RFC 4235)', async () => {
  const { createUa, g711Offer, g711Answer, readDialogInfo } = await import(pathToFileURL(join(root, 'dist/ua.mjs')).href) as typeof import('offhook/ua');
  const kamailio: Kamailio = await startKamailio(folder.path);
  running.push(kamailio);
  const heard: string[] = [], lamp: string[] = [];
  const bob = await createUa({
    listen: { host: '127.0.0.1', port: 0 },
    onMessage: ({ text, from }) => void heard.push(`${from.user}: ${text}`),
    onWatch: () => 'in',
    onCall(call) {
      call.subscribe((e) => {
        const made = e.event === 'offer' ? g711Answer(e.body, call.localHost, 40_010) : undefined;
        if (made !== undefined) call.accept(made.answer);
      });
    },
  });
  const alice = await createUa({ listen: { host: '127.0.0.1', port: 0 } });
  running.push({ stop: () => bob.close() }, { stop: () => alice.close() });
  await bob.register({ server: kamailio.server, user: '202', password: passwordOf('202') });
  const account = await alice.register({ server: kamailio.server, user: '201', password: passwordOf('201') });

  expect((await alice.message('202', 'Grüße', account)).status).toBe(200);
  expect(heard).toEqual(['201: Grüße']);
  expect((await alice.message('209', 'nobody', account)).status).toBe(404);

  const watching = alice.subscribe({ target: '202', account, event: 'dialog', accept: 'application/dialog-info+xml' }, (e) => {
    if (e.event === 'notified') lamp.push(readDialogInfo(e.body.toString())!.dialogs.map((d) => d.state).join());
    else lamp.push(e.event);
  });
  expect(await until(() => lamp.length === 1, 10_000)).toBe(true);
  const { call, answered, ended } = alice.call('202', { account, offer: g711Offer('127.0.0.1', 40_012) });
  expect((await answered).toString()).toContain('m=audio 40010');
  expect(await until(() => lamp.includes('confirmed'), 10_000)).toBe(true);
  call.hangUp();
  await ended;
  expect(await until(() => lamp.at(-1) === 'terminated', 10_000)).toBe(true);
  watching.refresh();
  await watching.end();
  expect(lamp.at(-1)).toBe('ended');
  expect(lamp[0]).toBe('');
});

test('a phone lets whoever may call watch it through Kamailio, and nobody else (RFC 4235); a server without voice mail is named in the log (RFC 3842)', async () => {
  const { createUa, readDialogInfo } = await import(pathToFileURL(join(root, 'dist/ua.mjs')).href) as typeof import('offhook/ua');
  const kamailio = await startKamailio(folder.path);
  running.push(kamailio);
  const phone = await startPhone(folder.path, { name: 'watched', set: accountAt(kamailio.server, '203', { 'sip.watchers': 'callers', 'accounts.0.mwi': 'subscribe' }) });
  running.push(phone);
  await phone.waitFor('registered');
  const watcher = await createUa({ listen: { host: '127.0.0.1', port: 0 } });
  running.push({ stop: () => watcher.close() });
  const account = await watcher.register({ server: kamailio.server, user: '204', password: passwordOf('204') });
  const lamp: string[] = [], direct: string[] = [];
  watcher.subscribe({ target: '203', account, event: 'dialog', accept: 'application/dialog-info+xml' }, (e) => lamp.push(e.event === 'notified' ? readDialogInfo(e.body.toString())!.dialogs.map((d) => d.state).join() : e.event));
  watcher.subscribe({ target: `sip:203@127.0.0.1:${phone.port}`, event: 'dialog', accept: 'application/dialog-info+xml' }, (e) => direct.push(e.event === 'ended' ? `${e.status}` : e.event));
  expect(await until(() => lamp.length > 0 && direct.length > 0, 10_000)).toBe(true);
  expect([lamp, direct]).toEqual([[''], ['403']]);
  const { call } = watcher.call('203', { account, offer: Buffer.from('v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40014 RTP/AVP 0\r\n') });
  expect(await until(() => lamp.at(-1) === 'early', 10_000)).toBe(true);
  call.hangUp();
  expect(await until(() => lamp.at(-1) === 'terminated', 10_000)).toBe(true);
  // Kamailio sends the SUBSCRIBE for our own mailbox back to us, who have none
  expect((await phone.waitFor('not told of voice messages'))['status']).toBe(489);
});
