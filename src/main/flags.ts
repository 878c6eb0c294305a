// V8 is told that this program is small and long-lived. Imported after the parts of Node.js that are needed (main.ts), before anything of ours.
//
// A telephone does little, again and again. By itself V8 keeps code that ran a few times in three forms: bytecode, baseline machine code with type
// feedback, optimised machine code; after a thousand calls that is 1.4 MB more than the bytecode alone (npm run budget, with and
// without these lines). Here the baseline compiler is off (57 kB), and feedback and machine code wait until code is really hot. Signalling gets
// there after tens of thousands of requests; until then it answers 4,000 to 7,500 OPTIONS/s, where V8's own settings give 16,000. The loops of
// a call would need a minute: the media thread has them compiled before the first one (rehearsal.ts), and what serves cards and sockets, which is not
// of the core. What else runs once a period stays interpreted, so that a G.711 call takes a quarter to a half more CPU than under V8's own settings (2.2 to
// 2.7 times baresip's against 1.8, single runs): compiled as well it would be 40 kB of the core's heap.

import { setFlagsFromString } from 'node:v8';

const set = (...flags: readonly string[]): void => setFlagsFromString(flags.join(' '));
/** Newer engines count calls where V8 11 (Node.js 20) counts bytes of bytecode run; both scale with a function's size. */
const counts = Number.parseInt(process.versions.v8, 10) >= 12;
const feedbackAfter = counts ? '--invocation-count-for-feedback-allocation=' : '--interrupt-budget-factor-for-feedback-allocation=';
const optimiseAfter = (times: number): string => (counts ? `--invocation-count-for-turbofan=${Math.round(3_000 * times)}` : `--interrupt-budget=${Math.round(67_584 * times)}`);

/** Code that runs a few times is compiled, as under V8's own settings. For the whole process, both threads, as all of these. */
export const compileAtOnce = (): void => set(`${feedbackAfter}8`, optimiseAfter(0.3));
/** Code that loops is compiled at once. */
export const compileSoon = (): void => set(`${feedbackAfter}20000`, optimiseAfter(1));
/** Code is compiled when it is really hot. */
export const compileLate = (): void => set(`${feedbackAfter}30000`, optimiseAfter(44));

/** Whole collections after which V8 drops the bytecode of a function that has not run since: its own number. */
const OLD_AGE = 5;
/** Garbage between two turns of the event loop: well under a millisecond's worth. */
const LUMPS = 200;
const LUMP_BYTES = 64;
const MOST_TURNS = 2_000;

/**
 * Drops the code of functions that no longer run: what only the start needed. V8 does so by itself as it collects garbage, of which a
 * telephone at rest makes none for hours: here four whole collections are brought about, each some 5 ms, with a turn of the event loop after
 * each lump of garbage. What is wanted again is compiled again. For the main thread once it is at rest; the media thread makes too little
 * garbage to collect anything meanwhile, and keeps what it compiled for a call.
 */
export async function dropOldCode(turn: () => Promise<void>): Promise<void> {
  let collections = 0;
  const seen = new FinalizationRegistry(() => {
    collections++;
    seen.register({}, undefined);
  });
  seen.register({}, undefined);
  set('--gc-global', '--bytecode-old-age=2');
  for (let turns = 0; collections < 4 && turns < MOST_TURNS; turns++) {
    for (let i = 0; i < LUMPS; i++) new Uint8Array(LUMP_BYTES).subarray(1);
    await turn();
  }
  set('--no-gc-global', `--bytecode-old-age=${OLD_AGE}`);
}

// Nor does V8 look every 8 s for as long as a thread lives whether garbage might have gathered: the media thread would be woken for nothing.
set('--no-memory-reducer', '--no-compilation-cache', '--no-sparkplug', '--regexp-interpret-all', ...(counts ? ['--no-maglev'] : []));
compileLate();
