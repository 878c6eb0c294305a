import { createHash } from 'node:crypto';
import type { DatagramSocket, Endpoint, StreamListener, StreamSocket } from '../../src/ports/net.ts';
import { buildResponse, type Headers } from '../../src/sip/build.ts';
import { countOf, nameAddr, parseCredentials } from '../../src/sip/headers.ts';
import { parseMessage, requestUri, text, texts, type Message } from '../../src/sip/message.ts';
import { parseUri } from '../../src/sip/uri.ts';
import type { FakeClock } from './clock.ts';
import type { FakeNetwork } from './network.ts';

export interface Answer { readonly status: number; readonly headers?: Headers }

/** A registrar that a test scripts: digest over UDP and TCP, every request kept, any answer overridden. Digests are computed here, not by our own code. */
export class Registrar {
  readonly users = new Map<string, string>();
  /** Each request as it came. */
  readonly requests: { readonly atMs: number; readonly message: Message; readonly from: Endpoint; readonly transport: 'udp' | 'tcp' }[] = [];
  /** Contact by user, for those registered. */
  readonly bindings = new Map<string, { readonly contact: string; readonly untilMs: number }>();
  readonly streams = new Set<StreamSocket>();
  grantS = 600;
  minS = 0;
  /** true: hears everything, says nothing. */
  silent = false;
  /** Challenges by 407 instead of 401. */
  proxy = false;
  algorithm: 'MD5' | 'SHA-256' = 'MD5';
  /** Decides before anything else; undefined leaves it to the registrar. */
  override: (message: Message) => Answer | undefined = () => undefined;
  /** Responses get this as received address, as seen behind a NAT. */
  seenAs: Endpoint | undefined;
  /** Keep-alives over TCP: how many came, and whether they are answered. */
  pings = 0;
  pongs = true;
  /** How long a nonce lives, in uses. */
  nonceUses = Infinity;
  readonly realm = 'test';
  nonce = 'n1';
  #uses = 0;
  #nonces = 1;
  #udp: DatagramSocket | undefined;
  #tcp: StreamListener | undefined;
  readonly #clock: FakeClock;
  readonly #network: FakeNetwork;
  readonly #port: number;

  constructor(clock: FakeClock, network: FakeNetwork, port = 5060) {
    this.#clock = clock;
    this.#network = network;
    this.#port = port;
  }

  async start(): Promise<void> {
    const local = { host: '', port: this.#port };
    this.#udp = await this.#network.udp(local, {
      onDatagram: (bytes, from) => this.#heard(bytes, from, 'udp', (out) => this.#udp?.send(out, from)),
      onError: () => undefined,
    });
    this.#tcp = await this.#network.listen(local, (socket) => {
      this.streams.add(socket);
      return {
        onOpen: () => undefined,
        onBytes: (bytes) => {
          if (bytes.toString() === '\r\n\r\n') {
            this.pings++;
            if (this.pongs) socket.send(Buffer.from('\r\n'));
          } else this.#heard(bytes, socket.remote, 'tcp', (out) => socket.send(out));
        },
        onClose: () => { this.streams.delete(socket); },
      };
    });
  }

  /** The process is gone: ports closed, streams reset, memory lost. */
  stop(): void {
    this.#udp?.close();
    this.#tcp?.close();
    for (const stream of this.streams) stream.close();
    this.streams.clear();
    this.bindings.clear();
  }

  /** Sends from the registrar's UDP address. */
  send(words: string, to: Endpoint): void {
    this.#udp?.send(Buffer.from(words.replace(/\r?\n/g, '\r\n')), to);
  }

  methods(): string[] {
    return this.requests.map((r) => r.message.method);
  }

  #heard(bytes: Buffer, from: Endpoint, transport: 'udp' | 'tcp', reply: (out: Buffer) => void): void {
    const message = parseMessage(bytes);
    if (message.kind !== 'request') return;
    this.requests.push({ atMs: this.#clock.now(), message, from, transport });
    if (this.silent || message.method === 'ACK') return;
    const { status, headers } = this.override(message) ?? this.#answer(message);
    reply(buildResponse(message, status, { headers, toTag: 'registrar', peer: this.seenAs ?? from }));
  }

  #answer(message: Message): Answer {
    if (message.method !== 'REGISTER') return { status: 405 };
    const user = parseUri(nameAddr(message, 'to')?.uri ?? '')?.user ?? '';
    const password = this.users.get(user);
    if (password === undefined) return { status: 404 };
    if (password !== '') {
      const given = parseCredentials(text(message, this.proxy ? 'proxy-authorization' : 'authorization') ?? '');
      if (given === undefined) return this.#challenge(false);
      if (!this.#good(given.params, message, password)) return this.#challenge(false);
      if (given.params.get('nonce') !== this.nonce || ++this.#uses > this.nonceUses) {
        this.renew();
        return this.#challenge(true);
      }
    }
    const contacts = texts(message, 'contact');
    const asked = Number(/;expires=(\d+)/.exec(contacts[0] ?? '')?.[1] ?? countOf(message, 'expires') ?? 3600);
    if (asked !== 0 && asked < this.minS) return { status: 423, headers: [['Min-Expires', String(this.minS)]] };
    if (contacts.length === 0) return { status: 200 };
    if (asked === 0) {
      this.bindings.delete(user);
      return { status: 200 };
    }
    const contact = nameAddr(message, 'contact')!.uri;
    const granted = Math.min(asked, this.grantS);
    this.bindings.set(user, { contact, untilMs: this.#clock.now() + granted * 1000 });
    return { status: 200, headers: [['Contact', `<${contact}>;expires=${granted}`], ['Contact', '<sip:another@192.0.2.77>;expires=7']] };
  }

  /** The old nonce is stale from now on. */
  renew(): void {
    this.nonce = `n${++this.#nonces}`;
    this.#uses = 0;
  }

  #challenge(stale: boolean): Answer {
    const words = `Digest realm="${this.realm}", nonce="${this.nonce}", qop="auth", algorithm=${this.algorithm}${stale ? ', stale=true' : ''}`;
    return this.proxy ? { status: 407, headers: [['Proxy-Authenticate', words]] } : { status: 401, headers: [['WWW-Authenticate', words]] };
  }

  #good(p: ReadonlyMap<string, string>, message: Message, password: string): boolean {
    const hash = (s: string) => createHash(this.algorithm === 'MD5' ? 'md5' : 'sha256').update(s).digest('hex');
    const a1 = hash(`${p.get('username')}:${this.realm}:${password}`), a2 = hash(`${message.method}:${p.get('uri')}`);
    return p.get('response') === hash(`${a1}:${p.get('nonce')}:${p.get('nc')}:${p.get('cnonce')}:${p.get('qop')}:${a2}`) && p.get('uri') === requestUri(message);
  }
}
