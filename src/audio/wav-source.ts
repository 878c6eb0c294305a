// Sound from and to WAV files: the file in plays once from the moment the device is opened, then silence; what is played goes to
// the file out, whose header is right after every piece, so that a crash costs a fifth of a second of sound and never the file.

import { PhoneError } from '../ports/errors.ts';
import type { Log } from '../ports/log.ts';
import type { Source } from './clocked.ts';
import type { OpenFile, SoundFiles } from './files.ts';
import { Resampler } from './resample.ts';
import { readWav, wavHeader, WAV_HEADER_BYTES } from './wav.ts';

/** Sound gathered before it goes to the file. */
const PIECE_MS = 200;

/** Plays `inPath` and records to `outPath`; either may be empty. Throws PhoneError AUDIO_FILE_UNREADABLE or AUDIO_FILE_UNWRITABLE. */
export function wavSource(inPath: string, outPath: string, rateHz: number, files: SoundFiles, log?: Log): Source {
  const play = inPath === '' ? undefined : player(inPath, rateHz, files);
  const record = outPath === '' ? undefined : recorder(outPath, rateHz, files, log);
  return {
    capture: (captured) => play?.(captured),
    play: (playback) => record?.write(playback),
    close: () => record?.close(),
  };
}

function player(path: string, rateHz: number, files: SoundFiles): (captured: Int16Array) => void {
  let bytes: Uint8Array;
  try {
    bytes = files.read(path);
  } catch (cause) {
    throw new PhoneError('AUDIO_FILE_UNREADABLE', `the sound file ${path} cannot be read`, cause);
  }
  const sound = readWav(bytes);
  if (typeof sound === 'string') throw new PhoneError('AUDIO_FILE_UNREADABLE', `the sound file ${path} cannot be played: ${sound}`);
  const { samples } = sound;
  const resampler = new Resampler(sound.rateHz, rateHz);
  let at = 0;
  let ending = new Int16Array(0); // zeros that push the last sound out of the filter
  let converted = new Int16Array(0);
  return (captured) => {
    if (at >= samples.length + 2 * resampler.delay) return;
    const inputs = resampler.inputFor(captured.length);
    const piece = samples.subarray(Math.min(at, samples.length), at + inputs);
    let source = piece;
    if (piece.length < inputs) {
      if (ending.length < inputs) ending = new Int16Array(inputs);
      ending.fill(0);
      ending.set(piece);
      source = ending;
    }
    at += inputs;
    const room = resampler.outputFor(inputs);
    if (converted.length < room) converted = new Int16Array(room);
    captured.set(converted.subarray(0, resampler.run(source, inputs, converted, captured.length)));
  };
}

function recorder(path: string, rateHz: number, files: SoundFiles, log?: Log): { write(playback: Int16Array): void; close(): void } {
  let file: OpenFile | undefined;
  try {
    file = files.create(path);
    file.write(wavHeader(rateHz, 0), 0);
  } catch (cause) {
    throw new PhoneError('AUDIO_FILE_UNWRITABLE', `the sound file ${path} cannot be written`, cause);
  }
  const piece = new Int16Array(Math.ceil((rateHz * PIECE_MS) / 1_000));
  let filled = 0;
  let written = 0;
  const flush = () => {
    const bytes = 2 * filled;
    filled = 0;
    if (file === undefined || bytes === 0) return;
    try {
      file.write(new Uint8Array(piece.buffer, 0, bytes), WAV_HEADER_BYTES + written);
      written += bytes;
      file.write(wavHeader(rateHz, written), 0);
    } catch (error) {
      log?.error({ file: path, error: String(error) }, 'recording stopped');
      file.close();
      file = undefined;
    }
  };
  return {
    write: (playback) => {
      for (let done = 0; done < playback.length;) {
        const count = Math.min(playback.length - done, piece.length - filled);
        piece.set(playback.subarray(done, done + count), filled);
        filled += count;
        done += count;
        if (filled === piece.length) flush();
      }
    },
    close: () => {
      flush();
      file?.close();
      file = undefined;
    },
  };
}
