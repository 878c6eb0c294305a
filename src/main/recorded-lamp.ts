// The lamp of a phone that records: it blinks in pairs then, whatever else it is told to show.

import type { Cadence, Lamp } from '../ports/hardware.ts';

const PAIRS: Cadence = [100, 150, 100, 650];

export interface RecordedLamp extends Lamp {
  /** A call is recorded, or none any more. */
  recorded(on: boolean): void;
}

export function recordedLamp(lamp: Lamp): RecordedLamp {
  let wanted: boolean | Cadence = false, records = false;
  return {
    show(state) {
      wanted = state;
      if (!records || state === false) lamp.show(state); // dark is only a phone that ends
    },
    recorded(on) {
      if (on === records) return;
      records = on;
      lamp.show(on ? PAIRS : wanted);
    },
    close: () => lamp.close(),
  };
}
