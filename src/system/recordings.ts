// Files of recorded calls: written by the media thread, kept and handed out by the main thread. Names are made here, and only such names are read or
// removed, whatever else lies in the folder.

import { closeSync, constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { lstat, mkdir, open, readdir, statfs, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { telling } from './files.ts';
import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Log } from '../ports/log.ts';
import type { Recorded, Shelf, SoundFile } from '../ports/recordings.ts';

const HEADER_BYTES = 44, FRAME_BYTES = 4;
/** Where the header has the size of the whole and of the sound. */
const RIFF_SIZE_AT = 4, RATE_AT = 24, DATA_SIZE_AT = 40;
const NAME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-(in|out)-([\w.+=-]{1,48}?)(?:~\d{1,3})?\.wav$/;
const TIDY_MS = 600_000;
const DAY_MS = 86_400_000;
const NO_LINK = constants.O_NOFOLLOW;

/** A new file of mode 0600, which takes the place of none. */
export async function makeSoundFile(path: string): Promise<SoundFile> {
  const file = await telling(path, open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_LINK, 0o600));
  const folder = dirname(path);
  return {
    write: (bytes, at) => telling(path, (async () => {
      for (let done = 0; done < bytes.length;) done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    })()),
    sync: () => telling(path, file.datasync()),
    async free() {
      const { bavail, bsize } = await telling(path, statfs(folder));
      return bavail * bsize;
    },
    close: () => file.close(),
  };
}

export interface ShelfSettings {
  /** Empty: the folder recordings of the state folder. */
  readonly folder: string;
  /** 0: for ever. */
  readonly keepDays: number;
  readonly maxMegabytes: number;
}

const stampOf = (at: number): string => new Date(at).toISOString().replace(/[-:]|\.\d+/g, '');
/** The other side, as a file may be called on any system: *43 is =2A43. */
const spelt = (who: string): string => who.replace(/^sips?:/i, '').replace(/[^ -~]+/g, '_').replace(/[^\w.+-]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}`).slice(0, 48) || 'unknown';
const read = (spelt: string): string => spelt.replace(/=([2-7][0-9A-F])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

export function createShelf(clock: Clock, log: Log, state: string, settings: () => ShelfSettings): Shelf {
  const folder = (): string => settings().folder || join(state, 'recordings');
  /** Being written, by path. */
  const under = new Set<string>();
  /** Whose headers are known to be right. */
  const whole = new Set<string>();
  let cancel = (): void => undefined;

  const found = async (): Promise<Recorded[]> => {
    const names = await readdir(folder()).catch(() => [] as string[]); // there is none before the first recording
    const all: Recorded[] = [];
    for (const name of names.sort().reverse()) {
      const [, year, month, day, hour, minute, second, direction, who] = NAME.exec(name) ?? [];
      if (direction === undefined) continue;
      const path = join(folder(), name), stat = await lstat(path).catch(() => undefined);
      if (stat?.isFile() !== true) continue;
      const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second)), running = under.has(path);
      all.push({ name, at, direction: direction as 'in' | 'out', who: read(who!), bytes: stat.size, running, seconds: running || whole.has(path) ? secondsOf(stat.size, 16_000) : await mend(path) });
    }
    return all;
  };

  /** The header tells no more and no less than what is there; what a power cut left behind its last word counts. */
  const mend = async (path: string): Promise<number> => {
    const file = await open(path, constants.O_RDWR | NO_LINK).catch(() => undefined);
    if (file === undefined) return 0; // cannot be written: it is shown, and played as it is
    try {
      const head = Buffer.alloc(HEADER_BYTES), { bytesRead } = await file.read(head, 0, HEADER_BYTES, 0), { size } = await file.stat();
      if (bytesRead < HEADER_BYTES || head.toString('latin1', 0, 4) !== 'RIFF') return 0;
      const bytes = Math.floor((size - HEADER_BYTES) / FRAME_BYTES) * FRAME_BYTES;
      if (head.readUInt32LE(DATA_SIZE_AT) !== bytes) {
        head.writeUInt32LE(HEADER_BYTES - 8 + bytes, RIFF_SIZE_AT);
        head.writeUInt32LE(bytes, DATA_SIZE_AT);
        await file.write(head, 0, HEADER_BYTES, 0);
      }
      whole.add(path);
      return secondsOf(size, head.readUInt32LE(RATE_AT));
    } catch (error) {
      log.warn({ path, why: String(error) }, 'recording not mended');
      return 0;
    } finally {
      await file.close();
    }
  };

  const drop = async (name: string): Promise<void> => {
    const path = join(folder(), name);
    await unlink(path).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'ENOENT') throw error; });
    whole.delete(path);
  };

  /** The oldest go, until the rest is young and small enough. */
  const tidy = async (): Promise<void> => {
    const { keepDays, maxMegabytes } = settings(), all = await found();
    let bytes = all.reduce((sum, each) => sum + each.bytes, 0), gone = 0;
    for (const { name, at, bytes: size, running } of all.reverse()) {
      if (running || ((keepDays === 0 || clock.wall() - at < keepDays * DAY_MS) && bytes <= maxMegabytes * 1_000_000)) continue;
      await drop(name);
      bytes -= size;
      gone++;
    }
    if (gone > 0) log.info({ recordings: gone }, 'old recordings removed');
  };
  const tidied = (): Promise<void> => tidy().catch((error: unknown) => log.warn({ why: String(error) }, 'old recordings not removed'));
  const again = (): void => {
    void tidied();
    cancel = clock.after(TIDY_MS, again);
  };
  again();

  return {
    async place(at, direction, who) {
      const where = folder();
      await telling(where, mkdir(where, { recursive: true, mode: 0o700 }).then(() => undefined)).catch((error: unknown) => {
        throw new PhoneError('NO_FOLDER', `recordings have no place: ${(error as Error).message}; setting recording.folder`, error);
      });
      await tidied();
      const name = `${stampOf(at)}-${direction}-${spelt(who)}`, taken = new Set(await readdir(where));
      let path = `${name}.wav`;
      for (let n = 2; taken.has(path); n++) path = `${name}~${n}.wav`;
      under.add(join(where, path));
      return { path: join(where, path), maxBytes: settings().maxMegabytes * 1_000_000 };
    },
    running(path, on) {
      if (on) under.add(path);
      else if (under.delete(path)) void tidied();
    },
    list: async () => found(),
    async open(name) {
      const path = join(folder(), name);
      const stat = NAME.test(name) ? await lstat(path).catch(() => undefined) : undefined;
      if (stat?.isFile() !== true) return undefined;
      return {
        bytes: stat.size,
        stream(from, to) {
          const fd = openSync(path, constants.O_RDONLY | NO_LINK);
          if (fstatSync(fd).isFile()) return createReadStream('', { fd, start: from, end: to });
          closeSync(fd);
          throw new PhoneError('NOT_A_FILE', `${name} is no file`);
        },
      };
    },
    async remove(name) {
      const there = (await found()).find((each) => each.name === name);
      if (there === undefined || there.running) return false;
      await drop(name);
      return true;
    },
    close: () => cancel(),
  };
}

const secondsOf = (bytes: number, rateHz: number): number => (rateHz === 0 ? 0 : Math.round(Math.max(0, bytes - HEADER_BYTES) / FRAME_BYTES / rateHz));
