// A name server for tests, written apart from the code under test: answers from a zone, over UDP and TCP, on loopback.

import { createSocket } from 'node:dgram';
import { createServer, isIPv6 } from 'node:net';

/** 'TYPE name' to records in zone-file form. */
export type Zone = Record<string, { readonly ttlS: number; readonly records: readonly string[] }>;

const NUMBERS: Readonly<Record<string, number>> = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33, NAPTR: 35 };

const u16 = (...values: number[]) => Buffer.concat(values.map((v) => Buffer.from([v >> 8, v & 255])));
const u32 = (value: number) => u16(value >>> 16, value & 0xffff);
const text = (s: string) => Buffer.concat([Buffer.from([s.length]), Buffer.from(s)]);
const nameOf = (name: string) => Buffer.concat([...name.split('.').filter((l) => l !== '').map(text), Buffer.from([0])]);

function rdata(type: string, record: string): Buffer {
  const words = record.split(' ');
  switch (type) {
    case 'A': return Buffer.from(record.split('.').map(Number));
    case 'AAAA': return u16(...record.split(':').map((g) => parseInt(g, 16)));
    case 'SRV': return Buffer.concat([u16(...words.slice(0, 3).map(Number)), nameOf(words[3]!)]);
    case 'NAPTR': return Buffer.concat([u16(Number(words[0]), Number(words[1])), text(words[2]!), text(words[3]!), text(''), nameOf(words[4]!)]);
    default: return nameOf(record);
  }
}

/** The reply to `query`; owners are pointers to the question where they can be. An absent name is told with an SOA whose minimum is 40 s. */
export function dnsReply(query: Buffer, zone: Zone, most = 65_535): Buffer {
  let at = 12;
  const labels: string[] = [];
  while (query[at] !== 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
    at += 1 + query[at]!;
  }
  const asked = labels.join('.').toLowerCase(), number = query.readUInt16BE(at + 1);
  const type = Object.keys(NUMBERS).find((key) => NUMBERS[key] === number)!;
  const answers: Buffer[] = [];
  const add = (owner: string, kind: string) => {
    const set = zone[`${kind} ${owner}`];
    for (const record of set?.records ?? []) {
      const bytes = rdata(kind, record);
      answers.push(Buffer.concat([owner === asked ? u16(0xc00c) : nameOf(owner), u16(NUMBERS[kind]!, 1), u32(set!.ttlS), u16(bytes.length), bytes]));
    }
    return set?.records[0];
  };
  let owner = asked;
  if (add(owner, type) === undefined) {
    const alias = add(owner, 'CNAME');
    if (alias !== undefined && alias !== owner && alias.split('.').at(-1) === owner.split('.').at(-1)) { // another zone's records are not at hand
      owner = alias;
      add(owner, type);
    }
  }
  const known = Object.keys(zone).some((key) => key.endsWith(` ${asked}`));
  const soa = Buffer.concat([nameOf('example'), u16(6, 1), u32(900), u16(22), Buffer.from([0, 0]), u32(1), u32(2), u32(3), u32(4), u32(40)]);
  const empty = answers.length === 0;
  const head = Buffer.concat([query.subarray(0, 2), u16(0x8180 | (known ? 0 : 3), 1, answers.length, empty ? 1 : 0, 0), query.subarray(12, at + 5)]);
  const reply = Buffer.concat([head, ...answers, ...(empty ? [soa] : [])]);
  if (reply.length <= most) return reply;
  const cut = Buffer.from(head);
  cut.writeUInt16BE(cut.readUInt16BE(2) | 0x0200, 2);
  cut.writeUInt16BE(0, 6);
  return cut;
}

export interface DnsServer {
  port: number;
  /** 'A pbx.example' of each question over UDP or, with 'tcp ' before it, TCP. */
  readonly asked: string[];
  zone: Zone;
  /** 'silent' hears and says nothing; a number is answered as RCODE. */
  mood: 'well' | 'silent' | number;
  close: () => void;
}

export async function startDnsServer(zone: Zone, host = '127.0.0.1', udpMost = 512): Promise<DnsServer> {
  const server: DnsServer = { port: 0, asked: [], zone, mood: 'well', close: () => undefined };
  const note = (query: Buffer, how: string) => {
    let at = 12;
    const labels: string[] = [];
    while (query[at] !== 0) {
      labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
      at += 1 + query[at]!;
    }
    server.asked.push(`${how}${Object.keys(NUMBERS).find((key) => NUMBERS[key] === query.readUInt16BE(at + 1))} ${labels.join('.')}`);
  };
  const answer = (query: Buffer, most: number): Buffer | undefined => {
    if (server.mood === 'silent') return undefined;
    const reply = dnsReply(query, server.mood === 'well' ? server.zone : {}, most);
    if (server.mood !== 'well') reply[3] = 0x80 | server.mood;
    return reply;
  };
  for (;;) {
    const udp = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => udp.bind(0, host, resolve));
    const { port } = udp.address();
    const tcp = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        note(bytes.subarray(2), 'tcp ');
        const reply = answer(bytes.subarray(2), 65_535);
        if (reply === undefined) return;
        const whole = Buffer.concat([u16(reply.length), reply]);
        socket.write(whole.subarray(0, 3)); // in two pieces, as a network may
        socket.end(whole.subarray(3));
      });
    });
    const free = await new Promise<boolean>((resolve) => {
      tcp.once('error', () => resolve(false));
      tcp.listen(port, host, () => resolve(true));
    });
    if (!free) {
      udp.close();
      continue;
    }
    udp.on('message', (query, from) => {
      note(query, '');
      const reply = answer(query, udpMost);
      if (reply === undefined) return;
      udp.send(Buffer.from('not an answer'), from.port, from.address); // ignored
      udp.send(reply, from.port, from.address);
    });
    server.port = port;
    server.close = () => {
      udp.close();
      tcp.close();
    };
    return server;
  }
}
