// Testing a sound card: two sweeps are played, what the microphone hears of them is kept, and from the two comes how loud, how late, how true
// and how noisy the card is. Beats in the turn of the card; the sums afterwards take their time and belong on another thread.
//
//   silence (noise) | sweep | silence (what comes late) | ... | sweep again (drift) | silence

const BEFORE_MS = 500;
const SWEEP_MS = 1_000;
/** From the first sweep to the second: 1 ppm is 5 µs. */
const APART_MS = 5_000;
/** The latest echo that is looked for, and how much sound is kept after the second sweep. */
const LATEST_MS = 900;
const FROM_HZ = 150, TO_SHARE = 0.44;
const PEAK = 8_192; // −12 dBFS
const FADE_MS = 20;
/** The largest value of the impulse response stands out of its mean by so much, or there is no echo. */
const STANDS_OUT = 12;

/** Milliseconds the whole test takes. */
export const PROBE_MS = BEFORE_MS + APART_MS + SWEEP_MS + LATEST_MS;

const sweepOf = (rateHz: number): Float32Array => {
  const n = SWEEP_MS * rateHz / 1_000, fade = FADE_MS * rateHz / 1_000, out = new Float32Array(n);
  const k = Math.log(TO_SHARE * rateHz / FROM_HZ); // exponential: as long in each octave
  for (let i = 0; i < n; i++) {
    const phase = 2 * Math.PI * FROM_HZ * (SWEEP_MS / 1_000) / k * (Math.exp(k * i / n) - 1);
    out[i] = PEAK * Math.sin(phase) * Math.min(1, i / fade, (n - 1 - i) / fade);
  }
  return out;
};

/** Plays and keeps, a period at a time. */
export class Probe {
  readonly captured: Int16Array;
  readonly #sweep: Float32Array;
  readonly #starts: readonly number[];
  #at = 0;

  constructor(rateHz: number) {
    this.#sweep = sweepOf(rateHz);
    this.#starts = [BEFORE_MS, BEFORE_MS + APART_MS].map((ms) => ms * rateHz / 1_000);
    this.captured = new Int16Array(PROBE_MS * rateHz / 1_000);
  }

  /** One period: `playback` is filled; false when all is played and kept. */
  beat(captured: Int16Array, playback: Int16Array, count: number): boolean {
    const kept = this.captured;
    for (let i = 0; i < count; i++, this.#at++) {
      if (this.#at < kept.length) kept[this.#at] = captured[i]!;
      playback[i] = 0;
      for (let s = 0; s < 2; s++) {
        const at = this.#at - this.#starts[s]!;
        if (at >= 0 && at < this.#sweep.length) playback[i] = Math.round(this.#sweep[at]!);
      }
    }
    return this.#at < kept.length;
  }
}

export interface ProbeResult {
  /** Level of what the microphone hears while nothing is played, dBFS. */
  readonly noiseDb: number;
  /** Samples at full scale while the sweeps were heard. */
  readonly clipped: number;
  /** Undefined where the microphone hears nothing of the loudspeaker. */
  readonly echo: {
    /** From writing a sample to reading it back. */
    readonly delayMs: number;
    /** How much slower (positive) playback counts than capture, in parts per million; what is not followed yet after a few seconds. */
    readonly driftPpm: number;
    /** How much weaker than played it comes back. */
    readonly lossDb: number;
    /** Its loudest sample, dBFS. */
    readonly peakDb: number;
    /** When the echo has fallen by 20 dB for good: what an echo canceller must cover. */
    readonly tailMs: number;
    /** Level of octaves around 250, 500, 1000, 2000 and 4000 Hz, against their mean. */
    readonly octavesDb: readonly number[];
  } | undefined;
}

export const OCTAVES_HZ = [250, 500, 1_000, 2_000, 4_000] as const;

/** What a finished probe heard. */
export function analyse(captured: Int16Array, rateHz: number): ProbeResult {
  const sweep = sweepOf(rateHz), perMs = rateHz / 1_000;
  const starts = [BEFORE_MS * perMs, (BEFORE_MS + APART_MS) * perMs];
  const quiet = captured.subarray(100 * perMs, (BEFORE_MS - 20) * perMs);
  const noise = energyOf(quiet) / quiet.length;
  let clipped = 0, most = 0;
  for (const start of starts) {
    for (const x of captured.subarray(start, start + (SWEEP_MS + LATEST_MS) * perMs)) {
      if (x >= 32_700 || x <= -32_700) clipped++;
      most = Math.max(most, Math.abs(x));
    }
  }
  const answers = starts.map((start) => responseOf(captured.subarray(start, start + (SWEEP_MS + LATEST_MS) * perMs), sweep, LATEST_MS * perMs));
  const [first, second] = answers.map(peakOf);
  const noiseDb = dbOf(noise / 32_768 ** 2);
  if (first === undefined || second === undefined) return { noiseDb, clipped, echo: undefined };
  const window = captured.subarray(starts[0]! + Math.floor(first.at), starts[0]! + Math.floor(first.at) + sweep.length);
  const heard = Math.max(1, energyOf(window) - noise * window.length);
  const answer = answers[0]!;
  return {
    noiseDb, clipped,
    echo: {
      delayMs: first.at / perMs, driftPpm: (second.at - first.at) / (APART_MS * perMs) * 1e6,
      lossDb: -dbOf(heard / energyOf(sweep)), peakDb: 2 * dbOf(most / 32_768), tailMs: tailOf(answer, first.at) / perMs, octavesDb: octavesOf(answer, first.at, rateHz),
    },
  };
}

/** What a finished test brought. */
export interface ProbeSound {
  readonly captured: Int16Array;
  readonly rateHz: number;
  readonly xruns: number;
}

/** The whole of a test, for page and command line. */
export interface ProbeReport extends ProbeResult {
  /** Times the card ran dry or over meanwhile: then delay and drift say little. */
  readonly xruns: number;
  readonly advice: readonly string[];
}

export function reportOf({ captured, rateHz, xruns }: ProbeSound, captureDb: number, speaker: boolean): ProbeReport {
  const result = analyse(captured, rateHz);
  const broken = xruns === 0 ? [] : [`Sound broke ${xruns === 1 ? 'once' : `${xruns} times`} meanwhile: the machine was busy, or the card's periods are too few (sound.periods); delay and drift are not to be trusted.`];
  return { ...result, xruns, advice: [...broken, ...advice(result, captureDb, speaker)] };
}

/** What the owner may do about it, in sentences; none where all is well. `speaker`: loudspeaker and microphone of a room. */
export function advice(result: ProbeResult, captureDb: number, speaker: boolean): string[] {
  const out: string[] = [], { echo, noiseDb, clipped } = result;
  const to = (db: number) => `set the microphone's gain (captureDb) from ${captureDb} to ${Math.max(-40, Math.min(20, Math.round(captureDb + db)))} dB`;
  if (clipped > 10) out.push(`The microphone is overdriven: lower its level in the card's own mixer (alsamixer); if that is at its least, ${to(-12)}.`);
  if (noiseDb > -45) out.push(`The microphone is noisy (${noiseDb.toFixed(0)} dBFS in silence): lower its gain in the card's own mixer, keep it away from fans and supplies.`);
  if (noiseDb < -93 && echo === undefined) out.push('The microphone gives digital silence: it is not connected, muted in the card\'s mixer, or the wrong input is chosen.');
  if (echo === undefined) {
    if (speaker && noiseDb >= -93) out.push('The microphone hears nothing of the loudspeaker: is the loudspeaker connected, and not turned down?');
    return out;
  }
  if (!speaker && echo.lossDb < 20) out.push(`The earpiece is heard in the microphone, only ${echo.lossDb.toFixed(0)} dB weaker: lower the volume, or switch echo control on for the handset.`);
  if (speaker && clipped <= 10 && echo.peakDb > -6) out.push(`The loudspeaker drives the microphone near its limit: ${to(-12 - echo.peakDb)}.`);
  if (Math.abs(echo.driftPpm) > 500) out.push(`Loudspeaker and microphone count time ${Math.abs(echo.driftPpm).toFixed(0)} ppm apart: they are two cards, or one that resamples badly; echo control works poorly on them.`);
  if (echo.delayMs > 150) out.push(`Sound takes ${echo.delayMs.toFixed(0)} ms through the card: choose its hardware (alsa:plughw:...) rather than a sound server, or fewer and shorter periods.`);
  return out;
}

/** Parabola through the largest value and its neighbours; undefined where it does not stand out. */
function peakOf(answer: Float64Array): { at: number } | undefined {
  let best = 0, sum = 0;
  for (let i = 0; i < answer.length; i++) {
    const size = Math.abs(answer[i]!);
    sum += size;
    if (size > Math.abs(answer[best]!)) best = i;
  }
  if (sum === 0 || Math.abs(answer[best]!) < STANDS_OUT * sum / answer.length) return undefined;
  const [a, b, c] = [best - 1, best, best + 1].map((i) => Math.abs(answer[i] ?? 0)) as [number, number, number];
  const bend = a - 2 * b + c;
  return { at: best + (bend === 0 ? 0 : (a - c) / (2 * bend)) };
}

function tailOf(answer: Float64Array, at: number): number {
  let after = 0;
  const from = Math.max(0, Math.floor(at) - 8);
  const left = new Float64Array(answer.length + 1); // energy that is still to come, noise and all
  for (let i = answer.length - 1; i >= from; i--) left[i] = left[i + 1]! + answer[i]! ** 2;
  const end = Math.min(answer.length, from + Math.floor(answer.length / 2));
  const floor = left[end]! / (answer.length - end); // the noise of a sample
  for (let i = from; i < end; i++) {
    if (left[i]! - left[end]! - floor * (end - i) > 0.01 * (left[from]! - left[end]! - floor * (end - from))) after = i - from;
  }
  return after;
}

function octavesOf(answer: Float64Array, at: number, rateHz: number): number[] {
  const n = 4_096, re = new Float64Array(n), im = new Float64Array(n), from = Math.max(0, Math.floor(at) - 32);
  for (let i = 0; i < n && from + i < answer.length; i++) re[i] = answer[from + i]!;
  fft(re, im, false);
  const levels = OCTAVES_HZ.map((hz) => {
    let sum = 0, count = 0;
    for (let k = Math.ceil(hz / Math.SQRT2 * n / rateHz); k <= hz * Math.SQRT2 * n / rateHz; k++, count++) sum += re[k]! ** 2 + im[k]! ** 2;
    return dbOf(sum / count);
  });
  const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
  return levels.map((level) => level - mean);
}

/** Impulse response from `sweep` to `heard`, its first `length` values: the spectra divided, where the sweep has any. */
function responseOf(heard: Int16Array, sweep: Float32Array, length: number): Float64Array {
  let n = 1;
  while (n < heard.length + sweep.length) n *= 2;
  const [re, im, sre, sim] = Array.from({ length: 4 }, () => new Float64Array(n)) as [Float64Array, Float64Array, Float64Array, Float64Array];
  re.set(heard);
  sre.set(sweep);
  fft(re, im, false);
  fft(sre, sim, false);
  let most = 0;
  for (let k = 0; k < n; k++) most = Math.max(most, sre[k]! ** 2 + sim[k]! ** 2);
  for (let k = 0; k < n; k++) {
    const a = re[k]!, b = im[k]!, c = sre[k]!, d = sim[k]!, power = c * c + d * d + 1e-4 * most;
    re[k] = (a * c + b * d) / power;
    im[k] = (b * c - a * d) / power;
  }
  fft(re, im, true);
  return re.subarray(0, length);
}

/** Fourier transform in place, of a power of two. */
function fft(re: Float64Array, im: Float64Array, back: boolean): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i >= j) continue;
    [re[i], re[j]] = [re[j]!, re[i]!];
    [im[i], im[j]] = [im[j]!, im[i]!];
  }
  for (let size = 2; size <= n; size *= 2) {
    const angle = (back ? 2 : -2) * Math.PI / size, half = size / 2;
    const stepRe = Math.cos(angle), stepIm = Math.sin(angle);
    for (let from = 0; from < n; from += size) {
      let wRe = 1, wIm = 0;
      for (let k = from; k < from + half; k++) {
        const xRe = re[k + half]! * wRe - im[k + half]! * wIm, xIm = re[k + half]! * wIm + im[k + half]! * wRe;
        re[k + half] = re[k]! - xRe;
        im[k + half] = im[k]! - xIm;
        re[k] = re[k]! + xRe;
        im[k] = im[k]! + xIm;
        [wRe, wIm] = [wRe * stepRe - wIm * stepIm, wRe * stepIm + wIm * stepRe];
      }
    }
  }
  if (back) for (let i = 0; i < n; i++) {
    re[i] = re[i]! / n;
    im[i] = im[i]! / n;
  }
}

const dbOf = (power: number): number => 10 * Math.log10(Math.max(power, 1e-12));
function energyOf(samples: Int16Array | Float32Array): number {
  let sum = 0;
  for (const x of samples) sum += x * x;
  return sum;
}
