// The transaction layer (RFC 3261 §17, RFC 6026): matches messages to transactions, carries out what the tables say, and gives
// requests and responses to the user once each. Events raised meanwhile queue up. Dialogs are not known here.

import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Random } from '../ports/random.ts';
import { buildAck, buildCancel, buildRequest, buildResponse } from './build.ts';
import type { Headers, RequestParts } from './build.ts';
import { tagOf, topVia } from './headers.ts';
import { COOKIE, originOf, randomToken, serverId } from './matching.ts';
import { find, methodOf, parseMessage, texts } from './message.ts';
import type { Malformed, Message } from './message.ts';
import { answerable, screen } from './screen.ts';
import type { Abilities, Refusal } from './screen.ts';
import { inviteClient, inviteServer, nonInviteClient, nonInviteServer, rowOf } from './tables.ts';
import type { Action, Event, Machine, Timer } from './tables.ts';
import { Timers } from './timers.ts';
import type { Again } from './timers.ts';
import { Client, NEVER, Server, newEntry } from './transaction.ts';
import type { ClientTransaction, ClientUser, Entry, Layer, ServerTransaction } from './transaction.ts';
import { carries } from './transport.ts';
import type { Destination, Failure, Flow, TransportLayer, TransportUser } from './transport.ts';

export type { ClientTransaction, ClientUser, ServerTransaction } from './transaction.ts';

export interface TransactionUser {
  /** A new request other than ACK and CANCEL, screened. */
  onRequest(request: Message, server: ServerTransaction, from: Flow): void;
  /** The ACK of a 2xx, or one that belongs to nothing. */
  onAck(ack: Message, from: Flow): void;
  /** A flow failed: UDP refused, TCP connection lost. */
  onFlowFailed?(to: Destination, failure: Failure): void;
}

export interface TransactionOptions {
  /** Checked before a request is passed up. */
  readonly abilities?: Abilities;
  /** Open server transactions beyond which new requests get 503. */
  readonly limit?: number;
  /** Transactions that only wait for stragglers; of each kind (INVITE, other) the oldest beyond this end early. */
  readonly lingering?: number;
  /** Requests are forwarded for others (§16): responses bear further Vias, and the same request by another path may be a spiral. */
  readonly proxy?: boolean;
}

export interface TransactionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** So many requests beyond the limit hear of it in a second. */
const BUSY_PER_S = 50;
/** A larger request does not go over UDP where the path's MTU is not known (RFC 3261 §18.1.1). */
const DATAGRAM_MOST = 1_300;
const BUSY: Refusal = { status: 503, headers: [['Retry-After', '5']] };

export class Transactions implements TransportUser, Layer {
  readonly #ports: TransactionPorts;
  readonly #transport: TransportLayer;
  readonly #user: TransactionUser;
  readonly #abilities: Abilities;
  readonly #limit: number;
  readonly #lingering: number;
  readonly #proxy: boolean;
  readonly #clients = new Map<string, Entry>();
  readonly #servers = new Map<string, Entry>();
  /** Those that wait for stragglers, oldest first: INVITE, other. */
  readonly #stragglers = [new Set<Entry>(), new Set<Entry>()] as const;
  readonly #timers: Timers;
  readonly #events: (() => void)[] = [];
  /** Servers among them. */
  #waiting = 0;
  /** When a second of 503s began, and how many were sent since. */
  #busyAtMs = -Infinity;
  #told = 0;
  #running = false;
  #closed = false;
  /** Since the start: responses that belong to nothing, requests refused before any user saw them, refused for the limit. */
  readonly counts = { strayResponses: 0, refused: 0, overload: 0 };

  constructor(ports: TransactionPorts, transport: TransportLayer, user: TransactionUser, options: TransactionOptions = {}) {
    this.#ports = ports;
    this.#transport = transport;
    this.#user = user;
    this.#abilities = options.abilities ?? {};
    this.#limit = options.limit ?? 200;
    this.#lingering = options.lingering ?? 64;
    this.#proxy = options.proxy === true;
    const entries = [this.#clients, this.#servers];
    this.#timers = new Timers(ports.clock, entries, (entry, timer) => this.#raise(entry, `timer ${timer}`));
    transport.use(this);
  }

  /** Transactions alive, those that wait for stragglers included. */
  get size(): number {
    return this.#clients.size + this.#servers.size;
  }

  /**
   * Send a request in a transaction of its own; Via is ours to add. `mayGrow`: over TCP when it is too large for UDP (RFC 3261 §18.1.1). Throws
   * PhoneError BAD_HEADER when a part holds a line break. `user` is never called before this returns. A proxy makes the branch itself (§16.6
   * step 8).
   */
  send(request: RequestParts, to: Destination, user: ClientUser, mayGrow = false, branch = COOKIE + randomToken(this.#ports.random)): ClientTransaction {
    const client = new Client(this, request.method, user);
    const invite = request.method === 'INVITE';
    this.#begin(client, invite ? inviteClient : nonInviteClient, `${branch} ${request.method}`, to, request, branch, mayGrow);
    return client;
  }

  /**
   * Acknowledge a 2xx (RFC 3261 §13.2.2.4): outside any transaction, with a branch of its own. Returns what sends the same bytes again, for
   * the repeated 2xx.
   */
  sendAck(ack: RequestParts, to: Destination): () => void {
    const branch = COOKIE + randomToken(this.#ports.random);
    let bytes: Buffer | undefined;
    const send = (): void => {
      const via = this.#transport.via(to, branch);
      if (via !== undefined) bytes ??= buildRequest(ack, via);
      if (bytes !== undefined) this.#transport.send(bytes, to);
      else {
        void this.#transport.learnAddress(to.host).then((host) => { if (host !== undefined) send(); }, () => undefined); // a repeated 2xx asks again
      }
    };
    send();
    return send;
  }

  /** Stop at once: no more timers, nothing told, nothing sent. The transport stays the caller's to close. */
  close(): void {
    this.#closed = true;
    this.#clients.clear();
    this.#servers.clear();
    for (const set of this.#stragglers) set.clear();
    this.#timers.close();
  }

  // -- what the transport brings

  onMessage(message: Message, flow: Flow): void {
    if (this.#closed) return;
    if (message.kind === 'response') this.#onResponse(message, flow);
    else this.#onRequest(message, flow);
  }

  onMalformed(malformed: Malformed, flow: Flow): void {
    const request = answerable(malformed);
    if (request === undefined || this.#closed) return;
    const sentence = malformed.malformed;
    this.#refuse(request, flow, { status: malformed.status, ...(malformed.status === 400 ? { reason: `Bad Request: ${sentence}` } : {}) });
  }

  onFailure(to: Destination, failure: Failure): void {
    for (const map of [this.#clients, this.#servers]) {
      for (const entry of [...map.values()]) {
        if (!carries(to, entry.to)) continue;
        // What never opened carried nothing: who has another connection is not meant
        if (failure.why === 'not trusted' && this.#transport.isOpen(entry.to) && !this.#transport.connecting(entry.to)) continue;
        // Over TCP a lost connection fails who waits for an answer on it, but a server answers elsewhere (§18.2.2). Over UDP an
        // error is the echo of something sent: who sends nothing now is not meant
        if (to.transport !== 'udp' ? !entry.ours : entry.ours && entry.state === 'proceeding') continue;
        this.#raise(entry, 'transport error', undefined, undefined, failure);
      }
    }
    this.#queue(() => this.#user.onFlowFailed?.(to, failure));
  }

  #onResponse(response: Message, flow: Flow): void {
    const method = methodOf(response);
    const branch = topVia(response)?.params.get('branch');
    const entry = branch === undefined ? undefined : this.#clients.get(`${branch} ${method}`);
    // More than one Via: not meant for us (RFC 3261 §8.1.3.3). Matching: §17.1.3
    if (entry === undefined || screen(response) !== undefined || (!this.#proxy && texts(response, 'via').length !== 1)) {
      this.counts.strayResponses++;
      return;
    }
    const { status } = response;
    this.#raise(entry, status < 200 ? '1xx' : status < 300 ? '2xx' : '3xx-6xx', response, flow);
  }

  #onRequest(request: Message, flow: Flow): void {
    const via = topVia(request);
    if (via === undefined) return this.#refuse(request, flow, screen(request) ?? BUSY);
    const { method } = request;
    const id = serverId(request, via);
    const known = this.#servers.get(`${id} ${method === 'ACK' ? 'INVITE' : method}`);
    if (known !== undefined) {
      this.#raise(known, method === 'ACK' ? 'ack' : 'request', request, flow);
      return;
    }
    const refusal = screen(request, this.#abilities);
    if (method === 'ACK') {
      if (refusal === undefined) this.#queue(() => this.#user.onAck(request, flow));
      return; // never answered, §17
    }
    if (refusal !== undefined) return this.#refuse(request, flow, refusal);
    if (this.#servers.size - this.#waiting >= this.#limit) {
      this.counts.overload++;
      const now = this.#ports.clock.now();
      if (now - this.#busyAtMs >= 1_000) {
        this.#busyAtMs = now;
        this.#told = 0;
      }
      return this.#told++ < BUSY_PER_S ? this.#refuse(request, flow, BUSY) : undefined; // a flood is dropped, §21.5.4
    }

    const origin = originOf(request);
    const server = new Server(this, request, flow, randomToken(this.#ports.random));
    const invite = method === 'INVITE';
    const entry = newEntry(invite ? inviteServer : nonInviteServer, `${id} ${method}`, this.#transport.replyTo(request, flow), invite, undefined, server, origin);
    server.entry = entry;
    if (method === 'CANCEL') this.#onCancel(server, entry, this.#servers.get(`${id} INVITE`), request);
    else if (!this.#proxy && tagOf(request, 'to') === undefined && this.#isMerged(origin)) {
      this.#servers.set(entry.key, entry);
      entry.state = invite ? 'proceeding' : 'trying';
      server.respond(482);
    } else {
      this.#servers.set(entry.key, entry);
      this.#raise(entry, 'request', request, flow);
    }
  }

  /** RFC 3261 §9.2: 200 to a CANCEL that meets its INVITE, in the same breath the user hears of it; else 481. */
  #onCancel(server: Server, entry: Entry, invite: Entry | undefined, cancel: Message): void {
    this.#servers.set(entry.key, entry);
    entry.state = 'trying';
    if (invite === undefined) return server.respond(481);
    server.open = false;
    this.answer(entry, 200, buildResponse(cancel, 200, { toTag: invite.toTag, peer: server.from })); // same tag as the INVITE's
    const target = invite.server;
    this.#queue(() => { if (target?.open === true) target.onCancel?.(cancel); });
  }

  /** RFC 3261 §8.2.2.2: the same request by another path while the first is still known. */
  #isMerged(origin: number): boolean {
    for (const entry of this.#servers.values()) if (entry.origin === origin) return true;
    return false;
  }

  /** Answer without a transaction (RFC 3261 §8.2.7): the same request gets the same tag. */
  #refuse(request: Message, flow: Flow, refusal: Refusal): void {
    this.counts.refused++;
    if (request.method === 'ACK' || find(request, 'via') < 0) return; // nobody to answer
    const toTag = (originOf(request) >>> 0).toString(16).padStart(8, '0');
    this.#transport.send(buildResponse(request, refusal.status, { reason: refusal.reason, headers: refusal.headers, toTag, peer: flow }), topVia(request) === undefined ? flow : this.#transport.replyTo(request, flow));
  }

  // -- what transactions ask of the layer

  /** For Client.cancel. */
  cancel(entry: Entry, headers: Headers): void {
    entry.client!.cancelling = headers;
    if (entry.state === 'proceeding') this.#sendCancel(entry);
  }

  /** For Server.respond and resend: `bytes` undefined repeats the last response. */
  answer(entry: Entry, status: number, bytes: Buffer | undefined): void {
    this.#queue(() => {
      if (bytes !== undefined) entry.bytes = bytes;
      this.#step(entry, status < 200 ? 'send 1xx' : status < 300 ? 'send 2xx' : 'send 3xx-6xx');
    });
  }

  forget(entry: Entry): void {
    entry.state = 'terminated';
    this.#remove(entry);
  }

  #begin(client: Client, machine: Machine, key: string, to: Destination, request: RequestParts, branch: string, mayGrow: boolean): void {
    const entry = newEntry(machine, key, to, client.method === 'INVITE', client, undefined, 0);
    client.entry = entry;
    const start = (via: string): void => {
      entry.bytes = buildRequest(request, via);
      if (mayGrow && to.transport === 'udp' && entry.bytes.length > DATAGRAM_MOST) {
        entry.to = { transport: 'tcp', host: to.host, port: to.port };
        entry.bytes = buildRequest(request, this.#transport.via(entry.to, branch) ?? via);
      }
      this.#clients.set(key, entry);
      this.#raise(entry, 'request');
    };
    const via = this.#transport.via(to, branch);
    if (via !== undefined) return start(via);
    buildRequest(request, ''); // a fault of the caller shows now, not later
    const lost = (detail: string): void => {
      entry.state = entry.invite ? 'calling' : 'trying';
      this.#raise(entry, 'transport error', undefined, undefined, { why: 'no route', detail });
    };
    void this.#transport.learnAddress(to.host).then((host) => {
      if (entry.state === 'terminated' || this.#closed) return;
      const known = host === undefined ? undefined : this.#transport.via(to, branch);
      if (known === undefined) lost(`no route to ${to.host}`);
      else start(known);
    }, (error: unknown) => lost(String(error)));
  }

  #sendCancel(invite: Entry): void {
    const request = invite.bytes === undefined ? undefined : parseMessage(invite.bytes);
    const client = invite.client!;
    if (request?.kind !== 'request') return;
    const bytes = buildCancel(request, client.cancelling);
    const ignored: ClientUser = { onFinal: () => undefined, onTimeout: () => undefined, onTransportError: () => undefined };
    const cancel = new Client(this, 'CANCEL', ignored); // the INVITE's own end tells all there is to tell
    const entry = newEntry(nonInviteClient, invite.key.replace(/INVITE$/, 'CANCEL'), invite.to, false, cancel, undefined, 0);
    cancel.entry = entry;
    entry.bytes = bytes;
    this.#clients.set(entry.key, entry);
    this.#raise(entry, 'request');
    this.#timers.start(invite, 'B');
  }

  // -- the machine

  #queue(event: () => void): void {
    this.#events.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) next();
    } finally {
      this.#running = false;
    }
  }

  #raise(entry: Entry, event: Event, message?: Message, flow?: Flow, failure?: Failure): void {
    this.#queue(() => this.#step(entry, event, message, flow, failure));
  }

  #step(entry: Entry, event: Event, message?: Message, flow?: Flow, failure?: Failure): void {
    const row = this.#closed ? undefined : rowOf(entry.machine, entry.state, event);
    if (row === undefined) return;
    entry.state = row.to;
    const lingers = row.to === 'completed' || row.to === 'confirmed' || row.to === 'accepted';
    if (lingers) this.#linger(entry);
    for (const action of row.do) this.#perform(entry, action, message, flow, failure);
    if (row.to === 'terminated') this.#remove(entry);
    else if (row.to === 'accepted' || row.to === 'confirmed' || (row.to === 'completed' && !entry.invite)) {
      entry.server = undefined;
      if (row.to !== 'accepted') entry.client = undefined;
    }
  }

  #perform(entry: Entry, action: Action, message: Message | undefined, flow: Flow | undefined, failure: Failure | undefined): void {
    const { client, server } = entry;
    switch (action) {
      case 'send':
        if (entry.bytes !== undefined) this.#transport.send(entry.bytes, this.#target(entry));
        return;
      case 'send 100':
        if (entry.bytes !== undefined) return;
        entry.bytes = buildResponse(server!.request, 100, { peer: server!.from });
        this.#transport.send(entry.bytes, this.#target(entry));
        return;
      case 'ack': {
        const request = entry.bytes === undefined ? undefined : parseMessage(entry.bytes);
        if (request?.kind === 'request' && message !== undefined) this.#transport.send(buildAck(request, message), entry.to);
        return;
      }
      case 'pass up':
        if (message === undefined || flow === undefined) return;
        if (message.method === 'ACK') this.#user.onAck(message, flow);
        else if (server !== undefined) this.#user.onRequest(message, server, flow);
        else if (client === undefined) return;
        else if (message.status < 200) {
          if (client.cancelling !== undefined && entry.invite && entry.endAtMs === NEVER) this.#sendCancel(entry);
          client.user.onProvisional?.(message, flow);
        } else {
          client.waiting = false;
          client.user.onFinal(message, flow);
        }
        return;
      case 'time out':
        if (client !== undefined) {
          client.waiting = false;
          client.user.onTimeout();
        } else server?.onFailure?.(undefined);
        return;
      case 'give up':
        if (failure === undefined) return;
        if (client !== undefined) {
          client.waiting = false;
          client.user.onTransportError(failure);
        } else server?.onFailure?.(failure);
        return;
      default: {
        const [verb, timer] = action.split(' ') as [string, Timer];
        if (verb === 'start') this.#timers.start(entry, timer);
        else if (verb === 'stop') this.#timers.stop(entry, timer);
        else this.#timers.again(entry, action as Again);
      }
    }
  }

  /** The flow of the request while it lives, else where §18.2.2 says. */
  #target(entry: Entry): Destination {
    const { server, to } = entry;
    return server === undefined || this.#transport.isOpen(to) ? to : this.#transport.replyTo(server.request, server.from);
  }

  /** Departs from RFC 3261 §17 under a flood only: the longest waiting give way before memory does. */
  #linger(entry: Entry): void {
    const set = this.#stragglers[entry.invite ? 0 : 1];
    if (set.has(entry)) return;
    set.add(entry);
    if (!entry.ours) this.#waiting++;
    if (set.size <= (entry.invite ? Math.ceil(this.#lingering / 4) : this.#lingering)) return;
    for (const oldest of set.values()) {
      this.forget(oldest);
      return;
    }
  }

  #remove(entry: Entry): void {
    const map = entry.ours ? this.#clients : this.#servers;
    if (map.get(entry.key) === entry) map.delete(entry.key);
    if (this.#stragglers[entry.invite ? 0 : 1].delete(entry) && !entry.ours) this.#waiting--;
  }
}
