// What is wrong with a sound card, in words for the owner of the phone.

import { ERRNO } from './errno.ts';

/** The name of the card as its owner knows it: "USB" of plughw:CARD=USB,DEV=0. */
function cardOf(pcm: string): string {
  return /CARD=([^,]+)/.exec(pcm)?.[1] ?? pcm;
}

/** `code` (-errno) met at the PCM `pcm`, as a sentence; `explain` knows the words for the rest. */
export function trouble(code: number, pcm: string, explain: (code: number) => string): string {
  const card = `the sound card "${cardOf(pcm)}"`;
  switch (code) {
    case ERRNO.NODEV:
    case ERRNO.NXIO:
      return `${card} is unplugged`;
    case ERRNO.NOENT:
      return pcm.includes('CARD=') ? `${card} is unplugged` : `there is no sound card "${pcm}": it is unplugged or its name is wrong`;
    case ERRNO.BUSY:
      return `another program holds ${card}`;
    case ERRNO.ACCES:
    case ERRNO.PERM:
      return `no permission to use ${card}: add the user to the group audio`;
    case ERRNO.CONNREFUSED:
      return `the sound server behind "${pcm}" does not answer`;
    case ERRNO.TIME:
      return `${card} stopped delivering sound`;
    default:
      return `${card} failed: ${explain(code)}`;
  }
}
