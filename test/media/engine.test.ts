import { describe, expect, test } from 'vitest';
import { align, call, card, toneIn, voice } from './bench.ts';

describe('sound through two engines', () => {
  test('what is said at one handset is heard at the other', async () => {
    const { clock, a, b } = await call({ microphone: voice });
    await clock.run(3000);
    const { like, delay } = align(voice, card(b).played, 16_000, 24_000);
    expect(like).toBeGreaterThan(0.95);
    expect(toneIn(card(a).played, 1000)).toBeLessThan(20);
  });
});
