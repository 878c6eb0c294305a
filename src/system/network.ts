// Sockets and DNS of the machine, behind the ports. Does not retry, queue or time out: the rooms decide that.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { Resolver as DnsResolver } from 'node:dns/promises';
import { promises as dns } from 'node:dns';
import { createServer, isIPv6, Socket } from 'node:net';
import { PhoneError } from '../ports/errors.ts';
import type { Endpoint, Network, Resolver, StreamHandler, StreamSocket } from '../ports/net.ts';

/** Datagrams the kernel may hold for us while the thread is busy. */
const RECEIVE_BUFFER_BYTES = 1 << 19;
/** What may wait for a peer that does not read; a stranger who only asks would else fill our memory. */
const UNSENT_BYTES = 1 << 18;
const ANY = '';

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

function bindUdp(local: Endpoint, receiveBuffer: number): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isIPv6(local.host) ? 'udp6' : 'udp4', recvBufferSize: receiveBuffer });
    const fail = (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(bindFailure('UDP', local, error));
    };
    socket.once('error', fail);
    socket.bind({ port: local.port, ...(local.host === ANY ? {} : { address: local.host }), exclusive: true }, () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function wrap(socket: Socket, handlerOf: (stream: StreamSocket) => StreamHandler, remote: Endpoint): StreamSocket {
  let failure: Error | undefined;
  let over = false;
  const stream: StreamSocket = {
    get local() { return { host: plain(socket.localAddress ?? ''), port: socket.localPort ?? 0 }; },
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
  socket.on('connect', () => handler.onOpen());
  socket.on('data', (bytes: Buffer) => { if (!over) handler.onBytes(bytes); });
  socket.on('error', (error) => { failure = error; });
  socket.on('close', () => {
    if (over) return;
    over = true;
    handler.onClose(failure);
  });
  return stream;
}

export function systemNetwork(): Network {
  return {
    async udp(local, handler) {
      const socket = await bindUdp(local, RECEIVE_BUFFER_BYTES);
      const bound = socket.address();
      let open = true;
      socket.on('message', (bytes, from) => handler.onDatagram(bytes, { host: plain(from.address), port: from.port }));
      socket.on('error', (error) => handler.onError(error, undefined));
      return {
        local: { host: local.host === ANY ? ANY : bound.address, port: bound.port },
        send(bytes, to) {
          if (open) socket.send(bytes, to.port, to.host, (error) => { if (error !== null && open) handler.onError(error, to); });
        },
        close() {
          if (!open) return;
          open = false;
          socket.close();
        },
      };
    },

    connect(remote, handler, localHost) {
      const socket = new Socket();
      const stream = wrap(socket, () => handler, remote);
      socket.connect({ host: remote.host, port: remote.port, ...(localHost === undefined || localHost === ANY ? {} : { localAddress: localHost }) });
      return stream;
    },

    listen(local, accept) {
      return new Promise((resolve, reject) => {
        const open = new Set<Socket>();
        const server = createServer((socket) => {
          open.add(socket);
          socket.on('close', () => open.delete(socket));
          let handler: StreamHandler | undefined;
          wrap(socket, (stream) => (handler = accept(stream)), { host: plain(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 });
          handler?.onOpen();
        });
        server.once('error', (error) => reject(bindFailure('TCP', local, error)));
        server.listen({ port: local.port, ...(local.host === ANY ? { host: '0.0.0.0' } : { host: local.host }), exclusive: true }, () => {
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

    /** The kernel's routing table decides: a UDP socket is connected, which sends nothing, and asked for its own address. */
    sourceFor(remoteHost) {
      return new Promise((resolve) => {
        const socket = createSocket(isIPv6(remoteHost) ? 'udp6' : 'udp4');
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

const GONE = new Set(['ENOTFOUND', 'ENODATA', 'NXDOMAIN', 'EAI_NONAME', 'EAI_NODATA']);

async function found<T>(name: string, ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await ask();
  } catch (error) {
    if (GONE.has((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw new PhoneError('DNS_SILENT', `no name server answered for ${name}`, error);
  }
}

/** Names by the system's resolver (so /etc/hosts and mDNS work), SRV by its name servers. */
export function systemResolver(): Resolver {
  const srv = new DnsResolver({ timeout: 2_000, tries: 2 });
  return {
    addresses: (name, family) => found(name, async () => (await dns.lookup(name, { family, all: true })).map((a) => a.address)),
    srv: (name) => found(name, () => srv.resolveSrv(name)),
  };
}
