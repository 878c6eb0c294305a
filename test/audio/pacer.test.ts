import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/ports/clock.ts';
import { CATCH_UP_MS, pace } from '../../src/audio/pacer.ts';
import { FakeClock } from '../fakes/clock.ts';

/** A clock whose timers go off late by what `lateness` says, as those of a busy machine do. */
function lateClock(inner: FakeClock, lateness: () => number): Clock {
  return { now: () => inner.now(), wall: () => inner.wall(), after: (ms, due) => inner.after(ms + lateness(), due) };
}

describe('pace', () => {
  test('periods come at exact multiples of the period', () => {
    const clock = new FakeClock();
    const at: number[] = [];
    const stop = pace(clock, 160, 16_000, () => at.push(clock.now()));
    clock.advance(50);
    expect(at).toEqual([10, 20, 30, 40, 50]);
    stop();
    expect(clock.pending).toBe(0);
  });

  test('late timers never add up to drift', () => {
    const clock = new FakeClock();
    let turn = 0;
    let periods = 0;
    pace(lateClock(clock, () => (turn++ % 7)), 320, 16_000, () => periods++);
    clock.advance(3_600_000);
    expect(periods).toBeGreaterThanOrEqual(180_000 - 1);
    expect(periods).toBeLessThanOrEqual(180_000);
  });

  test('a period that is no whole number of milliseconds keeps its rate', () => {
    const clock = new FakeClock();
    let periods = 0;
    pace(clock, 1_024, 48_000, () => periods++);
    clock.advance(60_000);
    expect(periods).toBe(Math.floor((60 * 48_000) / 1_024));
  });

  test('a stall is caught up at once, but never more than the bound', () => {
    const clock = new FakeClock();
    let late = 200;
    let periods = 0;
    pace(lateClock(clock, () => late), 160, 16_000, () => periods++);
    clock.advance(210);
    expect(periods).toBe(21);
    late = 10_000;
    clock.advance(20 + 10_000 + 210);
    late = 0;
    periods = 0;
    clock.advance(10_000);
    expect(periods).toBeLessThanOrEqual((10_000 + CATCH_UP_MS) / 10);
  });

  test('stopping from inside a period ends the burst', () => {
    const clock = new FakeClock();
    let periods = 0;
    const stop = pace(lateClock(clock, () => 100), 160, 16_000, () => { periods++; stop(); });
    clock.advance(1_000);
    expect(periods).toBe(1);
    expect(clock.pending).toBe(0);
  });
});
