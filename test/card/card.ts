// The test sound card from the outside: a helper for end-to-end tests.
//
//   const card = await startCard({ dir: someFolder });
//   start the phone with env { ...process.env, ...card.env } and the sound device card.device ('alsa:test')
//   const ear = card.record();                        // what the phone's earpiece says, from now on
//   const { startMs } = await card.playTo(chirp, 16_000);   // into the phone's microphone; begins 100 ms from now
//   ... ; const heard = ear.stop();                   // { rateHz, samples, startMs }
//
// The phone is another process: sound passes through two files that its libasound plug-in maps (see clocked.c), the microphone's ring and
// the earpiece's ring. This file reads and writes them with plain file calls, which Linux keeps in step with the mapping; there is no
// peer PCM to open and nothing to run. A slot of a ring belongs to an instant of CLOCK_MONOTONIC, which is process.hrtime() here, so
// startMs of what was played and of what was heard are on one time line, and delays are differences. Programs that can only talk to ALSA
// (aplay, baresip) may use the PCM `NAME_peer`: its playback is NAME's microphone, its capture NAME's earpiece.
//
// Several cards in one folder share one configuration, so one process can use them all.

import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Resampler } from '../../src/audio/resample.ts';
import { readWav } from '../../src/audio/wav.ts';

const HERE = dirname(fileURLToPath(import.meta.url));
const LIBRARY = resolve(HERE, '../../build/card/libclocked.so');
const CONTROLS = resolve(HERE, '../../build/card/libcontrols.so');

const HEAD = { magic: 0x4b434c43, bytes: 64, rateAt: 8 } as const;
/** 87 s at 48 kHz, 262 s at 16 kHz; the files are sparse. */
const SLOTS = 1 << 22;

export interface CardOptions {
  /** Folder for configuration and rings; made when absent. */
  readonly dir: string;
  /** Name of the PCM; 'test' when not given. */
  readonly name?: string;
  /** The microphone hears the earpiece, as with a cable. */
  readonly cable?: boolean;
  /** Only this rate, only this many channels, only samples of so many bits. */
  readonly rateHz?: number;
  readonly channels?: number;
  readonly bits?: 16 | 24 | 32;
  /** Without one of the directions. */
  readonly without?: 'capture' | 'playback';
  /** How fast the playback clock runs, in parts per million; the capture clock is true. */
  readonly playbackPpm?: number;
  /** Its position moves in lumps of so many frames, as with USB and dmix. */
  readonly lumpFrames?: number;
  /** Its mixer has a playback path of this name, '' for a mixer without any; absent: there is no mixer. */
  readonly mixer?: string;
  /** Also the `default` PCM, which the device 'auto' finds. */
  readonly isDefault?: boolean;
}

export interface Heard {
  readonly rateHz: number;
  readonly samples: Int16Array;
  /** When the first sample sounded, on the time line of hrtime. */
  readonly startMs: number;
}

export interface Card {
  /** For the process that uses the card. */
  readonly env: { readonly ALSA_CONFIG_PATH: string };
  readonly alsaName: string;
  /** The phone's name for it. */
  readonly device: string;
  /** Rate of the PCM that was opened last; 0 before the first. */
  rateHz(): number;
  /**
   * Let the microphone hear a WAV file (by path) or samples at `rateHz`, beginning `inMs` (100) from now. Waits for the card to be opened
   * (10 s at most) and resolves when the sound is queued, not when it has sounded; `startMs` and `endMs` say when it does.
   */
  playTo(sound: string | Int16Array, rateHz?: number, inMs?: number): Promise<{ readonly startMs: number; readonly endMs: number }>;
  /** Hear what the earpiece says from now on. At most a minute. */
  record(): { stop(): Heard };
  unplug(): void;
  /** Make the card fail with this errno until plug(): 16 is busy, 13 no permission. */
  fail(errno: number): void;
  plug(): void;
  /** What its mixer's path is set to: -63 to 0 dB, and whether it is switched through. */
  mixer(): { readonly db: number; readonly on: boolean };
  /** Removes the card's files. */
  stop(): void;
}

export const nowMs = () => Number(process.hrtime.bigint()) / 1e6;

/** Build the plug-in if need be. */
export function buildCard(): void {
  execFileSync(join(HERE, 'build.sh'), { stdio: ['ignore', 'inherit', 'inherit'] });
}

export async function startCard(options: CardOptions): Promise<Card> {
  buildCard();
  const dir = resolve(options.dir);
  const name = options.name ?? 'test';
  mkdirSync(dir, { recursive: true });
  const trouble = join(dir, `${name}.trouble`), state = join(dir, `${name}.mixer`);
  rmSync(trouble, { force: true });
  const ear = ring(join(dir, `${name}.ear`));
  const mic = options.cable === true ? ear : ring(join(dir, `${name}.mic`));
  const only = [
    `trouble "${trouble}"`, `rate ${options.rateHz ?? 0}`, `channels ${options.channels ?? 0}`, `wide ${{ 16: 0, 32: 1, 24: 2 }[options.bits ?? 16]}`, `lump ${options.lumpFrames ?? 0}`,
  ].join(' ');
  // The two directions are PCMs of their own, so that each can have its own clock.
  const side = (id: string, capture: string, playback: string, words: string, ppm: number) => [
    ...(capture === '' ? [] : [`pcm.${id}_c { type clocked capture "${capture}" ${words} hint { show off } }`]),
    ...(playback === '' ? [] : [`pcm.${id}_p { type clocked playback "${playback}" ppm ${ppm} ${words} hint { show off } }`]),
    `pcm.${id} { type asym ${capture === '' ? '' : `capture.pcm "${id}_c"`} ${playback === '' ? '' : `playback.pcm "${id}_p"`} hint { show on description "Test card ${id}" } }`,
  ];
  writeFileSync(join(dir, `${name}.card`), [
    ...side(name, options.without === 'capture' ? '' : mic.path, options.without === 'playback' ? '' : ear.path, only, options.playbackPpm ?? 0),
    ...side(`${name}_peer`, ear.path, mic.path, 'rate 0', 0),
    ...(options.mixer === undefined ? [] : [`ctl.${name} { type controls ${options.mixer === '' ? '' : `element "${options.mixer}"`} state "${state}" }`]),
    ...(options.isDefault === true ? [`pcm.!default "${name}"`] : []),
    '',
  ].join('\n'));
  const configuration = join(dir, 'asound.conf');
  configure(dir, configuration);
  if (options.mixer !== undefined) writeFileSync(state, '20 0\n');

  const opened = async (): Promise<number> => {
    for (const endMs = nowMs() + 10_000; nowMs() < endMs;) {
      const rateHz = mic.rateHz();
      if (rateHz > 0) return rateHz;
      await new Promise((done) => setTimeout(done, 20));
    }
    throw new Error(`nobody opened the test card ${name}`);
  };
  return {
    env: { ALSA_CONFIG_PATH: configuration },
    alsaName: name,
    device: `alsa:${name}`,
    rateHz: () => Math.max(mic.rateHz(), ear.rateHz()),
    playTo: async (sound, rateHz = 16_000, inMs = 100) => {
      const cardHz = await opened();
      const file = typeof sound === 'string' ? readWav(readFileSync(sound)) : { rateHz, samples: sound };
      if (typeof file === 'string') throw new Error(`${String(sound)}: ${file}`);
      const samples = convert(file.samples, file.rateHz, cardHz);
      const first = Math.ceil(((nowMs() + inMs) * cardHz) / 1_000);
      mic.put(first, samples);
      return { startMs: (first * 1_000) / cardHz, endMs: ((first + samples.length) * 1_000) / cardHz };
    },
    record: () => {
      const startMs = nowMs();
      ear.clear(startMs + 500);
      return {
        stop: () => {
          const rateHz = ear.rateHz();
          const first = Math.ceil((startMs * rateHz) / 1_000);
          return { rateHz, samples: ear.get(first, Math.floor((nowMs() * rateHz) / 1_000) - first), startMs: rateHz === 0 ? startMs : (first * 1_000) / rateHz };
        },
      };
    },
    unplug: () => writeFileSync(trouble, ''),
    fail: (errno) => writeFileSync(trouble, String(errno)),
    plug: () => rmSync(trouble, { force: true }),
    mixer: () => {
      const [volume, on] = readFileSync(state, 'utf8').split(' ').map(Number);
      return { db: volume! - 63, on: on === 1 };
    },
    stop: () => {
      ear.close();
      if (mic !== ear) mic.close();
      for (const end of ['card', 'trouble', 'ear', 'mic', 'mixer']) rmSync(join(dir, `${name}.${end}`), { force: true });
      configure(dir, configuration);
    },
  };
}

/** One configuration for every card in the folder. */
function configure(dir: string, configuration: string): void {
  const cards = existsSync(dir) ? readdirSync(dir).filter((f) => f.endsWith('.card')).map((f) => readFileSync(join(dir, f), 'utf8')) : [];
  const template = readFileSync(join(HERE, 'asound.conf.template'), 'utf8');
  writeFileSync(configuration, template.replace('@LIBRARY@', LIBRARY).replace('@CONTROLS@', CONTROLS).replace('@CARDS@', cards.join('\n')));
}

/** The delay of the filter is taken off, so that sample n of the sound stays at its instant. */
function convert(samples: Int16Array, fromHz: number, toHz: number): Int16Array {
  if (fromHz === toHz) return samples;
  const resampler = new Resampler(fromHz, toHz);
  const padded = new Int16Array(samples.length + Math.ceil(resampler.delay) * 2);
  padded.set(samples);
  const output = new Int16Array(resampler.outputFor(padded.length));
  const made = resampler.run(padded, padded.length, output);
  return output.subarray(Math.round((resampler.delay * toHz) / fromHz), made);
}

function ring(path: string) {
  const fd = openSync(path, 'w+');
  const head = Buffer.alloc(HEAD.bytes);
  head.writeUInt32LE(HEAD.magic, 0);
  head.writeUInt32LE(SLOTS, 4);
  writeSync(fd, head, 0, head.length, 0);
  ftruncateSync(fd, HEAD.bytes + 2 * SLOTS);
  /** Do something with `count` slots from sample `first` on, in one piece or two where the ring closes. */
  const pieces = (first: number, count: number, each: (position: number, from: number, length: number) => void) => {
    for (let done = 0; done < count;) {
      const slot = (first + done) % SLOTS;
      const length = Math.min(count - done, SLOTS - slot);
      each(HEAD.bytes + 2 * slot, 2 * done, 2 * length);
      done += length;
    }
  };
  const rateHz = () => {
    const bytes = Buffer.alloc(4);
    readSync(fd, bytes, 0, 4, HEAD.rateAt);
    return bytes.readUInt32LE(0);
  };
  const put = (first: number, samples: Int16Array) => {
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    pieces(first, samples.length, (position, from, length) => writeSync(fd, bytes, from, length, position));
  };
  return {
    path,
    rateHz,
    put,
    get: (first: number, count: number): Int16Array => {
      const samples = new Int16Array(Math.min(count, SLOTS));
      const bytes = new Uint8Array(samples.buffer);
      pieces(first, samples.length, (position, from, length) => readSync(fd, bytes, from, length, position));
      return samples;
    },
    /** Silence from `fromMs` on, so that nothing of the last time around is heard. */
    clear: (fromMs: number) => {
      const hz = rateHz();
      if (hz > 0) put(Math.ceil((fromMs * hz) / 1_000), new Int16Array(SLOTS - hz));
    },
    close: () => closeSync(fd),
  };
}
