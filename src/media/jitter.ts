// The jitter buffer: puts packets back in order and decides, each time sound is needed, what comes next. Time and packets are
// passed in; it holds references to payloads in a fixed ring and makes nothing per packet. It neither decodes nor changes sound:
// `excessMs` tells the caller how far from the wanted delay it plays, and the caller shortens or lengthens the sound.
//
//   delay of a packet   = its arrival against the fastest packet of the last seconds
//   wanted delay        = what the packets' lateness is worth (lateness.ts), within the settings; a packet more where error correction is needed
//   delay of playing    = the instant of playing against the same fastest packet

import { Lateness } from './lateness.ts';
import type { RtpPacket } from './rtp.ts';

/** What to play next: nothing yet, for `ticks`; the packet in `payload`, after `gap` ticks to be filled; `ticks` of concealment. */
export type Next = 'wait' | 'play' | 'lost';

/** What the receive path needs of a jitter buffer. Ticks are of the RTP clock; instants are ms of the clock that playing goes by. */
export interface JitterBuffer {
  /** Keep a packet that may be played from `nowMs` on; false when it is late, doubled or odd. */
  put(packet: RtpPacket, nowMs: number): boolean;
  /** A packet that is no sound (an event, comfort noise) has this number: it is not lost, and the sender says nothing meanwhile. `noise`: what it says of the silence. */
  skip(sequence: number, noise?: Uint8Array): void;
  /** Decide on the sound that will be heard from `atMs` on, of which `need` ticks are due at once. After 'play' the caller says played() before it asks again. */
  take(atMs: number, need: number): Next;
  /** How long the packet just taken turned out to be. */
  played(ticks: number): void;
  /** The caller has lengthened (or, negative, shortened) the sound by so much. */
  stretched(ms: number): void;
  /** Start over, with an RTP clock of so many ticks a second. `fec`: let a lost packet be taken whole from its successor; `patienceMs`: give a gap up as silence after so long. */
  reset(clockHz: number, fec: boolean, patienceMs: number): void;
  /** Another codec's packets come from now on, on the same clock. */
  suit(fec: boolean, patienceMs: number): void;
  /** After 'play': the packet. */
  readonly payload: Uint8Array | undefined;
  readonly payloadType: number;
  readonly ticks: number;
  /** After 'play': ticks lost before the packet; how much of its beginning was concealed already and need not be played. */
  readonly gap: number;
  readonly overlap: number;
  /** After 'play': the packet does not follow on what was played or concealed before. */
  readonly seam: boolean;
  /** After 'play' with a gap: it is that of the packet just before, so that this one may hold its sound. */
  readonly single: boolean;
  /** After 'play': the sender was silent before the packet, nothing was lost. */
  readonly paused: boolean;
  /** What the sender said of its silence last, until it speaks again. */
  readonly noise: Uint8Array | undefined;
  /** Delay of playing beyond what is wanted; negative when it should grow. */
  readonly excessMs: number;
  readonly delayMs: number;
  readonly targetMs: number;
  readonly late: number;
  readonly duplicates: number;
  /** Packets thrown away because the delay passed every limit. */
  readonly dropped: number;
  readonly held: number;
  readonly heldMs: number;
}

/** Room for two seconds of 20 ms packets: a power of two. */
const SLOTS = 128;
/** A gap is filled as a whole when no more than this is missing; with error correction when it is the packet just before, up to PACKET_MS. */
const FILL_MS = 20;
const PACKET_MS = 60;
/** What was concealed of a late packet is left out only up to here: else packets that all come later would be left out one after the other. */
const SKIP_MS = 20;
/** A sender whose time leaps further than this started over. */
const LEAP_MS = 2000;
/** Delay beyond the greatest wanted one before packets are thrown away. */
const FLOOD_MS = 60;
/** Share of lost packets, over the last LOSS_MEMORY of them, from which on error correction is waited for. */
const LOSS_MEMORY = 256;
const LOSSY = 0.01;
/** Delay that lets the sound after a lost packet be known before all of the gap is filled. */
const NEIGHBOUR_MS = 10;

/** Payload of a packet that is no sound, and its payload type in a slot. */
const NOTHING = new Uint8Array(0);
const NO_SOUND = 255;

export class AdaptiveJitter implements JitterBuffer {
  payload: Uint8Array | undefined;
  payloadType = 0;
  ticks = 0;
  gap = 0;
  overlap = 0;
  seam = false;
  single = false;
  paused = false;
  noise: Uint8Array | undefined;
  delayMs = 0;
  late = 0;
  duplicates = 0;
  dropped = 0;
  held = 0;

  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #lateness = new Lateness();
  /** The ring, by sequence number: payloads where one is held, and what goes with them. */
  readonly #payloads: (Uint8Array | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  readonly #timestamps = new Uint32Array(SLOTS);
  readonly #types = new Uint8Array(SLOTS);
  #perMs = 8;
  #fec = false;
  #patienceMs = 0;
  #started = false;
  #playing = false;
  /** The sequence number to play next, and the newest held. */
  #head = 0;
  #newest = 0;
  /** Where playing stands in the sender's time, and how much of that was concealed since the last packet. */
  #next = 0;
  #concealed = 0;
  /** Ticks of the packet played last. */
  #length = 0;
  /** Transit times are counted from `reference` ticks. */
  #reference = 0;
  #lost = 0;
  /** The sequence number that would confirm a leap; -1 while none is suspected. */
  #confirms = -1;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = Math.max(minMs, maxMs);
  }

  get targetMs(): number {
    const more = this.#lost < LOSSY ? 0 : this.#fec ? this.#length / this.#perMs : NEIGHBOUR_MS;
    return Math.min(this.#maxMs, Math.max(this.#minMs, this.#lateness.wantedMs + more));
  }

  get heldMs(): number {
    return this.held * this.#length / this.#perMs;
  }

  get excessMs(): number {
    return this.#playing ? this.delayMs - this.targetMs : 0;
  }

  reset(clockHz: number, fec: boolean, patienceMs: number): void {
    this.#perMs = clockHz / 1000;
    this.suit(fec, patienceMs);
    this.#lost = 0;
    this.#clear();
  }

  suit(fec: boolean, patienceMs: number): void {
    this.#fec = fec;
    this.#patienceMs = patienceMs;
  }

  put(packet: RtpPacket, nowMs: number): boolean {
    const { sequence, timestamp } = packet;
    if (!this.#started) {
      this.#started = true;
      this.#head = this.#newest = sequence;
      this.#reference = timestamp;
      this.#lateness.begin(nowMs, nowMs);
    }
    const ahead = ((sequence - this.#head) << 16) >> 16;
    const transit = nowMs - this.#since(timestamp);
    const delay = transit - this.#lateness.leastMs;
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
    if (!this.#hold(sequence, packet.payload, packet.payloadType)) {
      this.duplicates++;
      return false;
    }
    this.#timestamps[sequence % SLOTS] = timestamp;
    this.#learn(transit, nowMs, timestamp);
    return true;
  }

  skip(sequence: number, noise = NOTHING): void {
    const ahead = ((sequence - this.#head) << 16) >> 16;
    if (this.#started && ahead >= 0 && ahead < SLOTS) this.#hold(sequence, noise, NO_SOUND);
  }

  take(atMs: number, need: number): Next {
    this.payload = undefined;
    this.gap = this.overlap = 0;
    let first = this.#first();
    while (first >= 0 && this.#types[first % SLOTS] === NO_SOUND) {
      const noise = this.#payloads[first % SLOTS]!;
      if (noise.length > 0) this.noise = noise;
      this.#drop(first);
      this.#playing = false;
      first = this.#first();
    }
    if (first < 0) return this.#playing ? this.#lose(need) : this.#wait(need);
    let timestamp = this.#timestamps[first % SLOTS]!;
    let ahead = (timestamp - this.#next) | 0;
    this.single = ahead === this.#length || (first === ((this.#head + 1) & 0xffff) && this.#concealed === 0);
    this.paused = first === this.#head && ahead + this.#concealed > 0;
    if (this.paused) this.#playing = false; // a talk gap, where the delay may change freely
    else if (this.#playing && ahead > 0) {
      const fill = !this.#fec ? FILL_MS * this.#perMs : this.single ? PACKET_MS * this.#perMs : this.#length;
      if (ahead > fill) return this.#lose(Math.min(need, ahead - fill));
      this.gap = ahead;
    }
    const target = this.targetMs;
    let delay = this.#delay(timestamp, atMs);
    if (!this.#playing) {
      if (delay < target - 0.5) return this.#wait(Math.min(need, Math.ceil((target - delay) * this.#perMs)));
      this.#playing = true;
      ahead = 0;
    }
    while (delay > this.#maxMs + FLOOD_MS && this.held > 1) {
      this.#drop(first);
      this.dropped++;
      first = this.#first();
      if (this.#types[first % SLOTS] === NO_SOUND) return this.take(atMs, need);
      timestamp = this.#timestamps[first % SLOTS]!;
      delay = this.#delay(timestamp, atMs);
      ahead = this.gap = 0;
    }
    for (let i = (first - this.#head) & 0xffff; i >= 0; i--) this.#lost += ((i > 0 ? 1 : 0) - this.#lost) / LOSS_MEMORY;
    this.delayMs = delay + this.gap / this.#perMs;
    this.seam = ahead !== this.gap;
    if (ahead < 0 && -ahead <= SKIP_MS * this.#perMs) this.overlap = Math.max(0, Math.min(-ahead, Math.floor((delay - target) * this.#perMs)));
    this.payload = this.#payloads[first % SLOTS];
    this.payloadType = this.#types[first % SLOTS]!;
    this.noise = undefined;
    this.#next = timestamp;
    this.#concealed = 0;
    this.#drop(first);
    return 'play';
  }

  played(ticks: number): void {
    this.#next = (this.#next + ticks) >>> 0;
    this.#length = ticks;
  }

  stretched(ms: number): void {
    this.delayMs += ms;
  }

  /** Conceal `ticks`, or, after too much of it, fall silent until the wanted delay is there again. */
  #lose(ticks: number): Next {
    if (this.#concealed >= this.#patienceMs * this.#perMs) {
      this.#playing = false;
      return this.#wait(ticks);
    }
    this.ticks = ticks;
    this.#concealed += ticks;
    this.#next = (this.#next + ticks) >>> 0;
    return 'lost';
  }

  #wait(ticks: number): Next {
    this.ticks = ticks;
    return 'wait';
  }

  /** Fill the place of `sequence`; false when it is filled. */
  #hold(sequence: number, payload: Uint8Array, type: number): boolean {
    if (this.#payloads[sequence % SLOTS] !== undefined) return false;
    this.#payloads[sequence % SLOTS] = payload;
    this.#types[sequence % SLOTS] = type;
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
    return atMs - this.#since(timestamp) - this.#lateness.leastMs;
  }

  #clear(): void {
    this.#payloads.fill(undefined);
    this.payload = this.noise = undefined;
    this.held = 0;
    this.#started = this.#playing = false;
    this.#concealed = 0;
    this.#confirms = -1;
  }

  #learn(transit: number, nowMs: number, timestamp: number): void {
    if (!this.#lateness.learn(transit, nowMs)) return;
    this.#lateness.move(this.#since(timestamp)); // the reference moves along, so that 32 bits never run out
    this.#reference = timestamp;
  }
}
