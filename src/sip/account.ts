// One account: carries out what registration-machine.ts decides, keeps the way to the server open, knows which server confirmed.

import { PhoneError } from '../ports/errors.ts';
import type { AccountOptions, RegistrationState } from './agent-types.ts';
import type { Headers } from './build.ts';
import { DigestClient } from './digest.ts';
import { formatNameAddr, countOf, nameAddrs, retryAfterOf, topVia, wholeNumber } from './headers.ts';
import { parsePlace, type Hop, type Place } from './locate.ts';
import { reasonOf, type Message } from './message.ts';
import { registrationOff, shown, step, type Registration, type RegistrationEvent } from './registration-machine.ts';
import { learn, placeOf } from './requester.ts';
import type { AccountUnit, Result, Sent, Ua } from './ua.ts';
import { hostPort, parseUri, sipUri, formatUri } from './uri.ts';

/** Between keep-alives: below the 30 s that home routers forget UDP after, and within RFC 5626 §4.4.1 for TCP. */
const KEEP_UDP_MS = 25_000, KEEP_TCP_MS = 30_000;

/** What an account does to the way to its server. */
export interface Ways {
  keepOpen(hop: Hop): void;
  /** Give up a TCP connection. */
  drop(hop: Hop): void;
  /** The address of ours that leads to `host` now. */
  source(host: string): Promise<string | undefined>;
}

export class Registering implements AccountUnit {
  readonly id: string;
  readonly options: AccountOptions;
  readonly address: string;
  readonly from: string;
  readonly place: Place;
  readonly credentials: DigestClient | undefined;
  readonly routes: readonly string[];
  hop: Hop | undefined;
  readonly #ua: Ua;
  readonly #ways: Ways;
  readonly #registrar: string;
  readonly #callId: string;
  readonly #tag: string;
  #seq = 0;
  #skip = 0;
  #host = '';
  /** Our Contact as the server knows it. */
  #bound: { readonly host: string; readonly contact: string } | undefined;
  #state: Registration;
  #told = 'off';
  #sent: Sent | undefined;
  #stopTimer: (() => void) | undefined;
  #stopKeep: (() => void) | undefined;
  #onGone: (() => void)[] = [];

  /** Throws PhoneError BAD_ADDRESS when server, proxy or user are none. */
  constructor(ua: Ua, options: AccountOptions, ways: Ways) {
    const server = parsePlace(options.server), place = parsePlace(options.proxy || options.server, options.transport);
    if (server === undefined) throw new PhoneError('BAD_ADDRESS', `the server "${options.server}" of account ${options.id} is no address`);
    if (place === undefined) throw new PhoneError('BAD_ADDRESS', `the outbound proxy "${options.proxy}" of account ${options.id} is no address`);
    if (/[\r\n\0]/.test(options.user + options.authUser + options.displayName)) throw new PhoneError('BAD_ADDRESS', `a line break does not belong into account ${options.id}`);
    this.#ua = ua;
    this.#ways = ways;
    this.id = options.id;
    this.options = options;
    this.place = place;
    this.address = formatUri(sipUri(options.user, server.host, server.port));
    this.from = formatNameAddr(options.displayName, this.address);
    this.#registrar = formatUri(sipUri('', server.host, server.port));
    this.routes = options.proxy === '' ? [] : [`<sip:${hostPort(place.host, place.port)}${options.transport === 'tcp' ? ';transport=tcp' : ''};lr>`];
    this.credentials = options.password === '' ? undefined : new DigestClient(ua.random, options.authUser || options.user, options.password);
    this.#callId = ua.token();
    this.#tag = ua.token();
    this.#state = registrationOff(options.expiresS);
  }

  get registration(): RegistrationState { return shown(this.#state); }

  start(): void {
    if (this.options.register) this.#feed({ event: 'start' });
  }

  refresh(): void {
    const { hop } = this;
    if (hop?.transport !== 'tcp') return this.#feed({ event: 'now' });
    const now = (host: string | undefined): void => {
      if (host !== this.#host) this.#ways.drop(hop); // from an address that is no longer ours nothing comes back
      this.#feed({ event: 'now' });
    };
    this.#ways.source(hop.host).then(now, () => now(undefined));
  }

  /**
   * A request came from `from`; tells whether that is the server whose confirmation stands. Over UDP it comes from the very port, over
   * TCP maybe on a connection of the server's own making.
   */
  heard(from: Hop): boolean {
    const { hop } = this;
    if (hop?.host !== from.host) return false;
    this.#feed({ event: 'heard' });
    return this.registration.state === 'registered' && hop.transport === from.transport && (hop.transport === 'tcp' || hop.port === from.port);
  }

  /** The way to `host` and `port` is broken. */
  flowFailed(hop: Hop): void {
    const ours = this.hop;
    if (this.#state.phase !== 'registered' || ours === undefined || ours.transport !== hop.transport || ours.host !== hop.host || ours.port !== hop.port) return;
    this.#feed({ event: 'now' });
  }

  remove(): Promise<void> {
    return new Promise((resolve) => {
      this.#onGone.push(resolve);
      if (this.#state.phase === 'off') this.#gone();
      else this.#feed({ event: 'stop' });
    });
  }

  #feed(event: RegistrationEvent): void {
    const [next, ...actions] = step(this.#state, event, this.#ua.clock.now(), this.#ua.random.fraction());
    this.#state = next;
    for (const action of actions) {
      switch (action.do) {
        case 'register': this.#register(action.expiresS, action.to); break;
        case 'wait':
          this.#stopTimer?.();
          this.#stopTimer = this.#ua.clock.after(action.ms, () => {
            if (this.#state.phase === 'sending') {
              this.#skip++; // a silent hop: the next one's turn
              const hop = this.#sent?.hop;
              this.#sent?.drop();
              if (hop?.transport === 'tcp') this.#ways.drop(hop); // a connection may be dead without a word
            }
            this.#feed({ event: 'timer' });
          });
          break;
        case 'gone': this.#gone(); break;
        default: return action satisfies never;
      }
    }
    const now = this.registration;
    const telling = now.state === 'failed' ? `${now.why} ${now.status}` : now.state === 'registered' ? `at ${now.server}` : now.state;
    if (telling === this.#told) return;
    this.#told = telling;
    this.#ua.handlers.onRegistration(this, now);
  }

  #gone(): void {
    this.#stopTimer?.();
    this.#stopKeep?.();
    this.#sent?.drop();
    for (const resolve of this.#onGone.splice(0)) resolve();
  }

  #register(expiresS: number, to: string | undefined): void {
    this.#sent?.drop();
    const uri = to ?? this.#registrar, moved = (): Headers => {
      const bound = this.#bound;
      return bound === undefined || bound.host === this.#host ? [] : [['Contact', `${bound.contact};expires=0`]]; // nobody is there any more
    };
    this.#sent = this.#ua.request({
      method: 'REGISTER', path: { uri, routes: to === undefined ? this.routes : [], hop: uri }, place: to === undefined ? this.place : placeOf(to),
      first: this.hop, skip: this.#skip, alone: true,
      from: () => `${this.from};tag=${this.#tag}`, to: `<${this.address}>`, callId: this.#callId, seq: () => ++this.#seq,
      contact: this.options.user, contactParams: `;expires=${expiresS}`, get headers() { return [...moved(), ['Expires', String(expiresS)]] as const; }, credentials: this.credentials,
      onRoute: (_, host) => { this.#host = host; },
      on: (result, sent) => { if (result.response === undefined || result.response.status >= 200) this.#onAnswer(result, sent, expiresS); },
    });
  }

  #onAnswer(result: Result, sent: Sent, askedS: number): void {
    const { response } = result;
    if (response === undefined) {
      this.#skip++;
      return this.#feed({ event: 'failed', why: result.failure, detail: result.detail });
    }
    const { status } = response;
    if (status < 300) {
      this.hop = sent.hop;
      this.#skip = 0;
      this.#bound = { host: this.#host, contact: this.#ua.contact(this.options.user, this.#host, sent.hop!) };
      this.#feed({ event: 'granted', server: sent.hop!.host, grantedS: this.#granted(response, askedS) });
      return this.#keepOpen(response);
    }
    if (status === 401 || status === 407) {
      this.hop = sent.hop; // this one answers: the credentials go there too
      this.#skip = 0;
      return this.#feed({ event: 'challenged', with: learn(this.credentials, response, sent.authorization), status });
    }
    if (status === 423) return this.#feed({ event: 'too brief', minS: countOf(response, 'min-expires') ?? 0 });
    const contact = status < 400 ? nameAddrs(response, 'contact')?.map((c) => c.uri).find((c) => placeOf(c) !== undefined) : undefined;
    if (contact !== undefined) return this.#feed({ event: 'redirected', to: contact, status });
    if (status === 503) this.#skip++;
    const retryAfterS = retryAfterOf(response);
    this.#feed({
      event: 'refused', status, detail: reasonOf(response), credentials: sent.authorization.length > 0, ...(retryAfterS === undefined ? {} : { retryAfterS }),
    });
  }

  /** Seconds granted: expires of our Contact, else Expires, else what was asked (RFC 3261 §10.2.4). */
  #granted(response: Message, askedS: number): number {
    const contacts = nameAddrs(response, 'contact') ?? [];
    const mine = contacts.find(({ uri }) => {
      const read = parseUri(uri);
      return read?.user === this.options.user && read.host === this.#host.toLowerCase();
    }) ?? (contacts.length === 1 ? contacts[0] : undefined);
    return wholeNumber(mine?.params.get('expires')) ?? countOf(response, 'expires') ?? askedS;
  }

  /** TCP: the flow must be seen to live. UDP: only a NAT forgets, and the server's view of our address betrays one (RFC 3581). */
  #keepOpen(response: Message): void {
    this.#stopKeep?.();
    const hop = this.hop!, via = topVia(response);
    const seen = via?.params.get('received') ?? this.#host, port = via?.params.get('rport') || String(via?.port ?? '');
    if (hop.transport === 'udp' && seen === this.#host && port === String(via?.port ?? '')) return;
    const keep = (): void => {
      this.#stopKeep = this.#ua.clock.after(hop.transport === 'udp' ? KEEP_UDP_MS : KEEP_TCP_MS, () => {
        if (this.#state.phase !== 'registered') return;
        this.#ways.keepOpen(hop);
        keep();
      });
    };
    keep();
  }
}
