// Recorded calls as the rooms see them: a file under way, and the shelf on which the finished ones lie.

/** A file that is being written; what was written stays, however the program ends. Failures reject with PhoneError, its message a sentence. */
export interface SoundFile {
  /** `bytes` must not change until this resolves. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Resolves when all of it is on the disk. */
  sync(): Promise<void>;
  /** Bytes that the disk still takes. */
  free(): Promise<number>;
  close(): Promise<void>;
}

/** A new file for nobody but us. */
export type MakeSoundFile = (path: string) => Promise<SoundFile>;

export interface Recorded {
  /** Of the file, by which the shelf knows it. */
  readonly name: string;
  /** When it began, milliseconds since 1970. */
  readonly at: number;
  readonly direction: 'in' | 'out';
  /** The other side; an underscore stands for what is not ASCII. */
  readonly who: string;
  readonly seconds: number;
  readonly bytes: number;
  /** It is still being written. */
  readonly running: boolean;
}

/** Where recordings lie. What is too old, or too much, goes by itself. */
export interface Shelf {
  /** A place for a new one; rejects with PhoneError where the folder cannot be had. */
  place(at: number, direction: 'in' | 'out', who: string): Promise<{ readonly path: string; readonly maxBytes: number }>;
  /** The file at `path` is being written, or no longer. */
  running(path: string, on: boolean): void;
  /** Newest first. What a power cut left unfinished is whole from then on. */
  list(): Promise<readonly Recorded[]>;
  /** Its size, and bytes `from` to `to`, both included; undefined when there is none of that name. */
  open(name: string): Promise<{ readonly bytes: number; stream(from: number, to: number): NodeJS.ReadableStream } | undefined>;
  /** False when there is none, or it is being written. */
  remove(name: string): Promise<boolean>;
  close(): void;
}
