// Clicks: instants at which what was heard leaps as nothing that was said about then does. What a linear prediction learnt from the said
// frame cannot foresee is small in speech but for its glottal pulses; a torn edge stands out from those.

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

/** Instants of clicks in ms of `heard`. */
export function clicksOf(said: Int16Array, heard: Int16Array, rateHz: SpeechHz, delaysMs: Float64Array): number[] {
  const perMs = rateHz / 1_000, hop = HOP_MS * perMs, learn = LEARN_MS * perMs, reach = REACH_MS * perMs, found: number[] = [];
  const filter = new Float64Array(ORDER + 1), r = new Float64Array(ORDER + 1);
  for (let f = 0; f < delaysMs.length; f++) {
    const at = f * hop, there = Math.round(at - delaysMs[f]! * perMs);
    learnFrom(said, there + hop / 2 - learn / 2, learn, r, filter);
    let usual = 0;
    for (let i = there - reach; i < there + hop + reach; i++) usual = Math.max(usual, Math.abs(residue(said, i, filter)));
    const limit = Math.max(LEAST, TIMES[rateHz] * usual);
    for (let i = at; i < at + hop && i < heard.length; i++) {
      if (Math.abs(residue(heard, i, filter)) < limit) continue;
      if (found.length === 0 || i / perMs - found.at(-1)! >= APART_MS) found.push(i / perMs);
    }
  }
  return found;
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
  a.fill(0);
  a[0] = 1;
  let error = r[0]!;
  for (let i = 1; i <= ORDER; i++) {
    let sum = 0;
    for (let j = 0; j < i; j++) sum += a[j]! * r[i - j]!;
    const k = -sum / error;
    for (let j = 1; j <= i >> 1; j++) {
      const p = a[j]!, q = a[i - j]!;
      a[j] = p + k * q;
      a[i - j] = q + k * p;
    }
    a[i] = k;
    error *= 1 - k * k;
  }
}
