import { expect, test } from 'vitest';
import { FakeRandom } from '../fakes/random.ts';
import { topVia } from '../../src/sip/headers.ts';
import { COOKIE, originOf, randomToken, serverId } from '../../src/sip/matching.ts';
import { parseMessage } from '../../src/sip/message.ts';
import type { Message } from '../../src/sip/message.ts';

const request = (change: Record<string, string> = {}, uri = 'sip:a@b'): Message => {
  const lines = { Via: 'SIP/2.0/UDP h:5060;branch=z9hG4bK1', From: '<sip:a@b>;tag=f', To: '<sip:c@d>', 'Call-ID': 'i', CSeq: '1 INVITE', ...change };
  return parseMessage(Buffer.from(`INVITE ${uri} SIP/2.0\r\n${Object.entries(lines).map(([name, v]) => `${name}: ${v}\r\n`).join('')}\r\n`)) as Message;
};
const id = (message: Message): string => serverId(message, topVia(message)!);

test('with the cookie branch and sent-by alone tell requests apart (RFC 3261 §17.2.3)', () => {
  expect(id(request({ From: '<sip:x@y>;tag=z', 'Call-ID': 'j', CSeq: '9 INVITE' }, 'sip:other'))).toBe(id(request()));
  expect(id(request({ Via: 'SIP/2.0/UDP h:5060;branch=z9hG4bK2' }))).not.toBe(id(request()));
  expect(id(request({ Via: 'SIP/2.0/UDP h:5061;branch=z9hG4bK1' }))).not.toBe(id(request()));
  expect(id(request({ Via: 'SIP/2.0/UDP g:5060;branch=z9hG4bK1' }))).not.toBe(id(request()));
});

test('without it Request-URI, From tag, Call-ID, CSeq number and Via do (RFC 2543, RFC 3261 §17.2.3)', () => {
  const old = { Via: 'SIP/2.0/UDP h' };
  expect(id(request({ ...old, To: '<sip:c@d>;tag=t' }))).toBe(id(request(old)));
  for (const change of [{ From: '<sip:a@b>;tag=g' }, { 'Call-ID': 'j' }, { CSeq: '2 INVITE' }, { Via: 'SIP/2.0/UDP g' }]) expect(id(request({ ...old, ...change }))).not.toBe(id(request(old)));
  expect(id(request(old, 'sip:b@b'))).not.toBe(id(request(old)));
});

test('the origin of a request is the same on every path, and another for another request (§8.2.2.2)', () => {
  expect(originOf(request({ Via: 'SIP/2.0/TCP x;branch=z9hG4bK9' }, 'sip:elsewhere'))).toBe(originOf(request()));
  for (const change of [{ From: '<sip:a@b>;tag=g' }, { 'Call-ID': 'j' }, { CSeq: '2 INVITE' }, { CSeq: '1 CANCEL' }]) expect(originOf(request(change))).not.toBe(originOf(request()));
});

test('tokens are hex of the length asked, and differ', () => {
  const random = new FakeRandom(1);
  const all = Array.from({ length: 100 }, () => randomToken(random, 8));
  expect(new Set(all).size).toBe(100);
  expect(all.every((token) => /^[\da-f]{16}$/.test(token))).toBe(true);
  expect(COOKIE).toBe('z9hG4bK');
});
