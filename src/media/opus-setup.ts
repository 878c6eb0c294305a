// How an Opus encoder is set: by what the other side's fmtp asks for, our settings and the loss its reports tell. Pure; the drivers carry it out.
//
// Redundancy (RFC 6716 §2.1.7) takes its bits from the sound, so a quarter more bits pay for it, and it ends where nothing is lost for long. A
// call begins with it: before the first report nobody knows the line, and a loss without it costs more than what it takes. libopus is never told
// of more than 5 %, though it be so: beyond that it gives the copy so much that the sound itself suffers more (codecs.md has the figures).

import type { CodecOptions } from './codec.ts';
import { readOpusFmtp } from './opus-fmtp.ts';

/** Requests of opus_defines.h. */
export const CTL = { application: 4000, bitrate: 4002, maxBandwidth: 4004, vbr: 4006, complexity: 4010, fec: 4012, lossPercent: 4014, dtx: 4016 } as const;
/** OPUS_APPLICATION_VOIP: made for speech. */
export const VOIP = 2048;
/** 4, 6 and 8 kHz of sound. */
const BANDWIDTH = { narrow: 1101, medium: 1102, wide: 1103 } as const;
export type Requests = readonly (readonly [request: number, value: number])[];

/** RFC 7587 §3.1.1: no encoder goes below. */
const LEAST_BITRATE = 6000;
/** In percent: redundancy from here on, which is what is expected of a new call; and as much as libopus is told at most. */
const LOSS_COUNTS = 1;
const LOSS_TOLD = 5;
/** Bits a second with redundancy, against those without. */
const WITH_FEC = 1.25;
/** A loss this great, twice running, is taken for a line that is too narrow: fewer bits then (RFC 7587 §3.1.1, RFC 8085 §3.1). */
const CROWDED = 20;
const WHEN_CROWDED = 2 / 3;
/** Reports without loss for which redundancy stays on: half a minute, since losses come in company. */
const CALM_REPORTS = 6;

export interface OpusSetup {
  /** What to set before the first packet. */
  readonly start: Requests;
  /** What to set now that the other side reports so much loss; empty when all stays as it is. */
  reported(percent: number): Requests;
}

export function opusSetup(fmtp: string, options: CodecOptions): OpusSetup {
  const theirs = readOpusFmtp(fmtp);
  const most = theirs.bitrate ?? Infinity;
  const bitrate = (factor: number): number => Math.max(LEAST_BITRATE, Math.min(Math.round(options.opusBitrate * factor), most));
  let loss = theirs.fec ? LOSS_COUNTS : 0, calm = 0, crowded = 0, set = bitrate(loss > 0 ? WITH_FEC : 1);
  return {
    start: [
      [CTL.bitrate, set],
      [CTL.complexity, options.opusComplexity],
      [CTL.fec, theirs.fec ? 1 : 0],
      [CTL.lossPercent, loss], // with 0 there is no redundancy
      [CTL.dtx, theirs.dtx ? 1 : 0],
      [CTL.vbr, theirs.cbr ? 0 : 1],
      [CTL.maxBandwidth, theirs.playbackHz < 12_000 ? BANDWIDTH.narrow : theirs.playbackHz < 16_000 ? BANDWIDTH.medium : BANDWIDTH.wide],
    ],
    reported(percent) {
      const before = loss, rate = set;
      if (percent >= LOSS_COUNTS) {
        calm = 0;
        loss = theirs.fec ? Math.min(LOSS_TOLD, Math.round(percent)) : 0;
      } else if (++calm >= CALM_REPORTS) loss = 0;
      crowded = percent >= CROWDED ? crowded + 1 : 0;
      set = bitrate(crowded > 1 ? WHEN_CROWDED : loss > 0 ? WITH_FEC : 1);
      const requests: (readonly [number, number])[] = [];
      if (loss !== before) requests.push([CTL.lossPercent, loss]);
      if (set !== rate) requests.push([CTL.bitrate, set]);
      return requests;
    },
  };
}
