// A connection under the transactions, TCP, TLS or WebSocket: frames what comes, queues what is sent before it is open, notices that it is dead. In the
// bundle loaded with the first connection (scripts/later.js).

import type { Clock } from '../ports/clock.ts';
import type { Endpoint, StreamHandler, StreamSocket } from '../ports/net.ts';
import type { Transport } from './agent-types.ts';
import { framer } from './framing.ts';
import { CRLF, isBlank, PING } from './keep-alive.ts';
import { parseMessage } from './message.ts';
import type { Malformed, Message } from './message.ts';
import type { Destination, Failure, Flow } from './transport.ts';

/** A SYN unanswered so long is given up: well below timer B, so that another target can still be tried. */
const CONNECT_MS = 5_000;
/** RFC 5626 §4.4.1: no pong within 10 s and the flow is dead. */
const PONG_MS = 10_000;
/** A message that is not whole by then never will be (RFC 3261 §18.3 leaves the time to us: 64*T1). */
const MESSAGE_MS = 32_000;

export interface Connection extends Flow, StreamHandler {
  /** True for one that we opened. */
  readonly ours: boolean;
  readonly ended: boolean;
  readonly connecting: boolean;
  socket: StreamSocket | undefined;
  covers(name: string): boolean;
  send(bytes: Buffer): void;
  ping(): void;
  fail(failure: Failure): void;
  end(): void;
}

export function createConnection(remote: Destination, user: ConnectionUser, clock: Clock, ours: boolean): Connection {
  return new StreamConnection(remote, user, clock, ours);
}

export interface ConnectionUser {
  onMessage(message: Message | Malformed, connection: Connection): void;
  onKeepAlive(): void;
  onEnd(connection: Connection, failure: Failure): void;
}

/** One connection; sends queue until it is open. */
class StreamConnection implements Connection {
  readonly transport: Transport;
  readonly host: string;
  readonly port: number;
  readonly name: string | undefined;
  /** True for one that we opened. */
  readonly ours: boolean;
  socket: StreamSocket | undefined;
  ended = false;
  readonly #user: ConnectionUser;
  readonly #clock: Clock;
  readonly #take: (chunk: Buffer) => boolean;
  #queue: Buffer[] | undefined;
  #pongs = false;
  #stopTimer: (() => void) | undefined;
  /** When the message that comes in now must be whole. */
  #dueMs: number | undefined;

  constructor(remote: Destination, user: ConnectionUser, clock: Clock, ours: boolean) {
    this.transport = remote.transport;
    this.host = remote.host;
    this.port = remote.port;
    this.name = remote.name;
    this.ours = ours;
    this.#user = user;
    this.#clock = clock;
    if (ours) {
      this.#queue = [];
      this.#stopTimer = clock.after(CONNECT_MS, () => this.fail({ why: 'no connection in time', detail: `${remote.host} port ${remote.port} did not answer` }));
    } else this.#await(true);
    this.#take = remote.transport.startsWith('ws') ? (bytes) => this.#takeWhole(bytes) : framer({
      onMessage: (message) => { if (!this.ended) user.onMessage(message, this); },
      onMalformed: (malformed) => {
        if (this.ended) return;
        user.onMessage(malformed, this);
        if (!malformed.framed) this.fail({ why: 'connection closed', detail: malformed.malformed });
      },
      onPing: () => {
        user.onKeepAlive();
        this.socket?.send(CRLF);
      },
      onPong: () => {
        this.#pongs = true;
        user.onKeepAlive();
      },
    });
  }

  get connecting(): boolean { return this.#queue !== undefined; }

  /** RFC 7118 §5: what comes is one message, with or without Content-Length; every WebSocket answers pings. */
  #takeWhole(bytes: Buffer): boolean {
    this.#pongs = true;
    if (isBlank(bytes)) this.#user.onKeepAlive();
    else this.#user.onMessage(parseMessage(bytes), this);
    return false;
  }

  covers(name: string): boolean {
    return this.socket?.covers?.(name) === true;
  }

  get local(): Endpoint {
    return this.socket?.local ?? { host: '', port: 0 };
  }

  send(bytes: Buffer): void {
    if (this.#queue !== undefined) this.#queue.push(bytes);
    else this.socket?.send(bytes);
  }

  ping(): void {
    this.send(PING);
    if (!this.#pongs || this.#queue !== undefined || this.#stopTimer !== undefined) return;
    this.#stopTimer = this.#clock.after(PONG_MS, () => this.fail({ why: 'connection closed', detail: 'no answer to the keep-alive' }));
  }

  onOpen(): void {
    if (!this.ours || this.ended) return;
    this.#quiet();
    const queue = this.#queue ?? [];
    this.#queue = undefined;
    for (const bytes of queue) this.socket?.send(bytes);
  }

  onBytes(bytes: Buffer): void {
    if (this.ended) return;
    if (this.#queue === undefined) this.#quiet(); // anything heard is a pong
    this.#await(this.#take(bytes));
  }

  #await(message: boolean): void {
    if (!message || this.ended) return void (this.#dueMs = undefined);
    const nowMs = this.#clock.now(), dueMs = (this.#dueMs ??= nowMs + MESSAGE_MS);
    this.#stopTimer = this.#clock.after(Math.max(0, dueMs - nowMs), () => this.fail({ why: 'connection closed', detail: 'a message never came to its end' }));
  }

  onClose(error: Error | undefined): void {
    this.fail(error === undefined ? { why: 'connection closed', detail: 'closed by the other side' } : failureOf(error));
  }

  fail(failure: Failure): void {
    if (this.ended) return;
    this.end();
    this.#user.onEnd(this, failure);
  }

  end(): void {
    this.ended = true;
    this.#quiet();
    this.#queue = undefined;
    this.socket?.close();
  }

  #quiet(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }
}

export function failureOf(error: Error): Failure {
  const code = 'code' in error ? String(error.code) : '';
  const why = code === 'NOT_TRUSTED' ? 'not trusted' : code === 'ECONNREFUSED' ? 'refused' : code === 'ECONNRESET' || code === 'EPIPE' ? 'connection closed' : code === 'ETIMEDOUT' ? 'no connection in time' : 'no route';
  return { why, detail: error.message };
}
