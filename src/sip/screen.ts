// What any UA refuses before it looks at dialogs: RFC 3261 §8.2, §16.3. Pure; the to tag and the sending are the caller's.
// Max-Forwards 0 is no reason for the UA a request is meant for (RFC 4475 §3.3.11): only who forwards answers 483.

import { understands } from './body.ts';
import type { Headers } from './build.ts';
import { countOf, cseqOf, nameAddr, nameAddrs, tokens, topVia, unknownRequired } from './headers.ts';
import { METHODS, find, methodOf, requestUri, text, versionOf } from './message.ts';
import type { Malformed, Message } from './message.ts';
import { parseUri, schemeOf } from './uri.ts';

/** What the user of the transactions understands; what is left out is not checked. */
export interface Abilities {
  /** Methods allowed here. */
  readonly methods?: readonly string[];
  /** Option tags, lower case. */
  readonly extensions?: readonly string[];
  /** Types of bodies, 'application/sdp', for the methods listed in `typed`. */
  readonly types?: readonly string[];
  readonly typed?: readonly string[];
}

export interface Refusal {
  readonly status: number;
  readonly reason?: string;
  readonly headers?: Headers;
}

const ONCE = ['from', 'to', 'call-id', 'cseq'];
/** May stand once; RFC 4475 §3.3.8 calls several of them an error. */
const AT_MOST_ONCE = ['max-forwards', 'content-type', 'expires'];

/** Accept values (RFC 3261 §20.1) that take a session description too. */
const ACCEPTS_ALL = ['*/*', 'application/*'];

/** Why `message` is refused; undefined when nothing here speaks against it. For a response: drop it. */
export function screen(message: Message, abilities: Abilities = {}): Refusal | undefined {
  if (versionOf(message) !== '2.0') return { status: 505 };
  for (const name of ONCE) {
    const i = find(message, name);
    if (i < 0) return bad(`Missing ${name} Header`);
    if (find(message, name, i + 4) >= 0) return bad(`More Than One ${name} Header`);
  }
  if (topVia(message) === undefined) return bad('Bad via Header');
  if (nameAddr(message, 'from') === undefined) return bad('Bad from Header');
  if (nameAddr(message, 'to') === undefined) return bad('Bad to Header');
  if (text(message, 'call-id') === '') return bad('Bad call-id Header');
  const cseq = cseqOf(message);
  if (cseq === undefined) return bad('Bad cseq Header');
  if (message.kind === 'response') return undefined;

  if (cseq.method !== message.method) return bad('CSeq Method Does Not Match');
  for (const name of AT_MOST_ONCE) {
    const i = find(message, name);
    if (i >= 0 && find(message, name, i + 4) >= 0) return bad(`More Than One ${name} Header`);
  }
  if (find(message, 'max-forwards') >= 0 && (countOf(message, 'max-forwards') ?? 256) > 255) return bad('Bad max-forwards Header');
  if (nameAddrs(message, 'contact') === undefined) return bad('Bad contact Header');
  if (nameAddrs(message, 'record-route') === undefined) return bad('Bad record-route Header');

  const { methods, extensions, types, typed } = abilities;
  if (methods !== undefined && !methods.includes(message.method)) {
    const known = (METHODS as readonly string[]).includes(message.method);
    return { status: known ? 405 : 501, headers: [['Allow', methods.join(', ')]] };
  }
  const uri = requestUri(message);
  if (parseUri(uri) === undefined) {
    const scheme = schemeOf(uri);
    return scheme === 'sip' || scheme === 'sips' || scheme === 'tel' || scheme === '' ? bad('Bad Request-URI') : { status: 416 };
  }
  const isDialogEnd = message.method === 'ACK' || message.method === 'CANCEL'; // §8.2.2.3: Require is ignored there
  if (extensions !== undefined && !isDialogEnd) {
    const unknown = unknownRequired(message, extensions);
    if (unknown.length > 0) return { status: 420, headers: [['Unsupported', unknown.map((t) => t.replace(/[^!-~]/g, '?')).join(', ')]] };
  }
  if (types === undefined || typed?.includes(message.method) !== true || isDialogEnd) return undefined;
  if (find(message, 'accept') >= 0 && !tokens(message, 'accept').some((t) => ACCEPTS_ALL.includes(t) || types.includes(t.toLowerCase()))) return { status: 406 }; // RFC 4475 §3.3.15
  if (message.bodyEnd > message.bodyStart) {
    if (!understands(message, types)) return { status: 415, headers: [['Accept', types.join(', ')]] };
    if (tokens(message, 'content-encoding').some((t) => t.toLowerCase() !== 'identity')) return { status: 415, headers: [['Accept-Encoding', 'identity']] };
  }
  return undefined;
}

const bad = (reason: string): Refusal => ({ status: 400, reason });

/** The request to answer 400 (or 513) for bytes that were malformed; undefined when too little of it can be read, or it is an ACK or a response. */
export function answerable(malformed: Malformed): Message | undefined {
  const { message } = malformed;
  if (message === undefined || message.kind !== 'request' || methodOf(message) === 'ACK') return undefined;
  return find(message, 'via') >= 0 && ONCE.every((name) => find(message, name) >= 0) ? message : undefined;
}
