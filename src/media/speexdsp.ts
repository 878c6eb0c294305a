// libspeexdsp.so.1 (Debian package libspeexdsp1) through koffi: every prototype the phone uses, and its echo canceller and suppressor as
// objects. The library and koffi are loaded on first use. Frames have one length, checked before they reach C.

import { createRequire } from 'node:module';

type Koffi = typeof import('koffi');
type Pointer = unknown;

/** libspeexdsp as koffi calls it. */
export interface SpeexLibrary {
  readonly echoInit: (frame: number, tail: number) => Pointer;
  readonly echoDestroy: (state: Pointer) => void;
  readonly echoReset: (state: Pointer) => void;
  readonly echoCtl: (state: Pointer, request: number, value: Int32Array) => number;
  readonly echoCancel: (state: Pointer, captured: Int16Array, reference: Int16Array, out: Int16Array) => void;
  readonly preInit: (frame: number, rateHz: number) => Pointer;
  readonly preDestroy: (state: Pointer) => void;
  readonly preCtl: (state: Pointer, request: number, value: Int32Array) => number;
  readonly preLink: (state: Pointer, request: number, echo: Pointer) => number;
  readonly preRun: (state: Pointer, samples: Int16Array) => number;
}

/** Requests of speex_echo.h and speex_preprocess.h. */
const ECHO_RATE = 24;
const PRE = { noiseDb: 18, echoDb: 20, echoActiveDb: 22, echoState: 24 } as const;

let bound: SpeexLibrary | null | undefined;

/** The library, loaded once; undefined when the package libspeexdsp1 (or koffi for this machine) is not there. */
export function bindSpeexdsp(): SpeexLibrary | undefined {
  if (bound === undefined) {
    try {
      const koffi = createRequire(import.meta.url)('koffi') as Koffi;
      const library = koffi.load('libspeexdsp.so.1');
      const func = (prototype: string) => library.func(prototype);
      bound = {
        echoInit: func('void *speex_echo_state_init(int frame, int tail)'),
        echoDestroy: func('void speex_echo_state_destroy(void *state)'),
        echoReset: func('void speex_echo_state_reset(void *state)'),
        echoCtl: func('int speex_echo_ctl(void *state, int request, void *value)'),
        echoCancel: func('void speex_echo_cancellation(void *state, void *captured, void *reference, void *out)'),
        preInit: func('void *speex_preprocess_state_init(int frame, int rate)'),
        preDestroy: func('void speex_preprocess_state_destroy(void *state)'),
        preCtl: func('int speex_preprocess_ctl(void *state, int request, void *value)'),
        preLink: func('int speex_preprocess_ctl(void *state, int request, void *value)'),
        preRun: func('int speex_preprocess_run(void *state, void *samples)'),
      };
    } catch {
      bound = null; // its absence is the answer; whoever wanted it says so
    }
  }
  return bound ?? undefined;
}

/** An adaptive filter that takes from the microphone what comes of the reference: multidelay block, variable step, two paths. No delay. */
export interface Canceller {
  /** Put what is left of `captured` into `out`; three frames of the length given at its making. */
  cancel(captured: Int16Array, reference: Int16Array, out: Int16Array): void;
  /** Forget the room. */
  reset(): void;
  /** For a suppressor's making. */
  readonly state: Pointer;
  /** Frees it; afterwards nothing is done to frames. */
  close(): void;
}

export function createCanceller(speex: SpeexLibrary, frame: number, tail: number, rateHz: number): Canceller {
  let state = speex.echoInit(frame, tail);
  speex.echoCtl(state, ECHO_RATE, Int32Array.of(rateHz));
  return {
    state,
    cancel(captured, reference, out) {
      if (state !== null && captured.length === frame && reference.length === frame && out.length === frame) speex.echoCancel(state, captured, reference, out);
    },
    reset() {
      if (state !== null) speex.echoReset(state);
    },
    close() {
      if (state !== null) speex.echoDestroy(state);
      state = null;
    },
  };
}

export interface SuppressorOptions {
  /** How much is taken off steady noise; 0 leaves it. */
  readonly noiseDb: number;
  /** How much may be taken off what the canceller left, alone and while somebody speaks. */
  readonly echoDb: number;
  readonly echoActiveDb: number;
}

/** A spectral suppressor of noise and of what a canceller left over. Delays by one frame. */
export interface Suppressor {
  run(samples: Int16Array): void;
  close(): void;
}

/** `canceller` must outlive it. */
export function createSuppressor(speex: SpeexLibrary, canceller: Canceller | undefined, frame: number, rateHz: number, options: SuppressorOptions): Suppressor {
  let state = speex.preInit(frame, rateHz);
  const set = (request: number, value: number) => speex.preCtl(state, request, Int32Array.of(value));
  set(PRE.noiseDb, -options.noiseDb);
  if (canceller !== undefined) {
    speex.preLink(state, PRE.echoState, canceller.state);
    set(PRE.echoDb, -options.echoDb);
    set(PRE.echoActiveDb, -options.echoActiveDb);
  }
  return {
    run(samples) {
      if (state !== null && samples.length === frame) speex.preRun(state, samples);
    },
    close() {
      if (state !== null) speex.preDestroy(state);
      state = null;
    },
  };
}
