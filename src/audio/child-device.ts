// The fallback driver: arecord and aplay as children. Sound passes through pipes, so the fill of the card cannot be seen and
// drift between two cards is not followed; what the library driver does better it does. Starting a child costs the thread milliseconds.
//
//   arecord --stdout--> onPeriod --stdin--> aplay

import { spawn } from 'node:child_process';
import type { AudioDevice, AudioOptions, AudioStatus } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';
import { ERRNO } from './errno.ts';
import { pace } from './pacer.ts';
import { trouble } from './trouble.ts';

export interface Child {
  /** Feed its standard input; gives the bytes that it has not taken yet. */
  write(bytes: Uint8Array): number;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

export interface ChildHandler {
  onBytes(bytes: Uint8Array): void;
  /** A piece of its standard error. */
  onComplaint(text: string): void;
  /** Once; -1 when it could not be started. */
  onExit(code: number): void;
}

export type Spawn = (command: string, args: readonly string[], handler: ChildHandler) => Child;

export const realSpawn: Spawn = (command, args, handler) => {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let ended = false;
  const end = (code: number) => {
    if (ended) return;
    ended = true;
    handler.onExit(code);
  };
  child.stdout.on('data', (bytes: Buffer) => handler.onBytes(bytes));
  child.stderr.on('data', (bytes: Buffer) => handler.onComplaint(bytes.toString()));
  child.stdin.on('error', () => {}); // its exit follows and says why
  child.on('error', () => end(-1));
  child.on('close', (code) => end(code ?? 1));
  return {
    write: (bytes) => {
      if (child.stdin.writable) child.stdin.write(Buffer.from(bytes));
      return child.stdin.writableLength;
    },
    kill: (signal) => {
      child.kill(signal);
    },
  };
};

/** Arguments of arecord and aplay alike. A bare hw: goes through the plug layer, which converts whatever the card has. */
export function childArgs(pcm: string, rateHz: number, periodFrames: number, periods: number): string[] {
  return [
    '-q', '-D', pcm.replace(/^hw:/, 'plughw:'), '-t', 'raw', '-f', 'S16_LE', '-c', '1', '-r', String(rateHz),
    `--period-size=${periodFrames}`, `--buffer-size=${periodFrames * periods}`,
  ];
}

/** Without it aplay waits until its buffer is full. */
const START_DELAY = '--start-delay=1000';
const RETRY_MS = 500;
/** aplay has been seen to ignore SIGTERM for minutes. */
const KILL_MS = 300;
const STUCK_MS = 2_000;
const PREFILL_PERIODS = 2;
/** Periods that may wait for aplay; more would only be late. */
const BACKLOG_PERIODS = 4;

/** Words in the children's complaints and the errno they stand for. */
const COMPLAINTS: readonly (readonly [string, number])[] = [
  ['No such file', ERRNO.NOENT], ['Unknown PCM', ERRNO.NOENT], ['No such device', ERRNO.NODEV], ['resource busy', ERRNO.BUSY],
  ['Permission denied', ERRNO.ACCES], ['not permitted', ERRNO.PERM], ['Connection refused', ERRNO.CONNREFUSED],
];

export class ChildDevice implements AudioDevice {
  readonly name: string;
  readonly rateHz: number;
  readonly periodFrames: number;
  readonly #ports: { readonly clock: Clock; readonly log?: Log | undefined; readonly spawn: Spawn };
  readonly #options: AudioOptions;
  readonly #capture: string;
  readonly #play: string;
  readonly #captured: Int16Array;
  readonly #playback: Int16Array;
  /** Bytes of #captured filled so far. */
  #filled = 0;
  #recorder: Child | undefined;
  #player: Child | undefined;
  #complaint = '';
  #state: AudioStatus['state'] = 'running';
  #trouble = '';
  #xruns = 0;
  #reopened = 0;
  #queuedBytes = 0;
  #heard = false;
  #closed = false;
  #stopPacer: () => void = () => {};
  #stopRetry: () => void = () => {};
  #stopWatch: () => void = () => {};

  constructor(ports: { clock: Clock; log?: Log | undefined; spawn: Spawn }, options: AudioOptions, capture: string, playback: string) {
    this.name = options.name;
    this.rateHz = options.rateHz;
    this.periodFrames = options.periodFrames;
    this.#ports = ports;
    this.#options = options;
    this.#capture = capture;
    this.#play = playback;
    this.#captured = new Int16Array(options.periodFrames);
    this.#playback = new Int16Array(options.periodFrames);
    this.#keepTime();
    this.#start();
  }

  status(): AudioStatus {
    return { state: this.#state, trouble: this.#trouble, xruns: this.#xruns, reopened: this.#reopened, delayFrames: this.#queuedBytes >> 1 };
  }

  close(): void {
    this.#closed = true;
    this.#stopPacer();
    this.#stopRetry();
    this.#end();
  }

  #start(): void {
    const { rateHz, periodFrames, periods } = this.#options;
    this.#filled = 0;
    this.#heard = false;
    this.#complaint = '';
    if (this.#capture !== '') {
      const child: Child = this.#ports.spawn('arecord', childArgs(this.#capture, rateHz, periodFrames, periods), this.#handler(() => child === this.#recorder, 'arecord', this.#capture));
      this.#recorder = child;
    }
    if (this.#play !== '') {
      const child: Child = this.#ports.spawn('aplay', [...childArgs(this.#play, rateHz, periodFrames, periods), START_DELAY], this.#handler(() => child === this.#player, 'aplay', this.#play));
      this.#player = child;
      child.write(new Uint8Array(2 * periodFrames * PREFILL_PERIODS));
    }
    this.#watch();
  }

  #handler(mine: () => boolean, command: string, pcm: string): ChildHandler {
    return {
      onBytes: (bytes) => {
        if (mine()) this.#take(bytes);
      },
      onComplaint: (text) => {
        if (!mine()) return;
        if (/(over|under)run/.test(text)) this.#xruns++;
        this.#complaint = (this.#complaint + text).slice(-500);
      },
      onExit: (code) => {
        if (mine()) this.#lose(code === -1 ? `${command} is missing: install the Debian package alsa-utils` : this.#words(pcm));
      },
    };
  }

  #words(pcm: string): string {
    const known = COMPLAINTS.find(([words]) => this.#complaint.includes(words));
    return trouble(known?.[1] ?? ERRNO.IO, pcm, () => this.#complaint.trim().split('\n').at(-1) || 'it ended without a word');
  }

  /** Without a recorder nothing tells that all is well but that the player is still there. */
  #watch(): void {
    this.#stopWatch();
    this.#stopWatch = this.#ports.clock.after(STUCK_MS, () => {
      if (this.#recorder !== undefined) this.#lose(trouble(ERRNO.TIME, this.#capture, String));
      else this.#report('running', '');
    });
  }

  #take(bytes: Uint8Array): void {
    if (!this.#heard) {
      this.#heard = true;
      this.#stopPacer();
      this.#report('running', '');
    }
    const into = new Uint8Array(this.#captured.buffer);
    for (let at = 0; at < bytes.length && !this.#closed && this.#recorder !== undefined;) {
      const count = Math.min(bytes.length - at, into.length - this.#filled);
      into.set(bytes.subarray(at, at + count), this.#filled);
      at += count;
      this.#filled += count;
      if (this.#filled < into.length) break;
      this.#filled = 0;
      this.#period();
    }
    if (this.#recorder !== undefined) this.#watch();
  }

  #period(): void {
    this.#playback.fill(0);
    this.#options.onPeriod(this.#captured, this.#playback);
    if (this.#closed || this.#player === undefined) return;
    if (this.#queuedBytes > BACKLOG_PERIODS * this.#playback.byteLength) {
      this.#xruns++;
      this.#queuedBytes = this.#player.write(new Uint8Array(0));
      return;
    }
    this.#queuedBytes = this.#player.write(new Uint8Array(this.#playback.buffer));
  }

  /** The clock gives silent periods; a player without a recorder gets them played. */
  #keepTime(): void {
    this.#stopPacer();
    this.#stopPacer = pace(this.#ports.clock, this.periodFrames, this.rateHz, () => {
      this.#captured.fill(0);
      if (this.#capture === '') {
        this.#period();
        return;
      }
      this.#playback.fill(0);
      this.#options.onPeriod(this.#captured, this.#playback);
    });
  }

  #lose(words: string): void {
    this.#end();
    if (this.#heard || this.#capture === '') this.#keepTime();
    this.#report('lost', words);
    if (!this.#closed) this.#stopRetry = this.#ports.clock.after(RETRY_MS, () => this.#start());
  }

  #end(): void {
    this.#stopWatch();
    const ending = [this.#recorder, this.#player];
    this.#recorder = undefined;
    this.#player = undefined;
    this.#queuedBytes = 0;
    for (const child of ending) child?.kill('SIGTERM');
    this.#ports.clock.after(KILL_MS, () => {
      for (const child of ending) child?.kill('SIGKILL');
    });
  }

  #report(state: AudioStatus['state'], words: string): void {
    if (this.#closed || (this.#state === state && this.#trouble === words)) return;
    if (state === 'running' && this.#state === 'lost') this.#reopened++;
    this.#state = state;
    this.#trouble = words;
    if (state === 'lost') this.#ports.log?.warn({ device: this.name, trouble: words }, 'sound card lost');
    else this.#ports.log?.info({ device: this.name }, 'sound card found');
    this.#options.onStatus(this.status());
  }
}
