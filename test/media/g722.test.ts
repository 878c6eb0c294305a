import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Codec } from '../../src/media/codec.ts';
import { createG722 } from '../../src/media/g722.ts';
import { sine, toneIn, voice } from './bench.ts';

const FRAME = 320;
/** Chance of whole numbers alone, the same on every machine. */
const dice = () => {
  let seed = 1;
  return () => (seed = Math.imul(seed, 1_103_515_245) + 12_345 | 0) >> 16;
};
const noise = (shift: number) => {
  const roll = dice();
  return () => roll() >> shift;
};
/** A throat of whole numbers: pulses through one resonance, swelling and falling. */
const throat = () => {
  const roll = dice();
  let last = 0, before = 0;
  return (i: number) => {
    const pulse = i % (130 + (i >> 10 & 31)) === 0 ? 9000 : roll() >> 9;
    const now = pulse + (last * 60_000 >> 15) - (before * 30_200 >> 15);
    before = last;
    last = now;
    return Math.max(-32_768, Math.min(32_767, now * (i >> 4 & 511) >> 9));
  };
};

/**
 * Two seconds of each signal, and SHA-256 (its first half) of its octets and of the sound they become, as FFmpeg 5.1.9 makes them:
 *   ffmpeg -f s16le -ar 16000 -ac 1 -i signal.raw -c:a g722 -f g722 signal.g722;  ffmpeg -f g722 -i signal.g722 -f s16le sound.raw
 * Where ffmpeg is installed the test below runs just that. The last two drive every clip and the whole range of steps.
 */
const SIGNALS: readonly (readonly [name: string, make: () => (i: number) => number, octets: string, sound: string])[] = [
  ['a throat', throat, 'faf4558488a794b084505d33fafdf129', '685e218b2d27bd02e2bc55ddc0fd665f'],
  ['noise', () => noise(3), 'a4c54144821a53ed69b2cc666e683e00', '3afa7f2a4fe3e98170cc8f47f046a487'],
  ['the least noise', () => noise(14), 'd59052b53c0fc7a685757d7f6bc3cdaf', '9b700abec09609477715236e61f38101'],
  ['noise at full scale', () => noise(0), '36a6cee63e44f841edbec9b977786a0b', '0e151dade36210d3920658a44750d78c'],
  ['a square wave at full scale, lower and lower', () => (i) => (Math.floor(i / (4 + (i >> 10))) & 1) === 0 ? 32_767 : -32_768, '95e8c5e407210083f8e1f14aa1d64eac', 'd58796a8a0301d99faddcdb33cee86c7'],
];
const of = (make: () => (i: number) => number, samples = 32_000): Int16Array => {
  const at = make();
  return Int16Array.from({ length: samples }, (_, i) => at(i));
};
const hash = (bytes: Uint8Array | Int16Array) => createHash('sha256').update(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).digest('hex').slice(0, 32);

function encoded(sound: Int16Array, codec = createG722(), frame = FRAME): Uint8Array {
  const out = new Uint8Array(sound.length >> 1);
  for (let at = 0; at < sound.length; at += frame) expect(codec.encode(sound.subarray(at, at + frame), out.subarray(at >> 1))).toBe(Math.min(frame, sound.length - at) >> 1);
  return out;
}
function decoded(octets: Uint8Array, codec: Codec = createG722(), frame = FRAME >> 1): Int16Array {
  const out = new Int16Array(2 * octets.length);
  for (let at = 0; at < octets.length; at += frame) codec.decode(octets.subarray(at, at + frame), out.subarray(2 * at));
  return out;
}
/** In dB, `back` being late by the filters' 22 samples. */
function snr(sound: Int16Array, back: Int16Array): number {
  let signal = 0, error = 0;
  for (let i = 1000; i + 22 < sound.length; i++) {
    signal += sound[i]! ** 2;
    error += (sound[i]! - back[i + 22]!) ** 2;
  }
  return 10 * Math.log10(signal / error);
}

describe('bit for bit (ITU-T G.722)', () => {
  test.each(SIGNALS)('%s becomes the octets and the sound of FFmpeg', (_, make, octets, sound) => {
    const ours = encoded(of(make));
    expect([hash(ours), hash(decoded(ours))]).toEqual([octets, sound]);
  });

  test.skipIf(spawnSync('ffmpeg', ['-version']).status !== 0)('FFmpeg, run now, makes the same of each', () => {
    const folder = mkdtempSync(join(tmpdir(), 'g722-'));
    const file = (name: string) => join(folder, name);
    const ffmpeg = (...words: string[]) => execFileSync('ffmpeg', ['-v', 'error', '-y', ...words]);
    for (const [name, make] of SIGNALS) {
      const sound = of(make);
      writeFileSync(file('raw'), Buffer.from(sound.buffer));
      ffmpeg('-f', 's16le', '-ar', '16000', '-ac', '1', '-i', file('raw'), '-c:a', 'g722', '-f', 'g722', file('g722'));
      ffmpeg('-f', 'g722', '-i', file('g722'), '-f', 's16le', file('back'));
      const octets = encoded(sound);
      expect([name, hash(readFileSync(file('g722'))), hash(readFileSync(file('back')))]).toEqual([name, hash(octets), hash(decoded(octets))]);
    }
    rmSync(folder, { recursive: true });
  }, 30_000);

  let spandsp: import('koffi').LibraryHandle | undefined;
  try {
    spandsp = (createRequire(import.meta.url)('koffi') as typeof import('koffi')).load('libspandsp.so.2');
  } catch {
    // the library of Debian's baresip and FreeSWITCH; without it the fixed answers above must do
  }
  test.skipIf(spandsp === undefined)('libspandsp, run now, makes the same octets of each, and the same sound save where it clips another way', () => {
    const init = (what: string) => spandsp!.func(`void *g722_${what}_init(void *state, int rate, int options)`)(null, 64_000, 0) as unknown;
    const run = (what: string) => spandsp!.func(`int g722_${what}(void *state, void *out, const void *in, int count)`);
    for (const [name, make] of SIGNALS) {
      const sound = of(make), theirs = new Uint8Array(sound.length >> 1), back = new Int16Array(sound.length);
      run('encode')(init('encode'), theirs, sound, sound.length);
      const ours = encoded(sound);
      expect([name, hash(ours)]).toEqual([name, hash(theirs)]);
      run('decode')(init('decode'), back, theirs, theirs.length);
      if (!name.includes('full scale')) expect([name, hash(decoded(ours))]).toEqual([name, hash(back)]);
    }
  });
});

describe('packets', () => {
  test('of any even length join without a seam, from and to views at odd places', () => {
    const sound = of(throat), whole = encoded(sound);
    for (const frame of [2, 160, 480, 960, 1920]) expect(hash(encoded(sound, createG722(), frame))).toBe(hash(whole));
    const codec = createG722(), room = new Uint8Array(400), out = new Int16Array(700);
    for (let at = 0; at < 3200; at += FRAME) {
      const view = new Int16Array(sound.buffer, 2 * at, FRAME);
      expect(codec.encode(view, room.subarray(3, 163))).toBe(160);
      expect([...room.subarray(3, 163)]).toEqual([...whole.subarray(at / 2, at / 2 + 160)]);
      expect(codec.decode(room.subarray(3, 163), out.subarray(5))).toBe(FRAME);
    }
  });

  test('that do not fit, are odd or longer than 120 ms come to nothing and leave the state as it was', () => {
    const codec = createG722(), other = createG722();
    expect(codec.encode(new Int16Array(321), new Uint8Array(400))).toBe(0);
    expect(codec.encode(new Int16Array(320), new Uint8Array(159))).toBe(0);
    expect(codec.encode(new Int16Array(1922), new Uint8Array(2000))).toBe(0);
    expect(codec.decode(new Uint8Array(160), new Int16Array(319))).toBe(0);
    expect(codec.decode(new Uint8Array(961), new Int16Array(4000))).toBe(0);
    const sound = of(throat, 3200);
    expect(hash(encoded(sound, codec))).toBe(hash(encoded(sound, other)));
  });

  test('every octet from every state gives sound within range, and after noise speech comes back', () => {
    const roll = dice(), codec = createG722(), junk = Uint8Array.from({ length: 16_000 }, () => roll());
    decoded(junk, codec);
    const sound = of(() => voice), back = decoded(encoded(sound), codec);
    expect(snr(sound.subarray(8000), back.subarray(8000))).toBeGreaterThan(15);
  });
});

describe('quality', () => {
  test('a voice comes back 22 samples later with an error 34 dB below it', () => {
    const sound = of(() => voice), back = decoded(encoded(sound));
    expect(snr(sound, back)).toBeGreaterThan(34);
  });

  test.each([100, 300, 1000, 2000, 3500, 4000, 5000, 6500])('%i Hz passes within 1 dB (the whole voice, §2)', (hz) => {
    const back = decoded(encoded(of(() => sine(hz, 8000))));
    expect(Math.abs(20 * Math.log10(toneIn([...back], hz, 1600, 16_000) / 8000))).toBeLessThan(1);
  });

  test('what is above 4 kHz goes by the two upper bits of each octet, the rest by the six lower ones', () => {
    const steps = (hz: number, bits: number) => new Set(encoded(of(() => sine(hz, 12_000))).subarray(2000).map((octet) => octet & bits)).size;
    expect(steps(1000, 0x3f)).toBeGreaterThan(20);
    expect(steps(6000, 0xc0)).toBe(4);
    const back = decoded(encoded(of(() => sine(6000, 12_000))).map((octet) => octet & 0xc0 | 0x3e));
    expect(toneIn([...back], 6000, 1600, 16_000)).toBeGreaterThan(8000);
  });
});
