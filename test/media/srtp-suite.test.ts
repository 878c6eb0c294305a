import { describe, expect, test } from 'vitest';
import { createTransform, E, sessionKeys, SUITES, type SessionKeys, type SuiteName } from '../../src/media/srtp-suite.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const session = (key: string, salt: string): SessionKeys => ({ key: hex(key), salt: hex(salt), auth: Buffer.alloc(20) });

describe('keys', () => {
  const MASTER = 'e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6';

  test('of AES-CM are derived as in the vectors (RFC 3711 §B.3)', () => {
    const { key, salt, auth } = sessionKeys('AES_CM_128_HMAC_SHA1_80', hex(MASTER), false);
    expect([key, salt, auth].map(text)).toEqual(['c61e7a93744f39ee10734afe3ff7a087', '30cbbc08863d8c85d49db34a9ae1', 'cebe321f6ff7716b6fd4ab49af256a156d38baa4']);
  });

  test('of 256 bits are derived by AES-256, as in the vectors (RFC 6188 §7.2)', () => {
    const master = 'f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2';
    const { key, salt, auth } = sessionKeys('AES_256_CM_HMAC_SHA1_80', hex(master), false);
    expect([key, salt, auth].map(text)).toEqual(['5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4', 'fa31791685ca444a9e07c6c64e93', 'fd9c32d39ed5fbb5a9dc96b30818454d1313dc05']);
  });

  test('of GCM come from a salt of 12 bytes with two zeros behind (RFC 7714 §11), as libsrtp has them', () => {
    const { salt, auth } = sessionKeys('AEAD_AES_128_GCM', hex('000102030405060708090a0b0c0d0e0f 404142434445464748494a4b'), false);
    expect(text(salt)).toBe('1fcd5d561e66dc49ec1c3ccb');
    expect(auth).toHaveLength(0);
  });

  test.each(Object.keys(SUITES) as SuiteName[])('of %s are others for RTCP, of the same lengths (RFC 3711 §4.3.2)', (suite) => {
    const master = Buffer.alloc(SUITES[suite].keyBytes + SUITES[suite].saltBytes, 0x5a);
    const rtp = sessionKeys(suite, master, false), rtcp = sessionKeys(suite, master, true);
    for (const part of ['key', 'salt'] as const) expect(text(rtp[part])).not.toBe(text(rtcp[part]));
    expect(rtcp.key).toHaveLength(SUITES[suite].keyBytes);
    expect(rtcp.salt).toHaveLength(SUITES[suite].saltBytes);
  });
});

describe('the key stream of AES-CM', () => {
  const SALT = 'f0f1f2f3f4f5f6f7f8f9fafbfcfd';
  test.each([
    ['128 bits (RFC 3711 §B.2)', 'AES_CM_128_HMAC_SHA1_80', '2b7e151628aed2a6abf7158809cf4f3c', 'e03ead0935c95e80e166b16dd92b4eb4 d23513162b02d0f72a43a2fe4a5f97ab 41e95b3bb0a2e8dd477901e4fca894c0'],
    ['256 bits (RFC 6188 §7.1)', 'AES_256_CM_HMAC_SHA1_80', '57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98', '92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31'],
  ] as const)('is that of the vectors: %s', (_, suite, key, stream) => {
    const b = Buffer.alloc(12 + 48 + 20);
    createTransform(suite, session(key, SALT), false).seal(b, 12, 60, 0, 0, 0);
    expect(text(b.subarray(12, 60))).toBe(text(hex(stream)));
  });

  test('depends on source and index (§4.1.1)', () => {
    const streams = [[0, 0], [1, 0], [0, 1], [0, 0x1_0000], [0, 2 ** 47], [0x8000_0000, 0]].map(([ssrc, index]) => {
      const b = Buffer.alloc(60);
      createTransform('AES_CM_128_HMAC_SHA1_80', session('2b7e151628aed2a6abf7158809cf4f3c', SALT), false).seal(b, 12, 28, ssrc!, index!, 0);
      return text(b.subarray(12, 28));
    });
    expect(new Set(streams).size).toBe(streams.length);
  });
});

describe('GCM', () => {
  const KEY_128 = '000102030405060708090a0b0c0d0e0f', KEY_256 = `${KEY_128}101112131415161718191a1b1c1d1e1f`, SALT = '517569642070726f2071756f';
  const RTP = '8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573';
  const RTCP = '81c8000d4d617273 4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef';

  test.each([
    ['128, §16.1', KEY_128, '8040f17b8041f8d35501a0b2 f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833 899d7f27beb16a9152cf765ee4390cce'],
    ['256, §16.2', KEY_256, '8040f17b8041f8d35501a0b2 32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36 dfffd6b0f9bb7878d7a76c13'],
  ] as const)('seals and opens RTP as in the vectors (RFC 7714 %s)', (_, key, sealed) => {
    const transform = createTransform(key === KEY_128 ? 'AEAD_AES_128_GCM' : 'AEAD_AES_256_GCM', session(key, SALT), false);
    const plain = hex(RTP), b = Buffer.alloc(plain.length + 20);
    plain.copy(b);
    const length = transform.seal(b, 12, plain.length, 0x5501_a0b2, 0xf17b, 0);
    expect(text(b.subarray(0, length))).toBe(text(hex(sealed)));
    const back = b.subarray(0, length);
    expect(transform.open(back, 12, plain.length, plain.length, 0x5501_a0b2, 0xf17b, 0, true)).toBe(true);
    expect(text(back.subarray(0, plain.length))).toBe(text(plain));
  });

  test.each([
    ['128, §17.1', KEY_128, '81c8000d4d617273 63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b c84aa45896cf4d2fc5abf87245d9eade 800005d4'],
    ['256, §17.2', KEY_256, '81c8000d4d617273 d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad 1d1eb30c4446839f57ff6f6cb26ac3be 800005d4'],
  ] as const)('seals and opens RTCP as in the vectors (RFC 7714 %s)', (_, key, sealed) => {
    const transform = createTransform(key === KEY_128 ? 'AEAD_AES_128_GCM' : 'AEAD_AES_256_GCM', session(key, SALT), true);
    const plain = hex(RTCP), b = Buffer.alloc(plain.length + 20), word = (E | 0x5d4) >>> 0;
    plain.copy(b);
    expect(transform.seal(b, 8, plain.length, 0x4d61_7273, 0x5d4, word)).toBe(b.length);
    expect(text(b)).toBe(text(hex(sealed)));
    expect(transform.open(b, 8, plain.length, plain.length, 0x4d61_7273, 0x5d4, word, true)).toBe(true);
    expect(text(b.subarray(0, plain.length))).toBe(text(plain));
  });

  test('takes RTCP that is only authenticated (RFC 7714 §17.3)', () => {
    const plain = hex(RTCP), b = Buffer.concat([plain, hex('841dd9683dd78ec92ae58790125f62b3 000005d4')]);
    const transform = createTransform('AEAD_AES_128_GCM', session(KEY_128, SALT), true);
    expect(transform.open(b, 8, plain.length, plain.length, 0x4d61_7273, 0x5d4, 0x5d4, false)).toBe(true);
    expect(text(b.subarray(0, plain.length))).toBe(text(plain));
    expect(transform.open(b, 8, plain.length, plain.length, 0x4d61_7273, 0x5d5, 0x5d5, false)).toBe(false);
  });
});
