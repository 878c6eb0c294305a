// Transfers and many accounts with real parts: phones of ours and baresip at a Kamailio, SIPp as each party of an attended transfer.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { freePort, pause, scratch, until } from './lab/process.ts';
import { described, ereg, message, request, response, runSipp, scenario, type SippResult } from './lab/sipp.ts';

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

describe('attended transfer with SIPp, nobody in between', () => {
  let phone: Phone;
  beforeAll(async () => {
    phone = await startPhone(folder.path, { name: 'alone', set: { 'sip.allowAddresses': '127.0.0.1', 'media.codecs': 'PCMU', 'media.rtpTimeoutS': 0, 'calls.answer': 'auto', 'sound.handset.device': 'tone' } });
  });
  afterAll(async () => { await phone?.stop(); });
  const calls = (text: string, ...more: string[]) => runSipp(folder.path, `127.0.0.1:${phone.port}`, text, ['-m', '1', '-recv_timeout', '10000', ...more], 20);
  /** SIPp waits for one call on a port of its own. */
  async function waits(text: string) {
    const port = await freePort();
    const done = runSipp(folder.path, '127.0.0.1', text, ['-m', '1', '-p', String(port), '-recv_timeout', '10000'], 20);
    await pause(500); // it says nothing when it listens
    return { port, done };
  }
  const whole = (result: SippResult): void => { expect(result, result.output.slice(-2_000)).toMatchObject({ code: 0, successful: 1, failed: 0 }); };
  const says = (body: string): string => `<ereg regexp="${body}" search_in="body" check_it="true" assign_to="9"/><log message="[$9]"/>`;
  /** NOTIFY of the phone with this line of sipfrag, answered. */
  const told = (line: string, state: string): string =>
    `<recv request="NOTIFY"><action>${says(`SIP/2.0 ${line}`)}${ereg('Subscription-State:', state, 8)}${ereg('Content-Type:', 'message/sipfrag', 7)}<log message="[$8][$7]"/></action></recv>${response('200 OK')}`;
  const began = [request('INVITE', 1, [], described), '<recv response="100" optional="true"/><recv response="180" optional="true"/>',
    `<recv response="200" rrs="true"><action>${ereg('To:', 'tag=.*', 2)}${ereg('Call-ID:', '[^ ].*', 3)}${ereg('From:', 'tag=.*', 4)}<log message="dialog [$3];to-[$2];from-[$4]"/></action></recv>`, request('ACK', 1)];
  const ends = '<recv request="BYE"/>' + response('200 OK');

  test('SIPp sends us on: the INVITE to the target bears Replaces, Require and Referred-By, each step is told by NOTIFY, then we leave (RFC 3891, RFC 3892, RFC 5589 §7.1)', async () => {
    const target = await waits(scenario('target',
      `<recv request="INVITE" rrs="true"><action>${ereg('Replaces:', 'consult@here;to-tag=there;from-tag=here', 1)}${ereg('Referred-By:', 'sip:sipp@127.0.0.1', 2)}${ereg('Require:', 'replaces', 3)}<log message="[$1][$2][$3]"/></action></recv>`,
      response('180 Ringing').replace('[last_To:]', '[last_To:];tag=new'), '<pause milliseconds="300"/>', response('200 OK', [], described).replace('[last_To:]', '[last_To:];tag=new'), '<recv request="ACK"/>', ends));
    const referTo = `Refer-To: <sip:target@127.0.0.1:${target.port}?Replaces=consult%40here%3Bto-tag%3Dthere%3Bfrom-tag%3Dhere>`;
    const transferor = calls(scenario('transferor', ...began, request('REFER', 2, [referTo, 'Referred-By: <sip:sipp@127.0.0.1>']), '<recv response="202"/>',
      told('100 Trying', 'active'), told('180 Ringing', 'active'), told('200 OK', 'terminated'), ends));
    whole(await transferor);
    expect(await callsOf(phone)).toMatchObject([{ state: 'established', remote: `sip:target@127.0.0.1:${target.port}` }]);
    await phone.must({ do: 'hangup' });
    whole(await target.done);
  });

  test('the target refuses: that is told by NOTIFY, and the call goes on', async () => {
    const target = await waits(scenario('gone', '<recv request="INVITE"/>', response('481 No Such Call').replace('[last_To:]', '[last_To:];tag=none'), '<recv request="ACK"/>'));
    const transferor = calls(scenario('transferor', ...began, request('REFER', 2, [`Refer-To: <sip:target@127.0.0.1:${target.port}?Replaces=a%40b%3Bto-tag%3Dc%3Bfrom-tag%3Dd>`]), '<recv response="202"/>',
      told('100 Trying', 'active'), told('481', 'terminated'), '<pause milliseconds="200"/>', request('BYE', 3).replace('[last_To:]', 'To: <sip:phone@127.0.0.1>;[$2]'), '<recv response="200"/>'));
    whole(await transferor);
    whole(await target.done);
  });

  test('SIPp takes a call over by Replaces: the new one is answered, the old one gets BYE; for a call that is not there 481 (RFC 3891 §3)', async () => {
    const log = join(folder.path, 'dialog.log');
    const first = calls(scenario('first', ...began, ends), '-trace_logs', '-log_file', log);
    let replaces = '';
    expect(await until(async () => (replaces = /dialog (.*)/.exec(await readFile(log, 'utf8').catch(() => ''))?.[1] ?? '') !== '', 5_000)).toBe(true);
    whole(await calls(scenario('stranger', request('INVITE', 1, [`Replaces: ${replaces}x`, 'Require: replaces'], described), '<recv response="100" optional="true"/>', '<recv response="481"/>',
      request('ACK', 1).replace('ACK [next_url]', 'ACK sip:[service]@[remote_ip]:[remote_port]').replace('[branch]', '[branch-2]'))));
    const second = calls(scenario('second', request('INVITE', 1, [`Replaces: ${replaces}`, 'Require: replaces'], described), '<recv response="100" optional="true"/><recv response="180" optional="true"/>',
      '<recv response="200" rrs="true"/>', request('ACK', 1), ends));
    whole(await first);
    expect(await until(async () => (await callsOf(phone)).length === 1, 2_000)).toBe(true);
    await phone.must({ do: 'hangup' });
    whole(await second);
  });

  test('we join two SIPps: REFER names the call to replace, NOTIFY with sipfrag is taken, both get BYE (RFC 3515 §2.4.4, RFC 5589 §7.1)', async () => {
    const kept = `<recv request="INVITE" rrs="true"><action>${ereg('From:', '.*', 3)}${ereg('To:', '.*', 4)}${ereg('Call-ID:', '[^ ].*', 5)}<log message="[$3][$4][$5]"/></action></recv>`;
    const taken = [kept, response('200 OK', [], described).replace('[last_To:]', '[last_To:];tag=s[call_number]'), '<recv request="ACK"/>'];
    const notify = (cseq: number, line: string, state: string): string => message('NOTIFY [next_url] SIP/2.0', ['Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]', 'From:[$4];tag=s[call_number]', 'To:[$3]', 'Call-ID: [call_id]',
      `CSeq: ${cseq} NOTIFY`, 'Max-Forwards: 70', 'Event: refer', `Subscription-State: ${state}`], [line]).replace('application/sdp', 'message/sipfrag;version=2.0') + '<recv response="200"/>';
    const target = await waits(scenario('target', ...taken, ends));
    const transferee = await waits(scenario('transferee', ...taken,
      `<recv request="REFER"><action>${ereg('Refer-To:', `sip:sipp@127.0.0.1:${target.port}.*Replaces=.*to-tag%3Ds.*from-tag%3D`, 6)}${ereg('Referred-By:', 'sip:', 7)}<log message="[$6][$7]"/></action></recv>`,
      response('202 Accepted'), notify(1, 'SIP/2.0 100 Trying', 'active;expires=60'), notify(2, 'SIP/2.0 200 OK', 'terminated;reason=noresource'), ends));
    const { call: first } = await phone.must({ do: 'call', target: `sip:sipp@127.0.0.1:${transferee.port}` });
    const { call: second } = await phone.must({ do: 'call', target: `sip:sipp@127.0.0.1:${target.port}` });
    expect(await phone.say({ do: 'transfer', call: first, to: second })).toMatchObject({ ok: true });
    for (const { done } of [transferee, target]) whole(await done);
    expect(await callsOf(phone)).toEqual([]);
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
