// Hears what was in the IP header of a datagram, which Node does not tell.

import koffi from 'koffi';
import { expect } from 'vitest';

const libc = koffi.load('libc.so.6');
const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const void* value, uint32_t size)');
const socketOf = libc.func('int socket(int domain, int type, int protocol)');
const bind = libc.func('int bind(int fd, const void* address, uint32_t length)');
const getsockname = libc.func('int getsockname(int fd, void* address, _Inout_ uint32_t* length)');
const recvmsg = libc.func('int64_t recvmsg(int fd, void* message, int flags)');
const close = libc.func('int close(int fd)');
const AF_INET = 2, SOCK_DGRAM = 2, IPPROTO_IP = 0, IP_TOS = 1, IP_RECVTOS = 13;

/** A UDP socket of the C library's that is told the type of service of what it gets: what was in the IP header on the way. */
export function listener() {
  const fd = socketOf(AF_INET, SOCK_DGRAM, 0) as number, address = Buffer.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  expect(bind(fd, address, 16)).toBe(0);
  expect(getsockname(fd, address, [16])).toBe(0);
  expect(setsockopt(fd, IPPROTO_IP, IP_RECVTOS, new Int32Array([1]), 4)).toBe(0);
  const body = Buffer.alloc(64), control = Buffer.alloc(64), vector = Buffer.alloc(16), message = Buffer.alloc(56); // struct iovec and msghdr of 64 bits
  return {
    port: address.readUInt16BE(2),
    /** Type of service of the next datagram; undefined when none is there. */
    read(): number | undefined {
      vector.writeBigUInt64LE(koffi.address(body), 0);
      vector.writeBigUInt64LE(64n, 8);
      message.writeBigUInt64LE(koffi.address(vector), 16);
      message.writeBigUInt64LE(1n, 24);
      message.writeBigUInt64LE(koffi.address(control), 32);
      message.writeBigUInt64LE(64n, 40);
      if (Number(recvmsg(fd, message, 0x40)) < 0) return undefined;
      expect([control.readInt32LE(8), control.readInt32LE(12)]).toEqual([IPPROTO_IP, IP_TOS]);
      return control[16];
    },
    close: () => { close(fd); },
  };
}
