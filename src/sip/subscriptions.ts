// Subscriptions of ours (RFC 6665 §4.1), and the one that a REFER outside a call makes (RFC 3515): SUBSCRIBE, its refreshes, the NOTIFYs, and what
// comes after an end. What a NOTIFY's body means is the asker's (packages.ts); who subscribes to us is notifier.ts's.
//
//   asking --first NOTIFY--> active --refresh refused, terminated--> waiting --pause--> asking (a new dialog)
//      `-- refused for good, rejected, noresource ... --> ended <-- leaving <-- end()

import type { Account, Agent } from './agent-types.ts';
import type { Headers } from './build.ts';
import { belongs, dialogOfRequest, inOrder, refreshTarget, type Dialog } from './dialog.ts';
import { contentType, countOf, parseParams, retryAfterOf, tagOf, wholeNumber } from './headers.ts';
import { bodyOf, reasonOf, text, type Message } from './message.ts';
import { addressOf, outbound, within } from './outside.ts';
import { checkHeaders } from './requester.ts';
import { T1 } from './tables.ts';
import type { ServerTransaction } from './transaction.ts';
import type { Result, Ua } from './ua.ts';
import type { Params } from './uri.ts';

export interface SubscribeOptions {
  readonly account?: Account;
  /** As for a call; '' is the account's own address of record. */
  readonly target: string;
  /** Event package, 'message-summary', maybe with ';id=...' (RFC 6665 §8.2.1). */
  readonly event: string;
  /** The one type of body that is taken, 'application/simple-message-summary'. */
  readonly accept: string;
  /** How long is asked for, 3600 unless said; 0 fetches the state once (RFC 6665 §4.4.3). */
  readonly expiresS?: number;
  readonly headers?: readonly (readonly [string, string])[];
  /** Value of Refer-To: makes the request a REFER, whose subscription tells how it goes (RFC 3515 §2.4.4); event 'refer', accept 'message/sipfrag'. */
  readonly referTo?: string;
}

export type SubscriptionEvent =
  /** A NOTIFY; the body may be empty. Copy what is to be kept. */
  | { readonly event: 'notified'; readonly state: 'active' | 'pending' | 'terminated'; readonly type: string; readonly body: Buffer }
  /** It is no longer there, and is asked for again in `retryMs`. Status 0: the other side ended it for the reason `why`. */
  | { readonly event: 'waiting'; readonly status: number; readonly why: string; readonly retryMs: number }
  /** For good. */
  | { readonly event: 'ended'; readonly status: number; readonly why: string };

export interface Subscription {
  readonly state: 'pending' | 'active' | 'waiting' | 'ended';
  /** Ask again now. */
  refresh(): void;
  /** Un-subscribe; resolves when the last NOTIFY came, or none did in 32 s. */
  end(): Promise<void>;
}

/** Timer N: how long the first NOTIFY may take (RFC 6665 §4.1.2.4). */
const N_MS = 64 * T1;
/** Times of taste: pauses from 5 s doubling to 10 min; who has lived for a minute begins anew without a pause. */
const PAUSE_MS = 5_000, PAUSE_MOST_MS = 600_000, LIVED_MS = 60_000, EXPIRES_MOST_S = 86_400;
const NONE: Params = new Map();

/** Statuses after which the subscription is gone, whatever was granted (RFC 5057 §5.1, RFC 6665 §4.1.2.2). */
export const endsUsage = (status: number): boolean => status === 404 || status === 405 || status === 410 || status === 416 || (status >= 480 && status <= 485) || status === 489 || status === 501 || status === 604;

/** 'active;expires=60' as its word in lower case and its parameters. */
export function headed(line: string): { readonly word: string; readonly params: Params } {
  const at = line.indexOf(';');
  return { word: (at < 0 ? line : line.slice(0, at)).trim().toLowerCase(), params: at < 0 ? NONE : parseParams(line.slice(at)) ?? NONE };
}

/** Event headers that name one subscription: the same package and id (RFC 6665 §8.2.1). */
export function sameEvent(a: string, b: string): boolean {
  const one = headed(a), two = headed(b);
  return one.word === two.word && one.params.get('id') === two.params.get('id');
}

/** The subscriptions of one agent: give it the requests that agent's onRequest hears. */
export class Subscriptions {
  readonly #agent: Agent;
  readonly #units = new Map<string, Subscribing>(); // by our tag

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /** Throws PhoneError BAD_ADDRESS or BAD_HEADER; whatever else goes wrong arrives as an event. */
  subscribe(options: SubscribeOptions, on: (event: SubscriptionEvent) => void): Subscription {
    checkHeaders(options.headers ?? [], `${options.event}${options.accept}${options.referTo ?? ''}`);
    return new Subscribing(this.#agent, this.#units, addressOf(this.#agent, options.target, options.account), options, on);
  }

  /** True when it was a NOTIFY to one of them. */
  take(request: Message, server: ServerTransaction): boolean {
    const unit = request.method === 'NOTIFY' ? this.#units.get(tagOf(request, 'to') ?? '') : undefined;
    if (unit === undefined || unit.state === 'waiting' || unit.callId !== text(request, 'call-id')) return false;
    unit.onNotify(request, server);
    return true;
  }

  /** The network came back or changed: ask again now, with the Contact that holds now. */
  networkChanged(): void {
    for (const unit of this.#units.values()) unit.refresh();
  }

  /** Un-subscribe from all. */
  async close(): Promise<void> {
    await Promise.all([...this.#units.values()].map((unit) => unit.end()));
  }
}

class Subscribing implements Subscription {
  callId = '';
  readonly #agent: Agent;
  readonly #ua: Ua;
  readonly #units: Map<string, Subscribing>;
  readonly #address: string;
  readonly #options: SubscribeOptions;
  readonly #on: (event: SubscriptionEvent) => void;
  #phase: 'asking' | 'active' | 'waiting' | 'leaving' | 'ended' = 'asking';
  #tag = '';
  /** Of requests outside the dialog. */
  #path: ReturnType<typeof outbound> | undefined;
  #seq = 0;
  /** Made by the first NOTIFY, which may come before the 2xx (§4.4.1). */
  #dialog: Dialog | undefined;
  #askS: number;
  /** What the last 2xx granted; until then what was asked. */
  #grantedS = 0;
  #untilMs = 0;
  #sinceMs = 0;
  #failures = 0;
  /** end() was called. */
  #unwanted = false;
  #stop: (() => void) | undefined;
  #onEnded: (() => void)[] = [];

  constructor(agent: Agent, units: Map<string, Subscribing>, address: string, options: SubscribeOptions, on: (event: SubscriptionEvent) => void) {
    this.#agent = agent;
    this.#ua = agent.ua;
    this.#units = units;
    this.#address = address;
    this.#options = options;
    this.#askS = options.expiresS ?? 3_600;
    this.#on = on;
    this.#begin();
  }

  get state(): 'pending' | 'active' | 'waiting' | 'ended' {
    return this.#phase === 'asking' ? 'pending' : this.#phase === 'leaving' ? 'ended' : this.#phase;
  }

  refresh(): void {
    if (this.#phase === 'active') this.#ask();
    else if (this.#phase === 'waiting') this.#begin();
  }

  end(): Promise<void> {
    if (this.#phase === 'ended') return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEnded.push(resolve);
      this.#unwanted = true;
      if (this.#phase === 'active') this.#leave();
      else if (this.#phase === 'waiting' || this.#refer) this.#finish(0, 'unsubscribed');
    });
  }

  /** §4.1.3: only what fits a subscription of ours is let in. */
  onNotify(request: Message, server: ServerTransaction): void {
    const line = text(request, 'subscription-state');
    const event = text(request, 'event') ?? '';
    // A REFER's NOTIFY may name its CSeq, or not (RFC 3515 §2.4.6)
    if (this.#refer ? headed(event).word !== 'refer' : !sameEvent(event, this.#options.event)) return server.respond(481);
    if (line === undefined) return server.respond(400, { reason: 'Missing Subscription-State Header' });
    let dialog = this.#dialog;
    if (dialog === undefined) {
      dialog = dialogOfRequest(request, this.#tag);
      if (dialog === undefined) return server.respond(400, { reason: 'Bad contact Header' });
      dialog = { ...dialog, from: text(request, 'to')!, localSeq: this.#seq };
    } else if (!belongs(dialog, request)) return server.respond(481); // another branch of a fork: one is enough (§4.1.4)
    else if (!inOrder(dialog, request)) return server.respond(500);
    const type = contentType(request), body = bodyOf(request), { accept } = this.#options;
    if (body.length > 0 && type !== accept) return server.respond(415, { headers: [['Accept', accept]] });
    server.respond(200);
    if (this.#dialog === undefined) this.#sinceMs = this.#ua.clock.now();
    this.#dialog = dialog;
    refreshTarget(dialog, request);

    const { word, params } = headed(line), over = word === 'terminated';
    if (body.length > 0 || !over) this.#on({ event: 'notified', state: over ? 'terminated' : word === 'pending' ? 'pending' : 'active', type, body });
    if (this.#phase === 'ended') return; // by whom we told
    if (over) return this.#terminated(params.get('reason')?.toLowerCase() ?? '', wholeNumber(params.get('retry-after')));
    if (this.#phase === 'leaving') return;
    const first = this.#phase === 'asking';
    this.#phase = 'active';
    if (this.#unwanted) return this.#leave();
    const expiresS = wholeNumber(params.get('expires'));
    if (expiresS !== undefined || first) this.#granted(expiresS ?? this.#grantedS);
  }

  get #refer(): boolean { return this.#options.referTo !== undefined; }

  /** A new dialog: the old one, if there was one, is forgotten. */
  #begin(): void {
    this.#units.delete(this.#tag);
    this.#dialog = undefined;
    this.#phase = 'asking';
    this.#grantedS = this.#askS;
    const path = outbound(this.#agent, this.#options.account, this.#address);
    this.#path = path;
    this.#tag = path.tag;
    this.callId = this.#ua.token();
    this.#units.set(this.#tag, this);
    this.#ask();
    this.#wait(N_MS, () => this.#failed(408, 'no NOTIFY came'));
  }

  /** SUBSCRIBE: the first, or with a dialog the next. */
  #ask(expiresS = this.#askS): void {
    const { event, accept, referTo, account, headers = [] } = this.#options, dialog = this.#dialog, tag = this.#tag;
    const lines: Headers = referTo === undefined ? [['Event', event], ['Accept', accept], ['Expires', String(expiresS)], ...headers] : [['Refer-To', referTo], ...headers];
    this.#ua.request({
      ...(dialog === undefined ? { ...this.#path!, callId: this.callId, seq: () => ++this.#seq } : within(this.#agent, dialog, account)),
      method: referTo === undefined ? 'SUBSCRIBE' : 'REFER', contact: this.#ua.unit(account)?.contact ?? 'phone', headers: lines,
      wanted: () => this.#tag === tag && this.#phase !== 'ended',
      on: (result) => {
        if (this.#tag === tag && this.#phase !== 'ended' && !(result.response !== undefined && result.response.status < 200)) this.#onAnswer(result, expiresS);
      },
    });
  }

  #onAnswer(result: Result, askedS: number): void {
    const { response } = result;
    if (response === undefined) return this.#failed(result.failure === 'server silent' ? 408 : 503, result.detail);
    const { status } = response;
    if (status >= 300) return this.#failed(status, reasonOf(response), response);
    if (this.#phase === 'leaving') return; // its NOTIFY ends it, or timer N
    if (this.#refer) {
      if (/^\s*false/i.test(text(response, 'refer-sub') ?? '')) this.#finish(status, 'accepted'); // RFC 4488 §4: no NOTIFY will come
      return;
    }
    const grantedS = countOf(response, 'expires') ?? askedS;
    this.#grantedS = Math.min(grantedS, askedS);
    if (this.#dialog === undefined) return;
    if (belongs(this.#dialog, response)) refreshTarget(this.#dialog, response);
    if (this.#phase !== 'active') return;
    this.#failures = 0;
    this.#granted(this.#grantedS);
  }

  /** Refresh in good time (§4.1.2.2). */
  #granted(expiresS: number): void {
    this.#untilMs = this.#ua.clock.now() + expiresS * 1000;
    if (!this.#refer) this.#wait(Math.max(1_000, expiresS * 1000 * (0.65 + 0.1 * this.#ua.random.fraction())), () => this.#ask());
    else this.#wait(expiresS * 1000, () => this.#finish(408, 'nothing was heard of it')); // nobody refreshes a transfer
  }

  #failed(status: number, why: string, response?: Message): void {
    if (this.#phase === 'leaving' || this.#refer) return this.#finish(status, why);
    const retryMs = 1000 * (response === undefined ? 0 : retryAfterOf(response) ?? 0);
    const minS = response === undefined || status !== 423 ? 0 : countOf(response, 'min-expires') ?? 0;
    if (minS > this.#askS && minS <= EXPIRES_MOST_S) { // §4.2.1.1
      this.#askS = minS;
      return this.#ask();
    }
    if (this.#unwanted) return this.#finish(status, why);
    if (this.#phase === 'active') {
      if (status === 481 || endsUsage(status)) return this.#again(retryMs, status, why); // gone: a new one
      const leftMs = this.#untilMs - this.#ua.clock.now(); // else what was granted stands (§4.1.2.2)
      if (leftMs > 4_000) return this.#wait(Math.min(leftMs - 1_000, Math.max(leftMs / 2, retryMs)), () => this.#ask());
      return this.#again(retryMs, status, why);
    }
    // 408, 480, 491 and trouble of the server pass; what it refuses it will refuse again
    const passes = retryMs > 0 || status === 408 || status === 480 || status === 481 || status === 491 || (status >= 500 && status < 600 && status !== 501 && status !== 505 && status !== 513);
    if (passes) return this.#again(retryMs, status, why);
    this.#finish(status, why);
  }

  /** §4.1.3: what its reason asks of us. */
  #terminated(reason: string, retryAfterS = 0): void {
    if (this.#unwanted || this.#refer || this.#askS === 0) return this.#finish(0, this.#unwanted ? 'unsubscribed' : reason || 'done');
    if (reason === 'rejected' || reason === 'noresource' || reason === 'invariant') return this.#finish(0, reason);
    if (this.#ua.clock.now() - this.#sinceMs >= LIVED_MS) this.#failures = 0;
    else this.#failures = Math.max(1, this.#failures); // never round and round without a pause
    const atOnce = reason === 'deactivated' || reason === 'timeout';
    this.#again(atOnce ? 0 : Math.max(retryAfterS * 1000, PAUSE_MS), 0, reason || 'terminated');
  }

  /** A new subscription after `leastMs`, later with each failure in a row. */
  #again(leastMs: number, status: number, why: string): void {
    const grown = this.#failures === 0 ? 0 : Math.min(PAUSE_MOST_MS, PAUSE_MS * 2 ** (this.#failures - 1));
    const retryMs = Math.max(leastMs, grown) * (1 + 0.2 * this.#ua.random.fraction());
    this.#failures = Math.min(20, this.#failures + 1);
    this.#phase = 'waiting';
    this.#wait(retryMs, () => this.#begin());
    this.#on({ event: 'waiting', status, why, retryMs: Math.round(retryMs) });
  }

  #leave(): void {
    if (this.#refer) return this.#finish(0, 'unsubscribed');
    this.#phase = 'leaving';
    this.#ask(0); // §4.1.2.3
    this.#wait(N_MS, () => this.#finish(0, 'unsubscribed'));
  }

  #finish(status: number, why: string): void {
    this.#phase = 'ended';
    this.#stop?.();
    this.#units.delete(this.#tag);
    for (const resolve of this.#onEnded.splice(0)) resolve();
    this.#on({ event: 'ended', status, why });
  }

  #wait(ms: number, due: () => void): void {
    this.#stop?.();
    this.#stop = this.#ua.clock.after(ms, due);
  }
}
