// The messages of RFC 4475 and, in ipv6/, of RFC 5118: one a file, named as there. Those of RFC 5118 end their lines in CRLF and count their bodies, as they would
// travel: the RFC's own archive has bare line feeds, and lengths of bodies that it then does not have.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { buildResponse } from '../../../src/sip/build.ts';
import { contentType, countOf, cseqOf, hasToken, nameAddr, nameAddrs, parseCredentials, parseVia, retryAfterOf, tagOf, tokens, topVia } from '../../../src/sip/headers.ts';
import { bodyOf, methodOf, parseMessage, reasonOf, requestUri, text, texts } from '../../../src/sip/message.ts';
import type { Malformed, Message } from '../../../src/sip/message.ts';
import { answerable, screen } from '../../../src/sip/screen.ts';
import { parseUri } from '../../../src/sip/uri.ts';
import { parseSdp } from '../../../src/sdp/sdp.ts';
import { Town } from '../agent-bench.ts';

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

/** Section, file, what becomes of it in message.ts and screen.ts: 'good', the status it is refused with, 'drop' for a response; and what the whole agent sends. */
type Row = readonly [section: string, name: string, verdict: 'good' | 'drop' | number, answer: string];

const RFC4475: readonly Row[] = [
  ['3.1.1.1', 'wsinv', 'good', '481 INVITE'], ['3.1.1.2', 'intmeth', 501, '501 !interesting-Method0123456789_*+`.%indeed\'~'], ['3.1.1.3', 'esc01', 'good', '180 INVITE'], ['3.1.1.4', 'escnull', 'good', '405 REGISTER'],
  ['3.1.1.5', 'esc02', 501, '501 RE%47IST%45R'], ['3.1.1.6', 'lwsdisp', 'good', '200 OPTIONS'], ['3.1.1.7', 'longreq', 'good', '180 INVITE'], ['3.1.1.8', 'dblreq', 'good', '405 REGISTER'],
  ['3.1.1.9', 'semiuri', 'good', '200 OPTIONS'], ['3.1.1.10', 'transports', 'good', '200 OPTIONS'], ['3.1.1.11', 'mpart01', 'good', '403 MESSAGE'], ['3.1.1.12', 'unreason', 'good', 'nothing'],
  ['3.1.1.13', 'noreason', 'good', 'nothing'],
  ['3.1.2.1', 'badinv01', 400, '400 INVITE'], ['3.1.2.2', 'clerr', 400, '400 INVITE'], ['3.1.2.3', 'ncl', 400, '400 INVITE'], ['3.1.2.4', 'scalar02', 400, '400 REGISTER'],
  ['3.1.2.5', 'scalarlg', 'drop', 'nothing'], ['3.1.2.6', 'quotbal', 400, '400 INVITE'], ['3.1.2.7', 'ltgtruri', 400, '400 INVITE'], ['3.1.2.8', 'lwsruri', 400, '400 INVITE'],
  ['3.1.2.9', 'lwsstart', 400, '400 INVITE'], ['3.1.2.10', 'trws', 400, '400 OPTIONS'], ['3.1.2.11', 'escruri', 'good', '180 INVITE'], ['3.1.2.12', 'baddate', 'good', '180 INVITE'],
  ['3.1.2.13', 'regbadct', 400, '400 REGISTER'], ['3.1.2.14', 'badaspec', 'good', '200 OPTIONS'], ['3.1.2.15', 'baddn', 400, '400 OPTIONS'], ['3.1.2.16', 'badvers', 505, '505 OPTIONS'],
  ['3.1.2.17', 'mismatch01', 400, '400 INVITE'], ['3.1.2.18', 'mismatch02', 400, '400 INVITE'], ['3.1.2.19', 'bigcode', 'drop', 'nothing'],
  ['3.2.1', 'badbranch', 'good', '200 OPTIONS'],
  ['3.3.1', 'insuf', 400, '400 INVITE'], ['3.3.2', 'unkscm', 416, '416 OPTIONS'], ['3.3.3', 'novelsc', 416, '416 OPTIONS'], ['3.3.4', 'unksm2', 'good', '405 REGISTER'],
  ['3.3.5', 'bext01', 420, '420 OPTIONS'], ['3.3.6', 'invut', 415, '415 INVITE'], ['3.3.7', 'regaut01', 'good', '405 REGISTER'], ['3.3.8', 'multi01', 400, '400 INVITE'],
  ['3.3.9', 'mcl01', 400, '400 OPTIONS'], ['3.3.10', 'bcast', 'good', 'nothing'], ['3.3.11', 'zeromf', 'good', '200 OPTIONS'], ['3.3.12', 'cparam01', 'good', '405 REGISTER'],
  ['3.3.13', 'cparam02', 'good', '405 REGISTER'], ['3.3.14', 'regescrt', 'good', '405 REGISTER'], ['3.3.15', 'sdp01', 406, '406 INVITE'], ['3.4.1', 'inv2543', 'good', '180 INVITE'],
];

const RFC5118: readonly Row[] = [
  ['4.1', 'ipv6/ipv6-good', 'good', '405 REGISTER'], ['4.2', 'ipv6/ipv6-bad', 400, '400 REGISTER'], ['4.3', 'ipv6/port-ambiguous', 'good', '405 REGISTER'], ['4.4', 'ipv6/port-unambiguous', 'good', '405 REGISTER'],
  ['4.5', 'ipv6/via-received-param-with-delim', 'good', '481 BYE'], ['4.5', 'ipv6/via-received-param-no-delim', 'good', '200 OPTIONS'], ['4.6', 'ipv6/ipv6-in-sdp', 'good', '180 INVITE'],
  ['4.7', 'ipv6/mult-ip-in-header', 'good', '481 BYE'], ['4.8', 'ipv6/mult-ip-in-sdp', 'good', '180 INVITE'], ['4.9', 'ipv6/ipv4-mapped-ipv6', 'good', '180 INVITE'],
  ['4.10', 'ipv6/ipv6-bug-abnf-3-colons', 'good', '200 OPTIONS'], ['4.10', 'ipv6/ipv6-correct-abnf-2-colons', 'good', '200 OPTIONS'],
];
const rows = [...RFC4475.map((row) => ['RFC 4475', ...row] as const), ...RFC5118.map((row) => ['RFC 5118', ...row] as const)];

test('each message has its row, each row its message; no section is left out', () => {
  const list = (under: string): string[] => readdirSync(new URL(under, folder)).filter((f) => f.endsWith('.dat')).map((f) => `${under}${f.slice(0, -4)}`.replace('./', ''));
  expect([...list('./'), ...list('ipv6/')].sort()).toEqual(rows.map(([, , name]) => name).sort());
  const upTo = (section: string, n: number): string[] => Array.from({ length: n }, (_, i) => `${section}.${i + 1}`);
  expect(RFC4475.map(([section]) => section)).toEqual([...upTo('3.1.1', 13), ...upTo('3.1.2', 19), '3.2.1', ...upTo('3.3', 15), '3.4.1']);
  expect([...new Set(RFC5118.map(([section]) => section))]).toEqual(upTo('4', 10));
});

test.each(rows)('%s §%s %s.dat: %s', (_, _section, name, verdict) => {
  const message = parseMessage(bytesOf(name));
  if (message.kind === 'malformed') {
    expect(verdict === 'drop' ? answerable(message) : message.status, message.malformed).toBe(verdict === 'drop' ? undefined : verdict);
    return;
  }
  const refusal = screen(message, abilities);
  if (verdict === 'drop') expect([message.kind, refusal === undefined]).toEqual(['response', false]);
  else expect(refusal?.status ?? 'good', refusal?.reason).toBe(verdict);
});

test.each(rows.map(([rfc, section, name, , answer]) => [rfc, section, name, answer] as const))('%s §%s %s.dat: a whole agent sends %s', async (_, _section, name, answer) => {
  const town = new Town();
  const phone = await town.phone('10.0.0.1');
  phone.onCall = (call) => call.progress(180);
  const socket = await town.wire.host('10.0.0.2').udp({ host: '', port: 5060 }, { onDatagram: () => undefined, onError: () => undefined });
  socket.send(bytesOf(name), { host: '10.0.0.1', port: 5060 });
  await town.run(400);
  expect(town.sentBy('10.0.0.1').join(', ') || 'nothing').toBe(answer);
});

test.each(rows.map(([, , name]) => name))('%s.dat cut anywhere, or with any byte changed to a line feed, quote or NUL, never throws', (name) => {
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
    expect([bodyOf(load('mpart01')).length, bodyOf(load('mpart01')).indexOf(Buffer.from('30820152', 'hex')), bodyOf(load('mpart01')).includes(0)]).toEqual([553, 187, true]);
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

  test('IPv6 addresses stand where they are read: in Request-URI, Via, received and SDP (RFC 5118 §4)', () => {
    const uriOf = (name: string) => parseUri(requestUri(load(`ipv6/${name}`)));
    expect(uriOf('ipv6-good')).toMatchObject({ host: '2001:db8::10', port: undefined });
    expect(uriOf('port-ambiguous')).toMatchObject({ host: '2001:db8::10:5070', port: undefined }); // §4.3: inside the brackets it is address
    expect(uriOf('port-unambiguous')).toMatchObject({ host: '2001:db8::10', port: 5070 });
    for (const colons of ['bug-abnf-3', 'correct-abnf-2']) expect(uriOf(`ipv6-${colons}-colons`)?.host).toBe('2001:db8::192.0.2.1'); // §4.10: tolerated
    expect(topVia(load('ipv6/via-received-param-with-delim'))).toMatchObject({ host: '2001:db8::9:1', params: new Map([['received', '[2001:db8::9:255]'], ['branch', 'z9hG4bKas3-111']]) });
    expect([...topVia(load('ipv6/via-received-param-no-delim'))!.params]).toEqual([['received', '2001:db8::9:255'], ['branch', 'z9hG4bKas3']]);
    expect(texts(load('ipv6/mult-ip-in-header'), 'via').map((v) => [parseVia(v)?.host, parseVia(v)?.port])).toEqual([['2001:db8::9:1', 6050], ['192.0.2.1', undefined], ['2001:db8::9:255', undefined]]);
    expect(topVia(load('ipv6/ipv4-mapped-ipv6'))).toMatchObject({ host: '::ffff:192.0.2.10', port: 19823 });
    const hosts = (name: string) => {
      const sdp = parseSdp(bodyOf(load(`ipv6/${name}`)));
      return 'malformed' in sdp ? sdp.malformed : sdp.media.map((m) => m.host);
    };
    expect(hosts('ipv6-in-sdp')).toEqual(['2001:db8::20', '2001:db8::20']);
    expect(hosts('mult-ip-in-sdp')).toEqual(['192.0.2.1', '2001:db8::1']);
    expect(hosts('ipv4-mapped-ipv6')).toEqual(['::ffff:192.0.2.2', '::ffff:192.0.2.2']);
  });

  test('numbers beyond reason are no numbers (§3.1.2.4, §3.1.2.5)', () => {
    const m = parseMessage(bytesOf('scalarlg'));
    if (m.kind === 'malformed') throw new Error(m.malformed);
    expect([cseqOf(m), retryAfterOf(m)]).toEqual([undefined, undefined]);
  });
});
