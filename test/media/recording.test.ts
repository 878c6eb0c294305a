import { describe, expect, test } from 'vitest';
import { wavHeader } from '../../src/audio/wav.ts';
import { extras as all } from '../../src/main/media-extras.ts';
import { createRecord } from '../../src/media/recording.ts';
import type { CryptoUse } from '../../src/sdp/types.ts';
import { FakeDisk } from '../fakes/disk.ts';
import { settle } from '../fakes/clock.ts';
import { align, call, card, end, mediaSettings, session, sine, toneIn, voice, type Call } from './bench.ts';

const HZ = 16_000;
/** What the other side says, for itself to be known by. */
const other = (i: number): number => voice(i + 77_777);

interface Rig extends Call {
  readonly disk: FakeDisk;
  record(on: boolean, more?: { readonly maxS?: number; readonly maxBytes?: number }): void;
}

async function rig(options: Parameters<typeof call>[0] = {}): Promise<Rig> {
  const disk = new FakeDisk();
  const made = await call({ microphone: voice, extras: { ...all, record: createRecord(disk.make, wavHeader) }, ...options });
  made.b.audio.microphone = other;
  let files = 0;
  return {
    ...made, disk,
    record: (on, more = {}) => made.a.media.command({ do: 'record', stream: 1, to: on ? { path: `/recordings/${++files}.wav`, maxS: 3_600, maxBytes: 1e9, ...more } : undefined }),
  };
}
/** Where the notice sounds in `x`: beginnings and lengths, in tenths of seconds. */
function notices(x: readonly number[]): { at: number; tenths: number }[] {
  const out: { at: number; tenths: number }[] = [];
  for (let n = 0; (n + 1) * 1_600 <= x.length; n++) {
    if (toneIn(x, 1_400, n * 1_600, 1_600) < 1_000) continue;
    const last = out.at(-1);
    if (last !== undefined && last.at + last.tenths === n) last.tenths++;
    else out.push({ at: n, tenths: 1 });
  }
  return out;
}
const quiet = (): number => 0;

describe('the file', () => {
  test('has both directions, to the period at one time: left what was sent, right what was heard', async () => {
    const r = await rig();
    await r.clock.run(3_000);
    const before = card(r.a).played.length;
    r.record(true);
    await r.clock.run(9_000);
    r.record(false);
    await settle();
    const { rateHz, left, right } = r.disk.sound();
    expect(rateHz).toBe(HZ);
    expect(left).toHaveLength(9 * HZ);
    // The microphone as it was, but for the beep of the first half second.
    const said = Array.from({ length: left.length }, (_, i) => voice(before + i) + 0);
    expect(left.slice(HZ)).toEqual(said.slice(HZ));
    // The earpiece as it was at the same samples.
    expect(right.slice(HZ)).toEqual(card(r.a).played.slice(before + HZ, before + 9 * HZ));
    expect(align((i) => other(before + i), right, 2 * HZ, 8_000).like).toBeGreaterThan(0.97);
    expect(r.a.of('recording').map(({ on, path, seconds, why }) => ({ on, path, seconds, why }))).toEqual([{ on: true, path: '/recordings/1.wav', seconds: 0, why: '' }, { on: false, path: '/recordings/1.wav', seconds: 9, why: '' }]);
    expect(r.disk.closed).toEqual(['/recordings/1.wav']);
  });

  test('is whole after each write, at most two seconds short, and the disk is made to keep it every ten', async () => {
    const r = await rig();
    const lengths: number[] = [];
    r.disk.onWrite = () => { if (r.disk.files.get('/recordings/1.wav')!.length >= 44) lengths.push(r.disk.sound().left.length / HZ); };
    r.record(true);
    await r.clock.run(41_000);
    expect(Math.max(...lengths)).toBe(40);
    expect(lengths).toEqual([...lengths].sort((x, y) => x - y));
    expect(r.disk.syncs).toBe(4);
  });

  test('ends with the call, and has all of it', async () => {
    const r = await rig();
    r.record(true);
    await r.clock.run(3_340);
    r.a.media.command({ do: 'close', stream: 1 });
    await settle();
    expect(r.disk.sound().left).toHaveLength(3.34 * HZ);
    expect(r.a.of('recording').at(-1)).toMatchObject({ on: false, seconds: 3, why: '' });
  });

  test('has silence where the microphone was muted, not what was said then', async () => {
    const r = await rig();
    r.a.media.command({ do: 'mute', stream: 1, muted: true });
    r.record(true);
    await r.clock.run(3_000);
    r.record(false);
    await settle();
    const { left } = r.disk.sound();
    expect(left.slice(HZ).every((x) => x === 0)).toBe(true);
    expect(notices(card(r.b).played)).toHaveLength(1);
    expect(align(voice, card(r.b).played, 2 * HZ, 8_000).like).toBeLessThan(0.3);
  });

  test('is as it would be without encryption, for the disk gets what people hear', async () => {
    const key = (seed: number) => Buffer.alloc(30, seed).toString('base64');
    const crypto: CryptoUse = { suite: 'AES_CM_128_HMAC_SHA1_80', send: key(1), receive: key(2) };
    const r = await rig();
    r.a.media.command({ do: 'negotiated', stream: 1, session: session(r.b, { crypto }) });
    r.b.media.command({ do: 'negotiated', stream: 1, session: session(r.a, { crypto: { ...crypto, send: crypto.receive, receive: crypto.send } }) });
    r.record(true);
    await r.clock.run(4_000);
    r.record(false);
    await settle();
    expect(align(other, r.disk.sound().right, 2 * HZ, 8_000).like).toBeGreaterThan(0.97);
    expect(notices(card(r.b).played)).toHaveLength(1);
  });
});

describe('the notice', () => {
  test('is half a second of 1,400 Hz at the beginning and every 15 s, for both sides and in the file, and ends with the recording', async () => {
    const r = await rig({ microphone: quiet });
    r.b.audio.microphone = quiet;
    await r.clock.run(1_000);
    r.record(true);
    await r.clock.run(32_000);
    r.record(false);
    await r.clock.run(16_000);
    const far = notices(card(r.b).played), near = notices(card(r.a).played), file = notices(r.disk.sound().left);
    for (const heard of [far, near, file]) {
      expect(heard).toHaveLength(3);
      expect(heard.map(({ at }) => at - heard[0]!.at)).toEqual([0, 150, 300]);
      for (const { tenths } of heard) expect(tenths).toBeGreaterThanOrEqual(4);
      for (const { tenths } of heard) expect(tenths).toBeLessThanOrEqual(6);
    }
    expect(near[0]!.at).toBe(10);
    expect(far[0]!.at - 10).toBeLessThanOrEqual(2);
    expect(toneIn(card(r.b).played, 1_400, (far[0]!.at + 1) * 1_600, 4_800)).toBeGreaterThan(1_500);
  });

  test('is heard where silence is not sent (RFC 3389)', async () => {
    const r = await rig({ microphone: quiet, session: { noiseSend: 13, noiseReceive: 13 } });
    await r.clock.run(3_000);
    const sent = r.wire.sent.length;
    r.record(true);
    await r.clock.run(20_000);
    expect(notices(card(r.b).played)).toHaveLength(2);
    expect(r.wire.sent.slice(sent).filter(({ from, bytes }) => from.host === r.a.host && bytes.length === 172).length).toBeLessThan(500); // silence is still not sent
  });

  test('comes with sound of every codec', async () => {
    for (const send of [{ name: 'G722', payloadType: 9 }, { name: 'L16', payloadType: 97 }] as const) {
      const r = await rig({ microphone: quiet, session: { send, receive: [send] } });
      r.record(true);
      await r.clock.run(2_000);
      expect(notices(card(r.b).played), send.name).toHaveLength(1);
    }
  });
});

describe('on hold', () => {
  const hold = (r: Rig, on: boolean): void => {
    r.a.media.command({ do: 'route', stream: 1, route: on ? { to: 'program', program: { steps: [{ hz: [500], dbm0: -16, ms: 0 }], times: 0 } } : { to: 'place', place: 'handset' } });
    r.a.media.command({ do: 'negotiated', stream: 1, session: session(r.b, { direction: on ? 'sendonly' : 'sendrecv' }) });
    r.b.media.command({ do: 'negotiated', stream: 1, session: session(r.a, { direction: on ? 'recvonly' : 'sendrecv' }) });
  };

  test('of ours nothing is written, and the notice is given anew when both talk again', async () => {
    const r = await rig();
    r.record(true);
    await r.clock.run(4_000);
    hold(r, true);
    await r.clock.run(6_000);
    const held = notices(card(r.b).played).length;
    hold(r, false);
    await r.clock.run(4_000);
    r.record(false);
    await settle();
    const { left, right } = r.disk.sound();
    expect(left.length / HZ).toBeCloseTo(8, 1);
    expect(right).toHaveLength(left.length);
    expect(toneIn(left, 500)).toBeLessThan(100); // not the music
    expect(notices(left).map(({ at }) => at)).toEqual([0, 40]);
    expect(held).toBe(1);
    expect(notices(card(r.b).played)).toHaveLength(2);
    // As it was heard when both talked again, by the card that was opened for it, but for the first period.
    expect(right.slice(5 * HZ)).toEqual(r.a.audio.devices[1]!.played.slice(HZ + 320, 4 * HZ));
  });

  test('of theirs their music is not written', async () => {
    const r = await rig();
    r.record(true);
    await r.clock.run(2_000);
    r.a.media.command({ do: 'negotiated', stream: 1, session: session(r.b, { direction: 'recvonly' }) });
    await r.clock.run(5_000);
    r.record(false);
    await settle();
    expect(r.disk.sound().left).toHaveLength(2 * HZ);
  });
});

test('in a conference the file has all three, and all three hear the notice', async () => {
  const r = await rig({ microphone: sine(300, 4_000) });
  r.b.audio.microphone = sine(500, 4_000);
  const c = end(r.wire, '192.0.2.3', mediaSettings());
  c.audio.microphone = sine(800, 4_000);
  c.media.command({ do: 'open', stream: 1, host: c.host, cname: 'c' });
  r.a.media.command({ do: 'open', stream: 2, host: r.a.host, cname: 'a' });
  await settle();
  r.a.media.command({ do: 'negotiated', stream: 2, session: session(c) });
  c.media.command({ do: 'negotiated', stream: 1, session: session(r.a, {}, 2) });
  c.media.command({ do: 'route', stream: 1, route: { to: 'place', place: 'handset' } });
  for (const stream of [1, 2]) r.a.media.command({ do: 'route', stream, route: { to: 'place', place: 'handset', meets: true } });
  await r.clock.run(1_000);
  r.record(true);
  await r.clock.run(4_000);
  r.record(false);
  await settle();
  const { left, right } = r.disk.sound();
  expect(left).toHaveLength(4 * HZ);
  for (const hz of [300, 800]) expect(toneIn(left, hz, 2 * HZ)).toBeGreaterThan(2_000); // what b was sent: a and c
  expect(toneIn(right, 500, 2 * HZ)).toBeGreaterThan(2_000);
  for (const heard of [card(r.a), card(r.b), card(c)]) expect(notices(heard.played)).toHaveLength(1);
});

describe('a disk', () => {
  test('that is full ends the recording with a sentence; what is there stays whole, the call and its sound go on, the beeps end', async () => {
    const r = await rig();
    r.record(true);
    await r.clock.run(5_000);
    r.disk.refuse = new Error('the disk is full (/recordings/1.wav)');
    await r.clock.run(30_000);
    expect(r.a.of('recording').at(-1)).toMatchObject({ on: false, seconds: 4, why: 'the disk is full (/recordings/1.wav)' });
    expect(r.disk.sound().left).toHaveLength(4 * HZ);
    expect(r.disk.closed).toHaveLength(1);
    expect(align(voice, card(r.b).played, 33 * HZ, 8_000).like).toBeGreaterThan(0.97);
    expect(notices(card(r.b).played)).toHaveLength(1);
    r.disk.refuse = undefined;
    r.record(true);
    await r.clock.run(3_000);
    expect(r.a.of('recording').at(-1)).toMatchObject({ on: true, path: '/recordings/2.wav' });
    expect(notices(card(r.b).played)).toHaveLength(2);
  });

  test('that has little room is left to the rest of the phone', async () => {
    const r = await rig();
    r.disk.freeBytes = 31_000_000;
    r.record(true);
    await settle();
    expect(r.a.of('recording')).toMatchObject([{ on: false, why: 'less than 32 MB are free at /recordings/1.wav' }]);
    r.disk.freeBytes = 33_000_000;
    r.record(true);
    await r.clock.run(5_000);
    r.disk.freeBytes = 31_000_000;
    await r.clock.run(10_000);
    expect(r.a.of('recording').slice(1)).toMatchObject([{ on: true }, { on: false, seconds: 10 }]);
  });

  test('that stands still holds nobody up: eight seconds wait for it, then the recording ends', async () => {
    const r = await rig();
    r.record(true);
    await r.clock.run(1_000);
    let go = (): void => undefined;
    r.disk.wait = new Promise((resolve) => { go = resolve; });
    await r.clock.run(20_000);
    expect(r.a.of('recording')).toHaveLength(1);
    go();
    await settle();
    expect(r.a.of('recording').at(-1)).toMatchObject({ on: false, why: 'the disk is too slow' });
    expect(align(voice, card(r.b).played, 18 * HZ, 8_000).like).toBeGreaterThan(0.97);
    expect(notices(card(r.b).played)).toHaveLength(1);
  });

  test('that was slow for a while loses nothing', async () => {
    const r = await rig();
    r.record(true);
    await r.clock.run(1_000);
    let go = (): void => undefined;
    r.disk.wait = new Promise((resolve) => { go = resolve; });
    await r.clock.run(6_000);
    expect(r.disk.sound().left).toEqual([]);
    go();
    await r.clock.run(3_000);
    r.record(false);
    await settle();
    const { left } = r.disk.sound();
    expect(left).toHaveLength(10 * HZ);
    expect(left.slice(HZ)).toEqual(Array.from({ length: 9 * HZ }, (_, i) => voice(HZ + i) + 0));
  });
});

test('a recording ends when it is as long, or as large, as it may be', async () => {
  for (const more of [{ maxS: 5 }, { maxBytes: 44 + 5 * HZ * 4 }]) {
    const r = await rig();
    r.record(true, more);
    await r.clock.run(12_000);
    expect(r.a.of('recording').at(-1)).toMatchObject({ on: false, seconds: 5, why: expect.stringContaining('recording.maxMinutes') as string });
    expect(r.disk.sound().left).toHaveLength(5 * HZ);
  }
});
