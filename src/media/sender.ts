// The send path of a stream: 16 kHz sound in as the card captures it, packets out. Captured samples are the RTP clock: the timestamp
// counts them also while nothing is sent.
//
//   push() -> (in-band DTMF) -> frame of one packet time -> to the codec's rate -> encode behind the header -> emit
//                                                        \-> or a packet of the digit under way (RFC 4733), or of comfort noise (RFC 3389)
//
// A frame is kept at 16 kHz until it is whole, so that another codec or packet time takes over what is there of it, and no sample is lost.

import type { Codec } from './codec.ts';
import { dtmfProgram } from './dtmf.ts';
import type { Silence } from './extras.ts';
import { Halver, HALVER_REACH } from './resample.ts';
import { RTP_HEADER_BYTES, u32, writeRtpHeader } from './rtp.ts';
import { EventSender } from './telephone-event.ts';
import { ToneGenerator } from './tones.ts';
import type { Random } from '../ports/random.ts';

/** The largest Opus frame, or 120 ms of G.711, behind a header. */
const PACKET_BYTES = RTP_HEADER_BYTES + 1500;
/** Pause between digits, as long as the strictest administrations of Q.24 want; and how many may wait. */
const GAP_MS = 70;
const QUEUE = 64;
const PERIOD = 1920;
const ENGINE_HZ = 16_000;
/** Packet times that Opus has frames for. */
const OPUS_MS: readonly number[] = [10, 20, 40, 60];

export class Sender {
  readonly ssrc: number;
  packets = 0;
  octets = 0;
  /** Whether packets leave: the direction and the other side's address allow it. */
  enabled = false;
  muted = false;
  readonly #emit: (packet: Uint8Array) => void;
  readonly #packet = new Uint8Array(PACKET_BYTES);
  readonly #payload = this.#packet.subarray(RTP_HEADER_BYTES);
  /** The packet as last cut to length: most codecs always have the same. */
  #cut = this.#packet;
  readonly #halver = new Halver();
  /** The end of the frame before, for the halver to begin from. */
  readonly #tail = new Int16Array(HALVER_REACH);
  readonly #events = new EventSender();
  readonly #digits: { readonly digit: string; readonly ms: number }[] = [];
  #gapMs = 0;
  #tone: ToneGenerator | undefined;
  #toneBuffer = new Int16Array(160);
  #codec: Codec | undefined;
  #payloadType = 0;
  #eventType: number | undefined;
  #eventHz = 8000;
  #silence: Silence | undefined;
  #noiseType = 0;
  /** At 16 kHz; and at the codec's rate. */
  #frame = new Int16Array(320);
  #coded = this.#frame;
  #filled = 0;
  #ptimeMs = 20;
  #sequence: number;
  #timestamp: number;
  /** The next packet of sound begins a talk-spurt (RFC 3551 §4.1). */
  #spurt = true;

  constructor(random: Random, emit: (packet: Uint8Array) => void) {
    const chance = random.bytes(10);
    this.ssrc = u32(chance, 0);
    this.#timestamp = u32(chance, 4);
    this.#sequence = ((chance[8]! << 8) | chance[9]!) & 0x7fff; // room before the first wrap, for SRTP later and for simple peers now
    this.#emit = emit;
  }

  /** The RTP timestamp of the sample pushed next. */
  get timestamp(): number {
    const codec = this.#codec;
    return codec === undefined ? this.#timestamp : (this.#timestamp + this.#filled * codec.clockHz / ENGINE_HZ) >>> 0;
  }

  /**
   * From the next packet on. Departs from RFC 7160 §4.1 in that the SSRC stays when the clock changes: a new one costs the other side its
   * buffer, and the first packets where it guards against strangers as we do. The timestamp goes on from where it stands.
   */
  configure(codec: Codec, payloadType: number, asked: number, eventType?: number, eventHz = codec.clockHz): void {
    const ptimeMs = codec.name === 'opus' ? (OPUS_MS.includes(asked) ? asked : 20) : asked >= 10 && asked <= 120 ? Math.floor(asked) : 20;
    if (codec !== this.#codec) {
      if (this.#codec?.rateHz !== codec.rateHz && codec.rateHz === 8000) this.#halver.run(this.#tail, HALVER_REACH, unheard, 0);
      this.#spurt = true;
    }
    this.#codec = codec;
    this.#payloadType = payloadType;
    this.#eventType = eventType;
    this.#eventHz = eventHz;
    const begun = this.#frame, count = this.#filled;
    if (ptimeMs !== this.#ptimeMs) {
      this.#ptimeMs = ptimeMs;
      this.#frame = new Int16Array(ptimeMs * ENGINE_HZ / 1000);
      this.#filled = 0;
    }
    const length = ptimeMs * codec.rateHz / 1000;
    if (codec.rateHz === ENGINE_HZ) this.#coded = this.#frame;
    else if (this.#coded.length !== length || this.#coded === begun) this.#coded = new Int16Array(length);
    if (begun !== this.#frame) this.#fill(codec, begun, count);
  }

  /** What tells silence from speech, and the payload type of comfort noise; undefined sends all sound there is. */
  suppress(silence: Silence | undefined, noiseType: number): void {
    this.#silence = silence;
    this.#noiseType = noiseType;
  }

  /** Queue a digit; false when too many wait. */
  digit(digit: string, ms: number): boolean {
    return this.#digits.length < QUEUE && this.#digits.push({ digit, ms }) > 0;
  }

  /** Take `count` samples captured last. */
  push(samples: Int16Array, count: number): void {
    const codec = this.#codec;
    if (codec === undefined) return;
    let from = samples;
    if (this.#eventType === undefined && this.#inBand(count)) from = this.#toneBuffer;
    else if (this.muted) from = silence;
    this.#fill(codec, from, count);
  }

  #fill(codec: Codec, from: Int16Array, count: number): void {
    const frame = this.#frame;
    for (let i = 0; i < count; i++) {
      frame[this.#filled++] = from[i]!;
      if (this.#filled === frame.length) {
        this.#filled = 0;
        this.#flush(codec);
      }
    }
  }

  /** Fill the tone buffer when a digit is being sounded into the stream. */
  #inBand(count: number): boolean {
    if (this.#tone === undefined) {
      this.#gapMs -= count / 16;
      if (this.#digits.length === 0 || this.#gapMs > 0) return false;
      const { digit, ms } = this.#digits.shift()!;
      this.#tone = new ToneGenerator(dtmfProgram(digit, ms), 16_000);
    }
    if (this.#toneBuffer.length !== count) this.#toneBuffer = new Int16Array(count);
    else this.#toneBuffer.fill(0);
    if (!this.#tone.mix(this.#toneBuffer)) {
      this.#tone = undefined;
      this.#gapMs = GAP_MS;
    }
    return true;
  }

  #flush(codec: Codec): void {
    const frame = this.#frame, coded = this.#coded, tail = this.#tail;
    if (coded !== frame) this.#halver.run(frame, frame.length, coded, 0);
    else for (let i = 0, from = frame.length - HALVER_REACH; i < HALVER_REACH; i++) tail[i] = frame[from + i]!;
    if (this.#event()) this.#spurt = true;
    else {
      const noise = this.enabled && this.#silence !== undefined ? this.#silence.step(coded, this.#payload) : -1;
      if (noise > 0) this.#send(false, this.#noiseType, this.#timestamp, noise);
      const bytes = this.enabled && noise < 0 ? codec.encode(coded, this.#payload) : 0;
      if (bytes > 0) this.#send(this.#spurt, this.#payloadType, this.#timestamp, bytes);
      this.#spurt = bytes === 0;
    }
    this.#timestamp = (this.#timestamp + this.#ptimeMs * codec.clockHz / 1000) >>> 0;
  }

  /**
   * Send the packet of the digit under way, or begin the next one; false when sound has its turn. The timestamp is that of the sound it
   * replaces also where the event's durations run on another clock (RFC 7160 §4.1).
   */
  #event(): boolean {
    const events = this.#events;
    if (!events.busy) {
      if (this.#eventType === undefined) return false;
      this.#gapMs -= this.#ptimeMs;
      const waiting = this.#digits[0];
      if (waiting === undefined || this.#gapMs > 0) return false;
      this.#digits.shift();
      if (!events.start(waiting.digit, waiting.ms, this.#timestamp, this.#ptimeMs * this.#eventHz / 1000, this.#eventHz)) return false;
    }
    if (!events.next()) return false;
    this.#payload.set(events.payload);
    if (this.enabled && this.#eventType !== undefined) this.#send(events.marker, this.#eventType, events.timestamp, events.payload.length);
    if (!events.busy) this.#gapMs = GAP_MS;
    return true;
  }

  #send(marker: boolean, payloadType: number, timestamp: number, bytes: number): void {
    writeRtpHeader(this.#packet, marker, payloadType, this.#sequence, timestamp, this.ssrc);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.packets++;
    this.octets += bytes;
    const length = RTP_HEADER_BYTES + bytes;
    if (this.#cut.length !== length) this.#cut = this.#packet.subarray(0, length);
    this.#emit(this.#cut);
  }
}

const silence = new Int16Array(PERIOD);
const unheard = new Int16Array(HALVER_REACH);
