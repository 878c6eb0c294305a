import { expect, test } from 'vitest';
import { createCodec, type CodecFactory } from '../../src/media/codec.ts';
import { createEngine } from '../../src/media/engine.ts';
import { rehearse } from '../../src/media/rehearsal.ts';
import { FakeRandom } from '../fakes/random.ts';

test('a rehearsal encodes and decodes every period of a call both ways, half in each kind of G.711', async () => {
  const done: Record<string, number> = {};
  const count = (what: string) => { done[what] = (done[what] ?? 0) + 1; };
  const counting: CodecFactory = (use, options) => {
    const codec = createCodec(use, options);
    return {
      ...codec,
      encode(samples, out) { count(`${use.name} encoded`); return codec.encode(samples, out); },
      decode(payload, out) { count(`${use.name} decoded`); return codec.decode(payload, out); },
    };
  };
  await rehearse(createEngine, new FakeRandom(1), counting, 400);
  for (const name of ['PCMU', 'PCMA']) {
    expect(done[`${name} encoded`]).toBeGreaterThanOrEqual(390);
    expect(done[`${name} encoded`]).toBeLessThanOrEqual(410);
    expect(done[`${name} decoded`]).toBeGreaterThanOrEqual(380);
  }
});
