import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOpusFmtp, type OpusFmtp } from '../../src/media/opus-fmtp.ts';
import { makeOffer } from '../../src/sdp/offer.ts';

const NOTHING: OpusFmtp = { playbackHz: 48_000, captureHz: 48_000, bitrate: undefined, stereo: false, sendsStereo: false, cbr: false, fec: false, dtx: false };

describe('the parameters of RFC 7587 §6.1', () => {
  test.each<[string, Partial<OpusFmtp>]>([
    ['', {}],
    ['maxplaybackrate=8000', { playbackHz: 8000 }], ['maxplaybackrate=7999', {}], ['maxplaybackrate=96000', {}],
    ['sprop-maxcapturerate=16000', { captureHz: 16_000 }],
    ['maxaveragebitrate=20000', { bitrate: 20_000 }], ['maxaveragebitrate=5999', {}], ['maxaveragebitrate=510001', {}], ['maxaveragebitrate=x', {}], ['maxaveragebitrate=-20000', {}],
    ['stereo=1', { stereo: true }], ['sprop-stereo=1', { sendsStereo: true }], ['stereo=2', {}],
    ['cbr=1', { cbr: true }], ['useinbandfec=1', { fec: true }], ['useinbandfec=10', {}], ['xuseinbandfec=1', {}], ['usedtx=1', { dtx: true }], ['usedtx=0', {}],
    ['UseInbandFEC = 1 ;\tUSEDTX=1', { fec: true, dtx: true }],
    // As phones and servers write them.
    ['useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40', { fec: true, bitrate: 30_000 }],
    ['minptime=10;useinbandfec=1', { fec: true }],
    ['stereo=1;sprop-stereo=0', { stereo: true }], ['sprop-stereo=1;stereo=0', { sendsStereo: true }],
    ['maxplaybackrate=16000;sprop-maxcapturerate=16000;maxaveragebitrate=20000;stereo=1;useinbandfec=1;usedtx=0', { playbackHz: 16_000, captureHz: 16_000, bitrate: 20_000, stereo: true, fec: true }],
  ])('%j', (text, said) => {
    expect(readOpusFmtp(text)).toEqual({ ...NOTHING, ...said });
  });

  test('any text is read without a fault, within the ranges', () => {
    const piece = fc.constantFrom('maxplaybackrate=', 'maxaveragebitrate=', 'usedtx', '=1', ';', ' ', '999999', '8000', '-1', '\0', 'cbr=1');
    fc.assert(fc.property(fc.array(fc.oneof(piece, fc.string())), (parts) => {
      const read = readOpusFmtp(parts.join(''));
      expect(read.playbackHz).toBeGreaterThanOrEqual(8000);
      expect(read.playbackHz).toBeLessThanOrEqual(48_000);
      if (read.bitrate !== undefined) expect(read.bitrate).toBeGreaterThanOrEqual(6000);
    }));
  });
});

test('ours says the truth: 8 kHz of sound either way, redundancy used', () => {
  const offer = makeOffer({ host: '192.0.2.1', port: 4000, rtcpPort: 4001, codecs: ['opus'], ptimeMs: 20, direction: 'sendrecv', sessionId: 1, version: 1 });
  expect(readOpusFmtp(/a=fmtp:96 (.*)/.exec(offer.toString())![1]!)).toEqual({ ...NOTHING, playbackHz: 16_000, captureHz: 16_000, fec: true });
});
