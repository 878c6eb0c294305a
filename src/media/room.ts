// What a place does to sound besides carrying it: echo control with noise suppression. Cuts the card's periods into frames of 10 ms, and
// learns from the card's reports how long sound takes to be heard.

import type { AudioStatus } from '../ports/audio.ts';
import { EchoControl, FRAME, RATE_HZ, TAIL } from './echo.ts';
import type { RoomControl, RoomOptions } from './extras.ts';
import { bindSpeexdsp, createCanceller, createSuppressor, type SpeexLibrary } from './speexdsp.ts';

/** Taken off steady noise, and off what the canceller leaves: while nobody and while somebody speaks here. */
const NOISE_DB = 12;
const REST = { echoDb: 40, echoActiveDb: 8 } as const;
/**
 * Reports of the card's queue after a start, of which the longest counts: a report that comes late finds the queue shorter. One at a
 * time says nothing, and the alignment must be constant.
 */
const REPORTS = 16;

/** Tells of a missing library by `trouble`; the gate does without. */
export function createRoom(options: RoomOptions, trouble: (code: string, message: string) => void, bind: () => SpeexLibrary | undefined = bindSpeexdsp): RoomControl {
  const { echo, noise, periodFrames } = options;
  const wanted = echo === 'full' || echo === 'light' || noise;
  const speex = wanted ? bind() : undefined;
  if (wanted && speex === undefined) {
    trouble('SPEEXDSP_MISSING', `${echo === 'off' ? 'Noise suppression' : 'Echo control'} needs the Debian package libspeexdsp1 (apt-get install libspeexdsp1)${echo === 'off' ? '' : '; until then only one side is heard at a time'}.`);
  }
  const canceller = speex === undefined || echo === 'gate' || echo === 'off' ? undefined : createCanceller(speex, FRAME, TAIL, RATE_HZ);
  const suppressor = speex === undefined || (echo !== 'full' && !noise) ? undefined
    : createSuppressor(speex, echo === 'full' ? canceller : undefined, FRAME, RATE_HZ, { noiseDb: noise ? NOISE_DB : 0, ...REST });
  const control = echo === 'off' ? undefined : new EchoControl(periodFrames, canceller, suppressor);
  const frame = new Int16Array(FRAME);
  let reports = 0, longest = 0, xruns = -1, reopened = 0, running = true;

  return {
    captured(samples, count) {
      for (let at = 0; at + FRAME <= count; at += FRAME) {
        for (let i = 0; i < FRAME; i++) frame[i] = samples[at + i]!;
        if (control === undefined) suppressor?.run(frame);
        else control.captured(frame);
        for (let i = 0; i < FRAME; i++) samples[at + i] = frame[i]!;
      }
    },
    played(samples, count) {
      if (control === undefined) return;
      for (let at = 0; at + FRAME <= count; at += FRAME) {
        for (let i = 0; i < FRAME; i++) frame[i] = samples[at + i]!;
        if (control.played(frame)) for (let i = 0; i < FRAME; i++) samples[at + i] = frame[i]!;
      }
    },
    card(status: AudioStatus) {
      const runs = status.state === 'running';
      if (status.xruns !== xruns || status.reopened !== reopened || runs !== running) reports = longest = 0; // the queue was filled anew
      ({ xruns, reopened } = status);
      running = runs;
      if (!runs || reports >= REPORTS) return;
      longest = Math.max(longest, status.delayFrames);
      // The first is better than nothing, and where it was right nothing changes any more
      if (++reports === 1 || reports === REPORTS) control?.align(longest);
    },
    report: () => ({
      echo: control?.state ?? 'off', filterDb: control?.filterDb ?? 0, totalDb: control?.totalDb ?? 0, delayMs: (control?.delayFrames ?? 0) * 1000 / RATE_HZ,
    }),
    close() {
      suppressor?.close();
      canceller?.close();
    },
  };
}
