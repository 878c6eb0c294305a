// V8 is told that this program is small and long-lived. Imported first, before anything is compiled.
//
// A telephone does little, again and again. By itself V8 keeps code that ran a few times in three forms: bytecode, baseline machine code with type
// feedback, optimised machine code; after a thousand calls that is 1.4 MB more than the bytecode alone (npm run budget, with and
// without these lines). Here the baseline compiler is off, and feedback and optimisation wait until code is really hot: the media loop gets there within
// seconds of a call, signalling after tens of thousands of requests.

import { setFlagsFromString } from 'node:v8';

for (const flag of ['--interrupt-budget-factor-for-feedback-allocation=30000', '--regexp-interpret-all']) setFlagsFromString(flag);
