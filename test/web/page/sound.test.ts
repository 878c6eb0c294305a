import { expect, test } from 'vitest';
import { echoWords, levelWords, soundFacts } from '../../../src/web/page/sound.tsx';
import type { PlaceSound } from '../../../src/web/types.ts';

const level = { peakDb: -11.2, activeDb: -26.4, gainDb: 0 };
const sound = (change: Partial<PlaceSound>): PlaceSound => ({ place: 'speaker', echo: 'off', filterDb: 0, totalDb: 0, delayMs: 43, spoken: level, heard: level, sidetone: '', ...change });

test('echo control is told in words', () => {
  const rows: readonly [Partial<PlaceSound>, string][] = [
    [{}, ''], [{ echo: 'learning' }, 'echo control is learning the room'], [{ echo: 'converged', filterDb: 31.2, totalDb: 57.8 }, 'echo 58 dB down, 31 dB of it by the canceller'],
    [{ echo: 'no echo' }, 'no echo to be heard'], [{ echo: 'gate' }, 'one side at a time'],
  ];
  for (const [change, words] of rows) expect(echoWords(sound(change))).toBe(words);
});

test('levels are told with the gain that the phone adds', () => {
  expect(levelWords('said', level)).toBe('said -26 dB, peak -11 dB');
  expect(levelWords('heard', { ...level, gainDb: 6.1 })).toBe('heard -26 dB, peak -11 dB, +6 dB by itself');
  expect(levelWords('said', { peakDb: -100, activeDb: -100, gainDb: 0 })).toBe('said silent, peak silent');
});

test('each place has a line, and one for the own voice where it is asked for', () => {
  expect(soundFacts([sound({ place: 'handset', sidetone: 'none: this sound device has no mixer' })])).toEqual([
    { name: 'Handset sound', value: 'said -26 dB, peak -11 dB \u00b7 heard -26 dB, peak -11 dB' }, { name: 'Sidetone', value: 'none: this sound device has no mixer' },
  ]);
});
