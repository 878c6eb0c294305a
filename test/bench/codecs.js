#!/usr/bin/env node
// node test/bench/codecs.js [speech.wav, 16 kHz mono]: what 20 ms of sound cost in each codec, both ways, its bits and its error, beside
// libspandsp's G.711 and G.722 in the same run where that library is there. CPU time, the median of seven rounds.

import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bundle = async (source) => {
  const outfile = join(root, 'build', `bench-${source.replaceAll('/', '-')}.mjs`); // inside the tree, where koffi is found
  await build({ entryPoints: [join(root, source)], outfile, bundle: true, format: 'esm', platform: 'node', external: ['koffi', '@discordjs/opus'] });
  return import(pathToFileURL(outfile).href);
};
const { createCodec } = await bundle('src/media/codec.ts');
const { Doubler, Halver } = await bundle('src/media/resample.ts');

/** Speech, or something like it: harmonics of a gliding pitch, in syllables. */
function sound() {
  const path = process.argv[2];
  if (path !== undefined) {
    const bytes = readFileSync(path);
    return new Int16Array(bytes.buffer.slice(bytes.byteOffset + 44, bytes.byteOffset + bytes.length - (bytes.length & 1)));
  }
  return Int16Array.from({ length: 10 * 16_000 }, (_, i) => {
    const t = i / 16_000, phase = 2 * Math.PI * (120 * t + 3 * Math.sin(2 * Math.PI * 1.1 * t));
    let x = 0;
    for (let h = 1; h <= 50; h++) x += Math.sin(h * phase + h * h) / (1 + h / 3);
    return Math.round(1500 * x * (0.25 + 0.75 * Math.sin(2 * Math.PI * 2.3 * t) ** 2));
  });
}

const ROUNDS = 7;
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
/** Microseconds of CPU that `work(i)` takes, i from 0 to `times`. */
function cost(times, work) {
  const rounds = [];
  for (let round = -1; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < times; i++) work(i);
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) rounds.push((user + system) / times);
  }
  return median(rounds);
}
/** Error of `back` against `said` in dB, at the delay where it is least. */
function error(said, back) {
  let best = -Infinity;
  for (let delay = 0; delay < 300; delay++) {
    let signal = 0, noise = 0;
    for (let i = 3200; i + delay < back.length; i += delay === 0 ? 1 : 3) {
      signal += said[i] ** 2;
      noise += (said[i] - back[i + delay]) ** 2;
    }
    best = Math.max(best, 10 * Math.log10(signal / noise));
  }
  return best;
}

const wide = sound();
const narrow = new Int16Array(wide.length >> 1);
for (let at = 0, halver = new Halver(); at + 320 <= wide.length; at += 320) halver.run(wide.subarray(at, at + 320), 320, narrow, at >> 1);
const frames = Math.floor(wide.length / 320);
const cut = (pcm, length) => Array.from({ length: frames }, (_, i) => pcm.subarray(i * length, (i + 1) * length));

console.log('codec        bits/s   encode us   decode us   error dB   (20 ms packets)');
const row = (name, rate, encode, decode, snr) => console.log(`${name.padEnd(11)} ${rate.padStart(7)}  ${encode.toFixed(1).padStart(9)}   ${decode.toFixed(1).padStart(9)}   ${snr}`);
const table = [
  ['PCMU'], ['PCMA'], ['G722'], ['L16'],
  ['opus c5', 'opus', { opusBitrate: 32_000, opusComplexity: 5 }], ['opus c8', 'opus', { opusBitrate: 32_000, opusComplexity: 8 }],
  ['opus c5 fec', 'opus', { opusBitrate: 32_000, opusComplexity: 5 }, 'useinbandfec=1', 5], ['opus c8 fec', 'opus', { opusBitrate: 32_000, opusComplexity: 8 }, 'useinbandfec=1', 5],
];
for (const [title, name = title, options = {}, fmtp = '', loss = 0] of table) {
  const codec = createCodec({ name, payloadType: 0, fmtp }, options);
  codec.expectLoss?.(loss);
  const pcm = codec.rateHz === 8000 ? narrow : wide, length = codec.rateHz / 50, pieces = cut(pcm, length), back = new Int16Array(pcm.length);
  const payload = new Uint8Array(1500);
  let bytes = 0;
  const payloads = pieces.map((piece, i) => {
    const count = codec.encode(piece, payload);
    bytes += count;
    codec.decode(payload.subarray(0, count), back.subarray(i * length, (i + 1) * length));
    return payload.slice(0, count);
  });
  const out = new Int16Array(length);
  const encode = cost(frames * 4, (i) => codec.encode(pieces[i % frames], payload));
  const decode = cost(frames * 4, (i) => codec.decode(payloads[i % frames], out));
  row(title, Math.round(bytes * 8 / frames * 50 / 100) / 10 + 'k', encode, decode, error(pcm, back).toFixed(1).padStart(8));
  codec.close();
}
const halver = new Halver(), doubler = new Doubler(), wideFrames = cut(wide, 320), narrowFrames = cut(narrow, 160), room = new Int16Array(320);
row('16 <-> 8 kHz', '', cost(frames * 4, (i) => halver.run(wideFrames[i % frames], 320, room, 0)), cost(frames * 4, (i) => doubler.run(narrowFrames[i % frames], 160, room, 0)), '');

try {
  const spandsp = createRequire(import.meta.url)('koffi').load('libspandsp.so.2');
  const octets = Array.from({ length: frames }, () => new Uint8Array(160)), back = new Int16Array(320);
  for (const [name, library, pieces, law] of [['PCMU', 'g711', cut(narrow, 160), 1], ['PCMA', 'g711', cut(narrow, 160), 0], ['G722', 'g722', wideFrames, undefined]]) {
    let encode, decode;
    if (library === 'g722') {
      const made = spandsp.func('void *g722_encode_init(void *state, int rate, int options)')(null, 64_000, 0), open = spandsp.func('void *g722_decode_init(void *state, int rate, int options)')(null, 64_000, 0);
      const run = spandsp.func('int g722_encode(void *state, void *out, const void *in, int count)'), undo = spandsp.func('int g722_decode(void *state, void *out, const void *in, int count)');
      encode = (i) => run(made, octets[i], pieces[i], 320);
      decode = (i) => undo(open, back, octets[i], 160);
    } else {
      const made = spandsp.func('void *g711_init(void *state, int mode)')(null, law);
      const run = spandsp.func('int g711_encode(void *state, void *out, const void *in, int count)'), undo = spandsp.func('int g711_decode(void *state, void *out, const void *in, int count)');
      encode = (i) => run(made, octets[i], pieces[i], 160);
      decode = (i) => undo(made, back, octets[i], 160);
    }
    row(`${name} spandsp`, '64k', cost(frames * 4, (i) => encode(i % frames)), cost(frames * 4, (i) => decode(i % frames)), '');
  }
} catch (problem) {
  console.log(`libspandsp (Debian: libspandsp2) is not there: ${problem.message}`);
}
