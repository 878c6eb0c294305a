import { describe, expect, test } from 'vitest';
import type { ToneProgram } from '../../src/media/door.ts';
import { FakeClock, settle } from '../fakes/clock.ts';
import { Wire } from '../fakes/network.ts';
import { align, call, card, end, mediaSettings, sine, toneIn, voice, type End } from './bench.ts';

const A440: ToneProgram = { steps: [{ hz: [440], dbm0: -10, ms: 0 }], times: 0 };
const beep: ToneProgram = { steps: [{ hz: [1000], dbm0: -10, ms: 300 }], times: 1 };

/** A phone that nobody talks to. */
function alone(periodMs = 20): { clock: FakeClock; phone: End } {
  const clock = new FakeClock();
  return { clock, phone: end(new Wire(clock), '192.0.2.1', mediaSettings({}, periodMs)) };
}

describe('a card', () => {
  test('is not opened while nothing needs it, and an idle engine sets no alarm', () => {
    const { clock, phone } = alone();
    clock.advance(10_000);
    expect(phone.audio.devices).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });

  test('is opened at once when warmed, and closed 2 s after it is no more; then no alarm is left', () => {
    const { clock, phone } = alone();
    phone.media.command({ do: 'warm', place: 'handset', on: true });
    expect(phone.audio.running).toHaveLength(1);
    expect(phone.audio.running[0]!.options).toMatchObject({ name: 'card', rateHz: 16_000, periodFrames: 320, periods: 4 });
    clock.advance(10_000);
    phone.media.command({ do: 'warm', place: 'handset', on: false });
    clock.advance(1900);
    expect(phone.audio.running).toHaveLength(1);
    clock.advance(200);
    expect(phone.audio.running).toHaveLength(0);
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  test('needed again within the 2 s stays open', () => {
    const { clock, phone } = alone();
    phone.media.command({ do: 'warm', place: 'handset', on: true });
    phone.media.command({ do: 'warm', place: 'handset', on: false });
    clock.advance(1000);
    phone.media.command({ do: 'tone', place: 'handset', program: A440, id: 1 });
    clock.advance(60_000);
    expect(phone.audio.devices).toHaveLength(1);
    expect(phone.audio.running).toHaveLength(1);
  });

  test('named by two places is opened once, and both are heard on it', () => {
    const { clock, phone } = alone();
    phone.media.command({ do: 'tone', place: 'handset', program: A440, id: 1 });
    phone.media.command({ do: 'tone', place: 'speaker', program: { steps: [{ hz: [1000], dbm0: -10, ms: 0 }], times: 0 }, id: 2 });
    phone.media.command({ do: 'tone', place: 'ringer', program: A440, id: 3 });
    clock.advance(1000);
    expect(phone.audio.running.map((d) => d.name)).toEqual(['card', 'ringer']);
    expect(toneIn(card(phone).played, 440)).toBeGreaterThan(6000);
    expect(toneIn(card(phone).played, 1000)).toBeGreaterThan(6000);
  });

  test('closes after the last call on it, in a call it stays', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(5000, 100);
    expect(c.a.audio.running).toHaveLength(1);
    c.a.media.command({ do: 'close', stream: 1 });
    c.b.media.command({ do: 'close', stream: 1 });
    await c.clock.run(3000);
    expect([...c.a.audio.running, ...c.b.audio.running]).toEqual([]);
    expect(c.clock.pending).toBe(0);
  });
});

describe('a tone', () => {
  test('that ends is told with its id, and the card closes 2 s later', () => {
    const { clock, phone } = alone();
    phone.media.command({ do: 'tone', place: 'handset', program: beep, id: 42 });
    clock.advance(280);
    expect(phone.of('tone ended')).toEqual([]);
    clock.advance(60);
    expect(phone.of('tone ended')).toEqual([{ event: 'tone ended', place: 'handset', id: 42 }]);
    clock.advance(2100);
    expect(phone.audio.running).toHaveLength(0);
    expect(toneIn(card(phone).played, 1000, 0, 4800)).toBeGreaterThan(6000);
  });

  test('is replaced by the next and ended by quiet, without an event', () => {
    const { clock, phone } = alone();
    phone.media.command({ do: 'tone', place: 'handset', program: beep, id: 1 });
    clock.advance(100);
    phone.media.command({ do: 'tone', place: 'handset', program: A440, id: 2 });
    clock.advance(1000);
    expect(toneIn(card(phone).played, 1000, 3200, 12_800)).toBeLessThan(50);
    phone.media.command({ do: 'quiet', place: 'handset' });
    clock.advance(20);
    const fall = card(phone).played.slice(-320), loudest = fall.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expect(loudest).toBeGreaterThan(500); // it falls, so that it does not click
    for (let i = 1; i < fall.length; i++) expect(Math.abs(fall[i]! - fall[i - 1]!)).toBeLessThan(loudest / 4);
    const at = card(phone).played.length;
    clock.advance(500);
    expect(card(phone).played.slice(at).every((x) => x === 0)).toBe(true);
    expect(phone.of('tone ended')).toEqual([]);
  });

  test('is mixed with the call, for our ear only', async () => {
    const c = await call();
    c.b.audio.microphone = sine(1000, 6000);
    c.a.media.command({ do: 'tone', place: 'handset', program: A440, id: 1 });
    await c.clock.run(1500);
    const near = card(c.a).played;
    expect(toneIn(near, 440, 8000, 16_000)).toBeGreaterThan(6000);
    expect(toneIn(near, 1000, 8000, 16_000)).toBeGreaterThan(5800);
    expect(toneIn(card(c.b).played, 440)).toBeLessThan(20);
  });

  test('on a card that is there again says so, once', () => {
    const { clock, phone } = alone();
    phone.audio.unknown.add('ringer');
    for (let i = 0; i < 3; i++) {
      if (i > 0) phone.audio.unknown.clear();
      phone.media.command({ do: 'tone', place: 'ringer', program: beep, id: i });
      clock.advance(5000);
    }
    expect(phone.of('device').map((d) => d.status.state)).toEqual(['lost', 'running']);
  });

  test('goes on, in time, where there is no card at all', () => {
    const { clock, phone } = alone();
    phone.audio.unknown.add('card');
    phone.media.command({ do: 'tone', place: 'handset', program: beep, id: 7 });
    expect(phone.of('device').map((d) => [d.place, d.status.state, d.status.trouble])).toEqual([
      ['handset', 'lost', 'no driver knows the sound device "card"'], ['speaker', 'lost', 'no driver knows the sound device "card"'],
    ]);
    clock.advance(340);
    expect(phone.of('tone ended')).toHaveLength(1);
    clock.advance(3000);
    expect(clock.pending).toBe(0);
  });
});

describe('a card in trouble', () => {
  const packetsFrom = (c: Awaited<ReturnType<typeof call>>, host: string): number => c.wire.sent.filter((d) => d.from.host === host && d.from.port % 2 === 0).length;

  test('unplugged and plugged in again is told, and the call goes on', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(1000);
    card(c.a).lose();
    expect(c.a.of('device').map((d) => [d.place, d.device, d.status.state])).toEqual(
      ['running', 'lost'].flatMap((state) => ['handset', 'speaker'].map((place) => [place, 'card', state])));
    const before = packetsFrom(c, c.a.host);
    await c.clock.run(1000);
    expect(packetsFrom(c, c.a.host) - before).toBe(50);
    card(c.a).find();
    await c.clock.run(2000);
    expect(c.a.of('device').at(-1)!.status).toMatchObject({ state: 'running', reopened: 1 });
    const { length } = card(c.b).played;
    expect(align((i) => voice(i - 16_000), card(c.b).played, length - 17_000, 16_000).like).toBeGreaterThan(0.98);
  });

  test('that hangs without a word is stood in for by the clock, until it beats again', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(1000);
    card(c.a).hung = true;
    const before = packetsFrom(c, c.a.host);
    await c.clock.run(2000);
    expect(packetsFrom(c, c.a.host) - before).toBe(100); // those of before it was noticed are made up for
    card(c.a).hung = false;
    expect(c.a.of('device').slice(2).map((d) => [d.place, d.status.state, d.status.trouble])).toEqual(
      ['handset', 'speaker'].map((place) => [place, 'lost', 'the sound device "card" stands still']));
    const again = packetsFrom(c, c.a.host);
    await c.clock.run(2000);
    expect(packetsFrom(c, c.a.host) - again).toBeLessThanOrEqual(101);
    expect(c.a.of('device').slice(4).map((d) => [d.place, d.status.state])).toEqual([['handset', 'running'], ['speaker', 'running']]);
    const { length } = card(c.b).played;
    expect(align((i) => voice(i - 32_000), card(c.b).played, length - 6400, 6400).like).toBeGreaterThan(0.98);
  });

  test('that no driver knows leaves the call with silence both ways, on time', async () => {
    const clock = new FakeClock(), wire = new Wire(clock), phone = end(wire, '192.0.2.1'), at = { host: '192.0.2.9', port: 4000 };
    phone.audio.unknown.add('card');
    phone.media.command({ do: 'open', stream: 1, host: phone.host, cname: 'x' });
    await settle();
    phone.media.command({ do: 'negotiated', stream: 1, session: { remote: at, rtcpPort: 0, send: { name: 'PCMA', payloadType: 8 }, receive: [], direction: 'sendrecv', ptimeMs: 20 } });
    phone.media.command({ do: 'route', stream: 1, route: { to: 'place', place: 'handset' } });
    await clock.run(1000);
    expect(wire.sent.filter((d) => d.to.port === 4000)).toHaveLength(50);
  });
});

describe('settings', () => {
  test('that name another device move the call to it', async () => {
    const c = await call({ microphone: voice });
    await c.clock.run(500);
    const settings = mediaSettings(), other = { ...settings.places.handset, device: 'usb' };
    c.a.media.command({ do: 'settings', settings: { ...settings, places: { handset: other, speaker: other, ringer: settings.places.ringer } } });
    expect(c.a.audio.running.map((d) => d.name)).toEqual(['usb']);
    await c.clock.run(1500);
    expect(align(voice, c.a.audio.devices[1]!.played, 8000, 12_000).like).toBeLessThan(0.6); // b says nothing
    expect(c.wire.sent.filter((d) => d.from.host === c.a.host && d.from.port % 2 === 0).length).toBeGreaterThanOrEqual(97);
  });

  test('that change only gains or limits leave the card open', async () => {
    const c = await call();
    c.b.audio.microphone = sine(1000, 8000);
    await c.clock.run(1000);
    const settings = mediaSettings({ jitterMaxMs: 100 });
    c.a.media.command({ do: 'settings', settings: { ...settings, places: { ...settings.places, handset: { ...settings.places.handset, playDb: -20 } } } });
    await c.clock.run(1000);
    expect(c.a.audio.devices).toHaveLength(1);
    expect(toneIn(card(c.a).played, 1000, card(c.a).played.length - 8000, 8000)).toBeLessThan(900);
  });
});
