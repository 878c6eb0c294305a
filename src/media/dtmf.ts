// In-band DTMF, ITU-T Q.23: one tone of the row and one of the column, the column 2 dB louder as push-button telephones send it.

import type { ToneProgram } from './door.ts';

export const ROWS_HZ = [697, 770, 852, 941] as const;
export const COLUMNS_HZ = [1209, 1336, 1477, 1633] as const;
export const KEYS = '123A456B789C*0#D';
/** Low and high group. */
export const DTMF_LOW_DBM0 = -11;
export const DTMF_HIGH_DBM0 = -9;

/** `digit` (0-9 * # A-D) for `ms`; anything else is as much silence. */
export function dtmfProgram(digit: string, ms: number): ToneProgram {
  const key = digit.length === 1 ? KEYS.indexOf(digit.toUpperCase()) : -1;
  const hz = key < 0 ? [] : [ROWS_HZ[key >> 2]!, COLUMNS_HZ[key & 3]!];
  return { steps: [{ hz, dbm0: DTMF_LOW_DBM0, offsetsDb: [0, DTMF_HIGH_DBM0 - DTMF_LOW_DBM0], ms }], times: 1 };
}
