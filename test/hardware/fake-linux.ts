// A kernel in memory that speaks the GPIO structures byte by byte, on simulated wires, and input devices fed by the test.

import { errno, type Linux } from '../../src/hardware/linux.ts';
import { flags, ioctls } from '../../src/hardware/gpio-bytes.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { createSimulatedPins, type SimulatedPins } from '../../src/hardware/simulated.ts';
import type { Inputs, Outputs } from '../../src/hardware/pins.ts';

export interface FakeChip {
  readonly label: string;
  readonly lines: number;
  readonly pins: SimulatedPins;
  /** Pins that somebody else holds. */
  readonly busy: Map<number, string>;
}

interface Open { readonly path: string; readonly chip?: FakeChip; inputs?: Inputs; outputs?: Outputs; out?: (bytes: Uint8Array) => void }

export class FakeLinux implements Linux {
  longBits: 32 | 64 = 64;
  readonly files = new Map<string, string>();
  readonly chips = new Map<string, FakeChip>();
  /** Input devices: the 96 bytes of keys known and down. */
  readonly inputs = new Map<string, { known: Uint8Array; down: Uint8Array }>();
  /** Paths that give this errno on open. */
  readonly refuse = new Map<string, number>();
  /** Errno of every request for lines. */
  requestFault = 0;
  readonly grabbed: string[] = [];
  readonly streams = new Map<string, { bytes: (bytes: Uint8Array) => void; end: () => void }>();
  readonly open_ = new Map<number, Open>();
  readonly #clock: Clock;
  #nextFd = 100;

  constructor(clock: Clock) { this.#clock = clock; }

  addChip(path: string, label: string, lines = 54): FakeChip {
    const chip = { label, lines, pins: createSimulatedPins(this.#clock), busy: new Map<number, string>() };
    this.chips.set(path, chip);
    return chip;
  }

  list(folder: string): readonly string[] {
    const names = [...this.files.keys(), ...this.chips.keys(), ...this.inputs.keys()].filter((p) => p.startsWith(`${folder}/`)).map((p) => p.slice(folder.length + 1).split('/')[0]!);
    return [...new Set(names)].sort();
  }
  read(path: string): string | undefined { return this.files.get(path); }
  exists(path: string): boolean { return this.files.has(path) || this.chips.has(path); }

  open(path: string): number {
    const refused = this.refuse.get(path);
    if (refused !== undefined) return -refused;
    const chip = this.chips.get(path);
    if (chip === undefined && !this.inputs.has(path)) return -errno.ENOENT;
    this.open_.set(this.#nextFd, { path, ...(chip === undefined ? {} : { chip }) });
    return this.#nextFd++;
  }
  close(fd: number): void {
    const file = this.open_.get(fd);
    if (file === undefined) throw new Error(`EBADF: ${fd}`);
    file.inputs?.close();
    file.outputs?.close();
    this.open_.delete(fd);
  }

  ioctl(fd: number, request: number, argument: Uint8Array): number {
    const file = this.open_.get(fd)!;
    const view = new DataView(argument.buffer, argument.byteOffset, argument.length);
    const { chip } = file;
    switch (request) {
      case ioctls.chipInfo:
        if (chip === undefined) return -errno.ENOTTY;
        argument.set(Buffer.from(chip.label), 32);
        view.setUint32(64, chip.lines, true);
        return 0;
      case ioctls.lineInfo: {
        const holder = chip!.busy.get(view.getUint32(64, true));
        if (holder !== undefined) { argument.set(Buffer.from(holder), 32); argument[72] = 1; }
        return 0;
      }
      case ioctls.getLine: return this.#request(file, view, argument);
      case ioctls.getValues:
        view.setBigUint64(0, BigInt(file.inputs!.read()) & view.getBigUint64(8, true), true);
        return 0;
      case ioctls.setValues:
        file.outputs!.write(Number(view.getBigUint64(0, true)), Number(view.getBigUint64(8, true)));
        return 0;
      case 0x8060_4518: argument.set(this.inputs.get(file.path)!.down); return 0;
      case 0x8060_4521: argument.set(this.inputs.get(file.path)!.known); return 0;
      case 0x4004_45a0: return argument[0] === 1 ? 0 : -errno.EINVAL;
      default: return -errno.ENOTTY;
    }
  }
  ioctlNumber(fd: number, request: number, argument: number): number {
    if (request !== 0x4004_4590 || argument !== 1) return -errno.ENOTTY;
    this.grabbed.push(this.open_.get(fd)!.path);
    return 0;
  }

  #request(file: Open, view: DataView, argument: Uint8Array): number {
    const chip = file.chip!;
    if (this.requestFault !== 0) return -this.requestFault;
    const pins = Array.from({ length: view.getUint32(560, true) }, (_, i) => view.getUint32(4 * i, true));
    if (pins.some((pin) => pin >= chip.lines)) return -errno.EINVAL;
    if (pins.some((pin) => chip.busy.has(pin))) return -errno.EBUSY;
    const wanted = Number(view.getBigUint64(288, true));
    const lines: Open = { path: file.path };
    const named = pins.map((pin) => ({ name: 'line', pin, debounceMs: 0 }));
    if (wanted & flags.output) lines.outputs = chip.pins.outputs(named, wanted & flags.openDrain ? 'sink' : 'drive');
    else {
      let sequence = 0;
      lines.inputs = chip.pins.inputs(named, (line, set, atMs) => {
        const record = new DataView(new ArrayBuffer(48));
        record.setBigUint64(0, BigInt(Math.round((atMs + 7_000) * 1e6)), true); // the kernel counts from boot
        record.setUint32(8, set ? 1 : 2, true);
        record.setUint32(12, pins[line]!, true);
        record.setUint32(16, ++sequence, true);
        lines.out?.(new Uint8Array(record.buffer));
      });
    }
    view.setInt32(588, this.#nextFd, true);
    this.open_.set(this.#nextFd++, lines);
    return argument.length === 592 ? 0 : -errno.EINVAL;
  }

  stream(fd: number, onBytes: (bytes: Uint8Array) => void, onEnd: () => void): () => void {
    const file = this.open_.get(fd)!;
    file.out = onBytes;
    this.streams.set(file.path, { bytes: onBytes, end: () => { delete file.out; onEnd(); } });
    return () => { delete file.out; this.streams.delete(file.path); };
  }
}
