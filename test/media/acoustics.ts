// Rooms and voices out of nothing, the same each time: for tests and the bench of echo control.

const RATE_HZ = 16_000;
/** Full scale of dBov: the RMS of a square wave that fills 16 bits. */
export const FULL = 32_768;

/** Mulberry32: numbers from 0 to 1. */
export function chance(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Normal numbers of variance 1. */
export function noise(seed: number): () => number {
  const random = chance(seed);
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Vowels: four resonances each, Hz. */
const VOWELS = [[700, 1220, 2600, 3400], [390, 1990, 2550, 3600], [270, 2290, 3010, 3700], [570, 840, 2410, 3300], [300, 870, 2240, 3200], [490, 1350, 1690, 3300], [660, 1720, 2410, 3500]] as const;

/**
 * `seconds` of something like a person talking: syllables of gliding vowels and hisses, words and pauses, about 75 % of the time,
 * at `dbov` while it speaks.
 */
export function talk(seed: number, seconds: number, dbov = -26, pitchHz = 90 + 130 * chance(seed)()): Float64Array {
  const random = chance(seed * 7 + 1), hiss = noise(seed * 7 + 2), total = Math.round(seconds * RATE_HZ), out = new Float64Array(total);
  const low = new Float64Array(4), lower = new Float64Array(4);
  let active = 0, power = 0, at = 0, phase = 0, from: readonly number[] = VOWELS[0], left = 4, hissing = 0;
  while (at < total) {
    if (left-- <= 0) {
      at += Math.round((0.15 + 0.5 * random()) * RATE_HZ);
      left = 3 + Math.floor(random() * 7);
      continue;
    }
    const length = Math.round((0.11 + 0.14 * random()) * RATE_HZ), to = VOWELS[Math.floor(random() * VOWELS.length)]!;
    const fricative = random() < 0.5 ? Math.round(length * 0.35) : 0, loud = 0.5 + random(), glide = 0.85 + 0.3 * random();
    for (let i = 0; i < length && at < total; i++, at++) {
      const part = i / length, envelope = Math.sin(Math.PI * Math.min(1, 0.08 + 0.92 * part)) ** 0.6;
      let x: number;
      if (i < fricative) {
        const now = hiss();
        x = 0.35 * (now - 0.85 * hissing) * Math.sin(Math.PI * i / fricative);
        hissing = now;
      } else {
        phase += pitchHz * (1 + (glide - 1) * part) * (1 + 0.01 * hiss() * 0.2) / RATE_HZ;
        let source = 0.02 * hiss();
        if (phase >= 1) {
          phase -= 1;
          source += 1;
        }
        x = 0;
        for (let f = 0; f < 4; f++) {
          const hz = from[f]! + (to[f]! - from[f]!) * Math.min(1, 2 * part), radius = Math.exp(-Math.PI * (60 + 30 * f) / RATE_HZ);
          const y = source + 2 * radius * Math.cos(2 * Math.PI * hz / RATE_HZ) * low[f]! - radius * radius * lower[f]!;
          lower[f] = low[f]!;
          low[f] = y;
          x += (f % 2 === 0 ? y : -y) / (1 + 0.6 * f) * 0.3;
        }
      }
      out[at] = x * envelope * loud;
      power += out[at]! ** 2;
      active++;
    }
    from = to;
  }
  const scale = FULL * 10 ** (dbov / 20) / Math.sqrt(power / Math.max(1, active));
  for (let i = 0; i < total; i++) out[i] = out[i]! * scale;
  return out;
}

/** A room's answer to a click: noise that dies away by 60 dB in `rt60S`, cut at `ms`, whose echo of speech is as loud as `lossDb` says. */
export function room(seed: number, rt60S = 0.25, ms = 128, lossDb = 0): Float64Array {
  const random = noise(seed), length = Math.round(ms * RATE_HZ / 1000), out = Float64Array.from({ length }, (_, i) => random() * 10 ** (-3 * i / (rt60S * RATE_HZ)));
  const loudness = Math.sqrt(out.reduce((sum, x) => sum + x * x, 0));
  return out.map((x) => x / loudness * 10 ** (-lossDb / 20));
}

/** `sound` as heard through `answer`, `delay` samples later, by overlapping blocks of a Fourier transform. */
export function through(sound: Float64Array, answer: Float64Array, delay = 0): Float64Array {
  const size = 8_192, step = size - answer.length + 1, out = new Float64Array(sound.length);
  const hr = new Float64Array(size), hi = new Float64Array(size), xr = new Float64Array(size), xi = new Float64Array(size);
  hr.set(answer);
  fourier(hr, hi);
  for (let at = 0; at < sound.length; at += step) {
    xr.fill(0);
    xi.fill(0);
    for (let i = 0; i < step && at + i < sound.length; i++) xr[i] = sound[at + i]!;
    fourier(xr, xi);
    for (let i = 0; i < size; i++) {
      const re = xr[i]! * hr[i]! - xi[i]! * hi[i]!;
      xi[i] = -(xr[i]! * hi[i]! + xi[i]! * hr[i]!);
      xr[i] = re;
    }
    fourier(xr, xi);
    for (let i = 0; i < size && at + i + delay < out.length; i++) out[at + i + delay]! += xr[i]! / size;
  }
  return out;
}

/** In place, radix 2. */
export function fourier(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
  }
  for (let half = 1; half < n; half <<= 1) {
    const wr = Math.cos(Math.PI / half), wi = -Math.sin(Math.PI / half);
    for (let start = 0; start < n; start += 2 * half) {
      let cr = 1, ci = 0;
      for (let k = start; k < start + half; k++) {
        const ar = re[k + half]! * cr - im[k + half]! * ci, ai = re[k + half]! * ci + im[k + half]! * cr;
        re[k + half] = re[k]! - ar;
        im[k + half] = im[k]! - ai;
        re[k]! += ar;
        im[k]! += ai;
        const next = cr * wr - ci * wi;
        ci = cr * wi + ci * wr;
        cr = next;
      }
    }
  }
}

/** Mean power of `sound[from..to)` where `mask` allows, in dBov; quieter than a bit is -100. */
export function levelOf(sound: ArrayLike<number>, from = 0, to = sound.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += sound[i]! ** 2;
  return 10 * Math.log10(sum / Math.max(1, to - from) / FULL ** 2 + 1e-10);
}

/** As 16 bits, held at full scale. */
export const pcm = (sound: ArrayLike<number>): Int16Array => Int16Array.from(sound, (x) => Math.max(-32_768, Math.min(32_767, Math.round(x))));
