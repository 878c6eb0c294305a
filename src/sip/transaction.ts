// One transaction as its user holds it (Client, Server) and as the layer keeps it (Entry): RFC 3261 §17. The layer is transactions.ts.

import { buildResponse } from './build.ts';
import type { Headers } from './build.ts';
import type { Message } from './message.ts';
import type { Machine, Timer } from './tables.ts';
import type { Destination, Failure, Flow } from './transport.ts';

/** Who sent a request of ours hears what became of it: provisional responses, then one of the other three. */
export interface ClientUser {
  onProvisional?(response: Message, from: Flow): void;
  /** The final response; of an INVITE every 2xx, also repeated and forked ones, for 32 s (RFC 6026 §7.2): acknowledge each. */
  onFinal(response: Message, from: Flow): void;
  /** Nobody answered in 64*T1: like 408 (RFC 3261 §8.1.3.1). */
  onTimeout(): void;
  /** It could not be sent: like 503 (RFC 3261 §8.1.3.1). */
  onTransportError(failure: Failure): void;
}

export interface ClientTransaction {
  readonly method: string;
  /** Where it went: over TCP what is too large for UDP. */
  readonly to: Destination;
  /** True until a final response, a time-out or a failure. */
  readonly waiting: boolean;
  /**
   * CANCEL an INVITE (RFC 3261 §9.1): sent once a provisional response came, never after a final one. The INVITE still ends by
   * its final response, or by onTimeout 64*T1 after the CANCEL.
   */
  cancel(headers?: Headers): void;
  /** Forget it: nothing is sent or told any more. For a request that a newer one replaces. */
  abandon(): void;
  /** Another hop is tried in its place: nothing is sent again, and an INVITE that is answered late is cancelled; its 2xx still comes. */
  leave(): void;
}

export interface ServerTransaction {
  readonly request: Message;
  /** Where the request came from. */
  readonly from: Flow;
  /** Tag that our responses put into To when the request has none. */
  readonly toTag: string;
  /** True until a final response was given. */
  readonly open: boolean;
  /** Send a response; after a final one this does nothing. 2xx to INVITE: call resend() until its ACK comes (RFC 3261 §13.3.1.4). */
  respond(status: number, options?: { readonly reason?: string | undefined; readonly headers?: Headers | undefined; readonly body?: Uint8Array | undefined }): void;
  /** Send a response that somebody else wrote, as it is (RFC 3261 §16.7); of an INVITE every 2xx, also after the first (RFC 6026 §7.1). */
  forward(status: number, bytes: Buffer): void;
  /** Send the last response once more. */
  resend(): void;
  /** Forget it unanswered (RFC 4320 §4.2). */
  abandon(): void;
  /** Told when CANCEL for this INVITE came (already answered 200) and no final response was given: answer 487. */
  onCancel: ((cancel: Message) => void) | undefined;
  /** Told when a non-2xx to INVITE was never acknowledged (timer H), or a response could not be sent. */
  onFailure: ((failure: Failure | undefined) => void) | undefined;
}

/** What a transaction asks of the layer. */
export interface Layer {
  cancel(entry: Entry, headers: Headers): void;
  /** `bytes` undefined repeats the last response. */
  answer(entry: Entry, status: number, bytes: Buffer | undefined): void;
  forget(entry: Entry): void;
}

/** One transaction. Its timers are instants, all of them served by one alarm. */
export interface Entry {
  readonly machine: Machine;
  readonly key: string;
  to: Destination;
  readonly invite: boolean;
  state: string;
  /** The last message sent, and for a client the request even after CANCEL. */
  bytes: Buffer | undefined;
  /** Timers A, E, G and 100. */
  resendAtMs: number;
  resendTimer: Timer;
  resendMs: number;
  /** All others. */
  endAtMs: number;
  endTimer: Timer;
  /** One of them, until only stragglers are awaited: then nobody needs to be told, and the memory is worth more. */
  client: Client | undefined;
  server: Server | undefined;
  /** True for a request of ours. */
  readonly ours: boolean;
  /** Of a server's request: tells merged requests from new ones (RFC 3261 §8.2.2.2). */
  readonly origin: number;
  readonly toTag: string;
}

export class Client implements ClientTransaction {
  readonly method: string;
  readonly user: ClientUser;
  readonly #layer: Layer;
  waiting = true;
  /** Headers of the CANCEL that waits for a provisional response. */
  cancelling: Headers | undefined;
  entry: Entry | undefined;

  constructor(layer: Layer, method: string, user: ClientUser) {
    this.#layer = layer;
    this.method = method;
    this.user = user;
  }

  get to(): Destination { return this.entry!.to; }

  cancel(headers: Headers = []): void {
    if (this.entry?.invite === true && this.waiting && this.cancelling === undefined) this.#layer.cancel(this.entry, headers);
  }

  abandon(): void {
    this.waiting = false;
    if (this.entry !== undefined) this.#layer.forget(this.entry);
  }

  leave(): void {
    if (this.entry?.invite !== true) return this.abandon();
    this.entry.resendAtMs = NEVER;
    this.cancel();
  }
}

export class Server implements ServerTransaction {
  readonly request: Message;
  readonly from: Flow;
  readonly toTag: string;
  readonly #layer: Layer;
  open = true;
  entry: Entry | undefined;
  onCancel: ((cancel: Message) => void) | undefined = undefined;
  onFailure: ((failure: Failure | undefined) => void) | undefined = undefined;

  constructor(layer: Layer, request: Message, from: Flow, toTag: string) {
    this.#layer = layer;
    this.request = request;
    this.from = from;
    this.toTag = toTag;
  }

  respond(status: number, options: { readonly reason?: string | undefined; readonly headers?: Headers | undefined; readonly body?: Uint8Array | undefined } = {}): void {
    if (!this.open || this.entry === undefined) return;
    const bytes = buildResponse(this.request, status, { ...options, toTag: this.toTag, peer: this.from });
    this.open = status < 200;
    this.#layer.answer(this.entry, status, bytes);
  }

  forward(status: number, bytes: Buffer): void {
    if (this.entry === undefined || !(this.open || (this.entry.state === 'accepted' && status >= 200 && status < 300))) return;
    this.open = status < 200;
    this.#layer.answer(this.entry, status, bytes);
  }

  abandon(): void {
    this.open = false;
    if (this.entry !== undefined) this.#layer.forget(this.entry);
  }

  resend(): void {
    if (this.entry !== undefined) this.#layer.answer(this.entry, this.open ? 100 : 200, undefined);
  }
}

/** An instant that never comes. */
export const NEVER = Infinity;

export function newEntry(machine: Machine, key: string, to: Destination, invite: boolean, client: Client | undefined, server: Server | undefined, origin: number): Entry {
  return {
    machine, key, to, invite, state: 'initial', bytes: undefined, resendAtMs: NEVER, resendTimer: 'A', resendMs: 0, endAtMs: NEVER, endTimer: 'B',
    client, server, ours: client !== undefined, origin, toTag: server?.toTag ?? '',
  };
}
