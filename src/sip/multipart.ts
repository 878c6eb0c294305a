// The parts of a multipart body (RFC 2046 §5.1). In the bundle loaded with the first body that is no session description (scripts/later.js).

import { mediaType } from './headers.ts';

/** Parts within parts beyond this depth are one part of an unknown type. */
const DEPTH = 3;

export interface Part { readonly type: string; readonly optional: boolean; readonly body: Buffer }

/** The parts of `body`, whose Content-Type and Content-Disposition are written so: itself when it is not multipart. */
export function split(written: string, disposition: string, body: Buffer, depth = DEPTH): Part[] {
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
  const known = type === 'multipart/alternative' ? all.findLast((p) => p.type === 'application/sdp') : undefined;
  return known === undefined ? all : [known];
}
