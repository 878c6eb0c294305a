import { describe, expect, test } from 'vitest';
import { advice, analyse, Probe, PROBE_MS } from '../../src/media/probe.ts';

const HZ = 16_000;

/** A card whose microphone hears its loudspeaker: so late, so much weaker, with noise, a clock that is off, a limit, and later reflections. */
function heard({ delay = 640, gain = 0.25, noise = 3, ppm = 0, limit = 32_767, tail = 0 } = {}): Int16Array {
  const probe = new Probe(HZ), frames = 320, total = PROBE_MS * HZ / 1_000;
  const played = new Float64Array(total + frames), playback = new Int16Array(frames), captured = new Int16Array(frames);
  let seed = 1;
  const chance = () => ((seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 31 - 1) * noise * Math.sqrt(3);
  const at = (t: number) => {
    const i = Math.floor(t);
    return i < 0 ? 0 : played[i]! * (i + 1 - t) + (played[i + 1] ?? 0) * (t - i);
  };
  for (let n = 0, on = true; on; n += frames) {
    for (let i = 0; i < frames; i++) {
      const t = (n + i) * (1 - ppm * 1e-6) - delay;
      let x = gain * at(t);
      for (let r = 1; r <= tail; r++) x += gain * 0.7 ** r * at(t - 50 * r) * (r % 2 === 0 ? 1 : -1);
      captured[i] = Math.max(-limit, Math.min(limit, Math.round(x + chance())));
    }
    on = probe.beat(captured, playback, frames);
    played.set(playback, n);
  }
  return probe.captured;
}

describe('what a test of a sound card finds', () => {
  test('delay, loss, noise and drift as they are', () => {
    const { echo, noiseDb, clipped } = analyse(heard({ delay: 643.4, ppm: 120 }), HZ);
    expect(clipped).toBe(0);
    expect(noiseDb).toBeCloseTo(20 * Math.log10(3 / 32_768), 0);
    // the clock drifts by 1 to 3 samples until the end of the first sweep
    expect(echo!.delayMs).toBeGreaterThan(644.4 / 16);
    expect(echo!.delayMs).toBeLessThan(646.4 / 16);
    expect(analyse(heard({ delay: 643.4 }), HZ).echo!.delayMs).toBeCloseTo(643.4 / 16, 1);
    expect(echo!.lossDb).toBeCloseTo(12.04, 0);
    expect(echo!.driftPpm).toBeGreaterThan(115);
    expect(echo!.driftPpm).toBeLessThan(125);
    expect(echo!.peakDb).toBeCloseTo(-24, 0);
    expect(Math.max(...echo!.octavesDb.map(Math.abs))).toBeLessThan(1.5);
  });

  test('a drift the other way is told apart', () => {
    const { driftPpm } = analyse(heard({ ppm: -60 }), HZ).echo!;
    expect(driftPpm).toBeGreaterThan(-64);
    expect(driftPpm).toBeLessThan(-56);
  });

  test('an echo 50 dB down in noise is found, nothing at all is not', () => {
    expect(analyse(heard({ gain: 0.003, noise: 10 }), HZ).echo?.delayMs).toBeCloseTo(40, 0);
    expect(analyse(heard({ gain: 0, noise: 10 }), HZ).echo).toBeUndefined();
    expect(analyse(heard({ gain: 0, noise: 0 }), HZ)).toMatchObject({ echo: undefined, noiseDb: -120 });
  });

  test('reflections make the tail longer', () => {
    expect(analyse(heard(), HZ).echo!.tailMs).toBeLessThan(3);
    const { tailMs } = analyse(heard({ tail: 12 }), HZ).echo!;
    expect(tailMs).toBeGreaterThan(12);
    expect(tailMs).toBeLessThan(40);
  });

  test('samples at the limit are counted', () => {
    expect(analyse(heard({ gain: 6 }), HZ).clipped).toBeGreaterThan(1_000);
  });
});

describe('advice', () => {
  test.each([
    ['a good handset', heard({ gain: 0.01, noise: 10 }), false, []],
    ['a good loudspeaker', heard({ noise: 10 }), true, []],
    ['an overdriven microphone', heard({ gain: 6, noise: 10 }), true, [/overdriven.*from 0 to -12 dB/]],
    ['a loudspeaker near the limit', heard({ gain: 2.6, noise: 10 }), true, [/near its limit/]],
    ['a noisy microphone', heard({ noise: 400 }), true, [/noisy/]],
    ['no microphone', heard({ gain: 0, noise: 0 }), true, [/digital silence/]],
    ['no loudspeaker', heard({ gain: 0, noise: 10 }), true, [/hears nothing/]],
    ['an earpiece heard in the microphone', heard({ gain: 0.4, noise: 10 }), false, [/earpiece/]],
    ['two cards', heard({ ppm: 800, noise: 10 }), true, [/800 ppm|79\d ppm|80\d ppm/]],
    ['a slow card', heard({ delay: 4_000, noise: 10 }), true, [/250 ms/]],
  ] as const)('%s', (_, captured, speaker, wanted) => {
    const said = advice(analyse(captured, HZ), 0, speaker);
    expect(said).toHaveLength(wanted.length);
    wanted.forEach((words, i) => expect(said[i]).toMatch(words));
  });
});
