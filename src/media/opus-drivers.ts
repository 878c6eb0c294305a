// Opus through whatever library is there: Debian's libopus0, or else the optional package @discordjs/opus.

import { PhoneError } from '../ports/errors.ts';
import type { Codec, CodecOptions } from './codec.ts';
import { bindDiscordOpus, createDiscordOpus } from './opus-discordjs.ts';
import { bindOpus, createOpus } from './opus.ts';

/** True when Opus can be offered. */
export function opusAvailable(): boolean {
  return bindOpus() !== undefined || bindDiscordOpus() !== undefined;
}

/** `fmtp` is the other side's; throws PhoneError OPUS_MISSING when no library is there. */
export function openOpus(fmtp: string, options: CodecOptions): Codec {
  const library = bindOpus();
  if (library !== undefined) return createOpus(library, fmtp, options);
  const addon = bindDiscordOpus();
  if (addon !== undefined) return createDiscordOpus(addon, fmtp, options);
  throw new PhoneError('OPUS_MISSING', 'The Opus codec needs the Debian package libopus0 (apt-get install libopus0), or take opus out of the setting media.codecs.');
}
