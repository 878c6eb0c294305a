// The books of offer and answer of one call, and the INVITEs and UPDATEs inside it that carry them (RFC 3261 §13.2, §14, RFC 3311,
// RFC 6337). One offer is open at a time; who lives and dies is call.ts's.

import type { CallEvent, Ending } from './agent-types.ts';
import type { Headers } from './build.ts';
import { pathOf, refreshTarget, type Dialog } from './dialog.ts';
import { contentType, cseqOf } from './headers.ts';
import { bodyOf, reasonOf, type Message } from './message.ts';
import { collision, glarePauseMs, type CallPhase, type Open } from './session-machine.ts';
import { T1, T2 } from './tables.ts';
import type { ServerTransaction } from './transactions.ts';
import type { AccountUnit, Sent, Ua } from './ua.ts';

const SDP = 'application/sdp';
export const SDP_LINE: Headers = [['Content-Type', SDP]];

/** True when `message` carries a session description. */
export const hasSdp = (message: Message): boolean => message.bodyEnd > message.bodyStart && contentType(message) === SDP;

/** The call whose books these are. */
export interface Talk {
  readonly direction: 'in' | 'out';
  readonly phase: CallPhase;
  readonly dialog: Dialog | undefined;
  readonly account: AccountUnit | undefined;
  /** User part of our Contact. */
  readonly user: string;
  /** Contact, Allow and Supported of a 2xx. */
  headers(): Headers;
  emit(event: CallEvent): void;
  /** It cannot go on. */
  lose(by: Ending['by'], why: string): void;
  /** The other side answered 481 or 408 (RFC 3261 §12.2.1.2). */
  lost(status: number): void;
  /** No ACK came in 64·T1. */
  unconfirmed(): void;
}

export class Offers {
  open: Open = 'none';
  readonly #ua: Ua;
  readonly #call: Talk;
  /** INVITE or UPDATE of theirs inside the dialog that waits for our final response. */
  #server: ServerTransaction | undefined;
  /** Our 2xx that waits for its ACK. */
  #waiting: { readonly seq: number; readonly stop: () => void } | undefined;
  /** Sends the last ACK again. */
  #reAck: (() => void) | undefined;
  /** The ACK that waits for our answer to an offer in their 2xx. */
  #owed: Sent | undefined;
  #queued: Uint8Array | undefined;
  #stopGlare: (() => void) | undefined;

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
    const server = this.#server;
    if (this.open !== 'theirs' || server === undefined) return;
    this.#server = undefined;
    this.open = hasSdp(server.request) ? 'none' : 'ack';
    refreshTarget(this.#call.dialog!, server.request);
    if (server.request.method === 'UPDATE') server.respond(200, { headers: [...this.#call.headers(), ...SDP_LINE], body });
    else this.send2xx(server, body);
    this.next();
  }

  refuse(status: number): void {
    if (this.#owed !== undefined) return this.#call.lose('us', 'the session offered cannot be had');
    this.settle(status);
    this.next();
  }

  /** Refuses what waits of theirs, if anything does: all of it, or the one whose request is `only`. */
  settle(status: number, only?: Message): void {
    if (this.#server === undefined || (only !== undefined && this.#server.request !== only)) return;
    this.#server.respond(status);
    this.#server = undefined;
    this.open = 'none';
  }

  quiet(): void {
    this.#stopGlare?.();
    this.#queued = this.#stopGlare = undefined;
  }

  // --- our INVITE was answered

  /** ACK of the 2xx to our first INVITE, at once or with our answer to its offer. */
  acknowledge(response: Message, sent: Sent, ended: boolean, early: boolean): void {
    const described = hasSdp(response), offered = this.open === 'ours';
    if (!ended && described && !offered) {
      this.#owed = sent;
      this.open = 'theirs';
      return this.#call.emit({ event: 'offer', body: bodyOf(response) });
    }
    this.#reAck = this.#ua.ack(this.#call.dialog!, sent.seq, sent.authorization);
    this.open = 'none';
    if (ended) return;
    if (described) this.#call.emit({ event: 'answer', body: bodyOf(response), early: false });
    else if (!early) this.#call.lose('them', 'the other side sent no session description');
  }

  /** Sends the ACK that is owed, with our answer or without when the call ends anyway. */
  pay(body?: Uint8Array): void {
    if (this.#owed === undefined) return;
    const { seq, authorization } = this.#owed;
    this.#owed = undefined;
    this.open = 'none';
    this.#reAck = this.#ua.ack(this.#call.dialog!, seq, body === undefined ? authorization : [...authorization, ...SDP_LINE], body);
    this.next();
  }

  /** The 2xx came again: so does its ACK (§13.2.2.4). */
  again(): void {
    this.#reAck?.();
  }

  /** The offer that waits, when its turn has come. */
  next(): void {
    const body = this.#queued, call = this.#call, { dialog } = call;
    if (body === undefined || dialog === undefined || call.phase !== 'confirmed' || this.open !== 'none' || this.#waiting !== undefined || this.#stopGlare !== undefined) return;
    this.#queued = undefined;
    this.open = 'ours';
    let acked = false;
    this.#ua.request({
      method: 'INVITE', path: pathOf(dialog), from: () => dialog.from, to: dialog.to, callId: dialog.callId, seq: () => ++dialog.localSeq,
      contact: call.user, headers: [...call.headers().slice(1), ...SDP_LINE], body, credentials: call.account?.credentials,
      wanted: () => call.phase === 'confirmed',
      on: ({ response }, sent) => {
        const status = response?.status ?? 408;
        if (status < 200) return;
        if (response !== undefined && status < 300) {
          if (acked) return this.again();
          acked = true;
          this.#reAck = this.#ua.ack(dialog, sent.seq, sent.authorization);
          refreshTarget(dialog, response);
        }
        if (call.phase !== 'confirmed') return;
        this.open = 'none';
        if (response === undefined || status === 481 || status === 408) return call.lost(status);
        if (status < 300 && hasSdp(response)) call.emit({ event: 'answer', body: bodyOf(response), early: false });
        else if (status === 491) this.#glare(body);
        else call.emit({ event: 'offer refused', status, reason: reasonOf(response) });
        this.next();
      },
    });
  }

  #glare(body: Uint8Array): void {
    this.#queued ??= body;
    this.#stopGlare = this.#ua.clock.after(glarePauseMs(this.#call.direction === 'out', this.#ua.random.fraction()), () => {
      this.#stopGlare = undefined;
      this.next();
    });
  }

  // --- theirs

  /** INVITE or UPDATE inside the dialog. */
  take(server: ServerTransaction): void {
    const { request } = server, { phase } = this.#call, isInvite = request.method === 'INVITE';
    if (!isInvite && !hasSdp(request)) { // session timer or new target, RFC 3311 §5.2
      refreshTarget(this.#call.dialog!, request);
      return server.respond(200, { headers: this.#call.headers() });
    }
    const clash = phase === 'confirmed' && this.#waiting === undefined ? collision(this.open) : phase === 'leaving' ? 491 : 500;
    if (clash !== undefined) return server.respond(clash, clash === 500 ? { headers: [['Retry-After', String(Math.floor(10 * this.#ua.random.fraction()))]] } : {});
    this.open = 'theirs';
    this.#server = server;
    this.#call.emit({ event: 'offer', body: bodyOf(request) });
  }

  /** The 2xx goes out, and again at T1, 2·T1 ... T2 until its ACK, over any transport (§13.3.1.4). */
  send2xx(server: ServerTransaction, body: Uint8Array): void {
    const since = this.#ua.clock.now();
    let stop = (): void => undefined;
    const wait = (ms: number): void => {
      const left = since + 64 * T1 - this.#ua.clock.now();
      stop = this.#ua.clock.after(Math.min(ms, left), () => {
        if (ms < left) {
          server.resend();
          return wait(Math.min(2 * ms, T2));
        }
        this.#waiting = undefined;
        this.#call.unconfirmed();
      });
    };
    this.#waiting = { seq: cseqOf(server.request)!.number, stop: () => stop() };
    server.respond(200, { headers: [...this.#call.headers(), ...SDP_LINE], body });
    wait(T1);
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
    const offered = this.open === 'ack';
    if (offered) this.open = 'none';
    if (this.#call.phase !== 'confirmed') return;
    if (offered && !hasSdp(ack)) return this.#call.lose('them', 'the other side sent no session description');
    if (offered) this.#call.emit({ event: 'answer', body: bodyOf(ack), early: false });
    this.next();
  }
}
