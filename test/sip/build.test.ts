import { describe, expect, test } from 'vitest';
import { PhoneError } from '../../src/ports/errors.ts';
import { buildAck, buildCancel, buildRequest, buildResponse, reasonPhrase } from '../../src/sip/build.ts';
import { parseMessage, text, texts } from '../../src/sip/message.ts';
import type { Message } from '../../src/sip/message.ts';

const read = (bytes: Buffer): Message => {
  const message = parseMessage(bytes);
  if (message.kind === 'malformed') throw new Error(message.malformed);
  return message;
};
const parts = { method: 'INVITE', uri: 'sip:b@h', headers: [['From', '<sip:a@h>;tag=1'], ['To', '<sip:b@h>'], ['Call-ID', 'c'], ['CSeq', '5 INVITE']] as [string, string][] };

test('a request has Via first, Max-Forwards 70 when none is given, and Content-Length (RFC 3261 §8.1.1)', () => {
  expect(buildRequest({ ...parts, body: Buffer.from('hello') }, 'SIP/2.0/UDP x;branch=z9hG4bK1').toString()).toBe(
    'INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 5 INVITE\r\nContent-Length: 5\r\n\r\nhello');
  expect(texts(read(buildRequest({ ...parts, headers: [...parts.headers, ['max-forwards', '9']] }, 'x')), 'max-forwards')).toEqual(['9']);
});

test.each([
  [{ ...parts, uri: 'sip:b@h\r\nX: y' }, 'Request-URI'],
  [{ ...parts, method: 'A\nB' }, 'method'],
  [{ ...parts, headers: [['X', 'a\rb']] as [string, string][] }, 'X'],
  [{ ...parts, headers: [['X\n', 'a']] as [string, string][] }, 'name'],
])('a line break is refused where it stands', (bad, where) => {
  expect(() => buildRequest(bad, 'v')).toThrow(PhoneError);
  expect(() => buildRequest(bad, 'v')).toThrow(where);
});

test('a folded value keeps the bytes of its last letter (RFC 3261 §7.3.1)', () => {
  const asked = parseMessage(Buffer.from('OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=x\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;x=\r\n \u00e0\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n')) as Message;
  expect(text(parseMessage(buildResponse(asked, 200)) as Message, 'to')).toBe('<sip:b@h>;x= \u00e0');
});

describe('a response', () => {
  const request = read(Buffer.from('INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\r\nVia: SIP/2.0/TCP 10.0.0.8\r\n ;branch=z9hG4bK2\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\nf: "é" <sip:a@h>;tag=1\r\nt: <sip:b@h>\r\ni: c\r\nCSeq: 5 INVITE\r\nTimestamp: 54\r\n\r\n'));

  test('copies Via, Record-Route, From, To, Call-ID and CSeq byte for byte, unfolding (§8.2.6.2, §12.1.1)', () => {
    expect(buildResponse(request, 180, { toTag: 't', headers: [['Contact', '<sip:me>']] }).toString()).toBe(
      'SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\r\nVia: SIP/2.0/TCP 10.0.0.8 ;branch=z9hG4bK2\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n' +
      'f: "é" <sip:a@h>;tag=1\r\nt: <sip:b@h>;tag=t\r\ni: c\r\nCSeq: 5 INVITE\r\nContact: <sip:me>\r\nContent-Length: 0\r\n\r\n');
  });

  test('100 has no tag and no route but the Timestamp (§8.2.6.1)', () => {
    const trying = read(buildResponse(request, 100, { toTag: 't' }));
    expect([text(trying, 'to'), text(trying, 'record-route'), text(trying, 'timestamp')]).toEqual(['<sip:b@h>', undefined, '54']);
  });

  test('a refusal has no Record-Route, a tag that is there stays alone', () => {
    const inside = read(Buffer.from(request.bytes.toString().replace('<sip:b@h>', '<sip:b@h>;tag=old')));
    const response = read(buildResponse(inside, 486, { toTag: 'new', reason: 'Not Now', body: Buffer.from([255]) }));
    expect([text(response, 'to'), text(response, 'record-route'), text(response, 'content-length')]).toEqual(['<sip:b@h>;tag=old', undefined, '1']);
  });

  test.each([
    ['SIP/2.0/UDP 10.0.0.9;branch=x', 'SIP/2.0/UDP 10.0.0.9;branch=x'],
    ['SIP/2.0/UDP 10.0.0.9:5070;rport;branch=x', 'SIP/2.0/UDP 10.0.0.9:5070;rport=4444;branch=x;received=10.0.0.9'],
    ['SIP/2.0/UDP 192.0.2.15;;', 'SIP/2.0/UDP 192.0.2.15;;'], // unreadable: back as it came
    ['SIP/2.0/UDP h.example;branch=x', 'SIP/2.0/UDP h.example;branch=x;received=10.0.0.9'],
    ['SIP/2.0/UDP 1.1.1.1;received=9.9.9.9;branch=x;rport=1, SIP/2.0/UDP b;received=8.8.8.8', 'SIP/2.0/UDP 1.1.1.1;branch=x;rport=4444;received=10.0.0.9, SIP/2.0/UDP b;received=8.8.8.8'],
  ])('marks the source in %s (RFC 3261 §18.2.1, RFC 3581 §4)', (via, marked) => {
    const asked = read(Buffer.from(`A sip:b SIP/2.0\r\nVia: ${via}\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\nCall-ID: c\r\nCSeq: 1 A\r\n\r\n`));
    expect(texts(read(buildResponse(asked, 200, { peer: { host: '10.0.0.9', port: 4444 } })), 'via').join(', ')).toBe(marked);
  });

  test('a line break in reason, tag or header is refused', () => {
    expect(() => buildResponse(request, 200, { reason: 'a\r\nb' })).toThrow(PhoneError);
    expect(() => buildResponse(request, 200, { toTag: 'a\nb' })).toThrow(PhoneError);
    expect(() => buildResponse(request, 200, { headers: [['X', '\n']] })).toThrow(PhoneError);
  });
});

test('every status has a phrase, unknown ones that of their class', () => {
  expect([200, 299, 481, 499, 699].map(reasonPhrase)).toEqual(['OK', 'OK', 'Call/Transaction Does Not Exist', 'Refused', 'Declined']);
});

test('ACK and CANCEL are made of the INVITE (RFC 3261 §17.1.1.3, §9.1)', () => {
  const invite = read(buildRequest({ ...parts, headers: [...parts.headers, ['Route', '<sip:p1;lr>'], ['Route', '<sip:p2;lr>'], ['Contact', '<sip:a>']] }, 'SIP/2.0/UDP x;branch=z9hG4bK1'));
  const response = read(buildResponse(invite, 404, { toTag: 'z' }));
  expect(buildAck(invite, response).toString()).toBe('ACK sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=z\r\nCall-ID: c\r\nCSeq: 5 ACK\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nContent-Length: 0\r\n\r\n');
  expect(buildCancel(invite, [['Reason', 'SIP']]).toString()).toBe('CANCEL sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 5 CANCEL\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\nReason: SIP\r\nContent-Length: 0\r\n\r\n');
});
