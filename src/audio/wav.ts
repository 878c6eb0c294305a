// WAV files: read 16-bit PCM, write 16-bit mono in a file that is whole at every instant.

/** Sound of a file, channels averaged into one. */
export interface WavSound {
  readonly rateHz: number;
  readonly samples: Int16Array;
}

const PCM = 1;
const EXTENSIBLE = 0xfffe;
export const WAV_HEADER_BYTES = 44;

const tag = (view: DataView, at: number) => String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));

/** The sound of a WAV file, or what is wrong with it as a sentence. A file cut short gives what is there. */
export function readWav(bytes: Uint8Array): WavSound | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 12 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') return 'it is not a WAV file';
  let rateHz = 0;
  let channels = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const body = at + 8;
    if (tag(view, at) === 'fmt ') {
      if (size < 16 || body + 16 > bytes.length) return 'its format chunk is cut short';
      const format = view.getUint16(body, true);
      const inner = format === EXTENSIBLE && size >= 26 && body + 26 <= bytes.length ? view.getUint16(body + 24, true) : format;
      channels = view.getUint16(body + 2, true);
      rateHz = view.getUint32(body + 4, true);
      if (inner !== PCM || view.getUint16(body + 14, true) !== 16) return 'it is not 16-bit PCM';
      if (channels < 1 || channels > 8) return `it has ${channels} channels`;
      if (rateHz < 4_000 || rateHz > 192_000) return `its rate of ${rateHz} Hz is out of range`;
    } else if (tag(view, at) === 'data') {
      if (channels === 0) return 'its format chunk is missing';
      // A size of 0 or all ones was written by a program that could not go back: take the rest of the file.
      const end = size === 0 || size === 0xffff_ffff ? bytes.length : Math.min(bytes.length, body + size);
      const samples = new Int16Array(Math.floor((end - body) / (2 * channels)));
      for (let i = 0; i < samples.length; i++) {
        let sum = 0;
        for (let c = 0; c < channels; c++) sum += view.getInt16(body + 2 * (i * channels + c), true);
        samples[i] = Math.round(sum / channels);
      }
      return { rateHz, samples };
    }
    at = body + size + (size & 1); // chunks are padded to even length
  }
  return 'it holds no sound';
}

/** Header of a 16-bit WAV file with `dataBytes` of sound, mono unless told. */
export function wavHeader(rateHz: number, dataBytes: number, channels = 1): Uint8Array {
  const header = Buffer.alloc(WAV_HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(WAV_HEADER_BYTES - 8 + dataBytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(PCM, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rateHz, 24);
  header.writeUInt32LE(2 * channels * rateHz, 28);
  header.writeUInt16LE(2 * channels, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataBytes, 40);
  return header;
}

/** A whole WAV file of 16-bit mono sound. */
export function writeWav(rateHz: number, samples: Int16Array): Uint8Array {
  return Buffer.concat([wavHeader(rateHz, samples.byteLength), Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}
