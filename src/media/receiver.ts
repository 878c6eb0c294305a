// The receive path of a stream: packets in when they arrive, 16 kHz sound out when the card (or the clock) asks for it.
//
//   put() -> jitter buffer -> decode, conceal, join -> shorten or lengthen -> to 16 kHz -> queue -> pull()
//
// Playing goes by a clock of its own, the sound pulled so far: a packet's lateness is counted in the pulls it comes in time for, so that
// neither a thread that is woken late nor the place of packets between two pulls costs any delay.

import type { Codec } from './codec.ts';
import type { ComfortNoise } from './comfort.ts';
import type { MediaExtras, Repair, Seam } from './extras.ts';
import { AdaptiveJitter, type JitterBuffer } from './jitter.ts';
import { Doubler } from './resample.ts';
import type { RtpPacket } from './rtp.ts';

/** The longest packet decoded: 120 ms at 16 kHz; with a gap before it and a period more it still has room. */
const LONGEST = 1920;
/** Sound kept before the one being made, for concealment: 50 ms at 16 kHz. */
const HISTORY = 800;
/** A packet that comes less than this before a pull is counted as late for it. */
const CLOSE_MS = 2;
/** Delay may pass the wanted one, or fall short of it, by so much before sound is scaled; not oftener than PAUSE_MS, unless it is far beyond. */
const OVER_MS = 16;
const SHORT_MS = 3;
const FAR_MS = 80;
const PAUSE_MS = 40;
/**
 * Concealment by a codec comes in pieces of this length. It fades early, so ours takes over, within TURN_MS from OURS_MS on; and it knows of DTX,
 * so it has the word again from THEIRS_MS on, when a voice is gone.
 */
const PIECE_MS = 10;
const OURS_MS = 20;
const THEIRS_MS = 100;
const TURN_MS = 20;
/** How long a gap is concealed: by repetition, which is silent by then, and by a codec, which may have to bridge the silence of a sender's DTX. */
const PATIENCE_MS = 120;
const CODEC_PATIENCE_MS = 600;

export class Receiver {
  readonly jitter: JitterBuffer;
  concealedMs = 0;
  acceleratedMs = 0;
  expandedMs = 0;
  /** Packets that were lost and taken whole from their successors. */
  recovered = 0;
  readonly #codecOf: (payloadType: number) => Codec | undefined;
  readonly #extras: (() => Partial<MediaExtras>) | undefined;
  /** Joins the next sound to that of the codec before. */
  #seam: Seam | undefined;
  /** History, then the sound being made. */
  readonly #sound = new Int16Array(HISTORY + 3 * LONGEST);
  readonly #frame = this.#sound.subarray(HISTORY);
  /** Where a packet is decoded to when nothing is missing before it. */
  readonly #packet = this.#sound.subarray(HISTORY, HISTORY + LONGEST);
  readonly #queue = new Int16Array(6 * LONGEST + 1024);
  readonly #doubler = new Doubler();
  #queued = 0;
  #codec: Codec | undefined;
  /** Made when something is to be mended first. */
  #mender: Repair | undefined;
  #rateHz = 8000;
  /** Ticks of the jitter buffer: the clock of the first codec. */
  #clockHz = 0;
  /** The clock of the packets that come now, and two timestamps that are the same instant: by that clock, and in ticks of the jitter buffer. */
  #packetHz = 0;
  #theirs = 0;
  #ours = 0;
  #newest = 0;
  /** Samples of the packet decoded last. */
  #usual = 160;
  #scaledAt = -Infinity;
  #comfort: ComfortNoise | undefined;
  #noise: Uint8Array | undefined;
  /** Something real was heard; how much had been concealed by then. */
  #spoken = false;
  #concealedThenMs = 0;
  /** Samples of the newest sound that a codec concealed, and room for that. */
  #hid = 0;
  #hiding: Int16Array | undefined;
  /** Sound pulled so far, and when and how much was pulled last. */
  #clockMs = 0;
  #pulledMs = -Infinity;
  #periodMs = 0;
  /** How long packets wait for a pull, smoothed. */
  #waitMs = 0;

  /** `codecOf` gives the codec of a payload type that was negotiated, for its clock before any packet of it is decoded; without `extras` what is lost is silence, and nothing is stretched. */
  constructor(minMs: number, maxMs: number, codecOf: (payloadType: number) => Codec | undefined, extras?: () => Partial<MediaExtras>) {
    this.jitter = new AdaptiveJitter(minMs, maxMs);
    this.#extras = extras;
    this.#codecOf = codecOf;
  }

  /** From the arrival of a packet that came as fast as any to its sound. */
  get delayMs(): number {
    return this.jitter.delayMs + this.#waitMs;
  }

  get bufferedMs(): number {
    return this.#queued / 16 + this.jitter.heldMs;
  }

  /** Forget all packets and timing: another sender, or another beginning. */
  reset(): void {
    this.#clockHz = 0;
  }

  put(packet: RtpPacket, nowMs: number): void {
    const codec = this.#codecOf(packet.payloadType);
    if (codec === undefined) return;
    const fec = codec.decodeFec !== undefined, patienceMs = codec.conceal === undefined ? PATIENCE_MS : CODEC_PATIENCE_MS;
    const ahead = ((packet.sequence - this.#newest) << 16) >> 16;
    if (this.#clockHz === 0) {
      this.#clockHz = this.#packetHz = codec.clockHz;
      this.#theirs = this.#ours = 0;
      this.jitter.reset(codec.clockHz, fec, patienceMs);
    } else if (codec.clockHz !== this.#packetHz) { // the timestamps go on from where they stood, at another pace (RFC 7160 §3)
      if (ahead < 0) return; // of before the change
      this.#ours = this.#ticksOf(packet.timestamp);
      this.#theirs = packet.timestamp;
      this.#packetHz = codec.clockHz;
      this.jitter.suit(fec, patienceMs);
    }
    if (ahead > 0 || this.#pulledMs < 0) this.#newest = packet.sequence;
    packet.timestamp = this.#ticksOf(packet.timestamp);
    let waitMs = this.#pulledMs + this.#periodMs - nowMs, usableMs = this.#clockMs;
    if (waitMs < CLOSE_MS) {
      usableMs += this.#periodMs;
      waitMs = Math.max(0, waitMs + this.#periodMs);
    }
    if (this.jitter.put(packet, usableMs)) this.#waitMs += (waitMs - this.#waitMs) / 16;
  }

  /** A timestamp of the packets that come now, in ticks of the jitter buffer. */
  #ticksOf(timestamp: number): number {
    return (this.#ours + Math.round(((timestamp - this.#theirs) | 0) * this.#clockHz / this.#packetHz)) >>> 0;
  }

  /** A packet that came with this number is no sound; `noise` is its comfort noise, kept until its turn (RFC 3389). */
  skip(sequence: number, noise?: Uint8Array): void {
    if (this.#clockHz !== 0) this.jitter.skip(sequence, noise);
  }

  /** Fill `out[0..count)` with what is to be heard from `nowMs` on. */
  pull(out: Int16Array, count: number, nowMs: number): void {
    const queue = this.#queue;
    while (this.#queued < count) this.#produce(this.#clockMs + this.#queued / 16, count - this.#queued);
    for (let i = 0; i < count; i++) out[i] = queue[i]!;
    queue.copyWithin(0, count, this.#queued);
    this.#queued -= count;
    this.#periodMs = count / 16;
    this.#clockMs += this.#periodMs;
    this.#pulledMs = nowMs;
  }

  /** Put into the queue what is heard from `atMs` on: at least a part of the `need` samples of 16 kHz that are due. */
  #produce(atMs: number, need: number): void {
    const { jitter } = this, codec = this.#codec, perTick = this.#rateHz / this.#clockHz;
    const due = Math.ceil(need * this.#rateHz / 16_000);
    if (this.#clockHz === 0) return this.#quiet(due);
    const piece = codec?.conceal === undefined ? due : PIECE_MS * this.#rateHz / 1000;
    const next = jitter.take(atMs, Math.ceil(piece / perTick));
    if (jitter.noise !== this.#noise) this.#hush(jitter.noise);
    if (next === 'play') return this.#play(atMs);
    const count = Math.min(LONGEST, Math.max(1, Math.round(jitter.ticks * perTick)));
    if (next === 'wait') return this.#quiet(count);
    this.concealedMs += count * 1000 / this.#rateHz;
    if (codec?.conceal === undefined) this.#makeUp(count);
    else this.#codecConceals(codec, count);
    this.#enqueue(count);
  }

  #play(atMs: number): void {
    const { jitter } = this, codec = this.#codecOf(jitter.payloadType);
    if (codec !== undefined) this.#use(codec);
    const perTick = this.#rateHz / this.#clockHz, perMs = this.#rateHz / 1000, frame = this.#frame;
    const gap = Math.round(jitter.gap * perTick);
    if (jitter.paused) this.concealedMs = this.#concealedThenMs;
    const ours = this.#hid > OURS_MS * perMs && this.#hid < (THEIRS_MS + TURN_MS) * perMs; // what is heard last is our concealment
    let made = 0;
    if (gap > 0) {
      if (jitter.single) made = codec?.decodeFec?.(jitter.payload!, frame, gap) ?? 0;
      if (made > 0) this.recovered++;
      else {
        this.concealedMs += gap / perMs;
        if (codec?.conceal !== undefined) {
          codec.conceal(frame, gap);
          if (!ours) made = gap;
        }
      }
    }
    if (!ours && (made > 0 || this.#hid > 0)) this.#mender?.good();
    let count = codec?.decode(jitter.payload!, gap === 0 ? this.#packet : this.#sound.subarray(HISTORY + gap, HISTORY + gap + LONGEST)) ?? 0;
    if (count <= 0) {
      jitter.played(this.#usual / perTick);
      this.concealedMs += this.#usual / perMs;
      this.#makeUp(gap + this.#usual);
      return this.#enqueue(gap + this.#usual);
    }
    this.#mender?.heard(gap, count);
    this.#usual = count;
    this.#spoken = true;
    this.#concealedThenMs = this.concealedMs;
    jitter.played(count / perTick);
    const skip = Math.min(Math.floor(jitter.overlap * perTick), count - 5 * perMs);
    const missing = made > 0 ? 0 : gap, hid = this.#hid > 0;
    this.#hid = 0;
    count += made;
    if (missing > 0 || this.#mender?.hiding() || (jitter.seam && hid && made === 0)) {
      const whole = missing + count, lean = jitter.excessMs < 0 ? 1 : jitter.excessMs > OVER_MS / 2 ? -1 : 0;
      count = this.#join(missing, count, Math.max(0, skip), lean, lean === 0 && !jitter.seam);
      jitter.stretched((count - whole) / perMs);
      return this.#enqueue(count);
    }
    this.#enqueue(this.#scale(count, atMs));
  }

  #mend(): Repair | undefined {
    return this.#mender ??= this.#extras?.().repair?.(this.#sound, HISTORY, this.#rateHz / 1000);
  }

  #makeUp(count: number): void {
    const mender = this.#mend();
    if (mender === undefined) this.#frame.fill(0, 0, count);
    else mender.conceal(count, this.#noise !== undefined);
  }

  #join(gap: number, count: number, skip: number, lean: number, still: boolean): number {
    const mender = this.#mend();
    if (mender !== undefined) return mender.join(gap, count, skip, lean, still);
    this.#frame.fill(0, 0, gap);
    return gap + count;
  }

  #codecConceals(codec: Codec, count: number): void {
    const theirs = (this.#hiding ??= new Int16Array(LONGEST)), out = this.#frame, turn = TURN_MS * this.#rateHz / 1000;
    const from = OURS_MS / TURN_MS, until = (THEIRS_MS + TURN_MS) / TURN_MS;
    if (codec.conceal!(theirs, count) !== count) theirs.fill(0, 0, count); // a length that the codec does not have
    const held = this.#mend() !== undefined;
    if (this.#hid < until * turn) this.#makeUp(count);
    for (let i = 0; i < count; i++, this.#hid++) {
      const at = this.#hid / turn, share = held ? Math.max(0, Math.min(1, at - from, until - at)) : 0;
      out[i] = Math.round(theirs[i]! * (1 - share) + out[i]! * share);
    }
  }

  #scale(count: number, atMs: number): number {
    const excess = this.jitter.excessMs, perMs = this.#rateHz / 1000;
    if ((excess <= OVER_MS && excess >= -SHORT_MS) || (excess <= FAR_MS && atMs - this.#scaledAt < PAUSE_MS)) return count;
    const mender = this.#mend(), scaled = (excess > 0 ? mender?.shorten(count, excess > FAR_MS) : mender?.lengthen(count)) ?? count;
    if (scaled === count) return count;
    this.#scaledAt = atMs;
    const ms = (scaled - count) / perMs;
    if (ms > 0) this.expandedMs += ms;
    else this.acceleratedMs -= ms;
    this.jitter.stretched(ms);
    return scaled;
  }

  /** What was heard last fades away, and silence goes on. */
  #quiet(count: number): void {
    if (this.#spoken) this.#makeUp(count);
    else this.#frame.fill(0, 0, count);
    this.#enqueue(count);
  }

  /** The sender is silent and says how, or speaks again. */
  #hush(noise: Uint8Array | undefined): void {
    this.#noise = noise;
    if (noise === undefined) this.#comfort?.end();
    else (this.#comfort ??= this.#extras?.().comfort?.(this.#rateHz))?.begin(noise);
  }

  #use(codec: Codec): void {
    if (codec === this.#codec) return;
    if (this.#spoken && this.#codec !== undefined && codec.rateHz + this.#rateHz > 16_000) this.#seam = this.#extras?.().createSeam?.(this.#sound, this.#rateHz); // G.711 has no past, of either law
    this.#codec = codec;
    if (codec.rateHz === this.#rateHz) return;
    this.#rateHz = codec.rateHz;
    this.#sound.fill(0);
    this.#comfort = undefined;
    this.#mender = undefined;
    this.#doubler.reset();
  }

  /** Sound of `count` samples is made: it goes to the queue, and becomes history. */
  #enqueue(count: number): void {
    if (this.#comfort?.sounds) this.#comfort.mix(this.#sound, HISTORY, count);
    const at = this.#queued;
    if (this.#rateHz === 8000) this.#queued += this.#doubler.run(this.#frame, count, this.#queue, at);
    else {
      for (let i = 0; i < count; i++) this.#queue[at + i] = this.#frame[i]!;
      this.#queued += count;
    }
    if (this.#seam !== undefined) {
      const made = this.#queued - at, joined = this.#seam.join(this.#queue, at, made);
      this.#seam = undefined;
      this.#queued = at + joined;
      this.jitter.stretched((joined - made) / 16);
    }
    this.#sound.copyWithin(0, count, count + HISTORY);
  }
}
