import { expect, test } from 'vitest';
import { FakeClock } from '../fakes/clock.ts';
import { inviteClient } from '../../src/sip/tables.ts';
import { Timers } from '../../src/sip/timers.ts';
import { newEntry } from '../../src/sip/transaction.ts';
import type { Entry } from '../../src/sip/transaction.ts';

function make(transport: 'udp' | 'tcp' = 'udp') {
  const clock = new FakeClock(), map = new Map<string, Entry>(), due: string[] = [];
  const timers = new Timers(clock, [map], (entry, timer) => due.push(`${clock.now()} ${entry.key}${timer}`));
  const add = (key: string): Entry => {
    const entry = newEntry(inviteClient, key, { transport, host: 'h', port: 1 }, true, undefined, undefined, 0);
    map.set(key, entry);
    return entry;
  };
  return { clock, map, due, timers, add };
}

test('a thousand transactions wait on one alarm, each is due at its instant', () => {
  const { clock, due, timers, add } = make();
  const expected: string[] = [];
  for (let i = 0; i < 1_000; i++) {
    clock.advance(1);
    timers.start(add(`${i} `), 'B');
    expected.push(`${clock.now() + 32_000} ${i} B`);
    expect(clock.pending).toBe(1);
  }
  clock.advance(40_000);
  expect(due).toEqual(expected);
  expect(clock.pending).toBe(0);
});

test('of ten thousand transactions none is gone through more than some hundred times a second, and none is late by more than 9 ms', () => {
  const { clock, map, due, timers, add } = make();
  let looked = 0;
  const values = map.values.bind(map);
  map.values = () => {
    looked++;
    return values();
  };
  for (let i = 0; i < 10_000; i++) {
    clock.advance(0.1);
    timers.start(add(`${i} `), 'B');
  }
  clock.advance(40_000);
  expect(due).toHaveLength(10_000);
  expect(looked).toBeLessThan(250);
  for (const [i, line] of due.entries()) expect(Number(line.split(' ')[0]) - (32_000 + 0.1 * (i + 1))).toBeLessThan(10);
});

test('stopped, gone or replaced timers are not due', () => {
  const { clock, map, due, timers, add } = make();
  const [a, b, c] = [add('a '), add('b '), add('c ')];
  for (const entry of [a, b, c]) {
    timers.start(entry, 'A');
    timers.start(entry, 'B');
  }
  timers.stop(a, 'A');
  timers.stop(a, 'B');
  timers.stop(a, 'E'); // never started
  map.delete('b ');
  timers.start(c, 'M'); // waits for stragglers: neither resends nor times out
  clock.advance(100_000);
  expect(due).toEqual(['32000 c M']);
});

test('over TCP nothing is resent and stragglers are not awaited (RFC 3261 table 4)', () => {
  const { clock, due, timers, add } = make('tcp');
  const entry = add('x ');
  timers.start(entry, 'A');
  timers.start(entry, 'D');
  expect([due, clock.pending]).toEqual([['0 x D'], 0]);
});

test('closed, no alarm is left', () => {
  const { clock, timers, add } = make();
  timers.start(add('x '), 'F');
  timers.close();
  expect(clock.pending).toBe(0);
});
