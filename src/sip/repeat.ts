// Responses that are sent until the other side has confirmed them: RFC 3261 §13.3.1.4, RFC 3262 §3.

import { T1 } from './tables.ts';
import type { ServerTransaction } from './transactions.ts';
import type { Ua } from './ua.ts';

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
