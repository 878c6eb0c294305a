// UDP, TCP, TLS and WebSocket under the transactions: RFC 3261 §18, RFC 3581, RFC 5626 keep-alive, RFC 7118. Frames, connects, reuses
// connections, picks the Via address; never reads further into a message than its index. TLS and WebSocket themselves are the network's.

import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { DatagramSocket, Endpoint, Network, StreamHandler, StreamKind, StreamListener, StreamSocket } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { Transport } from './agent-types.ts';
import { createConnection, failureOf, type Connection, type ConnectionUser } from './connection.ts';
import { formatVia, topVia } from './headers.ts';
import { CRLF, isBlank, PING } from './keep-alive.ts';
import { parseMessage } from './message.ts';
import type { Malformed, Message } from './message.ts';
import { stunFlows, type StunFlows } from './stun.ts';

/** Where to send: numeric host and port. */
export interface Destination extends Endpoint {
  readonly transport: Transport;
  /** Over TLS and WebSocket the name that was looked up. */
  readonly name?: string | undefined;
}

/** Where a message came from and may be answered to: a UDP peer, or one connection, the same object for each of its messages. */
export interface Flow extends Destination {
  /** Our end. */
  readonly local: Endpoint;
}

/** Why nothing could be sent. */
export interface Failure {
  readonly why: 'refused' | 'no route' | 'no connection in time' | 'connection closed' | 'not trusted';
  readonly detail: string;
}

export interface TransportUser {
  onMessage(message: Message, flow: Flow): void;
  onMalformed(malformed: Malformed, flow: Flow): void;
  /** Sends to `to` fail, or its connection closed. */
  onFailure(to: Destination, failure: Failure): void;
}

export interface TransportOptions {
  readonly listen: Endpoint;
  /** Accept TCP; connections of our own making work in any case. */
  readonly tcp: boolean;
  /** Accept TLS on this port; 0 or left out: do not. */
  readonly tlsPort?: number | undefined;
  readonly trace?: ((direction: 'in' | 'out', bytes: Uint8Array, peer: Endpoint, transport: Transport) => void) | undefined;
}

export interface TransportPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly network: Network;
}

/** Beyond this the accepted connection that was silent longest is closed. */
const MAX_CONNECTIONS = 64;
/** How long the answer of Network.sourceFor is believed. */
const SOURCE_MS = 60_000;

/**
 * Whether `way` carries what is for `to`. Over TLS its certificate must be good for the name, unless `to` is a mere address (RFC 5922 §7.3);
 * `transport=ws` may be either WebSocket (RFC 7118 §5.2).
 */
export const carries = (way: Destination & { covers?(name: string): boolean }, to: Destination): boolean =>
  way.host === to.host && way.port === to.port && way.transport.startsWith(to.transport)
  && (to.name === undefined || to.name === to.host || to.name === way.name || way.covers?.(to.name) === true);

const isAny = (host: string): boolean => host === '' || host === '0.0.0.0' || host === '::';
/** A socket bound to `bound` can send to `host`: '' and '::' carry both families. */
const reaches = (bound: string, host: string): boolean => bound === '' || bound === '::' || bound.includes(':') === host.includes(':');

export class TransportLayer {
  readonly #ports: TransportPorts;
  readonly #options: TransportOptions;
  readonly #connections = new Set<Connection>(); // in order of use
  #user: TransportUser | undefined;
  #udp: DatagramSocket | undefined;
  #listener: StreamListener | undefined;
  /** Of open(). */
  #doors: (readonly [StreamKind, StreamListener])[] | undefined;
  #sources = new Map<string, string>();
  #sourcesAtMs = 0;
  #stun: StunFlows | undefined;
  #closed = false;
  /** Since the start: messages in and out, datagrams that were none, keep-alives. */
  readonly counts = { in: 0, out: 0, malformed: 0, keepAlives: 0 };

  constructor(ports: TransportPorts, options: TransportOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** Who gets what arrives; before start(). */
  use(user: TransportUser): void {
    this.#user = user;
  }

  /** Bind UDP and, when asked, TCP on the same port and TLS on its own. Rejects with PhoneError PORT_IN_USE or ADDRESS_NOT_LOCAL. */
  async start(): Promise<void> {
    const { listen, tcp, tlsPort = 0 } = this.#options;
    for (let tries = listen.port === 0 ? 8 : 1; ; tries--) {
      const udp = await this.#ports.network.udp(listen, {
        onDatagram: (bytes, from) => this.#onDatagram(bytes, from),
        onError: (error, to) => {
          if (to !== undefined) this.#user?.onFailure({ transport: 'udp', host: to.host, port: to.port }, failureOf(error));
        },
      });
      try {
        if (tcp) this.#listener = await this.#ports.network.listen({ host: listen.host, port: udp.local.port }, (socket) => this.#accept(socket, 'tcp'));
        if (tlsPort !== 0) await this.open('tls', tlsPort);
      } catch (error) {
        udp.close();
        this.#listener?.close();
        if (tries > 1) continue; // the system chose a UDP port whose TCP twin is taken
        throw error;
      }
      this.#udp = udp;
      return;
    }
  }

  /** Accept what comes by `kind` on a port of its own as well. Rejects as start() does. */
  async open(kind: Exclude<StreamKind, 'tcp'>, port: number): Promise<void> {
    const door = await this.#ports.network.listen({ host: this.#options.listen.host, port }, (socket) => this.#accept(socket, kind), kind);
    (this.#doors ??= []).push([kind, door]);
  }

  /** Where UDP listens, the port as bound. */
  get local(): Endpoint {
    return this.#udp?.local ?? this.#options.listen;
  }

  /** Where others reach us: for Via and Contact. */
  portFor(transport: Transport): number {
    return this.#doors?.find(([kind]) => kind === transport)?.[1].local.port ?? this.local.port;
  }

  /** The address of ours that leads to `host`, when it is known already; see learnAddress. */
  addressFor(host: string): string | undefined {
    const bound = this.#options.listen.host;
    if (!reaches(bound, host)) return undefined;
    if (!isAny(bound)) return bound;
    if (this.#ports.clock.now() - this.#sourcesAtMs > SOURCE_MS) this.#sources.clear();
    return this.#sources.get(host);
  }

  /** The address of ours that leads to `host`, for Via and Contact; undefined when there is no route. Cached for a minute. */
  async learnAddress(host: string): Promise<string | undefined> {
    const known = this.addressFor(host);
    if (known !== undefined || !reaches(this.#options.listen.host, host)) return known;
    const source = await this.#ports.network.sourceFor(host);
    if (source === undefined) return undefined;
    if (this.#sources.size === 0 || this.#sources.size >= 64) {
      this.#sources.clear();
      this.#sourcesAtMs = this.#ports.clock.now();
    }
    this.#sources.set(host, source);
    return source;
  }

  /** Forget which address leads where: the network changed. */
  networkChanged(): void {
    this.#sources.clear();
  }

  /** Via of a request of ours to `to` (RFC 3261 §18.1.1, rport of RFC 3581 §3); undefined while addressFor is. */
  via(to: Destination, branch: string): string | undefined {
    const host = this.addressFor(to.host), transport = this.#find(to)?.transport ?? to.transport;
    return host === undefined ? undefined : formatVia(transport, host, this.portFor(transport), branch);
  }

  /** Send `bytes`; over connections the flow's own connection, else one to that peer, else a new one. Failures arrive at onFailure. */
  send(bytes: Buffer, to: Destination): void {
    if (this.#closed) return;
    this.counts.out++;
    this.#options.trace?.('out', bytes, to, to.transport);
    if (to.transport === 'udp') this.#udp?.send(bytes, to);
    else this.#connection(to).send(bytes);
  }

  /** True when a send to `to` needs no new connection. */
  isOpen(to: Destination): boolean {
    return to.transport === 'udp' || this.#find(to) !== undefined;
  }

  /** True when UDP to `to` is refused. */
  refuses(to: Destination): Promise<boolean> {
    return this.#ports.network.refuses?.(to) ?? Promise.resolve(false);
  }

  /** True while the connection to `to` is not there yet. */
  connecting(to: Destination): boolean {
    return this.#find(to)?.connecting === true;
  }

  /**
   * Keep the way to `to` open: CRLFCRLF (RFC 5626 §3.5.1). Over a connection a missing pong is a failure of the flow, when the peer has ever sent
   * one: many servers do not. With `random` over UDP by STUN (RFC 5626 §3.5.2), for servers that are known to answer that: no answer, or another address
   * of ours in it, is a failure of the flow (RFC 5626 §4.4.2). False when there is no connection.
   */
  ping(to: Destination, random?: Random): boolean {
    if (to.transport === 'udp') {
      if (random === undefined) this.#udp?.send(PING, to);
      else {
        this.#stun ??= stunFlows(this.#ports.clock, (bytes, flow) => this.#udp?.send(bytes, flow), ({ host, port }, detail) => {
          this.#user?.onFailure({ transport: 'udp', host, port }, { why: 'connection closed', detail });
        });
        this.#stun.ping(to, random);
      }
      return this.#udp !== undefined;
    }
    const connection = this.#find(to);
    connection?.ping();
    return connection !== undefined;
  }

  /** Give up the connection to `to`, as lost: the next send opens another. */
  drop(to: Destination): void {
    this.#find(to)?.fail({ why: 'connection closed', detail: 'given up' });
  }

  /**
   * Where a response to `request` goes (RFC 3261 §18.2.2, RFC 3581 §4). Departs from §18.2.2: maddr is ignored, for it lets a
   * stranger aim our responses at anybody.
   */
  replyTo(request: Message, flow: Flow): Destination {
    if (flow.transport !== 'udp' && this.isOpen(flow)) return flow;
    const via = topVia(request);
    if (flow.transport === 'udp' && via?.params.has('rport') === true) return flow;
    return { transport: flow.transport, host: flow.host, port: via?.port ?? (flow.transport === 'tls' ? 5061 : 5060), name: flow.name };
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#connections.values()) connection.end();
    this.#connections.clear();
    this.#listener?.close();
    this.#stun?.close();
    for (const [, door] of this.#doors ?? []) door.close();
    this.#udp?.close();
  }

  #onDatagram(bytes: Buffer, from: Endpoint): void {
    if (this.#closed || this.#stun?.take(bytes, from) === true) return;
    if (isBlank(bytes)) this.counts.keepAlives++;
    else this.#deliver(parseMessage(bytes), { transport: 'udp', host: from.host, port: from.port, local: this.local }, bytes);
  }

  #deliver(message: Message | Malformed, flow: Flow, bytes: Buffer): void {
    this.#options.trace?.('in', bytes, flow, flow.transport);
    if (message.kind === 'malformed') {
      this.counts.malformed++;
      this.#user?.onMalformed(message, flow);
    } else {
      this.counts.in++;
      this.#user?.onMessage(message, flow);
    }
  }

  #accept(socket: StreamSocket, transport: Transport): StreamHandler {
    const connection = createConnection({ host: socket.remote.host, port: socket.remote.port, transport }, this.#callbacks(), this.#ports.clock, false);
    connection.socket = socket;
    this.#connections.add(connection);
    if (this.#connections.size > MAX_CONNECTIONS) {
      // The address that has most of them loses one: else a stranger's many would cost phones theirs
      const counts = new Map<string, number>();
      for (const { ours, host } of this.#connections) if (!ours) counts.set(host, (counts.get(host) ?? 0) + 1);
      const most = Math.max(...counts.values());
      for (const other of this.#connections.values()) {
        if (other.ours || other === connection || counts.get(other.host) !== most) continue;
        other.fail({ why: 'connection closed', detail: 'too many connections' });
        break;
      }
    }
    return connection;
  }

  #connection(to: Destination): Connection {
    const known = this.#find(to);
    if (known !== undefined) return known;
    const connection = createConnection(to, this.#callbacks(), this.#ports.clock, true);
    this.#connections.add(connection);
    const { host } = this.#options.listen;
    connection.socket = this.#ports.network.connect({ host: to.host, port: to.port }, connection, {
      kind: to.transport as StreamKind, name: to.name, localHost: isAny(host) ? undefined : host,
    });
    return connection;
  }

  /**
   * The connection to use for `to` (RFC 3261 §18.1.1): the very one, or the one used last of those that carry it; one that is only opening for want
   * of another.
   */
  #find(to: Destination): Connection | undefined {
    if ('ended' in to && !to.ended) return to as Connection;
    let found: Connection | undefined;
    if (to.transport !== 'udp') for (const connection of this.#connections.values()) if ((found === undefined || !connection.connecting) && carries(connection, to)) found = connection;
    return found;
  }

  #callbacks(): ConnectionUser {
    return {
      onMessage: (message, connection) => {
        if (this.#connections.delete(connection)) this.#connections.add(connection); // to the end of the order of use
        const bytes = message.kind === 'malformed' ? message.message?.bytes : message.bytes;
        this.#deliver(message, connection, bytes ?? CRLF);
      },
      onKeepAlive: () => { this.counts.keepAlives++; },
      onEnd: (connection, failure) => {
        this.#connections.delete(connection);
        if (!this.#closed) this.#user?.onFailure(connection, failure);
      },
    };
  }
}
