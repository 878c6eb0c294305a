import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FORGED, guessIndex, MALFORMED, REPLAYED, SrtpReceiver, SrtpSender, WINDOW } from '../../src/media/srtp.ts';
import { SUITES, type SuiteName } from '../../src/media/srtp-suite.ts';

const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex');
const NAMES = Object.keys(SUITES) as SuiteName[];
const CM = 'AES_CM_128_HMAC_SHA1_80';
const master = (suite: SuiteName, seed = 1) => Buffer.alloc(SUITES[suite].keyBytes + SUITES[suite].saltBytes, seed);
const rtp = (sequence: number, payload: Uint8Array = Buffer.alloc(20, 0xab), ssrc = 0xcafe_babe) => {
  const b = Buffer.concat([hex('80080000decafbad00000000'), payload]);
  b.writeUInt16BE(sequence & 0xffff, 2);
  b.writeUInt32BE(ssrc, 8);
  return b;
};
const rtcp = (ssrc = 0xcafe_babe) => {
  const b = Buffer.concat([hex('80c9000100000000'), Buffer.alloc(24, 0xab)]);
  b.writeUInt32BE(ssrc, 4);
  return b;
};
/** As from the network: bytes of its own. */
const sent = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []);
/** What the other side gets, undefined when it drops it. */
const opened = (receiver: SrtpReceiver, sealed: Uint8Array): Buffer | undefined => {
  const b = Buffer.from(sealed), length = receiver.unprotect(b);
  return length > 0 ? b.subarray(0, length) : undefined;
};

describe('a packet', () => {
  const KEY = hex('e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6');
  const plain = hex('800f1234decafbadcafebabe abababababababababababababababab');

  test('is sealed as libsrtp seals it', () => {
    expect(sent(new SrtpSender(CM, KEY).protect(plain)).toString('hex')).toBe('800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb');
    expect(sent(new SrtpSender('AES_CM_128_HMAC_SHA1_32', KEY).protect(plain)).toString('hex')).toBe('800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc');
  });

  test('of RTCP is sealed as libsrtp seals it, index and E behind, with a tag of 80 bits (RFC 3711 §3.4)', () => {
    const sender = new SrtpSender(CM, KEY), report = hex('81c8000bcafebabe abababababababababababababababab');
    sender.protectRtcp(report);
    expect(sent(sender.protectRtcp(report)).toString('hex')).toBe('81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798');
    const short = new SrtpSender('AES_CM_128_HMAC_SHA1_32', KEY);
    short.protectRtcp(report);
    expect(sent(short.protectRtcp(report)).toString('hex')).toBe('81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798'); // RFC 4568 §6.2.2
  });

  test.each(NAMES)('comes through as it was, CSRCs, extension and all: %s', (suite) => {
    const sender = new SrtpSender(suite, master(suite)), receiver = new SrtpReceiver(suite, master(suite));
    const long = Buffer.concat([hex('b2600007 00000001 cafebabe 00000001 00000002 bede0001 10aabbcc'), Buffer.alloc(333, 7)]);
    const sealed = sent(sender.protect(long));
    expect(sealed.subarray(0, 28)).toEqual(long.subarray(0, 28)); // the header stays readable (§3.1)
    expect(sealed.subarray(28, 361)).not.toEqual(long.subarray(28));
    expect(opened(receiver, sealed)).toEqual(long);
    const empty = rtp(8, Buffer.alloc(0));
    expect(opened(receiver, sent(sender.protect(empty)))).toEqual(empty);
  });

  test.each(NAMES)('of RTCP comes through as it was: %s', (suite) => {
    const sender = new SrtpSender(suite, master(suite)), receiver = new SrtpReceiver(suite, master(suite));
    for (let i = 0; i < 200; i++) {
      const sealed = sent(sender.protectRtcp(rtcp()));
      expect(sealed.subarray(8, 32)).not.toEqual(rtcp().subarray(8));
      expect(receiver.unprotectRtcp(sealed)).toBe(32);
      expect(sealed.subarray(0, 32)).toEqual(rtcp());
    }
    expect(receiver).toMatchObject({ forged: 0, replayed: 0 });
  });

  test.each(NAMES)('with a bit turned, cut short or of another key is dropped and counted: %s', (suite) => {
    const sender = new SrtpSender(suite, master(suite)), sealed = sent(sender.protect(rtp(5))), report = sent(sender.protectRtcp(rtcp()));
    const receiver = new SrtpReceiver(suite, master(suite));
    let dropped = 0;
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const b = Buffer.from(sealed);
      b[bit >> 3]! ^= 1 << (bit & 7);
      expect(receiver.unprotect(b)).toBeLessThan(0);
      dropped++;
    }
    for (let bit = 0; bit < report.length * 8; bit++) {
      const b = Buffer.from(report);
      b[bit >> 3]! ^= 1 << (bit & 7);
      expect(receiver.unprotectRtcp(b)).toBeLessThan(0);
      dropped++;
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(receiver.unprotect(Buffer.from(sealed.subarray(0, length)))).toBeLessThan(0);
      dropped++;
    }
    for (let length = 0; length < report.length; length++) {
      expect(receiver.unprotectRtcp(Buffer.from(report.subarray(0, length)))).toBeLessThan(0);
      dropped++;
    }
    expect(receiver).toMatchObject({ forged: dropped, replayed: 0 });
    expect(new SrtpReceiver(suite, master(suite, 2)).unprotect(Buffer.from(sealed))).toBe(FORGED);
    expect(opened(receiver, sealed)).toEqual(rtp(5)); // the forged ones moved nothing
    expect(receiver.unprotectRtcp(report)).toBe(32);
  });

  test('that is too long, or no RTP, is neither sealed nor opened', () => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    expect(sender.protect(rtp(1, Buffer.alloc(2100)))).toBeUndefined();
    expect(sender.protect(Buffer.alloc(11, 0x80))).toBeUndefined();
    expect(sender.protectRtcp(Buffer.alloc(7))).toBeUndefined();
    expect(receiver.unprotect(rtp(1, Buffer.alloc(3000)))).toBe(MALFORMED);
    expect(receiver.unprotect(Buffer.alloc(40))).toBe(MALFORMED);
    expect(receiver.unprotect(hex('9f60000700000001cafebabe0000ffff').fill(0xff, 12))).toBe(MALFORMED);
  });

  test('with an MKI is taken with that one alone (RFC 3711 §3.1, RFC 4568 §6.1)', () => {
    for (const suite of NAMES) {
      const mki = hex('0000002a'), sealed = sent(new SrtpSender(suite, master(suite)).protect(rtp(5)));
      const tag = SUITES[suite].gcm ? sealed.length : sealed.length - SUITES[suite].tagBytes;
      const marked = (value: Uint8Array) => Buffer.concat([sealed.subarray(0, tag), value, sealed.subarray(tag)]);
      const receiver = new SrtpReceiver(suite, master(suite), mki);
      expect(receiver.unprotect(marked(hex('0000002b')))).toBe(FORGED);
      expect(opened(receiver, marked(mki))).toEqual(rtp(5));
      expect(receiver.unprotect(sealed)).toBeLessThan(0);
    }
  });
});

describe('the index', () => {
  test.each([
    [0, 1, 1], [100, 99, 99], [0, 0xffff, -1], [0x7fff, 0x8000, 0x8000], [0xffff, 0, 0x1_0000], [0x8000, 0, 0], [0x8001, 0, 0x1_0000], [0x1_0000, 0xffff, 0xffff],
    [0x1_7fff, 0xffff, 0x1_ffff], [0x1_7fff - 1, 0xffff, 0xffff], [0x5_ffff, 5, 0x6_0005], [0xffff_ffff_0000, 0xffff, 0xfffe_ffff + 0xffff * 0x1_0000_0000],
  ])('after %i the number %i counts as %i (RFC 3711 §3.3.1)', (highest, sequence, index) => {
    expect(guessIndex(highest, sequence)).toBe(index);
  });

  test('goes on through many wraps of the sequence number, with losses of up to half of it', () => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    let lost = 0;
    for (let n = 0, step = 1; n < 400_000; n += step, step = step * 7 % 30_011) {
      const sealed = sent(sender.protect(rtp(n)));
      if (opened(receiver, sealed) === undefined) lost++;
    }
    expect(lost).toBe(0);
  });

  test('of a source heard first just after its first wrap is found', () => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    for (let n = 65_500; n < 65_540; n++) sender.protect(rtp(n));
    expect(opened(receiver, sent(sender.protect(rtp(65_540))))).toEqual(rtp(65_540));
    expect(opened(receiver, sent(sender.protect(rtp(65_541))))).toEqual(rtp(65_541));
  });

  test('never serves twice: what would repeat one does not leave (RFC 3711 §9.1)', () => {
    const sender = new SrtpSender(CM, master(CM));
    expect(sender.protect(rtp(10))).toBeDefined();
    expect(sender.protect(rtp(10))).toBeUndefined();
    expect(sender.protect(rtp(9))).toBeUndefined();
    expect(sender.protect(rtp(11))).toBeDefined();
    expect(sender.protect(rtp(10, undefined, 7))).toBeDefined(); // another source has indexes of its own
    expect(sender.protect(rtp(11))).toBeUndefined();
  });

  test('and the key end with their lifetimes (RFC 3711 §9.2)', () => {
    const sender = new SrtpSender(CM, master(CM), { rtp: 3, rtcp: 2 });
    expect([1, 2, 3, 4].map((n) => sender.protect(rtp(n)) !== undefined)).toEqual([true, true, true, false]);
    expect([1, 2, 3].map(() => sender.protectRtcp(rtcp()) !== undefined)).toEqual([true, true, false]);
    sender.rekey(CM, master(CM, 2));
    expect(sender.protect(rtp(5))).toBeDefined();
    expect(sender.protectRtcp(rtcp())).toBeDefined();
  });
});

describe('a replay', () => {
  test('is dropped and counted, also of RTCP, and does no harm (RFC 3711 §3.3.2)', () => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    const first = sent(sender.protect(rtp(1))), report = sent(sender.protectRtcp(rtcp()));
    expect(opened(receiver, first)).toBeDefined();
    expect(receiver.unprotect(Buffer.from(first))).toBe(REPLAYED);
    expect(receiver.unprotectRtcp(Buffer.from(report))).toBe(32);
    expect(receiver.unprotectRtcp(Buffer.from(report))).toBe(REPLAYED);
    expect(receiver).toMatchObject({ forged: 0, replayed: 2 });
    expect(opened(receiver, sent(sender.protect(rtp(2))))).toEqual(rtp(2));
  });

  test('is what is older than the window: nobody could tell', () => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    const all = Array.from({ length: WINDOW + 2 }, (_, n) => sent(sender.protect(rtp(n))));
    expect(WINDOW).toBeGreaterThanOrEqual(64);
    expect(opened(receiver, all[WINDOW + 1]!)).toBeDefined();
    expect(receiver.unprotect(Buffer.from(all[1]!))).toBe(REPLAYED);
    expect(opened(receiver, all[2]!)).toEqual(rtp(2));
  });

  test('of a source before is still known after another took its place', () => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    const first = sent(sender.protect(rtp(1)));
    opened(receiver, first);
    for (let ssrc = 1; ssrc < 10; ssrc++) expect(opened(receiver, sent(sender.protect(rtp(1, undefined, ssrc))))).toBeDefined();
    expect(receiver.unprotect(Buffer.from(first))).toBe(REPLAYED);
  });
});

test('a source that speaks on is never forgotten for others that come and go', () => {
  const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
  for (let n = 0; n < 200_000; n += 20_000) opened(receiver, sent(sender.protect(rtp(n)))); // wrapped three times
  for (let other = 1; other < 100; other++) {
    expect(opened(receiver, sent(new SrtpSender(CM, master(CM)).protect(rtp(1, undefined, other))))).toBeDefined();
    expect(opened(receiver, sent(sender.protect(rtp(200_000 + other))))).toBeDefined();
  }
});

test('packets that come in pairs the wrong way round are no replays, however long the call', () => {
  const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
  for (let n = 0; n < 4 * WINDOW; n += 2) {
    const first = sent(sender.protect(rtp(n))), second = sent(sender.protect(rtp(n + 1)));
    expect(opened(receiver, second)).toBeDefined();
    expect(opened(receiver, first)).toBeDefined();
  }
});

describe('another key', () => {
  test.each(NAMES)('takes over between two packets, and what is under way under the old one is still heard: to %s', (suite) => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    for (let n = 0; n < 70_000; n += 20_000) opened(receiver, sent(sender.protect(rtp(n))));
    const late = sent(sender.protect(rtp(60_100)));
    sender.rekey(suite, master(suite, 9));
    receiver.rekey(suite, master(suite, 9));
    expect(opened(receiver, late)).toEqual(rtp(60_100));
    const next = sent(sender.protect(rtp(65_540)));
    expect(opened(receiver, next)).toEqual(rtp(65_540));
    expect(receiver.unprotect(Buffer.from(next))).toBe(REPLAYED);
    expect(opened(receiver, sent(sender.protect(rtp(65_541))))).toEqual(rtp(65_541));
    expect(receiver.forged).toBe(0);
  });

  test('finds a source that begins its index anew', () => {
    const sender = new SrtpSender(CM, master(CM)), receiver = new SrtpReceiver(CM, master(CM));
    for (let n = 0; n < 70_000; n += 20_000) opened(receiver, sent(sender.protect(rtp(n))));
    receiver.rekey(CM, master(CM, 9));
    expect(opened(receiver, sent(new SrtpSender(CM, master(CM, 9)).protect(rtp(70_001))))).toEqual(rtp(70_001));
  });
});

describe('whatever comes', () => {
  const suites = fc.constantFrom(...NAMES);

  test('packets in any order within the window come through, each once, each as it was', () => {
    fc.assert(fc.property(suites, fc.integer({ min: 0, max: 0x7fff }), fc.array(fc.nat(WINDOW / 2), { minLength: 1, maxLength: 200 }), (suite, start, delays) => {
      const sender = new SrtpSender(suite, master(suite)), receiver = new SrtpReceiver(suite, master(suite));
      const packets = delays.map((delay, i) => ({ at: i + delay, plain: rtp(start + i, Buffer.alloc(i % 50, i)), sealed: sent(sender.protect(rtp(start + i, Buffer.alloc(i % 50, i)))) }));
      const arriving = [...packets].sort((a, b) => a.at - b.at);
      // A source is known by its first packet; what is older than that may have the index of before the wrap, and is not what is asked here.
      for (const { plain, sealed } of arriving) {
        expect(opened(receiver, sealed)).toEqual(plain);
        expect(opened(receiver, sealed)).toBeUndefined();
      }
      expect(receiver).toMatchObject({ forged: 0, replayed: packets.length });
    }), { numRuns: 60 });
  });

  test('replayed, forged, cut and random datagrams are dropped and counted, never thrown at, and genuine ones still heard', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('send' as const) }),
      fc.record({ do: fc.constant('replay' as const), which: fc.nat(50) }),
      fc.record({ do: fc.constant('turn' as const), which: fc.nat(50), bit: fc.nat(2000) }),
      fc.record({ do: fc.constant('cut' as const), which: fc.nat(50), to: fc.nat(60) }),
      fc.record({ do: fc.constant('noise' as const), bytes: fc.uint8Array({ maxLength: 80 }) }),
    );
    fc.assert(fc.property(suites, fc.array(step, { maxLength: 120 }), fc.boolean(), (suite, steps, control) => {
      const sender = new SrtpSender(suite, master(suite)), receiver = new SrtpReceiver(suite, master(suite));
      const open = (b: Buffer) => control ? receiver.unprotectRtcp(b) : receiver.unprotect(b);
      const genuine: Buffer[] = [];
      let dropped = 0;
      for (const what of steps) {
        if (what.do === 'send') {
          const sealed = sent(control ? sender.protectRtcp(rtcp()) : sender.protect(rtp(genuine.length)));
          genuine.push(sealed);
          expect(open(Buffer.from(sealed))).toBe(32);
          continue;
        }
        const base = what.do === 'noise' ? Buffer.from(what.bytes) : Buffer.from(genuine[what.which % Math.max(1, genuine.length)] ?? []);
        if (what.do === 'turn' && base.length > 0) base[(what.bit >> 3) % base.length]! ^= 1 << (what.bit & 7);
        const b = what.do === 'cut' ? base.subarray(0, Math.min(what.to, base.length - 1)) : base;
        expect(open(Buffer.from(b))).toBeLessThan(0);
        dropped++;
      }
      expect(receiver.forged + receiver.replayed).toBe(dropped);
    }), { numRuns: 150 });
  });
});
