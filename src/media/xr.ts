// RTCP extended reports (RFC 3611): the VoIP metrics block, written and read. Bytes only.

import { GMIN, type LossShape, type Opinion } from './quality.ts';
import { putU32, u32 } from './rtp.ts';

const XR = 207, VOIP_METRICS = 7;
/** Packet of one block: head, SSRC, block. */
export const XR_BYTES = 8 + 36;
const UNKNOWN = 127;

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

/** Write the packet of `ours` about another's sound into `out` at `at`; gives where it ends. §4.7. */
export function writeXr(out: Uint8Array, at: number, ours: number, m: VoipMetrics): number {
  out.fill(0, at, at + XR_BYTES);
  out[at] = 0x80;
  out[at + 1] = XR;
  out[at + 3] = XR_BYTES / 4 - 1;
  putU32(out, at + 4, ours);
  const b = at + 8;
  out[b] = VOIP_METRICS;
  out[b + 3] = 8;
  putU32(out, b + 4, m.ssrc);
  out[b + 8] = share(m.shape.lost);
  out[b + 9] = share(m.shape.discarded);
  out[b + 10] = share(m.shape.burstDensity);
  out[b + 11] = share(m.shape.gapDensity);
  u16(out, b + 12, m.shape.burstMs);
  u16(out, b + 14, m.shape.gapMs);
  u16(out, b + 16, Math.max(0, m.roundTripMs));
  u16(out, b + 18, m.endSystemMs);
  out[b + 20] = m.signalDb & 0xff;
  out[b + 21] = m.noiseDb & 0xff;
  out[b + 22] = UNKNOWN; // residual echo return loss: known to the card's room alone
  out[b + 23] = GMIN;
  out[b + 24] = Math.round(m.opinion.r);
  out[b + 25] = UNKNOWN; // no other network is known of
  out[b + 26] = Math.round(m.opinion.mosLq * 10);
  out[b + 27] = Math.round(m.opinion.mosCq * 10);
  out[b + 28] = 0b1110_0000 | 0b1_0000; // §4.7.6: enhanced concealment (3 at the top), adaptive jitter buffer (3)
  u16(out, b + 30, m.jitterNominalMs);
  u16(out, b + 32, m.jitterMaximumMs);
  u16(out, b + 34, m.jitterAbsoluteMs);
  return at + XR_BYTES;
}

const share = (of: number): number => Math.max(0, Math.min(255, Math.floor(of * 256)));
function u16(out: Uint8Array, at: number, value: number): void {
  const v = Math.max(0, Math.min(0xffff, Math.round(value)));
  out[at] = v >>> 8;
  out[at + 1] = v;
}

/** How our sound arrives at the other side, as it says itself. */
export interface HeardThere {
  readonly lossPercent: number;
  readonly discardPercent: number;
  /** −1 where it does not say. */
  readonly mosLq: number;
  readonly mosCq: number;
}

/** The VoIP metrics about `ours` in a compound packet that was found whole before; undefined without any. */
export function readXr(b: Uint8Array, ours: number): HeardThere | undefined {
  for (let at = 0; at + 8 <= b.length;) {
    const end = at + 4 + 4 * ((b[at + 2]! << 8) | b[at + 3]!);
    for (let block = at + 8; b[at + 1] === XR && block + 4 <= end && end <= b.length;) {
      const next = block + 4 + 4 * ((b[block + 2]! << 8) | b[block + 3]!);
      if (b[block] === VOIP_METRICS && next === block + 36 && next <= end && u32(b, block + 4) === ours) {
        const mos = (i: number) => (b[block + i] === UNKNOWN ? -1 : b[block + i]! / 10);
        return { lossPercent: b[block + 8]! / 2.56, discardPercent: b[block + 9]! / 2.56, mosLq: mos(26), mosCq: mos(27) };
      }
      block = next;
    }
    at = end;
  }
  return undefined;
}
