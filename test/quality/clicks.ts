// Clicks: instants at which what was heard leaps as nothing that was said about then does, nor anything heard just before. What a linear prediction
// learnt from the said frame cannot foresee is small in speech but for its glottal pulses; a torn edge stands out from those. A voice that
// concealment lets go on, while the speaker fell silent, goes on pulsing: each pulse is held against those before it, so that the first must leap.

import { levinson } from './features.ts';
import { HOP_MS } from './align.ts';
import type { SpeechHz } from './speech.ts';

/** The residue must be so many times the greatest of what was said within REACH_MS, and at least LEAST (of 32768). Wide band codecs roughen it by themselves. */
const TIMES = { 8_000: 1.6, 16_000: 4 } as const;
const LEAST = 260;
const REACH_MS = 20;
/** One click is not counted twice within this. */
const APART_MS = 40;
const ORDER = 10;
const LEARN_MS = 32;
/** The delay found may be wrong for some frames, where a sound is like another: what leaps must do so at the usual delay of so many frames about, too. */
const DOUBT = 32;

/** Instants of clicks in ms of `heard`. */
export function clicksOf(said: Int16Array, heard: Int16Array, rateHz: SpeechHz, delaysMs: Float64Array): number[] {
  const perMs = rateHz / 1_000, hop = HOP_MS * perMs, found: number[] = [];
  const frame = new Frame(said, heard, rateHz), other = new Frame(said, heard, rateHz);
  for (let f = 0; f < delaysMs.length; f++) {
    frame.learn(f, delaysMs[f]!);
    for (let i = f * hop; i < (f + 1) * hop && i < heard.length; i++) {
      if (!frame.leaps(i) || (found.length > 0 && i / perMs - found.at(-1)! < APART_MS)) continue;
      const about = delaysMs.slice(Math.max(0, f - (DOUBT >> 1)), f + (DOUBT >> 1) + 1).sort();
      if (other.learn(f, about[about.length >> 1]!).leaps(i)) found.push(i / perMs);
    }
  }
  return found;
}

/** What was said in a frame, as a prediction of what is heard in it. */
class Frame {
  readonly #said: Int16Array;
  readonly #heard: Int16Array;
  readonly #rateHz: SpeechHz;
  readonly #filter = new Float64Array(ORDER + 1);
  readonly #r = new Float64Array(ORDER + 1);
  #limit = 0;

  constructor(said: Int16Array, heard: Int16Array, rateHz: SpeechHz) {
    this.#said = said;
    this.#heard = heard;
    this.#rateHz = rateHz;
  }

  learn(f: number, delayMs: number): this {
    const perMs = this.#rateHz / 1_000, hop = HOP_MS * perMs, learn = LEARN_MS * perMs, reach = REACH_MS * perMs;
    const there = Math.round(f * hop - delayMs * perMs);
    learnFrom(this.#said, there + hop / 2 - learn / 2, learn, this.#r, this.#filter);
    let usual = 0;
    for (let i = there - reach; i < there + hop + reach; i++) usual = Math.max(usual, Math.abs(residue(this.#said, i, this.#filter)));
    this.#limit = Math.max(LEAST, TIMES[this.#rateHz] * usual);
    return this;
  }

  leaps(at: number): boolean {
    const heard = this.#heard, size = Math.abs(residue(heard, at, this.#filter));
    if (size < this.#limit) return false;
    let before = 0;
    for (let i = at - REACH_MS * this.#rateHz / 1_000; i < at - ORDER; i++) before = Math.max(before, Math.abs(residue(heard, i, this.#filter)));
    return size >= TIMES[this.#rateHz] * before;
  }
}

function residue(x: Int16Array, at: number, filter: Float64Array): number {
  let sum = 0;
  for (let k = 0; k <= ORDER; k++) sum += filter[k]! * (x[at - k] ?? 0);
  return sum;
}

/** The prediction error filter of `count` samples from `from`, made tame enough to be used on others. */
function learnFrom(x: Int16Array, from: number, count: number, r: Float64Array, a: Float64Array): void {
  for (let lag = 0; lag <= ORDER; lag++) {
    let sum = 0;
    for (let i = lag; i < count; i++) sum += (x[from + i] ?? 0) * (x[from + i - lag] ?? 0);
    r[lag] = sum;
  }
  r[0] = r[0]! * 1.01 + count * 100;
  levinson(r, a);
}
