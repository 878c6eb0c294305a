// Messages out of a byte stream: RFC 3261 §18.3 by Content-Length, §7.5 leading line breaks, RFC 5626 §3.5.1 pings. Knows no socket.
//
//   CRLFCRLF | INVITE ...CRLFCRLF body | CRLF | SIP/2.0 ...     chunks may end anywhere
//    ping               message          pong

import { MAX_BYTES, parseMessage } from './message.ts';
import type { Malformed, Message } from './message.ts';

export interface FrameHandler {
  onMessage(message: Message): void;
  /** `malformed.framed` false: the stream is lost, close it; nothing more comes. */
  onMalformed(malformed: Malformed): void;
  /** CRLFCRLF between messages: answer CRLF. */
  onPing(): void;
  /** A single CRLF between messages, the answer to a ping of ours. */
  onPong(): void;
}

const NONE = Buffer.alloc(0);

/** Returns the function that takes the next chunk; it owns the chunk and hands out views of it. True: a message has begun and not ended. */
export function framer(handler: FrameHandler): (chunk: Buffer) => boolean {
  let held: Buffer | undefined;      // the beginning of a message
  let room = NONE;                   // where it grows, by halves: a byte at a time must not copy all before it each time
  let searched = 0;                  // bytes of it known to hold no end of header
  let head: Message | Malformed | undefined; // its header once whole, waiting for the body
  let breaks = 0;                    // line feeds since the last message
  let lost = false;

  return (chunk) => {
    let bytes = held === undefined ? chunk : joined(held, chunk);
    held = undefined;
    while (!lost && bytes.length > 0) {
      if (head === undefined) {
        let at = 0;
        if (searched === 0) {
          while (at < bytes.length && (bytes[at] === 13 || bytes[at] === 10)) {
            if (bytes[at++] === 10 && ++breaks === 2) {
              breaks = 0;
              handler.onPing();
            }
          }
          if (at === bytes.length) {
            if (breaks === 1) handler.onPong(); // half a ping looks the same: harmless
            return false;
          }
          breaks = 0;
          bytes = bytes.subarray(at);
        }
        const end = headEnd(bytes, Math.max(0, searched - 3));
        if (end < 0) {
          if (bytes.length > MAX_BYTES) return lose(parseMessage(bytes, true));
          searched = bytes.length;
          held = bytes;
          return true;
        }
        head = parseMessage(bytes.subarray(0, end), true);
      }
      const message = head.kind === 'malformed' ? head.message : head;
      if (head.kind === 'malformed' && (!head.framed || message === undefined)) return lose(head);
      const size = message!.bodyEnd;
      if (bytes.length < size) {
        searched = bytes.length;
        held = bytes;
        return true;
      }
      const whole: Message = { ...message!, bytes: bytes.subarray(0, size) };
      const was = head;
      bytes = bytes.subarray(size);
      room = NONE; // the message's now
      head = undefined;
      searched = 0;
      if (was.kind === 'malformed') handler.onMalformed({ ...was, message: whole });
      else handler.onMessage(whole);
    }
    return false;
  };

  function joined(before: Buffer, chunk: Buffer): Buffer {
    const size = before.length + chunk.length;
    if (before.buffer !== room.buffer || before.byteOffset !== room.byteOffset || size > room.length) {
      room = Buffer.allocUnsafeSlow(Math.max(512, size * 1.5 | 0));
      before.copy(room);
    }
    chunk.copy(room, before.length);
    return room.subarray(0, size);
  }

  function lose(why: Message | Malformed): boolean {
    lost = true;
    held = undefined;
    handler.onMalformed(why.kind === 'malformed' ? why : { kind: 'malformed', malformed: 'the header is too long', status: 513, message: undefined, framed: false });
    return false;
  }
}

/** Offset after the empty line that ends the header; -1 when it has not come. */
function headEnd(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(10, from); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return -1;
}
