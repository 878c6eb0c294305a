import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { burstRatio, gradeOf, LossCounter, opinionOf, wordOf } from '../../src/media/quality.ts';

/** A counter that was told of `count` packets from `from` on, without those for which `gone` holds. */
function told(count: number, gone: (i: number) => boolean, late: (i: number) => boolean = () => false, from = 0): LossCounter {
  const counter = new LossCounter();
  for (let i = 0; i < count; i++) if (!gone(i)) counter.packet((from + i) & 0xffff, late(i));
  return counter;
}

describe('bursts and gaps (RFC 3611 §4.7.2)', () => {
  test('nothing lost is one gap', () => {
    expect(told(1_064, () => false).shape(20)).toEqual({ lost: 0, discarded: 0, burstDensity: 0, gapDensity: 0, burstMs: 0, gapMs: 20_000 });
  });

  test('single losses far apart are the gap\'s, and no burst', () => {
    const shape = told(2_064, (i) => i % 100 === 50).shape(20);
    expect(shape.lost).toBeCloseTo(0.01, 2);
    expect(shape.gapDensity).toBeCloseTo(0.01, 2);
    expect(shape.burstDensity).toBe(0);
  });

  test('losses less than 16 packets apart are one burst, as dense as they are', () => {
    // 40 packets of which every second is lost, then 960 good ones
    const shape = told(10_064, (i) => i % 1_000 < 40 && i % 2 === 0).shape(20);
    expect(shape.burstDensity).toBeGreaterThan(0.45);
    expect(shape.burstDensity).toBeLessThan(0.6);
    expect(shape.burstMs).toBeGreaterThan(600);
    expect(shape.burstMs).toBeLessThan(1_000);
    expect(shape.gapMs).toBeGreaterThan(17_000);
    expect(shape.gapMs).toBeLessThan(22_000);
  });

  test('a long outage is a burst of density one', () => {
    const shape = told(3_064, (i) => i >= 1_000 && i < 1_030).shape(20);
    expect(shape.burstDensity).toBeGreaterThan(0.9);
    expect(shape.lost).toBeCloseTo(0.01, 3);
  });

  test('what came too late is discarded, not lost; what came out of order is neither', () => {
    const shape = told(1_064, () => false, (i) => i % 50 === 10).shape(20);
    expect(shape.lost).toBe(0);
    expect(shape.discarded).toBeCloseTo(0.02, 2);
    const counter = new LossCounter();
    for (let i = 0; i < 1_064; i += 2) for (const j of [i + 1, i]) counter.packet(j, false);
    expect(counter.shape(20)).toMatchObject({ lost: 0, discarded: 0 });
  });

  test('sequence numbers wrap', () => {
    expect(told(2_064, (i) => i % 100 === 50, undefined, 65_000).shape(20).lost).toBeCloseTo(0.01, 2);
  });

  test('a sender that starts over loses nothing by it', () => {
    const counter = told(500, () => false);
    for (let i = 0; i < 500; i++) counter.packet((40_000 + i) & 0xffff, false);
    expect(counter.shape(20).lost).toBe(0);
  });

  test('any sequence of packets gives shares within 0 and 1 and lengths that are not negative', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 65_535 }), fc.integer({ min: 1, max: 40 }), fc.boolean())), (runs) => {
      const counter = new LossCounter();
      for (const [from, many, late] of runs) for (let i = 0; i < many; i++) counter.packet((from + i) & 0xffff, late && i % 3 === 0);
      const shape = counter.shape(20);
      for (const part of [shape.lost, shape.discarded, shape.burstDensity, shape.gapDensity]) if (!(part >= 0 && part <= 1)) return false;
      return shape.burstMs >= 0 && shape.gapMs >= 0 && burstRatio(shape) >= 1;
    }), { numRuns: 300 });
  });
});

describe('the E-model (G.107)', () => {
  test.each([
    ['nothing lost and no delay', 0, 0, 93.2, 4.41],
    ['200 ms from mouth to ear', 0, 200, 90.2, 4.34],
    ['250 ms', 0, 250, 84.3, 4.2],
    ['1 % of random loss', 1, 0, 89.6, 4.33],
    ['5 %', 5, 0, 77.4, 3.93],
  ])('%s', (_, loss, delay, r, mos) => {
    const opinion = opinionOf(loss, 1, delay);
    expect(opinion.r).toBeCloseTo(r, 0);
    expect(opinion.mosCq).toBeCloseTo(mos, 1);
  });

  test('loss in bursts is worse than as much of it by chance', () => {
    expect(opinionOf(10, 3, 0).r).toBeLessThan(opinionOf(10, 1, 0).r - 5);
  });

  test('delay spoils conversation, not listening', () => {
    const far = opinionOf(0, 1, 400);
    expect(far.mosLq).toBeCloseTo(4.41, 1);
    expect(far.mosCq).toBeLessThan(3.8);
  });

  test('all lost is 1', () => {
    expect(opinionOf(100, 4, 500)).toMatchObject({ r: 0, mosCq: 1 });
  });

  test.each([ // the best a codec can do: 93.2 of the telephone's band, 129 of the whole voice less what the coding takes, by 1.29
    ['PCMA', 93.2, 4.41],
    ['G722', 89.9, 4.34],
    ['opus', 96.1, 4.46],
    ['L16', 100, 4.5],
  ])('%s with nothing wrong (G.107 §7.7, G.107.1 §7)', (codec, r, mos) => {
    const best = opinionOf(0, 1, 0, gradeOf(codec));
    expect(best.r).toBeCloseTo(r, 1);
    expect(best.mosCq).toBeCloseTo(mos, 2);
    expect(wordOf(best, gradeOf(codec))).toBe('very good');
  });

  test.each(['PCMU', 'G722', 'opus', 'L16'])('%s: loss and delay take it from very good to bad, step by step', (codec) => {
    const grade = gradeOf(codec), words = [0, 2, 5, 10, 15, 40].map((loss) => wordOf(opinionOf(loss, 1, 0, grade), grade));
    const order = ['very good', 'good', 'fair', 'poor', 'bad'];
    expect(words[0]).toBe('very good');
    expect(words.at(-1)).toBe('bad');
    expect(words.map((word) => order.indexOf(word))).toEqual([...words.map((word) => order.indexOf(word))].sort());
    expect(wordOf(opinionOf(0, 1, 600, grade), grade)).not.toMatch(/good/);
    expect([2, 5, 20].map((loss) => wordOf(opinionOf(loss, 1, 0, grade), grade))).toEqual(['good', 'fair', 'bad']); // the same with each
  });
});
