// A telephone without parts: its handset, keys, bell and lamp are values, drawn on the page and worked from the terminal.

import type { Clock } from '../ports/clock.ts';
import type { BenchDoor, BenchState, Cadence, Hardware, HookEvent, Key } from '../ports/hardware.ts';
import { createBuzzer, createLamp, createRelay } from './outputs.ts';
import { createContact } from './switch.ts';

export interface Bench extends BenchDoor {
  readonly hardware: Hardware;
}

const PRESS_MS = 100;
const BETWEEN_MS = 50;

export function createBench(ports: { readonly clock: Clock }): Bench {
  const { clock } = ports;
  const watchers: ((state: BenchState) => void)[] = [];
  const onHook: ((event: HookEvent, atMs: number) => void)[] = [];
  const onKey: ((key: Key, down: boolean, atMs: number) => void)[] = [];
  const contact = createContact(false);
  const waiting: { readonly key: Key; readonly ms: number }[] = [];
  let state: BenchState = { offHook: false, ringing: false, bell: false, lamp: false, relay: false, privacy: false, key: undefined };
  let busy = false;
  let cancel = () => {};

  const change = (part: Partial<BenchState>) => {
    if (Object.entries(part).every(([name, value]) => state[name as keyof BenchState] === value)) return;
    state = { ...state, ...part };
    for (const on of watchers) on(state);
  };
  const hook = (event: HookEvent) => { for (const on of onHook) on(event, clock.now()); };
  const key = (which: Key, down: boolean) => {
    change({ key: down ? which : undefined });
    for (const on of onKey) on(which, down, clock.now());
  };
  const nextPress = () => {
    const press = waiting.shift();
    busy = press !== undefined;
    if (press === undefined) return;
    key(press.key, true);
    cancel = clock.after(press.ms, () => {
      key(press.key, false);
      cancel = clock.after(BETWEEN_MS, nextPress);
    });
  };
  const bell = createBuzzer(clock, (on) => change({ bell: on }));
  const lamp = createLamp(clock, (on) => change({ lamp: on }));
  const relay = createRelay(clock, (on) => change({ relay: on }));
  const lift = (offHook: boolean) => {
    if (state.offHook === offHook) return;
    change({ offHook });
    hook(offHook ? 'lifted' : 'hung up');
  };

  return {
    get state() { return state; },
    lift: () => lift(true),
    hangUp: () => lift(false),
    flash: () => { if (state.offHook) hook('flash'); },
    press(which, ms = PRESS_MS) {
      waiting.push({ key: which, ms });
      if (!busy) nextPress();
    },
    privacy(on) {
      change({ privacy: on });
      contact.changed(on, clock.now());
    },
    subscribe: (on) => { watchers.push(on); },
    hardware: {
      board: 'bench',
      hook: {
        get offHook() { return state.offHook; },
        subscribe: (on) => { onHook.push(on); },
        close: () => { onHook.length = 0; },
      },
      keypad: { subscribe: (on) => { onKey.push(on); }, close: () => { onKey.length = 0; } },
      bell: {
        ring: (cadence: Cadence) => { change({ ringing: true }); bell.ring(cadence); },
        stop: () => { bell.stop(); change({ ringing: false }); },
        close: () => { bell.close(); change({ ringing: false }); },
      },
      lamp,
      relay,
      privacy: contact,
      close() {
        cancel();
        waiting.length = 0;
        busy = true;
        bell.close();
        lamp.close();
        relay.close();
        contact.close();
        onHook.length = 0;
        onKey.length = 0;
        watchers.length = 0;
      },
    },
  };
}
