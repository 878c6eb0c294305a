// Sound files and what tests ask of them: make a chirp or speech, find one sound in another.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

export interface Sound {
  readonly rateHz: number;
  readonly samples: Float64Array;
}

/** First channel of a 16-bit PCM WAV; a header that was never finished is read to the end of the file. */
export function readWav(path: string): Sound {
  const file = readFileSync(path);
  let rateHz = 0;
  let channels = 1;
  for (let at = 12; at + 8 <= file.length;) {
    const id = file.toString('latin1', at, at + 4);
    const size = file.readUInt32LE(at + 4);
    if (id === 'fmt ') {
      channels = file.readUInt16LE(at + 10);
      rateHz = file.readUInt32LE(at + 12);
    }
    if (id === 'data') {
      const end = size === 0 || at + 8 + size > file.length ? file.length : at + 8 + size;
      const samples = new Float64Array(Math.floor((end - at - 8) / (2 * channels)));
      for (let i = 0; i < samples.length; i++) samples[i] = file.readInt16LE(at + 8 + i * 2 * channels);
      return { rateHz, samples };
    }
    at += 8 + size + (size & 1);
  }
  throw new Error(`${path} is no WAV file with sound in it`);
}

export function writeWav(path: string, sound: Sound): void {
  const { rateHz, samples } = sound;
  const file = Buffer.alloc(44 + samples.length * 2);
  file.write('RIFF', 0);
  file.writeUInt32LE(36 + samples.length * 2, 4);
  file.write('WAVEfmt ', 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(rateHz, 24);
  file.writeUInt32LE(rateHz * 2, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36);
  file.writeUInt32LE(samples.length * 2, 40);
  for (let i = 0; i < samples.length; i++) file.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(samples[i] ?? 0))), 44 + i * 2);
  writeFileSync(path, file);
}

export function concat(rateHz: number, ...parts: readonly Float64Array[]): Sound {
  const samples = new Float64Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return { rateHz, samples };
}

export const silence = (rateHz: number, ms: number) => new Float64Array(Math.round(rateHz * ms / 1_000));

/** A sine rising from one frequency to another: its shape occurs once, so it can be found exactly. */
export function chirp(rateHz: number, ms: number, fromHz = 400, toHz = 2_800, peak = 8_000): Float64Array {
  const out = new Float64Array(Math.round(rateHz * ms / 1_000));
  const seconds = ms / 1_000;
  for (let i = 0; i < out.length; i++) {
    const t = i / rateHz;
    const edge = Math.min(1, t / 0.01, (seconds - t) / 0.01);
    out[i] = peak * edge * Math.sin(2 * Math.PI * (fromHz * t + (toHz - fromHz) * t * t / (2 * seconds)));
  }
  return out;
}

/** Speech by espeak-ng, at `rateHz`, mono. */
export function speech(path: string, rateHz: number, words: string): Sound {
  execFileSync('espeak-ng', ['-v', 'en', '-s', '150', '-a', '60', '-w', `${path}.raw.wav`, words]);
  execFileSync('sox', ['-G', `${path}.raw.wav`, '-r', String(rateHz), '-c', '1', '-b', '16', path]);
  return readWav(path);
}

export function resample(sound: Sound, rateHz: number, scratch: string): Sound {
  if (sound.rateHz === rateHz) return sound;
  writeWav(`${scratch}.in.wav`, sound);
  execFileSync('sox', [`${scratch}.in.wav`, '-r', String(rateHz), '-b', '16', `${scratch}.out.wav`]);
  return readWav(`${scratch}.out.wav`);
}

/** What a telephone never carried: the sound above 4.2 kHz. */
export function above(sound: Sound, scratch: string): Sound {
  writeWav(`${scratch}.in.wav`, sound);
  execFileSync('sox', [`${scratch}.in.wav`, `${scratch}.out.wav`, 'sinc', '4200']);
  return readWav(`${scratch}.out.wav`);
}

export interface Found {
  /** Normalised correlation, 1 is the same sound whatever its level. */
  readonly correlation: number;
  readonly atMs: number;
}

/** Where `needle` lies best in `hay` (same rates), both taken as they are. */
export function find(hay: Sound, needle: Float64Array): Found {
  let size = 1;
  while (size < hay.samples.length + needle.length) size *= 2;
  const a = spectrum(hay.samples, size);
  const b = spectrum(needle, size);
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    re[i] = a.re[i]! * b.re[i]! + a.im[i]! * b.im[i]!;
    im[i] = a.im[i]! * b.re[i]! - a.re[i]! * b.im[i]!;
  }
  fft(im, re); // swapped: the inverse, unscaled
  let needleEnergy = 0;
  for (const s of needle) needleEnergy += s * s;
  let energy = 0;
  for (let i = 0; i < Math.min(needle.length, hay.samples.length); i++) energy += hay.samples[i]! ** 2;
  let best = { correlation: 0, atMs: 0 };
  for (let lag = 0; lag + needle.length <= hay.samples.length; lag++) {
    const c = re[lag]! / size / Math.sqrt(needleEnergy * energy + 1e-9);
    if (energy > 1 && c > best.correlation) best = { correlation: c, atMs: lag * 1_000 / hay.rateHz };
    const next = hay.samples[lag + needle.length] ?? 0;
    energy += next * next - hay.samples[lag]! ** 2;
  }
  return best;
}

function spectrum(samples: Float64Array, size: number): { re: Float64Array; im: Float64Array } {
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  re.set(samples);
  fft(re, im);
  return { re, im };
}

/** In place, radix 2. */
function fft(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let len = 2; len <= n; len <<= 1) {
    const step = -2 * Math.PI / len;
    for (let k = 0; k < len / 2; k++) {
      const wr = Math.cos(step * k);
      const wi = Math.sin(step * k);
      for (let i = k; i < n; i += len) {
        const j = i + len / 2;
        const xr = re[j]! * wr - im[j]! * wi;
        const xi = re[j]! * wi + im[j]! * wr;
        re[j] = re[i]! - xr;
        im[j] = im[i]! - xi;
        re[i] = re[i]! + xr;
        im[i] = im[i]! + xi;
      }
    }
  }
}

/** Level in dB against full scale of the strongest second; for 'is anything heard'. */
export function loudestDb(sound: Sound): number {
  const window = Math.round(sound.rateHz / 10);
  let best = 0;
  for (let at = 0; at + window <= sound.samples.length; at += window) {
    let sum = 0;
    for (let i = at; i < at + window; i++) sum += sound.samples[i]! ** 2;
    best = Math.max(best, sum / window);
  }
  return 10 * Math.log10(best / 32_768 ** 2 + 1e-12);
}
