// A dialog (RFC 3261 §12): who, in which order, along which route. Pure; sessions and subscriptions live above it.

import { cseqOf, nameAddr, nameAddrs, tagOf, topVia } from './headers.ts';
import { COOKIE } from './matching.ts';
import { requestUri, text, texts } from './message.ts';
import type { Message } from './message.ts';
import { asRequestUri, formatUri, isSips, parseUri } from './uri.ts';

export interface Dialog {
  readonly callId: string;
  readonly localTag: string;
  /** '' for a peer of RFC 2543 without tags (§12.1.1). */
  readonly remoteTag: string;
  /** Values of From and To as we send them, tags and all. */
  readonly from: string;
  readonly to: string;
  /** Remote target: the peer's Contact. */
  target: string;
  /** Route values in the order of sending. */
  routes: readonly string[];
  localSeq: number;
  /** -1 until the peer's first request. */
  remoteSeq: number;
}

/** Where a request inside the dialog goes: Request-URI, Route values, and the URI that is located. */
export interface Path { readonly uri: string; readonly routes: readonly string[]; readonly hop: string }

/** The dialog that a 2xx (or a reliable 1xx) to our `request` makes (§12.1.2); undefined when its Contact or routes are unreadable. */
export function dialogOfResponse(request: { readonly callId: string; readonly from: string; readonly localTag: string; readonly seq: number; readonly uri: string }, response: Message): Dialog | undefined {
  const to = text(response, 'to'), routes = routeSet(response);
  if (to === undefined || routes === undefined) return undefined;
  return {
    callId: request.callId, localTag: request.localTag, remoteTag: tagOf(response, 'to') ?? '', from: request.from, to,
    target: contactOf(response) ?? request.uri, routes: routes.reverse(), localSeq: request.seq, remoteSeq: -1,
  };
}

/** The dialog that our 2xx with To tag `localTag` to `request` makes (§12.1.1); undefined when its Contact or routes are unreadable. */
export function dialogOfRequest(request: Message, localTag: string): Dialog | undefined {
  const to = text(request, 'from'), from = text(request, 'to'), routes = routeSet(request);
  const target = contactOf(request) ?? (isOld(request) ? nameAddr(request, 'from')?.uri : undefined);
  if (to === undefined || from === undefined || routes === undefined || target === undefined) return undefined;
  return {
    callId: text(request, 'call-id') ?? '', localTag, remoteTag: tagOf(request, 'from') ?? '', from: `${from};tag=${localTag}`, to,
    target, routes, localSeq: 0, remoteSeq: cseqOf(request)?.number ?? -1,
  };
}

/** An INVITE of RFC 2543 may go without Contact: From is the target then (RFC 4475 §3.4.1). */
const isOld = (request: Message): boolean => text(request, 'contact') === undefined && topVia(request)?.params.get('branch')?.startsWith(COOKIE) !== true;

/** True when the tags of `message` name this dialog; the Call-ID was compared by whoever looked it up. */
export function belongs(dialog: Dialog, message: Message): boolean {
  const ours = message.kind === 'request' ? 'to' : 'from';
  return (tagOf(message, ours) ?? '') === dialog.localTag && (tagOf(message, ours === 'to' ? 'from' : 'to') ?? '') === dialog.remoteTag;
}

/** Takes the CSeq of a request inside the dialog; false when it is lower than one before: answer 500 (§12.2.2). */
export function inOrder(dialog: Dialog, request: Message): boolean {
  const number = cseqOf(request)?.number ?? -1;
  if (number < dialog.remoteSeq) return false;
  dialog.remoteSeq = number;
  return true;
}

/** Whether our Contact in the answer to `request` must be sips: (§12.1.1). */
export const wantsSips = (request: Message): boolean =>
  isSips(requestUri(request)) || isSips(text(request, 'record-route') ?? nameAddr(request, 'contact')?.uri ?? '');

/** Target refresh (§12.2.1.2, §12.2.2, RFC 3311 §5.1): the Contact of INVITE, UPDATE and their 2xx. */
export function refreshTarget(dialog: Dialog, message: Message): void {
  dialog.target = contactOf(message) ?? dialog.target;
}

/** The way of the next request (§12.2.1.1). */
export function pathOf(dialog: { readonly target: string; readonly routes: readonly string[] }): Path {
  const { target, routes } = dialog;
  const first = routes[0];
  if (first === undefined) return { uri: target, routes, hop: target };
  const hop = addressIn(first);
  const uri = parseUri(hop);
  if (uri === undefined || uri.params.has('lr')) return { uri: target, routes, hop };
  return { uri: formatUri(asRequestUri(uri)), routes: [...routes.slice(1), `<${target}>`], hop }; // a strict router of RFC 2543
}

/** The URI of the first Contact as written, when it is a SIP address; without what a Request-URI may not carry. */
export function contactOf(message: Message): string | undefined {
  const written = nameAddr(message, 'contact')?.uri ?? '', uri = parseUri(written);
  if (uri === undefined || uri.scheme === 'tel') return undefined;
  return uri.headers.size > 0 || uri.params.has('method') ? formatUri(asRequestUri(uri)) : written;
}

const addressIn = (route: string): string => /<([^<>]*)>/.exec(route)?.[1] ?? route.split(';')[0]!.trim();

/** Route values as `name` of a peer's message lists them; undefined when one of them is unreadable. */
export function routeSet(message: Message, name = 'record-route'): string[] | undefined {
  return nameAddrs(message, name)?.every((r) => parseUri(r.uri) !== undefined) ? texts(message, name) : undefined;
}
