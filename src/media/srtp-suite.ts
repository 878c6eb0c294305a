// The suites of SRTP: which keys each takes, how session keys are derived (RFC 3711 §4.3), and how one packet is sealed and opened. Pure
// arithmetic on bytes: indexes, replays and sources are srtp.ts' affair. One transform is made for RTP and one for RTCP.
//
//   AES-CM, RTP   | header | sealed | MKI | tag |          AES-GCM, RTP   | header | sealed | tag | MKI |
//   AES-CM, RTCP  | 8 bytes | sealed | E+index | MKI | tag |   AES-GCM, RTCP  | 8 bytes | sealed | tag | E+index | MKI |

import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type Cipher, type KeyObject } from 'node:crypto';
import type { SuiteName } from '../sdp/types.ts';
import { putU32, u32 } from './rtp.ts';

export type { SuiteName } from '../sdp/types.ts';

export interface Suite {
  readonly keyBytes: number;
  readonly saltBytes: number;
  /** Of RTP; RTCP always has 10 with HMAC (RFC 3711 §5.2, RFC 4568 §6.2.2). */
  readonly tagBytes: number;
  readonly gcm: boolean;
}

export const SUITES: Readonly<Record<SuiteName, Suite>> = {
  AES_CM_128_HMAC_SHA1_80: { keyBytes: 16, saltBytes: 14, tagBytes: 10, gcm: false },
  AES_CM_128_HMAC_SHA1_32: { keyBytes: 16, saltBytes: 14, tagBytes: 4, gcm: false },
  AES_256_CM_HMAC_SHA1_80: { keyBytes: 32, saltBytes: 14, tagBytes: 10, gcm: false },
  AES_256_CM_HMAC_SHA1_32: { keyBytes: 32, saltBytes: 14, tagBytes: 4, gcm: false },
  AEAD_AES_128_GCM: { keyBytes: 16, saltBytes: 12, tagBytes: 16, gcm: true },
  AEAD_AES_256_GCM: { keyBytes: 32, saltBytes: 12, tagBytes: 16, gcm: true },
};

const RTCP_TAG_BYTES = 10;
const AUTH_KEY_BYTES = 20;
const BLOCK = 16;
/** The longest packet taken: far more than a network carries in one piece. */
export const MOST_BYTES = 2048;
/** What a sealed packet has more, at most: a tag and, with RTCP, E and index. */
export const MORE_BYTES = 20;
/** RTCP: the word's flag that the packet is encrypted (RFC 3711 §3.4). */
export const E = 0x8000_0000;

export interface SessionKeys {
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  /** Of HMAC-SHA1; GCM has none. */
  readonly auth: Uint8Array;
}

/** Session keys of RTP, or of RTCP, from a master key and its salt behind it; the key derivation rate is 0 (RFC 3711 §4.3.1, RFC 6188 §3, RFC 7714 §11). */
export function sessionKeys(suite: SuiteName, master: Uint8Array, rtcp: boolean): SessionKeys {
  const { keyBytes, saltBytes, gcm } = SUITES[suite], first = rtcp ? 3 : 0;
  const derive = (label: number, bytes: number): Uint8Array => {
    const iv = Buffer.alloc(BLOCK); // a salt of 12 bytes ends in two zeros
    iv.set(master.subarray(keyBytes, keyBytes + saltBytes));
    iv[7]! ^= label;
    return createCipheriv(`aes-${keyBytes * 8}-ctr`, master.subarray(0, keyBytes), iv).update(Buffer.alloc(bytes));
  };
  return { key: derive(first, keyBytes), auth: gcm ? new Uint8Array(0) : derive(first + 1, AUTH_KEY_BYTES), salt: derive(first + 2, saltBytes) };
}

/** Seals and opens packets in place. `b` has room for MORE_BYTES behind `to` when sealing; `from` to `to` is what is encrypted. */
export interface Transform {
  readonly tagBytes: number;
  readonly gcm: boolean;
  /** `word` is the roll-over counter of RTP, or E and index of RTCP, which is written too. Gives the packet's new length. */
  seal(b: Uint8Array, from: number, to: number, ssrc: number, index: number, word: number): number;
  /** Whether the packet is genuine; decrypted only then, and only where `encrypted`. The tag stands at `tag`. */
  open(b: Uint8Array, from: number, to: number, tag: number, ssrc: number, index: number, word: number, encrypted: boolean): boolean;
}

export function createTransform(suite: SuiteName, keys: SessionKeys, rtcp: boolean): Transform {
  const { gcm, tagBytes } = SUITES[suite];
  return gcm ? gcmTransform(keys, rtcp) : counterTransform(keys, rtcp, rtcp ? RTCP_TAG_BYTES : tagBytes);
}

/** AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1). One cipher makes the key stream of all packets; the digest must be made anew for each. */
function counterTransform({ key, salt, auth }: SessionKeys, rtcp: boolean, tagBytes: number): Transform {
  const cipher: Cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
  const authKey: KeyObject = createSecretKey(auth);
  const counters = new Uint8Array(MOST_BYTES + BLOCK);
  const expected = new Uint8Array(tagBytes);
  /** The counters as last cut to length: most packets have the same. */
  let cut = counters;

  const crypt = (b: Uint8Array, from: number, to: number, ssrc: number, index: number): void => {
    const length = to - from;
    if (length === 0) return;
    const bytes = (length + BLOCK - 1) & ~(BLOCK - 1);
    if (cut.length !== bytes) cut = counters.subarray(0, bytes);
    const high = Math.floor(index / 0x1_0000); // IV = salt·2^16 ^ ssrc·2^64 ^ index·2^16
    const w0 = u32(salt, 0), w1 = (u32(salt, 4) ^ ssrc) >>> 0, w2 = (u32(salt, 8) ^ high) >>> 0;
    const w3 = (((salt[12]! << 8) | salt[13]!) ^ (index & 0xffff)) << 16;
    for (let at = 0, block = 0; at < bytes; at += BLOCK, block++) {
      putU32(cut, at, w0);
      putU32(cut, at + 4, w1);
      putU32(cut, at + 8, w2);
      putU32(cut, at + 12, w3 | block);
    }
    const stream = cipher.update(cut);
    for (let i = 0; i < length; i++) b[from + i]! ^= stream[i]!;
  };
  /** Of b up to `to`, and the word behind. As characters of one byte, which cost Node half of what a buffer does. */
  const digest = (b: Uint8Array, to: number): string => createHmac('sha1', authKey).update(b.subarray(0, to + 4)).digest('binary');

  return {
    tagBytes, gcm: false,
    seal(b, from, to, ssrc, index, word) {
      crypt(b, from, to, ssrc, index);
      putU32(b, to, word);
      const tag = digest(b, to), at = rtcp ? to + 4 : to;
      for (let i = 0; i < tagBytes; i++) b[at + i] = tag.charCodeAt(i);
      return at + tagBytes;
    },
    open(b, from, to, tag, ssrc, index, word, encrypted) {
      for (let i = 0; i < tagBytes; i++) expected[i] = b[tag + i]!;
      const stood = u32(b, to); // RTP: part of the MKI or the tag, which a second try needs again
      putU32(b, to, word);
      const seen = digest(b, to);
      putU32(b, to, stood);
      let differs = 0; // all of it is looked at, so that the time says nothing (RFC 3711 §4.2)
      for (let i = 0; i < tagBytes; i++) differs |= expected[i]! ^ seen.charCodeAt(i);
      if (differs !== 0) return false;
      if (encrypted) crypt(b, from, to, ssrc, index);
      return true;
    },
  };
}

/** AES-GCM (RFC 7714 §8, §9). Node has no cipher that could be used again with another nonce. */
function gcmTransform({ key, salt }: SessionKeys, rtcp: boolean): Transform {
  const tagBytes = 16, options = { authTagLength: tagBytes } as const;
  const name = key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm';
  const nonce = new Uint8Array(12);
  /** RTCP: the first 8 bytes, or all of a packet that is not encrypted, and the word. */
  const extra = new Uint8Array(MOST_BYTES + 4);

  const aim = (ssrc: number, index: number): void => { // salt ^ (ssrc·2^48 + index)
    putU32(nonce, 0, u32(salt, 0) ^ (ssrc >>> 16));
    putU32(nonce, 4, u32(salt, 4) ^ (((ssrc & 0xffff) << 16) | Math.floor(index / 0x1_0000_0000)));
    putU32(nonce, 8, u32(salt, 8) ^ (index % 0x1_0000_0000));
  };
  const associated = (b: Uint8Array, bytes: number, word: number): Uint8Array => {
    if (!rtcp) return b.subarray(0, bytes);
    for (let i = 0; i < bytes; i++) extra[i] = b[i]!;
    putU32(extra, bytes, word);
    return extra.subarray(0, bytes + 4);
  };

  return {
    tagBytes, gcm: true,
    seal(b, from, to, ssrc, index, word) {
      aim(ssrc, index);
      const cipher = createCipheriv(name, key, nonce, options);
      cipher.setAAD(associated(b, from, word));
      b.set(cipher.update(b.subarray(from, to)), from);
      cipher.final();
      b.set(cipher.getAuthTag(), to);
      if (!rtcp) return to + tagBytes;
      putU32(b, to + tagBytes, word);
      return to + tagBytes + 4;
    },
    open(b, from, to, tag, ssrc, index, word, encrypted) {
      aim(ssrc, index);
      const cipher = createDecipheriv(name, key, nonce, options);
      cipher.setAAD(associated(b, encrypted ? from : to, word));
      cipher.setAuthTag(b.subarray(tag, tag + tagBytes));
      const plain = encrypted ? cipher.update(b.subarray(from, to)) : undefined;
      try {
        cipher.final();
      } catch {
        return false; // compared by OpenSSL, in constant time
      }
      if (plain !== undefined) b.set(plain, from);
      return true;
    },
  };
}
