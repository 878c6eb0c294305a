#!/usr/bin/env node
// node test/bench/sound-cpu.js [seconds of call, 60] [seconds of rest, 60]: CPU time of a whole phone process, all threads, in a G.711 and an Opus call
// with speech both ways on a clocked card, and at rest but registered; our phone (dist/) beside Debian's baresip on the same work at the same
// time. Milliseconds of CPU a minute. Prints; never fails a build. node scripts/build.js first.

import { register } from 'node:module';

register('./typescript.js', import.meta.url);
const { run } = await import('./sound-cpu-run.ts');
await run(Number(process.argv[2] ?? 60), Number(process.argv[3] ?? 60));
