// Where the sound goes from one codec to another within a call: what was heard last goes on by concealment and runs into what the new decoder
// gives where the two are most alike, at 16 kHz. So neither the start of a decoder that knows nothing yet nor the delay in which the two
// differ is heard as a click. Made for one change, and loaded with the first.

import { Concealer } from './conceal.ts';
import type { Seam } from './extras.ts';
import { Doubler } from './resample.ts';

/** The sound before the seam, 50 ms, and the most that is joined to it: the longest packet, a gap filled before it and a period more. */
const HISTORY = 800;
const LONGEST = 5760;
/** So much of the new sound may be left out: a decoder that begins, and the filter behind it, give silence first. */
const SKIP = 80;

/** `sound`: what was heard last, HISTORY samples of it at `rateHz`, the newest last. */
export function createSeam(sound: Int16Array, rateHz: number): Seam {
  const x = new Int16Array(HISTORY + LONGEST);
  if (rateHz === 8000) new Doubler().run(sound.subarray(HISTORY >> 1, HISTORY), HISTORY >> 1, x, 0);
  else x.set(sound.subarray(0, HISTORY));
  const concealer = new Concealer(x, HISTORY, 16);
  return {
    join(queue, at, count) {
      x.set(queue.subarray(at, at + count), HISTORY);
      const joined = concealer.join(0, count, Math.min(SKIP, count >> 1), 0);
      queue.set(x.subarray(HISTORY, HISTORY + joined), at);
      return joined;
    },
  };
}
