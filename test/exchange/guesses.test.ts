import { describe, expect, test } from 'vitest';
import { Guesses } from '../../src/exchange/guesses.ts';
import { FakeClock } from '../fakes/clock.ts';

const HERE = '192.0.2.9';
const world = () => {
  const clock = new FakeClock(), guesses = new Guesses(clock);
  return { clock, guesses, wrong: (times: number, host = HERE, user = '201') => { for (let i = 0; i < times; i++) guesses.wrong(host, user); } };
};

describe('wrong proofs', () => {
  test('four cost nothing, then each costs twice the pause of the one before, a minute at most', () => {
    const { clock, guesses, wrong } = world();
    wrong(4);
    expect(guesses.waitMs(HERE, '201')).toBe(0);
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      wrong(1);
      pauses.push(guesses.waitMs(HERE, '201'));
      clock.advance(pauses.at(-1)!);
      expect(guesses.waitMs(HERE, '201')).toBe(0);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test('hold back that user from that place alone', () => {
    const { guesses, wrong } = world();
    wrong(9);
    expect([guesses.waitMs(HERE, '202'), guesses.waitMs('192.0.2.10', '201')]).toEqual([0, 0]);
    expect(guesses.waitMs(HERE, '201')).toBeGreaterThan(0);
  });

  test('are forgotten by a right one, and after a quarter of an hour', () => {
    const { clock, guesses, wrong } = world();
    wrong(9);
    guesses.right(HERE, '201');
    expect(guesses.waitMs(HERE, '201')).toBe(0);
    wrong(9);
    clock.advance(900_000);
    wrong(4);
    expect(guesses.waitMs(HERE, '201')).toBe(0);
  });

  test('from any address of an IPv6 network count together, however it is written', () => {
    const { guesses, wrong } = world();
    for (let i = 0; i < 9; i++) guesses.wrong(`2001:db8:0:7::${i + 1}`, '201');
    expect(guesses.waitMs('2001:0DB8:0:7:1:2:3:4', '201')).toBeGreaterThan(0);
    expect(guesses.waitMs('2001:db8:0:8::1', '201')).toBe(0);
    wrong(9, '::1');
    expect(guesses.waitMs('0:0:0:0:0:0:0:2', '201')).toBeGreaterThan(0);
  });

  test('of a thousand places take no more memory than of 512: the longest quiet goes', () => {
    const { guesses, wrong } = world();
    wrong(9);
    for (let i = 0; i < 511; i++) wrong(9, `10.0.${i >> 8}.${i & 255}`);
    expect(guesses.waitMs(HERE, '201')).toBeGreaterThan(0);
    wrong(1, '10.9.9.9');
    expect(guesses.waitMs(HERE, '201')).toBe(0);
    expect(guesses.waitMs('10.0.0.0', '201')).toBeGreaterThan(0);
  });
});
