// Responses that are sent until the other side has confirmed them: 18x until PRACK (RFC 3262). What they describe is offers.ts's.

import { hasToken } from './headers.ts';
import type { Leg, Talk } from './leg.ts';
import type { Message } from './message.ts';
import { ringReliably } from './prack.ts';
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

/** True while a description of ours waits for its PRACK: no 2xx before (RFC 3262 §3). */
export const unheard = ({ unacked }: Book): boolean => unacked?.described === true;
