// The echo experiment: a voice through a room into the microphone, somebody speaks over it, the room changes. Gives what is left of it.

import { EchoControl, FRAME, RATE_HZ, TAIL } from '../../src/media/echo.ts';
import { bindSpeexdsp, createCanceller, createSuppressor } from '../../src/media/speexdsp.ts';
import { levelOf, noise, pcm, room, talk, through } from '../media/acoustics.ts';

export type Chain = 'all' | 'gate';

export interface Circumstances {
  /** Echo return loss, dB. */
  readonly lossDb: number;
  readonly rt60S: number;
  /** Of which the phone knows nothing. */
  readonly delayMs: number;
  /** How much faster the loudspeaker's clock runs than the microphone's. */
  readonly ppm: number;
  /** The loudspeaker clips softly. */
  readonly clips: boolean;
  /** Noise of the microphone. */
  readonly noiseDbov: number;
  readonly period: number;
  readonly seed: number;
  /** End after so many seconds. */
  readonly endS: number;
}

export const PLAIN: Circumstances = { lossDb: 0, rt60S: 0.25, delayMs: 0, ppm: 0, clips: false, noiseDbov: -80, period: 320, seed: 3, endS: 51 };

/** When things happen, s: somebody speaks over the far side, then another room, then the end. */
export const TIMES = { over: 26, change: 38, end: 51 } as const;

export interface Result {
  /** Echo loss from a second to another, dB: of the canceller alone, of everything. */
  filterErle(from: number, to: number): number;
  erle(from: number, to: number): number;
  /** How much near speech is lowered in double talk, dB, as far as it is still like itself. */
  readonly filterNearDb: number;
  readonly nearDb: number;
  /** Seconds until the canceller alone takes off 15 dB over three half seconds: from the beginning, from the change on. */
  readonly convergedS: number;
  readonly againS: number;
  readonly sent: Int16Array;
  readonly microphone: Int16Array;
  /** CPU time for 10 ms. */
  readonly us: number;
  readonly control: EchoControl;
}

export interface Voices {
  readonly far?: (seconds: number, dbov: number) => Float64Array;
  readonly near?: (seconds: number, dbov: number) => Float64Array;
}

/** `delay` of the path through the card, in samples, is what it reports: a buffer of a period and a bit. */
export function experiment(chain: Chain, change: Partial<Circumstances> = {}, voices: Voices = {}): Result {
  const c = { ...PLAIN, ...change }, reported = c.period + 48;
  const far = (voices.far ?? ((seconds, dbov) => talk(c.seed, seconds, dbov)))(c.endS, -26), near = new Float64Array(far.length);
  if (c.endS > TIMES.over) near.set((voices.near ?? ((seconds, dbov) => talk(c.seed + 8, seconds, dbov)))(Math.min(c.endS, TIMES.change) - TIMES.over, -26), TIMES.over * RATE_HZ);
  const loud = c.clips ? far.map((x) => 12_000 * Math.tanh(x / 12_000)) : far;
  const late = Math.round(c.delayMs * 16), edge = TIMES.change * RATE_HZ;
  const first = through(drifted(loud, c.ppm), room(c.seed + 2, c.rt60S, 128, c.lossDb), late), second = c.endS > TIMES.change ? through(drifted(loud, c.ppm), room(c.seed + 3, c.rt60S, 128, c.lossDb), late) : first;
  const hum = noise(c.seed + 6), hiss = 32_768 * 10 ** (c.noiseDbov / 20);
  const echo = first.map((x, i) => (i < edge ? x : second[i]!));
  // What is written in a beat sounds when the period that is captured meanwhile is over and the card's queue is played
  const shift = c.period + reported;
  const heard = pcm(echo.map((_, i) => (echo[i - shift] ?? 0) + (near[i - shift] ?? 0) + hiss * hum()));

  const speex = bindSpeexdsp();
  if (speex === undefined) throw new Error('the echo experiment needs libspeexdsp.so.1: apt-get install libspeexdsp1');
  const canceller = chain === 'gate' ? undefined : createCanceller(speex, FRAME, TAIL, RATE_HZ);
  const suppressor = chain === 'all' ? createSuppressor(speex, canceller, FRAME, RATE_HZ, { noiseDb: 12, echoDb: 40, echoActiveDb: 8 }) : undefined;
  const control = new EchoControl(c.period, canceller, suppressor);
  control.align(reported);
  const written = pcm(far), sent = new Int16Array(heard.length), filtered = new Int16Array(heard.length), frame = new Int16Array(FRAME);
  const used = process.cpuUsage();
  for (let at = 0; at + c.period <= heard.length; at += c.period) {
    for (let i = at; i < at + c.period; i += FRAME) {
      frame.set(heard.subarray(i, i + FRAME));
      control.captured(frame);
      filtered.set(control.filtered, i);
      sent.set(frame, i);
    }
    for (let i = at; i < at + c.period; i += FRAME) {
      frame.set(written.subarray(i, i + FRAME));
      control.played(frame);
    }
  }
  const { user, system } = process.cpuUsage(used);
  const lossOf = (left: Int16Array) => (from: number, to: number): number => levelOf(heard, from * RATE_HZ, to * RATE_HZ) - levelOf(left, from * RATE_HZ, to * RATE_HZ);
  const filterErle = lossOf(filtered);
  const until = (from: number, to: number): number => {
    for (let s = from; s + 1.5 <= to; s += 0.5) if ((filterErle(s, s + 0.5) + filterErle(s + 0.5, s + 1) + filterErle(s + 1, s + 1.5)) / 3 >= 15) return s - from + 0.5;
    return Infinity;
  };
  const nearOf = (left: Int16Array, delay: number): number => {
    let cross = 0, own = 1;
    for (let i = TIMES.over * RATE_HZ; i < TIMES.change * RATE_HZ - delay && i + delay < left.length; i++) {
      cross += near[i]! * left[i + delay]!;
      own += near[i]! ** 2;
    }
    return 20 * Math.log10(Math.max(1e-5, cross / own));
  };
  suppressor?.close();
  canceller?.close();
  return {
    filterErle, erle: lossOf(sent), filterNearDb: nearOf(filtered, shift), nearDb: nearOf(sent, shift + (suppressor === undefined ? 0 : FRAME)),
    convergedS: until(0, Math.min(c.endS, TIMES.over)), againS: until(TIMES.change, c.endS), sent, microphone: heard, us: (user + system) / (heard.length / FRAME), control,
  };
}

/** `sound` as a clock that is `ppm` fast plays it; between samples by the four nearest. */
function drifted(sound: Float64Array, ppm: number): Float64Array {
  if (ppm === 0) return sound;
  return sound.map((_, i) => {
    const at = i * (1 + ppm / 1e6), n = Math.floor(at), t = at - n, a = sound[n - 1] ?? 0, b = sound[n] ?? 0, c = sound[n + 1] ?? 0, d = sound[n + 2] ?? 0;
    return b + t * (0.5 * (c - a) + t * (a - 2.5 * b + 2 * c - 0.5 * d + t * (1.5 * (b - c) + 0.5 * (d - a))));
  });
}
