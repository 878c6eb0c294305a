// The tones of each country, and this phone's own. Frequencies and cadences: ITU-T E.180 and its list of national tones (Operational
// Bulletin 781, 2003), Telcordia GR-506 (us), BT SIN 350 (uk), ETSI TR 101 041-2 (de, fr), AS/CA S002 (au). Levels: GR-506 in the us;
// elsewhere a sum of -13 dBm0, within E.180 §2's -10 ± 5. Where a national list has no such tone, the North American one stands in.

import type { ToneProgram, ToneStep } from './door.ts';

export type Country = 'us' | 'uk' | 'de' | 'fr' | 'au';
export type ToneName = 'dial' | 'stutter' | 'ringback' | 'busy' | 'congestion' | 'sit' | 'callWaiting' | 'howler' | 'confirm';

const step = (hz: readonly number[], dbm0: number, ms: number): ToneStep => ({ hz, dbm0, ms });
/** The same sound on and off for ever; without times it never stops. */
const cadence = (hz: readonly number[], dbm0: number, ...ms: number[]): ToneProgram =>
  ({ steps: ms.length === 0 ? [step(hz, dbm0, 0)] : ms.map((each, i) => step(i % 2 === 0 ? hz : [], dbm0, each)), times: 0 });
/** `bursts` short bursts; then the sound stays, or, with `lastMs`, ends. */
const bursts = (hz: readonly number[], dbm0: number, count: number, onMs: number, offMs: number, lastMs = 0): ToneProgram =>
  ({ steps: [...Array<undefined>(count)].flatMap(() => [step(hz, dbm0, onMs), step([], dbm0, offMs)]).concat(step(hz, dbm0, lastMs)), times: 1 });

/** E.180 §8: 950, 1400, 1800 Hz, a third of a second each, then a second of silence. */
const sit = (dbm0: number, hz = [950, 1400, 1800], ms = [330, 330, 330]): ToneProgram =>
  ({ steps: [...hz.map((each, i) => step([each], dbm0, ms[i]!)), step([], dbm0, 1000)], times: 0 });
/** GR-506 receiver off-hook tone; its +3 dBm would be clipped by the codec, so as loud as four sines can be. */
const howler = cadence([1400, 2060, 2450, 2600], -9.5, 100, 100);

export const tones: Readonly<Record<Country, Readonly<Record<ToneName, ToneProgram>>>> = {
  us: {
    dial: cadence([350, 440], -13),
    stutter: bursts([350, 440], -13, 10, 100, 100),
    ringback: cadence([440, 480], -19, 2000, 4000),
    busy: cadence([480, 620], -24, 500, 500),
    congestion: cadence([480, 620], -24, 250, 250),
    sit: sit(-24, [985.2, 1370.6, 1776.7], [380, 274, 380]), // GR-506's 'vacant code'
    callWaiting: cadence([440], -13, 300, 9700),
    howler,
    confirm: bursts([350, 440], -13, 2, 100, 100, 300),
  },
  uk: {
    dial: cadence([350, 440], -16),
    stutter: { steps: [step([350, 440], -16, 750), step([440], -13, 750)], times: 0 },
    ringback: cadence([400, 450], -16, 400, 200, 400, 2000),
    busy: cadence([400], -13, 375, 375),
    congestion: cadence([400], -13, 400, 350, 225, 525),
    sit: sit(-13),
    callWaiting: cadence([400], -13, 100, 4000),
    howler,
    confirm: { steps: [step([1400], -13, 1000)], times: 1 },
  },
  de: {
    dial: cadence([425], -13),
    stutter: cadence([400, 425], -16),
    ringback: cadence([425], -13, 1000, 4000),
    busy: cadence([425], -13, 480, 480),
    congestion: cadence([425], -13, 240, 240),
    sit: sit(-13),
    callWaiting: cadence([425], -13, 200, 200, 200, 5000),
    howler,
    confirm: bursts([425], -13, 2, 100, 100, 300),
  },
  fr: {
    dial: cadence([440], -13),
    stutter: cadence([330, 440], -16),
    ringback: cadence([440], -13, 1500, 3500),
    busy: cadence([440], -13, 500, 500),
    congestion: cadence([440], -13, 250, 250),
    sit: sit(-13),
    callWaiting: cadence([440], -13, 300, 10_000),
    howler,
    confirm: bursts([440], -13, 2, 100, 100, 300),
  },
  au: {
    dial: cadence([413, 438], -16),
    stutter: cadence([413, 438], -16, 100, 40),
    ringback: cadence([413, 438], -16, 400, 200, 400, 2000),
    busy: cadence([425], -13, 375, 375),
    congestion: { steps: [step([425], -13, 375), step([], -13, 375), step([425], -23, 375), step([], -13, 375)], times: 0 }, // every other burst 10 dB down
    sit: sit(-13),
    callWaiting: cadence([425], -13, 200, 200, 200, 4400),
    howler,
    confirm: bursts([425], -13, 2, 100, 100, 300),
  },
};

/** The bell's: ms on, off, on, off ... repeated. */
export const ringCadence: Readonly<Record<Country, readonly number[]>> = {
  us: [2000, 4000], uk: [400, 200, 400, 2000], de: [1000, 4000], fr: [1500, 3500], au: [400, 200, 400, 2000],
};

/** For a loudspeaker in the bell's place: two notes, each beating 20 times a second as a clapper does, in the bell's cadence. */
const ring = (country: Country) => cadence([800, 820, 1200, 1220], -12, ...ringCadence[country]);
export const ringTone: Readonly<Record<Country, ToneProgram>> = { us: ring('us'), uk: ring('uk'), de: ring('de'), fr: ring('fr'), au: ring('au') };

/** Two rising notes: the microphone is about to open. */
export const intercomBeep: ToneProgram = { steps: [step([1000], -10, 150), step([], -10, 50), step([1500], -10, 250)], times: 1 };
/** A low buzz: that key does nothing here. */
export const keyError: ToneProgram = { steps: [step([200, 250], -13, 200)], times: 1 };

export type StatusName = 'no network' | 'not registered' | 'wrong password' | 'server silent' | 'no such server' | 'all well' | 'no account';

const HZ = { low: 330, middle: 500, high: 800 } as const;
/** Each letter is a beep: l m h a short one (150 ms), L M H a long one (600 ms), low, middle or high. */
const beeps = (letters: string): ToneProgram => {
  const steps: ToneStep[] = [];
  for (const letter of letters) {
    const hz = letter === 'l' || letter === 'L' ? HZ.low : letter === 'm' || letter === 'M' ? HZ.middle : HZ.high;
    steps.push(step([hz], -13, letter < 'a' ? 600 : 150), step([], -13, 150));
  }
  return { steps: [...steps, step([], -13, 1200)], times: 0 };
};

/** What the phone has to say about itself, to be told apart by ear; `words` is how to describe it to somebody. */
export const statusTones: Readonly<Record<StatusName, { readonly program: ToneProgram; readonly words: string }>> = {
  'all well': { program: beeps('lmh'), words: 'three short rising beeps, pause' },
  'no account': { program: beeps('H'), words: 'one long high beep, pause' },
  'no network': { program: beeps('lll'), words: 'three short low beeps, pause' },
  'not registered': { program: beeps('LL'), words: 'two long low beeps, pause' },
  'wrong password': { program: beeps('hlhl'), words: 'high low high low, four short beeps, pause' },
  'server silent': { program: beeps('L'), words: 'one long low beep, pause' },
  'no such server': { program: beeps('hml'), words: 'three short falling beeps, pause' },
};
