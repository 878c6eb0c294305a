// What other phones and servers did with a call before it came here, or after: answered elsewhere, sent on, put before others.

import { describe, expect, test } from 'vitest';
import { createLab, type Lab } from './lab.ts';
import { Peer, type Town } from '../../sip/agent-bench.ts';
import { accountSettings } from '../settings.ts';
import { Registrar } from '../../fakes/registrar.ts';
import { calledFirst } from '../../../src/phone/incoming.ts';
import { text } from '../../../src/sip/message.ts';

const A = '192.0.2.1', CALLER = '192.0.2.9';
const sdp = 'v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n';
const lines = (method: string, ...more: string[]) => [
  `${method} sip:200@${A} SIP/2.0`, `Via: SIP/2.0/UDP ${CALLER}:5060;branch=z9hG4bKone;rport`, 'Max-Forwards: 70', `From: <sip:100@${CALLER}>;tag=c`, `To: <sip:200@${A}>`, 'Call-ID: one', `CSeq: 1 ${method}`, ...more,
];

async function called(...headers: string[]) {
  const lab: Lab = createLab(), a = await lab.phone(A), peer = await new Peer({ wire: lab.wire } as Town, CALLER).open();
  peer.send(A, lines('INVITE', `Contact: <sip:100@${CALLER}>`, 'Content-Type: application/sdp', ...headers), sdp);
  await lab.run(500);
  expect(a.phone.status().state).toBe('ringing');
  return { lab, a, peer };
}

describe('a caller who takes the call back', () => {
  const rows: [reason: string, how: string, missed: boolean][] = [
    ['SIP;cause=200;text="Call completed elsewhere"', 'answered elsewhere', false],
    ['Q.850;cause=26', 'answered elsewhere', false],
    ['Q.850;cause=16, SIP ;cause=200', 'answered elsewhere', false],
    ['SIP;cause=600', 'the caller gave up', true],
    ['Q.850;cause=200', 'the caller gave up', true],
    ['', 'the caller gave up', true],
  ];
  for (const [reason, how, missed] of rows) {
    test(`with Reason "${reason}" is ${missed ? '' : 'not '}missed: ${how} (RFC 3326 §2)`, async () => {
      const { lab, a, peer } = await called();
      peer.send(A, lines('CANCEL', ...(reason === '' ? [] : [`Reason: ${reason}`])));
      await lab.run(500);
      expect(a.phone.status()).toMatchObject({ bell: false, missed: missed ? 1 : 0 });
      expect(a.events.find((e) => e.event === 'ended')).toMatchObject({ why: how, status: 487 });
      expect(await a.phone.callLog()).toMatchObject([{ how, missed }]);
    });
  }
});

describe('a call that was sent on', () => {
  const rows: [headers: Record<string, string[]>, own: string, diverted: string | undefined][] = [
    [{ diversion: ['<sip:300@x>;reason=no-answer', '<sip:400@x>;reason=unconditional'] }, '200', '400'],
    [{ diversion: ['"Desk" <sip:300@x>;reason=user-busy;counter=1'] }, '200', '300'],
    [{ 'history-info': ['<sip:300@x?Reason=SIP%3Bcause%3D302>;index=1', '<sip:200@x>;index=1.1;mp=1'] }, '200', '300'],
    [{ 'history-info': ['<sip:200@x>;index=1', '<sip:200@192.0.2.1>;index=1.1;rc=1'] }, '200', undefined],
    [{ diversion: ['<sip:300@x>'], 'history-info': ['<sip:400@x>;index=1'] }, '200', '300'],
    [{ diversion: ['<sip:anonymous@anonymous.invalid>'] }, '200', undefined],
    [{ diversion: ['sip:pbx.example.org;reason=unknown'] }, '200', 'pbx.example.org'],
    [{ diversion: ['<>'] }, '200', undefined],
    [{}, '200', undefined],
  ];
  for (const [headers, own, diverted] of rows) {
    test(`was first for ${diverted ?? 'nobody else'}: ${JSON.stringify(headers)} (RFC 5806 §4, RFC 7044 §5)`, () => {
      expect(calledFirst((name) => headers[name] ?? [], own)).toEqual(diverted === undefined ? {} : { diverted });
    });
  }

  test('says whom it was for: event, status and log', async () => {
    const { lab, a, peer } = await called('Diversion: <sip:300@x>;reason=no-answer');
    expect(a.events.find((e) => e.event === 'incoming')).toMatchObject({ diverted: '300' });
    expect(a.phone.status().calls).toMatchObject([{ diverted: '300' }]);
    peer.send(A, lines('CANCEL'));
    await lab.run(500);
    expect(await a.phone.callLog()).toMatchObject([{ diverted: '300', missed: true }]);
  });
});

describe('Resource-Priority', () => {
  const dialled = async (number: string, settings: { emergencyPriority?: string } = {}) => {
    const lab = createLab(), registrar = new Registrar(lab.clock, lab.wire.host('192.0.2.100'));
    await registrar.start();
    const a = await lab.phone(A, { settings: { accounts: [accountSettings({ user: '200', server: '192.0.2.100', register: false })], dialing: { plan: ['2xx'], ...settings } } });
    a.bench.lift();
    await a.dial(number);
    await lab.run(500);
    const invite = registrar.requests.find((r) => r.message.method === 'INVITE')!.message;
    return [text(invite, 'resource-priority'), text(invite, 'require')];
  };
  test('goes with an emergency call, required of nobody (RFC 4412 §4.7.1)', async () => {
    expect(await dialled('911')).toEqual(['esnet.0', undefined]);
  });
  test('says what the setting says, or nothing', async () => {
    expect(await dialled('911', { emergencyPriority: 'ets.0' })).toEqual(['ets.0', undefined]);
    expect(await dialled('911', { emergencyPriority: '' })).toEqual([undefined, undefined]);
  });
  test('does not go with any other', async () => {
    expect(await dialled('201')).toEqual([undefined, undefined]);
  });
});

test('early media stays when 180 follows it; without, the ring-back is ours (RFC 3960 §3.2)', async () => {
  const lab = createLab(), a = await lab.phone(A, { settings: { dialing: { speedDial: { 2: `sip:x@${CALLER}` }, plan: ['2'], interDigitS: 1 } } }), peer = await new Peer({ wire: lab.wire } as Town, CALLER).open();
  a.bench.lift();
  await a.dial('2');
  await lab.run(1_500);
  const invite = peer.last('INVITE');
  peer.answer(invite, 180, [`Contact: <sip:x@${CALLER}>`]);
  await lab.run(100);
  expect(a.heard()).toBe('ringback');
  peer.answer(invite, 183, [`Contact: <sip:x@${CALLER}>`], sdp);
  await lab.run(100);
  expect(a.heard()).toBe('');
  peer.answer(invite, 180, [`Contact: <sip:x@${CALLER}>`]);
  await lab.run(100);
  expect(a.heard()).toBe('');
});
