// DNS messages (RFC 1035 §4, RFC 3596, RFC 2782, RFC 3403): one question out, the records of its answer in. Pure; what a name server or
// a forger sent wrong is undefined, never an exception.

import type { NaptrRecord, SrvRecord } from '../ports/net.ts';

/** Record types by their numbers. */
export const TYPE = { A: 1, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33, NAPTR: 35 } as const;
export type Type = 'A' | 'AAAA' | 'SRV' | 'NAPTR';
export type DnsRecord = string | SrvRecord | NaptrRecord;

/** RFC 1035 §4.1.1, RCODE. */
export const RCODE = { ok: 0, noName: 3 } as const;

export interface Reply {
  readonly rcode: number;
  /** Cut short: ask again over TCP. */
  readonly truncated: boolean;
  readonly records: readonly DnsRecord[];
  /** The name is another's (CNAME) whose records are not in here: ask for that. */
  readonly alias: string | undefined;
  /** How long it may be believed; of an empty answer by its SOA (RFC 2308 §5), undefined without one. */
  readonly ttlS: number | undefined;
}

const CLASS_IN = 1;
const HEADER_BYTES = 12;
const FLAGS = { response: 0x8000, truncated: 0x0200, recursionDesired: 0x0100 } as const;
const NAME_MOST = 253;

/** A query for one record set; undefined when `name` is no name that DNS can hold. */
export function buildQuery(id: number, name: string, type: Type): Buffer | undefined {
  const labels = name.split('.');
  if (name.length > NAME_MOST || !labels.every((label) => /^[\x21-\x7e]{1,63}$/.test(label))) return undefined;
  const bytes = Buffer.alloc(HEADER_BYTES + name.length + 2 + 4);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(FLAGS.recursionDesired, 2);
  bytes.writeUInt16BE(1, 4);
  let at = HEADER_BYTES;
  for (const label of labels) {
    bytes[at] = label.length;
    bytes.write(label, at + 1, 'latin1');
    at += 1 + label.length;
  }
  bytes.writeUInt16BE(TYPE[type], at + 1);
  bytes.writeUInt16BE(CLASS_IN, at + 3);
  return bytes;
}

/** What `bytes` answer to the query (`id`, `name`, `type`); undefined when they are no answer to it. */
export function readReply(bytes: Buffer, id: number, name: string, type: Type): Reply | undefined {
  try {
    return read(bytes, id, name.toLowerCase(), type);
  } catch (error) {
    if (error instanceof RangeError) return undefined; // a field beyond the end, as Buffer tells it
    throw error;
  }
}

interface Raw { readonly owner: string; readonly type: number; readonly ttlS: number; readonly from: number; readonly to: number }

function read(bytes: Buffer, id: number, name: string, type: Type): Reply | undefined {
  const flags = bytes.readUInt16BE(2);
  if (bytes.readUInt16BE(0) !== id || (flags & FLAGS.response) === 0 || bytes.readUInt16BE(4) !== 1) return undefined;
  const asked = readName(bytes, HEADER_BYTES);
  if (asked?.name !== name || bytes.readUInt16BE(asked.end) !== TYPE[type] || bytes.readUInt16BE(asked.end + 2) !== CLASS_IN) return undefined;
  const rcode = flags & 0x0f, truncated = (flags & FLAGS.truncated) !== 0;
  if (truncated) return { rcode, truncated, records: [], alias: undefined, ttlS: undefined };

  const answers: Raw[] = [];
  let negativeS: number | undefined;
  let at = asked.end + 4;
  const answerCount = bytes.readUInt16BE(6), count = answerCount + bytes.readUInt16BE(8);
  for (let i = 0; i < count; i++) {
    const owner = readName(bytes, at);
    if (owner === undefined) return undefined;
    const { end } = owner, from = end + 10, to = from + bytes.readUInt16BE(end + 8);
    if (to > bytes.length) return undefined;
    const kind = bytes.readUInt16BE(end), ttlS = lifetime(bytes.readUInt32BE(end + 4));
    at = to;
    if (bytes.readUInt16BE(end + 2) !== CLASS_IN) continue;
    if (i < answerCount) answers.push({ owner: owner.name, type: kind, ttlS, from, to });
    else if (kind === TYPE.SOA && to - from >= 22) negativeS = Math.min(ttlS, lifetime(bytes.readUInt32BE(to - 4)));
  }

  let owner = name, ttlS = Infinity;
  const records: DnsRecord[] = [];
  for (const passed = new Set<string>(); !passed.has(owner);) {
    passed.add(owner);
    for (const raw of answers) {
      if (raw.owner !== owner || raw.type !== TYPE[type]) continue;
      const record = readRecord(bytes, raw, type);
      if (record === undefined) continue;
      records.push(record);
      ttlS = Math.min(ttlS, raw.ttlS);
    }
    const cname = records.length > 0 ? undefined : answers.find((raw) => raw.type === TYPE.CNAME && raw.owner === owner);
    const next = cname && readName(bytes, cname.from)?.name;
    if (cname === undefined || next === undefined) break;
    ttlS = Math.min(ttlS, cname.ttlS);
    owner = next;
  }
  if (records.length > 0) return { rcode, truncated, records, alias: undefined, ttlS };
  return { rcode, truncated, records, alias: owner !== name && rcode === RCODE.ok && negativeS === undefined ? owner : undefined, ttlS: negativeS };
}

/** RFC 2181 §8: a TTL with its first bit set is 0. */
const lifetime = (ttlS: number): number => (ttlS > 0x7fff_ffff ? 0 : ttlS);

function readRecord(bytes: Buffer, { from, to }: Raw, type: Type): DnsRecord | undefined {
  switch (type) {
    case 'A': return to - from === 4 ? bytes.subarray(from, to).join('.') : undefined;
    case 'AAAA': return to - from === 16 ? readV6(bytes, from) : undefined;
    case 'SRV': {
      const target = readName(bytes, from + 6);
      return target && { name: target.name, priority: bytes.readUInt16BE(from), weight: bytes.readUInt16BE(from + 2), port: bytes.readUInt16BE(from + 4) };
    }
    case 'NAPTR': {
      const texts: string[] = [];
      let at = from + 4;
      for (let i = 0; i < 3; i++) { // flags, services, regexp
        const end = at + 1 + bytes.readUInt8(at);
        if (end > to) return undefined;
        texts.push(bytes.toString('latin1', at + 1, end));
        at = end;
      }
      const replacement = readName(bytes, at);
      return replacement && { order: bytes.readUInt16BE(from), preference: bytes.readUInt16BE(from + 2), flags: texts[0]!.toLowerCase(), service: texts[1]!.toUpperCase(), replacement: replacement.name };
    }
    default: return type satisfies never;
  }
}

/** As RFC 5952 writes it: the longest run of two zero groups or more is '::', the first of equals. */
function readV6(bytes: Buffer, from: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(from + 2 * i).toString(16));
  let start = 0, most = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (groups[end] === '0') end++;
    if (end - i > most) [start, most] = [i, end - i];
  }
  return most === 1 ? groups.join(':') : `${groups.slice(0, start).join(':')}::${groups.slice(start + most).join(':')}`;
}

/**
 * A name without its last dot, lower case, '' for the root, and where it ends. Pointers lead backwards only, so it is finite (§4.1.4).
 * undefined when it is cut short, too long, or has letters that no name of a host or service has.
 */
function readName(bytes: Buffer, start: number): { readonly name: string; readonly end: number } | undefined {
  let name = '', end = -1;
  for (let at = start, before = start; ;) {
    const length = bytes.readUInt8(at);
    if (length === 0) return { name, end: end < 0 ? at + 1 : end };
    if (length >= 0xc0) {
      const to = bytes.readUInt16BE(at) & 0x3fff;
      if (end < 0) end = at + 2;
      if (to >= before) return undefined;
      at = before = to;
      continue;
    }
    const label = bytes.toString('latin1', at + 1, at + 1 + length).toLowerCase();
    if (length > 63 || label.length !== length || !/^[\w-]+$/.test(label)) return undefined;
    name += name === '' ? label : `.${label}`;
    if (name.length > NAME_MOST) return undefined;
    at += 1 + length;
  }
}
