import { expect, test } from 'vitest';
import { startWatchdog } from '../../src/main/watchdog.ts';
import type { MediaCommand } from '../../src/media/door.ts';
import { FakeClock } from '../fakes/clock.ts';

/** A watchdog asking every 10 s, a media thread that answers after `answerMs` while it lives, and the instants of the pats. */
function watched(answerMs = 1) {
  const clock = new FakeClock();
  const pats: number[] = [];
  const media = { lives: true, asked: 0 };
  const command = (said: MediaCommand) => {
    if (said.do !== 'ping') throw new Error(`a watchdog says ${said.do}`);
    media.asked += 1;
    if (media.lives) clock.after(answerMs, () => watchdog.pong(said.ask));
  };
  const held: { pong?: (ask: number) => void } = {};
  const watchdog = { pong: (ask: number) => held.pong?.(ask) };
  const made = startWatchdog(clock, { command }, 10_000, () => { pats.push(clock.now()); });
  held.pong = (ask) => made.pong(ask);
  return { clock, pats, media, made };
}

test('it pats at once and at every interval while both threads answer', () => {
  const { clock, pats, made } = watched();
  clock.advance(30_500);
  expect(pats).toEqual([1, 10_001, 20_001, 30_001]);
  made.stop();
});

test('a media thread that hangs stops the pats, and one that answers again brings them back', () => {
  const { clock, pats, media, made } = watched();
  clock.advance(5_000);
  media.lives = false;
  clock.advance(60_000);
  expect(pats).toEqual([1]);
  media.lives = true;
  clock.advance(10_000);
  expect(pats).toEqual([1, 70_001]);
  made.stop();
});

test('an answer that comes after the next question is no sign of life', () => {
  const { clock, pats, made } = watched(10_500);
  clock.advance(100_000);
  expect(pats).toEqual([]);
  made.stop();
});

test('an answer to another question is none', () => {
  const { clock, pats, made } = watched();
  clock.advance(100);
  for (const ask of [0, 2, -1]) made.pong(ask);
  expect(pats).toEqual([1]);
  made.stop();
});

test('stopped it asks no more and leaves nothing behind', () => {
  const { clock, media, made } = watched();
  clock.advance(15_000);
  made.stop();
  clock.advance(100_000);
  expect(media.asked).toBe(2);
  expect(clock.pending).toBe(0);
});
