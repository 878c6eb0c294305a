// The messages of RFC 4475, one a file named as there, retyped after it (long runs of letters are shorter).

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildResponse } from '../../../src/sip/build.ts';
import { contentType, countOf, cseqOf, hasToken, nameAddr, nameAddrs, parseCredentials, retryAfterOf, tagOf, tokens, topVia } from '../../../src/sip/headers.ts';
import { bodyOf, methodOf, parseMessage, reasonOf, requestUri, text, texts } from '../../../src/sip/message.ts';
import type { Malformed, Message } from '../../../src/sip/message.ts';
import { answerable, screen } from '../../../src/sip/screen.ts';
import { parseUri } from '../../../src/sip/uri.ts';

const folder = new URL('./', import.meta.url);
const abilities = {
  methods: ['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'REGISTER', 'MESSAGE'], extensions: ['replaces'], types: ['application/sdp'], typed: ['INVITE'],
};
const bytesOf = (name: string): Buffer => readFileSync(new URL(`${name}.dat`, folder));
const load = (name: string): Message => {
  const message = parseMessage(bytesOf(name));
  if (message.kind === 'malformed') throw new Error(`${name}: ${message.malformed}`);
  return message;
};

/** What becomes of each: 'good', the status it is refused with, 'drop' for a response; 400 in the start line or header counts alike. */
const verdicts: Record<string, 'good' | 'drop' | number> = {
  // §3.1.1 valid
  wsinv: 'good', intmeth: 501, esc01: 'good', escnull: 'good', esc02: 501, lwsdisp: 'good', longreq: 'good', dblreq: 'good', semiuri: 'good',
  transports: 'good', mpart01: 'good', unreason: 'good', noreason: 'good',
  // §3.1.2 invalid
  badinv01: 400, clerr: 400, ncl: 400, scalar02: 400, scalarlg: 'drop', quotbal: 400, ltgtruri: 400, lwsruri: 400, lwsstart: 400, trws: 400,
  escruri: 'good', baddate: 'good', regbadct: 400, badaspec: 'good', baddn: 400, badvers: 505, mismatch01: 400, mismatch02: 400, bigcode: 'drop',
  // §3.2 to §3.4
  badbranch: 'good', insuf: 400, unkscm: 416, novelsc: 416, unksm2: 'good', bext01: 420, invut: 415, regaut01: 'good', multi01: 400, mcl01: 400,
  bcast: 'good', zeromf: 'good', cparam01: 'good', cparam02: 'good', regescrt: 'good', sdp01: 'good', inv2543: 'good',
};

test('each message has its verdict, and each verdict its message', () => {
  const files = readdirSync(folder).filter((f) => f.endsWith('.dat')).map((f) => f.slice(0, -4)).sort();
  expect(files).toEqual(Object.keys(verdicts).sort());
});

test.each(Object.entries(verdicts))('%s.dat: %s (RFC 4475 §3)', (name, verdict) => {
  const message = parseMessage(bytesOf(name));
  if (message.kind === 'malformed') {
    expect(verdict === 'drop' ? answerable(message) : message.status, message.malformed).toBe(verdict === 'drop' ? undefined : verdict);
    return;
  }
  const refusal = screen(message, abilities);
  if (verdict === 'drop') expect([message.kind, refusal === undefined]).toEqual(['response', false]);
  else expect(refusal?.status ?? 'good', refusal?.reason).toBe(verdict);
});

test.each(Object.keys(verdicts))('%s.dat cut anywhere, or with any byte changed to a line feed, quote or NUL, never throws', (name) => {
  const whole = bytesOf(name);
  const step = Math.max(1, Math.floor(whole.length / 300));
  for (let at = 0; at < whole.length; at += step) {
    for (const byte of [undefined, 10, 34, 0]) {
      const bytes = Buffer.from(byte === undefined ? whole.subarray(0, at) : whole);
      if (byte !== undefined) bytes[at] = byte;
      const read: Message | Malformed = parseMessage(bytes);
      const message = read.kind === 'malformed' ? answerable(read) : read;
      if (message === undefined) continue;
      const refusal = screen(message, abilities);
      if (message.kind === 'request' && topVia(message) !== undefined) {
        const response = parseMessage(buildResponse(message, refusal?.status ?? 200, { ...refusal, toTag: 'x', peer: { host: '192.0.2.1', port: 5060 } }));
        expect(response.kind, `byte ${at} set to ${byte}`).toBe('response');
      }
    }
  }
});

describe('what the valid ones say', () => {
  test('wsinv: white space and folds everywhere (§3.1.1.1)', () => {
    const m = load('wsinv');
    expect(texts(m, 'via')).toHaveLength(3);
    expect(topVia(m)).toMatchObject({ transport: 'UDP', host: '192.0.2.2' });
    expect([tagOf(m, 'to'), tagOf(m, 'from'), countOf(m, 'max-forwards'), cseqOf(m)?.number]).toEqual(['1918181833n', '98asjd8', 68, 9]);
    expect(nameAddr(m, 'from')?.display).toBe('J Rosenberg \\"');
    expect(text(m, 'subject')).toBe('');
    expect(nameAddrs(m, 'contact')?.[0]?.params.get('q')).toBe('0.33');
    expect(text(m, 'newfangledheader')).toBe('newfangled value continued newfangled value');
    expect(nameAddr(m, 'route')?.uri).toBe('sip:services.example.com;lr;unknownwith=value;unknown-no-value');
  });

  test('intmeth: every character the grammar has (§3.1.1.2)', () => {
    const m = load('intmeth');
    expect(methodOf(m)).toBe("!interesting-Method0123456789_*+`.%indeed'~");
    expect(parseUri(requestUri(m))).toMatchObject({ user: "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", password: "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)" });
    expect(nameAddr(m, 'to')?.display).toBe('BEL:\x07 NUL:\x00 DEL:\x7f');
    expect(tagOf(m, 'from')).toBe("_token~1'+`*%!-.");
    expect(nameAddr(m, 'from')?.display).toBe("token1~` token2'+_ token3*%!.-");
  });

  test('esc01, escnull, esc02, semiuri: escapes stand for their characters in URIs only (§3.1.1.3 to §3.1.1.5, §3.1.1.9)', () => {
    expect(parseUri(requestUri(load('esc01')))).toMatchObject({ user: 'sips:user@example.com', host: 'example.net' });
    expect(parseUri(nameAddr(load('esc01'), 'to')!.uri)?.user).toBe('user');
    expect([...parseUri(nameAddr(load('esc01'), 'contact')!.uri)!.params]).toEqual([['lr', ''], ['name', 'value%41']]);
    expect(nameAddrs(load('escnull'), 'contact')!.map((c) => parseUri(c.uri)?.user)).toEqual(['\0', '\0\0']);
    expect(methodOf(load('esc02'))).toBe('RE%47IST%45R');
    expect(nameAddrs(load('esc02'), 'contact')).toHaveLength(2);
    expect(nameAddr(load('esc02'), 'from')?.display).toBe('%Z%45');
    expect(parseUri(requestUri(load('semiuri')))).toMatchObject({ user: 'user;par=u@example.net', host: 'example.com' });
  });

  test('dblreq: what follows the first message in a datagram is not read (§3.1.1.8)', () => {
    expect([methodOf(load('dblreq')), bodyOf(load('dblreq')).length]).toEqual(['REGISTER', 0]);
  });

  test('lwsdisp, badaspec: a display name may touch its <, spaces inside <> are forgiven (§3.1.1.6, §3.1.2.14)', () => {
    expect(nameAddr(load('lwsdisp'), 'from')).toMatchObject({ display: 'caller', uri: 'sip:caller@example.com' });
    expect(nameAddr(load('badaspec'), 'to')).toMatchObject({ display: 'Watson, Thomas', uri: 'sip:t.watson@example.org' });
  });

  test('longreq, transports, mpart01, unreason, noreason', () => {
    expect(texts(load('longreq'), 'via')).toHaveLength(34);
    expect(texts(load('transports'), 'via')).toHaveLength(5);
    expect(bodyOf(load('mpart01')).includes(Buffer.from(Array.from({ length: 256 }, (_, i) => i)))).toBe(true);
    expect(reasonOf(load('unreason'))).toBe('= 2**3 * 5**2 но сто девяносто девять - простое');
    expect([load('noreason').status, reasonOf(load('noreason'))]).toEqual([100, '']);
  });

  test('unknown things around the known are left alone (§3.3)', () => {
    expect(tokens(load('bext01'), 'require')).toEqual(['nothingSupportsThis', 'nothingSupportsThisEither']);
    expect(screen(load('bext01'), abilities)?.headers).toEqual([['Unsupported', 'nothingSupportsThis, nothingSupportsThisEither']]);
    expect(screen(load('invut'), abilities)?.headers).toEqual([['Accept', 'application/sdp']]);
    expect(parseCredentials(text(load('regaut01'), 'authorization')!)?.scheme).toBe('nooneknowsthisscheme');
    expect(hasToken(load('sdp01'), 'accept', 'text/nobodyknowsthis')).toBe(true);
    expect(contentType(load('sdp01'))).toBe('application/sdp');
  });

  test('cparam01 and cparam02: without <> the parameter is the header’s, with them the URI’s (§3.3.13, §3.3.14)', () => {
    expect(nameAddr(load('cparam01'), 'contact')).toMatchObject({ uri: 'sip:+19725552222@gw1.example.net', params: new Map([['unknownparam', '']]) });
    expect(nameAddr(load('cparam02'), 'contact')).toMatchObject({ uri: 'sip:+19725552222@gw1.example.net;unknownparam', params: new Map() });
    expect([...parseUri(nameAddr(load('regescrt'), 'contact')!.uri)!.headers]).toEqual([['route', '<sip:sip.example.com>']]);
  });

  test('numbers beyond reason are no numbers (§3.1.2.4, §3.1.2.5)', () => {
    const m = parseMessage(bytesOf('scalarlg'));
    if (m.kind === 'malformed') throw new Error(m.malformed);
    expect([cseqOf(m), retryAfterOf(m)]).toEqual([undefined, undefined]);
  });
});
