// How sound is doing while there is a call: echo control, levels, sidetone of each place, asked for every two seconds.

import { useEffect, useState } from 'preact/hooks';
import type { PlaceSound } from '../types.ts';
import { ask } from './api.ts';

const EVERY_MS = 2_000;
const places = { handset: 'Handset', speaker: 'Loudspeaker', ringer: 'Ringer' } as const;
const db = (level: number): string => (level <= -99 ? 'silent' : `${Math.round(level)} dB`);

/** Echo control in words; '' where it is off. */
export function echoWords({ echo, filterDb, totalDb }: PlaceSound): string {
  switch (echo) {
    case 'off': return '';
    case 'learning': return 'echo control is learning the room';
    case 'converged': return `echo ${Math.round(totalDb)} dB down, ${Math.round(filterDb)} dB of it by the canceller`;
    case 'no echo': return 'no echo to be heard';
    case 'gate': return 'one side at a time';
  }
}

/** A voice's level in words. */
export function levelWords(what: string, { activeDb, peakDb, gainDb }: PlaceSound['spoken']): string {
  if (activeDb <= -99) return `${what} silent, peak ${db(peakDb)}`;
  const gain = Math.round(gainDb);
  return `${what} ${db(activeDb)}, peak ${db(peakDb)}${gain === 0 ? '' : `, ${gain > 0 ? '+' : ''}${gain} dB by itself`}`;
}

/** Lines of the panel of facts. */
export function soundFacts(sound: readonly PlaceSound[]): readonly { readonly name: string; readonly value: string }[] {
  return sound.flatMap((s) => [
    { name: `${places[s.place]} sound`, value: [echoWords(s), levelWords('said', s.spoken), levelWords('heard', s.heard)].filter(Boolean).join(' · ') },
    ...(s.sidetone === '' ? [] : [{ name: 'Sidetone', value: s.sidetone }]),
  ]);
}

export function useSound(active: boolean): readonly PlaceSound[] {
  const [sound, setSound] = useState<readonly PlaceSound[]>([]);
  useEffect(() => {
    if (!active) return setSound([]);
    const look = () => { ask<{ readonly places?: readonly PlaceSound[] }>('POST', '/api/phone', { command: { do: 'sound' } }).then((said) => setSound(said.places ?? []), () => setSound([])); };
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, [active]);
  return sound;
}
