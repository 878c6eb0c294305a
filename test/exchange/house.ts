// A house in memory: an exchange at 10.0.0.1:5070, and phones that say exactly what a test tells them to, with a password when asked.

import type { DatagramSocket, StreamSocket } from '../../src/ports/net.ts';
import { createExchange, type Exchange } from '../../src/exchange/exchange.ts';
import type { ExchangeGroup, ExchangeUser } from '../../src/exchange/types.ts';
import { buildResponse, type Headers } from '../../src/sip/build.ts';
import { DigestClient } from '../../src/sip/digest.ts';
import { cseqOf, tagOf } from '../../src/sip/headers.ts';
import { methodOf, parseMessage, requestUri, text, texts, type Message } from '../../src/sip/message.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';

export const user = (name: string, more: Partial<ExchangeUser> = {}): ExchangeUser =>
  ({ user: name, password: `secret-${name}`, digest: 'SHA-256 and MD5', displayName: '', forward: '', busyForward: '', noAnswerForward: '', ...more });

export type Carrier = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';
/** Where the exchange of a House takes each. */
export const DOORS = { udp: 5070, tcp: 5070, tls: 5071, ws: 5080, wss: 5081 } as const;

export interface Said {
  readonly uri?: string;
  readonly to?: string;
  readonly from?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly maxForwards?: number;
}

export class House {
  readonly clock = new FakeClock();
  readonly wire = new Wire(this.clock);
  readonly log = new FakeLog();
  exchange: Exchange;
  users: ExchangeUser[] = ['201', '202', '203', '204'].map((u) => user(u));
  groups: ExchangeGroup[] = [];
  domain = '';
  noAnswerS = 20;
  readonly phones: Peer[] = [];
  /** What the exchange wrote down, each time. */
  readonly written: string[] = [];
  /** Whether it takes TLS and WebSocket too. */
  readonly doors: boolean;
  readonly #random = new FakeRandom(3);
  readonly #key = new FakeRandom(4).bytes(32);

  constructor(doors = false) {
    this.doors = doors;
    this.exchange = this.#make();
  }

  #make(): Exchange {
    return createExchange({ clock: this.clock, random: this.#random, log: this.log, network: this.wire.host('10.0.0.1') }, {
      host: '', port: 5070, ...(this.doors ? { tlsPort: DOORS.tls, wsPort: DOORS.ws, wssPort: DOORS.wss } : {}), userAgent: 'Offhook/test', names: () => ['10.0.0.1', 'hall.local'],
      settings: () => ({ domain: this.domain, noAnswerS: this.noAnswerS, users: this.users, groups: this.groups }),
      key: this.#key, memory: { read: async () => this.written.at(-1), write: (text) => { this.written.push(text); } },
    });
  }

  /** The process is gone and there again. */
  async restart(): Promise<void> {
    this.exchange.close();
    await this.run();
    this.exchange = this.#make();
    await this.start();
  }

  async start(): Promise<void> {
    await this.exchange.start();
  }

  /** A phone on the wire, not registered. */
  async peer(name: string, address: string, port = 5060, transport: Carrier = 'udp'): Promise<Peer> {
    const peer = new Peer(this, name, address, port, transport);
    await peer.open();
    this.phones.push(peer);
    return peer;
  }

  /** The same, registered. */
  async phone(name: string, address: string, port = 5060, transport: Carrier = 'udp', contact?: string): Promise<Peer> {
    const peer = await this.peer(name, address, port, transport);
    const reply = await peer.register(contact === undefined ? {} : { contact });
    if (reply.status !== 200) throw new Error(`${name} is not registered: ${reply.status}`);
    peer.forget();
    return peer;
  }

  run(ms = 20): Promise<void> {
    return this.clock.run(ms, 5);
  }
}

let counter = 0;

export class Peer {
  readonly house: House;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly transport: Carrier;
  /** Everything heard since forget(), in order. */
  heard: Message[] = [];
  credentials: DigestClient;
  callId: string;
  /** Contact in place of the usual one. */
  own: string | undefined;
  #seq = 0;
  #udp: DatagramSocket | undefined;
  stream: StreamSocket | undefined;
  /** Its stream was closed by the exchange. */
  closed = false;

  constructor(house: House, name: string, address: string, port: number, transport: Carrier) {
    this.house = house;
    this.name = name;
    this.address = address;
    this.port = port;
    this.transport = transport;
    this.callId = `reg-${name}-${++counter}`;
    this.credentials = new DigestClient(new FakeRandom(counter), name, `secret-${name}`);
  }

  /** Another one than the settings have. */
  usePassword(password: string): void {
    this.credentials = new DigestClient(new FakeRandom(9), this.name, password);
  }

  async open(): Promise<void> {
    const hear = (bytes: Buffer): void => {
      const message = parseMessage(bytes);
      if (message.kind !== 'malformed') this.heard.push(message);
    };
    const network = this.house.wire.host(this.address);
    if (this.transport === 'udp') this.#udp = await network.udp({ host: '', port: this.port }, { onDatagram: (bytes) => hear(bytes), onError: () => undefined });
    else this.stream = network.connect({ host: '10.0.0.1', port: DOORS[this.transport] }, { onOpen: () => undefined, onBytes: hear, onClose: () => { this.closed = true; } });
    await this.house.run();
  }

  close(): void {
    this.#udp?.close();
    this.stream?.close();
  }

  forget(): void {
    this.heard = [];
  }

  raw(words: string | Buffer): void {
    const bytes = Buffer.from(words);
    if (this.transport === 'udp') this.#udp?.send(bytes, { host: '10.0.0.1', port: 5070 });
    else this.stream?.send(bytes);
  }

  get contact(): string {
    return this.own ?? `sip:${this.name}@${this.address}:${this.port}${this.transport === 'udp' ? '' : `;transport=${this.transport === 'wss' ? 'ws' : this.transport}`}`;
  }

  /** Send a request as it is; gives its branch. */
  say(method: string, said: Said = {}, more: Headers = []): string {
    const branch = said.branch ?? `z9hG4bK${this.name}${++counter}`;
    const body = said.body ?? '';
    this.raw([
      `${method} ${said.uri ?? 'sip:10.0.0.1:5070'} SIP/2.0`, `Via: SIP/2.0/${this.transport.toUpperCase()} ${this.address}:${this.port};branch=${branch};rport`,
      `Max-Forwards: ${said.maxForwards ?? 70}`, `From: ${said.from ?? `<sip:${this.name}@10.0.0.1:5070>;tag=${this.name}tag`}`, `To: ${said.to ?? `<${said.uri ?? 'sip:10.0.0.1:5070'}>`}`,
      `Call-ID: ${said.callId ?? `call-${this.name}-${counter}`}`, `CSeq: ${said.cseq ?? ++this.#seq} ${method}`,
      ...(said.headers ?? [`Contact: <${this.contact}>`]), ...more.map(([n, v]) => `${n}: ${v}`), `Content-Length: ${body.length}`, '', body,
    ].join('\r\n'));
    return branch;
  }

  /** Send a request and prove who we are when asked; gives the response to it, the last one so far. */
  async ask(method: string, said: Said = {}): Promise<Message> {
    const callId = said.callId ?? `ask-${this.name}-${++counter}`;
    this.credentials.forget();
    for (let turn = 0; ; turn++) {
      const from = this.heard.length;
      const cseq = said.cseq ?? ++this.#seq;
      this.say(method, { ...said, callId, cseq }, this.credentials.headers(method, said.uri ?? 'sip:10.0.0.1:5070'));
      await this.house.run();
      const reply = this.heard.slice(from).filter((m) => m.kind === 'response' && text(m, 'call-id') === callId && methodOf(m) === method).at(-1);
      if (reply === undefined) throw new Error(`${this.name}: no answer to ${method}`);
      if (turn > 0 || (reply.status !== 401 && reply.status !== 407) || this.credentials.learn(reply) !== 'retry') return reply;
      if (method === 'INVITE') this.say('ACK', { ...said, callId, cseq, branch: branchOf(reply), to: text(reply, 'to')! });
    }
  }

  register(said: Said & { readonly contact?: string; readonly expires?: number | string } = {}): Promise<Message> {
    const { contact = `<${this.contact}>`, expires } = said;
    return this.ask('REGISTER', {
      callId: this.callId, to: `<sip:${this.name}@10.0.0.1:5070>`, ...said,
      headers: [...(contact === '' ? [] : [`Contact: ${contact}`]), ...(expires === undefined ? [] : [`Expires: ${expires}`]), ...(said.headers ?? [])],
    });
  }

  /** Call a number; gives the Call-ID once the exchange has let it through. */
  async call(number: string, said: Said = {}): Promise<{ readonly callId: string; readonly reply: Message | undefined }> {
    const callId = `call-${this.name}-${++counter}`;
    const uri = `sip:${number}@10.0.0.1:5070`;
    const body = said.body ?? 'v=0\r\n';
    let reply: Message | undefined;
    reply = await this.ask('INVITE', { uri, callId, headers: [`Contact: <${this.contact}>`, 'Content-Type: application/sdp', ...(said.headers ?? [])], ...said, body }).catch(() => undefined);
    return { callId, reply };
  }

  respond(request: Message, status: number, headers: Headers = [], body?: string): void {
    const ours: Headers = status >= 300 || request.method === 'CANCEL' ? [] : [['Contact', `<${this.contact}>`]];
    this.raw(buildResponse(request, status, { headers: [...ours, ...headers], toTag: `${this.name}answer`, ...(body === undefined ? {} : { body: Buffer.from(body) }) }));
  }

  requests(method?: string): Message[] {
    return this.heard.filter((m) => m.kind === 'request' && (method === undefined || m.method === method));
  }

  responses(method = 'INVITE'): number[] {
    return this.heard.filter((m) => m.kind === 'response' && methodOf(m) === method && m.status !== 100 && m.status !== 407 && m.status !== 401).map((m) => m.status);
  }

  response(status: number, method = 'INVITE'): Message {
    const found = this.heard.filter((m) => m.kind === 'response' && methodOf(m) === method && m.status === status).at(-1);
    if (found === undefined) throw new Error(`${this.name} heard no ${status} to ${method}, but ${this.heard.map((m) => m.status || m.method).join(' ')}`);
    return found;
  }

  /** The request of this method heard last. */
  last(method: string): Message {
    const found = this.requests(method).at(-1);
    if (found === undefined) throw new Error(`${this.name} heard no ${method}`);
    return found;
  }
}

export const branchOf = (message: Message): string => /branch=([^;,\s]+)/.exec(text(message, 'via') ?? '')?.[1] ?? '';

export { cseqOf, requestUri, tagOf, text, texts };
