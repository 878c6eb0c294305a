#!/usr/bin/env node
// node test/bench/quality.js [options]: how speech sounds after a bad network, at what delay: our phone (dist/, in a process of its own) and Debian's
// baresip, each on a clocked test card, given the same packets at the same instants. Score by test/quality/score.ts (PESQ's scale). Prints; never fails a build.
//
//   --offline          only our receive path, in simulated time: seconds instead of minutes, and the same figures every time
//   --traces a,b       clean rand3 rand10 burst3 jitter wifigood wifibusy wifibad spikes reorder step (all of these unless told), fast slow fast2k slow2k even40, or files
//   --codecs a,b       PCMU, opus; both unless told
//   --seconds 42       of speech, six voices in turn; 80 at most for real calls
//   --seeds 1,2        of the traces; 1 unless told
//   --together 2       so many traces at a time (real calls)
//   --period 20        of our card, 10 or 20 ms (its default)
//   --min, --max       our limits of delay in ms, offline
//   --keep FOLDER      keep what was said and heard as WAV files
//   --write FOLDER     only write the traces as files
//
// Node scripts/build.js first. Added delay: 0 is a packet whose first sample sounds at the instant that the packet is sent. Real calls include the card.

import { register } from 'node:module';

register('./typescript.js', import.meta.url);
const { run } = await import('./quality-run.ts');
await run(process.argv.slice(2));
