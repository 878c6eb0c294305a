import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
