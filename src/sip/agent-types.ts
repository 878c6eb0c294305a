// What the agent says and takes: the door of the sip room. Session descriptions pass through as bytes; the agent only knows
// which message is an offer and which an answer (RFC 3261 §13.2.1, RFC 3264, RFC 6337).

import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import type { Endpoint, Network, Resolver } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { Message } from './message.ts';
import type { ServerTransaction } from './transaction.ts';
import type { Ua } from './ua.ts';

export interface SipPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: Network;
  readonly resolver: Resolver;
}

export interface AgentOptions {
  /** Where to listen; host '' is every address of ours, and Contact then carries the address that leads to each target. Port 0: any. */
  readonly listen: Endpoint;
  readonly tcp: boolean;
  /** Accept TLS on this port; 0 or left out: do not. */
  readonly tlsPort?: number | undefined;
  readonly userAgent: string;
  /** 'urn:uuid:...' of this phone, the same after every start: registrations then carry it (RFC 5626 §4.1). */
  readonly instance?: string;
  /** How often our calls ask to be refreshed, seconds from 90 (RFC 4028); 0, or absent: they do not, and do what the other side asks. */
  readonly sessionS?: () => number;
  /** Logged and given to the trace on every message, both ways. */
  readonly trace?: (direction: 'in' | 'out', bytes: Uint8Array, peer: Endpoint, transport: Transport) => void;
}

/** wss is WebSocket over TLS (RFC 7118); in addresses both WebSockets are `transport=ws`. */
export type Transport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

export interface AccountOptions {
  /** Stable id chosen by the caller. */
  readonly id: string;
  readonly user: string;
  /** Domain of the address of record; also the registrar unless `proxy` is given. Host, host:port or [v6]:port. */
  readonly server: string;
  /** Outbound proxy, host[:port]; '' for none. */
  readonly proxy: string;
  /** 'auto': as the server's DNS records say, else UDP (RFC 3263 §4.1). */
  readonly transport: Transport | 'auto';
  readonly authUser: string;
  readonly password: string;
  readonly displayName: string;
  readonly expiresS: number;
  /** false: calls through the server without registering. */
  readonly register: boolean;
  /** A second server of the same user, with a domain of its own; host[:port], '' for none. */
  readonly backupServer?: string;
  /** 'fallback' (default): registers there only while the first does not confirm. 'parallel': at both. */
  readonly backupMode?: 'fallback' | 'parallel';
  /** 'algorithm:realm:hash' with hash = H(user:realm:password), in place of the password (RFC 7616 §3.4.2). */
  readonly ha1?: string;
  /** 'stun': UDP is kept open by STUN and watched by its answers (RFC 5626 §4.4.2), for servers that answer it; else by empty lines behind a NAT. */
  readonly keepAlive?: 'auto' | 'stun';
  /** Seconds between OPTIONS to the registered server; 0 sends none. */
  readonly optionsPingS?: number;
  /** Ask for a GRUU and be called by it inside dialogs (RFC 5627); takes AgentOptions.instance. */
  readonly gruu?: boolean;
  /** The first REGISTER names user and realm with an empty nonce (3GPP TS 24.229 §5.1.1.2). */
  readonly imsRegister?: boolean;
  /** 'associated': calls come from the first of P-Associated-URI (RFC 7315 §4.1, 3GPP TS 24.229 §5.1.1.2). */
  readonly identity?: 'own' | 'associated';
  /** Calls are anonymous unless told otherwise (RFC 3323, RFC 3325). */
  readonly anonymous?: boolean;
}

/** Only what the server last confirmed, RFC 3261 §10. */
export type RegistrationState =
  | { readonly state: 'off' }
  | { readonly state: 'trying'; readonly sinceMs: number; readonly attempt: number }
  | { readonly state: 'registered'; readonly server: string; readonly untilMs: number; /** At the second server alone. */ readonly second?: boolean }
  | { readonly state: 'failed'; readonly why: RegistrationFailure; readonly status: number; readonly detail: string; readonly retryAtMs: number };

export type RegistrationFailure =
  | 'no network'        // no route, no address, the local network refused
  | 'no such server'    // the name does not resolve
  | 'server silent'     // no answer (timer F, TCP connect time-out)
  | 'server refused'    // connection refused, or no TLS or no WebSocket there
  | 'not trusted'       // TLS: one side did not take the other's certificate
  | 'wrong password'    // challenged again with a fresh nonce after our answer, or 403 after credentials
  | 'not allowed'       // 403, 404 and such
  | 'server trouble';   // 5xx, 6xx, nonsense

export interface Account {
  readonly id: string;
  readonly options: AccountOptions;
  readonly registration: RegistrationState;
  /** REGISTER now: the network came back, the link changed. */
  refresh(): void;
  /** Un-register and forget; resolves when answered or after 2 s. */
  remove(): Promise<void>;
}

export interface CallOptions {
  /** Account to call through; undefined: straight to the address. */
  readonly account?: Account;
  /** 'sip:201@example.org', or for an account a bare user part '201'. */
  readonly target: string;
  /** Session description offered; undefined makes a delayed offer: the `offer` event follows with the 2xx. */
  readonly offer?: Uint8Array;
  /** Further header lines, e.g. ['Alert-Info', '<http://x>;info=alert-autoanswer']. CR and LF are refused. */
  readonly headers?: readonly (readonly [string, string])[];
  /** Hide who calls (RFC 3323 §4.1, RFC 3325 §9.3); undefined: as the account says. */
  readonly anonymous?: boolean | undefined;
  /**
   * The call at `target` to take over, or with ';early-only' to pick up while it rings elsewhere: a Replaces value,
   * 'call-id;to-tag=x;from-tag=y' as `target` sees the tags (RFC 3891 §6.1).
   */
  readonly replaces?: string;
  /** Display name used when there is no account. */
  readonly displayName?: string;
  /** User part of our address when there is no account. */
  readonly user?: string;
}

export interface Party {
  readonly uri: string;
  readonly user: string;
  readonly host: string;
  readonly display: string;
}

/** How a call ended. */
export interface Ending {
  readonly by: 'us' | 'them' | 'network';
  /** SIP status of the final response when the call never was; 0 for an established call. */
  readonly status: number;
  /** Words for a log and a page: 'Busy Here', 'hung up', 'the other side does not answer', 'answered elsewhere'. */
  readonly why: string;
  /** From the Reason header (RFC 3326), e.g. 'SIP;cause=200'. */
  readonly reason?: string;
}

export type CallEvent =
  /** 1xx: 180, 181, 182, 183. Outgoing calls only. */
  | { readonly event: 'progress'; readonly status: number; readonly reason: string }
  /**
   * The other side offers (INVITE, re-INVITE, UPDATE, PRACK, or the reliable 1xx or 2xx to our delayed offer): answer with call.answerOffer() or
   * call.refuseOffer(). For the first INVITE it comes to the first subscriber while the call
   * rings, and waits until call.accept(). An empty body: the other side asks for our offer
   * (re-INVITE without one); call.answerOffer() then takes our offer, and `answer` follows with the ACK.
   */
  | { readonly event: 'offer'; readonly body: Buffer }
  /**
   * The answer to `offer`, a description of ours; may come early in a 1xx (`early`), then again, equal, with the 2xx. When an INVITE forks
   * each branch may answer early: the last to speak counts until one of them sends the 2xx.
   */
  | { readonly event: 'answer'; readonly body: Buffer; readonly early: boolean; readonly offer: Uint8Array }
  /** Our re-INVITE was refused; the session goes on as it was. */
  | { readonly event: 'offer refused'; readonly status: number; readonly reason: string }
  /** 2xx sent or received. */
  | { readonly event: 'established' }
  /** The other side asks us to call `target` in its place (REFER). Already answered 202; report with call.transferProgress(). */
  | { readonly event: 'transfer asked'; readonly target: string; readonly by: string }
  /** Progress of the transfer we asked for: status from the NOTIFY's sipfrag; final at >= 200. */
  | { readonly event: 'transfer progress'; readonly status: number; readonly reason: string }
  /** SIP INFO with application/dtmf-relay or application/dtmf. */
  | { readonly event: 'digit'; readonly digit: string; readonly ms: number }
  | { readonly event: 'ended'; readonly ending: Ending };

export type CallState = 'calling' | 'ringing' | 'established' | 'ended';

export interface Call {
  readonly id: string;
  /** The Call-ID of its messages. */
  readonly callId: string;
  readonly direction: 'in' | 'out';
  readonly state: CallState;
  readonly account: Account | undefined;
  readonly remote: Party;
  /** Address of ours that leads to the other side; for our session description. */
  readonly localHost: string;
  /** How its messages travel, as far as the next hop. */
  readonly transport: Transport;
  /** The INVITE of an incoming call; undefined for ours. Read-only, kept until the call ends. */
  readonly invite: Message | undefined;
  subscribe(on: (event: CallEvent) => void): void;

  /**
   * Incoming: 180, or 183 with an early answer, or with our early offer when the INVITE had none; sent reliably where the caller requires it
   * or where it describes and the caller can (RFC 3262).
   */
  progress(status: 180 | 181 | 182 | 183, body?: Uint8Array): void;
  /** Incoming: 200 with our answer, or with our offer when the INVITE had none; then `answer` follows with the ACK. */
  accept(body: Uint8Array): void;
  /** Incoming: 3xx to 6xx. */
  reject(status: number, headers?: readonly (readonly [string, string])[]): void;
  /** Whatever ends it now: CANCEL, BYE, or 487/603; waits where RFC 3261 §15 says so. */
  hangUp(reason?: string): void;
  /**
   * A new offer, by re-INVITE, or by UPDATE before the call is answered (RFC 3311); queued behind one under way, 491 retried after RFC 3261
   * §14.1's pause.
   */
  offer(body: Uint8Array): void;
  answerOffer(body: Uint8Array): void;
  refuseOffer(status: 488 | 491 | 500): void;
  /**
   * REFER inside the dialog (RFC 3515); `replaces` another call of ours for an attended transfer (RFC 3891). With `report` false nobody
   * need tell how it went (RFC 4488): where the other side agrees, its 202 is the last `transfer progress`.
   */
  transfer(target: string, replaces?: Call, report?: boolean): void;
  transferProgress(status: number, reason: string): void;
  /** INFO application/dtmf-relay, for peers without telephone-event. */
  sendInfoDigit(digit: string, ms: number): void;
}

/** Where an incoming request came from, for the decision who may call. */
export interface Source {
  readonly peer: Endpoint;
  readonly transport: Transport;
  /** The account whose registered server sent it (address or connection of the confirmed registration). */
  readonly registeredServer: Account | undefined;
  /** User name that passed our digest challenge. */
  readonly authenticated: string | undefined;
}

export interface AgentHandlers {
  /**
   * An INVITE outside any dialog, 100 already sent. Do one of: call.progress/accept/reject, or challenge(): a 401 to which the caller
   * may answer with credentials, upon which onIncoming is called again with source.authenticated.
   */
  onIncoming(call: Call, source: Source, challenge: () => void): void;
  /** For digest challenges: the password of `user`; undefined refuses. */
  passwordOf?(user: string): string | undefined;
  onRegistration(account: Account, state: RegistrationState): void;
  /**
   * A request outside calls that the agent has no answer of its own to: MESSAGE, a NOTIFY or SUBSCRIBE that nobody knows, REFER. True when it is taken:
   * then answer it by server.respond(), or challenge() as for a call. SUBSCRIBE and NOTIFY come here also with a tag in To that is no call's, the
   * others only without one or inside a call.
   */
  onRequest?(request: Message, server: ServerTransaction, source: Source, challenge: () => void): boolean;
}

export interface Agent {
  readonly accounts: readonly Account[];
  readonly calls: readonly Call[];
  /** For what is built on the agent: other requests, subscriptions, publications (outside.ts and what imports it). */
  readonly ua: Ua;
  /** Where UDP listens, the port as bound. */
  readonly local: Endpoint;
  /** Bind the transports; PhoneError PORT_IN_USE names the port. */
  start(): Promise<void>;
  addAccount(options: AccountOptions): Account;
  /** Throws PhoneError BAD_ADDRESS for a target that is no address. The call rings later; failures arrive as `ended`. */
  call(options: CallOptions): Call;
  /** Address of ours that leads to the account's server, or to `target` without one, for the offer of a call to come; undefined without a route. */
  localHostFor(target: string, account?: Account): Promise<string | undefined>;
  /** Send OPTIONS and resolve with the status, 408 when nobody answers. */
  options(target: string): Promise<number>;
  /** Network came back or changed: re-resolve, REGISTER at once. */
  networkChanged(): void;
  /** End all calls, un-register, free the sockets. */
  close(): Promise<void>;
}
