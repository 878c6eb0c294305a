// Tone programs to samples: sines added to what is there, steps counted in samples. Which tones there are stands in tone-tables.ts.
//
//   step      |         |          |
//   loudness  /~~~~~~~~~\__________/~~~    up in the first 5 ms, down in the 5 ms after the end

import type { ToneProgram, ToneStep } from './door.ts';

/** Peak of a sine at 0 dBm0: -6.15 dBov (ITU-T G.100.1), dBov counted from the RMS of full scale. */
const PEAK_0_DBM0 = 32_768 * Math.SQRT2 * 10 ** (-6.15 / 20);
/** Each sound rises and falls as half a cosine this long, so that it does not click; half as loud in the midst of both, so that lengths stay. */
const EDGE_S = 0.005;

/** Peak of each sine at `dbm0`. */
export const peakOf = (dbm0: number): number => PEAK_0_DBM0 * 10 ** (dbm0 / 20);

/** Something that is played: a tone program, a file. */
export interface Sounding {
  /** Add the next `into.length` samples, held at full scale; false when all is silent in or right after them. */
  mix(into: Int16Array): boolean;
  /** Let what sounds now fall, and nothing follow. */
  end(): void;
}

/** Plays one program once; make another to play it again. */
export class ToneGenerator implements Sounding {
  readonly #program: ToneProgram;
  readonly #rateHz: number;
  readonly #edge: Float64Array;
  #step = 0;
  #played = 0;
  /** Samples into the step. */
  #at = 0;
  #over = false;
  /** The sound that falls: its step, how far it had come, how loud it was then, how many samples it has fallen. */
  #falling: ToneStep | undefined;
  #fallAt = 0;
  #fallFrom = 0;
  #fallen = 0;

  constructor(program: ToneProgram, rateHz: number) {
    this.#program = program;
    this.#rateHz = rateHz;
    const length = Math.round(EDGE_S * rateHz);
    this.#edge = Float64Array.from({ length }, (_, i) => (1 - Math.cos(Math.PI * (i + 0.5) / length)) / 2);
  }

  end(): void {
    if (!this.#over) this.#fall(this.#program.steps[this.#step]);
    this.#over = true;
  }

  mix(into: Int16Array): boolean {
    const { steps, times } = this.#program;
    for (let done = 0; ;) {
      const step = steps[this.#step];
      if (this.#over || step === undefined || (times > 0 && this.#played >= times)) {
        this.#over = true;
        this.#mixFall(into, done, into.length - done);
        return this.#falling !== undefined;
      }
      const length = step.ms === 0 ? Infinity : Math.max(1, Math.round(step.ms * this.#rateHz / 1000));
      const count = Math.min(length - this.#at, into.length - done);
      for (let i = 0; i < step.hz.length; i++) this.#sine(into, done, count, step, i, this.#at, -1);
      this.#mixFall(into, done, count);
      this.#at += count;
      done += count;
      if (this.#at < length) return true;
      this.#fall(step);
      this.#at = 0;
      this.#step++;
      if (this.#step === steps.length) {
        this.#step = 0;
        this.#played++;
      }
    }
  }

  #fall(step: ToneStep | undefined): void {
    if (step === undefined || step.hz.length === 0) return;
    this.#falling = step;
    this.#fallAt = this.#at;
    this.#fallFrom = this.#edge[this.#at] ?? 1;
    this.#fallen = 0;
  }

  #mixFall(into: Int16Array, from: number, room: number): void {
    const step = this.#falling;
    if (step === undefined) return;
    const count = Math.min(room, this.#edge.length - this.#fallen);
    for (let i = 0; i < step.hz.length; i++) this.#sine(into, from, count, step, i, this.#fallAt + this.#fallen, this.#fallen);
    this.#fallen += count;
    if (this.#fallen === this.#edge.length) this.#falling = undefined;
  }

  /**
   * A recurrence of two products a sample, started from the exact phase each time so that nothing drifts however long it plays. `fallen`: samples
   * that it has fallen before, -1 while it stands.
   */
  #sine(into: Int16Array, from: number, count: number, step: ToneStep, which: number, at: number, fallen: number): void {
    const turn = 2 * Math.PI * step.hz[which]! / this.#rateHz;
    const twice = 2 * Math.cos(turn);
    const peak = peakOf(step.dbm0 + (step.offsetsDb?.[which] ?? 0));
    const edge = this.#edge, loud = this.#fallFrom;
    let before = peak * Math.sin(turn * (at - 1));
    let now = peak * Math.sin(turn * at);
    for (let i = 0; i < count; i++) {
      const sound = fallen >= 0 ? now * loud * (1 - edge[fallen + i]!) : at + i < edge.length ? now * edge[at + i]! : now;
      const sample = into[from + i]! + Math.round(sound);
      into[from + i] = sample > 32_767 ? 32_767 : sample < -32_768 ? -32_768 : sample;
      const next = twice * now - before;
      before = now;
      now = next;
    }
  }
}
