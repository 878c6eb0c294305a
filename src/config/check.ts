// What is wrong with settings, in words for the page, the log and the command line. Reads the schema; decides nothing about storage.

import { settingsSchema, type Kind, type Settings } from './schema.ts';

/** One setting that cannot be used. `key` is dotted ('accounts.0.server'); `reason` is what would be right. */
export interface Problem {
  readonly key: string;
  readonly reason: string;
}

/** The part of JSON Schema that the settings are written in. */
export interface Node {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly title?: string;
  readonly description?: string;
  readonly unit?: string;
  readonly applies?: string;
  readonly secret?: boolean;
  readonly kind?: Kind;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
  readonly items?: Node;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly patternProperties?: Readonly<Record<string, Node>>;
  readonly anyOf?: readonly Node[];
}

export const schemaRoot: Node = settingsSchema as unknown as Node;

/** Entries a table such as the speed dial may have. */
const MAX_ENTRIES = 100;

export const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.getPrototypeOf(value) !== Date.prototype;

/** Each kind of text: what is expected, and what its pattern cannot see. */
const kinds: Readonly<Record<Kind, { readonly words: string; readonly wrong?: (value: string) => string | undefined }>> = {
  id: { words: 'letters, digits and _ . @ -' },
  user: { words: 'a number or name as in 201 or anna, without spaces or @' },
  ha1: { words: 'empty, or algorithm:realm:hash with 32 hex digits for MD5, 64 for SHA-256 and SHA-512-256; several with a space between' },
  sidetone: { words: 'auto, off or a number of decibels' },
  'URL path': { words: 'a path that begins with /' },
  'host:port': { words: 'a host name or address, optionally :port', wrong: wrongPort },
  'host name': { words: 'a host name, or empty' },
  address: { words: 'an IP address such as 192.168.1.20, or empty', wrong: (v) => v === '' || addressBits(v) > 0 ? undefined : 'no such address' },
  network: { words: 'an address or network such as 192.168.1.0/24', wrong: wrongNetwork },
  line: { words: 'one line of text' },
  board: { words: 'small letters, digits and -' },
  device: { words: 'auto, alsa:NAME, arecord:NAME, echo, tone:HZ, silence, clock or wav:IN.wav,OUT.wav', wrong: wrongDevice },
  caller: { words: 'a number, user@domain or *, without spaces' },
  'dial pattern': { words: 'digits, x, [2-5], ., <9:>, !, T', wrong: wrongPattern },
  emergency: { words: '2 to 8 digits' },
  'multicast group': { words: 'a multicast address with a port, such as 239.1.1.1:5004', wrong: (v) => wrongPort(v) ?? (addressBits(v.replace(/^\[([^\]]*)\].*|:\d*$/, '$1')) > 0 ? undefined : 'no such address') },
  'hold music': { words: 'off, tone, or the name of a WAV file without a folder' },
  folder: { words: 'the whole path of a folder, beginning with /' },
  'ring tone': { words: 'bell, warble, trill, chime, marimba, buzzer, or the name of a WAV file without a folder' },
  'name server': { words: 'an IP address, optionally :port', wrong: (v) => wrongPort(v) ?? (addressBits(v.replace(/^\[([^\]]*)\].*|^([^:]*):\d*$/, '$1$2')) > 0 ? undefined : 'no such address') },
  pins: { words: 'a pin number from 0 to 1023, or a list of them' },
};

function wrongPort(value: string): string | undefined {
  const port = /(?:\]|^[^:]*):([0-9]+)$/.exec(value)?.[1];
  return port === undefined || (Number(port) >= 1 && Number(port) <= 65_535) ? undefined : 'the port must be 1 to 65535';
}

/** What the drivers of the audio room would refuse later, when somebody has lifted the handset. */
function wrongDevice(value: string): string | undefined {
  const [driver = '', rest = ''] = value.split(/:(.*)/s);
  const sides = driver === 'wav' ? rest.split(',') : driver === 'alsa' || driver === 'arecord' ? rest.split('|') : undefined;
  if (driver === 'tone' && rest !== '' && Number(rest) < 20) return 'a tone has at least 20 Hz';
  if (sides === undefined) return undefined;
  if (sides.length > 2) return 'at most two names: what is heard from, what is played to';
  return sides.every((side) => side === '') ? `${driver}: needs a name` : undefined;
}

/** 32 or 128 for an IP address, 0 for what is none. */
export function addressBits(text: string): 0 | 32 | 128 {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return text.split('.').every((part) => Number(part) <= 255) ? 32 : 0;
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return 0;
  let groups = 0;
  for (const half of halves) {
    const parts = half === '' ? [] : half.split(':');
    for (const [i, part] of parts.entries()) {
      if (part.includes('.')) {
        if (half !== halves.at(-1) || i !== parts.length - 1 || addressBits(part) !== 32) return 0;
        groups += 2;
      } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups++;
      else return 0;
    }
  }
  return (halves.length === 2 ? groups < 8 : groups === 8) ? 128 : 0;
}

function wrongNetwork(value: string): string | undefined {
  const [address = '', length] = value.split('/');
  const bits = addressBits(address);
  if (bits === 0) return 'no such address';
  return length !== undefined && Number(length) > bits ? `the part after / must be 0 to ${bits}` : undefined;
}

/** The shape of a dial pattern: brackets in pairs with something inside. What it means is the dial plan's own affair. */
function wrongPattern(pattern: string): string | undefined {
  let inSet = -1, inReplacement = -1, colon = false;
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i]!;
    if (inSet >= 0) {
      if (c === ']') {
        if (i === inSet + 1) return '[] is empty';
        inSet = -1;
      } else if (c === '-') {
        const from = pattern[i - 1]!, to = pattern[i + 1] ?? ']';
        if (i === inSet + 1 || to === ']' || from > to) return `the range at ${i + 1} goes nowhere`;
      } else if (!/[0-9*#A-D]/.test(c)) return `${c} has no meaning inside [ ]`;
    } else if (c === '[') inSet = i;
    else if (c === ']') return '] without [';
    else if (c === '<') {
      if (inReplacement >= 0) return '< inside < >';
      inReplacement = i;
      colon = false;
    } else if (c === '>') {
      if (inReplacement < 0) return '> without <';
      if (!colon) return '< > needs a : as in <9:>';
      inReplacement = -1;
    } else if (c === ':') {
      if (inReplacement < 0) return ': belongs inside < >';
      colon = true;
    } else if (c === '.' && (i === 0 || pattern[i - 1] === '|')) return '. repeats what stands before it';
  }
  if (inSet >= 0) return '[ without ]';
  return inReplacement >= 0 ? '< without >' : undefined;
}

const patterns = new Map<string, RegExp>();
const matches = (pattern: string, value: string) => {
  let made = patterns.get(pattern);
  if (made === undefined) patterns.set(pattern, made = new RegExp(pattern));
  return made.test(value);
};

const unitOf = (node: Node) => (node.unit === undefined ? '' : ` ${node.unit}`);

/** What is wrong with the value of a single setting that is no table and no list. */
function wrongLeaf(node: Node, value: unknown): string | undefined {
  if (node.anyOf !== undefined) {
    const whole = (v: unknown) => typeof v === 'number' && Number.isInteger(v) && v >= 0 && v <= 1_023;
    return whole(value) || (Array.isArray(value) && value.length <= 16 && value.every(whole)) ? undefined : kinds.pins.words;
  }
  switch (node.type) {
    case 'boolean': return typeof value === 'boolean' ? undefined : 'true or false';
    case 'integer':
    case 'number': {
      const { minimum = -Infinity, maximum = Infinity } = node;
      const fits = typeof value === 'number' && value >= minimum && value <= maximum && (node.type === 'number' || Number.isInteger(value));
      return fits ? undefined : `${minimum} to ${maximum}${unitOf(node)}${node.type === 'integer' && Number.isFinite(value) && !Number.isInteger(value) ? ', a whole number' : ''}`;
    }
    default: {
      if (node.enum !== undefined) return typeof value === 'string' && node.enum.includes(value) ? undefined : `one of ${node.enum.join(', ')}`;
      const kind = node.kind === undefined ? undefined : kinds[node.kind];
      const expected = kind?.words ?? 'text';
      if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) return expected; // half a character cannot be written to a file
      if (value.length < (node.minLength ?? 0)) return 'must not be empty';
      if (value.length > (node.maxLength ?? Infinity)) return `at most ${node.maxLength} characters`;
      if (node.pattern !== undefined && !matches(node.pattern, value)) return expected;
      return kind?.wrong?.(value);
    }
  }
}

/** Walk `value` along `node` and report each fault under its dotted key. */
export function check(node: Node, value: unknown, key: string, report: (problem: Problem) => void): void {
  if (node.properties !== undefined) {
    if (!isTable(value)) return report({ key, reason: 'a group of settings' });
    for (const name of Object.keys(value)) {
      if (!Object.hasOwn(node.properties, name)) report({ key: join(key, name), reason: unknownSetting(node, name, key) });
    }
    for (const [name, inner] of Object.entries(node.properties)) {
      if (value[name] === undefined) report({ key: join(key, name), reason: 'is missing' });
      else check(inner, value[name], join(key, name), report);
    }
  } else if (node.patternProperties !== undefined) {
    if (!isTable(value)) return report({ key, reason: 'a table of names and values' });
    if (Object.keys(value).length > MAX_ENTRIES) report({ key, reason: `at most ${MAX_ENTRIES} entries` });
    const [pattern, inner] = Object.entries(node.patternProperties)[0]!;
    for (const [name, entry] of Object.entries(value)) {
      if (!matches(pattern, name)) report({ key: join(key, name), reason: wrongName(pattern, name) });
      else check(inner, entry, join(key, name), report);
    }
  } else if (node.type === 'array' && node.items !== undefined) {
    if (!Array.isArray(value)) return report({ key, reason: 'a list' });
    if (value.length > (node.maxItems ?? Infinity)) report({ key, reason: `at most ${node.maxItems} entries` });
    else for (const [i, item] of value.entries()) check(node.items, item, `${key}.${i}`, report);
  } else {
    const reason = wrongLeaf(node, value);
    if (reason !== undefined) report({ key, reason });
  }
}

/** Where only some names may stand on the left side, they are told. */
function wrongName(pattern: string, name: string): string {
  const known = /^\^\(([\w|]+)\)\$$/.exec(pattern)?.[1];
  return `“${name}” cannot stand on the left side${known === undefined ? '' : `; known are ${known.replaceAll('|', ', ')}`}`;
}

export const join = (key: string, name: string) => (key === '' ? name : `${key}.${name}`);

/** 'no such setting', with the nearest one that there is. */
export function unknownSetting(node: Node, name: string, key = ''): string {
  let nearest = '', least = 4;
  for (const known of Object.keys(node.properties ?? {})) {
    const far = distance(known.toLowerCase(), name.toLowerCase());
    if (far < least) [nearest, least] = [known, far];
  }
  return nearest === '' ? 'no such setting' : `no such setting; perhaps ${join(key, nearest)}`;
}

/** Levenshtein's distance, for names of a few letters. */
export function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 4 || a.length > 64) return 99;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** The name an account goes by: its id, else made from user and server. */
export const accountId = (account: { readonly id: string; readonly user: string; readonly server: string }) =>
  account.id !== '' ? account.id : account.user === '' && account.server === '' ? '' : `${account.user}@${account.server}`;

/** Whether two that listen would get into each other's way at the same port. */
const meets = (a: string, b: string): boolean => a === b || [a, b].some((host) => host === '' || host === '::' || host === '0.0.0.0');

/** Settings that must agree with each other: where it shows, all that take part, and what is wrong. */
const agreements: readonly { readonly key: string; readonly with: readonly string[]; readonly wrong: (s: Settings) => string | undefined }[] = [
  {
    key: 'media.rtpPortMax', with: ['media.rtpPortMin', 'media.rtpPortMax'],
    wrong: ({ media }) => (media.rtpPortMax > media.rtpPortMin + media.rtpPortMin % 2 ? undefined : `above the lowest RTP port (${media.rtpPortMin}), with room for an even port and the next`),
  },
  {
    key: 'media.jitterMaxMs', with: ['media.jitterMinMs', 'media.jitterMaxMs'],
    wrong: ({ media }) => (media.jitterMaxMs >= media.jitterMinMs ? undefined : `not less than the least jitter buffer (${media.jitterMinMs} ms)`),
  },
  {
    key: 'hardware.flashMaxMs', with: ['hardware.flashMinMs', 'hardware.flashMaxMs'],
    wrong: ({ hardware }) => (hardware.flashMaxMs > hardware.flashMinMs ? undefined : `more than the shortest flash (${hardware.flashMinMs} ms)`),
  },
  {
    key: 'sip.tlsPort', with: ['sip.tlsPort'],
    wrong: ({ sip }) => (sip.tcp && sip.tlsPort !== 0 && sip.tlsPort === sip.port ? 'SIP over TCP already uses this port' : undefined),
  },
  {
    key: 'sip.tlsCert', with: ['sip.tlsPort'],
    wrong: ({ sip }) => (sip.tlsPort !== 0 && sip.tlsCert === '' ? 'who connects by TLS wants to see a certificate; name it, or let sip.tlsPort be 0' : undefined),
  },
  {
    key: 'web.port', with: ['web.port', 'sip.port'],
    wrong: ({ web, sip }) => (web.enabled && sip.tcp && web.port !== 0 && web.port === sip.port && meets(web.host, sip.host) ? 'SIP over TCP already uses this port' : undefined),
  },
  {
    key: 'web.port', with: ['web.port', 'sip.tlsPort'],
    wrong: ({ web, sip }) => (web.enabled && web.port !== 0 && web.port === sip.tlsPort && meets(web.host, sip.host) ? 'SIP over TLS already uses this port' : undefined),
  },
  {
    key: 'web.port', with: ['web.port', 'exchange.port'],
    wrong: ({ web, exchange }) => (web.enabled && exchange.enabled && web.port !== 0 && web.port === exchange.port && meets(web.host, exchange.host) ? 'the exchange already uses this port' : undefined),
  },
  {
    key: 'exchange.port', with: ['exchange.port', 'sip.port'],
    wrong: ({ exchange, sip }) => (exchange.enabled && exchange.port !== 0 && exchange.port === sip.port && meets(exchange.host, sip.host) ? 'the phone itself already uses this port' : undefined),
  },
  {
    key: 'exchange.port', with: ['exchange.port', 'sip.tlsPort'],
    wrong: ({ exchange, sip }) => (exchange.enabled && exchange.port !== 0 && exchange.port === sip.tlsPort && meets(exchange.host, sip.host) ? 'the phone itself already uses this port' : undefined),
  },
  {
    key: 'exchange.port', with: ['exchange.port', 'exchange.tlsPort', 'exchange.wsPort', 'exchange.wssPort'],
    wrong({ exchange: { port, tlsPort, wsPort, wssPort } }) {
      const ports = [port, tlsPort, wsPort, wssPort].filter((p) => p !== 0);
      return new Set(ports).size < ports.length ? 'SIP, TLS and WebSocket have a port each' : undefined;
    },
  },
  {
    key: 'exchange.tlsCert', with: ['exchange.tlsPort', 'exchange.wssPort'],
    wrong: ({ exchange }) => (exchange.tlsPort + exchange.wssPort !== 0 && exchange.tlsCert === '' ? 'phones that come over TLS want to see a certificate; name it, or let exchange.tlsPort and exchange.wssPort be 0' : undefined),
  },
  {
    key: 'exchange.users', with: ['exchange.users', 'exchange.groups', 'exchange.ownUser'],
    wrong({ exchange: { users, groups, ownUser } }) {
      const numbers = [...users.map((u) => u.user), ...groups.map((g) => g.number)];
      const twice = numbers.find((n, i) => numbers.indexOf(n) < i);
      if (twice !== undefined) return `${twice} is there twice; each number once, of users and groups together`;
      return ownUser === '' || users.some((u) => u.user === ownUser) ? undefined : `this phone shall be ${ownUser}, who is no user`;
    },
  },
  {
    key: 'media.codecs', with: ['media.codecs'],
    wrong: ({ media }) => (media.codecs.length === 0 ? 'at least one codec' : new Set(media.codecs).size < media.codecs.length ? 'each codec once' : undefined),
  },
];

/** Faults between settings each of which is right alone, with the keys that take part. */
export function disagreements(settings: Settings): readonly (Problem & { readonly with: readonly string[] })[] {
  const found: (Problem & { readonly with: readonly string[] })[] = [];
  for (const { key, with: keys, wrong } of agreements) {
    const reason = wrong(settings);
    if (reason !== undefined) found.push({ key, reason, with: keys });
  }
  const names = new Map<string, number>();
  for (const [i, account] of settings.accounts.entries()) {
    const id = accountId(account), first = names.get(id);
    if (id !== '' && first !== undefined) found.push({ key: `accounts.${i}.id`, reason: `account ${first + 1} is also called ${id}`, with: [`accounts.${i}`] });
    else names.set(id, i);
    if (id === 'exchange' && settings.exchange.enabled && settings.exchange.ownUser !== '') {
      found.push({ key: `accounts.${i}.id`, reason: 'the account of exchange.ownUser is already called exchange', with: ['exchange.ownUser'] });
    }
    if (account.server === '' && account.register) {
      found.push({ key: `accounts.${i}.server`, reason: 'where should this account register? Give the server, or turn Register off', with: [`accounts.${i}`] });
    } else if (account.user === '' && account.register) {
      found.push({ key: `accounts.${i}.user`, reason: 'the number or name of this phone at the server', with: [`accounts.${i}`] });
    }
  }
  return found;
}

/** Everything that is wrong with `settings`; empty when they may be used. */
export function problems(settings: unknown): readonly Problem[] {
  const found: Problem[] = [];
  check(schemaRoot, settings, '', (problem) => found.push(problem));
  return found.length > 0 ? found : disagreements(settings as Settings).map(({ key, reason }) => ({ key, reason }));
}
