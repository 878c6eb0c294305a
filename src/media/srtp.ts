// SRTP and SRTCP (RFC 3711) of one stream: which packet of which source it is, whether it came before, whether it is genuine. Packets are
// sealed in a buffer of its own and opened where they lie. How a packet is encrypted is srtp-suite.ts' affair, where keys come from sdp/sdes.ts'.
//
//   protect()     sequence -> index (never one twice) -> seal
//   unprotect()   sequence -> index, guessed (§3.3.1) -> came before? (§3.3.2) -> open -> remember

import type { CryptoUse } from '../sdp/types.ts';
import type { Srtp } from './extras.ts';
import { u32 } from './rtp.ts';
import { createTransform, E, MORE_BYTES, MOST_BYTES, sessionKeys, SUITES, type SuiteName, type Transform } from './srtp-suite.ts';

/** unprotect() gives these for a packet that is to be dropped. */
export const MALFORMED = -1;
export const FORGED = -2;
export const REPLAYED = -3;

/** How far back packets are still taken, each once (§3.3.2: at least 64). */
export const WINDOW = 128;
/** Sources remembered; of a call's other side there is one, and another each time a server takes part. */
const SOURCES = 16;
/** Packets under one master key (§9.2). */
const LIFETIME = { rtp: 2 ** 48, rtcp: 2 ** 31 } as const;
export type Lifetime = Readonly<Record<'rtp' | 'rtcp', number>>;

/** One source's packets so far: the highest index, and which of the WINDOW up to it came. −1: none yet. */
interface Source {
  ssrc: number;
  highest: number;
  readonly seen: Uint32Array;
}

/** The index that `sequence` most likely has after `highest` (§3.3.1, appendix A); below 0 when it would be older than the first. */
export function guessIndex(highest: number, sequence: number): number {
  const last = highest % 0x1_0000, start = highest - last;
  if (last < 0x8000) return start + sequence - (sequence - last > 0x8000 ? 0x1_0000 : 0);
  return start + sequence + (last - 0x8000 > sequence ? 0x1_0000 : 0);
}

const cameBefore = ({ highest, seen }: Source, index: number): boolean =>
  index <= highest && (index <= highest - WINDOW || (seen[(index % WINDOW) >> 5]! & 1 << (index & 31)) !== 0);

function remember(source: Source, index: number): void {
  const { seen } = source;
  if (index >= source.highest + WINDOW) seen.fill(0);
  else for (let i = source.highest + 1; i < index; i++) seen[(i % WINDOW) >> 5]! &= ~(1 << (i & 31));
  seen[(index % WINDOW) >> 5]! |= 1 << (index & 31);
  if (index > source.highest) source.highest = index;
}

/** Sources of one direction and kind; the one asked for longest ago gives way. */
class Sources {
  /** Asked for last stands first. */
  readonly #all: Source[] = [];

  find(ssrc: number): Source | undefined {
    const all = this.#all;
    for (let i = 0; i < all.length; i++) {
      const source = all[i]!;
      if (source.ssrc !== ssrc) continue;
      for (let j = i; j > 0; j--) all[j] = all[j - 1]!;
      return all[0] = source;
    }
    return undefined;
  }

  add(ssrc: number): Source {
    const source: Source = { ssrc, highest: -1, seen: new Uint32Array(WINDOW / 32) };
    if (this.#all.unshift(source) > SOURCES) this.#all.pop();
    return source;
  }
}

/** A master key in use. */
interface Context {
  readonly rtp: Transform;
  readonly rtcp: Transform;
}

function context(suite: SuiteName, master: Uint8Array): Context {
  const { keyBytes, saltBytes } = SUITES[suite];
  if (master.length !== keyBytes + saltBytes) throw new RangeError(`${suite} takes a key and a salt of ${keyBytes + saltBytes} bytes together`);
  const of = (rtcp: boolean) => createTransform(suite, sessionKeys(suite, master, rtcp), rtcp);
  return { rtp: of(false), rtcp: of(true) };
}

/** Bytes of an RTP header with CSRCs and extension, which stay readable; 0 when it is not whole. */
function headerBytes(b: Uint8Array, length: number): number {
  if (length < 12 || b[0]! >> 6 !== 2) return 0;
  let bytes = 12 + 4 * (b[0]! & 0x0f);
  if ((b[0]! & 0x10) !== 0) {
    if (bytes + 4 > length) return 0;
    bytes += 4 + 4 * ((b[bytes + 2]! << 8) | b[bytes + 3]!);
  }
  return bytes > length ? 0 : bytes;
}

export class SrtpSender {
  readonly #life: Lifetime;
  readonly #sources = new Sources();
  readonly #rtcpIndexes = new Sources();
  readonly #out = new Uint8Array(MOST_BYTES);
  #context: Context;
  #cut = this.#out;
  #rtp = 0;
  #rtcp = 0;

  constructor(suite: SuiteName, master: Uint8Array, life: Lifetime = LIFETIME) {
    this.#context = context(suite, master);
    this.#life = life;
  }

  /** Go on under another key; indexes go on as well. */
  rekey(suite: SuiteName, master: Uint8Array): void {
    this.#context = context(suite, master);
    this.#rtp = this.#rtcp = 0;
  }

  /** The packet sealed, good until the next call; undefined where it must not leave: an index would serve twice, or the key is used up (§9.2). */
  protect(packet: Uint8Array): Uint8Array | undefined {
    const { length } = packet, header = headerBytes(packet, length);
    if (header === 0 || length > MOST_BYTES - MORE_BYTES || this.#rtp >= this.#life.rtp) return undefined;
    const ssrc = u32(packet, 8), sequence = (packet[2]! << 8) | packet[3]!;
    const source = this.#sources.find(ssrc) ?? this.#sources.add(ssrc);
    const index = source.highest < 0 ? sequence : guessIndex(source.highest, sequence);
    if (index <= source.highest || index >= LIFETIME.rtp) return undefined;
    source.highest = index;
    this.#rtp++;
    this.#out.set(packet);
    return this.#ready(this.#context.rtp.seal(this.#out, header, length, ssrc, index, Math.floor(index / 0x1_0000)));
  }

  /** As protect(), for a compound packet of RTCP (§3.4). */
  protectRtcp(packet: Uint8Array): Uint8Array | undefined {
    const { length } = packet;
    if (length < 8 || length > MOST_BYTES - MORE_BYTES || this.#rtcp >= this.#life.rtcp) return undefined;
    const ssrc = u32(packet, 4), source = this.#rtcpIndexes.find(ssrc) ?? this.#rtcpIndexes.add(ssrc);
    const index = ++source.highest;
    if (index >= LIFETIME.rtcp) return undefined;
    this.#rtcp++;
    this.#out.set(packet);
    return this.#ready(this.#context.rtcp.seal(this.#out, 8, length, ssrc, index, (E | index) >>> 0));
  }

  #ready(length: number): Uint8Array {
    if (this.#cut.length !== length) this.#cut = this.#out.subarray(0, length);
    return this.#cut;
  }
}

const none = new Uint8Array(0);

/** What came under one master key of the other side's. */
class Opener {
  readonly sources = new Sources();
  readonly #rtcpSources = new Sources();
  readonly #rtp: Transform;
  readonly #rtcp: Transform;
  readonly #mki: Uint8Array;
  /** Sources as they stood under the key before: one index runs on through all keys (§8.1.1), though some begin anew. */
  readonly #before: Sources | undefined;

  constructor({ rtp, rtcp }: Context, mki: Uint8Array, before?: Sources) {
    this.#rtp = rtp;
    this.#rtcp = rtcp;
    this.#mki = mki;
    this.#before = before;
  }

  rtp(b: Uint8Array): number {
    const rtp = this.#rtp, mki = this.#mki, { length } = b;
    const to = length - rtp.tagBytes - mki.length, header = headerBytes(b, to);
    if (header === 0 || length > MOST_BYTES) return MALFORMED;
    if (!this.#marked(b, rtp.gcm ? to + rtp.tagBytes : to)) return FORGED;
    const ssrc = u32(b, 8), sequence = (b[2]! << 8) | b[3]!;
    const source = this.sources.find(ssrc);
    if (source === undefined) return this.#first(b, header, to, ssrc, sequence);
    const index = guessIndex(source.highest, sequence);
    if (index < 0 || cameBefore(source, index)) return REPLAYED;
    if (!this.#open(b, header, to, ssrc, index)) return FORGED;
    remember(source, index);
    return to;
  }

  /** A source that is new: its index is the sequence number, or has wrapped once where all before the wrap was missed. */
  #first(b: Uint8Array, header: number, to: number, ssrc: number, sequence: number): number {
    const known = this.#before?.find(ssrc), likely = known === undefined ? sequence : guessIndex(known.highest, sequence);
    const index = likely >= 0 && this.#open(b, header, to, ssrc, likely) ? likely
      : likely !== sequence && this.#open(b, header, to, ssrc, sequence) ? sequence
      : sequence < 0x8000 && this.#open(b, header, to, ssrc, sequence + 0x1_0000) ? sequence + 0x1_0000 : -1;
    if (index < 0) return FORGED;
    remember(this.sources.add(ssrc), index);
    return to;
  }

  #open(b: Uint8Array, header: number, to: number, ssrc: number, index: number): boolean {
    const rtp = this.#rtp;
    return rtp.open(b, header, to, rtp.gcm ? to : to + this.#mki.length, ssrc, index, Math.floor(index / 0x1_0000), true);
  }

  rtcp(b: Uint8Array): number {
    const { gcm, tagBytes } = this.#rtcp, mki = this.#mki, { length } = b;
    const to = length - tagBytes - mki.length - 4;
    if (to < 8 || b[0]! >> 6 !== 2 || length > MOST_BYTES) return MALFORMED;
    const place = gcm ? to + tagBytes : to;
    if (!this.#marked(b, place + 4)) return FORGED;
    const word = u32(b, place), index = word % E, ssrc = u32(b, 4);
    const source = this.#rtcpSources.find(ssrc);
    if (source !== undefined && cameBefore(source, index)) return REPLAYED;
    if (!this.#rtcp.open(b, 8, to, gcm ? to : to + 4 + mki.length, ssrc, index, word, word >= E)) return FORGED;
    remember(source ?? this.#rtcpSources.add(ssrc), index);
    return to;
  }

  /** Whether the MKI stands where it should. */
  #marked(b: Uint8Array, at: number): boolean {
    const mki = this.#mki;
    for (let i = 0; i < mki.length; i++) if (mki[i] !== b[at + i]) return false; // it is no secret
    return true;
  }
}

export class SrtpReceiver {
  /** Packets dropped: not genuine or not whole, and come before or too late to tell. */
  forged = 0;
  replayed = 0;
  #now: Opener;
  /** Of the key before, until a packet came under the new one: what is under way is still heard. */
  #before: Opener | undefined;

  constructor(suite: SuiteName, master: Uint8Array, mki: Uint8Array = none) {
    this.#now = new Opener(context(suite, master), mki);
  }

  /** The other side goes on under another key. */
  rekey(suite: SuiteName, master: Uint8Array, mki: Uint8Array = none): void {
    this.#before = this.#now;
    this.#now = new Opener(context(suite, master), mki, this.#before.sources);
  }

  /** Open the packet where it lies: its plain length, or why it is to be dropped. Changes nothing then. */
  unprotect(b: Uint8Array): number {
    const length = this.#now.rtp(b);
    return this.#count(length, length < 0 && this.#before !== undefined ? this.#before.rtp(b) : length);
  }

  /** As unprotect(), for a compound packet of RTCP. */
  unprotectRtcp(b: Uint8Array): number {
    const length = this.#now.rtcp(b);
    return this.#count(length, length < 0 && this.#before !== undefined ? this.#before.rtcp(b) : length);
  }

  #count(now: number, length: number): number {
    if (now > 0) this.#before = undefined;
    if (length === REPLAYED) this.replayed++;
    else if (length < 0) this.forged++;
    return length;
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');

/** Both directions of a stream under what `first` says; use() changes the direction whose key is another. */
export function createSrtp(first: CryptoUse): Srtp {
  const mki = (use: CryptoUse): Uint8Array => Buffer.from(use.mki ?? '', 'hex');
  const sender = new SrtpSender(first.suite, bytes(first.send)), receiver = new SrtpReceiver(first.suite, bytes(first.receive), mki(first));
  let now = first;
  return {
    use(next) {
      const suite = next.suite !== now.suite;
      if (suite || next.send !== now.send) sender.rekey(next.suite, bytes(next.send));
      if (suite || next.receive !== now.receive || next.mki !== now.mki) receiver.rekey(next.suite, bytes(next.receive), mki(next));
      now = next;
    },
    protect: (packet) => sender.protect(packet),
    protectRtcp: (packet) => sender.protectRtcp(packet),
    unprotect: (packet) => receiver.unprotect(packet),
    unprotectRtcp: (packet) => receiver.unprotectRtcp(packet),
    get forged() { return receiver.forged; },
    get replayed() { return receiver.replayed; },
  };
}
