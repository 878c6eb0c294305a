import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { detectBoard } from '../../src/hardware/detect.ts';
import { errno } from '../../src/hardware/linux.ts';
import type { OnoffModule } from '../../src/hardware/onoff.ts';
import { openHardware, type HardwarePorts } from '../../src/hardware/open.ts';
import { GROUND } from '../../src/hardware/simulated.ts';
import type { Settings } from '../../src/config/types.ts';
import { PhoneError } from '../../src/ports/errors.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeLinux } from './fake-linux.ts';

const settings: Settings['hardware'] = { debounceMs: 20, flashMinMs: 80, flashMaxMs: 800, driver: 'auto', inputDevice: '', pins: {} };
const PATH = '/dev/input/event0';

function machine(model?: string, label?: string) {
  const clock = new FakeClock();
  const log = new FakeLog();
  const linux = new FakeLinux(clock);
  if (model !== undefined) linux.files.set('/proc/device-tree/model', model);
  const chip = label === undefined ? undefined : linux.addChip('/dev/gpiochip0', label);
  const boardFile = (id: string): unknown => {
    try { return parse(readFileSync(new URL(`../../hw/boards/${id}.toml`, import.meta.url), 'utf8')); } catch { return undefined; }
  };
  const ports: HardwarePorts = { clock, log, linux: async () => linux, boardFile };
  return { clock, log, linux, chip: chip!, ports };
}
const keys = (...codes: number[]): Uint8Array => {
  const bits = new Uint8Array(96);
  for (const code of codes) bits[code >> 3]! |= 1 << (code & 7);
  return bits;
};
const keyRecord = (code: number, value: number): Uint8Array => {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint16(16, 1, true);
  view.setUint16(18, code, true);
  view.setInt32(20, value, true);
  return bytes;
};

test.each([
  ['Raspberry Pi 5 Model B Rev 1.0', 'pinctrl-rp1', 'raspberry-pi'],
  ['Raspberry Pi 4 Model B Rev 1.5', 'pinctrl-bcm2711', 'raspberry-pi'],
  ['Raspberry Pi Zero 2 W Rev 1.0', 'pinctrl-bcm2835', 'raspberry-pi'],
  ['Raspberry Pi Model B Plus Rev 1.2', 'pinctrl-bcm2835', 'raspberry-pi'],
  ['Raspberry Pi Model B Rev 2', 'pinctrl-bcm2835', 'bench'], // 26 pins
  ['Raspberry Pi 4 Model B Rev 1.5', undefined, 'bench'],
  ['Orange Pi Zero', '300b000.pinctrl', 'bench'],
  [undefined, 'INT34C5:00', 'bench'],
  [undefined, undefined, 'bench'],
] as const)('%s with chip %s is board %s', (model, label, board) => {
  expect(detectBoard(machine(model, label).linux)).toBe(board);
});

test('a Raspberry Pi whose pins we may not use is one all the same, and opening says what to do', async () => {
  const { linux, ports } = machine('Raspberry Pi 5 Model B Rev 1.0', 'pinctrl-rp1');
  linux.refuse.set('/dev/gpiochip0', errno.EACCES);
  expect(detectBoard(linux)).toBe('raspberry-pi');
  await expect(openHardware(ports, settings, 'auto')).rejects.toMatchObject({ code: 'PIN_FORBIDDEN' });
});

test('on a Raspberry Pi the board file is opened: hook, keys, bell and lamp through the character device', async () => {
  const { clock, linux, chip, ports } = machine('Raspberry Pi 5 Model B Rev 1.0', 'pinctrl-rp1');
  const hardware = await openHardware(ports, { ...settings, pins: { lamp: 4 } }, 'auto');
  expect(hardware.board).toBe('raspberry-pi');
  expect(hardware.bench).toBeUndefined();
  const seen: string[] = [];
  hardware.hook!.subscribe((event, atMs) => seen.push(`${atMs} ${event}`));
  hardware.keypad!.subscribe((key, down, atMs) => seen.push(`${atMs} ${key} ${down ? 'down' : 'up'}`));
  clock.advance(1_000);
  chip.pins.contact(17, GROUND, true);
  clock.advance(1_000);
  for (const [row, column] of [[5, 23], [26, 23], [5, 22]] as const) {
    chip.pins.contact(row, column, true);
    clock.advance(100);
    chip.pins.contact(row, column, false);
    clock.advance(100);
  }
  hardware.lamp!.show(true);
  expect(chip.pins.output(4)).toBe(true);
  expect(seen).toEqual(['1020 lifted', '2020 2 down', '2130 2 up', '2220 0 down', '2330 0 up', '2420 1 down', '2530 1 up']);
  hardware.close();
  expect(linux.open_.size).toBe(0);
  expect(clock.pending).toBe(0);
});

test('a pin in use gives everything back and says which', async () => {
  const { linux, chip, ports } = machine('Raspberry Pi 5 Model B Rev 1.0', 'pinctrl-rp1');
  chip.busy.set(12, 'pwm');
  await expect(openHardware(ports, settings, 'raspberry-pi')).rejects.toMatchObject({ code: 'PIN_BUSY', message: expect.stringContaining('GPIO 12 (bell) is in use by "pwm"') as string });
  expect(linux.open_.size).toBe(0);
});

test('without pins there is the bench, and none is nothing at all', async () => {
  const { ports } = machine();
  const bench = await openHardware(ports, settings, 'auto');
  expect(bench.board).toBe('bench');
  bench.bench!.lift();
  expect(bench.hook!.offHook).toBe(true);
  const none = await openHardware(ports, settings, 'none');
  expect([none.board, none.hook, none.keypad]).toEqual(['none', undefined, undefined]);
});

test('settings of pins that there are none of are said to have no effect', async () => {
  const { ports, log } = machine();
  for (const board of ['auto', 'bench']) (await openHardware(ports, { ...settings, driver: 'onoff', pins: { lamp: 4 } }, board)).close();
  expect(log.lines.map(({ level, fields }) => [level, fields['settings']])).toEqual(Array(2).fill(['warn', 'hardware.pins hardware.driver']));
});

test('a machine where koffi does not load has the bench, unless pins were asked for', async () => {
  const { log, ports } = machine();
  const broken = { ...ports, linux: () => Promise.reject(new PhoneError('FFI_MISSING', 'the package koffi could not be loaded')) };
  expect((await openHardware(broken, settings, 'auto')).board).toBe('bench');
  expect(log.lines.map(({ level, fact }) => `${level} ${fact}`)).toEqual(['warn pins could not be looked for and the bench is used']);
  await expect(openHardware(broken, settings, 'raspberry-pi')).rejects.toMatchObject({ code: 'FFI_MISSING' });
});

test('bad settings are named', async () => {
  const { ports } = machine('Raspberry Pi 5 Model B Rev 1.0', 'pinctrl-rp1');
  await expect(openHardware(ports, settings, 'toaster')).rejects.toMatchObject({ code: 'BAD_SETTING', message: expect.stringMatching(/^phone\.board: there is no board file toaster\.toml/) as string });
  await expect(openHardware(ports, { ...settings, flashMinMs: 500, flashMaxMs: 200 }, 'auto')).rejects.toMatchObject({ code: 'BAD_SETTING', message: 'hardware.flashMaxMs (200) must be more than the shortest flash (500)' });
  await expect(openHardware(ports, { ...settings, pins: { hook: 18 } }, 'auto')).rejects.toMatchObject({ code: 'BAD_SETTING', message: expect.stringMatching(/^hardware\.pins: GPIO 18/) as string });
  await expect(openHardware(ports, { ...settings, driver: 'evdev' }, 'auto')).rejects.toMatchObject({ code: 'BAD_SETTING', message: expect.stringMatching(/^hardware\.inputDevice/) as string });
});

test('a USB keypad dials on the bench, and its hook and the drawn one are one', async () => {
  const { linux, ports } = machine();
  linux.inputs.set(PATH, { known: keys(79, 445), down: keys() });
  const hardware = await openHardware(ports, { ...settings, inputDevice: PATH }, 'bench');
  const seen: string[] = [];
  hardware.keypad!.subscribe((key, down) => seen.push(`${key} ${down ? 'down' : 'up'}`));
  hardware.hook!.subscribe((event) => seen.push(event));
  linux.streams.get(PATH)!.bytes(keyRecord(79, 1));
  hardware.bench!.press('5');
  hardware.bench!.lift();
  linux.streams.get(PATH)!.bytes(keyRecord(445, 1)); // already off hook
  hardware.bench!.hangUp(); // the other one is still off
  hardware.bench!.lift();
  expect(seen).toEqual(['1 down', '5 down', 'lifted']);
  expect(hardware.hook!.offHook).toBe(true);
  hardware.close();
  expect(linux.open_.size).toBe(0);
});

test('the kernel gives hook and keypad as two devices, which the setting names with a comma', async () => {
  const { linux, ports } = machine();
  const HOOK_PATH = '/dev/input/event1';
  linux.inputs.set(PATH, { known: keys(512), down: keys() });
  linux.inputs.set(HOOK_PATH, { known: keys(445), down: keys() });
  const hardware = await openHardware(ports, { ...settings, inputDevice: `${PATH}, ${HOOK_PATH}` }, 'bench');
  const seen: string[] = [];
  hardware.hook!.subscribe((event) => seen.push(event));
  hardware.keypad!.subscribe((key, down) => { if (down) seen.push(key); });
  linux.streams.get(HOOK_PATH)!.bytes(keyRecord(445, 1));
  linux.streams.get(PATH)!.bytes(keyRecord(514, 1));
  expect(seen).toEqual(['lifted', '2']);
  hardware.close();
  expect(linux.open_.size).toBe(0);
  await expect(openHardware(ports, { ...settings, inputDevice: `${PATH},event1` }, 'bench')).rejects.toMatchObject({ code: 'BAD_SETTING' });
  expect(linux.open_.size).toBe(0);
});

test('beside an input device the board keeps bell and lamp, and leaves hook and keys to the kernel', async () => {
  const { linux, chip, ports } = machine('Raspberry Pi 4 Model B Rev 1.5', 'pinctrl-bcm2711');
  for (const pin of [17, 5, 6, 13, 26, 22, 23, 24]) chip.busy.set(pin, 'matrix-keypad');
  linux.inputs.set(PATH, { known: keys(512, 445), down: keys(445) });
  const hardware = await openHardware(ports, { ...settings, driver: 'evdev', inputDevice: PATH }, 'auto');
  expect(hardware.hook!.offHook).toBe(true);
  hardware.bell!.ring([1_000, 1_000]);
  expect(chip.pins.output(12)).toBe(true);
  hardware.close();
  expect(chip.pins.output(12)).toBe(false);
  expect(linux.open_.size).toBe(0);
});

test('the driver onoff is used when it is asked for', async () => {
  const { linux, ports } = machine('Raspberry Pi 4 Model B Rev 1.5', 'pinctrl-bcm2711');
  linux.files.set('/sys/class/gpio/gpiochip512/label', 'pinctrl-bcm2711');
  linux.files.set('/sys/class/gpio/gpiochip512/base', '512');
  const taken: number[] = [];
  class Gpio {
    constructor(pin: number) { taken.push(pin); }
    readSync(): 0 | 1 { return 1; }
    writeSync() {}
    setDirection() {}
    watch() {}
    unexport() {}
  }
  const loadOnoff = async (): Promise<OnoffModule> => ({ Gpio });
  const hardware = await openHardware({ ...ports, loadOnoff }, { ...settings, driver: 'onoff' }, 'auto');
  expect(hardware.hook!.offHook).toBe(false);
  expect(taken).toContain(512 + 17);
  hardware.close();
});
