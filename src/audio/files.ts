// Files as the audio room needs them, and the disk behind them.

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

export interface OpenFile {
  /** Put `bytes` at `position`; they may be reused once this returns. */
  write(bytes: Uint8Array, position: number): void;
  close(): void;
}

export interface SoundFiles {
  /** All of a file; throws when there is none. */
  read(path: string): Uint8Array;
  /** An empty file to write to; throws when it cannot be made. */
  create(path: string): OpenFile;
}

/** The real disk. Writes go to the page cache: tens of microseconds for the few kilobytes of a WAV piece. */
export const diskFiles: SoundFiles = {
  read: (path) => readFileSync(path),
  create: (path) => {
    const fd = openSync(path, 'w');
    return {
      write: (bytes, position) => {
        writeSync(fd, bytes, 0, bytes.length, position);
      },
      close: () => closeSync(fd),
    };
  },
};
