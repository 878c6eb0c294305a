// Tones out of text: those of a country, whose rows national.ts reads, and the phone's own.
//
// Tones are spelt as text, because as objects they cost 30 kB of heap more: steps `Hz+Hz@dBm0:ms`, a pause `:ms`, without ms for ever, after
// the level with `/0/-6` how much louder each frequency is; the whole is repeated for ever, or with `!` at its end played once. A tone read from
// a table is a new object each time.

import type { ToneProgram, ToneStep } from './door.ts';

export type ToneName = 'dial' | 'stutter' | 'recall' | 'ringback' | 'busy' | 'congestion' | 'sit' | 'callWaiting' | 'howler' | 'confirm';

/** What one country has. */
export interface National {
  readonly tones: Readonly<Record<ToneName, ToneProgram>>;
  /** The bell's: ms on, off, on, off ... repeated. */
  readonly ringCadence: readonly number[];
  /** Numbers that every telephone there reaches. */
  readonly emergency: readonly string[];
}

function stepOf(text: string): ToneStep {
  const [sound = '', ms = '0'] = text.split(':');
  const [hz = '', levels = '0'] = sound.split('@');
  const [dbm0 = 0, ...offsetsDb] = levels.split('/').map(Number);
  return { hz: hz === '' ? [] : hz.split('+').map(Number), dbm0, ms: Number(ms), ...(offsetsDb.length > 0 ? { offsetsDb } : {}) };
}
const program = (text: string): ToneProgram => {
  const once = text.endsWith('!');
  return { steps: (once ? text.slice(0, -1) : text).split(' ').map(stepOf), times: once ? 1 : 0 };
};

/** A country's rows (national.ts) as tones and numbers. */
export function nationalOf({ ring = '', emergency = '', ...spelt }: Readonly<Record<string, string>>): National {
  return {
    tones: new Proxy(spelt, { get: (of, name) => Object.hasOwn(of, name) ? program(of[name as string]!) : undefined }) as unknown as National['tones'],
    ringCadence: ring.split(' ').map(Number),
    emergency: emergency.split(' ').filter((number) => number !== ''),
  };
}

/** For a loudspeaker in the bell's place: two notes, each beating 20 times a second as a clapper does, in the bell's cadence. */
export const ringTone = (cadence: readonly number[]): ToneProgram => program(cadence.map((ms, i) => i % 2 === 0 ? `800+820+1200+1220@-12:${ms}` : `:${ms}`).join(' '));

/** Two rising notes: the microphone is about to open. */
export const intercomBeep: ToneProgram = program('1000@-10:150 :50 1500@-10:250!');
/** Three soft rising notes every five seconds: you are held, not forgotten. */
export const holdTone: ToneProgram = program('440@-28:400 550@-28:400 660@-28:800 :3400');
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
