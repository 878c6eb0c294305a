import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { openBoard } from '../../src/hardware/board-hardware.ts';
import { checkBoard, type Board } from '../../src/hardware/board.ts';
import { createSimulatedPins, GROUND } from '../../src/hardware/simulated.ts';
import type { Hardware } from '../../src/ports/hardware.ts';
import { FakeClock } from '../fakes/clock.ts';

const settings = { debounceMs: 20, flashMinMs: 80, flashMaxMs: 800 };
const boardOf = (id: string): Board => checkBoard(parse(readFileSync(new URL(`../../hw/boards/${id}.toml`, import.meta.url), 'utf8'))).board!;

const HOOK = 17, PRIVACY = 25;
/** Row and column pins of a key on the 3×4 keypad. */
function wires(key: string): [number, number] {
  const place = '123456789*0#'.indexOf(key);
  return [[5, 6, 13, 26][Math.floor(place / 3)]!, [22, 23, 24][place % 3]!];
}

function phone(id: string, own = settings) {
  const clock = new FakeClock();
  const pins = createSimulatedPins(clock);
  const hardware: Hardware = openBoard(clock, boardOf(id), pins, own);
  const seen: string[] = [];
  hardware.hook?.subscribe((event, atMs) => seen.push(`${atMs} ${event}`));
  hardware.keypad?.subscribe((key, down, atMs) => seen.push(`${atMs} ${key} ${down ? 'down' : 'up'}`));
  hardware.privacy?.subscribe((closed, atMs) => seen.push(`${atMs} privacy ${closed ? 'on' : 'off'}`));
  /** Forget the instants. */
  const facts = () => seen.map((line) => line.replace(/^\d+ /, ''));
  return { clock, pins, hardware, seen, facts };
}

const LIFT_BOUNCE = [2, 1, 3, 2], KEY_BOUNCE = [1, 2, 3, 1, 2, 1];

test('lifting, dialling 201 with bouncing contacts, flash and hanging up are exactly that, at exactly these instants', () => {
  const { clock, pins, seen } = phone('raspberry-pi');
  const at = (atMs: number, what: () => void) => { clock.after(atMs - clock.now(), what); };
  at(1_000, () => pins.snap(HOOK, GROUND, true, LIFT_BOUNCE));
  [...'201'].forEach((key, i) => {
    const [row, column] = wires(key);
    at(2_000 + 300 * i, () => pins.snap(row, column, true, KEY_BOUNCE));
    at(2_120 + 300 * i, () => pins.snap(row, column, false, KEY_BOUNCE));
  });
  at(4_000, () => pins.snap(HOOK, GROUND, false, LIFT_BOUNCE));
  at(4_300, () => pins.snap(HOOK, GROUND, true, LIFT_BOUNCE));
  at(6_000, () => pins.snap(HOOK, GROUND, false, LIFT_BOUNCE));
  clock.advance(10_000);
  expect(seen).toEqual([
    '1026 lifted', // 8 ms of bounce with 5 closed and 3 open: rests at 1008 with a weight of 2
    '2030 2 down', '2140 2 up',
    '2330 0 down', '2440 0 up',
    '2630 1 down', '2740 1 up',
    '4326 flash',
    '6826 hung up', // 800 ms after the press had rested
  ]);
  expect(clock.pending).toBe(0);
});

test('the same with spikes of 5 ms on every line all the while gives the same events', () => {
  const { clock, pins, facts } = phone('raspberry-pi');
  const at = (atMs: number, what: () => void) => { clock.after(atMs - clock.now(), what); };
  [5, 6, 13, 26, HOOK, PRIVACY].forEach((pin, i) => { for (let t = 7 * i; t < 9_000; t += 43) at(t, () => pins.noise(pin, 5)); });
  at(1_000, () => pins.snap(HOOK, GROUND, true, LIFT_BOUNCE));
  [...'201'].forEach((key, i) => {
    const [row, column] = wires(key);
    at(2_000 + 400 * i, () => pins.snap(row, column, true, KEY_BOUNCE));
    at(2_200 + 400 * i, () => pins.snap(row, column, false, KEY_BOUNCE));
  });
  at(4_000, () => pins.snap(HOOK, GROUND, false, LIFT_BOUNCE));
  at(4_300, () => pins.snap(HOOK, GROUND, true, LIFT_BOUNCE));
  at(6_000, () => pins.snap(HOOK, GROUND, false, LIFT_BOUNCE));
  clock.advance(10_000);
  expect(facts()).toEqual(['lifted', '2 down', '2 up', '0 down', '0 up', '1 down', '1 up', 'flash', 'hung up']);
});

test('dialling any digits with any bounce up to 8 ms dials those digits', () => {
  const bounce = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 });
  fc.assert(fc.property(fc.array(fc.record({ key: fc.constantFrom(...'123456789*0#'), down: bounce, up: bounce, ms: fc.integer({ min: 60, max: 300 }), gap: fc.integer({ min: 60, max: 300 }) }), { maxLength: 12 }), (presses) => {
    const { clock, pins, facts } = phone('raspberry-pi');
    for (const { key, down, up, ms, gap } of presses) {
      const [row, column] = wires(key);
      pins.snap(row, column, true, down);
      clock.advance(ms);
      pins.snap(row, column, false, up);
      clock.advance(gap);
    }
    expect(facts()).toEqual(presses.flatMap(({ key }) => [`${key} down`, `${key} up`]));
  }), { numRuns: 60 });
});

test('three keys of a rectangle held together dial no fourth, and nothing that was not first', () => {
  const { clock, pins, facts } = phone('raspberry-pi');
  for (const key of ['1', '2', '4']) { // closes the ghost 5
    pins.contact(...wires(key), true);
    clock.advance(100);
  }
  pins.contact(...wires('1'), false);
  clock.advance(100);
  for (const key of ['2', '4']) pins.contact(...wires(key), false);
  clock.advance(100);
  pins.contact(...wires('5'), true);
  clock.advance(100);
  expect(facts()).toEqual(['1 down', '1 up', '5 down']);
});

test('a key held while the phone starts is seen, and nothing scans while all are up', () => {
  const clock = new FakeClock();
  const pins = createSimulatedPins(clock);
  pins.contact(...wires('9'), true);
  const hardware = openBoard(clock, boardOf('raspberry-pi'), pins, settings);
  const seen: string[] = [];
  hardware.keypad!.subscribe((key, down) => seen.push(`${key} ${down}`));
  clock.advance(100);
  pins.contact(...wires('9'), false);
  clock.advance(100);
  expect(seen).toEqual(['9 true', '9 false']);
  expect(clock.pending).toBe(0);
});

test('a keypad whose columns need time to settle reads the same keys', () => {
  const clock = new FakeClock();
  const pins = createSimulatedPins(clock);
  const board = boardOf('raspberry-pi');
  const hardware = openBoard(clock, { ...board, keypad: { ...board.keypad!, settleMs: 5 } }, pins, settings);
  const seen: string[] = [];
  hardware.keypad!.subscribe((key, down) => { if (down) seen.push(key); });
  for (const key of '123456789*0#') {
    pins.contact(...wires(key), true);
    clock.advance(150);
    pins.contact(...wires(key), false);
    clock.advance(150);
  }
  expect(seen.join('')).toBe('123456789*0#');
  expect(clock.pending).toBe(0);
});

test('a handset lifted before the phone started is off hook, without an event', () => {
  const clock = new FakeClock();
  const pins = createSimulatedPins(clock);
  pins.contact(HOOK, GROUND, true);
  const hardware = openBoard(clock, boardOf('raspberry-pi'), pins, settings);
  const seen: string[] = [];
  hardware.hook!.subscribe((event) => seen.push(event));
  expect(hardware.hook!.offHook).toBe(true);
  pins.contact(HOOK, GROUND, false);
  clock.advance(2_000);
  expect(seen).toEqual(['hung up']);
});

test('a switch that is open while the handset is lifted works the other way round', () => {
  const clock = new FakeClock();
  const pins = createSimulatedPins(clock);
  pins.contact(HOOK, GROUND, true);
  const board = boardOf('raspberry-pi');
  const hardware = openBoard(clock, { ...board, hook: { pin: HOOK, liftedWhen: 'open' } }, pins, settings);
  expect(hardware.hook!.offHook).toBe(false);
  pins.contact(HOOK, GROUND, false);
  clock.advance(100);
  expect(hardware.hook!.offHook).toBe(true);
});

test('the rotary dial dials, and its pulses on the hook line are no flash', () => {
  const { clock, pins, facts } = phone('raspberry-pi-rotary');
  const PULSE = 22, OFF_NORMAL = 23;
  pins.contact(PULSE, GROUND, true); // closed while the dial rests
  pins.contact(HOOK, GROUND, true);
  clock.advance(1_000);
  for (const pulses of [2, 10, 1]) {
    pins.snap(OFF_NORMAL, GROUND, true, [2, 1]);
    clock.advance(400);
    for (let i = 0; i < pulses; i++) {
      pins.snap(PULSE, GROUND, false, [1, 1, 1, 1]);
      clock.advance(62);
      pins.snap(PULSE, GROUND, true, [1, 1]);
      clock.advance(38);
    }
    pins.snap(OFF_NORMAL, GROUND, false, [2, 1]);
    clock.advance(900);
  }
  expect(facts()).toEqual(['lifted', '2 down', '2 up', '0 down', '0 up', '1 down', '1 up']);
  pins.contact(HOOK, GROUND, false);
  clock.advance(140);
  pins.contact(HOOK, GROUND, true);
  clock.advance(1_000);
  expect(facts()).toHaveLength(7);
  pins.contact(HOOK, GROUND, false);
  clock.advance(300);
  pins.contact(HOOK, GROUND, true);
  clock.advance(1_000);
  expect(facts().slice(7)).toEqual(['flash']);
});

test('the privacy switch is debounced, and knows how it stands at the start', () => {
  const { clock, pins, hardware, seen } = phone('raspberry-pi');
  expect(hardware.privacy!.closed).toBe(false);
  pins.snap(PRIVACY, GROUND, true, [3, 3, 3]);
  clock.advance(500);
  pins.contact(PRIVACY, GROUND, false);
  clock.advance(500);
  expect(seen).toHaveLength(2);
  expect(seen.map((s) => s.replace(/^\d+ /, ''))).toEqual(['privacy on', 'privacy off']);
});

test('the coil of a bell is swung 25 times a second by its two pins in turn, never by both, and is without current between rings', () => {
  const { clock, pins, hardware } = phone('raspberry-pi-rotary');
  const now = () => `${pins.output(12) ? 1 : 0}${pins.output(13) ? 1 : 0}`;
  hardware.bell!.ring([100, 200]);
  const levels: string[] = [];
  for (let ms = 0; ms < 300; ms += 10) {
    levels.push(now());
    clock.advance(10);
  }
  expect(levels.join(' ')).toBe('10 10 01 01 10 10 01 01 10 10' + ' 00'.repeat(20));
  hardware.close();
  expect([now(), clock.pending]).toEqual(['00', 0]);
});

test('a board that has a hook and a lamp only opens with these', () => {
  const clock = new FakeClock();
  const { board } = checkBoard({ id: 'small', title: 'Small', header: 'other', chips: ['x'], hook: { pin: 1 }, lamp: { pin: 2 } });
  const { hook, lamp, bell, relay, keypad, privacy } = openBoard(clock, board!, createSimulatedPins(clock), settings);
  expect([hook, lamp, bell, relay, keypad, privacy].map((part) => part !== undefined)).toEqual([true, true, false, false, false, false]);
});

test('bell, lamp and relay drive their pins, and closing leaves all of them without current', () => {
  const { clock, pins, hardware } = phone('raspberry-pi');
  hardware.bell!.ring([1_000, 4_000]);
  hardware.lamp!.show(true);
  hardware.relay!.pulse(60_000);
  expect([12, 27, 16].map(pins.output)).toEqual([true, true, true]);
  clock.advance(1_000);
  expect([12, 27, 16].map(pins.output)).toEqual([false, true, true]);
  hardware.close();
  hardware.close();
  expect([12, 27, 16, 22].map(pins.output)).toEqual([false, false, false, false]);
  expect(clock.pending).toBe(0);
});

test('a stall of the process between press and lift of a flash does not hang up', () => {
  // Timers come before pipes after a stall: the edge with the earlier instant arrives when the alarm has already gone off.
  const clock = new FakeClock();
  let edge = (_line: number, _set: boolean, _atMs: number) => {};
  const nothing = { write: () => {}, close: () => {} };
  const board = boardOf('raspberry-pi');
  const hardware = openBoard(clock, { id: 'x', title: 'x', header: 'other', chips: ['x'], hook: board.hook! }, {
    inputs: (_lines, onEdge) => { edge = onEdge; return { read: () => 1, close: () => {} }; },
    outputs: () => nothing,
    close: () => {},
  }, settings);
  const seen: string[] = [];
  hardware.hook!.subscribe((event, atMs) => seen.push(`${atMs} ${event}`));
  clock.advance(1_000);
  edge(0, false, 1_000);
  clock.advance(819); // due to hang up at 1820
  clock.after(1, () => { /* a callback that takes 400 ms */ });
  const stalled = clock.now;
  clock.now = () => stalled.call(clock) + 400;
  clock.advance(1);
  edge(0, true, 1_300);
  clock.advance(50);
  expect(seen).toEqual(['1320 flash']);
});
