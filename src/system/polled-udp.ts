// A bound UDP socket of Node's, read and written by system calls when its owner asks: for the media thread, which is woken for each period of
// sound anyway. Node wakes a thread for each datagram, makes a dozen objects of it and resolves the name of a numeric address for
// each that is sent: a third of the work of a call. Opened and closed by Node; what it has opened is taken over by its descriptor.

import koffi from 'koffi';
import type { Socket as UdpSocket } from 'node:dgram';
import type { DatagramHandler, Endpoint } from '../ports/net.ts';
import { descriptorOf } from './dscp.ts';

// Linux, all architectures we run on
const AF_INET = 2, AF_INET6 = 10;
const MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_NOSIGNAL = 0x4000;
const EINTR = 4, EAGAIN = 11, ENOBUFS = 105, ECONNREFUSED = 111;
/** _IOR(0x89, 0x07, long long[2]): when the kernel took in the datagram read last, in seconds and nanoseconds of wall time. */
const SIOCGSTAMPNS = 0x8010_8907;
const CLOCK_REALTIME = 0;
/** sockaddr_in6; sockaddr_in is shorter. */
const NAME_BYTES = 28, NAME_BYTES_4 = 16;
/** Longer ones are no sound, and are dropped. */
const LONGEST = 4096;
/** Datagrams are cut from pieces of this size, so that most need no memory of their own. */
const PIECE = 32_768;
/** Read at once; the rest has its turn at the next poll. */
const MOST = 64;
/** By how much the clocks of stamps and polls may disagree. */
const SLACK_MS = 1;

function bind() {
  const libc = koffi.load('libc.so.6');
  return {
    receive: libc.func('long recvfrom(int fd, void* bytes, size_t length, int flags, void* name, void* nameLength)'),
    send: libc.func('long sendto(int fd, const void* bytes, size_t length, int flags, const void* name, uint32_t nameLength)'),
    ioctl: libc.func('int ioctl(int fd, unsigned long request, void* value)'),
    time: libc.func('int clock_gettime(int clock, void* value)'),
    nameOf: libc.func('const char* if_indextoname(uint32_t index, void* text)'),
    toBytes: libc.func('int inet_pton(int family, const char* text, void* bytes)'),
    toText: libc.func('const char* inet_ntop(int family, const void* bytes, void* text, uint32_t size)'),
  };
}
let libc: ReturnType<typeof bind> | undefined;

/** What Node keeps behind its socket. */
interface Handle { recvStop?(): number }

/** What clock_gettime writes: two words of the machine, which on a 32-bit one the C library keeps to 32 bits for programs that do not ask for more. */
export const timespec = (wordBytes: number): Timespec => (wordBytes === 8 ? new BigInt64Array(2) : new Int32Array(2));
export type Timespec = BigInt64Array | Int32Array;

/** Milliseconds from `stamp` to `now`, both seconds and nanoseconds; 0 where that cannot be: more than `mostMs` say that the wall clock was set meanwhile. */
export function msSince(stamp: Timespec, now: Timespec, mostMs: number): number {
  const ms = (Number(now[0]) - Number(stamp[0])) * 1_000 + (Number(now[1]) - Number(stamp[1])) / 1e6;
  return ms > 0 && ms <= mostMs ? ms : 0;
}

export interface PolledUdp {
  /** As DatagramSocket's; false where this cannot be sent so, and Node is to do it. */
  send(bytes: Uint8Array, to: Endpoint): boolean;
  /** Hand over what has come. */
  poll(): void;
  /** To be called before the socket is closed: its descriptor is soon somebody else's. */
  end(): void;
}

/** Takes over the reading of `socket`, `six` when it is one of IPv6; undefined where that cannot be done, and it stays as it was. */
export function takeOver(socket: UdpSocket, six: boolean, handler: DatagramHandler): PolledUdp | undefined {
  const fd = descriptorOf(socket);
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  const handle = state && (socket as unknown as Readonly<Record<symbol, { readonly handle?: Handle | null }>>)[state]?.handle;
  if (fd === undefined || fd < 0 || typeof handle?.recvStop !== 'function') return undefined;
  try {
    libc ??= bind();
  } catch {
    return undefined;
  }
  if (handle.recvStop() !== 0) return undefined;
  const { receive, send, ioctl, time, toBytes, toText, nameOf } = libc;

  const box = Buffer.alloc(LONGEST), name = Buffer.alloc(NAME_BYTES), nameLength = new Uint32Array(1), stamp = new BigInt64Array(2), wall = timespec(koffi.sizeof('long'));
  let piece = Buffer.allocUnsafeSlow(PIECE), cut = 0;
  const lastName = Buffer.alloc(NAME_BYTES);
  let from: Endpoint = { host: '', port: 0 };
  const text = Buffer.alloc(64);
  const fromName = (): Endpoint => {
    if (from.port !== 0 && name.equals(lastName)) return from;
    name.copy(lastName);
    const family = name.readUInt16LE(0), port = name.readUInt16BE(2);
    let host = String(toText(family, name.subarray(family === AF_INET ? 4 : 8), text, text.length));
    if (host.startsWith('::ffff:') && host.includes('.')) host = host.slice(7);
    const link = family === AF_INET6 ? name.readUInt32LE(24) : 0;
    if (link !== 0 && nameOf(link, text) !== null) host += `%${text.toString('latin1', 0, text.indexOf(0))}`; // without it nothing can be sent back
    return from = { host, port };
  };
  // the address sent to last
  let toHost = '', toPort = -1, usable = false;
  const toName = Buffer.alloc(NAME_BYTES), toLength = six ? NAME_BYTES : NAME_BYTES_4;
  const aim = ({ host, port }: Endpoint): boolean => {
    toHost = host;
    toPort = port;
    toName.fill(0);
    toName.writeUInt16LE(six ? AF_INET6 : AF_INET, 0);
    toName.writeUInt16BE(port, 2);
    return toBytes(six ? AF_INET6 : AF_INET, six && !host.includes(':') ? `::ffff:${host}` : host, toName.subarray(six ? 8 : 4)) === 1; // of a link (%eth0) it knows none
  };
  /** Milliseconds since the kernel took in what was read last. */
  const age = (mostMs: number): number => (ioctl(fd, SIOCGSTAMPNS, stamp) !== 0 || time(CLOCK_REALTIME, wall) !== 0 ? 0 : msSince(stamp, wall, mostMs));
  let open = true, emptyMs = performance.now(); // when nothing was left: what comes later is no older
  age(0); // from a little after the first question on the kernel keeps the time

  return {
    send(bytes, to) {
      if (!open) return true;
      if (to.port !== toPort || to.host !== toHost) usable = aim(to);
      if (!usable) return false;
      if (send(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, toName, toLength) >= 0) return true;
      const code = koffi.errno();
      if (code !== EAGAIN && code !== ENOBUFS && code !== EINTR) handler.onError(new Error(`the kernel does not send to ${to.host}: error ${code}`), to);
      return true;
    },
    poll() {
      const beganMs = performance.now();
      for (let i = 0; open && i < MOST; i++) {
        nameLength[0] = NAME_BYTES;
        const length = receive(fd, box, LONGEST, MSG_DONTWAIT | MSG_TRUNC, name, nameLength) as number;
        if (length < 0) {
          const code = koffi.errno();
          if (code === ECONNREFUSED || code === EINTR) continue;
          emptyMs = beganMs;
          return;
        }
        if (length > LONGEST) continue;
        const ageMs = age(performance.now() - emptyMs + SLACK_MS);
        if (cut + length > PIECE) {
          piece = Buffer.allocUnsafeSlow(PIECE);
          cut = 0;
        }
        box.copy(piece, cut, 0, length);
        const bytes = piece.subarray(cut, cut + length);
        cut += length;
        if (nameLength[0] < NAME_BYTES) name.fill(0, nameLength[0]);
        handler.onDatagram(bytes, fromName(), ageMs);
      }
    },
    end() {
      open = false;
    },
  };
}
