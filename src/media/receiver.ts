// The receive path of a stream: packets in when they arrive, 16 kHz sound out when the card (or the clock) asks for it.
//
//   put() -> jitter buffer -> decode or conceal -> shorten or lengthen -> to 16 kHz -> queue -> pull()

import type { Codec } from './codec.ts';
import { Concealer } from './conceal.ts';
import { AdaptiveJitter, type JitterBuffer } from './jitter.ts';
import { Doubler } from './resample.ts';
import type { RtpPacket } from './rtp.ts';
import { lengthen, shorten } from './scale.ts';

/** The longest packet decoded: 120 ms at 16 kHz, and the same again as room to lengthen it. */
const LONGEST = 1920;
/** Delay may differ so much from the wanted one before sound is scaled; not oftener than PAUSE_MS, unless it is far beyond. */
const OVER_MS = 12;
const UNDER_MS = -8;
const FAR_MS = 80;
const PAUSE_MS = 40;

export class Receiver {
  readonly jitter: JitterBuffer;
  concealedMs = 0;
  readonly #codecOf: (payloadType: number) => Codec | undefined;
  readonly #pcm = new Int16Array(2 * LONGEST);
  readonly #queue = new Int16Array(4 * LONGEST + 1024);
  readonly #doubler = new Doubler();
  #queued = 0;
  #codec: Codec | undefined;
  #concealer = new Concealer(8000);
  #rateHz = 8000;
  #clockHz = 0;
  /** Samples of the packet decoded last. */
  #usual = 160;
  #scaledAt = -Infinity;

  /** `codecOf` gives the codec of a payload type that was negotiated, for its clock before any packet of it is decoded. */
  constructor(minMs: number, maxMs: number, codecOf: (payloadType: number) => Codec | undefined) {
    this.jitter = new AdaptiveJitter(minMs, maxMs);
    this.#codecOf = codecOf;
  }

  /** Forget all packets and timing: another sender, or another beginning. */
  reset(): void {
    this.#clockHz = 0;
  }

  put(packet: RtpPacket, nowMs: number): void {
    const codec = this.#codecOf(packet.payloadType);
    if (codec === undefined) return;
    if (codec.clockHz !== this.#clockHz) {
      this.#clockHz = codec.clockHz;
      this.jitter.reset(codec.clockHz, codec.decodeFec !== undefined);
    }
    this.jitter.put(packet, nowMs);
  }

  /** A packet that came with this number is no sound. */
  skip(sequence: number): void {
    if (this.#clockHz !== 0) this.jitter.skip(sequence);
  }

  /** Fill `out[0..count)` with what is to be heard from `nowMs` on. */
  pull(out: Int16Array, count: number, nowMs: number): void {
    const queue = this.#queue;
    while (this.#queued < count) this.#produce(nowMs + this.#queued / 16);
    for (let i = 0; i < count; i++) out[i] = queue[i]!;
    queue.copyWithin(0, count, this.#queued);
    this.#queued -= count;
  }

  #produce(atMs: number): void {
    const { jitter } = this, pcm = this.#pcm;
    if (this.#clockHz === 0) return this.#quiet(80);
    const next = jitter.take(atMs);
    let count = 0;
    if (next === 'play') {
      const codec = this.#codecOf(jitter.payloadType);
      if (codec !== undefined) {
        this.#use(codec);
        count = codec.decode(jitter.payload!, pcm);
        if (count > 0) this.#usual = count;
        if (count > 0 && codec.conceal === undefined) this.#concealer.good(pcm, count);
      }
      if (count <= 0) count = this.#conceal(this.#usual);
      jitter.played(count * this.#clockHz / this.#rateHz);
      count = this.#scale(count, atMs);
    } else {
      count = Math.min(LONGEST, Math.max(1, Math.round(jitter.ticks * this.#rateHz / this.#clockHz)));
      if (next === 'wait') return this.#quiet(count);
      const fec = jitter.payload === undefined ? 0 : this.#codec?.decodeFec?.(jitter.payload, pcm, count) ?? 0;
      count = fec > 0 ? fec : this.#conceal(count);
    }
    this.#enqueue(count);
  }

  #conceal(count: number): number {
    this.concealedMs += count * 1000 / this.#rateHz;
    const made = this.#codec?.conceal?.(this.#pcm, count);
    if (made === undefined) this.#concealer.conceal(this.#pcm, count);
    else if (made !== count) this.#pcm.fill(0, 0, count); // a length that the codec does not have
    return count;
  }

  #scale(count: number, atMs: number): number {
    const excess = this.jitter.excessMs;
    if ((excess <= OVER_MS && excess >= UNDER_MS) || (excess <= FAR_MS && atMs - this.#scaledAt < PAUSE_MS)) return count;
    const scaled = excess > 0 ? shorten(this.#pcm, count, this.#rateHz, excess > FAR_MS) : lengthen(this.#pcm, count, this.#rateHz);
    if (scaled === count) return count;
    this.#scaledAt = atMs;
    this.jitter.stretched((scaled - count) * 1000 / this.#rateHz);
    return scaled;
  }

  #quiet(count: number): void {
    this.#pcm.fill(0, 0, count);
    this.#enqueue(count);
  }

  #use(codec: Codec): void {
    if (codec === this.#codec) return;
    this.#codec = codec;
    if (codec.rateHz === this.#rateHz) return;
    this.#rateHz = codec.rateHz;
    this.#concealer = new Concealer(codec.rateHz);
    this.#doubler.reset();
  }

  #enqueue(count: number): void {
    if (this.#rateHz === 8000) {
      this.#queued += this.#doubler.run(this.#pcm, count, this.#queue, this.#queued);
      return;
    }
    for (let i = 0; i < count; i++) this.#queue[this.#queued + i] = this.#pcm[i]!;
    this.#queued += count;
  }
}
