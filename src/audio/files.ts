// Files as the audio room needs them: WAV files and the kernel's tables under /proc/asound.

export interface OpenFile {
  /** Put `bytes` at `position`; they may be reused once this returns. Throws when the disk is full. */
  write(bytes: Uint8Array, position: number): void;
  close(): void;
}

export interface SoundFiles {
  /** All of a file; throws when there is none. */
  read(path: string): Uint8Array;
  /** An empty file to write to; throws when it cannot be made. */
  create(path: string): OpenFile;
}

/** Where nobody handed files in: none can be read or made. */
export const noFiles: SoundFiles = {
  read: () => { throw new Error('no files here'); },
  create: () => { throw new Error('no files here'); },
};
