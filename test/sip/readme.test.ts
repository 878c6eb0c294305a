import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'src/sip/README.md'), 'utf8');
const made = execFileSync(process.execPath, [join(root, 'scripts/rfc-table')], { encoding: 'utf8' });

test('src/sip/README.md lists the sections that sources and tests name now; scripts/rfc-table --write makes it so', () => {
  expect(/<!-- rfcs -->\n([^]*)<!-- \/rfcs -->/.exec(page)?.[1]).toBe(made);
});

test('every departure that a comment tells is on the page', () => {
  const folder = join(root, 'src');
  const told = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).reduce((sum, name) => sum + (readFileSync(join(folder, name), 'utf8').match(/\bDeparts\s+(?:\*\s+)?from\b/g)?.length ?? 0), 0);
  expect(told).toBeGreaterThan(0);
  expect(made.split('### Departures')[1]!.match(/^- `/gm)).toHaveLength(told);
});

test('a section named in a source or in a test is found', () => {
  expect(made).toMatch(/### RFC 6665: events\n/);
  expect(made).toMatch(/\| §4\.1\.2\.4 \| `subscriptions\.ts` \| sip\/subscriptions \|/);
  expect(made).toMatch(/\| §17\.1\.1\.2 \| .*`tables\.ts`.* \| .*sip\/transactions/);
});
