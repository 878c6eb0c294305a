// What only some calls need, kept out of the core's heap: the engine asks for it with the first call that wants it, and whoever makes the
// engine brings it from a file of its own (main/media-extras.ts). Each part adds its factory to the interface.

import type { Probe } from './probe.ts';

export interface MediaExtras {
  /** The test of a sound card. */
  readonly probe: (rateHz: number) => Probe;
}
