import { expect, test } from 'vitest';
import { blanked } from '../../src/main/trace.ts';

const digest = 'Digest username="201", nonce="n", response="6629fae49393a05397450978507c4ef1"';

test.each([
  ['an answer to a challenge', `Authorization: ${digest}`, 'Authorization: Digest (blanked)'],
  ['one to a proxy, in other letters', `PROXY-AUTHORIZATION:${digest}`, 'PROXY-AUTHORIZATION:Digest (blanked)'],
  ['one that goes on in further lines (RFC 3261 §7.3.1)', `Authorization: Digest username="201",\r\n nonce="n",\r\n\tresponse="66"`, 'Authorization: Digest (blanked)'],
  ['one that begins in the second line', `Authorization:\r\n ${digest}`, 'Authorization:\r\n Digest (blanked)'],
  ['the key of a call', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 (blanked)'],
  ['a password in an address', 'Contact: <sip:a@b;password=hush;lr>', 'Contact: <sip:a@b;password=(blanked);lr>'],
])('%s is blanked, what stands around it is not', (_, line, expected) => {
  const message = (middle: string) => `REGISTER sip:pbx SIP/2.0\r\nCall-ID: 1\r\n${middle}\r\nCSeq: 1 REGISTER\r\n\r\n`;
  expect(blanked(Buffer.from(message(line)))).toBe(message(expected));
});
