// Messages to send. A response copies what RFC 3261 §8.2.6 copies as wire bytes; a request is written from its parts. Every value
// that did not come from the wire is refused when it holds CR or LF.

import { createHash } from 'node:crypto';
import { PhoneError } from '../ports/errors.ts';
import type { Endpoint } from '../ports/net.ts';
import { parseVia, tagOf, topVia } from './headers.ts';
import { elementEnd, find, text, unfold } from './message.ts';
import type { Message } from './message.ts';
import { plainHost } from './uri.ts';

/** Header lines: name as it shall stand on the wire, value. */
export type Headers = readonly (readonly [name: string, value: string])[];

export interface RequestParts {
  readonly method: string;
  /** Request-URI. */
  readonly uri: string;
  /** All lines but Via and Content-Length; Max-Forwards: 70 is added when missing. */
  readonly headers: Headers;
  readonly body?: Uint8Array | undefined;
  /** The whole request, written by a proxy from the one it got; the parts above but for the method are unread then. */
  readonly whole?: ((via: string) => Buffer) | undefined;
}

export interface ResponseOptions {
  /** Default: the RFC's phrase. */
  readonly reason?: string | undefined;
  readonly headers?: Headers | undefined;
  readonly body?: Uint8Array | undefined;
  /** Tag put into To when the request has none there; 100 goes without (RFC 3261 §8.2.6.2). */
  readonly toTag?: string | undefined;
  /** Source of the request: written into its topmost Via as received and rport (RFC 3261 §18.2.1, RFC 3581 §4). */
  readonly peer?: Endpoint | undefined;
}

export const MAX_FORWARDS = 70;

/** Reason phrases: RFC 3261 §21, RFC 6665, RFC 3903, RFC 4028, RFC 5626, RFC 3323. A line each: objects would take thrice the heap. */
const REASONS = `
100 Trying
180 Ringing
181 Call Is Being Forwarded
182 Queued
183 Session Progress
200 OK
202 Accepted
204 No Notification
300 Multiple Choices
301 Moved Permanently
302 Moved Temporarily
305 Use Proxy
380 Alternative Service
400 Bad Request
401 Unauthorized
402 Payment Required
403 Forbidden
404 Not Found
405 Method Not Allowed
406 Not Acceptable
407 Proxy Authentication Required
408 Request Timeout
410 Gone
412 Conditional Request Failed
413 Request Entity Too Large
414 Request-URI Too Long
415 Unsupported Media Type
416 Unsupported URI Scheme
420 Bad Extension
421 Extension Required
422 Session Interval Too Small
423 Interval Too Brief
430 Flow Failed
433 Anonymity Disallowed
480 Temporarily Unavailable
481 Call/Transaction Does Not Exist
482 Loop Detected
483 Too Many Hops
484 Address Incomplete
485 Ambiguous
486 Busy Here
487 Request Terminated
488 Not Acceptable Here
489 Bad Event
491 Request Pending
493 Undecipherable
500 Server Internal Error
501 Not Implemented
502 Bad Gateway
503 Service Unavailable
504 Server Time-out
505 Version Not Supported
513 Message Too Large
600 Busy Everywhere
603 Decline
604 Does Not Exist Anywhere
606 Not Acceptable
`;

/** The usual phrase of `status`, for an unknown one that of its class. */
export function reasonPhrase(status: number): string {
  const at = REASONS.indexOf(`\n${status} `);
  if (at >= 0) return REASONS.slice(at + 5, REASONS.indexOf('\n', at + 5));
  return ['Trying', 'OK', 'Redirected', 'Refused', 'Server Failure', 'Declined'][Math.floor(status / 100) - 1] ?? 'Unknown';
}

/** A request on the wire; `via` is the value of its one Via line. Throws PhoneError BAD_HEADER for CR or LF in any value. */
export function buildRequest(parts: RequestParts, via: string): Buffer {
  if (parts.whole !== undefined) return parts.whole(via);
  let head = `${clean(parts.method, 'method')} ${clean(parts.uri, 'Request-URI')} SIP/2.0\r\nVia: ${clean(via, 'Via')}\r\n`;
  if (!parts.headers.some(([name]) => name.toLowerCase() === 'max-forwards')) head += `Max-Forwards: ${MAX_FORWARDS}\r\n`;
  return close(ascii(head + lines(parts.headers)), parts.body);
}

/** The response to `request`. Throws PhoneError BAD_HEADER for CR or LF in the reason or a value of ours. */
export function buildResponse(request: Message, status: number, options: ResponseOptions = {}): Buffer {
  const { bytes, spans } = request;
  let head = ascii(`SIP/2.0 ${status} ${clean(options.reason ?? reasonPhrase(status), 'reason')}\r\n`);
  for (const proper of COPIED) {
    const name = proper.toLowerCase();
    if (name === 'record-route' && (status === 100 || status >= 300)) continue; // dialogs only, §12.1.1
    if (name === 'timestamp' && status !== 100) continue; // §8.2.6.1
    let first = name === 'via' && options.peer !== undefined;
    for (let i = find(request, name); i >= 0; i = find(request, name, i + 4)) {
      const start = spans[i]!, from = spans[i + 2]!, to = spans[i + 3]!;
      let line = bytes.toString('latin1', start, to);
      const folded = line.includes('\n') || line.includes('\r');
      if (folded || first) {
        const value = folded ? unfold(line.slice(from - start)).replace(/\r/g, ' ') : line.slice(from - start); // a bare CR only where the request is refused for it
        line = `${proper}: ${first ? stamp(value, options.peer!, topVia(request)) : value}`;
        first = false;
      }
      head += line;
      if (name === 'to' && status > 100 && options.toTag !== undefined && tagOf(request, 'to') === undefined) head += `;tag=${clean(options.toTag, 'tag')}`;
      head += '\r\n';
      if (name === 'from' || name === 'to' || name === 'call-id' || name === 'cseq') break;
    }
  }
  return close(head + ascii(lines([...(options.headers ?? []), ...sessionId(request, options.toTag ?? '')])), options.body);
}

/**
 * Session-ID back to a peer who sends one (RFC 7989 §6): his half becomes the remote one; ours is what he knows of us, or at first made from
 * our tag. We begin none ourselves.
 */
export function sessionId(request: Message, tag: string): Headers {
  if (find(request, 'session-id') < 0) return []; // so that the expression below is made for those who need it
  const [, theirs, ours = NIL] = /^\s*([\da-f]{32})\s*(?:;\s*remote=([\da-f]{32}))?/i.exec(text(request, 'session-id') ?? '') ?? [];
  if (theirs === undefined) return [];
  const made = createHash('md5').update(tag).digest('hex'); // as a UUID of version 5 looks, RFC 7989 §4.1
  return [['Session-ID', `${ours === NIL ? `${made.slice(0, 12)}5${made.slice(13, 16)}8${made.slice(17)}` : ours};remote=${theirs}`]];
}
const NIL = '0'.repeat(32);

/** ACK of a non-2xx response to `invite` (RFC 3261 §17.1.1.3): same Via, Request-URI, Call-ID, From, Route; To of the response. */
export const buildAck = (invite: Message, response: Message): Buffer => fromInvite(invite, 'ACK', response, []);

/** CANCEL of `invite` (RFC 3261 §9.1): same Via, Request-URI, Call-ID, To, From, Route. */
export const buildCancel = (invite: Message, headers: Headers = []): Buffer => fromInvite(invite, 'CANCEL', invite, headers);

function fromInvite(invite: Message, method: string, to: Message, headers: Headers): Buffer {
  const { bytes, line: [, second, third], spans } = invite;
  let head = `${method} ${bytes.toString('latin1', second, third - 1)} SIP/2.0\r\n`;
  for (const proper of ['Via', 'Max-Forwards', 'From', 'To', 'Call-ID', 'CSeq', 'Route']) {
    const name = proper.toLowerCase();
    const from = name === 'to' ? to : invite;
    for (let i = find(from, name); i >= 0; i = find(from, name, i + 4)) {
      if (name === 'cseq') head += `CSeq: ${parseInt(bytes.toString('latin1', spans[i + 2], spans[i + 3]), 10)} ${method}\r\n`;
      else head += `${proper}: ${unfold(from.bytes.toString('latin1', from.spans[i + 2], from.spans[i + 3]))}\r\n`;
      if (name !== 'route') break;
    }
  }
  return close(head + ascii(lines(headers)), undefined);
}

/** Copied into responses, in this order (RFC 3261 §8.2.6.2, §12.1.1, §8.2.6.1). */
const COPIED = ['Via', 'Record-Route', 'From', 'To', 'Call-ID', 'CSeq', 'Timestamp'];

/** The line of Via values with received and rport in the first of them. */
export function stamp(line: string, peer: Endpoint, read = parseVia(line.slice(0, elementEnd(line)).trim())): string {
  if (read === undefined) return line; // it goes back as it came
  const end = elementEnd(line);
  let via = line.slice(0, end).trimEnd();
  if (read.params.has('received')) via = via.replace(/;\s*received\s*(=[^;,]*)?/gi, '');
  const wants = read.params.has('rport');
  const received = wants || plainHost(read.host.toLowerCase()) !== peer.host ? `;received=${peer.host}` : '';
  return (wants ? via.replace(/;\s*rport\s*(=[^;,]*)?(?=;|$)/i, `;rport=${peer.port}`) : via) + received + line.slice(end);
}

/** Our own words as the bytes of UTF-8, a character a byte, to stand beside bytes of the wire. */
const ascii = (words: string): string => (/[^\0-\x7f]/.test(words) ? Buffer.from(words).toString('latin1') : words);

function lines(headers: Headers): string {
  let out = '';
  for (const [name, value] of headers) out += `${clean(name, 'name')}: ${clean(value, name)}\r\n`;
  return out;
}

/** `head`, a character a byte, and the body. */
function close(head: string, body: Uint8Array | undefined): Buffer {
  const size = body?.length ?? 0;
  const start = `${head}Content-Length: ${size}\r\n\r\n`;
  const out = Buffer.allocUnsafe(start.length + size);
  out.write(start, 'latin1');
  if (size > 0) out.set(body!, start.length);
  return out;
}

function clean(value: string, where: string): string {
  if (value.includes('\n') || value.includes('\r')) throw new PhoneError('BAD_HEADER', `a line break does not belong into ${where.replace(/[\r\n]/g, ' ')}`);
  return value;
}
