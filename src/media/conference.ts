// A conference on the phone itself: those who meet at a place hear it and each other, nobody hears himself. Decides nothing; the card's period drives it.
//
//   said to stream i = microphone + what the other streams that meet say

import { Limiter, mix } from './mixer.ts';
import type { Stream } from './stream.ts';

export class Conference {
  readonly #heard: Int16Array[] = [];
  readonly #limiters: Limiter[] = [];
  readonly #sum: Float32Array;
  readonly #said: Int16Array;

  /** `frames`: samples of a period. */
  constructor(frames: number) {
    this.#sum = new Float32Array(frames);
    this.#said = new Int16Array(frames);
  }

  /** One period: `spoken` is the microphone's, all that is heard is added to `mixed`, times `factor`. */
  beat(streams: readonly Stream[], spoken: Int16Array, mixed: Float32Array, factor: number, count: number, nowMs: number): void {
    const heard = this.#heard, limiters = this.#limiters, sum = this.#sum, said = this.#said;
    while (heard.length < streams.length) {
      heard.push(new Int16Array(said.length));
      limiters.push(new Limiter());
    }
    for (let i = 0; i < streams.length; i++) {
      streams[i]!.hear(heard[i]!, count, nowMs);
      mix(heard[i]!, mixed, count, factor);
    }
    for (let i = 0; i < streams.length; i++) {
      sum.fill(0);
      mix(spoken, sum, count);
      if (streams[i]!.meets) for (let j = 0; j < streams.length; j++) if (j !== i && streams[j]!.meets) mix(heard[j]!, sum, count);
      limiters[i]!.run(sum, said, count);
      streams[i]!.say(said, count);
    }
  }
}
