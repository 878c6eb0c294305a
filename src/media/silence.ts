// Silence suppression: tells speech from the noise of the room, and describes that noise to the other side (RFC 3389) where sound is not
// sent. Two levels are watched in steps of 10 ms, that of the sound and that of its differences, which finds an s or f in a quiet room;
// each against a floor of its own that follows the least sound quickly and louder sound slowly.

import type { Silence } from './extras.ts';

/** Levels in dB over one unit: full scale is 90.3. */
const FULL = 20 * Math.log10(32_768);
/** Speech is so much above the floor; what is below LEAST (-68 dBov) is silence whatever the floor. */
const MARGIN_DB = 7;
const LEAST_DB = FULL - 68;
/** The floor rises by so much a step (3 dB a second), and never beyond -38 dBov: steady sound louder than that is a tone or music, and is sent. */
const RISE_DB = 0.03;
const MOST_DB = FULL - 38;
/** What follows speech so closely is sent with it: the ends of words. In the beginning everything is. */
const HANG_MS = 250;
const LEARN_MS = 500;
/** The noise is described anew when its level or shape has changed, not oftener than every 100 ms, and every second in any case. */
const OFTEN_MS = 100;
const SELDOM_MS = 1000;
const LEVEL_STEPS = 2;
const SHAPE_STEPS = 24;
/** Coefficients sent: RFC 3389 leaves their number to the sender (§3.2). */
const ORDER = 8;
const BYTES = 1 + ORDER;
/** What is known of the noise is a mean over about so long. */
const MEAN_MS = 120;

export function createSilence(rateHz: number): Silence {
  const block = rateHz / 100;
  /** Products of the noise with itself, 0 to ORDER samples apart, per sample. */
  const likeness = new Float64Array(ORDER + 1);
  const polynomial = new Float64Array(ORDER + 1), before = new Float64Array(ORDER + 1);
  const now = new Uint8Array(BYTES), said = new Uint8Array(BYTES);
  let floor = -1, sharpFloor = -1;
  let hangMs = LEARN_MS, quiet = false, saidMs = 0;

  const follow = (old: number, level: number): number => (old < 0 ? level : Math.min(level < old ? old + (level - old) * 0.3 : old + RISE_DB, MOST_DB));
  const loud = (samples: Int16Array): boolean => {
    let speech = false;
    for (let from = 0; from < samples.length; from += block) {
      const end = Math.min(from + block, samples.length);
      let sum = 0, sharp = 0, last = samples[from]!;
      for (let i = from; i < end; i++) {
        const x = samples[i]!;
        sum += x * x;
        sharp += (x - last) * (x - last);
        last = x;
      }
      const level = 10 * Math.log10(sum / (end - from) + 1), edge = 10 * Math.log10(sharp / (end - from) + 1);
      floor = follow(floor, level);
      sharpFloor = follow(sharpFloor, edge);
      if (level > LEAST_DB && (level > floor + MARGIN_DB || edge > sharpFloor + MARGIN_DB || level > MOST_DB + MARGIN_DB)) speech = true;
    }
    return speech;
  };

  const learn = (samples: Int16Array): void => {
    const weight = samples.length * 1000 / rateHz / MEAN_MS;
    for (let lag = 0; lag <= ORDER; lag++) {
      let sum = 0;
      for (let i = lag; i < samples.length; i++) sum += samples[i]! * samples[i - lag]!;
      sum /= samples.length;
      likeness[lag] = likeness[0] === 0 && !quiet ? sum : likeness[lag]! + weight * (sum - likeness[lag]!);
    }
  };

  /** Level in -dBov and reflection coefficients (Levinson and Durbin; k1 is minus the likeness of neighbours), as §3.1 and §3.2 quantize them. */
  const describe = (): void => {
    const power = likeness[0]!;
    now[0] = Math.max(0, Math.min(127, Math.round(FULL - 10 * Math.log10(power + 1e-9))));
    let error = power * 1.0001 + 1e-3;
    polynomial.fill(0);
    polynomial[0] = 1;
    for (let m = 1; m <= ORDER; m++) {
      let sum = likeness[m]!;
      for (let i = 1; i < m; i++) sum += polynomial[i]! * likeness[m - i]!;
      const k = Math.max(-0.999, Math.min(0.999, -sum / error));
      before.set(polynomial);
      for (let i = 1; i < m; i++) polynomial[i] = before[i]! + k * before[m - i]!;
      polynomial[m] = k;
      error *= 1 - k * k;
      now[m] = Math.max(0, Math.min(254, Math.round(127 + k * 32_768 / 258)));
    }
  };

  const changed = (): boolean => {
    if (Math.abs(now[0]! - said[0]!) >= LEVEL_STEPS) return true;
    let steps = 0;
    for (let i = 1; i <= 2; i++) steps += Math.abs(now[i]! - said[i]!); // the tilt of the noise; the rest is fine detail
    return steps >= SHAPE_STEPS;
  };

  return {
    step(samples, out) {
      const ms = samples.length * 1000 / rateHz;
      if (loud(samples)) {
        hangMs = Math.max(hangMs - ms, HANG_MS);
        quiet = false;
        return -1;
      }
      learn(samples);
      hangMs -= ms;
      if (hangMs > 0) return -1;
      saidMs += ms;
      if (quiet && saidMs < OFTEN_MS) return 0;
      describe();
      if (quiet && saidMs < SELDOM_MS && !changed()) return 0;
      quiet = true;
      saidMs = 0;
      said.set(now);
      out.set(said);
      return BYTES;
    },
  };
}
