import { describe, expect, test } from 'vitest';
import { CTL, opusSetup, type Requests } from '../../src/media/opus-setup.ts';

const OPTIONS = { opusBitrate: 32_000, opusComplexity: 5 };
const named = (requests: Requests) => Object.fromEntries(requests);

describe('what the other side asks for (RFC 7587 §6.1)', () => {
  const asked = (fmtp: string) => named(opusSetup(fmtp, OPTIONS).start);

  test('nothing said: our bit rate, no redundancy, no DTX, variable rate, 8 kHz of sound', () => {
    expect(asked('')).toEqual({ [CTL.bitrate]: 32_000, [CTL.complexity]: 5, [CTL.fec]: 0, [CTL.lossPercent]: 0, [CTL.dtx]: 0, [CTL.vbr]: 1, [CTL.maxBandwidth]: 1103 });
  });

  test.each([
    ['useinbandfec=1', CTL.fec, 1], ['useinbandfec=0', CTL.fec, 0],
    ['maxaveragebitrate=16000', CTL.bitrate, 16_000], ['maxaveragebitrate=64000', CTL.bitrate, 32_000], ['maxaveragebitrate=1', CTL.bitrate, 32_000],
    ['usedtx=1', CTL.dtx, 1], ['cbr=1', CTL.vbr, 0],
    ['maxplaybackrate=8000', CTL.maxBandwidth, 1101], ['maxplaybackrate=12000', CTL.maxBandwidth, 1102], ['maxplaybackrate=16000', CTL.maxBandwidth, 1103], ['maxplaybackrate=48000', CTL.maxBandwidth, 1103],
  ])('%j sets %i to %s', (fmtp, request, value) => {
    expect(asked(fmtp)[request]).toBe(value);
  });
});

test('a call begins as if one packet in a hundred were lost, with redundancy and a quarter more bits; without it where the other side does not use it', () => {
  expect(named(opusSetup('useinbandfec=1', OPTIONS).start)).toMatchObject({ [CTL.fec]: 1, [CTL.lossPercent]: 1, [CTL.bitrate]: 40_000 });
  expect(named(opusSetup('useinbandfec=0', OPTIONS).start)).toMatchObject({ [CTL.fec]: 0, [CTL.lossPercent]: 0, [CTL.bitrate]: 32_000 });
  expect(named(opusSetup('useinbandfec=1;maxaveragebitrate=34000', OPTIONS).start)).toMatchObject({ [CTL.lossPercent]: 1, [CTL.bitrate]: 34_000 });
});

describe('what it reports (RFC 3550 §6.4.1)', () => {
  /** After half a minute without loss. */
  const calm = (fmtp: string, options = OPTIONS) => {
    const setup = opusSetup(fmtp, options);
    for (let i = 0; i < 6; i++) setup.reported(0);
    return setup;
  };

  test('six reports without loss end the redundancy that a call begins with, and the bits for it', () => {
    const setup = opusSetup('useinbandfec=1', OPTIONS);
    for (let i = 0; i < 5; i++) expect(setup.reported(i === 2 ? 0.9 : 0)).toEqual([]);
    expect(named(setup.reported(0))).toEqual({ [CTL.lossPercent]: 0, [CTL.bitrate]: 32_000 });
  });

  test('a loss brings redundancy, and a quarter more bits to pay for it; libopus is told of 5 % at most', () => {
    const setup = calm('useinbandfec=1');
    expect(setup.reported(0)).toEqual([]);
    expect(setup.reported(0.9)).toEqual([]);
    expect(named(setup.reported(2.6))).toEqual({ [CTL.lossPercent]: 3, [CTL.bitrate]: 40_000 });
    expect(named(setup.reported(12))).toEqual({ [CTL.lossPercent]: 5 });
    expect(setup.reported(12)).toEqual([]);
  });

  test('redundancy stays for six reports without loss, and goes with the sixth', () => {
    const setup = opusSetup('useinbandfec=1', OPTIONS);
    setup.reported(3);
    for (let i = 0; i < 5; i++) expect(setup.reported(0)).toEqual([]);
    setup.reported(3);
    for (let i = 0; i < 5; i++) expect(setup.reported(0)).toEqual([]);
    expect(named(setup.reported(0))).toEqual({ [CTL.lossPercent]: 0, [CTL.bitrate]: 32_000 });
  });

  test('to a side that does not use redundancy none is sent, nor more bits', () => {
    const setup = opusSetup('', OPTIONS);
    for (const loss of [3, 10, 19, 3]) expect(setup.reported(loss)).toEqual([]);
  });

  test('its maxaveragebitrate holds with redundancy too', () => {
    expect(named(calm('useinbandfec=1;maxaveragebitrate=34000').reported(3))).toEqual({ [CTL.lossPercent]: 3, [CTL.bitrate]: 34_000 });
  });

  test('one packet in five lost twice running is a line too narrow: fewer bits, until it is better (RFC 8085 §3.1)', () => {
    const setup = calm('useinbandfec=1');
    expect(named(setup.reported(30))).toEqual({ [CTL.lossPercent]: 5, [CTL.bitrate]: 40_000 });
    expect(named(setup.reported(25))).toEqual({ [CTL.bitrate]: 21_333 });
    expect(setup.reported(25)).toEqual([]);
    expect(named(setup.reported(8))).toEqual({ [CTL.bitrate]: 40_000 });
    const small = calm('', { ...OPTIONS, opusBitrate: 6000 });
    small.reported(50);
    expect(small.reported(50)).toEqual([]);
  });
});
