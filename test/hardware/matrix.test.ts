import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasRectangle, matrixResting, matrixState, stepMatrix, type KeyChange, type MatrixState } from '../../src/hardware/matrix.ts';

const ROWS = 4, COLUMNS = 3, REST = 20;

/** Show pictures 10 ms apart, each the places that are closed; what changed, as +place and -place. */
function show(pictures: readonly (readonly number[])[], from: MatrixState = matrixState(ROWS, COLUMNS, 0)): { told: string[]; state: MatrixState } {
  const told: string[] = [];
  let state = from;
  pictures.forEach((places, i) => {
    const closed = Array.from({ length: ROWS * COLUMNS }, (_, place) => places.includes(place));
    const [next, ...changes]: readonly [MatrixState, ...KeyChange[]] = stepMatrix(state, closed, COLUMNS, i * 10, REST);
    state = next;
    told.push(...changes.map(({ place, down }) => `${down ? '+' : '-'}${place}`));
  });
  return { told, state };
}
const times = (count: number, ...places: number[]): number[][] => Array.from({ length: count }, () => places);

test('a key is down after three like pictures and up after three without it', () => {
  expect(show(times(2, 4)).told).toEqual([]);
  expect(show(times(3, 4)).told).toEqual(['+4']);
  expect(show([...times(5, 4), ...times(2)]).told).toEqual(['+4']);
  const { told, state } = show([...times(5, 4), ...times(3)]);
  expect(told).toEqual(['+4', '-4']);
  expect(matrixResting(state)).toBe(true);
});

test('a spike in one picture is nothing, and does not end a held key', () => {
  expect(show([[4], [], [], [7], [], []]).told).toEqual([]);
  expect(show([...times(4, 4), [], [4], [4], [4, 9], ...times(3, 4)]).told).toEqual(['+4']);
});

test('two-key lock-out: a second key counts for nothing until all are up', () => {
  expect(show([...times(4, 0), ...times(5, 0, 1), ...times(6, 1), ...times(4), ...times(4, 1), ...times(4)]).told)
    .toEqual(['+0', '-0', '+1', '-1']);
});

test('two keys pressed together are no key, not even when one of them stays', () => {
  expect(show([...times(5, 0, 1), ...times(5, 1), ...times(3)]).told).toEqual([]);
});

test('the first key goes on when the second, pressed over it, is let go again', () => {
  expect(show([...times(4, 0), ...times(4, 0, 1), ...times(4, 0), ...times(4)]).told).toEqual(['+0', '-0']);
});

test('a key must be let go before it counts again', () => {
  expect(show([...times(4, 5), ...times(4), ...times(4, 5), ...times(4)]).told).toEqual(['+5', '-5', '+5', '-5']);
});

test('a rectangle lets go of the key held, which may be a ghost by now', () => {
  // 0 held; 1 and 3 pressed besides close the ghost 4; then 0 itself is let go and looks pressed still
  expect(show([...times(4, 0), ...times(10, 0, 1, 3, 4), ...times(4)]).told).toEqual(['+0', '-0']);
});

test('rectangles are found wherever they are', () => {
  expect(hasRectangle([0, 1, 3, 4], COLUMNS)).toBe(true);
  expect(hasRectangle([0, 2, 9, 11, 5], COLUMNS)).toBe(true);
  expect(hasRectangle([0, 1, 2, 5, 8], COLUMNS)).toBe(false);
  expect(hasRectangle([0, 4, 8], COLUMNS)).toBe(false);
  expect(hasRectangle([], COLUMNS)).toBe(false);
});

test('whatever is pressed, downs and ups alternate and match, and rest leaves nothing down', () => {
  fc.assert(fc.property(fc.array(fc.uniqueArray(fc.integer({ min: 0, max: ROWS * COLUMNS - 1 }), { maxLength: 5 }), { maxLength: 60 }), (pictures) => {
    const { told, state } = show([...pictures, ...times(4)]);
    told.forEach((change, i) => expect(change).toBe(i % 2 === 0 ? change.replace('-', '+') : told[i - 1]!.replace('+', '-')));
    expect(told.length % 2).toBe(0);
    expect(matrixResting(state)).toBe(true);
    expect([state.held, state.locked]).toEqual([-1, false]);
  }));
});
