// A country's rows out of national-tones.txt, whose head says how they are spelt. Not in the core: it is needed at the start and when the country
// is changed.

/** What all frequencies of a step have together where the file says no level: E.180 wants -10 +-5 dBm0, and GR-506's tones are about as loud. */
const USUAL_DBM0 = -13;
/** Of a carrier that is modulated wholly each side band has half the amplitude. */
const SIDE_DB = -6.02;

/** A sound as tone-tables.ts reads it: '400*25' is '400+375+425@-14.8/0/-6.02/-6.02'. */
function written(sound: string): string {
  const [names = '', level] = sound.split('@');
  const hz: number[] = [], offsetsDb: number[] = [];
  for (const name of names.split('+')) {
    const [carrier = 0, by = 0] = name.split('*').map(Number);
    hz.push(carrier);
    offsetsDb.push(0);
    if (by === 0) continue;
    hz.push(carrier - by, carrier + by);
    offsetsDb.push(SIDE_DB, SIDE_DB);
  }
  const power = offsetsDb.reduce((sum, db) => sum + 10 ** (db / 10), 0);
  return `${hz.join('+')}@${level ?? Math.round(100 * (USUAL_DBM0 - 10 * Math.log10(power))) / 100}${names.includes('*') ? `/${offsetsDb.join('/')}` : ''}`;
}

/** All rows of `country`, what it leaves out filled in and all short forms written out; undefined when there is no such block. Keeps nothing of `file`. */
export function readNational(file: Buffer, country: string): Readonly<Record<string, string>> | undefined {
  const rows: Record<string, string> = {};
  for (const block of ['*', country]) {
    const from = file.indexOf(`\n[${block}]`);
    if (from < 0) return undefined;
    const to = file.indexOf('\n[', from + 1);
    for (const line of file.toString('latin1', from, to < 0 ? file.length : to).split('\n')) {
      const [name = '', spelt] = line.split(' = ');
      if (spelt !== undefined) rows[name] = spelt;
    }
  }
  const first = rows['dial']!.split(/[: ]/, 1)[0]!;
  for (const [name, spelt] of Object.entries(rows)) {
    if (name === 'ring' || name === 'emergency') continue;
    rows[name] = spelt.replaceAll('F', first).replace(/(\d+)\*\((.*?)\)/g, (_, times: string, what: string) => Array<string>(Number(times)).fill(what).join(' '))
      .replace(/(^| )([^ :!]+)/g, (_, gap: string, sound: string) => gap + written(sound));
  }
  rows['ring'] ??= rows['ringback']!.replace(/[^ :]*:/g, '');
  return rows;
}
