// Keys in session descriptions, RFC 4568: what a=crypto lines say, which of them is answered and how. Loaded with the first call that wants it.
//
//   a=crypto:TAG SUITE inline:KEY-AND-SALT|LIFETIME|MKI:LENGTH SESSION-PARAMETERS
//
// Keys are only as secret as the description that carries them: TLS is for whoever sends it to see to.

import type { Random } from '../ports/random.ts';
import type { Attribute, SdpMedia } from './sdp.ts';
import type { Choice, CryptoUse, Encryption, Keys, Sdes, SuiteName } from './types.ts';

/** Bytes of key and salt together: RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14. */
const BYTES: Readonly<Record<SuiteName, number>> = {
  AES_CM_128_HMAC_SHA1_80: 30, AES_CM_128_HMAC_SHA1_32: 30, AES_256_CM_HMAC_SHA1_80: 46, AES_256_CM_HMAC_SHA1_32: 46, AEAD_AES_128_GCM: 28, AEAD_AES_256_GCM: 44,
};
/** What we offer: first what everybody must know; the tag of 32 bits only where it is asked for. */
const OFFERED: readonly SuiteName[] = ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_256_GCM', 'AEAD_AES_128_GCM'];

interface Line {
  readonly tag: string;
  /** As written. */
  readonly name: string;
  readonly suite: SuiteName;
  /** Base64 as written. */
  readonly key: string;
  /** In hex; '' without one. */
  readonly mki: string;
}

/** Suites under the names that some give them (a draft of RFC 6188 had the number elsewhere). */
function suiteOf(name: string): SuiteName | undefined {
  const known = name.toUpperCase().replace(/^AES_CM_256_/, 'AES_256_CM_');
  return Object.hasOwn(BYTES, known) ? known as SuiteName : undefined;
}

/** One line; undefined when it cannot be used: a suite or a parameter that we do not know (§6.3.7), several keys (§6.1), a key of another length. */
function parse(value: string): Line | undefined {
  const [tag = '', name = '', keys = '', ...parameters] = value.split(/\s+/);
  const suite = suiteOf(name), inline = /^inline:([A-Za-z0-9+/]+={0,2})(?:\|(2\^\d{1,2}|\d{1,15}))?(?:\|(\d{1,39}):(\d{1,3}))?$/i.exec(keys);
  if (suite === undefined || inline === null || !/^\d{1,9}$/.test(tag) || !parameters.every(harmless)) return undefined;
  const [, key = '', , mki, length] = inline;
  if (Buffer.from(key, 'base64').length !== BYTES[suite]) return undefined;
  if (mki === undefined) return { tag, name, suite, key, mki: '' };
  const bytes = Number(length), value16 = BigInt(mki).toString(16);
  return bytes < 1 || bytes > 128 || value16.length > 2 * bytes ? undefined : { tag, name, suite, key, mki: value16.padStart(2 * bytes, '0') };
}

/** Session parameters that change nothing for us: the size of a window, no further derivation, and those that may be passed over (§6.3). */
const harmless = (parameter: string): boolean => /^(-.*|WSH=\d+|KDR=0)$/i.test(parameter);

const linesOf = (attributes: readonly Attribute[]): Line[] =>
  attributes.filter(([name]) => name === 'crypto').map(([, value]) => parse(value)).filter((line) => line !== undefined);

const written = ({ tag, name, key }: Pick<Line, 'tag' | 'name' | 'key'>): Attribute => ['crypto', `${tag} ${name} inline:${key}`];

function use(suite: SuiteName, ours: string, theirs: Line): CryptoUse {
  return { suite, send: ours, receive: theirs.key, ...(theirs.mki === '' ? {} : { mki: theirs.mki }) };
}

const hasKeys = ({ attributes }: SdpMedia): boolean => attributes.some(([name]) => name === 'crypto');
/** Transports of an audio line: RTP, and RTP that must be encrypted. */
const PLAIN = /^RTP\/AVPF?$/i, SECURE = /^RTP\/SAVPF?$/i;

export function createSdes(random: Random): Sdes {
  const newKey = (suite: SuiteName): string => Buffer.from(random.bytes(BYTES[suite])).toString('base64');

  const answer = (theirs: readonly Attribute[], last: readonly Attribute[]): Keys | undefined => {
    const line = linesOf(theirs)[0]; // the first that will do: the offerer's order counts (§5.1.2)
    if (line === undefined) return undefined;
    const { tag, name, suite } = line, before = linesOf(last).find((each) => each.suite === suite)?.key;
    const key = before === undefined || before === line.key ? newKey(suite) : before;
    return { line: written({ tag, name, key }), crypto: use(suite, key, line) };
  };

  const keysFor = (line: SdpMedia, encryption: Encryption, last: SdpMedia | undefined): Keys | string | undefined => {
    const must = SECURE.test(line.proto);
    if (!must && !PLAIN.test(line.proto)) return `transport ${line.proto}`;
    if (encryption === 'never') return must ? 'it wants encryption, which is switched off' : undefined;
    // RTP/AVP with keys is how many say that they can do without; the RFC knows of RTP/SAVP alone.
    return answer(line.attributes, last?.attributes ?? []) ?? (must ? 'no encryption in common' : encryption === 'always' ? 'it is not encrypted' : undefined);
  };

  return {
    offer(last) {
      const before = linesOf(last); // a key stays until there is a reason for another (§7.1.4)
      return before.length > 0 ? before.map(written) : OFFERED.map((name, i) => written({ tag: `${i + 1}`, name, key: newKey(name) }));
    },
    choices(lines, encryption = 'never', last) {
      const all = lines.map((line, at): Choice => ({ at, line, keys: line.kind === 'audio' && line.port !== 0 ? keysFor(line, encryption, last) : undefined }));
      // Of two lines for one sound the encrypted one, whichever they put first.
      return all.sort((a, b) => Number(typeof b.keys === 'object') - Number(typeof a.keys === 'object'));
    },
    agreed(ours, theirs, encryption) {
      if (!SECURE.test(theirs.proto) && !PLAIN.test(theirs.proto)) return `transport ${theirs.proto}`;
      if (!hasKeys(theirs) || !hasKeys(ours)) return encryption === 'always' || SECURE.test(ours.proto) || SECURE.test(theirs.proto) ? 'the other side does not encrypt' : undefined;
      const own = linesOf(ours.attributes);
      for (const line of linesOf(theirs.attributes)) {
        const asked = own.find(({ tag, suite }) => tag === line.tag && suite === line.suite); // §5.1.3
        if (asked !== undefined && asked.key !== line.key) return use(line.suite, asked.key, line); // a key of ours sent back is none
      }
      return 'the keys of the answer fit none of ours';
    },
  };
}
