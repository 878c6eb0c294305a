import { createAgent } from '../../src/sip/agent.ts';
import type { Agent, AgentHandlers, AgentOptions, Call, CallEvent, RegistrationState, Source } from '../../src/sip/agent-types.ts';
import { parseMessage, text, type Message } from '../../src/sip/message.ts';
import { FakeClock, settle } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeResolver, Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';

export const OFFER = Buffer.from('v=0 offer'), ANSWER = Buffer.from('v=0 answer');

/** What happened to one call, as words: 'progress 180', 'answer v=0 answer', 'ended by them: hung up'. */
export function story(call: Call): string[] {
  const told: string[] = [];
  call.subscribe((e) => told.push(words(e)));
  return told;
}

function words(e: CallEvent): string {
  switch (e.event) {
    case 'progress': return `progress ${e.status}`;
    case 'offer': return `offer ${e.body.toString()}`;
    case 'answer': return `${e.early ? 'early ' : ''}answer ${e.body.toString()}`;
    case 'offer refused': return `offer refused ${e.status}`;
    case 'transfer asked': return `transfer to ${e.target}`;
    case 'transfer progress': return `transfer ${e.status}`;
    case 'digit': return `digit ${e.digit} ${e.ms}`;
    case 'ended': return `ended by ${e.ending.by}: ${e.ending.why}${e.ending.status === 0 ? '' : ` (${e.ending.status})`}`;
    case 'established': return 'established';
  }
}

export interface Phone {
  readonly agent: Agent;
  readonly host: string;
  readonly incoming: { call: Call; source: Source; challenge: () => void; told: string[] }[];
  readonly registrations: RegistrationState[];
  /** Called for each incoming call, after it was noted. */
  onCall: (call: Call, source: Source, challenge: () => void) => void;
}

/** Agents on one wire, in fake time. */
export class Town {
  readonly clock = new FakeClock();
  readonly wire: Wire;
  readonly resolver = new FakeResolver();
  readonly #seed: number;
  #phones = 0;

  constructor(seed = 1) {
    this.#seed = seed;
    this.wire = new Wire(this.clock, seed);
  }

  /** `host`: its address, or several with spaces between. */
  async phone(host: string, more: Partial<AgentHandlers> = {}, options: Partial<AgentOptions> = {}): Promise<Phone> {
    const incoming: Phone['incoming'] = [], registrations: RegistrationState[] = [];
    const phone: Phone = {
      host, incoming, registrations, onCall: () => undefined,
      agent: createAgent(
        { clock: this.clock, random: new FakeRandom(this.#seed * 100 + ++this.#phones), log: new FakeLog(), network: this.wire.host(...(host.split(' ') as [string])), resolver: this.resolver },
        { listen: { host: '', port: 5060 }, tcp: true, userAgent: 'test', ...options },
        {
          onIncoming: (call, source, challenge) => {
            incoming.push({ call, source, challenge, told: story(call) });
            phone.onCall(call, source, challenge);
          },
          onRegistration: (_, state) => { registrations.push(state); },
          ...more,
        }),
    };
    await phone.agent.start();
    return phone;
  }

  async run(ms: number): Promise<void> {
    await this.clock.run(ms);
  }

  /** Methods and statuses that were sent by `host`, in order; `CSeq` method behind each status. */
  sentBy(host: string): string[] {
    return this.messages().filter((m) => m.from === host).map((m) => m.words);
  }

  messages(): { atMs: number; from: string; to: string; words: string; message: Message; lost: boolean }[] {
    return this.wire.sent.flatMap((d) => {
      const message = parseMessage(d.bytes);
      if (message.kind === 'malformed') return [];
      const name = message.kind === 'request' ? message.method : `${message.status} ${(text(message, 'cseq') ?? '').split(' ')[1]}`;
      return [{ atMs: d.atMs, from: d.from.host, to: d.to.host, words: name, message, lost: d.lost }];
    });
  }
}

/** A peer that a test plays by hand: raw datagrams in, raw datagrams out. */
export class Peer {
  readonly got: Message[] = [];
  readonly host: string;
  readonly #town: Town;
  #send: (bytes: Buffer, to: string, port: number) => void = () => undefined;

  constructor(town: Town, host: string) {
    this.#town = town;
    this.host = host;
  }

  async open(port = 5060): Promise<this> {
    const socket = await this.#town.wire.host(this.host).udp({ host: '', port }, {
      onDatagram: (bytes) => {
        const message = parseMessage(bytes);
        if (message.kind !== 'malformed') this.got.push(message);
      },
      onError: () => undefined,
    });
    this.#send = (bytes, to, toPort) => socket.send(bytes, { host: to, port: toPort });
    return this;
  }

  /** Lines joined by CRLF, Content-Length added. */
  send(to: string, lines: readonly string[], body = ''): void {
    this.#send(Buffer.from([...lines, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n')), to, 5060);
  }

  /** Answers `request` by hand: `more` are further header lines. */
  answer(request: Message, status: number, more: readonly string[] = [], body = '', tag = 'peer'): void {
    const to = text(request, 'to')!;
    const via = request.bytes.toString().split('\r\n').filter((l) => /^Via:/i.test(l));
    const address = /Via: SIP\/2.0\/UDP ([^:;]+):(\d+)/.exec(via[0]!)!;
    const lines = [`SIP/2.0 ${status} Words`, ...via, `From: ${text(request, 'from')}`, `To: ${to}${/;tag=/.test(to) || status === 100 ? '' : `;tag=${tag}`}`, `Call-ID: ${text(request, 'call-id')}`, `CSeq: ${text(request, 'cseq')}`,
      ...(body === '' ? [] : ['Content-Type: application/sdp']), ...more, `Content-Length: ${Buffer.byteLength(body)}`, '', body];
    this.#send(Buffer.from(lines.join('\r\n')), address[1]!, Number(address[2]));
  }

  last(method: string): Message {
    const found = this.got.filter((m) => m.method === method).at(-1);
    if (found === undefined) throw new Error(`no ${method} came; ${this.got.map((m) => m.method || m.status).join(' ')}`);
    return found;
  }

  count(method: string): number {
    return this.got.filter((m) => m.method === method).length;
  }

  statuses(): number[] {
    return this.got.filter((m) => m.kind === 'response').map((m) => m.status);
  }
}

export { settle };
