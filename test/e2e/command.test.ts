// The command line as a person types it: what it refuses, and what others on the machine can see of it.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startPhone } from './lab/phone.ts';
import { scratch } from './lab/process.ts';

const folder = scratch('command');
afterAll(() => folder.remove());

const bundle = resolve(import.meta.dirname, '../../dist/offhook.js');
const offhook = (...words: string[]): Promise<{ readonly code: number; readonly err: string }> => new Promise((done) => {
  execFile(process.execPath, [bundle, ...words], { timeout: 20_000, env: { ...process.env, OFFHOOK_STATE: join(folder.path, 'nobody') } }, (error, _out, err) => done({ code: error === null ? 0 : Number(error.code), err }));
});

test.each([
  ['bogus', '"bogus" is no command'],
  ['status now', '"now" is one word too many'],
  ['hang --to 201', '--to means nothing to hang'],
  ['run --json', '--json means nothing to run'],
  ['call', 'a number or address is needed'],
  ['call 201 --until tea', 'one of ringing, answered is needed'],
  ['mute', 'one of on, off is needed'],
  ['dtmf 1 --ms soon', '--ms soon: a number of milliseconds is needed'],
  ['call 201 --header nonsense', '--header "nonsense": of the form'],
])('offhook %s is refused with the reason, and nothing is asked of the phone', async (line, why) => {
  const { code, err } = await offhook(...line.split(' '));
  expect(err).toContain(`offhook: ${why}`);
  expect(code).toBe(2);
});

test('a command to a phone that is not there exits 1 and says where it looked', async () => {
  expect(await offhook('status')).toEqual({ code: 1, err: `offhook: no phone is running with this state folder (${join(folder.path, 'nobody', 'control.sock')})\n` });
});

test('a password given by --set is not shown to whoever lists the processes, nor told in status or log', async () => {
  const phone = await startPhone(folder.path, { name: 'secretive', set: { 'accounts.0.user': '201', 'accounts.0.server': '127.0.0.1:9', 'accounts.0.password': 'hush-hush', 'log.level': 'debug', 'sip.trace': true } });
  try {
    expect(readFileSync(`/proc/${phone.program.child.pid}/cmdline`, 'latin1')).not.toContain('hush-hush');
    expect(JSON.stringify(await phone.status())).not.toContain('hush-hush');
    expect(phone.program.output()).not.toContain('hush-hush');
  } finally {
    await phone.stop();
  }
});
