// The last SIP messages of a running phone, for whoever looks for a fault afterwards (offhook trace). Kept as bytes outside the JavaScript heap,
// secrets blanked before they come here; the oldest go when room or count is used up. Of a flood only so many a second are kept: it costs the
// phone little then, and does not push out at once what came before.
//
//   | header line \n text | header line \n text |      | header line \n text |      one ring; each record lies in one piece

import type { Endpoint } from '../ports/net.ts';

export interface KeptMessage {
  /** Counts from 1; a gap tells that some were dropped before they were read. */
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly direction: 'in' | 'out';
  readonly transport: string;
  /** host:port. */
  readonly peer: string;
  readonly text: string;
}

const COUNT = 200, BYTES = 262_144;
/** More than a house full of calls has. */
const A_SECOND = 100;
/** What one reply carries at most; the rest is asked for with the next. */
const REPLY_BYTES = 200_000;

export class MessageRing {
  readonly #bytes: Buffer;
  /** By number modulo their length; off the heap too. */
  readonly #starts: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #numbers: Uint32Array;
  /** Records so far; each lies at its index modulo the count. */
  #oldest = 0;
  #next = 0;
  #at = 0;
  /** Messages so far, kept or not. */
  #seen = 0;
  #second = 0;
  #kept = 0;

  constructor(count = COUNT, bytes = BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#starts = new Uint32Array(count);
    this.#lengths = new Uint32Array(count);
    this.#numbers = new Uint32Array(count);
  }

  /** Counts a message that comes or goes `at` ms since 1970; true when it is to be added. */
  counts(at: number): boolean {
    const second = Math.floor(at / 1_000);
    this.#seen++;
    if (second !== this.#second) {
      this.#second = second;
      this.#kept = 0;
    }
    return ++this.#kept <= A_SECOND;
  }

  /** Keeps the message counted last. */
  add(at: number, direction: 'in' | 'out', transport: string, peer: Endpoint, text: string): void {
    const { length } = this.#bytes, count = this.#starts.length;
    const record = Buffer.from(`${at} ${direction} ${transport} ${peer.host.includes(':') ? `[${peer.host}]` : peer.host}:${peer.port}\n${text}`);
    const size = Math.min(record.length, length >> 2); // none may push out all others
    if (this.#at + size > length) {
      while (this.#oldest < this.#next && this.#starts[this.#oldest % count]! >= this.#at) this.#oldest++;
      this.#at = 0;
    }
    while (this.#oldest < this.#next && this.#covers(this.#at, this.#at + size)) this.#oldest++;
    if (this.#next - this.#oldest === count) this.#oldest++;
    record.copy(this.#bytes, this.#at, 0, size);
    this.#starts[this.#next % count] = this.#at;
    this.#lengths[this.#next % count] = size;
    this.#numbers[this.#next % count] = this.#seen;
    this.#next++;
    this.#at += size;
  }

  /** The oldest record begins where the new one will lie, or before it and reaches into it. */
  #covers(from: number, to: number): boolean {
    const start = this.#starts[this.#oldest % this.#starts.length]!;
    return start < to && start + this.#lengths[this.#oldest % this.#starts.length]! > from;
  }

  /** Those from number `from` on, or the last `last`, oldest first; `next` is what to ask from the next time. */
  read(from: number | undefined, last: number = this.#starts.length): { readonly messages: readonly KeptMessage[]; readonly next: number } {
    const messages: KeptMessage[] = [];
    const count = this.#starts.length;
    let i = from === undefined ? Math.max(this.#oldest, this.#next - last) : this.#oldest, bytes = 0;
    while (from !== undefined && i < this.#next && this.#numbers[i % count]! < from) i++;
    for (; i < this.#next && bytes < REPLY_BYTES; i++) {
      const at = i % count, start = this.#starts[at]!, length = this.#lengths[at]!;
      bytes += length;
      const record = this.#bytes.toString('utf8', start, start + length), end = record.indexOf('\n');
      const [wall, direction, transport, peer] = record.slice(0, end).split(' ') as [string, 'in' | 'out', string, string];
      messages.push({ n: this.#numbers[at]!, at: Number(wall), direction, transport, peer, text: record.slice(end + 1) });
    }
    return { messages, next: i < this.#next ? this.#numbers[i % count]! : this.#seen + 1 };
  }
}
