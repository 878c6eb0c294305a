// Reliable responses as they are sent and confirmed: RFC 3262. In the bundle loaded with the first caller who wants or can have them (scripts/later.js).

import { sessionOf } from './body.ts';
import type { Headers } from './build.ts';
import { cseqOf, hasToken } from './headers.ts';
import { SDP_LINE, type Leg } from './leg.ts';
import { text } from './message.ts';
import type { Book } from './reliable.ts';
import { repeat } from './repeat.ts';
import type { ServerTransaction } from './transactions.ts';

/** 18x as reliable.ts's ring() says, with a description or where it is required. */
export function ringReliably(book: Book, server: ServerTransaction, status: number, body: Uint8Array | undefined, required: boolean): void {
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
