// Bell, lamp and door relay on output lines. `set` writes one line; cadences run on the clock without drifting.

import type { Clock } from '../ports/clock.ts';
import type { Bell, Cadence, Lamp, Relay } from '../ports/hardware.ts';

/** Play a cadence into `level` until the returned function is called, which leaves it off. A cadence without length is steadily on. */
export function playCadence(clock: Clock, cadence: Cadence, level: (on: boolean) => void): () => void {
  let cancel = () => {};
  const total = cadence.reduce((sum, ms) => sum + Math.max(0, ms), 0);
  const whole = cadence.length % 2 === 0 ? cadence : [...cadence, ...cadence]; // an odd one turns on and off about itself
  const phase = (index: number, fromMs: number) => {
    const ms = Math.max(0, whole[index % whole.length]!);
    if (ms > 0) level(index % 2 === 0);
    cancel = clock.after(fromMs + ms - clock.now(), () => phase((index + 1) % whole.length, fromMs + ms));
  };
  if (total > 0) phase(0, clock.now());
  else level(true);
  return () => {
    cancel();
    level(false);
  };
}

/** A buzzer or a ready-made ringer on one line: on while the cadence is on. */
export function createBuzzer(clock: Clock, set: (on: boolean) => void): Bell {
  let stop = () => {};
  const ring = (cadence: Cadence) => { stop(); stop = playCadence(clock, cadence, set); };
  const quiet = () => { stop(); stop = () => {}; };
  return { ring, stop: quiet, close: quiet };
}

/**
 * A bell's coil between two lines (through an H-bridge or two transistors): each is on for half a period in turn, 20 Hz in North America,
 * 25 Hz in Europe; both are off between rings. bits: 0 off, 1 one way, 2 the other.
 */
export function createCoilBell(clock: Clock, hz: number, write: (bits: 0 | 1 | 2) => void): Bell {
  const halfMs = 500 / hz;
  let cancel = () => {};
  const swing = (bits: 1 | 2, fromMs: number) => {
    write(bits);
    cancel = clock.after(fromMs + halfMs - clock.now(), () => swing(bits === 1 ? 2 : 1, Math.max(fromMs + halfMs, clock.now() - halfMs)));
  };
  return createBuzzer(clock, (on) => {
    cancel();
    cancel = () => {};
    if (on) swing(1, clock.now());
    else write(0);
  });
}

export function createLamp(clock: Clock, set: (on: boolean) => void): Lamp {
  let stop = () => {};
  const show = (state: boolean | Cadence) => {
    stop();
    stop = () => {};
    if (typeof state === 'boolean') set(state);
    else stop = playCadence(clock, state, set);
  };
  return { show, close: () => show(false) };
}

/** A pulse during a pulse lengthens it, never shortens it. */
export function createRelay(clock: Clock, set: (on: boolean) => void): Relay {
  let cancel = () => {};
  let untilMs = -Infinity;
  const open = () => { cancel(); cancel = () => {}; untilMs = -Infinity; set(false); };
  return {
    pulse(ms) {
      const end = clock.now() + ms;
      if (ms <= 0 || end <= untilMs) return;
      untilMs = end;
      cancel();
      set(true);
      cancel = clock.after(ms, open);
    },
    close: open,
  };
}
