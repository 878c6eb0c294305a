import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildRequest } from '../../src/sip/build.ts';
import { formatNameAddr, parseCredentials, parseNameAddr, parseVia, formatVia, quote, unquote } from '../../src/sip/headers.ts';
import { bodyOf, parseMessage, requestUri, text } from '../../src/sip/message.ts';
import { formatUri, parseUri } from '../../src/sip/uri.ts';
import { formatSdp, parseSdp, type Sdp } from '../../src/sdp/sdp.ts';
import { check, checkSdp, checkUri, checkValue, verdict } from './checks.ts';
import { Mutator, seeds } from './mutate.ts';

const tests = new URL('../', import.meta.url);

describe('ten thousand mutants of the torture messages (a million: scripts/fuzz)', () => {
  test.each([1, 2, 3, 4, 5])('seed %i: nothing throws, nothing is slow, what is built is read again, chunks make no difference', (seed) => {
    const mutator = new Mutator(seeds(tests), seed);
    for (let i = 1; i <= 2_000; i++) {
      const bytes = mutator.next();
      const wrong = verdict(bytes);
      if (wrong !== undefined) expect.fail(`input ${i} of seed ${seed}, ${JSON.stringify(bytes.toString('latin1').slice(0, 2_000))}: ${wrong}`);
    }
  }, 120_000);

  test('the same seed gives the same inputs, another seed others', () => {
    const first = (seed: number): string => new Mutator(seeds(tests), seed).next().toString('hex');
    expect(first(1)).toBe(first(1));
    expect(first(1)).not.toBe(first(2));
  });

  test('the checks see what they are for: a throw, and a loop', () => {
    expect(verdict(Buffer.from('x'), () => { throw new Error('seen'); })).toMatch(/seen/);
    expect(verdict(Buffer.from('x'), () => { for (const end = performance.now() + 130; performance.now() < end;); })).toMatch(/took 1\d\d ms/);
  });
});

describe('each reader alone takes whatever it is given', () => {
  const words = fc.array(fc.constantFrom('sip:', 'tel:', 'a', 'B', '%41', '%', '@', ':', ';', '=', '?', '&', '[', ']', '::1', '5060', '"', '\\\\', '<', '>', ',', ' ', '\t', '\r\n ', 'é', '\0', 'Digest ', 'nonce=', '*', '+1', 'lr', '9'.repeat(30)), { maxLength: 25 }).map((w) => w.join(''));
  test('headers and credentials', () => fc.assert(fc.property(words, checkValue), { numRuns: 5_000, seed: 7 }));
  test('URIs', () => fc.assert(fc.property(words, checkUri), { numRuns: 5_000, seed: 7 }));
  test('messages of any bytes', () => fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => check(Buffer.from(bytes))), { numRuns: 1_000, seed: 7 }));
  test('descriptions of lines in any order', () => {
    const line = fc.constantFrom('v=0', 'o=- 1 2 IN IP4 h', 's=-', 'c=IN IP4 192.0.2.1', 'c=IN IP6 ::1', 'c=', 't=0 0', 'm=audio 9 RTP/AVP 0 8 101', 'm=audio 0 RTP/AVP 0', 'm=audio 70000 RTP/AVP 0', 'm=video 1 RTP/AVP 31', 'a=rtpmap:101 telephone-event/8000', 'a=rtpmap:', 'a=fmtp:101', 'a=fmtp:96 0-16', 'a=ptime:x', 'a=sendonly', 'a=rtcp:1', 'a=inactive', 'x', '', '=', 'a=', 'm=');
    fc.assert(fc.property(fc.array(line, { maxLength: 20 }), fc.constantFrom('\r\n', '\n'), (lines, end) => checkSdp(Buffer.from(lines.join(end)))), { numRuns: 3_000, seed: 7 });
  });
});

describe('what is built is read again as it was', () => {
  const token = fc.stringMatching(/^[A-Za-z0-9.!*_+`'~-]{1,12}$/);
  const anyText = fc.string({ unit: 'grapheme', maxLength: 20 }).map((s) => s.replace(/[\r\n]/g, ''));

  test('a URI with any user, password, parameters and headers (RFC 3261 §19.1)', () => {
    const params = fc.dictionary(token.map((t) => t.toLowerCase()), anyText, { maxKeys: 3 }).map((d) => new Map(Object.entries(d)));
    const host = fc.constantFrom('example.com', '192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1', 'a_b.c');
    fc.assert(fc.property(fc.record({ scheme: fc.constantFrom('sip', 'sips'), user: anyText, host, port: fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined }), params, headers: params }), (uri) => {
      const whole = { ...uri, password: '' } as const;
      expect(parseUri(formatUri(whole as never))).toEqual(whole);
    }), { numRuns: 2_000, seed: 7 });
  });

  test('a display name of any text (§20.10)', () => {
    fc.assert(fc.property(anyText, token, (display, tag) => {
      expect(parseNameAddr(formatNameAddr(display, 'sip:a@b', new Map([['tag', tag]])))).toEqual({ display, uri: 'sip:a@b', params: new Map([['tag', tag]]) });
      expect(unquote(quote(display))).toBe(display);
    }), { numRuns: 2_000, seed: 7 });
  });

  test('credentials of any text (RFC 7616 §3.4)', () => {
    fc.assert(fc.property(fc.dictionary(token.map((t) => t.toLowerCase().replace(/[^a-z-]/g, 'x')), anyText, { minKeys: 1, maxKeys: 6 }), (params) => {
      expect(parseCredentials(`Digest ${Object.entries(params).map(([n, v]) => `${n}=${quote(v)}`).join(', ')}`)).toEqual({ scheme: 'digest', params: new Map(Object.entries(params)) });
    }), { numRuns: 2_000, seed: 7 });
  });

  test('Via (§20.42)', () => {
    fc.assert(fc.property(fc.constantFrom('udp', 'tcp', 'tls'), fc.constantFrom('192.0.2.1', '2001:db8::1', 'h.example'), fc.integer({ min: 1, max: 65_535 }), token, (transport, host, port, branch) => {
      expect(parseVia(formatVia(transport, host, port, branch))).toEqual({ transport: transport.toUpperCase(), host, port, params: new Map([['branch', branch], ['rport', '']]) });
    }), { numRuns: 500, seed: 7 });
  });

  test('a request with any headers and body', () => {
    fc.assert(fc.property(fc.array(fc.tuple(token.map((t) => `X-${t}`), anyText.map((t) => t.trim())), { maxLength: 8 }), fc.uint8Array({ maxLength: 200 }), (headers, body) => {
      const message = parseMessage(buildRequest({ method: 'INFO', uri: 'sip:a@b', headers, body }, 'SIP/2.0/UDP h;branch=z9hG4bK1'));
      if (message.kind === 'malformed') expect.fail(message.malformed);
      expect(requestUri(message)).toBe('sip:a@b');
      expect(Buffer.compare(bodyOf(message), Buffer.from(body))).toBe(0);
      for (const [name] of headers) expect(text(message, name.toLowerCase())).toBe(headers.find(([n]) => n.toLowerCase() === name.toLowerCase())![1]);
    }), { numRuns: 1_000, seed: 7 });
  });

  test('a description (RFC 8866)', () => {
    const format = fc.integer({ min: 0, max: 127 }).map(String);
    const media = fc.record({ kind: fc.constantFrom('audio', 'video'), port: fc.integer({ min: 0, max: 65_535 }), proto: fc.constantFrom('RTP/AVP', 'RTP/SAVP'), formats: fc.array(format, { minLength: 1, maxLength: 8 }), host: fc.constantFrom('192.0.2.1', '2001:db8::1', '192.0.2.2'), attributes: fc.array(fc.constantFrom(['ptime', '20'] as const, ['sendrecv', ''] as const, ['rtpmap', '0 PCMU/8000'] as const), { maxLength: 4 }) });
    fc.assert(fc.property(fc.array(media, { maxLength: 4 }), (list) => {
      const sdp: Sdp = { sessionId: '7', version: '8', host: '192.0.2.1', attributes: [], media: list };
      expect(parseSdp(formatSdp(sdp))).toEqual(sdp);
    }), { numRuns: 500, seed: 7 });
  });
});
