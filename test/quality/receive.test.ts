// What the receive path makes of bad networks, in counted time: the same figures every time. The whole table is `node test/bench/quality.js --offline`.

import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { bindOpus } from '../../src/media/opus.ts';
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

  test.skipIf(bindOpus() === undefined).each([1, 2])('by Opus with one packet in ten lost (%i) is within 0.4 of what it is without loss', (seed) => {
    const clean = heard('clean', 'opus');
    expect(clean.delayMs).toBeLessThan(30);
    expect(heard('rand10', 'opus', seed).mos).toBeGreaterThan(clean.mos - 0.4);
  });
});
