// What a proxy reads off a request before it decides anything: whether it was here before, and whose Route it follows (RFC 3261 §16.3, §16.4).
// Our marks in Via and Record-Route are sealed with a key, so that nobody else can make them: a dialog's own requests need no password,
// and nobody's Route makes us send to where he likes.

import { createHmac } from 'node:crypto';
import { cseqOf, parseVia, tagOf } from '../sip/headers.ts';
import { requestUri, text, texts } from '../sip/message.ts';
import type { Message } from '../sip/message.ts';
import { COOKIE } from '../sip/matching.ts';
import type { Destination } from '../sip/transport.ts';
import { hostPort, isSips, parseUri, transportParam } from '../sip/uri.ts';
import type { Uri } from '../sip/uri.ts';

export interface Routed {
  /** Request-URI after strict routers are undone. */
  readonly uri: string;
  /** Route values that are left when ours are taken away. */
  readonly routes: readonly string[];
  /** It follows the Record-Route that we put into its own dialog. */
  readonly inDialog: boolean;
}

export type Seal = (words: string) => string;

export const sealOf = (key: Uint8Array): Seal => (words) => createHmac('sha256', key).update(words).digest('hex').slice(0, 16);

/** Parameter of our Record-Route that holds its seal. */
const MARK = 'oh';

/** The Record-Route value of a dialog-forming `request` for the side that we reach as `address`; of a sips: one it is sips: too (RFC 3261 §16.6 step 4). */
export function recordRoute(seal: Seal, request: Message, address: string, port: number, { transport }: Destination): string {
  const sips = isSips(requestUri(request));
  return `<sip${sips ? 's' : ''}:${hostPort(address, port)}${transportParam(transport, sips)};lr;${MARK}=${seal(dialogWords(request))}>`;
}

const dialogWords = (request: Message): string => `dialog ${text(request, 'call-id') ?? ''}`;

/** Undo strict routing and take our own Route values off (RFC 3261 §16.4). `isOurs` knows our names and addresses. */
export function preprocess(seal: Seal, request: Message, isOurs: (uri: Uri) => boolean): Routed {
  const routes = [...texts(request, 'route')];
  const sealed = (uri: Uri | undefined): boolean => uri?.params.get(MARK) === seal(dialogWords(request));
  let uri = requestUri(request);
  let inDialog = false;
  if (routes.length > 0 && sealed(parseUri(uri))) { // a strict router took our Record-Route for the target: the true one is last
    uri = uriIn(routes.pop()!);
    inDialog = true;
  }
  for (let turn = 0; turn < 2; turn++) { // we stand twice where the transports differ (RFC 5658)
    const first = routes[0] === undefined ? undefined : parseUri(uriIn(routes[0]));
    if (first === undefined || !(sealed(first) || isOurs(first))) break;
    inDialog ||= sealed(first);
    routes.shift();
  }
  return { uri, routes, inDialog: inDialog && tagOf(request, 'to') !== undefined };
}

/** The URI of a Route or Record-Route value. */
export const uriIn = (value: string): string => /<([^<>]*)>/.exec(value)?.[1] ?? value.split(';')[0]!.trim();

/**
 * The part of our branch that stays the same while nothing changes that routing looks at (RFC 3261 §16.6 step 8, RFC 5393 §4.2.1): the
 * same request back again is a loop, one with another Request-URI a spiral.
 */
export const loopMark = (seal: Seal, request: Message): string => seal([
  'loop', requestUri(request), tagOf(request, 'from') ?? '', tagOf(request, 'to') ?? '', text(request, 'call-id') ?? '', cseqOf(request)?.number ?? '',
  ...texts(request, 'route'), ...texts(request, 'proxy-require'),
].join('\n'));

export const branchOf = (unique: string, mark: string): string => `${COOKIE}${unique}.${mark}`;

/** True when a Via of ours says that this very request was here before (RFC 3261 §16.3 step 4). */
export function looped(seal: Seal, request: Message): boolean {
  const vias = texts(request, 'via');
  if (vias.length < 2) return false; // straight from its sender
  const mark = loopMark(seal, request);
  return vias.some((via) => parseVia(via)?.params.get('branch')?.endsWith(`.${mark}`) === true);
}
