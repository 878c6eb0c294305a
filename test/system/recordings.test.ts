import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { wavHeader } from '../../src/audio/wav.ts';
import type { Shelf } from '../../src/ports/recordings.ts';
import { createShelf, makeSoundFile, type ShelfSettings } from '../../src/system/recordings.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';

const NOW = Date.UTC(2026, 10, 30, 7, 5, 12), DAY_MS = 86_400_000, SECOND = 64_000;
let state: string, clock: FakeClock, log: FakeLog, shelf: Shelf, settings: ShelfSettings;
const file = (name: string) => join(state, 'recordings', name);
/** A finished recording of so many seconds; its header may say otherwise. */
const put = (name: string, seconds: number, said = seconds) => {
  mkdirSync(join(state, 'recordings'), { recursive: true });
  writeFileSync(file(name), Buffer.concat([wavHeader(16_000, said * SECOND, 2), Buffer.alloc(seconds * SECOND, 1)]));
};
const there = () => readdirSync(join(state, 'recordings')).sort();
const until = async (so: () => boolean) => { for (let i = 0; i < 200 && !so(); i++) await new Promise((resolve) => setTimeout(resolve, 5)); };

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'offhook-recordings-'));
  [clock, log, settings] = [new FakeClock(NOW), new FakeLog(), { folder: '', keepDays: 30, maxMegabytes: 100 }];
  shelf = createShelf(clock, log, state, () => settings);
});
afterEach(() => {
  shelf.close();
  rmSync(state, { recursive: true, force: true });
});

describe('a new recording', () => {
  test('lies in the state folder, for its owner alone, and is called by time, direction and caller', async () => {
    const { path, maxBytes } = await shelf.place(NOW, 'in', 'sip:bob smith@192.0.2.3');
    expect(path).toBe(file('20261130T070512Z-in-bob=20smith=40192.0.2.3.wav'));
    expect(maxBytes).toBe(100_000_000);
    const made = await makeSoundFile(path);
    await made.write(Buffer.from('abc'), 0);
    await made.write(Buffer.from('Z'), 1);
    await made.sync();
    expect(await made.free()).toBeGreaterThan(0);
    await made.close();
    expect(readFileSync(path, 'latin1')).toBe('aZc');
    expect((lstatSync(path).mode & 0o777).toString(8)).toBe('600');
    expect((lstatSync(join(state, 'recordings')).mode & 0o777).toString(8)).toBe('700');
  });

  test('takes the place of none, nor goes through a link', async () => {
    put('20261130T070512Z-out-201.wav', 1);
    expect((await shelf.place(NOW, 'out', '201')).path).toBe(file('20261130T070512Z-out-201~2.wav'));
    await expect(makeSoundFile(file('20261130T070512Z-out-201.wav'))).rejects.toThrow('a file stands');
    symlinkSync(join(state, 'elsewhere'), file('link.wav'));
    await expect(makeSoundFile(file('link.wav'))).rejects.toThrow('a file stands');
  });

  test('whose folder cannot be had is refused, and the setting named', async () => {
    writeFileSync(join(state, 'stands'), '');
    settings = { ...settings, folder: join(state, 'stands/here') };
    await expect(shelf.place(NOW, 'in', '1')).rejects.toThrow(/recordings have no place: a file stands where a folder is needed .*setting recording.folder/);
  });

  test('gives back who it was, a number with a star as any', async () => {
    for (const who of ['*43', 'anna@pbx.example', '+49 30/1', '=2A']) {
      const { path } = await shelf.place(NOW, 'out', who);
      put(path.slice(`${state}/recordings/`.length), 4);
      expect((await shelf.list()).map((each) => each.who)).toContain(who);
    }
  });

  test('cannot lead out of the folder whatever the caller calls himself', async () => {
    for (const who of ['../../etc/passwd', '/etc/passwd', '', '..', 'a\0b', '\u{1f600}', 'x'.repeat(300)]) {
      const { path } = await shelf.place(NOW, 'in', who);
      expect(path.startsWith(`${state}/recordings/20261130T070512Z-in-`), path).toBe(true);
      expect(path.slice(`${state}/recordings/`.length)).not.toContain('/');
      expect(path.length - state.length).toBeLessThan(100);
    }
  });
});

describe('the list', () => {
  test('is newest first, of our files alone', async () => {
    put('20261129T100000Z-in-201.wav', 3);
    put('20261130T060000Z-out-bob_pbx~2.wav', 5);
    put('song.wav', 1);
    mkdirSync(file('20261128T100000Z-in-201.wav'));
    symlinkSync('/etc/hostname', file('20261127T100000Z-in-201.wav'));
    expect(await shelf.list()).toEqual([
      { name: '20261130T060000Z-out-bob_pbx~2.wav', at: Date.UTC(2026, 10, 30, 6), direction: 'out', who: 'bob_pbx', seconds: 5, bytes: 44 + 5 * SECOND, running: false },
      { name: '20261129T100000Z-in-201.wav', at: Date.UTC(2026, 10, 29, 10), direction: 'in', who: '201', seconds: 3, bytes: 44 + 3 * SECOND, running: false },
    ]);
  });

  test('is empty before the first recording', async () => {
    expect(await shelf.list()).toEqual([]);
  });

  test('makes whole what a power cut left with a header of before, or with less than it says', async () => {
    put('20261130T060000Z-in-1.wav', 10, 8);
    put('20261130T060001Z-in-2.wav', 4, 8);
    writeFileSync(file('20261130T060002Z-in-3.wav'), '');
    expect((await shelf.list()).map(({ seconds }) => seconds)).toEqual([0, 4, 10]);
    expect([1, 2].map((n) => readFileSync(file(`20261130T06000${n - 1}Z-in-${n}.wav`)).readUInt32LE(40))).toEqual([10 * SECOND, 4 * SECOND]);
  });

  test('leaves one alone that is being written', async () => {
    const { path } = await shelf.place(NOW, 'in', '1');
    put('20261130T070512Z-in-1.wav', 6, 4);
    shelf.running(path, true);
    expect(await shelf.list()).toMatchObject([{ running: true, seconds: 6 }]);
    expect(readFileSync(path).readUInt32LE(40)).toBe(4 * SECOND);
    expect(await shelf.remove('20261130T070512Z-in-1.wav')).toBe(false);
    shelf.running(path, false);
    expect(await shelf.list()).toMatchObject([{ running: false }]);
    expect(readFileSync(path).readUInt32LE(40)).toBe(6 * SECOND);
  });
});

describe('what is read and removed', () => {
  test('are bytes of a recording', async () => {
    put('20261130T060000Z-in-1.wav', 1);
    const found = await shelf.open('20261130T060000Z-in-1.wav');
    expect(found?.bytes).toBe(44 + SECOND);
    const parts: Buffer[] = [];
    for await (const part of found!.stream(0, 3)) parts.push(part as Buffer);
    expect(Buffer.concat(parts).toString('latin1')).toBe('RIFF');
    expect(await shelf.remove('20261130T060000Z-in-1.wav')).toBe(true);
    expect(await shelf.remove('20261130T060000Z-in-1.wav')).toBe(false);
    expect(there()).toEqual([]);
  });

  test('is nothing else, in whatever way it is called', async () => {
    put('song.wav', 1);
    writeFileSync(join(state, 'page-password'), 'secret');
    symlinkSync(join(state, 'page-password'), file('20261130T060000Z-in-1.wav'));
    for (const name of ['song.wav', '../page-password', '20261130T060000Z-in-1.wav', '20261130T060000Z-in-../../page-password.wav', '', '.', '20261130T060000Z-in-1.wav/']) {
      expect([name, await shelf.open(name), await shelf.remove(name)]).toEqual([name, undefined, false]);
    }
    expect(readFileSync(join(state, 'page-password'), 'utf8')).toBe('secret');
  });
});

describe('what goes by itself', () => {
  test('is older than recording.keepDays; 0 keeps all', async () => {
    await shelf.place(NOW, 'in', '1'); // what was there at the start is looked at by then
    put('20261030T070000Z-in-1.wav', 1);
    put('20261031T080000Z-in-1.wav', 1);
    put('20200101T080000Z.wav', 1);
    settings = { ...settings, keepDays: 0 };
    await shelf.place(NOW, 'in', '1');
    expect(there()).toHaveLength(3);
    settings = { ...settings, keepDays: 30 };
    await shelf.place(NOW, 'in', '1');
    expect(there()).toEqual(['20200101T080000Z.wav', '20261031T080000Z-in-1.wav']); // what is not ours stays
  });

  test('is looked for every ten minutes', async () => {
    put('20261101T070000Z-in-1.wav', 1);
    clock.advance(600_000);
    expect(there()).toHaveLength(1);
    clock.advance(2 * DAY_MS);
    await until(() => log.facts().includes('old recordings removed'));
    expect(there()).toEqual([]);
  });

  test('is the oldest, where all are larger than recording.maxMegabytes, and never one being written', async () => {
    for (const n of [1, 2, 3]) put(`20261130T06000${n}Z-in-1.wav`, 700); // 45 MB each
    shelf.running(file('20261130T060001Z-in-1.wav'), true);
    await shelf.place(NOW, 'in', '1');
    expect(there()).toEqual(['20261130T060001Z-in-1.wav', '20261130T060003Z-in-1.wav']);
  });
});
