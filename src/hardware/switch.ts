// Switches on the clock: raw edges in, debounced changes, hook events and dialled digits out.

import type { Clock } from '../ports/clock.ts';
import type { Contact, HookEvent, HookSwitch, Key, Keypad } from '../ports/hardware.ts';
import { changesAt, edge, settled } from './debounce.ts';
import { whenDue } from './due.ts';
import { hookDueAt, hookState, isOffHook, stepHook, type FlashLimits } from './hook.ts';
import { rotaryDueAt, rotaryState, stepRotary, type PulsePlan, type RotaryInput } from './rotary.ts';

/** Turn that late alarms behind a debounced switch give it to settle first. */
const AFTER_SWITCH_MS = 10;

export interface Switch {
  readonly closed: boolean;
  /** The raw contact changed. */
  edge(closed: boolean, atMs: number): void;
  close(): void;
}

/** A debounced switch; `onChange` gets the instant at which the contact had rested. */
export function createSwitch(clock: Clock, restMs: number, closed: boolean, onChange: (closed: boolean, atMs: number) => void): Switch {
  let contact = settled(closed, restMs, clock.now());
  let cancel = () => {};
  const settleUntil = (atMs: number) => {
    const due = changesAt(contact, restMs);
    if (due === undefined || due > atMs) return;
    contact = edge(contact, contact.raw, due, restMs);
    onChange(contact.closed, due);
  };
  const arm = () => {
    cancel();
    const due = changesAt(contact, restMs);
    cancel = due === undefined ? () => {} : whenDue(clock, due, () => settleUntil(due));
  };
  return {
    get closed() { return contact.closed; },
    edge(raw, atMs) {
      settleUntil(atMs);
      contact = edge(contact, raw, atMs, restMs);
      arm();
    },
    close: () => cancel(),
  };
}

/** A hook switch fed with debounced changes. */
export function createHook(clock: Clock, limits: FlashLimits, offHook: boolean): HookSwitch & { lifted(up: boolean, atMs: number): void } {
  const listeners: ((event: HookEvent, atMs: number) => void)[] = [];
  let state = hookState(offHook);
  let cancel = () => {};
  const step = (input: 'lift' | 'press' | 'due', atMs: number) => {
    const [next, ...events] = stepHook(state, input, atMs, limits);
    state = next;
    cancel();
    const due = hookDueAt(state, limits);
    cancel = due === undefined ? () => {} : whenDue(clock, due, () => step('due', due), AFTER_SWITCH_MS);
    for (const event of events) for (const on of listeners) on(event, atMs);
  };
  return {
    get offHook() { return isOffHook(state); },
    lifted: (up, atMs) => step(up ? 'lift' : 'press', atMs),
    subscribe: (on) => { listeners.push(on); },
    close: () => { cancel(); listeners.length = 0; },
  };
}

/** A contact fed with debounced changes. */
export function createContact(closed: boolean): Contact & { changed(closed: boolean, atMs: number): void } {
  const listeners: ((closed: boolean, atMs: number) => void)[] = [];
  let now = closed;
  return {
    get closed() { return now; },
    changed(next, atMs) {
      if (next === now) return;
      now = next;
      for (const on of listeners) on(next, atMs);
    },
    subscribe: (on) => { listeners.push(on); },
    close: () => { listeners.length = 0; },
  };
}

/** How long a dialled digit counts as pressed. */
const DIALLED_KEY_MS = 80;

/** A rotary dial as a keypad, fed with debounced contacts. */
export function createDial(clock: Clock, plan: PulsePlan, hasOffNormal: boolean): Keypad & { contact(input: RotaryInput, atMs: number): void } {
  const listeners: ((key: Key, down: boolean, atMs: number) => void)[] = [];
  const tell = (key: Key, down: boolean, atMs: number) => { for (const on of listeners) on(key, down, atMs); };
  let state = rotaryState;
  let cancelDue = () => {};
  let cancelUp = () => {};
  const step = (input: RotaryInput, atMs: number) => {
    const [next, digit] = stepRotary(state, input, atMs, plan, hasOffNormal);
    state = next;
    cancelDue();
    const due = hasOffNormal ? undefined : rotaryDueAt(state);
    cancelDue = due === undefined ? () => {} : whenDue(clock, due, () => step('due', due), AFTER_SWITCH_MS);
    if (digit === undefined) return;
    tell(digit, true, atMs);
    cancelUp = clock.after(DIALLED_KEY_MS, () => tell(digit, false, clock.now()));
  };
  return {
    contact: step,
    subscribe: (on) => { listeners.push(on); },
    close: () => { cancelDue(); cancelUp(); listeners.length = 0; },
  };
}
