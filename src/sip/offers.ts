// The books of offer and answer of one call, the reliable responses, INVITEs and UPDATEs that carry them (RFC 3261 §13.2, §14, RFC 3262,
// RFC 3311, RFC 6337), and the clock that refreshes the session (RFC 4028). One offer is open in a dialog at a time; who lives and dies
// is call.ts's.

import type { CallEvent, CallState, Ending } from './agent-types.ts';
import { sessionOf } from './body.ts';
import type { Headers } from './build.ts';
import { pathOf, refreshTarget, type Dialog } from './dialog.ts';
import { cseqOf, countOf, hasToken, retryAfterOf } from './headers.ts';
import { reasonOf, text, type Message } from './message.ts';
import { collision, glarePauseMs, type CallPhase, type Open } from './session-machine.ts';
import { agree, expiresOf, MIN_SE, MIN_SE_LINE, tooShort } from './session-timer.ts';
import { T1, T2 } from './tables.ts';
import type { ServerTransaction } from './transactions.ts';
import type { AccountUnit, Sent, Ua } from './ua.ts';

export const SDP_LINE: Headers = [['Content-Type', 'application/sdp']];
const EMPTY = Buffer.alloc(0);
/** How often the same thing is tried again for a 422, a 500 that says when, or when it could not be sent. */
const TRIES = 4;
/** Before what could not be sent is tried again: an account that lost its connection has another by then. */
const UNSENT_MS = 4_000;

/** One dialog of a call with its book: an INVITE that forks makes several, each with its own target, routes and RSeq (RFC 3261 §13.2.2.4). */
export interface Leg {
  readonly dialog: Dialog;
  open: Open;
  /** The INVITE's own exchange is over: what later responses to it describe does not count (RFC 3261 §13.2.1, RFC 6337 §3.1). */
  done: boolean;
  /** RSeq of the last reliable response taken, or sent by us; -1 before the first. */
  rseq: number;
  /** Their answer in a 1xx. */
  early: Buffer | undefined;
  /** The other side allows UPDATE. */
  updates: boolean;
}

export const newLeg = (dialog: Dialog, open: Open, message: Message): Leg =>
  ({ dialog, open, done: false, rseq: -1, early: undefined, updates: hasToken(message, 'allow', 'UPDATE') });

/** The call whose books these are. */
export interface Talk {
  readonly direction: 'in' | 'out';
  readonly phase: CallPhase;
  readonly state: CallState;
  /** The dialog: the last early one that spoke, later the one that was answered. */
  readonly leg: Leg | undefined;
  readonly account: AccountUnit | undefined;
  /** User part of our Contact. */
  readonly user: string;
  /** Contact, Allow and Supported of a 2xx. */
  headers(): Headers;
  /** `headers` of a request of ours, with what every one of this call carries. */
  ours(headers: Headers): Headers;
  emit(event: CallEvent): void;
  /** A request in the dialog given. */
  ask(method: string, headers: Headers, body: Uint8Array | undefined, on: undefined, dialog: Dialog): void;
  /** PRACK came: what waited for it may go on. */
  acknowledged(): void;
  /** It cannot go on. */
  lose(by: Ending['by'], why: string): void;
  /** The other side answered 481 or 408 (RFC 3261 §12.2.1.2). */
  lost(status: number): void;
  /** No ACK came in 64·T1, or no PRACK. */
  unconfirmed(): void;
}

export class Offers {
  /** The offer of ours that was sent last. */
  offered: Uint8Array | undefined;
  readonly #ua: Ua;
  readonly #call: Talk;
  /** What of ours is in force: a refresh repeats it, a refusal leaves it. */
  #agreed: Uint8Array | undefined;
  /** Whose description the owner heard last. */
  #heard: Leg | undefined;
  /** Request of theirs inside a dialog that waits for our answer. */
  #pending: { readonly server: ServerTransaction; readonly leg: Leg } | undefined;
  /** Our 2xx that waits for its ACK. */
  #waiting: { readonly seq: number; readonly stop: () => void } | undefined;
  /** Our reliable 1xx that waits for its PRACK; `later` comes after it. */
  #unacked: { readonly seq: number; readonly described: boolean; readonly stop: () => void; later: (() => void) | undefined } | undefined;
  /** Sends the last ACK again. */
  #reAck: (() => void) | undefined;
  /** The ACK or PRACK that waits for our answer to the offer in their response. */
  #owed: { readonly leg: Leg; readonly pay: (body?: Uint8Array) => void } | undefined;
  #queued: Uint8Array | undefined;
  /** A request of ours is under way. */
  #asking = false;
  #stopGlare: (() => void) | undefined;
  #tries = 0;
  // The session timer: seconds, whose turn it is, whether it is now
  #everyS = 0;
  #minS = MIN_SE;
  #ours = false;
  #due = false;
  #stopClock: (() => void) | undefined;

  constructor(ua: Ua, call: Talk) {
    this.#ua = ua;
    this.#call = call;
  }

  /** Offer when the turn comes; a newer offer takes the place of one that waits. */
  offer(body: Uint8Array): void {
    this.#queued = body;
    this.next();
  }

  answer(body: Uint8Array): void {
    if (this.#owed !== undefined) return this.pay(body);
    if (this.#pending === undefined) return;
    const { server, leg } = this.#pending, { request } = server;
    this.#pending = undefined;
    this.#speak(leg, request, body);
    if (request.method === 'INVITE') this.send2xx(server, body);
    else server.respond(200, { headers: [...this.#twoXx(request), ...SDP_LINE], body });
    this.next();
  }

  refuse(status: number): void {
    if (this.#owed !== undefined) return this.#call.lose('us', 'the session offered cannot be had');
    this.settle(status);
    this.next();
  }

  /** Refuses what waits of theirs, if anything does: all of it, or the one whose request is `only`. */
  settle(status: number, only?: Message): void {
    if (this.#pending === undefined || (only !== undefined && this.#pending.server.request !== only)) return;
    const { server, leg } = this.#pending;
    server.respond(status);
    leg.open = 'none';
    this.#pending = undefined;
  }

  /** The call is over: what waits of theirs is answered (RFC 3261 §15.1.2), no clock runs on. */
  quiet(): void {
    this.settle(487);
    this.#stopGlare?.();
    this.#stopClock?.();
    this.#unacked?.stop();
    this.#queued = this.#stopGlare = undefined;
  }

  // --- our INVITE was answered

  /** A 1xx: acknowledged by PRACK when `rack` says that it is reliable (RFC 3262 §4), its description told. */
  early(leg: Leg, response: Message, rack: Headers | undefined): void {
    const call = this.#call, body = leg.done || call.phase !== 'proceeding' ? undefined : sessionOf(response);
    const pay = (answer?: Uint8Array): void => call.ask('PRACK', answer === undefined ? rack! : [...rack!, ...SDP_LINE], answer, undefined, leg.dialog);
    if (rack !== undefined && body !== undefined) leg.done = true;
    if (rack !== undefined && body !== undefined && leg.open === 'none') return this.#hear(leg, body, pay);
    if (rack !== undefined) pay();
    if (body === undefined || leg.open !== 'ours') return;
    if (leg.done) leg.open = 'none';
    leg.early = body;
    this.#answered(leg, body, true);
  }

  /** ACK of the 2xx to our first INVITE, at once or with our answer to its offer. */
  acknowledge(leg: Leg, response: Message, sent: Sent, ended: boolean): void {
    const { done } = leg, body = done ? undefined : sessionOf(response);
    const pay = (answer?: Uint8Array): void => this.#ack(leg, sent, answer);
    if (ended || this.#owed?.leg !== leg) this.#owed = undefined;
    leg.updates ||= hasToken(response, 'allow', 'UPDATE');
    if (!ended) this.#keep(response);
    leg.done = true;
    if (!ended && body !== undefined && leg.open === 'none') return this.#hear(leg, body, pay);
    pay();
    if (!done) leg.open = 'none';
    if (ended) return;
    const answer = body ?? leg.early;
    if (answer === undefined && !done) return this.#call.lose('them', 'the other side sent no session description');
    if (answer !== undefined && (body !== undefined || this.#heard !== leg)) this.#answered(leg, answer, false);
    this.next();
  }

  /** Sends the ACK or PRACK that is owed, with our answer or without when the call ends anyway. */
  pay(body?: Uint8Array): void {
    if (this.#owed === undefined) return;
    const { leg, pay } = this.#owed;
    this.#owed = undefined;
    leg.open = 'none';
    this.#agreed = body;
    pay(body);
    this.next();
  }

  /** The 2xx came again: so does its ACK (§13.2.2.4). */
  again(): void {
    this.#reAck?.();
  }

  /** 422: true when it names a longer session, to be asked for at once (RFC 4028 §7.4). */
  longer(response: Message): boolean {
    const least = countOf(response, 'min-se') ?? 0;
    if (response.status !== 422 || least <= this.#minS || ++this.#tries > TRIES) return false;
    this.#minS = least;
    return true;
  }

  /** Session-Expires and Min-SE of an INVITE or UPDATE of ours (RFC 4028 §7.1, §7.2): in the first nobody is named. */
  timerLines(first: boolean): Headers {
    const s = Math.max(first ? this.#ua.sessionS() : this.#everyS, this.#minS);
    if (first ? this.#ua.sessionS() === 0 : this.#everyS === 0) return [];
    return [['Session-Expires', first ? String(s) : `${s};refresher=${this.#ours ? 'uac' : 'uas'}`], ...(this.#minS > MIN_SE ? [['Min-SE', String(this.#minS)] as const] : [])];
  }

  /**
   * The offer that waits, when its turn has come: by re-INVITE, or in an early dialog by UPDATE (RFC 3311 §5.1). A refresh that is due goes
   * by UPDATE where that is allowed, else by a re-INVITE that describes what is in force (RFC 4028 §7.4).
   */
  next(): void {
    const call = this.#call, { leg, phase } = call, offer = this.#queued, confirmed = phase === 'confirmed';
    if (leg === undefined || leg.open !== 'none' || this.#asking || (this.#waiting ?? (confirmed ? undefined : this.#unacked) ?? this.#stopGlare) !== undefined) return;
    if (confirmed ? offer === undefined && !this.#due : offer === undefined || !leg.done || !leg.updates || call.state !== 'ringing') return;
    this.#send(leg, offer, confirmed);
  }

  #send(leg: Leg, offer: Uint8Array | undefined, confirmed: boolean): void {
    const method = confirmed && (offer !== undefined || !leg.updates) ? 'INVITE' : 'UPDATE', body = offer ?? (method === 'INVITE' ? this.#agreed : undefined);
    const call = this.#call, { dialog } = leg;
    this.#queued = undefined;
    this.#asking = true;
    if (body !== undefined) leg.open = 'ours';
    let acked = false;
    // What a 1xx to it says counts for nothing, so none is to be reliable (RFC 3262 §3)
    const able = call.headers().slice(1).map(([name, value]) => [name, value.replace('100rel, ', '')] as const);
    this.#ua.request({
      method, path: pathOf(dialog), from: () => dialog.from, to: dialog.to, callId: dialog.callId, seq: () => ++dialog.localSeq,
      contact: call.user, headers: call.ours([...able, ...(confirmed ? this.timerLines(false) : []), ...(body === undefined ? [] : SDP_LINE)]), body, credentials: call.account?.credentials,
      wanted: () => call.state !== 'ended',
      on: ({ response, failure = 'server silent' }, sent) => {
        const status = response?.status ?? 408;
        if (status < 200) return;
        if (response !== undefined && status < 300) {
          if (acked) return this.again();
          acked = method === 'INVITE';
          if (acked) this.#ack(leg, sent);
          refreshTarget(dialog, response);
        }
        this.#asking = false;
        if (body !== undefined) leg.open = 'none';
        if (call.state === 'ended') return;
        if (call.leg !== leg) { // another branch of the fork counts now
          this.#queued ??= offer;
          return this.next();
        }
        // Not sent is like 503 (RFC 3261 §8.1.3.1), no end of the session
        if (failure !== 'server silent' && ++this.#tries <= TRIES) return this.#later(offer, UNSENT_MS);
        if (response === undefined || status === 481 || status === 408) return call.lost(status);
        this.#took(leg, method, response, offer, body);
        this.next();
      },
    });
  }

  #took(leg: Leg, method: string, response: Message, offer: Uint8Array | undefined, body: Uint8Array | undefined): void {
    const { status } = response, said = sessionOf(response), pauseS = retryAfterOf(response);
    if (status < 300) {
      this.#tries = 0;
      if (this.#call.phase === 'confirmed') this.#keep(response);
      if (body === undefined) return;
      if (said !== undefined) {
        this.offered = body;
        return this.#answered(leg, said, false);
      }
    } else if (status === 491 || (status === 500 && pauseS !== undefined && pauseS <= 32 && ++this.#tries <= TRIES)) {
      const ms = status === 500 ? 1_000 * Math.max(pauseS!, 1) : glarePauseMs(this.#call.direction === 'out', this.#ua.random.fraction());
      return this.#later(offer, ms);
    } else if (this.longer(response) || (method === 'UPDATE' && (status === 405 || status === 501))) {
      if (status !== 422) leg.updates = false;
      this.#queued ??= offer;
      return;
    }
    this.#due = false;
    if (offer !== undefined) this.#call.emit({ event: 'offer refused', status, reason: reasonOf(response) });
  }

  #later(offer: Uint8Array | undefined, ms: number): void {
    this.#queued ??= offer;
    this.#stopGlare = this.#ua.clock.after(ms, () => {
      this.#stopGlare = undefined;
      this.next();
    });
  }

  // --- theirs

  /** INVITE, UPDATE or the offer of a PRACK inside a dialog. */
  take(server: ServerTransaction, leg: Leg): void {
    const { request } = server, { phase, direction, state } = this.#call, { method } = request, body = sessionOf(request);
    if (method !== 'PRACK' && tooShort(request)) return server.respond(422, { headers: MIN_SE_LINE });
    if (method === 'UPDATE' && body === undefined) { // session timer or new target, RFC 3311 §5.2
      refreshTarget(leg.dialog, request);
      return server.respond(200, { headers: this.#twoXx(request) });
    }
    const early = state === 'ringing', free = phase === 'confirmed' ? this.#waiting === undefined : early && leg.done && method !== 'INVITE';
    const clash = this.#pending !== undefined ? 500 : free ? collision(leg.open) : phase === 'leaving' || (early && direction === 'out') ? 491 : 500;
    if (clash !== undefined) return server.respond(clash, clash === 500 ? { headers: [['Retry-After', String(Math.floor(10 * this.#ua.random.fraction()))]] } : {});
    this.#pending = { server, leg };
    leg.open = 'theirs';
    this.#call.emit({ event: 'offer', body: body ?? EMPTY });
  }

  /**
   * 18x to their INVITE: reliably when they require it, or when it describes and they can (RFC 3262 §3); again at T1, doubling, until its
   * PRACK. The next waits for it. To an INVITE that requires it and offers nothing, one without our offer cannot go out (§5).
   */
  ring(server: ServerTransaction, status: number, body: Uint8Array | undefined): void {
    if (this.#unacked !== undefined) {
      this.#unacked.later = () => this.ring(server, status, body);
      return;
    }
    const required = hasToken(server.request, 'require', '100rel');
    if (body === undefined && !required) server.respond(status, { headers: this.#call.headers() });
    else this.#ring(server, status, body, required);
  }

  #ring(server: ServerTransaction, status: number, body: Uint8Array | undefined, required: boolean): void {
    const leg = this.#call.leg!, { request } = server, described = body !== undefined && !leg.done;
    const reliable = required || (described && hasToken(request, 'supported', '100rel')), offers = leg.open === 'none' && !leg.done;
    if (offers && (reliable ? !described : described)) { // unreliable responses cannot offer
      if (!reliable) server.respond(status, { headers: this.#call.headers() });
      return;
    }
    const lines: Headers = described ? SDP_LINE : [];
    if (!reliable) return server.respond(status, { headers: [...this.#call.headers(), ...lines], ...(described ? { body } : {}) });
    leg.rseq = leg.rseq < 0 ? 1 + Math.floor(0x7fff_fff0 * this.#ua.random.fraction()) : leg.rseq + 1;
    if (described) {
      leg.done = true;
      this.#speak(leg, request, body);
    }
    server.respond(status, { headers: [...this.#call.headers(), ['Require', '100rel'], ['RSeq', String(leg.rseq)], ...lines], ...(described ? { body } : {}) });
    this.#unacked = { seq: cseqOf(request)!.number, described, stop: this.#repeat(server, Infinity, () => this.#call.unconfirmed()), later: undefined };
  }

  /** True while a description of ours waits for its PRACK: no 2xx before (RFC 3262 §3). */
  get unheard(): boolean {
    return this.#unacked?.described === true;
  }

  /** PRACK of our 1xx, with the answer to its offer, or with an offer that our 200 answers (RFC 3262 §3, §5). */
  prack(server: ServerTransaction, leg: Leg): void {
    const { request } = server, unacked = this.#unacked, [rseq, seq, method] = (text(request, 'rack') ?? '').split(/\s+/), call = this.#call;
    if (unacked === undefined || rseq !== String(leg.rseq) || seq !== String(unacked.seq) || method !== 'INVITE') return server.respond(481);
    unacked.stop();
    this.#unacked = undefined;
    const body = sessionOf(request);
    if (leg.open === 'ack') {
      server.respond(200);
      leg.open = 'none';
      if (body === undefined) return call.lose('them', 'the other side sent no session description');
      this.#answered(leg, body, true);
    } else if (body !== undefined) this.take(server, leg);
    else server.respond(200);
    call.acknowledged();
    if (call.state === 'ringing') unacked.later?.();
    this.next();
  }

  /** The 2xx to the INVITE that began the call. */
  accept(server: ServerTransaction, body: Uint8Array): void {
    const leg = this.#call.leg!, { done } = leg;
    this.#unacked?.stop();
    leg.done = true;
    if (!done) this.#speak(leg, server.request, body);
    this.send2xx(server, done ? undefined : body);
  }

  /** The 2xx goes out, and again at T1, 2·T1 ... T2 until its ACK, over any transport (§13.3.1.4). */
  send2xx(server: ServerTransaction, body: Uint8Array | undefined): void {
    const stop = this.#repeat(server, T2, () => {
      this.#waiting = undefined;
      this.#call.unconfirmed();
    });
    this.#waiting = { seq: cseqOf(server.request)!.number, stop };
    server.respond(200, { headers: [...this.#twoXx(server.request), ...(body === undefined ? [] : SDP_LINE)], ...(body === undefined ? {} : { body }) });
  }

  /** No 2xx is sent again. */
  waited(): void {
    this.#waiting?.stop();
    this.#waiting = undefined;
  }

  /** True when `ack` is the one that our 2xx waits for: then call confirmed() once the call has taken note. */
  awaits(ack: Message): boolean {
    return this.#waiting?.seq === cseqOf(ack)?.number;
  }

  /** The ACK came; it brings the answer when our 2xx offered. */
  confirmed(ack: Message): void {
    const leg = this.#call.leg!, offered = leg.open === 'ack', body = sessionOf(ack);
    if (offered) leg.open = 'none';
    if (this.#call.phase !== 'confirmed') return;
    if (offered && body === undefined) return this.#call.lose('them', 'the other side sent no session description');
    if (offered) this.#answered(leg, body!, false);
    this.next();
  }

  // --- within

  #ack(leg: Leg, sent: Sent, body?: Uint8Array): void {
    this.#reAck = this.#ua.ack(leg.dialog, sent.seq, body === undefined ? sent.authorization : [...sent.authorization, ...SDP_LINE], body);
  }

  /** A response of theirs offers: `pay` sends what brings our answer. */
  #hear(leg: Leg, body: Buffer, pay: (body?: Uint8Array) => void): void {
    leg.open = 'theirs';
    this.#heard = leg;
    this.#owed = { leg, pay };
    this.#call.emit({ event: 'offer', body });
  }

  #answered(leg: Leg, body: Buffer, early: boolean): void {
    this.#agreed = this.offered;
    this.#heard = leg;
    this.#call.emit({ event: 'answer', body, early, offer: this.offered! });
  }

  /** `body` goes out in answer to `request`: it answers what that offers, or offers. */
  #speak(leg: Leg, request: Message, body: Uint8Array): void {
    const answers = sessionOf(request) !== undefined;
    leg.open = answers ? 'none' : 'ack';
    if (answers) this.#agreed = body;
    else this.offered = body;
    if (request.method !== 'PRACK') refreshTarget(leg.dialog, request);
    this.#heard = leg;
  }

  /** Header lines of our 2xx to INVITE, UPDATE or PRACK; the session timer begins anew with those of a call that was answered. */
  #twoXx(request: Message): Headers {
    const counts = request.method !== 'PRACK' && this.#call.state === 'established', timed = counts ? agree(request, this.#ua.sessionS()) : undefined;
    if (counts) this.#clock(timed?.s ?? 0, timed?.ours === true);
    return [...this.#call.headers(), ...(timed?.lines ?? [])];
  }

  /** Their 2xx says how long the session lasts (RFC 4028 §7.2); nothing means for ever. */
  #keep(response: Message): void {
    const agreed = expiresOf(response);
    this.#clock(agreed?.s ?? 0, agreed?.refresher !== 'uas');
  }

  /** Refresh at half time when that is ours; end a session that nobody refreshed a third before its end, 32 s at most (RFC 4028 §10). */
  #clock(everyS: number, ours: boolean): void {
    this.#stopClock?.();
    this.#stopClock = undefined;
    this.#everyS = everyS;
    this.#ours = ours;
    this.#due = false;
    if (everyS !== 0) this.#start(everyS, ours);
  }

  #start(everyS: number, ours: boolean): void {
    const { clock } = this.#ua, halfMs = ours ? 500 * everyS : 0;
    const watch = (): void => {
      this.#stopClock = clock.after(1_000 * (everyS - Math.min(32, everyS / 3)) - halfMs, () => this.#call.lose('network', 'the session was not refreshed'));
    };
    if (!ours) return watch();
    this.#stopClock = clock.after(halfMs, () => {
      watch();
      this.#due = true;
      this.next();
    });
  }

  /** Sends the response again at T1, doubling up to `mostMs`; `over` when nobody took it in 64·T1. */
  #repeat(server: ServerTransaction, mostMs: number, over: () => void): () => void {
    const since = this.#ua.clock.now();
    let stop = (): void => undefined;
    const wait = (ms: number): void => {
      const left = since + 64 * T1 - this.#ua.clock.now();
      stop = this.#ua.clock.after(Math.min(ms, left), () => {
        if (ms >= left) return over();
        server.resend();
        wait(Math.min(2 * ms, mostMs));
      });
    };
    wait(T1);
    return () => stop();
  }
}
