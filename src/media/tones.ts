// Tone programs to samples: sines added to what is there, steps counted in samples. Which tones there are stands in tone-tables.ts.

import type { ToneProgram } from './door.ts';

/** Peak of a sine at 0 dBm0: -6.15 dBov (ITU-T G.100.1), dBov counted from the RMS of full scale. */
const PEAK_0_DBM0 = 32_768 * Math.SQRT2 * 10 ** (-6.15 / 20);
/** Each sound rises and falls as half a cosine this long, so that it does not click. */
const RAMP_S = 0.001;

/** Peak of each sine at `dbm0`. */
export const peakOf = (dbm0: number): number => PEAK_0_DBM0 * 10 ** (dbm0 / 20);

/** Plays one program once; make another to play it again. */
export class ToneGenerator {
  readonly #program: ToneProgram;
  readonly #rateHz: number;
  readonly #ramp: Float64Array;
  #step = 0;
  #played = 0;
  /** Samples into the step. */
  #at = 0;

  constructor(program: ToneProgram, rateHz: number) {
    this.#program = program;
    this.#rateHz = rateHz;
    const length = Math.round(RAMP_S * rateHz);
    this.#ramp = Float64Array.from({ length }, (_, i) => (1 - Math.cos(Math.PI * (i + 0.5) / length)) / 2);
  }

  /** Add the next `into.length` samples to `into`, held at full scale; false when the program ended in or right after them. */
  mix(into: Int16Array): boolean {
    const { steps, times } = this.#program;
    for (let done = 0; ;) {
      const step = steps[this.#step];
      if (step === undefined || (times > 0 && this.#played >= times)) return false;
      const length = step.ms === 0 ? Infinity : Math.max(1, Math.round(step.ms * this.#rateHz / 1000));
      const count = Math.min(length - this.#at, into.length - done);
      for (let i = 0; i < step.hz.length; i++) this.#sine(into, done, count, step.hz[i]!, step.dbm0 + i * (step.twistDb ?? 0), length);
      this.#at += count;
      done += count;
      if (this.#at < length) return true;
      this.#at = 0;
      this.#step++;
      if (this.#step === steps.length) {
        this.#step = 0;
        this.#played++;
      }
    }
  }

  /** A recurrence of two products a sample, started from the exact phase each time so that nothing drifts however long it plays. */
  #sine(into: Int16Array, from: number, count: number, hz: number, dbm0: number, length: number): void {
    const turn = 2 * Math.PI * hz / this.#rateHz;
    const twice = 2 * Math.cos(turn);
    const peak = peakOf(dbm0);
    const ramp = this.#ramp;
    let before = peak * Math.sin(turn * (this.#at - 1));
    let now = peak * Math.sin(turn * this.#at);
    for (let i = 0; i < count; i++) {
      const edge = Math.min(this.#at + i, length - 1 - this.#at - i);
      const sample = into[from + i]! + Math.round(edge < ramp.length ? now * ramp[edge]! : now);
      into[from + i] = sample > 32_767 ? 32_767 : sample < -32_768 ? -32_768 : sample;
      const next = twice * now - before;
      before = now;
      now = next;
    }
  }
}
