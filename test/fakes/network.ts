import { PhoneError } from '../../src/ports/errors.ts';
import type {
  DatagramHandler, DatagramSocket, Endpoint, Network, Resolver, SrvRecord, StreamHandler, StreamListener, StreamSocket, Way,
} from '../../src/ports/net.ts';
import type { FakeClock } from './clock.ts';
import { FakeRandom } from './random.ts';

const key = (e: Endpoint) => `${e.host}|${e.port}`;

export interface Weather {
  /** Datagrams lost, doubled or held back, each 0..1. */
  loss: number;
  duplicate: number;
  reorder: number;
  delayMs: number;
}

/**
 * An IP network in memory: one Wire joins any number of hosts, each a FakeNetwork with its own address. Datagrams obey the weather;
 * streams are whole and in order. Everything happens on the fake clock.
 */
export class Wire {
  readonly clock: FakeClock;
  readonly weather: Weather = { loss: 0, duplicate: 0, reorder: 0, delayMs: 1 };
  /** Every datagram handed over for sending, also the lost ones. */
  readonly sent: { readonly atMs: number; readonly from: Endpoint; readonly to: Endpoint; readonly bytes: Buffer; readonly lost: boolean }[] = [];
  /** Hosts that nobody reaches, as if unplugged. */
  readonly down = new Set<string>();
  /** How each connection was asked for: 'tls pbx.example'. */
  readonly ways: string[] = [];
  /** Names that the certificates of this wire are not good for. */
  readonly distrusted = new Set<string>();
  /** Other names that they are good for, once checked. */
  readonly covered = new Set<string>();
  readonly #random: FakeRandom;
  readonly #udp = new Map<string, DatagramHandler>();
  readonly #listeners = new Map<string, (socket: StreamSocket) => StreamHandler>();
  #nextPort = 40_000;

  constructor(clock: FakeClock, seed = 1) {
    this.clock = clock;
    this.#random = new FakeRandom(seed);
  }

  host(address: string): FakeNetwork {
    return new FakeNetwork(this, address);
  }

  bindUdp(local: Endpoint, handler: DatagramHandler): Endpoint {
    const bound = { host: local.host, port: local.port === 0 ? this.#nextPort++ : local.port };
    if (this.#udp.has(key(bound))) throw new PhoneError('PORT_IN_USE', `UDP port ${bound.port} of ${bound.host} is in use`);
    this.#udp.set(key(bound), handler);
    return bound;
  }

  unbindUdp(local: Endpoint): void {
    this.#udp.delete(key(local));
  }

  sendUdp(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    const copy = Buffer.from(bytes);
    const lost = this.down.has(from.host) || this.down.has(to.host) || this.#random.fraction() < this.weather.loss;
    this.sent.push({ atMs: this.clock.now(), from, to, bytes: copy, lost });
    if (lost) return;
    const late = this.#random.fraction() < this.weather.reorder ? 5 + 40 * this.#random.fraction() : 0;
    this.clock.after(this.weather.delayMs + late, () => this.#deliver(from, to, copy));
    if (this.#random.fraction() < this.weather.duplicate) this.clock.after(this.weather.delayMs + 3, () => this.#deliver(from, to, copy));
  }

  #deliver(from: Endpoint, to: Endpoint, bytes: Buffer): void {
    const handler = this.#udp.get(key(to));
    if (handler !== undefined) handler.onDatagram(Buffer.from(bytes), from);
    else this.#udp.get(key(from))?.onError(Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' }), to);
  }

  listenTcp(local: Endpoint, accept: (socket: StreamSocket) => StreamHandler): Endpoint {
    const bound = { host: local.host, port: local.port === 0 ? this.#nextPort++ : local.port };
    if (this.#listeners.has(key(bound))) throw new PhoneError('PORT_IN_USE', `TCP port ${bound.port} of ${bound.host} is in use`);
    this.#listeners.set(key(bound), accept);
    return bound;
  }

  unlistenTcp(local: Endpoint): void {
    this.#listeners.delete(key(local));
  }

  connectTcp(from: string, to: Endpoint, handler: StreamHandler, { kind = 'tcp', name = '' }: Way = {}): StreamSocket {
    this.ways.push(`${kind} ${name}`.trim());
    const near = new FakeStream(this, { host: from, port: this.#nextPort++ }, to);
    near.handler = handler;
    this.clock.after(this.weather.delayMs, () => {
      if (near.closed) return;
      if (this.down.has(from) || this.down.has(to.host)) return; // silence: the caller's own timer decides
      const accept = this.#listeners.get(key(to));
      if (accept === undefined) {
        near.closed = true;
        handler.onClose(Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' }));
        return;
      }
      if (this.distrusted.has(name)) {
        near.closed = true;
        handler.onClose(Object.assign(new Error('its certificate is for evil.example'), { code: 'NOT_TRUSTED' }));
        return;
      }
      const far = new FakeStream(this, to, near.local);
      near.peer = far;
      far.peer = near;
      far.handler = accept(far);
      far.handler.onOpen();
      near.open();
    });
    return near;
  }
}

class FakeStream implements StreamSocket {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  handler: StreamHandler | undefined;
  peer: FakeStream | undefined;
  closed = false;
  readonly #wire: Wire;
  #early: Buffer[] = [];

  constructor(wire: Wire, local: Endpoint, remote: Endpoint) {
    this.#wire = wire;
    this.local = local;
    this.remote = remote;
  }

  covers(name: string): boolean {
    return this.#wire.covered.has(name);
  }

  open(): void {
    this.handler?.onOpen();
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) this.send(bytes);
  }

  send(bytes: Uint8Array): void {
    if (this.closed) return;
    const copy = Buffer.from(bytes);
    if (this.peer === undefined) {
      this.#early.push(copy);
      return;
    }
    this.#wire.clock.after(this.#wire.weather.delayMs, () => {
      if (this.#wire.down.has(this.local.host) || this.#wire.down.has(this.remote.host)) return;
      if (this.peer !== undefined && !this.peer.closed) this.peer.handler?.onBytes(Buffer.from(copy));
    });
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    const peer = this.peer;
    this.#wire.clock.after(this.#wire.weather.delayMs, () => {
      if (peer !== undefined && !peer.closed) {
        peer.closed = true;
        peer.handler?.onClose(undefined);
      }
    });
  }
}

/** The network as seen from one host of the wire. '' and 0.0.0.0 bind the host's own address. */
export class FakeNetwork implements Network {
  readonly #wire: Wire;
  readonly #address: string;

  constructor(wire: Wire, address: string) {
    this.#wire = wire;
    this.#address = address;
  }

  #own(local: Endpoint): Endpoint {
    return { host: local.host === '' || local.host === '0.0.0.0' ? this.#address : local.host, port: local.port };
  }

  async udp(local: Endpoint, handler: DatagramHandler): Promise<DatagramSocket> {
    const wire = this.#wire;
    const bound = wire.bindUdp(this.#own(local), handler);
    return { local: bound, send: (bytes, to) => wire.sendUdp(bound, to, bytes), close: () => wire.unbindUdp(bound) };
  }

  connect(remote: Endpoint, handler: StreamHandler, way?: Way): StreamSocket {
    return this.#wire.connectTcp(this.#address, remote, handler, way);
  }

  async listen(local: Endpoint, accept: (socket: StreamSocket) => StreamHandler): Promise<StreamListener> {
    const wire = this.#wire;
    const bound = wire.listenTcp(this.#own(local), accept);
    return { local: bound, close: () => wire.unlistenTcp(bound) };
  }

  async sourceFor(): Promise<string | undefined> {
    return this.#wire.down.has(this.#address) ? undefined : this.#address;
  }
}

/** DNS from a table. */
export class FakeResolver implements Resolver {
  readonly hosts = new Map<string, readonly string[]>();
  readonly services = new Map<string, readonly SrvRecord[]>();
  /** true: nobody answers. */
  silent = false;

  async addresses(name: string, family: 4 | 6): Promise<readonly string[]> {
    if (this.silent) throw new PhoneError('DNS_SILENT', `no name server answered for ${name}`);
    return (this.hosts.get(name) ?? []).filter((a) => a.includes(':') === (family === 6));
  }

  async srv(name: string): Promise<readonly SrvRecord[]> {
    if (this.silent) throw new PhoneError('DNS_SILENT', `no name server answered for ${name}`);
    return this.services.get(name) ?? [];
  }
}
