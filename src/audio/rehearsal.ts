// A card that is served without card, library or waiting: what serving one needs often is compiled before the first call comes. Decides nothing and
// leaves nothing behind.

import type { Clock } from '../ports/clock.ts';
import { AlsaDevice } from './alsa-device.ts';
import { CAPTURE, pcmOf, type Pcm, type SoundLibrary } from './alsa.ts';

/** As the engine asks for it, on cards that have its own rate or, as most do, 48 kHz in stereo only. */
const RATE_HZ = 16_000, PERIOD_MS = 20, PERIODS = 4;
const CARDS = [[RATE_HZ, 1], [48_000, 2]] as const;

/** Serves `periods` periods on each kind of card, as fast as the machine can; gives how many were. */
export function rehearseCards(periods: number): number {
  let served = 0;
  for (const [rateHz, channels] of CARDS) {
    let now = 0.37, due: (() => void) | undefined, dueMs = 0;
    const clock: Clock = {
      now: () => now,
      wall: () => now,
      after(ms, wake) {
        due = wake;
        dueMs = now + ms;
        return () => { due = undefined; };
      },
    };
    const opened = (direction: number): Pcm => {
      let moved = 0, begunMs = 0;
      const at = (): number => Math.floor((now - begunMs) * rateHz / 1_000), capture = direction === CAPTURE;
      return pcmOf({
        available: () => (capture ? at() - moved : bufferFrames - (moved - at())),
        delay: () => 0,
        read: (_, __, frames) => { moved += frames; return frames; },
        write: (_, __, frames) => { moved += frames; return frames; },
        prepare: () => { moved = 0; return 0; },
        start: () => { begunMs = now; return 0; },
        drop: () => 0,
        resume: () => 0,
      }, undefined, { rateHz, channels, bits: 16, periodFrames: PERIOD_MS * rateHz / 1_000, bufferFrames }, () => undefined);
    };
    const bufferFrames = PERIODS * PERIOD_MS * rateHz / 1_000;
    const library: SoundLibrary = {
      open: (_, direction, __, done) => done(opened(direction)),
      hints: () => [],
      explain: String,
    };
    const card = new AlsaDevice({ clock, library, candidates: () => [{ capture: 'rehearsal', playback: 'rehearsal', halfWillDo: false }], optional: false }, {
      name: 'rehearsal', rateHz: RATE_HZ, periodFrames: PERIOD_MS * RATE_HZ / 1_000, periods: PERIODS, onPeriod: () => { served++; }, onStatus: () => undefined,
    });
    for (const until = served + periods; served < until && due !== undefined;) {
      const wake = due as (() => void) | undefined;
      due = undefined;
      now = Math.max(now + 0.1, dueMs);
      wake?.();
    }
    card.close();
  }
  return served;
}
