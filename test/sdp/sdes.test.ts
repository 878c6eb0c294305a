import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerOffer, applyAnswer, makeOffer } from '../../src/sdp/offer.ts';
import { createSdes } from '../../src/sdp/sdes.ts';
import type { Attribute, SdpMedia } from '../../src/sdp/sdp.ts';
import type { Encryption, Keys, LocalMedia } from '../../src/sdp/types.ts';
import { FakeRandom } from '../fakes/random.ts';

const KEY = Buffer.alloc(30, 1).toString('base64'), OTHER = Buffer.alloc(30, 2).toString('base64'), LONG = Buffer.alloc(46, 3).toString('base64'), GCM = Buffer.alloc(28, 4).toString('base64');
const lines = (...values: string[]): Attribute[] => values.map((value) => ['crypto', value]);
const NO_FIT = 'the keys of the answer fit none of ours';
const keyIn = (line: string) => /inline:(\S+)/.exec(line)![1]!;
const sdes = () => createSdes(new FakeRandom(7));
const audio = (attributes: readonly Attribute[]): SdpMedia => ({ kind: 'audio', port: 4000, proto: 'RTP/SAVP', formats: ['0'], host: undefined, attributes });
/** Our answer to a line of theirs alone. */
const answer = (theirs: readonly Attribute[], last: readonly Attribute[] = [], seed = 7): Keys | undefined => {
  const { keys } = createSdes(new FakeRandom(seed)).choices([audio(theirs)], 'offered', audio(last))[0]!;
  return typeof keys === 'object' ? keys : undefined;
};
const agreed = (ours: readonly Attribute[], theirs: readonly Attribute[]) => sdes().agreed(audio(ours), audio(theirs), 'offered');

describe('a line', () => {
  test.each([
    ['as it should be', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`, {}],
    ['with a lifetime (RFC 4568 §6.1)', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|2^20`, {}],
    ['with a lifetime in digits', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|1048576`, {}],
    ['with lifetime and MKI', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|2^20|1:4`, { mki: '00000001' }],
    ['with an MKI alone', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|66051:3`, { mki: '010203' }],
    ['with a window size (§6.3.6)', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} WSH=128`, {}],
    ['that derives once (§6.3.1)', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} KDR=0`, {}],
    ['with a parameter that may be passed over', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} -NEW=1 WSH=64`, {}],
    ['with tabs and small letters', `1\taes_cm_128_hmac_sha1_80 \t INLINE:${KEY}`, {}],
    ['of a short tag', `1 AES_CM_128_HMAC_SHA1_32 inline:${KEY}`, { suite: 'AES_CM_128_HMAC_SHA1_32' }],
    ['of 256 bits (RFC 6188 §4)', `1 AES_256_CM_HMAC_SHA1_80 inline:${LONG}`, { suite: 'AES_256_CM_HMAC_SHA1_80', receive: LONG }],
    ['of 256 bits under the name of a draft', `1 AES_CM_256_HMAC_SHA1_80 inline:${LONG}`, { suite: 'AES_256_CM_HMAC_SHA1_80', receive: LONG }],
    ['of GCM (RFC 7714 §14)', `1 AEAD_AES_128_GCM inline:${GCM}`, { suite: 'AEAD_AES_128_GCM', receive: GCM }],
  ])('%s is taken', (_, value, more) => {
    expect(answer(lines(value))?.crypto).toMatchObject({ suite: 'AES_CM_128_HMAC_SHA1_80', receive: KEY, ...more });
  });

  test.each([
    ['an unknown suite', `1 F8_128_HMAC_SHA1_80 inline:${KEY}`],
    ['a suite by a name of all objects', `1 constructor inline:${KEY}`],
    ['a key too short', `1 AES_CM_128_HMAC_SHA1_80 inline:${GCM}`],
    ['a key too long', `1 AES_CM_128_HMAC_SHA1_80 inline:${LONG}`],
    ['no key', '1 AES_CM_128_HMAC_SHA1_80'],
    ['another method', `1 AES_CM_128_HMAC_SHA1_80 uri:${KEY}`],
    ['several keys (§6.1)', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|1:1;inline:${OTHER}|2:1`],
    ['an MKI longer than its length', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|256:1`],
    ['an MKI of no length', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|0:0`],
    ['an MKI of 200 bytes', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}|1:200`],
    ['sound in clear (§6.3.2)', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} UNENCRYPTED_SRTP`],
    ['reports in clear', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} UNENCRYPTED_SRTCP`],
    ['no authentication (§6.3.3)', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} UNAUTHENTICATED_SRTP`],
    ['further derivation', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} KDR=16`],
    ['a parameter that nobody knows (§6.3.7)', `1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} NEW=1`],
    ['no tag', `AES_CM_128_HMAC_SHA1_80 inline:${KEY}`],
    ['nothing', ''],
  ])('with %s is not taken', (_, value) => {
    expect(answer(lines(value))).toBeUndefined();
  });

  test('of any kind is read without a fault', () => {
    fc.assert(fc.property(fc.array(fc.string({ maxLength: 60 })), (values) => {
      answer(lines(...values), lines(...values));
      agreed(lines(...values), lines(...values));
      sdes().offer(lines(...values));
    }));
  });
});

describe('keys', () => {
  test('are offered one a suite, each another, tags rising (RFC 4568 §5.1.1)', () => {
    const offered = sdes().offer([]).map(([, value]) => value);
    expect(offered.map((value) => value.replace(/inline:.*/, ''))).toEqual(['1 AES_CM_128_HMAC_SHA1_80 ', '2 AEAD_AES_256_GCM ', '3 AEAD_AES_128_GCM ']);
    expect(offered.map((value) => Buffer.from(keyIn(value), 'base64').length)).toEqual([30, 44, 28]);
    expect(new Set(offered.map((value) => keyIn(value).slice(0, 20))).size).toBe(3);
  });

  test('are answered to the first line that will do, with its tag and suite (§5.1.2)', () => {
    const made = answer(lines(`1 F8_128_HMAC_SHA1_80 inline:${KEY}`, `7 AES_CM_128_HMAC_SHA1_32 inline:${OTHER}`, `8 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`))!;
    expect(made.line[1]).toMatch(/^7 AES_CM_128_HMAC_SHA1_32 inline:\S{40}$/);
    expect(made.crypto).toEqual({ suite: 'AES_CM_128_HMAC_SHA1_32', send: keyIn(made.line[1]), receive: OTHER });
  });

  test('stay through further offers and answers, and change with the suite (§7.1.4)', () => {
    const offered = sdes().offer([]);
    expect(createSdes(new FakeRandom(8)).offer(offered)).toEqual(offered);
    const again = answer(lines(`4 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`), offered)!;
    expect(again.line[1]).toBe(`4 AES_CM_128_HMAC_SHA1_80 inline:${keyIn(offered[0]![1])}`);
    expect(answer(lines(`4 AES_CM_128_HMAC_SHA1_80 inline:${OTHER}`), [again.line])!.line).toEqual(again.line);
    const changed = answer(lines(`4 AES_CM_128_HMAC_SHA1_32 inline:${KEY}`), offered, 8)!;
    expect(offered.map(([, value]) => keyIn(value))).not.toContain(keyIn(changed.line[1]));
  });

  test('of an answer count by tag and suite of our line (§5.1.3); our own sent back is none', () => {
    const offered = sdes().offer([]);
    expect(agreed(offered, lines(`1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`))).toEqual({ suite: 'AES_CM_128_HMAC_SHA1_80', send: keyIn(offered[0]![1]), receive: KEY });
    expect(agreed(offered, lines(`3 AEAD_AES_128_GCM inline:${GCM}|5:1`))).toEqual({ suite: 'AEAD_AES_128_GCM', send: keyIn(offered[2]![1]), receive: GCM, mki: '05' });
    expect(agreed(offered, lines(`2 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`))).toBe(NO_FIT);
    expect(agreed(offered, lines(`1 AES_CM_128_HMAC_SHA1_32 inline:${KEY}`))).toBe(NO_FIT);
    expect(agreed(offered, [offered[0]!])).toBe(NO_FIT);
    expect(answer([offered[0]!], offered, 8)!.crypto.send).not.toBe(keyIn(offered[0]![1]));
  });
});

const local = (encryption: Encryption, over: Partial<LocalMedia> = {}): LocalMedia => ({
  host: '192.0.2.1', port: 4000, rtcpPort: 4001, codecs: ['PCMU'], ptimeMs: 20, direction: 'sendrecv', sessionId: 7, version: 1, encryption, sdes, rtcpMux: true, ...over,
});
const theirs = (text: string) => Buffer.from(`v=0\no=bob 1 1 IN IP4 198.51.100.2\ns=-\nc=IN IP4 198.51.100.2\nt=0 0\n${text}`.replaceAll('\n', '\r\n'));
const media = (bytes: Uint8Array) => Buffer.from(bytes).toString().split('\r\n').slice(5, -1);
const OURS = expect.stringMatching(/^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\S{40}$/);
const LINE = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}\n`;

describe('an offer', () => {
  test.each([['never', 'RTP/AVP', 0], ['offered', 'RTP/AVP', 0], ['preferred', 'RTP/AVP', 3], ['always', 'RTP/SAVP', 3]] as const)('with the setting %s goes over %s with %i keys', (encryption, proto, keys) => {
    const offer = media(makeOffer(local(encryption)));
    expect(offer[0]).toBe(`m=audio 4000 ${proto} 0 101`);
    expect(offer.filter((line) => line.startsWith('a=crypto:'))).toHaveLength(keys);
  });

  test('again in the call has the same keys and version (RFC 4568 §7.1.4), and none in a call that is plain', () => {
    const first = makeOffer(local('always'));
    expect(makeOffer(local('always'), first)).toEqual(first);
    const hold = makeOffer(local('always', { direction: 'sendonly' }), first);
    expect(media(hold)).toEqual(media(first).map((line) => line.replace('sendrecv', 'sendonly')));
    const made = answerOffer(theirs('m=audio 5000 RTP/AVP 0\n'), local('preferred'));
    expect(media(makeOffer(local('preferred'), 'answer' in made ? made.answer : undefined)).join()).not.toContain('crypto');
  });

  test('without anything to make keys with has none', () => {
    expect(media(makeOffer(local('preferred', { sdes: undefined }))).join()).not.toContain('crypto');
  });
});

describe('an answer', () => {
  const answer = (encryption: Encryption, text: string, last?: Uint8Array) => answerOffer(theirs(text), local(encryption), last);
  const crypto = { suite: 'AES_CM_128_HMAC_SHA1_80', receive: KEY };

  test.each(['offered', 'preferred', 'always'] as const)('with the setting %s takes RTP/SAVP and RTP/SAVPF with keys, and has one of ours', (encryption) => {
    for (const proto of ['RTP/SAVP', 'RTP/SAVPF']) {
      const made = answer(encryption, `m=audio 5000 ${proto} 0\n${LINE}a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:${OTHER}\n`);
      if (!('answer' in made)) throw new Error(made.why);
      expect(made.session.crypto).toMatchObject(crypto);
      expect(media(made.answer)).toEqual([`m=audio 4000 ${proto} 0`, 'a=rtpmap:0 PCMU/8000', 'a=ptime:20', 'a=maxptime:60', OURS, 'a=sendrecv']);
      expect(media(made.answer)[4]).toContain(made.session.crypto!.send);
    }
  });

  test.each(['offered', 'preferred', 'always'] as const)('with the setting %s takes keys also where they stand in RTP/AVP, as an offer to do without', (encryption) => {
    const made = answer(encryption, `m=audio 5000 RTP/AVP 0\n${LINE}`);
    if (!('answer' in made)) throw new Error(made.why);
    expect(made.session.crypto).toMatchObject(crypto);
    expect(media(made.answer)[0]).toBe('m=audio 4000 RTP/AVP 0');
  });

  test.each([
    ['never', `m=audio 5000 RTP/SAVP 0\n${LINE}`, 'it wants encryption, which is switched off'],
    ['offered', 'm=audio 5000 RTP/SAVP 0\n', 'no encryption in common'],
    ['offered', `m=audio 5000 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY} UNENCRYPTED_SRTP\n`, 'no encryption in common'],
    ['always', 'm=audio 5000 RTP/AVP 0\n', 'it is not encrypted'],
    ['always', `m=audio 5000 RTP/AVP 0\na=crypto:1 X inline:${KEY}\n`, 'it is not encrypted'],
  ] as const)('with the setting %s to %j is refused, and why', (encryption, text, why) => {
    expect(answer(encryption, text)).toEqual({ refuse: 488, why });
  });

  test.each([['never', `m=audio 5000 RTP/AVP 0\n${LINE}`], ['offered', `m=audio 5000 RTP/AVP 0\na=crypto:1 X inline:${KEY}\n`], ['preferred', 'm=audio 5000 RTP/AVP 0\n']] as const)('with the setting %s to %j is plain', (encryption, text) => {
    const made = answer(encryption, text);
    expect(made).toMatchObject({ session: { direction: 'sendrecv' } });
    expect(made).not.toHaveProperty('session.crypto', expect.anything());
    expect('answer' in made && made.answer.toString()).not.toContain('crypto');
  });

  test.each([[`m=audio 5000 RTP/AVP 0\nm=audio 6000 RTP/SAVP 0\n${LINE}`, 6000], [`m=audio 6000 RTP/SAVP 0\n${LINE}m=audio 5000 RTP/AVP 0\n`, 6000]])('of two lines for one sound takes the encrypted one, whichever comes first: %j', (text, port) => {
    for (const encryption of ['offered', 'preferred', 'always'] as const) {
      const made = answer(encryption, text);
      if (!('answer' in made)) throw new Error(made.why);
      expect(made.session).toMatchObject({ remote: { port }, crypto });
      expect(media(made.answer).filter((line) => line.startsWith('m=')).map((line) => line.split(' ').slice(1, 3).join(' ')).sort()).toEqual(['0 RTP/AVP', '4000 RTP/SAVP']);
    }
    const plain = answer('never', text);
    if (!('answer' in plain)) throw new Error(plain.why);
    expect(plain.session.remote.port).toBe(5000);
    expect(media(plain.answer).join()).not.toContain('crypto');
  });

  test('of two lines takes the plain one where no key of the other will do', () => {
    expect(answer('offered', `m=audio 6000 RTP/SAVP 0\na=crypto:1 X inline:${KEY}\nm=audio 5000 RTP/AVP 0\n`)).toMatchObject({ session: { remote: { port: 5000 } } });
  });

  test('again in the call has our key of before, also when theirs changed (RFC 4568 §7.1.4)', () => {
    const first = answer('offered', `m=audio 5000 RTP/SAVP 0\n${LINE}`);
    if (!('answer' in first)) throw new Error(first.why);
    expect(answer('offered', `m=audio 5000 RTP/SAVP 0\n${LINE}`, first.answer)).toEqual(first);
    const rekeyed = answer('offered', `m=audio 5000 RTP/SAVP 0\n${LINE.replace(KEY, OTHER)}`, first.answer);
    expect(rekeyed).toMatchObject({ answer: first.answer, session: { crypto: { send: first.session.crypto!.send, receive: OTHER } } });
  });
});

describe('their answer', () => {
  const applied = (encryption: Encryption, text: string, offer = makeOffer(local(encryption))) => applyAnswer(offer, theirs(text), local(encryption));

  test('with a key makes the session encrypted', () => {
    for (const [encryption, proto] of [['preferred', 'RTP/AVP'], ['always', 'RTP/SAVP']] as const) {
      const offer = makeOffer(local(encryption));
      expect(applied(encryption, `m=audio 5000 ${proto} 0\n${LINE}`, offer)).toMatchObject({ session: { crypto: { send: keyIn(offer.toString()), receive: KEY } } });
    }
  });

  test('without one is plain where we said that we can do without, else wrong', () => {
    const plain = applied('preferred', 'm=audio 5000 RTP/AVP 0\n');
    expect(plain).toMatchObject({ session: { remote: { port: 5000 } } });
    expect(plain).not.toHaveProperty('session.crypto', expect.anything());
    expect(applied('always', 'm=audio 5000 RTP/SAVP 0\n')).toEqual({ wrong: 'the other side does not encrypt' });
    expect(applied('always', 'm=audio 5000 RTP/AVP 0\n')).toEqual({ wrong: 'the other side does not encrypt' });
    expect(applied('offered', 'm=audio 5000 RTP/AVP 0\n', makeOffer(local('always')))).toEqual({ wrong: 'the other side does not encrypt' });
  });

  test('with a key that fits none of ours is wrong (RFC 4568 §5.1.3)', () => {
    expect(applied('preferred', `m=audio 5000 RTP/AVP 0\n${LINE.replace(':1', ':9')}`)).toEqual({ wrong: NO_FIT });
  });

  test('with a key that nobody asked for is plain', () => {
    expect(applied('offered', `m=audio 5000 RTP/AVP 0\n${LINE}`)).not.toHaveProperty('session.crypto', expect.anything());
  });
});

describe('RTCP over the port of RTP (RFC 5761 §5.1.1)', () => {
  test('is offered, and agreed where the answer says so too', () => {
    const offer = makeOffer(local('never'));
    expect(media(offer)).toContain('a=rtcp-mux');
    expect(applyAnswer(offer, theirs('m=audio 5000 RTP/AVP 0\na=rtcp-mux\n'), local('never'))).toMatchObject({ session: { rtcpMux: true } });
    expect(applyAnswer(offer, theirs('m=audio 5000 RTP/AVP 0\n'), local('never'))).not.toHaveProperty('session.rtcpMux', true);
  });

  test('is answered only where it is offered', () => {
    const yes = answerOffer(theirs('m=audio 5000 RTP/AVP 0\na=rtcp-mux\n'), local('never')), no = answerOffer(theirs('m=audio 5000 RTP/AVP 0\n'), local('never'));
    expect(yes).toMatchObject({ session: { rtcpMux: true } });
    expect('answer' in yes && media(yes.answer)).toContain('a=rtcp-mux');
    expect(no).not.toHaveProperty('session.rtcpMux', true);
    expect('answer' in no && media(no.answer)).not.toContain('a=rtcp-mux');
  });

  test('is neither offered nor answered by who cannot', () => {
    const own = local('never', { rtcpMux: false });
    expect(media(makeOffer(own))).not.toContain('a=rtcp-mux');
    const made = answerOffer(theirs('m=audio 5000 RTP/AVP 0\na=rtcp-mux\n'), own);
    expect(made).not.toHaveProperty('session.rtcpMux', true);
    expect('answer' in made && media(made.answer)).not.toContain('a=rtcp-mux');
  });
});

test('a key is never part of what is said of a description that is wrong', () => {
  expect(answerOffer(theirs(`crypto:1 A inline:${KEY}\n`), local('always'))).toEqual({ refuse: 488, why: expect.not.stringContaining(KEY.slice(0, 4)) });
});
