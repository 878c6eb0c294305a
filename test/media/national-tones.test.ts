// src/media/national-tones.txt: against what standards and an independent list say, for sanity, and as it sounds.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { settingsSchema } from '../../src/config/schema.ts';
import type { ToneProgram } from '../../src/media/door.ts';
import { readNational } from '../../src/media/national.ts';
import { nationalOf, type National, type ToneName } from '../../src/media/tone-tables.ts';
import { cadenceOf, detuningOf, EDGE_MS, levelOf, play } from './listen.ts';

const RATE_HZ = 8000;
const file = readFileSync(new URL('../../src/media/national-tones.txt', import.meta.url));
const codes = [...file.toString().matchAll(/^\[(\w+)\]/gm)].map((m) => m[1]!);
const national = (code: string): National => nationalOf(readNational(file, code)!);
const named = (code: string): [ToneName, ToneProgram][] => Object.keys(national(code).tones).map((name) => [name as ToneName, national(code).tones[name as ToneName]]);
const spelt = ({ steps }: ToneProgram): string => steps.map(({ hz, ms }) => `${hz.join('+')}${ms === 0 ? '' : `:${ms}`}`).join(' ');
/** dBm0 of all frequencies of a step together. */
const sumOf = ({ hz, dbm0, offsetsDb }: ToneProgram['steps'][number]): number => dbm0 + 10 * Math.log10(hz.reduce((sum, _, i) => sum + 10 ** ((offsetsDb?.[i] ?? 0) / 10), 0));

describe('the list', () => {
  test('has 40 countries and more, those that may be set, each once', () => {
    expect(codes.length).toBeGreaterThanOrEqual(40);
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes).toEqual((settingsSchema.properties.phone.properties.country as { readonly enum?: unknown }).enum);
  });

  test('is read a country at a time; what is none gives nothing', () => {
    expect(structuredClone(national('de').tones.busy)).toEqual({ steps: [{ hz: [425], dbm0: -13, ms: 480 }, { hz: [], dbm0: 0, ms: 480 }], times: 0 });
    expect(Reflect.get(national('de').tones, 'constructor')).toBeUndefined();
    expect(Object.keys(national('uk').tones).sort()).toEqual(['busy', 'callWaiting', 'confirm', 'congestion', 'dial', 'howler', 'recall', 'ringback', 'sit', 'stutter']);
    expect(readNational(file, 'xx')).toBeUndefined();
    expect(national(codes.at(-1)!).emergency).toEqual(['911']); // the last block ends with the file
  });

  test('rows that a country leaves out are made of its dial tone', () => {
    expect(spelt(national('cz').tones.stutter)).toBe(`${'425:100 :100 '.repeat(6)}425`);
    expect(spelt(national('nz').tones.confirm)).toBe('400:100 :100 400:100 :100 400:300');
    expect(spelt(national('za').tones.recall)).toBe(`${'400+367+433:100 :100 '.repeat(3)}400+367+433`);
  });
});

// An independent list, in our spelling: bell, dial, busy, ring-back, congestion, call waiting, stutter.
const LISTED: Readonly<Record<string, readonly [bell: string, dial: string, busy: string, ringback: string, congestion: string, callWaiting?: string, stutter?: string]>> = {
  us: ['2000 4000', '350+440', '480+620:500 :500', '440+480:2000 :4000', '480+620:250 :250', '440:300 :10000', `${'350+440:100 :100 '.repeat(6)}350+440`],
  uk: ['400 200 400 2000', '350+440', '400:375 :375', '400+450:400 :200 400+450:400 :2000', '400:400 :350 400:225 :525', '400:100 :4000', '350+440:750 440:750'],
  de: ['1000 4000', '425', '425:480 :480', '425:1000 :4000', '425:240 :240', '425:200 :200 425:200 :5000', '400+425'],
  fr: ['1500 3500', '440', '440:500 :500', '440:1500 :3500', '440:250 :250'],
  nl: ['1000 4000', '425', '425:500 :500', '425:1000 :4000', '425:250 :250', '425:500 :9500', '425:500 :50'],
  ch: ['1000 4000', '425', '425:500 :500', '425:1000 :4000', '425:200 :200', '425:200 :200 425:200 :4000', '425+340:1100 :1100'],
  at: ['1000 5000', '420', '420:400 :400', '420:1000 :5000', '420:200 :200', '420:40 :1960', '380+420'],
  it: ['1000 4000', '425:200 :200 425:600 :1000', '425:500 :500', '425:1000 :4000', '425:200 :200', '425:400 :100 425:250 :100 425:150 :14000'],
  es: ['1500 3000', '425', '425:200 :200', '425:1500 :3000', '425:200 :200 425:200 :200 425:200 :600', '425:175 :175 425:175 :3500'],
  se: ['1000 5000', '425', '425:250 :250', '425:1000 :5000', '425:250 :750', '425:200 :500 425:200 :9100'],
  au: ['400 200 400 2000', '413+438', '425:375 :375', '413+438:400 :200 413+438:400 :2000', '425:375 :375 420:375 :375', '425:200 :200 425:200 :4400'],
};
/** Where a standard says otherwise than the list. */
const KNOWN: Readonly<Record<string, string>> = {
  'us callWaiting': '440:300 :9700', // GR-506: every 10 s
  'us stutter': `${'350+440:100 :100 '.repeat(10)}350+440`, // GR-506: ten bursts
  'au congestion': '425:375 :375 425:375 :375', // AS/CA S002: one frequency, every other burst 10 dB down
};

test.each(Object.entries(LISTED))('%s is as listed elsewhere', (code, [bell, ...tones]) => {
  const { ringCadence, tones: ours } = national(code);
  expect(ringCadence.join(' ')).toBe(bell);
  (['dial', 'busy', 'ringback', 'congestion', 'callWaiting', 'stutter'] as const).forEach((name, i) => {
    const listed = KNOWN[`${code} ${name}`] ?? tones[i];
    if (listed !== undefined) expect(spelt(ours[name]), name).toBe(listed);
  });
});

describe.each(codes)('%s', (code) => {
  test('has frequencies of 200 to 3500 Hz and levels that E.180 and GR-506 allow', () => {
    for (const [name, { steps }] of named(code)) {
      for (const step of steps) {
        for (const hz of step.hz) expect(hz >= 200 && hz <= 3500, `${name} ${hz}`).toBe(true);
        if (step.hz.length === 0) continue;
        const sum = sumOf(step), northAmerican = (code === 'us' || code === 'ca') && name !== 'dial' ? -24.1 : -15;
        expect(sum >= (code === 'au' && name === 'congestion' ? -23 : northAmerican) && sum <= (name === 'howler' ? -3 : -9.9), `${name} ${sum}`).toBe(true);
      }
    }
  });

  test('has cadences within and about those that E.180 allows', () => {
    const { tones, ringCadence } = national(code);
    const total = ({ steps }: ToneProgram): number => steps.reduce((sum, { ms }) => sum + ms, 0);
    for (const [name, { steps }] of named(code)) for (const { ms } of steps) expect(ms === 0 || (ms >= 15 && ms <= 15_000), name).toBe(true);
    expect(tones.busy.steps.map(({ ms }) => ms)).toEqual([tones.busy.steps[0]!.ms, tones.busy.steps[0]!.ms]); // as long on as off
    expect(total(tones.busy)).toBeGreaterThanOrEqual(300);
    expect(total(tones.busy)).toBeLessThanOrEqual(1500);
    expect(total(tones.congestion)).toBeGreaterThanOrEqual(300);
    expect(total(tones.congestion)).toBeLessThanOrEqual(2000);
    expect(total(tones.ringback)).toBeGreaterThanOrEqual(3000);
    expect(total(tones.ringback)).toBeLessThanOrEqual(6200);
    expect(total(tones.callWaiting)).toBeGreaterThanOrEqual(800);
    expect(ringCadence.length % 2).toBe(0);
    const ring = ringCadence.reduce((sum, ms) => sum + ms, 0);
    expect(ringCadence.every((ms) => ms >= 200 && ms <= 5000) && ring >= 3000 && ring <= 6200).toBe(true);
    const { hz, ms } = tones.ringback.steps.at(-1)!;
    expect(hz.length === 0 && ms > 0).toBe(true); // silence at the end: the other side picks up in it
  });

  test('has every tone told apart from its dial tone, none clipped, confirm and the special information tone and only they ending by themselves', () => {
    for (const [name, program] of named(code)) {
      const { sound, goesOn } = play(program, RATE_HZ, 8);
      expect(goesOn, name).toBe(name !== 'confirm' && name !== 'sit');
      expect(sound.some((s) => s === 32_767 || s === -32_768), name).toBe(false);
      if (name !== 'dial') expect(program, name).not.toEqual(national(code).tones.dial);
    }
  });

  test('has emergency numbers, none of which cuts another off', () => {
    const { emergency } = national(code);
    expect(emergency.length).toBeGreaterThan(0);
    for (const number of emergency) {
      expect(number).toMatch(/^\d{2,5}$/);
      expect(emergency.filter((other) => other !== number && other.startsWith(number))).toEqual([]);
    }
  });
});

/** Every tone there is, once. */
const distinct = [...new Map(codes.flatMap((code) => named(code).map(([name, program]) => [JSON.stringify(program), { name: `${code} ${name}`, program }])))].map(([, one]) => one);

test.each(distinct)('$name sounds as it is spelt: frequencies within 0.1 %, levels within 0.2 dB, cadence within 1 ms', ({ program }) => {
  for (const step of new Map(program.steps.filter(({ hz }) => hz.length > 0).map((each) => [JSON.stringify({ ...each, ms: 0 }), each])).values()) {
    // The same sound, made to last, so that its frequencies can be told apart.
    const { sound } = play({ steps: [{ ...step, ms: 0 }], times: 0 }, RATE_HZ, 1.1);
    const steady = sound.subarray(800);
    step.hz.forEach((hz, i) => {
      expect(Math.abs(levelOf(steady, hz, RATE_HZ) - step.dbm0 - (step.offsetsDb?.[i] ?? 0))).toBeLessThan(0.2);
      expect(Math.abs(detuningOf(steady, hz, RATE_HZ))).toBeLessThan(hz / 1000);
    });
    const rms = Math.sqrt(steady.reduce((sum, s) => sum + s * s, 0) / steady.length);
    expect(Math.abs(20 * Math.log10(rms / 32_768) + 6.15 - sumOf(step))).toBeLessThan(0.2); // nothing else sounds
  }
  const expected: number[] = []; // sound and silence by turns, steps that follow one another without a pause joined
  for (const { hz, ms } of program.steps) {
    const sounds = expected.length % 2 === 1;
    if (hz.length > 0 === sounds) expected[expected.length - 1] = expected.at(-1)! + ms;
    else expected.push(ms);
  }
  const lasts = program.steps.at(-1)!.ms === 0;
  if (lasts && expected.length === 1) return expect(cadenceOf(play(program, RATE_HZ, 3).sound, RATE_HZ)).toEqual([expect.closeTo(3000 - EDGE_MS, -0.5)]);
  if (expected.length % 2 === 1 && program.times === 0) return; // it sounds all the time
  const heard = cadenceOf(play(program, RATE_HZ, (expected.reduce((sum, ms) => sum + ms, 0) + 1000) / 1000).sound, RATE_HZ);
  const whole = expected.length - (lasts || (program.times > 0 && expected.length % 2 === 0) ? 1 : 0); // what follows cannot be told from it
  heard.slice(0, whole).forEach((ms, i) => expect(Math.abs(ms - expected[i]!), `part ${i} of ${heard.join(' ')}`).toBeLessThanOrEqual(1));
  expect(heard.length).toBeGreaterThanOrEqual(whole);
});

// What the standards say, typed in apart from the table: frequencies, dBm0 of each, ms on/off by turns; none: it stays.
const rows: readonly (readonly [string, ToneName, readonly number[], number, readonly number[]])[] = [
  ['us', 'dial', [350, 440], -13, []], ['us', 'ringback', [440, 480], -19, [2000, 4000]], ['us', 'busy', [480, 620], -24, [500, 500]],
  ['us', 'congestion', [480, 620], -24, [250, 250]], ['us', 'callWaiting', [440], -13, [300, 9700]], ['us', 'howler', [1400, 2060, 2450, 2600], -9.5, [100, 100]],
  ['uk', 'dial', [350, 440], -16, []], ['uk', 'ringback', [400, 450], -16, [400, 200, 400, 2000]], ['uk', 'busy', [400], -13, [375, 375]],
  ['uk', 'congestion', [400], -13, [400, 350, 225, 525]], ['uk', 'callWaiting', [400], -13, [100, 4000]],
  ['de', 'dial', [425], -13, []], ['de', 'stutter', [400, 425], -16, []], ['de', 'ringback', [425], -13, [1000, 4000]], ['de', 'busy', [425], -13, [480, 480]],
  ['au', 'dial', [413, 438], -16, []], ['au', 'stutter', [413, 438], -16, [100, 40]], ['in', 'dial', [400], -14.8, []], ['jp', 'ringback', [400], -14.8, [1000, 2000]],
];

test.each(rows)('%s %s is %j Hz at %f dBm0, %j ms', (code, name, hz, dbm0, ms) => {
  const program = national(code).tones[name];
  const { sound } = play({ steps: [{ ...program.steps[0]!, ms: 0 }], times: 0 }, RATE_HZ, 1.1);
  for (const each of hz) expect(Math.abs(levelOf(sound.subarray(800), each, RATE_HZ) - dbm0)).toBeLessThan(0.2);
  const total = ms.reduce((sum, one) => sum + one, 0);
  const heard = cadenceOf(play(program, RATE_HZ, 2.2 * total / 1000).sound, RATE_HZ).slice(0, 2 * ms.length - 1);
  heard.forEach((one, i) => expect(Math.abs(one - ms[i % ms.length]!)).toBeLessThanOrEqual(1));
  expect(heard.length).toBe(Math.max(0, 2 * ms.length - 1));
});

test('a tone modulated wholly swells and vanishes as often as it says', () => {
  const { sound } = play(national('in').tones.dial, RATE_HZ, 1); // 400 Hz, 25 times a second
  const loudest = (fromMs: number): number => sound.subarray(fromMs * 8, fromMs * 8 + 20).reduce((most, s) => Math.max(most, Math.abs(s)), 0);
  const envelope = Array.from({ length: 360 }, (_, i) => loudest(40 + 2.5 * i));
  const most = Math.max(...envelope);
  expect(Math.min(...envelope)).toBeLessThan(most / 25);
  const dips = envelope.filter((e, i) => e < most / 4 && envelope[i - 1]! >= most / 4).length;
  expect(dips).toBeGreaterThanOrEqual(22);
  expect(dips).toBeLessThanOrEqual(23); // 0.9 s
});

test('the Australian congestion tone drops by 10 dB every other burst', () => {
  const { sound } = play(national('au').tones.congestion, RATE_HZ, 1.5);
  expect(levelOf(sound.subarray(400, 2600), 425, RATE_HZ)).toBeCloseTo(-13, 0);
  expect(levelOf(sound.subarray(6400, 8600), 425, RATE_HZ)).toBeCloseTo(-23, 0);
});

test('the special information tone is 950, 1400, 1800 Hz for 330 ms each, then a second of silence (E.180 §8)', () => {
  const { sound } = play(national('de').tones.sit, RATE_HZ, 2.5);
  [950, 1400, 1800].forEach((hz, i) => expect(Math.abs(levelOf(sound.subarray(i * 2640 + 100, i * 2640 + 2600), hz, RATE_HZ) + 13)).toBeLessThan(0.2));
  expect(cadenceOf(sound, RATE_HZ).slice(0, 2)).toEqual([expect.closeTo(990, -0.4), expect.closeTo(1000, -0.4)]);
});

test('the special information tone in the us is GR-506\'s vacant code', () => {
  const { sound } = play(national('us').tones.sit, RATE_HZ, 1.1);
  for (const [hz, from, to] of [[985.2, 0, 380], [1370.6, 380, 654], [1776.7, 654, 1034]] as const) {
    expect(Math.abs(levelOf(sound.subarray(from * 8 + 80, to * 8 - 80), hz, RATE_HZ) + 24)).toBeLessThan(0.2);
  }
});
