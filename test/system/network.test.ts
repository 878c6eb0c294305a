import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { systemNetwork } from '../../src/system/network.ts';
import type { DatagramSocket, Endpoint, StreamHandler, StreamSocket } from '../../src/ports/net.ts';

const LOCAL: Endpoint = { host: '127.0.0.1', port: 0 };
const quiet = { onDatagram: () => undefined, onError: () => undefined };

test('a datagram arrives with its sender, and one to a closed port comes back as an error naming the target', async () => {
  const network = systemNetwork();
  const got = await new Promise<{ bytes: string; from: Endpoint; sender: Endpoint }>((resolve) => {
    void (async () => {
      const b = await network.udp(LOCAL, { onDatagram: (bytes, from) => resolve({ bytes: String(bytes), from, sender: a.local }), onError: () => undefined });
      const a = await network.udp(LOCAL, quiet);
      a.send(Buffer.from('hello'), b.local);
    })();
  });
  expect(got.bytes).toBe('hello');
  expect(got.from).toEqual(got.sender);
});

test('a socket of every address carries IPv4 and IPv6, and writes IPv4 as such', async () => {
  const network = systemNetwork();
  const heard: Endpoint[] = [];
  const all = await network.udp({ host: '', port: 0 }, { onDatagram: (bytes, from) => { heard.push(from); all.send(bytes, from); }, onError: () => undefined });
  expect(all.local.host).toBe('');
  for (const host of ['127.0.0.1', '::1']) {
    const back = await new Promise<Endpoint>((resolve) => {
      void network.udp({ host, port: 0 }, { onDatagram: (_, from) => { peer.then((p) => p.close(), () => undefined); resolve(from); }, onError: () => undefined }).then((socket) => {
        socket.send(Buffer.from('hello'), { host, port: all.local.port });
        give(socket);
      });
      let give: (socket: DatagramSocket) => void = () => undefined;
      const peer = new Promise<DatagramSocket>((resolve) => { give = resolve; });
    });
    expect([heard.at(-1)!.host, back]).toEqual([host, { host, port: all.local.port }]);
  }
  await expect(network.udp({ host: '', port: all.local.port }, quiet)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  all.close();
});

test('streams are accepted on every address of both families', async () => {
  const network = systemNetwork();
  const peers: string[] = [];
  const listener = await network.listen({ host: '', port: 0 }, (socket) => {
    peers.push(socket.remote.host);
    return { onOpen: () => undefined, onBytes: () => undefined, onClose: () => undefined };
  });
  for (const host of ['127.0.0.1', '::1']) {
    await new Promise<void>((resolve) => {
      const stream = network.connect({ host, port: listener.local.port }, { onOpen: () => stream.send(Buffer.from('x')), onBytes: () => undefined, onClose: () => resolve() });
      const wait = (): void => { if (peers.at(-1) === host) { stream.close(); resolve(); } else setImmediate(wait); };
      wait();
    });
  }
  listener.close();
  expect(peers).toEqual(['127.0.0.1', '::1']);
});

test('the address towards IPv6 is one of IPv6', async () => {
  expect(await systemNetwork().sourceFor('::1')).toBe('::1');
});

test('a closed UDP port refuses, an open one does not', async () => {
  const network = systemNetwork();
  for (const host of ['127.0.0.1', '::1']) {
    const open = await network.udp({ host, port: 0 }, quiet);
    expect(await network.refuses!(open.local)).toBe(false);
    open.close();
    expect(await network.refuses!(open.local)).toBe(true);
  }
});

test('a port in use is named', async () => {
  const network = systemNetwork();
  const first = await network.udp(LOCAL, quiet);
  await expect(network.udp(first.local, quiet)).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining(String(first.local.port)) as string });
  first.close();
});

test('an address that is not ours is named', async () => {
  await expect(systemNetwork().udp({ host: '192.0.2.77', port: 0 }, quiet)).rejects.toMatchObject({ code: 'ADDRESS_NOT_LOCAL' });
});

test('streams carry bytes both ways and tell when the other side closed', async () => {
  const network = systemNetwork();
  const log: string[] = [];
  await new Promise<void>((resolve) => {
    void (async () => {
      const listener = await network.listen(LOCAL, (socket): StreamHandler => ({
        onOpen: () => log.push('accepted'),
        onBytes: (bytes) => { log.push(`server got ${String(bytes)}`); socket.send(Buffer.from('pong')); },
        onClose: (error) => { log.push(`server closed ${String(error)}`); listener.close(); resolve(); },
      }));
      const client = network.connect(listener.local, {
        onOpen: () => client.send(Buffer.from('ping')),
        onBytes: (bytes) => { log.push(`client got ${String(bytes)}`); client.close(); },
        onClose: () => log.push('never: we closed it ourselves'),
      });
    })();
  });
  expect(log).toEqual(['accepted', 'server got ping', 'client got pong', 'server closed undefined']);
});

test('a refused connection closes with its error', async () => {
  const network = systemNetwork();
  const gone = await network.listen(LOCAL, () => ({ onOpen: () => undefined, onBytes: () => undefined, onClose: () => undefined }));
  gone.close();
  const error = await new Promise<Error | undefined>((resolve) => {
    network.connect(gone.local, { onOpen: () => undefined, onBytes: () => undefined, onClose: resolve });
  });
  expect((error as NodeJS.ErrnoException).code).toBe('ECONNREFUSED');
});

test('the source address towards loopback is loopback', async () => {
  expect(await systemNetwork().sourceFor('127.0.0.1')).toBe('127.0.0.1');
});

test('where nothing can be sent there is no source address', async () => {
  // Connecting to the broadcast address is refused to a socket that never asked for it: the same as having no route.
  expect(await systemNetwork().sourceFor('255.255.255.255')).toBeUndefined();
});

test('who never reads is cut off before what waits for it fills the memory', async () => {
  const network = systemNetwork();
  const deaf: Socket[] = [];
  const meet = (onClose: StreamHandler['onClose']): Promise<StreamSocket> => new Promise((resolve) => {
    void (async () => {
      const listener = await network.listen(LOCAL, (socket): StreamHandler => {
        resolve(socket);
        return { onOpen: () => undefined, onBytes: () => undefined, onClose };
      });
      const peer = connect(listener.local.port, '127.0.0.1');
      peer.on('error', () => undefined);
      peer.pause();
      deaf.push(peer);
    })();
  });
  const lump = Buffer.alloc(64 << 10);
  const failure = await new Promise<Error | undefined>((resolve) => {
    void meet(resolve).then((socket) => { for (let i = 0; i < 1_000; i++) socket.send(lump); });
  });
  expect(failure?.message).toBe('the other side does not read');

  for (const peer of deaf) peer.destroy();
});
