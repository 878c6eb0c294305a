import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, expect, test } from 'vitest';
import { errno, openLinux } from '../../src/hardware/linux.ts';

const folder = mkdtempSync(join(tmpdir(), 'offhook-linux-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fifo = (name: string) => {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
};

test('faults come back as -errno, from the real calls', async () => {
  const linux = await openLinux();
  expect(linux.open(join(folder, 'absent'))).toBe(-errno.ENOENT);
  const fd = linux.open('/dev/null');
  expect(linux.ioctl(fd, 0xc250_b407, new Uint8Array(592))).toBe(-errno.ENOTTY);
  expect(linux.ioctlNumber(fd, 0x4004_4590, 1)).toBe(-errno.ENOTTY);
  linux.close(fd);
  expect(linux.ioctl(fd, 0xc250_b407, new Uint8Array(592))).toBe(-9); // EBADF
});

test('an ioctl that succeeds fills its argument', async () => {
  const linux = await openLinux();
  const FIONREAD = 0x541b;
  const path = fifo('count');
  const fd = linux.open(path);
  writeSync(fd, 'five!');
  const count = new Uint8Array(4);
  expect(linux.ioctl(fd, FIONREAD, count)).toBe(0);
  expect([...count]).toEqual([5, 0, 0, 0]);
  linux.close(fd);
});

test('what a device says arrives through the child, and its end is told', async () => {
  const linux = await openLinux();
  const path = fifo('device');
  const writer = openSync(path, 'r+');
  const fd = openSync(path, 'r');
  const heard: string[] = [];
  let ended = () => {};
  const end = new Promise<void>((resolve) => { ended = resolve; });
  linux.stream(fd, (bytes) => { heard.push(Buffer.from(bytes).toString()); if (heard.length === 1) closeSync(writer); }, ended);
  writeSync(writer, 'record');
  await end;
  expect(heard.join('')).toBe('record');
  closeSync(fd);
});

test('the child does not outlive us, even when we are killed: it would keep the pins', async () => {
  const path = fifo('orphan');
  const held = openSync(path, 'r+');
  const script = join(folder, 'parent.mjs');
  const module = join(folder, 'linux.mjs');
  buildSync({ entryPoints: ['src/hardware/linux.ts'], bundle: true, format: 'esm', platform: 'node', external: ['koffi'], outfile: module });
  writeFileSync(script, `import { openSync } from 'node:fs'; import { streamDevice } from ${JSON.stringify(module)};
streamDevice(openSync(${JSON.stringify(path)}, 'r+'), (bytes) => process.stdout.write(bytes), () => {});`);
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  writeSync(held, 'x');
  await new Promise((resolve) => { parent.stdout.once('data', resolve); });
  const pid = Number(readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8'));
  expect(readFileSync(`/proc/${pid}/comm`, 'utf8').trim()).toBe('cat');
  parent.kill('SIGKILL');
  await new Promise((resolve) => { parent.once('exit', resolve); });
  await expect.poll(() => {
    try { return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]![0]; } catch { return 'gone'; }
  }).toMatch(/gone|Z/);
  closeSync(held);
});
