import { describe, expect, test } from 'vitest';
import { HEARD, Leveller, SENT, SILENT_DB, Voice } from '../../src/media/levels.ts';
import { levelOf, noise, pcm, talk } from './acoustics.ts';

const FRAME = 160, SECOND = 100;
/** A voice that has heard `sound`, and a leveller that followed it; `each` gets the gain after every second. */
function after(sound: Int16Array, aim = HEARD, each: (db: number) => void = () => undefined): { voice: Voice; leveller: Leveller } {
  const voice = new Voice(), leveller = new Leveller(aim);
  for (let f = 0; (f + 1) * FRAME <= sound.length; f++) {
    voice.take(sound, f * FRAME, FRAME);
    leveller.follow(voice);
    if (f % SECOND === SECOND - 1) each(leveller.gainDb);
  }
  return { voice, leveller };
}
const talking = (dbov: number, seed = 3): Int16Array => pcm(talk(seed, 12, dbov));
const hum = (dbov: number, seconds = 12): Int16Array => {
  const random = noise(5), rms = 32_768 * 10 ** (dbov / 20);
  return Int16Array.from({ length: seconds * 16_000 }, () => Math.max(-32_768, Math.min(32_767, rms * random())));
};

describe('the level of a voice', () => {
  test('is that of its speech alone, pauses left out: within 2 dB of what was made, whoever speaks', () => {
    for (const [seed, dbov] of [[3, -40], [4, -26], [5, -16]] as const) expect(Math.abs(after(talking(dbov, seed)).voice.activeDb - dbov)).toBeLessThan(2);
  });

  test('of noise or silence is none', () => {
    expect(after(hum(-40)).voice.activeDb).toBe(SILENT_DB);
    expect(after(new Int16Array(16_000)).voice).toMatchObject({ activeDb: SILENT_DB, peakDb: SILENT_DB, speaks: false });
  });

  test('has the peak beside it, that falls by 25 dB a second', () => {
    const voice = after(Int16Array.from({ length: 16_000 }, (_, i) => (i === 0 ? -16_384 : 0))).voice;
    expect(voice.peakDb).toBeGreaterThan(-6.1 - 25.5);
    expect(voice.peakDb).toBeLessThan(-6 - 24);
  });
});

describe('the slow gain', () => {
  test('leaves a usual voice alone', () => {
    for (const dbov of [-31, -26, -21]) expect(after(talking(dbov)).leveller.gainDb).toBeCloseTo(0, 0);
  });

  test('brings a quiet voice to the edge of the aim, by 3 dB a second at most', () => {
    const gains: number[] = [];
    after(talking(-40), HEARD, (db) => gains.push(db));
    for (let i = 1; i < gains.length; i++) expect(gains[i]! - gains[i - 1]!).toBeLessThanOrEqual(3.01);
    expect(gains.at(-1)).toBeGreaterThan(6);
    expect(gains.at(-1)).toBeLessThan(10);
  });

  test('brings a loud one down', () => {
    const { gainDb } = after(talking(-12)).leveller;
    expect(gainDb).toBeLessThan(-6);
    expect(gainDb).toBeGreaterThan(-10);
  });

  test('has an end: 12 dB for the ear, 15 for the far side', () => {
    expect(after(pcm(talk(3, 20, -48))).leveller.gainDb).toBeLessThanOrEqual(12);
    expect(after(pcm(talk(3, 20, -48)), SENT).leveller.gainDb).toBeLessThanOrEqual(15);
  });

  test('never makes noise louder', () => {
    expect(after(hum(-45)).leveller.gainDb).toBe(0);
    const fan = hum(-50), quiet = talking(-26).map((x, i) => (i > 4 * 16_000 ? fan[i]! : x));
    expect(levelOf(quiet, 5 * 16_000)).toBeLessThan(-49);
    expect(after(quiet).leveller.gainDb).toBeCloseTo(0, 0);
  });
});
