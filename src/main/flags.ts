// V8 is told that this program is small and long-lived. Imported first, before anything is compiled.
//
// A telephone does little, again and again: code that ran a few hundred times is not worth keeping in three forms. Machine code and type feedback
// are made only for what really is hot (the media loop, the message index), which still reaches the optimising compiler. Without
// these three the core's heap holds 1.3 MB of compiled code after a thousand calls (npm run budget).

import { setFlagsFromString } from 'node:v8';

for (const flag of ['--no-sparkplug', '--interrupt-budget=2000000', '--interrupt-budget-factor-for-feedback-allocation=400']) setFlagsFromString(flag);
