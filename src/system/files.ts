// The machine's own files. A write goes temp file -> fsync -> rename -> fsync of the folder, so that a power cut or kill -9 at any
// instant leaves the old contents or the new ones.

import { mkdir, open, appendFile, readFile, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Files } from '../ports/files.ts';

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
const missing = (error: unknown) => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

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
    const file = await open(fresh, 'w', mode);
    try {
      await file.chmod(mode); // the temp file of a killed process may have had another
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
    read: (path) => orMissing<Buffer | undefined>(readFile(path), undefined),
    writeAtomic(path, contents, mode = 0o600) {
      const before = writing.get(path) ?? Promise.resolve();
      const write = () => replace(path, contents, mode);
      const done = before.then(write, write);
      writing.set(path, done);
      const forget = () => { if (writing.get(path) === done) writing.delete(path); };
      done.then(forget, forget);
      return done;
    },
    append: (path, contents) => appendFile(path, contents, { mode: 0o600 }),
    exists: (path) => orMissing(stat(path).then(() => true), false),
    list: (folder) => orMissing<string[]>(readdir(folder), []).then((names) => names.sort()),
    makeFolder: async (path) => { await mkdir(path, { recursive: true, mode: 0o700 }); },
    remove: (path) => orMissing(unlink(path), undefined),
  };
}
