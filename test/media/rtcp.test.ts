import { ReceiverReportPacket, RtcpPacket, CompoundPacket, SenderReportPacket, SdesPacket, ByePacket } from 'rtp.js/packets';
import { describe, expect, test } from 'vitest';
import { arrive, lostOf, ntpMiddle, readRtcp, reception, roundTripMs, rtcpIntervalMs, rtcpNews, writeRtcp, type Report } from '../../src/media/rtcp.ts';
import { rtpPacket } from '../../src/media/rtp.ts';
import { FakeRandom } from '../fakes/random.ts';

const report: Report = {
  ssrc: 0xaabbccdd, cname: Buffer.from('phone@192.0.2.1'), sender: true, wallMs: 1_700_000_000_500, timestamp: 0x1234_5678, packets: 100, octets: 16_000, lastSr: 0, sinceLastSrMs: 0, bye: false,
};

function heard(sequences: readonly number[], each = 160, arrivalOf = (i: number) => i * each): ReturnType<typeof reception> {
  const r = reception(0x11223344), packet = rtpPacket();
  sequences.forEach((sequence, i) => {
    packet.sequence = sequence & 0xffff;
    packet.timestamp = (sequence * each) >>> 0;
    arrive(r, packet, arrivalOf(i));
  });
  return r;
}
const write = (r: Report, from = reception()): Buffer => {
  const out = new Uint8Array(384);
  return Buffer.from(out.subarray(0, writeRtcp(out, r, from)));
};
const parts = (bytes: Buffer): RtcpPacket[] => new CompoundPacket(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)).getPackets();

describe('counting what arrives', () => {
  test('gaps are losses, doubles and late ones are not (RFC 3550 §A.3)', () => {
    expect(lostOf(heard([1, 2, 3, 6, 7]))).toBe(2);
    expect(lostOf(heard([1, 2, 4, 3, 5]))).toBe(0);
    expect(lostOf(heard([3, 2, 1, 4]))).toBe(0);
    expect(lostOf(reception())).toBe(0);
  });

  test('doubles are known for the last 256 sequence numbers', () => {
    const r = heard([1, 2, 2, 4, 3, 3, 200, 1, 600, 200, 88]);
    expect(r.doubles).toBe(3);
    expect(heard(Array.from({ length: 70_000 }, (_, i) => i)).doubles).toBe(0);
  });

  test('the highest sequence number counts its wraps (RFC 3550 §A.1)', () => {
    const r = heard([65_534, 65_535, 0, 1, 3]);
    expect(r.highest).toBe(65_536 + 3);
    expect(lostOf(r)).toBe(1);
  });

  test('a leap is a restart when the next packet confirms it, and nothing before (RFC 3550 §A.1)', () => {
    expect(lostOf(heard([1, 2, 40_000, 3, 4]))).toBe(0);
    const r = heard([1, 2, 4, 40_000, 40_001, 40_003]);
    expect(r.highest).toBe(40_003);
    expect(lostOf(r)).toBe(1 + 1);
  });

  test('jitter is the mean of the changes in transit, a sixteenth at a time (RFC 3550 §A.8)', () => {
    expect(heard(Array.from({ length: 100 }, (_, i) => i)).jitter).toBe(0);
    const swinging = heard(Array.from({ length: 400 }, (_, i) => i), 160, (i) => 160 * i + (i % 2) * 40);
    expect(swinging.jitter).toBeCloseTo(40, 0);
  });
});

describe('reports of ours, read by rtp.js', () => {
  test('a sender report with a block, SDES and BYE (RFC 3550 §6.4.1, §6.5, §6.6)', () => {
    const r = heard([1, 2, 3, 6, 7, 8, 9, 10]);
    const bytes = write({ ...report, lastSr: 0x0102_0304, sinceLastSrMs: 1500, bye: true }, r);
    expect(bytes.length % 4).toBe(0);
    const [sr, sdes, bye] = parts(bytes) as [SenderReportPacket, SdesPacket, ByePacket];
    expect([sr.getSsrc(), sr.getNtpSeconds(), sr.getRtpTimestamp(), sr.getPacketCount(), sr.getOctetCount()]).toEqual([0xaabbccdd, 1_700_000_000 + 2_208_988_800, 0x1234_5678, 100, 16_000]);
    expect(sr.getNtpFraction()).toBeCloseTo(2 ** 31, -4);
    const block = sr.getReports()[0]!;
    expect([block.getSsrc(), block.getTotalLost(), block.getHighestSeqNumber(), block.getLastSRTimestamp(), block.getDelaySinceLastSR()]).toEqual([0x11223344, 2, 10, 0x0102_0304, 98_304]);
    expect(block.getFractionLost()).toBe(Math.floor(2 * 256 / 10));
    expect(sdes.getChunks()[0]!.getItems()).toEqual([{ type: 1, text: 'phone@192.0.2.1' }]);
    expect(bye.getSsrcs()).toEqual([0xaabbccdd]);
  });

  test('who sent nothing sends a receiver report; who heard nothing sends no block (RFC 3550 §6.4.2)', () => {
    const [rr] = parts(write({ ...report, sender: false })) as [ReceiverReportPacket];
    expect(rr.getPacketType()).toBe(201);
    expect(rr.getReports()).toHaveLength(0);
  });

  test('fraction lost is that of the interval alone, and never negative', () => {
    const r = heard([1, 2, 5, 6]);
    const fraction = (): number => (parts(write(report, r))[0] as SenderReportPacket).getReports()[0]!.getFractionLost();
    expect(fraction()).toBe(Math.floor(2 * 256 / 6));
    expect(fraction()).toBe(0);
    const packet = rtpPacket();
    packet.sequence = 6;
    for (let i = 0; i < 5; i++) arrive(r, packet, NaN);
    expect(fraction()).toBe(0);
  });

  test('a CNAME of any length ends in a zero at a whole word', () => {
    for (let length = 0; length <= 260; length++) {
      const bytes = write({ ...report, cname: Buffer.alloc(length, 'x') });
      expect(bytes.length % 4).toBe(0);
      const sdes = parts(bytes)[1] as SdesPacket;
      expect(sdes.getChunks()[0]!.getItems()[0]!.text).toHaveLength(Math.min(255, length));
    }
  });
});

describe('reports of others', () => {
  test('a sender report is noted, and a block about us read', () => {
    const news = rtcpNews();
    expect(readRtcp(write(report, heard([1, 2, 3, 4, 7])), 0x11223344, news)).toBe(true);
    expect(news).toMatchObject({ ssrc: 0xaabbccdd, aboutUs: true, bye: false, sr: ntpMiddle(report.wallMs) });
    expect(news.lossPercent).toBeCloseTo(28.5, 0);
    expect(readRtcp(write({ ...report, bye: true }, heard([1])), 99, news)).toBe(true);
    expect(news).toMatchObject({ aboutUs: false, bye: true });
  });

  test('the round trip is what is left after their delay (RFC 3550 §6.4.1)', () => {
    const news = rtcpNews();
    const sentAt = 1_700_000_000_000;
    readRtcp(write({ ...report, lastSr: ntpMiddle(sentAt), sinceLastSrMs: 2000 }, heard([1])), 0x11223344, news);
    expect(roundTripMs(news, sentAt + 2000 + 37)).toBeCloseTo(37, 0);
    news.lastSr = 0;
    expect(roundTripMs(news, sentAt)).toBe(-1);
  });

  test('what is not a whole compound packet is refused (RFC 3550 §A.2)', () => {
    const good = write({ ...report, bye: true }, heard([1])), news = rtcpNews();
    const boundaries = [52, 52 + 28, 52 + 28 + 8];
    for (let length = 0; length < good.length; length++) {
      const whole = boundaries.includes(length);
      expect([length, readRtcp(Buffer.from(good.subarray(0, length)), 1, news)]).toEqual([length, whole]);
    }
    const bad = (at: number, value: number): Buffer => Object.assign(Buffer.from(good), { [at]: value });
    expect(readRtcp(bad(0, 0x41), 1, news)).toBe(false); // version 1
    expect(readRtcp(bad(0, 0xa1), 1, news)).toBe(false); // padding in the first
    expect(readRtcp(bad(1, 202), 1, news)).toBe(false); // SDES first
    expect(readRtcp(bad(0, 0x9f), 1, news)).toBe(false); // 31 blocks that are not there
  });

  test('100,000 random datagrams never throw', () => {
    const random = new FakeRandom(9), news = rtcpNews();
    let taken = 0;
    for (let n = 0; n < 100_000; n++) {
      const bytes = random.bytes(4 * Math.floor(random.fraction() * 20));
      if (bytes.length > 3) bytes.set([0x80 | (n & 1), 200 + (n & 1), 0, n % 3 === 0 ? bytes.length / 4 - 1 : 1]);
      if (readRtcp(bytes, 1, news)) taken++;
    }
    expect(taken).toBeGreaterThan(1000);
  });
});

test('reports are 5 s apart, spread from a half to one and a half, the first sooner (RFC 3550 §6.2, §6.3.1)', () => {
  const random = new FakeRandom(4);
  const later = Array.from({ length: 2000 }, () => rtcpIntervalMs(random, false)), first = Array.from({ length: 2000 }, () => rtcpIntervalMs(random, true));
  const mean = (x: number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
  expect(Math.min(...later)).toBeGreaterThan(2500 / 1.2183);
  expect(Math.max(...later)).toBeLessThan(7500 / 1.2182);
  expect(mean(later)).toBeCloseTo(5000 / 1.21828, -2);
  expect(mean(first)).toBeCloseTo(2500 / 1.21828, -2);
});
