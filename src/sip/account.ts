// One account: carries out what registration-machine.ts decides, keeps the way to the server open, knows which server confirmed. A
// second server is the same account once more inside the first, with a machine, credentials and a way of its own:
//
//   fallback   first registered ---> second off          first failed ---> second registers until the first is back
//   parallel   both register; calls of ours go through the first while it confirms

import { PhoneError } from '../ports/errors.ts';
import type { AccountOptions, RegistrationState } from './agent-types.ts';
import type { Headers } from './build.ts';
import { routeSet } from './dialog.ts';
import { DigestClient } from './digest.ts';
import { formatNameAddr, countOf, hasToken, nameAddrs, parseNameAddr, retryAfterOf, topVia, unquote, wholeNumber, type NameAddr } from './headers.ts';
import { parsePlace, type Hop, type Place } from './locate.ts';
import { find, reasonOf, type Message } from './message.ts';
import { registrationOff, shown, step, type Registration, type RegistrationEvent } from './registration-machine.ts';
import { learn, placeOf } from './requester.ts';
import { carries } from './transport.ts';
import type { AccountUnit, Result, Sent, Ua } from './ua.ts';
import { hostPort, parseUri, plainHost, sipUri, formatUri, transportParam } from './uri.ts';

/** Between keep-alives: below the 30 s that home routers forget UDP after, and within RFC 5626 §4.4.1 for TCP. */
const KEEP_UDP_MS = 25_000, KEEP_TCP_MS = 30_000;
/** A Flow-Timer below this, in seconds, is not believed. */
const FLOW_LEAST_S = 5;
/** An OPTIONS unanswered for so long puts the registration in doubt: three sendings over UDP. */
const PING_MS = 4_000;

/** What an account does to the way to its server. */
export interface Ways {
  /** `stun`: over UDP by STUN, whose silence is a failure of the flow (RFC 5626 §4.4.2). */
  keepOpen(hop: Hop, stun?: boolean): void;
  /** Give up a TCP connection. */
  drop(hop: Hop): void;
  /** The address of ours that leads to `host` now. */
  source(host: string): Promise<string | undefined>;
}

export class Registering implements AccountUnit {
  readonly id: string;
  readonly options: AccountOptions;
  readonly address: string;
  readonly credentials: DigestClient | undefined;
  /** The same account at its second server. */
  readonly backup: Registering | undefined;
  // What the latest 200 said, see #take.
  from: string;
  contact: string;
  temporary = '';
  routes: readonly string[];
  place: Place;
  hop: Hop | undefined;
  readonly #main: Registering | undefined;
  readonly #place: Place;
  readonly #own: string;
  readonly #proxy: readonly string[];
  /** '+sip.instance' as a Contact parameter, '' without one. */
  readonly #instance: string;
  /** reg-id as a Contact parameter (RFC 5626 §4.2.1), '' where the first hop cannot. */
  #flow: string;
  readonly #ua: Ua;
  readonly #ways: Ways;
  readonly #registrar: string;
  readonly #callId: string;
  readonly #tag: string;
  #seq = 0;
  #host = '';
  /** Our Contact as the server knows it. */
  #bound: { readonly host: string; readonly contact: string } | undefined;
  #state: Registration;
  #told = 'off';
  #sent: Sent | undefined;
  #stopTimer: (() => void) | undefined;
  #stopKeep: (() => void) | undefined;
  #stopPing: (() => void) | undefined;
  #onGone: (() => void)[] = [];

  /** `instance` is our URN, '' for none. Throws PhoneError BAD_ADDRESS when a server, proxy or user are none. */
  constructor(ua: Ua, options: AccountOptions, ways: Ways, instance = '', main?: Registering) {
    const { backupServer = '', ha1 = '', imsRegister = false, transport } = options;
    const server = parsePlace(options.server), place = parsePlace(options.proxy || options.server, transport === 'auto' ? undefined : transport);
    if (server === undefined) throw new PhoneError('BAD_ADDRESS', `the server "${options.server}" of account ${options.id} is no address`);
    if (place === undefined) throw new PhoneError('BAD_ADDRESS', `the outbound proxy "${options.proxy}" of account ${options.id} is no address`);
    if (/[\r\n\0]/.test(options.user + options.authUser + options.displayName)) throw new PhoneError('BAD_ADDRESS', `a line break does not belong into account ${options.id}`);
    this.#ua = ua;
    this.#ways = ways;
    this.id = options.id;
    this.options = options;
    this.#main = main;
    this.place = this.#place = place;
    this.address = formatUri(sipUri(options.user, server.host, server.port));
    this.from = this.#own = formatNameAddr(options.displayName, this.address);
    this.#registrar = formatUri(sipUri('', server.host, server.port));
    this.contact = options.user;
    this.routes = this.#proxy = options.proxy === '' ? [] : [`<sip:${hostPort(place.host, place.port)}${transportParam(transport === 'auto' ? 'udp' : transport)};lr>`];
    this.credentials = options.password === '' && ha1 === '' && !imsRegister ? undefined
      : new DigestClient(ua.random, options.authUser || options.user, options.password, ha1, imsRegister ? server.host : '');
    this.#instance = instance === '' ? '' : `;+sip.instance="<${instance.toLowerCase()}>"`;
    this.#flow = instance === '' ? '' : `;reg-id=${main === undefined ? 1 : 2}`;
    this.#callId = ua.token();
    this.#tag = ua.token();
    this.#state = registrationOff(options.expiresS);
    this.backup = main !== undefined || backupServer === '' ? undefined : new Registering(ua, { ...options, server: backupServer, proxy: '' }, ways, instance, this);
  }

  get registration(): RegistrationState {
    const { serving } = this;
    return serving === this ? shown(this.#state) : { ...serving.registration, second: true } as RegistrationState;
  }

  /** Itself, or the second server while that alone confirms us: where requests go. */
  get serving(): Registering {
    const { backup } = this;
    return backup !== undefined && shown(this.#state).state !== 'registered' && backup.registration.state === 'registered' ? backup : this;
  }

  start(): void {
    if (!this.options.register) return;
    this.#feed({ event: 'start' });
    if (this.options.backupMode === 'parallel') this.backup?.start();
  }

  refresh(): void {
    const hop = this.#sent?.hop ?? this.hop;
    this.backup?.refresh();
    if (hop === undefined || hop.transport === 'udp') return this.#feed({ event: 'now' });
    const now = (host: string | undefined): void => {
      // From an address that is no longer ours nothing comes back, and a connection that is being tried waits for its SYN to be resent
      if (host !== this.#host || shown(this.#state).state !== 'registered') this.#ways.drop(hop);
      this.#feed({ event: 'now' });
    };
    this.#ways.source(hop.host).then(now, () => now(undefined));
  }

  /**
   * A request came from `from`; gives this account, or that at its second server, when its confirmation by that server stands. Over
   * UDP it comes from the very port, over TCP maybe on a connection of the server's own making.
   */
  heard(from: Hop): Registering | undefined {
    const { hop } = this;
    if (hop?.host === from.host) {
      this.#feed({ event: 'heard' });
      if (shown(this.#state).state === 'registered' && hop.transport === from.transport && (hop.transport !== 'udp' || hop.port === from.port)) return this;
    }
    return this.backup?.heard(from);
  }

  /** `way` is broken. */
  flowFailed(way: Hop): void {
    const ours = this.hop;
    this.backup?.flowFailed(way);
    if (this.#state.phase === 'registered' && ours !== undefined && carries(way, ours)) this.#feed({ event: 'now' });
  }

  async remove(): Promise<void> {
    const gone = new Promise<void>((resolve) => { this.#onGone.push(resolve); });
    if (this.#state.phase === 'off') this.#gone();
    else this.#feed({ event: 'stop' });
    await this.backup?.remove(); // after the first, which would start it again
    await gone;
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
              const hop = this.#sent?.hop;
              this.#sent?.drop();
              if (hop !== undefined) this.#ways.drop(hop); // a connection may be dead without a word
            }
            this.#feed({ event: 'timer' });
          });
          break;
        case 'gone': this.#gone(); break;
        default: return action satisfies never;
      }
    }
    (this.#main ?? this).#tell();
  }

  #tell(): void {
    if (this.backup !== undefined && this.options.backupMode !== 'parallel') this.#fallBack(this.backup);
    const now = this.registration;
    const telling = now.state === 'failed' ? `${now.why} ${now.status}` : now.state === 'registered' ? `at ${now.server} ${now.second}` : now.state;
    if (telling === this.#told) return;
    this.#told = telling;
    this.#ua.handlers.onRegistration(this, now);
  }

  #fallBack(backup: Registering): void {
    const first = shown(this.#state).state, { phase } = backup.#state;
    if (first === 'failed' && phase === 'off') backup.start();
    if (first === 'registered' && phase !== 'off' && phase !== 'leaving') backup.#feed({ event: 'stop' });
  }

  #gone(): void {
    this.#stopTimer?.();
    this.#stopKeep?.();
    this.#stopPing?.();
    this.#sent?.drop();
    for (const resolve of this.#onGone.splice(0)) resolve();
  }

  #register(expiresS: number, to: string | undefined): void {
    this.#sent?.drop();
    const abilities = `path${this.options.gruu === true && this.#instance !== '' ? ', gruu' : ''}${this.#flow === '' ? '' : ', outbound'}`;
    const uri = to ?? this.#registrar, moved = (): Headers => {
      const bound = this.#bound;
      return bound === undefined || bound.host === this.#host ? [] : [['Contact', `${bound.contact};expires=0`]]; // nobody is there any more
    };
    this.#sent = this.#ua.request({
      method: 'REGISTER', path: { uri, routes: to === undefined ? this.#proxy : [], hop: uri }, place: to === undefined ? this.#place : placeOf(to),
      first: this.hop, alone: true,
      from: () => `${this.#own};tag=${this.#tag}`, to: `<${this.address}>`, callId: this.#callId, seq: () => ++this.#seq,
      contact: this.options.user, contactParams: `;expires=${expiresS}${this.#instance}${this.#flow}`,
      get headers() { return [...moved(), ['Expires', String(expiresS)], ['Supported', abilities]] as const; }, credentials: this.credentials,
      onRoute: (_, host) => { this.#host = host; },
      on: (result, sent) => { if (result.response === undefined || result.response.status >= 200) this.#onAnswer(result, sent, expiresS); },
    });
  }

  #onAnswer(result: Result, sent: Sent, askedS: number): void {
    const { response } = result;
    if (response === undefined) return this.#feed({ event: 'failed', why: result.failure, detail: result.detail });
    const { status } = response;
    if (status < 300) {
      this.hop = sent.hop;
      this.#bound = { host: this.#host, contact: this.#ua.contact(this.options.user, this.#host, sent.hop!) };
      const mine = this.#mine(response), { gruu, identity, optionsPingS = 0 } = this.options;
      const keeps = this.#flow !== '' && hasToken(response, 'require', 'outbound');
      if (gruu === true || identity === 'associated' || keeps || this.contact !== this.options.user || this.routes !== this.#proxy || find(response, 'service-route') >= 0) this.#take(response, mine, keeps);
      // Seconds granted: expires of our Contact, else Expires, else what was asked (RFC 3261 §10.2.4)
      this.#feed({ event: 'granted', server: sent.hop!.host, grantedS: wholeNumber(mine?.params.get('expires')) ?? countOf(response, 'expires') ?? askedS });
      if (this.#state.phase !== 'registered') return undefined; // that was the end of it
      this.#keepOpen(response);
      return optionsPingS > 0 ? this.#ping(optionsPingS) : undefined;
    }
    if (status === 439 && this.#flow !== '') { // RFC 5626 §4.2.1: again without
      this.#flow = '';
      return this.#feed({ event: 'challenged', with: 'retry', status });
    }
    if (status === 401 || status === 407) {
      this.hop = sent.hop; // this one answers: the credentials go there too
      return this.#feed({ event: 'challenged', with: learn(this.credentials, response, sent.authorization), status, lacking: this.credentials?.lacking });
    }
    if (status === 423) return this.#feed({ event: 'too brief', minS: countOf(response, 'min-expires') ?? 0 });
    const contact = status < 400 ? nameAddrs(response, 'contact')?.map((c) => c.uri).find((c) => placeOf(c) !== undefined) : undefined;
    if (contact !== undefined) return this.#feed({ event: 'redirected', to: contact, status });
    const retryAfterS = retryAfterOf(response);
    this.#feed({
      event: 'refused', status, detail: reasonOf(response), credentials: sent.authorization.some(([, line]) => !line.includes('nonce=""')), ...(retryAfterS === undefined ? {} : { retryAfterS }),
    });
  }

  /** The Contact of a 200 that is ours: by instance and reg-id (RFC 5626 §6), else by address. */
  #mine(response: Message): NameAddr | undefined {
    const contacts = nameAddrs(response, 'contact') ?? [];
    return contacts.find(({ uri, params }) => {
      const read = parseUri(uri), instance = params.get('+sip.instance'), flow = params.get('reg-id');
      return instance !== undefined && this.#instance !== '' ? `;+sip.instance=${instance}`.toLowerCase() === this.#instance && (flow === undefined || `;reg-id=${flow}` === this.#flow)
        : read?.user === this.options.user && plainHost(read.host) === this.#host;
    }) ?? (contacts.length === 1 ? contacts[0] : undefined);
  }

  /** What a 200 says beyond yes. Each one says all anew. */
  #take(response: Message, mine: NameAddr | undefined, keeps: boolean): void {
    const { options } = this, gruu = (name: string): string => {
      const uri = options.gruu === true ? unquote(mine?.params.get(name) ?? '') : '';
      return parseUri(uri) === undefined ? '' : `<${uri}>`;
    };
    const [named] = nameAddrs(response, 'p-associated-uri') ?? [], service = routeSet(response, 'service-route') ?? [];
    // RFC 5627 §4.2; else the flow that the server holds is named by ob (RFC 5626 §4.3)
    this.contact = gruu('pub-gruu') || (keeps ? this.#bound!.contact.replace('>', ';ob>') : options.user);
    this.temporary = gruu('temp-gruu');
    // RFC 7315 §4.1; 3GPP TS 24.229 §5.1.1.2: the first is the default
    this.from = options.identity === 'associated' && named !== undefined && parseUri(named.uri) !== undefined ? formatNameAddr(options.displayName || named.display, named.uri) : this.#own;
    // RFC 3608 §6.1: behind the outbound proxy; without one the first of it is where requests go (RFC 3261 §8.1.2)
    this.routes = service[0] === this.#proxy[0] ? service : [...this.#proxy, ...service];
    const to = this.#proxy.length > 0 ? undefined : placeOf(parseNameAddr(service[0] ?? '')?.uri ?? '');
    this.place = to === undefined ? this.#place : { ...to, transport: to.transport ?? this.#place.transport };
  }

  /**
   * TCP: the flow must be seen to live. UDP: only a NAT forgets, and the server's view of our address betrays one (RFC 3581); or the
   * server knows RFC 5626 and holds the flow itself. Its Flow-Timer rules (§4.4).
   */
  #keepOpen(response: Message): void {
    this.#stopKeep?.();
    const hop = this.hop!, via = topVia(response), flowS = countOf(response, 'flow-timer') ?? 0;
    const seen = via?.params.get('received') ?? this.#host, port = via?.params.get('rport') || String(via?.port ?? '');
    const stun = this.options.keepAlive === 'stun';
    if (!stun && hop.transport === 'udp' && seen === this.#host && port === String(via?.port ?? '') && !hasToken(response, 'require', 'outbound')) return;
    const keep = (): void => {
      const ms = flowS > 0 ? Math.max(FLOW_LEAST_S, flowS) * (800 + 200 * this.#ua.random.fraction()) : hop.transport === 'udp' ? KEEP_UDP_MS : KEEP_TCP_MS;
      this.#stopKeep = this.#ua.clock.after(ms, () => {
        if (this.#state.phase !== 'registered') return;
        this.#ways.keepOpen(hop, stun);
        keep();
      });
    };
    keep();
    if (stun) this.#ways.keepOpen(hop, stun); // learns the address that later ones are compared to
  }

  /** OPTIONS to the hop that confirmed us, as a sign of life. Whoever does not answer in time is asked to confirm: REGISTER tells what is true. */
  #ping(everyS: number): void {
    const { clock, random } = this.#ua, uri = this.#registrar;
    this.#stopPing?.();
    this.#stopPing = clock.after(everyS * (900 + 100 * random.fraction()), () => {
      if (this.#state.phase !== 'registered') return;
      const doubt = (): void => {
        this.#stopPing?.();
        if (this.#state.phase === 'registered') this.#feed({ event: 'now' });
      };
      const stopWait = clock.after(PING_MS, doubt);
      const sent = this.#ua.request({
        method: 'OPTIONS', path: { uri, routes: this.#proxy, hop: uri }, place: this.hop, alone: true, from: () => `${this.#own};tag=${this.#tag}`, to: `<${uri}>`, callId: this.#ua.token(), seq: () => 1,
        on: ({ response }) => {
          if (response === undefined || response.status === 408 || response.status === 503) doubt();
          else if (response.status >= 200) this.#ping(everyS);
        },
      });
      this.#stopPing = () => {
        stopWait();
        sent.drop();
      };
    });
  }
}
