// Tells the media thread whom a stream is opened for, where it asks a STUN server: so it knows on which side of a NAT that is (media/mapping.ts).

import type { Media } from '../media/door.ts';
import type { PhoneDoor } from '../phone/status.ts';

/** `media`, its streams opened for the server of the call's account, or for the other side of a direct call. */
export function towards(media: Media, phone: () => Pick<PhoneDoor, 'status'>): Media {
  return {
    ...media,
    command(command) {
      if (command.do !== 'open' || command.group !== undefined) return media.command(command);
      const { calls, registrations } = phone().status(), call = calls.find(({ id }) => id === String(command.stream));
      const far = registrations.find(({ account }) => account === call?.account)?.server ?? call?.remote;
      media.command(far === undefined ? command : { ...command, far });
    },
  };
}
