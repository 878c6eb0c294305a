// Where a SIP address leads (RFC 3263): numeric hosts, explicit ports, NAPTR, SRV, then A and AAAA. Gives a list in the order to try; who
// sends decides when to go on to the next, and tells which failed: those rest and are tried last. Answers are the resolver's to keep.
// Departs from RFC 7984 §4: IPv4 goes before IPv6, for what stands behind a server often has nothing else.

import type { Clock } from '../ports/clock.ts';
import type { Resolver, SrvRecord } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { Transport } from './agent-types.ts';
import { plainHost } from './uri.ts';

/** One address to send to; over TLS and WebSocket with the name it was asked for, which the certificate must bear (RFC 5922 §7.2: that before SRV). */
export interface Hop { readonly host: string; readonly port: number; readonly transport: Transport; readonly name?: string | undefined }

/** What to look for; `host` without brackets. Without `transport` the name's records decide, else UDP. */
export interface Place { readonly host: string; readonly port?: number | undefined; readonly transport?: Transport | undefined }

export interface Locator {
  /**
   * The hops to try, in order, `first` before the others when it is among them; those that rest last. Empty when the name does not exist. Rejects
   * when no name server answered and none ever did.
   */
  locate(place: Place, first?: Hop): Promise<readonly Hop[]>;
  /** It failed: tried last for `ms`, or for 32 s, each time twice as long (RFC 3263 §4.3, RFC 3261 §21.5.4). All who send share this. */
  rest(hop: Hop, ms?: number): void;
  rests(hop: Hop): boolean;
  /** It answered. */
  good(hop: Hop): void;
  /** Ask again next time: the network changed. */
  expire(): void;
}

/** In the order of our liking: NAPTR service, prefix of the SRV name (RFC 3263 §4.1); WebSocket has none but what NAPTR says (RFC 7118 §5.3). */
const WAYS = `udp SIP+D2U _sip._udp.
tcp SIP+D2T _sip._tcp.
tls SIPS+D2T _sips._tcp.
ws SIP+D2W
wss SIPS+D2W`;
/** The port where none is told (RFC 3261 §19.1.2, RFC 7118 §5.3). */
const portOf = (transport: Transport): number => (transport === 'tls' ? 5061 : transport === 'ws' ? 80 : transport === 'wss' ? 443 : 5060);
const keyOf = (hop: Hop): string => `${hop.transport} ${hop.host} ${hop.port}`;
const REST_MS = 32_000, REST_MOST_MS = 512_000;
const RESTING_MOST = 64;

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
  const resting = new Map<string, { readonly untilMs: number; readonly ms: number }>();

  async function toHops(name: string, port: number, transport: Transport, asked: string): Promise<Hop[]> {
    if (isNumeric(name)) return [toHop(plainHost(name), port, transport, asked)];
    const [four, six] = await Promise.allSettled([resolver.addresses(name, 4), resolver.addresses(name, 6)]);
    const all = [...(four.status === 'fulfilled' ? four.value : []), ...(six.status === 'fulfilled' ? six.value : [])];
    if (all.length === 0 && four.status === 'rejected') throw four.reason;
    return all.map((address) => toHop(address, port, transport, asked));
  }

  /** Hops of an SRV name; undefined when there are no such records. A sole target '.' says that the service is not there (RFC 2782). */
  async function ofService(name: string, transport: Transport, asked: string): Promise<Hop[] | undefined> {
    const records = await resolver.srv(name);
    if (records.length === 0) return undefined;
    const found = await Promise.allSettled(order(records.filter((r) => r.name !== '' && r.name !== '.' && r.port > 0), random).map((r) => toHops(r.name.replace(/\.$/, ''), r.port, transport, asked)));
    const hops = found.flatMap((f) => (f.status === 'fulfilled' ? f.value : []));
    const silent = found.find((f) => f.status === 'rejected');
    if (hops.length === 0 && silent !== undefined) throw silent.reason;
    return hops;
  }

  async function ask({ host: named, port, transport }: Place): Promise<Hop[]> {
    const host = named.replace(/\.$/, '');
    const ways = WAYS.split('\n').map((line) => line.split(' ') as [Transport, string, string?]).filter((way) => transport === undefined || way[0] === transport), usual = transport ?? 'udp';
    if (port !== undefined) return toHops(host, port, usual, host); // §4.2
    // Asked together: a name server that is silent on one of them costs its time once
    const services = Promise.allSettled(ways.flatMap((way) => way[2] ? ofService(way[2] + host, way[0], host) : []));
    if (transport === undefined || ways[0]![2] === undefined) {
      const records = await resolver.naptr(host).catch(() => []), hops: Hop[] = [];
      let best: number | undefined;
      for (const { order: rank, flags, service, replacement } of [...records].sort((a, b) => a.order - b.order || a.preference - b.preference)) {
        const way = ways.find((w) => w[1] === service);
        if (way === undefined || flags !== 's' || rank !== (best ??= rank)) continue; // RFC 3403 §4.1: a higher order only when nothing of a lower one is known
        hops.push(...await ofService(replacement, way[0], host) ?? []);
      }
      if (hops.length > 0) return hops;
    }
    let isThere = false;
    for (const found of await services) {
      if (found.status === 'rejected') throw found.reason;
      if (found.value === undefined) continue;
      if (found.value.length > 0) return found.value;
      isThere = true;
    }
    return isThere ? [] : toHops(host, portOf(usual), usual, host);
  }

  const restsUntil = (hop: Hop): number => {
    const untilMs = resting.size === 0 ? 0 : resting.get(keyOf(hop))?.untilMs ?? 0;
    return untilMs > clock.now() ? untilMs : 0;
  };

  return {
    async locate(place, first) {
      const { host, port, transport = 'udp' } = place;
      if (isNumeric(host)) return [toHop(plainHost(host), port ?? portOf(transport), transport, host)];
      const all = await ask(place), keys = all.map(keyOf), hops = all.filter((_, i) => keys.indexOf(keys[i]!) === i);
      const wanted = first && keyOf(first), rank = (hop: Hop): number => restsUntil(hop) || (keyOf(hop) === wanted ? -1 : 0);
      return hops.sort((a, b) => rank(a) - rank(b));
    },
    rest(hop, ms) {
      const key = keyOf(hop), forMs = ms ?? Math.min(REST_MOST_MS, 2 * (resting.get(key)?.ms ?? REST_MS / 2));
      resting.delete(key);
      if (resting.size >= RESTING_MOST) resting.delete(resting.keys().next().value!);
      resting.set(key, { untilMs: clock.now() + forMs, ms: forMs });
    },
    rests: (hop) => restsUntil(hop) > 0,
    good(hop) {
      if (resting.size > 0) resting.delete(keyOf(hop));
    },
    expire() {
      resting.clear();
      resolver.expire();
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
