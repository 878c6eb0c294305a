import { expect, test } from 'vitest';
import { openEvdev, readInputRecord, recordBytes } from '../../src/hardware/evdev.ts';
import { errno } from '../../src/hardware/linux.ts';
import type { PhoneError } from '../../src/ports/errors.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeLinux } from './fake-linux.ts';

const limits = { minMs: 80, maxMs: 800 };
const PATH = '/dev/input/event3';
const PICKUP = 445, HANGUP = 446, NUMERIC_0 = 512, STAR = 522;

function keys(...codes: number[]): Uint8Array {
  const bits = new Uint8Array(96);
  for (const code of codes) bits[code >> 3]! |= 1 << (code & 7);
  return bits;
}

/** One record as the kernel writes it. */
function record(longBits: 32 | 64, atMs: number, type: number, code: number, value: number): Uint8Array {
  const bytes = new Uint8Array(recordBytes(longBits));
  const view = new DataView(bytes.buffer);
  const seconds = Math.floor(atMs / 1_000), micros = Math.round((atMs % 1_000) * 1_000);
  if (longBits === 64) { view.setBigInt64(0, BigInt(seconds), true); view.setBigInt64(8, BigInt(micros), true); }
  else { view.setUint32(0, seconds, true); view.setUint32(4, micros, true); }
  const rest = longBits === 64 ? 16 : 8;
  view.setUint16(rest, type, true);
  view.setUint16(rest + 2, code, true);
  view.setInt32(rest + 4, value, true);
  return bytes;
}

function device(known: Uint8Array, down = keys(), longBits: 32 | 64 = 64) {
  const clock = new FakeClock();
  const log = new FakeLog();
  const linux = new FakeLinux(clock);
  linux.longBits = longBits;
  linux.inputs.set(PATH, { known, down });
  const input = openEvdev({ clock, log, linux }, PATH, limits);
  const seen: string[] = [];
  input.keypad.subscribe((key, isDown, atMs) => seen.push(`${atMs} ${key} ${isDown ? 'down' : 'up'}`));
  input.hook?.subscribe((event, atMs) => seen.push(`${atMs} ${event}`));
  /** The kernel counts from boot, we from somewhere else. */
  const key = (code: number, value: number, type = 1) => {
    linux.streams.get(PATH)!.bytes(record(longBits, clock.now() + 90_000, type, code, value));
    linux.streams.get(PATH)!.bytes(record(longBits, clock.now() + 90_000, 0, 0, 0));
  };
  return { clock, log, linux, input, seen, key };
}

test.each([[64, 24], [32, 16]] as const)('records of a machine with %i-bit longs are read', (longBits, bytes) => {
  expect(recordBytes(longBits)).toBe(bytes);
  expect(readInputRecord(new DataView(record(longBits, 1_234.5, 1, PICKUP, 1).buffer), longBits)).toEqual({ kernelMs: 1_234.5, type: 1, code: PICKUP, value: 1 });
});

test.each([[64], [32]] as const)('the keys of a telephone keypad are told, repeats are not (%i bit)', (longBits) => {
  const { clock, seen, key } = device(keys(NUMERIC_0), keys(), longBits);
  clock.advance(1_000);
  key(NUMERIC_0 + 2, 1);
  key(NUMERIC_0 + 2, 2);
  clock.advance(120);
  key(NUMERIC_0 + 2, 0);
  key(STAR, 1);
  key(STAR, 0);
  key(30_000, 1);
  expect(seen).toEqual(['1000 2 down', '1120 2 up', '1120 * down', '1120 * up']);
});

test('a number pad dials: Enter and slash are #', () => {
  const { seen, key } = device(keys(79));
  for (const code of [79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 55, 96, 98, 2, 11]) { key(code, 1); key(code, 0); }
  expect(seen.filter((s) => s.endsWith('down')).map((s) => s.split(' ')[1]).join('')).toBe('1234567890*##10');
});

test('a second key during the first counts for nothing', () => {
  const { seen, key } = device(keys(NUMERIC_0));
  for (const [code, value] of [[513, 1], [514, 1], [513, 0], [514, 0], [515, 1]] as const) key(code, value);
  expect(seen.map((s) => s.slice(2))).toEqual(['1 down', '1 up', '3 down']);
});

test('a hook held down while the handset is off: lift, flash, hang up', () => {
  const { clock, seen, key, input } = device(keys(PICKUP));
  key(PICKUP, 1);
  clock.advance(1_000);
  key(PICKUP, 0);
  clock.advance(300);
  key(PICKUP, 1);
  clock.advance(1_000);
  key(PICKUP, 0);
  expect(input.hook!.offHook).toBe(true);
  clock.advance(1_000);
  expect(input.hook!.offHook).toBe(false);
  expect(seen).toEqual(['0 lifted', '1300 flash', '3100 hung up']);
});

test('a handset with one key to lift and one to hang up', () => {
  const { clock, seen, key } = device(keys(PICKUP, HANGUP));
  key(PICKUP, 1);
  key(PICKUP, 0);
  clock.advance(5_000);
  key(HANGUP, 1);
  key(HANGUP, 0);
  clock.advance(5_000);
  expect(seen).toEqual(['0 lifted', '5800 hung up']);
});

test('the hook as it stands at the start is asked for', () => {
  expect(device(keys(PICKUP), keys(PICKUP)).input.hook!.offHook).toBe(true);
  expect(device(keys(PICKUP)).input.hook!.offHook).toBe(false);
  expect(device(keys(NUMERIC_0)).input.hook).toBeUndefined();
});

test('the device is ours alone, so that no console gets the digits', () => {
  expect(device(keys(79)).linux.grabbed).toEqual([PATH]);
});

test('records that the kernel dropped are made up for from how things stand', () => {
  const { linux, seen, key } = device(keys(PICKUP, NUMERIC_0));
  key(PICKUP, 1);
  key(513, 1);
  linux.streams.get(PATH)!.bytes(record(64, 90_000, 0, 3, 0)); // SYN_DROPPED
  linux.streams.get(PATH)!.bytes(record(64, 90_000, 1, 514, 1)); // to be disregarded
  linux.inputs.get(PATH)!.down = keys(PICKUP);
  linux.streams.get(PATH)!.bytes(record(64, 90_000, 0, 0, 0));
  expect(seen).toEqual(['0 lifted', '0 1 down', '0 1 up']);
  key(515, 1); // and from then on everything counts again
  expect(seen.at(-1)).toBe('0 3 down');
});

test('an unplugged keypad lets go of its key, is waited for and works again', () => {
  const { clock, log, linux, seen, key, input } = device(keys(NUMERIC_0));
  key(513, 1);
  clock.advance(100);
  const known = linux.inputs.get(PATH)!;
  linux.inputs.delete(PATH);
  linux.streams.get(PATH)!.end();
  clock.advance(10_000);
  linux.inputs.set(PATH, known);
  clock.advance(2_000);
  key(514, 1);
  expect(seen.map((s) => s.replace(/^\d+ /, ''))).toEqual(['1 down', '1 up', '2 down']);
  expect(log.lines.map((l) => `${l.level} ${l.fact}`)).toEqual(['warn input device was lost and is waited for', 'info input device was found']);
  input.close();
  expect(linux.open_.size).toBe(0);
  expect(clock.pending).toBe(0);
});

test('a device absent at the start is waited for', () => {
  const clock = new FakeClock();
  const log = new FakeLog();
  const linux = new FakeLinux(clock);
  const input = openEvdev({ clock, log, linux }, PATH, limits);
  expect(log.facts()).toEqual(['input device was absent and is waited for']);
  linux.inputs.set(PATH, { known: keys(PICKUP), down: keys(PICKUP) });
  clock.advance(2_000);
  expect(input.hook!.offHook).toBe(true);
});

test('a missing or forbidden device is named with what to do', () => {
  const clock = new FakeClock();
  const linux = new FakeLinux(clock);
  const fault = (path: string) => { try { openEvdev({ clock, log: new FakeLog(), linux }, path, limits); } catch (error) { return error as PhoneError; } return undefined; };
  linux.inputs.set('/dev/input/by-id/usb-keypad-event-kbd', { known: keys(), down: keys() });
  expect(fault('')!.message).toBe('hardware.inputDevice must name the input device, such as /dev/input/by-id/usb-keypad-event-kbd');
  linux.inputs.set(PATH, { known: keys(), down: keys() });
  linux.refuse.set(PATH, errno.EACCES);
  expect([fault(PATH)!.code, fault(PATH)!.message.includes('group input')]).toEqual(['PIN_FORBIDDEN', true]);
});
