// Kept messages as a ladder for a terminal: us on the left, the peer on the right, one message a line. Pure.
//
//   14:03:07.120  us --> 192.0.2.10:5060 udp  4f1c  INVITE sip:202@pbx.example        201 > 202, CSeq 2, sdp
//   14:03:07.131  us <-- 192.0.2.10:5060 udp  4f1c  401 Unauthorized                  CSeq 2

import { contentType, nameAddr } from '../sip/headers.ts';
import { parseMessage, reasonOf, requestUri, text, type Message } from '../sip/message.ts';
import { parseUri } from '../sip/uri.ts';
import type { KeptMessage } from './message-ring.ts';

export interface LadderOptions {
  /** Each call in a colour of its own. */
  readonly colour: boolean;
  /** The message itself below its line. */
  readonly full: boolean;
}

/** Headers that say what a message is about, and how they are called here. */
const KEYS = [['event', 'Event'], ['subscription-state', 'State'], ['expires', 'Expires'], ['retry-after', 'Retry-After'], ['min-expires', 'Min-Expires'], ['reason', 'Reason'], ['refer-to', 'Refer-To'], ['replaces', 'Replaces']] as const;
const COLOURS = [31, 32, 33, 34, 35, 36, 91, 92, 93, 94, 95, 96];
const FIRST = 38, KEY_LENGTH = 60;

/** One message, its line breaks as those of a terminal. */
export function rung(kept: KeptMessage, { colour, full }: LadderOptions): string {
  const { at, direction, peer, transport } = kept, parsed = parseMessage(Buffer.from(kept.text));
  const message = parsed.kind === 'malformed' ? parsed.message : parsed; // a blanked body is shorter than it says
  const id = idOf(message === undefined ? '' : text(message, 'call-id') ?? '');
  const paint = (words: string): string => colour ? `\x1b[${COLOURS[id % COLOURS.length]}m${words}\x1b[0m` : words;
  const first = message === undefined ? shown(kept.text.split('\r\n', 1)[0]!) : message.kind === 'request' ? shown(`${message.method} ${requestUri(message)}`) : shown(`${message.status} ${reasonOf(message)}`);
  const line = `${timeOf(at)}  us ${direction === 'out' ? '-->' : '<--'} ${`${peer} ${transport}`.padEnd(25)}  ${paint(`${id.toString(16).padStart(4, '0')}  ${first.padEnd(FIRST)}`)}  ${message === undefined ? 'unreadable' : keysOf(message)}`.trimEnd();
  return full ? `${line}\n${kept.text.split('\r\n').map((each) => `    ${shown(each)}`).join('\n').trimEnd()}\n` : line;
}

/** What is left out between two messages; '' when nothing is. */
export const gap = (expected: number, n: number): string => (n > expected ? `... ${n - expected} messages were not kept` : '');

function keysOf(message: Message): string {
  const user = (name: 'from' | 'to'): string => {
    const uri = parseUri(nameAddr(message, name)?.uri ?? '');
    return uri === undefined ? '?' : uri.user || uri.host;
  };
  const all = message.kind === 'request' ? [`${user('from')} > ${user('to')}`] : [];
  all.push(`CSeq ${text(message, 'cseq') ?? '?'}`);
  for (const [name, key] of KEYS) {
    const value = text(message, name);
    if (value !== undefined) all.push(`${key} ${value.length > KEY_LENGTH ? `${value.slice(0, KEY_LENGTH)}...` : value}`);
  }
  const type = contentType(message);
  if (type !== '') all.push(type.replace(/^application\//, ''));
  return shown(all.join(', '));
}

/** What a peer wrote must not steer the terminal. */
const shown = (words: string): string => words.replace(/[\0-\x1f\x7f-\x9f]/g, '?');

/** Hours to milliseconds of the machine's own zone. */
function timeOf(at: number): string {
  const when = new Date(at), two = (n: number): string => String(n).padStart(2, '0');
  return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${String(when.getMilliseconds()).padStart(3, '0')}`;
}

/** The same call, the same four letters. */
function idOf(callId: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < callId.length; i++) hash = Math.imul(hash ^ callId.charCodeAt(i), 0x01000193);
  return (hash ^ hash >>> 16) & 0xffff;
}
