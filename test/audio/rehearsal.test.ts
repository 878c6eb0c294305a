import { expect, test } from 'vitest';
import { rehearseCards } from '../../src/audio/rehearsal.ts';

test('a rehearsal serves every period on a card of our own rate and on one of 48 kHz in stereo, and comes to an end', () => {
  expect(rehearseCards(400)).toBe(800);
});
