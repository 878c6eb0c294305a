// How loud somebody speaks, and slow corrections of it. Levels are in dBov: 0 is a square wave that fills 16 bits.

const FULL = 32_768 ** 2;
/** Quieter is no speech, whatever it is. */
const LEAST = FULL * 10 ** -5.2;
/** Speech rises so much above the least of the last second or two; noise does not, however loud. */
const OVER_LEAST = 10;
const BLOCK = 75;
/** Frames of 10 ms that still count as speech after the last loud one: the pauses in a word (ITU-T P.56 has 200 ms). */
const HANGOVER = 20;
/** Frames of speech over which its level is the mean: 3 s. */
const MEMORY = 300;
/** The peak falls by 25 dB a second. */
const PEAK_FALL = 10 ** (-0.25 / 20);
export const SILENT_DB = -100;

/** The level of a voice while it speaks, much as ITU-T P.56 measures it; and the peak, falling by 25 dB a second. */
export class Voice {
  /** Least power of the block under way and of the one before. */
  #least = Infinity;
  #leastBefore = Infinity;
  #block = 0;
  #peak = 0;
  #power = 0;
  #frames = 0;
  #hangover = 0;

  /** Take one frame of 10 ms. */
  take(samples: Int16Array, from: number, count: number): void {
    let sum = 0, peak = this.#peak * PEAK_FALL;
    for (let i = from; i < from + count; i++) {
      const x = samples[i]!;
      sum += x * x;
      if (x > peak) peak = x;
      else if (-x > peak) peak = -x;
    }
    this.#peak = peak;
    const power = sum / count;
    this.#least = Math.min(this.#least, power);
    const least = Math.min(this.#least, this.#leastBefore);
    if (++this.#block === BLOCK) {
      this.#leastBefore = this.#least;
      this.#least = Infinity;
      this.#block = 0;
    }
    if (power > LEAST && power > OVER_LEAST * least) this.#hangover = HANGOVER;
    else if (this.#hangover > 0) this.#hangover--;
    if (this.#hangover === 0) return;
    this.#frames = Math.min(MEMORY, this.#frames + 1);
    this.#power += (power - this.#power) / this.#frames;
  }

  get speaks(): boolean {
    return this.#hangover > 0;
  }

  /** Speech heard so far, at most 3 s. */
  get heardMs(): number {
    return this.#frames * 10;
  }

  get activeDb(): number {
    return this.#frames === 0 ? SILENT_DB : Math.max(SILENT_DB, 10 * Math.log10(this.#power / FULL));
  }

  get peakDb(): number {
    return Math.max(SILENT_DB, 20 * Math.log10(this.#peak / 32_768));
  }
}

export interface Aim {
  readonly db: number;
  /** Left alone as far from it as this. */
  readonly slackDb: number;
  /** Never more, up or down. */
  readonly mostDb: number;
}

/** To the far side: nominal is -26, so that peaks 15 dB above it stay clear of the limiter. */
export const SENT: Aim = { db: -23, slackDb: 3, mostDb: 15 };
/** To the ear. */
export const HEARD: Aim = { db: -26, slackDb: 6, mostDb: 12 };
const UP_DB = 0.03;
const DOWN_DB = 0.06;
/** Speech that must have been heard before anything is changed. */
const HEARD_MS = 300;

/** Brings a voice slowly near an aim, by 3 dB a second up and 6 down, and only while it speaks: noise is never made louder. */
export class Leveller {
  readonly #aim: Aim;
  #db = 0;
  factor = 1;

  constructor(aim: Aim) {
    this.#aim = aim;
  }

  get gainDb(): number {
    return this.#db;
  }

  /** One frame of 10 ms later; the factor for it. */
  follow(voice: Voice): number {
    const { db, slackDb, mostDb } = this.#aim;
    if (voice.speaks && voice.heardMs >= HEARD_MS) {
      const over = voice.activeDb - db;
      const want = Math.max(-mostDb, Math.min(mostDb, over > slackDb ? slackDb - over : over < -slackDb ? -slackDb - over : 0));
      this.#db = want > this.#db ? Math.min(want, this.#db + UP_DB) : Math.max(want, this.#db - DOWN_DB);
      this.factor = 10 ** (this.#db / 20);
    }
    return this.factor;
  }
}
