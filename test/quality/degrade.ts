// Known ways to spoil speech, to hold the score against: packets of 20 ms coded by G.711 or Opus, some of them lost and replaced. The
// concealment is a plain one after G.711 appendix I, kept apart from the phone's own so that the yardstick does not move with it.

import type { Codec } from '../../src/media/codec.ts';
import { createG711 } from '../../src/media/g711.ts';
import { FakeRandom } from '../fakes/random.ts';
import { makeTrace, type ProfileName } from './traces.ts';

export const FRAME = 160;

/** Through µ-law and back. */
export function throughG711(sound: Int16Array): Int16Array {
  const codec = createG711('PCMU'), bytes = new Uint8Array(sound.length), out = new Int16Array(sound.length);
  codec.encode(sound, bytes);
  codec.decode(bytes, out);
  return out;
}

/** 1 for each packet lost. */
export function losses(profile: ProfileName, packets: number, seed: number): Uint8Array {
  return Uint8Array.from(makeTrace(profile, { seconds: packets / 50, seed }).packets, (p) => (p.arrivalMs === undefined ? 1 : 0));
}

export type Filling = 'zero' | 'repeat' | 'plc';

/** `sound` of 8 kHz with the lost packets filled in one way. */
export function lossy(sound: Int16Array, lost: Uint8Array, filling: Filling): Int16Array {
  const out = sound.slice();
  for (let p = 0; (p + 1) * FRAME <= sound.length; p++) {
    if (lost[p] !== 1) continue;
    const from = p * FRAME;
    if (filling === 'zero' || p === 0) out.fill(0, from, from + FRAME);
    else if (filling === 'repeat') out.copyWithin(from, from - FRAME, from);
    else {
      let end = p;
      while (lost[end] === 1 && (end + 1) * FRAME <= sound.length) end++;
      concealed(out, from, (end - p) * FRAME);
      p = end;
    }
  }
  return out;
}

/** The pitch period before `from` goes on for `count` samples, fading from 10 to 70 ms, joined at both ends. */
function concealed(out: Int16Array, from: number, count: number): void {
  let lag = 40, most = -Infinity;
  for (let p = 40; p <= 120 && p + 160 <= from; p++) {
    let cross = 0, power = 1;
    for (let i = 1; i <= 160; i++) {
      cross += out[from - i]! * out[from - i - p]!;
      power += out[from - i - p]! ** 2;
    }
    if (cross / Math.sqrt(power) > most) {
      most = cross / Math.sqrt(power);
      lag = p;
    }
  }
  const quarter = lag >> 2, join = Math.min(32, out.length - from - count), cycle = new Float64Array(lag);
  for (let i = 0; i < lag; i++) { // its end runs into its beginning
    const x = out[from - lag + i] ?? 0, w = i >= lag - quarter ? (i - lag + quarter + 0.5) / quarter : 0;
    cycle[i] = x * (1 - w) + (out[from - 2 * lag + i] ?? 0) * w;
  }
  for (let i = 0; i < count + join; i++) {
    const x = cycle[i % lag]! * Math.min(1, Math.max(0, (560 - i) / 480));
    const w = i < count ? 1 : 1 - (i - count + 0.5) / join;
    out[from + i] = Math.round(x * w + out[from + i]! * (1 - w));
  }
}

/** 20 ms taken out every 2 s: hard, or over a matched pitch period or two. */
export function cut(sound: Int16Array, how: 'hard' | 'matched'): Int16Array {
  const parts: Int16Array[] = [];
  let at = 0;
  for (let next = 16_000; next + 800 < sound.length; next += 16_000) {
    let length = 160;
    const join = how === 'hard' ? 0 : 80;
    if (how === 'matched') {
      let most = -Infinity;
      for (let p = 100; p <= 220; p++) {
        let cross = 0, a = 1, b = 1;
        for (let i = 0; i < 160; i++) {
          cross += sound[next + i]! * sound[next + p + i]!;
          a += sound[next + i]! ** 2;
          b += sound[next + p + i]! ** 2;
        }
        if (cross / Math.sqrt(a * b) > most) {
          most = cross / Math.sqrt(a * b);
          length = p;
        }
      }
    }
    const piece = sound.slice(at, next + join);
    for (let i = 0; i < join; i++) {
      const w = (i + 0.5) / join;
      piece[next - at + i] = Math.round(sound[next + i]! * (1 - w) + sound[next + length + i]! * w);
    }
    parts.push(piece);
    at = next + length + join;
  }
  parts.push(sound.slice(at));
  const out = new Int16Array(parts.reduce((sum, p) => sum + p.length, 0));
  let to = 0;
  for (const part of parts) {
    out.set(part, to);
    to += part.length;
  }
  return out;
}

/** `later` against an earlier moment: so many samples of silence before. */
export function delayed(sound: Int16Array, samples: number): Int16Array {
  const out = new Int16Array(sound.length + samples);
  out.set(sound, samples);
  return out;
}

/** Rumble of `seed` at `peak`, added. */
export function noisy(sound: Int16Array, peak: number, seed = 1): Int16Array {
  const random = new FakeRandom(seed);
  return sound.map((s) => Math.max(-32_768, Math.min(32_767, Math.round(s + peak * (2 * random.fraction() - 1)))));
}

export type OpusFilling = 'zero' | 'plc' | 'fec';

/** `sound` of 16 kHz through Opus in packets of 20 ms, some lost. */
export function throughOpus(sound: Int16Array, codec: Codec, lost: Uint8Array, filling: OpusFilling): Int16Array {
  const size = 320, out = new Int16Array(sound.length), packets: Uint8Array[] = [], bytes = new Uint8Array(1_275);
  for (let at = 0; at + size <= sound.length; at += size) packets.push(bytes.slice(0, codec.encode(sound.subarray(at, at + size), bytes)));
  for (const [p, packet] of packets.entries()) {
    const piece = out.subarray(p * size, (p + 1) * size);
    if (lost[p] !== 1) codec.decode(packet, piece);
    else if (filling === 'zero') piece.fill(0);
    else if (filling === 'fec' && lost[p + 1] !== 1 && packets[p + 1] !== undefined) codec.decodeFec?.(packets[p + 1]!, piece, size);
    else codec.conceal?.(piece, size);
  }
  return out;
}
