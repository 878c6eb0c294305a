// What only some calls need, kept out of the core's heap: the engine asks for it with the first call that wants it, and whoever makes the
// engine brings it from a file of its own (main/media-extras.ts). Each part adds its factory to the interface.

import type { Probe } from './probe.ts';

/** Tells silence from speech in what is about to be sent, and describes its noise (RFC 3389). */
export interface Silence {
  /** One packet's samples: -1 when they are to be sent; else bytes of a comfort noise payload in `out` to send in their place, 0 for nothing. */
  step(samples: Int16Array, out: Uint8Array): number;
}

export interface MediaExtras {
  /** The test of a sound card. */
  readonly probe: (rateHz: number) => Probe;
  /** For sound at so many samples a second. */
  readonly createSilence: (rateHz: number) => Silence;
}
