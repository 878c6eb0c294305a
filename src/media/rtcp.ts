// RTCP, RFC 3550 §6: what we tell the other side about our sound and how its own arrives, and what it tells us. Compound packets
// of SR or RR, SDES with the CNAME, and BYE. Bytes and sums only: when to send and to whom is the stream's affair.

import type { Random } from '../ports/random.ts';
import { putU32, u32, type RtpPacket } from './rtp.ts';

const SR = 200, RR = 201, SDES = 202, BYE = 203;
/** Seconds from 1900, the zero of NTP, to 1970. */
const NTP_1970 = 2_208_988_800;
/** §A.1: a leap of more sequence numbers than this is a restart, once the next packet confirms it. */
const MAX_DROPOUT = 3000;
/** §6.2: the least interval; a call of two never gets near the limit by bandwidth. §6.3.1 divides by e − 3/2. */
const INTERVAL_MS = 5000;
const COMPENSATION = Math.E - 1.5;

/** Time to the next report: half as long for the first one, spread from a half to one and a half (§6.2, §6.3.1). */
export function rtcpIntervalMs(random: Random, first: boolean): number {
  return (first ? INTERVAL_MS / 2 : INTERVAL_MS) * (0.5 + random.fraction()) / COMPENSATION;
}

/** How one source arrives: §A.1, §A.3, §A.8. */
export interface Reception {
  ssrc: number;
  /** First and highest sequence number, the highest with its wraps; −1 before the first packet. */
  base: number;
  highest: number;
  received: number;
  /** Lost before the source started over. */
  lostBefore: number;
  expectedReported: number;
  receivedReported: number;
  /** Interarrival jitter in ticks of the RTP clock. */
  jitter: number;
  transit: number;
  confirms: number;
  /** Packets that had come before, told from a mark for each of the last 256 sequence numbers. */
  doubles: number;
  readonly seen: Uint8Array;
}

export const reception = (ssrc = 0): Reception => ({
  ssrc, base: 0, highest: -1, received: 0, lostBefore: 0, expectedReported: 0, receivedReported: 0, jitter: 0, transit: NaN, confirms: -1,
  doubles: 0, seen: new Uint8Array(256),
});

/** Sequence numbers that never came (§A.3); doubles can make it negative. */
export const lostOf = (r: Reception): number => r.lostBefore + (r.highest < 0 ? 0 : r.highest - r.base + 1 - r.received);

/**
 * Count a packet; false when it is a double. `arrivalTicks` is the instant in ticks of the RTP clock; NaN leaves the jitter
 * alone (telephone-event).
 */
export function arrive(r: Reception, packet: RtpPacket, arrivalTicks: number): boolean {
  const { sequence } = packet;
  if (r.highest < 0) r.base = r.highest = sequence;
  const step = ((sequence - r.highest) << 16) >> 16;
  if (Math.abs(step) > MAX_DROPOUT) {
    if (sequence !== r.confirms) {
      r.confirms = (sequence + 1) & 0xffff;
      return true;
    }
    const { ssrc, doubles } = r, lostBefore = lostOf(r);
    Object.assign(r, reception(ssrc), { base: sequence, highest: sequence, lostBefore, doubles });
  } else if (step > 0) {
    for (let i = Math.min(step, 256); i > 0; i--) r.seen[(sequence - i + 1) & 255] = 0;
    r.highest += step;
  }
  else if (r.highest + step < r.base) r.base = r.highest + step; // the very first ones came out of order
  r.confirms = -1;
  r.received++;
  if (step > -256 && r.seen[sequence & 255] === 1) {
    r.doubles++;
    return false;
  }
  if (step > -256) r.seen[sequence & 255] = 1;
  if (Number.isNaN(arrivalTicks)) return true;
  const transit = (Math.round(arrivalTicks) - packet.timestamp) | 0;
  if (!Number.isNaN(r.transit)) r.jitter += (Math.abs((transit - r.transit) | 0) - r.jitter) / 16;
  r.transit = transit;
  return true;
}

/** All that goes into a report of ours. */
export interface Report {
  readonly ssrc: number;
  readonly cname: Uint8Array;
  /** Sent anything since the report before: then it is a sender report. */
  readonly sender: boolean;
  /** Milliseconds since 1970, and the RTP timestamp of the same instant. */
  readonly wallMs: number;
  readonly timestamp: number;
  readonly packets: number;
  readonly octets: number;
  /** The middle 32 bits of the last sender report's NTP time, and how long ago it came; 0 for none (§6.4.1). */
  readonly lastSr: number;
  readonly sinceLastSrMs: number;
  readonly bye: boolean;
}

/** Write a compound report into `out` (at least 384 bytes); gives its length. Closes the interval of `heard`'s fraction lost. */
export function writeRtcp(out: Uint8Array, report: Report, heard: Reception): number {
  const blocks = heard.highest < 0 ? 0 : 1;
  let at = report.sender ? 28 : 8;
  head(out, 0, blocks, report.sender ? SR : RR, at + 24 * blocks, report.ssrc);
  if (report.sender) {
    const seconds = Math.floor(report.wallMs / 1000);
    putU32(out, 8, seconds + NTP_1970);
    putU32(out, 12, (report.wallMs / 1000 - seconds) * 0x1_0000_0000);
    putU32(out, 16, report.timestamp);
    putU32(out, 20, report.packets);
    putU32(out, 24, report.octets);
  }
  if (blocks === 1) {
    const expected = heard.highest - heard.base + 1;
    const expectedNow = expected - heard.expectedReported;
    const lostNow = expectedNow - (heard.received - heard.receivedReported);
    heard.expectedReported = expected;
    heard.receivedReported = heard.received;
    putU32(out, at, heard.ssrc);
    putU32(out, at + 4, Math.max(-0x80_0000, Math.min(0x7f_ffff, lostOf(heard))) & 0xff_ffff);
    out[at + 4] = expectedNow <= 0 || lostNow <= 0 ? 0 : Math.min(255, (lostNow * 256) / expectedNow);
    putU32(out, at + 8, heard.highest);
    putU32(out, at + 12, heard.jitter);
    putU32(out, at + 16, report.lastSr);
    putU32(out, at + 20, report.lastSr === 0 ? 0 : report.sinceLastSrMs * 65.536);
    at += 24;
  }
  const name = Math.min(255, report.cname.length);
  const sdes = (8 + 2 + name + 4) & ~3; // the item, at least one zero, up to the next word (§6.5)
  out.fill(0, at, at + sdes);
  head(out, at, 1, SDES, sdes, report.ssrc);
  out[at + 8] = 1; // CNAME
  out[at + 9] = name;
  for (let i = 0; i < name; i++) out[at + 10 + i] = report.cname[i]!;
  at += sdes;
  if (report.bye) {
    head(out, at, 1, BYE, 8, report.ssrc);
    at += 8;
  }
  return at;
}

function head(out: Uint8Array, at: number, count: number, type: number, bytes: number, ssrc: number): void {
  out[at] = 0x80 | count;
  out[at + 1] = type;
  out[at + 2] = (bytes / 4 - 1) >>> 8;
  out[at + 3] = bytes / 4 - 1;
  putU32(out, at + 4, ssrc);
}

/** What a compound packet said; reused. */
export interface RtcpNews {
  ssrc: number;
  bye: boolean;
  /** The middle of a sender report's NTP time; 0 without one. */
  sr: number;
  /** True when one of its blocks is about us; the rest is then its content. */
  aboutUs: boolean;
  lossPercent: number;
  lastSr: number;
  delaySinceSr: number;
}

export const rtcpNews = (): RtcpNews => ({ ssrc: 0, bye: false, sr: 0, aboutUs: false, lossPercent: 0, lastSr: 0, delaySinceSr: 0 });

/** Fill `news` from a datagram, looking for blocks about `ourSsrc`; false when it is not a whole compound packet (§A.2). */
export function readRtcp(b: Uint8Array, ourSsrc: number, news: RtcpNews): boolean {
  news.bye = news.aboutUs = false;
  news.sr = 0;
  const length = b.length;
  for (let at = 0, end = 0; at < length; at = end) {
    if (at + 8 > length) return at + 4 === length && at > 0 && b[at]! >> 6 === 2 && b[at + 2] === 0 && b[at + 3] === 0; // an empty BYE or SDES
    const flags = b[at]!, type = b[at + 1]!, count = flags & 0x1f;
    end = at + 4 + 4 * ((b[at + 2]! << 8) | b[at + 3]!);
    if (flags >> 6 !== 2 || end > length || (at === 0 && ((type !== SR && type !== RR) || (flags & 0x20) !== 0))) return false;
    if (at === 0) news.ssrc = u32(b, 4);
    if (type === SR || type === RR) {
      let block = at + (type === SR ? 28 : 8);
      if (block + 24 * count > end) return false;
      if (type === SR) news.sr = u32(b, at + 10);
      for (let i = 0; i < count; i++, block += 24) {
        if (u32(b, block) !== ourSsrc) continue;
        news.aboutUs = true;
        news.lossPercent = (b[block + 4]! * 100) / 256;
        news.lastSr = u32(b, block + 16);
        news.delaySinceSr = u32(b, block + 20);
      }
    } else if (type === BYE) news.bye = true;
  }
  return length > 0;
}

/** The middle 32 bits of the NTP time of an instant (§4). */
export const ntpMiddle = (wallMs: number): number => Math.floor((wallMs / 1000 + NTP_1970) * 65_536) % 0x1_0000_0000;

/** Round trip in ms from a block about us that came at `wallMs`; −1 when it answers no sender report (§6.4.1). */
export function roundTripMs(news: RtcpNews, wallMs: number): number {
  if (news.lastSr === 0) return -1;
  const ticks = (ntpMiddle(wallMs) - news.lastSr - news.delaySinceSr) | 0;
  return ticks < -655 ? -1 : Math.max(0, ticks) / 65.536; // 10 ms of rounding and of clocks that disagree are no travel in time
}
