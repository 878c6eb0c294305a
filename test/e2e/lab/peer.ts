// A peer that says exactly what a test tells it to, right or wrong: raw SIP over UDP, with no machine of its own. Not for whole
// calls as people have them (baresip) nor for standard flows (SIPp).

import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { until } from './process.ts';

export interface Heard {
  readonly text: string;
  /** First line. */
  readonly start: string;
  readonly body: string;
  /** First value of a header, '' without. */
  header(name: string): string;
  headers(name: string): string[];
}

export function heard(text: string): Heard {
  const end = text.indexOf('\r\n\r\n');
  const [start = '', ...lines] = text.slice(0, end < 0 ? undefined : end).split('\r\n');
  const headers = (name: string): string[] => lines.filter((l) => l.toLowerCase().startsWith(`${name.toLowerCase()}:`)).map((l) => l.slice(l.indexOf(':') + 1).trim());
  return { text, start, body: end < 0 ? '' : text.slice(end + 4), headers, header: (name) => headers(name)[0] ?? '' };
}

type Lines = readonly string[];
export interface Parts {
  readonly headers?: Lines;
  readonly body?: string;
  readonly type?: string;
  readonly cseq?: number;
  readonly branch?: string;
  /** To with our tag as known, unless told. */
  readonly to?: string;
  readonly uri?: string;
}

const withBody = (lines: Lines, { body = '', type = 'application/sdp' }: Parts): string =>
  [...lines, ...(body === '' ? [] : [`Content-Type: ${type}`]), `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');

export function sdp(port: number, more: { readonly direction?: string; readonly host?: string; readonly codecs?: readonly number[]; readonly media?: string; readonly version?: number } = {}): string {
  const { direction = 'sendrecv', host = '127.0.0.1', codecs = [0, 8, 101], version = 1 } = more;
  const names: Record<number, string> = { 0: 'PCMU/8000', 8: 'PCMA/8000', 101: 'telephone-event/8000' };
  return ['v=0', `o=- 4711 ${version} IN IP4 ${host}`, 's=-', `c=IN IP4 ${host}`, 't=0 0',
    more.media ?? [`m=audio ${port} RTP/AVP ${codecs.join(' ')}`, ...codecs.map((c) => `a=rtpmap:${c} ${names[c]}`), `a=${direction}`].join('\r\n'), ''].join('\r\n');
}

/** True when one of the (Proxy-)Authorization lines of `request` proves `password` to `realm` with that nonce (RFC 7616 §3.4). */
export function proves(request: Heard, realm: string, nonce: string, password: string): boolean {
  return [...request.headers('authorization'), ...request.headers('proxy-authorization')].some((line) => {
    const of = (name: string): string => new RegExp(`[ ,]${name}="?([^",]*)"?`).exec(line)?.[1] ?? '';
    const hash = (text: string): string => createHash(of('algorithm').toUpperCase() === 'SHA-256' ? 'sha256' : 'md5').update(text).digest('hex');
    const method = request.start.split(' ')[0]!;
    const secrets = [hash(`${of('username')}:${realm}:${password}`), nonce, ...(of('qop') === '' ? [] : [of('nc'), of('cnonce'), of('qop')]), hash(`${method}:${of('uri')}`)];
    return of('realm') === realm && of('nonce') === nonce && of('uri') === request.start.split(' ')[1] && of('response') === hash(secrets.join(':'));
  });
}

let counter = 0;
const unique = (): string => `${process.pid.toString(36)}x${(++counter).toString(36)}x${Date.now().toString(36)}`;

export interface Peer {
  readonly port: number;
  readonly all: readonly Heard[];
  raw(bytes: string | Uint8Array): void;
  /** The next message not yet taken whose first line and CSeq fit; takes it. */
  next(match: RegExp, ms?: number): Promise<Heard>;
  /** True when none came and none comes within `ms`. */
  quiet(match: RegExp, ms: number): Promise<boolean>;
  count(match: RegExp): number;
  /** A dialog that this peer begins (`of` undefined), or that of a request of the phone's. */
  dialog(of?: Heard): Talk;
  /** Send to this port from now on. */
  aim(port: number): void;
  respond(to: Heard, status: string, parts?: Parts & { readonly tag?: string }): string;
  close(): void;
}

export interface Talk {
  readonly callId: string;
  branch: string;
  cseq: number;
  /** Learn tag and Contact of the other side. */
  learn(from: Heard): void;
  request(method: string, parts?: Parts): string;
  /** ACK of the 2xx to the INVITE with this CSeq. */
  ack(parts?: Parts): string;
}

export async function startPeer(toPort: number, user = 'peer'): Promise<Peer> {
  let phonePort = toPort;
  const socket: Socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  const all: Heard[] = [];
  const taken = new Set<Heard>();
  const fits = (match: RegExp) => (m: Heard): boolean => match.test(`${m.start} | ${m.header('cseq')}`);
  socket.on('message', (bytes) => all.push(heard(bytes.toString('latin1'))));
  const raw = (bytes: string | Uint8Array): void => socket.send(bytes, phonePort, '127.0.0.1');
  const here = `<sip:${user}@127.0.0.1:${port}>`;
  const peer: Peer = {
    port, all, raw,
    aim(to) { phonePort = to; },
    async next(match, ms = 3_000) {
      const find = () => all.find((m) => !taken.has(m) && fits(match)(m));
      if (!await until(() => find() !== undefined, ms, 5)) throw new Error(`no ${String(match)} within ${ms} ms; heard:\n${all.map((m) => `${taken.has(m) ? '- ' : '* '}${m.start} | ${m.header('cseq')}`).join('\n')}`);
      const found = find()!;
      taken.add(found);
      return found;
    },
    async quiet(match, ms) {
      return !await until(() => all.some((m) => !taken.has(m) && fits(match)(m)), ms, 5);
    },
    count: (match) => all.filter(fits(match)).length,
    dialog(of) {
      let remote = of === undefined ? `<sip:phone@127.0.0.1:${phonePort}>` : of.header('from');
      let target = of === undefined ? `sip:phone@127.0.0.1:${phonePort}` : /<([^>]*)>/.exec(of.header('contact'))![1]!;
      const local = of === undefined ? `<sip:${user}@127.0.0.1:${port}>;tag=${unique()}` : /;tag=/.test(of.header('to')) ? of.header('to') : `${of.header('to')};tag=peer`;
      const callId = of === undefined ? unique() : of.header('call-id');
      const talk: Talk = {
        callId, branch: '', cseq: of === undefined ? 0 : 100,
        learn(from) {
          remote = from.header('to');
          target = /<([^>]*)>/.exec(from.header('contact'))?.[1] ?? target;
        },
        request(method, parts = {}) {
          const same = method === 'CANCEL' || method === 'ACK';
          const cseq = parts.cseq ?? (same ? talk.cseq : ++talk.cseq);
          const branch = parts.branch ?? (same ? talk.branch : `z9hG4bK${unique()}`);
          if (!same) talk.branch = branch;
          const text = withBody([
            `${method} ${parts.uri ?? target} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${port};rport;branch=${branch}`, 'Max-Forwards: 70', `From: ${local}`, `To: ${parts.to ?? remote}`,
            `Call-ID: ${callId}`, `CSeq: ${cseq} ${method}`, `Contact: ${here}`, ...(parts.headers ?? []),
          ], parts);
          raw(text);
          return text;
        },
        ack: (parts = {}) => talk.request('ACK', { branch: `z9hG4bK${unique()}`, ...parts }),
      };
      return talk;
    },
    respond(to, status, parts = {}) {
      const text = withBody([
        `SIP/2.0 ${status}`, ...to.headers('via').map((v) => `Via: ${v}`), ...to.headers('record-route').map((v) => `Record-Route: ${v}`), `From: ${to.header('from')}`,
        `To: ${/;tag=/.test(to.header('to')) ? to.header('to') : `${to.header('to')};tag=${parts.tag ?? 'peer'}`}`,
        `Call-ID: ${to.header('call-id')}`, `CSeq: ${to.header('cseq')}`, ...(status.startsWith('3') ? [] : [`Contact: ${here}`]), ...(parts.headers ?? []),
      ], parts);
      raw(text);
      return text;
    },
    close: () => socket.close(),
  };
  return peer;
}
