import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemdNotify, watchdogIntervalMs } from '../../src/system/notify.ts';

const before = process.env['NOTIFY_SOCKET'];
const libc = koffi.load('libc.so.6');
const setenv = libc.func('int setenv(const char* name, const char* value, int overwrite)');
const unsetenv = libc.func('int unsetenv(const char* name)');
/** Sets it for libsystemd too, which does not see the environment of a test's thread. */
const socketIs = (path: string | undefined) => {
  if (path === undefined) {
    delete process.env['NOTIFY_SOCKET'];
    unsetenv('NOTIFY_SOCKET');
  } else {
    process.env['NOTIFY_SOCKET'] = path;
    setenv('NOTIFY_SOCKET', path, 1);
  }
};
let folder = '';
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'oh-notify-')); });
afterEach(() => {
  socketIs(before);
  rmSync(folder, { recursive: true, force: true });
});

/** The far end of NOTIFY_SOCKET, as systemd has it: Node has no datagram sockets of that family. Reads '' when nothing came. */
function listen(path: string) {
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const bind = libc.func('int bind(int fd, const void* address, uint32_t length)');
  const recv = libc.func('int64_t recv(int fd, void* buffer, size_t length, int flags)');
  const close = libc.func('int close(int fd)');
  const AF_UNIX = 1, SOCK_DGRAM = 2, MSG_DONTWAIT = 0x40;
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0) as number;
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(`${path}\0`)]);
  expect(bind(fd, address, address.length)).toBe(0);
  const buffer = Buffer.alloc(256);
  return {
    read: () => buffer.toString('utf8', 0, Math.max(0, Number(recv(fd, buffer, buffer.length, MSG_DONTWAIT)))),
    close: () => { close(fd); },
  };
}

test('systemd hears what it is told', async () => {
  const path = join(folder, 'notify');
  const systemd = listen(path);
  socketIs(path);
  const notify = await systemdNotify();
  notify('READY=1');
  notify('WATCHDOG=1');
  expect([systemd.read(), systemd.read(), systemd.read()]).toEqual(['READY=1', 'WATCHDOG=1', '']);
  systemd.close();
});

test('outside systemd nothing is told to anybody', async () => {
  socketIs(undefined);
  const notify = await systemdNotify();
  expect(() => notify('READY=1')).not.toThrow();
});

test('a systemd that does not listen any more is no fault of the phone', async () => {
  socketIs(join(folder, 'gone'));
  const notify = await systemdNotify();
  expect(() => notify('WATCHDOG=1')).not.toThrow();
});

test.each([
  ['half of what systemd allows', { WATCHDOG_USEC: '20000000' }, 10_000],
  ['for the process it names', { WATCHDOG_USEC: '4000000', WATCHDOG_PID: '77' }, 2_000],
  ['not for a process it does not name', { WATCHDOG_USEC: '4000000', WATCHDOG_PID: '78' }, undefined],
  ['not without a watchdog', {}, undefined],
  ['not for no time', { WATCHDOG_USEC: '0' }, undefined],
  ['not for nonsense', { WATCHDOG_USEC: 'soon' }, undefined],
])('the watchdog is patted at %s', (_, env, ms) => {
  expect(watchdogIntervalMs(env, 77)).toBe(ms);
});
