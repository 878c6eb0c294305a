// One's own voice in the earpiece, by the sound card's own mixer: the only way that is not too late, for through this program it would come
// after tens of milliseconds where 5 are allowed (3GPP TS 26.131). What was set there before is put back at the end.

import type { Mixer, MixerElement } from './alsa.ts';

/** Attenuation on the element's own scale where none is asked for, dB. */
const USUAL_DB = -18;
/** Part of the range of an element that knows no decibels. */
const USUAL_PART = 0.5;
/** Paths named for it; else the microphone's path into the playback, as USB cards call it. */
const NAMED = /sidetone|side tone/i;
const MICROPHONE = /^(headset |front |internal )?mic(rophone)?( playback)?$/i;

/** The mixer of the card behind a PCM, as the library names it; '' when the PCM is none of a card's. */
export function mixerOf(pcm: string): string {
  const card = /^(?:plug)?hw:(?:CARD=)?([^,]+)/.exec(pcm) ?? /^(?:sysdefault|default|front|dmix|dsnoop|iec958):CARD=([^,]+)/.exec(pcm);
  if (card !== null) return `hw:${card[1]}`;
  const inner = /^plug:(?:SLAVE=)?'?([^']+)'?$/.exec(pcm);
  return inner === null ? pcm : mixerOf(inner[1]!);
}

interface Before {
  readonly element: MixerElement;
  readonly volume: number;
  readonly on: boolean;
}

export class Sidetone {
  readonly #before: Before[] = [];
  /** What became of it, for people. */
  readonly words: string;

  /** `want`: dB, or auto. */
  constructor(mixer: Mixer, want: number | 'auto') {
    const all = mixer.elements(), named = all.filter((e) => NAMED.test(e.name));
    const found = named.length > 0 ? named : all.filter((e) => MICROPHONE.test(e.name)).slice(0, 1);
    let how = '';
    for (const element of found) {
      this.#before.push({ element, volume: element.volume(), on: element.on() });
      const { range } = element;
      if (range !== undefined && element.decibels) {
        const db = Math.max(range[0], Math.min(range[1], want === 'auto' ? USUAL_DB : want));
        element.setVolume(db);
        how = ` at ${Math.round(db)} dB`;
      } else if (range !== undefined) element.setVolume(Math.round(range[0] + USUAL_PART * (range[1] - range[0])));
      element.turn(true);
    }
    this.words = found.length === 0 ? 'none: the mixer of the sound card has no path for it, and through the phone it would come too late'
      : `on${how}, by the sound card's "${found[0]!.name}"`;
  }

  /** As it was. */
  restore(): void {
    for (const { element, volume, on } of this.#before) {
      if (element.range !== undefined) element.setVolume(volume);
      element.turn(on);
    }
    this.#before.length = 0;
  }
}
