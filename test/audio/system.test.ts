import { describe, expect, test } from 'vitest';
import { createAudioSystem } from '../../src/audio/system.ts';
import type { SoundFiles } from '../../src/audio/files.ts';
import { readWav, writeWav } from '../../src/audio/wav.ts';
import { PhoneError } from '../../src/ports/errors.ts';
import type { AudioOptions } from '../../src/ports/audio.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';

/** Files in memory; `full` makes every further write fail. */
class MemoryFiles implements SoundFiles {
  readonly held = new Map<string, Buffer>();
  full = false;
  read(path: string): Uint8Array {
    const bytes = this.held.get(path);
    if (bytes === undefined) throw new Error(`no such file: ${path}`);
    return bytes;
  }
  create(path: string) {
    if (path.startsWith('/readonly/')) throw new Error('read-only');
    this.held.set(path, Buffer.alloc(0));
    return {
      write: (bytes: Uint8Array, position: number) => {
        if (this.full) throw new Error('no space left');
        const old = this.held.get(path)!;
        const grown = Buffer.alloc(Math.max(old.length, position + bytes.length));
        old.copy(grown);
        grown.set(bytes, position);
        this.held.set(path, grown);
      },
      close: () => {},
    };
  }
}

const noLibrary = () => { throw new PhoneError('AUDIO_LIBRARY_MISSING', 'libasound is missing'); };

function bench(name: string, over: Partial<AudioOptions> = {}) {
  const clock = new FakeClock();
  const files = new MemoryFiles();
  const log = new FakeLog();
  const captured: Int16Array[] = [];
  const play: { next: (playback: Int16Array) => void } = { next: () => {} };
  const system = createAudioSystem({ clock, log, files, alsa: noLibrary });
  const open = () => system.open({
    name, rateHz: 16_000, periodFrames: 320, periods: 4, onStatus: () => {},
    onPeriod: (c, p) => { captured.push(Int16Array.from(c)); play.next(p); }, ...over,
  });
  const all = () => Int16Array.from(captured.flatMap((c) => [...c]));
  return { clock, files, log, captured, play, system, open, all };
}

const level = (samples: Int16Array) => 20 * Math.log10(Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length) / (32_768 / Math.SQRT2)) + 3.14;

describe('devices without a card', () => {
  test('silence captures zeros, one period each 20 ms, until it is closed', () => {
    const { clock, captured, open } = bench('silence');
    const device = open();
    clock.advance(1_000);
    expect(captured).toHaveLength(50);
    expect(captured.every((c) => c.length === 320 && c.every((s) => s === 0))).toBe(true);
    device.close();
    clock.advance(1_000);
    expect(captured).toHaveLength(50);
    expect(clock.pending).toBe(0);
    expect(device.status()).toEqual({ state: 'running', trouble: '', xruns: 0, reopened: 0, delayFrames: 0 });
  });

  test('echo captures what was played a period before', () => {
    const { clock, captured, play, open } = bench('echo');
    let turn = 0;
    play.next = (p) => p.fill(++turn);
    open();
    clock.advance(80);
    expect(captured.map((c) => c[7])).toEqual([0, 1, 2, 3]);
  });

  test('playback is zeroed before each period', () => {
    const { clock, captured, play, open } = bench('echo');
    let turn = 0;
    play.next = (p) => { if (turn++ === 0) p.fill(5); };
    open();
    clock.advance(80);
    expect(captured.map((c) => c[0])).toEqual([0, 5, 0, 0]);
  });

  test.each([['tone', 440], ['tone:1004', 1_004]])('%s captures a sine of %i Hz at -20 dBm0, unbroken between periods', (name, hz) => {
    const { clock, all, open } = bench(name);
    open();
    clock.advance(1_000);
    const samples = all();
    expect(level(samples)).toBeCloseTo(-20, 1);
    let crossings = 0;
    for (let i = 1; i < samples.length; i++) if (samples[i - 1]! < 0 && samples[i]! >= 0) crossings++;
    expect(Math.abs(crossings - hz)).toBeLessThanOrEqual(1);
    const steepest = (2 * Math.PI * hz * 2_284) / 16_000;
    for (let i = 1; i < samples.length; i++) expect(Math.abs(samples[i]! - samples[i - 1]!)).toBeLessThan(steepest + 2);
  });

  test('closing inside a period is the last of it', () => {
    const { clock, captured, play, open } = bench('echo');
    const device = open();
    play.next = () => device.close();
    clock.advance(100);
    expect(captured).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('a name that no driver knows is refused with the names there are', () => {
    const { open } = bench('theremin');
    expect(open).toThrow(expect.objectContaining({ code: 'AUDIO_DEVICE_UNKNOWN', message: expect.stringContaining('alsa:NAME') }));
  });

  test('auto without a sound library is silence, and says so in the log', () => {
    const { clock, captured, log, open } = bench('auto');
    const device = open();
    clock.advance(100);
    expect(captured).toHaveLength(5);
    expect(device.status().state).toBe('running');
    expect(log.facts()).toEqual(['no sound library']);
  });

  test('a card by name without a sound library names the package', () => {
    const { open } = bench('alsa:hw:0');
    expect(open).toThrow(expect.objectContaining({ code: 'AUDIO_LIBRARY_MISSING' }));
  });

  test('the list names what works anywhere', () => {
    const { system } = bench('auto');
    expect(system.list().map((d) => d.name)).toEqual(['auto', 'echo', 'tone', 'silence']);
  });
});

describe('wav:IN,OUT', () => {
  const ramp = Int16Array.from({ length: 1_000 }, (_, i) => i * 30 - 15_000);

  test('IN plays once from the moment of opening, then silence', () => {
    const { clock, files, all, open } = bench('wav:/in.wav');
    files.held.set('/in.wav', Buffer.from(writeWav(16_000, ramp)));
    open();
    clock.advance(200);
    const heard = all();
    expect(heard.subarray(0, 1_000)).toEqual(ramp);
    expect(heard.subarray(1_000).every((s) => s === 0)).toBe(true);
  });

  test('IN of another rate is converted whole, its last sound too', () => {
    const { clock, files, all, open } = bench('wav:/in.wav');
    const tone = Int16Array.from({ length: 44_100 }, (_, i) => Math.round(10_000 * Math.sin((2 * Math.PI * 500 * i) / 44_100)));
    files.held.set('/in.wav', Buffer.from(writeWav(44_100, tone)));
    open();
    clock.advance(1_200);
    const heard = all();
    const rms = (from: number, to: number) => Math.sqrt(heard.subarray(from, to).reduce((sum, s) => sum + s * s, 0) / (to - from));
    expect(rms(1_000, 15_900)).toBeGreaterThan(7_000);
    expect(rms(15_960, 16_015)).toBeGreaterThan(3_000);
    expect(rms(16_100, 19_000)).toBe(0);
  });

  test('OUT is a whole file after every piece, and holds all once closed', () => {
    const { clock, files, play, open } = bench('wav:,/out.wav');
    let next = 0;
    const played: number[] = [];
    play.next = (p) => { for (let i = 0; i < p.length; i++) { p[i] = next++ % 30_000; played.push(p[i]!); } };
    const device = open();
    clock.advance(1_020);
    const early = readWav(files.held.get('/out.wav')!);
    expect(typeof early).toBe('object');
    expect((early as { samples: Int16Array }).samples.length).toBeGreaterThanOrEqual(16_000 - 3_200);
    expect(files.held.get('/out.wav')!.readUInt32LE(40)).toBe(files.held.get('/out.wav')!.length - 44);
    device.close();
    expect(readWav(files.held.get('/out.wav')!)).toEqual({ rateHz: 16_000, samples: Int16Array.from(played) });
  });

  test('a missing or foreign IN and an OUT that cannot be made are refused by name', () => {
    expect(bench('wav:/none.wav').open).toThrow(expect.objectContaining({ code: 'AUDIO_FILE_UNREADABLE', message: expect.stringContaining('/none.wav') }));
    const { files, open } = bench('wav:/text.wav');
    files.held.set('/text.wav', Buffer.from('hello'));
    expect(open).toThrow('the sound file /text.wav cannot be played: it is not a WAV file');
    expect(bench('wav:,/readonly/x.wav').open).toThrow(expect.objectContaining({ code: 'AUDIO_FILE_UNWRITABLE' }));
  });

  test('a full disk ends the recording, not the call', () => {
    const { clock, files, captured, log, open } = bench('wav:,/out.wav');
    open();
    files.full = true;
    clock.advance(1_000);
    expect(captured).toHaveLength(50);
    expect(log.facts()).toEqual(['recording stopped']);
  });
});
