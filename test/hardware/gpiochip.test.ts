import { expect, test } from 'vitest';
import { findChips, openChip, openGpiochip } from '../../src/hardware/gpiochip.ts';
import { errno, openLinux } from '../../src/hardware/linux.ts';
import { GROUND } from '../../src/hardware/simulated.ts';
import type { PhoneError } from '../../src/ports/errors.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeLinux } from './fake-linux.ts';

const labels = ['pinctrl-rp1', 'pinctrl-bcm2711'];
function machine() {
  const clock = new FakeClock();
  const log = new FakeLog();
  const linux = new FakeLinux(clock);
  return { clock, log, linux };
}
const thrown = (what: () => unknown): PhoneError => {
  try { what(); } catch (error) { return error as PhoneError; }
  throw new Error('nothing was thrown');
};
const HOOK = { name: 'hook', pin: 17, debounceMs: 5 };

test('the chip is found by its label, whatever its number is', () => {
  const ports = machine();
  ports.linux.addChip('/dev/gpiochip0', 'raspberrypi-exp-gpio', 8);
  const chip = ports.linux.addChip('/dev/gpiochip4', 'pinctrl-rp1');
  expect(findChips(ports.linux).map((c) => c.label)).toEqual(['raspberrypi-exp-gpio', 'pinctrl-rp1']);
  const pins = openGpiochip(ports, labels);
  const seen: string[] = [];
  const inputs = pins.inputs([HOOK], (line, set, atMs) => seen.push(`${line} ${set} ${atMs}`));
  ports.clock.advance(100);
  chip.pins.contact(17, GROUND, true);
  ports.clock.advance(100);
  chip.pins.contact(17, GROUND, false);
  expect(seen).toEqual(['0 true 100', '0 false 200']);
  expect(inputs.read()).toBe(0);
  pins.close();
  expect(ports.linux.open_.size).toBe(0);
});

test('outputs drive or sink, and are clear after closing', () => {
  const ports = machine();
  const chip = ports.linux.addChip('/dev/gpiochip0', 'pinctrl-bcm2711');
  const pins = openGpiochip(ports, labels);
  const outputs = pins.outputs([{ name: 'bell', pin: 12 }, { name: 'lamp', pin: 27 }], 'drive');
  outputs.write(0b11, 0b10);
  expect([12, 27].map(chip.pins.output)).toEqual([false, true]);
  outputs.write(0b01, 0b01);
  expect([12, 27].map(chip.pins.output)).toEqual([true, true]);
  pins.close();
  expect([12, 27].map(chip.pins.output)).toEqual([false, false]);
});

test('a reader that ends is reported and started again', () => {
  const ports = machine();
  const chip = ports.linux.addChip('/dev/gpiochip0', 'pinctrl-rp1');
  const pins = openGpiochip(ports, labels);
  let edges = 0;
  pins.inputs([HOOK], () => { edges++; });
  ports.linux.streams.get('/dev/gpiochip0')!.end();
  expect(ports.log.lines.map((l) => l.level)).toEqual(['error']);
  ports.clock.advance(1_000);
  chip.pins.contact(17, GROUND, true);
  expect(edges).toBe(1);
  ports.linux.streams.get('/dev/gpiochip0')!.end();
  pins.close();
  expect(ports.clock.pending).toBe(0);
});

test('a pin in use names the pin, its part and who holds it', () => {
  const ports = machine();
  ports.linux.addChip('/dev/gpiochip0', 'pinctrl-rp1').busy.set(17, 'gpio-keys');
  const error = thrown(() => openGpiochip(ports, labels).inputs([{ name: 'keypad row 1', pin: 5, debounceMs: 0 }, HOOK], () => {}));
  expect([error.code, error.message]).toEqual(['PIN_BUSY', 'GPIO 17 (hook) is in use by "gpio-keys": end that program or overlay, or choose another pin in hardware.pins']);
});

test.each([
  [errno.EACCES, 'PIN_FORBIDDEN', /\/dev\/gpiochip0 may not be opened: put the user of the phone into the group gpio/],
  [errno.EPERM, 'PIN_FORBIDDEN', /group gpio/],
])('a chip that refuses us with errno %i says which group is missing', (code, expected, words) => {
  const ports = machine();
  ports.linux.addChip('/dev/gpiochip0', 'pinctrl-rp1');
  ports.linux.refuse.set('/dev/gpiochip0', code);
  const error = thrown(() => openGpiochip(ports, labels));
  expect(error.code).toBe(expected);
  expect(error.message).toMatch(words);
});

test('a machine without the chip says what it has instead', () => {
  const ports = machine();
  expect(thrown(() => openGpiochip(ports, labels)).message).toContain('no GPIO chip named pinctrl-rp1 or pinctrl-bcm2711: there is no /dev/gpiochip* at all');
  ports.linux.addChip('/dev/gpiochip0', 'INT34C5:00');
  const error = thrown(() => openGpiochip(ports, labels));
  expect(error.code).toBe('GPIO_MISSING');
  expect(error.message).toContain('found only INT34C5:00');
});

test('a pin that the chip has not is named', () => {
  const ports = machine();
  ports.linux.addChip('/dev/gpiochip0', 'pinctrl-rp1', 28);
  const error = thrown(() => openGpiochip(ports, labels).inputs([{ ...HOOK, pin: 40 }], () => {}));
  expect([error.code, error.message.includes('GPIO 40 (hook)')]).toEqual(['PIN_UNKNOWN', true]);
});

test('the real ioctl on a file that is no GPIO chip fails with ENOTTY, and the sentence says so', async () => {
  const linux = await openLinux();
  const error = thrown(() => openChip({ clock: new FakeClock(), log: new FakeLog(), linux }, { path: '/dev/null' }).inputs([HOOK], () => {}));
  expect([error.code, error.message]).toEqual(['GPIO_FAILED', '/dev/null is no GPIO chip of Linux 5.10 or newer: update the system, or set hardware.driver to onoff']);
});

test('a device file that is not there is named', async () => {
  const linux = await openLinux();
  const error = thrown(() => openChip({ clock: new FakeClock(), log: new FakeLog(), linux }, { path: '/dev/gpiochip999' }));
  expect([error.code, error.message]).toEqual(['GPIO_MISSING', '/dev/gpiochip999 cannot be opened (ENOENT)']);
});
