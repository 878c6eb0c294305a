// Transfers and many accounts with real parts: phones of ours and baresip at a Kamailio.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';

const folder = scratch('transfer');
let kamailio: Kamailio;
let phones: Phone[] = [];
let baresip: Baresip;

beforeAll(async () => {
  kamailio = await startKamailio(folder.path);
  const phone = (user: string): Promise<Phone> => startPhone(folder.path, { name: `phone-${user}`, set: { ...accountAt(kamailio.server, user), 'calls.answer': 'auto', 'sound.handset.device': 'tone' } });
  [baresip, ...phones] = await Promise.all([
    startBaresip(folder.path, { user: '204', password: passwordOf('204'), server: kamailio.server, codec: 'PCMU/8000', answer: 'auto' }), phone('201'), phone('202'), phone('203'),
  ]);
  await Promise.all(phones.map((each) => each.waitFor('registered')));
});
afterAll(async () => {
  await Promise.all([...phones.map((phone) => phone.stop()), baresip?.stop()]);
  await kamailio?.stop();
  folder.remove();
});

const callsOf = async (phone: Phone) => (await phone.status())['calls'] as { id: string; remote: string; state: string; held: boolean }[];
const rest = async (): Promise<void> => {
  for (const phone of phones) await phone.say({ do: 'hangup' });
  await baresip.command('hangup');
  await until(async () => (await Promise.all(phones.map(callsOf))).every((calls) => calls.length === 0), 5_000);
  await pause(200);
  baresip.forget();
  for (const phone of phones) phone.forget();
};
/** Both hear each other: packets come in. */
async function hears(phone: Phone): Promise<boolean> {
  const received = async () => ((await phone.say({ do: 'measure' }))['stats'] as { receivedPackets: number } | undefined)?.receivedPackets ?? 0;
  const before = await received();
  await pause(600);
  return await received() - before > 20;
}

describe('transfer', () => {
  test('blind: we send a phone of ours on to baresip (RFC 5589 §6.1)', async () => {
    const [a, b] = phones as [Phone, Phone, Phone];
    const { call } = await a.must({ do: 'call', target: '202' });
    expect(await a.say({ do: 'transfer', call, target: '204' })).toMatchObject({ ok: true });
    await baresip.waitFor('CALL_ESTABLISHED');
    expect(await callsOf(a)).toEqual([]);
    expect(await until(async () => (await callsOf(b)).length === 1, 2_000)).toBe(true);
    expect(await hears(b)).toBe(true);
    await rest();
  });

  test('blind: baresip sends us on to another phone (RFC 3515)', async () => {
    const [a, b] = phones as [Phone, Phone, Phone];
    await a.must({ do: 'call', target: '204' });
    await baresip.waitFor('CALL_ESTABLISHED');
    await baresip.command('transfer', `sip:202@${kamailio.server}`);
    await b.waitFor('answered');
    await a.waitFor('transferred');
    expect(await until(async () => (await callsOf(a)).length === 1, 2_000)).toBe(true);
    expect(await hears(a)).toBe(true);
    await rest();
  });

  test('blind to baresip: we send it on, it calls the third', async () => {
    const [a, b] = phones as [Phone, Phone, Phone];
    const { call } = await a.must({ do: 'call', target: '204' });
    await baresip.waitFor('CALL_ESTABLISHED');
    expect(await a.say({ do: 'transfer', call, target: '202' })).toMatchObject({ ok: true });
    await b.waitFor('answered');
    expect(await hears(b)).toBe(true);
    expect(await callsOf(a)).toEqual([]);
    await rest();
  });

  test('to nobody: told why, and the call is still there', async () => {
    const [a, b] = phones as [Phone, Phone, Phone];
    const { call } = await a.must({ do: 'call', target: '202' });
    expect(await a.say({ do: 'transfer', call, target: '219' })).toMatchObject({ ok: false, status: 404 });
    expect(await callsOf(a)).toMatchObject([{ state: 'established' }]);
    expect(await until(async () => (await callsOf(b)).length === 1, 2_000)).toBe(true);
    expect(await hears(b)).toBe(true);
    await rest();
  });

  test('attended: among three phones of ours, the middle one leaves (RFC 3891, RFC 5589 §7.1)', async () => {
    const [a, b, c] = phones as [Phone, Phone, Phone];
    const { call: first } = await a.must({ do: 'call', target: '202' });
    await a.must({ do: 'hold', call: first });
    const { call: second } = await a.must({ do: 'call', target: '203' });
    expect(await a.say({ do: 'transfer', call: first, to: second })).toMatchObject({ ok: true });
    expect(await until(async () => (await callsOf(a)).length === 0 && (await callsOf(b)).length === 1 && (await callsOf(c)).length === 1, 3_000)).toBe(true);
    expect(await hears(b)).toBe(true);
    expect(await hears(c)).toBe(true);
    await rest();
  });

  test('attended to one that does not know Replaces (baresip 1.0): told, and both calls are still there', async () => {
    const [a, b] = phones as [Phone, Phone, Phone];
    const { call: first } = await a.must({ do: 'call', target: '202' });
    const { call: second } = await a.must({ do: 'call', target: '204' });
    expect(await a.say({ do: 'transfer', call: first, to: second })).toMatchObject({ ok: false, status: 420 });
    expect((await callsOf(a)).map((each) => each.state)).toEqual(['established', 'established']);
    expect(await hears(b)).toBe(true);
    await rest();
  });
});

describe('several accounts in one phone', () => {
  test('one right, one wrong password: the right one is registered and used, the other told of; each is reached under its own name', async () => {
    const phone = await startPhone(folder.path, { name: 'two', set: {
      ...accountAt(kamailio.server, '210'), 'accounts.1.user': '211', 'accounts.1.server': kamailio.server, 'accounts.1.password': 'wrong', 'accounts.2.user': '212', 'accounts.2.server': kamailio.server,
      'accounts.2.password': 'secret-212', 'calls.answer': 'auto',
    } });
    try {
      await phone.waitFor('registered', 5_000, (l) => String(l['account']).startsWith('210@'));
      await phone.waitFor('registered', 5_000, (l) => String(l['account']).startsWith('212@'));
      expect(await phone.waitFor('registration failed')).toMatchObject({ why: 'wrong password' });
      expect((await phone.status())['registrations']).toMatchObject([{ user: '210', state: 'registered', why: '' }, { user: '211', state: 'failed', why: 'wrong password' }, { user: '212', state: 'registered' }]);
      expect(await Promise.all(['210', '211', '212'].map((user) => kamailio.bindings(user)))).toEqual([1, 0, 1]);
      const [a] = phones as [Phone, Phone, Phone];
      await a.must({ do: 'call', target: '212' });
      expect(await phone.waitFor('incoming')).toMatchObject({ from: '201', account: `212@${kamailio.server}` });
      await a.must({ do: 'hangup' });
      await phone.must({ do: 'call', target: '201', account: `212@${kamailio.server}` });
      expect(await a.waitFor('incoming')).toMatchObject({ from: '212' });
      await phone.must({ do: 'hangup' });
      expect(await phone.say({ do: 'call', target: '201', account: `211@${kamailio.server}` })).toMatchObject({ ok: false, code: 'NOT_REGISTERED' });
      await phone.must({ do: 'call', target: '201' });
      await phone.must({ do: 'hangup' });
    } finally {
      await phone.stop();
    }
    expect(await Promise.all(['210', '212'].map((user) => kamailio.bindings(user)))).toEqual([0, 0]);
  });
});
