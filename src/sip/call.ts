// One call from INVITE to BYE: carries out what session-machine.ts decides (RFC 3261 §13 to §15). Does not find dialogs (agent.ts), keep the
// books of offer and answer (offers.ts), nor know what INFO, REFER and NOTIFY say (call-requests.ts).

import type { Call, CallEvent, CallState, Ending, Party, Transport } from './agent-types.ts';
import { reasonPhrase, type Headers } from './build.ts';
import { takeExtra, transferHeaders } from './call-requests.ts';
import { dialogOfRequest, dialogOfResponse, inOrder, pathOf, wantsSips, type Dialog } from './dialog.ts';
import { nameAddrs, quote, reasons, tagOf } from './headers.ts';
import { bodyOf, reasonOf, text, type Message } from './message.ts';
import { hasSdp, Offers, SDP_LINE, type Talk } from './offers.ts';
import { callTable, type CallAction, type CallInput, type CallPhase } from './session-machine.ts';
import { checkHeaders } from './requester.ts';
import type { ServerTransaction } from './transactions.ts';
import type { AccountUnit, Result, SendFailure, Sent, Ua } from './ua.ts';
import { parseUri } from './uri.ts';

/** Methods taken inside a dialog, and the extension we know; said in INVITE and its 2xx (§13.2.1, §13.3.1.4). */
export const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER, NOTIFY, MESSAGE, SUBSCRIBE';
const ABILITIES: Headers = [['Allow', ALLOW], ['Supported', 'replaces']];
const REDIRECTS = 5;
/** §13.3.1.1: a proxy on the way forgets an INVITE without provisional response after three minutes. */
const REPEAT_MS = 60_000;

const FAILED: Readonly<Record<SendFailure, readonly [status: number, why: string]>> = {
  'server silent': [408, 'the other side does not answer'], 'server refused': [503, 'the connection was refused'], 'not trusted': [503, ''],
  'no network': [503, 'no network'], 'no such server': [404, 'no such address'],
};

export interface CallParts {
  readonly account: AccountUnit | undefined;
  readonly remote: Party;
  readonly localHost: string;
  /** User part of our Contact. */
  readonly user: string;
  readonly callId: string;
  readonly invite?: Message;
  readonly server?: ServerTransaction;
  readonly replaces?: CallUnit | undefined;
}

export class CallUnit implements Call, Talk {
  readonly id: string;
  readonly direction: 'in' | 'out';
  readonly account: AccountUnit | undefined;
  readonly remote: Party;
  readonly invite: Message | undefined;
  readonly replaces: CallUnit | undefined;
  readonly callId: string;
  readonly localTag: string;
  localHost: string;
  dialog: Dialog | undefined;
  /** Event header of the REFER being carried out for the peer; undefined when there is none. */
  referEvent: string | undefined;
  /** How often the peer asked for a transfer. */
  refers = 0;
  /** We sent REFER and NOTIFY may come. */
  hasReferred = false;
  readonly user: string;
  readonly #ua: Ua;
  readonly #offers: Offers;
  /** INVITE of theirs that began the call. */
  readonly #server: ServerTransaction | undefined;
  #transport: Transport = 'udp';
  #phase: CallPhase;
  #inputs: CallInput[] = [];
  #busy = false;
  #on: ((event: CallEvent) => void)[] = [];
  #ending: Ending = { by: 'us', status: 0, why: 'hung up' };
  #reason: Headers = [];
  #answer: Uint8Array | undefined;
  #refusal: readonly [number, Headers] = [603, []];
  #stopRepeat: (() => void) | undefined;
  /** Our INVITE and the last response to it. */
  #sent: Sent | undefined;
  #seq = 0;
  #response: Message | undefined;
  #answeredEarly = false;
  #redirects = 0;

  constructor(ua: Ua, parts: CallParts) {
    this.id = ua.token();
    this.localTag = parts.server?.toTag ?? ua.token();
    this.#ua = ua;
    this.direction = parts.server === undefined ? 'out' : 'in';
    this.#phase = parts.server === undefined ? 'calling' : 'ringing';
    this.account = parts.account;
    this.remote = parts.remote;
    this.localHost = parts.localHost;
    this.user = parts.user;
    this.callId = parts.callId;
    this.invite = parts.invite;
    this.replaces = parts.replaces;
    this.#server = parts.server;
    this.#offers = new Offers(ua, this);
    if (parts.invite !== undefined) {
      this.#transport = parts.server!.from.transport;
      this.dialog = dialogOfRequest(parts.invite, this.localTag);
      if (hasSdp(parts.invite)) this.#offers.open = 'theirs';
    }
  }

  get state(): CallState {
    switch (this.#phase) {
      case 'calling': return 'calling';
      case 'proceeding': case 'ringing': return 'ringing';
      case 'accepted': case 'confirmed': return 'established';
      default: return 'ended';
    }
  }

  get phase(): CallPhase { return this.#phase; }

  /** Takes an incoming call back before anything was decided: the caller is to prove himself first. */
  withdraw(): boolean {
    if (this.#phase !== 'ringing' || this.direction === 'out') return false;
    this.#phase = 'ended';
    this.#quiet();
    this.#ua.forget(this);
    return true;
  }

  /** The first to listen to an incoming call hears its offer. */
  subscribe(on: (event: CallEvent) => void): void {
    if (this.#on.push(on) === 1 && this.#phase === 'ringing' && this.#offers.open === 'theirs') on({ event: 'offer', body: bodyOf(this.invite!) });
  }

  emit(event: CallEvent): void {
    for (const on of this.#on) on(event);
  }

  // --- orders of the owner ---

  /** Send the INVITE. `uri` is where to, `display` and `address` who we are when there is no account. */
  dial(uri: string, offer: Uint8Array | undefined, headers: Headers, from: (host: string) => string): void {
    if (offer !== undefined) this.#offers.open = 'ours';
    const { account } = this;
    this.#sent = this.#ua.request({
      method: 'INVITE', path: { uri, routes: account?.routes ?? [], hop: uri }, place: account?.place, first: account?.hop,
      from: (host) => `${from(host)};tag=${this.localTag}`, to: `<${this.remote.uri}>`, callId: this.callId, seq: () => ++this.#seq,
      contact: this.user, headers: [...ABILITIES, ...(offer === undefined ? [] : SDP_LINE), ...headers], body: offer, credentials: account?.credentials,
      wanted: () => this.#phase === 'calling' || this.#phase === 'proceeding',
      onRoute: (hop, host) => {
        this.localHost = host;
        this.#transport = hop.transport;
      },
      on: (result, sent) => this.#onInvite(result, sent, (next) => this.dial(next, offer, headers, from)),
    });
  }

  progress(status: 180 | 181 | 182 | 183, body?: Uint8Array): void {
    if (this.#phase !== 'ringing') return;
    this.#server!.respond(status, { headers: body === undefined ? this.headers() : [...this.headers(), ...SDP_LINE], body });
    this.#stopRepeat?.();
    this.#stopRepeat = this.#ua.clock.after(REPEAT_MS, () => this.progress(status, body));
  }

  accept(body: Uint8Array): void {
    this.#answer = body;
    this.#input('accept');
  }

  reject(status: number, headers: Headers = []): void {
    if (this.#phase !== 'ringing') return;
    checkHeaders(headers);
    this.#refusal = [status, headers];
    this.#end('us', status, reasonPhrase(status), 'reject');
  }

  hangUp(reason?: string): void {
    if (callTable[this.#phase]['hang up'] === undefined) return;
    if (reason !== undefined) this.#reason = [['Reason', `Q.850;cause=16;text=${quote(reason.replace(/[\r\n\0]/g, ' '))}`]];
    const early = this.#phase !== 'confirmed' && this.#phase !== 'accepted';
    this.#end('us', early ? (this.direction === 'out' ? 487 : 603) : 0, reason ?? 'hung up', 'hang up');
    if (this.#phase === 'cancel waits' && this.#sent?.onTheWay === false) {
      this.#sent.drop();
      this.#input('failure');
    }
  }

  offer(body: Uint8Array): void {
    if (this.state === 'established') this.#offers.offer(body);
  }

  answerOffer(body: Uint8Array): void {
    if (this.#phase === 'confirmed') this.#offers.answer(body);
  }

  refuseOffer(status: 488 | 491 | 500): void {
    if (this.#phase === 'confirmed') this.#offers.refuse(status);
  }

  transfer(target: string, replaces?: Call): void {
    const headers = this.state === 'established' ? transferHeaders(this.#ua, this, target, replaces as CallUnit | undefined) : undefined;
    const fail = (status: number, reason: string): void => this.emit({ event: 'transfer progress', status, reason });
    if (headers === undefined) return fail(400, 'no such address');
    this.hasReferred = true;
    this.ask('REFER', headers, undefined, (r) => {
      if (r.response === undefined) fail(408, FAILED[r.failure][1]);
      else if (r.response.status >= 300) fail(r.response.status, reasonOf(r.response));
    });
  }

  transferProgress(status: number, reason: string): void {
    const event = this.referEvent;
    if (event === undefined) return;
    if (status >= 200) this.referEvent = undefined;
    this.ask('NOTIFY', [
      ['Event', event], ['Subscription-State', status < 200 ? 'active;expires=60' : 'terminated;reason=noresource'], ['Content-Type', 'message/sipfrag;version=2.0'],
    ], Buffer.from(`SIP/2.0 ${status} ${reason.replace(/[\r\n\0]/g, ' ')}\r\n`));
  }

  sendInfoDigit(digit: string, ms: number): void {
    if (this.state === 'established') this.ask('INFO', [['Content-Type', 'application/dtmf-relay']], Buffer.from(`Signal=${digit}\r\nDuration=${Math.round(ms)}\r\n`));
  }

  // --- what comes from the network ---

  /** A request inside the dialog; ACK comes without a transaction. False: the agent answers it as any other. */
  onRequest(request: Message, server: ServerTransaction | undefined): boolean {
    if (request.method === 'ACK') {
      if (!this.#offers.awaits(request)) return true;
      this.#offers.waited();
      this.#input('ack');
      this.#offers.confirmed(request);
      return true;
    }
    if (server === undefined || this.dialog === undefined) return false;
    if (!inOrder(this.dialog, request)) {
      server.respond(500);
      return true;
    }
    switch (request.method) {
      case 'BYE':
        server.respond(200);
        if (this.direction === 'in' && this.#phase === 'ringing') this.#end('them', 487, 'the caller gave up', 'bye', request);
        else {
          this.#offers.settle(487); // §15.1.2: a re-INVITE of theirs that still waits
          this.#end('them', 0, 'hung up', 'bye', request);
        }
        return true;
      case 'INVITE': case 'UPDATE':
        this.#offers.take(server);
        return true;
      default:
        return takeExtra(this, request, server);
    }
  }

  /** CANCEL of an INVITE of theirs, which the transactions answered 200. */
  onCancel(invite: Message, cancel: Message): void {
    if (invite === this.invite) this.#end('them', 487, 'the caller gave up', 'cancel', cancel);
    else this.#offers.settle(487, invite);
  }

  /** A request inside the dialog. */
  ask(method: string, headers: Headers, body?: Uint8Array, on?: (result: Result) => void): void {
    const { dialog, account } = this;
    if (dialog === undefined) return;
    this.#ua.request({
      method, path: pathOf(dialog), from: () => dialog.from, to: dialog.to, callId: dialog.callId, seq: () => ++dialog.localSeq,
      contact: method === 'BYE' || method === 'INFO' ? undefined : this.user, headers, body, credentials: account?.credentials,
      on: (result) => {
        if (result.response !== undefined && result.response.status < 200) return;
        on?.(result);
        const status = result.response?.status ?? (result.failure === 'server silent' ? 408 : 0);
        if ((status === 481 || status === 408) && method !== 'BYE' && method !== 'NOTIFY') this.lost(status); // §12.2.1.2
      },
    });
  }

  // --- within ---

  #input(input: CallInput): void {
    this.#inputs.push(input);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
        const edge = callTable[this.#phase][next];
        if (edge === undefined) continue;
        this.#phase = edge.to;
        for (const action of edge.do) this.#do(action);
      }
    } finally {
      this.#busy = false;
    }
  }

  #do(action: CallAction): void {
    switch (action) {
      case 'progress': {
        const response = this.#response!;
        if (response.status > 100) this.emit({ event: 'progress', status: response.status, reason: reasonOf(response) });
        if (this.#offers.open === 'ours' && hasSdp(response)) {
          this.#answeredEarly = true;
          this.emit({ event: 'answer', body: bodyOf(response), early: true });
        }
        return;
      }
      case 'established': return this.emit({ event: 'established' });
      case 'end':
        this.#quiet();
        return this.emit({ event: 'ended', ending: this.#ending });
      case 'ack': return this.#offers.acknowledge(this.#response!, this.#sent!, this.state === 'ended', this.#answeredEarly);
      case 'CANCEL': return this.#sent?.cancel(this.#reason);
      case 'BYE':
        this.#offers.pay();
        this.#offers.settle(487);
        return this.ask('BYE', this.#reason, undefined, () => this.#input('bye answered'));
      case 'send 2xx':
        this.#offers.open = this.#offers.open === 'theirs' ? 'none' : 'ack';
        this.#offers.send2xx(this.#server!, this.#answer!);
        this.replaces?.hangUp('replaced');
        return;
      case 'send refusal': return void this.#server?.respond(this.#refusal[0], { headers: this.#refusal[1] });
      case '487': return void this.#server?.respond(487);
      case '603': return void this.#server?.respond(603, { headers: this.#reason });
      case 'stop resending': return this.#offers.waited();
      case 'gone':
        this.#offers.waited();
        this.#quiet();
        return this.#ua.forget(this);
      default: return action satisfies never;
    }
  }

  #quiet(): void {
    this.#stopRepeat?.();
    this.#offers.quiet();
  }

  #end(by: Ending['by'], status: number, why: string, input: CallInput, message?: Message): void {
    if (this.state !== 'ended') {
      const reason = message && text(message, 'reason'), elsewhere = message !== undefined && reasons(message).some((r) => r.protocol === 'SIP' && r.cause === 200);
      this.#ending = { by, status, why: elsewhere && status === 487 ? 'answered elsewhere' : why, ...(reason === undefined ? {} : { reason }) };
    }
    this.#input(input);
  }

  lose(by: Ending['by'], why: string): void {
    this.#end(by, 0, why, this.#phase === 'calling' || this.#phase === 'proceeding' ? 'hang up' : 'lost');
  }

  lost(status: number): void {
    this.lose('network', status === 481 ? 'the other side lost the call' : 'the other side went silent');
  }

  unconfirmed(): void {
    this.#end('network', 0, 'the other side never confirmed', 'no ack');
  }

  headers(): Headers {
    return [...this.contactLine(), ...ABILITIES];
  }

  contactLine(): Headers {
    return [['Contact', this.#ua.contact(this.user, this.localHost, { transport: this.#transport }, this.invite !== undefined && wantsSips(this.invite))]];
  }

  // Our INVITE

  #onInvite(result: Result, sent: Sent, redial: (uri: string) => void): void {
    if (result.response === undefined) {
      const [status, why] = FAILED[result.failure];
      return this.#end('network', status, why || result.detail, 'failure');
    }
    const response = result.response, { status } = response;
    if (status >= 200 && status < 300) return this.#on2xx(response, sent);
    this.#response = response;
    if (status < 200) return this.#input('1xx');
    if (status < 400 && (this.#phase === 'calling' || this.#phase === 'proceeding') && this.#redirects++ < REDIRECTS) {
      const next = nameAddrs(response, 'contact')?.map((c) => c.uri).find((uri) => parseUri(uri)?.scheme === 'sip');
      if (next !== undefined) return redial(next);
    }
    this.#end('them', status, reasonOf(response) || reasonPhrase(status), 'failure', response);
  }

  #on2xx(response: Message, sent: Sent): void {
    const known = this.dialog;
    if (known !== undefined && (tagOf(response, 'to') ?? '') === known.remoteTag) return this.#offers.again();
    const dialog = dialogOfResponse({ callId: this.callId, from: sent.from, localTag: this.localTag, seq: sent.seq, uri: this.remote.uri }, response);
    if (dialog === undefined) return this.#end('them', 500, 'the other side sent nonsense', 'failure');
    if (known !== undefined) { // another branch of a fork answered too, §13.2.2.4
      this.#ua.ack(dialog, sent.seq, sent.authorization);
      this.dialog = dialog;
      this.ask('BYE', []);
      this.dialog = known;
      return;
    }
    this.dialog = dialog;
    this.#response = response;
    this.#sent = sent;
    this.#input('2xx');
  }
}
