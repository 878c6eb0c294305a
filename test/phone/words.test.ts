import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { failureTone, troubles } from '../../src/phone/words.ts';
import { statusTones } from '../../src/media/tone-tables.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

test.each([
  ['busy', '486 600 603 607 608'], ['sit', '404 410 414 416 484 485 604'], ['wrong password', '401 407'], ['', '487'],
])('%j is heard after %s, and the README says so', (tone, statuses) => {
  for (const status of statuses.split(' ')) expect(failureTone({ status: Number(status) })).toBe(tone);
  expect(readme).toContain(`| ${statuses} |`);
});

test('every other answer that is no success is congestion, and so is none', () => {
  const told = new Set([486, 600, 603, 607, 608, 404, 410, 414, 416, 484, 485, 604, 401, 407, 487]);
  for (let status = 300; status < 700; status++) if (!told.has(status)) expect(failureTone({ status })).toBe('congestion');
  expect(failureTone({ status: 0 })).toBe('congestion');
});

test('every reason for which a registration fails has its tone and a sentence', () => {
  for (const { tone, words } of Object.values(troubles)) {
    expect(Object.keys(statusTones)).toContain(tone);
    expect(words).toMatch(/\.$/);
  }
});
