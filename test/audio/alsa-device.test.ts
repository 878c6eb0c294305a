import { describe, expect, test } from 'vitest';
import type { AlsaDevice } from '../../src/audio/alsa-device.ts';
import { ERRNO } from '../../src/audio/errno.ts';
import { createAudioSystem } from '../../src/audio/system.ts';
import type { AudioStatus } from '../../src/ports/audio.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeLibrary } from './fake-library.ts';
import type { FakeCard } from './fake-library.ts';

function bench(name = 'alsa:card', over: { periodFrames?: number; periods?: number; proc?: Record<string, string> } = {}) {
  const fake = new FakeClock();
  const stall = { ms: 0 };
  const clock: Clock = {
    now: () => fake.now(), wall: () => fake.wall(),
    after: (ms, due) => {
      const late = stall.ms;
      stall.ms = 0;
      return fake.after(ms + late, due);
    },
  };
  const library = new FakeLibrary(fake);
  const card: FakeCard = { fault: 0 };
  library.cards.set('card', card);
  const proc = over.proc ?? {};
  const log = new FakeLog();
  const captured: number[] = [];
  const statuses: AudioStatus[] = [];
  const play = { next: (_: Int16Array) => {} };
  let periods = 0;
  const files = {
    read: (path: string) => {
      const text = proc[path];
      if (text === undefined) throw new Error('no such file');
      return Buffer.from(text);
    },
    create: () => { throw new Error('read-only'); },
  };
  const system = createAudioSystem({ clock, log, files, alsa: () => library });
  const open = () => system.open({
    name, rateHz: 16_000, periodFrames: over.periodFrames ?? 320, periods: over.periods ?? 4,
    onPeriod: (c, p) => { periods++; for (const s of c) captured.push(s); play.next(p); }, onStatus: (s) => statuses.push(s),
  }) as AlsaDevice;
  return { fake, stall, library, card, proc, log, captured, statuses, play, system, open, periods: () => periods };
}

describe('a card', () => {
  test('capture drives: every sample once and in order, whatever the timer does', () => {
    const { fake, captured, statuses, open, stall } = bench();
    const device = open();
    for (let i = 0; i < 50; i++) {
      stall.ms = i % 5;
      fake.advance(37);
    }
    expect(captured.length).toBeGreaterThan(1_800 * 16);
    expect(captured.every((s, i) => s === i % 30_000)).toBe(true);
    expect(device.status()).toMatchObject({ state: 'running', trouble: '', xruns: 0 });
    expect(statuses).toEqual([]);
  });

  test('what is played goes to the card whole, behind two periods and 3 ms of silence', () => {
    const { fake, library, play, open } = bench();
    let n = 0;
    play.next = (p) => { for (let i = 0; i < p.length; i++) p[i] = (n++ % 20_000) + 1; };
    const device = open();
    fake.advance(1_003);
    const first = library.played.findIndex((s) => s !== 0);
    expect(first).toBe(2 * 320 + 48);
    expect(library.played.slice(first).every((s, i) => s === (i % 20_000) + 1)).toBe(true);
    expect(device.status().delayFrames).toBeGreaterThan(300);
    expect(device.status().delayFrames).toBeLessThanOrEqual(2 * 320 + 48);
  });

  test('a period costs the card two questions, one for each direction', () => {
    const { fake, library, periods, open } = bench();
    open();
    fake.advance(1_000);
    const before = library.asked, served = periods();
    fake.advance(10_000);
    expect(periods() - served).toBe(500);
    expect(library.asked - before).toBeLessThanOrEqual(2 * 500 + 1);
  });

  test('two periods of buffer are enough', () => {
    const { fake, periods, open } = bench('alsa:card', { periods: 2 });
    const device = open();
    fake.advance(2_010); // opened after 6 ms
    expect(periods()).toBe(100);
    expect(device.status().xruns).toBeLessThanOrEqual(1);
  });

  test('stereo, 32 bits and 48 kHz are converted both ways', () => {
    const { fake, library, card, captured, play, open } = bench();
    Object.assign(card, { rateHz: 48_000, channels: 2, bits: 32 });
    play.next = (p) => p.fill(1_000);
    open();
    fake.advance(1_003);
    // one sample of three from a ramp, after the filter's delay: about a constant step of 3
    const ramp = captured.slice(200, 9_000);
    for (let i = 1; i < ramp.length; i++) expect(Math.abs(ramp[i]! - ramp[i - 1]! - 3)).toBeLessThanOrEqual(1);
    expect(captured.length).toBe(49 * 320);
    expect(library.played.filter((s) => s === 1_000).length).toBeGreaterThan(48_000 * 0.9 - 2_000);
  });

  test.each([[400], [-400]])('a playback clock %i ppm off is followed by single frames, without a trim or an xrun', (playbackPpm) => {
    const { fake, card, open } = bench();
    card.playbackPpm = playbackPpm;
    const device = open();
    fake.advance(600_000);
    expect(device.status().xruns).toBe(0);
    const { trims, nudged } = device.counts();
    expect(trims).toBe(0);
    expect(Math.abs(-nudged - 600 * 16_000 * playbackPpm * 1e-6)).toBeLessThan(100);
    expect(device.status().delayFrames).toBeGreaterThan(100);
    expect(device.status().delayFrames).toBeLessThan(900);
  });

  test('a position that moves in lumps is not mistaken for drift', () => {
    const { fake, card, open } = bench('alsa:card', { periods: 6 });
    Object.assign(card, { rateHz: 48_000, lumpFrames: 1_024 });
    const device = open();
    fake.advance(2_000);
    const { xruns } = device.status();
    fake.advance(120_000);
    expect(device.status().xruns).toBe(xruns);
    expect(xruns).toBeLessThanOrEqual(2);
    expect(device.counts()).toEqual({ trims: 0, nudged: 0 });
  });

  test('a stall beyond the buffer is one xrun; its periods come as silence', () => {
    const { fake, stall, captured, periods, open } = bench();
    const device = open();
    fake.advance(1_000);
    const before = periods();
    stall.ms = 300;
    fake.advance(1_000);
    expect(device.status()).toMatchObject({ state: 'running', xruns: 1 });
    expect(Math.abs(periods() - before - 50)).toBeLessThanOrEqual(2);
    expect(captured.filter((s) => s === 0).length).toBeGreaterThan(10 * 320);
  });

  test('a stall within the buffer loses no captured sample', () => {
    const { fake, stall, captured, open } = bench();
    const device = open();
    fake.advance(1_000);
    stall.ms = 45;
    fake.advance(1_000);
    expect(device.status().xruns).toBe(1); // the earpiece ran dry, the microphone did not run over
    expect(captured.every((s, i) => s === i % 30_000)).toBe(true);
  });

  test('a card that runs dry again and again gets up to a period more, and gives it back', () => {
    const { fake, stall, open } = bench();
    const device = open();
    const delayMs = () => device.status().delayFrames / 16;
    fake.advance(1_010);
    const calm = delayMs();
    for (let i = 0; i < 8; i++) {
      stall.ms = 45;
      fake.advance(200);
    }
    fake.advance(2_000);
    const raised = Math.max(...Array.from({ length: 20 }, () => { fake.advance(1); return delayMs(); }));
    expect(raised).toBeGreaterThan(calm + 10);
    fake.advance(300_000);
    const given = Math.max(...Array.from({ length: 20 }, () => { fake.advance(1); return delayMs(); }));
    expect(given).toBeLessThan(raised - 10);
    expect(device.status().xruns).toBe(8);
  });

  test('unplugged: silence on the clock and words; back: sound within half a second', () => {
    const { fake, card, library, periods, statuses, log, open } = bench();
    const device = open();
    fake.advance(1_000);
    card.fault = ERRNO.NODEV;
    fake.advance(1_000);
    expect(statuses).toHaveLength(1);
    expect(statuses[0]).toMatchObject({ state: 'lost', trouble: 'the sound card "card" is unplugged' });
    expect(library.holding).toBe(0);
    fake.advance(3_000);
    expect(Math.abs(periods() - 250)).toBeLessThanOrEqual(2);
    card.fault = 0;
    fake.advance(550);
    expect(device.status()).toMatchObject({ state: 'running', trouble: '', reopened: 1 });
    expect(statuses).toHaveLength(2);
    expect(log.facts()).toEqual(['sound card lost', 'sound card found']);
    device.close();
    expect(library.holding).toBe(0);
    expect(fake.pending).toBe(0);
  });

  test('a card that stops giving sound without an error is given up and tried again', () => {
    const { fake, card, statuses, periods, open } = bench();
    open();
    fake.advance(1_000);
    card.dead = true;
    fake.advance(2_000);
    expect(statuses.map((s) => s.trouble)).toEqual(['the sound card "card" stopped delivering sound']);
    card.dead = false;
    fake.advance(2_000);
    expect(statuses.at(-1)?.state).toBe('running');
    expect(periods()).toBeGreaterThan(200);
  });

  test('a card that fails at once each time it is started is lost, not looped on', () => {
    const { fake, card, statuses, periods, open } = bench();
    open();
    fake.advance(1_000);
    card.fault = ERRNO.PIPE;
    fake.advance(1_000);
    expect(statuses.at(-1)?.state).toBe('lost');
    expect(Math.abs(periods() - 100)).toBeLessThanOrEqual(2);
  });

  test.each([
    [ERRNO.BUSY, 'another program holds the sound card "card"'],
    [ERRNO.ACCES, 'no permission to use the sound card "card": add the user to the group audio'],
    [ERRNO.NODEV, 'the sound card "card" is unplugged'],
    [ERRNO.CONNREFUSED, 'the sound server behind "card" does not answer'],
    [-99, 'the sound card "card" failed: error 99'],
  ])('errno %i while opening is told in words', (fault, words) => {
    const { fake, card, statuses, periods, open } = bench();
    card.fault = fault;
    open();
    fake.advance(1_000);
    expect(statuses.map((s) => s.trouble)).toEqual([words]);
    expect(periods()).toBe(50);
  });

  test('closing while it is being opened leaves nothing open and nothing running', () => {
    const { fake, library, periods, open } = bench();
    open().close();
    fake.advance(1_000);
    expect(periods()).toBe(0);
    expect(library.holding).toBe(0);
    expect(fake.pending).toBe(0);
  });

  test('closing from inside a period ends it there', () => {
    const { fake, library, play, periods, open } = bench();
    const device = open();
    play.next = () => device.close();
    fake.advance(1_000);
    expect(periods()).toBe(1);
    expect(library.holding).toBe(0);
    expect(fake.pending).toBe(0);
  });

  test('a card with one direction serves, unless two were named', () => {
    const one = bench();
    one.card.without = 'capture';
    one.open();
    one.fake.advance(1_000);
    expect(one.periods()).toBeGreaterThanOrEqual(48);
    expect(one.statuses).toEqual([]);
    expect(one.library.played.length).toBeGreaterThan(15_000);
    const two = bench('alsa:card|none');
    two.open();
    two.fake.advance(1_000);
    expect(two.statuses[0]?.trouble).toBe('there is no sound card "none": it is unplugged or its name is wrong');
    expect(two.library.holding).toBe(0);
  });

  test('a card named by number is opened by its id, also after it changed places', () => {
    const { fake, library, open, periods } = bench('alsa:plughw:1,0', { proc: { '/proc/asound/card1/id': 'USB\n' } });
    library.cards.set('plughw:CARD=USB,DEV=0', { fault: 0 });
    open();
    fake.advance(500);
    expect(library.opened.map((o) => o.name)).toEqual(['plughw:CARD=USB,DEV=0', 'plughw:CARD=USB,DEV=0']);
    expect(periods()).toBeGreaterThan(20);
  });
});

describe('auto', () => {
  const CARDS = ' 0 [Headphones     ]: bcm2835 - bcm2835\n 1 [USB            ]: USB-Audio - USB\n';
  const PCM = '00-00: bcm2835 : bcm2835 : playback 8\n01-00: USB Audio : USB Audio : playback 1 : capture 1\n';

  test('takes the default card when that has both directions', () => {
    const { fake, library, open } = bench('auto');
    library.cards.set('default', { fault: 0 });
    open();
    fake.advance(500);
    expect(library.opened.filter((o) => !o.closed).map((o) => o.name)).toEqual(['default', 'default']);
  });

  test('takes a card with a microphone when the default has none', () => {
    const { fake, library, open } = bench('auto', { proc: { '/proc/asound/cards': CARDS, '/proc/asound/pcm': PCM } });
    library.cards.set('default', { fault: 0, without: 'capture' });
    library.cards.set('plughw:CARD=USB,DEV=0', { fault: 0 });
    open();
    fake.advance(500);
    expect(library.opened.filter((o) => !o.closed).map((o) => o.name)).toEqual(['plughw:CARD=USB,DEV=0', 'plughw:CARD=USB,DEV=0']);
  });

  test('plays at least when no card has a microphone', () => {
    const { fake, library, open, statuses } = bench('auto', { proc: { '/proc/asound/cards': CARDS, '/proc/asound/pcm': '' } });
    library.cards.set('default', { fault: 0, without: 'capture' });
    open();
    fake.advance(500);
    expect(library.opened.filter((o) => !o.closed)).toHaveLength(1);
    expect(statuses).toEqual([]);
  });

  test('without a card is silence on the clock and says why, until one is plugged in', () => {
    const { fake, library, proc, open, periods, statuses } = bench('auto');
    const device = open();
    fake.advance(10_000);
    expect(periods()).toBe(500);
    expect(statuses.map((s) => [s.state, s.trouble])).toEqual([['running', 'there is no sound card: nothing is heard or said here until one is plugged in']]);
    proc['/proc/asound/cards'] = CARDS;
    library.cards.set('default', { fault: 0 });
    fake.advance(600);
    expect(library.holding).toBe(2);
    expect(device.status()).toMatchObject({ state: 'running', trouble: '' });
    expect(statuses).toHaveLength(2);
  });
});
