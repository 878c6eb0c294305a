// Digits as RTP events, RFC 4733: the four payload bytes and when they are sent, and digits out of what arrives. Packets, sequence numbers
// and sockets are the engine's; times and durations are counted in the ticks of the event's clock.
//
//   0        8  9  10      16                32
//   | event  |E |R | volume | duration        |

const EVENTS = '0123456789*#ABCD!'; // ! is the hook flash, event 16
const END = 0x80;
/** Loudness that a gateway gives the tone: -10 dBm0. */
const VOLUME = 10;
/** §2.5.1.4: the last packet of an event is sent three times. */
const ENDS = 3;
/** §2.5.1.3: a longer event goes on as a further segment. */
const SEGMENT = 0xffff;
/** Shorter digits are not recognised everywhere (Q.24). */
const LEAST_MS = 40;
/** An event that went quiet for this long is over: its end was lost. */
export const LOST_END_MS = 200;
/** A packet at most this much older than the last event is a late one of the past; older still, the sender began anew. */
const PAST_S = 10;

/** Event code of `digit` (0-9 * # A-D, ! for flash), -1 for anything else. */
export const eventOf = (digit: string): number => digit.length === 1 ? EVENTS.indexOf(digit.toUpperCase()) : -1;

/** One event at a time, one packet every packet time. */
export class EventSender {
  /** What next() filled: the payload, reused each time; RTP timestamp and marker of its packet. */
  readonly payload = new Uint8Array(4);
  timestamp = 0;
  marker = false;
  #code = 0;
  #step = 0;
  /** Ticks the event still lasts; ticks of this segment said so far. */
  #left = 0;
  #said = 0;
  #ends = 0;
  #fresh = false;

  /** True from start() until the last packet was taken. */
  get busy(): boolean {
    return this.#ends > 0;
  }

  /**
   * Begin `digit` for `ms`, at media time `timestamp` (that of the first packet of sound it replaces), one packet each `stepTicks`.
   * False when the digit has no event or another is under way.
   */
  start(digit: string, ms: number, timestamp: number, stepTicks: number, clockHz: number): boolean {
    const code = eventOf(digit);
    if (code < 0 || this.busy || stepTicks <= 0) return false;
    this.#code = code;
    this.#step = stepTicks;
    this.#left = Math.ceil(Math.max(ms, LEAST_MS) * clockHz / 1000 / stepTicks) * stepTicks;
    this.#said = 0;
    this.#ends = ENDS;
    this.#fresh = true;
    this.timestamp = timestamp >>> 0;
    return true;
  }

  /** Fill `payload`, `timestamp` and `marker` for the packet due now; false when there is none. */
  next(): boolean {
    if (this.#ends === 0) return false;
    if (this.#left > 0) {
      if (this.#said >= SEGMENT) { // the segment is full and was told so; go on from its end, without a marker
        this.timestamp = (this.timestamp + SEGMENT) >>> 0;
        this.#said -= SEGMENT;
      }
      this.#said += this.#step;
      this.#left -= this.#step;
    }
    if (this.#left === 0) this.#ends--;
    this.marker = this.#fresh;
    this.#fresh = false;
    const { payload } = this;
    payload[0] = this.#code;
    payload[1] = (this.#left === 0 ? END : 0) | VOLUME;
    const duration = Math.min(this.#said, SEGMENT);
    payload[2] = duration >> 8;
    payload[3] = duration & 0xff;
    return true;
  }
}

/** Digits of one stream; each is told once, at its end. Make a new one when the other side's SSRC changes. */
export class EventReceiver {
  readonly #clockHz: number;
  readonly #onDigit: (digit: string, ms: number) => void;
  #code = -1;
  #open = false;
  /** Timestamp and duration of the segment; ticks of the segments before it. */
  #start = 0;
  #duration = 0;
  #before = 0;
  #heardMs = 0;

  constructor(clockHz: number, onDigit: (digit: string, ms: number) => void) {
    this.#clockHz = clockHz;
    this.#onDigit = onDigit;
  }

  /** A packet of the event payload type; false when it is none. */
  receive(payload: Uint8Array, timestamp: number, marker: boolean, nowMs: number): boolean {
    if (payload.length < 4 || payload[0]! >= EVENTS.length) return false;
    const code = payload[0]!;
    const duration = payload[2]! << 8 | payload[3]!;
    const since = (timestamp - this.#start) | 0;
    if (this.#code >= 0 && since < 0 && since > -PAST_S * this.#clockHz) return true; // late: its event was told, or is longer by now
    const going = code === this.#code && !marker;
    if (this.#code >= 0 && (since === 0 || (going && since < this.#duration))) { // some senders move the timestamp along with the event
      if (!this.#open || code !== this.#code) return true;
      this.#duration = Math.max(this.#duration, since + duration);
    } else if (going && this.#open && (since === SEGMENT || since === this.#duration) && since + this.#clockHz / 10 > SEGMENT) { // §2.5.1.3: the next segment
      this.#before += since;
      this.#start = timestamp;
      this.#duration = duration;
    } else {
      if (this.#open) this.#end(); // the one before lost its end
      this.#code = code;
      this.#open = true;
      this.#start = timestamp;
      this.#duration = duration;
      this.#before = 0;
    }
    this.#heardMs = nowMs;
    if ((payload[1]! & END) !== 0) this.#end();
    return true;
  }

  /** To be called now and then: ends an event whose end packets were all lost. */
  poll(nowMs: number): void {
    if (this.#open && nowMs - this.#heardMs >= LOST_END_MS) this.#end();
  }

  #end(): void {
    this.#open = false;
    this.#onDigit(EVENTS[this.#code]!, Math.round((this.#before + this.#duration) * 1000 / this.#clockHz));
  }
}
