#!/usr/bin/env node
// node test/bench/delay.js [seconds a run, 20]: milliseconds from RTP in to RTP out, through a phone whose earpiece is looped into its microphone: our phone
// (dist/) with card periods of 10 and of 20 ms, and Debian's baresip as it comes and with its least jitter buffer, on the same packets at the same
// instants. Without jitter, and with anything from 0 to 40 ms. Prints; never fails a build. node scripts/build.js first.
//
// Each packet's sound is noise that no other has, so the delay of each is found by itself: from the instant that the packet arrives (its
// trace without jitter: is sent) to the instant that the packet leaves which holds the same sound's first sample, less the place of it in that packet. The 20 ms of a
// packet are in it.
// Bad frames are packets in whose place something else was heard.

import { register } from 'node:module';

register('./typescript.js', import.meta.url);
const { run } = await import('./delay-run.ts');
await run(Number(process.argv[2] ?? 20));
