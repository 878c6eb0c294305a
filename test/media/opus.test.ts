import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { bindOpus, createOpus, CTL, isOpusLength, OPUS_BYTES, opusRequests, type OpusLibrary } from '../../src/media/opus.ts';
import { bundled } from './bundled.ts';
import { levelOf } from './listen.ts';

const OPTIONS = { opusBitrate: 24_000, opusComplexity: 5 };
const library = bindOpus();
if (library === undefined) throw new Error('these tests run the real libopus.so.0: apt-get install libopus0');
const opus = (fmtp = '', options = OPTIONS) => createOpus(library, fmtp, options);

/** Something like speech: pulses of a gliding pitch through one resonance of a throat, swelling. */
function speech(samples: number): Int16Array {
  const out = new Int16Array(samples);
  const turn = 2 * Math.PI * 600 / 16_000, radius = 0.97;
  let before = 0, last = 0;
  for (let i = 0; i < samples; i++) {
    const pulse = i % (100 + Math.round(15 * Math.sin(i / 4000))) === 0 ? 6000 : 0;
    const now = pulse + 2 * radius * Math.cos(turn) * last - radius * radius * before;
    before = last;
    last = now;
    out[i] = now * (0.6 + 0.4 * Math.sin(i / 1500));
  }
  return out;
}
/** Greatest normalised correlation of the two over a delay of up to 20 ms. */
function likeness(a: Int16Array, b: Int16Array): number {
  let best = 0;
  for (let delay = 0; delay <= 320; delay++) {
    let ab = 0, aa = 1, bb = 1;
    for (let i = 0; i + delay < b.length; i++) {
      const x = a[i]!, y = b[i + delay]!;
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    best = Math.max(best, ab / Math.sqrt(aa * bb));
  }
  return best;
}
/** Encodes all of `sound` in frames of 20 ms, each payload in a view at an odd place of a larger buffer. */
const packets = (codec: ReturnType<typeof opus>, sound: Int16Array, length = 320) =>
  Array.from({ length: sound.length / length }, (_, i) => {
    const buffer = new Uint8Array(13 + OPUS_BYTES);
    const bytes = codec.encode(sound.subarray(i * length, (i + 1) * length), buffer.subarray(13));
    expect(buffer.subarray(0, 13).every((b) => b === 0)).toBe(true);
    return buffer.subarray(13, 13 + bytes);
  });

describe('through the real libopus', () => {
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

  test('with redundancy a lost packet comes back from its successor, better than concealed (RFC 6716 §4.2.5)', () => {
    const sound = speech(16_000 * 4);
    const received = (how: 'fec' | 'conceal') => {
      const codec = opus('useinbandfec=1');
      codec.expectLoss!(25);
      const sent = packets(codec, sound);
      const out = new Int16Array(sound.length);
      sent.forEach((payload, i) => {
        const place = out.subarray(i * 320, i * 320 + 320);
        if (i % 5 !== 3) expect(codec.decode(payload, place)).toBe(320);
        else if (how === 'fec') expect(codec.decodeFec!(sent[i + 1]!, place, 320)).toBe(320);
        else expect(codec.conceal!(place, 320)).toBe(320);
      });
      codec.close();
      return likeness(sound.subarray(16_000), out.subarray(16_000));
    };
    const fec = received('fec'), conceal = received('conceal');
    expect(fec).toBeGreaterThan(conceal + 0.01);
    expect(fec).toBeGreaterThan(0.9);
  });

  test('lengths that Opus does not have never reach the library', () => {
    const codec = opus();
    const out = new Uint8Array(OPUS_BYTES);
    for (const length of [0, 1, 39, 159, 240, 321, 480, 2000]) expect(codec.encode(new Int16Array(length), out)).toBe(0);
    expect(codec.conceal!(new Int16Array(320), 321)).toBe(0);
    expect(codec.conceal!(new Int16Array(160), 320)).toBe(0);
    expect(codec.decodeFec!(Uint8Array.of(8, 1, 2), new Int16Array(160), 320)).toBe(0);
    expect(codec.decodeFec!(new Uint8Array(0), new Int16Array(320), 320)).toBe(0);
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

  test('a closed codec gives 0 and may be closed again', () => {
    const codec = opus();
    codec.close();
    codec.close();
    expect(codec.encode(new Int16Array(320), new Uint8Array(OPUS_BYTES))).toBe(0);
    expect(codec.decode(Uint8Array.of(8, 1, 2), new Int16Array(320))).toBe(0);
    expect(codec.conceal!(new Int16Array(320), 320)).toBe(0);
    codec.expectLoss!(5);
  });

  test('every encoder and decoder made is freed once, and none is used after', () => {
    const alive = new Set<unknown>();
    const made = (pointer: unknown) => {
      alive.add(pointer);
      return pointer;
    };
    const freed = (pointer: unknown) => expect(alive.delete(pointer)).toBe(true);
    const watched: OpusLibrary = { ...library,
      encoderCreate: (...all) => made(library.encoderCreate(...all)), decoderCreate: (...all) => made(library.decoderCreate(...all)),
      encoderDestroy: (pointer) => freed(pointer), decoderDestroy: (pointer) => freed(pointer) };
    const codec = createOpus(watched, '', OPTIONS);
    expect(alive.size).toBe(2);
    const pointers = [...alive];
    codec.close();
    codec.close();
    expect(alive.size).toBe(0);
    library.encoderDestroy(pointers[0]);
    library.decoderDestroy(pointers[1]);
  });

  test('it works on a worker thread, beside the main one', async () => {
    const codec = opus();
    const worker = new Worker(bundled('../../src/media/opus.ts', `
      import { parentPort } from 'node:worker_threads';
      const codec = m.createOpus(m.bindOpus(), '', { opusBitrate: 24000, opusComplexity: 5 });
      const payload = new Uint8Array(1275);
      const bytes = codec.encode(new Int16Array(320).fill(1000), payload);
      parentPort.postMessage(codec.decode(payload.subarray(0, bytes), new Int16Array(320)));
      codec.close();`));
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    expect(answer).toBe(320);
    await worker.terminate();
    expect(packets(codec, speech(320))[0]!.length).toBeGreaterThan(2);
    codec.close();
  });
});

describe('what the other side asks for (RFC 7587 §6.1)', () => {
  const asked = (fmtp: string) => Object.fromEntries(opusRequests(fmtp, OPTIONS));

  test('nothing said: our bit rate, no redundancy, no DTX, variable rate', () => {
    expect(asked('')).toEqual({ [CTL.bitrate]: 24_000, [CTL.complexity]: 5, [CTL.fec]: 0, [CTL.lossPercent]: 0, [CTL.dtx]: 0, [CTL.vbr]: 1 });
  });

  test.each([
    ['useinbandfec=1', CTL.fec, 1], ['useinbandfec=1', CTL.lossPercent, 10], ['stereo=1; UseInbandFEC = 1', CTL.fec, 1], ['useinbandfec=0', CTL.fec, 0], ['useinbandfec=10', CTL.fec, 0], ['xuseinbandfec=1', CTL.fec, 0],
    ['maxaveragebitrate=16000', CTL.bitrate, 16_000], ['maxaveragebitrate=64000', CTL.bitrate, 24_000], ['maxaveragebitrate=1', CTL.bitrate, 24_000], ['maxaveragebitrate=x', CTL.bitrate, 24_000],
    ['usedtx=1', CTL.dtx, 1], ['cbr=1', CTL.vbr, 0], ['maxplaybackrate=8000', CTL.maxBandwidth, 1101], ['maxplaybackrate=12000', CTL.maxBandwidth, 1102],
    ['maxplaybackrate=16000;x', CTL.maxBandwidth, undefined], ['maxplaybackrate=48000', CTL.maxBandwidth, undefined],
  ])('%j sets %i to %s', (fmtp, request, value) => {
    expect(asked(fmtp)[request]).toBe(value);
  });

  test('every request is one the library knows', () => {
    const results: number[] = [];
    const watched: OpusLibrary = { ...library, ctl: (...all) => {
      results.push(library.ctl(...all));
      return results.at(-1)!;
    } };
    const codec = createOpus(watched, 'useinbandfec=1;usedtx=1;cbr=1;maxplaybackrate=8000;maxaveragebitrate=8000', OPTIONS);
    codec.expectLoss!(120);
    codec.close();
    expect(results).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

test('Opus lengths are the nine of RFC 6716 §2.1.4 and §3.2.5', () => {
  expect(Array.from({ length: 3000 }, (_, n) => n).filter(isOpusLength)).toEqual([40, 80, 160, 320, 640, 960, 1280, 1600, 1920]);
});
