// The resolver of the machine: asks the name servers itself, because only so the answers carry their TTL and NAPTR and SRV can be had.
// Keeps them as long as they live, and the last good ones while nobody answers. /etc/hosts goes first; names that DNS does not know go to the
// system (mDNS, search domains).

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { promises as systemDns } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { connect, isIP, isIPv6 } from 'node:net';
import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Endpoint, NaptrRecord, Resolver, SrvRecord } from '../ports/net.ts';
import { buildQuery, RCODE, readReply, type DnsRecord, type Reply, type Type } from './dns-wire.ts';

const DNS_PORT = 53;
/** How long a name server is waited for in the first and second round; so two silent ones cost less than a call's patience. */
const ROUNDS_MS = [1_000, 2_000] as const;
/** More name servers than resolv.conf(5) allows are not asked. */
const SERVERS_MOST = 3;
const CACHE_MOST = 256;
/** CNAMEs followed from answer to answer. */
const ALIASES_MOST = 8;
/** However short or long the TTL: one call asks once, and a forgotten TTL of a year is found out the next day. Without SOA an absence counts 30 s. */
const KEEP_S = { least: 5, most: 86_400, absence: 30, absenceMost: 60, silence: 3 } as const;

export interface DnsOptions {
  /** 'address', 'address:port' or '[v6]:port' in place of those of the system; then the system's own resolver is not asked. */
  readonly nameServers?: readonly string[] | undefined;
  readonly hostsFile?: string | undefined;
  readonly resolvFile?: string | undefined;
}

interface Known {
  /** undefined: nobody answered. */
  readonly records: readonly DnsRecord[] | undefined;
  untilMs: number;
}

/** What came of one question. */
interface Answer { readonly rcode: number; readonly records: readonly DnsRecord[]; readonly ttlS: number }

export function systemResolver(clock: Clock, options: DnsOptions = {}): Resolver {
  const { nameServers = [], hostsFile = '/etc/hosts', resolvFile = '/etc/resolv.conf' } = options;
  const known = new Map<string, Known>(), asking = new Map<string, Promise<readonly DnsRecord[]>>();
  /** The name server that answered last: asked first. */
  let preferred = '';

  /** From the cache, else anew; one question at a time for each name and type. */
  function find(name: string, type: Type, ask: () => Promise<Answer>): Promise<readonly DnsRecord[]> {
    const key = `${type} ${name}`, before = known.get(key);
    if (before !== undefined && clock.now() < before.untilMs) {
      return before.records === undefined ? Promise.reject(silence(name)) : Promise.resolve(before.records);
    }
    const under = asking.get(key);
    if (under !== undefined) return under;
    const keep = (records: readonly DnsRecord[] | undefined, ttlS: number): void => {
      if (asking.get(key) !== answer) return; // asked before the network changed
      known.delete(key);
      if (known.size >= CACHE_MOST) known.delete(known.keys().next().value!);
      known.set(key, { records, untilMs: clock.now() + 1_000 * ttlS });
    };
    const answer: Promise<readonly DnsRecord[]> = ask().then(({ records, ttlS }) => {
      keep(records, ttlS);
      return records;
    }, (error: unknown) => {
      keep(before?.records, KEEP_S.silence);
      if (before?.records === undefined) throw silence(name, error);
      return before.records;
    }).finally(() => { if (asking.get(key) === answer) asking.delete(key); });
    asking.set(key, answer);
    return answer;
  }

  async function fromServers(name: string, type: Type): Promise<Answer> {
    let asked = name, ttlS = Infinity;
    for (let aliases = 0; ; aliases++) {
      const reply = await ask(await servers(), asked, type);
      ttlS = Math.min(ttlS, reply.ttlS ?? KEEP_S.absence);
      if (reply.alias === undefined || aliases === ALIASES_MOST) {
        const most = reply.records.length > 0 ? KEEP_S.most : KEEP_S.absenceMost;
        return { rcode: reply.rcode, records: reply.records, ttlS: Math.max(KEEP_S.least, Math.min(most, ttlS)) };
      }
      asked = reply.alias;
    }
  }

  async function servers(): Promise<Endpoint[]> {
    const words = nameServers.length > 0 ? nameServers : [...(await textOf(resolvFile)).matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((m) => m[1]!);
    const all = words.map(endpointOf).filter((e) => e !== undefined).slice(0, SERVERS_MOST);
    if (all.length === 0) all.push({ host: '127.0.0.1', port: DNS_PORT }); // resolv.conf(5)
    return all.sort((a, b) => Number(keyOf(b) === preferred) - Number(keyOf(a) === preferred));
  }

  async function ask(from: readonly Endpoint[], name: string, type: Type): Promise<Reply> {
    let why: unknown = new Error('no name server');
    for (const withinMs of ROUNDS_MS) {
      for (const server of from) {
        try {
          const reply = await askOne(clock, server, name, type, withinMs);
          // Whoever cannot say (SERVFAIL, REFUSED) may have a neighbour who can. That it knows no NAPTR (NOTIMP, FORMERR) is an answer
          if (reply.rcode === RCODE.ok || reply.rcode === RCODE.noName || (type === 'NAPTR' && (reply.rcode === 4 || reply.rcode === 1))) {
            preferred = keyOf(server);
            return reply;
          }
          why = new Error(`${server.host} answered with code ${reply.rcode}`);
        } catch (error) {
          why = error;
        }
      }
    }
    throw why;
  }

  async function fromHosts(name: string, family: 4 | 6): Promise<string[] | undefined> {
    let isThere = false;
    const found: string[] = [];
    for (const line of (await textOf(hostsFile)).split('\n')) {
      const [address = '', ...names] = line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/);
      if (!names.includes(name)) continue;
      isThere = true;
      if (isIP(address) === family) found.push(address);
    }
    return isThere ? found : undefined;
  }

  async function fromSystem(name: string, family: 4 | 6): Promise<Answer> {
    const records = await systemDns.lookup(name, { family, all: true }).then((all) => all.map((a) => a.address), (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTFOUND' || error.code === 'ENODATA') return [];
      throw error;
    });
    return { rcode: RCODE.ok, records, ttlS: KEEP_S.absence };
  }

  async function addressesOf(name: string, family: 4 | 6): Promise<Answer> {
    const listed = await fromHosts(name, family);
    if (listed !== undefined) return { rcode: RCODE.ok, records: listed, ttlS: KEEP_S.absence };
    const onlyOurs = nameServers.length > 0;
    if (!onlyOurs && name.endsWith('.local')) return fromSystem(name, family); // RFC 6762 §3: not DNS's
    const answer = await fromServers(name, family === 4 ? 'A' : 'AAAA');
    return !onlyOurs && answer.rcode === RCODE.noName ? fromSystem(name, family) : answer;
  }

  return {
    addresses: (name, family) => find(name.toLowerCase(), family === 4 ? 'A' : 'AAAA', () => addressesOf(name.toLowerCase(), family)) as Promise<readonly string[]>,
    srv: (name) => find(name.toLowerCase(), 'SRV', () => fromServers(name, 'SRV')) as Promise<readonly SrvRecord[]>,
    naptr: (name) => find(name.toLowerCase(), 'NAPTR', () => fromServers(name, 'NAPTR')) as Promise<readonly NaptrRecord[]>,
    expire() {
      asking.clear();
      for (const entry of known.values()) entry.untilMs = 0;
    },
  };
}

const silence = (name: string, why?: unknown): PhoneError => new PhoneError('DNS_SILENT', `no name server answered for ${name}`, why);
const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
const keyOf = ({ host, port }: Endpoint): string => `${host} ${port}`;

/** A name server as written in a setting or in resolv.conf. */
function endpointOf(text: string): Endpoint | undefined {
  const [, six, four, port] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = six ?? four ?? text;
  return isIP(host) === 0 ? undefined : { host, port: port === undefined ? DNS_PORT : Number(port) };
}

/** One question to one name server: UDP from a port of its own, TCP when the answer is cut short (RFC 7766 §5). Rejects when none comes in time. */
async function askOne(clock: Clock, server: Endpoint, name: string, type: Type, withinMs: number): Promise<Reply> {
  const id = randomInt(0x10000), query = buildQuery(id, name, type);
  if (query === undefined) return { rcode: RCODE.noName, truncated: false, records: [], alias: undefined, ttlS: undefined };
  const read = (bytes: Buffer): Reply | undefined => readReply(bytes, id, name, type);
  const reply = await overUdp(clock, server, query, read, withinMs);
  return reply.truncated ? overTcp(clock, server, query, read, withinMs) : reply;
}

type Read = (bytes: Buffer) => Reply | undefined;

function overUdp(clock: Clock, server: Endpoint, query: Buffer, read: Read, withinMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
    const end = (error: Error | undefined, reply?: Reply): void => {
      stop();
      socket.removeAllListeners();
      socket.on('error', () => undefined); // what still comes is nobody's
      socket.close();
      if (reply === undefined) reject(error ?? new Error('no answer'));
      else resolve(reply);
    };
    const stop = clock.after(withinMs, () => end(new Error(`${server.host} did not answer`)));
    socket.on('error', end);
    socket.on('message', (bytes) => {
      const reply = read(bytes);
      if (reply !== undefined) end(undefined, reply); // anything else may be forged: the true one may still come
    });
    // Connected, so that the kernel takes datagrams of this server alone and tells of a refusal
    socket.connect(server.port, server.host, () => socket.send(query, (error) => { if (error !== null) end(error); }));
  });
}

function overTcp(clock: Clock, server: Endpoint, query: Buffer, read: Read, withinMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, server.host);
    let got = Buffer.alloc(0);
    const end = (error: Error | undefined, reply?: Reply): void => {
      stop();
      socket.removeAllListeners();
      socket.on('error', () => undefined); // what still comes is nobody's
      socket.destroy();
      if (reply === undefined) reject(error ?? new Error(`${server.host} answered nonsense`));
      else resolve(reply);
    };
    const stop = clock.after(withinMs, () => end(new Error(`${server.host} did not answer`)));
    socket.on('error', end);
    socket.on('close', () => end(undefined));
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    });
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      if (got.length < 2 || got.length < 2 + got.readUInt16BE(0)) return;
      const reply = read(got.subarray(2, 2 + got.readUInt16BE(0)));
      end(undefined, reply?.truncated === true ? undefined : reply);
    });
  });
}
