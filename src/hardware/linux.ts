// What the drivers need of Linux: device files, ioctl, and a pipe out of a device. The only file of this room that touches the system.
//
//   device --fd--> cat --pipe--> Node's event loop
//
// Node can neither poll a character device nor let go of a blocked read of one (the thread hangs at exit), and reading without
// blocking every 10 ms costs 2.4 % of a core. A child whose input is the open device costs nothing: it copies records into a pipe, which
// the event loop polls. The kernel's time stamps are inside the records. The child dies with us, also when we are killed.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { PhoneError } from '../ports/errors.ts';

export interface Linux {
  /** Width of long, which decides the size of an input record. */
  readonly longBits: 32 | 64;
  /** Names in a folder, sorted; none when it is absent. */
  list(folder: string): readonly string[];
  /** A small text file without its end of line; undefined when it cannot be read. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  /** Open a device for reading and writing; a number below 0 is -errno. */
  open(path: string): number;
  close(fd: number): void;
  /** The result, or -errno. `argument` is read and written in place. */
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  /** An ioctl that takes a number. */
  ioctlNumber(fd: number, request: number, argument: number): number;
  /** Bring what the device says, in lumps of any size. `onEnd`: the device is gone. Returns what stops it. */
  stream(fd: number, onBytes: (bytes: Uint8Array) => void, onEnd: () => void): () => void;
}

/** errno of the faults that get a sentence of their own. */
export const errno = { EPERM: 1, ENOENT: 2, ENXIO: 6, EACCES: 13, EBUSY: 16, ENODEV: 19, EINVAL: 22, ENOTTY: 25 } as const;

export const errnoName = (code: number): string => Object.entries(errno).find(([, number]) => number === code)?.[0] ?? `errno ${code}`;

/** Throws PhoneError FFI_MISSING where koffi cannot be loaded. */
export async function openLinux(): Promise<Linux> {
  const { default: koffi } = await import('koffi').catch((cause: unknown) => {
    throw new PhoneError('FFI_MISSING', 'the package koffi could not be loaded, without which no pin can be reached: install the phone again', cause);
  });
  const libc = koffi.load('libc.so.6');
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)') as (fd: number, request: number, argument: Uint8Array) => number;
  const ioctlNumber = libc.func('int ioctl(int fd, unsigned long request, uintptr_t argument)') as (fd: number, request: number, argument: number) => number;
  const outcome = (result: number) => result < 0 ? -koffi.errno() : result;
  return {
    longBits: process.arch === 'arm' || process.arch === 'ia32' ? 32 : 64,
    list(folder) {
      try { return readdirSync(folder).sort(); } catch { return []; }
    },
    read(path) {
      try { return readFileSync(path, 'utf8').replace(/[\0\n]+$/, ''); } catch { return undefined; }
    },
    exists: existsSync,
    open(path) {
      try { return openSync(path, 'r+'); } catch (error) { return (error as NodeJS.ErrnoException).errno ?? -errno.ENODEV; }
    },
    close: closeSync,
    ioctl: (fd, request, argument) => outcome(ioctl(fd, request, argument)),
    ioctlNumber: (fd, request, argument) => outcome(ioctlNumber(fd, request, argument)),
    stream: streamDevice,
  };
}

/** Linux.stream() by itself. */
export function streamDevice(fd: number, onBytes: (bytes: Uint8Array) => void, onEnd: () => void): () => void {
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    onEnd();
  };
  // setpriv (util-linux) has the kernel end the child when we die: an orphan would keep the pins busy for our next start.
  const child = existsSync('/usr/bin/setpriv')
    ? spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', 'cat'], { stdio: [fd, 'pipe', 'ignore'] })
    : spawn('cat', [], { stdio: [fd, 'pipe', 'ignore'] });
  child.stdout!.on('data', (bytes: Buffer) => { if (!ended) onBytes(bytes); });
  child.on('error', end);
  child.on('exit', end);
  return () => {
    ended = true;
    child.kill('SIGKILL');
  };
}

