// Session descriptions, RFC 8866 (and its forerunner 4566): a reader that takes what peers really send, a writer that keeps to the letter.
// What the words mean for a call is offer.ts' concern.

/** Name and value of an a= line; no value for a flag. */
export type Attribute = readonly [name: string, value: string];

export interface SdpMedia {
  readonly kind: string;
  readonly port: number;
  readonly proto: string;
  readonly formats: readonly string[];
  /** Address of the c= line that holds for it, its own or the session's; undefined when there is none or it is no Internet address. */
  readonly host: string | undefined;
  readonly attributes: readonly Attribute[];
}

export interface Sdp {
  /** o= line: session id and version as written, '0' when absent. */
  readonly sessionId: string;
  readonly version: string;
  /** Session's c= line. */
  readonly host: string | undefined;
  readonly attributes: readonly Attribute[];
  readonly media: readonly SdpMedia[];
}

export interface Malformed {
  /** What is wrong, naming the line. */
  readonly malformed: string;
}

/** Far more than any telephone sends; further attributes are dropped, the rest is malformed. */
const LIMIT = { bytes: 65_536, media: 32, formats: 64, attributes: 256 } as const;

/** True for a numeric address that a datagram can go to: '192.0.2.1', '2001:db8::1'. */
export function isAddress(host: string): boolean {
  if (!host.includes(':')) return /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(host);
  const halves = host.split('::');
  const groups = halves.flatMap((half) => half === '' ? [] : half.split(':'));
  const room = 8 - groups.length - (host.includes('.') ? 1 : 0); // a last group in IPv4's form counts for two
  return (halves.length === 1 ? room === 0 : halves.length === 2 && room > 0)
    && groups.every((group, i) => /^[0-9a-f]{1,4}$/i.test(group) || (i === groups.length - 1 && host.endsWith(group) && isAddress(group)));
}

/** c= line: 'IN IP4 224.2.1.1/127' gives the address without TTL. */
function addressOf(value: string): string | undefined {
  const [net, family, host] = value.trim().split(/\s+/);
  return net?.toUpperCase() === 'IN' && (family?.toUpperCase() ?? '').startsWith('IP') ? host?.split('/')[0] || undefined : undefined;
}

/** Read a description; never throws. Lines that do not concern us (b=, k=, r=, i= ...) are passed over. */
export function parseSdp(bytes: Uint8Array): Sdp | Malformed {
  if (bytes.length > LIMIT.bytes) return { malformed: `description of ${bytes.length} bytes` };
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').split(/\r\n|\n|\r/);
  let sessionId = '0', version = '0';
  let host: string | undefined;
  const attributes: Attribute[] = [];
  const media: (SdpMedia & { host: string | undefined; attributes: Attribute[] })[] = [];
  let begun = false;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (line === '' || line === '\0') continue; // some send a terminating zero
    const wrong = (what: string): Malformed => ({ malformed: `line ${i + 1}: ${what}: ${line.slice(0, 60).replace(/inline:.*/i, '')}` }); // never a key
    if (line[1] !== '=') return wrong('not of the form type=value');
    const value = line.slice(2);
    const current = media.at(-1);
    if (!begun) {
      if (line[0] !== 'v' || value.trim() !== '0') return wrong('a description begins with v=0');
      begun = true;
    } else if (line[0] === 'o') {
      const fields = value.trim().split(/\s+/);
      if (fields.length < 6) return wrong('too few fields');
      sessionId = fields[1]!;
      version = fields[2]!;
    } else if (line[0] === 'c') {
      const address = addressOf(value);
      if (current !== undefined) current.host = address;
      else host = address;
    } else if (line[0] === 'm') {
      const [kind = '', place = '', proto = '', ...formats] = value.trim().split(/\s+/);
      const port = /^(\d{1,5})(?:\/\d{1,5})?$/.exec(place); // a count of ports may follow
      if (port === null || Number(port[1]) > 65_535) return wrong('no port');
      if (proto === '' || formats.length === 0) return wrong('too few fields');
      if (media.length === LIMIT.media || formats.length > LIMIT.formats) return wrong('too many');
      media.push({ kind, port: Number(port[1]), proto, formats, host, attributes: [] });
    } else if (line[0] === 'a') {
      const colon = value.indexOf(':');
      const of = current?.attributes ?? attributes;
      if (of.length < LIMIT.attributes) of.push(colon < 0 ? [value.trim().toLowerCase(), ''] : [value.slice(0, colon).trim().toLowerCase(), value.slice(colon + 1).trim()]);
    }
  }
  return begun ? { sessionId, version, host, attributes, media } : { malformed: 'empty description' };
}

/** Write a description: our own words only, nothing in it may hold a line end. A line's `host` is written where it differs from the session's. */
export function formatSdp(sdp: Sdp): Buffer {
  const address = (host: string) => `IN ${host.includes(':') ? 'IP6' : 'IP4'} ${host.split('%')[0]!}\r\n`; // a zone means nothing elsewhere
  const here = address(sdp.host ?? '0.0.0.0');
  let text = `v=0\r\no=- ${sdp.sessionId} ${sdp.version} ${here}s=-\r\nc=${here}t=0 0\r\n`;
  const write = (attributes: readonly Attribute[]) => {
    for (const [name, value] of attributes) text += value === '' ? `a=${name}\r\n` : `a=${name}:${value}\r\n`;
  };
  write(sdp.attributes);
  for (const { kind, port, proto, formats, host, attributes } of sdp.media) {
    text += `m=${kind} ${port} ${proto} ${formats.join(' ')}\r\n`;
    if (host !== undefined && host !== sdp.host) text += `c=${address(host)}`;
    write(attributes);
  }
  return Buffer.from(text, 'latin1');
}
