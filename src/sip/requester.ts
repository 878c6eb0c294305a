// Sends a request: locates where it goes, writes the headers every request of ours has, answers challenges, goes on to the next hop
// (RFC 3261 §8.1, §22; RFC 3263 §4.3). What the response means is the asker's.
//
//   hop 1 --silent for 2.5 s, refused, 503--> hop 2 --...--> the last hop: as long as the RFC's timers say
//   over TCP for its size --refused, no connection in 1.5 s--> the same hop over UDP

import { PhoneError } from '../ports/errors.ts';
import type { Transport } from './agent-types.ts';
import type { Headers } from './build.ts';
import type { DigestClient, Learned } from './digest.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Hop, Locator, Place } from './locate.ts';
import { find, type Message } from './message.ts';
import type { ClientTransaction, ClientUser, Transactions } from './transactions.ts';
import type { Failure, TransportLayer } from './transport.ts';
import type { Ask, SendFailure, Sent, Ua } from './ua.ts';
import type { Dialog } from './dialog.ts';
import { dialogOfResponse, pathOf } from './dialog.ts';
import { retryAfterOf } from './headers.ts';
import { isSips, parseUri, plainHost } from './uri.ts';

export interface RequesterParts {
  readonly transport: TransportLayer;
  readonly transactions: Transactions;
  readonly locator: Locator;
  readonly clock: Clock;
  readonly log: Log;
  readonly userAgent: string;
  readonly contact: Ua['contact'];
}

const ROUNDS = 4;
/** Silence, not even a 100, after which the next hop is tried: four copies of the request are out by then. Longer when that one failed lately. */
const SILENT_MS = 2_500, SILENT_LAST_MS = 4_000;
/** Silence after which it is worth asking whether the port is closed. Not where it is the only hop: a router may refuse what comes from another port. */
const DOUBT_MS = 500;
/** For a TCP connection that only the size asked for; and for how long UDP alone is believed in after that. */
const GROWN_MS = 1_500, UDP_ALONE_MS = 3_600_000;
const RETRY_AFTER_MOST_S = 600;
const TRANSPORTS = ['udp', 'tcp', 'tls', 'ws', 'wss'];
const FAILURES: Readonly<Record<Failure['why'], SendFailure>> = {
  refused: 'server refused', 'no route': 'no network', 'no connection in time': 'server silent', 'connection closed': 'server refused',
  'not trusted': 'not trusted',
};

/** Throws PhoneError BAD_HEADER when a header line of the owner's, or `words` of his, cannot be sent. */
export function checkHeaders(headers: Headers, words = ''): void {
  for (const [name, value] of [...headers, ['From', words] as const]) {
    if (!/^[\w.!%*+`'~-]+$/.test(name) || /[\r\n\0]/.test(value)) throw new PhoneError('BAD_HEADER', `the header "${name.replace(/[\r\n\0]/g, ' ')}" cannot be sent`);
  }
}

/** Where a URI leads (RFC 3263 §4.1), sips: over TLS alone (RFC 3261 §26.2.2); undefined for tel: and what is none. */
export function placeOf(text: string): Place | undefined {
  const uri = parseUri(text);
  if (uri === undefined || uri.scheme === 'tel') return undefined;
  const { params, host, port, scheme } = uri, asked = params.get('transport')?.toLowerCase() ?? '', sips = scheme === 'sips';
  const transport = sips ? (asked[0] === 'w' ? 'wss' : 'tls') : TRANSPORTS.includes(asked) ? asked : undefined;
  return { host: plainHost(params.get('maddr') ?? host), port, transport: transport as Transport | undefined };
}

/** The hop for what is too large for UDP (RFC 3261 §18.1.1). */
const grown = (hop: Hop): Hop => ({ transport: 'tcp', host: hop.host, port: hop.port });

export function sendRequest(parts: RequesterParts, ask: Ask): Sent {
  const sending = new Sending(parts, ask);
  sending.start();
  return sending;
}

/** ACK of a 2xx; the function sends it again. */
export function sendAck(parts: RequesterParts, dialog: Dialog, seq: number, headers: Headers, body?: Uint8Array): () => void {
  const { uri, routes, hop } = pathOf(dialog), place = placeOf(hop), { log } = parts;
  let again: (() => void) | undefined;
  const send = (): void => {
    if (again !== undefined) return again();
    if (place === undefined) return;
    parts.locator.locate(place).then((hops) => {
      if (hops[0] === undefined || again !== undefined) return;
      const lines = common(dialog.from, dialog.to, dialog.callId, seq, 'ACK', routes, parts.userAgent);
      again = parts.transactions.sendAck({ method: 'ACK', uri, headers: [...lines, ...headers], body }, hops[0]);
    }).catch((error: unknown) => log.debug({ call: dialog.callId, why: String(error) }, 'ACK not sent')); // the next 2xx asks again
  };
  send();
  return send;
}

function common(from: string, to: string, callId: string, seq: number, method: string, routes: readonly string[], userAgent: string): [string, string][] {
  return [
    ...routes.map((route): [string, string] => ['Route', route]), ['From', from], ['To', to], ['Call-ID', callId], ['CSeq', `${seq} ${method}`], ['User-Agent', userAgent],
  ];
}

/** Takes in a 401 or 407; a request that went without credentials was not refused, whatever else the nonce was used for meanwhile. */
export function learn(credentials: DigestClient | undefined, response: Message, sent: Headers): Learned {
  const learned = credentials?.learn(response) ?? 'unsupported';
  return learned === 'refused' && sent.length === 0 ? 'retry' : learned;
}

class Sending implements Sent {
  seq = 0;
  from = '';
  authorization: Headers = [];
  hop: Hop | undefined;
  onTheWay = false;
  readonly #parts: RequesterParts;
  readonly #ask: Ask;
  #hops: readonly Hop[] = [];
  #at = 0;
  #rounds = 0;
  #client: ClientTransaction | undefined;
  /** When it went out, -1 once anything was heard of it. */
  #sentMs = -1;
  #stopWatch: (() => void) | undefined;
  #cancelling: Headers | undefined;
  #dropped = false;

  constructor(parts: RequesterParts, ask: Ask) {
    this.#parts = parts;
    this.#ask = ask;
  }

  cancel(headers: Headers): void {
    this.#cancelling = headers;
    this.#client?.cancel(headers);
  }

  drop(): void {
    const { clock, locator } = this.#parts;
    // Given up by an asker who waited as long as we would have
    if (this.hop !== undefined && this.#client?.waiting === true && this.#sentMs >= 0 && clock.now() - this.#sentMs >= SILENT_MS) locator.rest(this.hop);
    this.#dropped = true;
    this.#heard();
    this.#client?.abandon();
  }

  start(): void {
    const { path, first } = this.#ask, asked = this.#ask.place ?? placeOf(path.hop);
    const place = asked !== undefined && isSips(path.uri) && asked.transport !== 'tls' && asked.transport !== 'wss' ? { host: asked.host, transport: 'tls' as const } : asked; // §26.2.2
    const located = place === undefined ? Promise.resolve([]) : this.#parts.locator.locate(place, first);
    located.then((hops) => {
      if (hops.length === 0) return this.#fail('no such server', `${place?.host ?? path.uri} has no address`);
      this.#hops = hops;
      this.#next();
    }, (error: unknown) => this.#fail('no network', error instanceof Error ? error.message : 'no name server answered'));
  }

  #next(): void {
    const hop = this.#hops[this.#at]!;
    this.#parts.transport.learnAddress(hop.host).then((host) => {
      if (this.#dropped) return;
      if (!this.#mayGoOn()) return this.#fail('server silent', 'not wanted any more');
      if (host === undefined) return this.#failover('no network', `no route to ${hop.host}`);
      this.#send(hop, host);
    }, () => this.#failover('no network', `no route to ${hop.host}`));
  }

  #send(hop: Hop, host: string): void {
    const ask = this.#ask, { clock, locator, transactions, userAgent, contact } = this.#parts, { method, path: { uri, routes }, body } = ask;
    this.hop = hop;
    ask.onRoute?.(hop, host);
    this.seq ||= ask.seq();
    const from = this.from = ask.from(host), seq = this.seq;
    const authorization = this.authorization = ask.credentials?.headers(method, uri, body) ?? [];
    const headers = common(from, ask.to, ask.callId, seq, method, routes, userAgent);
    if (ask.contact !== undefined) headers.push(['Contact', contact(ask.contact, host, hop, isSips(routes[0] ?? uri)) + (ask.contactParams ?? '')]);
    const request = { method, uri, headers: [...headers, ...(ask.headers ?? []), ...authorization], body };
    let client: ClientTransaction;
    const user: ClientUser = {
      onProvisional: (response) => {
        if (this.#client !== client) return;
        this.#heard();
        locator.good(hop);
        ask.on({ response }, this);
      },
      onFinal: (response) => {
        if (this.#client === client && !this.#dropped) this.#onFinal(response, hop);
        else if (this.#client !== client && method === 'INVITE' && response.status < 300) this.#hangUp(response, from, seq, authorization);
      },
      onTimeout: () => { if (this.#client === client) this.#failover('server silent', 'no answer'); },
      onTransportError: (failure) => {
        if (this.#client !== client) return;
        if (client.to.transport === hop.transport || !this.#mayGoOn()) return this.#failover(FAILURES[failure.why], failure.detail);
        locator.rest(grown(hop), UDP_ALONE_MS); // RFC 3261 §18.1.1: back to UDP
        this.#send(hop, host);
      },
    };
    try {
      client = transactions.send(request, hop, user, hop.transport === 'udp' && !locator.rests(grown(hop)));
    } catch (error) {
      // What the peer gave us for a dialog (its tag, its routes) may hold what we cannot send
      if (!(error instanceof PhoneError)) throw error;
      return this.#fail('server refused', error.message);
    }
    this.#client = client;
    this.onTheWay = true;
    this.#heard();
    this.#sentMs = clock.now();
    if (client.to.transport !== hop.transport || this.#at + 1 < this.#hops.length) this.#watch(client, hop, host);
    if (this.#cancelling !== undefined) client.cancel(this.#cancelling);
  }

  /** Leaves a hop that says nothing: over TCP for the size alone while there is no connection, else when there is another one to try. */
  #watch(client: ClientTransaction, hop: Hop, host: string): void {
    const { clock, locator, transport } = this.#parts, next = this.#hops[this.#at + 1];
    const after = (ms: number, due: () => void): void => { this.#stopWatch = clock.after(ms, () => { if (this.#mayGoOn()) due(); }); };
    const leave = (failure: SendFailure, detail: string): void => {
      client.leave();
      this.#failover(failure, detail);
    };
    if (client.to.transport !== hop.transport && transport.connecting(client.to)) {
      return after(GROWN_MS, () => {
        if (!transport.connecting(client.to)) return this.#watch(client, hop, host);
        locator.rest(grown(hop), UDP_ALONE_MS);
        client.leave();
        this.#send(hop, host);
      });
    }
    if (next === undefined) return;
    after(DOUBT_MS, () => {
      after((locator.rests(next) ? SILENT_LAST_MS : SILENT_MS) - DOUBT_MS, () => leave('server silent', 'no answer'));
      if (client.to.transport !== 'udp') return;
      transport.refuses(hop).then((refused) => {
        if (refused && this.#client === client && client.waiting && this.#sentMs >= 0 && this.#mayGoOn()) leave('server refused', 'the port is closed');
      }, () => undefined); // then silence decides
    });
  }

  #heard(): void {
    this.#stopWatch?.();
    this.#stopWatch = undefined;
    this.#sentMs = -1;
  }

  #onFinal(response: Message, hop: Hop): void {
    const ask = this.#ask, { status } = response, { locator } = this.#parts;
    this.#heard();
    if (status === 503) {
      const afterS = retryAfterOf(response);
      locator.rest(hop, afterS === undefined ? undefined : 1_000 * Math.min(RETRY_AFTER_MOST_S, afterS));
      if (this.#mayGoOn() && this.#more()) return this.#next();
    } else locator.good(hop);
    // A REGISTER taken by who does not know the password was not taken by our server; a call goes on, its 2xx must be acknowledged
    if ((find(response, 'authentication-info') >= 0 || find(response, 'proxy-authentication-info') >= 0) && ask.credentials?.confirms(response) === false && ask.alone === true) return this.#fail('server refused', 'who answered does not know the password');
    if ((status === 401 || status === 407) && ask.alone !== true && this.#mayGoOn()) {
      const verdict = learn(ask.credentials, response, this.authorization);
      if (verdict === 'retry' && ++this.#rounds <= ROUNDS) {
        this.seq = 0;
        return this.#next();
      }
    }
    ask.on({ response }, this);
  }

  #mayGoOn(): boolean {
    return this.#cancelling === undefined && this.#ask.wanted?.() !== false;
  }

  #more(): boolean {
    if (this.#at + 1 >= this.#hops.length) return false;
    this.#at++;
    return true;
  }

  #failover(failure: SendFailure, detail: string): void {
    if (this.#dropped) return;
    this.#heard();
    this.#parts.locator.rest(this.#hops[this.#at]!);
    if (this.#mayGoOn() && this.#more()) return this.#next();
    this.#fail(failure, detail);
  }

  #fail(failure: SendFailure, detail: string): void {
    if (!this.#dropped) this.#ask.on({ failure, detail }, this);
  }

  /** A hop that was left answers an INVITE after all: there is one call only (RFC 3261 §13.2.2.4, as for a fork). */
  #hangUp(response: Message, from: string, seq: number, authorization: Headers): void {
    const { callId, path: { uri }, credentials } = this.#ask, parts = this.#parts;
    const dialog = dialogOfResponse({ callId, from, localTag: '', seq, uri }, response);
    if (dialog === undefined) return;
    sendAck(parts, dialog, seq, authorization);
    sendRequest(parts, { method: 'BYE', path: pathOf(dialog), from: () => from, to: dialog.to, callId, seq: () => ++dialog.localSeq, credentials, on: () => undefined });
  }
}
