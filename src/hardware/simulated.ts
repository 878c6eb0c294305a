// Pins without a board: contacts join pins to each other or to ground, as wires and keys do, so that the drivers above run unchanged,
// ghost keys and bounce included. For tests and for trying a board file at the desk.

import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { InputLine, Inputs, OutputLine, Outputs, Pins } from './pins.ts';

/** The other end of a switch to ground. */
export const GROUND = -1;

export interface SimulatedPins extends Pins {
  /** Join two pins, or a pin and GROUND; `closed` false parts them. */
  contact(a: number, b: number, closed: boolean): void;
  /** A real contact: it ends up as `closed`, after toggling for each of `bounceMs` in turn. */
  snap(a: number, b: number, closed: boolean, bounceMs?: readonly number[]): void;
  /** Something pulls the pin to ground for that long. */
  noise(pin: number, ms: number): void;
  /** What an output pin does: true is set. */
  output(pin: number): boolean;
}

interface Watch {
  readonly lines: readonly InputLine[];
  readonly onEdge: (line: number, set: boolean, atMs: number) => void;
  bits: number;
}

export function createSimulatedPins(clock: Clock): SimulatedPins {
  const contacts = new Map<string, readonly [number, number]>();
  const watches = new Set<Watch>();
  const outputs = new Map<number, { set: boolean; readonly how: 'drive' | 'sink' }>();
  const taken = new Map<number, string>();
  let noises = 0;

  /** Everything joined to ground, directly, through other pins, or through an output that pulls. */
  const grounded = (): Set<number> => {
    const low = new Set<number>([GROUND]);
    for (const [pin, { set, how }] of outputs) if (how === 'sink' ? set : !set) low.add(pin);
    for (let grown = -1; grown !== low.size;) {
      grown = low.size;
      for (const [a, b] of contacts.values()) {
        if (low.has(a)) low.add(b);
        else if (low.has(b)) low.add(a);
      }
    }
    return low;
  };
  const read = (lines: readonly InputLine[], low: Set<number>): number =>
    lines.reduce((bits, { pin }, i) => low.has(pin) ? bits | 1 << i : bits, 0);
  const update = () => {
    const low = grounded();
    for (const watch of watches) {
      const bits = read(watch.lines, low);
      const changed = bits ^ watch.bits;
      watch.bits = bits;
      for (let i = 0; i < watch.lines.length; i++) if (changed >> i & 1) watch.onEdge(i, (bits >> i & 1) === 1, clock.now());
    }
  };
  const take = (lines: readonly OutputLine[]) => {
    for (const { pin, name } of lines) {
      const holder = taken.get(pin);
      if (holder !== undefined) throw new PhoneError('PIN_BUSY', `GPIO ${pin} (${name}) is already in use for ${holder}`);
      taken.set(pin, name);
    }
  };
  const join = (name: string, a: number, b: number, closed: boolean) => {
    if (closed) contacts.set(name, [a, b]);
    else contacts.delete(name);
    update();
  };
  const contact = (a: number, b: number, closed: boolean) => join(`${Math.min(a, b)} ${Math.max(a, b)}`, a, b, closed);

  return {
    contact,
    snap(a, b, closed, bounceMs = []) {
      contact(a, b, closed);
      let atMs = 0;
      bounceMs.forEach((ms, i) => {
        atMs += ms;
        clock.after(atMs, () => contact(a, b, i % 2 === 0 ? !closed : closed));
      });
      if (bounceMs.length % 2 === 1) clock.after(atMs, () => contact(a, b, closed));
    },
    noise(pin, ms) {
      const name = `noise ${noises++}`;
      join(name, pin, GROUND, true);
      clock.after(ms, () => join(name, pin, GROUND, false));
    },
    output: (pin) => outputs.get(pin)?.set ?? false,
    inputs(lines, onEdge): Inputs {
      take(lines);
      const watch: Watch = { lines, onEdge, bits: read(lines, grounded()) };
      watches.add(watch);
      return {
        read: () => read(lines, grounded()),
        close() {
          watches.delete(watch);
          for (const { pin } of lines) taken.delete(pin);
        },
      };
    },
    outputs(lines, how): Outputs {
      take(lines);
      for (const { pin } of lines) outputs.set(pin, { set: false, how });
      return {
        write(bits, mask) {
          lines.forEach(({ pin }, i) => { if (mask >> i & 1) outputs.get(pin)!.set = (bits >> i & 1) === 1; });
          update();
        },
        close() {
          for (const { pin } of lines) { outputs.delete(pin); taken.delete(pin); }
        },
      };
    },
    close() {
      watches.clear();
      outputs.clear();
      taken.clear();
    },
  };
}
