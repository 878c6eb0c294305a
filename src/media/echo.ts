// Echo control of one microphone and one loudspeaker, in frames of 10 ms at 16 kHz.
//
//   written to the card --> delay line --reference--+
//                                                   v
//   microphone ----------------------------> canceller -> suppressor -> switched loss or gate -> comfort noise -> to be sent
//
// The delay line makes up for the time from writing to hearing; the canceller's tail is for the room alone. Powers are mean squares.

import { DelayFinder } from './bulk-delay.ts';
import { Hiss, NoiseFloor } from './floor.ts';
import { Gate } from './gate.ts';
import type { Canceller, Suppressor } from './speexdsp.ts';

export const FRAME = 160;
export const RATE_HZ = 16_000;
/** The room's answer that is cancelled: 128 ms. */
export const TAIL = 2048;
/** What was written is remembered for a second: the longest delay of a card, and a period. */
const PAST = 100 * FRAME;
/** The reference comes so much before its echo is due, so that an alignment a little off still precedes it. */
const EARLY = 48;
/** An echo found at this place in the tail is as good as where it is. */
const INSIDE = { from: -160, to: 640 } as const;
/** It must be found elsewhere twice, no further apart than this: a voice may look like itself by chance. */
const AGREE = 400;
/** What was found counts for so much earlier: reflections are easier to see than what comes first. */
const BEFORE = 96;
/** Alignments that differ by no more are one. */
const SAME = 24;

const FULL = 32_768 ** 2;
/** The far side speaks: -50 dBov. */
const SPEECH = FULL * 1e-5;
/** A room's echo dies away by so much a frame. */
const DECAY = 10 ** -0.24;
/** Frames of far speech to a measurement of the echo loss. */
const WINDOW = 40;
/** From this echo loss on the canceller is trusted, below the other one no longer, in dB. */
const CONVERGED_DB = 12;
const LOST_DB = 6;
/** Below this one it may be that most of the echo comes later than the tail reaches: its beginning is looked for. */
const SURE_DB = 20;
/** How fast what is known of it follows a better measurement, and a worse one. */
const RISES = 0.5;
const FALLS = 0.03;
/** Frames of far speech within which a canceller that hears an echo must have learned it. */
const PATIENCE = 800;
/** The echo is there when so many of the frames with far speech stand out of the room's noise. */
const ECHO_THERE = 0.6;

/** Loss switched in while the residual is high, and the one of the gate. */
const LOSS = 10 ** (-14 / 20);
const GATE = 10 ** (-45 / 20);
/** What the gate takes off the loudspeaker while the near side has the word. */
const DUCK = 10 ** (-20 / 20);
/** A frame that is no more than so much louder than the expected residual is residual. */
const RESIDUAL = 6;
/** So is one that the canceller made quieter by half of what it does on the mean, in dB: near speech would not have been. */
const HALF = 0.5;
/** Steps by which the residual is followed: settles where one in five frames is louder, so that near speech does not count. */
const UP_DB = 0.08;
const DOWN_DB = 0.32;
/** The canceller subtracts something that is not the echo when what it leaves is so much like it. */
const ASTRAY = 0.35;

export type EchoState =
  /** No far speech yet, or not enough to tell. */
  | 'learning'
  | 'converged'
  /** Nothing of the far side comes back. */
  | 'no echo'
  /** Half duplex: by setting, without the library, or since the canceller does not converge. */
  | 'gate';

export class EchoControl {
  readonly #canceller: Canceller | undefined;
  readonly #suppressor: Suppressor | undefined;
  readonly #gated: boolean;
  readonly #gate = new Gate();
  readonly #finder = new DelayFinder();
  readonly #hiss = new Hiss();
  /** Noise of the microphone, and what is left of it at the end. */
  readonly #noise = new NoiseFloor();
  readonly #rest = new NoiseFloor();
  readonly #past = new Int16Array(PAST);
  #written = 0;
  #read = 0;
  /** Sample n of what is captured is compared with sample n - delay of what was written. */
  #delay: number;
  /** Samples captured before the first one is written: a period of the card. */
  readonly #ahead: number;
  /** From writing to hearing, by the card's word; and how much later than that the echo was found. */
  #reported = 0;
  #unreported = 0;
  /** Where the echo was found last, when that is not where it is looked for; else -1. */
  #elsewhere = -1;
  readonly #reference = new Int16Array(FRAME);
  readonly #latest = new Int16Array(FRAME);
  readonly #out = new Int16Array(FRAME);
  /** What the canceller alone left of the last frame, for measurements. */
  readonly filtered = new Int16Array(FRAME);
  #gain = 1;
  #duck = 1;
  #near = false;

  /** Sums over the window under way. */
  #frames = 0;
  #heardSum = 0;
  #leftSum = 0;
  #sentSum = 0;
  #filterDb = 0;
  #totalDb = 0;
  #expected = 0;
  #residualDb = 0;
  #astray = 0;
  #farFrames = 0;
  #standsOut = 0;
  #converged = false;
  #givenUp = false;

  /** `periodFrames` of the card are captured, then as many written. Without a canceller: a gate. `suppressor` is of the same canceller. */
  constructor(periodFrames: number, canceller: Canceller | undefined, suppressor: Suppressor | undefined) {
    this.#ahead = this.#delay = periodFrames;
    this.#canceller = canceller;
    this.#suppressor = suppressor;
    this.#gated = canceller === undefined;
  }

  get state(): EchoState {
    if (this.#gated || this.#givenUp) return 'gate';
    if (this.#converged) return 'converged';
    return this.#farFrames > PATIENCE && this.#standsOut < ECHO_THERE ? 'no echo' : 'learning';
  }

  /** In the frame captured last, its echo's tail included. */
  get farSpeaks(): boolean {
    return this.#expected > SPEECH;
  }

  /** Echo loss of the canceller alone and of everything, in dB; as of late, while the far side speaks. */
  get filterDb(): number {
    return this.#filterDb;
  }

  get totalDb(): number {
    return this.#totalDb;
  }

  /** Samples from writing to hearing that are reckoned with. */
  get delayFrames(): number {
    return this.#reported + this.#unreported;
  }

  /** What is written next will sound `delayFrames` samples after the end of what was captured last: so much the card has queued. */
  align(delayFrames: number): void {
    if (Math.abs(delayFrames - this.#reported) <= SAME) return;
    this.#reported = delayFrames;
    this.#shift();
  }

  /** Take a frame that goes to the card; true when it was made quieter. */
  played(frame: Int16Array): boolean {
    const duck = this.#near && (this.#gated || this.#givenUp) ? DUCK : 1;
    const quieter = duck !== 1 || this.#duck !== 1;
    if (quieter) fade(frame, this.#duck, duck);
    this.#duck = duck;
    const at = this.#written % PAST;
    for (let i = 0; i < FRAME; i++) this.#past[at + i] = frame[i]!;
    this.#written += FRAME;
    return quieter;
  }

  /** Take the echo out of a frame of the microphone, in place. */
  captured(frame: Int16Array): void {
    const reference = this.#reference, out = this.#out, canceller = this.#canceller;
    this.#tap(reference, this.#delay);
    const x = power(reference), heard = power(frame);
    if (canceller === undefined) out.set(frame);
    else canceller.cancel(frame, reference, out);
    this.filtered.set(out);
    const left = power(out);
    this.#expected = Math.max(x, this.#expected * DECAY);
    const far = this.#expected > SPEECH;
    this.#learn(frame, x > SPEECH, far, heard, left);
    if (this.#filterDb < SURE_DB) this.#find(frame, x > SPEECH);
    this.#read += FRAME;
    this.#suppressor?.run(out);

    const half = this.#gated || this.#givenUp;
    const word = this.#gate.judge(x, heard, this.#noise.power);
    this.#near = word === 'near';
    let gain = 1;
    if (half) gain = word === 'far' ? GATE : 1;
    else if (far && canceller !== undefined) gain = this.#loss(heard, left);
    if (gain !== 1 || this.#gain !== 1) fade(out, this.#gain, gain);
    this.#gain = gain;
    const sent = power(out);
    if (x > SPEECH) this.#sentSum += sent;
    if (!far && gain === 1) this.#rest.take(sent);
    else if (sent < this.#rest.power) this.#hiss.add(out, this.#rest.power - sent);
    frame.set(out);
  }

  /** Gain of the switched loss in a frame with far speech. */
  #loss(heard: number, left: number): number {
    const over = 10 * Math.log10((left + 1) / (this.#expected + 1)) - this.#residualDb;
    this.#residualDb += over > 0 ? UP_DB : -DOWN_DB;
    if (this.#astray > ASTRAY || !this.#converged) return this.#near ? 1 : LOSS;
    if (left < heard * 10 ** (-HALF * this.#filterDb / 10)) return LOSS;
    return left < RESIDUAL * this.#expected * 10 ** (this.#residualDb / 10) ? LOSS : 1;
  }

  #learn(frame: Int16Array, speaks: boolean, far: boolean, heard: number, left: number): void {
    if (!far) this.#noise.take(heard);
    if (!speaks) return;
    this.#farFrames++;
    this.#standsOut += 0.01 * ((heard > 10 * this.#noise.power + 10 ? 1 : 0) - this.#standsOut);
    this.#astray += 0.1 * (this.#comesBack(frame) - this.#astray);
    this.#heardSum += heard;
    this.#leftSum += left;
    if (++this.#frames < WINDOW) return;
    const filterDb = 10 * Math.log10((this.#heardSum + 1) / (this.#leftSum + 1)), totalDb = 10 * Math.log10((this.#heardSum + 1) / (this.#sentSum + 1));
    this.#frames = this.#heardSum = this.#leftSum = this.#sentSum = 0;
    // Near speech makes it look worse than it is, nothing makes it look better
    const astray = this.#astray > ASTRAY, falls = astray ? RISES : this.#near ? 0 : FALLS;
    this.#filterDb += (filterDb > this.#filterDb ? RISES : falls) * (filterDb - this.#filterDb);
    this.#totalDb += (totalDb > this.#totalDb ? RISES : falls) * (totalDb - this.#totalDb);
    if (this.#filterDb > CONVERGED_DB) {
      this.#converged = true;
      this.#givenUp = false;
      this.#farFrames = 0;
    } else if (this.#filterDb < LOST_DB) {
      this.#converged = false;
      if (this.#farFrames > PATIENCE && this.#standsOut > ECHO_THERE && this.#canceller !== undefined) this.#givenUp = true;
    }
  }

  /** How alike what the canceller left is to the opposite of what it subtracted, -1 to 1: not at all when that was the echo. */
  #comesBack(frame: Int16Array): number {
    const out = this.#out;
    let cross = 0, own = 1, left = 1;
    for (let i = 0; i < FRAME; i++) {
      const subtracted = frame[i]! - out[i]!;
      cross -= subtracted * out[i]!;
      own += subtracted * subtracted;
      left += out[i]! * out[i]!;
    }
    return cross / Math.sqrt(own * left);
  }

  /** Look for the echo where the card says it is not. */
  #find(frame: Int16Array, speaks: boolean): void {
    const finder = this.#finder;
    this.#tap(this.#latest, this.#ahead);
    finder.take(this.#latest, frame, speaks);
    const found = finder.answer();
    if (found === -2) return;
    finder.restart();
    const place = this.#ahead + found - this.#delay;
    const before = this.#elsewhere;
    this.#elsewhere = found < 0 || (place >= INSIDE.from && place <= INSIDE.to) ? -1 : found;
    if (this.#elsewhere < 0 || before < 0 || Math.abs(found - before) > AGREE) return;
    this.#unreported = Math.max(0, Math.min(found, before) - BEFORE) - this.#reported;
    this.#shift();
  }

  #shift(): void {
    this.#delay = Math.max(this.#ahead, Math.min(PAST / 2, this.#ahead + this.#reported + this.#unreported - EARLY));
    this.#canceller?.reset();
    this.#finder.restart();
    this.#elsewhere = -1;
    this.#converged = this.#givenUp = false;
    this.#filterDb = this.#totalDb = this.#astray = 0;
    this.#farFrames = this.#frames = this.#heardSum = this.#leftSum = this.#sentSum = 0;
  }

  #tap(into: Int16Array, delay: number): void {
    const past = this.#past, from = this.#read - delay + PAST;
    for (let i = 0; i < FRAME; i++) into[i] = past[(from + i) % PAST]!;
  }
}

function power(frame: Int16Array): number {
  let sum = 0;
  for (let i = 0; i < FRAME; i++) sum += frame[i]! * frame[i]!;
  return sum / FRAME;
}

/** Gain from `before` to `now`, over the first half of a frame. */
function fade(frame: Int16Array, before: number, now: number): void {
  const half = FRAME / 2, step = (now - before) / half;
  let gain = before;
  for (let i = 0; i < FRAME; i++) {
    if (i < half) gain += step;
    frame[i] = Math.round(frame[i]! * gain);
  }
}
