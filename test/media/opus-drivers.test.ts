// The same cases over both drivers of Opus. @discordjs/opus is optional: where it is not installed its part is skipped. To run it:
//   npm install --prefix /tmp/discordjs @discordjs/opus@0.10.0
//   NODE_PATH=/tmp/discordjs/node_modules npx vitest run --project unit test/media/opus-drivers.test.ts
// (it compiles for half a minute and wants python3, make, g++ and Node's headers, whose folder npm_config_nodedir names).

import { describe, expect, test } from 'vitest';
import type { Codec } from '../../src/media/codec.ts';
import { bindDiscordOpus, createDiscordOpus } from '../../src/media/opus-discordjs.ts';
import { bindOpus, createOpus, OPUS_BYTES } from '../../src/media/opus.ts';
import { levelOf } from './listen.ts';
import { likeness, packets, speech } from './opus-sound.ts';

const OPTIONS = { opusBitrate: 24_000, opusComplexity: 5 };
const library = bindOpus(), addon = bindDiscordOpus();
type Driver = (fmtp?: string, options?: typeof OPTIONS) => Codec;
const drivers: (readonly [string, Driver])[] = [];
if (library !== undefined) drivers.push(['libopus', (fmtp = '', options = OPTIONS) => createOpus(library, fmtp, options)]);
else test.skip('libopus is not installed: apt-get install libopus0', () => undefined);
if (addon !== undefined) drivers.push(['@discordjs/opus', (fmtp = '', options = OPTIONS) => createDiscordOpus(addon, fmtp, options)]);
else test.skip('@discordjs/opus is not installed: the head of this file says how to run its part', () => undefined);

describe.each(drivers)('%s', (_, opus) => {
  test.each([40, 80, 160, 320, 640, 960, 1280, 1600, 1920])('%i samples at 16 kHz come back, and sound alike', (length) => {
    const codec = opus('useinbandfec=1');
    const sound = speech(9600 * 2);
    const decoded = new Int16Array(sound.length);
    let at = 0;
    for (const payload of packets(codec, sound, length)) {
      expect(payload.length).toBeGreaterThan(2);
      const out = new Int16Array(1920);
      const samples = codec.decode(payload, out);
      expect(samples).toBe(length);
      decoded.set(out.subarray(0, samples), at);
      at += samples;
    }
    expect(likeness(sound.subarray(3200), decoded.subarray(3200))).toBeGreaterThan(length < 160 ? 0.75 : 0.9);
    codec.close();
  });

  test('the bit rate is the one set, and the other side may ask for less (RFC 7587 §6.1)', () => {
    const rate = (fmtp: string, opusBitrate: number) => {
      const codec = opus(fmtp, { opusBitrate, opusComplexity: 5 });
      const bytes = packets(codec, speech(16_000 * 4)).reduce((sum, p) => sum + p.length, 0);
      codec.close();
      return bytes * 8 / 4;
    };
    expect(rate('cbr=1', 32_000)).toBeCloseTo(32_000, -3);
    expect(rate('cbr=1;maxaveragebitrate=12000', 32_000)).toBeCloseTo(12_000, -3);
    expect(rate('', 12_000)).toBeLessThan(rate('', 32_000));
  });

  test('cbr=1 makes packets of one size', () => {
    const codec = opus('cbr=1');
    expect(new Set(packets(codec, speech(16_000)).map((p) => p.length)).size).toBe(1);
    codec.close();
  });

  test('maxplaybackrate=8000 keeps the sound below 4 kHz', () => {
    const level = (fmtp: string) => {
      const codec = opus(fmtp);
      const sound = Int16Array.from({ length: 16_000 }, (_, i) => 6000 * Math.sin(2 * Math.PI * 6000 * i / 16_000) + 6000 * Math.sin(2 * Math.PI * 500 * i / 16_000));
      const out = new Int16Array(sound.length);
      packets(codec, sound).forEach((p, i) => codec.decode(p, out.subarray(i * 320, i * 320 + 320)));
      codec.close();
      return levelOf(out.subarray(8000), 6000, 16_000);
    };
    expect(level('')).toBeGreaterThan(-20);
    expect(level('maxplaybackrate=8000')).toBeLessThan(-45);
  });

  test('usedtx=1 leaves most packets of silence unsent', () => {
    const codec = opus('usedtx=1');
    const sent = packets(codec, new Int16Array(16_000 * 2)).filter((p) => p.length > 0).length;
    expect(sent).toBeLessThan(30);
    codec.close();
    const always = opus('');
    expect(packets(always, new Int16Array(16_000 * 2)).filter((p) => p.length > 0)).toHaveLength(100);
    always.close();
  });

  test('a lost packet is concealed with sound that goes on, and many fade away', () => {
    const codec = opus();
    const out = new Int16Array(320);
    const energy = () => Math.sqrt(out.reduce((sum, s) => sum + s * s, 0) / 320);
    for (const payload of packets(codec, speech(16_000))) codec.decode(payload, out);
    const before = energy();
    expect(codec.conceal!(out, 320)).toBe(320);
    expect(energy()).toBeGreaterThan(before / 10);
    for (let i = 0; i < 50; i++) codec.conceal!(out, 320);
    expect(energy()).toBeLessThan(before / 5);
    codec.close();
  });

  test('lengths that Opus does not have never reach the library', () => {
    const codec = opus();
    const out = new Uint8Array(OPUS_BYTES);
    for (const length of [0, 1, 39, 159, 240, 321, 480, 2000]) expect(codec.encode(new Int16Array(length), out)).toBe(0);
    expect(codec.conceal!(new Int16Array(320), 321)).toBe(0);
    expect(codec.conceal!(new Int16Array(160), 320)).toBe(0);
    expect(codec.decodeFec?.(Uint8Array.of(8, 1, 2), new Int16Array(160), 320) ?? 0).toBe(0);
    expect(codec.decodeFec?.(new Uint8Array(0), new Int16Array(320), 320) ?? 0).toBe(0);
    codec.close();
  });

  test('payloads that are no Opus, or longer than there is room, give 0; noise never harms', () => {
    const codec = opus();
    const out = new Int16Array(1920);
    expect(codec.decode(new Uint8Array(0), out)).toBe(0);
    expect(codec.decode(Uint8Array.of(0xff), out)).toBe(0); // code 3 without its count byte
    const [payload] = packets(codec, speech(320));
    expect(codec.decode(payload!, new Int16Array(160))).toBe(0);
    let seed = 1;
    for (let i = 0; i < 2000; i++) {
      const noise = Uint8Array.from({ length: i % 90 }, () => (seed = seed * 1_103_515_245 + 12_345 & 0x7fffffff) >> 12);
      const samples = codec.decode(noise, out);
      expect(samples).toBeGreaterThanOrEqual(0);
      expect(samples).toBeLessThanOrEqual(1920);
    }
    codec.close();
  });

  test('a new call puts redundancy into its packets, until six reports without loss, and again with a loss, for the side that uses it (RFC 7587 §6.1)', () => {
    const bytes = (fmtp: string, reports: readonly number[]): number => {
      const codec = opus(fmtp, { opusBitrate: 32_000, opusComplexity: 5 });
      for (const loss of reports) codec.expectLoss!(loss);
      const sum = packets(codec, speech(16_000 * 2)).reduce((all, p) => all + p.length, 0);
      codec.close();
      return sum;
    };
    const calm = [0, 0, 0, 0, 0, 0], plain = bytes('useinbandfec=1', calm);
    for (const reports of [[], [0, 0, 0, 0, 0], [...calm, 5]]) expect(bytes('useinbandfec=1', reports), String(reports)).toBeGreaterThan(1.15 * plain);
    for (const reports of [[], calm, [5]]) expect(bytes('', reports)).toBe(plain);
  });

  test('a packet lost before the first report is taken whole from its successor (RFC 6716 §2.1.7)', () => {
    const codec = opus('useinbandfec=1', { opusBitrate: 32_000, opusComplexity: 5 }), sound = speech(16_000).subarray(4000, 4000 + 6 * 320);
    const sent = packets(codec, sound), out = new Int16Array(1920), level = (x: Int16Array): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
    codec.close();
    const lost = 4, listener = opus('useinbandfec=1'), whole = new Int16Array(1920);
    for (let n = 0; n < lost; n++) listener.decode(sent[n]!, out);
    expect(listener.decodeFec!(sent[lost + 1]!, whole, 320)).toBe(320);
    listener.close();
    const deaf = opus('useinbandfec=1'), real = new Int16Array(1920);
    for (let n = 0; n <= lost; n++) deaf.decode(sent[n]!, real);
    deaf.close();
    const wrong = level(whole.subarray(0, 320).map((x, i) => x - real[i]!));
    expect(wrong).toBeLessThan(0.5 * level(real.subarray(0, 320)));
  });

  test('another fmtp within a call tunes the encoder anew; what is decoded goes on without a seam', () => {
    const sound = speech(16_000), sender = opus();
    const sent = packets(sender, sound);
    sender.close();
    const heard = (change: boolean) => {
      const codec = opus();
      const out = new Int16Array(sound.length);
      sent.forEach((payload, i) => {
        if (change && i === 25) codec.retune!('cbr=1;maxaveragebitrate=16000');
        codec.decode(payload, out.subarray(320 * i, 320 * i + 320));
      });
      const sizes = new Set(packets(codec, sound).map((p) => p.length));
      codec.close();
      return { out, sizes };
    };
    const changed = heard(true), plain = heard(false);
    expect(changed.out).toEqual(plain.out);
    expect([...changed.sizes]).toEqual([40]);
    expect(plain.sizes.size).toBeGreaterThan(10);
  });

  test('a closed codec gives 0 and may be closed again', () => {
    const codec = opus();
    codec.close();
    codec.close();
    expect(codec.encode(new Int16Array(320), new Uint8Array(OPUS_BYTES))).toBe(0);
    expect(codec.decode(Uint8Array.of(8, 1, 2), new Int16Array(320))).toBe(0);
    expect(codec.conceal!(new Int16Array(320), 320)).toBe(0);
    codec.expectLoss!(5);
  });
});
