// What the receive path makes of bad networks, in counted time: the same figures every time. The whole table is `node test/bench/quality.js --offline`.

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { bindOpus } from '../../src/media/opus.ts';
import { noisy } from './degrade.ts';
import { score, type Score } from './score.ts';
import { listenOffline, packetsOf, speechHz, type SentCodec } from './sending.ts';
import { conversation } from './speech.ts';
import { makeTrace, type ProfileName, type Trace } from './traces.ts';

const SECONDS = 42;

describe.skipIf(spawnSync('espeak-ng', ['--version']).status !== 0)('speech', { timeout: 60_000 }, () => {
  const heard = (name: ProfileName, codec: SentCodec, seed = 1): Score => {
    const said = conversation(speechHz(codec), SECONDS), trace: Trace = makeTrace(name, { seconds: SECONDS, seed });
    return score(said, listenOffline(trace, packetsOf(said, codec, 20, trace), codec).heard, speechHz(codec));
  };

  test.each([['rand3', 1], ['rand3', 2], ['rand10', 2], ['burst3', 1], ['wifibusy', 2], ['wifibad', 1], ['wifibad', 2], ['spikes', 1]] as const)('over %s (%i) clicks no more than once a minute', (name, seed) => {
    expect(heard(name, 'PCMU', seed).clicksAMinute).toBeLessThan(1);
  });

  test('through stalls of 150 ms every 5 s is whole from the second on', () => {
    expect(heard('spikes', 'PCMU').mos).toBeGreaterThan(3.7);
  });

  test.each([['PCMU', 700], ...(bindOpus() === undefined ? [] : [['opus', 700], ['opus', 1_200]] as const)] as const)('in noise, by %s, a loss of %i ms sounds like a pause and not like a dead line', (codec, ms) => {
    const perMs = speechHz(codec) / 1_000, said = noisy(conversation(speechHz(codec), 12), 100), clean = makeTrace('clean', { seconds: 12 });
    const packets = clean.packets.map((p) => (p.sequence === 20 || (p.sequence >= 450 && p.sequence < 450 + ms / 20) ? { ...p, arrivalMs: undefined } : p));
    const { heard } = listenOffline({ ...clean, packets }, packetsOf(said, codec, 20), codec);
    for (let at = 9_000 + 200; at < 9_000 + ms; at += 50) {
      const level = Math.sqrt(heard.subarray(at * perMs, (at + 50) * perMs).reduce((sum, x) => sum + x * x, 0) / (50 * perMs));
      expect(level, `${at - 9_000} ms`).toBeGreaterThan(58 / 2);
      expect(level, `${at - 9_000} ms`).toBeLessThan(58 * 2);
    }
  });

  test.skipIf(bindOpus() === undefined).each([1, 2])('by Opus with one packet in ten lost (%i) is within 0.4 of what it is without loss', (seed) => {
    const clean = heard('clean', 'opus');
    expect(clean.delayMs).toBeLessThan(30);
    expect(heard('rand10', 'opus', seed).mos).toBeGreaterThan(clean.mos - 0.4);
  });
});
