// Which key of a matrix is pressed, from pictures of its contacts. Pure; the scan in keypad.ts brings the pictures.
//
// Two-key lock-out: a key counts when it is the only one down and none was down before it; whatever is pressed besides counts for
// nothing, and no key counts again until all are up. A picture with a rectangle (three keys at its corners close the fourth as
// well, there being no diodes) tells nothing: the key held is let go.

import { resting, sample, settled, type Settling } from './debounce.ts';

export interface MatrixState {
  /** Row by row. */
  readonly contacts: readonly Settling[];
  /** Place of the key that is down for the outside; -1: none. */
  readonly held: number;
  /** No key counts before all are up. */
  readonly locked: boolean;
}

export interface KeyChange {
  /** row * columns + column */
  readonly place: number;
  readonly down: boolean;
}

export const matrixState = (rows: number, columns: number, atMs: number): MatrixState =>
  ({ contacts: Array.from({ length: rows * columns }, () => settled(false, 0, atMs)), held: -1, locked: false });

/** Take in one picture: closed[row * columns + column]. */
export function stepMatrix(state: MatrixState, closed: readonly boolean[], columns: number, atMs: number, restMs: number): readonly [MatrixState, ...KeyChange[]] {
  const contacts = state.contacts.map((contact, place) => sample(contact, closed[place] === true, atMs, restMs));
  const down: number[] = [];
  contacts.forEach((contact, place) => { if (contact.closed) down.push(place); });
  const changes: KeyChange[] = [];
  let { held, locked } = state;
  if (held >= 0 && (!down.includes(held) || hasRectangle(down, columns))) {
    changes.push({ place: held, down: false });
    held = -1;
    locked = true;
  }
  if (down.length === 0) locked = false;
  else if (down.length > 1) locked = true;
  else if (held < 0 && !locked) {
    held = down[0]!;
    changes.push({ place: held, down: true });
  }
  return [{ contacts, held, locked }, ...changes];
}

/** Nothing is pressed and nothing is about to be: scanning may end. */
export const matrixResting = (state: MatrixState): boolean => state.contacts.every(resting);

/** True when four of the places are the corners of a rectangle: at least one of them may be a ghost. */
export function hasRectangle(places: readonly number[], columns: number): boolean {
  const rows = new Map<number, number>();
  for (const place of places) {
    const row = Math.floor(place / columns);
    rows.set(row, (rows.get(row) ?? 0) | (1 << (place % columns)));
  }
  const masks = [...rows.values()];
  return masks.some((a, i) => masks.slice(i + 1).some((b) => { const both = a & b; return (both & (both - 1)) !== 0; }));
}
