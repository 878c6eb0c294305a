// Something to say: sentences by six voices of espeak-ng, as level and as talkative as speech on a telephone; and a made-up voice for tests
// that may need nothing installed. Rendered once, kept in build/speech.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Resampler } from '../../src/audio/resample.ts';
import { readWav, wavHeader } from '../../src/audio/wav.ts';
import { FakeRandom } from '../fakes/random.ts';

export type SpeechHz = 8_000 | 16_000;

/** Nominal level of active speech: 20 dB below the loudest sine that a telephone carries. */
export const ACTIVE_DBOV = -26;
/** Pause after a sentence against its length: with the gaps inside sentences it makes speech active for three quarters of the time. */
const PAUSE = 0.42;

/** By espeak-ng's names: region and kind of voice, words a minute, pitch 0 to 99. */
export const voices = {
  anne: ['en-gb+f2', 160, 55], bert: ['en-us', 150, 40], cora: ['en-us+f4', 165, 60], dirk: ['en-gb-scotland+m3', 155, 35], ella: ['en-gb-x-rp+f5', 150, 50], fred: ['en-gb+m7', 170, 45],
} as const;
export type VoiceName = keyof typeof voices;
export const VOICES = Object.keys(voices) as VoiceName[];

/** From the lists of phonetically balanced sentences of IEEE 297 (1969). */
const SENTENCES = [
  'The birch canoe slid on the smooth planks.', 'Glue the sheet to the dark blue background.', 'It is easy to tell the depth of a well.', 'These days a chicken leg is a rare dish.',
  'Rice is often served in round bowls.', 'The juice of lemons makes fine punch.', 'The box was thrown beside the parked truck.', 'The hogs were fed chopped corn and garbage.',
  'Four hours of steady work faced us.', 'A large size in stockings is hard to sell.', 'The boy was there when the sun rose.', 'A rod is used to catch pink salmon.',
  'The source of the huge river is the clear spring.', 'Kick the ball straight and follow through.', 'Help the woman get back to her feet.', 'A pot of tea helps to pass the evening.',
  'Smoky fires lack flame and heat.', 'The soft cushion broke the man\'s fall.', 'The salt breeze came across from the sea.', 'The girl at the booth sold fifty bonds.',
  'The small pup gnawed a hole in the sock.', 'The fish twisted and turned on the bent hook.', 'Press the pants and sew a button on the vest.', 'The swan dive was far short of perfect.',
];

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../build/speech');

/** `seconds` of sentences by one voice with pauses between them, at -26 dBov while active, active three quarters of the time. Needs espeak-ng. */
export function speech(voice: VoiceName, rateHz: SpeechHz, seconds: number): Int16Array {
  const key = createHash('sha256').update(JSON.stringify([voices[voice], rateHz, seconds, SENTENCES, PAUSE])).digest('hex').slice(0, 12);
  const path = join(FOLDER, `${voice}-${rateHz}-${seconds}s-${key}.wav`);
  if (!existsSync(path)) {
    const samples = rateHz === 16_000 ? level(render(voice, seconds), rateHz, ACTIVE_DBOV) : level(resampled(speech(voice, 16_000, seconds), 16_000, rateHz), rateHz, ACTIVE_DBOV);
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${path}.${process.pid}`, Buffer.concat([wavHeader(rateHz, 2 * samples.length), new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength)]));
    renameSync(`${path}.${process.pid}`, path);
  }
  const sound = readWav(readFileSync(path));
  if (typeof sound === 'string') throw new Error(`${path}: ${sound}`);
  return sound.samples;
}

/** `seconds` shared out evenly among `names`, one voice after the other. */
export function conversation(rateHz: SpeechHz, seconds: number, names: readonly VoiceName[] = VOICES): Int16Array {
  const out = new Int16Array(Math.round(seconds * rateHz));
  const each = Math.ceil(out.length / names.length);
  for (const [i, name] of names.entries()) out.set(speech(name, rateHz, Math.ceil(each / rateHz)).subarray(0, Math.max(0, Math.min(each, out.length - i * each))), i * each);
  return out;
}

/** Sentence, pause, sentence ... of 16 kHz; each voice begins elsewhere in the list. */
function render(voice: VoiceName, seconds: number): Int16Array {
  const [name, words, pitch] = voices[voice];
  const out = new Int16Array(seconds * 16_000);
  const scratch = join(FOLDER, `${voice}.${process.pid}.wav`);
  mkdirSync(FOLDER, { recursive: true });
  let at = Math.round(0.3 * 16_000);
  for (let i = VOICES.indexOf(voice) * 4; at < out.length; i++) {
    try {
      execFileSync('espeak-ng', ['-v', name, '-s', String(words), '-p', String(pitch), '-z', '-w', scratch, SENTENCES[i % SENTENCES.length]!], { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (error) {
      throw new Error('the speech for this needs espeak-ng: apt-get install espeak-ng', { cause: error });
    }
    const sound = readWav(readFileSync(scratch));
    rmSync(scratch);
    if (typeof sound === 'string') throw new Error(`espeak-ng: ${sound}`);
    const sentence = trimmed(resampled(sound.samples, sound.rateHz, 16_000));
    out.set(sentence.subarray(0, out.length - at), at);
    at += Math.round(sentence.length * (1 + PAUSE));
  }
  return out;
}

function trimmed(samples: Int16Array): Int16Array {
  let from = 0, to = samples.length;
  while (from < to && Math.abs(samples[from]!) < 30) from++;
  while (to > from && Math.abs(samples[to - 1]!) < 30) to--;
  return samples.subarray(from, to);
}

/** The whole of `samples` at another rate, without the delay of the filter. */
export function resampled(samples: Int16Array, fromHz: number, toHz: number): Int16Array {
  if (fromHz === toHz) return samples;
  const resampler = new Resampler(fromHz, toHz);
  const padded = new Int16Array(samples.length + 2 * Math.ceil(resampler.delay) + 2);
  padded.set(samples);
  const output = new Int16Array(resampler.outputFor(padded.length));
  const made = resampler.run(padded, padded.length, output);
  const skip = Math.round(resampler.delay * toHz / fromHz);
  return output.slice(skip, Math.min(made, skip + Math.round(samples.length * toHz / fromHz)));
}

/** Level while speech is active, in dB below full scale, and the share of time that it is (ITU-T P.56 method B: 30 ms envelope, 200 ms of hangover, 15.9 dB of margin). */
export function activeLevel(samples: Int16Array, rateHz: number): { readonly dbov: number; readonly activity: number } {
  const THRESHOLDS = 15, MARGIN_DB = 15.9;
  const g = Math.exp(-1 / (rateHz * 0.03)), hang = Math.round(0.2 * rateHz);
  const active = new Float64Array(THRESHOLDS), since = new Float64Array(THRESHOLDS).fill(hang);
  let p = 0, q = 0, energy = 0;
  for (const sample of samples) {
    energy += sample * sample;
    p = g * p + (1 - g) * Math.abs(sample);
    q = g * q + (1 - g) * p;
    for (let j = 0; j < THRESHOLDS; j++) {
      if (q >= 2 ** j) since[j] = 0;
      else if (since[j]! < hang) since[j]!++;
      else continue;
      active[j]!++;
    }
  }
  const full = 10 * Math.log10(32_768 ** 2);
  let before = Infinity, beforeDb = -Infinity;
  for (let j = 0; j < THRESHOLDS && active[j]! > 0; j++) {
    const levelDb = 10 * Math.log10(energy / active[j]!), over = levelDb - 20 * Math.log10(2 ** j);
    if (over <= MARGIN_DB) {
      const part = Number.isFinite(before) ? (before - MARGIN_DB) / (before - over) : 1;
      const db = Number.isFinite(before) ? beforeDb + part * (levelDb - beforeDb) : levelDb;
      return { dbov: db - full, activity: energy / samples.length / 10 ** (db / 10) };
    }
    before = over;
    beforeDb = levelDb;
  }
  return { dbov: -100, activity: 0 };
}

/** `samples` brought to an active level. */
function level(samples: Int16Array, rateHz: number, dbov: number): Int16Array {
  const gain = 10 ** ((dbov - activeLevel(samples, rateHz).dbov) / 20);
  return samples.map((s) => Math.max(-32_768, Math.min(32_767, Math.round(s * gain))));
}

/** First three resonances of five vowels, in Hz. */
const VOWELS = [[730, 1_090, 2_440], [270, 2_290, 3_010], [300, 870, 2_240], [530, 1_840, 2_480], [570, 840, 2_410]] as const;

/** A made-up voice: vowels of gliding pitch and colour with hisses and stops between them, and pauses. The same seed, the same sound. */
export function babble(rateHz: SpeechHz, seconds: number, seed = 1): Int16Array {
  const random = new FakeRandom(seed * 104_729);
  for (let i = 0; i < 8; i++) random.fraction();
  const count = Math.round(seconds * rateHz), sound = new Float64Array(count);
  const pick = (from: number, to: number): number => from + (to - from) * random.fraction();
  const basis = pick(95, 210);
  const state = new Float64Array(8);
  let phase = 0, colour: readonly number[] = VOWELS[0], tilt = 0;
  for (let at = Math.round(0.15 * rateHz); at < count;) {
    const syllables = 5 + Math.floor(random.fraction() * 5);
    const phrase = at;
    for (let s = 0; s < syllables; s++) {
      const kind = random.fraction(), hiss = Math.round(rateHz * (kind < 0.4 ? pick(0.05, 0.11) : kind < 0.7 ? pick(0.02, 0.05) : 0.01)), vowel = Math.round(rateHz * pick(0.11, 0.24));
      const next = VOWELS[Math.floor(random.fraction() * VOWELS.length)]!, from = colour, stress = pick(0.5, 1), hissing = kind < 0.4 ? pick(0.03, 0.12) : 0;
      for (let i = 0; i < hiss && at < count; i++, at++) { // hiss, or the silence of a stop
        const noise = random.fraction() - 0.5;
        sound[at] = hissing * (noise - tilt) * Math.sin(Math.PI * i / hiss);
        tilt = noise;
      }
      for (let i = 0; i < vowel && at < count; i++, at++) {
        const t = i / vowel, hz = basis * (1.12 - 0.25 * (s + t) / syllables + 0.03 * Math.sin(2 * Math.PI * 5 * at / rateHz));
        phase += hz / rateHz;
        let x = -0.02;
        if (phase >= 1) {
          phase -= 1;
          x += 1;
        }
        const glide = Math.min(1, 2 * t);
        for (let f = 0; f < 3; f++) x = resonate(state, 2 * f, from[f]! + (next[f]! - from[f]!) * glide, 60 + 40 * f, rateHz, x);
        sound[at] = stress * x * Math.min(1, 8 * t, 6 * (1 - t));
      }
      colour = next;
    }
    at += Math.round((at - phrase) * pick(0.4, 0.6));
  }
  let peak = 1e-9;
  for (const x of sound) peak = Math.max(peak, Math.abs(x));
  return level(Int16Array.from(sound, (x) => Math.round(20_000 * x / peak)), rateHz, ACTIVE_DBOV);
}

/** A resonance of two poles whose state lies at state[at..at + 1]. */
function resonate(state: Float64Array, at: number, hz: number, widthHz: number, rateHz: number, x: number): number {
  const r = Math.exp(-Math.PI * widthHz / rateHz), b = 2 * r * Math.cos(2 * Math.PI * hz / rateHz), c = -r * r;
  const y = (1 - b - c) * x + b * state[at]! + c * state[at + 1]!;
  state[at + 1] = state[at]!;
  state[at] = y;
  return y;
}
