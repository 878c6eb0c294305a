// One call from INVITE to BYE: carries out what session-machine.ts decides (RFC 3261 §13 to §15). Does not find dialogs (agent.ts), keep the
// books of offer and answer (offers.ts), nor know what INFO, REFER and NOTIFY say (call-requests.ts).

import type { Call, CallEvent, CallState, Ending, Party, Transport } from './agent-types.ts';
import { reasonPhrase, sessionId, type Headers } from './build.ts';
import { takeExtra, tellProgress, transfer } from './call-requests.ts';
import { sessionOf } from './body.ts';
import { belongs, dialogOfRequest, dialogOfResponse, inOrder, pathOf, wantsSips, type Dialog } from './dialog.ts';
import { countOf, hasToken, nameAddrs, quote, reasons, tagOf } from './headers.ts';
import { reasonOf, text, type Message } from './message.ts';
import { newLeg, SDP_LINE, type Leg, type Talk } from './leg.ts';
import { Offers } from './offers.ts';
import { prack } from './prack.ts';
import { ring, unheard } from './reliable.ts';
import { LACKING } from './registration-machine.ts';
import { callTable, type CallAction, type CallInput, type CallPhase, type Open } from './session-machine.ts';
import { checkHeaders } from './requester.ts';
import { longer, timerLines } from './session-timer.ts';
import { rowOf } from './tables.ts';
import type { ServerTransaction } from './transactions.ts';
import type { AccountUnit, Result, SendFailure, Sent, Ua } from './ua.ts';
import { parseUri } from './uri.ts';

/** Methods taken inside a dialog, and the extension we know; said in INVITE and its 2xx (§13.2.1, §13.3.1.4). */
export const ALLOW = 'INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER, NOTIFY, PRACK, MESSAGE, SUBSCRIBE';
/** Option tags we know: RFC 3891, RFC 3262, RFC 4028, RFC 4488. */
export const EXTENSIONS = ['replaces', '100rel', 'timer', 'norefersub'];
const ABILITIES: Headers = [['Allow', ALLOW], ['Supported', EXTENSIONS.join(', ')]];
const REDIRECTS = 5;
/** Reasons of a CANCEL because another phone answered: RFC 3326 §2, ITU-T Q.850's non-selected user clearing. */
const ELSEWHERE = ['SIP 200', 'Q.850 26'];
/** §13.3.1.1: a proxy on the way forgets an INVITE without provisional response after three minutes. */
const REPEAT_MS = 60_000;
/** Early dialogs kept of one INVITE; of more branches the oldest is forgotten. */
const LEGS_MOST = 8;

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
  leg: Leg | undefined;
  /** Event header of the REFER being carried out for the peer; undefined when there is none. */
  referEvent: string | undefined;
  /** How often the peer asked for a transfer. */
  refers = 0;
  /** We sent REFER and NOTIFY may come. */
  hasReferred = false;
  /** undefined: as the account says, which changes with our address. */
  readonly #user: string | undefined;
  readonly #ua: Ua;
  readonly #offers: Offers;
  /** INVITE of theirs that began the call. */
  readonly #server: ServerTransaction | undefined;
  /** Dialogs of our INVITE while none of its branches has answered. */
  #legs: Leg[] = [];
  /** Those of them that did not answer first. */
  #late: readonly Leg[] = [];
  /** What our INVITE leaves open in each of them. */
  #open: Open = 'none';
  transport: Transport = 'udp';
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
    this.#user = parts.user === parts.account?.contact ? undefined : parts.user;
    this.callId = parts.callId;
    this.invite = parts.invite;
    this.replaces = parts.replaces;
    this.#server = parts.server;
    this.#offers = new Offers(ua, this);
    if (parts.invite !== undefined) {
      this.transport = parts.server!.from.transport;
      const dialog = dialogOfRequest(parts.invite, this.localTag);
      this.leg = dialog && newLeg(dialog, sessionOf(parts.invite) === undefined ? 'none' : 'theirs', parts.invite);
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

  get user(): string { return this.#user ?? this.account!.contact; }

  get dialog(): Dialog | undefined { return this.leg?.dialog; }

  /** The dialog of ours that a request or response belongs to. */
  legOf(message: Message): Leg | undefined {
    return (this.leg === undefined ? [] : [this.leg, ...this.#legs]).find((leg) => belongs(leg.dialog, message));
  }

  /** True when the other side has `tag` in a dialog of this call. */
  isWith(tag: string): boolean {
    return this.leg === undefined || [this.leg, ...this.#legs].some((leg) => leg.dialog.remoteTag === tag);
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
    const offer = this.#on.push(on) === 1 && this.#phase === 'ringing' ? sessionOf(this.invite!) : undefined;
    if (offer !== undefined) on({ event: 'offer', body: offer });
  }

  emit(event: CallEvent): void {
    for (const on of this.#on) on(event);
  }

  // --- orders of the owner ---

  /** Send the INVITE. `uri` is where to, `display` and `address` who we are when there is no account. */
  dial(uri: string, offer: Uint8Array | undefined, headers: Headers, from: (host: string) => string): void {
    this.#offers.offered = offer;
    this.#open = offer === undefined ? 'none' : 'ours';
    this.leg = undefined;
    this.#legs = [];
    const { account } = this;
    this.#sent = this.#ua.request({
      method: 'INVITE', path: { uri, routes: account?.routes ?? [], hop: uri }, place: account?.place, first: account?.hop,
      from: (host) => `${from(host)};tag=${this.localTag}`, to: `<${this.remote.uri}>`, callId: this.callId, seq: () => ++this.#seq,
      contact: this.user, headers: [...ABILITIES, ...timerLines(this.#offers, true), ...(offer === undefined ? [] : SDP_LINE), ...headers], body: offer, credentials: account?.credentials,
      wanted: () => this.#phase === 'calling' || this.#phase === 'proceeding',
      onRoute: (hop, host) => {
        this.localHost = host;
        this.transport = hop.transport;
      },
      on: (result, sent) => this.#onInvite(result, sent, (next = uri) => this.dial(next, offer, headers, from)),
    });
  }

  progress(status: 180 | 181 | 182 | 183, body?: Uint8Array): void {
    if (this.#phase !== 'ringing') return;
    ring(this.#offers, this.#server!, status, body);
    this.#stopRepeat?.();
    this.#stopRepeat = this.#ua.clock.after(REPEAT_MS, () => this.progress(status, body));
  }

  accept(body: Uint8Array): void {
    this.#answer = body;
    if (!unheard(this.#offers)) this.#input('accept');
  }

  /** PRACK came: an answer that waited for it goes out. */
  acknowledged(): void {
    if (this.#answer !== undefined) this.#input('accept');
  }

  reject(status: number, headers: Headers = []): void {
    if (this.#phase !== 'ringing') return;
    checkHeaders(headers);
    this.#refusal = [status, headers];
    this.#end('us', status, reasonPhrase(status), 'reject');
  }

  hangUp(reason?: string): void {
    if (rowOf(callTable, this.#phase, 'hang up') === undefined) return;
    if (reason !== undefined) this.#reason = [['Reason', `Q.850;cause=16;text=${quote(reason.replace(/[\r\n\0]/g, ' '))}`]];
    const early = this.#phase !== 'confirmed' && this.#phase !== 'accepted';
    this.#end('us', early ? (this.direction === 'out' ? 487 : 603) : 0, reason ?? 'hung up', 'hang up');
    if (this.#phase === 'cancel waits' && this.#sent?.onTheWay === false) {
      this.#sent.drop();
      this.#input('failure');
    }
  }

  offer(body: Uint8Array): void {
    if (this.state !== 'ended') this.#offers.offer(body);
  }

  answerOffer(body: Uint8Array): void {
    if (this.state !== 'ended') this.#offers.answer(body);
  }

  refuseOffer(status: 488 | 491 | 500): void {
    if (this.state !== 'ended') this.#offers.refuse(status);
  }

  transfer(target: string, replaces?: Call, report = true): void {
    // A call that only rings cannot be replaced where it rings (RFC 3891 §3): its address must do
    transfer(this.#ua, this, target, replaces?.state === 'established' ? replaces as CallUnit : undefined, report, (failure) => FAILED[failure][1]);
  }

  transferProgress(status: number, reason: string): void {
    if (this.referEvent !== undefined) tellProgress(this, this.referEvent, status, reason);
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
    const leg = this.legOf(request);
    if (server === undefined || leg === undefined) return false;
    if (!inOrder(leg.dialog, request)) {
      server.respond(500);
      return true;
    }
    switch (request.method) {
      case 'BYE':
        if (this.direction === 'out' && this.state === 'ringing') return false; // only who called may end an early dialog so, §15
        server.respond(200);
        if (this.direction === 'in' && this.#phase === 'ringing') this.#end('them', 487, 'the caller gave up', 'bye', request);
        else {
          this.#offers.settle(487); // §15.1.2: a re-INVITE of theirs that still waits
          this.#end('them', 0, 'hung up', 'bye', request);
        }
        return true;
      case 'INVITE': case 'UPDATE':
        this.#offers.take(server, leg);
        return true;
      case 'PRACK':
        prack(this.#offers, server, leg);
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
  ask(method: string, headers: Headers, body?: Uint8Array, on?: (result: Result) => void, dialog = this.dialog): void {
    const { account } = this;
    if (dialog === undefined) return;
    this.#ua.request({
      method, path: pathOf(dialog), from: () => dialog.from, to: dialog.to, callId: dialog.callId, seq: () => ++dialog.localSeq,
      contact: method === 'BYE' || method === 'INFO' || method === 'PRACK' ? undefined : this.user, headers: this.ours(headers), body, credentials: account?.credentials,
      on: (result) => {
        if (result.response !== undefined && result.response.status < 200) return;
        on?.(result);
        const status = result.response?.status ?? (result.failure === 'server silent' ? 408 : 0);
        // §12.2.1.2; a PRACK may cross the final response, and before its ACK our 2xx may be lost
        if ((status === 481 || status === 408) && this.#phase !== 'accepted' && !['BYE', 'NOTIFY', 'PRACK'].includes(method)) this.lost(status);
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
        const row = rowOf<CallAction>(callTable, this.#phase, next);
        if (row === undefined) continue;
        this.#phase = row.to as CallPhase;
        for (const action of row.do) this.#do(action);
      }
    } finally {
      this.#busy = false;
    }
  }

  #do(action: CallAction): void {
    switch (action) {
      case 'progress': {
        const { status } = this.#response!; // 199: a branch of a fork is over, which is no progress (RFC 6228)
        if (status > 100 && status !== 199) this.emit({ event: 'progress', status, reason: reasonOf(this.#response!) });
        return;
      }
      case 'established': return this.emit({ event: 'established' });
      case 'end':
        this.#quiet();
        return this.emit({ event: 'ended', ending: this.#ending });
      case 'ack': return this.#offers.acknowledge(this.leg!, this.#response!, this.#sent!, this.state === 'ended');
      case 'CANCEL': return this.#sent?.cancel(this.#reason);
      case 'BYE':
        this.#offers.pay();
        this.#offers.settle(487);
        return this.ask('BYE', this.#reason, undefined, () => this.#input('bye answered'));
      case 'send 2xx':
        this.#offers.accept(this.#server!, this.#answer!);
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
      const reason = message && text(message, 'reason'), elsewhere = message !== undefined && reasons(message).some((r) => ELSEWHERE.includes(`${r.protocol} ${r.cause}`));
      this.#ending = { by, status, why: elsewhere && status === 487 ? 'answered elsewhere' : why, ...(reason === undefined ? {} : { reason }) };
    }
    this.#input(input);
  }

  lose(by: Ending['by'], why: string): void {
    this.#refusal = [500, []];
    this.#end(by, 0, why, this.#phase === 'calling' || this.#phase === 'proceeding' ? 'hang up' : 'lost');
  }

  lost(status: number): void {
    this.lose('network', status === 481 ? 'the other side lost the call' : 'the other side went silent');
  }

  unconfirmed(): void {
    this.#refusal = [504, []]; // RFC 3262 §3
    if (this.#phase === 'ringing') return this.#end('network', 504, 'the other side never confirmed', 'reject');
    this.#end('network', 0, 'the other side never confirmed', 'no ack');
  }

  headers(): Headers {
    return [...this.contactLine(), ...ABILITIES];
  }

  /** Header lines of a request of ours in a call that came in. */
  ours(headers: Headers): Headers {
    return this.invite === undefined ? headers : [...headers, ...sessionId(this.invite, this.localTag)];
  }

  contactLine(): Headers {
    return [['Contact', this.#ua.contact(this.user, this.localHost, this, this.invite !== undefined && wantsSips(this.invite))]];
  }

  // Our INVITE

  #onInvite(result: Result, sent: Sent, redial: (uri?: string) => void): void {
    if (result.response === undefined) {
      const [status, why] = FAILED[result.failure];
      return this.#end('network', status, why || result.detail, 'failure');
    }
    const response = result.response, { status } = response, wanted = this.#phase === 'calling' || this.#phase === 'proceeding';
    if (status < 200) return this.#on1xx(response, sent);
    if (status < 300) return this.#on2xx(response, sent);
    if (wanted && longer(this.#offers, response)) return redial();
    if (status < 400 && wanted && this.#redirects++ < REDIRECTS) {
      // Our server also knows what a service is: emergency calls that were not dialled as such (RFC 5031, 3GPP TS 24.229 §5.1.3.1)
      const next = nameAddrs(response, 'contact')?.map((c) => c.uri).find((uri) => parseUri(uri)?.scheme === 'sip' || (this.account !== undefined && /^urn:service:sos/i.test(uri)));
      if (next !== undefined) return redial(next);
    }
    const lacking = (status === 401 || status === 407) && this.account?.credentials?.lacking === true;
    this.#end('them', status, lacking ? LACKING : reasonOf(response) || reasonPhrase(status), 'failure', response);
  }

  /** Each To tag of a 1xx is a dialog of its own (§12.1.2, §13.2.2.4). Who spoke last is heard, until somebody answers. */
  #on1xx(response: Message, sent: Sent): void {
    const known = this.legOf(response), dialog = known !== undefined || response.status === 100 || tagOf(response, 'to') === undefined ? undefined : this.#dialogOf(response, sent);
    const leg = known ?? (dialog && newLeg(dialog, this.#open, response));
    let rack: Headers | undefined;
    if (leg !== undefined && hasToken(response, 'require', '100rel')) {
      const rseq = countOf(response, 'rseq') ?? 0;
      if (rseq === 0 || (leg.rseq >= 0 && rseq !== leg.rseq + 1)) return; // again, or one before it is missing (RFC 3262 §4)
      leg.rseq = rseq;
      rack = [['RAck', `${rseq} ${sent.seq} INVITE`]];
    }
    if (leg !== undefined) {
      const others = this.#legs.filter((l) => l !== leg);
      this.#legs = response.status === 199 ? others : [...others, leg].slice(-LEGS_MOST);
      this.leg = this.#legs.at(-1);
    }
    this.#response = response;
    this.#input('1xx');
    if (leg !== undefined) this.#offers.early(leg, response, rack);
  }

  #on2xx(response: Message, sent: Sent): void {
    const answered = this.#phase !== 'calling' && this.#phase !== 'proceeding' && this.#phase !== 'cancel waits' && this.#phase !== 'cancelling';
    const early = this.legOf(response);
    if (answered && early !== undefined) return this.#offers.again();
    const dialog = this.#dialogOf(response, sent);
    if (dialog === undefined) return answered ? undefined : this.#end('them', 500, 'the other side sent nonsense', 'failure');
    if (answered) { // another branch of a fork answered too, §13.2.2.4
      this.#ua.ack(dialog, sent.seq, sent.authorization);
      dialog.localSeq = this.#late.find((leg) => belongs(leg.dialog, response))?.dialog.localSeq ?? dialog.localSeq;
      return this.ask('BYE', [], undefined, undefined, dialog);
    }
    // The route set is that of the 2xx, the rest of an early dialog stays (§13.2.2.4)
    this.leg = early ?? newLeg(dialog, this.#open, response);
    this.leg.dialog.routes = dialog.routes;
    this.leg.dialog.target = dialog.target;
    this.#late = this.#legs;
    this.#legs = [];
    this.#response = response;
    this.#sent = sent;
    this.#input('2xx');
  }

  #dialogOf(response: Message, sent: Sent): Dialog | undefined {
    return dialogOfResponse({ callId: this.callId, from: sent.from, localTag: this.localTag, seq: sent.seq, uri: this.remote.uri }, response);
  }
}
