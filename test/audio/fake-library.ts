// A sound library in memory on the fake clock: cards that capture a counter and keep what they are given, and fail as told.

import { CAPTURE } from '../../src/audio/alsa.ts';
import type { Direction, Hint, Pcm, SoundLibrary, Wish } from '../../src/audio/alsa.ts';
import { ERRNO } from '../../src/audio/errno.ts';
import type { FakeClock } from '../fakes/clock.ts';

export interface FakeCard {
  rateHz?: number;
  channels?: number;
  bits?: 16 | 32;
  /** Its playback clock runs so much faster than its capture clock. */
  playbackPpm?: number;
  /** Its position moves in lumps of so many frames. */
  lumpFrames?: number;
  /** Errno of every call from now on; 0: none. */
  fault: number;
  /** Its microphone says nothing is wrong and gives nothing. */
  dead?: boolean;
  without?: 'capture' | 'playback';
}

export class FakeLibrary implements SoundLibrary {
  /** Questions how much can be read or written. */
  asked = 0;
  readonly cards = new Map<string, FakeCard>();
  readonly opened: { readonly name: string; readonly direction: Direction; closed: boolean }[] = [];
  /** Frames given to playback, first channel, in order. */
  readonly played: number[] = [];
  openMs = 3;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  get holding(): number {
    return this.opened.filter((o) => !o.closed).length;
  }

  open(name: string, direction: Direction, wish: Wish, done: (opened: Pcm | number) => void): void {
    this.#clock.after(this.openMs, () => {
      const card = this.cards.get(name);
      if (card === undefined || card.without === (direction === CAPTURE ? 'capture' : 'playback')) done(ERRNO.NOENT);
      else if (card.fault !== 0) done(card.fault);
      else done(this.#pcm(card, name, direction, wish));
    });
  }

  #pcm(card: FakeCard, name: string, direction: Direction, wish: Wish): Pcm {
    const clock = this.#clock;
    const entry = { name, direction, closed: false };
    this.opened.push(entry);
    const rateHz = card.rateHz ?? wish.rateHz;
    const channels = card.channels ?? 1;
    const periodFrames = Math.round((wish.periodFrames * rateHz) / wish.rateHz);
    const bufferFrames = periodFrames * wish.periods;
    const capture = direction === CAPTURE;
    const speed = 1 + (capture ? 0 : card.playbackPpm ?? 0) / 1e6;
    let startMs = -1;
    let done = 0;
    const lump = card.lumpFrames ?? 1;
    const passed = () => (startMs < 0 ? 0 : lump * Math.floor(((clock.now() - startMs) * rateHz * speed) / 1_000 / lump + 1e-6));
    const room = (): number => {
      if (entry.closed) throw new Error('a closed PCM was touched');
      if (card.fault !== 0) return card.fault;
      if (card.dead === true && capture) return 0;
      const free = capture ? passed() - done : bufferFrames - (done - passed());
      return free > bufferFrames ? ERRNO.PIPE : free;
    };
    return {
      rateHz, channels, bits: card.bits ?? 16, periodFrames, bufferFrames,
      available: () => {
        this.asked++;
        return room();
      },
      delay: () => Math.max(0, done - passed()),
      read: (into, frames) => {
        const there = room();
        if (there <= 0) return there < 0 ? there : ERRNO.AGAIN;
        const count = Math.min(there, frames);
        for (let i = 0; i < count; i++, done++) for (let c = 0; c < channels; c++) into[i * channels + c] = card.bits === 32 ? (done % 30_000) << 16 : done % 30_000;
        return count;
      },
      write: (from, frames) => {
        const there = room();
        if (there <= 0) return there < 0 ? there : ERRNO.AGAIN;
        const count = Math.min(there, frames);
        for (let i = 0; i < count; i++) for (let c = 0; c < channels; c++) if (c === 0) this.played.push(card.bits === 32 ? from[i * channels]! >> 16 : from[i * channels]!);
        done += count;
        return count;
      },
      prepare: () => {
        startMs = -1;
        done = 0;
        return card.fault;
      },
      start: () => {
        startMs = clock.now();
        return card.fault;
      },
      drop: () => 0,
      resume: () => card.fault,
      close: () => {
        if (entry.closed) throw new Error('a PCM was closed twice');
        entry.closed = true;
      },
    };
  }

  hints(): Hint[] {
    return [...this.cards.keys()].map((name) => ({ name, description: `card ${name}`, input: true, output: true }));
  }

  explain(code: number): string {
    return `error ${-code}`;
  }
}
