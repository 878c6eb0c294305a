// V8 is told that this program is small and long-lived. Imported after the parts of Node.js that are needed (main.ts), before anything of ours.
//
// A telephone does little, again and again. By itself V8 keeps code that ran a few times in three forms: bytecode, baseline machine code with type
// feedback, optimised machine code; after a thousand calls that is 1.4 MB more than the bytecode alone (npm run budget, with and
// without these lines). Here the baseline compiler is off (57 kB), and feedback and machine code wait until code is really hot. Signalling gets
// there after tens of thousands of requests; until then it answers 4,000 to 7,500 OPTIONS/s, where V8's own settings give 16,000. The loops of
// a call would need a minute: the media thread has them compiled before the first one, see rehearsal.ts, so that a G.711 call costs
// what it costs under V8's own settings from its first second on (61 ticks in 20 s against 58, side by side).

import { setFlagsFromString } from 'node:v8';

const set = (...flags: readonly string[]): void => { for (const flag of flags) setFlagsFromString(flag); };
/** Newer engines count calls where V8 11 (Node.js 20) counts bytes of bytecode run; both scale with a function's size. */
const counts = Number.parseInt(process.versions.v8, 10) >= 12;
const feedbackAfter = counts ? '--invocation-count-for-feedback-allocation=' : '--interrupt-budget-factor-for-feedback-allocation=';
const optimiseAfter = (times: number): string => (counts ? `--invocation-count-for-turbofan=${3_000 * times}` : `--interrupt-budget=${67_584 * times}`);

/** Code that loops is compiled at once. For the whole process, both threads, as all of these. */
export const compileSoon = (): void => set(`${feedbackAfter}20000`, optimiseAfter(1));
/** Code is compiled when it is really hot. */
export const compileLate = (): void => set(`${feedbackAfter}30000`, optimiseAfter(44));

set('--no-sparkplug', '--regexp-interpret-all', ...(counts ? ['--no-maglev'] : []));
compileLate();
