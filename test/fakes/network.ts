import { PhoneError } from '../../src/ports/errors.ts';
import type {
  DatagramHandler, DatagramSocket, Endpoint, NaptrRecord, Network, Resolver, SrvRecord, StreamHandler, StreamListener, StreamSocket, Way,
} from '../../src/ports/net.ts';
import type { FakeClock } from './clock.ts';
import { FakeRandom } from './random.ts';

const isGroup = (host: string) => /^(22[4-9]|23\d)\.|^ff/i.test(host);
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
  /** Sockets hear of refused datagrams; Node's do not, for they send to many. */
  icmp = true;
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
  /** Members of multicast groups. */
  readonly #groups = new Map<string, Set<DatagramHandler>>();
  readonly #listeners = new Map<string, (socket: StreamSocket) => StreamHandler>();
  #nextPort = 40_000;

  constructor(clock: FakeClock, seed = 1) {
    this.clock = clock;
    this.#random = new FakeRandom(seed);
  }

  /** A host with one address, or several interfaces and families. */
  host(address: string, ...others: string[]): FakeNetwork {
    return new FakeNetwork(this, [address, ...others]);
  }

  bindUdp(local: Endpoint, handler: DatagramHandler): Endpoint {
    if (isGroup(local.host)) {
      this.#groups.set(key(local), (this.#groups.get(key(local)) ?? new Set()).add(handler));
      return local;
    }
    const bound = { host: local.host, port: local.port === 0 ? this.#nextPort++ : local.port };
    if (this.#udp.has(key(bound))) throw new PhoneError('PORT_IN_USE', `UDP port ${bound.port} of ${bound.host} is in use`);
    this.#udp.set(key(bound), handler);
    return bound;
  }

  unbindUdp(local: Endpoint, handler: DatagramHandler): void {
    if (!isGroup(local.host)) this.#udp.delete(key(local));
    else this.#groups.get(key(local))?.delete(handler);
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
    if (isGroup(to.host)) {
      for (const member of this.#groups.get(key(to)) ?? []) member.onDatagram(Buffer.from(bytes), from);
      return;
    }
    const handler = this.#udp.get(key(to));
    if (handler !== undefined) handler.onDatagram(Buffer.from(bytes), from);
    else if (this.icmp) this.#udp.get(key(from))?.onError(Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' }), to);
  }

  refusesUdp(from: string, to: Endpoint): boolean {
    return !this.down.has(from) && !this.down.has(to.host) && !this.#udp.has(key(to));
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

/** The network as seen from one host of the wire. '' binds all the host's addresses, 0.0.0.0 and :: those of their family. */
export class FakeNetwork implements Network {
  readonly #wire: Wire;
  readonly #addresses: readonly string[];

  constructor(wire: Wire, addresses: readonly string[]) {
    this.#wire = wire;
    this.#addresses = addresses;
  }

  #own(host: string): readonly string[] {
    if (host === '' || host === '::') return this.#addresses;
    return host === '0.0.0.0' ? this.#addresses.filter((a) => !a.includes(':')) : [host];
  }

  /** Of the family of `remote`; the one that begins alike where there are several. */
  #towards(remote: string, among: readonly string[] = this.#addresses): string | undefined {
    const family = among.filter((a) => a.includes(':') === remote.includes(':'));
    return family.find((a) => a.split(/[.:]/)[0] === remote.split(/[.:]/)[0]) ?? family[0];
  }

  async udp(local: Endpoint, handler: DatagramHandler): Promise<DatagramSocket> {
    const wire = this.#wire, bound: Endpoint[] = [];
    for (const host of this.#own(local.host)) bound.push(wire.bindUdp({ host, port: bound[0]?.port ?? local.port }, handler));
    const [first] = bound;
    return {
      local: bound.length === 1 ? first! : { host: '', port: first!.port },
      send: (bytes, to) => {
        const from = this.#towards(to.host, bound.map((b) => b.host));
        if (from === undefined) handler.onError(Object.assign(new Error('no route'), { code: 'ENETUNREACH' }), to);
        else wire.sendUdp({ host: from, port: first!.port }, to, bytes);
      },
      close: () => { for (const one of bound) wire.unbindUdp(one, handler); },
    };
  }

  connect(remote: Endpoint, handler: StreamHandler, way?: Way): StreamSocket {
    return this.#wire.connectTcp(this.#towards(remote.host) ?? this.#addresses[0]!, remote, handler, way);
  }

  async listen(local: Endpoint, accept: (socket: StreamSocket) => StreamHandler): Promise<StreamListener> {
    const wire = this.#wire, bound: Endpoint[] = [];
    for (const host of this.#own(local.host)) bound.push(wire.listenTcp({ host, port: bound[0]?.port ?? local.port }, accept));
    return { local: bound.length === 1 ? bound[0]! : { host: '', port: bound[0]!.port }, close: () => { for (const one of bound) wire.unlistenTcp(one); } };
  }

  async refuses(remote: Endpoint): Promise<boolean> {
    return this.#wire.refusesUdp(this.#towards(remote.host) ?? '', remote);
  }

  async sourceFor(remote: string): Promise<string | undefined> {
    const from = this.#towards(remote);
    return from === undefined || this.#wire.down.has(from) ? undefined : from;
  }
}

/** DNS from a table. */
export class FakeResolver implements Resolver {
  readonly hosts = new Map<string, readonly string[]>();
  readonly services = new Map<string, readonly SrvRecord[]>();
  readonly pointers = new Map<string, readonly NaptrRecord[]>();
  /** true: nobody answers. */
  silent = false;
  /** How often expire() was called. */
  expired = 0;

  async addresses(name: string, family: 4 | 6): Promise<readonly string[]> {
    if (this.silent) throw new PhoneError('DNS_SILENT', `no name server answered for ${name}`);
    return (this.hosts.get(name) ?? []).filter((a) => a.includes(':') === (family === 6));
  }

  async srv(name: string): Promise<readonly SrvRecord[]> {
    if (this.silent) throw new PhoneError('DNS_SILENT', `no name server answered for ${name}`);
    return this.services.get(name) ?? [];
  }

  async naptr(name: string): Promise<readonly NaptrRecord[]> {
    if (this.silent) throw new PhoneError('DNS_SILENT', `no name server answered for ${name}`);
    return this.pointers.get(name) ?? [];
  }

  expire(): void { this.expired++; }
}
