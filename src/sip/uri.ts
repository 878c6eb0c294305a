// sip:, sips: and tel: addresses (RFC 3261 §19.1, RFC 3966): read, written, compared. Strings in, values out; nothing throws.

import { MAX_ITEMS } from './message.ts';

/** Parameters by lower-case name, in wire order; a parameter without value is ''. Values as written, quotes included. */
export type Params = ReadonlyMap<string, string>;

export interface Uri {
  readonly scheme: 'sip' | 'sips' | 'tel';
  /** Unescaped; '' when there is none. The number of a tel: URI as written. */
  readonly user: string;
  readonly password: string;
  /** Lower case, IPv6 without its brackets; '' for tel:. */
  readonly host: string;
  readonly port: number | undefined;
  readonly params: Params;
  /** Headers after '?', unescaped, names lower case. */
  readonly headers: Params;
}

const NONE: Params = new Map();

/** The URI, or undefined when it is malformed or of another scheme (see schemeOf). */
export function parseUri(text: string): Uri | undefined {
  const scheme = schemeOf(text);
  if (scheme !== 'sip' && scheme !== 'sips' && scheme !== 'tel') return undefined;
  const rest = text.slice(scheme.length + 1);
  if (/[\x00- <>"\x7f]/.test(rest)) return undefined;
  if (scheme === 'tel') {
    const [number = '', ...params] = rest.split(';');
    const read = readParams(params);
    if (read === undefined || !/^(\+[\d\-.()]+|[\da-f*#\-.()]+)$/i.test(number) || !/[\da-f*#]/i.test(number)) return undefined;
    return { scheme, user: number, password: '', host: '', port: undefined, params: read, headers: NONE };
  }
  const at = rest.indexOf('@');
  const userinfo = rest.slice(0, Math.max(at, 0));
  const colon = userinfo.indexOf(':');
  const user = unescape(colon < 0 ? userinfo : userinfo.slice(0, colon));
  const password = unescape(colon < 0 ? '' : userinfo.slice(colon + 1));
  const match = /^([^;?:[\]]+|\[[\da-f:.]+\])(?::(\d{1,5}))?((?:;[^;?]*)*)(\?.*)?$/i.exec(rest.slice(at + 1));
  if (match === null || user === undefined || password === undefined || (at >= 0 && user === '')) return undefined;
  const host = match[1]!.replace(/^\[|\]$/g, '').replace(/:{3,}/g, '::').toLowerCase(); // RFC 5118 §4.10
  const port = match[2] === undefined ? undefined : Number(match[2]);
  const params = match[3] === '' ? NONE : readParams(match[3]!.slice(1).split(';'));
  const headers = match[4] === undefined ? NONE : readParams(match[4].slice(1).split('&'));
  if (!isHost(host) || params === undefined || headers === undefined || (port !== undefined && (port === 0 || port > 65_535))) return undefined;
  return { scheme, user, password, host, port, params, headers };
}

/** The scheme in lower case, '' when the text has none. */
export function schemeOf(text: string): string {
  return /^([a-z][a-z\d+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? '';
}

/** True for a host name, an IPv4 or a bare IPv6 address. */
export function isHost(host: string): boolean {
  return host.includes(':') ? /^[\da-f:]*(:\d+\.\d+\.\d+\.\d+)?$/i.test(host) && host.length >= 2 : /^[a-z\d_]([\w.-]*[\w.])?$/i.test(host);
}

function readParams(list: readonly string[]): Params | undefined {
  const all = new Map<string, string>();
  for (const item of list) {
    const equals = item.indexOf('=');
    const name = unescape(equals < 0 ? item : item.slice(0, equals));
    const value = unescape(equals < 0 ? '' : item.slice(equals + 1));
    if (name === undefined || value === undefined || list.length > MAX_ITEMS) return undefined;
    if (name !== '') all.set(name.toLowerCase(), value);
  }
  return all;
}

/** %hh resolved; undefined when an escape is broken or not UTF-8. */
function unescape(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined; // the peer's fault: the caller says so
  }
}

/** Escapes what may not stand in a user part (RFC 3261 §25.1: unreserved and user-unreserved stay). */
export const escapeUser = (text: string): string => escape(text, /[^\w\-.!~*'()&=+$,;?/]/gu);
const escapeParam = (text: string): string => escape(text, /[^\w\-.!~*'()[\]/:&+$]/gu);
const escapeHeader = (text: string): string => escape(text, /[^\w\-.!~*'()[\]/?:+$]/gu);
const escape = (text: string, bad: RegExp): string => text.replace(bad, (c) => Buffer.from(c).toString('hex').toUpperCase().replace(/../g, '%$&'));

/** `host` as it stands in a URI or Via: IPv6 in brackets. */
export const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** host or host:port. */
export const hostPort = (host: string, port: number | undefined): string => (port === undefined ? bracketed(host) : `${bracketed(host)}:${port}`);

/** An IPv6 address as RFC 5952 writes it, so that equal ones are equal letters (RFC 5954 §4.2); any other host as it is. */
export function plainHost(host: string): string {
  const url = `http://[${host}]`;
  return host.includes(':') && URL.canParse(url) ? new URL(url).hostname.slice(1, -1) : host;
}

/** Whether an address, bare or in <> after a name, is a sips: one. */
export function isSips(address: string): boolean {
  const at = address.indexOf('<') + 1;
  return address.slice(at, at + 5).toLowerCase() === 'sips:';
}

/** The parameter that names a transport; none for UDP, and for TLS none where sips: says it already (RFC 3261 §26.2.2, RFC 7118 §5.2). */
export const transportParam = (transport: string, sips = false): string =>
  transport === 'udp' || (sips && transport === 'tls') ? '' : `;transport=${transport === 'wss' ? 'ws' : transport}`;

/** The URI as written on the wire. */
export function formatUri(uri: Uri): string {
  let out = `${uri.scheme}:`;
  if (uri.scheme === 'tel') out += uri.user;
  else {
    if (uri.user !== '') out += `${escapeUser(uri.user)}${uri.password === '' ? '' : `:${escape(uri.password, /[^\w\-.!~*'()&=+$,]/gu)}`}@`;
    out += hostPort(uri.host, uri.port);
  }
  for (const [name, value] of uri.params) out += `;${escapeParam(name)}${value === '' ? '' : `=${escapeParam(value)}`}`;
  let mark = '?';
  for (const [name, value] of uri.headers) {
    out += `${mark}${escapeHeader(name)}=${escapeHeader(value)}`;
    mark = '&';
  }
  return out;
}

/** A SIP URI from its parts. */
export function sipUri(user: string, host: string, port?: number, params: Params = NONE): Uri {
  return { scheme: 'sip', user, password: '', host: host.replace(/^\[|\]$/g, '').toLowerCase(), port, params, headers: NONE };
}

/** The same URI without what a Request-URI may not carry: headers, and the method parameter (RFC 3261 §19.1.5). */
export function asRequestUri(uri: Uri): Uri {
  const params = new Map(uri.params);
  params.delete('method');
  return { ...uri, params, headers: NONE };
}

/** Equality by RFC 3261 §19.1.4; of tel: by RFC 3966 §4. */
export function equalUris(a: Uri, b: Uri): boolean {
  if (a.scheme !== b.scheme) return false;
  if (a.scheme === 'tel') return bare(a.user) === bare(b.user) && sameParams(a.params, b.params, true);
  return a.user === b.user && a.password === b.password && a.host === b.host && a.port === b.port &&
    sameParams(a.params, b.params, false) && a.headers.size === b.headers.size && [...a.headers].every(([name, value]) => b.headers.get(name) === value);
}

const bare = (number: string): string => number.replace(/[-.()]/g, '').toLowerCase();

/** Parameters that must stand in both or in neither; any other counts only when both have it. */
const MUST_MATCH = ['user', 'ttl', 'method', 'maddr', 'transport'];

function sameParams(a: Params, b: Params, strict: boolean): boolean {
  const equal = (name: string): boolean => a.get(name)?.toLowerCase() === b.get(name)?.toLowerCase();
  if (strict) return a.size === b.size && [...a.keys()].every(equal);
  return MUST_MATCH.every(equal) && [...a.keys()].every((name) => !b.has(name) || equal(name));
}
