// Inputs for the parsers: good ones, taken apart and put together wrongly. The same seed gives the same inputs.

import { readFileSync, readdirSync } from 'node:fs';
import { corpus } from '../bench/corpus.ts';
import { FakeRandom } from '../fakes/random.ts';

/** What the mutants come from: the torture files, the ordinary messages, and descriptions with all that peers put into them. */
export function seeds(tests: URL): Buffer[] {
  const torture = ['sip/torture/', 'sip/torture/ipv6/'].flatMap((under) => {
    const folder = new URL(under, tests);
    return readdirSync(folder).filter((name) => name.endsWith('.dat')).sort().map((name) => readFileSync(new URL(name, folder)));
  });
  return [...torture, ...corpus(new URL('bench/corpus.txt', tests)).map(([, bytes]) => bytes), ...MORE.map((text) => Buffer.from(text.replace(/\n/g, '\r\n')))];
}

const HEAD = 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: x\n';
const MORE = [
  `SIP/2.0 407 Proxy Authentication Required\n${HEAD}CSeq: 1 INVITE\nProxy-Authenticate: Digest realm="a,b\\"c", nonce="n", qop="auth,auth-int", algorithm=SHA-256, stale=TRUE, Basic realm="x", Digest realm=y, nonce=z\nWWW-Authenticate: Digest realm="r", nonce="", opaque="o", domain="sip:a sip:b"\nRetry-After: 18000 (a \\) comment);duration=3600\nContent-Length: 0\n\n`,
  `INVITE sip:alice;day=tue%73day:pass%20word@[2001:db8::1]:5061;transport=tls;lr;maddr=224.0.0.1;ttl=5?subject=a%26b&priority=urgent SIP/2.0\n${HEAD}CSeq: 2147483647 INVITE\nContact: "A \\"B\\" C" <sip:a@[::1]>;q=0.7;expires=3600, <tel:+1-201-555-0123;ext=4;phone-context=example.com>\nReplaces: a@b;to-tag=1;from-tag=2;early-only\nRefer-To: <sip:x@y?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\nReason: SIP;cause=200;text="a;b", Q.850;cause=16\nAuthorization: Digest username="201", realm="offhook", nonce="000000000000ab", uri="sip:x", response="${'0'.repeat(32)}", cnonce="c", nc=00000001, qop=auth\nSession-Expires: 90;refresher=uas\nContent-Type: multipart/mixed;boundary=x\nContent-Length: 0\n\n`,
  `SIP/2.0 200 OK\n${HEAD}CSeq: 1 INVITE\nContact: *\nContent-Type: application/sdp\n\nv=0\no=- 1 2 IN IP6 2001:db8::1\ns=-\nb=AS:128\nc=IN IP6 2001:db8::1/127/3\nt=0 0\na=group:BUNDLE 0\na=sendonly\nm=audio 5004/2 RTP/SAVP 111 0 8 9 13 101\na=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1; maxaveragebitrate=16000;stereo=0\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15,66\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\na=rtcp:53020 IN IP4 126.16.64.4\na=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host\na=ptime:20\na=maxptime:150\na=inactive\nm=image 0 udptl t38\nm=audio 0 RTP/AVP 0\n`,
];

/** Words that parsers mind. */
const TOKENS = [
  '\r\n', '\n', '\r', '\r\n\r\n', '\r\n ', '\0', ' ', '\t', ':', ';', ',', '=', '"', '\\', '\\"', '<', '>', '<>', '@', '?', '&', '%', '%00', '%0d%0a', '%zz', '/', '*', '[', ']', '[::1]', '[:::1]', '::', '.', '..', '-1', '0', '00', '1e9', '0x10', 'NaN',
  '65535', '65536', '2147483647', '2147483648', '4294967295', '4294967296', '18446744073709551616', '9'.repeat(40), 'SIP/2.0', 'SIP/', 'sip:', 'sips:', 'tel:', 'z9hG4bK', ';tag=', ';branch=', ';lr', ';rport', ';received=',
  'Via: ', 'v: ', 'From: ', 'f:', 'To: ', 'Call-ID: ', 'i:', 'CSeq: ', 'Contact: ', 'm:', 'Content-Length: ', 'l: ', 'Require: ', 'Route: ', 'Digest ', 'nonce=', 'realm="', '()', '(', 'INVITE ', 'ACK ', 'é', '\ufeff', '\xff', '\ud800', '__proto__', 'constructor',
  'm=audio 1 RTP/AVP 0\r\n', 'm=', 'a=rtpmap:', 'c=IN IP4 ', 'v=0\r\n', 'a=', 'o=',
].map((word) => Buffer.from(word));

export class Mutator {
  readonly #seeds: readonly Buffer[];
  readonly #random: FakeRandom;

  constructor(seeds: readonly Buffer[], seed: number) {
    this.#seeds = seeds;
    this.#random = new FakeRandom(seed);
  }

  below(n: number): number {
    return Math.floor(this.#random.fraction() * n);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** The next mutant. */
  next(): Buffer {
    let bytes = this.pick(this.#seeds);
    for (let i = this.below(4) + (this.below(8) === 0 ? 12 : 1); i > 0; i--) bytes = this.#change(bytes);
    return bytes.length > 80_000 ? bytes.subarray(0, 80_000) : bytes;
  }

  #change(bytes: Buffer): Buffer {
    const at = this.below(bytes.length + 1), to = Math.min(bytes.length, at + 1 + this.below(this.below(4) === 0 ? 400 : 20));
    const put = (word: Buffer, end = at): Buffer => Buffer.concat([bytes.subarray(0, at), word, bytes.subarray(end)]);
    switch (this.below(12)) {
      case 0: { // a bit
        const changed = Buffer.from(bytes);
        if (at < changed.length) changed[at] = changed[at]! ^ (1 << this.below(8));
        return changed;
      }
      case 1: return bytes.subarray(0, at);
      case 2: return put(bytes.subarray(at, to)); // twice
      case 3: return put(Buffer.alloc(0), to); // left out
      case 4: return put(this.pick(TOKENS));
      case 5: return put(this.pick(TOKENS), to);
      case 6: { // the end of another
        const other = this.pick(this.#seeds);
        return put(other.subarray(this.below(other.length)), bytes.length);
      }
      case 7: { // a line of another, or its own, elsewhere
        const lines = this.pick(this.below(2) === 0 ? [bytes] : this.#seeds).toString('latin1').split('\r\n');
        const start = bytes.lastIndexOf(10, at) + 1;
        return Buffer.concat([bytes.subarray(0, start), Buffer.from(`${this.pick(lines)}\r\n`, 'latin1'), bytes.subarray(start)]);
      }
      case 8: { // two words change places
        const text = bytes.toString('latin1');
        const words = text.split(/([\s;,=:<>"@/]+)/);
        const a = this.below(words.length), b = this.below(words.length);
        [words[a], words[b]] = [words[b]!, words[a]!];
        return Buffer.from(words.join(''), 'latin1');
      }
      case 9: { // a number out of bounds
        const text = bytes.toString('latin1'), numbers = [...text.matchAll(/\d+/g)];
        if (numbers.length === 0) return bytes;
        const one = this.pick(numbers), with_ = this.pick(['-1', '0', '256', '65536', '2147483648', '4294967296', '99999999999999999999', `${one[0]}${one[0]}`]);
        return Buffer.from(text.slice(0, one.index) + with_ + text.slice(one.index + one[0].length), 'latin1');
      }
      case 10: return this.below(20) === 0 ? put(Buffer.concat(Array.from({ length: 1 + this.below(600) }, () => bytes.subarray(at, Math.min(to, at + 40))))) : put(this.pick(TOKENS)); // again and again
      default: { // a byte
        const changed = Buffer.from(bytes);
        if (at < changed.length) changed[at] = this.below(256);
        return changed;
      }
    }
  }
}
