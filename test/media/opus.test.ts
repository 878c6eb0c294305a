import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { bindOpus, createOpus, isOpusLength, OPUS_BYTES, type OpusLibrary } from '../../src/media/opus.ts';
import { bundled } from './bundled.ts';
import { likeness, packets, speech } from './opus-sound.ts';

// What holds for every driver is in opus-drivers.test.ts.

const OPTIONS = { opusBitrate: 24_000, opusComplexity: 5 };
const library = bindOpus();
if (library === undefined) throw new Error('these tests run the real libopus.so.0: apt-get install libopus0');
const opus = (fmtp = '', options = OPTIONS) => createOpus(library, fmtp, options);

describe('through the real libopus', () => {
  test('with redundancy a lost packet comes back from its successor, better than concealed (RFC 6716 §4.2.5)', () => {
    const sound = speech(16_000 * 4);
    const received = (how: 'fec' | 'conceal') => {
      const codec = opus('useinbandfec=1');
      codec.expectLoss!(20);
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

  test('in a pause under DTX what is made up is the noise of the room, however long it lasts (RFC 7587 §3.1.3)', () => {
    const codec = opus('usedtx=1');
    let seed = 1;
    const noise = (samples: number) => Int16Array.from({ length: samples }, () => (seed = Math.imul(seed, 1_103_515_245) + 12_345 | 0) >> 25); // about -56 dBov
    const level = (x: Int16Array) => 10 * Math.log10(x.reduce((sum, s) => sum + s * s, 0) / x.length);
    const out = new Int16Array(320), voice = speech(16_000), pause: number[] = [];
    for (let i = 0, payload = new Uint8Array(OPUS_BYTES); i < 400; i++) {
      const bytes = codec.encode(i < 50 ? voice.subarray(320 * i, 320 * i + 320) : noise(320), payload);
      const heard = bytes > 0 ? codec.decode(payload.subarray(0, bytes), out) : codec.conceal!(out, 320);
      expect(heard).toBe(320);
      if (i > 100 && bytes === 0) pause.push(level(out));
    }
    expect(pause.length).toBeGreaterThan(250);
    const mean = pause.reduce((a, b) => a + b, 0) / pause.length;
    expect(Math.abs(mean - level(noise(32_000)))).toBeLessThan(5);
    expect(Math.max(...pause.map((x) => Math.abs(x - mean)))).toBeLessThan(6);
    codec.close();
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

  test('every request is one the library knows', () => {
    const results: number[] = [];
    const watched: OpusLibrary = { ...library, ctl: (...all) => {
      results.push(library.ctl(...all));
      return results.at(-1)!;
    } };
    const codec = createOpus(watched, 'useinbandfec=1;usedtx=1;cbr=1;maxplaybackrate=8000;maxaveragebitrate=8000', OPTIONS);
    codec.expectLoss!(120);
    codec.close();
    expect(results).toEqual(new Array(8).fill(0));
  });
});

test('Opus lengths are the nine of RFC 6716 §2.1.4 and §3.2.5', () => {
  expect(Array.from({ length: 3000 }, (_, n) => n).filter(isOpusLength)).toEqual([40, 80, 160, 320, 640, 960, 1280, 1600, 1920]);
});
