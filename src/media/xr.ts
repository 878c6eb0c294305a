// RTCP extended reports (RFC 3611): blocks of VoIP metrics, of a receiver's reference time and of the delay since, written and read. Bytes only.

import { GMIN, type LossShape, type Opinion } from './quality.ts';
import { putU32, u32 } from './rtp.ts';

const XR = 207, REFERENCE_TIME = 4, DLRR = 5, VOIP_METRICS = 7;
/** Head with the sender's SSRC; and the blocks, each with its head. */
const HEAD_BYTES = 8, REFERENCE_BYTES = 12, DLRR_BYTES = 16, METRICS_BYTES = 36;
/** Packet of a block of metrics alone. */
export const XR_BYTES = HEAD_BYTES + METRICS_BYTES;
export const UNKNOWN = 127;
/** Of a packet with more nothing is read: nobody sends so many. */
const BLOCKS = 32;
/** §4.7.6: concealment 'enhanced' (10), jitter buffer 'adaptive' (11), how fast it adapts is not said. */
const RX_CONFIG = 0b1011_0000;
const NTP_1970 = 2_208_988_800;

export interface VoipMetrics {
  /** Whose sound it is about. */
  readonly ssrc: number;
  readonly shape: LossShape;
  readonly opinion: Opinion;
  /** −1 while unknown. */
  readonly roundTripMs: number;
  /** From the packet's arrival to the ear, and from the mouth to the packet. */
  readonly endSystemMs: number;
  /** dBm0 of the last talk and of the noise between; 127 where unknown. */
  readonly signalDb: number;
  readonly noiseDb: number;
  readonly jitterNominalMs: number;
  readonly jitterMaximumMs: number;
  readonly jitterAbsoluteMs: number;
}

/** The answer to a reference time of theirs (§4.5). */
export interface SinceReference {
  readonly ssrc: number;
  /** The middle 32 bits of it, and how long ago it came. */
  readonly lastRr: number;
  readonly sinceMs: number;
}

/** What a packet is to say; `referenceMs` is the instant in ms since 1970 (§4.4). */
export interface XrParts {
  readonly metrics?: VoipMetrics | undefined;
  readonly referenceMs?: number | undefined;
  readonly since?: SinceReference | undefined;
}

/** Write a packet of `ours` into `out` at `at`; gives where it ends. Nothing to say is no packet. */
export function writeXr(out: Uint8Array, at: number, ours: number, { metrics, referenceMs, since }: XrParts): number {
  let to = at + HEAD_BYTES;
  if (referenceMs !== undefined) to = writeReference(out, to, referenceMs);
  if (since !== undefined) to = writeSince(out, to, since);
  if (metrics !== undefined) to = writeMetrics(out, to, metrics);
  if (to === at + HEAD_BYTES) return at;
  block(out, at, 0x80, XR, to - at);
  out[at + 1] = XR;
  putU32(out, at + 4, ours);
  return to;
}

/** First word of a packet or block, whose length counts the words after it. */
function block(out: Uint8Array, at: number, first: number, second: number, bytes: number): void {
  out[at] = first;
  out[at + 1] = second;
  u16(out, at + 2, bytes / 4 - 1);
}

function writeReference(out: Uint8Array, at: number, wallMs: number): number {
  const seconds = Math.floor(wallMs / 1000);
  block(out, at, REFERENCE_TIME, 0, REFERENCE_BYTES);
  putU32(out, at + 4, seconds + NTP_1970);
  putU32(out, at + 8, (wallMs / 1000 - seconds) * 0x1_0000_0000);
  return at + REFERENCE_BYTES;
}

function writeSince(out: Uint8Array, at: number, { ssrc, lastRr, sinceMs }: SinceReference): number {
  block(out, at, DLRR, 0, DLRR_BYTES);
  putU32(out, at + 4, ssrc);
  putU32(out, at + 8, lastRr);
  putU32(out, at + 12, sinceMs * 65.536);
  return at + DLRR_BYTES;
}

/** §4.7. */
function writeMetrics(out: Uint8Array, b: number, m: VoipMetrics): number {
  out.fill(0, b, b + METRICS_BYTES);
  block(out, b, VOIP_METRICS, 0, METRICS_BYTES);
  putU32(out, b + 4, m.ssrc);
  out[b + 8] = share(m.shape.lost);
  out[b + 9] = share(m.shape.discarded);
  out[b + 10] = share(m.shape.burstDensity);
  out[b + 11] = share(m.shape.gapDensity);
  u16(out, b + 12, m.shape.burstMs);
  u16(out, b + 14, m.shape.gapMs);
  u16(out, b + 16, m.roundTripMs);
  u16(out, b + 18, m.endSystemMs);
  out[b + 20] = m.signalDb & 0xff;
  out[b + 21] = m.noiseDb & 0xff;
  out[b + 22] = UNKNOWN; // residual echo return loss: known to the card's room alone
  out[b + 23] = GMIN;
  out[b + 24] = Math.round(m.opinion.r);
  out[b + 25] = UNKNOWN; // no other network is known of
  out[b + 26] = Math.round(m.opinion.mosLq * 10);
  out[b + 27] = Math.round(m.opinion.mosCq * 10);
  out[b + 28] = RX_CONFIG;
  u16(out, b + 30, m.jitterNominalMs);
  u16(out, b + 32, m.jitterMaximumMs);
  u16(out, b + 34, m.jitterAbsoluteMs);
  return b + METRICS_BYTES;
}

const share = (of: number): number => Math.max(0, Math.min(255, Math.floor(of * 256)));
function u16(out: Uint8Array, at: number, value: number): void {
  const v = Math.max(0, Math.min(0xffff, Math.round(value)));
  out[at] = v >>> 8;
  out[at + 1] = v;
}

/** How our sound arrives at the other side, as it says itself; −1 where it does not know. */
export interface HeardThere {
  readonly lossPercent: number;
  readonly discardPercent: number;
  readonly burstPercent: number;
  readonly gapPercent: number;
  readonly burstMs: number;
  readonly gapMs: number;
  readonly gmin: number;
  /** 0 while it does not know (§4.7.3). */
  readonly roundTripMs: number;
  readonly endSystemMs: number;
  /** dBm0, and dB of residual echo; 127 where it does not know. */
  readonly signalDb: number;
  readonly noiseDb: number;
  readonly echoDb: number;
  readonly r: number;
  readonly mosLq: number;
  readonly mosCq: number;
  /** 0 unknown to 3 (§4.7.6): concealment none 1, enhanced 2, standard 3; jitter buffer fixed 2, adaptive 3, with its rate. */
  readonly concealment: number;
  readonly adaptive: number;
  readonly rate: number;
  readonly jitterNominalMs: number;
  readonly jitterMaximumMs: number;
  readonly jitterAbsoluteMs: number;
}

/** What extended reports in a compound packet say that concerns us. */
export interface XrNews {
  readonly heard?: HeardThere;
  /** The middle 32 bits of their reference time. */
  readonly reference?: number;
  /** The same of ours that they answer, and the delay since, both in 1/65536 s. */
  readonly lastRr?: number;
  readonly delaySinceRr?: number;
}

/** The reports about `ours` in a compound packet that was found whole before; empty without any. What is not well formed is passed over. */
export function readXr(b: Uint8Array, ours: number): XrNews {
  let news: XrNews = {}, blocks = 0;
  for (let at = 0; at + 8 <= b.length;) {
    const end = at + 4 + 4 * words(b, at);
    for (let from = at + 8; b[at + 1] === XR && end <= b.length && from + 4 <= end && ++blocks <= BLOCKS;) {
      const next = from + 4 + 4 * words(b, from), bytes = next - from;
      if (next > end) break;
      if (b[from] === REFERENCE_TIME && bytes === REFERENCE_BYTES) news = { ...news, reference: u32(b, from + 6) };
      if (b[from] === DLRR) {
        for (let one = from + 4; one + 12 <= next; one += 12) if (u32(b, one) === ours) news = { ...news, lastRr: u32(b, one + 4), delaySinceRr: u32(b, one + 8) };
      }
      if (b[from] === VOIP_METRICS && bytes === METRICS_BYTES && u32(b, from + 4) === ours) news = { ...news, heard: readMetrics(new DataView(b.buffer, b.byteOffset + from, METRICS_BYTES)) };
      from = next;
    }
    at = end;
  }
  return news;
}

const words = (b: Uint8Array, at: number): number => (b[at + 2]! << 8) | b[at + 3]!;

function readMetrics(b: DataView): HeardThere {
  const percent = (i: number): number => Math.round(b.getUint8(i) / 0.0256) / 100;
  const known = (i: number, least: number, most: number, per: number): number => (b.getUint8(i) < least || b.getUint8(i) > most ? -1 : b.getUint8(i) / per);
  const config = b.getUint8(28);
  return {
    lossPercent: percent(8), discardPercent: percent(9), burstPercent: percent(10), gapPercent: percent(11), burstMs: b.getUint16(12), gapMs: b.getUint16(14), gmin: b.getUint8(23),
    roundTripMs: b.getUint16(16), endSystemMs: b.getUint16(18), signalDb: b.getInt8(20), noiseDb: b.getInt8(21), echoDb: b.getUint8(22),
    r: known(24, 0, 120, 1), mosLq: known(26, 10, 50, 10), mosCq: known(27, 10, 50, 10), concealment: config >> 6, adaptive: (config >> 4) & 3, rate: config & 15,
    jitterNominalMs: b.getUint16(30), jitterMaximumMs: b.getUint16(32), jitterAbsoluteMs: b.getUint16(34),
  };
}
