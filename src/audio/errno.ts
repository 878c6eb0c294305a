/** The error numbers of Linux that sound cards answer with, as libasound returns them: negative. */
export const ERRNO = {
  PERM: -1, NOENT: -2, IO: -5, NXIO: -6, AGAIN: -11, ACCES: -13, BUSY: -16, NODEV: -19, INVAL: -22, PIPE: -32, TIME: -62, STRPIPE: -86, CONNREFUSED: -111,
} as const;
