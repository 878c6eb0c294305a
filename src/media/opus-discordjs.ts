// Opus through the optional npm package @discordjs/opus, where libopus0 cannot be had. Its traps are fenced off: a frame length that is none
// aborts the process, an empty decode yields 360 ms, and it neither conceals nor decodes redundancy, so a lost packet fades out here.

import { createRequire } from 'node:module';
import type { Codec, CodecOptions } from './codec.ts';
import { CTL, opusSetup, VOIP, type Requests } from './opus-setup.ts';
import { isOpusLength } from './opus.ts';

interface OpusEncoder {
  encode(pcm: Buffer): Buffer;
  decode(payload: Buffer): Buffer;
  applyEncoderCTL(request: number, value: number): void;
}

/** The package's module. */
export interface DiscordOpus {
  readonly OpusEncoder: new (rateHz: number, channels: number) => OpusEncoder;
}

/** A lost stretch is played backwards from where the sound stopped, which joins without a click, and is gone in 40 ms. */
const FADE_SAMPLES = 640;

let bound: DiscordOpus | null | undefined;

/** The package, looked for once; undefined when it is not installed or does not load. */
export function bindDiscordOpus(): DiscordOpus | undefined {
  if (bound === undefined) {
    try {
      bound = createRequire(import.meta.url)('@discordjs/opus') as DiscordOpus;
    } catch {
      bound = null; // its absence is the answer
    }
  }
  return bound ?? undefined;
}

export function createDiscordOpus(addon: DiscordOpus, fmtp: string, options: CodecOptions): Codec {
  let coder: OpusEncoder | undefined = new addon.OpusEncoder(16_000, 1);
  let setup = opusSetup(fmtp, options);
  const set = (requests: Requests): void => {
    for (const [request, value] of requests) coder?.applyEncoderCTL(request, value);
  };
  coder.applyEncoderCTL(CTL.application, VOIP); // the package makes it for music, which knows no DTX
  set(setup.start);
  const tail = new Int16Array(FADE_SAMPLES); // the newest sound, oldest first
  let faded = FADE_SAMPLES;
  return {
    name: 'opus',
    rateHz: 16_000,
    clockHz: 48_000,
    encode(samples, out) {
      if (coder === undefined || !isOpusLength(samples.length)) return 0;
      const bytes = coder.encode(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength));
      if (bytes.length <= 2 || bytes.length > out.length) return 0;
      out.set(bytes);
      return bytes.length;
    },
    decode(payload, out) {
      if (coder === undefined || payload.length === 0) return 0;
      let bytes: Buffer;
      try {
        bytes = coder.decode(Buffer.from(payload.buffer, payload.byteOffset, payload.length));
      } catch {
        return 0; // how the package says that a payload is no Opus
      }
      const count = bytes.length >> 1;
      if (count > out.length) return 0;
      for (let i = 0; i < count; i++) out[i] = bytes.readInt16LE(2 * i);
      const keep = Math.min(count, FADE_SAMPLES);
      tail.copyWithin(0, keep);
      tail.set(out.subarray(count - keep, count), FADE_SAMPLES - keep);
      faded = 0;
      return count;
    },
    conceal(out, samples) {
      if (coder === undefined || samples > out.length) return 0;
      for (let i = 0; i < samples; i++) {
        const left = FADE_SAMPLES - faded;
        out[i] = left === 0 ? 0 : Math.round(tail[left - 1]! * left / FADE_SAMPLES);
        if (left > 0) faded++;
      }
      return samples;
    },
    expectLoss: (percent) => set(setup.reported(percent)),
    retune(changed) {
      if (changed === fmtp) return;
      fmtp = changed;
      setup = opusSetup(fmtp, options);
      set(setup.start);
    },
    close() {
      coder = undefined; // freed with the last reference
    },
  };
}
