import { PhoneError } from '../../src/ports/errors.ts';
import type { AudioDevice, AudioOptions, AudioStatus, AudioSystem } from '../../src/ports/audio.ts';
import type { FakeClock } from './clock.ts';

/** Sound cards in memory, one beat a period on the fake clock. `devices` holds every one ever opened, the newest last. */
export class FakeAudio implements AudioSystem {
  readonly devices: FakeDevice[] = [];
  /** Names that no driver knows. */
  readonly unknown = new Set<string>();
  /** What the microphones hear, sample by sample from the opening on; silence by default. */
  microphone: (sample: number) => number = () => 0;
  /** How much the cards' clocks run fast, in millionths. */
  ppm = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  open(options: AudioOptions): AudioDevice {
    if (this.unknown.has(options.name)) throw new PhoneError('AUDIO_DEVICE_UNKNOWN', `no driver knows the sound device "${options.name}"`);
    const device = new FakeDevice(this.#clock, options, (i) => this.microphone(i), this.ppm);
    this.devices.push(device);
    return device;
  }

  list(): ReturnType<AudioSystem['list']> {
    return [{ name: 'fake', description: 'Nothing that could be heard', input: true, output: true }];
  }

  /** Those open now. */
  get running(): FakeDevice[] {
    return this.devices.filter((d) => !d.closed);
  }
}

export class FakeDevice implements AudioDevice {
  readonly name: string;
  readonly rateHz: number;
  readonly periodFrames: number;
  readonly options: AudioOptions;
  /** Everything written, sample by sample. */
  readonly played: number[] = [];
  closed = false;
  /** What was asked of its mixer for the own voice, in order. */
  readonly sidetones: (number | 'auto' | undefined)[] = [];
  /** true: delivers no period at all, as a driver that hangs. */
  hung = false;
  #state: 'running' | 'lost' = 'running';
  #reopened = 0;
  #position = 0;
  readonly #periodMs: number;
  readonly #clock: FakeClock;
  readonly #microphone: (sample: number) => number;
  readonly #captured: Int16Array;
  readonly #playback: Int16Array;

  constructor(clock: FakeClock, options: AudioOptions, microphone: (sample: number) => number, ppm: number) {
    this.#periodMs = options.periodFrames * 1000 / options.rateHz / (1 + ppm / 1e6);
    this.#clock = clock;
    this.options = options;
    this.name = options.name;
    this.rateHz = options.rateHz;
    this.periodFrames = options.periodFrames;
    this.#microphone = microphone;
    this.#captured = new Int16Array(options.periodFrames);
    this.#playback = new Int16Array(options.periodFrames);
    this.#next();
  }

  /** Pulled out: periods of silence go on, as the port says. */
  lose(): void {
    this.#state = 'lost';
    this.options.onStatus(this.status());
  }

  /** Put in again. */
  find(): void {
    this.#state = 'running';
    this.#reopened++;
    this.options.onStatus(this.status());
  }

  status(): AudioStatus {
    return { state: this.#state, trouble: this.#state === 'lost' ? 'the sound card is unplugged' : '', xruns: 0, reopened: this.#reopened, delayFrames: 0, ...(this.sidetones.at(-1) === undefined ? {} : { sidetone: `on at ${this.sidetones.at(-1)} dB` }) };
  }

  sidetone(want: number | 'auto' | undefined): void {
    if (want !== this.sidetones.at(-1)) this.sidetones.push(want);
  }

  close(): void {
    this.closed = true;
  }

  #next(): void {
    this.#clock.after(this.#periodMs, () => {
      if (this.closed) return;
      if (!this.hung) this.#period();
      this.#next();
    });
  }

  #period(): void {
    for (let i = 0; i < this.periodFrames; i++) this.#captured[i] = this.#state === 'lost' ? 0 : this.#microphone(this.#position++);
    this.#playback.fill(0);
    this.options.onPeriod(this.#captured, this.#playback);
    if (this.#state === 'running') for (const x of this.#playback) this.played.push(x);
  }
}
