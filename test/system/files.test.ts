import { chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { systemFiles } from '../../src/system/files.ts';

const folder = mkdtempSync(join(tmpdir(), 'oh-files-'));
const files = systemFiles();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what is written is there, for its owner alone, and leaves no temp file', async () => {
  const path = join(folder, 'deep', 'a');
  await files.makeFolder(join(folder, 'deep'));
  await Promise.all([files.writeAtomic(path, 'old'), files.writeAtomic(path, 'new')]);
  await files.append(path, 'er');
  expect((await files.read(path))?.toString()).toBe('newer');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await files.list(join(folder, 'deep'))).toEqual(['a']);
});

test('a temp file left behind, or a link in its place, is replaced and not written through', async () => {
  const other = join(folder, 'other');
  writeFileSync(other, 'precious', { mode: 0o644 });
  symlinkSync(other, join(folder, 'settings.tmp'));
  await files.writeAtomic(join(folder, 'settings'), 'new');
  expect([readFileSync(other, 'utf8'), readFileSync(join(folder, 'settings'), 'utf8')]).toEqual(['precious', 'new']);
  writeFileSync(join(folder, 'settings.tmp'), 'half', { mode: 0o666 });
  await files.writeAtomic(join(folder, 'settings'), 'newer');
  expect(lstatSync(join(folder, 'settings')).mode & 0o170777).toBe(0o100600);
});

test.runIf(process.getuid?.() === 0)('what root writes belongs to whom the folder belongs to, so that the service can read it', async () => {
  const state = join(folder, 'state');
  mkdirSync(state, { mode: 0o700 });
  chownSync(state, 4_711, 4_712);
  await files.writeAtomic(join(state, 'settings.toml'), 'x');
  const { uid, gid } = statSync(join(state, 'settings.toml'));
  expect([uid, gid]).toEqual([4_711, 4_712]);
});

test('what is not there is undefined, false or nothing', async () => {
  expect(await files.read(join(folder, 'none'))).toBeUndefined();
  expect(await files.exists(join(folder, 'none'))).toBe(false);
  expect(await files.list(join(folder, 'none'))).toEqual([]);
  await files.remove(join(folder, 'none'));
});

test('a full disk, a file in the way and a forbidden place are told in words', async () => {
  await expect(files.append('/dev/full', 'x')).rejects.toMatchObject({ code: 'DISK_FULL', message: 'the disk is full (/dev/full)' });
  writeFileSync(join(folder, 'file'), '');
  await expect(files.makeFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'NO_FOLDER' });
  await expect(files.writeAtomic(join(folder, 'file', 'x'), '')).rejects.toMatchObject({ code: 'NO_FOLDER' });
  await expect(files.writeAtomic('/sys/offhook', '')).rejects.toMatchObject({ message: expect.stringMatching(/^(no permission|the disk is read-only)/) });
});
