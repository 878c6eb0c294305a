// To the limits of ITU-T Q.24 (table A-1: AT&T's figures where administrations differ).

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readWav } from '../../src/audio/wav.ts';
import { Resampler } from '../../src/audio/resample.ts';
import { dtmfProgram } from '../../src/media/dtmf.ts';
import { DtmfDetector } from '../../src/media/dtmf-detector.ts';
import { createG711 } from '../../src/media/g711.ts';
import { Doubler, Halver } from '../../src/media/resample.ts';
import { peakOf } from '../../src/media/tones.ts';
import { FakeRandom } from '../fakes/random.ts';
import { voice } from './bench.ts';
import { play } from './listen.ts';

const RATE_HZ = 16_000;
const KEYS = '123A456B789C*0#D';
const ROWS = [697, 770, 852, 941], COLUMNS = [1209, 1336, 1477, 1633];

interface Pair {
  readonly ms?: number;
  readonly lowDbm0?: number;
  readonly highDbm0?: number;
  /** Factors of the frequencies. */
  readonly lowOff?: number;
  readonly highOff?: number;
}

/** A line on which keys sound; `random` gives phases, places and noise. */
function line(seed = 1) {
  const random = new FakeRandom(seed);
  const samples: number[] = [];
  const noise = (dbm0: number): number => {
    let sum = 0;
    for (let i = 0; i < 12; i++) sum += random.fraction(); // near enough to Gauss
    return (sum - 6) * peakOf(dbm0) / Math.SQRT2;
  };
  return {
    samples,
    pause(ms: number) {
      for (let i = 0; i < ms * 16; i++) samples.push(0);
    },
    key(key: string, { ms = 100, lowDbm0 = -11, highDbm0 = -9, lowOff = 1, highOff = 1 }: Pair = {}) {
      const k = KEYS.indexOf(key), a = 2 * Math.PI * random.fraction(), b = 2 * Math.PI * random.fraction();
      for (let i = 0; i < ms * 16; i++) {
        samples.push(peakOf(lowDbm0) * Math.sin(a + 2 * Math.PI * ROWS[k >> 2]! * lowOff * i / RATE_HZ) + peakOf(highDbm0) * Math.sin(b + 2 * Math.PI * COLUMNS[k & 3]! * highOff * i / RATE_HZ));
      }
    },
    noise(dbm0: number) {
      for (let i = 0; i < samples.length; i++) samples[i]! += noise(dbm0);
    },
    somewhere() {
      this.pause(40 + 10 * random.fraction());
    },
  };
}

/** What is heard in `samples`, taken in blocks of 20 ms. */
function heardIn(samples: ArrayLike<number>): { digits: string; ms: number[] } {
  const ms: number[] = [];
  let digits = '';
  const detector = new DtmfDetector((digit, lasted) => {
    digits += digit;
    ms.push(lasted);
  });
  const block = new Int16Array(320);
  for (let at = 0; at < samples.length + 1600; at += 320) {
    for (let i = 0; i < 320; i++) block[i] = Math.max(-32_768, Math.min(32_767, Math.round(samples[at + i] ?? 0)));
    detector.take(block, 320);
  }
  return { digits, ms };
}

/** All keys, each many times at another place and phase. */
function all(pair: Pair, { pauseMs = 60, noiseDbm0 }: { pauseMs?: number; noiseDbm0?: number } = {}): { heard: string; sounded: string } {
  let sounded = '', heard = '';
  for (let seed = 1; seed <= 5; seed++) {
    const on = line(seed);
    for (const key of KEYS) {
      on.somewhere();
      on.key(key, pair);
      on.pause(pauseMs);
      sounded += key;
    }
    if (noiseDbm0 !== undefined) on.noise(noiseDbm0);
    heard += heardIn(on.samples).digits;
  }
  return { heard, sounded };
}
const taken = (pair: Pair, more?: Parameters<typeof all>[1]): void => {
  const { heard, sounded } = all(pair, more);
  expect(heard).toBe(sounded);
};
const refused = (pair: Pair): void => expect(all(pair).heard).toBe('');

describe('a key is heard', () => {
  test('as this phone sends it itself, once, and for as long as it lasted', () => {
    for (const key of KEYS) {
      const { digits, ms } = heardIn(play(dtmfProgram(key, 100), RATE_HZ, 0.3).sound);
      expect(digits).toBe(key);
      expect(Math.abs(ms[0]! - 100)).toBeLessThanOrEqual(10);
    }
  });
  test.each([0.985, 1, 1.015])('with frequencies %f times what they should be (Q.24: 1.5 in a hundred)', (off) => {
    taken({ lowOff: off, highOff: off });
    taken({ lowOff: off, highOff: 2 - off });
  });
  test('of 40 ms, with pauses of 40 ms', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const on = line(seed);
      on.somewhere();
      for (const key of '1122*D0#99') {
        on.key(key, { ms: 40 });
        on.pause(40);
      }
      expect(heardIn(on.samples).digits).toBe('1122*D0#99');
    }
  });
  test('with a column 4 dB louder or 8 dB softer than the row', () => {
    taken({ lowDbm0: -12, highDbm0: -8 });
    taken({ lowDbm0: -8, highDbm0: -16 });
  });
  test.each([[-25, -25], [-3, -3], [-17, -25]])('with rows of %i and columns of %i dBm0', (lowDbm0, highDbm0) => taken({ lowDbm0, highDbm0 }));
  test('at 0 dBm0 of either, clipped by the coder as that is', () => taken({ lowDbm0: 0, highDbm0: 0 }));
  test('over noise 15 dB below each tone', () => taken({ ms: 60, lowDbm0: -12, highDbm0: -12 }, { noiseDbm0: -27 }));
  test('with a hole of 10 ms, as one', () => {
    for (const key of KEYS) {
      const on = line(KEYS.indexOf(key) + 1);
      on.somewhere();
      on.key(key, { ms: 50 });
      on.pause(10);
      on.key(key, { ms: 50 });
      expect(heardIn(on.samples).digits).toBe(key);
    }
  });
  test.each(['PCMA', 'PCMU'] as const)('through %s', (name) => {
    const codec = createG711(name);
    const halve = new Halver(), double = new Doubler(), on = line(3);
    for (const key of KEYS) {
      on.somewhere();
      on.key(key, { ms: 45, lowDbm0: -22, highDbm0: -20 });
      on.pause(45);
    }
    const out: number[] = [], narrow = new Int16Array(200), wide = new Int16Array(800), bytes = new Uint8Array(400);
    for (let at = 0; at < on.samples.length; at += 320) {
      const block = Int16Array.from({ length: 320 }, (_, i) => Math.round(on.samples[at + i] ?? 0));
      const count = halve.run(block, 320, narrow, 0);
      codec.encode(narrow.subarray(0, count), bytes);
      codec.decode(bytes.subarray(0, count), narrow);
      out.push(...wide.subarray(0, double.run(narrow, count, wide, 0)));
    }
    expect(heardIn(out).digits).toBe(KEYS);
  });
});

describe('nothing is heard', () => {
  test.each([0.965, 1.035])('when one frequency is %f times what it should be (Q.24: 3.5 in a hundred)', (off) => {
    refused({ lowOff: off });
    refused({ highOff: off });
  });
  test('of 23 ms', () => refused({ ms: 23 }));
  test('when one tone is much louder than the other', () => {
    refused({ lowDbm0: -20, highDbm0: -12 });
    refused({ lowDbm0: -8, highDbm0: -21 });
  });
  test('below -32 dBm0', () => refused({ lowDbm0: -32, highDbm0: -32 }));
  test('of one tone alone, or of three', () => {
    refused({ lowDbm0: -9, highDbm0: -90 });
    refused({ lowDbm0: -90, highDbm0: -9 });
    const on = line();
    on.somewhere();
    on.key('5', { ms: 300 });
    for (let i = 0; i < on.samples.length; i++) on.samples[i]! += peakOf(-9) * Math.sin(2 * Math.PI * 1040 * i / RATE_HZ);
    expect(heardIn(on.samples).digits).toBe('');
  });
  test('in dial tone, noise or silence', () => {
    const on = line();
    on.pause(2000);
    on.noise(-20);
    expect(heardIn(on.samples).digits).toBe('');
    expect(heardIn(play({ steps: [{ hz: [350, 440], dbm0: -13, ms: 0 }], times: 0 }, RATE_HZ, 2).sound).digits).toBe('');
    expect(heardIn(new Int16Array(32_000)).digits).toBe('');
  });
});

describe('a voice is no key', () => {
  test('neither one that glides, for a minute', () => {
    expect(heardIn(Array.from({ length: 60 * RATE_HZ }, (_, i) => voice(i))).digits).toBe('');
  });

  test('nor vowels of every pitch, held and gliding, for two minutes', { timeout: 30_000 }, () => {
    // Source and filter: pulses at the pitch, three formants that wander.
    const random = new FakeRandom(5);
    const out = new Int16Array(120 * RATE_HZ);
    const state = [0, 0, 0, 0, 0, 0];
    const formants = [500, 1500, 2500];
    let pitch = 120, target = 120, phase = 0, next = [...formants];
    for (let i = 0; i < out.length; i++) {
      if (i % 2400 === 0) {
        target = 80 + 300 * random.fraction() * (random.fraction() < 0.5 ? 0.4 : 1);
        next = [300 + 600 * random.fraction(), 900 + 1300 * random.fraction(), 2200 + 800 * random.fraction()];
        if (random.fraction() < 0.3) target = pitch; // held
      }
      pitch += (target - pitch) / 1500;
      phase += pitch / RATE_HZ;
      let x = 0;
      if (phase >= 1) {
        phase -= 1;
        x = 1;
      }
      let y = 0;
      for (let n = 0; n < 3; n++) {
        formants[n]! += (next[n]! - formants[n]!) / 900;
        const r = Math.exp(-Math.PI * (60 + 40 * n) / RATE_HZ), c = 2 * r * Math.cos(2 * Math.PI * formants[n]! / RATE_HZ);
        const z = x + c * state[2 * n]! - r * r * state[2 * n + 1]!;
        state[2 * n + 1] = state[2 * n]!;
        state[2 * n] = z;
        y += z * (n === 0 ? 1 : 0.5);
      }
      out[i] = Math.max(-32_768, Math.min(32_767, 1500 * y));
    }
    expect(heardIn(out).digits).toBe('');
  });

  // Debian's alsa-utils brings people who name loudspeakers; where it is there they are listened to.
  const folder = '/usr/share/sounds/alsa';
  test.skipIf(!existsSync(folder))('nor people', () => {
    for (const name of ['Front_Center', 'Front_Left', 'Front_Right', 'Rear_Center', 'Rear_Left', 'Rear_Right', 'Side_Left', 'Side_Right']) {
      const sound = readWav(readFileSync(`${folder}/${name}.wav`));
      if (typeof sound === 'string') throw new Error(sound);
      const resampler = new Resampler(sound.rateHz, RATE_HZ), out = new Int16Array(resampler.outputFor(sound.samples.length));
      const count = resampler.run(sound.samples, sound.samples.length, out);
      expect(heardIn(out.subarray(0, count)).digits, name).toBe('');
    }
  });

  test('and keys are heard in between, whatever came before', () => {
    const on = line(9);
    for (let i = 0; i < RATE_HZ; i++) on.samples.push(voice(i));
    on.pause(50);
    on.key('7');
    on.pause(50);
    for (let i = 0; i < RATE_HZ; i++) on.samples.push(voice(i));
    expect(heardIn(on.samples).digits).toBe('7');
  });
});

test('blocks may have any size', () => {
  const on = line(4);
  for (const key of '4711#') {
    on.key(key);
    on.pause(60);
  }
  for (const size of [1, 7, 160, 999]) {
    let digits = '';
    const detector = new DtmfDetector((digit) => { digits += digit; });
    for (let at = 0; at < on.samples.length; at += size) {
      const block = Int16Array.from(on.samples.slice(at, at + size));
      detector.take(block, block.length);
    }
    expect(digits).toBe('4711#');
  }
});
