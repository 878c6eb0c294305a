// The SIP user agent: joins transport, transactions, accounts and calls, and decides whose a request is (RFC 3261 §8.2, §12.2.2).
// What a call or a registration does next stands in their own files.

import { PhoneError } from '../ports/errors.ts';
import { Registering, type Ways } from './account.ts';
import type { Account, Agent, AgentHandlers, AgentOptions, CallOptions, Party, SipPorts, Source } from './agent-types.ts';
import type { Headers } from './build.ts';
import { ALLOW, CallUnit, EXTENSIONS } from './call.ts';
import { parseReplaces } from './call-requests.ts';
import { dialogOfRequest } from './dialog.ts';
import { DigestServer } from './digest.ts';
import { formatNameAddr, nameAddr, tagOf } from './headers.ts';
import { createLocator } from './locate.ts';
import { METHODS, requestUri, text, texts, type Message } from './message.ts';
import { checkHeaders, placeOf, sendAck, sendRequest, type RequesterParts } from './requester.ts';
import { randomToken } from './matching.ts';
import { Transactions, type ServerTransaction } from './transactions.ts';
import { MIN_SE_LINE, tooShort } from './session-timer.ts';
import { TransportLayer, type Flow } from './transport.ts';
import type { AccountUnit, Ua } from './ua.ts';
import { asRequestUri, formatUri, hostPort, escapeUser, parseUri, sipUri, transportParam, type Params } from './uri.ts';

const TYPES = ['application/sdp', 'multipart/mixed'];
const METHODS_ALLOWED = ALLOW.split(', ');
/** Event packages whose NOTIFY we may have asked for. */
const EVENTS = 'refer, message-summary';
/** More calls at once are refused: no phone talks to so many. */
const CALLS_MOST = 64;
const CLOSE_MS = 2_000;
const NONE: Params = new Map();
/** RFC 3323 §4.1.1.3. */
const ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>';
const isWhole = (contact: string): boolean => contact[0] === '<';
/** A user part of others' making, which is no whole Contact. */
const plain = (user: string): string => isWhole(user) ? user.replace(/^<+/, '') : user;
const hiding = (account: AccountUnit | undefined): Headers => [['Privacy', 'id'], ...(account === undefined ? [] : [['P-Preferred-Identity', account.from] as const])];

export function createAgent(ports: SipPorts, options: AgentOptions, handlers: AgentHandlers): Agent {
  const { clock, random, log } = ports;
  const transport = new TransportLayer(ports, options);
  const locator = createLocator(ports);
  const accounts: Registering[] = [];
  const calls = new Map<string, CallUnit>(); // by our tag
  const digest = new DigestServer(clock, random, 'offhook');
  let onIdle: (() => void) | undefined;
  let started = false;
  let closing = false;

  const transactions = new Transactions(ports, transport, {
    onRequest,
    onAck: (ack) => void callOf(ack)?.onRequest(ack, undefined),
    onFlowFailed: (to) => { for (const account of accounts) account.flowFailed(to); },
  }, { abilities: { extensions: EXTENSIONS, types: TYPES, typed: ['INVITE', 'UPDATE'] } });

  const contact: Ua['contact'] = (user, host, hop, sips = false) => isWhole(user) ? (sips ? user.replace('<sip:', '<sips:') : user) :
    `<sip${sips ? 's' : ''}:${user === '' ? '' : `${escapeUser(user)}@`}${hostPort(host, transport.portFor(hop.transport))}${transportParam(hop.transport, sips)}>`;
  const parts: RequesterParts = { clock, transport, transactions, locator, log, userAgent: options.userAgent, contact };

  const ua: Ua = {
    clock, random, log, handlers, contact,
    token: () => randomToken(random),
    unit: (account) => unitOf(account),
    sessionS: options.sessionS ?? (() => 0),
    request: (ask) => sendRequest(parts, ask),
    ack: (dialog, seq, headers, body) => sendAck(parts, dialog, seq, headers, body),
    target: (target, account) => {
      const uri = readTarget(target, account);
      return uri && formatUri(uri);
    },
    forget(call) {
      if (calls.get(call.localTag) === call) calls.delete(call.localTag);
      if (calls.size === 0) onIdle?.();
    },
  };

  const ways: Ways = { keepOpen: (hop, stun = false) => void transport.ping(hop, stun ? random : undefined), drop: (hop) => transport.drop(hop), source: (host) => transport.learnAddress(host) };

  /** The call whose dialog, or whose INVITE that waits, a message with our tag in To names. */
  function callOf(request: Message): CallUnit | undefined {
    const call = calls.get(tagOf(request, 'to') ?? '');
    if (call === undefined || call.callId !== text(request, 'call-id')) return undefined;
    return call.legOf(request) && call;
  }

  function onRequest(request: Message, server: ServerTransaction, from: Flow): void {
    let known: Registering | undefined;
    for (const account of accounts) {
      const vouching = account.heard(from);
      known ??= vouching;
    }
    const { method } = request;
    if (tagOf(request, 'to') !== undefined) {
      const call = callOf(request);
      if (call === undefined) {
        if ((method === 'NOTIFY' || method === 'SUBSCRIBE') && offered(request, server, from, known)) return;
        return server.respond(481);
      }
      if (method === 'INVITE') server.onCancel = (cancel) => call.onCancel(request, cancel);
      if (call.onRequest(request, server)) return;
      return ['INVITE', 'UPDATE', 'BYE', 'PRACK'].includes(method) ? server.respond(481) : outside(request, server, from, known);
    }
    if (method !== 'INVITE') return outside(request, server, from, known);
    const host = transport.addressFor(from.host);
    if (host !== undefined) return onInvite(request, server, from, known, host);
    let cancelled = false;
    server.onCancel = () => {
      cancelled = true;
      server.respond(487);
    };
    transport.learnAddress(from.host).then((learned) => { if (!cancelled) onInvite(request, server, from, known, learned ?? from.local.host); }, () => server.respond(500));
  }

  /** Requests that belong to no dialog. */
  function outside(request: Message, server: ServerTransaction, from: Flow, known: Registering | undefined): void {
    const { method } = request;
    if (method === 'OPTIONS') return server.respond(200, { headers: [['Allow', ALLOW], ['Accept', TYPES.join(', ')], ['Supported', EXTENSIONS.join(', ')]] }); // §11.2
    if (!closing && offered(request, server, from, known)) return;
    const event = method === 'NOTIFY' ? (text(request, 'event') ?? '').split(';')[0]!.trim().toLowerCase() : '';
    // What a server may do to a phone by check-sync, talk and hold is refused by name: nobody asked (RFC 6665 §8.3.2)
    if (method === 'SUBSCRIBE' || (event !== '' && !EVENTS.split(', ').includes(event))) return server.respond(489, { headers: [['Allow-Events', EVENTS]] });
    if (method === 'MESSAGE' || method === 'REFER') return server.respond(403);
    if (METHODS_ALLOWED.includes(method)) return server.respond(481);
    server.respond((METHODS as readonly string[]).includes(method) ? 405 : 501, { headers: [['Allow', ALLOW]] });
  }

  /** True when the owner took it, or its credentials were stale. */
  function offered(request: Message, server: ServerTransaction, from: Flow, known: Registering | undefined): boolean {
    if (handlers.onRequest === undefined) return false;
    const source = sourceOf(request, server, from, accountFor(request, known)?.heard(from) ?? known);
    return source === undefined || handlers.onRequest(request, server, source, () => server.respond(401, { headers: digest.challenge(request) }));
  }

  /** The account that a request through the server of `known` is for. */
  function accountFor(request: Message, known: Registering | undefined): Registering | undefined {
    const users = [parseUri(requestUri(request))?.user, parseUri(nameAddr(request, 'to')?.uri ?? '')?.user];
    return [...(known === undefined ? [] : [known]), ...accounts].find((a) => users.includes(a.options.user)) ?? known;
  }

  /** Undefined when the credentials were stale, which is answered. */
  function sourceOf(request: Message, server: ServerTransaction, from: Flow, registeredServer: Registering | undefined): Source | undefined {
    let authenticated: string | undefined;
    if (handlers.passwordOf !== undefined) {
      const verdict = digest.verify(request, handlers.passwordOf);
      if (verdict.verdict === 'stale') return void server.respond(401, { headers: digest.challenge(request, true) });
      if (verdict.verdict === 'ok') authenticated = verdict.user;
    }
    return { peer: { host: from.host, port: from.port }, transport: from.transport, registeredServer, authenticated };
  }

  function onInvite(request: Message, server: ServerTransaction, from: Flow, known: Registering | undefined, host: string): void {
    if (closing || calls.size >= CALLS_MOST) return server.respond(closing ? 480 : 486);
    if (tooShort(request)) return server.respond(422, { headers: MIN_SE_LINE });
    const replaces = replacedBy(request);
    if (typeof replaces === 'number') return server.respond(replaces);
    if (dialogOfRequest(request, server.toTag) === undefined) return server.respond(400, { reason: 'Bad contact Header' });
    const named = accountFor(request, known), vouching = named?.heard(from), account = vouching ?? named;
    const source = sourceOf(request, server, from, vouching ?? known);
    if (source === undefined) return;
    const call = new CallUnit(ua, {
      account, remote: partyOf(nameAddr(request, 'from')!), localHost: host, user: vouching !== undefined && isWhole(vouching.contact) ? vouching.contact : plain(parseUri(requestUri(request))?.user ?? ''), callId: text(request, 'call-id') ?? '', invite: request, server, replaces,
    });
    calls.set(call.localTag, call);
    server.onCancel = (cancel) => call.onCancel(request, cancel);
    handlers.onIncoming(call, source, () => {
      if (call.withdraw()) server.respond(401, { headers: digest.challenge(request) });
    });
  }

  /** The call that an INVITE with Replaces takes over, undefined without one, or the status that refuses it (RFC 3891 §3). */
  function replacedBy(request: Message): CallUnit | number | undefined {
    const lines = texts(request, 'replaces');
    if (lines.length === 0) return undefined;
    const wanted = lines.length === 1 ? parseReplaces(lines[0]!) : undefined;
    if (wanted === undefined) return 400;
    const call = calls.get(wanted.toTag);
    if (call === undefined || call.callId !== wanted.callId) return 481;
    if (!call.isWith(wanted.fromTag)) return 481;
    if (call.state === 'ended') return 603;
    if (call.state === 'established') return wanted.earlyOnly ? 486 : call;
    return call.direction === 'out' && call.dialog !== undefined ? call : 481; // an early dialog only when we began it
  }

  /** What a person or a REFER names: SIP or tel URI, user@host, or with an account a bare user. */
  function readTarget(target: string, account: AccountUnit | undefined): ReturnType<typeof parseUri> {
    const words = target.trim(), read = parseUri(words);
    if (read?.scheme === 'tel') return account && { ...parseUri(account.address)!, user: read.user };
    if (read !== undefined) return asHeaders(read);
    if (words === '' || /[\s<>"\r\n\0]/.test(words) || /^\w+:[^\d]/.test(words)) return undefined;
    if (words.includes('@')) return parseUri(`sip:${words}`);
    return account && { ...parseUri(account.address)!, user: words };
  }

  /** The account at the server that serves it now. */
  const unitOf = (account: Account | undefined): Registering | undefined => account && accounts.find((a) => a === account || a.backup === account)?.serving;

  function call(wanted: CallOptions): CallUnit {
    const account = unitOf(wanted.account);
    const uri = readTarget(wanted.target, account);
    if (uri === undefined) throw new PhoneError('BAD_ADDRESS', `"${wanted.target}" is no address to call`);
    checkHeaders(wanted.headers ?? [], `${wanted.displayName ?? ''}${wanted.user ?? ''}${wanted.replaces ?? ''}`);
    const address = formatUri(asRequestUri(uri)), replaces = wanted.replaces ?? uri.headers.get('replaces');
    const user = plain(wanted.user ?? 'phone'), hidden = wanted.anonymous ?? account?.options.anonymous ?? false;
    const unit = new CallUnit(ua, {
      account, remote: partyOf({ uri: address, display: '' }), localHost: '', user: hidden ? account?.temporary ?? '' : account?.contact ?? user, callId: ua.token(),
    });
    calls.set(unit.localTag, unit);
    const headers: Headers = [...(wanted.headers ?? []), ...(hidden ? hiding(account) : []), ...(replaces === undefined ? [] : [['Replaces', replaces], ['Require', 'replaces']] as const)];
    unit.dial(address, wanted.offer, headers, hidden ? () => ANONYMOUS : account === undefined
      ? (host) => formatNameAddr(wanted.displayName ?? '', formatUri(sipUri(user, host, transport.local.port))) : () => account.from);
    return unit;
  }

  return {
    accounts, ua,
    get calls() { return [...calls.values()].filter((c) => c.state !== 'ended'); },
    get local() { return transport.local; },
    async start() {
      await transport.start();
      started = true;
      for (const account of accounts) account.start();
    },
    addAccount(account) {
      const unit = new Registering(ua, account, ways, options.instance);
      const remove = unit.remove.bind(unit);
      unit.remove = () => {
        const at = accounts.indexOf(unit);
        if (at >= 0) accounts.splice(at, 1);
        return remove();
      };
      accounts.push(unit);
      if (started) unit.start();
      return unit;
    },
    call,
    async localHostFor(target, account?: Account) {
      const unit = unitOf(account), uri = unit === undefined ? readTarget(target, undefined) : undefined;
      const place = unit?.place ?? (uri && placeOf(formatUri(uri)));
      const hops = place === undefined ? [] : await locator.locate(place).catch(() => []);
      for (const hop of unit?.hop === undefined ? hops : [unit.hop, ...hops]) {
        const host = await transport.learnAddress(hop.host).catch(() => undefined);
        if (host !== undefined) return host;
      }
      return undefined;
    },
    options: (target) => new Promise((resolve, reject) => {
      const uri = readTarget(target, undefined), tag = ua.token();
      if (uri === undefined) return reject(new PhoneError('BAD_ADDRESS', `"${target}" is no address`));
      const address = formatUri(asRequestUri(uri));
      ua.request({
        method: 'OPTIONS', path: { uri: address, routes: [], hop: address }, from: (host) => `<${formatUri(sipUri('phone', host, transport.local.port))}>;tag=${tag}`,
        to: `<${address}>`, callId: ua.token(), seq: () => 1, contact: 'phone', headers: [['Accept', TYPES.join(', ')]],
        on: ({ response, failure }) => {
          if (response === undefined) resolve(failure === 'server silent' ? 408 : 503);
          else if (response.status >= 200) resolve(response.status);
        },
      });
    }),
    networkChanged() {
      transport.networkChanged();
      locator.expire();
      for (const account of accounts) account.refresh();
    },
    async close() {
      closing = true;
      const gone = [...accounts].map((account) => account.remove());
      const idle = new Promise<void>((resolve) => {
        if (calls.size === 0) resolve();
        else onIdle = resolve;
      });
      for (const unit of [...calls.values()]) {
        if (unit.direction === 'in' && unit.state === 'ringing') unit.reject(480);
        else unit.hangUp();
      }
      let stop = (): void => undefined;
      await Promise.race([Promise.all([...gone, idle]), new Promise<void>((resolve) => { stop = clock.after(CLOSE_MS, resolve); })]);
      stop();
      transactions.close();
      transport.close();
    },
  };
}

/** A URI as dialled keeps only the header that a transfer needs (RFC 3261 §19.1.5: others could forge). */
function asHeaders(uri: NonNullable<ReturnType<typeof parseUri>>): typeof uri {
  const replaces = uri.headers.get('replaces');
  return { ...asRequestUri(uri), headers: replaces === undefined ? NONE : new Map([['replaces', replaces]]) };
}

function partyOf({ uri, display }: { readonly uri: string; readonly display: string }): Party {
  const read = parseUri(uri);
  return { uri, user: read?.user ?? '', host: read?.host ?? '', display };
}
