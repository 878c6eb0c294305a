// What a message carries besides headers: the session description, alone or among the parts of a multipart body (RFC 5621), and
// whether we understand what the sender insists on. Deliberately reads no part that is encoded: SDP is text and travels as it is.

import { contentType } from './headers.ts';
import { bodyOf, text, type Message } from './message.ts';
import { split, type Part } from './multipart.ts';

const SDP = 'application/sdp';

/** The session description that `message` carries, a view; undefined without one. */
export function sessionOf(message: Message): Buffer | undefined {
  if (message.bodyEnd === message.bodyStart) return undefined;
  return contentType(message) === SDP ? bodyOf(message) : parts(message).find((p) => p.type === SDP)?.body;
}

/** True when every part that the sender requires is of a type in `types` (RFC 5621 §8.2, §8.3): handling=required is the default. */
export const understands = (message: Message, types: readonly string[]): boolean =>
  message.bodyEnd === message.bodyStart || contentType(message) === SDP || parts(message).every((p) => p.optional || types.includes(p.type));

const parts = (message: Message): Part[] => split(text(message, 'content-type') ?? '', text(message, 'content-disposition') ?? '', bodyOf(message));
