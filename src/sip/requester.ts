// Sends a request: locates where it goes, writes the headers every request of ours has, answers challenges, goes on to the next hop
// (RFC 3261 §8.1, §22; RFC 3263 §4.3). What the response means is the asker's.

import { PhoneError } from '../ports/errors.ts';
import type { Transport } from './agent-types.ts';
import type { Headers } from './build.ts';
import type { DigestClient, Learned } from './digest.ts';
import type { Log } from '../ports/log.ts';
import type { Hop, Locator, Place } from './locate.ts';
import { find, type Message } from './message.ts';
import type { ClientTransaction, ClientUser, Transactions } from './transactions.ts';
import type { Failure, TransportLayer } from './transport.ts';
import type { Ask, SendFailure, Sent, Ua } from './ua.ts';
import type { Dialog } from './dialog.ts';
import { pathOf } from './dialog.ts';
import { isSips, parseUri } from './uri.ts';

export interface RequesterParts {
  readonly transport: TransportLayer;
  readonly transactions: Transactions;
  readonly locator: Locator;
  readonly log: Log;
  readonly userAgent: string;
  readonly contact: Ua['contact'];
}

const ROUNDS = 4;
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
  return { host: params.get('maddr') ?? host, port, transport: transport as Transport | undefined };
}

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
    this.#dropped = true;
    this.#client?.abandon();
  }

  start(): void {
    const { path, first, skip = 0 } = this.#ask, asked = this.#ask.place ?? placeOf(path.hop);
    const place = asked !== undefined && isSips(path.uri) && asked.transport !== 'tls' && asked.transport !== 'wss' ? { host: asked.host, transport: 'tls' as const } : asked; // §26.2.2
    const located = place === undefined ? Promise.resolve([]) : this.#parts.locator.locate(place);
    located.then((hops) => {
      if (hops.length === 0) return this.#fail('no such server', `${place?.host ?? path.uri} has no address`);
      const isFirst = (hop: Hop): boolean => first !== undefined && hop.host === first.host && hop.port === first.port && hop.transport === first.transport;
      const ordered = hops.some(isFirst) ? [first!, ...hops.filter((hop) => !isFirst(hop))] : hops;
      this.#hops = [...ordered.slice(skip % hops.length), ...ordered.slice(0, skip % hops.length)];
      this.#next();
    }, (error: unknown) => this.#fail('no network', error instanceof Error ? error.message : 'no name server answered'));
  }

  #next(): void {
    const hop = this.#hops[this.#at]!;
    this.#parts.transport.learnAddress(hop.host).then((host) => {
      if (this.#dropped) return;
      if (host === undefined) return this.#failover('no network', `no route to ${hop.host}`);
      this.#send(hop, host);
    }, () => this.#failover('no network', `no route to ${hop.host}`));
  }

  #send(hop: Hop, host: string): void {
    const ask = this.#ask, { transactions, userAgent, contact } = this.#parts, { method, path: { uri, routes }, body } = ask;
    this.hop = hop;
    ask.onRoute?.(hop, host);
    this.seq = ask.seq();
    this.from = ask.from(host);
    this.authorization = ask.credentials?.headers(method, uri, body) ?? [];
    const headers = common(this.from, ask.to, ask.callId, this.seq, method, routes, userAgent);
    if (ask.contact !== undefined) headers.push(['Contact', contact(ask.contact, host, hop, isSips(routes[0] ?? uri)) + (ask.contactParams ?? '')]);
    const request = { method, uri, headers: [...headers, ...(ask.headers ?? []), ...this.authorization], body };
    let client: ClientTransaction;
    const user: ClientUser = {
      onProvisional: (response) => { if (this.#client === client) ask.on({ response }, this); },
      onFinal: (response) => { if (this.#client === client && !this.#dropped) this.#onFinal(response); },
      onTimeout: () => { if (this.#client === client) this.#failover('server silent', 'no answer'); },
      onTransportError: (failure) => { if (this.#client === client) this.#failover(FAILURES[failure.why], failure.detail); },
    };
    try {
      client = transactions.send(request, hop, user);
    } catch (error) {
      // What the peer gave us for a dialog (its tag, its routes) may hold what we cannot send
      if (!(error instanceof PhoneError)) throw error;
      return this.#fail('server refused', error.message);
    }
    this.#client = client;
    this.onTheWay = true;
    if (this.#cancelling !== undefined) client.cancel(this.#cancelling);
  }

  #onFinal(response: Message): void {
    const ask = this.#ask, { status } = response, mayGoOn = ask.alone !== true && this.#cancelling === undefined && ask.wanted?.() !== false;
    // A REGISTER taken by who does not know the password was not taken by our server; a call goes on, its 2xx must be acknowledged
    if ((find(response, 'authentication-info') >= 0 || find(response, 'proxy-authentication-info') >= 0) && ask.credentials?.confirms(response) === false && ask.alone === true) return this.#fail('server refused', 'who answered does not know the password');
    if ((status === 401 || status === 407) && mayGoOn) {
      const verdict = learn(ask.credentials, response, this.authorization);
      if (verdict === 'retry' && ++this.#rounds <= ROUNDS) return this.#next();
    }
    if (status === 503 && mayGoOn && this.#more()) return this.#next();
    ask.on({ response }, this);
  }

  #more(): boolean {
    if (this.#at + 1 >= this.#hops.length) return false;
    this.#at++;
    return true;
  }

  #failover(failure: SendFailure, detail: string): void {
    if (this.#dropped) return;
    if (this.#ask.alone !== true && this.#cancelling === undefined && this.#ask.wanted?.() !== false && this.#more()) return this.#next();
    this.#fail(failure, detail);
  }

  #fail(failure: SendFailure, detail: string): void {
    if (!this.#dropped) this.#ask.on({ failure, detail }, this);
  }
}
