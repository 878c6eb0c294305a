// Pins through the old /sys/class/gpio and the package onoff, for kernels without the character device. No pull-ups, no kernel filter, no time
// stamps: pull-ups must come from config.txt (gpio=5,6,13,17,26=ip,pu) or be soldered.

import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Linux } from './linux.ts';
import type { InputLine, Inputs, OutputLine, Outputs, Pins } from './pins.ts';

/** What is used of onoff 6. */
export interface OnoffGpio {
  readSync(): 0 | 1;
  writeSync(value: 0 | 1): void;
  setDirection(direction: 'in' | 'low'): void;
  watch(on: (error: Error | null | undefined, value: 0 | 1) => void): void;
  unexport(): void;
}
export interface OnoffModule {
  readonly Gpio: (new (pin: number, direction: 'in' | 'low', edge?: 'none' | 'both') => OnoffGpio) & { readonly accessible?: boolean };
}

/** sysfs numbers pins through all chips: the first number of the chip with one of these labels; undefined when there is none. */
export function sysfsBase(linux: Pick<Linux, 'list' | 'read'>, labels: readonly string[]): number | undefined {
  for (const name of linux.list('/sys/class/gpio')) {
    if (!name.startsWith('gpiochip') || !labels.includes(linux.read(`/sys/class/gpio/${name}/label`) ?? '')) continue;
    const base = Number(linux.read(`/sys/class/gpio/${name}/base`));
    if (Number.isInteger(base) && base >= 0) return base;
  }
  return undefined;
}

/** `load` brings the package; left out: the installed one. Throws PhoneError ONOFF_MISSING, GPIO_MISSING. */
export async function openOnoff(ports: { readonly clock: Clock; readonly linux: Linux }, labels: readonly string[], load: () => Promise<OnoffModule> = installed): Promise<Pins> {
  const { Gpio } = await load().catch((cause: unknown): never => {
    throw new PhoneError('ONOFF_MISSING',
      'hardware.driver is onoff, but the package onoff is not installed: run npm install --no-save --ignore-scripts=false onoff@6 in the phone\'s folder, or set hardware.driver to gpiochip', cause);
  });
  const base = sysfsBase(ports.linux, labels);
  if (base === undefined || Gpio.accessible === false) {
    throw new PhoneError('GPIO_MISSING', `/sys/class/gpio has no chip named ${labels.join(' or ')}: this kernel wants hardware.driver = "gpiochip"`);
  }
  const all = new Set<OnoffGpio>();
  const take = ({ name, pin }: OutputLine, direction: 'in' | 'low', edge: 'none' | 'both'): OnoffGpio => {
    try {
      const line = new Gpio(base + pin, direction, edge);
      all.add(line);
      return line;
    } catch (cause) {
      throw fault(name, pin, base, cause);
    }
  };
  const give = (lines: readonly OnoffGpio[]) => { for (const line of lines) if (all.delete(line)) line.unexport(); };
  return {
    inputs(lines: readonly InputLine[], onEdge): Inputs {
      const taken = lines.map((line) => take(line, 'in', 'both'));
      // Pulled to ground reads 0. onoff waits for the interrupt and reads after it, so the instant is ours.
      taken.forEach((line, i) => line.watch((error, value) => { if (!error) onEdge(i, value === 0, ports.clock.now()); }));
      return {
        read: () => taken.reduce((bits, line, i) => line.readSync() === 0 ? bits | 1 << i : bits, 0),
        close: () => give(taken),
      };
    },
    outputs(lines, how): Outputs {
      const taken = lines.map((line) => take(line, how === 'drive' ? 'low' : 'in', 'none'));
      let last = 0;
      const write = (bits: number, mask: number) => {
        taken.forEach((line, i) => {
          if ((mask >> i & 1) === 0 || ((bits ^ last) >> i & 1) === 0) return;
          const set = (bits >> i & 1) === 1;
          if (how === 'drive') line.writeSync(set ? 1 : 0);
          else line.setDirection(set ? 'low' : 'in'); // no open-drain in sysfs: ground, or an input
        });
        last = last & ~mask | bits & mask;
      };
      return {
        write,
        close() {
          write(0, -1);
          give(taken);
        },
      };
    },
    close: () => give([...all]),
  };
}

/** Optional: not among our dependencies, so the name must not be seen by the bundler. */
const installed = async (): Promise<OnoffModule> => {
  const name: string = 'onoff';
  const loaded = await import(name) as OnoffModule & { readonly default?: OnoffModule };
  return loaded.default ?? loaded;
};

function fault(name: string, pin: number, base: number, cause: unknown): PhoneError {
  const code = (cause as NodeJS.ErrnoException).code;
  const line = `GPIO ${pin} (${name}, number ${base + pin} of /sys/class/gpio)`;
  switch (code) {
    case 'EBUSY': return new PhoneError('PIN_BUSY', `${line} is in use by another program: end it, or choose another pin in hardware.pins`, cause);
    case 'EACCES': case 'EPERM': return new PhoneError('PIN_FORBIDDEN', `${line} may not be used: put the user of the phone into the group gpio (sudo usermod -aG gpio NAME) and start it again`, cause);
    case 'EINVAL': return new PhoneError('PIN_UNKNOWN', `${line} is not offered by this kernel: check the pin number, or set hardware.driver to gpiochip`, cause);
    default: return new PhoneError('GPIO_FAILED', `${line} could not be used (${code ?? String(cause)})`, cause);
  }
}
