// Devices without a card, paced by the clock: silence, echo, tone. What differs is only where the captured period comes from.

import type { AudioDevice, AudioOptions, AudioStatus } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import { pace } from './pacer.ts';

/** What a device without a card does with sound. */
export interface Source {
  /** Fill all of `captured`, zeroed before. */
  capture(captured: Int16Array): void;
  /** Take what was played; valid during the call only. */
  play(playback: Int16Array): void;
  close(): void;
}

const RUNNING: AudioStatus = { state: 'running', trouble: '', xruns: 0, reopened: 0, delayFrames: 0 };

/** A device that the clock paces and that never fails. */
export function openClocked(clock: Clock, options: AudioOptions, source: Source): AudioDevice {
  const captured = new Int16Array(options.periodFrames);
  const playback = new Int16Array(options.periodFrames);
  let open = true;
  const stop = pace(clock, options.periodFrames, options.rateHz, () => {
    captured.fill(0);
    playback.fill(0);
    source.capture(captured);
    options.onPeriod(captured, playback);
    if (open) source.play(playback);
  });
  return {
    name: options.name,
    rateHz: options.rateHz,
    periodFrames: options.periodFrames,
    status: () => RUNNING,
    close: () => {
      if (!open) return;
      open = false;
      stop();
      source.close();
    },
  };
}

export const silence: Source = { capture: () => {}, play: () => {}, close: () => {} };

/** Captures what was played one period ago. */
export function echo(periodFrames: number): Source {
  const kept = new Int16Array(periodFrames);
  return { capture: (captured) => captured.set(kept), play: (playback) => kept.set(playback), close: () => {} };
}

/** Level of the test tone. A sine that fills 16 bits is +3.14 dBm0 (ITU-T G.711 table 5, A-law). */
const TONE_DBM0 = -20;
const FULL_SCALE_DBM0 = 3.14;

/** Captures a sine at -20 dBm0. */
export function tone(hz: number, rateHz: number): Source {
  const peak = 32_768 * 10 ** ((TONE_DBM0 - FULL_SCALE_DBM0) / 20);
  const step = (2 * Math.PI * hz) / rateHz;
  let phase = 0;
  return {
    capture: (captured) => {
      for (let i = 0; i < captured.length; i++) {
        captured[i] = Math.round(peak * Math.sin(phase));
        phase += step;
        if (phase > Math.PI) phase -= 2 * Math.PI;
      }
    },
    play: () => {},
    close: () => {},
  };
}
