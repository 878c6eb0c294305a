// Ring tones for a loudspeaker in the bell's place, beside the one that the core has. Not in the core: only who sets one, or is called with a
// distinctive ring, needs them.

import type { ToneProgram, ToneStep } from './door.ts';

type Sound = readonly [hz: readonly number[], dbm0: number, ms: number];

/** A note that dies away; its frequencies have whole periods in 50 ms, so that one step goes over into the next. */
const note = (hz: readonly number[], steps: number, fallDb: number): Sound[] => Array.from({ length: steps }, (_, i) => [hz, -9 - i * fallDb, 50]);

/** What sounds over and over while the bell would ring. */
const SOUNDS: Readonly<Record<string, readonly Sound[]>> = {
  /** Two notes, each beating 20 times a second as a clapper does. */
  bell: [[[800, 820, 1200, 1220], -12, 0]],
  /** Two tones by turns. */
  warble: [[[800], -8, 60], [[1000], -8, 60]],
  /** The same, quicker and higher. */
  trill: [[[1400], -9, 25], [[1750], -9, 25]],
  /** Ding, dong. */
  chime: [...note([660, 1320], 10, 2), ...note([520, 1040], 14, 2)],
  /** Four struck bars, upwards. */
  marimba: [...note([520], 3, 5), ...note([660], 3, 5), ...note([780], 3, 5), ...note([1040], 6, 4)],
  /** A low rattle. */
  buzzer: [[[240, 260, 480, 500], -12, 0]],
};

/** Names of the built-in ones. */
export const RING_TONES = Object.keys(SOUNDS);

/** `name` in the cadence of the bell: ms on, off, on, off ...; undefined when there is none of that name. */
export function ringProgram(name: string, cadence: readonly number[]): ToneProgram | undefined {
  const sounds = Object.hasOwn(SOUNDS, name) ? SOUNDS[name] : undefined;
  if (sounds === undefined) return undefined;
  const steps: ToneStep[] = [];
  cadence.forEach((on, i) => {
    if (i % 2 === 1) return void steps.push({ hz: [], dbm0: 0, ms: on });
    for (let at = 0, next = 0; at < on; next = (next + 1) % sounds.length) {
      const [hz, dbm0, ms] = sounds[next]!, lasts = ms === 0 ? on : Math.min(ms, on - at);
      steps.push({ hz, dbm0, ms: lasts });
      at += lasts;
    }
  });
  return { steps, times: 0 };
}
