// Sockets of the machine, behind the ports; names are dns.ts's. Does not retry or queue: the rooms decide that. TLS and WebSocket are loaded when
// the first socket wants them, the marks of packets by whoever has the C library.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, Socket } from 'node:net';
import { PhoneError } from '../ports/errors.ts';
import type { Log } from '../ports/log.ts';
import type { Endpoint, Network, StreamHandler, StreamKind, StreamSocket } from '../ports/net.ts';
import type { PolledUdp } from './polled-udp.ts';
import type { Checking, Tls, TlsFiles } from './tls.ts';

/** Datagrams the kernel may hold for us while the thread is busy. */
const RECEIVE_BUFFER_BYTES = 1 << 19;
/** What may wait for a peer that does not read; a stranger who only asks would else fill our memory. */
const UNSENT_BYTES = 1 << 18;
/** An ICMP refusal that takes longer is none. */
const REFUSAL_MS = 1_000;
const ANY = '';

export type Marks = Pick<typeof import('./dscp.ts'), 'mark'>;
export type Polled = Pick<typeof import('./polled-udp.ts'), 'takeOver'>;

export interface NetworkOptions {
  readonly log?: Log | undefined;
  /** The mark of all that is sent (RFC 2474); 0 is none. */
  readonly dscp?: number | undefined;
  /** Brings dscp.ts, and with it the C library, which not everybody has; what is sent until it is there goes unmarked. */
  readonly marks?: (() => Promise<Marks>) | undefined;
  /** Brings polled-udp.ts: UDP sockets can be polled then. */
  readonly polled?: (() => Promise<Polled>) | undefined;
  readonly tls?: (() => TlsFiles) | undefined;
  /** What the settings say of the server called `name`; undefined when it is none of theirs: its certificate is checked, and WebSocket is asked for at /ws. */
  readonly server?: ((name: string) => { readonly checking: Checking; readonly webSocketPath: string } | undefined) | undefined;
}

function bindFailure(kind: string, local: Endpoint, error: NodeJS.ErrnoException): PhoneError {
  if (error.code === 'EADDRINUSE') {
    return new PhoneError('PORT_IN_USE', `${kind} port ${local.port} is in use by another program on this machine`, error);
  }
  if (error.code === 'EADDRNOTAVAIL') {
    return new PhoneError('ADDRESS_NOT_LOCAL', `${local.host} is not an address of this machine`, error);
  }
  if (error.code === 'EACCES') {
    return new PhoneError('PORT_FORBIDDEN', `${kind} port ${local.port} needs more rights than this program has; use a port above 1023`, error);
  }
  return new PhoneError('BIND_FAILED', `cannot open ${kind} port ${local.port} of ${local.host || 'this machine'}: ${error.message}`, error);
}

/** v4-mapped v6 addresses are written as what they are. */
const plain = (host: string) => (host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host);

/** 224.0.0.0 to 239.255.255.255, ff00:: to ffff:: */
const isGroup = (host: string) => /^(22[4-9]|23\d)\.|^ff/i.test(host);

/** A member of a multicast group, which other programs of this machine may be as well. */
function joinGroup(group: Endpoint): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isSix(group.host) ? 'udp6' : 'udp4', reuseAddr: true, recvBufferSize: RECEIVE_BUFFER_BYTES });
    const fail = (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(error.code === 'ENODEV' ? new PhoneError('NO_ROUTE', `no network leads to the multicast group ${group.host}`, error) : bindFailure('UDP', group, error));
    };
    socket.once('error', fail);
    socket.bind({ port: group.port, address: group.host }, () => {
      try {
        socket.addMembership(group.host);
      } catch (error) {
        return fail(error as NodeJS.ErrnoException);
      }
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** Every address is one socket of IPv6 that carries IPv4 as well, or IPv4 alone where the kernel has nothing else. */
/** Of an address. net.isIPv6 compiles a pattern for it that costs a start more than opening the socket. */
const isSix = (address: string): boolean => address.includes(':');

function bindUdp(local: Endpoint, receiveBuffer: number, six = local.host === ANY || isSix(local.host)): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: six ? 'udp6' : 'udp4', recvBufferSize: receiveBuffer });
    const fail = (error: NodeJS.ErrnoException) => {
      socket.close();
      if (six && local.host === ANY && error.code !== 'EADDRINUSE' && error.code !== 'EACCES') resolve(bindUdp(local, receiveBuffer, false));
      else reject(bindFailure('UDP', local, error));
    };
    socket.once('error', fail);
    socket.bind({ port: local.port, ...(local.host === ANY ? {} : { address: local.host }), exclusive: true }, () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** `words` turns a late error into one for people. */
function wrap(socket: Socket, handlerOf: (stream: StreamSocket) => StreamHandler, remote: Endpoint, words: (error: Error) => Error = (error) => error): StreamSocket {
  let failure: Error | undefined;
  let over = false;
  const stream: StreamSocket = {
    get local() { return localOf(socket); },
    remote,
    send(bytes) {
      if (over) return;
      socket.write(bytes);
      if (socket.writableLength > UNSENT_BYTES) socket.destroy(new Error('the other side does not read'));
    },
    close() {
      over = true;
      if (socket.writableLength === 0) socket.destroySoon();
      else socket.destroy(); // the kernel's buffer is full of what it does not read; waiting for it would last for ever
    },
  };
  const handler = handlerOf(stream);
  socket.setNoDelay(true);
  socket.on('data', (bytes: Buffer) => { if (!over) handler.onBytes(bytes); });
  socket.on('error', (error) => { failure = words(error); });
  socket.on('close', () => {
    if (over) return;
    over = true;
    handler.onClose(failure);
  });
  return stream;
}

/** The system's network, whose settings may change. */
export interface SystemNetwork extends Network {
  /**
   * Ends the streams over TLS and WebSocket that would be opened otherwise by now: another check of the certificate, other files, another path. To
   * a server that the settings know no more they stay: an account takes its leave there.
   */
  settingsChanged(): void;
}

const localOf = (socket: Socket): Endpoint => ({ host: plain(socket.localAddress ?? ''), port: socket.localPort ?? 0 });

const connected = (socket: Socket): Promise<void> => new Promise((resolve, reject) => {
  socket.on('error', reject); // stays: between two layers nobody else listens
  socket.once('close', () => reject(new Error('the connection was closed')));
  socket.once('connect', () => resolve());
});

export function systemNetwork({ log, dscp = 0, marks, polled, tls: files, server }: NetworkOptions = {}): SystemNetwork {
  let tls: Promise<Tls> | undefined;
  const tlsRoom = () => (tls ??= import('./tls.ts').then(({ createTls }) => createTls(files ?? (() => ({ ca: '', cert: '', key: '' })))));

  const marking = dscp === 0 ? undefined : marks?.();
  marking?.catch(() => undefined); // said at each socket
  const mark = (socket: UdpSocket | Socket): void => {
    marking?.then(({ mark: set }) => {
      const wrong = set(socket, dscp);
      if (wrong !== undefined) log?.debug({ dscp, wrong }, 'packets are not marked');
    }, (error: unknown) => log?.debug({ dscp, wrong: String(error) }, 'packets are not marked'));
  };

  /** How each stream over TLS or WebSocket looks at the settings, and ends when they are not those it was opened by. */
  const layers = new Set<() => void>();

  /** TLS and WebSocket over `raw`; the stream is there at once and works from onOpen on. */
  function layered(raw: Socket, remote: Endpoint, handler: StreamHandler, kind: Exclude<StreamKind, 'tcp'>, name: string): StreamSocket {
    let inner: StreamSocket | undefined, over = false, covers: ((other: string) => boolean) | undefined;
    const terms = (): string => JSON.stringify([server?.(name), files?.()]), opened = terms();
    const look = (): void => {
      if (server?.(name) !== undefined && terms() !== opened) fail(Object.assign(new Error('the settings of this connection have changed'), { code: 'ECONNRESET' }));
    };
    layers.add(look);
    const fail = (error: Error | undefined): void => {
      if (over) return;
      over = true;
      layers.delete(look);
      raw.destroy();
      handler.onClose(error);
    };
    const open = async (): Promise<void> => {
      await connected(raw);
      mark(raw);
      const { checking = 'on', webSocketPath = '/ws' } = server?.(name) ?? {};
      let carrier = raw, words: ((error: Error) => Error) | undefined;
      if (kind !== 'ws') {
        const { explained } = await import('./tls.ts'), secured = await (await tlsRoom()).open(raw, name, checking);
        carrier = secured.socket;
        covers = secured.covers;
        words = (error) => explained(error, `${name} port ${remote.port}`, files?.().cert !== '');
      }
      if (over) return void carrier.destroy();
      const upper: StreamHandler = { onOpen: () => handler.onOpen(), onBytes: (bytes) => handler.onBytes(bytes), onClose: fail };
      if (carrier.destroyed) throw new Error('the connection was closed');
      if (kind === 'tls') {
        inner = wrap(carrier, () => upper, remote, words);
        return handler.onOpen();
      }
      const { openWebSocket } = await import('./websocket.ts');
      if (over) return void carrier.destroy();
      if (carrier.destroyed) throw new Error('the connection was closed');
      inner = openWebSocket({ raw: carrier, local: localOf(raw), remote, name, path: webSocketPath, words }, upper);
    };
    open().catch(fail);
    return {
      get local() { return localOf(raw); },
      remote,
      send(bytes) { inner?.send(bytes); },
      close() {
        over = true;
        layers.delete(look);
        if (inner === undefined) raw.destroy();
        else inner.close();
      },
      covers: (other) => covers?.(other) === true,
    };
  }

  return {
    settingsChanged() {
      for (const look of layers) look();
    },

    async udp(local, handler) {
      const socket = await (isGroup(local.host) ? joinGroup(local) : bindUdp(local, RECEIVE_BUFFER_BYTES));
      const bound = socket.address(), six = isSix(bound.address);
      const polling = await polled?.().catch(() => undefined); // without the C library Node does all
      let open = true, taken: PolledUdp | undefined, taking = polling;
      mark(socket);
      socket.on('message', (bytes, from) => handler.onDatagram(bytes, { host: plain(from.address), port: from.port }));
      socket.on('error', (error) => handler.onError(error, undefined));
      return {
        local: { host: local.host === ANY ? ANY : bound.address, port: bound.port },
        send(bytes, to) {
          if (!open || taken?.send(bytes, to) === true) return;
          socket.send(bytes, to.port, six && !to.host.includes(':') ? `::ffff:${to.host}` : to.host, (error) => { if (error !== null && open) handler.onError(error, to); });
        },
        ...(polling === undefined ? {} : {
          poll() {
            if (!open) return;
            if (taking !== undefined) taken = taking.takeOver(socket, six, handler);
            taking = undefined;
            taken?.poll();
          },
        }),
        close() {
          if (!open) return;
          open = false;
          taken?.end();
          socket.close();
        },
      };
    },

    connect(remote, handler, { kind = 'tcp', name = remote.host, localHost = ANY } = {}) {
      const socket = new Socket();
      const stream = kind === 'tcp' ? wrap(socket, () => handler, remote) : layered(socket, remote, handler, kind, name);
      if (kind === 'tcp') {
        socket.on('connect', () => {
          mark(socket);
          handler.onOpen();
        });
      }
      socket.connect({ host: remote.host, port: remote.port, ...(localHost === ANY ? {} : { localAddress: localHost }) });
      return stream;
    },

    async listen(local, accept, kind = 'tcp') {
      const layers = kind === 'tcp' ? undefined : await (await import('./accepting.ts')).layersOf(kind === 'ws' ? undefined : await tlsRoom(), kind !== 'tls', local.port, log);
      return new Promise((resolve, reject) => {
        const open = new Set<Socket>();
        const server = createServer((socket) => {
          open.add(socket);
          socket.on('close', () => open.delete(socket));
          mark(socket);
          const local = localOf(socket), remote = { host: plain(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 };
          const take = (carrier: Socket): void => {
            let handler: StreamHandler | undefined;
            wrap(carrier, (stream) => (handler = accept(stream)), remote);
            handler?.onOpen();
          };
          if (layers === undefined) take(socket);
          else layers(socket, { local, remote }, accept, take);
        });
        server.once('error', (error) => reject(bindFailure(kind.toUpperCase(), local, error)));
        server.listen({ port: local.port, ...(local.host === ANY ? {} : { host: local.host }), exclusive: true }, () => {
          const bound = server.address();
          resolve({
            local: { host: local.host, port: typeof bound === 'object' && bound !== null ? bound.port : local.port },
            close() {
              server.close();
              for (const socket of open) socket.destroy();
            },
          });
        });
      });
    },

    refuses(remote) {
      return new Promise((resolve) => {
        const socket = createSocket(isSix(remote.host) ? 'udp6' : 'udp4');
        const done = (refused: boolean) => {
          clearTimeout(timer);
          socket.removeAllListeners();
          socket.on('error', () => undefined); // already answered; the socket is being closed
          socket.close();
          resolve(refused);
        };
        const timer = setTimeout(() => done(false), REFUSAL_MS);
        const failed = (error: NodeJS.ErrnoException | null) => { if (error !== null) done(error.code === 'ECONNREFUSED' || error.code === 'EHOSTUNREACH' || error.code === 'ENETUNREACH'); };
        socket.once('error', failed);
        socket.connect(remote.port, remote.host, () => socket.send(Buffer.from('\r\n\r\n'), failed));
      });
    },

    /** The kernel's routing table decides: a UDP socket is connected, which sends nothing, and asked for its own address. */
    sourceFor(remoteHost) {
      return new Promise((resolve) => {
        const socket = createSocket(isSix(remoteHost) ? 'udp6' : 'udp4');
        const done = (host: string | undefined) => {
          socket.removeAllListeners();
          socket.on('error', () => undefined); // already answered; the socket is being closed
          socket.close();
          resolve(host);
        };
        socket.once('error', () => done(undefined));
        socket.connect(9, remoteHost, () => {
          try {
            const host = plain(socket.address().address);
            done(host === '0.0.0.0' || host === '::' ? undefined : host); // connect fails through this callback: bound, but no route
          } catch {
            done(undefined);
          }
        });
      });
    },
  };
}
