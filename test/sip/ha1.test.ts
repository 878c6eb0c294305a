import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DigestClient } from '../../src/sip/digest.ts';
import { hashesFor } from '../../src/sip/ha1.ts';
import { parseMessage, type Message } from '../../src/sip/message.ts';
import { FakeRandom } from '../fakes/random.ts';

const refusal = (...challenges: string[]): Message =>
  parseMessage(Buffer.from(`SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n${challenges.map((c) => `${c}\r\n`).join('')}Content-Length: 0\r\n\r\n`)) as Message;
const challenge = (algorithm: string, realm = 'pbx', header = 'WWW'): string => `${header}-Authenticate: Digest realm="${realm}", nonce="n", qop="auth", algorithm=${algorithm}`;
const asked = (...challenges: string[]): DigestClient => {
  const client = new DigestClient(new FakeRandom(3), 'alice', 'secret');
  client.learn(refusal(...challenges));
  return client;
};
const hash = (name: string, realm: string): string => createHash(name).update(`alice:${realm}:secret`).digest('hex');

describe('the hashes a password is kept by (RFC 7616 §3.4.2)', () => {
  test('nobody asked: none', () => {
    expect(hashesFor(asked(), 'alice', 'secret')).toBe('');
  });

  test('that of the algorithm asked for and of the stronger ones, never of a weaker one', () => {
    const of = (algorithm: string) => hashesFor(asked(challenge(algorithm)), 'alice', 'secret');
    expect(of('SHA-256')).toBe(`SHA-512-256:pbx:${hash('sha512-256', 'pbx')} SHA-256:pbx:${hash('sha256', 'pbx')}`);
    expect(of('md5-sess')).toBe(`${of('SHA-256')} MD5:pbx:${hash('md5', 'pbx')}`);
  });

  test('of every realm that asked, once', () => {
    const all = hashesFor(asked(challenge('SHA-512-256'), challenge('SHA-512-256', 'pbx', 'Proxy'), challenge('SHA-512-256', 'my: realm', 'Proxy')), 'alice', 'secret');
    expect(all.split(/ (?=SHA)/)).toEqual([`SHA-512-256:pbx:${hash('sha512-256', 'pbx')}`, `SHA-512-256:my: realm:${hash('sha512-256', 'my: realm')}`]);
  });

  test('they prove what the password proves', () => {
    const kept = new DigestClient(new FakeRandom(5), 'alice', '', hashesFor(asked(challenge('MD5'), challenge('MD5', 'my: realm', 'Proxy')), 'alice', 'secret')), plain = new DigestClient(new FakeRandom(5), 'alice', 'secret');
    for (const client of [kept, plain]) expect(client.learn(refusal(challenge('SHA-256'), challenge('MD5', 'my: realm', 'Proxy')))).toBe('retry');
    expect(kept.headers('INVITE', 'sip:b')).toEqual(plain.headers('INVITE', 'sip:b'));
  });

  test('a realm that cannot be written into the settings: none, the password must stay', () => {
    expect(hashesFor(asked(challenge('MD5'), challenge('MD5', 'a\\"b', 'Proxy')), 'alice', 'secret')).toBe('');
  });
});
