// Opus at 16 kHz mono through Debian's libopus.so.0 (RFC 6716, RFC 7587). The library and koffi are loaded on first use. Every length is
// checked before it reaches C; libopus' own errors come back as 0.

import { createRequire } from 'node:module';
import type { Codec, CodecOptions } from './codec.ts';
import { opusSetup, VOIP, type Requests } from './opus-setup.ts';

type Koffi = typeof import('koffi');
type Pointer = unknown;

/** libopus as koffi calls it. */
export interface OpusLibrary {
  readonly encoderCreate: (rateHz: number, channels: number, application: number, error: [number]) => Pointer;
  readonly encoderDestroy: (encoder: Pointer) => void;
  readonly ctl: (encoder: Pointer, request: number, type: 'int', value: number) => number;
  readonly encode: (encoder: Pointer, pcm: Int16Array, samples: number, out: Uint8Array, bytes: number) => number;
  readonly decoderCreate: (rateHz: number, channels: number, error: [number]) => Pointer;
  readonly decoderDestroy: (decoder: Pointer) => void;
  readonly decode: (decoder: Pointer, payload: Uint8Array | null, bytes: number, out: Int16Array, samples: number, fec: number) => number;
}

const RATE_HZ = 16_000;

/** RFC 6716 §2.1.4: 2.5, 5, 10, 20, 40, 60 ms in a frame, and packets of 80, 100, 120. */
const LENGTHS: readonly number[] = [40, 80, 160, 320, 640, 960, 1280, 1600, 1920];
/** True when `samples` at 16 kHz are a length Opus has. */
export const isOpusLength = (samples: number): boolean => LENGTHS.includes(samples);
/** RFC 6716 §3.4 [R2]: no frame is longer, and a 20 ms packet is one frame. */
export const OPUS_BYTES = 1275;

let bound: OpusLibrary | null | undefined;

/** libopus, loaded once; undefined when the package libopus0 (or koffi for this machine) is not there. */
export function bindOpus(): OpusLibrary | undefined {
  if (bound === undefined) {
    try {
      const koffi = createRequire(import.meta.url)('koffi') as Koffi;
      const library = koffi.load('libopus.so.0');
      const func = (prototype: string) => library.func(prototype);
      bound = {
        encoderCreate: func('void *opus_encoder_create(int32_t rate, int channels, int application, _Out_ int *error)'),
        encoderDestroy: func('void opus_encoder_destroy(void *encoder)'),
        ctl: func('int opus_encoder_ctl(void *encoder, int request, ...)'),
        encode: func('int32_t opus_encode(void *encoder, void *pcm, int samples, void *out, int32_t bytes)'),
        decoderCreate: func('void *opus_decoder_create(int32_t rate, int channels, _Out_ int *error)'),
        decoderDestroy: func('void opus_decoder_destroy(void *decoder)'),
        decode: func('int opus_decode(void *decoder, void *payload, int32_t bytes, void *out, int samples, int fec)'),
      };
    } catch {
      bound = null; // its absence is the answer; createCodec and opusAvailable say it
    }
  }
  return bound ?? undefined;
}

/** An encoder and a decoder for one stream, both freed by close(); after that everything gives 0. */
export function createOpus(opus: OpusLibrary, fmtp: string, options: CodecOptions): Codec {
  const error: [number] = [0];
  let encoder = opus.encoderCreate(RATE_HZ, 1, VOIP, error);
  let decoder = opus.decoderCreate(RATE_HZ, 1, error);
  let setup = opusSetup(fmtp, options);
  const set = (requests: Requests): void => {
    if (encoder !== null) for (const [request, value] of requests) opus.ctl(encoder, request, 'int', value);
  };
  set(setup.start);
  const decode = (payload: Uint8Array | null, out: Int16Array, samples: number, fec: number) =>
    decoder === null || samples > out.length ? 0 : Math.max(0, opus.decode(decoder, payload, payload?.length ?? 0, out, samples, fec));
  return {
    name: 'opus',
    rateHz: RATE_HZ,
    clockHz: 48_000,
    encode(samples, out) {
      if (encoder === null || !isOpusLength(samples.length)) return 0;
      const bytes = opus.encode(encoder, samples, samples.length, out, out.length);
      return bytes > 2 ? bytes : 0; // one or two bytes are a frame that need not be sent (DTX)
    },
    decode: (payload, out) => payload.length === 0 ? 0 : decode(payload, out, out.length, 0),
    conceal: (out, samples) => isOpusLength(samples) ? decode(null, out, samples, 0) : 0,
    decodeFec: (next, out, samples) => isOpusLength(samples) && next.length > 0 ? decode(next, out, samples, 1) : 0,
    expectLoss: (percent) => set(setup.reported(percent)),
    retune(changed) {
      if (changed === fmtp) return;
      fmtp = changed;
      setup = opusSetup(fmtp, options);
      set(setup.start);
    },
    close() {
      if (encoder !== null) opus.encoderDestroy(encoder);
      if (decoder !== null) opus.decoderDestroy(decoder);
      encoder = decoder = null;
    },
  };
}
