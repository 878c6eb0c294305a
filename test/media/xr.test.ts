import * as fc from 'fast-check';
import { CompoundPacket, RtcpPacket } from 'rtp.js/packets';
import { expect, test } from 'vitest';
import { opinionOf } from '../../src/media/quality.ts';
import { readRtcp, reception, rtcpNews, writeRtcp } from '../../src/media/rtcp.ts';
import { readXr, writeXr, XR_BYTES, type VoipMetrics } from '../../src/media/xr.ts';

const metrics: VoipMetrics = {
  ssrc: 0x1122_3344, shape: { lost: 0.1, discarded: 0.05, burstDensity: 0.5, gapDensity: 0.01, burstMs: 300, gapMs: 70_000 }, opinion: opinionOf(3, 1, 120),
  roundTripMs: 40, endSystemMs: 65, signalDb: -20, noiseDb: 127, jitterNominalMs: 30, jitterMaximumMs: 80, jitterAbsoluteMs: 300,
};
const compound = (m = metrics): Uint8Array => {
  const out = new Uint8Array(512);
  const report = { ssrc: 0xaabb_ccdd, cname: Buffer.from('phone@192.0.2.1'), sender: false, wallMs: 1_700_000_000_500, timestamp: 0, packets: 0, octets: 0, lastSr: 0, sinceLastSrMs: 0, bye: false };
  return out.subarray(0, writeXr(out, writeRtcp(out, report, reception()), report.ssrc, m));
};

test('a VoIP metrics block has its fields where they belong (RFC 3611 §4.7)', () => {
  const bytes = compound(), xr = bytes.subarray(bytes.length - XR_BYTES);
  const view = new DataView(xr.buffer, xr.byteOffset, xr.length);
  expect([view.getUint8(1), view.getUint16(2), view.getUint32(4)]).toEqual([207, 10, 0xaabb_ccdd]);
  expect([view.getUint8(8), view.getUint16(10), view.getUint32(12)]).toEqual([7, 8, 0x1122_3344]);
  expect([16, 17, 18, 19].map((at) => view.getUint8(at))).toEqual([25, 12, 128, 2]);
  expect([20, 22, 24, 26].map((at) => view.getUint16(at))).toEqual([300, 65_535, 40, 65]); // no field holds more than 65,535 ms
  expect([view.getInt8(28), view.getUint8(29), view.getUint8(30), view.getUint8(31)]).toEqual([-20, 127, 127, 16]);
  expect([view.getUint8(32), view.getUint8(33), view.getUint8(34)]).toEqual([Math.round(opinionOf(3, 1, 120).r), 127, Math.round(opinionOf(3, 1, 120).mosLq * 10)]);
  expect([view.getUint8(36), view.getUint16(38), view.getUint16(40), view.getUint16(42)]).toEqual([0b1111_0000, 30, 80, 300]);
});

test('the compound packet is whole for us and for another reader (RFC 3550 §6.1)', () => {
  const bytes = compound();
  expect(readRtcp(bytes, 1, rtcpNews())).toBe(true);
  const packets = new CompoundPacket(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)).getPackets() as RtcpPacket[];
  expect(packets.map((packet) => packet.getPacketType())).toEqual([201, 202, 207]);
});

test('what the other side says of our sound is read, and nothing about others', () => {
  const bytes = compound();
  expect(readXr(bytes, 0x1122_3344)).toEqual({ lossPercent: 25 / 2.56, discardPercent: 12 / 2.56, mosLq: opinionOf(3, 1, 120).mosLq.toFixed(1) === '4.1' ? 4.1 : expect.any(Number), mosCq: expect.any(Number) });
  expect(readXr(bytes, 5)).toBeUndefined();
});

test('127 says that nothing is known (RFC 3611 §4.7.5)', () => {
  const bytes = compound();
  bytes[bytes.length - XR_BYTES + 34] = 127;
  expect(readXr(bytes, 0x1122_3344)?.mosLq).toBe(-1);
});

test('no bytes make the reader throw or run on', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => { readXr(bytes, 0x1122_3344); }), { numRuns: 2_000 });
  const whole = compound();
  for (let n = 0; n < whole.length; n++) expect(readXr(whole.subarray(0, n), 0x1122_3344)).toBeUndefined();
});
