import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { bindDiscordOpus, createDiscordOpus, type DiscordOpus } from '../../src/media/opus-discordjs.ts';
import { CTL } from '../../src/media/opus-setup.ts';

const OPTIONS = { opusBitrate: 24_000, opusComplexity: 5 };

/** As the real package behaves: aborts (here: throws) at a wrong length, throws at a bad payload, 360 ms for an empty one. */
function fake(): { addon: DiscordOpus; set: [number, number][]; made: [number, number][] } {
  const set: [number, number][] = [];
  const made: [number, number][] = [];
  class OpusEncoder {
    constructor(rateHz: number, channels: number) {
      made.push([rateHz, channels]);
    }
    encode(pcm: Buffer): Buffer {
      if (![40, 80, 160, 320, 640, 960].includes(pcm.length / 2)) throw new Error('the process would be gone');
      const silent = pcm.every((byte) => byte === 0);
      return silent ? Buffer.of(8) : Buffer.concat([Buffer.of(8, pcm.length / 2 / 40), pcm.subarray(0, 2)]);
    }
    decode(payload: Buffer): Buffer {
      if (payload.length === 0) return Buffer.alloc(2 * 5760);
      if (payload[0] !== 8 || payload.length < 4) throw new Error('Decode error: Corrupted compressed data');
      const out = Buffer.alloc(payload[1]! * 80);
      for (let i = 0; i < out.length; i += 2) out.writeInt16LE(payload.readInt16LE(2), i);
      return out;
    }
    applyEncoderCTL(request: number, value: number): void {
      set.push([request, value]);
    }
  }
  return { addon: { OpusEncoder }, set, made };
}

describe('@discordjs/opus behind our interface', () => {
  test('is opened at 16 kHz mono with what the other side asked for', () => {
    const { addon, set, made } = fake();
    createDiscordOpus(addon, 'useinbandfec=1; maxaveragebitrate=16000', OPTIONS).expectLoss!(7.4);
    expect(made).toEqual([[16_000, 1]]);
    expect(set).toEqual([[CTL.application, 2048], [CTL.bitrate, 16_000], [CTL.complexity, 5], [CTL.fec, 1], [CTL.lossPercent, 1], [CTL.dtx, 0], [CTL.vbr, 1], [CTL.maxBandwidth, 1103], [CTL.lossPercent, 5]]);
  });

  test('encodes and decodes, also from and to views at odd places', () => {
    const codec = createDiscordOpus(fake().addon, '', OPTIONS);
    const samples = new Int16Array(400).fill(1234).subarray(3, 323);
    const payload = new Uint8Array(101).subarray(1);
    expect(codec.encode(samples, payload)).toBe(4);
    const out = new Int16Array(330);
    expect(codec.decode(payload.subarray(0, 4), out.subarray(10))).toBe(320);
    expect([out[9], out[10], out[329]]).toEqual([0, 1234, 1234]);
  });

  test('lengths that would abort the process never reach it; silence of two bytes or less is not sent', () => {
    const codec = createDiscordOpus(fake().addon, '', OPTIONS);
    for (const length of [0, 1, 100, 319, 441, 5760]) expect(codec.encode(new Int16Array(length).fill(9), new Uint8Array(1275))).toBe(0);
    expect(codec.encode(new Int16Array(320), new Uint8Array(1275))).toBe(0);
    expect(codec.encode(new Int16Array(320).fill(9), new Uint8Array(3))).toBe(0);
  });

  test('an empty payload, a bad one and one too long for the room give 0', () => {
    const codec = createDiscordOpus(fake().addon, '', OPTIONS);
    expect(codec.decode(new Uint8Array(0), new Int16Array(5760))).toBe(0);
    expect(codec.decode(Uint8Array.of(1, 2, 3, 4), new Int16Array(320))).toBe(0);
    expect(codec.decode(Uint8Array.of(8, 8, 1, 1), new Int16Array(160))).toBe(0);
  });

  test('a lost packet joins where the sound stopped and is gone in 40 ms; sound brings it back', () => {
    const codec = createDiscordOpus(fake().addon, '', OPTIONS);
    const out = new Int16Array(320);
    expect(codec.conceal!(out, 320)).toBe(320);
    expect(out.every((s) => s === 0)).toBe(true); // nothing was heard yet
    codec.decode(Uint8Array.of(8, 8, 0x10, 0x27), out); // 320 samples of 10,000
    codec.conceal!(out, 320);
    expect(out[0]).toBe(10_000);
    for (let i = 1; i < 320; i++) expect(out[i - 1]! - out[i]!).toBeLessThan(20);
    codec.conceal!(out, 320);
    codec.conceal!(out, 320);
    expect(out.every((s) => s === 0)).toBe(true);
    codec.decode(Uint8Array.of(8, 8, 0x10, 0x27), out);
    codec.conceal!(out, 320);
    expect(out[0]).toBe(10_000);
    expect(codec.conceal!(new Int16Array(100), 320)).toBe(0);
  });

  test('what is played backwards reaches over short packets', () => {
    const codec = createDiscordOpus(fake().addon, '', OPTIONS);
    const out = new Int16Array(320);
    codec.decode(Uint8Array.of(8, 4, 0x88, 0x13), out); // 160 samples of 5000
    codec.decode(Uint8Array.of(8, 4, 0x10, 0x27), out); // then 160 of 10,000
    codec.conceal!(out, 320);
    expect([out[0], out[159], out[160], out[319]]).toEqual([10_000, Math.round(10_000 * 481 / 640), Math.round(5000 * 480 / 640), Math.round(5000 * 321 / 640)]);
  });

  test('has no decodeFec: the package cannot', () => {
    expect(createDiscordOpus(fake().addon, '', OPTIONS)).not.toHaveProperty('decodeFec');
  });

  test('closed, it gives 0', () => {
    const codec = createDiscordOpus(fake().addon, '', OPTIONS);
    codec.close();
    expect(codec.encode(new Int16Array(320).fill(9), new Uint8Array(1275))).toBe(0);
    expect(codec.decode(Uint8Array.of(8, 8, 1, 1), new Int16Array(320))).toBe(0);
  });
});

test('the package is bound where it is installed, and otherwise there is no binding', () => {
  let installed = true;
  try {
    createRequire(import.meta.url).resolve('@discordjs/opus');
  } catch {
    installed = false;
  }
  expect(bindDiscordOpus() !== undefined).toBe(installed);
});
