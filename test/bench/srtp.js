#!/usr/bin/env node
// node test/bench/srtp.js: processor time to seal and to open one packet of sound, and what V8 must collect for it, for each suite.

import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const PACKETS = 30_000, ROUNDS = 5;
const source = `export * from '${fileURLToPath(new URL('../../src/media/srtp.ts', import.meta.url))}'; export * from '${fileURLToPath(new URL('../../src/media/srtp-suite.ts', import.meta.url))}';`;
const bundled = await build({ stdin: { contents: source, resolveDir: '.' }, bundle: true, write: false, platform: 'node', format: 'esm', target: 'node20' });
const { SUITES, SrtpReceiver, SrtpSender } = await import(`data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].contents).toString('base64')}`);

const least = (numbers) => Math.min(...numbers);
/** Microseconds of processor a turn. */
function cost(turn) {
  const { user, system } = process.cpuUsage();
  for (let i = 0; i < PACKETS; i++) turn(i);
  const after = process.cpuUsage();
  return (after.user - user + after.system - system) / PACKETS;
}

console.log(`G.711, 20 ms: 172 bytes a packet; the best of ${ROUNDS} rounds of ${PACKETS}\nsuite                          seal us  open us  heap bytes a seal, an open`);
for (const [suite, { keyBytes, saltBytes }] of Object.entries(SUITES)) {
  const master = Buffer.alloc(keyBytes + saltBytes, 1), seals = [], opens = [];
  let heap = ['', ''];
  for (let round = 0; round < ROUNDS; round++) {
    const sender = new SrtpSender(suite, master), receiver = new SrtpReceiver(suite, master), packet = new Uint8Array(172).fill(0x55);
    packet[0] = 0x80;
    const next = (i) => {
      packet[2] = i >> 8;
      packet[3] = i;
      return sender.protect(packet);
    };
    const sealed = Array.from({ length: PACKETS + 1_000 }, (_, i) => Buffer.from(next(i)));
    seals.push(cost((i) => next(PACKETS + 1_000 + i)));
    opens.push(cost((i) => receiver.unprotect(sealed[i])));
    if (receiver.forged + receiver.replayed > 0) throw new Error('a packet did not come through');
    if (globalThis.gc === undefined) continue;
    const grown = (turn) => {
      globalThis.gc();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < 500; i++) turn(i);
      return Math.round((process.memoryUsage().heapUsed - before) / 500);
    };
    heap = [grown((i) => next(2 * PACKETS + 1_000 + i)), grown((i) => receiver.unprotect(sealed[PACKETS + i]))];
  }
  console.log(`${suite.padEnd(30)} ${least(seals).toFixed(2).padStart(7)}  ${least(opens).toFixed(2).padStart(7)}  ${heap.join(', ')}`);
}
