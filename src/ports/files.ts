/**
 * Files as the rooms see them. Paths are whole and use '/'. What does not exist is undefined or empty, never an exception; every
 * other failure rejects with the system's error.
 */
export interface Files {
  /** The whole contents, undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /**
   * Replace the whole contents: whoever reads, now or after a power cut, sees the old or the new ones. Resolves when they are on the
   * disk. Writes to one path happen in the order asked for. `mode` is 0o600 unless told.
   */
  writeAtomic(path: string, contents: string | Uint8Array, mode?: number): Promise<void>;
  /** Add to the end; the file is made with mode 0600 when missing. Not forced to the disk. */
  append(path: string, contents: string | Uint8Array): Promise<void>;
  exists(path: string): Promise<boolean>;
  /** Names inside a folder, sorted; empty when there is no such folder. */
  list(folder: string): Promise<readonly string[]>;
  /** Make a folder and those above it; mode 0700 for each made. */
  makeFolder(path: string): Promise<void>;
  /** Remove one file; harmless when it is not there. */
  remove(path: string): Promise<void>;
}
