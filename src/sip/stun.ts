// STUN as a keep-alive of UDP flows, client side only (RFC 5626 §3.5.2, §4.4.2; RFC 8489 §5, §14): asks, and tells when the flow is dead or its
// address at the NAT is another. Who asks us gets no answer.

import type { Clock } from '../ports/clock.ts';
import type { Endpoint } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';

const BINDING = { request: 0x0001, success: 0x0101, error: 0x0111 } as const;
const COOKIE = 0x2112_a442;
const HEADER_BYTES = 20, ID_AT = 8;
const MAPPED_ADDRESS = 0x0001, XOR_MAPPED_ADDRESS = 0x0020;
/**
 * RFC 8489 §6.2.1: resent after 0.5 s, doubling. Departs from its seven sendings in 39.5 s: after four in 7.5 s the flow counts as dead, for what
 * follows is a REGISTER, which does no harm.
 */
const RTO_MS = 500, RTO_MOST_MS = 4_000;

export function buildBinding(id: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt16BE(BINDING.request, 0);
  bytes.writeUInt32BE(COOKIE, 4);
  bytes.set(id, ID_AT);
  return bytes;
}

/** A datagram that is STUN and not SIP (RFC 8489 §6.3.1.1): two zero bits, the magic cookie, a whole length. */
export const isStun = (bytes: Buffer): boolean =>
  bytes.length >= HEADER_BYTES && bytes[0]! < 4 && bytes.readUInt32BE(4) === COOKIE && bytes.readUInt16BE(2) === bytes.length - HEADER_BYTES;

/** 'host port' as the other side sees us; undefined when the answer is an error, none to `id`, or tells none. */
export function mappedIn(bytes: Buffer, id: Uint8Array): string | undefined {
  if (!isStun(bytes) || bytes.readUInt16BE(0) !== BINDING.success || Buffer.compare(bytes.subarray(ID_AT, HEADER_BYTES), id) !== 0) return undefined;
  let plain: string | undefined;
  for (let at = HEADER_BYTES; at + 4 <= bytes.length;) {
    const type = bytes.readUInt16BE(at), length = bytes.readUInt16BE(at + 2), value = bytes.subarray(at + 4, at + 4 + length);
    if (value.length < length) return undefined;
    if (type === XOR_MAPPED_ADDRESS || type === MAPPED_ADDRESS) {
      if (length !== (value[1] === 1 ? 8 : value[1] === 2 ? 20 : -1)) return undefined;
      const clear = Buffer.from(value);
      if (type === XOR_MAPPED_ADDRESS) { // §14.2: with cookie and id, the port with the cookie's beginning
        for (let i = 4; i < length; i++) clear[i]! ^= bytes[i]!;
        for (let i = 2; i < 4; i++) clear[i]! ^= bytes[i + 2]!;
      }
      const found = `${length === 8 ? clear.subarray(4).join('.') : clear.toString('hex', 4)} ${clear.readUInt16BE(2)}`;
      if (type === XOR_MAPPED_ADDRESS) return found;
      plain = found;
    }
    at += 4 + length + (-length & 3);
  }
  return plain;
}

export interface StunFlows {
  /** Ask `to`, unless it is being asked. */
  ping(to: Endpoint, random: Random): void;
  /** True when it was STUN, whoever sent it. */
  take(bytes: Buffer, from: Endpoint): boolean;
  close(): void;
}

interface Flow { id: Uint8Array; mapped: string | undefined; stop: (() => void) | undefined }

/** `fail` hears of a flow that is not what it was. */
export function stunFlows(clock: Clock, send: (bytes: Buffer, to: Endpoint) => void, fail: (to: Endpoint, detail: string) => void): StunFlows {
  const flows = new Map<string, Flow>(), keyOf = ({ host, port }: Endpoint): string => `${host} ${port}`;
  const over = (to: Endpoint, detail: string): void => {
    flows.get(keyOf(to))?.stop?.();
    flows.delete(keyOf(to));
    fail(to, detail);
  };
  return {
    ping(to, random) {
      const flow = flows.get(keyOf(to)) ?? { id: new Uint8Array(), mapped: undefined, stop: undefined };
      if (flow.stop !== undefined) return;
      flow.id = random.bytes(12);
      flows.set(keyOf(to), flow);
      const bytes = buildBinding(flow.id);
      let pauseMs = RTO_MS;
      const again = (): void => {
        if (pauseMs > RTO_MOST_MS) return over(to, 'no answer to the keep-alive');
        flow.stop = clock.after(pauseMs, again);
        pauseMs *= 2;
        send(bytes, to);
      };
      again();
    },
    take(bytes, from) {
      if (!isStun(bytes)) return false;
      const flow = flows.get(keyOf(from));
      if (flow?.stop === undefined || Buffer.compare(bytes.subarray(ID_AT, HEADER_BYTES), flow.id) !== 0) return true;
      const before = flow.mapped;
      flow.mapped = mappedIn(bytes, flow.id);
      if (flow.mapped === undefined) over(from, 'the keep-alive was refused');
      else if (before !== undefined && before !== flow.mapped) over(from, 'our address at the router is another');
      else {
        flow.stop();
        flow.stop = undefined;
      }
      return true;
    },
    close() {
      for (const { stop } of flows.values()) stop?.();
      flows.clear();
    },
  };
}
