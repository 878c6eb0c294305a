// Sound for an Opus codec and how alike it comes back: shared by the tests of its drivers.

import { expect } from 'vitest';
import type { Codec } from '../../src/media/codec.ts';
import { OPUS_BYTES } from '../../src/media/opus.ts';

/** Something like speech: pulses of a gliding pitch through one resonance of a throat, swelling. */
export function speech(samples: number): Int16Array {
  const out = new Int16Array(samples);
  const turn = 2 * Math.PI * 600 / 16_000, radius = 0.97;
  let before = 0, last = 0;
  for (let i = 0; i < samples; i++) {
    const pulse = i % (100 + Math.round(15 * Math.sin(i / 4000))) === 0 ? 6000 : 0;
    const now = pulse + 2 * radius * Math.cos(turn) * last - radius * radius * before;
    before = last;
    last = now;
    out[i] = now * (0.6 + 0.4 * Math.sin(i / 1500));
  }
  return out;
}
/** Greatest normalised correlation of the two over a delay of up to 20 ms. */
export function likeness(a: Int16Array, b: Int16Array): number {
  let best = 0;
  for (let delay = 0; delay <= 320; delay++) {
    let ab = 0, aa = 1, bb = 1;
    for (let i = 0; i + delay < b.length; i++) {
      const x = a[i]!, y = b[i + delay]!;
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    best = Math.max(best, ab / Math.sqrt(aa * bb));
  }
  return best;
}
/** Encodes all of `sound` in frames of 20 ms, each payload in a view at an odd place of a larger buffer. */
export const packets = (codec: Codec, sound: Int16Array, length = 320) =>
  Array.from({ length: sound.length / length }, (_, i) => {
    const buffer = new Uint8Array(13 + OPUS_BYTES);
    const bytes = codec.encode(sound.subarray(i * length, (i + 1) * length), buffer.subarray(13));
    expect(buffer.subarray(0, 13).every((b) => b === 0)).toBe(true);
    return buffer.subarray(13, 13 + bytes);
  });
