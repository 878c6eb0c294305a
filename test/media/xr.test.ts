import * as fc from 'fast-check';
import { CompoundPacket, type DlrrExtendedReport, type RrtExtendedReport, type RtcpPacket, type VmExtendedReport, type XrPacket } from 'rtp.js/packets';
import { expect, test } from 'vitest';
import { opinionOf } from '../../src/media/quality.ts';
import { readRtcp, reception, rtcpNews, writeRtcp } from '../../src/media/rtcp.ts';
import { readXr, writeXr, XR_BYTES, type VoipMetrics, type XrParts } from '../../src/media/xr.ts';

const opinion = opinionOf(3, 1, 120);
const metrics: VoipMetrics = {
  ssrc: 0x1122_3344, shape: { lost: 0.1, discarded: 0.05, burstDensity: 0.5, gapDensity: 0.01, burstMs: 300, gapMs: 70_000 }, opinion,
  roundTripMs: 40, endSystemMs: 65, signalDb: -20, noiseDb: 127, jitterNominalMs: 30, jitterMaximumMs: 80, jitterAbsoluteMs: 300,
};
const compound = (parts: XrParts = { metrics }): Uint8Array => {
  const out = new Uint8Array(512);
  const report = { ssrc: 0xaabb_ccdd, cname: Buffer.from('phone@192.0.2.1'), sender: false, wallMs: 1_700_000_000_500, timestamp: 0, packets: 0, octets: 0, lastSr: 0, sinceLastSrMs: 0, bye: false };
  return out.subarray(0, writeXr(out, writeRtcp(out, report, reception()), report.ssrc, parts));
};

test('a VoIP metrics block has its fields where they belong (RFC 3611 §4.7)', () => {
  const bytes = compound(), xr = bytes.subarray(bytes.length - XR_BYTES);
  const view = new DataView(xr.buffer, xr.byteOffset, xr.length);
  expect([view.getUint8(1), view.getUint16(2), view.getUint32(4)]).toEqual([207, 10, 0xaabb_ccdd]);
  expect([view.getUint8(8), view.getUint16(10), view.getUint32(12)]).toEqual([7, 8, 0x1122_3344]);
  expect([16, 17, 18, 19].map((at) => view.getUint8(at))).toEqual([25, 12, 128, 2]);
  expect([20, 22, 24, 26].map((at) => view.getUint16(at))).toEqual([300, 65_535, 40, 65]); // no field holds more than 65,535 ms
  expect([view.getInt8(28), view.getUint8(29), view.getUint8(30), view.getUint8(31)]).toEqual([-20, 127, 127, 16]);
  expect([view.getUint8(32), view.getUint8(33), view.getUint8(34)]).toEqual([Math.round(opinion.r), 127, Math.round(opinion.mosLq * 10)]);
  expect([view.getUint16(38), view.getUint16(40), view.getUint16(42)]).toEqual([30, 80, 300]);
});

test('concealment is told as enhanced (2), the jitter buffer as adaptive (3) (RFC 3611 §4.7.6)', () => {
  const bytes = compound(), config = bytes[bytes.length - XR_BYTES + 36]!;
  expect([config >> 6, (config >> 4) & 3]).toEqual([2, 3]);
});

test('a receiver reference time is an NTP time, answered by its middle 32 bits and the delay since (RFC 3611 §4.4, §4.5)', () => {
  const bytes = compound({ referenceMs: 1_700_000_000_500, since: { ssrc: 0x1122_3344, lastRr: 0xdead_beef, sinceMs: 250 } });
  const view = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 36, 36);
  expect([view.getUint8(1), view.getUint16(2)]).toEqual([207, 8]);
  expect([view.getUint8(8), view.getUint16(10), view.getUint32(12), view.getUint32(16)]).toEqual([4, 2, 1_700_000_000 + 2_208_988_800, 0x8000_0000]);
  expect([view.getUint8(20), view.getUint16(22), view.getUint32(24), view.getUint32(28), view.getUint32(32)]).toEqual([5, 3, 0x1122_3344, 0xdead_beef, 16_384]);
  expect(readXr(bytes, 0x1122_3344)).toEqual({ reference: (((1_700_000_000 + 2_208_988_800) & 0xffff) * 65_536 + 0x8000) >>> 0, lastRr: 0xdead_beef, delaySinceRr: 16_384 });
});

test.each([[127], [0], [9], [51], [255]])('an opinion of %i tenths is none, and no rating is above 120 (RFC 3611 §4.7.5)', (tenths) => {
  const bytes = compound(), at = bytes.length - XR_BYTES + 8;
  bytes.set([tenths, tenths], at + 26);
  bytes[at + 24] = Math.max(121, tenths);
  expect(readXr(bytes, metrics.ssrc).heard).toMatchObject({ r: -1, mosLq: -1, mosCq: -1 });
});

test('nothing to say is no packet', () => {
  expect(writeXr(new Uint8Array(100), 20, 1, {})).toBe(20);
});

test('the compound packet is whole for us and for another reader (RFC 3550 §6.1)', () => {
  const bytes = compound({ metrics, referenceMs: 1_700_000_000_500, since: { ssrc: 5, lastRr: 6, sinceMs: 7 } });
  expect(readRtcp(bytes, 1, rtcpNews())).toBe(true);
  const packets = new CompoundPacket(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)).getPackets() as RtcpPacket[];
  expect(packets.map((packet) => packet.getPacketType())).toEqual([201, 202, 207]);
});

test('another reader finds each field as it was meant (RFC 3611 §4.4, §4.5, §4.7)', () => {
  const bytes = compound({ metrics, referenceMs: 1_700_000_000_500, since: { ssrc: 5, lastRr: 6, sinceMs: 250 } });
  const packets = new CompoundPacket(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)).getPackets() as RtcpPacket[];
  const [reference, since, vm] = (packets.at(-1) as XrPacket).getReports() as unknown as [RrtExtendedReport, DlrrExtendedReport, VmExtendedReport];
  expect([reference.getNtpSeconds(), reference.getNtpFraction()]).toEqual([1_700_000_000 + 2_208_988_800, 0x8000_0000]);
  expect(since.getSubReports()).toEqual([{ ssrc: 5, lrr: 6, dlrr: 16_384 }]);
  expect([vm.getSsrc(), vm.getLossRate(), vm.getDiscardRate(), vm.getBurstDensity(), vm.getGapDensity(), vm.getBurstDuration(), vm.getGapDuration()]).toEqual([0x1122_3344, 25, 12, 128, 2, 300, 65_535]);
  expect([vm.getRoundTripDelay(), vm.getEndSystemDelay(), vm.getSignalLevel() << 24 >> 24, vm.getNoiseLevel(), vm.getResidualEchoReturnLoss(), vm.getGmin()]).toEqual([40, 65, -20, 127, 127, 16]);
  expect([vm.getRFactor(), vm.getExternalRFactor(), vm.getMosLQ(), vm.getMosCQ()]).toEqual([Math.round(opinion.r), 127, Math.round(opinion.mosLq * 10), Math.round(opinion.mosCq * 10)]);
  expect([vm.getPacketLossConcealment(), vm.getJitterBufferAdaptive(), vm.getJitterBufferRate(), vm.getJitterBufferNominalDelay(), vm.getJitterBufferMaximumDelay(), vm.getJitterBufferAbsoluteMaximumDelay()]).toEqual([2, 3, 0, 30, 80, 300]);
});

test('what the other side says of our sound is read, and nothing about others (RFC 3611 §4.7)', () => {
  const bytes = compound();
  expect(readXr(bytes, 0x1122_3344)).toEqual({ heard: {
    lossPercent: 9.77, discardPercent: 4.69, burstPercent: 50, gapPercent: 0.78, burstMs: 300, gapMs: 65_535, gmin: 16, roundTripMs: 40, endSystemMs: 65, signalDb: -20, noiseDb: 127, echoDb: 127,
    r: Math.round(opinion.r), mosLq: Math.round(opinion.mosLq * 10) / 10, mosCq: Math.round(opinion.mosCq * 10) / 10, concealment: 2, adaptive: 3, rate: 0, jitterNominalMs: 30, jitterMaximumMs: 80, jitterAbsoluteMs: 300,
  } });
  expect(readXr(bytes, 5)).toEqual({});
});

test('127 says that nothing is known (RFC 3611 §4.7.5)', () => {
  const bytes = compound();
  for (const at of [32, 34, 35]) bytes[bytes.length - XR_BYTES + at] = 127;
  expect(readXr(bytes, 0x1122_3344).heard).toMatchObject({ r: -1, mosLq: -1, mosCq: -1 });
});

test('blocks that are unknown, cut short or longer than they may be are passed over (RFC 3611 §3)', () => {
  const bytes = Buffer.from(compound());
  bytes[bytes.length - XR_BYTES + 8] = 99; // a block of another kind
  expect(readXr(bytes, 0x1122_3344)).toEqual({});
  const longer = Buffer.from(compound());
  longer.writeUInt16BE(200, longer.length - XR_BYTES + 10); // beyond its packet
  expect(readXr(longer, 0x1122_3344)).toEqual({});
  const short = Buffer.from(compound());
  short.writeUInt16BE(7, short.length - XR_BYTES + 10);
  expect(readXr(short, 0x1122_3344)).toEqual({});
});

test('of a packet with very many blocks only the first count', () => {
  const empty = Buffer.alloc(8 + 4 * 64);
  empty.writeUInt32BE(0x80cf_0000 + empty.length / 4 - 1);
  for (let i = 0; i < 64; i++) empty[8 + 4 * i] = 99;
  const whole = compound(), xr = whole.subarray(whole.length - XR_BYTES);
  expect(readXr(Buffer.concat([xr, empty]), 0x1122_3344).heard).toBeDefined();
  expect(readXr(Buffer.concat([empty, xr]), 0x1122_3344)).toEqual({});
});

test('no bytes make the reader throw or run on', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => { readXr(bytes, 0x1122_3344); }), { numRuns: 2_000 });
  const any = compound({ metrics, referenceMs: 5, since: { ssrc: 0x1122_3344, lastRr: 1, sinceMs: 2 } });
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(any.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
    const bytes = Uint8Array.from(any);
    for (const [at, to] of changes) bytes[at] = to;
    readXr(bytes, 0x1122_3344);
  }), { numRuns: 2_000 });
  const whole = compound();
  for (let n = 0; n < whole.length; n++) expect(readXr(whole.subarray(0, n), 0x1122_3344)).toEqual({});
});
