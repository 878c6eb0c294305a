import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bodyOf, elementEnd, methodOf, parseMessage, reasonOf, requestUri, splitList, statusOf, text, texts, value, values, versionOf } from '../../src/sip/message.ts';
import type { Malformed, Message } from '../../src/sip/message.ts';
import { nameAddrs, parseParams } from '../../src/sip/headers.ts';
import { screen } from '../../src/sip/screen.ts';
import { parseUri } from '../../src/sip/uri.ts';

const read = (source: string, stream = false): Message => {
  const message = parseMessage(Buffer.from(source), stream);
  if (message.kind === 'malformed') throw new Error(message.malformed);
  return message;
};
const fault = (source: string | Buffer, stream = false): Malformed => {
  const message = parseMessage(Buffer.from(source), stream);
  if (message.kind !== 'malformed') throw new Error('well-formed');
  return message;
};

const invite = 'INVITE sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP c\r\nv: SIP/2.0/UDP d\r\nSubject : I know\r\n\tyou "are, there"\r\nFROM:<sip:a@a>;tag=1\r\nt: <sip:bob@b.example>\r\ni: 1@a\r\nCSeq: 1 INVITE\r\nContent-Type: text/plain\r\nl: 4\r\n\r\nbody';

describe('a request', () => {
  const m = read(invite);

  test('has its start line as written', () => {
    expect([m.kind, m.method, methodOf(m), requestUri(m), statusOf(m), reasonOf(m), versionOf(m)]).toEqual(['request', 'INVITE', 'INVITE', 'sip:bob@b.example', 0, '', '2.0']);
  });

  test('finds headers whatever their case, also in compact form (RFC 3261 §7.3.1, §7.3.3)', () => {
    expect(text(m, 'from')).toBe('<sip:a@a>;tag=1');
    expect(text(m, 'call-id')).toBe('1@a');
    expect(value(m, 'to')?.toString()).toBe('<sip:bob@b.example>');
    expect(text(m, 'contact')).toBeUndefined();
    expect(values(m, 'via').map(String)).toEqual(['SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP c', 'SIP/2.0/UDP d']);
  });

  test('splits lists but not free text, and unfolds (§7.3.1)', () => {
    expect(texts(m, 'via')).toEqual(['SIP/2.0/UDP a;branch=z9hG4bK1', 'SIP/2.0/TCP c', 'SIP/2.0/UDP d']);
    expect(texts(m, 'subject')).toEqual(['I know you "are, there"']);
  });

  test('copies nothing: values and body are views of the datagram', () => {
    const bytes = Buffer.from(invite);
    const view = parseMessage(bytes) as Message;
    bytes.write('BODY', bytes.length - 4);
    expect(bodyOf(view).toString()).toBe('BODY');
    expect(value(view, 'from')!.buffer).toBe(bytes.buffer);
  });
});

test('a response has a status, a reason and the method of its CSeq', () => {
  const m = read('SIP/2.0 486 Busy Here\r\nCSeq: 8\r\n INVITE\r\n\r\n');
  expect([m.kind, statusOf(m), reasonOf(m), methodOf(m), requestUri(m)]).toEqual(['response', 486, 'Busy Here', 'INVITE', '']);
  for (const line of ['SIP/2.0 200 ', 'SIP/2.0 200']) expect(reasonOf(read(`${line}\r\n\r\n`)), line).toBe('');
  expect(reasonOf(read('sip/2.0 100 = 2**3 * 5²\r\n\r\n'))).toBe('= 2**3 * 5²');
});

test.each([
  ['', 'the start line does not end'],
  ['\r\n\r\n', 'the start line does not end'],
  ['INVITE\r\n\r\n', 'the start line is one word'],
  ['INVITE sip:a\r\n\r\n', 'the start line is neither a request nor a response'],
  ['INVITE  sip:a SIP/2.0\r\n\r\n', 'the Request-URI contains a space or "<"'],
  ['INVITE sip:a; lr SIP/2.0\r\n\r\n', 'the Request-URI contains a space or "<"'],
  ['INVITE sip:a SIP/2.0 \r\n\r\n', 'the start line ends in white space'],
  ['INVITE  SIP/2.0\r\n\r\n', 'the start line is neither a request nor a response'],
  ['INVITE sip:a HTTP/1.1\r\n\r\n', 'the start line is neither a request nor a response'],
  ['INVITE <sip:a> SIP/2.0\r\n\r\n', 'the Request-URI contains a space or "<"'],
  ['IN(VITE sip:a SIP/2.0\r\n\r\n', 'the method is no token'],
  ['SIP/2.0 99 x\r\n\r\n', 'the status line has no status between 100 and 699'],
  ['SIP/2.0 700 x\r\n\r\n', 'the status line has no status between 100 and 699'],
  ['SIP/2.0 4294967301 better not\r\n\r\n', 'the status line has no status between 100 and 699'],
  ['SIP/2.0 2x0 x\r\n\r\n', 'the status line has no status between 100 and 699'],
  ['SIP/2.0 20K\r\n\r\n', 'the status line has no status between 100 and 699'],
  ['SIP/2.0 1:0 x\r\n\r\n', 'the status line has no status between 100 and 699'],
  ['A sip:a SIP/2.0\r\n x\r\n\r\n', 'the first header line begins with white space'],
  ['A sip:a SIP/2.0\r\nFrom\r\n\r\n', 'header line 1 is not "name: value"'],
  ['A sip:a SIP/2.0\r\nX: 1\r\n: x\r\n\r\n', 'header line 2 is not "name: value"'],
  ['A sip:a SIP/2.0\r\nA b: x\r\n\r\n', 'header line 1 is not "name: value"'],
  ['A sip:a SIP/2.0\r\nFrom: x\r\n', 'the header does not end with an empty line'],
  ['A sip:a SIP/2.0\r\nFrom: x\ry\r\n\r\n', 'header line 1 contains a bare carriage return'],
  ['A sip:a SIP/2.0\r\nl: x\r\n\r\n', 'Content-Length is not one number'],
  ['A sip:a SIP/2.0\r\nl: -5\r\n\r\n', 'Content-Length is not one number'],
  ['A sip:a SIP/2.0\r\nl: 1, 1\r\n\r\n', 'Content-Length is not one number'],
  ['A sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 0\r\n\r\nx', 'Content-Length is not one number'],
  ['A sip:a SIP/2.0\r\nl: 2\r\n\r\nx', 'Content-Length says 2 bytes, 1 came'],
  ['A sip:a SIP/2.0\r\nl: 99999999\r\n\r\nx', 'the body is too long'],
])('%j is malformed: %s', (source, why) => {
  expect(fault(source).malformed).toBe(why);
});

test('bytes beyond Content-Length of a datagram are ignored, without one the rest is the body (RFC 3261 §18.3)', () => {
  expect(bodyOf(read('A sip:a SIP/2.0\r\nl: 2\r\n\r\nxyz')).toString()).toBe('xy');
  expect(bodyOf(read('A sip:a SIP/2.0\r\n\r\nxyz')).toString()).toBe('xyz');
  expect(fault('A sip:a SIP/2.0\r\n\r\n', true).framed).toBe(false);
  expect(read('A sip:a SIP/2.0\r\nl: 3\r\n\r\n', true).bodyEnd).toBe(28);
});

test('line breaks before the start line are skipped (§7.5), and a bare LF ends a line too', () => {
  expect(methodOf(read('\r\n\r\nA sip:a SIP/2.0\r\n\r\n'))).toBe('A');
  const m = read('BYE sip:a SIP/2.0\nTo: x\n  y\nFrom: z\n\nbody');
  expect([text(m, 'to'), text(m, 'from'), bodyOf(m).toString()]).toEqual(['x y', 'z', 'body']);
});

test('a value may begin on the line after its name, and end in empty folds (§7.3.1)', () => {
  const m = read('BYE sip:a SIP/2.0\r\nTo :\r\n  x\r\n  \r\nFrom: z\r\nSubject:\r\n\r\n');
  expect([text(m, 'to'), text(m, 'from'), text(m, 'subject')]).toEqual(['x', 'z', '']);
});

test('each compact letter stands for its own header, and for no other (§7.3.3)', () => {
  const letters = {
    v: 'via', f: 'from', t: 'to', i: 'call-id', m: 'contact', c: 'content-type', e: 'content-encoding', s: 'subject', k: 'supported', r: 'refer-to', b: 'referred-by',
    o: 'event', u: 'allow-events', x: 'session-expires', a: 'accept-contact', j: 'reject-contact', d: 'request-disposition', y: 'identity',
  };
  const m = read(`A sip:a SIP/2.0\r\n${Object.keys(letters).map((l) => `${l}: ${l}\r\n`).join('')}l: 0\r\n_X_: 1\r\n\r\n`);
  for (const [letter, name] of Object.entries(letters)) expect(text(m, name)).toBe(letter);
  expect([text(m, 'content-length'), text(m, 'events'), text(m, 'length'), text(m, 'route'), text(m, '_x_')]).toEqual(['0', undefined, undefined, undefined, '1']);
});

test('a message keeps its lines when the next is read, however many each has', () => {
  const long = read(`A sip:a SIP/2.0\r\n${'v: 1\r\n'.repeat(200)}\r\n`), short = read('A sip:b SIP/2.0\r\nTo: b\r\n\r\n'), folded = read('A sip:c SIP/2.0\r\nTo: c\r\n d\r\nVia: e\r\n\r\n');
  read('A sip:x SIP/2.0\r\nSubject: 1\r\nFrom: 2\r\n\r\n');
  expect([texts(long, 'via').length, text(short, 'to'), texts(short, 'via'), text(folded, 'to'), text(folded, 'via'), text(long, 'via')]).toEqual([200, 'b', [], 'c d', 'e', '1']);
});

test('limits: size and number of header lines', () => {
  expect(fault(Buffer.alloc(70_000, 'x')).status).toBe(513);
  expect(fault(`A sip:a SIP/2.0\r\n${'X: 1\r\n'.repeat(300)}\r\n`).status).toBe(513);
  expect(texts(read(`A sip:a SIP/2.0\r\n${'v: 1\r\n'.repeat(256)}\r\n`), 'via')).toHaveLength(256);
  // What was read of it is enough to answer with
  const many = fault(invite.replace('\r\nv:', `${'\r\nX: 1'.repeat(250)}\r\nv:`));
  expect([many.status, text(many.message!, 'via')]).toEqual([513, 'SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/TCP c']);
});

test('limits: parameters and addresses of one header, beyond 64 it is unreadable', () => {
  const contacts = (count: number): Message => read(`A sip:a SIP/2.0\r\nContact: ${'<sip:a@b>,'.repeat(count)}\r\n\r\n`);
  expect([nameAddrs(contacts(64), 'contact')?.length, nameAddrs(contacts(65), 'contact')]).toEqual([64, undefined]);
  const params = (count: number): string => Array.from({ length: count }, (_, i) => `;p${i}`).join('');
  expect([parseParams(params(64))?.size, parseParams(params(65))]).toEqual([64, undefined]);
  expect([parseUri(`sip:a@b${params(64)}`)?.params.size, parseUri(`sip:a@b${params(65)}`)]).toEqual([64, undefined]);
});

test('lists are split outside quotes and <> only; empty elements fall out', () => {
  expect(splitList('<sip:a,b@c>;x="1,2\\",3", , "q, \\" r" <sip:d>,')).toEqual(['<sip:a,b@c>;x="1,2\\",3"', '"q, \\" r" <sip:d>']);
  expect(splitList('')).toEqual([]);
  expect(elementEnd('"unclosed, x')).toBe(12);
});

test('every truncation of a message is a message or malformed, and says so without an exception', () => {
  for (const whole of [invite, 'SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n ;rport=5\r\nCSeq: 1 INVITE\r\nl: 3\r\n\r\nabc']) {
    for (let length = 0; length < whole.length; length++) {
      const message = parseMessage(Buffer.from(whole.slice(0, length)));
      expect(message.kind, `${length} bytes`).toBe('malformed');
      if (message.kind === 'malformed') expect(message.malformed).not.toBe('');
    }
  }
});

const touch = (bytes: Buffer): void => {
  for (const stream of [false, true]) {
    const read = parseMessage(bytes, stream);
    const message = read.kind === 'malformed' ? read.message : read;
    if (message === undefined) continue;
    for (const name of ['via', 'from', 'to', 'contact', 'cseq', 'call-id']) texts(message, name);
    methodOf(message);
    requestUri(message);
    reasonOf(message);
    bodyOf(message);
    screen(message, { methods: ['INVITE'], extensions: [], types: ['application/sdp'], typed: ['INVITE'] });
  }
};

test('any bytes never throw, whoever reads them on', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => touch(Buffer.from(bytes))), { numRuns: 2_000 });
  // Bytes that look like SIP go further in
  const word = fc.constantFrom('INVITE ', 'SIP/2.0', ' ', '\r\n', '\n', '\r', 'Via: ', 'v:', 'From: ', 'To:', 'CSeq:', 'Call-ID: ', 'l: ', ':', ';', ',', '=', '"', '\\', '<', '>', 'sip:a@b', 'tag', '1', '9'.repeat(12), '\t', 'é', '\0', '%', 'z9hG4bK', 'Contact: ', '*');
  fc.assert(fc.property(fc.array(word, { maxLength: 60 }), fc.boolean(), (words, start) => touch(Buffer.from(`${start ? 'INVITE sip:a@b SIP/2.0\r\n' : ''}${words.join('')}`))), { numRuns: 5_000 });
  // One byte changed in a good message
  fc.assert(fc.property(fc.integer({ min: 0, max: invite.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
    const bytes = Buffer.from(invite);
    bytes[at] = byte;
    touch(bytes);
  }), { numRuns: 3_000 });
});

test('what was written is read again (round trip of header values)', () => {
  const plain = fc.string({ unit: fc.constantFrom(...'abcXYZ019 <>;="?%é,.'), maxLength: 30 }).map((s) => s.trim());
  fc.assert(fc.property(fc.array(fc.tuple(fc.stringMatching(/^[A-Za-z][A-Za-z-]{2,10}$/), plain), { maxLength: 10 }), (headers) => {
    const m = read(`A sip:a SIP/2.0\r\n${headers.map(([name, v]) => `X-${name}: ${v}\r\n`).join('')}\r\n`);
    for (const [name, v] of headers) expect(values(m, `x-${name}`.toLowerCase()).map(String)).toContain(v);
  }));
});

test('the longest nonsense is read in time: no pattern is quadratic', () => {
  const start = process.hrtime.bigint();
  for (const filler of [';', ' ', ',', '"', '\\', '<', '/', '=', 'a;', '; ', ' \r\n ', 'SIP/', '%', '::', '",', '<>', 'a=b,', '()']) {
    for (const [name, start] of [['Via', 'SIP/2.0/UDP a'], ['From', ''], ['To', '"'], ['CSeq', '1 '], ['Contact', '<'], ['Call-ID', ''], ['Reason', '']]) {
      const good = ['Via: SIP/2.0/UDP a;branch=z9hG4bK1', 'From: <sip:a@b>;tag=1', 'To: <sip:a@b>', 'CSeq: 1 INVITE', 'Call-ID: x'].filter((line) => !line.startsWith(`${name}:`));
      touch(Buffer.from(`INVITE sip:a@b SIP/2.0\r\n${good.join('\r\n')}\r\n${name}: ${start}${filler.repeat(Math.floor(60_000 / filler.length))}\r\n\r\n`));
    }
  }
  expect(Number(process.hrtime.bigint() - start) / 1e6).toBeLessThan(8_000); // 126 of the longest, some 10 ms each on a busy machine
});
