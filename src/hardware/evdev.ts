// Keys and hook from an input device: USB keypads and handsets, or the kernel's own gpio-keys and gpio-matrix-keypad drivers set up by an
// overlay (hw/overlays). The kernel debounces and scans; we read its records.
//
//   record: seconds long · microseconds long · type u16 · code u16 · value s32: 24 bytes where long is 64 bits, 16 where it is 32

import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { HookSwitch, Key, Keypad } from '../ports/hardware.ts';
import type { Log } from '../ports/log.ts';
import type { FlashLimits } from './hook.ts';
import { errno, errnoName, type Linux } from './linux.ts';
import { cutRecords, kernelTime } from './records.ts';
import { createHook } from './switch.ts';

const EV_SYN = 0, EV_KEY = 1, SYN_DROPPED = 3;
const KEY_PICKUP_PHONE = 445, KEY_HANGUP_PHONE = 446, KEY_PHONE = 169;
const KEY_BYTES = 96; // KEY_MAX is 0x2ff
const ioctls = {
  /** EVIOCGKEY: which keys are down now. EVIOCGBIT(EV_KEY): which keys there are. */
  keysDown: 0x8000_4518 + KEY_BYTES * 0x1_0000,
  keysKnown: 0x8000_4521 + KEY_BYTES * 0x1_0000,
  grab: 0x4004_4590,
  clock: 0x4004_45a0,
} as const;
const CLOCK_MONOTONIC = 1;
/** An absent device is looked for this often. */
const RETRY_MS = 2_000;

/** Linux key codes (input-event-codes.h). A number pad has no #: its Enter and / are the send key. */
export const keyOfCode: ReadonlyMap<number, Key> = new Map<number, Key>([
  ...([...'0123456789*#ABCD'] as Key[]).map((key, i): [number, Key] => [512 + i, key]),                        // KEY_NUMERIC_0 …
  ...([...'1234567890'] as Key[]).map((key, i): [number, Key] => [2 + i, key]),                                // KEY_1 … KEY_0
  [71, '7'], [72, '8'], [73, '9'], [75, '4'], [76, '5'], [77, '6'], [79, '1'], [80, '2'], [81, '3'], [82, '0'], // KEY_KP…
  [55, '*'], [98, '#'], [96, '#'], [28, '#'],                                                                  // KP asterisk, slash, enter; enter
  [30, 'A'], [48, 'B'], [46, 'C'], [32, 'D'],
]);

export interface InputRecord {
  readonly kernelMs: number;
  readonly type: number;
  readonly code: number;
  /** Of keys: 0 up, 1 down, 2 repeated. */
  readonly value: number;
}

export const recordBytes = (longBits: 32 | 64): number => (longBits === 64 ? 24 : 16);

export function readInputRecord(record: DataView, longBits: 32 | 64): InputRecord {
  const wide = longBits === 64;
  const rest = wide ? 16 : 8;
  const seconds = wide ? Number(record.getBigInt64(0, true)) : record.getUint32(0, true);
  const micros = wide ? Number(record.getBigInt64(8, true)) : record.getUint32(4, true);
  return { kernelMs: seconds * 1e3 + micros / 1e3, type: record.getUint16(rest, true), code: record.getUint16(rest + 2, true), value: record.getInt32(rest + 4, true) };
}

export interface InputDevice {
  readonly keypad: Keypad;
  /** Undefined when the device is there and has no telephone key. */
  readonly hook: HookSwitch | undefined;
  close(): void;
}

/** Open an input device; an absent one is waited for. Throws PhoneError BAD_SETTING or PIN_FORBIDDEN. */
export function openEvdev(ports: { readonly clock: Clock; readonly log: Log; readonly linux: Linux }, path: string, limits: FlashLimits): InputDevice {
  const { clock, log, linux } = ports;
  if (!path.startsWith('/')) {
    const found = linux.list('/dev/input/by-id').map((name) => `/dev/input/by-id/${name}`);
    const others = found.length > 1 ? `; there are also ${found.slice(1).join(', ')}` : '';
    throw new PhoneError('BAD_SETTING', `hardware.inputDevice must name the input device, such as ${found[0] ?? '/dev/input/event0'}${others}`);
  }
  const onKey: ((key: Key, down: boolean, atMs: number) => void)[] = [];
  const hook = createHook(clock, limits, false);
  /** How the handset tells: a key held down while it is off, or one key to lift and one to hang up. */
  let handset = 'held' as 'held' | 'two keys' | 'none';
  let held: { readonly code: number; readonly key: Key } | undefined;
  let dropped = false;
  let fd = -1;
  let missed = false;
  let stop = () => {};

  const release = (atMs: number) => {
    if (held === undefined) return;
    const { key } = held;
    held = undefined;
    for (const on of onKey) on(key, false, atMs);
  };
  const onRecord = ({ type, code, value }: InputRecord, atMs: number) => {
    if (type === EV_SYN) {
      if (code === SYN_DROPPED) dropped = true;
      else if (dropped) { dropped = false; resync(atMs); }
      return;
    }
    if (type !== EV_KEY || value === 2 || dropped) return;
    if (code === KEY_PICKUP_PHONE || code === KEY_PHONE) {
      if (value === 1) hook.lifted(true, atMs);
      else if (handset === 'held') hook.lifted(false, atMs);
    } else if (code === KEY_HANGUP_PHONE) {
      if (value === 1) hook.lifted(false, atMs);
    } else {
      const key = keyOfCode.get(code);
      if (key === undefined) return;
      if (value === 0) {
        if (held?.code === code) release(atMs);
      } else if (held === undefined) { // two-key lock-out, as on the matrix
        held = { code, key };
        for (const on of onKey) on(key, true, atMs);
      }
    }
  };
  /** The kernel dropped records, or the device is new: see how things are. */
  const resync = (atMs: number) => {
    const down = new Uint8Array(KEY_BYTES);
    if (linux.ioctl(fd, ioctls.keysDown, down) < 0) return;
    if (held !== undefined && !bit(down, held.code)) release(atMs);
    if (handset === 'held') hook.lifted(bit(down, KEY_PICKUP_PHONE) || bit(down, KEY_PHONE), atMs);
  };
  const open = () => {
    fd = linux.open(path);
    if (fd === -errno.EACCES || fd === -errno.EPERM) {
      throw new PhoneError('PIN_FORBIDDEN', `${path} may not be opened: put the user of the phone into the group input (sudo usermod -aG input NAME) and start it again`);
    }
    if (fd < 0) {
      if (!missed) log.warn({ device: path, reason: errnoName(-fd) }, 'input device was absent and is waited for');
      missed = true;
      retry();
      return;
    }
    const known = new Uint8Array(KEY_BYTES);
    if (linux.ioctl(fd, ioctls.keysKnown, known) >= 0) {
      handset = bit(known, KEY_HANGUP_PHONE) ? 'two keys' : bit(known, KEY_PICKUP_PHONE) || bit(known, KEY_PHONE) ? 'held' : 'none';
    }
    linux.ioctlNumber(fd, ioctls.grab, 1); // or a login on the console would get the digits as well
    const monotonic = new Uint8Array(4);
    new DataView(monotonic.buffer).setInt32(0, CLOCK_MONOTONIC, true);
    // The wall clock, which is the kernel's default, jumps: then the time of arrival is the better one.
    const onOurClock = linux.ioctl(fd, ioctls.clock, monotonic) >= 0 ? kernelTime(() => clock.now()) : () => clock.now();
    if (missed) log.info({ device: path }, 'input device was found');
    missed = false;
    dropped = false;
    resync(clock.now());
    const cut = cutRecords(recordBytes(linux.longBits), (view) => {
      const record = readInputRecord(view, linux.longBits);
      onRecord(record, onOurClock(record.kernelMs));
    });
    stop = linux.stream(fd, cut, () => {
      linux.close(fd);
      fd = -1;
      release(clock.now());
      if (!missed) log.warn({ device: path }, 'input device was lost and is waited for');
      missed = true;
      retry();
    });
  };
  const retry = () => {
    stop = clock.after(RETRY_MS, () => {
      try { open(); } catch (error) { log.error({ device: path }, (error as Error).message); retry(); }
    });
  };
  open();

  return {
    keypad: { subscribe: (on) => { onKey.push(on); }, close: () => { onKey.length = 0; } },
    hook: handset === 'none' ? undefined : hook,
    close() {
      stop();
      if (fd >= 0) linux.close(fd);
      fd = -1;
      hook.close();
      onKey.length = 0;
    },
  };
}

const bit = (bytes: Uint8Array, code: number): boolean => (bytes[code >> 3]! >> (code & 7) & 1) === 1;
