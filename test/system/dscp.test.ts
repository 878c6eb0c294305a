import { createSocket } from 'node:dgram';
import { connect, createServer, type AddressInfo } from 'node:net';
import koffi from 'koffi';
import { expect, test } from 'vitest';
import { descriptorOf, mark } from '../../src/system/dscp.ts';
import { systemNetwork } from '../../src/system/network.ts';
import { listener } from '../fakes/type-of-service.ts';

const libc = koffi.load('libc.so.6');
const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void* value, _Inout_ uint32_t* size)');
const IPPROTO_IP = 0, IP_TOS = 1, IPPROTO_IPV6 = 41, IPV6_TCLASS = 67;

const optionOf = (fd: number, level: number, name: number): number => {
  const value = new Int32Array(1);
  expect(getsockopt(fd, level, name, value, [4])).toBe(0);
  return value[0]!;
};

test('a datagram bears the mark in its IP header, above the two bits of congestion (RFC 2474 §3, RFC 3168 §5)', async () => {
  const far = listener(), network = systemNetwork({ dscp: 46, marks: () => import('../../src/system/dscp.ts') }), unmarked = systemNetwork();
  const handler = { onDatagram: () => undefined, onError: () => undefined };
  const near = await network.udp({ host: '127.0.0.1', port: 0 }, handler), plain = await unmarked.udp({ host: '127.0.0.1', port: 0 }, handler);
  await expect.poll(() => {
    near.send(Buffer.from('x'), { host: '127.0.0.1', port: far.port });
    return far.read();
  }, { timeout: 10_000 }).toBe(46 << 2);
  await expect.poll(() => {
    const got = far.read();
    if (got === undefined) plain.send(Buffer.from('x'), { host: '127.0.0.1', port: far.port });
    return got;
  }, { timeout: 10_000 }).toBe(0);
  near.close();
  plain.close();
  far.close();
});

test.each([['udp4', '127.0.0.1', IPPROTO_IP, IP_TOS], ['udp6', '::1', IPPROTO_IPV6, IPV6_TCLASS]] as const)('a bound %s socket takes the mark, a closed one says why not', async (type, host, level, name) => {
  const socket = createSocket(type);
  await new Promise<void>((resolve) => { socket.bind(0, host, resolve); });
  expect(mark(socket, 26)).toBeUndefined();
  expect(optionOf(descriptorOf(socket)!, level, name)).toBe(26 << 2);
  socket.close();
  expect(mark(socket, 26)).toBe('the socket has no descriptor');
});

test.each(['127.0.0.1', '::1'])('a connection to %s takes the mark, at the end that accepted it too', async (host) => {
  const seen: number[] = [], v6 = host === '::1';
  const server = createServer((socket) => {
    seen.push(mark(socket, 24) === undefined ? optionOf(descriptorOf(socket)!, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS) : -1);
    socket.destroy();
  });
  await new Promise<void>((resolve) => { server.listen(0, host, resolve); });
  const socket = connect((server.address() as AddressInfo).port, host);
  expect(mark(socket, 26), 'not yet there').toBe('the socket has no descriptor');
  await new Promise((resolve) => { socket.on('connect', resolve); });
  expect(mark(socket, 26)).toBeUndefined();
  expect(optionOf(descriptorOf(socket)!, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS)).toBe(26 << 2);
  await new Promise((resolve) => { socket.on('close', resolve); });
  expect(seen).toEqual([24 << 2]);
  server.close();
});
