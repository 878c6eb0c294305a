// The name of this very phone among all (RFC 5626 §4.1): drawn once, kept in the state folder.

import type { Files } from '../ports/files.ts';
import type { Random } from '../ports/random.ts';

/**
 * 'urn:uuid:...' by RFC 4122 §4.4, the same at every start; `later` gets what writes a new one down, for which nobody waits at a start. A folder that
 * cannot be read or written costs a new one each time, not the phone.
 */
export async function instanceOf(files: Files, folder: string, random: Random, later: (write: () => void) => void): Promise<string> {
  const path = `${folder}/instance`, known = (await files.read(path).catch(() => undefined))?.toString('latin1').trim() ?? '';
  if (/^urn:uuid:[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(known)) return known;
  const bytes = Buffer.from(random.bytes(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const urn = `urn:uuid:${bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`;
  later(() => { files.writeAtomic(path, `${urn}\n`).catch(() => undefined); });
  return urn;
}
