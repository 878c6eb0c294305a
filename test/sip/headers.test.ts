import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  challenges, contentType, countOf, cseqOf, formatNameAddr, formatVia, hasToken, nameAddr, nameAddrs, parseCredentials, parseNameAddr, parseParams, parseVia, quote,
  reasons, retryAfterOf, tagOf, tokens, topVia, unknownRequired, unquote, wholeNumber,
} from '../../src/sip/headers.ts';
import { parseMessage } from '../../src/sip/message.ts';
import type { Malformed, Message } from '../../src/sip/message.ts';

const message = (...lines: string[]): Message => parseMessage(Buffer.from(`A sip:a SIP/2.0\r\n${lines.map((l) => `${l}\r\n`).join('')}\r\n`)) as Message;
const map = (entries: Record<string, string>) => new Map(Object.entries(entries));

describe('addresses (RFC 3261 §20.10)', () => {
  test.each([
    ['<sip:a@b>', '', 'sip:a@b', {}],
    ['sip:a@b;tag=1', '', 'sip:a@b', { tag: '1' }],
    ['"A. G. \\"Bell\\"" <sip:a@b;lr>;tag=a48s', 'A. G. "Bell"', 'sip:a@b;lr', { tag: 'a48s' }],
    ['Anonymous <sip:c@d>;tag=h', 'Anonymous', 'sip:c@d', { tag: 'h' }],
    ['"<sip:evil@x>" <sip:good@y>', '<sip:evil@x>', 'sip:good@y', {}],
    ['"" <sip:a@b> ; Expires = 60 ; q=0.5 ; +sip.instance="<urn:uuid:1;2>"', '', 'sip:a@b', { expires: '60', q: '0.5', '+sip.instance': '"<urn:uuid:1;2>"' }],
    ['<sip:a@b>;', '', 'sip:a@b', {}],
    ['*', '', '*', {}],
    ['bob@example.org <sip:bob@example.org>', 'bob@example.org', 'sip:bob@example.org', {}],
    ['Müller 2.0 (home) <sip:a@b>', 'Müller 2.0 (home)', 'sip:a@b', {}],
  ])('%s', (source, display, uri, params) => {
    expect(parseNameAddr(source)).toEqual({ display, uri, params: map(params) });
  });

  test.each(['', '<sip:a@b', '"a <sip:a@b>', 'a, b <sip:a@b>', '<>', 'sip:a@b?x=y', 'sip:a@b>', 'sip:a b', '<sip:a> x', '<sip:a>;tag="', '"x" y <sip:a>', '"x"'])('%j is none', (source) => {
    expect(parseNameAddr(source)).toBeUndefined();
  });

  test('what is written is read again, whatever the display name', () => {
    fc.assert(fc.property(fc.string({ maxLength: 20 }), (display) => {
      expect(parseNameAddr(formatNameAddr(display, 'sip:a@b', map({ tag: 'x' })))).toEqual({ display: display.replace(/[\r\n]/g, ' '), uri: 'sip:a@b', params: map({ tag: 'x' }) });
    }));
    expect(unquote(quote('a"b\\c'))).toBe('a"b\\c');
  });

  test('lists of addresses, one bad spoils them', () => {
    const m = message('m: "x, y" <sip:a@b>;q=1, sip:c@d', 'Contact: <sip:e@f,g>', 'Route: <sip:a;lr>, <sip:');
    expect(nameAddrs(m, 'contact')?.map((c) => c.uri)).toEqual(['sip:a@b', 'sip:c@d', 'sip:e@f,g']);
    expect(nameAddr(m, 'route')?.uri).toBe('sip:a;lr');
    expect(nameAddrs(m, 'route')).toBeUndefined();
  });

  test('tags: only the header’s own counts', () => {
    const m = message('From: "x;tag=no" <sip:a;tag=no@b;tag=no>;x=">";TAG=yes', 't: <sip:a@b;tag=no>');
    expect([tagOf(m, 'from'), tagOf(m, 'to'), tagOf(message(), 'to')]).toEqual(['yes', undefined, undefined]);
  });
});

describe('Via (RFC 3261 §20.42)', () => {
  test.each([
    ['SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7', { transport: 'UDP', host: 'erlang.bell-telephone.com', port: 5060 }],
    ['sip / 2.0 / udp [2001:db8::9]:5080 ; rport;branch=z9hG4bK1', { transport: 'UDP', host: '2001:db8::9', port: 5080 }],
    ['SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56', { transport: 'WSS', port: undefined }],
    ['sip/3.1/tls-sctp [::1]', { transport: 'TLS-SCTP', host: '::1', port: undefined }],
    ['SIP/2.0/UDP a;BRANCH=z9hG4bK/1;Received=::1;', { host: 'a', params: new Map([['branch', 'z9hG4bK/1'], ['received', '::1']]) }],
  ])('%s', (source, expected) => {
    expect(parseVia(source)).toMatchObject(expected);
  });

  test.each(['', 'SIP/2.0/UDP', 'SIP/2.0/UDP a:0', 'SIP/2.0/UDP a:70000', 'SIP/2.0/UDP a b', 'SIP/2.0/UDP a;;x', 'SIP/2.0/UDP a;;', 'SIP/2.0/UDP [::1', 'SIP/2.0/UDP ::1', 'SIP/2.0/UDP a:1:2', 'SIP/2.0/UDP/ a', 'SIP/2.0/UDP;; a', 'SIP/UDP a'])('%j is none', (source) => {
    expect(parseVia(source)).toBeUndefined();
  });

  test('the topmost is the first of the first line', () => {
    expect(topVia(message('v: SIP/2.0/UDP a;x="1,2", SIP/2.0/UDP b', 'Via: SIP/2.0/UDP c'))?.host).toBe('a');
    expect(formatVia('tcp', '::1', 5060, 'z9hG4bKx')).toBe('SIP/2.0/TCP [::1]:5060;branch=z9hG4bKx;rport');
  });
});

test('CSeq is a number below 2^31 and a method (§8.1.1.5)', () => {
  expect(['1 INVITE', '2147483647\t INVITE', '2147483648 INVITE', '-1 INVITE', '1', 'INVITE', '1 A B', ''].map((v) => cseqOf(message(`CSeq: ${v}`))?.number)).toEqual([1, 2147483647, ...Array(6).fill(undefined)]);
  expect(['314159   PRACK', '1\r\n FROB', '0000000001 é'].map((v) => cseqOf(message(`CSeq: ${v}`))?.method)).toEqual(['PRACK', 'FROB', Buffer.from('é').toString('latin1')]);
  expect(['1\x1bINVITE', '1 \x1bINVITE', '1 IN\x0eVITE', '00000000001 ACK', '1 \x00'].map((v) => cseqOf(message(`CSeq: ${v}`)))).toEqual(Array(5).fill(undefined));
  const malformed = parseMessage(Buffer.from('A sip:a SIP/2.0\r\nCSeq: 1 \r\r\n\r\n')) as Malformed; // a CR by itself; it is answered by what can be read of it
  expect([malformed.kind, cseqOf(malformed.message!)]).toEqual(['malformed', undefined]);
});

test('numbers: Expires, Retry-After with comment and duration', () => {
  expect(['0', '4294967295', '4294967296', '', 'x', '1.5', '-1', undefined].map(wholeNumber)).toEqual([0, 4294967295, ...Array(6).fill(undefined)]);
  expect(countOf(message('Expires: 3600'), 'expires')).toBe(3600);
  expect(['18000;duration=3600', '120 (I\'m in a meeting)', '5', 'soon', ''].map((v) => retryAfterOf(message(`Retry-After: ${v}`)))).toEqual([18000, 120, 5, undefined, undefined]);
});

test('token lists and types', () => {
  const m = message('Supported: 100rel, Timer ,', 'k: replaces', 'Require: 100rel, foo', 'c: Application/SDP ; charset=x', 'Accept: application/sdp;level=1, text/*');
  expect(tokens(m, 'supported')).toEqual(['100rel', 'Timer', 'replaces']);
  expect([hasToken(m, 'supported', 'timer'), hasToken(m, 'supported', 'time')]).toEqual([true, false]);
  expect(unknownRequired(m, ['100rel'])).toEqual(['foo']);
  expect(contentType(m)).toBe('application/sdp');
  expect(tokens(m, 'accept')).toEqual(['application/sdp', 'text/*']);
});

test('Reason (RFC 3326)', () => {
  expect(reasons(message('Reason: SIP ;cause=200 ;text="Call completed elsewhere", Q.850;cause=16', 'Reason: x'))).toEqual([
    { protocol: 'SIP', cause: 200, text: 'Call completed elsewhere' }, { protocol: 'Q.850', cause: 16, text: '' }, { protocol: 'X', cause: undefined, text: '' },
  ]);
});

test('challenges: several lines, several on one line, quoted commas, either header (§20.27, §20.44)', () => {
  const all = challenges(message(
    'WWW-Authenticate: Digest realm="a, b", nonce="n\\"1", algorithm=SHA-256,qop="auth,auth-int" , Basic realm="c", Digest realm=d, nonce=e',
    'WWW-Authenticate: Negotiate', 'Proxy-Authenticate: Digest  realm="p" ,nonce="q"',
  ));
  expect(all.map((c) => [c.scheme, c.params.get('realm'), c.params.get('nonce'), c.proxy])).toEqual([
    ['digest', 'a, b', 'n"1', false], ['basic', 'c', undefined, false], ['digest', 'd', 'e', false], ['digest', 'p', 'q', true],
  ]);
  expect(all[0]!.params.get('qop')).toBe('auth,auth-int');
  expect(parseCredentials('nextnonce="x", rspauth="y"')).toEqual({ scheme: '', params: map({ nextnonce: 'x', rspauth: 'y' }) });
  expect(parseCredentials('Digest a="')).toBeUndefined();
});

test('parameters: white space, quotes, the first of two; broken ones are none', () => {
  expect(parseParams(' ; a = 1 ;B="x;y\\"" ;c; a=2')).toEqual(map({ a: '1', b: '"x;y\\""', c: '' }));
  expect([';a=="', 'a', ';a b', ';a="x"y'].map((p) => parseParams(p))).toEqual(Array(4).fill(undefined));
});
