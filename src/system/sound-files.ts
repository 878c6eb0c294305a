// Files of the media thread: WAV sound and the kernel's tables of cards, read and written in place at once. Unlike files.ts nothing here is
// replaced atomically or forced to the disk: a write of some kilobytes goes to the page cache and takes tens of microseconds.

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

export function soundFiles() {
  return {
    /** All of a file; throws when there is none. */
    read: (path: string): Uint8Array => readFileSync(path),
    /** An empty file to write to; throws when it cannot be made. */
    create(path: string) {
      const fd = openSync(path, 'w', 0o600);
      return {
        write(bytes: Uint8Array, position: number): void {
          for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
        },
        close: (): void => closeSync(fd),
      };
    },
  };
}
