import { expect, test } from 'vitest';
import { createPace } from '../../src/media/pace.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { FakeClock } from '../fakes/clock.ts';

test('beats keep to an absolute schedule, however late each alarm comes', () => {
  const clock = new FakeClock(), beats: number[] = [];
  const late: Clock = { now: () => clock.now(), wall: () => clock.wall(), after: (ms, due) => clock.after(ms + 7, due) };
  const pace = createPace(late, 20, () => beats.push(clock.now()));
  pace.start();
  clock.advance(10_000);
  expect(beats.length).toBeGreaterThanOrEqual(499);
  pace.stop();
  clock.advance(1000);
  expect(clock.pending).toBe(0);
});

test('beats missed are caught up, but a long standstill is not replayed', () => {
  const clock = new FakeClock();
  let hold = 0, beats = 0;
  const stalled: Clock = { now: () => clock.now(), wall: () => clock.wall(), after: (ms, due) => clock.after(ms + hold, due) };
  const pace = createPace(stalled, 20, () => beats++);
  pace.start();
  hold = 100;
  clock.advance(20);
  hold = 0;
  clock.advance(180);
  expect(beats).toBe(10);
  hold = 5000;
  clock.advance(20);
  hold = 0;
  clock.advance(5000);
  expect(beats).toBeLessThan(20);
});

test('a beat may stop the beats, and starting twice is starting once', () => {
  const clock = new FakeClock();
  let beats = 0;
  const pace = createPace(clock, 10, () => { if (++beats === 3) pace.stop(); });
  pace.start();
  pace.start();
  clock.advance(1000);
  expect(beats).toBe(3);
  pace.start();
  clock.advance(25);
  expect(beats).toBe(5);
});
