import { describe, expect, test } from 'vitest';
import { FakeClock } from '../fakes/clock.ts';
import { FakeRandom } from '../fakes/random.ts';
import { DigestClient, DigestServer, digestResponse, pickChallenges } from '../../src/sip/digest.ts';
import { challenges, parseCredentials } from '../../src/sip/headers.ts';
import { parseMessage } from '../../src/sip/message.ts';
import type { Message } from '../../src/sip/message.ts';

const mufasa = {
  user: 'Mufasa', realm: 'http-auth@example.org', nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v', method: 'GET', uri: '/dir/index.html',
  nc: '00000001', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ', password: 'Circle of Life',
};

test('the examples of RFC 7616 §3.9.1 and §3.9.2, RFC 2617 §3.5, and RFC 2069 come out as printed', () => {
  expect(digestResponse({ ...mufasa, algorithm: 'MD5', qop: 'auth' })).toBe('8ca523f5e9506fed4657c9700eebdbec');
  expect(digestResponse({ ...mufasa, algorithm: 'SHA-256', qop: 'auth' })).toBe('753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1');
  const old = { user: 'Mufasa', password: 'Circle Of Life', realm: 'testrealm@host.com', nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093', method: 'GET', uri: '/dir/index.html', nc: '00000001', cnonce: '0a4f113b' };
  expect(digestResponse({ ...old, algorithm: '', qop: 'auth' })).toBe('6629fae49393a05397450978507c4ef1');
  expect(digestResponse({ ...old, algorithm: 'MD5', qop: '' })).toBe('670fd8c2df070c60b045671b8b24ff02');
  expect(digestResponse({ ...old, algorithm: 'MD6', qop: 'auth' })).toBeUndefined();
});

const message = (text: string): Message => {
  const read = parseMessage(Buffer.from(text));
  if (read.kind === 'malformed') throw new Error(read.malformed);
  return read;
};
const refusal = (...lines: string[]): Message =>
  message(`SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n${lines.join('\r\n')}\r\n\r\n`);

describe('a client', () => {
  const client = (): DigestClient => new DigestClient(new FakeRandom(3), 'al"ice', 'secret');
  const params = (headers: readonly (readonly [string, string])[]) => parseCredentials(headers[0]![1])!.params;

  test('has nothing to say before a challenge, then counts the use of the nonce (RFC 7616 §3.4)', () => {
    const one = client();
    expect(one.headers('REGISTER', 'sip:b')).toEqual([]);
    expect(one.learn(refusal('WWW-Authenticate: Digest realm="b", nonce="n1", qop="auth,auth-int", opaque="o", algorithm=MD5'))).toBe('retry');
    const first = params(one.headers('REGISTER', 'sip:b')), second = params(one.headers('REGISTER', 'sip:b'));
    expect([first.get('nc'), second.get('nc')]).toEqual(['00000001', '00000002']);
    expect(first.get('cnonce')).not.toBe(second.get('cnonce'));
    expect(Object.fromEntries(first)).toMatchObject({ username: 'al"ice', realm: 'b', nonce: 'n1', uri: 'sip:b', qop: 'auth', opaque: 'o', algorithm: 'MD5' });
    expect(first.get('response')).toBe(digestResponse({
      user: 'al"ice', password: 'secret', realm: 'b', nonce: 'n1', method: 'REGISTER', uri: 'sip:b', algorithm: 'MD5', qop: 'auth', nc: '00000001', cnonce: first.get('cnonce')!,
    }));
  });

  test('answers the strongest algorithm it knows, whatever the order (RFC 8760 §2.4)', () => {
    const list = (...algorithms: string[]) => pickChallenges(challenges(refusal(...algorithms.map((a) => `WWW-Authenticate: Digest realm="r", nonce="${a}", qop="auth", algorithm=${a}`)))).map((c) => c.params.get('algorithm'));
    expect(list('MD5', 'SHA-256')).toEqual(['SHA-256']);
    expect(list('SHA-256', 'MD5', 'SHA-512-256')).toEqual(['SHA-512-256']);
    expect(list('AKAv1-MD5', 'md5')).toEqual(['md5']);
    expect(list('SHA-3')).toEqual([]);
  });

  test('a second challenge to a fresh nonce means a wrong password; stale or a used nonce do not (RFC 7616 §3.3)', () => {
    const challenge = (nonce: string, more = ''): Message => refusal(`WWW-Authenticate: Digest realm="b", nonce="${nonce}", qop="auth"${more}`);
    const one = client();
    expect(one.learn(challenge('n1'))).toBe('retry');
    one.headers('REGISTER', 'sip:b');
    expect(one.learn(challenge('n2', ', stale=TRUE'))).toBe('retry');
    one.headers('REGISTER', 'sip:b');
    one.headers('REGISTER', 'sip:b');
    expect(one.learn(challenge('n3'))).toBe('retry');
    one.headers('REGISTER', 'sip:b');
    expect(one.learn(challenge('n4'))).toBe('refused');
  });

  test('a proxy and a registrar are answered side by side, each in its own header (RFC 3261 §22.3)', () => {
    const one = client();
    one.learn(refusal('WWW-Authenticate: Digest realm="reg", nonce="a"'));
    one.learn(refusal('Proxy-Authenticate: Digest realm="prx", nonce="b", qop="auth"'));
    expect(one.headers('INVITE', 'sip:x').map(([name]) => name)).toEqual(['Authorization', 'Proxy-Authorization']);
  });

  test('Basic, no challenge at all, and unknown protection are not supported', () => {
    expect(client().learn(refusal('WWW-Authenticate: Basic realm="b"'))).toBe('unsupported');
    expect(client().learn(refusal('Server: x'))).toBe('unsupported');
    expect(client().learn(refusal('WWW-Authenticate: Digest realm="b", nonce="n", qop="token"'))).toBe('unsupported');
  });

  test('auth-int covers the body, -sess the nonces (RFC 7616 §3.4.2, §3.4.3)', () => {
    const one = client();
    one.learn(refusal('WWW-Authenticate: Digest realm="b", nonce="n", qop="auth-int", algorithm=MD5-sess'));
    const p = params(one.headers('INVITE', 'sip:b', Buffer.from('v=0')));
    expect(p.get('qop')).toBe('auth-int');
    expect(p.get('response')).toBe(digestResponse({
      user: 'al"ice', password: 'secret', realm: 'b', nonce: 'n', method: 'INVITE', uri: 'sip:b', algorithm: 'MD5-sess', qop: 'auth-int', nc: '00000001', cnonce: p.get('cnonce')!, body: Buffer.from('v=0'),
    }));
  });
});

describe('a server', () => {
  const clock = new FakeClock();
  const server = new DigestServer(clock, new FakeRandom(5), 'phone');
  const request = (more = '', callId = 'c1'): Message =>
    message(`INVITE sip:p@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:p@h>\r\nCall-ID: ${callId}\r\nCSeq: 1 INVITE\r\n${more}\r\n`);
  const passwordOf = (user: string): string | undefined => (user === 'door' ? 'open sesame' : undefined);
  /** The answer of a caller to a challenge. */
  const answer = (user: string, password: string, index = 0, method = 'INVITE'): string => {
    const caller = new DigestClient(new FakeRandom(9), user, password);
    const [name, value] = server.challenge(request())[index]!;
    caller.learn(refusal(`${name}: ${value}`));
    const [header, credentials] = caller.headers(method, 'sip:p@h')[0]!;
    return `${header}: ${credentials}\r\n`;
  };

  test('offers SHA-256 before MD5 and takes either (RFC 8760 §2.3)', () => {
    expect(server.challenge(request()).map(([, value]) => /algorithm=([\w-]+)/.exec(value)?.[1])).toEqual(['SHA-256', 'MD5']);
    for (const index of [0, 1]) expect(server.verify(request(answer('door', 'open sesame', index)), passwordOf)).toEqual({ verdict: 'ok', user: 'door' });
  });

  test('turns down a wrong password, an unknown user, another method, another call, a made-up nonce, and nothing', () => {
    const good = answer('door', 'open sesame');
    expect(server.verify(request(answer('door', 'open')), passwordOf)).toEqual({ verdict: 'wrong' });
    expect(server.verify(request(answer('dog', 'open sesame')), passwordOf)).toEqual({ verdict: 'wrong' });
    expect(server.verify(request(answer('door', 'open sesame', 0, 'BYE')), passwordOf)).toEqual({ verdict: 'wrong' });
    expect(server.verify(request(good, 'c2'), passwordOf)).toEqual({ verdict: 'wrong' });
    expect(server.verify(request(good.replace(/nonce="0/, 'nonce="1')), passwordOf)).toEqual({ verdict: 'wrong' });
    expect(server.verify(request('Authorization: Digest rubbish\r\n'), passwordOf)).toEqual({ verdict: 'absent' });
    expect(server.verify(request(), passwordOf)).toEqual({ verdict: 'absent' });
  });

  test('calls right credentials stale when the nonce is older than its life (RFC 7616 §3.3)', () => {
    const good = request(answer('door', 'open sesame'));
    clock.advance(30_000);
    expect(server.verify(good, passwordOf).verdict).toBe('ok');
    clock.advance(1);
    expect(server.verify(good, passwordOf)).toEqual({ verdict: 'stale' });
    expect(server.challenge(request(), true)[0]![1]).toContain('stale=true');
  });
});
