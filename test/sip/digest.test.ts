import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { FakeClock } from '../fakes/clock.ts';
import { FakeRandom } from '../fakes/random.ts';
import { authorization, DigestClient, DigestServer, digestResponse, pickChallenges } from '../../src/sip/digest.ts';
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

test('the example of RFC 7616 §3.9.2 with userhash comes out as its erratum 4897 prints it (the RFC itself cut SHA-512 short)', () => {
  const line = authorization(
    { scheme: 'digest', proxy: false, params: new Map([['realm', 'api@example.org'], ['qop', 'auth'], ['algorithm', 'SHA-512-256'], ['nonce', '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK'],
      ['opaque', 'HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS'], ['charset', 'UTF-8'], ['userhash', 'true']]) },
    { user: 'J\u00e4s\u00f8n Doe', password: 'Secret, or not?', method: 'GET', uri: '/doe.json' }, 1, 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v');
  expect(Object.fromEntries(parseCredentials(line)!.params)).toEqual({
    username: '793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b', realm: 'api@example.org', uri: '/doe.json', algorithm: 'SHA-512-256',
    nonce: '5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK', nc: '00000001', cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v', qop: 'auth',
    response: '3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5', opaque: 'HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS', userhash: 'true',
  });
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

describe('what a server says of itself (RFC 7616 §3.5)', () => {
  const md5 = (words: string): string => createHash('md5').update(words).digest('hex');
  const challenge = 'WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth"';
  const ok = (...lines: string[]): Message => refusal(...lines); // only its lines count
  const asked = (): { one: DigestClient; cnonce: string; rspauth: string } => {
    const one = new DigestClient(new FakeRandom(3), 'alice', 'secret');
    one.learn(refusal(challenge));
    const cnonce = parseCredentials(one.headers('REGISTER', 'sip:r')[0]![1])!.params.get('cnonce')!;
    return { one, cnonce, rspauth: md5(`${md5('alice:r:secret')}:n1:00000001:${cnonce}:auth:${md5(':sip:r')}`) };
  };

  test('the next nonce is used at once, its count begins anew, and a challenge to its first use is no wrong password', () => {
    const { one, cnonce, rspauth } = asked();
    expect(one.confirms(ok(`Authentication-Info: nextnonce="n2", qop=auth, rspauth="${rspauth}", cnonce="${cnonce}", nc=00000001`))).toBe(true);
    const next = parseCredentials(one.headers('REGISTER', 'sip:r')[0]![1])!.params;
    expect([next.get('nonce'), next.get('nc')]).toEqual(['n2', '00000001']);
    expect(one.learn(refusal(challenge))).toBe('retry');
  });

  test('who answers without knowing the password is found out, and his nonce is not taken', () => {
    const { one, cnonce, rspauth } = asked();
    const wrong = rspauth.replace(/^./, (c) => (c === '0' ? '1' : '0'));
    expect(one.confirms(ok(`Authentication-Info: nextnonce="n2", qop=auth, rspauth="${wrong}", cnonce="${cnonce}", nc=00000001`))).toBe(false);
    expect(parseCredentials(one.headers('REGISTER', 'sip:r')[0]![1])!.params.get('nonce')).toBe('n1');
  });

  test('an answer to another request of ours, none at all, or nonsense says nothing', () => {
    const { one } = asked();
    for (const line of ['Authentication-Info: rspauth="00", cnonce="other", nc=00000001', 'Authentication-Info: ', 'Authentication-Info: "', 'Proxy-Authentication-Info: nextnonce="x"', 'Server: x']) {
      expect(one.confirms(ok(line))).toBe(true);
    }
    expect(parseCredentials(one.headers('REGISTER', 'sip:r')[0]![1])!.params.get('nonce')).toBe('n1');
  });

  test('auth-int covers the body of the answer', () => {
    const one = new DigestClient(new FakeRandom(3), 'alice', 'secret');
    one.learn(refusal('WWW-Authenticate: Digest realm="r", nonce="n1", qop="auth-int"'));
    const cnonce = parseCredentials(one.headers('REGISTER', 'sip:r')[0]![1])!.params.get('cnonce')!;
    const rspauth = md5(`${md5('alice:r:secret')}:n1:00000001:${cnonce}:auth-int:${md5(`:sip:r:${md5('words')}`)}`);
    const answered = (body: string): Message => message(`SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nAuthentication-Info: qop=auth-int, rspauth="${rspauth}", cnonce="${cnonce}", nc=00000001\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(one.confirms(answered('words'))).toBe(true);
    expect(one.confirms(answered('other'))).toBe(false);
  });
});

describe('a hash in place of the password', () => {
  const md5 = (words: string): string => createHash('md5').update(words).digest('hex');
  const secret = md5('alice:my: realm:secret');
  const one = (password = ''): DigestClient => new DigestClient(new FakeRandom(3), 'alice', password, `MD5:my: realm:${secret.toUpperCase()}`);
  const challenge = (algorithm: string, realm = 'my: realm'): string => `WWW-Authenticate: Digest realm="${realm}", nonce="n", qop="auth", algorithm=${algorithm}`;

  test.each(['MD5', 'MD5-sess'])('answers %s as the password would', (algorithm) => {
    const known = one(), plain = new DigestClient(new FakeRandom(3), 'alice', 'secret');
    for (const client of [known, plain]) expect(client.learn(refusal(challenge(algorithm)))).toBe('retry');
    expect(known.headers('REGISTER', 'sip:b')).toEqual(plain.headers('REGISTER', 'sip:b'));
  });

  test('is good for its own algorithm and realm only: the stronger challenge is passed over, another realm is not answered', () => {
    const known = one();
    expect(known.learn(refusal(challenge('SHA-256'), challenge('MD5')))).toBe('retry');
    expect(parseCredentials(known.headers('REGISTER', 'sip:b')[0]![1])!.params.get('algorithm')).toBe('MD5');
    expect(one().learn(refusal(challenge('SHA-256')))).toBe('unsupported');
    expect(one().learn(refusal(challenge('MD5', 'other')))).toBe('unsupported');
    expect(one('secret').learn(refusal(challenge('MD5', 'other')))).toBe('retry');
  });

  test('what it is not good for is told apart from what nobody could answer', () => {
    const lacks = (header: string, client = one()): boolean => (client.learn(refusal(header)), client.lacking);
    expect([challenge('MD5'), challenge('SHA-256'), challenge('MD5', 'other'), 'WWW-Authenticate: Basic realm="b"', challenge('MD4')].map((c) => lacks(c))).toEqual([false, true, true, false, false]);
    expect(lacks(challenge('SHA-256'), one('secret'))).toBe(false);
  });

  test('of several each is used for its own realm and algorithm, the strongest first', () => {
    const client = new DigestClient(new FakeRandom(3), 'alice', '', `MD5:my: realm:${secret} SHA-256:my: realm:${'ab'.repeat(32)} MD5:b:${md5('alice:b:secret')}`);
    const used = (): string[] => client.headers('INVITE', 'sip:x').map(([name, line]) => { const { params } = parseCredentials(line)!; return `${name} ${params.get('realm')} ${params.get('algorithm')}`; });
    expect(client.learn(refusal(challenge('MD5'), challenge('SHA-256'), challenge('SHA-512-256'), challenge('MD5', 'b')))).toBe('retry');
    expect(used()).toEqual(['Authorization my: realm SHA-256', 'Authorization b MD5']);
  });

  test('a password that is given counts before it: it is the newer one', () => {
    const given = new DigestClient(new FakeRandom(3), 'alice', 'changed', `MD5:my: realm:${secret}`), plain = new DigestClient(new FakeRandom(3), 'alice', 'changed');
    for (const client of [given, plain]) client.learn(refusal(challenge('MD5')));
    expect(given.headers('REGISTER', 'sip:b')).toEqual(plain.headers('REGISTER', 'sip:b'));
  });
});

test('servers and proxies that challenge in one response are each answered, each with the strongest it offers (RFC 3261 §22.3, RFC 8760 §2.4)', () => {
  const one = new DigestClient(new FakeRandom(3), 'alice', 'secret');
  const realm = (name: string, header: string, algorithm: string): string => `${header}-Authenticate: Digest realm="${name}", nonce="${name}-${algorithm}", qop="auth", algorithm=${algorithm}`;
  expect(one.learn(refusal(realm('a', 'WWW', 'MD5'), realm('a', 'WWW', 'SHA-256'), realm('b', 'WWW', 'MD5'), realm('a', 'Proxy', 'MD5'), realm('c', 'Proxy', 'SHA-512-256'), realm('c', 'Proxy', 'MD5')))).toBe('retry');
  expect(one.headers('INVITE', 'sip:x').map(([name, line]) => `${name} ${parseCredentials(line)!.params.get('nonce')}`)).toEqual([
    'Authorization a-SHA-256', 'Authorization b-MD5', 'Proxy-Authorization a-MD5', 'Proxy-Authorization c-SHA-512-256']);
});

test('a first REGISTER may name user and realm with nonce and response empty, until the first challenge (3GPP TS 24.229 §5.1.1.2)', () => {
  const one = new DigestClient(new FakeRandom(3), 'alice', 'secret', '', 'ims.example');
  expect(one.headers('INVITE', 'sip:x')).toEqual([]);
  expect(one.headers('REGISTER', 'sip:ims.example')).toEqual([['Authorization', 'Digest username="alice", realm="ims.example", nonce="", uri="sip:ims.example", response=""']]);
  expect(one.learn(refusal('WWW-Authenticate: Digest realm="ims.example", nonce="n1", qop="auth"'))).toBe('retry');
  expect(parseCredentials(one.headers('REGISTER', 'sip:ims.example')[0]![1])!.params.get('nc')).toBe('00000001');
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
    for (const index of [0, 1]) {
      clock.advance(1);
      expect(server.verify(request(answer('door', 'open sesame', index)), passwordOf)).toEqual({ verdict: 'ok', user: 'door' });
    }
  });

  test('a nonce may be used again with a higher count, not with the same or a lower one (RFC 7616 §3.4)', () => {
    clock.advance(1);
    const caller = new DigestClient(new FakeRandom(9), 'door', 'open sesame');
    caller.learn(refusal(`WWW-Authenticate: ${server.challenge(request())[0]![1]}`));
    const [first, second] = [1, 2].map(() => request(`Authorization: ${caller.headers('INVITE', 'sip:p@h')[0]![1]}\r\n`));
    expect(server.verify(second!, passwordOf).verdict).toBe('ok');
    expect(server.verify(first!, passwordOf).verdict).toBe('stale');
    expect(server.verify(second!, passwordOf).verdict).toBe('stale');
    expect(server.verify(request(`Authorization: ${caller.headers('INVITE', 'sip:p@h')[0]![1]}\r\n`), passwordOf).verdict).toBe('ok');
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
    clock.advance(1);
    const good = request(answer('door', 'open sesame'));
    clock.advance(30_000);
    expect(server.verify(good, passwordOf).verdict).toBe('ok');
    expect(server.verify(good, passwordOf), 'a replay: its nonce count was used (RFC 7616 §3.4)').toEqual({ verdict: 'stale' });
    clock.advance(1);
    expect(server.verify(good, passwordOf)).toEqual({ verdict: 'stale' });
    expect(server.challenge(request(), true)[0]![1]).toContain('stale=true');
  });
});
