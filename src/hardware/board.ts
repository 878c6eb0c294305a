// Board files: which pin does what, as data (hw/boards/ID.toml, already parsed), and what is wrong with one, in sentences.

import { PhoneError } from '../ports/errors.ts';
import type { Key } from '../ports/hardware.ts';
import { freePins, headers } from './header.ts';
import { pulseDigits, type PulsePlan } from './rotary.ts';

export interface Board {
  readonly id: string;
  readonly title: string;
  /** A header of header.ts, or 'other': any pin of the chip. */
  readonly header: string;
  /** Labels of the chips that may carry the pins; the first one found is used. */
  readonly chips: readonly string[];
  /** `liftedWhen`: the hook's contact to ground with the handset lifted. */
  readonly hook?: { readonly pin: number; readonly liftedWhen: 'closed' | 'open' };
  readonly keypad?: { readonly rows: readonly number[]; readonly columns: readonly number[]; readonly keys: readonly (readonly Key[])[]; readonly settleMs: number };
  /** `restWhen`: the pulse contact while the dial rests. No offNormal: a pause ends a digit. */
  readonly rotary?: { readonly pulse: number; readonly offNormal?: number; readonly digits: PulsePlan; readonly restWhen: 'closed' | 'open' };
  /** One pin: a buzzer; two: a bell's coil, swung at `hz`. */
  readonly bell?: { readonly pins: readonly number[]; readonly hz: number };
  readonly lamp?: { readonly pin: number };
  readonly relay?: { readonly pin: number };
  readonly privacy?: { readonly pin: number };
}

export interface Checked {
  /** Undefined when there are faults. */
  readonly board: Board | undefined;
  readonly faults: readonly string[];
  /** What works only under a condition. */
  readonly warnings: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/** What each part may say; a key not here is a spelling mistake. */
const parts = {
  hook: ['pin', 'lifted_when'],
  keypad: ['rows', 'columns', 'keys', 'settle_ms'],
  rotary: ['pulse', 'off_normal', 'digits', 'rest_when'],
  bell: ['pins', 'hz'],
  lamp: ['pin'],
  relay: ['pin'],
  privacy: ['pin'],
} as const;
const heads = ['id', 'title', 'header', 'chips'];
const KEYS = '0123456789*#ABCD';

/** Read and check a parsed board file. */
export function checkBoard(file: unknown): Checked {
  const faults: string[] = [];
  if (!isTable(file)) return { board: undefined, faults: ['a board file is a table with id, title, header, chips and a section for each part'], warnings: [] };
  const text = (name: string): string => {
    const value = file[name];
    if (typeof value === 'string' && value !== '') return value;
    faults.push(`${name} is missing: write ${name} = "…" at the top`);
    return '';
  };
  for (const name of Object.keys(file)) if (!heads.includes(name) && !(name in parts)) faults.push(`[${name}] is no part of a board; known are ${Object.keys(parts).join(', ')}`);
  const section = (name: keyof typeof parts): Fields | undefined => {
    const value = file[name];
    if (value === undefined) return undefined;
    if (!isTable(value)) {
      faults.push(`${name} must be a section: [${name}]`);
      return undefined;
    }
    for (const key of Object.keys(value)) if (!(parts[name] as readonly string[]).includes(key)) faults.push(`[${name}] knows no ${key}; known are ${parts[name].join(', ')}`);
    return value;
  };
  const number = (where: string, value: unknown, least: number, most: number): number => {
    if (typeof value === 'number' && value >= least && value <= most) return value;
    faults.push(`${where} must be a number from ${least} to ${most}`);
    return least;
  };
  const pin = (where: string, value: unknown): number => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 1_023) return value;
    faults.push(`${where} must be a GPIO number, such as 17`);
    return -1;
  };
  const pinList = (where: string, value: unknown, least: number, most: number): number[] => {
    if (!Array.isArray(value) || value.length < least || value.length > most) {
      faults.push(`${where} must be a list of ${least === most ? least : `${least} to ${most}`} GPIO numbers`);
      return [];
    }
    return value.map((v, i) => pin(`${where}[${i}]`, v));
  };
  const choice = <T extends string>(where: string, value: unknown, among: readonly T[], otherwise: T): T => {
    if (value === undefined) return otherwise;
    if (among.includes(value as T)) return value as T;
    faults.push(`${where} must be one of ${among.join(', ')}`);
    return otherwise;
  };

  const id = text('id'), title = text('title'), header = text('header');
  if (id !== '' && !/^[a-z0-9-]+$/.test(id)) faults.push(`id "${id}" may hold small letters, digits and - only`);
  if (header !== '' && header !== 'other' && headers[header] === undefined) faults.push(`header "${header}" is not known; known are ${Object.keys(headers).join(', ')}, other`);
  const chips = Array.isArray(file['chips']) && file['chips'].length > 0 && file['chips'].every((c) => typeof c === 'string') ? file['chips'] as string[] : [];
  if (chips.length === 0) faults.push('chips is missing: write the labels that gpiodetect shows, such as chips = ["pinctrl-bcm2711"]');

  const hook = section('hook'), keypad = section('keypad'), rotary = section('rotary'), bell = section('bell');
  const single = (name: 'lamp' | 'relay' | 'privacy') => {
    const fields = section(name);
    return fields === undefined ? {} : { [name]: { pin: pin(`${name}.pin`, fields['pin']) } };
  };
  const contact = ['closed', 'open'] as const;
  const board: Board = {
    id, title, header, chips,
    ...(hook === undefined ? {} : { hook: { pin: pin('hook.pin', hook['pin']), liftedWhen: choice('hook.lifted_when', hook['lifted_when'], contact, 'closed') } }),
    ...(keypad === undefined ? {} : { keypad: {
      rows: pinList('keypad.rows', keypad['rows'], 1, 8),
      columns: pinList('keypad.columns', keypad['columns'], 1, 8),
      keys: keyRows(keypad['keys'], faults),
      settleMs: keypad['settle_ms'] === undefined ? 0 : number('keypad.settle_ms', keypad['settle_ms'], 0, 50),
    } }),
    ...(rotary === undefined ? {} : { rotary: {
      pulse: pin('rotary.pulse', rotary['pulse']),
      ...(rotary['off_normal'] === undefined ? {} : { offNormal: pin('rotary.off_normal', rotary['off_normal']) }),
      digits: choice('rotary.digits', rotary['digits'], Object.keys(pulseDigits) as PulsePlan[], 'normal'),
      restWhen: choice('rotary.rest_when', rotary['rest_when'], contact, 'closed'),
    } }),
    ...(bell === undefined ? {} : { bell: { pins: pinList('bell.pins', bell['pins'], 1, 2), hz: bell['hz'] === undefined ? 25 : number('bell.hz', bell['hz'], 10, 60) } }),
    ...single('lamp'), ...single('relay'), ...single('privacy'),
  };
  if (faults.length > 0) return { board: undefined, faults, warnings: [] };
  const warnings: string[] = [];
  checkParts(board, faults, warnings);
  return { board: faults.length > 0 ? undefined : board, faults, warnings };
}

function keyRows(value: unknown, faults: string[]): Key[][] {
  if (!Array.isArray(value) || value.length === 0 || !value.every((row) => typeof row === 'string')) {
    faults.push('keypad.keys must be a list with the keys of each row, such as ["123", "456", "789", "*0#"]');
    return [];
  }
  const rows = (value as string[]).map((row) => [...row]);
  for (const key of rows.flat()) if (!KEYS.includes(key)) faults.push(`keypad.keys holds "${key}"; a telephone has the keys ${KEYS}`);
  return rows as Key[][];
}

/** Each pin of a board with what it is for, in the order of the parts. */
export function pinsOf(board: Board): readonly { readonly name: string; readonly pin: number }[] {
  const { hook, keypad, rotary, bell, lamp, relay, privacy } = board;
  return [
    ...(hook ? [{ name: 'hook', pin: hook.pin }] : []),
    ...(keypad ? [...keypad.rows.map((pin, i) => ({ name: `keypad row ${i + 1}`, pin })), ...keypad.columns.map((pin, i) => ({ name: `keypad column ${i + 1}`, pin }))] : []),
    ...(rotary ? [{ name: 'dial pulse', pin: rotary.pulse }] : []),
    ...(rotary?.offNormal === undefined ? [] : [{ name: 'dial off-normal', pin: rotary.offNormal }]),
    ...(bell ? bell.pins.map((pin, i) => ({ name: bell.pins.length === 1 ? 'bell' : `bell ${i + 1}`, pin })) : []),
    ...(lamp ? [{ name: 'lamp', pin: lamp.pin }] : []),
    ...(relay ? [{ name: 'relay', pin: relay.pin }] : []),
    ...(privacy ? [{ name: 'privacy switch', pin: privacy.pin }] : []),
  ];
}

function checkParts(board: Board, faults: string[], warnings: string[]): void {
  const { keypad } = board;
  const used = new Map<number, string>();
  const pins = pinsOf(board);
  const header = headers[board.header];
  const all = new Set(pins.map(({ pin }) => pin));
  const instead = () => {
    const free = header === undefined ? [] : freePins(header, all);
    return free.length === 0 ? 'give it a free pin' : `move it to a free pin: ${free.join(', ')}`;
  };
  for (const { name, pin } of pins) {
    const other = used.get(pin);
    if (other !== undefined) faults.push(`GPIO ${pin} is given to ${other} and to ${name}: ${instead()}`);
    used.set(pin, name);
    if (header === undefined) continue;
    if (!header.pins.includes(pin)) faults.push(`GPIO ${pin} (${name}) is not on the header: ${instead()}`);
    else if (header.reserved[pin] !== undefined) faults.push(`GPIO ${pin} (${name}) belongs to ${header.reserved[pin]}: ${instead()}`);
    else if (header.doubtful[pin] !== undefined) warnings.push(`GPIO ${pin} (${name}): ${header.doubtful[pin]}`);
  }
  if (pins.length === 0) faults.push('the board has no part at all: add [hook] at least');
  if (keypad !== undefined) {
    if (keypad.keys.length !== keypad.rows.length) faults.push(`the keypad has ${keypad.rows.length} row pins but ${keypad.keys.length} rows of keys: make them equal`);
    keypad.keys.forEach(({ length }, i) => {
      if (length !== keypad.columns.length) faults.push(`row ${i + 1} of the keypad has ${length} keys for ${keypad.columns.length} column pins: make them equal`);
    });
    const seen = new Set<string>();
    for (const key of keypad.keys.flat()) {
      if (seen.has(key)) faults.push(`key ${key} is on the keypad twice`);
      seen.add(key);
    }
    if (board.rotary !== undefined) faults.push('a board has a [keypad] or a [rotary] dial, not both');
  }
}

/** Names that the setting hardware.pins knows: what each changes of a board file. */
const overrides: Readonly<Record<string, readonly [keyof typeof parts, string]>> = {
  hook: ['hook', 'pin'], invertedHook: ['hook', 'pin'], rows: ['keypad', 'rows'], columns: ['keypad', 'columns'], pulse: ['rotary', 'pulse'],
  offNormal: ['rotary', 'off_normal'], bell: ['bell', 'pins'], lamp: ['lamp', 'pin'], relay: ['relay', 'pin'], privacy: ['privacy', 'pin'],
};
const keypads: Readonly<Record<number, readonly string[]>> = { 3: ['123', '456', '789', '*0#'], 4: ['123A', '456B', '789C', '*0#D'] };

/**
 * The board file with the pins of the setting hardware.pins put in, checked. An empty list takes a part away; invertedHook is a hook switch that
 * is open while the handset is lifted; pulse makes a keypad board a rotary one. Throws PhoneError BAD_SETTING.
 */
export function boardWithPins(file: unknown, pins: Readonly<Record<string, number | readonly number[]>>): Board {
  const changed: Record<string, unknown> = isTable(file) ? { ...file } : {};
  for (const [name, value] of Object.entries(pins)) {
    const target = overrides[name];
    if (target === undefined) throw new PhoneError('BAD_SETTING', `hardware.pins.${name}: no such pin; known are ${Object.keys(overrides).join(', ')}`);
    const [part, field] = target;
    if (Array.isArray(value) && value.length === 0) {
      if (name === 'offNormal' && isTable(changed['rotary'])) {
        const { off_normal: _, ...rest } = changed['rotary'];
        changed['rotary'] = rest;
      } else delete changed[part];
      continue;
    }
    const before = isTable(changed[part]) ? changed[part] : {};
    changed[part] = {
      ...before, [field]: part === 'bell' && !Array.isArray(value) ? [value] : value,
      ...(name === 'invertedHook' ? { lifted_when: 'open' } : {}),
    };
    const keys = name === 'columns' && Array.isArray(value) ? keypads[value.length] : undefined;
    if (keys !== undefined) changed['keypad'] = { ...changed['keypad'] as Fields, keys };
    if (name === 'pulse') delete changed['keypad'];
  }
  const { board, faults } = checkBoard(changed);
  if (board !== undefined) return board;
  const setting = Object.keys(pins).length > 0 ? 'hardware.pins' : 'phone.board';
  throw new PhoneError('BAD_SETTING', `${setting}: ${faults.join('; ')}`);
}

const isTable = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
