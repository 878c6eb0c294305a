// Live state by server-sent events: `state`, the whole view, at most ten times a second; `life`, each event of the phone, and
// `bench`, each change of the drawn handset, as they come.

import type { ServerResponse } from 'node:http';
import type { PhoneEvent } from '../phone/status.ts';
import type { Clock } from '../ports/clock.ts';
import type { BenchState, StateView } from './types.ts';

const MAX_LISTENERS = 24;
const STATE_EVERY_MS = 100;
const HEARTBEAT_MS = 15_000;
/** A browser that does not read is let go when this much waits for it. */
const MAX_UNREAD_BYTES = 256 * 1_024;

export interface Events {
  /** False when too many listen already. `session` ends it with endSession(). */
  add(response: ServerResponse, session: string, headers: Readonly<Record<string, string | number | string[] | undefined>>): boolean;
  life(event: PhoneEvent): void;
  bench(state: BenchState): void;
  /** Something in the state changed. */
  changed(): void;
  endSession(session: string): void;
  close(): void;
}

export function liveEvents(clock: Clock, state: () => StateView): Events {
  const listeners = new Map<ServerResponse, string>();
  let cancelState: (() => void) | undefined;
  let cancelBeat: (() => void) | undefined;
  let lastState = '';
  let lastAt = -Infinity;

  function send(text: string): void {
    for (const response of listeners.keys()) {
      response.write(text);
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
    }
  }
  function sendState(): void {
    cancelState = undefined;
    lastAt = clock.now();
    const text = JSON.stringify(state());
    if (text === lastState) return;
    lastState = text;
    send(`event: state\ndata: ${text}\n\n`);
  }
  function changed(): void {
    if (listeners.size === 0 || cancelState !== undefined) return;
    cancelState = clock.after(Math.max(0, lastAt + STATE_EVERY_MS - clock.now()), sendState);
  }
  function beat(): void {
    send(': still here\n\n');
    changed(); // seconds of calls and registrations
    cancelBeat = clock.after(HEARTBEAT_MS, beat);
  }
  function remove(response: ServerResponse): void {
    listeners.delete(response);
    if (listeners.size > 0) return;
    cancelBeat?.();
    cancelState?.();
    cancelBeat = cancelState = undefined;
    lastState = '';
  }

  return {
    add(response, session, headers) {
      if (listeners.size >= MAX_LISTENERS) return false;
      response.writeHead(200, { ...headers, 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
      response.write(`retry: 2000\n\nevent: state\ndata: ${JSON.stringify(state())}\n\n`);
      response.on('close', () => remove(response));
      response.on('error', () => remove(response));
      if (listeners.size === 0) cancelBeat = clock.after(HEARTBEAT_MS, beat);
      listeners.set(response, session);
      return true;
    },
    life(event) {
      if (listeners.size > 0) send(`event: life\ndata: ${JSON.stringify(event)}\n\n`);
    },
    bench(now) {
      if (listeners.size > 0) send(`event: bench\ndata: ${JSON.stringify(now)}\n\n`);
    },
    changed,
    endSession(session) {
      for (const [response, of] of listeners) if (of === session) response.end();
    },
    close() {
      for (const response of [...listeners.keys()]) {
        response.end();
        remove(response);
      }
    },
  };
}
