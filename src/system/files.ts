// The machine's own files. A write goes temp file -> fsync -> rename -> fsync of the folder, so that a power cut or kill -9 at any
// instant leaves the old contents or the new ones.

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { open, appendFile, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PhoneError } from '../ports/errors.ts';
import type { Files } from '../ports/files.ts';

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
const missing = (error: unknown) => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

const REFUSED: Readonly<Record<string, readonly [code: string, words: string]>> = {
  ENOSPC: ['DISK_FULL', 'the disk is full'], EDQUOT: ['DISK_FULL', 'the disk is full for this user'], EROFS: ['DISK_READ_ONLY', 'the disk is read-only'],
  EACCES: ['NO_PERMISSION', 'no permission to write there'], EPERM: ['NO_PERMISSION', 'no permission to write there'],
  EIO: ['DISK_FAILED', 'the disk fails'], EEXIST: ['NO_FOLDER', 'a file stands where a folder is needed'], ENOTDIR: ['NO_FOLDER', 'a file stands where a folder is needed'],
};

/** `written`, its usual failures as words for the owner. */
export const telling = <T>(path: string, written: Promise<T>): Promise<T> => written.catch((error: unknown) => {
  const [code, words] = REFUSED[codeOf(error) ?? ''] ?? [];
  throw code === undefined ? error : new PhoneError(code, `${words} (${path})`, error);
});

/** `value` of `promise`, or `otherwise` when the path does not exist. */
const orMissing = <T>(promise: Promise<T>, otherwise: T): Promise<T> => promise.catch((error: unknown) => {
  if (missing(error)) return otherwise;
  throw error;
});

export function systemFiles(): Files {
  /** The last write asked for at each path, so that two never share a temp file. */
  const writing = new Map<string, Promise<void>>();

  async function replace(path: string, contents: string | Uint8Array, mode: number): Promise<void> {
    const fresh = `${path}.tmp`;
    await orMissing(unlink(fresh), undefined); // of a killed process, or somebody's link to another file
    const file = await open(fresh, 'wx', mode);
    try {
      if (process.getuid?.() === 0) { // 'sudo offhook settings' must not take the file away from the service's user
        const { uid, gid } = await stat(dirname(path));
        await file.chown(uid, gid);
      }
      await file.chmod(mode); // whatever the umask left of it
      await file.writeFile(contents);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  return {
    // At once: what a phone keeps is small, and the way through Node's other threads takes a start longer than the reading.
    read: async (path) => (existsSync(path) ? readFileSync(path) : undefined),
    writeAtomic(path, contents, mode = 0o600) {
      const before = writing.get(path) ?? Promise.resolve();
      const write = () => telling(path, replace(path, contents, mode));
      const done = before.then(write, write);
      writing.set(path, done);
      const forget = () => { if (writing.get(path) === done) writing.delete(path); };
      done.then(forget, forget);
      return done;
    },
    append: (path, contents) => telling(path, appendFile(path, contents, { mode: 0o600 })),
    exists: (path) => orMissing(stat(path).then(() => true), false),
    list: (folder) => orMissing<string[]>(readdir(folder), []).then((names) => names.sort()),
    makeFolder: (path) => telling(path, (async () => { mkdirSync(path, { recursive: true, mode: 0o700 }); })()),
    remove: (path) => orMissing(unlink(path), undefined),
  };
}
