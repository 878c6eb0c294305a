import { describe, expect, test } from 'vitest';
import { ELEVEN, arrivalsOf, figuresOf, makeTrace, profiles, readTrace, writeTrace, type ProfileName } from './traces.ts';

const trace = (name: ProfileName, seed = 1, seconds = 600) => makeTrace(name, { seconds, seed });

describe('generated traces', () => {
  test('the same seed gives the same trace, another seed another', () => {
    expect(trace('wifibad', 3, 20)).toEqual(trace('wifibad', 3, 20));
    expect(trace('wifibad', 3, 20)).not.toEqual(trace('wifibad', 4, 20));
  });

  // loss in percent, packets lost in a row, delays p50/p95/p99/max in ms; ten minutes each
  test.each([
    ['clean', 0, 0, 0, 0, 0], ['rand3', 3, 1, 0, 0, 0], ['rand10', 10, 1.1, 0, 0, 0], ['burst3', 4.6, 4.7, 0, 0, 0], ['jitter', 0, 0, 5, 21, 33],
    ['wifigood', 0.4, 1.3, 1, 5, 8], ['wifibusy', 2.8, 2.2, 3, 12, 40], ['wifibad', 8, 3.3, 7, 45, 104], ['spikes', 0, 0, 1, 5, 112], ['reorder', 0, 0, 1, 26, 57], ['step', 0, 0, 1, 82, 84],
  ] as const)('%s: %f %% lost, %f in a row, delays %f/%f/%f ms', (name, loss, run, p50, p95, p99) => {
    const figures = figuresOf(trace(name));
    expect(Math.abs(figures.lossPercent - loss)).toBeLessThanOrEqual(0.2 * loss);
    expect(Math.abs(figures.lossRun - run)).toBeLessThanOrEqual(0.2 * run);
    for (const [i, due] of [p50, p95, p99].entries()) expect(Math.abs(figures.delayMs[i]! - due)).toBeLessThanOrEqual(2 + 0.2 * due);
  });

  test('only reorder and wifibad put packets out of order or double them', () => {
    for (const name of ELEVEN) {
      const { reorderedPercent, doubledPercent } = figuresOf(trace(name));
      if (name === 'reorder') expect([reorderedPercent, doubledPercent].map(Math.round)).toEqual([5, 2]);
      else if (name === 'wifibad') expect(reorderedPercent * doubledPercent).toBeGreaterThan(0.05);
      else expect([name, reorderedPercent, doubledPercent]).toEqual([name, 0, 0]);
    }
  });

  test('a fast sender sends 200 ppm more packets, and they are sent by the receiver\'s clock', () => {
    const fast = makeTrace('fast2k', { seconds: 60 }), slow = makeTrace('slow2k', { seconds: 60 });
    expect([fast.packets.length, slow.packets.length]).toEqual([3_006, 2_994]);
    expect(fast.packets[1_002]!.sentMs).toBeCloseTo(20_000, 2);
  });

  test('no packet comes before it was sent, and the first one comes', () => {
    for (const name of Object.keys(profiles) as ProfileName[]) {
      const { packets } = trace(name, 5, 60);
      expect(packets[0]!.arrivalMs).toBeDefined();
      expect(packets.filter((p) => p.arrivalMs !== undefined && p.arrivalMs < p.sentMs)).toEqual([]);
    }
  });
});

describe('files', () => {
  test('what was written is read', () => {
    const made = trace('wifibad', 2, 20);
    expect(readTrace(writeTrace(made))).toEqual(made);
  });

  test('a captured trace may have comments, gaps in its numbers and times before the first arrival', () => {
    const read = readTrace('offhook trace 1\n# a Pi in the kitchen\nname kitchen\nptime 30\n7 -3.5 0\n8 26.5 lost\n10 86.5 91.25 91.5\n');
    expect(read).toEqual({ name: 'kitchen', ptimeMs: 30, packets: [
      { sequence: 7, sentMs: -3.5, arrivalMs: 0, againMs: [] }, { sequence: 8, sentMs: 26.5, arrivalMs: undefined, againMs: [] }, { sequence: 10, sentMs: 86.5, arrivalMs: 91.25, againMs: [91.5] },
    ] });
    if (typeof read !== 'string') expect(arrivalsOf(read).map((a) => a.sequence)).toEqual([7, 10, 10]);
  });

  test.each([
    ['', /begin/], ['offhook trace 1\n', /no packets/], ['offhook trace 1\n1 x 3\n', /"1 x 3"/], ['offhook trace 1\n1 0 0\n1 20 20\n', /must rise/], ['offhook trace 1\nptime 0\n1 0 0\n', /no packets/],
  ])('%j is refused with a sentence', (text, why) => {
    expect(readTrace(text)).toMatch(why);
  });
});
