// How speech sounds after a bad network, and how late: our phone beside baresip, on the same packets at the same instants. The whole table
// is test/bench/quality.js; here are three traces and wide margins, since another program may tear the sound of either.

import { expect, test } from 'vitest';
import { packetsOf } from '../quality/sending.ts';
import { score, type Score } from '../quality/score.ts';
import { conversation } from '../quality/speech.ts';
import { makeTrace } from '../quality/traces.ts';
import { callBoth } from './lab/rig.ts';

const SECONDS = 18;
const TRACES = ['clean', 'rand3', 'wifibusy'] as const;

test('no worse than baresip, at less delay, on a clean network, with 3 % lost and on a busy Wi-Fi', async () => {
  const said = conversation(8_000, SECONDS, ['anne', 'bert']);
  const heard = await callBoth(TRACES.map((name) => makeTrace(name, { seconds: SECONDS })), packetsOf(said, 'PCMU', 20), 'PCMU');
  const found = heard.map((one) => ({ ...one, score: score(said, one.heard, 8_000) }));
  const of = (who: string, trace: string): Score => found.find((one) => one.who === who && one.trace.name === trace)!.score;
  const words = (s: Score): string => `${s.mos.toFixed(2)} @${s.delayMs.toFixed(0)} ms`;
  console.log(TRACES.map((trace) => `${trace}: ours ${words(of('offhook', trace))}, baresip ${words(of('baresip', trace))}`).join('\n'));
  for (const trace of TRACES) {
    const ours = of('offhook', trace), theirs = of('baresip', trace);
    expect(ours.delayMs, trace).toBeLessThan(0.75 * theirs.delayMs);
    expect(ours.mos, trace).toBeGreaterThan(theirs.mos - 0.35); // one stall of this machine tears 20 ms of the phone that has less in hand
  }
  const mean = (who: string): number => TRACES.reduce((sum, trace) => sum + of(who, trace).mos, 0) / TRACES.length;
  expect(mean('offhook')).toBeGreaterThan(mean('baresip') - 0.25);
});
