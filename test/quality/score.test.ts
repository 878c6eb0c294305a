// The yardstick itself. Real voices where espeak-ng is installed (everywhere that end-to-end tests run); a made-up one for the rest.

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { CTL } from '../../src/media/opus-setup.ts';
import { bindOpus, createOpus, type OpusLibrary } from '../../src/media/opus.ts';
import { cut, delayed, losses, lossy, noisy, throughG711, throughOpus, type Filling, type OpusFilling } from './degrade.ts';
import { score } from './score.ts';
import { babble, resampled, speech, type SpeechHz } from './speech.ts';
import type { ProfileName } from './traces.ts';

const said = babble(8_000, 8), coded = throughG711(said);
const narrow = (heard: Int16Array, mostMs = 230) => score(said, heard, 8_000, { mostMs });
const filled = (profile: ProfileName, filling: Filling) => lossy(coded, losses(profile, 400, 1), filling);

describe('the score', { timeout: 20_000 }, () => {
  test('of the same sound is the best, at no delay, without clicks or dead air', () => {
    expect(narrow(said)).toEqual({ mos: 4.5, delayMs: 0, delayP95Ms: 0, delayGrewMs: 0, clicksAMinute: 0, deadMsAMinute: 0, unlike: 0, lsdDb: 0, llr: 0 });
  });

  test('falls with the share of packets lost', () => {
    const mos = ['clean', 'rand3', 'rand10'].map((profile) => narrow(filled(profile as ProfileName, 'zero')).mos);
    expect(mos[0]! - mos[1]!).toBeGreaterThan(0.4);
    expect(mos[1]! - mos[2]!).toBeGreaterThan(0.4);
  });

  test('is blind to pure delay, which it tells', () => {
    const here = narrow(filled('rand3', 'plc')), later = narrow(delayed(filled('rand3', 'plc'), 1_234));
    expect(Math.abs(later.mos - here.mos)).toBeLessThan(0.12);
    expect(later.delayMs - here.delayMs).toBeCloseTo(1_234 / 8, 0);
    expect(later.delayP95Ms - later.delayMs).toBeLessThan(1);
  });

  test('hardly falls for pitch periods taken out, and the delay is followed', () => {
    const { mos, delayMs, delayP95Ms, delayGrewMs } = narrow(delayed(cut(coded, 'matched'), 1_600));
    expect(mos).toBeGreaterThan(3.5);
    expect(delayP95Ms).toBe(200);
    expect(delayMs).toBeLessThan(190);
    expect(delayGrewMs).toBeLessThan(-30);
  });

  test('does not fall for a quieter or louder line', () => {
    expect(Math.abs(narrow(coded.map((s) => Math.round(s / 2))).mos - narrow(coded).mos)).toBeLessThan(0.1);
  });

  test('falls for noise, and for a muffled line', () => {
    expect(narrow(noisy(coded, 600)).mos).toBeLessThan(3.4);
    let low = 0;
    expect(narrow(coded.map((s) => (low += (s - low) / 4))).mos).toBeLessThan(3.4);
  });

  test('sees other words as bad', () => {
    expect(narrow(babble(8_000, 8, 2)).mos).toBeLessThan(1.8);
  });

  test('a sender 2000 ppm slow costs nothing, and the delay is seen to grow', () => {
    const drifting = resampled(said, 8_000, 8_016); // as a clock hears it that counts 8,000 where the sender counts 8,016
    const { mos, delayGrewMs } = narrow(drifting);
    expect(mos).toBeGreaterThan(3.5);
    expect(delayGrewMs).toBeGreaterThan(12);
    expect(delayGrewMs).toBeLessThan(17);
  });
});

test('a fast sender is ahead of its own sound in the end: nothing is lost by that where it is told', { timeout: 20_000 }, () => {
  const drifting = delayed(resampled(said, 8_000, 7_984), 40); // gone through at once, 16 ms sooner at the end, after 5 ms at the beginning
  const { mos, delayGrewMs, delayMs } = score(said, drifting, 8_000, { leadMs: 16 });
  expect(mos).toBeGreaterThan(3.5);
  expect(delayGrewMs).toBeLessThan(-12);
  expect(Math.abs(delayMs + 3)).toBeLessThan(2);
});

describe('counters', { timeout: 20_000 }, () => {
  test('a click is seen, wherever it is', () => {
    const clicked = coded.slice();
    for (let at = 8_000; at < clicked.length; at += 16_000) clicked[at] = clicked[at]! > 0 ? -20_000 : 20_000;
    expect(narrow(clicked).clicksAMinute).toBeCloseTo(30, 1);
    expect(narrow(coded).clicksAMinute).toBe(0);
  });

  test('a voice that fades where the speaker fell silent is no click, however sharp its pulses; a leap in its fading is', () => {
    let formant = 0, before = 0;
    const vowel = Int16Array.from({ length: 64_000 }, (_, i) => { // a pulse every 8 ms rings at 700 Hz
      [formant, before] = [1.66 * formant - 0.94 * before + (i % 64 === 0 ? 3_000 : 0), formant];
      return Math.round(formant);
    });
    const silent = vowel.slice(), fading = vowel.slice(), leaping = vowel.slice();
    for (let from = 8_000; from < 60_000; from += 8_000) {
      for (let i = 0; i < 1_600; i++) {
        silent[from + i] = 0;
        fading[from + i] = leaping[from + i] = Math.round(fading[from + i]! * (i < 480 ? 1 - i / 480 : 0));
      }
      for (let i = 0; i < 24; i++) leaping[from + 270 + i]! += 9_000 * (1 - i / 24);
    }
    const clicks = (heard: Int16Array): number => score(silent, heard, 8_000, { mostMs: 230 }).clicksAMinute;
    expect(clicks(fading)).toBe(0);
    expect(clicks(leaping)).toBeCloseTo(7 * 7.5, 0);
  });

  test('dead air is counted in ms a minute where something was said, and a pause is none', () => {
    const gone = coded.slice();
    let removed = 0;
    for (let at = 6_000; at + 1_600 < gone.length; at += 16_000) {
      removed += 1_600;
      gone.fill(0, at, at + 1_600); // 200 ms
    }
    const { deadMsAMinute } = narrow(gone);
    expect(deadMsAMinute).toBeGreaterThan(0.4 * removed / 8 * 7.5);
    expect(deadMsAMinute).toBeLessThan(removed / 8 * 7.5);
    expect(narrow(coded).deadMsAMinute).toBe(0);
  });

  test('a silence put in, after which everything is later, is dead air and a leap of the delay', () => {
    const put = new Int16Array(coded.length + 1_600);
    put.set(coded.subarray(0, 40_000));
    put.set(coded.subarray(40_000), 41_600);
    const { deadMsAMinute, delayGrewMs, mos } = narrow(put);
    expect(delayGrewMs).toBe(200);
    expect(deadMsAMinute).toBeGreaterThan(200);
    expect(mos).toBeLessThan(narrow(coded).mos - 0.1);
  });
});

/** libopus at a bit rate and told of so many percent of loss, whatever the phone would tell it: PESQ's figures were made with such an encoder. */
const encoding = (bitrate: number, lossPercent: number): OpusLibrary => {
  const library = bindOpus()!;
  const told = new Map<number, number>([[CTL.bitrate, bitrate], [CTL.lossPercent, lossPercent]]);
  return { ...library, ctl: (encoder, request, type, value) => library.ctl(encoder, request, type, told.get(request) ?? value) };
};

/** Means over voices, at least these: ranking and scale, held to PESQ of the same conditions. */
describe.skipIf(spawnSync('espeak-ng', ['--version']).status !== 0)('on real voices', { timeout: 60_000 }, () => {
  const VOICES = ['anne', 'bert'] as const;
  const SECONDS = 12;
  const mean = (rateHz: SpeechHz, spoil: (sound: Int16Array, lost: (profile: ProfileName) => Uint8Array) => Int16Array, mostMs = 50): number => {
    let sum = 0;
    for (const [i, voice] of VOICES.entries()) {
      const sound = speech(voice, rateHz, SECONDS);
      sum += score(sound, spoil(sound, (profile) => losses(profile, SECONDS * 50, i + 1)), rateHz, { mostMs }).mos / VOICES.length;
    }
    return sum;
  };

  test('narrow band: within 0.3 of PESQ, and in its order', () => {
    const rows: [string, number, number][] = [['clean', 3.88, mean(8_000, throughG711)]];
    for (const [profile, filling, pesq] of [['rand3', 'plc', 3.37], ['rand3', 'repeat', 3.07], ['rand3', 'zero', 2.88], ['rand10', 'plc', 2.77], ['rand10', 'repeat', 2.41], ['rand10', 'zero', 2.01]] as const) {
      rows.push([`${profile} ${filling}`, pesq, mean(8_000, (sound, lost) => lossy(throughG711(sound), lost(profile), filling))]);
    }
    for (const [name, pesq, own] of rows) expect(Math.abs(own - pesq), `${name}: ${own.toFixed(2)}, PESQ ${pesq}`).toBeLessThan(0.3);
    expect(rows.map(([, , own]) => own)).toEqual(rows.map(([, , own]) => own).sort((a, b) => b - a));
    expect(mean(8_000, (sound) => delayed(cut(throughG711(sound), 'hard'), 1_600), 210)).toBeLessThan(rows[0]![2] - 0.1); // PESQ 3.61
  });

  test.skipIf(bindOpus() === undefined)('wide band through Opus: within 0.35 of PESQ, and in its order', () => {
    const rows: [string, number, number][] = [];
    for (const [profile, filling, pesq] of [['clean', 'plc', 3.67], ['rand3', 'fec', 3.53], ['rand10', 'fec', 3.31], ['rand3', 'plc', 3.03], ['rand3', 'zero', 2.27], ['rand10', 'plc', 2.22], ['rand10', 'zero', 1.54]] as [ProfileName, OpusFilling, number][]) {
      rows.push([`${profile} ${filling}`, pesq, mean(16_000, (sound, lost) => {
        const codec = createOpus(encoding(24_000, 10), 'useinbandfec=1', { opusBitrate: 24_000, opusComplexity: 5 });
        const heard = throughOpus(sound, codec, lost(profile), filling);
        codec.close();
        return heard;
      })]);
    }
    for (const [name, pesq, own] of rows) expect(Math.abs(own - pesq), `${name}: ${own.toFixed(2)}, PESQ ${pesq}`).toBeLessThan(0.35);
    for (const [i, [name, , own]] of rows.entries()) expect(own, name).toBeLessThan((rows[i - 1]?.[2] ?? 4.5) + 0.1); // two of them are as good as each other
  });
});
