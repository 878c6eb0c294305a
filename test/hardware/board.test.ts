import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { keyOfCode } from '../../src/hardware/evdev.ts';
import { boardWithPins, checkBoard, pinsOf, type Board } from '../../src/hardware/board.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'hw', 'boards');
const names = readdirSync(folder).filter((name) => name.endsWith('.toml'));
const text = (name: string) => readFileSync(join(folder, name), 'utf8');
const good = (): Record<string, unknown> => parse(text('raspberry-pi.toml'));

test.each(names)('%s is a board without faults or conditions, and is named after its file', (name) => {
  const { board, faults, warnings } = checkBoard(parse(text(name)));
  expect([faults, warnings]).toEqual([[], []]);
  expect(`${board!.id}.toml`).toBe(name);
});

test('the table in hw/README.md is made of the board files', () => {
  const readme = readFileSync(join(root, 'hw', 'README.md'), 'utf8');
  for (const name of names) {
    const board = checkBoard(parse(text(name))).board!;
    const rows = pinsOf(board).map(({ name: what, pin }) => `| ${what} | ${pin} | ${placeOnHeader[pin]} |`);
    expect(readme).toContain(`### ${board.title} (\`${board.id}\`)\n\n| part | GPIO | place on the header |\n|---|---|---|\n${rows.join('\n')}\n`);
  }
});

/** 40-pin header: BCM number to place. */
const placeOnHeader: Readonly<Record<number, number>> = {
  2: 3, 3: 5, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21, 25: 22, 11: 23, 8: 24, 7: 26, 0: 27, 1: 28,
  5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36, 26: 37, 20: 38, 21: 40,
};

const faulty: readonly (readonly [string, (file: Record<string, unknown>) => void, string | RegExp])[] = [
  ['a pin given twice', (f) => { f['lamp'] = { pin: 17 }; }, 'GPIO 17 is given to hook and to lamp: move it to a free pin: 27'],
  ['a pin of the sound', (f) => { f['hook'] = { pin: 18 }; }, /^GPIO 18 \(hook\) belongs to I2S, the sound of sound HATs: move it to a free pin: 17$/],
  ['a pin of I2C', (f) => { f['lamp'] = { pin: 2 }; }, /GPIO 2 \(lamp\) belongs to I2C/],
  ['a pin of the console', (f) => { f['relay'] = { pin: 15 }; }, /GPIO 15 \(relay\) belongs to the serial console/],
  ['a pin of the identity memory', (f) => { f['relay'] = { pin: 0 }; }, /GPIO 0 \(relay\) belongs to the identity memory/],
  ['a pin that is not on the header', (f) => { f['lamp'] = { pin: 40 }; }, /^GPIO 40 \(lamp\) is not on the header: move it to a free pin: 27$/],
  ['fewer row pins than rows', (f) => { f['keypad'] = { rows: [5, 6, 13], columns: [22, 23, 24], keys: ['123', '456', '789', '*0#'] }; }, 'the keypad has 3 row pins but 4 rows of keys: make them equal'],
  ['a row with too many keys', (f) => { f['keypad'] = { rows: [5], columns: [22, 23], keys: ['123'] }; }, 'row 1 of the keypad has 3 keys for 2 column pins: make them equal'],
  ['a key twice', (f) => { f['keypad'] = { rows: [5], columns: [22, 23], keys: ['11'] }; }, 'key 1 is on the keypad twice'],
  ['a key that no telephone has', (f) => { f['keypad'] = { rows: [5], columns: [22], keys: ['x'] }; }, /keypad\.keys holds "x"/],
  ['keypad and dial', (f) => { f['rotary'] = { pulse: 4 }; }, 'a board has a [keypad] or a [rotary] dial, not both'],
  ['a misspelt part', (f) => { f['lmap'] = { pin: 27 }; }, /^\[lmap\] is no part of a board/],
  ['a misspelt field', (f) => { f['hook'] = { pin: 17, liftedwhen: 'open' }; }, /^\[hook\] knows no liftedwhen; known are pin, lifted_when$/],
  ['a polarity that is none', (f) => { f['hook'] = { pin: 17, lifted_when: 'up' }; }, 'hook.lifted_when must be one of closed, open'],
  ['a pin that is no number', (f) => { f['hook'] = { pin: 'GPIO17' }; }, 'hook.pin must be a GPIO number, such as 17'],
  ['three bell pins', (f) => { f['bell'] = { pins: [12, 4, 25] }; }, 'bell.pins must be a list of 1 to 2 GPIO numbers'],
  ['a bell too fast', (f) => { f['bell'] = { pins: [12], hz: 440 }; }, 'bell.hz must be a number from 10 to 60'],
  ['an unknown header', (f) => { f['header'] = 'raspberry-pi-26'; }, /^header "raspberry-pi-26" is not known/],
  ['no chip', (f) => { delete f['chips']; }, /^chips is missing/],
  ['no id', (f) => { delete f['id']; }, /^id is missing/],
];
test.each(faulty)('%s is a fault in words', (_name, spoil, expected) => {
  const file = good();
  spoil(file);
  const { board, faults } = checkBoard(file);
  expect(board).toBeUndefined();
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatch(expected);
});

test('a pin of SPI is allowed under a condition', () => {
  const { board, faults, warnings } = checkBoard({ ...good(), lamp: { pin: 8 } });
  expect([board === undefined, faults, warnings]).toEqual([false, [], ['GPIO 8 (lamp): free only while SPI is off (no dtparam=spi=on in config.txt)']]);
});

test('other computers may use any pin of their chip', () => {
  const { board } = checkBoard({ id: 'orange', title: 'Other', header: 'other', chips: ['300b000.pinctrl'], hook: { pin: 267 } });
  expect(board?.hook).toEqual({ pin: 267, liftedWhen: 'closed' });
});

test.each([[null], [7], [[]], [{}], [{ id: 5 }], [{ hook: 3, keypad: [], bell: 'x' }]])('%j is no board and says so without failing', (file) => {
  const { board, faults } = checkBoard(file);
  expect(board).toBeUndefined();
  expect(faults.length).toBeGreaterThan(0);
});

test('the setting hardware.pins moves, adds, inverts and takes away parts', () => {
  const board = (pins: Record<string, number | number[]>): Board => boardWithPins(good(), pins);
  expect(board({ lamp: 4, hook: 27 })).toMatchObject({ lamp: { pin: 4 }, hook: { pin: 27, liftedWhen: 'closed' } });
  expect(board({ invertedHook: 17 }).hook).toEqual({ pin: 17, liftedWhen: 'open' });
  expect(board({ bell: [12, 4] }).bell).toEqual({ pins: [12, 4], hz: 25 });
  expect(board({ bell: 4 }).bell).toEqual({ pins: [4], hz: 25 });
  expect(board({ relay: [] }).relay).toBeUndefined();
  expect(board({ privacy: [], columns: [22, 23, 24, 25] }).keypad!.keys[0]).toEqual(['1', '2', '3', 'A']);
  expect(board({ pulse: 22, offNormal: 23 })).toMatchObject({ rotary: { pulse: 22, offNormal: 23 } });
  expect(board({ pulse: 22 }).keypad).toBeUndefined();
  expect(boardWithPins(parse(text('raspberry-pi-rotary.toml')), { offNormal: [] }).rotary).toEqual({ pulse: 22, digits: 'normal', restWhen: 'closed' });
});

test('a bad hardware.pins is a PhoneError that names the setting and the pin', () => {
  expect(() => boardWithPins(good(), { hok: 17 })).toThrow(expect.objectContaining({ code: 'BAD_SETTING', message: expect.stringContaining('hardware.pins.hok: no such pin') as string }) as Error);
  expect(() => boardWithPins(good(), { lamp: 17 })).toThrow(expect.objectContaining({ code: 'BAD_SETTING', message: expect.stringMatching(/^hardware\.pins: GPIO 17 is given to hook and to lamp/) as string }) as Error);
  expect(() => boardWithPins({ id: 'x' }, {})).toThrow(expect.objectContaining({ message: expect.stringMatching(/^phone\.board: /) as string }) as Error);
});

test('scripts/check-board says ok, or each fault, by its exit code too', () => {
  const script = join(root, 'scripts', 'check-board');
  expect(execFileSync(script, names.map((name) => join(folder, name)), { encoding: 'utf8' }).trim().split('\n')).toEqual(names.map((name) => expect.stringMatching(new RegExp(`${name}: ok, \\d+ pins`)) as string));
  const own = mkdtempSync(join(tmpdir(), 'offhook-board-'));
  const bad = join(own, 'bad.toml');
  writeFileSync(bad, text('raspberry-pi.toml').replace('pin = 27', 'pin = 18').replace('pin = 16', 'pin = 12'));
  const run = spawnSync(script, [bad, join(own, 'absent.toml')], { encoding: 'utf8' });
  rmSync(own, { recursive: true });
  expect(run.status).toBe(1);
  expect(run.stdout).toContain('GPIO 18 (lamp) belongs to I2S');
  expect(run.stdout).toContain('GPIO 12 is given to bell and to relay');
  expect(run.stdout).toMatch(/absent\.toml: cannot be read/);
  expect(spawnSync(script, [], { encoding: 'utf8' }).status).toBe(2);
});

test('the overlay has the pins and the keys of the 3×4 board', () => {
  const overlay = readFileSync(join(root, 'hw', 'overlays', 'offhook-keypad.dts'), 'utf8');
  const { keypad, hook } = checkBoard(good()).board!;
  const pins = (property: string) => [...overlay.match(new RegExp(`${property} = (.*);`))![1]!.matchAll(/&gpio (\d+) 1/g)].map((m) => Number(m[1]));
  expect([pins('row-gpios'), pins('col-gpios')]).toEqual([keypad!.rows, keypad!.columns]);
  expect(overlay).toContain(`brcm,pins = <${[...keypad!.rows, ...keypad!.columns].join(' ')}>`);
  expect(overlay).toContain(`dtoverlay=gpio-key,gpio=${hook!.pin},`);
  const keymap = [...overlay.match(/linux,keymap = <([^>]*)>/)![1]!.matchAll(/0x([0-9a-f]{8})/g)].map((m) => parseInt(m[1]!, 16));
  expect(keymap.map((entry) => [entry >>> 24, entry >> 16 & 0xff, keyOfCode.get(entry & 0xffff)]))
    .toEqual(keypad!.keys.flatMap((row, r) => row.map((key, c) => [r, c, key])));
});
