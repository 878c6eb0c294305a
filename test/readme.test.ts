// The README says what is there: its table of settings is the schema's, and what it names exists.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { settingsTable } from '../src/config/table.ts';
import { statusTones } from '../src/media/tone-tables.ts';

const root = resolve(import.meta.dirname, '..');
const readme = readFileSync(resolve(root, 'README.md'), 'utf8');
const scripts = (JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')) as { readonly scripts: Record<string, string> }).scripts;

test('the table of settings is that of the schema: scripts/settings-table --write makes it', () => {
  expect(/<!-- settings -->\n\n([\s\S]*?)\n<!-- \/settings -->/.exec(readme)?.[1]).toBe(settingsTable());
});

test('every script, npm script and linked file exists', () => {
  const named = [...readme.matchAll(/\b(scripts\/[a-z-]+|src\/[\w/-]+\.(?:ts|md)|hw\/[\w/-]+\.\w+|systemd\/[\w.]+)/g)].map((m) => m[1] as string);
  const linked = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((m) => m[1] as string);
  expect(named.length).toBeGreaterThan(10);
  expect([...named, ...linked].filter((path) => !existsSync(resolve(root, path)))).toEqual([]);
  const run = [...readme.matchAll(/npm run (\w+)/g)].map((m) => m[1] as string);
  expect(run.filter((name) => scripts[name] === undefined)).toEqual([]);
});

test('every status tone has its row', () => {
  const rows = /## What the beeps say([\s\S]*?)\n## /.exec(readme)?.[1]?.split('\n').filter((line) => /^\| (?!beeps|---)/.test(line)) ?? [];
  expect(rows).toHaveLength(Object.keys(statusTones).length);
});
