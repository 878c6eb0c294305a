// The jitter buffer: puts packets back in order and decides, each time sound is needed, what comes next. Time and packets are
// passed in; it holds references to payloads in a fixed ring and makes nothing per packet. It neither decodes nor changes sound:
// `excessMs` tells the caller how far from the wanted delay it plays, and the caller shortens or lengthens the sound.
//
//   delay of a packet   = its arrival against the fastest packet of the last seconds
//   wanted delay        = what 99.5 % of packets keep to (a histogram that forgets), plus a margin, within the settings
//   delay of playing    = the instant of playing against the same fastest packet

import type { RtpPacket } from './rtp.ts';

/** What to play next: nothing yet; the packet in `payload`; or `ticks` of concealment. */
export type Next = 'wait' | 'play' | 'lost';

/** What the receive path needs of a jitter buffer. Ticks are of the RTP clock. */
export interface JitterBuffer {
  /** Keep a packet that arrived at `nowMs`; false when it is late, doubled or odd. */
  put(packet: RtpPacket, nowMs: number): boolean;
  /** A packet that is no sound (an event, comfort noise) has this number: it is not lost, and the sender says nothing meanwhile. */
  skip(sequence: number): void;
  /** Decide on the sound that will be heard from `atMs` on. After 'play' the caller says played() before it asks again. */
  take(atMs: number): Next;
  /** How long the packet just taken turned out to be. */
  played(ticks: number): void;
  /** The caller has lengthened (or, negative, shortened) the sound by so much. */
  stretched(ms: number): void;
  /** Start over, with an RTP clock of so many ticks a second. `fec`: let a lost packet be taken whole from its successor. */
  reset(clockHz: number, fec: boolean): void;
  /** After 'play': the packet. After 'lost': the packet right after the lost one, when it may hold forward error correction. */
  readonly payload: Uint8Array | undefined;
  readonly payloadType: number;
  readonly ticks: number;
  /** Delay of playing beyond what is wanted, smoothed; negative when it should grow. */
  readonly excessMs: number;
  readonly delayMs: number;
  readonly targetMs: number;
  readonly late: number;
  readonly duplicates: number;
  /** Packets thrown away because the delay passed every limit. */
  readonly dropped: number;
  readonly held: number;
}

/** Room for two seconds of 20 ms packets: a power of two. */
const SLOTS = 128;
const BUCKET_MS = 5;
const BUCKETS = 200;
const FORGET = 0.001;
const QUANTILE = 0.995;
const MARGIN_MS = 5;
/** The fastest packet is sought over this long, twice. */
const WINDOW_MS = 2000;
/** Concealment comes in pieces of this length, and a gap is given up as silence after SILENT_MS. */
const PIECE_MS = 10;
const SILENT_MS = 120;
/** A sender whose time leaps further than this started over. */
const LEAP_MS = 2000;
/** Delay beyond the greatest wanted one before packets are thrown away. */
const FLOOD_MS = 60;

/** Stands in a slot for a packet that is no sound. */
const NO_SOUND = new Uint8Array(0);

export class AdaptiveJitter implements JitterBuffer {
  payload: Uint8Array | undefined;
  payloadType = 0;
  ticks = 0;
  delayMs = 0;
  targetMs: number;
  late = 0;
  duplicates = 0;
  dropped = 0;
  held = 0;

  readonly #minMs: number;
  readonly #maxMs: number;
  /** The ring, by sequence number: payloads where one is held, and what goes with them. */
  readonly #payloads: (Uint8Array | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  readonly #timestamps = new Uint32Array(SLOTS);
  readonly #types = new Uint8Array(SLOTS);
  readonly #weights = new Float32Array(BUCKETS);
  #perMs = 8;
  #fec = false;
  #started = false;
  #playing = false;
  /** The sequence number to play next, and the newest held. */
  #head = 0;
  #newest = 0;
  /** Where playing stands in the sender's time, and how much was concealed from there on. */
  #next = 0;
  #concealed = 0;
  /** Transit times are counted from `reference` ticks; the least of this window and of the one before. */
  #reference = 0;
  #least = Infinity;
  #leastBefore = Infinity;
  #windowEnds = 0;
  #counted = 0;
  /** The sequence number that would confirm a leap; -1 while none is suspected. */
  #confirms = -1;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = Math.max(minMs, maxMs);
    this.targetMs = minMs;
  }

  get excessMs(): number {
    return this.#playing ? this.delayMs - this.targetMs : 0;
  }

  reset(clockHz: number, fec: boolean): void {
    this.#perMs = clockHz / 1000;
    this.#fec = fec;
    this.#clear();
    this.#weights.fill(0);
    this.#counted = 0;
    this.targetMs = this.#minMs;
  }

  put(packet: RtpPacket, nowMs: number): boolean {
    const { sequence, timestamp } = packet;
    if (!this.#started) this.#begin(sequence, timestamp, nowMs);
    const ahead = ((sequence - this.#head) << 16) >> 16;
    const transit = nowMs - this.#since(timestamp);
    const delay = transit - Math.min(this.#least, this.#leastBefore);
    if (ahead >= SLOTS || ahead <= -SLOTS || delay > LEAP_MS || delay < -LEAP_MS) { // believed when the next packet agrees
      if (sequence !== this.#confirms) {
        this.#confirms = (sequence + 1) & 0xffff;
        return false;
      }
      this.#clear();
      return this.put(packet, nowMs);
    }
    this.#confirms = -1;
    if (ahead < 0) {
      if (this.#playing || this.held === 0 || ((this.#newest - sequence) & 0xffff) >= SLOTS) {
        this.late++;
        this.#learn(transit, nowMs, timestamp);
        return false;
      }
      this.#head = sequence;
    }
    if (!this.#hold(sequence, packet.payload)) {
      this.duplicates++;
      return false;
    }
    this.#timestamps[sequence % SLOTS] = timestamp;
    this.#types[sequence % SLOTS] = packet.payloadType;
    this.#learn(transit, nowMs, timestamp);
    return true;
  }

  skip(sequence: number): void {
    const ahead = ((sequence - this.#head) << 16) >> 16;
    if (this.#started && ahead >= 0 && ahead < SLOTS) this.#hold(sequence, NO_SOUND);
  }

  take(atMs: number): Next {
    this.payload = undefined;
    let first = this.#first();
    while (first >= 0 && this.#payloads[first % SLOTS] === NO_SOUND) {
      this.#drop(first);
      this.#playing = false;
      first = this.#first();
    }
    let timestamp = this.#timestamps[first % SLOTS] ?? 0;
    if (this.#playing) {
      if (first < 0) return this.#lose(Infinity);
      const gap = ((timestamp - this.#next) | 0) - this.#concealed;
      if (gap > 0 && first !== this.#head) {
        if (this.#fec && this.#concealed === 0 && first === ((this.#head + 1) & 0xffff) && gap <= 60 * this.#perMs) {
          this.payload = this.#payloads[first % SLOTS];
          this.ticks = this.#concealed = gap;
          return 'lost';
        }
        return this.#lose(gap);
      }
      if (gap > 0) this.#playing = false; // the sender paused: a talk gap, where the delay may change freely
    }
    if (first < 0) return this.#wait(PIECE_MS);
    let delay = this.#delay(timestamp, atMs);
    if (!this.#playing) {
      if (delay < this.targetMs - 1) return this.#wait(this.targetMs - delay);
      this.#playing = true;
      this.delayMs = delay;
    }
    while (delay > this.#maxMs + FLOOD_MS && this.held > 1) {
      this.#drop(first);
      this.dropped++;
      first = this.#first();
      if (this.#payloads[first % SLOTS] === NO_SOUND) return this.take(atMs);
      timestamp = this.#timestamps[first % SLOTS]!;
      this.delayMs = delay = this.#delay(timestamp, atMs);
    }
    this.delayMs += (delay - this.delayMs) / 8;
    this.payload = this.#payloads[first % SLOTS];
    this.payloadType = this.#types[first % SLOTS]!;
    this.#next = timestamp;
    this.#concealed = 0;
    this.#drop(first);
    return 'play';
  }

  played(ticks: number): void {
    this.#next = (this.#next + ticks) >>> 0;
  }

  stretched(ms: number): void {
    this.delayMs += ms;
  }

  /** Conceal up to `gap` ticks, or, after too much of it, fall silent until the wanted delay is there again. */
  #lose(gap: number): Next {
    if (this.#concealed >= SILENT_MS * this.#perMs) {
      this.#playing = false;
      return this.#wait(PIECE_MS);
    }
    this.ticks = Math.min(gap, PIECE_MS * this.#perMs);
    this.#concealed += this.ticks;
    return 'lost';
  }

  #wait(ms: number): Next {
    this.ticks = Math.ceil(Math.min(ms, PIECE_MS) * this.#perMs);
    return 'wait';
  }

  /** Fill the place of `sequence`; false when it is filled. */
  #hold(sequence: number, payload: Uint8Array): boolean {
    if (this.#payloads[sequence % SLOTS] !== undefined) return false;
    this.#payloads[sequence % SLOTS] = payload;
    this.held++;
    if (this.held === 1 || ((sequence - this.#newest) << 16) >> 16 > 0) this.#newest = sequence;
    return true;
  }

  /** The number of the first packet held, from the head on; -1 without any. */
  #first(): number {
    for (let i = 0; i < SLOTS && this.held > 0; i++) {
      if (this.#payloads[(this.#head + i) % SLOTS] !== undefined) return (this.#head + i) & 0xffff;
    }
    return -1;
  }

  /** Free the place of `sequence` and move past it. */
  #drop(sequence: number): void {
    this.#payloads[sequence % SLOTS] = undefined;
    this.held--;
    this.#head = (sequence + 1) & 0xffff;
  }

  #since(timestamp: number): number {
    return ((timestamp - this.#reference) | 0) / this.#perMs;
  }

  #delay(timestamp: number, atMs: number): number {
    return atMs - this.#since(timestamp) - Math.min(this.#least, this.#leastBefore);
  }

  #begin(sequence: number, timestamp: number, nowMs: number): void {
    this.#started = true;
    this.#head = this.#newest = sequence;
    this.#reference = timestamp;
    this.#least = nowMs;
    this.#leastBefore = Infinity;
    this.#windowEnds = nowMs + WINDOW_MS;
  }

  #clear(): void {
    this.#payloads.fill(undefined);
    this.payload = undefined;
    this.held = 0;
    this.#started = this.#playing = false;
    this.#concealed = 0;
    this.#confirms = -1;
  }

  /** Take a packet's transit time into the distribution, and set the wanted delay by it. */
  #learn(transit: number, nowMs: number, timestamp: number): void {
    if (nowMs >= this.#windowEnds) {
      const moved = this.#since(timestamp); // the reference moves along, so that 32 bits never run out
      this.#reference = timestamp;
      this.#leastBefore = this.#least + moved;
      this.#least = transit += moved;
      this.#windowEnds = nowMs + WINDOW_MS;
    }
    if (transit < this.#least) this.#least = transit;
    const delay = transit - Math.min(this.#least, this.#leastBefore);
    const bucket = Math.min(BUCKETS - 1, Math.floor(delay / BUCKET_MS));
    const weights = this.#weights;
    const share = Math.max(FORGET, 1 / ++this.#counted);
    let sum = 0, reached = -1;
    for (let i = 0; i < BUCKETS; i++) {
      weights[i]! *= 1 - share;
      if (i === bucket) weights[i]! += share;
      sum += weights[i]!;
      if (reached < 0 && sum >= QUANTILE) reached = i;
    }
    if (reached < 0) reached = BUCKETS - 1;
    this.targetMs = Math.min(this.#maxMs, Math.max(this.#minMs, (reached + 1) * BUCKET_MS + MARGIN_MS));
  }
}
