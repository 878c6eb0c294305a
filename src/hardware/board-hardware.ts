// A board's parts on its pins: joins the pure machines to the lines of whatever driver there is.

import type { Clock } from '../ports/clock.ts';
import type { Hardware } from '../ports/hardware.ts';
import type { Board } from './board.ts';
import { ROTARY_FLASH_MIN_MS, type FlashLimits } from './hook.ts';
import { createKeypad } from './keypad.ts';
import { createBuzzer, createCoilBell, createLamp, createRelay } from './outputs.ts';
import type { InputLine, OutputLine, Pins } from './pins.ts';
import { createContact, createDial, createHook, createSwitch } from './switch.ts';

/** The kernel's filter takes the storm off a bouncing line, our own debounce decides: both together are `debounceMs` and this. */
const KERNEL_FILTER_MS = 5;
/** A dial's contact is closed for 28 ms at its fastest, so it must have settled well before. */
const DIAL_REST_MAX_MS = 12;

export interface ContactSettings {
  readonly debounceMs: number;
  readonly flashMinMs: number;
  readonly flashMaxMs: number;
}

export const flashLimits = (settings: ContactSettings, rotary: boolean): FlashLimits =>
  ({ minMs: rotary ? Math.max(settings.flashMinMs, ROTARY_FLASH_MIN_MS) : settings.flashMinMs, maxMs: settings.flashMaxMs });

/** Throws the PhoneErrors of `pins`; nothing stays open then. */
export function openBoard(clock: Clock, board: Board, pins: Pins, settings: ContactSettings): Hardware {
  const restMs = settings.debounceMs;
  const lines: InputLine[] = [];
  const onEdge: ((set: boolean, atMs: number) => void)[] = [];
  const initial: (() => void)[] = [];
  const closers: (() => void)[] = [];
  const watch = (line: InputLine, on: (set: boolean, atMs: number) => void): number => {
    onEdge.push(on);
    return lines.push(line) - 1;
  };
  let bits = 0;
  let read = () => 0;
  /** A debounced switch on a line, made once the lines have been read. */
  const watchSwitch = (name: string, pin: number, rest: number, start: (closed: boolean) => void, onChange: (closed: boolean, atMs: number) => void) => {
    let edge = (_closed: boolean, _atMs: number) => {};
    const index = watch({ name, pin, debounceMs: Math.min(KERNEL_FILTER_MS, rest) }, (closed, atMs) => edge(closed, atMs));
    initial.push(() => {
      const closed = (bits >> index & 1) === 1;
      start(closed);
      const contact = createSwitch(clock, rest, closed, onChange);
      edge = contact.edge;
      closers.push(contact.close);
    });
  };

  const made: { -readonly [Part in keyof Hardware]: Hardware[Part] } = { board: board.id, close: () => {} };
  try {
    if (board.hook !== undefined) {
      const { pin, liftedWhen } = board.hook;
      let hook: ReturnType<typeof createHook> | undefined;
      watchSwitch('hook', pin, restMs, (closed) => {
        hook = createHook(clock, flashLimits(settings, board.rotary !== undefined), closed === (liftedWhen === 'closed'));
        made.hook = hook;
      }, (closed, atMs) => hook!.lifted(closed === (liftedWhen === 'closed'), atMs));
    }
    if (board.privacy !== undefined) {
      let contact: ReturnType<typeof createContact> | undefined;
      watchSwitch('privacy switch', board.privacy.pin, restMs, (closed) => {
        contact = createContact(closed);
        made.privacy = contact;
      }, (closed, atMs) => contact!.changed(closed, atMs));
    }
    if (board.rotary !== undefined) {
      const { pulse, offNormal, digits, restWhen } = board.rotary;
      const rest = Math.min(restMs, DIAL_REST_MAX_MS);
      const dial = createDial(clock, digits, offNormal !== undefined);
      made.keypad = dial;
      closers.push(dial.close);
      if (offNormal !== undefined) watchSwitch('dial off-normal', offNormal, rest, () => {}, (closed, atMs) => dial.contact(closed ? 'away' : 'home', atMs));
      watchSwitch('dial pulse', pulse, rest, () => {}, (closed, atMs) => { if (closed === (restWhen === 'closed')) dial.contact('pulse', atMs); });
    }
    if (board.keypad !== undefined) {
      const { rows, columns, keys, settleMs } = board.keypad;
      const pulled = pins.outputs(columns.map((pin, i) => ({ name: `keypad column ${i + 1}`, pin })), 'sink');
      closers.push(pulled.close);
      const first = lines.length;
      let keypad: ReturnType<typeof createKeypad> | undefined;
      rows.forEach((pin, i) => watch({ name: `keypad row ${i + 1}`, pin, debounceMs: 0 }, () => keypad?.edge())); // a filtered line would read late
      const mask = (1 << rows.length) - 1;
      initial.push(() => {
        keypad = createKeypad(clock, { keys, restMs, settleMs, readRows: () => read() >> first & mask, columns: pulled });
        made.keypad = keypad;
        closers.push(keypad.close);
      });
    }
    if (lines.length > 0) {
      const taken = pins.inputs(lines, (line, set, atMs) => onEdge[line]!(set, atMs));
      closers.push(taken.close);
      read = taken.read;
      bits = taken.read();
    }
    for (const start of initial) start();

    const { bell, lamp, relay } = board;
    const outputLines: OutputLine[] = [];
    if (bell !== undefined) bell.pins.forEach((pin, i) => outputLines.push({ name: bell.pins.length === 1 ? 'bell' : `bell ${i + 1}`, pin }));
    const lampBit = lamp === undefined ? 0 : 1 << outputLines.push({ name: 'lamp', pin: lamp.pin }) - 1;
    const relayBit = relay === undefined ? 0 : 1 << outputLines.push({ name: 'relay', pin: relay.pin }) - 1;
    if (outputLines.length > 0) {
      const driven = pins.outputs(outputLines, 'drive');
      closers.push(driven.close);
      if (bell?.pins.length === 1) made.bell = createBuzzer(clock, (on) => driven.write(on ? 1 : 0, 1));
      else if (bell !== undefined) made.bell = createCoilBell(clock, bell.hz, (way) => driven.write(way, 3));
      if (lamp !== undefined) made.lamp = createLamp(clock, (on) => driven.write(on ? lampBit : 0, lampBit));
      if (relay !== undefined) made.relay = createRelay(clock, (on) => driven.write(on ? relayBit : 0, relayBit));
    }
  } catch (error) {
    for (const close of closers.reverse()) close();
    pins.close();
    throw error;
  }
  let open = true;
  made.close = () => {
    if (!open) return;
    open = false;
    for (const part of [made.bell, made.lamp, made.relay, made.hook, made.keypad, made.privacy]) part?.close();
    for (const close of closers.reverse()) close();
    pins.close();
  };
  return made;
}
