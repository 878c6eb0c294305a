import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
