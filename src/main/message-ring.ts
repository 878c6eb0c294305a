// The last SIP messages of a running phone, for whoever looks for a fault afterwards (offhook trace). Kept as bytes outside the JavaScript heap,
// secrets blanked before they come here; the oldest go when room or count is used up.
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
/** What one reply carries at most; the rest is asked for with the next. */
const REPLY_BYTES = 200_000;

export class MessageRing {
  readonly #bytes: Buffer;
  /** By number modulo their length; off the heap too. */
  readonly #starts: Uint32Array;
  readonly #lengths: Uint32Array;
  #oldest = 1;
  #next = 1;
  #at = 0;

  constructor(count = COUNT, bytes = BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
    this.#starts = new Uint32Array(count);
    this.#lengths = new Uint32Array(count);
  }

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
    let n = Math.max(this.#oldest, from ?? this.#next - last), bytes = 0;
    for (; n < this.#next && bytes < REPLY_BYTES; n++) {
      const at = n % this.#starts.length, start = this.#starts[at]!, length = this.#lengths[at]!;
      bytes += length;
      const record = this.#bytes.toString('utf8', start, start + length), end = record.indexOf('\n');
      const [wall, direction, transport, peer] = record.slice(0, end).split(' ') as [string, 'in' | 'out', string, string];
      messages.push({ n, at: Number(wall), direction, transport, peer, text: record.slice(end + 1) });
    }
    return { messages, next: n };
  }
}
