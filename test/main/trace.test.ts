import { expect, test } from 'vitest';
import { blanked } from '../../src/main/trace.ts';

const digest = 'Digest username="201", nonce="n", response="6629fae49393a05397450978507c4ef1"';

test.each([
  ['an answer to a challenge', `Authorization: ${digest}`, 'Authorization: Digest (blanked)'],
  ['one to a proxy, in other letters', `PROXY-AUTHORIZATION:${digest}`, 'PROXY-AUTHORIZATION:Digest (blanked)'],
  ['one that goes on in further lines (RFC 3261 §7.3.1)', `Authorization: Digest username="201",\r\n nonce="n",\r\n\tresponse="66"`, 'Authorization: Digest (blanked)'],
  ['one that begins in the second line', `Authorization:\r\n ${digest}`, 'Authorization:\r\n Digest (blanked)'],
  ['what the server proves itself by, which tells as much of the password (RFC 7616 §3.5)', 'Authentication-Info: rspauth="6629fae49393a05397450978507c4ef1", nextnonce="n"', 'Authentication-Info: (blanked)'],
  ['that of a proxy, in a second line', 'proxy-authentication-info:\r\n rspauth="66"', 'proxy-authentication-info: (blanked)'],
  ['the key of a call', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 (blanked)'],
  ['a key behind a blank', 'a=crypto: 1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3', 'a=crypto: 1 AES_CM_128_HMAC_SHA1_80 (blanked)'],
  ['a key in a line that is none', 'a =crypto:1 A inline:d0RmdmcmVCspeEc3;inline:d0Rm', 'a =crypto:1 A inline:(blanked);inline:(blanked)'],
  ['a password in an address', 'Contact: <sip:a@b;password=hush;lr>', 'Contact: <sip:a@b;password=(blanked);lr>'],
  ['the key of a call as first written (RFC 4566 §5.12)', 'k=base64:d0RmdmcmVCspeEc3', 'k=(blanked)'],
  ['the password of ICE', 'a=ice-pwd:asd88fgpdd777uzjYhagZg', 'a=ice-pwd:(blanked)'],
])('%s is blanked, what stands around it is not', (_, line, expected) => {
  const message = (middle: string) => `REGISTER sip:pbx SIP/2.0\r\nCall-ID: 1\r\n${middle}\r\nCSeq: 1 REGISTER\r\n\r\n`;
  expect(blanked(Buffer.from(message(line)))).toBe(message(expected));
});

test('the words of a text and the digits of an INFO are counted, not told', () => {
  const message = (first: string, type: string, body: string) => Buffer.from(`${first} sip:pbx SIP/2.0\r\nCall-ID: 1\r\n${type}\r\n\r\n${body}`);
  expect(blanked(message('MESSAGE', 'Content-Type: text/plain', 'the key is\r\n\r\nunder the mat'))).toBe('MESSAGE sip:pbx SIP/2.0\r\nCall-ID: 1\r\nContent-Type: text/plain\r\n\r\n(27 bytes blanked)');
  expect(blanked(message('INFO', 'Content-Type: application/dtmf-relay', 'Signal=4\r\nDuration=160\r\n'))).toBe('INFO sip:pbx SIP/2.0\r\nCall-ID: 1\r\nContent-Type: application/dtmf-relay\r\n\r\n(24 bytes blanked)');
  expect(blanked(message('INFO', 'c:application/dtmf', '4'))).toContain('(1 bytes blanked)');
  expect(blanked(message('INFO', 'Content-Type:\r\n application/dtmf-relay', 'Signal=4'))).toContain('(8 bytes blanked)');
  const plain = message('NOTIFY', 'Content-Type: application/simple-message-summary', 'Messages-Waiting: yes\r\n');
  expect(blanked(plain)).toBe(plain.toString());
});

test('the longest message is blanked in a moment', () => {
  const begun = process.cpuUsage().user;
  for (const part of ['a=crypto:1 ', 'Authorization: x\r\n', 'Authentication-Info: x\r\n', 'k=', ';password=', 'Content-Type: application/dtmf\r\n', 'MESSAGE ', '\r\n ', '\r\n\r\n']) blanked(Buffer.from(`MESSAGE sip:a SIP/2.0\r\nAuthorization: a b\r\n${part.repeat(Math.floor(65_000 / part.length))}`));
  expect((process.cpuUsage().user - begun) / 1_000).toBeLessThan(2_000);
});
