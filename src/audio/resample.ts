// Sample rate conversion by a rational factor: a polyphase windowed-sinc filter, linear in phase. A stream goes in in pieces of any
// length and comes out in pieces; nothing is lost between them.
//
//   input  ...[ history: taps - 1 ][ new samples ]
//   output    each the product of `taps` inputs with one row of the table; the row is the output's place between two inputs

/** Zero crossings of the sinc on each side, at the lower of the two rates: 1.25 ms of delay at 16 kHz. */
const HALF_CROSSINGS = 20;
/** Window and cut-off for more than 70 dB of rejection with a pass band to about 0.82 of the lower Nyquist frequency. */
const KAISER_BETA = 7.9;
const CUT_OFF = 0.93;
/** Rows of the table at most; odd rates take the nearest row. */
const MAX_ROWS = 1_024;

/** Modified Bessel function of order zero, by its power series. */
function bessel0(x: number): number {
  let sum = 1;
  for (let term = 1, k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

const WINDOW_POINTS = 2_048;
let windowPoints: Float64Array | undefined;

/** Kaiser window at the distance `part` of its half length, 0 to 1, from a table: its Bessel functions would take milliseconds a filter. */
function kaiser(part: number): number {
  windowPoints ??= Float64Array.from({ length: WINDOW_POINTS + 2 }, (_, i) => bessel0(KAISER_BETA * Math.sqrt(Math.max(0, 1 - (i / WINDOW_POINTS) ** 2))) / bessel0(KAISER_BETA));
  if (part >= 1) return 0;
  const at = part * WINDOW_POINTS, below = Math.floor(at);
  return windowPoints[below]! + (at - below) * (windowPoints[below + 1]! - windowPoints[below]!);
}

/** Filters made so far, by ratio: there are few, and each card opened needs two. */
const tables = new Map<string, Float32Array>();

/** Row after row of taps; `scale` is the lower rate over the input's. */
function makeTable(rows: number, half: number, scale: number): Float32Array {
  const key = `${rows} ${half} ${scale}`;
  const made = tables.get(key);
  if (made !== undefined) return made;
  const taps = 2 * half;
  const table = new Float32Array(rows * taps);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const x = tap - half + 1 - row / rows; // distance in input samples
      const angle = Math.PI * CUT_OFF * scale * x;
      const weight = (angle === 0 ? 1 : Math.sin(angle) / angle) * kaiser(Math.abs(x) / half);
      table[row * taps + tap] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < taps; tap++) table[row * taps + tap]! /= sum; // unity gain at 0 Hz in every row
  }
  tables.set(key, table);
  return table;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

export class Resampler {
  /** Output samples per `#down` input samples. */
  readonly #up: number;
  readonly #down: number;
  readonly #rows: number;
  readonly #taps: number;
  readonly #table: Float32Array;
  #line: Float32Array;
  /** Samples in #line. */
  #held: number;
  /** Place of the next output: input index and `#up`ths of an input sample. */
  #place = 0;
  #part = 0;

  constructor(fromHz: number, toHz: number) {
    const common = gcd(fromHz, toHz);
    this.#up = toHz / common;
    this.#down = fromHz / common;
    this.#rows = Math.min(this.#up, MAX_ROWS);
    const scale = Math.min(1, toHz / fromHz);
    const half = this.#up === this.#down ? 0 : Math.ceil(HALF_CROSSINGS / scale);
    this.#taps = Math.max(1, 2 * half);
    this.#table = half === 0 ? new Float32Array(1) : makeTable(this.#rows, half, scale);
    this.#held = this.#taps - 1;
    this.#line = new Float32Array(this.#held + 4_096);
  }

  /** Delay through the filter in input samples. */
  get delay(): number {
    return this.#taps / 2 - (this.#taps === 1 ? 0.5 : 0);
  }

  /** Input samples still to come before run() has given `outputs` more samples. */
  inputFor(outputs: number): number {
    const last = this.#place + Math.floor((this.#part + (outputs - 1) * this.#down) / this.#up);
    return Math.max(0, last + this.#taps - this.#held);
  }

  /** Room that `output` of run() needs for `inputs` samples. */
  outputFor(inputs: number): number {
    return Math.ceil((inputs * this.#up) / this.#down) + 1;
  }

  /** Take `count` samples of `input`; write the outputs they allow, `limit` at most, to `output` and return how many. The rest comes next time. */
  run(input: Int16Array, count: number, output: Int16Array, limit = Infinity): number {
    if (this.#taps === 1) {
      for (let i = 0; i < count; i++) output[i] = input[i]!;
      return count;
    }
    if (this.#held + count > this.#line.length) {
      const longer = new Float32Array(2 * (this.#held + count));
      longer.set(this.#line.subarray(0, this.#held));
      this.#line = longer;
    }
    const line = this.#line, taps = this.#taps, table = this.#table;
    for (let i = 0; i < count; i++) line[this.#held + i] = input[i]!;
    const held = this.#held + count;
    let made = 0, place = this.#place, part = this.#part;
    while (place + taps <= held && made < limit) {
      const row = (this.#rows === this.#up ? part : Math.floor((part * this.#rows) / this.#up)) * taps;
      let sum = 0;
      for (let tap = 0; tap < taps; tap++) sum += line[place + tap]! * table[row + tap]!;
      sum = Math.round(sum);
      output[made++] = sum > 32_767 ? 32_767 : sum < -32_768 ? -32_768 : sum;
      part += this.#down;
      place += Math.floor(part / this.#up);
      part %= this.#up;
    }
    const done = Math.min(place, held);
    line.copyWithin(0, done, held);
    this.#held = held - done;
    this.#place = place - done;
    this.#part = part;
    return made;
  }
}
