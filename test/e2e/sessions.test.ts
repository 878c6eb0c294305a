// Sessions against real parts: SIPp with session timers and reliable responses, both ways, and a Kamailio that forks one number to phones of
// ours and a baresip (RFC 3261, 3262, 3311, 3326, 4028).

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { freePort, scratch, until } from './lab/process.ts';
import { described, ereg, hears, message, request, response, runSipp, scenario } from './lab/sipp.ts';

const folder = scratch('sessions');
afterAll(() => folder.remove());

describe('called by SIPp', () => {
  let phone: Phone;
  beforeAll(async () => {
    phone = await startPhone(folder.path, { name: 'callee', set: { 'sip.allowAddresses': '127.0.0.1', 'media.codecs': 'PCMU', 'media.rtpTimeoutS': 0, 'calls.answer': 'auto', 'sound.handset.device': 'tone' } });
  });
  afterAll(async () => { await phone?.stop(); });
  const run = (text: string, seconds: number) => runSipp(folder.path, `127.0.0.1:${phone.port}`, text, ['-m', '1', '-recv_timeout', `${seconds * 1_000}`], seconds + 10);

  test('refresher=uac: its UPDATE is answered; when it stops the phone hangs up 30 s before the 90 are over. refresher=uas: the phone sends UPDATE at half time. Too short: 422 (RFC 4028 §9, §10)', async () => {
    const begin = (timer: string, said: string) => [
      request('INVITE', 1, ['Supported: timer', `Session-Expires: 90${timer}`], described), '<recv response="100" optional="true"/><recv response="180" optional="true"/>',
      `<recv response="200" rrs="true"><action>${ereg('Session-Expires:', `90;refresher=${said}`, 1)}${ereg('To:', '.*', 3)}<log message="[$1][$3]"/></action></recv>`, request('ACK', 1),
    ];
    const stops = scenario('refresher uac, who stops', ...begin(';refresher=uac', 'uac'), '<pause milliseconds="2000"/>', request('UPDATE', 2, ['Supported: timer', 'Session-Expires: 90;refresher=uac']),
      `<recv response="200">${hears('Session-Expires:', '90;refresher=uac')}</recv>`, '<pause milliseconds="55000"/>', '<recv request="BYE"/>', response('200 OK'));
    const refreshed = scenario('refresher uas', ...begin(';refresher=uas', 'uas'), '<pause milliseconds="40000"/>', `<recv request="UPDATE">${hears('Session-Expires:', '90;refresher=uac')}</recv>`,
      response('200 OK', ['Session-Expires: 90;refresher=uac', 'Require: timer']), '<pause milliseconds="500"/>', request('BYE', 2).replace('[last_To:]', 'To:[$3]'), '<recv response="200"/>');
    const short = scenario('too short', request('INVITE', 1, ['Supported: timer', 'Session-Expires: 60'], described), '<recv response="100" optional="true"/>', `<recv response="422">${hears('Min-SE:', '90')}</recv>`, request('ACK', 1).replace('ACK [next_url]', 'ACK sip:[service]@[remote_ip]:[remote_port]').replace('[branch]', '[branch-2]'));
    const results = await Promise.all([run(stops, 75), run(refreshed, 75), run(short, 10)]);
    for (const result of results) expect(result, result.output.slice(-2_000)).toMatchObject({ code: 0, successful: 1, failed: 0 });
    expect(await until(async () => ((await phone.status())['calls'] as unknown[]).length === 0, 2_000)).toBe(true);
    expect(phone.seen('ended', (line) => line['why'] === 'the session was not refreshed')).toBeDefined();
  });

  test('100rel required: the 180 comes reliably, PRACK is answered, the call goes on (RFC 3262 §3)', async () => {
    const text = scenario('100rel', request('INVITE', 1, ['Require: 100rel', 'Supported: 100rel'], described), '<recv response="100" optional="true"/>',
      `<recv response="180" rrs="true"><action>${ereg('RSeq:', '[0-9]+', 2)}${ereg('Require:', '100rel', 1)}<log message="[$1]"/></action></recv>`,
      '<recv response="200" rrs="true"/>', request('ACK', 1), request('PRACK', 2, ['RAck: [$2] 1 INVITE']), '<recv response="200"/>', request('PRACK', 3, ['RAck: [$2] 7 INVITE']), '<recv response="481"/>', request('BYE', 4), '<recv response="200"/>');
    const result = await run(text, 10);
    expect(result, result.output.slice(-2_000)).toMatchObject({ code: 0, successful: 1, failed: 0 });
  });
});

describe('calling SIPp', () => {
  let phone: Phone;
  beforeAll(async () => {
    phone = await startPhone(folder.path, { name: 'caller', set: { 'media.codecs': 'PCMU', 'media.rtpTimeoutS': 0, 'sound.handset.device': 'tone', 'calls.sessionTimerS': 90 } });
  });
  afterAll(async () => { await phone?.stop(); });
  /** SIPp waits for one call with `text`; the phone calls it. */
  async function call(text: string, seconds: number) {
    const port = await freePort();
    const done = runSipp(folder.path, '127.0.0.1', text, ['-m', '1', '-p', String(port), '-recv_timeout', `${seconds * 1_000}`], seconds + 10);
    await until(async () => false, 500);
    return { done, outcome: phone.say({ do: 'call', target: `sip:sipp@127.0.0.1:${port}` }) };
  }

  /** A response to the INVITE, whose lines were kept. */
  const toInvite = (start: string, more: readonly string[], body: readonly string[] = []): string =>
    message(`SIP/2.0 ${start}`, ['Via:[$2]', 'From:[$3]', 'To:[$4];tag=s[call_number]', '[last_Call-ID:]', 'CSeq: 1 INVITE', 'Allow: INVITE, ACK, BYE, CANCEL, UPDATE, PRACK', ...more], body);
  const invited = (header: string, value: string) => `<recv request="INVITE"><action>${ereg('Via:', '.*', 2)}${ereg('From:', '.*', 3)}${ereg('To:', '.*', 4)}${ereg(header, value, 1)}<log message="[$1]"/></action></recv>`;

  test('a reliable 183 with its sound gets PRACK, and the 200 need not describe again (RFC 3262 §4, RFC 6337 §3.1)', async () => {
    const { done, outcome } = await call(scenario('reliable 183', invited('Supported:', '100rel'), toInvite('183 Session Progress', ['Require: 100rel', 'RSeq: 4711'], described),
      `<recv request="PRACK">${hears('RAck:', '4711 1 INVITE')}</recv>`, response('200 OK'), '<pause milliseconds="100"/>', toInvite('200 OK', []), '<recv request="ACK"/>', '<recv request="BYE"/>', response('200 OK')), 10);
    expect(await outcome).toMatchObject({ ok: true });
    expect((await phone.status())['calls']).toMatchObject([{ state: 'established', codec: 'PCMU' }]);
    await phone.say({ do: 'hangup' });
    const result = await done;
    expect(result, result.output.slice(-2_000)).toMatchObject({ code: 0, successful: 1, failed: 0 });
  });

  test('422 is followed by an INVITE that asks for longer; as refresher=uac the phone refreshes, as refresher=uas SIPp must (RFC 4028 §7)', async () => {
    const short = '<recv request="INVITE"/>' + response('422 Session Interval Too Small', ['Min-SE: 92']).replace('[last_To:]', '[last_To:];tag=x') + '<recv request="ACK"/>';
    const again = (refresher: string) => short + invited('Session-Expires:', '92') + toInvite('200 OK', ['Require: timer', `Session-Expires: 92;refresher=${refresher}`], described).replace('CSeq: 1', 'CSeq: 2') + '<recv request="ACK"/>';
    const ours = await call(scenario('refresher uac', again('uac'), '<pause milliseconds="42000"/>', `<recv request="UPDATE">${hears('Session-Expires:', '92;refresher=uac')}</recv>`, response('200 OK', ['Session-Expires: 92;refresher=uac'])), 75);
    const theirs = await call(scenario('refresher uas, who does not', again('uas'), '<pause milliseconds="57000"/>', '<recv request="BYE"/>', response('200 OK')), 75);
    expect(await Promise.all([ours.outcome, theirs.outcome])).toMatchObject([{ ok: true }, { ok: true }]);
    for (const result of await Promise.all([ours.done, theirs.done])) expect(result, result.output.slice(-2_000)).toMatchObject({ code: 0, successful: 1, failed: 0 });
    await phone.say({ do: 'hangup' });
  });
});

describe('a number with many phones at Kamailio', () => {
  let kamailio: Kamailio, phones: Phone[] = [], baresip: Baresip;
  beforeAll(async () => {
    kamailio = await startKamailio(folder.path);
    const phone = (name: string, user: string): Promise<Phone> => startPhone(folder.path, { name, set: { ...accountAt(kamailio.server, user), 'sound.handset.device': 'tone', 'media.codecs': 'PCMU' } });
    [baresip, ...phones] = await Promise.all([
      startBaresip(folder.path, { user: '201', password: passwordOf('201'), server: kamailio.server, codec: 'PCMU/8000' }), phone('first', '201'), phone('second', '201'), phone('caller-202', '202'),
    ]);
    await Promise.all(phones.map((each) => each.waitFor('registered')));
  });
  afterAll(async () => {
    await Promise.all([...phones.map((phone) => phone.stop()), baresip?.stop()]);
    await kamailio?.stop();
  });

  for (const who of ['baresip', 'one of ours'] as const) {
    test(`${who} answers: the others stop ringing, and their logs say answered elsewhere, not missed (RFC 3261 §16.7, RFC 3326)`, async () => {
      const [first, second, caller] = phones as [Phone, Phone, Phone];
      baresip.forget();
      for (const phone of phones) phone.forget();
      const outcome = caller.say({ do: 'call', target: '201' });
      await Promise.all([first.waitFor('incoming'), second.waitFor('incoming'), baresip.waitFor('CALL_INCOMING')]);
      await caller.waitFor('ringing');
      if (who === 'baresip') await baresip.command('accept');
      else await first.must({ do: 'answer' });
      expect(await outcome).toMatchObject({ ok: true });
      for (const phone of who === 'baresip' ? [first, second] : [second]) expect(await phone.waitFor('ended')).toMatchObject({ why: 'answered elsewhere', status: 487 });
      if (who !== 'baresip') await baresip.waitFor('CALL_CLOSED');
      expect((await second.status())['missed']).toBe(0);
      expect((await caller.status())['calls']).toMatchObject([{ state: 'established' }]);
      await caller.say({ do: 'hangup' });
      await (who === 'baresip' ? baresip.waitFor('CALL_CLOSED') : first.waitFor('ended'));
      expect((await caller.status())['calls']).toEqual([]);
    });
  }

  test('nobody answers and the caller gives up: missed on each', async () => {
    const [first, second, caller] = phones as [Phone, Phone, Phone];
    baresip.forget();
    for (const phone of phones) phone.forget();
    void caller.say({ do: 'call', target: '201' });
    await Promise.all([first.waitFor('incoming'), second.waitFor('incoming')]);
    await caller.waitFor('ringing');
    await caller.say({ do: 'hangup' });
    for (const phone of [first, second]) {
      expect(await phone.waitFor('ended')).toMatchObject({ why: 'the caller gave up' });
      expect((await phone.status())['missed']).toBe(1);
    }
  });
});
