import { isRtp, RtpPacket } from 'rtp.js/packets';
import { describe, expect, test } from 'vitest';
import { readRtp, rtpPacket, writeRtpHeader } from '../../src/media/rtp.ts';
import { FakeRandom } from '../fakes/random.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const HEADER = '80 88 1234 00000010 deadbeef';

describe('reading RTP (RFC 3550 §5.1)', () => {
  const rows: readonly (readonly [string, string, string | false])[] = [
    ['a header and a payload', `${HEADER} 0102`, '0102'],
    ['a header alone', HEADER, ''],
    ['eleven bytes', '80 88 1234 00000010 deadbe', false],
    ['nothing', '', false],
    ['version 1', `40 88 1234 00000010 deadbeef 01`, false],
    ['two CSRCs', `82 88 1234 00000010 deadbeef 00000001 00000002 aa`, 'aa'],
    ['CSRCs cut short', `82 88 1234 00000010 deadbeef 00000001`, false],
    ['extension', `90 88 1234 00000010 deadbeef bede0001 11223344 aabb`, 'aabb'],
    ['extension of no words', `90 88 1234 00000010 deadbeef bede0000 aabb`, 'aabb'],
    ['extension flag, 14 bytes', `90 88 1234 00000010 deadbeef bede`, false],
    ['extension longer than the packet', `90 88 1234 00000010 deadbeef bede0002 11223344`, false],
    ['padding', `a0 88 1234 00000010 deadbeef aabb 0000 0003`, 'aabb00'],
    ['padding and nothing else', `a0 88 1234 00000010 deadbeef 00000004`, ''],
    ['padding longer than the packet', `a0 88 1234 00000010 deadbeef 00000005`, false],
    ['padding that counts nothing', `a0 88 1234 00000010 deadbeef 00000000`, false],
  ];
  test.each(rows)('%s', (_, bytes, payload) => {
    const packet = rtpPacket();
    expect(readRtp(hex(bytes), packet)).toBe(payload !== false);
    if (payload !== false) expect(Buffer.from(packet.payload).toString('hex')).toBe(payload);
  });

  test('fields are read from their places, and the payload is a view of the datagram', () => {
    const packet = rtpPacket(), bytes = hex(`${HEADER} 0102`);
    readRtp(bytes, packet);
    expect(packet).toMatchObject({ marker: true, payloadType: 8, sequence: 0x1234, timestamp: 16, ssrc: 0xdeadbeef });
    expect(packet.payload.buffer).toBe(bytes.buffer);
  });

  test('a packet written is read back by us and by rtp.js', () => {
    const bytes = Buffer.alloc(16, 0xee), packet = rtpPacket();
    for (const [marker, type, sequence, timestamp, ssrc] of [[true, 101, 65_535, 0xffff_ffff, 0xffff_ffff], [false, 0, 0, 0, 1], [true, 127, 258, 0x8000_0001, 0x0102_0304]] as const) {
      writeRtpHeader(bytes, marker, type, sequence, timestamp, ssrc);
      expect(readRtp(bytes, packet)).toBe(true);
      expect(packet).toMatchObject({ marker, payloadType: type, sequence, timestamp, ssrc });
      const theirs = new RtpPacket(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
      expect([theirs.getMarker(), theirs.getPayloadType(), theirs.getSequenceNumber(), theirs.getTimestamp(), theirs.getSsrc()]).toEqual([marker, type, sequence, timestamp, ssrc]);
    }
  });

  test('every truncation of a packet with everything in it is refused or reads within bounds', () => {
    const whole = hex('b2 88 1234 00000010 deadbeef 00000001 00000002 bede0001 11223344 aabbccdd 0000 0004'), packet = rtpPacket();
    for (let length = 0; length < whole.length; length++) {
      const cut = Buffer.from(whole.subarray(0, length));
      if (!readRtp(cut, packet)) continue;
      expect(packet.payload.byteOffset + packet.payload.length).toBeLessThanOrEqual(cut.byteOffset + length);
      expect(length).toBeGreaterThanOrEqual(28);
    }
  });

  test('200,000 random datagrams never throw and agree with rtp.js wherever both take them', () => {
    const random = new FakeRandom(3), packet = rtpPacket();
    let both = 0, ours = 0, differ = 0;
    for (let n = 0; n < 200_000; n++) {
      const bytes = random.bytes(Math.floor(random.fraction() * 64));
      if (n % 4 !== 0 && bytes.length > 0) bytes[0] = (bytes[0]! & 0x3f) | 0x80;
      if (n % 8 !== 0 && bytes.length > 15) bytes[14] = 0; // extensions that fit
      const taken = readRtp(bytes, packet);
      if (taken) ours++;
      if (!taken || n % 5 !== 0) continue; // the other reader is slow
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      if (!isRtp(view)) continue; // it refuses what it takes for RTCP
      let theirs: RtpPacket;
      try {
        theirs = new RtpPacket(view);
      } catch {
        continue; // it also reads inside the extension
      }
      both++;
      const payload = theirs.getPayload();
      if (theirs.getSequenceNumber() !== packet.sequence || theirs.getTimestamp() !== packet.timestamp || theirs.getSsrc() !== packet.ssrc || theirs.getPayloadType() !== packet.payloadType
        || theirs.getMarker() !== packet.marker || payload.byteLength !== packet.payload.length || payload.byteOffset !== packet.payload.byteOffset) differ++;
    }
    expect(differ).toBe(0);
    expect(ours).toBeGreaterThan(10_000);
    expect(both).toBeGreaterThan(1_000);
  });
});
