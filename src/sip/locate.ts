// Where a SIP address leads (RFC 3263 without NAPTR): numeric hosts, explicit ports, SRV, then A and AAAA. Gives a list in the order to
// try; who sends decides when to go on to the next. The last good answer serves while name servers are silent.

import type { Clock } from '../ports/clock.ts';
import type { Resolver, SrvRecord } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { Transport } from './agent-types.ts';

/** One address to send to; over TLS and WebSocket with the name it was asked for, which the certificate must bear (RFC 5922 §7.2: that before SRV). */
export interface Hop { readonly host: string; readonly port: number; readonly transport: Transport; readonly name?: string | undefined }

/** What to look for; `host` without brackets. Without `transport` UDP is preferred. */
export interface Place { readonly host: string; readonly port?: number | undefined; readonly transport?: Transport | undefined }

export interface Locator {
  /** The hops to try, in order; empty when the name does not exist. Rejects when no name server answered and none ever did. */
  locate(place: Place): Promise<readonly Hop[]>;
  /** Ask again next time: the network changed. */
  expire(): void;
}

/** How long an answer is not asked for again; the resolver tells no TTL. */
const FRESH_MS = 30_000;
const CACHE_MOST = 32;

/** The port where none is told (RFC 3261 §19.1.2, RFC 7118 §5.3). */
const portOf = (transport: Transport): number => (transport === 'tls' ? 5061 : transport === 'ws' ? 80 : transport === 'wss' ? 443 : 5060);

export const isNumeric = (host: string): boolean => host.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(host);

/** 'host', 'host:port', 'v4', '[v6]:port' or bare v6 from a setting; undefined when it is none. */
export function parsePlace(text: string, transport?: Transport): Place | undefined {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text) ?? /^([\da-fA-F:.]*:[\da-fA-F:.]*)$/.exec(text);
  if (match === null) return undefined;
  const port = match[3] === undefined ? undefined : Number(match[3]);
  if (port !== undefined && (port === 0 || port > 65_535)) return undefined;
  return { host: (match[1] ?? match[2]!).toLowerCase(), port, transport };
}

const toHop = (host: string, port: number, transport: Transport, name: string): Hop => (transport === 'udp' || transport === 'tcp' ? { host, port, transport } : { host, port, transport, name });

export function createLocator(ports: { readonly resolver: Resolver; readonly clock: Clock; readonly random: Random }): Locator {
  const { resolver, clock, random } = ports;
  const known = new Map<string, { readonly hops: readonly Hop[]; freshUntilMs: number }>();

  async function addresses(name: string): Promise<string[]> {
    const [four, six] = await Promise.allSettled([resolver.addresses(name, 4), resolver.addresses(name, 6)]);
    const all = [...(four.status === 'fulfilled' ? four.value : []), ...(six.status === 'fulfilled' ? six.value : [])];
    if (all.length === 0 && four.status === 'rejected') throw four.reason;
    return all;
  }

  async function toHops(name: string, port: number, transport: Transport, asked: string): Promise<Hop[]> {
    return (isNumeric(name) ? [name] : await addresses(name)).map((host) => toHop(host, port, transport, asked));
  }

  async function ask({ host, port, transport }: Place): Promise<Hop[]> {
    if (port !== undefined) return toHops(host, port, transport ?? 'udp', host); // §4.2
    for (const t of transport === undefined ? (['udp', 'tcp'] as const) : [transport]) {
      const records = t === 'ws' || t === 'wss' ? [] : await resolver.srv(`${t === 'tls' ? '_sips._tcp' : `_sip._${t}`}.${host}`);
      if (records.length === 0) continue;
      if (records.length === 1 && (records[0]!.name === '.' || records[0]!.name === '')) return []; // the service is decidedly absent, RFC 2782
      const found = await Promise.allSettled(order(records, random).map((r) => toHops(r.name.replace(/\.$/, ''), r.port, t, host)));
      const hops = found.flatMap((f) => (f.status === 'fulfilled' ? f.value : []));
      if (hops.length > 0) return hops;
    }
    return toHops(host, portOf(transport ?? 'udp'), transport ?? 'udp', host);
  }

  return {
    async locate(place) {
      const { host, transport = 'udp' } = place;
      if (isNumeric(host)) return [toHop(host, place.port ?? portOf(transport), transport, host)];
      const key = `${place.host}|${place.port ?? ''}|${place.transport ?? ''}`;
      const before = known.get(key);
      if (before !== undefined && clock.now() < before.freshUntilMs) return before.hops;
      let hops: readonly Hop[];
      try {
        hops = await ask(place);
      } catch (silence) {
        if (before === undefined) throw silence;
        return before.hops;
      }
      known.delete(key);
      if (hops.length > 0) {
        if (known.size >= CACHE_MOST) known.delete(known.keys().next().value!);
        known.set(key, { hops, freshUntilMs: clock.now() + FRESH_MS });
      }
      return hops;
    },
    expire() {
      for (const entry of known.values()) entry.freshUntilMs = 0;
    },
  };
}

/** RFC 2782: lowest priority number first, within one priority by weight and chance. */
function order(records: readonly SrvRecord[], random: Random): SrvRecord[] {
  const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const out: SrvRecord[] = [];
  while (left.length > 0) {
    const rank = left.filter((r) => r.priority === left[0]!.priority);
    const total = rank.reduce((sum, r) => sum + r.weight, 0);
    let mark = random.fraction() * (total + (rank[0]!.weight === 0 ? 1 : 0)); // a weight of 0 keeps a small chance
    const chosen = rank.find((r) => (mark -= Math.max(r.weight, r === rank[0] ? 1 : 0)) < 0) ?? rank[rank.length - 1]!;
    out.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return out;
}
