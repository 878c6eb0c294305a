// Messages on their way through: the bytes that came, with the few lines changed that RFC 3261 §16.6 and §16.7 have changed. What is not
// named here passes as it came, known or not.
//
//   INVITE sip:202@exchange            INVITE sip:202@192.168.1.9
//   Via: phone                         Via: exchange
//                                      Via: phone;received=...
//   Max-Forwards: 70              ->   Record-Route, Max-Forwards: 69
//   P-Asserted-Identity: anybody       P-Asserted-Identity: who proved it
//   Proxy-Authorization: for us

import type { Endpoint } from '../ports/net.ts';
import { stamp } from '../sip/build.ts';
import type { Headers } from '../sip/build.ts';
import { parseCredentials } from '../sip/headers.ts';
import { bodyOf, elementEnd, find, lineText } from '../sip/message.ts';
import type { Message } from '../sip/message.ts';

export interface Edits {
  /** New Request-URI. */
  readonly uri: string;
  /** Header lines on top, in this order. */
  readonly top: Headers;
  /** Names, in lower case, of lines that go. */
  readonly without: readonly string[];
  /** Where the request came from, written into its topmost Via. */
  readonly peer: Endpoint;
  /** Credentials for it have done their work. */
  readonly realm: string;
}

/** `request` as it goes on; `via` is our own, on top (RFC 3261 §16.6 step 8). */
export function forwarded(request: Message, edits: Edits, via: string): Buffer {
  let head = `${request.method} ${edits.uri} SIP/2.0\r\nVia: ${via}\r\n`;
  for (const [name, value] of edits.top) head += `${name}: ${value}\r\n`;
  const gone = indexesOf(request, edits.without);
  for (const i of indexesOf(request, ['proxy-authorization'])) {
    if (parseCredentials(lineText(request, i))?.params.get('realm') === edits.realm) gone.add(i);
  }
  const via0 = find(request, 'via');
  return Buffer.concat([Buffer.from(head), ...linesBut(request, gone, via0, stamp(lineText(request, via0), edits.peer))]);
}

/** `response` without its topmost Via, which was ours (RFC 3261 §16.7 step 3), and with the lines of `more` added. */
export function returned(response: Message, without: readonly string[], more: Headers = []): Buffer {
  const via0 = find(response, 'via');
  const line = lineText(response, via0);
  const rest = line.slice(elementEnd(line) + 1).trim();
  const gone = indexesOf(response, without);
  if (rest === '') gone.add(via0);
  const { line: [start, , , end] } = response;
  const added = more.map(([name, value]) => Buffer.from(`${name}: ${value}\r\n`));
  return Buffer.concat([response.bytes.subarray(start, end), CRLF, ...linesBut(response, gone, via0, rest, added)]);
}

const CRLF = Buffer.from('\r\n');

/** All header lines in their order but those in `gone`, `replaced` with another value; then Content-Length, which a stream needs, and the body. */
function linesBut(message: Message, gone: ReadonlySet<number>, replaced: number, value: string, more: readonly Buffer[] = []): Buffer[] {
  const { bytes, spans } = message;
  const lengths = indexesOf(message, ['content-length']);
  const out: Buffer[] = [];
  for (let i = 0; i < spans.length; i += 4) {
    if (gone.has(i) || lengths.has(i)) continue;
    if (i === replaced) out.push(Buffer.from(`Via: ${value}`, 'utf8'), CRLF);
    else out.push(bytes.subarray(spans[i], spans[i + 3]), CRLF);
  }
  const body = bodyOf(message);
  out.push(...more, Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body);
  return out;
}

function indexesOf(message: Message, names: readonly string[]): Set<number> {
  const all = new Set<number>();
  for (const name of names) for (let i = find(message, name); i >= 0; i = find(message, name, i + 4)) all.add(i);
  return all;
}
