// The door of this room: settings and a board's name in, Hardware out.

import type { Settings } from '../config/types.ts';
import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Hardware, HookSwitch, Keypad } from '../ports/hardware.ts';
import type { Log } from '../ports/log.ts';
import { createBench, type Bench } from './bench.ts';
import { flashLimits, openBoard } from './board-hardware.ts';
import { boardWithPins } from './board.ts';
import { detectBoard } from './detect.ts';
import { openEvdev, type InputDevice } from './evdev.ts';
import type { FlashLimits } from './hook.ts';
import { openGpiochip } from './gpiochip.ts';
import { openLinux, type Linux } from './linux.ts';
import { openOnoff, type OnoffModule } from './onoff.ts';

export interface HardwarePorts {
  readonly clock: Clock;
  readonly log: Log;
  /** The board file hw/boards/ID.toml, parsed; undefined when there is none of that name. */
  readonly boardFile: (id: string) => unknown;
  /** Left out: the machine we run on. */
  readonly linux?: () => Promise<Linux>;
  /** Left out: the installed package. */
  readonly loadOnoff?: () => Promise<OnoffModule>;
}

/** `bench` is there when the handset is drawn instead of wired. */
export interface OpenedHardware extends Hardware {
  readonly bench?: Bench;
}

/**
 * Open what `board` (the setting phone.board: auto, bench, none or the name of a board file) has. Throws PhoneError BAD_SETTING, GPIO_MISSING, PIN_BUSY,
 * PIN_FORBIDDEN, PIN_UNKNOWN, GPIO_FAILED, ONOFF_MISSING or FFI_MISSING, each with a sentence that says what to do.
 */
export async function openHardware(ports: HardwarePorts, settings: Settings['hardware'], board: string): Promise<OpenedHardware> {
  const { clock, log } = ports;
  const bench = () => {
    const idle = [...(Object.keys(settings.pins).length > 0 ? ['hardware.pins'] : []), ...(settings.driver === 'gpiochip' || settings.driver === 'onoff' ? ['hardware.driver'] : [])];
    if (idle.length > 0) log.warn({ settings: idle.join(' ') }, 'settings had no effect: this machine has no pins of a known board; phone.board names one');
    return createBench({ clock });
  };
  if (board === 'none') return { board, close: () => {} };
  const wantsInput = settings.driver === 'evdev' || (settings.driver === 'auto' && settings.inputDevice !== '');
  if (board === 'bench' && !wantsInput) return onBench(bench());
  const linux = await (ports.linux ?? openLinux)().catch((error: unknown): undefined => {
    if (board !== 'auto' || wantsInput) throw error;
    log.warn({ reason: (error as Error).message }, 'pins could not be looked for and the bench is used');
  });
  if (linux === undefined) return onBench(bench());
  const id = board === 'auto' ? detectBoard(linux) : board;
  if (id === 'bench' && !wantsInput) return onBench(bench());
  const rotaryFlash = (rotary: boolean) => {
    const limits = flashLimits(settings, rotary);
    if (limits.minMs >= limits.maxMs) throw new PhoneError('BAD_SETTING', `hardware.flashMaxMs (${limits.maxMs}) must be more than the shortest flash (${limits.minMs})`);
    return limits;
  };

  if (id === 'bench') {
    return withInput(onBench(bench()), openInputs({ clock, log, linux }, settings.inputDevice, rotaryFlash(false)));
  }
  const file = ports.boardFile(id);
  if (file === undefined) throw new PhoneError('BAD_SETTING', `phone.board: there is no board file ${id}.toml; set it to auto, bench, none, or the name of a file in hw/boards`);
  const checked = boardWithPins(file, settings.pins);
  const limits = rotaryFlash(checked.rotary !== undefined);
  if (wantsInput) {
    // The kernel's own drivers hold the pins of hook and keys; what is left of the board is ours.
    const rest = { ...checked };
    delete rest.hook;
    delete rest.keypad;
    delete rest.rotary;
    const left = rest.bell ?? rest.lamp ?? rest.relay ?? rest.privacy;
    const input = openInputs({ clock, log, linux }, settings.inputDevice, limits);
    try {
      const outputs: Hardware = left === undefined ? { board: id, close: () => {} } : openBoard(clock, rest, openGpiochip({ clock, log, linux }, checked.chips), settings);
      return withInput(outputs, input);
    } catch (error) {
      input.close();
      throw error;
    }
  }
  const pins = settings.driver === 'onoff'
    ? await openOnoff({ clock, linux }, checked.chips, ...(ports.loadOnoff === undefined ? [] : [ports.loadOnoff]))
    : openGpiochip({ clock, log, linux }, checked.chips);
  return openBoard(clock, checked, pins, settings);
}

const onBench = (bench: Bench): OpenedHardware => ({ ...bench.hardware, bench });

/** The setting may name several devices, with commas: the kernel makes one of the hook and one of the keypad. */
function openInputs(ports: { readonly clock: Clock; readonly log: Log; readonly linux: Linux }, paths: string, limits: FlashLimits): InputDevice {
  const opened: InputDevice[] = [];
  try {
    for (const path of paths.split(',')) opened.push(openEvdev(ports, path.trim(), limits));
  } catch (error) {
    for (const device of opened) device.close();
    throw error;
  }
  return {
    hook: opened.map(({ hook }) => hook).reduce(joinHooks, undefined),
    keypad: opened.map(({ keypad }) => keypad).reduce(joinKeypads),
    close: () => { for (const device of opened) device.close(); },
  };
}

/** Hook and keys of input devices in place of, or on a bench besides, those of `rest`. */
function withInput(rest: OpenedHardware, input: InputDevice): OpenedHardware {
  const hook = joinHooks(rest.hook, input.hook);
  return {
    ...rest,
    ...(hook === undefined ? {} : { hook }),
    keypad: rest.keypad === undefined ? input.keypad : joinKeypads(rest.keypad, input.keypad),
    close: () => { input.close(); rest.close(); },
  };
}

const joinKeypads = (a: Keypad, b: Keypad): Keypad => ({
  subscribe: (on) => { a.subscribe(on); b.subscribe(on); },
  close: () => { a.close(); b.close(); },
});

/** Two handsets on one phone: off hook while either is. */
function joinHooks(a: HookSwitch | undefined, b: HookSwitch | undefined): HookSwitch | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    get offHook() { return a.offHook || b.offHook; },
    subscribe(on) {
      for (const [self, other] of [[a, b], [b, a]] as const) self.subscribe((event, atMs) => { if (event === 'flash' || !other.offHook) on(event, atMs); });
    },
    close() { a.close(); b.close(); },
  };
}
