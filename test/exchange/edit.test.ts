import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { forwarded, returned } from '../../src/exchange/edit.ts';
import { bodyOf, parseMessage, text, texts, type Message } from '../../src/sip/message.ts';

const read = (words: string): Message => {
  const message = parseMessage(Buffer.from(words.replace(/\n/g, '\r\n')));
  if (message.kind === 'malformed') throw new Error(message.malformed);
  return message;
};
const peer = { host: '10.0.0.9', port: 5061 };
const edits = { uri: 'sip:b@c', top: [['Max-Forwards', '5']] as const, without: ['max-forwards', 'route', 'p-asserted-identity'], peer, realm: 'house' };

describe('a request that goes on (RFC 3261 §16.6)', () => {
  test('compact and folded lines stay as they are, lines that are replaced go in every spelling', () => {
    const out = read('MESSAGE sip:a@b SIP/2.0\nv: SIP/2.0/UDP p;branch=z9hG4bK1;rport, SIP/2.0/UDP q;branch=z9hG4bK2\nRoute: <sip:x;lr>\nMAX-forwards: 9\nf: <sip:a@b>;tag=1\nt: <sip:b@b>\ni: 1\nCSeq: 1 MESSAGE\ns: two\n lines\nP-Asserted-Identity: <sip:x@y>\nroute: <sip:y;lr>\nl: 2\n\nhi');
    const sent = read(forwarded(out, edits, 'SIP/2.0/UDP us;branch=z9hG4bKus').toString().replace(/\r\n/g, '\n'));
    expect(texts(sent, 'via')).toEqual(['SIP/2.0/UDP us;branch=z9hG4bKus', 'SIP/2.0/UDP p;branch=z9hG4bK1;rport=5061;received=10.0.0.9', 'SIP/2.0/UDP q;branch=z9hG4bK2']);
    expect([texts(sent, 'route'), texts(sent, 'p-asserted-identity'), texts(sent, 'max-forwards')]).toEqual([[], [], ['5']]);
    expect(sent.bytes.toString()).toContain('\r\ns: two\r\n lines\r\n');
    expect([text(sent, 'content-length'), bodyOf(sent).toString()]).toEqual(['2', 'hi']);
  });

  test('credentials for our realm go, those for others stay (RFC 3261 §22.3)', () => {
    const out = read('INVITE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP p;branch=z9hG4bK1\nProxy-Authorization: Digest username="x", realm="house"\nProxy-Authorization: Digest realm="far"\nAuthorization: Digest realm="house"\nFrom: <sip:a@b>;tag=1\nTo: <sip:b@b>\nCall-ID: 1\nCSeq: 1 INVITE\n\n');
    const sent = read(forwarded(out, edits, 'SIP/2.0/UDP us;branch=z9hG4bKus').toString().replace(/\r\n/g, '\n'));
    expect(texts(sent, 'proxy-authorization')).toEqual(['Digest realm="far"']);
    expect(texts(sent, 'authorization')).toHaveLength(1);
    expect(text(sent, 'content-length')).toBe('0'); // a stream needs it, RFC 3261 §18.3
  });

  test('what is not named passes byte for byte, whatever it is', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }).map((s) => s.replace(/[\r\n]/g, '')), fc.uint8Array({ maxLength: 200 }), (value, body) => {
      const head = `INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP p;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: 1\r\nCSeq: 1 INFO\r\nX-Any: ${value}\r\nContent-Length: ${body.length}\r\n\r\n`;
      const request = parseMessage(Buffer.concat([Buffer.from(head), body]));
      if (request.kind === 'malformed') return;
      const sent = forwarded(request, edits, 'SIP/2.0/UDP us;branch=z9hG4bKus');
      expect(sent.includes(Buffer.from(`X-Any: ${value}`.trimEnd()))).toBe(true);
      expect(sent.subarray(sent.length - body.length).equals(body)).toBe(true);
      expect(parseMessage(sent).kind).toBe('request');
    }));
  });
});

describe('a response on its way home (RFC 3261 §16.7 step 3)', () => {
  const lines = (via: string): string => `SIP/2.0 180 Ringing here\n${via}\nf: <sip:a@b>;tag=1\nTo: <sip:b@b>;tag=2\nCall-ID: 1\nCSeq: 1 INVITE\n\n`;

  test.each([
    ['a line of its own', 'Via: SIP/2.0/UDP us;branch=z9hG4bKus\nVia: SIP/2.0/UDP p;branch=z9hG4bK1'], ['one line with the others', 'v: SIP/2.0/UDP us;branch=z9hG4bKus, SIP/2.0/UDP p;branch=z9hG4bK1'],
    ['folded', 'Via: SIP/2.0/UDP us;branch=z9hG4bKus,\n SIP/2.0/UDP p;branch=z9hG4bK1'],
  ])('its topmost Via goes, were it %s', (_, via) => {
    const sent = read(returned(read(lines(via)), [], [['X-New', 'y']]).toString().replace(/\r\n/g, '\n'));
    expect(texts(sent, 'via')).toEqual(['SIP/2.0/UDP p;branch=z9hG4bK1']);
    expect([sent.status, text(sent, 'x-new'), text(sent, 'content-length')]).toEqual([180, 'y', '0']);
    expect(sent.bytes.toString()).toMatch(/^SIP\/2\.0 180 Ringing here\r\n/);
  });
});
