// The books of offer and answer of one call, and the INVITEs and UPDATEs that carry them (RFC 3261 §13.2, §14, RFC 3311, RFC 6337). One offer
// is open in a dialog at a time. Reliable responses are reliable.ts's, the clock of the session session-timer.ts's; who lives and dies is
// call.ts's.

import { sessionOf } from './body.ts';
import type { Headers } from './build.ts';
import { pathOf, refreshTarget } from './dialog.ts';
import { cseqOf, hasToken, retryAfterOf } from './headers.ts';
import { SDP_LINE, type Leg, type Talk } from './leg.ts';
import { reasonOf, type Message } from './message.ts';
import type { Book, Unacked } from './reliable.ts';
import { repeat } from './repeat.ts';
import { collision, glarePauseMs } from './session-machine.ts';
import { agree, keep, longer, MIN_SE, MIN_SE_LINE, setClock, timerLines, tooShort, type Session } from './session-timer.ts';
import { T2 } from './tables.ts';
import type { ServerTransaction } from './transactions.ts';
import type { Sent, Ua } from './ua.ts';

const EMPTY = Buffer.alloc(0);
/** How often the same thing is tried again for a 500 that says when, or when it could not be sent. */
const TRIES = 4;
/** Before what could not be sent is tried again: an account that lost its connection has another by then. */
const UNSENT_MS = 4_000;

export class Offers implements Book, Session {
  /** The offer of ours that was sent last. */
  offered: Uint8Array | undefined;
  readonly ua: Ua;
  readonly call: Talk;
  unacked: Unacked | undefined;
  everyS = 0;
  minS = MIN_SE;
  ours = false;
  due = false;
  longerAsked = 0;
  stopClock: (() => void) | undefined;
  /** What of ours is in force: a refresh repeats it, a refusal leaves it. */
  #agreed: Uint8Array | undefined;
  /** Whose description the owner heard last. */
  #heard: Leg | undefined;
  /** Request of theirs inside a dialog that waits for our answer. */
  #pending: { readonly server: ServerTransaction; readonly leg: Leg } | undefined;
  /** Our 2xx that waits for its ACK. */
  #waiting: { readonly seq: number; readonly stop: () => void } | undefined;
  /** Sends the last ACK again. */
  #reAck: (() => void) | undefined;
  /** The ACK or PRACK that waits for our answer to the offer in their response. */
  #owed: { readonly leg: Leg; readonly pay: (body?: Uint8Array) => void } | undefined;
  #queued: Uint8Array | undefined;
  /** A request of ours is under way. */
  #asking = false;
  #stopGlare: (() => void) | undefined;
  #tries = 0;

  constructor(ua: Ua, call: Talk) {
    this.ua = ua;
    this.call = call;
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
    this.speak(leg, request, body);
    if (request.method === 'INVITE') this.send2xx(server, body);
    else server.respond(200, { headers: [...this.#twoXx(request), ...SDP_LINE], body });
    this.next();
  }

  refuse(status: number): void {
    if (this.#owed !== undefined) return this.call.lose('us', 'the session offered cannot be had');
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
    this.stopClock?.();
    this.unacked?.stop();
    this.#queued = this.#stopGlare = undefined;
  }

  // --- our INVITE was answered

  /** A 1xx: acknowledged by PRACK when `rack` says that it is reliable (RFC 3262 §4), its description told. */
  early(leg: Leg, response: Message, rack: Headers | undefined): void {
    const call = this.call, body = leg.done || call.phase !== 'proceeding' ? undefined : sessionOf(response);
    const pay = (answer?: Uint8Array): void => call.ask('PRACK', answer === undefined ? rack! : [...rack!, ...SDP_LINE], answer, undefined, leg.dialog);
    if (rack !== undefined && body !== undefined) leg.done = true;
    if (rack !== undefined && body !== undefined && leg.open === 'none') return this.#hear(leg, body, pay);
    if (rack !== undefined) pay();
    if (body === undefined || leg.open !== 'ours') return;
    if (leg.done) leg.open = 'none';
    leg.early = body;
    this.answered(leg, body, true);
  }

  /** ACK of the 2xx to our first INVITE, at once or with our answer to its offer. */
  acknowledge(leg: Leg, response: Message, sent: Sent, ended: boolean): void {
    const { done } = leg, body = done ? undefined : sessionOf(response);
    const pay = (answer?: Uint8Array): void => this.#ack(leg, sent, answer);
    if (ended || this.#owed?.leg !== leg) this.#owed = undefined;
    leg.updates ||= hasToken(response, 'allow', 'UPDATE');
    if (!ended) keep(this, response);
    leg.done = true;
    if (!ended && body !== undefined && leg.open === 'none') return this.#hear(leg, body, pay);
    pay();
    if (!done) leg.open = 'none';
    if (ended) return;
    const answer = body ?? leg.early;
    if (answer === undefined && !done) return this.call.lose('them', 'the other side sent no session description');
    if (answer !== undefined && (body !== undefined || this.#heard !== leg)) this.answered(leg, answer, false);
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

  /**
   * The offer that waits, when its turn has come: by re-INVITE, or in an early dialog by UPDATE (RFC 3311 §5.1). A refresh that is due goes
   * by UPDATE where that is allowed, else by a re-INVITE that describes what is in force (RFC 4028 §7.4).
   */
  next(): void {
    const call = this.call, { leg, phase } = call, offer = this.#queued, confirmed = phase === 'confirmed';
    if (leg === undefined || leg.open !== 'none' || this.#asking || (this.#waiting ?? this.#stopGlare) !== undefined || (!confirmed && this.unacked !== undefined)) return;
    if (confirmed ? offer === undefined && !this.due : offer === undefined || !leg.done || !leg.updates || call.state !== 'ringing') return;
    this.#send(leg, offer, confirmed);
  }

  #send(leg: Leg, offer: Uint8Array | undefined, confirmed: boolean): void {
    const method = confirmed && (offer !== undefined || !leg.updates) ? 'INVITE' : 'UPDATE', body = offer ?? (method === 'INVITE' ? this.#agreed : undefined);
    const call = this.call, { dialog } = leg;
    this.#queued = undefined;
    this.#asking = true;
    if (body !== undefined) leg.open = 'ours';
    let acked = false;
    // What a 1xx to it says counts for nothing, so none is to be reliable (RFC 3262 §3)
    const able = call.headers().slice(1).map(([name, value]) => [name, value.replace('100rel, ', '')] as const);
    this.ua.request({
      method, path: pathOf(dialog), from: () => dialog.from, to: dialog.to, callId: dialog.callId, seq: () => ++dialog.localSeq,
      contact: call.user, headers: call.ours([...able, ...(confirmed ? timerLines(this, false) : []), ...(body === undefined ? [] : SDP_LINE)]), body, credentials: call.account?.credentials,
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
      if (this.call.phase === 'confirmed') keep(this, response);
      if (body === undefined) return;
      if (said !== undefined) {
        this.offered = body;
        return this.answered(leg, said, false);
      }
    } else if (status === 491 || (status === 500 && pauseS !== undefined && pauseS <= 32 && ++this.#tries <= TRIES)) {
      const ms = status === 500 ? 1_000 * Math.max(pauseS!, 1) : glarePauseMs(this.call.direction === 'out', this.ua.random.fraction());
      return this.#later(offer, ms);
    } else if (longer(this, response) || (method === 'UPDATE' && (status === 405 || status === 501))) {
      if (status !== 422) leg.updates = false;
      this.#queued ??= offer;
      return;
    }
    this.due = false;
    if (offer !== undefined) this.call.emit({ event: 'offer refused', status, reason: reasonOf(response) });
  }

  #later(offer: Uint8Array | undefined, ms: number): void {
    this.#queued ??= offer;
    this.#stopGlare = this.ua.clock.after(ms, () => {
      this.#stopGlare = undefined;
      this.next();
    });
  }

  // --- theirs

  /** INVITE, UPDATE or the offer of a PRACK inside a dialog. */
  take(server: ServerTransaction, leg: Leg): void {
    const { request } = server, { phase, direction, state } = this.call, { method } = request, body = sessionOf(request);
    if (method !== 'PRACK' && tooShort(request)) return server.respond(422, { headers: MIN_SE_LINE });
    if (method === 'UPDATE' && body === undefined) { // session timer or new target, RFC 3311 §5.2
      refreshTarget(leg.dialog, request);
      return server.respond(200, { headers: this.#twoXx(request) });
    }
    const early = state === 'ringing', free = phase === 'confirmed' ? this.#waiting === undefined : early && leg.done && method !== 'INVITE';
    const clash = this.#pending !== undefined ? 500 : free ? collision(leg.open) : phase === 'leaving' || (early && direction === 'out') ? 491 : 500;
    if (clash !== undefined) return server.respond(clash, clash === 500 ? { headers: [['Retry-After', String(Math.floor(10 * this.ua.random.fraction()))]] } : {});
    this.#pending = { server, leg };
    leg.open = 'theirs';
    this.call.emit({ event: 'offer', body: body ?? EMPTY });
  }

  /** The 2xx to the INVITE that began the call. */
  accept(server: ServerTransaction, body: Uint8Array): void {
    const leg = this.call.leg!, { done } = leg;
    this.unacked?.stop();
    leg.done = true;
    if (!done) this.speak(leg, server.request, body);
    this.send2xx(server, done ? undefined : body);
  }

  /** The 2xx goes out, and again at T1, 2·T1 ... T2 until its ACK, over any transport (§13.3.1.4). */
  send2xx(server: ServerTransaction, body: Uint8Array | undefined): void {
    const stop = repeat(this.ua, server, T2, () => {
      this.#waiting = undefined;
      this.call.unconfirmed();
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
    const leg = this.call.leg!, offered = leg.open === 'ack', body = sessionOf(ack);
    if (offered) leg.open = 'none';
    if (this.call.phase !== 'confirmed') return;
    if (offered && body === undefined) return this.call.lose('them', 'the other side sent no session description');
    if (offered) this.answered(leg, body!, false);
    this.next();
  }

  // --- within

  #ack(leg: Leg, sent: Sent, body?: Uint8Array): void {
    this.#reAck = this.ua.ack(leg.dialog, sent.seq, body === undefined ? sent.authorization : [...sent.authorization, ...SDP_LINE], body);
  }

  /** A response of theirs offers: `pay` sends what brings our answer. */
  #hear(leg: Leg, body: Buffer, pay: (body?: Uint8Array) => void): void {
    leg.open = 'theirs';
    this.#heard = leg;
    this.#owed = { leg, pay };
    this.call.emit({ event: 'offer', body });
  }

  answered(leg: Leg, body: Buffer, early: boolean): void {
    this.#agreed = this.offered;
    this.#heard = leg;
    this.call.emit({ event: 'answer', body, early, offer: this.offered! });
  }

  /** `body` goes out in answer to `request`: it answers what that offers, or offers. */
  speak(leg: Leg, request: Message, body: Uint8Array): void {
    const answers = sessionOf(request) !== undefined;
    leg.open = answers ? 'none' : 'ack';
    if (answers) this.#agreed = body;
    else this.offered = body;
    if (request.method !== 'PRACK') refreshTarget(leg.dialog, request);
    this.#heard = leg;
  }

  /** Header lines of our 2xx to INVITE, UPDATE or PRACK; the session timer begins anew with those of a call that was answered. */
  #twoXx(request: Message): Headers {
    const counts = request.method !== 'PRACK' && this.call.state === 'established', timed = counts ? agree(request, this.ua.sessionS()) : undefined;
    if (counts) setClock(this, timed?.s ?? 0, timed?.ours === true);
    return [...this.call.headers(), ...(timed?.lines ?? [])];
  }
}
