import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { drawings } from './drawings.ts';

test('src/machines.md is what the tables say', () => {
  expect(readFileSync(new URL('../src/machines.md', import.meta.url), 'utf8'), 'mend with: node scripts/drawings --write').toBe(drawings());
});
