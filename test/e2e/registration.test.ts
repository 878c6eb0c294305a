// Registers at a real Kamailio, loses it, and finds it again by itself.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';

const folder = scratch('reg');
const running: { stop(): Promise<void> }[] = [];
afterAll(async () => {
  await Promise.all(running.map((r) => r.stop()));
  folder.remove();
});
const up = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
  const it = await starting;
  running.push(it);
  return it;
};

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

test('a wrong password is told apart, in the log and in the status', async () => {
  const kamailio = await up(startKamailio(folder.path));
  const phone = await up(startPhone(folder.path, { name: 'wrong', set: accountAt(kamailio.server, '213', { 'accounts.0.password': 'nonsense' }) }));
  expect((await phone.waitFor('registration failed'))['why']).toBe('wrong password');
  const { registrations } = await phone.status() as { registrations: { why: string; state: string }[] };
  expect(registrations[0]).toMatchObject({ state: 'failed', why: 'wrong password' });
});

test('Kamailio away for 60 s: over UDP and over TCP the phone registers again by itself within 5 s of its return', async () => {
  const kamailio = await up(startKamailio(folder.path));
  const phones: Phone[] = [];
  for (const [transport, user] of [['udp', '214'], ['tcp', '215']] as const) {
    phones.push(await up(startPhone(folder.path, { name: `outage-${transport}`, set: accountAt(kamailio.server, user, { 'accounts.0.transport': transport, 'accounts.0.expiresS': 30 }) })));
  }
  await Promise.all(phones.map((phone) => phone.waitFor('registered')));
  for (const phone of phones) phone.forget();
  await kamailio.stop();
  await pause(60_000);
  for (const phone of phones) {
    expect(phone.seen('registration failed')).toBeDefined();
    phone.forget();
  }
  await kamailio.restart();
  const back = Date.now();
  await Promise.all(phones.map(async (phone, i) => {
    await phone.waitFor('registered', 10_000);
    console.log(`registered again ${Date.now() - back} ms after Kamailio's return over ${i === 0 ? 'UDP' : 'TCP'}`);
    expect(Date.now() - back).toBeLessThan(5_500);
  }));
  for (const user of ['214', '215']) expect(await until(async () => await kamailio.bindings(user) === 1, 1_000)).toBe(true);
}, 120_000);
