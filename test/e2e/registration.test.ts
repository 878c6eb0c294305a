// Registers at a real Kamailio, loses it, and finds it again by itself.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, start, startedHere, until } from './lab/process.ts';

const folder = scratch('reg');
const { up, stop } = startedHere();
afterAll(async () => {
  await stop();
  folder.remove();
});

describe.each(['MD5', 'SHA-256'] as const)('with digest %s', (algorithm) => {
  let kamailio: Kamailio;
  beforeAll(async () => { kamailio = await up(startKamailio(folder.path, { algorithm })); });

  test.each(['udp', 'tcp'])('registers over %s and un-registers when it ends', async (transport) => {
    const user = transport === 'udp' ? '211' : '212';
    const phone = await up(startPhone(folder.path, { name: `${algorithm}-${transport}`, set: accountAt(kamailio.server, user, { 'accounts.0.transport': transport }) }));
    await phone.waitFor('registered');
    expect(await kamailio.bindings(user)).toBe(1);
    await phone.stop();
    expect(await kamailio.bindings(user)).toBe(0);
  });
});

test.each([
  ['its hash in place of the password', { 'accounts.0.password': '', 'accounts.0.ha1': `MD5:offhook.test:${createHash('md5').update('216:offhook.test:secret-216').digest('hex')}` }],
  ['an empty Authorization first, as mobile networks want it', { 'accounts.0.imsRegister': true }],
] as const)('registers with %s', async (what, set) => {
  const kamailio = await up(startKamailio(folder.path));
  const phone = await up(startPhone(folder.path, { name: `how-${what.length}`, set: accountAt(kamailio.server, '216', set) }));
  await phone.waitFor('registered');
  expect(await kamailio.bindings('216')).toBe(1);
});

test('a password given to the phone is kept as its hash once Kamailio confirmed it: good after a restart and for a stronger algorithm; another realm asks for it again', async () => {
  const state = join(folder.path, 'kept'), file = join(state, 'settings.toml');
  const set = async (...settings: string[]): Promise<void> => {
    const program = start(process.execPath, [resolve(import.meta.dirname, '../../dist/offhook.js'), 'settings', '--state', state, ...settings.flatMap((one) => ['--set', one])]);
    expect(await program.ended, program.output()).toBe(0);
  };
  const phone = () => startPhone(folder.path, { name: 'kept', set: {} });
  const weak = await up(startKamailio(folder.path));
  await set('accounts.0.user=216', `accounts.0.server=${weak.server}`, 'accounts.0.password=secret-216');
  const first = await phone();
  await first.waitFor('password kept as its hash');
  await first.stop('SIGKILL'); // as a power cut
  for (const kept of [file, `${file}.good`]) expect(await readFile(kept, 'utf8')).not.toContain('secret-216');
  expect(await readFile(file, 'utf8')).toMatch(/ha1 = "SHA-512-256:offhook.test:[0-9a-f]{64} SHA-256:offhook.test:[0-9a-f]{64} MD5:offhook.test:[0-9a-f]{32}"/);
  expect(first.lines.filter((line) => line.event === 'registered')).toHaveLength(1);
  const port = weak.port;
  await weak.stop();
  const strong = await startKamailio(folder.path, { port, algorithm: 'SHA-256' });
  const second = await phone();
  await second.waitFor('registered');
  expect(await strong.bindings('216')).toBe(1);
  await second.stop();
  await strong.stop();
  const other = await up(startKamailio(folder.path, { port, realm: 'elsewhere.test' }));
  const third = await phone();
  expect(await third.waitFor('registration failed')).toMatchObject({ why: 'wrong password', detail: expect.stringContaining('give the password once more') });
  await third.stop();
  await set('accounts.0.password=secret-216');
  const fourth = await up(phone());
  await fourth.waitFor('password kept as its hash');
  expect(await other.bindings('216')).toBe(1);
  expect(await readFile(file, 'utf8')).not.toContain('offhook.test');
});

test('a phone keeps its name over a restart, and Kamailio knows it by that', async () => {
  const kamailio = await up(startKamailio(folder.path));
  const names: string[] = [];
  for (let i = 0; i < 2; i++) {
    const phone = await startPhone(folder.path, { name: 'named', set: accountAt(kamailio.server, '217') });
    await phone.waitFor('registered');
    names.push((await kamailio.contacts('217')).match(/urn:uuid:[\da-f-]{36}/)?.[0] ?? '');
    await phone.stop();
  }
  expect(names[0]).toMatch(/^urn:uuid:/);
  expect(names[1]).toBe(names[0]);
});

test('a Service-Route is used, and a GRUU is what the other side hangs up by', async () => {
  const kamailio = await up(startKamailio(folder.path, { serviceRoute: true }));
  const [a, b] = await Promise.all([
    up(startPhone(folder.path, { name: 'gruu-a', set: accountAt(kamailio.server, '218', { 'accounts.0.gruu': true, 'sip.trace': true, 'log.level': 'debug' }) })),
    up(startPhone(folder.path, { name: 'gruu-b', set: accountAt(kamailio.server, '219', { 'calls.answer': 'auto' }) })),
  ]);
  await Promise.all([a, b].map((phone) => phone.waitFor('registered')));
  await a.must({ do: 'call', target: '219' }); // Kamailio refuses a call without the Service-Route
  const bye = b.must({ do: 'hangup' });
  const ended = await a.waitFor('ended');
  await bye;
  expect(ended).toMatchObject({ by: 'them' });
  const contact = a.program.output().match(/INVITE sip:219@[^]{0,900}?Contact: <([^>]*)>/)?.[1];
  expect(contact).toContain(';gr=urn:uuid:');
  expect(a.program.output()).toContain(`BYE sip:218@127.0.0.1:${a.port} SIP/2.0`); // Kamailio knew by the GRUU where to send it
});

test('a second server takes over and gives way again, and calls follow', async () => {
  const [first, second] = [await up(startKamailio(folder.path)), await up(startKamailio(folder.path))];
  const at = (user: string) => accountAt(first.server, user, { 'accounts.0.backupServer': second.server, 'accounts.0.optionsPingS': 2 });
  const [a, b] = await Promise.all([
    up(startPhone(folder.path, { name: 'two-a', set: at('211') })), up(startPhone(folder.path, { name: 'two-b', set: { ...at('212'), 'accounts.0.backupMode': 'parallel', 'calls.answer': 'auto' } })),
  ]);
  await Promise.all([a, b].map((phone) => phone.waitFor('registered')));
  expect(await until(async () => await second.bindings('212') === 1, 2_000)).toBe(true);
  expect(await second.bindings('211')).toBe(0);
  for (const phone of [a, b]) phone.forget();
  await first.stop();
  const away = Date.now();
  await a.waitFor('registered', 25_000, (line) => line['second'] === true);
  console.log(`at the second server ${Date.now() - away} ms after the first had ended`);
  expect(await second.bindings('211')).toBe(1);
  await a.must({ do: 'call', target: '212' });
  await a.must({ do: 'hangup' });
  a.forget();
  await first.restart();
  const back = Date.now();
  await a.waitFor('registered', 10_000, (line) => line['second'] === false);
  console.log(`at the first server ${Date.now() - back} ms after its return`);
  expect(Date.now() - back).toBeLessThan(5_500);
  expect(await until(async () => await second.bindings('211') === 0, 2_000)).toBe(true);
  expect(await until(async () => await first.bindings('212') === 1, 10_000), 'b is at both again').toBe(true);
  await a.must({ do: 'call', target: '212' });
});

test('a wrong password is told apart, in the log and in the status', async () => {
  const kamailio = await up(startKamailio(folder.path));
  const phone = await up(startPhone(folder.path, { name: 'wrong', set: accountAt(kamailio.server, '213', { 'accounts.0.password': 'nonsense' }) }));
  expect((await phone.waitFor('registration failed'))['why']).toBe('wrong password');
  const { registrations } = await phone.status() as { registrations: { why: string; state: string }[] };
  expect(registrations[0]).toMatchObject({ state: 'failed', why: 'wrong password' });
});

test.each(['closed', 'silent'] as const)('Kamailio away for 60 s, %s: over UDP and over TCP the phone says so, and registers again by itself within 5 s of its return', async (how) => {
  const kamailio = await up(startKamailio(folder.path));
  const phones: Phone[] = [];
  for (const [transport, user] of [['udp', '214'], ['tcp', '215']] as const) {
    phones.push(await up(startPhone(folder.path, { name: `outage-${how}-${transport}`, set: accountAt(kamailio.server, user, { 'accounts.0.transport': transport, 'accounts.0.expiresS': 30 }) })));
  }
  await Promise.all(phones.map((phone) => phone.waitFor('registered')));
  for (const phone of phones) phone.forget();
  if (how === 'closed') await kamailio.stop();
  else kamailio.freeze();
  await pause(60_000);
  for (const phone of phones) {
    expect(phone.seen('registration failed')).toBeDefined();
    phone.forget();
  }
  if (how === 'closed') await kamailio.restart();
  else kamailio.thaw();
  const back = Date.now();
  await Promise.all(phones.map(async (phone, i) => {
    await phone.waitFor('registered', 10_000);
    console.log(`registered again ${Date.now() - back} ms after Kamailio's return over ${i === 0 ? 'UDP' : 'TCP'}`);
    expect(Date.now() - back).toBeLessThan(5_500);
  }));
  for (const user of ['214', '215']) expect(await until(async () => await kamailio.bindings(user) === 1, 1_000)).toBe(true);
}, 120_000);
