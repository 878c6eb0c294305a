// What only some calls need, kept out of the core's heap: the engine asks for it with the first call that wants it, and whoever makes the
// engine brings it from a file of its own (main/media-extras.ts). Each part adds its factory to the interface.

import type { WavProgram } from './door.ts';
import type { DtmfDetector } from './dtmf-detector.ts';
import type { Probe } from './probe.ts';
import type { Sounding } from './tones.ts';

export interface MediaExtras {
  /** Listens for keys in sound of 16 kHz; each is told once, at its end. */
  readonly dtmfDetector: (onDigit: (digit: string, ms: number) => void) => Pick<DtmfDetector, 'take'>;
  /** The test of a sound card. */
  readonly probe: (rateHz: number) => Probe;
  /** The file of `program`, or why it cannot be played. */
  readonly wav: (program: WavProgram, rateHz: number) => Sounding | string;
}
