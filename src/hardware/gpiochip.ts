// Pins through the GPIO character device: pull-ups in the chip, filter and time stamps in the kernel, no package but koffi. A chip is found by its
// label, never by its number: the header of a Raspberry Pi 5 has been gpiochip0 and gpiochip4.

import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Log } from '../ports/log.ts';
import * as gpio from './gpio-bytes.ts';
import { errno, errnoName, type Linux } from './linux.ts';
import type { Inputs, OutputLine, Outputs, Pins } from './pins.ts';
import { cutRecords, kernelTime } from './records.ts';

const CONSUMER = 'offhook';
const { flags } = gpio;
/** A reader that ended is started again after this. */
const RESTART_MS = 1_000;

export interface Chip {
  readonly path: string;
  readonly label: string;
  readonly lines: number;
}

/** The chips that we may open. */
export function findChips(linux: Linux): readonly Chip[] {
  return chipPaths(linux).flatMap((path) => {
    const fd = linux.open(path);
    if (fd < 0) return [];
    const info = new Uint8Array(gpio.chipInfoBytes);
    const result = linux.ioctl(fd, gpio.ioctls.chipInfo, info);
    linux.close(fd);
    return result < 0 ? [] : [{ path, label: gpio.chipLabel(info), lines: gpio.chipLines(info) }];
  });
}

/** Every GPIO device file, whether we may open it or not. */
export const chipPaths = (linux: Linux): readonly string[] =>
  linux.list('/dev').filter((name) => /^gpiochip\d+$/.test(name)).map((name) => `/dev/${name}`);

/** Open the first chip with one of these labels. Throws PhoneError GPIO_MISSING or PIN_FORBIDDEN. */
export function openGpiochip(ports: { readonly clock: Clock; readonly log: Log; readonly linux: Linux }, labels: readonly string[]): Pins {
  const { linux } = ports;
  const chips = findChips(linux);
  for (const label of labels) {
    const chip = chips.find((c) => c.label === label);
    if (chip !== undefined) return openChip(ports, chip);
  }
  const paths = chipPaths(linux);
  if (paths.length > chips.length) {
    const shut = paths.find((path) => !chips.some((c) => c.path === path))!;
    const fd = linux.open(shut);
    if (fd >= 0) linux.close(fd);
    if (fd === -errno.EACCES || fd === -errno.EPERM) throw refused(shut, -fd);
  }
  const seen = chips.length === 0 ? 'there is no /dev/gpiochip* at all' : `found only ${chips.map((c) => c.label).join(', ')}`;
  throw new PhoneError('GPIO_MISSING', `no GPIO chip named ${labels.join(' or ')}: ${seen}. Set phone.board to the board you have, or to bench for a phone without pins`);
}

/** Use one chip, already chosen. */
export function openChip(ports: { readonly clock: Clock; readonly log: Log; readonly linux: Linux }, chip: Pick<Chip, 'path'>): Pins {
  const { clock, log, linux } = ports;
  const chipFd = linux.open(chip.path);
  if (chipFd < 0) throw refused(chip.path, -chipFd);
  const closers = new Set<() => void>();

  const request = (lines: readonly OutputLine[], wanted: number, debounceMs?: readonly number[]): number => {
    const bytes = gpio.lineRequest({ offsets: lines.map(({ pin }) => pin), consumer: CONSUMER, flags: wanted, ...(debounceMs === undefined ? {} : { debounceMs }) });
    const result = linux.ioctl(chipFd, gpio.ioctls.getLine, bytes);
    if (result < 0) throw requestFault(linux, chipFd, chip.path, lines, -result);
    return gpio.requestedFd(bytes);
  };

  return {
    inputs(lines, onEdge): Inputs {
      const fd = request(lines, flags.input | flags.activeLow | flags.pullUp | flags.risingEdge | flags.fallingEdge, lines.map((l) => l.debounceMs));
      const index = new Map(lines.map(({ pin }, i) => [pin, i]));
      const onOurClock = kernelTime(() => clock.now());
      const onBytes = cutRecords(gpio.edgeBytes, (record) => {
        const { kernelMs, rising, offset } = gpio.readEdge(record);
        const line = index.get(offset);
        if (line !== undefined) onEdge(line, rising, onOurClock(kernelMs));
      });
      let stop = () => {};
      const listen = () => {
        stop = linux.stream(fd, onBytes, () => {
          log.error({ chip: chip.path }, 'the reader of the pins ended and is started again');
          const cancel = clock.after(RESTART_MS, listen);
          stop = cancel;
        });
      };
      listen();
      const close = () => {
        if (!closers.delete(close)) return;
        stop();
        linux.close(fd);
      };
      closers.add(close);
      return {
        read() {
          const values = gpio.lineValues(0, (1 << lines.length) - 1);
          const result = linux.ioctl(fd, gpio.ioctls.getValues, values);
          if (result < 0) throw new PhoneError('GPIO_FAILED', `the pins of ${chip.path} cannot be read any more (${errnoName(-result)})`);
          return gpio.valuesBits(values);
        },
        close,
      };
    },
    outputs(lines, how): Outputs {
      const fd = request(lines, how === 'drive' ? flags.output : flags.output | flags.openDrain | flags.activeLow);
      const write = (bits: number, mask: number) => { linux.ioctl(fd, gpio.ioctls.setValues, gpio.lineValues(bits, mask)); };
      const close = () => {
        if (!closers.delete(close)) return;
        write(0, (1 << lines.length) - 1); // a line may keep its level after it was given back: no bell is left under current
        linux.close(fd);
      };
      closers.add(close);
      return { write, close };
    },
    close() {
      for (const close of [...closers]) close();
      linux.close(chipFd);
    },
  };
}

function refused(path: string, code: number): PhoneError {
  return code === errno.EACCES || code === errno.EPERM
    ? new PhoneError('PIN_FORBIDDEN', `${path} may not be opened: put the user of the phone into the group gpio (sudo usermod -aG gpio NAME) and start it again`)
    : new PhoneError('GPIO_MISSING', `${path} cannot be opened (${errnoName(code)})`);
}

/** Why lines were not granted. */
function requestFault(linux: Linux, chipFd: number, path: string, lines: readonly OutputLine[], code: number): PhoneError {
  const named = lines.map(({ name, pin }) => `GPIO ${pin} (${name})`).join(', ');
  switch (code) {
    case errno.EBUSY: {
      const held = lines.flatMap(({ name, pin }) => {
        const info = gpio.lineInfo(pin);
        const consumer = linux.ioctl(chipFd, gpio.ioctls.lineInfo, info) < 0 ? '' : gpio.lineConsumer(info);
        return consumer === '' ? [] : [`GPIO ${pin} (${name}) is in use by "${consumer}"`];
      });
      return new PhoneError('PIN_BUSY', `${held.length > 0 ? held.join('; ') : `one of ${named} is in use`}: end that program or overlay, or choose another pin in hardware.pins`);
    }
    case errno.EPERM: case errno.EACCES:
      return refused(path, code);
    case errno.EINVAL:
      return new PhoneError('PIN_UNKNOWN', `${path} does not offer ${named} with a pull-up and edges: check the pin numbers (BCM numbers, not places on the header)`);
    case errno.ENOTTY:
      return new PhoneError('GPIO_FAILED', `${path} is no GPIO chip of Linux 5.10 or newer: update the system, or set hardware.driver to onoff`);
    default:
      return new PhoneError('GPIO_FAILED', `${path} refused ${named} (${errnoName(code)})`);
  }
}
