import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asRequestUri, equalUris, formatUri, hostPort, isHost, parseUri, schemeOf, sipUri } from '../../src/sip/uri.ts';

const uri = (text: string) => {
  const read = parseUri(text);
  if (read === undefined) throw new Error(`${text} is no URI`);
  return read;
};

test.each([
  ['sip:alice@atlanta.com', { user: 'alice', host: 'atlanta.com', port: undefined }],
  ['sip:alice:secretword@atlanta.com;transport=tcp', { user: 'alice', password: 'secretword', host: 'atlanta.com' }],
  ['sips:alice@atlanta.com?subject=project%20x&priority=urgent', { scheme: 'sips', headers: new Map([['subject', 'project x'], ['priority', 'urgent']]) }],
  ['sip:+1-212-555-1212:1234@gateway.com;user=phone', { user: '+1-212-555-1212', password: '1234', params: new Map([['user', 'phone']]) }],
  ['SIP:ATLANTA.com;method=REGISTER?to=alice%40atlanta.com', { scheme: 'sip', user: '', host: 'atlanta.com', params: new Map([['method', 'REGISTER']]) }],
  ['sip:alice;day=tuesday@atlanta.com', { user: 'alice;day=tuesday' }],
  ['sip:[2001:db8:::192.0.2.1]', { host: '2001:db8::192.0.2.1' }], // RFC 5118 §4.10
  ['sip:[2001:db8::1]:5070;lr', { host: '2001:db8::1', port: 5070, params: new Map([['lr', '']]) }],
  ['sip:a@192.0.2.1:5060', { host: '192.0.2.1', port: 5060 }],
  ['sip:%61%C3%A9%23@h', { user: 'aé#' }],
  ['tel:+1-201-555-0123;phone-context=example.com', { scheme: 'tel', user: '+1-201-555-0123', host: '' }],
])('%s is read (RFC 3261 §19.1.3, RFC 3966)', (text, expected) => {
  expect(uri(text)).toMatchObject(expected);
});

test.each([
  'alice@atlanta.com', 'http://x', 'sip:', 'sip:@host', 'sip:a@', 'sip:a@b@c', 'sip:a b@c', 'sip:a@b:0', 'sip:a@b:65536', 'sip:a@b:x', 'sip:%zz@h', 'sip:%ff@h',
  'sip:<a>@h', 'sip:a@[::1', 'sip:a@ho_st!', 'tel:', 'tel:abc-xyz', 'sip:a@h\r\nX: y', 'sip:a"@h',
])('%j is none', (text) => {
  expect(parseUri(text)).toBeUndefined();
});

describe('equality (RFC 3261 §19.1.4)', () => {
  test.each([
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;security=on'],
    ['sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com', 'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com'],
    ['sip:alice@atlanta.com?subject=project%20x&priority=urgent', 'sip:alice@atlanta.com?priority=urgent&subject=project%20x'],
    ['tel:+1-201-555', 'tel:+1(201)555'],
  ])('%s = %s', (a, b) => {
    expect(equalUris(uri(a), uri(b))).toBe(true);
    expect(equalUris(uri(b), uri(a))).toBe(true);
  });

  test.each([
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    ['sip:a@b', 'sips:a@b'],
    ['sip:a:x@b', 'sip:a@b'],
  ])('%s ≠ %s', (a, b) => {
    expect(equalUris(uri(a), uri(b))).toBe(false);
    expect(equalUris(uri(b), uri(a))).toBe(false);
  });
});

test('any user, password and parameters come back as they went, on one line of ASCII', () => {
  const words = fc.string({ unit: 'binary', maxLength: 12 }).filter((s) => Buffer.from(s).toString() === s);
  fc.assert(fc.property(words.filter((s) => s !== ''), words, words, fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }), (user, password, value, port) => {
    const made = { ...sipUri(user, 'Example.org', port), password, params: new Map([['lr', ''], ['x', value]]), headers: new Map([['subject', value]]) };
    const written = formatUri(made);
    expect(written).toMatch(/^[\x21-\x7e]+$/);
    expect(parseUri(written)).toEqual(made);
  }), { numRuns: 500 });
});

test('any text is a URI or not, without an exception, and what is one reads the same after writing', () => {
  const word = fc.constantFrom('sip:', 'sips:', 'tel:', 'a', '@', ':', ';', '?', '&', '=', '%41', '%', '[', ']', '::1', '5060', '.', '+', 'é', ' ', '<');
  fc.assert(fc.property(fc.array(word, { maxLength: 12 }), (words) => {
    const read = parseUri(words.join(''));
    if (read !== undefined) expect(parseUri(formatUri(read))).toEqual(read);
  }), { numRuns: 3_000 });
});

test('a Request-URI has neither headers nor method (RFC 3261 §19.1.5)', () => {
  expect(formatUri(asRequestUri(uri('sip:a@b;method=INVITE;lr?subject=x')))).toBe('sip:a@b;lr');
});

test('hosts, schemes, host and port', () => {
  expect(['a', 'a.b', 'a-b.c.', '192.0.2.1', '2001:db8::1', '::ffff:1.2.3.4', 'x_y'].map(isHost)).toEqual(Array(7).fill(true));
  expect(['', '-', 'a b', 'a/b', ':', '[::1]', '.'].map(isHost)).toEqual(Array(7).fill(false));
  expect([schemeOf('nobodyKnows:x'), schemeOf('a b:c'), schemeOf('x')]).toEqual(['nobodyknows', '', '']);
  expect([hostPort('::1', 5060), hostPort('::1', undefined), hostPort('h', 1)]).toEqual(['[::1]:5060', '[::1]', 'h:1']);
});
