// The scan of a matrix keypad. Nothing runs while no key is pressed: all columns are pulled to ground, so that any key makes an edge at
// its row; from then on the columns are pulled one at a time every 10 ms until all keys are up.
//
//        column 1   2   3          row --- pull-up, input
//   row 1 ----/ ----/ ----/        column --- sink: ground or let go, so that two keys in a row short nothing
//   row 2 ----/ ----/ ----/

import type { Clock } from '../ports/clock.ts';
import type { Key, Keypad } from '../ports/hardware.ts';
import { matrixResting, matrixState, stepMatrix } from './matrix.ts';
import type { Outputs } from './pins.ts';

const SCAN_MS = 10;
/** A row may need some microseconds to rise again once its column is let go: read until two readings agree, this often at most. */
const READINGS = 5;

export interface KeypadOptions {
  /** Row by row, as printed on the keys. */
  readonly keys: readonly (readonly Key[])[];
  readonly restMs: number;
  /** Time between pulling a column and reading the rows; 0 reads at once. */
  readonly settleMs: number;
  /** Rows now, bit n for row n. */
  readonly readRows: () => number;
  readonly columns: Outputs;
}

/** Call edge() whenever a row changed. */
export function createKeypad(clock: Clock, options: KeypadOptions): Keypad & { edge(): void } {
  const { keys, restMs, settleMs, readRows, columns } = options;
  const columnCount = keys[0]!.length;
  const allColumns = (1 << columnCount) - 1;
  const listeners: ((key: Key, down: boolean, atMs: number) => void)[] = [];
  const picture: boolean[] = new Array(keys.length * columnCount).fill(false);
  let state = matrixState(keys.length, columnCount, clock.now());
  let scanning = false;
  let cancel = () => {};

  const column = (index: number) => {
    columns.write(1 << index, allColumns);
    if (settleMs > 0) cancel = clock.after(settleMs, () => look(index));
    else look(index);
  };
  const look = (index: number) => {
    let rows = readRows();
    for (let again = 1, before = -1; again < READINGS && before !== rows; again++) {
      before = rows;
      rows = readRows();
    }
    for (let row = 0; row < keys.length; row++) picture[row * columnCount + index] = (rows >> row & 1) === 1;
    if (index + 1 < columnCount) column(index + 1);
    else seen();
  };
  const seen = () => {
    const atMs = clock.now();
    columns.write(allColumns, allColumns);
    const [next, ...changes] = stepMatrix(state, picture, columnCount, atMs, restMs);
    state = next;
    scanning = !matrixResting(state) || readRows() !== 0; // a key may have come while other columns were pulled
    if (scanning) cancel = clock.after(SCAN_MS, () => column(0));
    for (const { place, down } of changes) {
      const key = keys[Math.floor(place / columnCount)]![place % columnCount]!;
      for (const on of listeners) on(key, down, atMs);
    }
  };

  columns.write(allColumns, allColumns);
  const keypad = {
    edge() {
      if (scanning || readRows() === 0) return; // an echo of our own scan, or gone again
      scanning = true;
      column(0);
    },
    subscribe: (on: (key: Key, down: boolean, atMs: number) => void) => { listeners.push(on); },
    close() {
      cancel();
      scanning = true;
      listeners.length = 0;
    },
  };
  keypad.edge(); // a key held while the phone starts
  return keypad;
}
