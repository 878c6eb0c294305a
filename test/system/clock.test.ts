import assert from 'node:assert/strict';
import { test } from 'vitest';
import { startedNow, systemClock } from '../../src/system/clock.ts';

test('a wait longer than the machine can hold is not over at once: a server may grant 2^32-1 seconds (RFC 3261 §20.19)', async () => {
  const clock = systemClock();
  let due = 0;
  const stops = [(2 ** 32 - 1) * 1_000, Infinity].map((ms) => clock.after(ms, () => { due++; }));
  await new Promise((resolve) => { clock.after(20, () => resolve(undefined)); });
  for (const stop of stops) stop();
  assert.equal(due, 0);
});

test('a clock that starts with the phone runs as the other, from another origin', () => {
  const clock = systemClock(startedNow), before = performance.now(), away = clock.now() - performance.now();
  while (performance.now() < before + 5);
  assert.ok(Math.abs(clock.now() - performance.now() - away) < 1);
  assert.notEqual(clock.now() % 1, 0); // no whole milliseconds
});
