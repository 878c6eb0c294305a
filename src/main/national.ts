// The tones of the country that is set, out of the file that has those of all: read at the start, and again when the setting has changed.

import { readNational } from '../media/national.ts';
import type { National } from '../media/tone-tables.ts';
import type { Log } from '../ports/log.ts';
import { nationalOf } from './core.ts';

/** Gives those of `country()`; when they cannot be read later on, those before. Throws when they cannot be read now: the installation is not whole. */
export function nationalTones(file: () => Buffer, country: () => string, log: Log): () => National {
  const read = (code: string): National => {
    const rows = readNational(file(), code);
    if (rows === undefined) throw new Error(`no tones are known of the country ${code}`);
    return nationalOf(rows);
  };
  let known = country();
  let national = read(known);
  return () => {
    const code = country();
    if (code === known) return national;
    known = code; // tried once
    try {
      national = read(code);
    } catch (error) {
      log.error({ country: code, why: error instanceof Error ? error.message : String(error) }, 'tones not changed');
    }
    return national;
  };
}
