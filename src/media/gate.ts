// Who has the word, by loudness alone: for a loudspeaker without an echo canceller, or with one that cannot learn its room.
//
//   far side speaks, near side does not stand out  -> the microphone is down
//   near side stands out                           -> the microphone is open, the loudspeaker down
//   nobody speaks                                  -> open both ways

/** Quieter than this is not speech: -50 dBov. */
const SPEECH = 32_768 ** 2 * 10 ** -5;
/** A room's echo dies away by so much a frame of 10 ms. */
const DECAY = 10 ** -0.2;
/** Echo as loud as the reference until something else is known. */
const COUPLING_DB = 0;
/** The near side is heard over the echo when it is so much louder. */
const OVER_DB = 8;
/** Steps by which the coupling is followed: settles where one in five are louder. */
const UP_DB = 0.2;
const DOWN_DB = 0.05;
/** Frames that must be loud before the microphone opens, and that it stays open after. */
const SURE = 4;
const HOLD = 30;
/** Frames for which the far side counts as speaking after it paused. */
const FAR_HOLD = 20;

export type Word = 'nobody' | 'far' | 'near';

export class Gate {
  #coupling = COUPLING_DB;
  #expected = 0;
  #sure = 0;
  #near = 0;
  #far = 0;

  /** How much louder the echo at the microphone is than what was played, in dB. */
  get couplingDb(): number {
    return this.#coupling;
  }

  /** Who has the word, by mean squares of one frame: of what was played (as it is heard now), of the microphone, of its noise. */
  judge(played: number, heard: number, noise: number): Word {
    this.#expected = Math.max(played, this.#expected * DECAY);
    const loud = heard > SPEECH / 10 && heard > 4 * noise;
    this.#far = this.#expected > SPEECH ? FAR_HOLD : Math.max(0, this.#far - 1);
    if (this.#far === 0) {
      this.#sure = 0;
      this.#near = loud ? HOLD : Math.max(0, this.#near - 1);
      return this.#near > 0 ? 'near' : 'nobody';
    }
    const over = 10 * Math.log10((heard + 1) / (this.#expected + 1)) - this.#coupling;
    if (this.#expected > SPEECH) this.#coupling = Math.min(20, Math.max(-40, this.#coupling + (over > 0 ? UP_DB : -DOWN_DB)));
    this.#sure = loud && over > OVER_DB ? this.#sure + 1 : 0;
    if (this.#sure >= SURE) this.#near = HOLD;
    else if (this.#near > 0) this.#near--;
    return this.#near > 0 ? 'near' : 'far';
  }
}
