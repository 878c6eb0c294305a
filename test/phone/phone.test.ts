import { describe, expect, test } from 'vitest';
import { mediaSettings } from '../../src/phone/phone.ts';
import { settings } from './settings.ts';

/** The defaults with some of `sound.PLACE.KEY` changed. */
function settingsWith(change: Readonly<Record<string, string>>) {
  const sound = structuredClone(settings().sound) as Record<string, unknown>;
  for (const [key, value] of Object.entries(change)) {
    const [, place, name] = key.split('.') as [string, string, string];
    (sound[place] as Record<string, unknown>)[name] = value;
  }
  return settings({ sound });
}

describe('what the engine is told of a place', () => {
  test('echo control and levels by themselves at a loudspeaker with a sound card, not at a handset, a ringer or a device without a room', () => {
    const { handset, speaker, ringer } = mediaSettings(settingsWith({})).places;
    expect([handset.room, speaker.room, ringer.room]).toEqual([undefined, { echo: 'full', noise: true, micGain: true, even: true }, undefined]);
    expect(mediaSettings(settingsWith({ 'sound.speaker.device': 'tone:600' })).places.speaker.room).toBeUndefined();
  });

  test('each part as it is set', () => {
    const set = settingsWith({ 'sound.handset.echo': 'light', 'sound.speaker.noise': 'off', 'sound.speaker.even': 'off' });
    expect(mediaSettings(set).places.handset.room).toEqual({ echo: 'light', noise: false, micGain: false, even: false });
    expect(mediaSettings(set).places.speaker.room).toEqual({ echo: 'full', noise: false, micGain: true, even: false });
  });

  test('sidetone at the handset alone, and at none where there is no handset', () => {
    const auto = mediaSettings(settingsWith({})).places;
    expect([auto.handset.sidetone, auto.speaker.sidetone]).toEqual(['auto', undefined]);
    expect(mediaSettings(settingsWith({ 'sound.handset.sidetone': '-24' })).places.handset.sidetone).toBe(-24);
    expect(mediaSettings(settingsWith({ 'sound.handset.sidetone': 'off' })).places.handset.sidetone).toBeUndefined();
    expect(mediaSettings(settingsWith({}), true).places.handset.sidetone).toBeUndefined();
  });
});
