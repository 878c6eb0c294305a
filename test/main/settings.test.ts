import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { settingsCommand } from '../../src/main/settings.ts';
import { serveControl } from '../../src/system/control.ts';

let state: string, said: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'oh-set-'));
  said = '';
  for (const out of [process.stdout, process.stderr]) vi.spyOn(out, 'write').mockImplementation((text) => { said += String(text); return true; });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(state, { recursive: true, force: true });
});

test('good settings are written, and shown with secrets covered', async () => {
  expect(await settingsCommand(state, ['accounts.0.user=201', 'accounts.0.server=pbx.home', 'accounts.0.password=hush'])).toBe(0);
  expect(readFileSync(join(state, 'settings.toml'), 'utf8')).toContain('password = "hush"');
  expect(await settingsCommand(state, [])).toBe(0);
  expect(said).toContain('"user": "201"');
  expect(said).not.toContain('hush');
});

test('a bad one is refused by name, and nothing is written', async () => {
  expect(await settingsCommand(state, ['sip.port=5070', 'sip.prot=5'])).toBe(1);
  expect(said).toContain('sip.prot: no such setting; perhaps sip.port');
  expect(() => readFileSync(join(state, 'settings.toml'))).toThrow();
});

test('that a running phone does not know of it is said', async () => {
  const control = await serveControl(join(state, 'control.sock'), async () => ({ ok: true }));
  expect(await settingsCommand(state, ['sip.port=5070'])).toBe(0);
  control.close();
  expect(said).toContain('restart it');
});
