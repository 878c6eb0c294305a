import { expect, test } from 'vitest';
import { parseMessage } from '../../src/sip/message.ts';
import type { Message } from '../../src/sip/message.ts';
import { answerable, screen } from '../../src/sip/screen.ts';

const abilities = { methods: ['INVITE', 'ACK', 'CANCEL', 'INFO'], extensions: ['replaces'], types: ['application/sdp'], typed: ['INVITE'] };
const good: Record<string, string> = {
  Via: 'SIP/2.0/UDP a;branch=z9hG4bK1', From: '<sip:a@b>;tag=1', To: '<sip:c@d>', 'Call-ID': 'x', CSeq: '1 INVITE', 'Max-Forwards': '70', Contact: '<sip:a@b>',
};
const request = (change: Record<string, string | undefined> = {}, line = 'INVITE sip:c@d SIP/2.0', body = ''): Message => {
  const lines = Object.entries({ ...good, ...change }).filter(([, v]) => v !== undefined).map(([name, v]) => `${name}: ${v}\r\n`);
  return parseMessage(Buffer.from(`${line}\r\n${lines.join('')}\r\n${body}`)) as Message;
};

test.each<[string, Message, number | undefined, string?]>([
  ['a good one passes', request(), undefined],
  ['another version (§21.5.6)', request({}, 'INVITE sip:c@d SIP/3.0'), 505],
  ['no From (§8.1.1)', request({ From: undefined }), 400],
  ['no To', request({ To: undefined }), 400],
  ['no Call-ID', request({ 'Call-ID': undefined }), 400],
  ['no CSeq', request({ CSeq: undefined }), 400],
  ['an empty Call-ID', request({ 'Call-ID': '' }), 400],
  ['two CSeq', request({ cseq: '1 INVITE' }), 400],
  ['another method in CSeq (§8.1.1.5)', request({ CSeq: '1 ACK' }), 400],
  ['no Max-Forwards, as in RFC 2543', request({ 'Max-Forwards': undefined }), undefined],
  ['Max-Forwards 0 where the request ends', request({ 'Max-Forwards': '0' }), undefined],
  ['Max-Forwards above 255', request({ 'Max-Forwards': '256' }), 400],
  ['a broken Contact', request({ Contact: '<sip:a' }), 400],
  ['a method known but not allowed (§8.2.1)', request({ CSeq: '1 PUBLISH' }, 'PUBLISH sip:c@d SIP/2.0'), 405, 'INVITE, ACK, CANCEL, INFO'],
  ['a method unheard of (§21.5.2)', request({ CSeq: '1 DANCE' }, 'DANCE sip:c@d SIP/2.0'), 501, 'INVITE, ACK, CANCEL, INFO'],
  ['another scheme (§8.2.2.1)', request({}, 'INVITE mailto:c@d SIP/2.0'), 416],
  ['a broken Request-URI', request({}, 'INVITE sip: SIP/2.0'), 400],
  ['an extension required and unknown (§8.2.2.3)', request({ Require: '100rel, replaces' }), 420, '100rel'],
  ['the same in CANCEL is ignored (§8.2.2.3)', request({ Require: '100rel', CSeq: '1 CANCEL' }, 'CANCEL sip:c@d SIP/2.0'), undefined],
  ['a body of another type (§8.2.3)', request({ 'Content-Type': 'text/html' }, undefined, 'x'), 415, 'application/sdp'],
  ['a body without type', request({}, undefined, 'x'), 415, 'application/sdp'],
  ['a coded body (§8.2.3)', request({ 'Content-Type': 'application/sdp', 'Content-Encoding': 'gzip' }, undefined, 'x'), 415, 'identity'],
  ['another type without body', request({ 'Content-Type': 'text/html' }), undefined],
  ['an answer of another type wanted (§20.1, RFC 4475 §3.3.15)', request({ Accept: 'text/html, application/json' }), 406],
  ['one of the types wanted is ours', request({ Accept: 'text/html, Application/SDP;level=1' }), undefined],
  ['any type wanted', request({ Accept: '*/*' }), undefined],
  ['any type where nobody minds', request({ 'Content-Type': 'text/html', CSeq: '1 INFO' }, 'INFO sip:c@d SIP/2.0', 'x'), undefined],
])('%s', (_, message, status, value) => {
  const refusal = screen(message, abilities);
  expect(refusal?.status).toBe(status);
  if (value !== undefined) expect(refusal?.headers?.[0]?.[1]).toBe(value);
});

test('without abilities only form is checked', () => {
  expect(screen(request({ CSeq: '1 DANCE', Require: 'x' }, 'DANCE sip:c@d SIP/2.0'))).toBeUndefined();
});

test('only a readable request other than ACK is answered when malformed', () => {
  const malformed = (line: string, change = {}) => {
    const message = parseMessage(Buffer.from(`${line}\r\n${Object.entries({ ...good, ...change }).map(([n, v]) => `${n}: ${String(v)}\r\n`).join('')}bad\r\n\r\n`));
    if (message.kind !== 'malformed') throw new Error('well-formed');
    return answerable(message)?.method;
  };
  expect(malformed('INVITE sip:c@d SIP/2.0')).toBe('INVITE');
  expect(malformed('ACK sip:c@d SIP/2.0')).toBeUndefined();
  expect(malformed('SIP/2.0 200 OK')).toBeUndefined();
  expect(malformed('INVITE sip:c@d SIP/2.0', { Via: ';;' })).toBe('INVITE'); // RFC 4475 §3.1.2.1
});
