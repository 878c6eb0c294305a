// What a message carries besides headers: the session description, alone or among the parts of a multipart body (RFC 5621), and
// whether we understand what the sender insists on. Deliberately reads no part that is encoded: SDP is text and travels as it is.

import { contentType, mediaType } from './headers.ts';
import { bodyOf, text, type Message } from './message.ts';

const SDP = 'application/sdp';
/** Parts within parts beyond this depth are one part of an unknown type. */
const DEPTH = 3;

interface Part { readonly type: string; readonly optional: boolean; readonly body: Buffer }

/** The session description that `message` carries, a view; undefined without one. */
export function sessionOf(message: Message): Buffer | undefined {
  if (message.bodyEnd === message.bodyStart) return undefined;
  return contentType(message) === SDP ? bodyOf(message) : parts(message).find((p) => p.type === SDP)?.body;
}

/** True when every part that the sender requires is of a type in `types` (RFC 5621 §8.2, §8.3): handling=required is the default. */
export const understands = (message: Message, types: readonly string[]): boolean =>
  message.bodyEnd === message.bodyStart || contentType(message) === SDP || parts(message).every((p) => p.optional || types.includes(p.type));

const parts = (message: Message): Part[] => split(text(message, 'content-type') ?? '', text(message, 'content-disposition') ?? '', bodyOf(message), DEPTH);

function split(written: string, disposition: string, body: Buffer, depth: number): Part[] {
  const type = mediaType(written), boundary = /;\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))/i.exec(written);
  const optional = /;\s*handling\s*=\s*"?optional/i.test(disposition);
  if (!type.startsWith('multipart/') || boundary === null || depth === 0) return [{ type, optional, body }];
  const all: Part[] = [], words = `\r\n${body.toString('latin1')}`, mark = `\r\n--${boundary[1] ?? boundary[2]!}`;
  for (let at = words.indexOf(mark); at >= 0 && !words.startsWith('--', at + mark.length);) {
    const start = words.indexOf('\r\n', at + mark.length), next = start < 0 ? -1 : words.indexOf(mark, start);
    const head = start < 0 ? -1 : words.indexOf('\r\n\r\n', start);
    if (next < 0 || head < 0 || head >= next) break; // cut short: what came before it counts
    const line = (name: string): string => new RegExp(`\\r\\n${name}\\s*:([^]*?)\\r\\n(?![ \\t])`, 'i').exec(words.slice(start, head + 2))?.[1]?.trim() ?? '';
    const inner = split(line('content-type') || 'text/plain', line('content-disposition'), body.subarray(head + 2, next - 2), depth - 1);
    all.push(...inner.map((p) => optional ? { ...p, optional } : p));
    at = next;
  }
  // Of alternatives one will do, the last we know (RFC 2046 §5.1.4)
  const known = type === 'multipart/alternative' ? all.findLast((p) => p.type === SDP) : undefined;
  return known === undefined ? all : [known];
}
