// The command line as a person types it: what it refuses, and what others on the machine can see of it.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { startKamailio } from './lab/kamailio.ts';
import { accountAt, startPhone } from './lab/phone.ts';
import { scratch, start } from './lab/process.ts';

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
  ['trace now', '"now" is one word too many'],
  ['trace --last all', '--last all: a number of messages is needed'],
  ['message 201', 'a text is needed'],
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

test('the last messages are shown as a ladder, then those that come; digests and texts are blanked before they are kept', async () => {
  const kamailio = await startKamailio(folder.path);
  const phone = await startPhone(folder.path, { name: 'traced', set: accountAt(kamailio.server, '201') });
  const trace = (...words: string[]) => start(resolve(import.meta.dirname, '../../scripts/trace'), ['--state', phone.state, ...words]);
  try {
    await phone.waitFor('registered');
    const kept = trace();
    expect(await kept.ended).toBe(0);
    const [first, second, third, fourth] = kept.output().split('\n');
    const at = `\\d\\d:\\d\\d:\\d\\d\\.\\d{3}  us`, to = kamailio.server.replaceAll('.', '\\.');
    expect(first).toMatch(new RegExp(`^${at} --> ${to} udp +[0-9a-f]{4}  REGISTER sip:.* 201 > 201, CSeq 1 REGISTER, Expires 600$`));
    expect(second).toMatch(new RegExp(`^${at} <-- ${to} udp +[0-9a-f]{4}  401 Unauthorized +CSeq 1 REGISTER$`));
    expect(third).toMatch(/REGISTER sip:.* CSeq 2 REGISTER/);
    expect(fourth).toMatch(/200 OK +CSeq 2 REGISTER/);
    expect(new Set([first, second, third, fourth].map((line) => / ([0-9a-f]{4})  /.exec(line!)![1])).size, 'one call, one name').toBe(1);

    const full = trace('--full', '--last', '2');
    expect(await full.ended).toBe(0);
    expect(full.output()).toContain('    Authorization: Digest (blanked)\n');
    expect(full.output()).not.toContain('response=');
    expect(full.output().match(/ us (-->|<--) /g)).toHaveLength(2);

    const live = trace('--follow', '--full', '--last', '1');
    await live.waitFor(/200 OK/, 20_000);
    // The text comes from ourselves by way of the server: it is out once and in once
    expect(await phone.must({ do: 'message', target: '201', text: 'the key is under the mat' })).toMatchObject({ state: 'sent' });
    await live.waitFor(/<-- \S+ udp +[0-9a-f]{4}  200 OK +CSeq \d+ MESSAGE/, 20_000);
    expect(live.output()).toMatch(/--> .* MESSAGE sip:201@/);
    expect(live.output()).toMatch(/<-- .* MESSAGE sip:201@/);
    expect(live.output()).toContain('    (24 bytes blanked)');
    expect(live.output()).not.toContain('under the mat');
    await phone.stop();
    expect(await live.ended, 'it ends with the phone').toBe(0);
  } finally {
    await phone.stop();
    await kamailio.stop();
  }
});
