import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { askControl, serveControl } from '../../src/system/control.ts';

let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'offhook-control-')); });
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a command gets its reply, a failure its reason, and nonsense is told so', async () => {
  const path = join(folder, 'control.sock');
  const server = await serveControl(path, async (command) => {
    if ((command as { command: string }).command === 'fail') throw new Error('no such call');
    return { ok: true, echo: command as string };
  });
  expect(await askControl(path, { command: 'status' })).toEqual({ ok: true, echo: { command: 'status' } });
  expect(await askControl(path, { command: 'fail' })).toEqual({ ok: false, why: 'no such call' });
  server.close();
});

test('only the owner may talk to the socket', async () => {
  const path = join(folder, 'control.sock');
  const server = await serveControl(path, async () => ({ ok: true }));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  server.close();
});

test('a second phone with the same state folder is refused, one after a crash is not', async () => {
  const path = join(folder, 'control.sock');
  const server = await serveControl(path, async () => ({ ok: true }));
  await expect(serveControl(path, async () => ({ ok: true }))).rejects.toMatchObject({ code: 'ALREADY_RUNNING' });
  server.close();
  writeFileSync(path, ''); // what a crash leaves behind
  const again = await serveControl(path, async () => ({ ok: true }));
  again.close();
});

test('no phone: the reason says so', async () => {
  await expect(askControl(join(folder, 'control.sock'), {})).rejects.toMatchObject({ code: 'NOT_RUNNING' });
});

test('a path too long for a socket is refused with the number', async () => {
  await expect(serveControl(join(folder, 'x'.repeat(120)), async () => ({ ok: true }))).rejects.toMatchObject({ code: 'STATE_PATH_TOO_LONG' });
});

const talk = async (path: string): Promise<{ socket: Socket; all: () => Promise<string> }> => {
  const socket = connect(path);
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (chunk) => { text += chunk.toString(); });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  return { socket, all: () => closed.then(() => text) };
};

test('an endless line, and nonsense, are told so and the rest is not read', async () => {
  const path = join(folder, 'control.sock');
  const server = await serveControl(path, async () => ({ ok: true }));
  const long = await talk(path);
  for (let i = 0; i < 40; i++) long.socket.write('x'.repeat(1_000));
  expect(JSON.parse(await long.all())).toEqual({ ok: false, why: 'a command has at most 8192 bytes' });
  const nonsense = await talk(path);
  nonsense.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n{"do":"status"}\n');
  expect(await nonsense.all()).toBe('{"ok":false,"why":"not a line of JSON"}\n');
  expect(await askControl(path, {})).toEqual({ ok: true });
  server.close();
});

test('a hundred clients at once: each is answered or told that too many talk, and room is free again', async () => {
  const path = join(folder, 'control.sock');
  const server = await serveControl(path, async () => ({ ok: true }));
  const idle = await Promise.all(Array.from({ length: 64 }, () => talk(path)));
  await expect(askControl(path, {})).resolves.toEqual({ ok: false, why: '64 others are talking to this phone; try again' });
  for (const { socket } of idle) socket.end();
  await Promise.all(idle.map(({ all }) => all()));
  const replies = await Promise.all(Array.from({ length: 100 }, () => askControl(path, {})));
  expect(replies.filter((r) => r.ok).length).toBeGreaterThanOrEqual(64);
  server.close();
});

test('who asks and never reads is let go before memory is', async () => {
  const path = join(folder, 'control.sock');
  const server = await serveControl(path, async () => ({ ok: true, much: 'x'.repeat(100_000) }));
  const deaf = connect(path);
  deaf.on('error', () => undefined);
  await once(deaf, 'connect');
  deaf.pause();
  for (let i = 0; i < 200; i++) deaf.write('{}\n');
  deaf.resume();
  await once(deaf, 'close');
  server.close();
});

test('a phone that ends before it answers is told apart from one that does not run', async () => {
  const path = join(folder, 'control.sock');
  const server = await serveControl(path, () => new Promise(() => undefined));
  const asked = askControl(path, {});
  setTimeout(() => server.close(), 20);
  await expect(asked).rejects.toMatchObject({ code: 'PHONE_ENDED' });
});
