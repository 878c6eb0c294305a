import assert from 'node:assert/strict';
import { test } from 'vitest';
import { systemClock } from '../../src/system/clock.ts';

test('a wait longer than the machine can hold is not over at once: a server may grant 2^32-1 seconds (RFC 3261 §20.19)', async () => {
  const clock = systemClock();
  let due = 0;
  const stops = [(2 ** 32 - 1) * 1_000, Infinity].map((ms) => clock.after(ms, () => { due++; }));
  await new Promise((resolve) => { clock.after(20, () => resolve(undefined)); });
  for (const stop of stops) stop();
  assert.equal(due, 0);
});
