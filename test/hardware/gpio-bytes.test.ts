import { expect, test } from 'vitest';
import { chipLabel, chipLines, flags, ioctls, lineConsumer, lineInfo, lineRequest, lineValues, readEdge, requestedFd, valuesBits } from '../../src/hardware/gpio-bytes.ts';

/** _IOC of asm-generic/ioctl.h. */
const ioc = (direction: 'read' | 'both', number: number, bytes: number) => ((direction === 'read' ? 2 : 3) * 2 ** 30) + bytes * 2 ** 16 + 0xb4 * 2 ** 8 + number;

test('ioctl numbers carry the sizes of the structures', () => {
  expect(ioctls).toEqual({ chipInfo: ioc('read', 1, 68), lineInfo: ioc('both', 5, 256), getLine: ioc('both', 7, 592), getValues: ioc('both', 0xe, 16), setValues: ioc('both', 0xf, 16) });
});

test('a request for inputs is exactly these bytes', () => {
  const bytes = lineRequest({ offsets: [17, 5, 25], consumer: 'offhook', flags: flags.input | flags.pullUp | flags.activeLow | flags.risingEdge | flags.fallingEdge, debounceMs: [5, 0, 5] });
  const expected = new Uint8Array(592);
  expected[0] = 17; expected[4] = 5; expected[8] = 25;
  expected.set(Buffer.from('offhook'), 256);
  expected[288] = 2 + 4 + 16 + 32; expected[289] = 1; // pull-up is bit 8
  expected[296] = 1;
  expected[320] = 3; // debounce
  expected[328] = 5_000 & 255; expected[329] = 5_000 >> 8;
  expected[336] = 0b101;
  expected[560] = 3;
  expect(bytes).toEqual(expected);
});

test('a request for outputs starts all of them clear', () => {
  const bytes = lineRequest({ offsets: [22, 23], consumer: 'x'.repeat(40), flags: flags.output | flags.openDrain });
  const expected = new Uint8Array(592);
  expected[0] = 22; expected[4] = 23;
  expected.set(Buffer.from('x'.repeat(31)), 256); // and a NUL
  expected[288] = 8 + 64;
  expected[296] = 1;
  expected[320] = 2; // output values: none set
  expected[336] = 0b11;
  expected[560] = 2;
  expect(bytes).toEqual(expected);
  new DataView(bytes.buffer).setInt32(588, 42, true);
  expect(requestedFd(bytes)).toBe(42);
});

test('different filters are different attributes', () => {
  const view = new DataView(lineRequest({ offsets: [1, 2, 3], consumer: '', flags: flags.input, debounceMs: [5, 12, 5] }).buffer);
  expect(view.getUint32(296, true)).toBe(2);
  expect([view.getBigUint64(328, true), view.getBigUint64(336, true)]).toEqual([5_000n, 0b101n]);
  expect([view.getBigUint64(352, true), view.getBigUint64(360, true)]).toEqual([12_000n, 0b010n]);
});

test('values, chip, line and edge are read from their places', () => {
  expect([...lineValues(0b101, 0b111)]).toEqual([5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
  expect(valuesBits(lineValues(0x8000_0001, -1)) >>> 0).toBe(0x8000_0001);

  const chip = new Uint8Array(68);
  chip.set(Buffer.from('gpiochip0'), 0);
  chip.set(Buffer.from('pinctrl-rp1'), 32);
  chip[64] = 54;
  expect([chipLabel(chip), chipLines(chip)]).toEqual(['pinctrl-rp1', 54]);

  const info = lineInfo(17);
  expect(new DataView(info.buffer).getUint32(64, true)).toBe(17);
  expect(lineConsumer(info)).toBe('');
  info[72] = 1;
  expect(lineConsumer(info)).toBe('the kernel');
  info.set(Buffer.from('sysfs'), 32);
  expect(lineConsumer(info)).toBe('sysfs');

  const record = new DataView(new ArrayBuffer(48));
  record.setBigUint64(0, 12_345_678_900n, true);
  record.setUint32(8, 2, true);
  record.setUint32(12, 17, true);
  expect(readEdge(record)).toEqual({ kernelMs: 12_345.6789, rising: false, offset: 17 });
});

test('no request holds more lines than a number has bits', () => {
  expect(() => lineRequest({ offsets: [], consumer: '', flags: 0 })).toThrow(RangeError);
  expect(() => lineRequest({ offsets: Array.from({ length: 33 }, (_, i) => i), consumer: '', flags: 0 })).toThrow(RangeError);
});
