import { describe, expect, test } from 'vitest';
import { instanceOf } from '../../src/main/instance.ts';
import { FakeFiles } from '../fakes/files.ts';
import { FakeRandom } from '../fakes/random.ts';

/** A write at once, in place of after the first registration. */
const written = (write: () => void): void => write();
const URN = /^urn:uuid:[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

describe('the name of this very phone (RFC 5626 §4.1)', () => {
  test('is a UUID URN, the same after a restart, another in another folder', async () => {
    const files = new FakeFiles(), random = new FakeRandom(1);
    const first = await instanceOf(files, '/state', random, written);
    expect(first).toMatch(URN);
    expect(await instanceOf(files, '/state', random, written)).toBe(first);
    expect(await instanceOf(files, '/other', random, written)).not.toBe(first);
  });

  test('a file that holds something else is written anew', async () => {
    const files = new FakeFiles();
    await files.writeAtomic('/state/instance', 'urn:uuid:x"><sip:evil>\n');
    const made = await instanceOf(files, '/state', new FakeRandom(1), written);
    expect(made).toMatch(URN);
    expect((await files.read('/state/instance'))!.toString()).toBe(`${made}\n`);
  });

  test('a new one is there at once and written down when there is time for it', async () => {
    const files = new FakeFiles(), waiting: (() => void)[] = [];
    const made = await instanceOf(files, '/state', new FakeRandom(1), (write) => { waiting.push(write); });
    expect(await files.read('/state/instance')).toBeUndefined();
    for (const write of waiting) write();
    expect((await files.read('/state/instance'))!.toString()).toBe(`${made}\n`);
  });

  test('a folder that can be neither read nor written takes nothing away but the sameness', async () => {
    const files = new FakeFiles(), broken = (): Promise<never> => Promise.reject(new Error('EROFS'));
    files.read = broken;
    files.writeAtomic = broken;
    expect(await instanceOf(files, '/state', new FakeRandom(1), written)).toMatch(URN);
  });
});
