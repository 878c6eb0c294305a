// Marks what a socket sends with a DSCP (RFC 2474), so that switches and Wi-Fi let sound and signalling pass first. Node has no
// setsockopt; the C library has. A socket that cannot be marked goes on without.

import koffi from 'koffi';
import type { Socket as UdpSocket } from 'node:dgram';
import { Socket } from 'node:net';

// Linux, all architectures we run on
const IPPROTO_IP = 0, IP_TOS = 1, IPPROTO_IPV6 = 41, IPV6_TCLASS = 67;

let setsockopt: ((fd: number, level: number, name: number, value: Int32Array, size: number) => number) | undefined;

interface Handle { readonly fd?: number }

/** Node tells it nowhere else; a UDP socket has it one door further in, and a warning at the old door. */
export function descriptorOf(socket: UdpSocket | Socket): number | undefined {
  if (socket instanceof Socket) return (socket as { readonly _handle?: Handle | null })._handle?.fd;
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  return state && (socket as unknown as Readonly<Record<symbol, { readonly handle?: Handle | null }>>)[state]?.handle?.fd;
}

/** Sets `dscp` (0 to 63) on a bound or connected socket. Gives what went wrong, undefined when nothing did. */
export function mark(socket: UdpSocket | Socket, dscp: number): string | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined || fd < 0) return 'the socket has no descriptor';
  try {
    setsockopt ??= koffi.load('libc.so.6').func('int setsockopt(int fd, int level, int name, const void* value, uint32_t size)');
    const value = new Int32Array([dscp << 2]); // the low two bits are the network's, RFC 3168
    // A socket of IPv6 takes both: it may carry IPv4 as well
    const results = [setsockopt(fd, IPPROTO_IP, IP_TOS, value, 4), setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, value, 4)];
    return results.includes(0) ? undefined : 'the kernel refuses it';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
