import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readWav, wavHeader, writeWav } from '../../src/audio/wav.ts';

const samples = Int16Array.from([0, 1, -1, 32_767, -32_768, 1_234]);

describe('WAV files', () => {
  test('what is written is read back', () => {
    expect(readWav(writeWav(16_000, samples))).toEqual({ rateHz: 16_000, samples });
  });

  test('two channels become their mean', () => {
    const bytes = Buffer.from(writeWav(48_000, Int16Array.from([100, 200, -50, 50])));
    bytes.writeUInt16LE(2, 22);
    bytes.writeUInt16LE(4, 32);
    expect(readWav(bytes)).toEqual({ rateHz: 48_000, samples: Int16Array.from([150, 0]) });
  });

  test('chunks of other kinds are passed over, odd ones with their padding', () => {
    const whole = Buffer.from(writeWav(8_000, samples));
    const extra = Buffer.from('LIST\x03\0\0\0abc\0', 'latin1');
    expect(readWav(Buffer.concat([whole.subarray(0, 36), extra, whole.subarray(36)]))).toEqual({ rateHz: 8_000, samples });
  });

  test.each([['zero', 0], ['all ones', 0xffff_ffff], ['more than there is', 5_000]])('a length of %s means the rest of the file', (_, size) => {
    const bytes = Buffer.from(writeWav(8_000, samples));
    bytes.writeUInt32LE(size, 40);
    expect(readWav(bytes)).toEqual({ rateHz: 8_000, samples });
  });

  test.each([
    ['not RIFF', (b: Buffer) => b.fill(0, 0, 4), 'it is not a WAV file'],
    ['8 bits', (b: Buffer) => b.writeUInt16LE(8, 34), 'it is not 16-bit PCM'],
    ['A-law', (b: Buffer) => b.writeUInt16LE(6, 20), 'it is not 16-bit PCM'],
    ['no channels', (b: Buffer) => b.writeUInt16LE(0, 22), 'it has 0 channels'],
    ['1 Hz', (b: Buffer) => b.writeUInt32LE(1, 24), 'its rate of 1 Hz is out of range'],
    ['no data chunk', (b: Buffer) => b.write('junk', 36), 'it holds no sound'],
  ])('%s is refused with the reason', (_, spoil, reason) => {
    const bytes = Buffer.from(writeWav(8_000, samples));
    spoil(bytes);
    expect(readWav(bytes)).toBe(reason);
  });

  test('every truncation and any bytes are read or refused, never thrown at', () => {
    const whole = writeWav(8_000, samples);
    for (let length = 0; length < whole.length; length++) readWav(whole.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(whole.length), (noise, at) => {
      const bytes = Uint8Array.from(whole);
      bytes.set(noise.subarray(0, bytes.length - at), at);
      const sound = readWav(bytes);
      expect(typeof sound === 'string' || sound.samples.length <= bytes.length).toBe(true);
    }));
  });

  test('the header says how much sound follows', () => {
    const header = Buffer.from(wavHeader(16_000, 640));
    expect(header.readUInt32LE(4)).toBe(36 + 640);
    expect(header.readUInt32LE(40)).toBe(640);
  });
});
