// The audio room on the real libasound and the test sound card: real time, real delays.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AlsaDevice } from '../../src/audio/alsa-device.ts';
import { createAudioSystem } from '../../src/audio/system.ts';
import { readWav } from '../../src/audio/wav.ts';
import type { AudioDevice, AudioOptions, AudioStatus } from '../../src/ports/audio.ts';
import { systemClock } from '../../src/system/clock.ts';
import { soundFiles } from '../../src/system/sound-files.ts';
import { FakeLog } from '../fakes/log.ts';
import { nowMs, startCard } from '../card/card.ts';
import type { Card, CardOptions } from '../card/card.ts';

const clock = systemClock();
const sleep = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** Until `holds`, at most `ms`. */
async function until(what: string, holds: () => boolean, ms = 5_000): Promise<number> {
  const startMs = nowMs();
  while (!holds()) {
    if (nowMs() - startMs > ms) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(5);
  }
  return nowMs() - startMs;
}

/** Counts the times that this thread did not get its turn for 8 ms: what a card runs dry of though nothing is wrong with us. */
function watchHitches(): { count(): number; stop(): void } {
  let hitches = 0;
  let lastMs = nowMs();
  const timer = setInterval(() => {
    const gapMs = nowMs() - lastMs;
    if (gapMs > 8) hitches++;
    lastMs += gapMs;
  }, 1);
  return { count: () => hitches, stop: () => clearInterval(timer) };
}

const RATE = 16_000;
let hitches: ReturnType<typeof watchHitches>;
let dir: string;
let cards: Card[];
let devices: AudioDevice[];
let log: FakeLog;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'offhook-card-'));
  cards = [];
  devices = [];
  log = new FakeLog();
  hitches = watchHitches();
});

afterEach(() => {
  hitches.stop();
  for (const device of devices) device.close();
  for (const card of cards) card.stop();
  delete process.env['ALSA_CONFIG_PATH'];
  rmSync(dir, { recursive: true, force: true });
});

async function card(options: Omit<CardOptions, 'dir'> = {}): Promise<Card> {
  const made = await startCard({ dir, ...options });
  cards.push(made);
  process.env['ALSA_CONFIG_PATH'] = made.env.ALSA_CONFIG_PATH;
  return made;
}

interface Opened {
  readonly device: AudioDevice;
  readonly statuses: AudioStatus[];
  periods(): number;
  onPeriod: AudioOptions['onPeriod'];
}

function open(name: string, periodFrames = 320, periods = 4): Opened {
  const statuses: AudioStatus[] = [];
  let count = 0;
  const device = createAudioSystem({ clock, log, files: soundFiles() }).open({
    name, rateHz: RATE, periodFrames, periods, onStatus: (s) => statuses.push(s),
    onPeriod: (c, p) => { count++; opened.onPeriod(c, p); },
  });
  devices.push(device);
  const opened: Opened = { device, statuses, periods: () => count, onPeriod: () => {} };
  return opened;
}

/** Loop delays in ms: a click is played every half second and looked for in what is captured. */
function clicks(opened: Opened): number[] {
  const delays: number[] = [];
  const { periodFrames } = opened.device;
  const every = Math.round((RATE / 2) / periodFrames);
  let turn = 0;
  let sentAt = -1;
  opened.onPeriod = (captured, playback) => {
    for (let i = 0; sentAt >= 0 && i < captured.length; i++) {
      if (captured[i]! < 6_000) continue;
      delays.push(((turn * periodFrames + i - sentAt) * 1_000) / RATE);
      sentAt = -1;
    }
    if (turn % every === every - 1) {
      playback.fill(20_000, 0, 4);
      sentAt = turn * periodFrames;
    }
    turn++;
  };
  return delays;
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
/** What a card that ran dry, because this machine was busy, has more in its queue: a quarter of a period each time, a whole one at most. */
const raisedMs = (device: AudioDevice) => Math.min(4, device.status().xruns) * (device.periodFrames / device.rateHz) * 250;
const counts = (device: AudioDevice) => (device as AlsaDevice).counts();

/** Level in dB below full scale of the sine of `hz` in `samples`, and its distance from everything else. */
function sineIn(samples: Int16Array, hz: number, rateHz: number): { levelDb: number; snrDb: number } {
  let re = 0, im = 0, power = 0;
  const count = Math.round((Math.floor((samples.length * hz) / rateHz) * rateHz) / hz);
  for (let i = 0; i < count; i++) {
    const angle = (2 * Math.PI * hz * i) / rateHz;
    re += samples[i]! * Math.cos(angle);
    im += samples[i]! * Math.sin(angle);
    power += samples[i]! ** 2;
  }
  const amplitude = (2 * Math.hypot(re, im)) / count;
  return { levelDb: 20 * Math.log10(amplitude / 32_768), snrDb: 10 * Math.log10(amplitude ** 2 / 2 / Math.max(1e-9, power / count - amplitude ** 2 / 2)) };
}

/** The best of several stretches: one sample left out or added, or a hitch of this machine, spoils one of them. */
const cleanest = (samples: Int16Array, hz: number, rateHz: number) => {
  const length = Math.floor(rateHz * 0.15);
  let best = { levelDb: -Infinity, snrDb: -Infinity };
  for (let at = 0; at + length <= samples.length; at += length) {
    const found = sineIn(samples.subarray(at, at + length), hz, rateHz);
    if (found.snrDb > best.snrDb) best = found;
  }
  return best;
};

const tone = (hz: number, peak: number) => {
  let n = 0;
  return (playback: Int16Array) => {
    for (let i = 0; i < playback.length; i++, n++) playback[i] = Math.round(peak * Math.sin((2 * Math.PI * hz * n) / RATE));
  };
};

describe('a card at the phone\'s own rate', () => {
  test.each([[160, 25], [320, 45]])('the loop through card and phone at periods of %i frames stays within %i ms', async (periodFrames, limitMs) => {
    const { device } = await card({ cable: true });
    const opened = open(device, periodFrames);
    const delays = clicks(opened);
    await sleep(4_000);
    expect(delays.length).toBeGreaterThanOrEqual(6);
    expect(median(delays)).toBeLessThanOrEqual(limitMs + raisedMs(opened.device));
    expect(Math.max(...delays)).toBeLessThanOrEqual(limitMs + 10); // an underrun on a busy machine moves it for a moment
    expect(Math.abs(opened.periods() - (4_000 * RATE) / 1_000 / periodFrames)).toBeLessThan(0.03 * opened.periods());
    expect(counts(opened.device).trims).toBe(0);
  });

  test('what is put into the microphone is captured at its instant, sample by sample', async () => {
    const made = await card();
    const opened = open(made.device);
    const heard: number[] = [];
    let firstMs = 0;
    opened.onPeriod = (captured) => {
      if (heard.length === 0) firstMs = nowMs();
      heard.push(...captured);
    };
    const chirp = Int16Array.from({ length: RATE }, (_, i) => Math.round(15_000 * Math.sin((2 * Math.PI * (200 + (1_500 * i) / RATE) * i) / RATE)));
    const { startMs, endMs } = await made.playTo(chirp, RATE);
    await sleep(endMs - nowMs() + 200);
    const at = heard.findIndex((_, i) => heard[i + 1] === chirp[1] && heard[i + 2] === chirp[2] && heard[i + 40] === chirp[40]);
    expect(at).toBeGreaterThan(0);
    expect(heard.slice(at, at + RATE)).toEqual([...chirp]);
    // The first period was handed over just after its last sample, so sample 0 was in the air a period before.
    const instantMs = firstMs - 20 + (at * 1_000) / RATE;
    expect(instantMs - startMs).toBeGreaterThan(-25);
    expect(instantMs - startMs).toBeLessThan(25);
  });

  test('what is played is heard at the earpiece, whole', async () => {
    const made = await card();
    const opened = open(made.device);
    await until('the card to be open', () => made.rateHz() > 0);
    const ear = made.record();
    const play = tone(1_000, 10_000);
    opened.onPeriod = (_, playback) => play(playback);
    await sleep(1_500);
    const heard = ear.stop();
    expect(heard.rateHz).toBe(RATE);
    const { levelDb, snrDb } = cleanest(heard.samples, 1_000, RATE);
    expect(levelDb).toBeCloseTo(20 * Math.log10(10_000 / 32_768), 0);
    expect(snrDb).toBeGreaterThan(60);
  });
});

describe('no card is refused', () => {
  test.each([
    ['48 kHz stereo', { rateHz: 48_000, channels: 2 }, 320],
    ['48 kHz stereo', { rateHz: 48_000, channels: 2 }, 160],
    ['44.1 kHz stereo of 32-bit samples', { rateHz: 44_100, channels: 2, bits: 32 }, 320],
    ['48 kHz mono of packed 24-bit samples', { rateHz: 48_000, channels: 1, bits: 24 }, 320],
    ['8 kHz mono', { rateHz: 8_000, channels: 1 }, 320],
  ] as const)('%s alone: a tone passes the loop cleanly and in time (%o, %i frames)', async (_, options, periodFrames) => {
    const made = await card({ cable: true, ...options });
    const opened = open(made.device, periodFrames);
    const delays = clicks(opened);
    await sleep(2_500);
    expect(made.rateHz()).toBe(options.rateHz);
    // 2.5 ms for the filter at 16 kHz, twice that where the card has only 8 kHz
    expect(median(delays)).toBeLessThanOrEqual((periodFrames === 160 ? 25 : 45) + (options.rateHz === 8_000 ? 5 : 0) + raisedMs(opened.device));
    const heard: number[] = [];
    const play = tone(1_000, 10_000);
    opened.onPeriod = (captured, playback) => {
      heard.push(...captured);
      play(playback);
    };
    await sleep(1_500);
    expect(cleanest(Int16Array.from(heard.slice(RATE / 4)), 1_000, RATE).snrDb).toBeGreaterThan(60);
  });

  test('a position that moves in lumps of 21 ms costs delay, not sound', async () => {
    const made = await card({ cable: true, rateHz: 48_000, channels: 2, lumpFrames: 1_024 });
    const opened = open(made.device, 320, 6);
    const delays = clicks(opened);
    await sleep(2_500); // it may run dry until its queue is found
    // The card's own clock stops too when this machine is busy, which no thread here sees: one whole stretch of four decides.
    const excess: number[] = [];
    while (excess.length < 4 && !excess.includes(0)) {
      const { xruns } = opened.device.status();
      const hitchesBefore = hitches.count();
      await sleep(2_000);
      excess.push(Math.max(0, opened.device.status().xruns - xruns - (hitches.count() - hitchesBefore)));
    }
    expect(excess).toContain(0);
    expect(delays.length).toBeGreaterThanOrEqual(6);
    expect(median(delays)).toBeLessThanOrEqual(90);
  });

  test('a card without a microphone still plays, driven by its playback', async () => {
    const made = await card({ without: 'capture' });
    const opened = open(made.device);
    const play = tone(500, 10_000);
    opened.onPeriod = (captured, playback) => {
      expect(captured.every((s) => s === 0)).toBe(true);
      play(playback);
    };
    await until('the card to be open', () => made.rateHz() > 0);
    const ear = made.record();
    const before = opened.periods();
    await sleep(1_500);
    expect(Math.abs(opened.periods() - before - 75)).toBeLessThanOrEqual(3);
    expect(cleanest(ear.stop().samples, 500, RATE).snrDb).toBeGreaterThan(60);
    expect(log.facts()).toContain('sound card has one direction only');
  });

  test('a card without an earpiece still captures', async () => {
    const made = await card({ without: 'playback' });
    const opened = open(made.device);
    let loudest = 0;
    opened.onPeriod = (captured) => { for (const s of captured) loudest = Math.max(loudest, s); };
    const { endMs } = await made.playTo(new Int16Array(8_000).fill(9_000), RATE);
    await sleep(endMs - nowMs() + 100);
    expect(loudest).toBe(9_000);
  });
});

describe('trouble', () => {
  test('a stall of 200 ms is one xrun, and sound goes on at the same delay', async () => {
    const { device } = await card({ cable: true });
    const opened = open(device);
    const delays = clicks(opened);
    await sleep(1_500);
    const before = opened.device.status().xruns;
    const periods = opened.periods();
    const stalledMs = nowMs();
    while (nowMs() - stalledMs < 200); // what a blocked thread does
    await sleep(2_000);
    const { state, xruns } = opened.device.status();
    expect(state).toBe('running');
    expect(xruns - before).toBeGreaterThanOrEqual(1);
    expect(xruns - before).toBeLessThanOrEqual(1 + hitches.count()); // the stall itself is a hitch too
    // the periods of the stall came as silence, so the two ends of the call stay together
    expect(Math.abs(opened.periods() - periods - 110)).toBeLessThanOrEqual(4);
    const after = delays.slice(-2);
    expect(Math.max(...after)).toBeLessThanOrEqual(45 + raisedMs(opened.device) + 5);
    expect(opened.statuses).toEqual([]);
  });

  test('an unplugged card is silence on the clock, and is found again when it is back', async () => {
    const made = await card({ cable: true });
    const opened = open(made.device);
    const delays = clicks(opened);
    await sleep(1_200);
    made.unplug();
    await until('lost', () => opened.statuses.length === 1);
    expect(opened.statuses[0]).toMatchObject({ state: 'lost', trouble: 'the sound card "test" is unplugged' });
    const lostAt = opened.periods();
    const lostMs = nowMs();
    await sleep(1_000);
    expect(Math.abs(opened.periods() - lostAt - (nowMs() - lostMs) / 20)).toBeLessThanOrEqual(3);
    made.plug();
    const tookMs = await until('found again', () => opened.statuses.length === 2);
    expect(tookMs).toBeLessThan(800);
    expect(opened.device.status()).toMatchObject({ state: 'running', trouble: '', reopened: 1 });
    const before = delays.length;
    await sleep(1_500);
    expect(delays.length).toBeGreaterThan(before);
    expect(log.facts()).toEqual(['sound card lost', 'sound card found']);
  });

  test('a card that is absent opens as lost, with periods from the clock, and is taken when it appears', async () => {
    const made = await card();
    made.unplug();
    const opened = open(made.device);
    await until('lost', () => opened.device.status().state === 'lost');
    expect(opened.device.status().trouble).toBe('the sound card "test" is unplugged');
    await sleep(500);
    expect(opened.periods()).toBeGreaterThanOrEqual(20);
    made.plug();
    await until('running', () => opened.device.status().state === 'running');
    expect(opened.device.status().reopened).toBe(1);
  });

  test('a card of an unknown name is lost with words that say so', async () => {
    await card();
    const opened = open('alsa:nosuchcard');
    await until('lost', () => opened.device.status().state === 'lost');
    expect(opened.device.status().trouble).toBe('there is no sound card "nosuchcard": it is unplugged or its name is wrong');
  });

  test('a card that another program holds is said to be held, and taken when it is free', async () => {
    const made = await card();
    const first = open(made.device);
    await until('the card to be open', () => made.rateHz() > 0);
    await sleep(100);
    const second = open(made.device);
    await until('lost', () => second.device.status().state === 'lost');
    expect(second.device.status().trouble).toBe('another program holds the sound card "test"');
    first.device.close();
    await until('running', () => second.device.status().state === 'running');
  });

  test('missing permission names the group', async () => {
    const made = await card();
    made.fail(13);
    const opened = open(made.device);
    await until('lost', () => opened.device.status().state === 'lost');
    expect(opened.device.status().trouble).toBe('no permission to use the sound card "test": add the user to the group audio');
  });

  test('closing and opening at once works: the card is free when it is asked for again', async () => {
    const made = await card({ cable: true });
    for (let i = 0; i < 5; i++) {
      const opened = open(made.device, 160);
      await sleep(100);
      opened.device.close();
      const after = opened.periods();
      await sleep(30);
      expect(opened.periods()).toBe(after);
      expect(opened.statuses).toEqual([]);
    }
  });

  test('an earpiece whose clock is 3,000 ppm off keeps its delay', async () => {
    for (const playbackPpm of [3_000, -3_000]) {
      const made = await card({ cable: true, playbackPpm, name: playbackPpm > 0 ? 'fast' : 'slow' });
      const opened = open(made.device, 160);
      const delays = clicks(opened);
      await sleep(6_000); // a real crystal drifts so far in a minute or more: 18 ms would be lost or gained
      expect(opened.device.status().xruns).toBeLessThanOrEqual(hitches.count());
      expect(median(delays.slice(-4))).toBeLessThanOrEqual(27 + raisedMs(opened.device));
      expect(median(delays.slice(-4))).toBeGreaterThanOrEqual(15);
      expect(Math.sign(counts(opened.device).nudged)).toBe(-Math.sign(playbackPpm));
      expect(Math.abs(counts(opened.device).nudged)).toBeGreaterThan(30);
      opened.device.close();
    }
  });

  test('opening never holds the thread for long', async () => {
    const made = await card({ rateHz: 48_000, channels: 2 });
    open(made.device).device.close(); // loads the library
    await sleep(300);
    const startMs = nowMs();
    const opened = open(made.device);
    const openMs = nowMs() - startMs;
    let worstMs = 0;
    let lastMs = nowMs();
    const watch = setInterval(() => {
      worstMs = Math.max(worstMs, nowMs() - lastMs);
      lastMs = nowMs();
    }, 1);
    await sleep(300);
    clearInterval(watch);
    expect(opened.periods()).toBeGreaterThan(5);
    expect(openMs).toBeLessThan(5);
    expect(worstMs).toBeLessThan(25); // two busy cores; without work elsewhere it is 2
  });
});

describe('auto', () => {
  test('takes the default card when there is one', async () => {
    const made = await card({ isDefault: true });
    const opened = open('auto');
    const ear = (await until('the card to be open', () => made.rateHz() > 0), made.record());
    const play = tone(700, 8_000);
    opened.onPeriod = (_, playback) => play(playback);
    await sleep(1_000);
    expect(cleanest(ear.stop().samples, 700, RATE).snrDb).toBeGreaterThan(60);
  });

  test.skipIf(existsSync('/proc/asound/cards'))('without any card is silence on the clock, and running', async () => {
    const opened = open('auto');
    await sleep(1_500);
    expect(opened.device.status()).toMatchObject({ state: 'running', trouble: expect.stringContaining('no sound card') as string });
    expect(Math.abs(opened.periods() - 75)).toBeLessThanOrEqual(3);
    expect(opened.statuses.map((status) => status.state)).toEqual(['running']); // told once, with the trouble
  });

  test('a machine without a default card is listed and opened without a word on standard error', () => {
    const script = `
      import { createAudioSystem } from './src/audio/system.ts';
      import { systemClock } from './src/system/clock.ts';
      const system = createAudioSystem({ clock: systemClock() });
      system.list();
      let periods = 0;
      const devices = ['auto', 'alsa:default', 'alsa:hw:7', 'alsa:plughw:CARD=none,DEV=0', 'alsa:nonsense'].map((name) => system.open({
        name, rateHz: 16_000, periodFrames: 320, periods: 4, onPeriod: () => { periods++; }, onStatus: () => {},
      }));
      setTimeout(() => {
        for (const device of devices) device.close();
        console.log(periods > 100, devices.slice(2).map((d) => d.status().state).join());
      }, 1_000);
    `;
    const bundle = join(import.meta.dirname, '../../build/card/silent.mjs');
    buildSync({ stdin: { contents: script, resolveDir: join(import.meta.dirname, '../..'), loader: 'ts' }, bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile: bundle });
    const ran = spawnSync(process.execPath, [bundle], { encoding: 'utf8', env: { ...process.env, ALSA_CONFIG_PATH: '/usr/share/alsa/alsa.conf' }, timeout: 20_000 });
    expect(ran).toMatchObject({ status: 0, stderr: '', stdout: 'true lost,lost,lost\n' });
  });

  test('the list has the card with its description', async () => {
    await card();
    const found = createAudioSystem({ clock, log }).list();
    expect(found.find((d) => d.name === 'alsa:test')?.description).toBe('Test card test');
    expect(found[0]?.name).toBe('auto');
  });
});

describe('arecord and aplay as children', () => {
  test('sound passes both ways, and a lost card comes back', async () => {
    const made = await card();
    const opened = open(made.device.replace('alsa:', 'arecord:'));
    const play = tone(600, 9_000);
    let loudest = 0;
    opened.onPeriod = (captured, playback) => {
      for (const s of captured) loudest = Math.max(loudest, s);
      play(playback);
    };
    await until('the card to be open', () => made.rateHz() > 0);
    const ear = made.record();
    await made.playTo(new Int16Array(4_000).fill(7_000), RATE, 200);
    await sleep(1_500);
    expect(loudest).toBe(7_000);
    expect(cleanest(ear.stop().samples, 600, RATE).snrDb).toBeGreaterThan(60);
    made.unplug();
    await until('lost', () => opened.device.status().state === 'lost');
    expect(opened.device.status().trouble).toBe('the sound card "test" is unplugged');
    made.plug();
    await until('running', () => opened.device.status().state === 'running');
  });
});

test('wav:IN,OUT on the real disk', async () => {
  const out = join(dir, 'out.wav');
  const opened = open(`wav:,${out}`);
  const play = tone(1_000, 10_000);
  opened.onPeriod = (_, playback) => play(playback);
  await sleep(700);
  const early = readWav(readFileSync(out));
  expect(typeof early === 'object' && early.samples.length).toBeGreaterThanOrEqual(RATE / 5);
  opened.device.close();
  const whole = readWav(readFileSync(out));
  if (typeof whole === 'string') throw new Error(whole);
  expect(whole.samples.length).toBe(opened.periods() * 320);
  expect(sineIn(whole.samples, 1_000, RATE).snrDb).toBeGreaterThan(60);
});

describe('the own voice in the earpiece', () => {
  test('goes through the mixer of the card while it is wanted, and the mixer is as it was afterwards', async () => {
    const test = await card({ mixer: 'Sidetone' });
    const opened = open(test.device);
    opened.device.sidetone?.('auto');
    await until('the mixer is set', () => test.mixer().on);
    expect(test.mixer().db).toBe(-18);
    await until('the status says so', () => opened.device.status().sidetone === 'on at -18 dB, by the sound card\'s "Sidetone"');
    opened.device.sidetone?.(-30);
    await until('another level is set', () => test.mixer().db === -30);
    opened.device.sidetone?.(undefined);
    expect(test.mixer()).toEqual({ db: -43, on: false });
    expect(opened.device.status().sidetone).toBeUndefined();
    opened.device.sidetone?.(-10);
    await until('it is back', () => test.mixer().db === -10);
    opened.device.close();
    expect(test.mixer()).toEqual({ db: -43, on: false });
  });

  test('is set again on a card that was plugged in again', async () => {
    const test = await card({ mixer: 'Mic' });
    const opened = open(test.device);
    opened.device.sidetone?.(-20);
    await until('the mixer is set', () => test.mixer().db === -20);
    test.unplug();
    await until('lost', () => opened.device.status().state === 'lost');
    expect(test.mixer().db).toBe(-43);
    test.plug();
    await until('set again', () => test.mixer().db === -20);
  });

  test('is none, with the reason, where the mixer has no path for it or the card has no mixer', async () => {
    const bare = await card({ name: 'bare', mixer: '' }), none = await card({ name: 'none' });
    for (const [test, words] of [[bare, /^none: the mixer of the sound card has no path/], [none, /^none: the sound card has no mixer \(/]] as const) {
      const opened = open(test.device);
      opened.device.sidetone?.('auto');
      await until('the reason is told', () => words.test(opened.device.status().sidetone ?? ''));
    }
  });
});
