// A WAV file as sound that goes round: a ring tone, music for whoever is held. It fades in and out in 5 ms and never overflows.

import type { SoundFiles } from './files.ts';
import { Resampler } from './resample.ts';
import { readWav, type WavSound } from './wav.ts';

const FADE_S = 0.005;
/** Larger ones would keep the media thread too long: 16 MB are three minutes of the best stereo. */
const MOST_BYTES = 16_000_000;

export interface WavLoopOptions {
  readonly path: string;
  /** Silence between the end and the next beginning. */
  readonly pauseMs: number;
  /** As loud as this at most, over the whole file: dB of its RMS against full scale. */
  readonly mostDbov: number;
  readonly rateHz: number;
}

/** The sound of `options.path`, or why it cannot be played. */
export function openWavLoop(options: WavLoopOptions, files: SoundFiles): WavLoop | string {
  let bytes: Uint8Array;
  try {
    bytes = files.read(options.path);
  } catch (error) {
    return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (bytes.length > MOST_BYTES) return `it is larger than ${MOST_BYTES / 1e6} MB`;
  const sound = readWav(bytes);
  return typeof sound === 'string' ? sound : sound.samples.length === 0 ? 'it holds no sound' : new WavLoop(sound, options);
}

export class WavLoop {
  readonly #samples: Int16Array;
  /** Samples of file and pause together. */
  readonly #round: number;
  readonly #resampler: Resampler;
  readonly #gain: number;
  readonly #fade: number;
  #at = 0;
  #piece = new Int16Array(0);
  #converted = new Int16Array(0);
  /** Samples given; samples since end(), -1 before. */
  #given = 0;
  #ending = -1;

  constructor({ samples, rateHz }: WavSound, options: Pick<WavLoopOptions, 'pauseMs' | 'mostDbov' | 'rateHz'>) {
    this.#samples = samples;
    this.#round = samples.length + Math.round(options.pauseMs * rateHz / 1_000);
    this.#resampler = new Resampler(rateHz, options.rateHz);
    this.#fade = Math.round(FADE_S * options.rateHz);
    let power = 0;
    for (let i = 0; i < samples.length; i++) power += samples[i]! * samples[i]!;
    const dbov = 10 * Math.log10(Math.max(power / samples.length, 1) / 32_768 ** 2);
    this.#gain = 10 ** (Math.min(0, options.mostDbov - dbov) / 20);
  }

  /** Fade out now; mix() then gives false. */
  end(): void {
    if (this.#ending < 0) this.#ending = 0;
  }

  /** Add the next `into.length` samples; false once it has faded out. */
  mix(into: Int16Array): boolean {
    const inputs = this.#resampler.inputFor(into.length), room = this.#resampler.outputFor(inputs);
    if (this.#piece.length < inputs) this.#piece = new Int16Array(inputs);
    if (this.#converted.length < room) this.#converted = new Int16Array(room);
    const piece = this.#piece, converted = this.#converted, fade = this.#fade;
    for (let i = 0; i < inputs; i++) {
      piece[i] = this.#at < this.#samples.length ? this.#samples[this.#at]! : 0;
      this.#at = this.#at + 1 === this.#round ? 0 : this.#at + 1;
    }
    this.#resampler.run(piece, inputs, converted, into.length);
    for (let i = 0; i < into.length; i++) {
      let gain = this.#gain;
      if (this.#given < fade) gain *= this.#given++ / fade;
      if (this.#ending >= 0) gain *= Math.max(0, 1 - this.#ending++ / fade);
      const sum = into[i]! + Math.round(gain * converted[i]!);
      into[i] = sum > 32_767 ? 32_767 : sum < -32_768 ? -32_768 : sum;
    }
    return this.#ending < fade;
  }
}
