// What the name of a sound device means. The names are those of the settings sound.handset, sound.speaker and sound.ringer.

/** A device name taken apart. Empty strings: nothing on that side. */
export type Meaning =
  | { readonly driver: 'auto' }
  | { readonly driver: 'alsa' | 'arecord'; readonly capture: string; readonly playback: string }
  | { readonly driver: 'silence' }
  | { readonly driver: 'echo' }
  | { readonly driver: 'tone'; readonly hz: number }
  | { readonly driver: 'wav'; readonly inPath: string; readonly outPath: string };

const TONE_HZ = 440;

/** The meaning of `name`; undefined when no driver knows it. */
export function meaning(name: string): Meaning | undefined {
  const colon = name.indexOf(':');
  const driver = colon < 0 ? name : name.slice(0, colon);
  const rest = colon < 0 ? undefined : name.slice(colon + 1);
  switch (driver) {
    case 'auto':
      return rest === undefined ? { driver } : undefined;
    case 'silence':
    case 'clock':
      return rest === undefined ? { driver: 'silence' } : undefined;
    case 'echo':
      return rest === undefined ? { driver } : undefined;
    case 'tone': {
      const hz = rest === undefined ? TONE_HZ : Number(rest);
      return rest !== '' && hz >= 20 && hz <= 20_000 ? { driver, hz } : undefined;
    }
    case 'alsa':
    case 'arecord': {
      const [capture = '', playback = capture, more] = (rest ?? 'default').split('|');
      return (capture === '' && playback === '') || more !== undefined ? undefined : { driver, capture, playback };
    }
    case 'wav': {
      const [inPath = '', outPath = '', more] = (rest ?? '').split(',');
      return (inPath === '' && outPath === '') || more !== undefined ? undefined : { driver, inPath, outPath };
    }
    default:
      return undefined;
  }
}

/** A `hw:1,0` or `plughw:1` by the card's id, since numbers change when another card is plugged in. */
export function byIdentity(pcm: string, idOf: (card: number) => string): string {
  const named = /^((?:plug|sysdefault|default|front|dmix|dsnoop)?(?:hw)?):(\d+)(?:,(\d+))?$/.exec(pcm);
  if (named === null) return pcm;
  const id = idOf(Number(named[2]));
  return id === '' ? pcm : `${named[1]}:CARD=${id}${named[3] === undefined ? '' : `,DEV=${named[3]}`}`;
}

/** Cards that can both capture and play, by `CARD=id,DEV=n`, read from the kernel's tables /proc/asound/pcm and /proc/asound/cards. */
export function duplexCards(pcmTable: string, cardTable: string): string[] {
  const ids = new Map<number, string>();
  for (const line of cardTable.split('\n')) {
    const card = /^\s*(\d+)\s*\[(\S+)\s*\]/.exec(line);
    if (card !== null) ids.set(Number(card[1]), card[2]!);
  }
  const found: string[] = [];
  for (const line of pcmTable.split('\n')) {
    const pcm = /^(\d+)-(\d+):/.exec(line);
    const id = pcm === null ? undefined : ids.get(Number(pcm[1]));
    if (pcm !== null && id !== undefined && line.includes('capture') && line.includes('playback')) found.push(`CARD=${id},DEV=${Number(pcm[2])}`);
  }
  return found;
}
