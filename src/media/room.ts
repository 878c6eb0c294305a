// What a place does to sound besides carrying it: echo control, noise suppression, levels. Cuts the card's periods into frames of 10 ms, and
// learns from the card's reports how long sound takes to be heard.
//
//   captured -> echo control, suppressor -> level of the voice -> gain, limiter -> sent
//   far side -> level of the voice -> gain, limiter -> to the card

import { EchoControl, FRAME, RATE_HZ, TAIL } from './echo.ts';
import type { RoomControl, RoomOptions, Tell } from './extras.ts';
import { HEARD, Leveller, SENT, Voice, type Aim } from './levels.ts';
import { Limiter } from './mixer.ts';
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
export function createRoom(options: RoomOptions, trouble: Tell, bind: () => SpeexLibrary | undefined = bindSpeexdsp): RoomControl {
  const { echo, noise, periodFrames } = options;
  const speex = echo === 'full' || echo === 'light' || noise ? bind() : undefined;
  if (speex === undefined && (echo === 'full' || echo === 'light' || noise)) {
    const echoes = echo === 'full' || echo === 'light';
    trouble('SPEEXDSP_MISSING', `${echoes ? 'Echo control' : 'Noise suppression'} needs the Debian package libspeexdsp1 (apt-get install libspeexdsp1)${echoes ? '; until then only one side is heard at a time' : ''}.`);
  }
  const canceller = speex === undefined || echo === 'gate' || echo === 'off' ? undefined : createCanceller(speex, FRAME, TAIL, RATE_HZ);
  const suppressor = speex === undefined || (echo !== 'full' && !noise) ? undefined
    : createSuppressor(speex, echo === 'full' ? canceller : undefined, FRAME, RATE_HZ, { noiseDb: noise ? NOISE_DB : 0, ...REST });
  const control = echo === 'off' ? undefined : new EchoControl(periodFrames, canceller, suppressor);
  const own = new Path(options.micGain ? SENT : undefined), far = new Path(options.even ? HEARD : undefined);
  const frame = new Int16Array(FRAME);
  let reports = 0, longest = 0, xruns = -1, reopened = 0, running = true;

  return {
    captured(samples, count) {
      for (let at = 0; at + FRAME <= count; at += FRAME) {
        if (control !== undefined || suppressor !== undefined) {
          for (let i = 0; i < FRAME; i++) frame[i] = samples[at + i]!;
          if (control === undefined) suppressor?.run(frame);
          else control.captured(frame);
          for (let i = 0; i < FRAME; i++) samples[at + i] = frame[i]!;
        }
        own.run(samples, at, control?.farSpeaks !== true); // what is left of an echo is nobody's voice
      }
    },
    heard(samples, count) {
      for (let at = 0; at + FRAME <= count; at += FRAME) far.run(samples, at, true);
    },
    played(samples, count) {
      if (control === undefined) return;
      for (let at = 0; at + FRAME <= count; at += FRAME) {
        for (let i = 0; i < FRAME; i++) frame[i] = samples[at + i]!;
        if (control.played(frame)) for (let i = 0; i < FRAME; i++) samples[at + i] = frame[i]!;
      }
    },
    card(status) {
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
      spoken: own.level(), heard: far.level(),
    }),
    close() {
      suppressor?.close();
      canceller?.close();
    },
  };
}

/** One direction's voice: measured, and brought near an aim where there is one. */
class Path {
  readonly #voice = new Voice();
  readonly #leveller: Leveller | undefined;
  readonly #limiter = new Limiter();
  readonly #louder = new Float32Array(FRAME);
  readonly #frame = new Int16Array(FRAME);

  constructor(aim: Aim | undefined) {
    this.#leveller = aim === undefined ? undefined : new Leveller(aim);
  }

  run(samples: Int16Array, from: number, speech: boolean): void {
    const voice = this.#voice, leveller = this.#leveller;
    if (speech) voice.take(samples, from, FRAME);
    if (leveller === undefined) return;
    const factor = speech ? leveller.follow(voice) : leveller.factor;
    if (factor === 1) return;
    const louder = this.#louder, frame = this.#frame;
    for (let i = 0; i < FRAME; i++) louder[i] = samples[from + i]! * factor;
    this.#limiter.run(louder, frame, FRAME);
    for (let i = 0; i < FRAME; i++) samples[from + i] = frame[i]!;
  }

  level(): { readonly peakDb: number; readonly activeDb: number; readonly gainDb: number } {
    return { peakDb: this.#voice.peakDb, activeDb: this.#voice.activeDb, gainDb: this.#leveller?.gainDb ?? 0 };
  }
}
