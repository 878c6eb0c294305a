// State of ours kept at a server (RFC 3903): PUBLISH, its refreshes and changes by the entity tag the server gave, and its removal. One request at a
// time; what changes meanwhile follows (§4).

import type { Account, Agent } from './agent-types.ts';
import { countOf, retryAfterOf } from './headers.ts';
import { text } from './message.ts';
import { addressOf, request, type Reply } from './outside.ts';
import { checkHeaders } from './requester.ts';

export interface PublishOptions {
  readonly account?: Account;
  /** As for a call; '' is the account's own address of record. */
  readonly target: string;
  /** Event package, 'presence'. */
  readonly event: string;
  /** Of the body, 'application/pidf+xml'. */
  readonly type: string;
  /** How long is asked for; 3600 unless said. */
  readonly expiresS?: number;
}

export type PublicationEvent =
  /** The server has it, until the refresh that comes by itself. */
  | { readonly event: 'published'; readonly expiresS: number }
  /** It failed, and is tried again in `retryMs`. */
  | { readonly event: 'waiting'; readonly status: number; readonly why: string; readonly retryMs: number }
  /** Removed, or refused for good. */
  | { readonly event: 'ended'; readonly status: number; readonly why: string };

const PAUSE_MS = 5_000, PAUSE_MOST_MS = 600_000, EXPIRES_MOST_S = 86_400;

export class Publication {
  readonly #agent: Agent;
  readonly #options: PublishOptions;
  readonly #on: (event: PublicationEvent) => void;
  #body: Uint8Array;
  #askS: number;
  /** Entity tag of what the server has (§8.2); undefined when it has nothing. */
  #tag: string | undefined;
  #busy = false;
  /** The server does not have `#body`. */
  #dirty = true;
  #unwanted = false;
  #over = false;
  #failures = 0;
  #stop: (() => void) | undefined;
  #onEnded: (() => void)[] = [];

  /** Publishes `body`. Throws PhoneError BAD_ADDRESS or BAD_HEADER. */
  constructor(agent: Agent, options: PublishOptions, body: Uint8Array | string, on: (event: PublicationEvent) => void = () => undefined) {
    checkHeaders([], `${options.event}${options.type}`);
    addressOf(agent, options.target, options.account);
    this.#agent = agent;
    this.#options = options;
    this.#on = on;
    this.#body = Buffer.from(body);
    this.#askS = options.expiresS ?? 3_600;
    this.#send();
  }

  /** In place of what was published before. */
  update(body: Uint8Array | string): void {
    this.#body = Buffer.from(body);
    this.#dirty = true;
    if (!this.#over && !this.#unwanted) this.#send();
  }

  /** Take it back; resolves when the server has answered, or nobody has. */
  end(): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#unwanted = true;
    return new Promise((resolve) => {
      this.#onEnded.push(resolve);
      this.#send();
    });
  }

  #send(): void {
    if (this.#busy) return;
    this.#stop?.();
    const { event, type, target, account } = this.#options, tag = this.#tag, removes = this.#unwanted, dirty = this.#dirty || tag === undefined;
    if (removes && tag === undefined) return this.#finish(0, 'removed');
    this.#busy = true;
    this.#dirty = false;
    const askedS = removes ? 0 : this.#askS;
    const sends = dirty && !removes; // a refresh has no body, §4.4
    void request(this.#agent, {
      method: 'PUBLISH', target, ...(account === undefined ? {} : { account }), ...(sends ? { body: this.#body } : {}),
      headers: [['Event', event], ['Expires', String(askedS)], ...(tag === undefined ? [] : [['SIP-If-Match', tag]] as const), ...(sends ? [['Content-Type', type]] as const : [])],
    }).then((reply) => {
      this.#busy = false;
      this.#onReply(reply, askedS, sends);
    }, (error: unknown) => {
      this.#busy = false; // the entity tag that a server gave cannot be sent back
      this.#finish(0, String(error));
    });
  }

  #onReply({ status, reason, response }: Reply, askedS: number, sent: boolean): void {
    if (askedS === 0) return this.#finish(status < 300 ? 0 : status, 'removed');
    if (status < 300) {
      this.#tag = response && text(response, 'sip-etag');
      this.#failures = 0;
      const expiresS = Math.min((response && countOf(response, 'expires')) ?? askedS, askedS);
      this.#on({ event: 'published', expiresS });
      if (this.#unwanted || this.#dirty) return this.#send();
      return this.#wait(Math.max(1_000, expiresS * 1000 * (0.65 + 0.1 * this.#agent.ua.random.fraction())));
    }
    this.#dirty ||= sent;
    if (status === 412 && this.#tag !== undefined) { // §4.4: the server forgot it, so all of it once more
      this.#tag = undefined;
      return this.#send();
    }
    const minS = status === 423 && response !== undefined ? countOf(response, 'min-expires') ?? 0 : 0;
    if (minS > this.#askS && minS <= EXPIRES_MOST_S) {
      this.#askS = minS;
      return this.#send();
    }
    if (this.#unwanted) return this.#send();
    const retryS = (response && retryAfterOf(response)) ?? 0;
    const passes = retryS > 0 || status === 408 || status === 480 || status === 491 || (status >= 500 && status < 600 && status !== 501 && status !== 505 && status !== 513);
    if (!passes) return this.#finish(status, reason);
    const retryMs = Math.round(Math.max(retryS * 1000, Math.min(PAUSE_MOST_MS, PAUSE_MS * 2 ** this.#failures)) * (1 + 0.2 * this.#agent.ua.random.fraction()));
    this.#failures = Math.min(20, this.#failures + 1);
    this.#wait(retryMs);
    this.#on({ event: 'waiting', status, why: reason, retryMs });
  }

  #wait(ms: number): void {
    this.#stop = this.#agent.ua.clock.after(ms, () => this.#send());
  }

  #finish(status: number, why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop?.();
    for (const resolve of this.#onEnded.splice(0)) resolve();
    this.#on({ event: 'ended', status, why });
  }
}
