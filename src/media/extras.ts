// What only some calls need, kept out of the core's heap: the engine asks for it with the first call that wants it, and whoever makes the
// engine brings it from a file of its own (main/media-extras.ts). Each part adds its factory to the interface.

import type { ComfortNoise } from './comfort.ts';
import type { Probe } from './probe.ts';

export interface MediaExtras {
  /** Comfort noise, for a sender that describes its silence (RFC 3389). */
  readonly comfort: (rateHz: number) => ComfortNoise;
  /** The test of a sound card. */
  readonly probe: (rateHz: number) => Probe;
}
