import { describe, expect, test } from 'vitest';
import type { Mixer, MixerElement } from '../../src/audio/alsa.ts';
import { mixerOf, Sidetone } from '../../src/audio/sidetone.ts';

interface Path { volume: number; on: boolean }

function mixer(...elements: readonly (readonly [string, Partial<MixerElement>?])[]): { readonly paths: Map<string, Path>; readonly mixer: Mixer } {
  const paths = new Map<string, Path>();
  const made = elements.map(([name, change]): MixerElement => {
    const path: Path = { volume: -5, on: false };
    paths.set(name, path);
    return { name, range: [-60, 0], decibels: true, volume: () => path.volume, setVolume: (v) => { path.volume = v; }, on: () => path.on, turn: (on) => { path.on = on; }, ...change };
  });
  return { paths, mixer: { elements: () => made, close: () => undefined } };
}

describe('the path of the own voice', () => {
  test('is the one named for it, its volume and its switch where they are two, and nothing else is touched', () => {
    const m = mixer(['Master'], ['Sidetone', { turn: () => undefined }], ['Output Mixer Mic Sidetone', { range: undefined }], ['Mic']);
    const sidetone = new Sidetone(m.mixer, -20);
    expect(sidetone.words).toBe('on at -20 dB, by the sound card\'s "Sidetone"');
    expect([...m.paths.values()]).toEqual([{ volume: -5, on: false }, { volume: -20, on: false }, { volume: -5, on: true }, { volume: -5, on: false }]);
  });

  test('is else the microphone into the playback, as USB cards have it', () => {
    const m = mixer(['Speaker'], ['Mic'], ['Mic Boost']);
    expect(new Sidetone(m.mixer, 'auto').words).toBe('on at -18 dB, by the sound card\'s "Mic"');
    expect([...m.paths.values()].map((p) => p.on)).toEqual([false, true, false]);
  });

  test('without decibels is opened half', () => {
    const m = mixer(['Sidetone', { decibels: false, range: [0, 31] }]);
    expect(new Sidetone(m.mixer, 'auto').words).toBe('on, by the sound card\'s "Sidetone"');
    expect(m.paths.get('Sidetone')).toEqual({ volume: 16, on: true });
  });

  test('has no more than the card gives', () => {
    const m = mixer(['Sidetone', { range: [-12, 0] }]);
    expect(new Sidetone(m.mixer, 'auto').words).toContain('at -12 dB');
  });

  test('is as it was before when it ends', () => {
    const m = mixer(['Sidetone']);
    new Sidetone(m.mixer, 'auto').restore();
    expect(m.paths.get('Sidetone')).toEqual({ volume: -5, on: false });
  });

  test('is missing on most cards, and that is said with the reason', () => {
    expect(new Sidetone(mixer(['Master'], ['PCM']).mixer, 'auto').words).toBe('none: the mixer of the sound card has no path for it, and through the phone it would come too late');
  });
});

test('the mixer of a PCM is that of its card', () => {
  expect(['hw:1,0', 'plughw:CARD=Headset,DEV=0', 'default:CARD=Headset', 'plug:SLAVE=\'hw:2\'', 'default', 'test'].map(mixerOf)).toEqual(['hw:1', 'hw:Headset', 'hw:Headset', 'hw:2', 'default', 'test']);
});
