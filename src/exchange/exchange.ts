// The exchange: a registrar and a stateful forking proxy for the phones of one house (RFC 3261 §10.3, §16). Everybody proves who he is;
// calls go from one of its users to others and nowhere else. No media, no names looked up, nothing kept on disk.
//
//   transport -> transactions -> [ checks of §16.3 | own Routes off §16.4 ] -> REGISTER: registrar
//                                                                          -> of a dialog we know: on along its route
//                                                                          -> else: who is it (407), whom does it ring (plan), fork

import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Network } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { Transport } from '../sip/agent-types.ts';
import type { Headers } from '../sip/build.ts';
import { DigestServer, digestResponse } from '../sip/digest.ts';
import type { Verdict } from '../sip/digest.ts';
import { countOf, formatNameAddr, nameAddr, parseCredentials, tagOf, tokens, topVia, unknownRequired } from '../sip/headers.ts';
import { randomToken } from '../sip/matching.ts';
import { text, texts } from '../sip/message.ts';
import type { Message } from '../sip/message.ts';
import { Transactions } from '../sip/transactions.ts';
import type { ServerTransaction } from '../sip/transactions.ts';
import { TransportLayer } from '../sip/transport.ts';
import type { Destination, Flow } from '../sip/transport.ts';
import { formatUri, hostPort, isSips, parseUri, sipUri } from '../sip/uri.ts';
import type { Uri } from '../sip/uri.ts';
import { forwarded } from './edit.ts';
import { CLAIMED, Fork } from './fork.ts';
import { Guesses } from './guesses.ts';
import type { Plan, Target } from './fork.ts';
import { numberOf, planFor } from './plan.ts';
import type { Book } from './plan.ts';
import { Registrar, connectionOf, hopOf, isSecure, portOf, wayTo } from './registrar.ts';
import type { Binding } from './registrar.ts';
import { branchOf, loopMark, looped, preprocess, recordRoute, sealOf, uriIn } from './route.ts';
import type { Routed } from './route.ts';
import type { ExchangeSettings, ExchangeStatus } from './types.ts';

export interface ExchangePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: Network;
}

export interface ExchangeOptions {
  readonly host: string;
  readonly port: number;
  /** Further ports, for TLS, WebSocket and that over TLS; 0 or left out: none. */
  readonly tlsPort?: number | undefined;
  readonly wsPort?: number | undefined;
  readonly wssPort?: number | undefined;
  readonly userAgent: string;
  readonly settings: () => ExchangeSettings;
  /** Names and addresses of this machine: a request to one of them is for us. */
  readonly names: () => readonly string[];
  /** Where bindings are kept over a restart. */
  readonly memory?: { read(): Promise<string | undefined>; write(text: string): void } | undefined;
  /** Seals Via and Record-Route; the same after a restart, dialogs go on. Made anew when it is not given. */
  readonly key?: Uint8Array | undefined;
  readonly trace?: (direction: 'in' | 'out', bytes: Uint8Array, peer: { readonly host: string; readonly port: number }, transport: Transport) => void;
  /** Somebody came, went, or is called. */
  readonly onChange?: () => void;
}

export interface Exchange {
  /** Rejects with PhoneError PORT_IN_USE or ADDRESS_NOT_LOCAL. */
  start(): Promise<void>;
  status(): ExchangeStatus;
  /** Users who are gone from the settings, or have another password, are unregistered. */
  settingsChanged(): void;
  networkChanged(): void;
  close(): void;
}

/** A challenge is good this long for one Call-ID: a phone that registers every few minutes is asked once. */
const NONCE_MS = 300_000;
/** Open server transactions beyond which requests get 503; finished ones that are kept for stragglers. */
const LIMIT = 500, LINGERING = 512;
/** Refusals of one address are logged no oftener. */
const LOG_REFUSALS_MS = 60_000;
/** Who came or went is written down soon; who only renewed, now and then: memory cards wear out. */
const SAVE_MS = { change: 2_000, renewal: 300_000 } as const;
/** Requests that make a dialog, in which later ones shall come through us (RFC 3261 §16.6 step 4, RFC 6665, RFC 3515). */
const DIALOG_FORMING = ['INVITE', 'SUBSCRIBE', 'NOTIFY', 'REFER'];
const MAX_FORWARDS = 70;

export function createExchange(ports: ExchangePorts, options: ExchangeOptions): Exchange {
  const { clock, random, log } = ports;
  const settings = options.settings;
  const seal = sealOf(options.key ?? random.bytes(32));
  const { host, port, tlsPort, wsPort, wssPort } = options;
  const transport = new TransportLayer(ports, { listen: { host, port }, tcp: true, trace: options.trace });
  const doors = ([['tls', tlsPort], ['ws', wsPort], ['wss', wssPort]] as const).flatMap(([kind, at = 0]) => (at === 0 ? [] : [{ transport: kind, port: at }]));
  const encrypts = doors.some(isSecure);
  const transactions = new Transactions(ports, transport, { onRequest, onAck, onFlowFailed }, { limit: LIMIT, lingering: LINGERING, proxy: true });
  const refusals = new Map<string, number>();
  const guesses = new Guesses(clock);
  const forks = new Set<Fork>();
  let ringing = 0;
  let digest: DigestServer | undefined;

  let saveAtMs = Infinity;
  let stopSaving: (() => void) | undefined;
  function saveWithin(ms: number): void {
    if (options.memory === undefined || clock.now() + ms >= saveAtMs) return;
    stopSaving?.();
    saveAtMs = clock.now() + ms;
    stopSaving = clock.after(ms, save);
  }
  function save(): void {
    if (saveAtMs === Infinity) return;
    stopSaving?.();
    saveAtMs = Infinity;
    options.memory?.write(registrar.save());
  }

  const registrar = new Registrar(clock, {
    onChange: () => saveWithin(SAVE_MS.renewal),
    onRegistered(binding) {
      saveWithin(SAVE_MS.change);
      log.info({ user: binding.user, address: addressOf(binding), transport: binding.flow.transport, agent: binding.userAgent }, 'exchange registered');
      options.onChange?.();
    },
    onUnregistered(binding, why) {
      saveWithin(SAVE_MS.change);
      log.info({ user: binding.user, address: addressOf(binding), why }, 'exchange unregistered');
      options.onChange?.();
    },
  });

  // -- names

  const realm = (): string => settings().domain || 'offhook';
  const digestOf = (): DigestServer => (digest?.realm === realm() ? digest : digest = new DigestServer(clock, random, realm(), NONCE_MS));
  const passwordOf = (user: string): string | undefined => settings().users.find((u) => u.user === user && u.password !== '')?.password;

  const passwordsNow = (): ReadonlyMap<string, string> => new Map(settings().users.map((u) => [u.user, u.password]));
  let passwords = passwordsNow();

  const isPortOfOurs = (at: number): boolean => at === transport.local.port || doors.some((door) => door.port === at);

  /** A name or address of ours, as `flow` may have it, with our port or none. */
  function isOurs(uri: Uri, flow: Flow): boolean {
    if (uri.scheme === 'tel') return false;
    if (uri.port !== undefined && !isPortOfOurs(uri.port)) return false;
    const { host } = uri;
    return host === settings().domain.toLowerCase() || host === transport.addressFor(flow.host) || host === options.host || options.names().includes(host);
  }

  /** A Contact or target that leads back here. */
  const isHere = (uri: Uri, flow: Flow): boolean => isOurs(uri, flow) && isPortOfOurs(portOf(uri));

  const isOpen = (to: Destination): boolean => transport.isOpen(to);
  /** Who can be called by a sips: address: every hop there is encrypted. */
  const isReachedSecurely = (binding: Binding): boolean => binding.path.length === 0 && isSecure(binding.flow);

  const bookFor = (flow: Flow, sips: boolean): Book => ({
    settings: settings(), sips,
    domain: domainFor(flow),
    phonesOf: (user) => (sips ? registrar.of(user).filter(isReachedSecurely) : registrar.of(user)),
    wayTo: (binding) => wayTo(binding, isOpen),
    numberIn(address) {
      const uri = parseUri(address);
      if (uri === undefined || (uri.scheme !== 'tel' && !isOurs(uri, flow))) return undefined;
      const number = numberOf(address);
      return isKnown(number) ? number : undefined;
    },
  });
  const isKnown = (number: string): boolean => settings().users.some((u) => u.user === number) || settings().groups.some((g) => g.number === number);
  const addressTo = (flow: Flow): string => transport.addressFor(flow.host) ?? flow.local.host;
  const domainFor = (flow: Flow): string => settings().domain || addressTo(flow);

  // -- what comes in

  function onRequest(request: Message, server: ServerTransaction, from: Flow): void {
    if (transport.addressFor(from.host) !== undefined) return accept(request, server, from);
    server.onCancel = () => server.respond(487);
    transport.learnAddress(from.host).then(() => { if (server.open) accept(request, server, from); }, () => server.respond(500));
  }

  function accept(request: Message, server: ServerTransaction, from: Flow): void {
    const routed = preprocess(seal, request, (uri) => isOurs(uri, from));
    const uri = parseUri(routed.uri);
    if (uri === undefined || (uri.scheme === 'sips' && !encrypts)) return server.respond(416); // §16.3 step 2, RFC 5630 §5.3
    if (uri.scheme === 'sips' && !isSecure(from)) return refuse(server, 403, 'SIPS Comes Over TLS'); // RFC 3261 §26.2.2
    const forUs = uri.user === '' && isOurs(uri, from);
    const hopsLeft = countOf(request, 'max-forwards') ?? MAX_FORWARDS;
    if (hopsLeft === 0 && !forUs) return server.respond(483); // §16.3 step 3; who is meant himself may answer
    if (looped(seal, request)) return refuse(server, 482); // §16.3 step 4
    const unsupported = tokens(request, 'proxy-require');
    if (unsupported.length > 0) return server.respond(420, { headers: [['Unsupported', unsupported.map((t) => t.replace(/[^!-~]/g, '?')).join(', ')]] }); // §16.3 step 5

    if (routed.inDialog) return forward(request, server, from, routed, alongRoute(routed, from), '');
    if (request.method === 'REGISTER') return register(request, server, from, uri);
    if (forUs) return answer(request, server);
    const caller = prove(request, server, from);
    if (caller === undefined) return;
    if (routed.routes.length > 0) return refuse(server, 403, 'No Relay');
    const plan = reach(uri, routed.uri, caller, request, from);
    if (plan === undefined) return refuse(server, 403, 'No Relay');
    forward(request, server, from, routed, plan, caller);
  }

  /** ACK of a 2xx (RFC 3261 §16.11 and §13.2.2.4): on along its route, statelessly; any other is nobody's. */
  function onAck(ack: Message, from: Flow): void {
    const routed = preprocess(seal, ack, (uri) => isOurs(uri, from));
    const hopsLeft = countOf(ack, 'max-forwards') ?? MAX_FORWARDS;
    if (!routed.inDialog || hopsLeft === 0 || looped(seal, ack) || (isSips(routed.uri) && !isSecure(from))) return;
    const [target] = alongRoute(routed, from).next(undefined);
    const to = target?.to;
    if (target === undefined || to === undefined) return;
    const whole = wholeOf(ack, from, target, to, [['Max-Forwards', String(hopsLeft - 1)]]);
    const branch = branchOf(seal(`ack ${topVia(ack)?.params.get('branch') ?? ''}`), loopMark(seal, ack)); // the same for the same ACK
    transport.learnAddress(to.host).then(() => {
      const via = transport.via(to, branch);
      if (via !== undefined) transport.send(whole(via), to);
    }, (error: unknown) => log.debug({ why: String(error) }, 'ACK without a way'));
  }

  function onFlowFailed(to: Destination): void {
    if (to.transport !== 'udp') registrar.flowFailed(to);
  }

  // -- requests to the exchange itself

  function answer(request: Message, server: ServerTransaction): void {
    if (request.method === 'OPTIONS') return server.respond(200, { headers: [['Allow', 'OPTIONS, REGISTER'], ['Accept', 'application/sdp'], ['Supported', 'path, outbound'], ['Server', options.userAgent]] });
    server.respond(request.method === 'INVITE' ? 404 : 405, { headers: [['Allow', 'OPTIONS, REGISTER']] });
  }

  /** RFC 3261 §10.3 steps 1 to 5; the rest is the registrar's. */
  function register(request: Message, server: ServerTransaction, from: Flow, uri: Uri): void {
    if (!isOurs(uri, from)) return refuse(server, 403, 'No Relay');
    const unknown = unknownRequired(request, ['path', 'outbound']);
    if (unknown.length > 0) return server.respond(420, { headers: [['Unsupported', unknown.map((t) => t.replace(/[^!-~]/g, '?')).join(', ')]] });
    const verdict = verdictOf(request, 'authorization', from);
    if (verdict.verdict === 'too often') return tooOften(server, verdict.waitMs);
    if (verdict.verdict !== 'ok') {
      if (verdict.verdict === 'wrong') logRefusal(from, 'wrong user or password', request);
      return server.respond(401, { headers: challenge(request, 'to', verdict.verdict === 'stale') });
    }
    const address = parseUri(nameAddr(request, 'to')?.uri ?? '');
    if (address === undefined || !isOurs(address, from)) return server.respond(404);
    if (address.user !== verdict.user) return refuse(server, 403, 'Each User Registers Himself');
    const contacts = texts(request, 'contact').map((c) => parseUri(uriIn(c)));
    if (contacts.some((c) => c !== undefined && isHere(c, from))) return refuse(server, 403, 'Contact Is This Exchange');
    if (texts(request, 'via').length > 1 && contacts.length > 0 && texts(request, 'contact').some((c) => /;\s*reg-id\s*=/i.test(c)) && !texts(request, 'path').some((p) => /;ob\b/.test(p))) {
      return server.respond(439); // the first hop keeps no flow, RFC 5626 §6
    }
    const { status, reason, headers } = registrar.register(request, verdict.user, from);
    server.respond(status, { reason, headers });
  }

  // -- who it is

  /**
   * What the credentials in `header` are worth. Right ones for a nonce of another call, or of before a restart, are stale (RFC 7616 §3.3): phones
   * that use a nonce again are then neither told that their password is wrong nor logged for it.
   */
  function verdictOf(request: Message, header: 'authorization' | 'proxy-authorization', { host }: Flow): Verdict | { readonly verdict: 'too often'; readonly waitMs: number } {
    const given = texts(request, header).map((line) => parseCredentials(line)?.params).find((params) => params?.get('realm') === realm());
    const p = (name: string): string => given?.get(name) ?? '';
    const user = p('username'), password = passwordOf(user), counted = password === undefined ? '' : user;
    const waitMs = given === undefined ? 0 : guesses.waitMs(host, counted);
    if (waitMs > 0) return { verdict: 'too often', waitMs };
    const verdict = digestOf().verify(request, passwordOf, header);
    if (verdict.verdict === 'ok') guesses.right(host, counted);
    if (verdict.verdict !== 'wrong' || given === undefined) return verdict;
    const expected = password === undefined ? undefined
      : digestResponse({ user, password, realm: realm(), nonce: p('nonce'), method: request.method, uri: p('uri'), algorithm: p('algorithm'), qop: p('qop'), nc: p('nc'), cnonce: p('cnonce') });
    const response = Buffer.from(p('response').toLowerCase());
    if (expected !== undefined && response.length === expected.length && timingSafeEqual(response, Buffer.from(expected))) return { verdict: 'stale' };
    guesses.wrong(host, counted);
    return verdict;
  }

  /** Answered without a look at the credentials; a phone whose password is right by now comes again. */
  function tooOften(server: ServerTransaction, waitMs: number): void {
    logRefusal(server.from, 'too many wrong passwords', server.request);
    server.respond(503, { headers: [['Retry-After', String(Math.ceil(waitMs / 1_000))]] });
  }

  /** Challenges for the user whom `who` names. */
  function challenge(request: Message, who: 'from' | 'to', stale: boolean): Headers {
    const name = parseUri(nameAddr(request, who)?.uri ?? '')?.user;
    const all = digestOf().challenge(request, stale);
    return settings().users.find((u) => u.user === name)?.digest === 'MD5' ? all.filter(([, value]) => value.includes('algorithm=MD5')) : all;
  }

  /** The user who proves by digest to have sent `request`; undefined when it was answered 407 or 403 (RFC 3261 §22.3). */
  function prove(request: Message, server: ServerTransaction, from: Flow): string | undefined {
    const verdict = verdictOf(request, 'proxy-authorization', from);
    if (verdict.verdict === 'too often') return void tooOften(server, verdict.waitMs);
    if (verdict.verdict !== 'ok') {
      if (verdict.verdict === 'wrong') logRefusal(from, 'wrong user or password', request);
      server.respond(407, { headers: challenge(request, 'from', verdict.verdict === 'stale').map(([, value]) => ['Proxy-Authenticate', value] as const) });
      return undefined;
    }
    const claimed = parseUri(nameAddr(request, 'from')?.uri ?? '');
    if (claimed?.user === verdict.user && isOurs(claimed, from)) return verdict.user;
    refuse(server, 403, 'From Is Not Who Proved It');
    return undefined;
  }

  function refuse(server: ServerTransaction, status: number, reason?: string): void {
    logRefusal(server.from, reason?.toLowerCase() ?? 'loop', server.request);
    server.respond(status, { reason });
  }

  function logRefusal(from: Flow, why: string, request: Message): void {
    const now = clock.now();
    if (now - (refusals.get(from.host) ?? -Infinity) < LOG_REFUSALS_MS) return;
    if (refusals.size >= 64) refusals.clear();
    refusals.set(from.host, now);
    log.warn({ from: hostPort(from.host, from.port), why, method: request.method, as: (nameAddr(request, 'from')?.uri ?? '').slice(0, 80) }, 'exchange refused');
  }

  // -- where it goes

  /** What a request from `caller` to `uri` rings; undefined when that is none of our numbers or phones. */
  function reach(uri: Uri, address: string, caller: string, request: Message, from: Flow): Plan | undefined {
    const told = /\b(history|header|session)\b/i.test(text(request, 'privacy') ?? '') ? undefined : texts(request, 'history-info');
    if (uri.scheme === 'tel' || isOurs(uri, from)) return planFor(bookFor(from, uri.scheme === 'sips'), numberOf(address), caller, request.method === 'INVITE' ? told : undefined);
    // The very phone, by its Contact: attended transfer asks for that (RFC 3891 §3)
    const binding = registrar.at(uri);
    return binding === undefined ? undefined : alone(targetAt(binding, address));
  }

  const targetAt = (binding: Binding, uri: string): Target =>
    ({ user: binding.user, uri, routes: binding.path, to: isSips(uri) && !isReachedSecurely(binding) ? undefined : wayTo(binding, isOpen), headers: [] });

  /** The next hop of a request in a dialog: its next Route, else its target, a phone of ours or an address (RFC 3261 §16.6 steps 6 and 7). */
  function alongRoute({ uri, routes }: Routed, from: Flow): Plan {
    const next = routes[0];
    if (next !== undefined) {
      const hop = uriIn(next), to = isSips(uri) ? undefined : hopOf(hop);
      if (parseUri(hop)?.params.has('lr') !== false) return alone({ user: '', uri, routes, to, headers: [] });
      return alone({ user: '', uri: hop, routes: [...routes.slice(1), `<${uri}>`], to, headers: [] }); // a strict router
    }
    const target = parseUri(uri);
    const binding = target === undefined ? undefined : registrar.at(target);
    if (binding !== undefined) return alone(targetAt(binding, uri));
    return target !== undefined && isHere(target, from) ? alone(undefined) : alone({ user: '', uri, routes: [], to: hopOf(uri) ?? connectionOf(uri, isOpen), headers: [] });
  }

  const alone = (target: Target | undefined): Plan =>
    ({ next: (given) => (given === undefined && target !== undefined ? [target] : []), goesOn: false, redirected: () => undefined, status: 404 });

  /** What makes the bytes that go to `target`, our Via given. */
  function wholeOf(request: Message, from: Flow, target: Target, to: Destination, more: Headers): (via: string) => Buffer {
    return (via) => {
      const top: (readonly [string, string])[] = [];
      if (DIALOG_FORMING.includes(request.method) && tagOf(request, 'to') === undefined) {
        const here = recordRoute(seal, request, addressTo(from), transport.portFor(from.transport), from);
        const there = recordRoute(seal, request, transport.addressFor(to.host) ?? addressTo(from), transport.portFor(to.transport), to);
        top.push(['Record-Route', there]);
        if (here !== there) top.push(['Record-Route', here]); // one for each side, RFC 5658
      }
      top.push(...target.routes.map((route) => ['Route', route] as const), ...target.headers, ...more);
      return forwarded(request, { uri: target.uri, top, without: ['route', 'max-forwards', 'max-breadth', ...(target.headers.some(([name]) => name === 'History-Info') ? ['history-info'] : []), ...CLAIMED], peer: from, realm: realm() }, via);
    };
  }

  /** RFC 3261 §16.6. `caller` is who proved himself, '' within a dialog. */
  function forward(request: Message, server: ServerTransaction, from: Flow, { uri }: Routed, plan: Plan, caller: string): void {
    const mark = loopMark(seal, request);
    const hopsLeft = (countOf(request, 'max-forwards') ?? MAX_FORWARDS + 1) - 1;
    const identity = caller === '' || /\bid\b/i.test(text(request, 'privacy') ?? '') ? [] : [['P-Asserted-Identity', identityOf(caller, from)] as const]; // RFC 3325 §5, §7
    const isCall = request.method === 'INVITE' && caller !== '';
    const fork = new Fork({
      clock,
      send: (target, breadth, user) => transactions.send(
        { method: request.method, uri: target.uri, headers: [], whole: wholeOf(request, from, target, target.to, [['Max-Forwards', String(hopsLeft)], ['Max-Breadth', String(breadth)], ...identity]) },
        target.to, user, false, branchOf(randomToken(random), mark),
      ),
      onEnd(status, by) {
        if (!isCall) return;
        ringing--;
        log.info({ from: caller, to: numberOf(uri), status: status ?? 0, ...(by === '' ? {} : { by }) }, 'exchange call');
        options.onChange?.();
      },
      onGone: () => { forks.delete(fork); },
    }, server, plan, settings().noAnswerS * 1_000);
    forks.add(fork);
    if (isCall) ringing++;
    fork.start();
  }

  const identityOf = (user: string, from: Flow): string =>
    formatNameAddr(settings().users.find((u) => u.user === user)?.displayName ?? '', formatUri(sipUri(user, domainFor(from))));

  return {
    async start() {
      const saved = await options.memory?.read();
      if (saved !== undefined) registrar.load(saved, new Set(settings().users.map((u) => u.user)));
      await transport.start();
      try {
        for (const { transport: kind, port: at } of doors) await transport.open(kind, at);
      } catch (error) {
        transport.close();
        throw error;
      }
    },
    status: () => ({
      listening: hostPort(transport.local.host, transport.local.port), doors,
      ringing,
      users: settings().users.map(({ user, displayName }) => ({
        user, displayName,
        phones: registrar.of(user).map((b) => ({
          address: addressOf(b), transport: b.flow.transport, userAgent: b.userAgent, since: b.since, expiresS: Math.ceil((b.untilMs - clock.now()) / 1_000),
        })),
      })),
    }),
    settingsChanged() {
      const before = passwords;
      passwords = passwordsNow();
      registrar.drop((user) => (!settings().users.some((u) => u.user === user) ? 'user removed' : passwords.get(user) === before.get(user) ? undefined : 'password changed'));
    },
    networkChanged: () => transport.networkChanged(),
    close() {
      for (const fork of forks) fork.close();
      save();
      transactions.close();
      registrar.close();
      transport.close();
    },
  };
}

const addressOf = ({ flow }: Binding): string => hostPort(flow.host, flow.port);
