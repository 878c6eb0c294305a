// What the values of headers mean (RFC 3261 §20): addresses, Via, CSeq, challenges, counts. Reads strings that message.ts hands
// out; what cannot be read is undefined.

import { MAX_ITEMS, digits, elementEnd, find, lastWord, lineText, methodAt, splitList, text, texts } from './message.ts';
import type { Message } from './message.ts';
import { hostPort, isHost } from './uri.ts';
import type { Params } from './uri.ts';

/** From, To, Contact, Route, Refer-To ...: one address. */
export interface NameAddr {
  /** Display name without quotes and escapes, '' when there is none. */
  readonly display: string;
  /** As written; read it with parseUri. */
  readonly uri: string;
  /** Header parameters; values as written, see unquote. */
  readonly params: Params;
}

export interface Via {
  /** Upper case: 'UDP', 'TCP' ... */
  readonly transport: string;
  /** IPv6 without its brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
}

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

export interface Challenge {
  /** 'digest' and others, lower case. */
  readonly scheme: string;
  /** Parameters by lower-case name, unquoted. */
  readonly params: Params;
  /** True when it came in Proxy-Authenticate: answer in Proxy-Authorization. */
  readonly proxy: boolean;
}

/** A name-addr or addr-spec with its header parameters (RFC 3261 §20.10). A bare display name may hold @ and :, as many write it. */
export function parseNameAddr(source: string): NameAddr | undefined {
  const open = source[0] === '"' ? source.indexOf('<', quotedEnd(source, 0)) : source.indexOf('<');
  if (open < 0) {
    if (source[0] === '"') return undefined;
    const semicolon = source.indexOf(';'); // without <> every parameter is the header's, §20
    const uri = (semicolon < 0 ? source : source.slice(0, semicolon)).trim();
    if (uri === '' || /[\s,?">]/.test(uri)) return uri === '*' ? STAR : undefined;
    const params = semicolon < 0 ? NONE : parseParams(source.slice(semicolon));
    return params && { display: '', uri, params };
  }
  const close = source.indexOf('>', open);
  const display = open === 0 ? '' : source.slice(0, open).trim();
  const params = close < 0 ? undefined : parseParams(source.slice(close + 1));
  if (params === undefined || (display[0] === '"' ? quotedEnd(display, 0) !== display.length : display !== '' && /["<>,;]/.test(display))) return undefined;
  const uri = source.slice(open + 1, close).trim();
  return uri === '' ? undefined : { display: unquote(display), uri, params };
}

const NONE: Params = new Map();
const STAR: NameAddr = { display: '', uri: '*', params: NONE };

/** The address on the wire, always in <>. */
export function formatNameAddr(display: string, uri: string, params: Params = NONE): string {
  return `${display === '' ? '' : `${quote(display)} `}<${uri}>${formatParams(params)}`;
}

export function formatParams(params: Params): string {
  let out = '';
  for (const [name, value] of params) out += value === '' ? `;${name}` : `;${name}=${value}`;
  return out;
}

/** ';name=value;flag' with white space anywhere; undefined when it is not that. The first of two of the same name counts. `strict` wants a name after each semicolon. */
export function parseParams(source: string, strict = false): Params | undefined {
  if (source === '') return NONE;
  const all = new Map<string, string>();
  const plain = !WRONG.test(source); // no quotes, nothing to trim
  const list = plain ? source : source.trim();
  if (list !== '' && list[0] !== ';') return undefined;
  for (let at = 1; at <= list.length;) {
    let end = list.indexOf(';', at);
    if (end < 0) end = list.length;
    let equals = list.indexOf('=', at);
    if (equals < 0 || equals > end) equals = end;
    let name = list.slice(at, equals), value = list.slice(equals + 1, end);
    const usual = USUAL[equals - at];
    name = name === usual ? usual : name.toLowerCase();
    if (!plain) {
      name = name.trim();
      value = value.trim();
      if (value[0] === '"') {
        const open = list.indexOf('"', equals), close = quotedEnd(list, open);
        end = list.indexOf(';', close);
        if (end < 0) end = list.length;
        value = list.slice(open, close);
        if (close > list.length || list.slice(close, end).trim() !== '') return undefined;
      } else if (WRONG.test(value)) return undefined;
      if (WRONG.test(name)) return undefined;
    }
    if ((name === '' && (equals < end || (strict && end < list.length))) || all.size === MAX_ITEMS) return undefined;
    if (name !== '' && !all.has(name)) all.set(name, value);
    at = end + 1;
  }
  return all;
}

/** A name of each length that needs neither lower case nor a new hash. */
const USUAL = ['', '', 'lr', 'tag', '', 'rport', 'branch', 'expires', 'received'];

/** What a parameter's name, and its value outside quotes, may not hold. */
const WRONG = /[\s",<>]/;

/** Index after the closing quote of the quoted string that begins at `from`; the length + 1 when it never closes. */
function quotedEnd(source: string, from: number): number {
  for (let i = from + 1; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === '"') return i + 1;
  }
  return source.length + 1;
}

/** A quoted string without its quotes and escapes; anything else as it is. */
export function unquote(source: string): string {
  return source.length >= 2 && source[0] === '"' ? !source.includes('\\') ? source.slice(1, -1) : source.slice(1, -1).replace(/\\([^])/g, '$1') : source;
}

/** `words` as a quoted string; line breaks, which an unescaped URI of a peer may hold, become spaces. */
export const quote = (words: string): string => `"${words.replace(/[\r\n]/g, ' ').replace(/["\\]/g, '\\$&')}"`;

/** The address in header `name`, the first when there are several. */
export function nameAddr(message: Message, name: string): NameAddr | undefined {
  const i = find(message, name);
  if (i < 0) return undefined;
  const line = lineText(message, i);
  return parseNameAddr(name === 'from' || name === 'to' ? line : line.slice(0, elementEnd(line)).trim());
}

/** All addresses in header `name`; undefined when one of them is malformed. */
export function nameAddrs(message: Message, name: string): NameAddr[] | undefined {
  const all: NameAddr[] = [];
  for (const element of texts(message, name)) {
    const one = parseNameAddr(element);
    if (one === undefined || all.length === MAX_ITEMS) return undefined;
    all.push(one);
  }
  return all;
}

/** The tag of From or To, undefined when there is none. */
export function tagOf(message: Message, name: 'from' | 'to'): string | undefined {
  const line = text(message, name);
  if (line === undefined) return undefined;
  const open = line.indexOf('>', line[0] === '"' ? line.indexOf('"', 1) : 0) + 1;
  if (open === line.length) return undefined; // no parameters
  if (line.slice(open, open + 5) === ';tag=' && line.indexOf('\\') < 0) { // as nearly everybody writes it
    const tag = line.slice(open + 5);
    if (!/[\s;=",<>]/.test(tag)) return tag || undefined;
  }
  return parseNameAddr(line)?.params.get('tag') || undefined;
}

/** One Via element: 'SIP/2.0/UDP host:port;branch=...', white space tolerated where §25.1 has it, and any version: 505 is answered too. */
export function parseVia(element: string): Via | undefined {
  let line = element, space = line.indexOf(' ');
  if (space < 0 || line.indexOf(' ', space + 1) >= 0 || line.indexOf('\t') >= 0) {
    line = element.replace(/\s+/g, ' ').replace(/ ?([/;=:]) ?/g, '$1'); // runs first: else each of their bytes begins a search
    space = line.indexOf(' ');
  }
  let slash = 7;
  if (line.slice(0, 8) !== 'SIP/2.0/' || line.indexOf('/', 8) >= 0) {
    slash = line.lastIndexOf('/', space);
    if (!/^sip\/(2\.0\/|[\d.]+\/$)/i.test(line.slice(0, slash + 1))) return undefined;
  }
  let end = line.indexOf(';');
  if (end < 0) end = line.length;
  if (space - slash < 2 || end < space) return undefined;
  let colon = line.indexOf(':', line[space + 1] === '[' ? line.indexOf(']', space) : space);
  if (colon < 0 || colon > end) colon = end;
  let host = line.slice(space + 1, colon);
  if (host[0] === '[' && host.endsWith(']')) host = host.slice(1, -1);
  const port = colon < end ? wholeNumber(line.slice(colon + 1, end)) ?? 0 : undefined;
  const params = parseParams(line.slice(end), true);
  if (params === undefined || !isHost(host) || port === 0 || (port ?? 1) > 65_535) return undefined;
  const transport = line.slice(slash + 1, space);
  return { transport: transport === 'UDP' ? transport : transport.toUpperCase(), host, port, params };
}

/** The topmost Via, whoever sent the message. Read once: a request is asked for it at each of its responses. */
export function topVia(message: Message): Via | undefined {
  if (message !== lastAsked) {
    const line = text(message, 'via');
    lastVia = line === undefined ? undefined : parseVia(line.slice(0, elementEnd(line)).trim());
    lastAsked = message;
  }
  return lastVia;
}

let lastAsked: Message | undefined, lastVia: Via | undefined;

export function formatVia(transport: string, host: string, port: number, branch: string): string {
  return `SIP/2.0/${transport.toUpperCase()} ${hostPort(host, port)};branch=${branch};rport`;
}

const isWhite = (c: number): boolean => c === 32 || c === 9 || c === 13 || c === 10; // a fold too

/** CSeq: a number below 2^31 and a method (RFC 3261 §8.1.1.5). */
export function cseqOf(message: Message): CSeq | undefined {
  const i = find(message, 'cseq');
  if (i < 0) return undefined;
  const { bytes, spans } = message, word = lastWord(message, i);
  let gap = word;
  while (gap > spans[i + 2]! && isWhite(bytes[gap - 1]!)) gap--;
  const number = gap < word && word < spans[i + 3]! ? digits(bytes, spans[i + 2]!, gap, 10) : -1;
  return number < 0 || number >= 2 ** 31 ? undefined : { number, method: methodAt(bytes, word, spans[i + 3]!) };
}

/** A header that is one whole number (Expires, Min-Expires, Max-Forwards, RSeq); undefined when absent, malformed or above 2^32-1. */
export function countOf(message: Message, name: string): number | undefined {
  return wholeNumber(text(message, name));
}

/** Seconds of Retry-After (RFC 3261 §20.33); its comment and duration are left aside. */
export function retryAfterOf(message: Message): number | undefined {
  return wholeNumber(/^\d+(?=\s*(?:[(;]|$))/.exec(text(message, 'retry-after') ?? '')?.[0]);
}

/** What a string of digits says; undefined above 2^32-1. */
export function wholeNumber(source: string | undefined): number | undefined {
  if (source === undefined || source === '' || source.length > 10) return undefined;
  let n = 0;
  for (let i = 0; i < source.length; i++) {
    const digit = source.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    n = n * 10 + digit;
  }
  return n < 2 ** 32 ? n : undefined;
}

/** Option tags, methods and such, as written: Allow, Supported, Require, Proxy-Require. */
export const tokens = (message: Message, name: string): string[] => texts(message, name).map((t) => t.split(';')[0]!.trim());

/** Tells whether list header `name` has `token`, whatever its case. */
export const hasToken = (message: Message, name: string, token: string): boolean => tokens(message, name).some((t) => t.toLowerCase() === token.toLowerCase());

/** Those of Require that are not in `known` (RFC 3261 §8.2.2.3). */
export const unknownRequired = (message: Message, known: readonly string[]): string[] => tokens(message, 'require').filter((t) => !known.includes(t.toLowerCase()));

/** 'application/sdp': type and subtype of Content-Type in lower case; '' without one. */
export const contentType = (message: Message): string => mediaType(text(message, 'content-type') ?? '');
export const mediaType = (written: string): string => written.split(';')[0]!.replace(/\s+/g, '').toLowerCase();

/** Reason values (RFC 3326): protocol, cause, text. */
export function reasons(message: Message): { readonly protocol: string; readonly cause: number | undefined; readonly text: string }[] {
  return texts(message, 'reason').map((element) => {
    const semicolon = element.indexOf(';');
    const params = semicolon < 0 ? NONE : parseParams(element.slice(semicolon)) ?? NONE;
    return { protocol: element.slice(0, semicolon < 0 ? undefined : semicolon).trim().toUpperCase(), cause: wholeNumber(params.get('cause')), text: unquote(params.get('text') ?? '') };
  });
}

/** All challenges of a 401 or 407, in wire order (RFC 3261 §20.44, §20.27); unreadable ones are left out. */
export function challenges(message: Message): Challenge[] {
  const all: Challenge[] = [];
  for (const name of ['www-authenticate', 'proxy-authenticate']) {
    for (const line of texts(message, name)) {
      let one: string[] = [];
      const take = (): void => {
        const read = parseCredentials(one.join());
        if (read !== undefined && read.scheme !== '') all.push({ ...read, proxy: name[0] === 'p' });
      };
      for (const element of splitList(line)) {
        // A comma may also begin the next challenge: 'Digest a=b, c="d", Basic realm="e"'
        if (/^[\w-]+\s+[\w-]+\s*=/.test(element)) {
          take();
          one = [];
        }
        one.push(element);
      }
      take();
    }
  }
  return all;
}

/** 'Digest a=b, c="d"': scheme and parameters of a challenge, of Authorization, or of Authentication-Info without scheme. */
export function parseCredentials(line: string): { readonly scheme: string; readonly params: Params } | undefined {
  const match = /^\s*(?:([\w-]+)\s+(?=[\w-]+\s*=))?/.exec(line)!;
  const params = new Map<string, string>();
  for (let at = match[0].length; at < line.length;) {
    const end = elementEnd(line, at);
    const pair = /^\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\[^])*"|[^\s"]*)\s*$/.exec(line.slice(at, end));
    if (pair === null) {
      if (line.slice(at, end).trim() !== '') return undefined;
    } else if (!params.has(pair[1]!.toLowerCase())) params.set(pair[1]!.toLowerCase(), unquote(pair[2]!));
    at = end + 1;
  }
  return params.size === 0 ? undefined : { scheme: (match[1] ?? '').toLowerCase(), params };
}
