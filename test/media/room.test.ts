import { describe, expect, test } from 'vitest';
import { createRoom } from '../../src/media/room.ts';
import type { RoomOptions } from '../../src/media/extras.ts';
import type { AudioStatus } from '../../src/ports/audio.ts';
import { levelOf, pcm, talk } from './acoustics.ts';
import { FakeClock } from '../fakes/clock.ts';
import { Wire } from '../fakes/network.ts';
import { call, card, end, mediaSettings } from './bench.ts';

const FULL: RoomOptions = { echo: 'full', noise: true, micGain: false, even: false, periodFrames: 320 };
const none = (): void => undefined;
const far = pcm(talk(3, 12));
const status = (change: Partial<AudioStatus> = {}): AudioStatus => ({ state: 'running', trouble: '', xruns: 0, reopened: 0, delayFrames: 0, ...change });

describe('alignment', () => {
  const delay = (reports: readonly AudioStatus[]): number => {
    const room = createRoom(FULL, none);
    for (const one of reports) room.card(one);
    const { delayMs } = room.report();
    room.close();
    return delayMs * 16;
  };
  const many = (n: number, delayFrames: number) => Array.from({ length: n }, () => status({ delayFrames }));

  test('is that of the longest queue the card reports at its start: a late look finds it shorter', () => {
    expect(delay([status({ delayFrames: 300 }), status({ delayFrames: 368 }), ...many(14, 340)])).toBe(368);
  });

  test('stays as it is whatever is reported later', () => {
    expect(delay([...many(16, 368), ...many(20, 420)])).toBe(368);
  });

  test('is measured anew after an xrun, and when the card came back', () => {
    expect(delay([...many(16, 368), ...many(16, 448).map((s) => ({ ...s, xruns: 1 }))])).toBe(448);
    expect(delay([...many(16, 368), status({ state: 'lost' }), ...many(16, 448).map((s) => ({ ...s, reopened: 1 }))])).toBe(448);
  });
});

test('without the library the trouble is told in words, and one side is heard at a time', () => {
  const told: string[] = [];
  const room = createRoom(FULL, (code, message) => told.push(code, message), () => undefined);
  expect(told).toEqual(['SPEEXDSP_MISSING', expect.stringContaining('apt-get install libspeexdsp1')]);
  expect(room.report().echo).toBe('gate');
});

test('a gate by setting needs no library', () => {
  const told: string[] = [];
  expect(createRoom({ echo: 'gate', noise: false, micGain: false, even: false, periodFrames: 320 }, (code) => told.push(code), () => undefined).report().echo).toBe('gate');
  expect(told).toEqual([]);
});

describe('in a call', () => {
  const settings = (echo: RoomOptions['echo']) => {
    const s = mediaSettings();
    return { ...s, places: { ...s.places, handset: { ...s.places.handset, room: { echo, noise: false, micGain: false, even: false } } } };
  };
  /** Level of what the far side hears of itself, from the 6th second on, when our earpiece is heard by our microphone. */
  const comesBack = async (echo: RoomOptions['echo']): Promise<number> => {
    const c = await call({ settings: settings(echo) });
    c.b.audio.microphone = (i) => far[i] ?? 0;
    c.a.audio.microphone = (i) => (card(c.a).played[i - 320] ?? 0) / 2;
    await c.clock.run(11_000, 20);
    const { length } = card(c.b).played;
    const trouble = [...c.a.of('trouble'), ...c.b.of('trouble')];
    expect(trouble).toEqual([]);
    return levelOf(card(c.b).played, 6 * 16_000, length);
  };

  test('echo control of the place takes away what our own loudspeaker says; without it, it comes back', async () => {
    const off = await comesBack('off');
    expect(off).toBeGreaterThan(-36);
    expect(await comesBack('full')).toBeLessThan(off - 30);
  });

  test('settings that switch it off and on again in the call work at once', async () => {
    const c = await call({ settings: settings('gate') });
    c.b.media.command({ do: 'settings', settings: settings('off') });
    c.b.audio.microphone = (i) => far[i] ?? 0;
    c.a.audio.microphone = (i) => (card(c.a).played[i - 320] ?? 0) / 2;
    const heardBy = async (): Promise<number> => {
      await c.clock.run(3000, 20);
      const { played } = card(c.b);
      return levelOf(played, played.length - 32_000);
    };
    const gated = await heardBy();
    c.a.media.command({ do: 'settings', settings: settings('off') });
    expect(await heardBy()).toBeGreaterThan(gated + 10);
    expect(c.a.audio.devices).toHaveLength(1);
  });
});

describe('how sound is doing', () => {
  const ask = (c: Awaited<ReturnType<typeof call>>) => {
    c.a.media.command({ do: 'sound', ask: 5 });
    return c.a.of('sound').at(-1)!;
  };

  test('is told of places with a call: levels of both voices from the first question on, echo control where it is on', async () => {
    const c = await call();
    c.a.audio.microphone = (i) => far[i % far.length]!;
    c.b.audio.microphone = (i) => far[(i + 40_000) % far.length]! / 4;
    expect(ask(c)).toMatchObject({ ask: 5, places: [{ place: 'handset', echo: 'off', sidetone: '', spoken: { activeDb: -100 } }] });
    await c.clock.run(4000, 20);
    const [place] = ask(c).places;
    expect(place!.spoken.activeDb).toBeGreaterThan(-29);
    expect(place!.spoken.activeDb).toBeLessThan(-23);
    expect(place!.heard.activeDb).toBeLessThan(place!.spoken.activeDb - 9);
    expect(place!.spoken.peakDb).toBeGreaterThan(place!.spoken.activeDb);
  });

  test('is nothing where there is no call', () => {
    const clock = new FakeClock(), phone = end(new Wire(clock), '192.0.2.1');
    phone.media.command({ do: 'sound', ask: 1 });
    expect(phone.of('sound')).toEqual([{ event: 'sound', ask: 1, places: [] }]);
  });
});

test('a quiet caller is brought up and a quiet microphone too, where the settings say so', async () => {
  const s = mediaSettings(), room = { echo: 'off', noise: false, micGain: true, even: true } as const;
  const c = await call({ settings: { ...s, places: { ...s.places, handset: { ...s.places.handset, room } } } });
  c.b.media.command({ do: 'settings', settings: s });
  c.a.audio.microphone = c.b.audio.microphone = (i) => far[i % far.length]! / 10;
  await c.clock.run(11_000, 20);
  c.a.media.command({ do: 'sound', ask: 1 });
  const [place] = c.a.of('sound')[0]!.places;
  expect(place!.spoken.gainDb).toBeGreaterThan(10);
  expect(place!.heard.gainDb).toBeGreaterThan(9);
  for (const e of [c.a, c.b]) expect(levelOf(card(e).played, 8 * 16_000)).toBeGreaterThan(-40);
});

describe('the own voice in the earpiece', () => {
  test('is asked of the card for the handset, and taken back when the call goes to the loudspeaker', async () => {
    const s = mediaSettings();
    const c = await call({ settings: { ...s, places: { ...s.places, handset: { ...s.places.handset, sidetone: -20 } } } });
    const wanted = (): readonly unknown[] => card(c.a).sidetones;
    expect(wanted().at(-1)).toBe(-20);
    c.a.media.command({ do: 'sound', ask: 1 });
    expect(c.a.of('sound')[0]!.places[0]!.sidetone).toBe('on at -20 dB');
    c.a.media.command({ do: 'route', stream: 1, route: { to: 'place', place: 'speaker' } });
    expect(wanted().at(-1)).toBeUndefined();
  });
});
