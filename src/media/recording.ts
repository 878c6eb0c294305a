// A call's sound into a WAV file, and the notice of it into both ears. Loaded with the first recording (extras.ts).
//
//   said --+ beep--> sent            left  \
//          '-----------------------> right  > ring of 8 s --chunks of 2 s--> file --every 10 s--> disk
//   heard ------------------+ beep-> earpiece
//
// The card's period only copies samples; files are written beside it. After each chunk the header tells what is there, so that the file is whole
// at every instant, and the disk is made to keep it seldom enough for a memory card. Left is what the other side was sent, beeps included.

import type { MediaExtras, Tap } from './extras.ts';
import type { Sender } from './sender.ts';
import { ToneGenerator } from './tones.ts';
import type { MediaEvent, RecordTo, ToneProgram } from './door.ts';
import { PhoneError } from '../ports/errors.ts';
import type { MakeSoundFile, SoundFile } from '../ports/recordings.ts';

/** The recorder warning tone of Federal Standard 1037C: half a second of 1,400 Hz every 15 s. As loud as speech, about -20 dBm0. */
const NOTICE: ToneProgram = { steps: [{ hz: [1400], dbm0: -20, ms: 500 }, { hz: [], dbm0: 0, ms: 14_500 }], times: 0 };
const RATE_HZ = 16_000;
const HEADER_BYTES = 44, CHANNELS = 2, FRAME_BYTES = 2 * CHANNELS;
/** Frames that are written at once, and that may wait for it. */
const CHUNK = 2 * RATE_HZ, RING = 4 * CHUNK;
/** The disk is made to keep what was written after so many chunks. */
const SYNC_CHUNKS = 5;
/** Left free for settings, log and all else. */
const RESERVE_BYTES = 32_000_000;

/** Header of a 16-bit WAV file. */
export type WavHeader = (rateHz: number, dataBytes: number, channels: number) => Uint8Array;

type News = Pick<Extract<MediaEvent, { event: 'recording' }>, 'on' | 'path' | 'seconds' | 'why'>;

/** Carries out the door's command 'record'. */
export const createRecord = (make: MakeSoundFile, header: WavHeader): MediaExtras['record'] => (stream, { stream: id, to }, tell) => {
  stream.tap?.end();
  stream.tap = to && new Recording(to, make, header, (news) => tell({ event: 'recording', stream: id, ...news }));
};

/** Begins at once: the notice with the next sample, the file as soon as it is there. */
class Recording implements Tap {
  readonly #make: MakeSoundFile;
  readonly #header: WavHeader;
  readonly #tell: (news: News) => void;
  readonly #path: string;
  /** Frames, left and right in turn. */
  readonly #ring = new Int16Array(CHANNELS * RING);
  readonly #most: number;
  #out = new Int16Array(320);
  #toFar = new ToneGenerator(NOTICE, RATE_HZ);
  #toNear = new ToneGenerator(NOTICE, RATE_HZ);
  #file: SoundFile | undefined;
  /** Frames so far: of the left, of the right, in the file, on the disk. */
  #said = 0;
  #heard = 0;
  #written = 0;
  #kept = 0;
  /** The other side is sent to; it was not, or not heard, and nothing is kept until it is. */
  #sends = true;
  #paused = false;
  #busy = false;
  #ended = false;
  #over = false;
  #why = '';

  constructor({ path, maxS, maxBytes }: RecordTo, make: MakeSoundFile, header: WavHeader, tell: (news: News) => void) {
    this.#path = path;
    this.#make = make;
    this.#header = header;
    this.#tell = tell;
    this.#most = Math.min(maxS * RATE_HZ, Math.floor((maxBytes - HEADER_BYTES) / FRAME_BYTES));
    void this.#drain();
  }

  say(samples: Int16Array, count: number, to: Pick<Sender, 'push' | 'muted' | 'enabled'>): void {
    this.#sends = to.enabled;
    if (!to.enabled) this.#paused = true;
    if (this.#said > this.#heard) { // what was said last met nothing heard: we hold the other side
      this.#said = this.#heard;
      this.#paused = true;
    }
    if (this.#paused || this.#ended) return to.push(samples, count);
    if (this.#out.length !== count) this.#out = new Int16Array(count);
    const out = this.#out, { muted } = to;
    for (let i = 0; i < count; i++) out[i] = muted ? 0 : samples[i]!;
    this.#toFar.mix(out);
    this.#keep(out, count, 0, this.#said);
    this.#said += count;
    to.muted = false; // the notice is heard also of one who is muted
    to.push(out, count);
    to.muted = muted;
  }

  hear(samples: Int16Array, count: number): void {
    if (this.#ended || !this.#sends) return;
    if (this.#paused) { // both talk again, from the next period on
      this.#paused = false;
      this.#toFar = new ToneGenerator(NOTICE, RATE_HZ);
      this.#toNear = new ToneGenerator(NOTICE, RATE_HZ);
      return;
    }
    this.#keep(samples, count, 1, this.#heard);
    this.#heard += count;
    this.#toNear.mix(samples.length === count ? samples : samples.subarray(0, count));
    const waiting = this.#ready - this.#written;
    if (this.#ready >= this.#most) this.#end('it is as long as a recording may be: settings recording.maxMinutes and recording.maxMegabytes');
    else if (waiting > RING - 2 * count) this.#end('the disk is too slow');
    else if (waiting >= CHUNK) void this.#drain();
  }

  end(): void {
    this.#end('');
  }

  #end(why: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#why = why;
    void this.#drain();
  }

  /** Frames of which both channels are there. */
  get #ready(): number {
    return Math.min(this.#said, this.#heard);
  }

  #keep(samples: Int16Array, count: number, channel: number, from: number): void {
    const ring = this.#ring;
    for (let i = 0, at = CHANNELS * (from % RING) + channel; i < count; i++) {
      ring[at] = samples[i]!;
      at += CHANNELS;
      if (at >= ring.length) at = channel;
    }
  }

  /** Write what is whole, all of it at the end. One at a time; what comes meanwhile is seen to by the one under way. */
  async #drain(): Promise<void> {
    if (this.#busy || this.#over) return;
    this.#busy = true;
    try {
      const file = this.#file ?? await this.#begin();
      for (;;) {
        const waiting = this.#ready - this.#written, at = this.#written % RING;
        const count = waiting >= CHUNK ? CHUNK : this.#ended ? waiting : 0;
        if (count === 0) break;
        await file.write(new Uint8Array(this.#ring.buffer, FRAME_BYTES * at, FRAME_BYTES * count), HEADER_BYTES + FRAME_BYTES * this.#written);
        await file.write(this.#header(RATE_HZ, FRAME_BYTES * (this.#written + count), CHANNELS), 0);
        this.#written += count;
        if (this.#written - this.#kept < SYNC_CHUNKS * CHUNK) continue;
        await file.sync();
        this.#kept = this.#written;
        await this.#room(file);
      }
      if (this.#ended) {
        this.#over = true;
        await file.sync();
        await file.close();
        this.#news(false);
      }
    } catch (error) {
      await this.#fail(error);
    }
    this.#busy = false;
  }

  async #begin(): Promise<SoundFile> {
    const file = this.#file = await this.#make(this.#path);
    await this.#room(file);
    await file.write(this.#header(RATE_HZ, 0, CHANNELS), 0);
    this.#news(true);
    return file;
  }

  async #room(file: SoundFile): Promise<void> {
    if (await file.free() < RESERVE_BYTES) throw new PhoneError('DISK_FULL', `less than ${RESERVE_BYTES / 1_000_000} MB are free at ${this.#path}`);
  }

  /** What is in the file stays as it is. */
  async #fail(error: unknown): Promise<void> {
    this.#ended = this.#over = true;
    this.#why = error instanceof Error ? error.message : String(error);
    await this.#file?.close().catch(() => undefined);
    this.#news(false);
  }

  #news(on: boolean): void {
    this.#tell({ on, path: this.#path, seconds: Math.round(this.#written / RATE_HZ), why: this.#why });
  }
}
