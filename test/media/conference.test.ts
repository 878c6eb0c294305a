import { expect, test } from 'vitest';
import { Conference } from '../../src/media/conference.ts';
import type { Stream } from '../../src/media/stream.ts';

/** A stream that says one level and keeps the last thing it was told. */
function party(level: number, meets: boolean) {
  const told: number[] = [];
  const stream = {
    meets,
    hear: (out: Int16Array, count: number) => { out.fill(level, 0, count); },
    say: (samples: Int16Array, count: number) => { told.splice(0, told.length, ...samples.subarray(0, count)); },
  };
  return { stream: stream as unknown as Stream, told };
}

test('each of those who meet hears the microphone and the others, never himself', () => {
  const [a, b, c] = [party(1, true), party(10, true), party(100, true)];
  const mixed = new Float32Array(4);
  new Conference(4).beat([a.stream, b.stream, c.stream], new Int16Array(4).fill(1_000), mixed, 1, 4, 0);
  expect([...mixed]).toEqual([111, 111, 111, 111]);
  expect([a.told, b.told, c.told].map((told) => told[3])).toEqual([1_110, 1_101, 1_011]);
});

test('who does not meet hears the microphone alone, and is not heard by the others', () => {
  const [a, b, c] = [party(1, true), party(10, true), party(100, false)];
  new Conference(2).beat([a.stream, b.stream, c.stream], new Int16Array(2).fill(1_000), new Float32Array(2), 1, 2, 0);
  expect([a.told, b.told, c.told].map((told) => told[1])).toEqual([1_010, 1_001, 1_000]);
});

test('loud voices together are limited, not wrapped', () => {
  const [a, b] = [party(30_000, true), party(30_000, true)];
  new Conference(40).beat([a.stream, b.stream], new Int16Array(40).fill(30_000), new Float32Array(40), 1, 40, 0);
  for (const said of a.told) expect(said).toBeGreaterThan(25_000);
});
