// What tells one transaction from another: RFC 3261 §8.1.1.7, §8.2.2.2, §17.1.3, §17.2.3.

import type { Random } from '../ports/random.ts';
import { cseqOf, tagOf } from './headers.ts';
import type { Via } from './headers.ts';
import { requestUri, text } from './message.ts';
import type { Message } from './message.ts';

/** RFC 3261 §8.1.1.7: a branch that is unique across space and time begins so. */
export const COOKIE = 'z9hG4bK';

/** An unpredictable token of `bytes` bytes in hex: branches, tags (at least 32 bits, §19.3), Call-IDs. */
export const randomToken = (random: Random, bytes = 8): string => Buffer.from(random.bytes(bytes)).toString('hex');

/** Branch and sent-by; for a branch of RFC 2543, without the cookie, what else stays the same from INVITE to ACK and CANCEL (RFC 3261 §17.2.3). */
export function serverId(request: Message, via: Via): string {
  const branch = via.params.get('branch') ?? '';
  const id = `${branch} ${via.host}:${via.port ?? ''}`;
  if (branch.startsWith(COOKIE)) return id;
  return `${id} ${requestUri(request)} ${text(request, 'call-id') ?? ''} ${tagOf(request, 'from') ?? ''} ${cseqOf(request)?.number ?? ''}`;
}

/** A number that a request keeps whatever path it takes: From tag, Call-ID and CSeq (RFC 3261 §8.2.2.2), FNV-1a. */
export function originOf(request: Message): number {
  const words = `${tagOf(request, 'from') ?? ''} ${text(request, 'call-id') ?? ''} ${text(request, 'cseq') ?? ''}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words.charCodeAt(i), 0x01000193);
  return hash;
}
