// How a caller is rung for: what Alert-Info asks (RFC 3261 §20.4, RFC 7462 and the words of desk phones), in the owner's ring tones. Pure.
//
// A caller can name a kind of ring and nothing else: an address is never fetched, a volume never heeded.

import type { Program } from '../media/door.ts';
import { ringProgram } from '../media/ring-tones.ts';
import type { Cadence } from '../ports/hardware.ts';

export interface Ring {
  readonly cadence: Cadence;
  readonly program: Program;
}

/** The distinctive rings of GR-506; dr1 is the usual one. */
const CADENCES: Readonly<Record<string, Cadence>> = {
  dr2: [800, 400, 800, 4000],
  dr3: [400, 200, 400, 200, 800, 4000],
  dr4: [300, 200, 1000, 200, 300, 4000],
  dr5: [500, 5500],
  group: [300, 200, 300, 200, 300, 3000],
};
/** From the house: two short rings where the country has a long one, else a long one. */
const INTERNAL = [[400, 200, 400, 3000], [1000, 3000]] as const;
/** Known, and rung as the country does. */
const USUAL = ['normal', 'dr1', 'external'];
const WAV_PAUSE_MS = 1_000;

/** The kinds of ring that an Alert-Info value names, the clearest first. */
function* namesIn(text: string): Generator<string> {
  const [address = '', ...parameters] = text.toLowerCase().replace(/^\s*<([^>]*)>/, (_, inner: string) => inner.replaceAll(';', ' ')).split(';').map((part) => part.trim().replace(/"/g, ''));
  for (const parameter of parameters) {
    const [name = '', value] = parameter.split('=');
    if (value === undefined) yield name;
    else if (name.trim() === 'info') yield value.trim();
  }
  yield address.replace(/^.*[:/]/, '').replace(/\.\w+$/, '');
}

/** The kind of ring asked for, when it is one of `known`. */
export function ringNameOf(texts: readonly string[], known: (name: string) => boolean): string | undefined {
  for (const text of texts) {
    for (const said of namesIn(text)) {
      const name = said.replace(/^(alert|bellcore)-/, '');
      if (known(name)) return name;
    }
  }
  return undefined;
}

/** How to ring for a caller with these Alert-Info values; `tones` is the setting sound.ringTones, `file` where its WAV files are. */
export function ringOf(texts: readonly string[], national: Cadence, tones: Readonly<Record<string, string>>, file: (name: string) => string): Ring {
  const has = (table: object, name: string): boolean => Object.hasOwn(table, name);
  const name = ringNameOf(texts, (n) => has(CADENCES, n) || has(tones, n) || n === 'internal' || USUAL.includes(n)) ?? 'normal';
  const cadence = name === 'internal' ? INTERNAL[national.length > 2 ? 1 : 0] : has(CADENCES, name) ? CADENCES[name]! : national;
  const tone = (has(tones, name) ? tones[name] : has(tones, 'normal') ? tones['normal'] : undefined) ?? 'bell', bell = ringProgram('bell', cadence)!;
  return { cadence, program: /\.wav$/i.test(tone) ? { wav: file(tone), pauseMs: WAV_PAUSE_MS, mostDbov: 0, instead: bell } : ringProgram(tone, cadence) ?? bell };
}
