// libasound through koffi: every prototype the phone uses, and PCMs as numbers in, numbers out. Returns below zero are -errno.
// What can block (open, hw_params, close) runs on koffi's thread, one at a time and in order; the rest never waits.

import koffi from 'koffi';
import { PhoneError } from '../ports/errors.ts';
import { ERRNO } from './errno.ts';

export const CAPTURE = 1;
export const PLAYBACK = 0;
export type Direction = typeof CAPTURE | typeof PLAYBACK;


const NONBLOCK = 1;
const ACCESS_RW_INTERLEAVED = 3;
const FORMAT_S16_LE = 2;
const FORMAT_S32_LE = 10;
/** Rates tried, as multiples of what is wanted, before the card may choose. */
const MULTIPLES = [1, 2, 3, 6] as const;
const HIGHEST_RATE_HZ = 48_000;

/** What a PCM is asked for; it may come out otherwise. */
export interface Wish {
  readonly rateHz: number;
  readonly periodFrames: number;
  readonly periods: number;
}

/** An open PCM. Frames are interleaved, one value a channel. */
export interface Pcm {
  readonly rateHz: number;
  readonly channels: number;
  readonly bits: 16 | 32;
  readonly periodFrames: number;
  readonly bufferFrames: number;
  /** Frames that can be read or written now. */
  available(): number;
  /** Frames between writing and hearing. */
  delay(): number;
  read(into: Int16Array | Int32Array, frames: number): number;
  write(from: Int16Array | Int32Array, frames: number): number;
  prepare(): number;
  start(): number;
  drop(): number;
  resume(): number;
  /** Frees it; the PCM is not touched afterwards. */
  close(): void;
}

export interface Hint {
  readonly name: string;
  readonly description: string;
  readonly input: boolean;
  readonly output: boolean;
}

/** One path of a card's mixer into the playback. */
export interface MixerElement {
  readonly name: string;
  /** Least and most, in dB where `decibels`, else in steps; undefined where there is no volume. */
  readonly range: readonly [number, number] | undefined;
  readonly decibels: boolean;
  volume(): number;
  setVolume(value: number): void;
  /** Whether it is switched through; true where there is no switch. */
  on(): boolean;
  turn(on: boolean): void;
}

export interface Mixer {
  elements(): readonly MixerElement[];
  /** No element may be used afterwards. */
  close(): void;
}

/** The sound library as the device needs it. */
export interface SoundLibrary {
  /** Open `name`; `done` gets the PCM or -errno, later. */
  open(name: string, direction: Direction, wish: Wish, done: (opened: Pcm | number) => void): void;
  hints(): Hint[];
  /** The mixer of `card`, a name as the library has it; `done` gets it or -errno, later, when no PCM is being opened. */
  mixer?(card: string, done: (opened: Mixer | number) => void): void;
  /** What an error number means, in the library's words. */
  explain(code: number): string;
}

function bind() {
  const lib = koffi.load('libasound.so.2');
  const f = (prototype: string) => lib.func(prototype);
  return {
    open: f('int snd_pcm_open(_Out_ void **pcm, const char *name, int stream, int mode)'),
    close: f('int snd_pcm_close(void *pcm)'),
    hwMalloc: f('int snd_pcm_hw_params_malloc(_Out_ void **params)'),
    hwFree: f('void snd_pcm_hw_params_free(void *params)'),
    hwAny: f('int snd_pcm_hw_params_any(void *pcm, void *params)'),
    hwResample: f('int snd_pcm_hw_params_set_rate_resample(void *pcm, void *params, unsigned int value)'),
    hwAccess: f('int snd_pcm_hw_params_set_access(void *pcm, void *params, int access)'),
    hwFormat: f('int snd_pcm_hw_params_set_format(void *pcm, void *params, int format)'),
    hwChannels: f('int snd_pcm_hw_params_set_channels_near(void *pcm, void *params, _Inout_ unsigned int *channels)'),
    hwTestRate: f('int snd_pcm_hw_params_test_rate(void *pcm, void *params, unsigned int rate, int dir)'),
    hwRate: f('int snd_pcm_hw_params_set_rate_near(void *pcm, void *params, _Inout_ unsigned int *rate, void *dir)'),
    hwPeriod: f('int snd_pcm_hw_params_set_period_size_near(void *pcm, void *params, _Inout_ unsigned long *frames, void *dir)'),
    hwBuffer: f('int snd_pcm_hw_params_set_buffer_size_near(void *pcm, void *params, _Inout_ unsigned long *frames)'),
    hwInstall: f('int snd_pcm_hw_params(void *pcm, void *params)'),
    swMalloc: f('int snd_pcm_sw_params_malloc(_Out_ void **params)'),
    swFree: f('void snd_pcm_sw_params_free(void *params)'),
    swCurrent: f('int snd_pcm_sw_params_current(void *pcm, void *params)'),
    swStart: f('int snd_pcm_sw_params_set_start_threshold(void *pcm, void *params, unsigned long frames)'),
    swInstall: f('int snd_pcm_sw_params(void *pcm, void *params)'),
    available: f('long snd_pcm_avail_update(void *pcm)'),
    delay: f('int snd_pcm_delay(void *pcm, _Out_ long *frames)'),
    read: f('long snd_pcm_readi(void *pcm, void *buffer, unsigned long frames)'),
    write: f('long snd_pcm_writei(void *pcm, void *buffer, unsigned long frames)'),
    prepare: f('int snd_pcm_prepare(void *pcm)'),
    start: f('int snd_pcm_start(void *pcm)'),
    drop: f('int snd_pcm_drop(void *pcm)'),
    resume: f('int snd_pcm_resume(void *pcm)'),
    explain: f('const char *snd_strerror(int code)'),
    setErrorHandler: f('int snd_lib_error_set_handler(void *handler)'),
    hints: f('int snd_device_name_hint(int card, const char *interface, _Out_ void **hints)'),
    hint: f('void *snd_device_name_get_hint(void *hint, const char *id)'),
    freeHints: f('int snd_device_name_free_hint(void *hints)'),
  };
}
type Library = ReturnType<typeof bind>;

function bindMixer() {
  const lib = koffi.load('libasound.so.2');
  const f = (prototype: string) => lib.func(prototype);
  return {
    open: f('int snd_mixer_open(_Out_ void **mixer, int mode)'),
    attach: f('int snd_mixer_attach(void *mixer, const char *name)'),
    register: f('int snd_mixer_selem_register(void *mixer, void *options, void *classp)'),
    load: f('int snd_mixer_load(void *mixer)'),
    close: f('int snd_mixer_close(void *mixer)'),
    first: f('void *snd_mixer_first_elem(void *mixer)'),
    next: f('void *snd_mixer_elem_next(void *elem)'),
    name: f('const char *snd_mixer_selem_get_name(void *elem)'),
    hasVolume: f('int snd_mixer_selem_has_playback_volume(void *elem)'),
    hasSwitch: f('int snd_mixer_selem_has_playback_switch(void *elem)'),
    range: f('int snd_mixer_selem_get_playback_volume_range(void *elem, _Out_ long *least, _Out_ long *most)'),
    rangeDb: f('int snd_mixer_selem_get_playback_dB_range(void *elem, _Out_ long *least, _Out_ long *most)'),
    volume: f('int snd_mixer_selem_get_playback_volume(void *elem, int channel, _Out_ long *value)'),
    volumeDb: f('int snd_mixer_selem_get_playback_dB(void *elem, int channel, _Out_ long *value)'),
    setVolume: f('int snd_mixer_selem_set_playback_volume_all(void *elem, long value)'),
    setVolumeDb: f('int snd_mixer_selem_set_playback_dB_all(void *elem, long value, int direction)'),
    on: f('int snd_mixer_selem_get_playback_switch(void *elem, int channel, _Out_ int *value)'),
    turn: f('int snd_mixer_selem_set_playback_switch_all(void *elem, int value)'),
  };
}
type MixerLibrary = ReturnType<typeof bindMixer>;

/** Never start by itself: a threshold no buffer reaches. */
const NEVER = 0x7fff_ffff;

let loaded: SoundLibrary | undefined;

/** libasound, loaded on first use. Throws PhoneError AUDIO_LIBRARY_MISSING. */
export function loadAlsa(): SoundLibrary {
  loaded ??= library(load());
  return loaded;
}

function load(): Library {
  let lib: Library;
  try {
    lib = bind();
  } catch (cause) {
    throw new PhoneError('AUDIO_LIBRARY_MISSING', 'libasound is missing: install the Debian package libasound2 (Debian 13: libasound2t64)', cause);
  }
  // The library prints to standard error by default. Its handler may be called on any thread, so no JavaScript: labs() takes a word,
  // returns a word and touches nothing.
  lib.setErrorHandler(koffi.load('libc.so.6').symbol('labs'));
  return lib;
}

function library(lib: Library): SoundLibrary {
  const waiting: ((next: () => void) => void)[] = [];
  let busy = false;
  /** Run jobs that may block one after another. */
  const queue = (job: (next: () => void) => void) => {
    waiting.push(job);
    if (!busy) advance();
  };
  const advance = () => {
    const job = waiting.shift();
    busy = job !== undefined;
    job?.(advance);
  };
  return {
    open: (name, direction, wish, done) => queue((next) => {
      const finish = (opened: Pcm | number) => {
        next();
        done(opened);
      };
      attempt(name, (opened) => {
        if (opened === ERRNO.INVAL && !/^plug/.test(name)) attempt(plugged(name), finish);
        else finish(opened);
      });
      function attempt(pcmName: string, result: (opened: Pcm | number) => void): void {
        const pcm: unknown[] = [null];
        lib.open.async(pcm, pcmName, direction, NONBLOCK, (error: unknown, code: number) => {
          if (error !== null && error !== undefined) result(ERRNO.IO);
          else if (code < 0) result(code);
          else configure(lib, pcm[0], wish, queue, result);
        });
      }
    }),
    hints: () => hints(lib),
    mixer: (card, done) => queue((next) => {
      const opened = openMixer(mixerLib ??= bindMixer(), card);
      next();
      done(opened);
    }),
    explain: (code) => String(lib.explain(code)),
  };
}

let mixerLib: MixerLibrary | undefined;

/** Hundredths of a decibel, as the library counts. */
const DB = 100;

function openMixer(lib: MixerLibrary, card: string): Mixer | number {
  const slot: unknown[] = [null];
  let code: number = lib.open(slot, 0);
  if (code < 0) return code;
  const mixer = slot[0];
  code = lib.attach(mixer, card);
  if (code >= 0) code = lib.register(mixer, null, null);
  if (code >= 0) code = lib.load(mixer);
  if (code < 0) {
    lib.close(mixer);
    return code;
  }
  return {
    elements() {
      const found: MixerElement[] = [];
      for (let elem: unknown = lib.first(mixer); elem !== null; elem = lib.next(elem)) if (lib.hasVolume(elem) !== 0 || lib.hasSwitch(elem) !== 0) found.push(mixerElement(lib, elem));
      return found;
    },
    close: () => { lib.close(mixer); },
  };
}

function mixerElement(lib: MixerLibrary, elem: unknown): MixerElement {
  const least = [0], most = [0], value = [0];
  const decibels = lib.hasVolume(elem) !== 0 && lib.rangeDb(elem, least, most) >= 0 && most[0]! > least[0]!;
  const unit = decibels ? DB : 1;
  const has = lib.hasVolume(elem) !== 0 && (decibels || lib.range(elem, least, most) >= 0), switched = lib.hasSwitch(elem) !== 0;
  return {
    name: String(lib.name(elem)), decibels,
    range: has ? [least[0]! / unit, most[0]! / unit] : undefined,
    volume: () => ((decibels ? lib.volumeDb : lib.volume)(elem, 0, value) < 0 ? 0 : value[0]! / unit),
    setVolume(wanted) {
      if (decibels) lib.setVolumeDb(elem, Math.round(wanted * DB), 0);
      else if (has) lib.setVolume(elem, Math.round(wanted));
    },
    on: () => !switched || (lib.on(elem, 0, value) >= 0 && value[0] !== 0),
    turn(on) {
      if (switched) lib.turn(elem, on ? 1 : 0);
    },
  };
}

/** `name` behind the library's plug layer, which knows every sample format there is. */
function plugged(name: string): string {
  return /^hw:/.test(name) ? `plug${name}` : `plug:SLAVE='${name.replaceAll("'", '')}'`;
}

type Queue = (job: (next: () => void) => void) => void;

/** Agree with the PCM on format, channels, rate, period and buffer, in this order; each the nearest it has. */
function configure(lib: Library, pcm: unknown, wish: Wish, queue: Queue, finish: (opened: Pcm | number) => void): void {
  const slot: unknown[] = [null];
  lib.hwMalloc(slot);
  const params = slot[0];
  const give = (result: Pcm | number) => {
    lib.hwFree(params);
    if (typeof result === 'number') lib.close.async(pcm, () => finish(result));
    else finish(result);
  };
  let code: number = lib.hwAny(pcm, params);
  if (code >= 0) lib.hwResample(pcm, params, 0); // the card's own rate; our filter is better than the library's default
  if (code >= 0) code = lib.hwAccess(pcm, params, ACCESS_RW_INTERLEAVED);
  let bits: 16 | 32 = 16;
  if (code >= 0) {
    code = lib.hwFormat(pcm, params, FORMAT_S16_LE);
    if (code < 0) {
      bits = 32; // I2S microphones know nothing else
      code = lib.hwFormat(pcm, params, FORMAT_S32_LE);
    }
  }
  const channels = [1];
  if (code >= 0) code = lib.hwChannels(pcm, params, channels);
  const rate = [wish.rateHz];
  for (const multiple of MULTIPLES) {
    const rateHz = wish.rateHz * multiple;
    if (rateHz > Math.max(HIGHEST_RATE_HZ, wish.rateHz)) break;
    if (lib.hwTestRate(pcm, params, rateHz, 0) < 0) continue;
    rate[0] = rateHz;
    break;
  }
  if (code >= 0) code = lib.hwRate(pcm, params, rate, null);
  const rateHz = rate[0]!;
  const period = [Math.round((wish.periodFrames * rateHz) / wish.rateHz)];
  const buffer = [period[0]! * wish.periods];
  if (code >= 0) code = lib.hwPeriod(pcm, params, period, null);
  buffer[0] = Math.max(buffer[0]!, 2 * period[0]!);
  if (code >= 0) code = lib.hwBuffer(pcm, params, buffer);
  if (code < 0) {
    give(code);
    return;
  }
  lib.hwInstall.async(pcm, params, (error: unknown, installed: number) => {
    const failed = error !== null && error !== undefined ? ERRNO.IO : installed < 0 ? installed : software(lib, pcm);
    give(failed < 0 ? failed : pcmOf(lib, pcm, { rateHz, channels: channels[0]!, bits, periodFrames: period[0]!, bufferFrames: buffer[0]! }, () => queue((next) => lib.close.async(pcm, next))));
  });
}

/** Start only when told. */
function software(lib: Library, pcm: unknown): number {
  const slot: unknown[] = [null];
  lib.swMalloc(slot);
  const params = slot[0];
  let code: number = lib.swCurrent(pcm, params);
  if (code >= 0) code = lib.swStart(pcm, params, NEVER);
  if (code >= 0) code = lib.swInstall(pcm, params);
  lib.swFree(params);
  return code;
}

/** The library's calls that a PCM in use needs; each takes it first. */
export interface PcmCalls {
  available(pcm: unknown): number;
  delay(pcm: unknown, frames: number[]): number;
  read(pcm: unknown, into: Int16Array | Int32Array, frames: number): number;
  write(pcm: unknown, from: Int16Array | Int32Array, frames: number): number;
  prepare(pcm: unknown): number;
  start(pcm: unknown): number;
  drop(pcm: unknown): number;
  resume(pcm: unknown): number;
}

/** `pcm` of the library as a Pcm; `close` frees it. */
export function pcmOf(lib: PcmCalls, pcm: unknown, { rateHz, channels, bits, periodFrames, bufferFrames }: Pick<Pcm, 'rateHz' | 'channels' | 'bits' | 'periodFrames' | 'bufferFrames'>, close: () => void): Pcm {
  const delayed = [0];
  return {
    rateHz, channels, bits, periodFrames, bufferFrames,
    available: () => lib.available(pcm),
    delay: () => (lib.delay(pcm, delayed) < 0 ? 0 : delayed[0]!),
    read: (into, frames) => lib.read(pcm, into, frames),
    write: (from, frames) => lib.write(pcm, from, frames),
    prepare: () => lib.prepare(pcm),
    start: () => lib.start(pcm),
    drop: () => lib.drop(pcm),
    resume: () => lib.resume(pcm),
    close: () => {
      lib.drop(pcm);
      close();
    },
  };
}

/** The library's own building blocks, which are no devices. */
const BLOCKS = /^(null|default:|lavrate|samplerate|speexrate|speex|upmix|vdownmix|usbstream|dmix|dsnoop|surround|front|rear|center_lfe|side|iec958|modem)/;

/** PCMs a person may choose. */
function hints(lib: Library): Hint[] {
  const slot: unknown[] = [null];
  if (lib.hints(-1, 'pcm', slot) < 0) return [];
  const list = slot[0];
  const found: Hint[] = [];
  const text = (hint: unknown, id: string): string => {
    const pointer: unknown = lib.hint(hint, id);
    if (pointer === null) return '';
    const words = String(koffi.decode(pointer, 'char', -1));
    koffi.free(pointer);
    return words;
  };
  for (let i = 0; ; i++) {
    const hint: unknown = koffi.decode(list, i * koffi.sizeof('void *'), 'void *');
    if (hint === null) break;
    const name = text(hint, 'NAME');
    const way = text(hint, 'IOID'); // empty: both
    if (name !== '' && !BLOCKS.test(name)) found.push({ name, description: text(hint, 'DESC').replaceAll('\n', ', '), input: way !== 'Output', output: way !== 'Input' });
  }
  lib.freeHints(list);
  return found;
}
