// Responses that are sent until the other side has confirmed them: 18x until PRACK (RFC 3262), and how any of them is sent again. What they
// describe is offers.ts's.

import { sessionOf } from './body.ts';
import type { Headers } from './build.ts';
import { cseqOf, hasToken } from './headers.ts';
import { SDP_LINE, type Leg, type Talk } from './leg.ts';
import { text, type Message } from './message.ts';
import { T1 } from './tables.ts';
import type { ServerTransaction } from './transactions.ts';
import type { Ua } from './ua.ts';

/** Our reliable 1xx that waits for its PRACK; `later` comes after it. */
export interface Unacked { readonly seq: number; readonly described: boolean; readonly stop: () => void; later: (() => void) | undefined }

/** The book of offers, as these responses carry them. */
export interface Book {
  readonly ua: Ua;
  readonly call: Talk;
  unacked: Unacked | undefined;
  /** `body` goes out in answer to `request`. */
  speak(leg: Leg, request: Message, body: Uint8Array): void;
  /** Their answer came. */
  answered(leg: Leg, body: Buffer, early: boolean): void;
  /** Their offer came. */
  take(server: ServerTransaction, leg: Leg): void;
  /** What waited may go on. */
  next(): void;
}

/**
 * 18x to their INVITE: reliably when they require it, or when it describes and they can (RFC 3262 §3); again at T1, doubling, until its
 * PRACK. The next waits for it. To an INVITE that requires it and offers nothing, one without our offer cannot go out (§5).
 */
export function ring(book: Book, server: ServerTransaction, status: number, body: Uint8Array | undefined): void {
  if (book.unacked !== undefined) {
    book.unacked.later = () => ring(book, server, status, body);
    return;
  }
  const required = hasToken(server.request, 'require', '100rel');
  if (body === undefined && !required) server.respond(status, { headers: book.call.headers() });
  else ringReliably(book, server, status, body, required);
}

function ringReliably(book: Book, server: ServerTransaction, status: number, body: Uint8Array | undefined, required: boolean): void {
  const leg = book.call.leg!, { request } = server, described = body !== undefined && !leg.done;
  const reliable = required || (described && hasToken(request, 'supported', '100rel')), offers = leg.open === 'none' && !leg.done;
  if (offers && (reliable ? !described : described)) { // unreliable responses cannot offer
    if (!reliable) server.respond(status, { headers: book.call.headers() });
    return;
  }
  const lines: Headers = described ? SDP_LINE : [];
  if (!reliable) return server.respond(status, { headers: [...book.call.headers(), ...lines], ...(described ? { body } : {}) });
  leg.rseq = leg.rseq < 0 ? 1 + Math.floor(0x7fff_fff0 * book.ua.random.fraction()) : leg.rseq + 1;
  if (described) {
    leg.done = true;
    book.speak(leg, request, body);
  }
  server.respond(status, { headers: [...book.call.headers(), ['Require', '100rel'], ['RSeq', String(leg.rseq)], ...lines], ...(described ? { body } : {}) });
  book.unacked = { seq: cseqOf(request)!.number, described, stop: repeat(book.ua, server, Infinity, () => book.call.unconfirmed()), later: undefined };
}

/** True while a description of ours waits for its PRACK: no 2xx before (RFC 3262 §3). */
export const unheard = ({ unacked }: Book): boolean => unacked?.described === true;

/** PRACK of our 1xx, with the answer to its offer, or with an offer that our 200 answers (RFC 3262 §3, §5). */
export function prack(book: Book, server: ServerTransaction, leg: Leg): void {
  const { request } = server, unacked = book.unacked, [rseq, seq, method] = (text(request, 'rack') ?? '').split(/\s+/), call = book.call;
  if (unacked === undefined || rseq !== String(leg.rseq) || seq !== String(unacked.seq) || method !== 'INVITE') return server.respond(481);
  unacked.stop();
  book.unacked = undefined;
  const body = sessionOf(request);
  if (leg.open === 'ack') {
    server.respond(200);
    leg.open = 'none';
    if (body === undefined) return call.lose('them', 'the other side sent no session description');
    book.answered(leg, body, true);
  } else if (body !== undefined) book.take(server, leg);
  else server.respond(200);
  call.acknowledged();
  if (call.state === 'ringing') unacked.later?.();
  book.next();
}

/** Sends the response again at T1, doubling up to `mostMs`; `over` when nobody took it in 64·T1. */
export function repeat(ua: Ua, server: ServerTransaction, mostMs: number, over: () => void): () => void {
  const since = ua.clock.now();
  let stop = (): void => undefined;
  const wait = (ms: number): void => {
    const left = since + 64 * T1 - ua.clock.now();
    stop = ua.clock.after(Math.min(ms, left), () => {
      if (ms >= left) return over();
      server.resend();
      wait(Math.min(2 * ms, mostMs));
    });
  };
  wait(T1);
  return () => stop();
}
