// A conference on the phone itself: those who meet at a place hear it and each other, nobody hears himself. Decides nothing; the card's period drives it.
//
//   said to stream i = microphone + what the other streams that meet say

import { mix } from './mixer.ts';
import type { Stream } from './stream.ts';

export class Conference {
  readonly #heard: Int16Array[] = [];
  readonly #said: Int16Array;

  /** `frames`: samples of a period. */
  constructor(frames: number) {
    this.#said = new Int16Array(frames);
  }

  /** One period: `spoken` is the microphone's, all that is heard is added to `mixed`. */
  beat(streams: readonly Stream[], spoken: Int16Array, mixed: Int16Array, count: number, nowMs: number): void {
    const heard = this.#heard, said = this.#said;
    while (heard.length < streams.length) heard.push(new Int16Array(said.length));
    for (let i = 0; i < streams.length; i++) {
      streams[i]!.hear(heard[i]!, count, nowMs);
      mix(heard[i]!, mixed, count);
    }
    for (let i = 0; i < streams.length; i++) {
      for (let n = 0; n < count; n++) said[n] = spoken[n]!;
      if (streams[i]!.meets) for (let j = 0; j < streams.length; j++) if (j !== i && streams[j]!.meets) mix(heard[j]!, said, count);
      streams[i]!.say(said, count);
    }
  }
}
