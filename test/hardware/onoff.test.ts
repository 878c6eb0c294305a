import { expect, test } from 'vitest';
import { openOnoff, sysfsBase, type OnoffModule } from '../../src/hardware/onoff.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLinux } from './fake-linux.ts';

const labels = ['pinctrl-bcm2711'];

function machine() {
  const clock = new FakeClock();
  const linux = new FakeLinux(clock);
  linux.files.set('/sys/class/gpio/gpiochip504/label', 'raspberrypi-exp-gpio');
  linux.files.set('/sys/class/gpio/gpiochip504/base', '504');
  linux.files.set('/sys/class/gpio/gpiochip512/label', 'pinctrl-bcm2711');
  linux.files.set('/sys/class/gpio/gpiochip512/base', '512');
  linux.files.set('/sys/class/gpio/export', '');
  const calls: string[] = [];
  const watchers = new Map<number, (error: Error | null, value: 0 | 1) => void>();
  const level = new Map<number, 0 | 1>();
  const faults = new Map<number, string>();
  class Gpio {
    static accessible = true;
    readonly pin: number;
    constructor(pin: number, direction: string, edge = 'none') {
      const code = faults.get(pin);
      if (code !== undefined) throw Object.assign(new Error(code), { code });
      this.pin = pin;
      calls.push(`${pin} ${direction} ${edge}`);
    }
    readSync() { return level.get(this.pin) ?? 1; }
    writeSync(value: 0 | 1) { calls.push(`${this.pin} = ${value}`); }
    setDirection(direction: string) { calls.push(`${this.pin} -> ${direction}`); }
    watch(on: (error: Error | null, value: 0 | 1) => void) { watchers.set(this.pin, on); }
    unexport() { calls.push(`${this.pin} gone`); }
  }
  return { clock, linux, calls, watchers, level, faults, load: async (): Promise<OnoffModule> => ({ Gpio }) };
}

test('the base of the chip is found by its label', () => {
  const { linux } = machine();
  expect(sysfsBase(linux, labels)).toBe(512);
  expect(sysfsBase(linux, ['pinctrl-rp1'])).toBeUndefined();
});

test('inputs are read inverted and watched at base + pin', async () => {
  const { clock, linux, calls, watchers, level, load } = machine();
  const pins = await openOnoff({ clock, linux }, labels, load);
  const seen: string[] = [];
  const inputs = pins.inputs([{ name: 'hook', pin: 17, debounceMs: 5 }, { name: 'row', pin: 5, debounceMs: 0 }], (line, set, atMs) => seen.push(`${line} ${set} ${atMs}`));
  expect(calls).toEqual(['529 in both', '517 in both']);
  level.set(517, 0);
  expect(inputs.read()).toBe(0b10);
  clock.advance(40);
  watchers.get(529)!(null, 0);
  watchers.get(529)!(new Error('lost'), 1);
  expect(seen).toEqual(['0 true 40']);
  pins.close();
  expect(calls.slice(2)).toEqual(['529 gone', '517 gone']);
});

test('a sinking output is ground or an input, never high: two keys in a row short nothing', async () => {
  const { clock, linux, calls, load } = machine();
  const pins = await openOnoff({ clock, linux }, labels, load);
  const columns = pins.outputs([{ name: 'c1', pin: 22 }, { name: 'c2', pin: 23 }], 'sink');
  columns.write(0b01, 0b11);
  columns.write(0b10, 0b11);
  columns.write(0b10, 0b11);
  columns.close();
  expect(calls).toEqual(['534 in none', '535 in none', '534 -> low', '534 -> in', '535 -> low', '535 -> in', '534 gone', '535 gone']);
});

test('a driven output is written only when it changes', async () => {
  const { clock, linux, calls, load } = machine();
  const lamp = (await openOnoff({ clock, linux }, labels, load)).outputs([{ name: 'lamp', pin: 27 }], 'drive');
  lamp.write(1, 1);
  lamp.write(1, 1);
  lamp.close();
  expect(calls).toEqual(['539 low none', '539 = 1', '539 = 0', '539 gone']);
});

test('the package is optional: without it the sentence says how to get it or do without', async () => {
  const { clock, linux } = machine();
  await expect(openOnoff({ clock, linux }, labels)).rejects.toMatchObject({ code: 'ONOFF_MISSING', message: expect.stringContaining('npm install --no-save --ignore-scripts=false onoff@6') as string });
});

test('a kernel without these files is told apart from one that refuses a pin', async () => {
  const { clock, linux, faults, load } = machine();
  await expect(openOnoff({ clock, linux }, ['pinctrl-rp1'], load)).rejects.toMatchObject({ code: 'GPIO_MISSING' });
  const pins = await openOnoff({ clock, linux }, labels, load);
  for (const [code, expected] of [['EBUSY', 'PIN_BUSY'], ['EACCES', 'PIN_FORBIDDEN'], ['EINVAL', 'PIN_UNKNOWN'], ['EIO', 'GPIO_FAILED']] as const) {
    faults.set(529, code);
    expect(() => pins.inputs([{ name: 'hook', pin: 17, debounceMs: 5 }], () => {})).toThrow(expect.objectContaining({ code: expected, message: expect.stringContaining('GPIO 17 (hook, number 529') as string }) as Error);
  }
});
