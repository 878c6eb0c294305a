import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatSdp, isAddress, parseSdp, type Sdp } from '../../src/sdp/sdp.ts';

const read = (text: string): Sdp => {
  const sdp = parseSdp(Buffer.from(text, 'latin1'));
  if ('malformed' in sdp) throw new Error(sdp.malformed);
  return sdp;
};
const HEAD = 'v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\n';

describe('reading', () => {
  test("RFC 8866 §5's own example is read: session address without TTL, media in order, their own attributes", () => {
    const sdp = read('v=0\r\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r\ns=Call to John Smith\r\ni=SDP Offer #1\r\n'
      + 'u=http://www.jdoe.example.com/home.html\r\ne=Jane Doe <jane@jdoe.example.com>\r\np=+1 617 555-6011\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n'
      + 'm=audio 49170 RTP/AVP 0\r\nm=audio 49180 RTP/AVP 0\r\nm=video 51372 RTP/AVP 99\r\nc=IN IP6 2001:db8::2\r\na=rtpmap:99 h263-1998/90000\r\n');
    expect(sdp).toEqual({
      sessionId: '3724394400', version: '3724394405', host: '198.51.100.1', attributes: [],
      media: [
        { kind: 'audio', port: 49170, proto: 'RTP/AVP', formats: ['0'], host: '198.51.100.1', attributes: [] },
        { kind: 'audio', port: 49180, proto: 'RTP/AVP', formats: ['0'], host: '198.51.100.1', attributes: [] },
        { kind: 'video', port: 51372, proto: 'RTP/AVP', formats: ['99'], host: '2001:db8::2', attributes: [['rtpmap', '99 h263-1998/90000']] },
      ],
    });
  });

  test.each([
    ['bare LF', 'v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 0\n'],
    ['no last line end', `${HEAD}c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0`],
    ['blank lines and a terminating zero', `${HEAD}\r\nc=IN IP4 192.0.2.1\r\n\r\nm=audio 4000 RTP/AVP 0\r\n\0`],
    ['a multicast TTL and a count of ports', `${HEAD}c=IN IP4 192.0.2.1/127\r\nm=audio 4000/2 RTP/AVP 0\r\n`],
    ['no s= or t= line, unknown types, bandwidth', `v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=in ip4 192.0.2.1\r\nx=what\r\nb=AS:64\r\nm=audio  4000  RTP/AVP  0 \r\n`],
  ])('the reader takes %s', (_, text) => {
    expect(read(text).media).toEqual([{ kind: 'audio', port: 4000, proto: 'RTP/AVP', formats: ['0'], host: '192.0.2.1', attributes: [] }]);
  });

  test.each([
    ['', 'empty description'],
    ['hello', 'line 1: not of the form type=value: hello'],
    ['s=-\r\n', 'line 1: a description begins with v=0: s=-'],
    ['v=1\r\n', 'line 1: a description begins with v=0: v=1'],
    ['v=0\r\no=- 1\r\n', 'line 2: too few fields: o=- 1'],
    [`${HEAD}m=audio RTP/AVP 0\r\n`, 'line 4: no port: m=audio RTP/AVP 0'],
    [`${HEAD}m=audio 70000 RTP/AVP 0\r\n`, 'line 4: no port: m=audio 70000 RTP/AVP 0'],
    [`${HEAD}m=audio -1 RTP/AVP 0\r\n`, 'line 4: no port: m=audio -1 RTP/AVP 0'],
    [`${HEAD}m=audio 4000 RTP/AVP\r\n`, 'line 4: too few fields: m=audio 4000 RTP/AVP'],
  ])('%j is malformed, and the line is named', (text, malformed) => {
    expect(parseSdp(Buffer.from(text))).toEqual({ malformed });
  });

  test('what is too big is malformed: 64 kB, 32 m-lines, 64 formats; attributes beyond 256 are dropped', () => {
    const lines = (count: number) => HEAD + 'm=audio 4000 RTP/AVP 0\r\n'.repeat(count);
    const formats = (count: number) => `${HEAD}m=audio 4000 RTP/AVP${' 0'.repeat(count)}\r\n`;
    expect(read(lines(32)).media).toHaveLength(32);
    expect(parseSdp(Buffer.from(lines(33)))).toEqual({ malformed: 'line 36: too many: m=audio 4000 RTP/AVP 0' });
    expect(read(formats(64)).media[0]!.formats).toHaveLength(64);
    expect(parseSdp(Buffer.from(formats(65)))).toHaveProperty('malformed');
    expect(parseSdp(Buffer.alloc(65_537, 'v=0\r\n'))).toEqual({ malformed: 'description of 65537 bytes' });
    expect(read(HEAD + 'a=x\r\n'.repeat(1000)).attributes).toHaveLength(256);
  });

  test('an address that is none is no address', () => {
    expect(read(`${HEAD}c=IN IP4 /\r\nm=audio 4000 RTP/AVP 0\r\n`).media[0]!.host).toBeUndefined();
  });

  test('a view into a larger buffer is read, not the buffer', () => {
    const message = Buffer.from(`INVITE\r\n\r\n${HEAD}`);
    expect(parseSdp(message.subarray(10))).toMatchObject({ sessionId: '1', version: '2' });
  });

  test('no bytes make the reader throw', () => {
    const piece = fc.constantFrom('v=0', 'o=', 'm=', 'a=', 'c=IN IP4 ', 'c=IN IP6 ', '\r\n', '\n', ' ', 'audio', '0', '99999999999', 'RTP/AVP', 'rtpmap:', ':', '/', '\0', '::', '__proto__');
    fc.assert(fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 60 }), (parts) => void parseSdp(Buffer.from(parts.join('')))), { numRuns: 3000 });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseSdp(bytes)), { numRuns: 2000 });
  });
});

describe('writing', () => {
  test('lines stand in the order of RFC 8866 §5, ended by CRLF; a flag has no colon', () => {
    const sdp: Sdp = { sessionId: '7', version: '1', host: '192.0.2.1', attributes: [['x', 'y']], media: [
      { kind: 'audio', port: 4000, proto: 'RTP/AVP', formats: ['0', '8'], host: undefined, attributes: [['ptime', '20'], ['sendonly', '']] },
      { kind: 'video', port: 0, proto: 'RTP/AVP', formats: ['31'], host: '2001:db8::1', attributes: [] },
    ] };
    expect(formatSdp(sdp).toString()).toBe('v=0\r\no=- 7 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=x:y\r\n'
      + 'm=audio 4000 RTP/AVP 0 8\r\na=ptime:20\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\n');
  });

  test('an IPv6 address is written as IP6, without its zone', () => {
    expect(formatSdp({ sessionId: '1', version: '1', host: 'fe80::1%eth0', attributes: [], media: [] }).toString()).toContain('o=- 1 1 IN IP6 fe80::1\r\n');
  });

  test('what is written is read back as it was', () => {
    const word = fc.stringMatching(/^[a-z0-9/-]{1,8}$/);
    const attributes = fc.array(fc.tuple(word, fc.oneof(fc.constant(''), word)), { maxLength: 4 });
    const media = fc.array(fc.record({ kind: word, port: fc.nat(65_535), proto: word, formats: fc.array(word, { minLength: 1, maxLength: 5 }),
      host: fc.constantFrom('192.0.2.9', '2001:db8::5', '192.0.2.1'), attributes }), { maxLength: 4 });
    fc.assert(fc.property(attributes, media, (own, lines) => {
      const sdp = { sessionId: '5', version: '6', host: '192.0.2.1', attributes: own, media: lines };
      expect(parseSdp(formatSdp(sdp))).toEqual(sdp);
    }));
  });
});

test.each([
  ['192.0.2.1', true], ['0.0.0.0', true], ['255.255.255.255', true], ['256.0.0.1', false], ['1.2.3', false], ['1.2.3.4.', false], ['1.2.3.4.5', false],
  ['example.org', false], ['localhost', false], ['', false], ['::', true], ['::1', true], ['2001:db8::1', true], ['1:2:3:4:5:6:7:8', true],
  ['1:2:3:4:5:6:7', false], ['1:2:3:4:5:6:7:8:9', false], ['1::2::3', false], ['::ffff:192.0.2.1', true], ['::1.2.3.999', false], ['12345::', false],
  [':1', false], ['fe80::1%eth0', false], ['1.2.3.4::', false], ['1:2:3:4:5:6:7::8', false],
])('%s is a numeric address: %s', (host, is) => {
  expect(isAddress(host)).toBe(is);
});
