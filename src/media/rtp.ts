// RTP headers, RFC 3550 §5.1: bytes to fields and back. Knows nothing of streams, clocks or codecs.
//
//    0                   1                   2                   3
//   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//   |                           timestamp                           |
//   |                             SSRC                              |  then CSRCs, extension, payload, padding

/** One packet, reused from datagram to datagram. */
export interface RtpPacket {
  marker: boolean;
  payloadType: number;
  sequence: number;
  timestamp: number;
  ssrc: number;
  /** A view of the datagram. */
  payload: Uint8Array;
}

export const RTP_HEADER_BYTES = 12;
const nothing = new Uint8Array(0);

export function rtpPacket(): RtpPacket {
  return { marker: false, payloadType: 0, sequence: 0, timestamp: 0, ssrc: 0, payload: nothing };
}

/** Big-endian 32 bits at `i`; the caller has checked the length. */
export function u32(b: Uint8Array, i: number): number {
  return ((b[i]! << 24) | (b[i + 1]! << 16) | (b[i + 2]! << 8) | b[i + 3]!) >>> 0;
}

export function putU32(b: Uint8Array, i: number, value: number): void {
  b[i] = value >>> 24;
  b[i + 1] = value >>> 16;
  b[i + 2] = value >>> 8;
  b[i + 3] = value;
}

/** Fill `packet` from the first `length` bytes of a datagram, its payload a view of it; false when it is not a whole RTP version 2 packet. */
export function readRtp(b: Uint8Array, packet: RtpPacket, length = b.length): boolean {
  if (length < RTP_HEADER_BYTES) return false;
  const flags = b[0]!;
  if (flags >> 6 !== 2) return false;
  let start = RTP_HEADER_BYTES + 4 * (flags & 0x0f); // CSRCs
  if ((flags & 0x10) !== 0) { // header extension, §5.3.1
    if (start + 4 > length) return false;
    start += 4 + 4 * ((b[start + 2]! << 8) | b[start + 3]!);
  }
  let end = length;
  if ((flags & 0x20) !== 0) { // padding, §5.1: its last byte counts itself, so 0 is no count
    const padding = b[length - 1]!;
    if (padding === 0) return false;
    end -= padding;
  }
  if (start > end) return false;
  packet.marker = b[1]! >= 0x80;
  packet.payloadType = b[1]! & 0x7f;
  packet.sequence = (b[2]! << 8) | b[3]!;
  packet.timestamp = u32(b, 4);
  packet.ssrc = u32(b, 8);
  packet.payload = b.subarray(start, end);
  return true;
}

/** Write the twelve bytes before a payload: no CSRC, extension or padding. */
export function writeRtpHeader(b: Uint8Array, marker: boolean, payloadType: number, sequence: number, timestamp: number, ssrc: number): void {
  b[0] = 0x80;
  b[1] = (marker ? 0x80 : 0) | payloadType;
  b[2] = sequence >>> 8;
  b[3] = sequence;
  putU32(b, 4, timestamp);
  putU32(b, 8, ssrc);
}
