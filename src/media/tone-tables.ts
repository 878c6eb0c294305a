// The tones of each country, and this phone's own. Frequencies and cadences: ITU-T E.180 and its list of national tones (Operational
// Bulletin 781, 2003), Telcordia GR-506 (us), BT SIN 350 (uk), ETSI TR 101 041-2 (de, fr), AS/CA S002 (au). Levels: GR-506 in the us;
// elsewhere a sum of -13 dBm0, within E.180's -10 ± 5. Where a national list has no such tone, the North American one stands in.
// Checked against the zones of Asterisk's indications.conf, not against a line of each country.
//
// Spelt as text, because as objects they cost 30 kB of heap more: steps `Hz+Hz@dBm0:ms`, a pause `:ms`, without ms for ever;
// the whole is repeated for ever, or with `!` at its end played once. A tone read from a table is a new object each time.

import type { ToneProgram, ToneStep } from './door.ts';

export type Country = 'us' | 'uk' | 'de' | 'fr' | 'au';
export type ToneName = 'dial' | 'stutter' | 'ringback' | 'busy' | 'congestion' | 'sit' | 'callWaiting' | 'howler' | 'confirm';

function stepOf(text: string): ToneStep {
  const [sound = '', ms = '0'] = text.split(':');
  const [hz = '', dbm0 = '0'] = sound.split('@');
  return { hz: hz === '' ? [] : hz.split('+').map(Number), dbm0: Number(dbm0), ms: Number(ms) };
}
const program = (text: string): ToneProgram => {
  const once = text.endsWith('!');
  return { steps: (once ? text.slice(0, -1) : text).split(' ').map(stepOf), times: once ? 1 : 0 };
};
/** `spelt` as a table of programs, each made when it is read. */
const read = <Name extends string>(spelt: Readonly<Record<Name, string>>) =>
  new Proxy(spelt, { get: (of, name) => Object.hasOwn(of, name) ? program(of[name as Name]) : undefined }) as unknown as Readonly<Record<Name, ToneProgram>>;

/** GR-506's receiver off-hook tone; its +3 dBm would be clipped by the codec, so as loud as four sines can be. */
const HOWLER = '1400+2060+2450+2600@-9.5:100 :100';
/** E.180 §8. */
const SIT = '950@-13:330 1400@-13:330 1800@-13:330 :1000';
const national = (spelt: Readonly<Record<Exclude<ToneName, 'howler'>, string>>) => read<ToneName>({ ...spelt, howler: HOWLER });

export const tones: Readonly<Record<Country, Readonly<Record<ToneName, ToneProgram>>>> = {
  us: national({
    dial: '350+440@-13',
    stutter: `${'350+440@-13:100 :100 '.repeat(10)}350+440@-13`,
    ringback: '440+480@-19:2000 :4000',
    busy: '480+620@-24:500 :500',
    congestion: '480+620@-24:250 :250',
    sit: '985.2@-24:380 1370.6@-24:274 1776.7@-24:380 :1000', // GR-506's 'vacant code'
    callWaiting: '440@-13:300 :9700',
    confirm: '350+440@-13:100 :100 350+440@-13:100 :100 350+440@-13:300!',
  }),
  uk: national({
    dial: '350+440@-16',
    stutter: '350+440@-16:750 440@-13:750',
    ringback: '400+450@-16:400 :200 400+450@-16:400 :2000',
    busy: '400@-13:375 :375',
    congestion: '400@-13:400 :350 400@-13:225 :525',
    sit: SIT,
    callWaiting: '400@-13:100 :4000',
    confirm: '1400@-13:1000!',
  }),
  de: national({
    dial: '425@-13',
    stutter: '400+425@-16',
    ringback: '425@-13:1000 :4000',
    busy: '425@-13:480 :480',
    congestion: '425@-13:240 :240',
    sit: SIT,
    callWaiting: '425@-13:200 :200 425@-13:200 :5000',
    confirm: '425@-13:100 :100 425@-13:100 :100 425@-13:300!',
  }),
  fr: national({
    dial: '440@-13',
    stutter: '330+440@-16',
    ringback: '440@-13:1500 :3500',
    busy: '440@-13:500 :500',
    congestion: '440@-13:250 :250',
    sit: SIT,
    callWaiting: '440@-13:300 :10000',
    confirm: '440@-13:100 :100 440@-13:100 :100 440@-13:300!',
  }),
  au: national({
    dial: '413+438@-16',
    stutter: '413+438@-16:100 :40',
    ringback: '413+438@-16:400 :200 413+438@-16:400 :2000',
    busy: '425@-13:375 :375',
    congestion: '425@-13:375 :375 425@-23:375 :375', // every other burst 10 dB down
    sit: SIT,
    callWaiting: '425@-13:200 :200 425@-13:200 :4400',
    confirm: '425@-13:100 :100 425@-13:100 :100 425@-13:300!',
  }),
};

/** The bell's: ms on, off, on, off ... repeated. */
export const ringCadence: Readonly<Record<Country, readonly number[]>> = {
  us: [2000, 4000], uk: [400, 200, 400, 2000], de: [1000, 4000], fr: [1500, 3500], au: [400, 200, 400, 2000],
};

/** For a loudspeaker in the bell's place: two notes, each beating 20 times a second as a clapper does, in the bell's cadence. */
const ring = (cadence: readonly number[]) => cadence.map((ms, i) => i % 2 === 0 ? `800+820+1200+1220@-12:${ms}` : `:${ms}`).join(' ');
export const ringTone: Readonly<Record<Country, ToneProgram>> =
  read<Country>({ us: ring(ringCadence.us), uk: ring(ringCadence.uk), de: ring(ringCadence.de), fr: ring(ringCadence.fr), au: ring(ringCadence.au) });

/** Two rising notes: the microphone is about to open. */
export const intercomBeep: ToneProgram = program('1000@-10:150 :50 1500@-10:250!');
/** A low buzz: that key does nothing here. */
export const keyError: ToneProgram = program('200+250@-13:200!');

export type StatusName = 'no network' | 'not registered' | 'wrong password' | 'server silent' | 'no such server' | 'all well' | 'no account';

export interface StatusTone {
  readonly program: ToneProgram;
  /** How to describe it to somebody. */
  readonly words: string;
}

const HZ: Readonly<Record<string, string>> = { l: '330@-13:', m: '500@-13:', h: '800@-13:' };
/** Each letter is a beep: l m h a short one, L M H a long one, low, middle or high; a pause follows. */
const status = (letters: string, words: string): StatusTone => ({
  words: `${words}, pause`,
  get program() {
    const beep = (letter: string) => `${HZ[letter.toLowerCase()]!}${letter < 'a' ? 600 : 150}`;
    return program(`${[...letters].map(beep).join(' :150 ')} :1350`);
  },
});

/** What the phone has to say about itself, to be told apart by ear. */
export const statusTones: Readonly<Record<StatusName, StatusTone>> = {
  'all well': status('lmh', 'three short rising beeps'),
  'no account': status('H', 'one long high beep'),
  'no network': status('lll', 'three short low beeps'),
  'not registered': status('LL', 'two long low beeps'),
  'wrong password': status('hlhl', 'high low high low, four short beeps'),
  'server silent': status('L', 'one long low beep'),
  'no such server': status('hml', 'three short falling beeps'),
};
