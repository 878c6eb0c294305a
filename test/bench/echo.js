#!/usr/bin/env node
// node test/bench/echo.js [voice.wav ...]: what is left of an echo in a synthetic room, how near speech fares, and what it costs. A voice
// through a room of 128 ms, 26 s alone, 12 s with somebody speaking over it, then another room. With two WAV files (16 bits, 16 kHz, mono) they
// are the voices, far and near; otherwise both are made up. Needs libspeexdsp1. Prints; never fails a build.

import { build } from 'esbuild';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = mkdtempSync(join(here, '../../build/echo-'));
const outfile = join(folder, 'work.mjs');
await build({ entryPoints: [join(here, 'echo-work.ts')], outfile, bundle: true, platform: 'node', format: 'esm', external: ['koffi'], logLevel: 'error' });
const { experiment, TIMES } = await import(pathToFileURL(outfile).href);

/** A file as often as it takes. */
function voice(path) {
  const bytes = readFileSync(path), at = bytes.indexOf('data') + 8;
  const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + bytes.length - ((bytes.length - at) & 1)));
  return (seconds, dbov) => {
    let loud = 0, power = 0;
    for (const x of samples) if (Math.abs(x) > 100) [loud, power] = [loud + 1, power + x * x];
    const scale = 32_768 * 10 ** (dbov / 20) / Math.sqrt(power / loud);
    return Float64Array.from({ length: seconds * 16_000 }, (_, i) => samples[i % samples.length] * scale);
  };
}
const [far, near] = process.argv.slice(2).map(voice);
const voices = far === undefined ? {} : { far, near: near ?? far };

const rows = [
  ['plain: echo as loud as near speech, RT60 0.25 s', {}],
  ['periods of 10 ms', { period: 160 }],
  ['echo 12 dB quieter', { lossDb: 12 }],
  ['echo 6 dB louder, RT60 0.4 s', { lossDb: -6, rt60S: 0.4 }],
  ['noise at -60 dBov', { noiseDbov: -60 }],
  ['the loudspeaker clips softly', { clips: true }],
  ['60 ms that the card does not tell of', { delayMs: 60 }],
  ['50 ppm between the clocks', { ppm: 50 }],
];
const db = (x) => x.toFixed(1).padStart(6);
process.stdout.write(`Echo loss in dB, of the canceller alone / with post-filter and switched loss; near: gain of near speech in double talk, dB
${'circumstances'.padEnd(48)} | 0 to 5 s      | 5 to ${TIMES.over} s     | new room 0-5 s | later          | conv. | again | near          | us/10 ms\n`);
const line = (name, r) => {
  const span = (from, to) => `${db(r.filterErle(from, to))} /${db(r.erle(from, to))}`;
  const { over, change, end } = TIMES;
  process.stdout.write(`${name.padEnd(48)} | ${span(0, 5)} | ${span(5, over)} | ${span(change, change + 5)} | ${span(change + 5, end)} | ${r.convergedS.toFixed(1).padStart(5)} | ${r.againS.toFixed(1).padStart(5)} | ${r.filterNearDb.toFixed(2)} / ${r.nearDb.toFixed(2)} | ${r.us.toFixed(0)}\n`);
};
for (const [name, change] of rows) line(name, experiment('all', change, voices));
line('half-duplex gate, no canceller', experiment('gate', {}, voices));
rmSync(folder, { recursive: true, force: true });
