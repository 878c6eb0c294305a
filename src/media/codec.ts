// What the engine knows of a codec, and who makes them. Opus is bound on first use, so that a phone that does not speak it never loads it.

import type { CodecUse } from './door.ts';
import { createG711 } from './g711.ts';
import { createG722 } from './g722.ts';
import { createL16 } from './l16.ts';
import { openOpus } from './opus-drivers.ts';

/** One stream's coder, both ways; buffers belong to the caller. Nothing here throws: a length of 0 says that nothing came of it. */
export interface Codec {
  readonly name: string;
  /** Rate of the samples on our side. */
  readonly rateHz: 8000 | 16000;
  /** Rate of the RTP clock. */
  readonly clockHz: number;
  /** Bytes written to `out` for one packet of `samples`; 0: send nothing (silence under DTX, or a length the codec does not have). */
  encode(samples: Int16Array, out: Uint8Array): number;
  /** Samples written to `out`; 0: undecodable, or more than `out` holds. */
  decode(payload: Uint8Array, out: Int16Array): number;
  /** Make up `samples` for a packet that is lost; samples written. Absent: the engine conceals. */
  conceal?(out: Int16Array, samples: number): number;
  /** The lost packet's `samples` from the redundancy in its successor `next`, which is decoded as usual afterwards; samples written. */
  decodeFec?(next: Uint8Array, out: Int16Array, samples: number): number;
  /** How many packets the other side lost since its last report, in percent: how much redundancy is worth sending. */
  expectLoss?(percent: number): void;
  /** The other side's fmtp as it now is; what was decoded so far is not forgotten. */
  retune?(fmtp: string): void;
  close(): void;
}

export interface CodecOptions {
  readonly opusBitrate: number;
  readonly opusComplexity: number;
}

/** `use.fmtp` is the other side's; throws PhoneError OPUS_MISSING when Opus is asked for and no library is there. */
export type CodecFactory = (use: CodecUse, options: CodecOptions) => Codec;

export const createCodec: CodecFactory = (use, options) => {
  switch (use.name) {
    case 'opus': return openOpus(use.fmtp ?? '', options);
    case 'G722': return createG722();
    case 'L16': return createL16();
    default: return createG711(use.name);
  }
};
