// What may be said inside a call besides offers: INFO digits, REFER and its NOTIFY (RFC 3515, RFC 3891, RFC 3892). Reads and writes their
// headers and bodies; call.ts sends. In the bundle loaded with the first of them (scripts/later.js).

import type { CallUnit } from './call.ts';
import type { Headers } from './build.ts';
import { contentType, cseqOf, formatNameAddr, nameAddr, nameAddrs } from './headers.ts';
import { bodyOf, reasonOf, text, type Message } from './message.ts';
import type { ServerTransaction } from './transactions.ts';
import type { SendFailure, Ua } from './ua.ts';
import { asRequestUri, formatUri, parseUri } from './uri.ts';

/** A digit's length when INFO tells none, ms. */
const DIGIT_MS = 160;

/** INFO, REFER and NOTIFY inside `call`; false when the method is none of them. */
export function takeExtra(call: CallUnit, request: Message, server: ServerTransaction): boolean {
  switch (request.method) {
    case 'INFO': takeInfo(call, request, server); return true;
    case 'REFER': takeRefer(call, request, server); return true;
    case 'NOTIFY': takeNotify(call, request, server); return true;
    default: return false;
  }
}

function takeInfo(call: CallUnit, request: Message, server: ServerTransaction): void {
  const type = contentType(request), body = bodyOf(request).toString('latin1');
  if (type === 'application/dtmf-relay' || type === 'application/dtmf') {
    const digit = (type === 'application/dtmf' ? body.trim() : /^\s*Signal\s*=\s*(\S+)/im.exec(body)?.[1] ?? '').toUpperCase();
    const named = digit === '10' ? '*' : digit === '11' ? '#' : digit; // as RFC 4733 numbers them
    if (!/^[\dA-D*#]$/.test(named)) return server.respond(400, { reason: 'No Such Digit' });
    server.respond(200);
    const ms = Number(/^\s*Duration\s*=\s*(\d{1,5})/im.exec(body)?.[1] ?? DIGIT_MS);
    return call.emit({ event: 'digit', digit: named, ms });
  }
  // An empty INFO is a sign of life; a picture update is not for us (RFC 2976 §2.2)
  if (request.bodyEnd === request.bodyStart) return server.respond(200);
  server.respond(415, { headers: [['Accept', 'application/dtmf-relay, application/dtmf']] });
}

function takeRefer(call: CallUnit, request: Message, server: ServerTransaction): void {
  const named = nameAddrs(request, 'refer-to'), target = named?.length === 1 ? named[0]!.uri : undefined, uri = target === undefined ? undefined : parseUri(target);
  if (target === undefined || uri === undefined) return server.respond(400, { reason: 'Bad refer-to Header' });
  if ((uri.params.get('method') ?? 'INVITE').toUpperCase() !== 'INVITE') return server.respond(501);
  if (call.state !== 'established' || call.referEvent !== undefined) return server.respond(call.referEvent === undefined ? 481 : 491);
  const quiet = wantsNoReport(request); // RFC 4488 §4: no subscription, when the other side asks for none
  server.respond(202, { headers: [...call.contactLine(), ...(quiet ? NO_REPORT : [])] });
  const asked = { event: 'transfer asked', target, by: nameAddr(request, 'referred-by')?.uri ?? call.remote.uri } as const;
  if (quiet) return call.emit(asked);
  // §2.4.6: only later ones need an id, and old phones know none
  call.referEvent = call.refers++ === 0 ? 'refer' : `refer;id=${cseqOf(request)!.number}`;
  call.transferProgress(100, 'Trying'); // §2.4.4: a NOTIFY follows at once
  call.emit(asked);
}

/** Refer-Sub: false of a REFER, or of its 2xx: nobody is told how it went (RFC 4488 §4). */
const NO_REPORT: Headers = [['Refer-Sub', 'false']];
const wantsNoReport = (message: Message): boolean => /^false\b/i.test(text(message, 'refer-sub') ?? '');

function takeNotify(call: CallUnit, request: Message, server: ServerTransaction): void {
  if (!/^refer\s*(;|$)/i.test(text(request, 'event') ?? '') || !call.hasReferred) return server.respond(481);
  const line = /^SIP\/2\.0\s+([1-6]\d\d)\s*([^\r\n]*)/.exec(bodyOf(request).toString('utf8'));
  if (contentType(request) !== 'message/sipfrag' || line === null) {
    if (request.bodyEnd > request.bodyStart) return server.respond(415, { headers: [['Accept', 'message/sipfrag']] });
    return server.respond(200);
  }
  server.respond(200);
  const status = Number(line[1]);
  if (status >= 200) call.hasReferred = false;
  call.emit({ event: 'transfer progress', status, reason: line[2]! });
}

/** Sends the other side of `call` to `target`, or in place of us into the call `replaces`; what comes of it are its events. */
export function transfer(ua: Ua, call: CallUnit, target: string, replaces: CallUnit | undefined, report: boolean, why: (failure: SendFailure) => string): void {
  const headers = call.state === 'established' ? transferHeaders(ua, call, target, replaces) : undefined;
  const fail = (status: number, reason: string): void => call.emit({ event: 'transfer progress', status, reason });
  if (headers === undefined) return fail(400, 'no such address');
  call.hasReferred = true;
  call.ask('REFER', report ? headers : [...headers, ...NO_REPORT], undefined, (r) => {
    if (r.response === undefined) fail(408, why(r.failure));
    else if (r.response.status >= 300 || wantsNoReport(r.response)) fail(r.response.status, reasonOf(r.response));
  });
}

/** Tells whoever sent us to another how that goes (RFC 3515 §2.4.5). */
export function tellProgress(call: CallUnit, event: string, status: number, reason: string): void {
  if (status >= 200) call.referEvent = undefined;
  call.ask('NOTIFY', [
    ['Event', event], ['Subscription-State', status < 200 ? 'active;expires=60' : 'terminated;reason=noresource'], ['Content-Type', 'message/sipfrag;version=2.0'],
  ], Buffer.from(`SIP/2.0 ${status} ${reason.replace(/[\r\n\0]/g, ' ')}\r\n`));
}

/** Headers of the REFER that sends the other side of `call` to `target`, or in place of us into the call `replaces`; undefined when there is no address. */
export function transferHeaders(ua: Ua, call: CallUnit, target: string, replaces: CallUnit | undefined): Headers | undefined {
  let to = ua.target(target, call.account);
  const other = replaces?.dialog;
  if (other !== undefined) {
    // Its address at our server leads there through any proxy and NAT; a Contact may not, but is all there is of who calls directly or
    // unnamed (RFC 5589 §7.3)
    const { account, remote } = replaces!, known = parseUri(remote.uri);
    const there = account !== undefined && known?.host === parseUri(account.address)?.host ? known : parseUri(other.target);
    if (there === undefined) return undefined;
    // The tags as the called side sees them: ours is its from-tag (RFC 3891 §3)
    to = formatUri({ ...asRequestUri(there), headers: new Map([['Replaces', `${other.callId};to-tag=${other.remoteTag};from-tag=${other.localTag}`]]) });
  }
  if (to === undefined) return undefined;
  return [['Refer-To', `<${to}>`], ['Referred-By', formatNameAddr('', nameAddrOf(call.dialog!.from))]];
}

const nameAddrOf = (line: string): string => /<([^<>]*)>/.exec(line)?.[1] ?? line.split(';')[0]!.trim();

/** Call-ID and tags of a Replaces header (RFC 3891 §6.1); undefined when it is malformed. */
export function parseReplaces(line: string): { readonly callId: string; readonly toTag: string; readonly fromTag: string; readonly earlyOnly: boolean } | undefined {
  const [callId = '', ...params] = line.split(';').map((p) => p.trim());
  const of = (name: string): string | undefined => params.find((p) => p.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1);
  const toTag = of('to-tag'), fromTag = of('from-tag');
  return callId === '' || toTag === undefined || fromTag === undefined ? undefined : { callId, toTag, fromTag, earlyOnly: params.some((p) => p.toLowerCase() === 'early-only') };
}
