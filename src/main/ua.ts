// The library, importable as 'offhook/ua': the SIP user agent by itself, on this machine's sockets, clock and DNS. No hardware, no sound, no page.
// Sound is the user's: session descriptions pass through as bytes, and two functions make those of G.711. test/examples shows each use.

import { PhoneError } from '../ports/errors.ts';
import type { Log } from '../ports/log.ts';
import type { Endpoint } from '../ports/net.ts';
import { answerOffer, applyAnswer, makeOffer } from '../sdp/offer.ts';
import type { LocalMedia, StreamSession } from '../sdp/types.ts';
import { createAgent } from '../sip/agent.ts';
import type { Account, AccountOptions, Agent, AgentHandlers, AgentOptions, Call, CallOptions, Ending, Party, SipPorts, Source } from '../sip/agent-types.ts';
import { nameAddr } from '../sip/headers.ts';
import type { Message } from '../sip/message.ts';
import { dialogPackage, Notifier, type Admission } from '../sip/notifier.ts';
import { request, type Reply, type RequestOptions } from '../sip/outside.ts';
import { Publication, type PublicationEvent, type PublishOptions } from '../sip/publication.ts';
import { readRefer, readSipfrag, readText, type Referral } from '../sip/referral.ts';
import { Subscriptions, type SubscribeOptions, type Subscription, type SubscriptionEvent } from '../sip/subscriptions.ts';
import { hostPort, parseUri } from '../sip/uri.ts';
import { systemClock } from '../system/clock.ts';
import { systemResolver } from '../system/dns.ts';
import { systemNetwork } from '../system/network.ts';
import { systemRandom } from '../system/random.ts';

export type { Account, AccountOptions, Agent, AgentOptions, Call, CallEvent, CallOptions, Ending, Party, RegistrationState, SipPorts, Source } from '../sip/agent-types.ts';
export type { Message } from '../sip/message.ts';
export type { Admission } from '../sip/notifier.ts';
export type { Reply, RequestOptions } from '../sip/outside.ts';
export type { Publication, PublicationEvent, PublishOptions } from '../sip/publication.ts';
export type { Referral } from '../sip/referral.ts';
export type { SubscribeOptions, Subscription, SubscriptionEvent } from '../sip/subscriptions.ts';
export type { DialogInfo, DialogInfoDocument, MessageSummary, RegisteredAddress } from '../sip/packages.ts';
export type { StreamSession } from '../sdp/types.ts';
export type { Log } from '../ports/log.ts';
export type { Endpoint } from '../ports/net.ts';
export { PhoneError } from '../ports/errors.ts';
export { text, texts, bodyOf } from '../sip/message.ts';
export { readDialogInfo, readMessageSummary, readRegInfo, writeDialogInfo } from '../sip/packages.ts';

export interface UaOptions {
  /** Where to listen; any free port of all addresses unless said. */
  readonly listen?: Endpoint;
  /** Listen for TCP as well; true unless said. */
  readonly tcp?: boolean;
  /** Value of User-Agent. */
  readonly userAgent?: string;
  /** Every message, both ways, as it travels. */
  readonly trace?: NonNullable<AgentOptions['trace']>;
  readonly log?: Log;
  /** In place of the machine's own clock, chance, sockets or DNS: for tests. */
  readonly ports?: Partial<SipPorts>;

  /** A call comes in: call.progress(), call.accept(), call.reject(), or challenge(). Without this every call is refused by 480. */
  onCall?(call: Call, source: Source, challenge: () => void): void;
  /** A text came (RFC 3428). The status returned refuses it, nothing returned takes it. Without this texts are refused by 403. */
  onMessage?(message: { readonly text: string; readonly from: Party; readonly source: Source }): number | void;
  /** Somebody asks us to call somebody (REFER outside a call). Without this it is refused by 403. */
  onRefer?(referral: Referral): void;
  /** Who may watch our calls (event package 'dialog', RFC 4235). Without this nobody may. */
  onWatch?(request: Message, source: Source): Admission;
  onRegistration?(account: Account): void;
  /** Passwords of those who are challenged. */
  passwordOf?(user: string): string | undefined;
}

/** A call of ours with what most want to wait for. */
export interface OutgoingCall {
  readonly call: Call;
  /** The other side's session description once it has answered; rejects with PhoneError CALL_FAILED. */
  readonly answered: Promise<Buffer>;
  readonly ended: Promise<Ending>;
}

export interface Ua {
  /** All that is not spelt out here. */
  readonly agent: Agent;
  /** 'sip:127.0.0.1:5060': where we listen; the host is 'localhost' where that is everywhere. */
  readonly address: string;
  /** Add an account and wait for the server's word. Rejects with PhoneError NOT_REGISTERED, and the account is gone again; agent.addAccount() would keep trying. */
  register(options: Pick<AccountOptions, 'user' | 'server'> & Partial<AccountOptions>): Promise<Account>;
  /** Throws PhoneError BAD_ADDRESS. */
  call(target: string, options?: Omit<CallOptions, 'target'>): OutgoingCall;
  /** OPTIONS: the status, 408 when nobody answers. */
  options(target: string): Promise<number>;
  /** Any request outside a call. */
  request(options: RequestOptions): Promise<Reply>;
  /** A text (RFC 3428). */
  message(target: string, text: string, account?: Account): Promise<Reply>;
  /** Events of another's (RFC 6665): refreshed, and asked for again, until its end(). */
  subscribe(options: SubscribeOptions, on: (event: SubscriptionEvent) => void): Subscription;
  /** State of ours, kept at a server (RFC 3903) until its end(). */
  publish(options: PublishOptions, body: Uint8Array | string, on?: (event: PublicationEvent) => void): Publication;
  /** Ask `target` to call `referTo` (RFC 3515); resolves with how that went, or with the refusal. `onProgress` hears 1xx. */
  refer(target: string, referTo: string, options?: { readonly account?: Account; readonly onProgress?: (status: number, reason: string) => void }): Promise<{ readonly status: number; readonly reason: string }>;
  /** Un-subscribe, end all calls, un-register, free the sockets. */
  close(): Promise<void>;
}

const ACCOUNT: Omit<AccountOptions, 'user' | 'server' | 'id'> = { proxy: '', transport: 'udp', authUser: '', password: '', displayName: '', expiresS: 600, register: true };
const SILENT: Log = { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined };
/** The farewell of subscriptions waits no longer. */
const CLOSE_MS = 1_000;

/** A user agent that listens. Rejects with PhoneError PORT_IN_USE and such. */
export async function createUa(options: UaOptions = {}): Promise<Ua> {
  const own = systemClock();
  const ports: SipPorts = { clock: own, random: systemRandom(), log: options.log ?? SILENT, network: systemNetwork(), resolver: systemResolver(own), ...options.ports };
  const { clock } = ports, listening = new Map<Account, () => void>();

  const handlers: AgentHandlers = {
    onIncoming(call, source, challenge) {
      if (options.onCall === undefined) return call.reject(480);
      options.onCall(call, source, challenge);
      calls.watch(call);
    },
    onRegistration(account) {
      listening.get(account)?.();
      options.onRegistration?.(account);
    },
    onRequest(message, server, source, challenge) {
      if (subscriptions.take(message, server)) return true;
      if (notifier.take(message, server, source, challenge)) return true;
      if (message.method === 'MESSAGE' && options.onMessage !== undefined) {
        const words = readText(message), from = nameAddr(message, 'from')!, uri = parseUri(from.uri);
        if (words === undefined) server.respond(415, { headers: [['Accept', 'text/plain']] });
        else server.respond(options.onMessage({ text: words, from: { uri: from.uri, user: uri?.user ?? '', host: uri?.host ?? '', display: from.display }, source }) ?? 200);
        return true;
      }
      if (message.method !== 'REFER' || options.onRefer === undefined) return false;
      const referral = readRefer(agent, message, server, source);
      if (referral !== undefined) options.onRefer(referral);
      return true;
    },
    ...(options.passwordOf === undefined ? {} : { passwordOf: options.passwordOf.bind(options) }),
  };
  const agent = createAgent(ports, {
    listen: options.listen ?? { host: '', port: 0 }, tcp: options.tcp ?? true, userAgent: options.userAgent ?? 'offhook', ...(options.trace === undefined ? {} : { trace: options.trace }),
  }, handlers);
  const address = (): string => `sip:${hostPort(agent.local.host === '' || agent.local.host === '0.0.0.0' ? 'localhost' : agent.local.host, agent.local.port)}`;
  const subscriptions = new Subscriptions(agent);
  const calls = dialogPackage(agent, () => agent.accounts[0] === undefined ? address() : `sip:${agent.accounts[0].options.user}@${agent.accounts[0].options.server}`, () => notifier.changed());
  const notifier = new Notifier(agent, calls, (message, source) => options.onWatch?.(message, source) ?? 'out');
  await agent.start();

  return {
    agent,
    get address() { return address(); },
    register: (wanted) => new Promise((resolve, reject) => {
      const account = agent.addAccount({ ...ACCOUNT, id: `${wanted.user}@${wanted.server}`, ...wanted });
      const settle = (): void => {
        const now = account.registration;
        if (now.state !== 'registered' && now.state !== 'failed') return;
        listening.delete(account);
        if (now.state === 'registered') return resolve(account);
        void account.remove();
        reject(new PhoneError('NOT_REGISTERED', `${wanted.user} is not registered at ${wanted.server}: ${now.why}${now.detail === '' ? '' : ` (${now.detail})`}`));
      };
      listening.set(account, settle);
      settle();
    }),
    call(target, more = {}) {
      const call = agent.call({ ...more, target });
      let body: Buffer | undefined;
      const ended = new Promise<Ending>((resolve) => call.subscribe((event) => { if (event.event === 'ended') resolve(event.ending); }));
      const answered = new Promise<Buffer>((resolve, reject) => call.subscribe((event) => {
        if (event.event === 'answer' || event.event === 'offer') body ??= Buffer.from(event.body);
        else if (event.event === 'established') resolve(body ?? Buffer.alloc(0));
        else if (event.event === 'ended') reject(new PhoneError('CALL_FAILED', `${event.ending.why}${event.ending.status === 0 ? '' : ` (${event.ending.status})`}`));
      }));
      answered.catch(() => undefined); // whoever does not wait for it hears of the end by `ended`
      calls.watch(call);
      return { call, answered, ended };
    },
    options: (target) => agent.options(target),
    request: (wanted) => request(agent, wanted),
    message: (target, words, account) => request(agent, { method: 'MESSAGE', target, ...(account === undefined ? {} : { account }), headers: [['Content-Type', 'text/plain;charset=utf-8']], body: Buffer.from(words) }),
    subscribe: (wanted, on) => subscriptions.subscribe(wanted, on),
    publish: (wanted, body, on) => new Publication(agent, wanted, body, on),
    refer: (target, referTo, { account, onProgress } = {}) => new Promise((resolve, reject) => {
      try {
        let last: { readonly status: number; readonly reason: string } | undefined;
        subscriptions.subscribe({ target, event: 'refer', accept: 'message/sipfrag', referTo: `<${referTo}>`, ...(account === undefined ? {} : { account }) }, (event) => {
          if (event.event === 'notified') {
            last = readSipfrag(event.type, event.body) ?? last;
            if (last !== undefined && last.status < 200) onProgress?.(last.status, last.reason);
          } else if (event.event === 'ended') resolve(last !== undefined && last.status >= 200 ? last : { status: event.status || 408, reason: event.why });
        });
      } catch (error) {
        reject(error);
      }
    }),
    async close() {
      notifier.close();
      let stop = (): void => undefined;
      await Promise.race([subscriptions.close(), new Promise<void>((resolve) => { stop = clock.after(CLOSE_MS, resolve); })]);
      stop();
      await agent.close();
    },
  };
}

const g711 = (host: string, port: number): LocalMedia => ({
  host, port, rtcpPort: port + 1, codecs: ['PCMA', 'PCMU'], ptimeMs: 20, direction: 'sendrecv', sessionId: 1 + Math.floor(systemRandom().fraction() * 2 ** 31), version: 1,
});

/** An offer of G.711 and telephone-event with RTP at `host` and `port`. */
export const g711Offer = (host: string, port: number): Buffer => makeOffer(g711(host, port));

/** Our answer to `offer`, and where and how to send; undefined when there is no G.711 in it: refuse by 488. */
export function g711Answer(offer: Uint8Array, host: string, port: number): { readonly answer: Buffer; readonly session: StreamSession } | undefined {
  const made = answerOffer(offer, g711(host, port));
  return 'refuse' in made ? undefined : made;
}

/** Where and how to send by `answer` to our `offer` of g711Offer(); undefined when the two do not fit. */
export function g711Session(offer: Uint8Array, answer: Uint8Array, host: string, port: number): StreamSession | undefined {
  const made = applyAnswer(offer, answer, g711(host, port));
  return 'wrong' in made ? undefined : made.session;
}
