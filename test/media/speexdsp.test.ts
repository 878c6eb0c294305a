import { expect, test } from 'vitest';
import { bindSpeexdsp, createCanceller, createSuppressor } from '../../src/media/speexdsp.ts';
import { levelOf, noise } from './acoustics.ts';

const library = bindSpeexdsp();
if (library === undefined) throw new Error('these tests run the real libspeexdsp.so.1: apt-get install libspeexdsp1');
const FRAME = 160, HZ = 16_000;

/** Noise at -30 dBov, its echo of half the size 40 samples later. */
function rooms(frames: number, each: (captured: Int16Array, reference: Int16Array, frame: number) => void): void {
  const random = noise(1), past = new Float64Array(FRAME + 40);
  for (let f = 0; f < frames; f++) {
    past.copyWithin(0, FRAME);
    for (let i = 0; i < FRAME; i++) past[40 + i] = 1036 * random();
    each(Int16Array.from(past.subarray(0, FRAME), (x) => x / 2), Int16Array.from(past.subarray(40)), f);
  }
}

test('the canceller takes a simple echo off by more than 30 dB within 2 s, and forgets it when told', () => {
  const canceller = createCanceller(library, FRAME, 1024, HZ), out = new Int16Array(FRAME);
  const left: number[] = [], heard: number[] = [];
  rooms(300, (captured, reference, frame) => {
    if (frame === 250) canceller.reset();
    canceller.cancel(captured, reference, out);
    heard.push(levelOf(captured));
    left.push(levelOf(out));
  });
  const gain = (from: number, to: number) => heard.slice(from, to).reduce((a, b) => a + b, 0) / (to - from) - left.slice(from, to).reduce((a, b) => a + b, 0) / (to - from);
  expect(gain(200, 250)).toBeGreaterThan(30);
  expect(gain(250, 252)).toBeLessThan(3);
  canceller.close();
});

test('the suppressor takes steady noise down by what it is told', () => {
  for (const [noiseDb, least, most] of [[6, 4, 8], [20, 14, 24]] as const) {
    const suppressor = createSuppressor(library, undefined, FRAME, HZ, { noiseDb, echoDb: 40, echoActiveDb: 8 }), random = noise(2);
    let before = 0, after = 0;
    for (let f = 0; f < 400; f++) {
      const frame = Int16Array.from({ length: FRAME }, () => 300 * random());
      if (f >= 300) before += levelOf(frame) / 100;
      suppressor.run(frame);
      if (f >= 300) after += levelOf(frame) / 100;
    }
    expect(before - after).toBeGreaterThan(least);
    expect(before - after).toBeLessThan(most);
    suppressor.close();
  }
});

test('frames of another length and those after the end never reach the library', () => {
  const canceller = createCanceller(library, FRAME, 1024, HZ), suppressor = createSuppressor(library, canceller, FRAME, HZ, { noiseDb: 12, echoDb: 40, echoActiveDb: 8 });
  const ones = new Int16Array(FRAME).fill(1), out = new Int16Array(FRAME).fill(7);
  canceller.cancel(new Int16Array(80), ones, out);
  canceller.cancel(ones, new Int16Array(0), out);
  canceller.cancel(ones, ones, new Int16Array(159));
  suppressor.run(new Int16Array(161));
  suppressor.close();
  canceller.close();
  canceller.cancel(ones, ones, out);
  canceller.reset();
  suppressor.run(ones);
  suppressor.close();
  canceller.close();
  expect([out.every((x) => x === 7), ones.every((x) => x === 1)]).toEqual([true, true]);
});
