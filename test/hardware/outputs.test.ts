import { expect, test } from 'vitest';
import { createBuzzer, createCoilBell, createLamp, createRelay, playCadence } from '../../src/hardware/outputs.ts';
import { FakeClock } from '../fakes/clock.ts';

const record = () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  return { clock, seen, set: (on: boolean) => { seen.push(`${clock.now()} ${on ? 'on' : 'off'}`); } };
};

test('the British double ring repeats until it is stopped, and leaves the bell off', () => {
  const { clock, seen, set } = record();
  const bell = createBuzzer(clock, set);
  bell.ring([400, 200, 400, 2_000]);
  clock.advance(3_500);
  bell.stop();
  clock.advance(10_000);
  expect(seen).toEqual(['0 on', '400 off', '600 on', '1000 off', '3000 on', '3400 off', '3500 off']);
  expect(clock.pending).toBe(0);
});

test('a new cadence replaces the old one', () => {
  const { clock, seen, set } = record();
  const bell = createBuzzer(clock, set);
  bell.ring([1_000, 1_000]);
  clock.advance(500);
  bell.ring([100, 900]);
  clock.advance(1_000);
  expect(seen.slice(1)).toEqual(['500 off', '500 on', '600 off', '1500 on']);
  bell.close();
});

test.each([[[]], [[0, 0]], [[-5]]])('the cadence %j, which has no length, is steadily on', (cadence) => {
  const { clock, seen, set } = record();
  const stop = playCadence(clock, cadence, set);
  clock.advance(100);
  stop();
  expect(seen).toEqual(['0 on', '100 off']);
});

test('a coil swings 25 times a second while the cadence is on, never both ways at once, and rests between rings', () => {
  const clock = new FakeClock();
  const seen: [number, number][] = [];
  const bell = createCoilBell(clock, 25, (bits) => seen.push([clock.now(), bits]));
  bell.ring([1_000, 4_000]);
  clock.advance(4_999);
  const swings = seen.filter(([at, bits]) => at < 1_000 && bits !== 0);
  expect(swings).toEqual(Array.from({ length: 50 }, (_, i) => [i * 20, i % 2 === 0 ? 1 : 2]));
  expect(seen.at(-1)).toEqual([1_000, 0]);
  bell.stop();
  expect(seen.at(-1)![1]).toBe(0);
  expect(clock.pending).toBe(0);
});

test('a lamp is lit, dark or blinking', () => {
  const { clock, seen, set } = record();
  const lamp = createLamp(clock, set);
  lamp.show(true);
  clock.advance(10);
  lamp.show([50, 50]);
  clock.advance(120);
  lamp.show(false);
  expect(seen).toEqual(['0 on', '10 on', '60 off', '110 on', '130 off', '130 off']);
  expect(clock.pending).toBe(0);
});

test('a relay pulse during a pulse lengthens it and never shortens it', () => {
  const { clock, seen, set } = record();
  const relay = createRelay(clock, set);
  relay.pulse(1_000);
  clock.advance(500);
  relay.pulse(100);
  relay.pulse(1_000);
  relay.pulse(0);
  clock.advance(5_000);
  expect(seen).toEqual(['0 on', '500 on', '1500 off']);
});
