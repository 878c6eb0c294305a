import { describe, expect, test } from 'vitest';
import { createCallLog, readMemory, writeMemory } from '../../src/phone/call-log.ts';
import { fakeStore } from './fake-store.ts';
import type { CallLogEntry } from '../../src/phone/status.ts';

const entry = (at: number): CallLogEntry => ({ at, direction: 'in', who: `${at}`, name: '', seconds: 0, how: 'hung up', missed: false, intercom: false });

describe('the call log', () => {
  test('gives the newest call first and no more than the setting keeps', async () => {
    const log = createCallLog(fakeStore(), () => 3);
    await Promise.all([1, 2, 3, 4, 5].map((at) => log.add(entry(at))));
    expect((await log.read()).map((e) => e.at)).toEqual([5, 4, 3]);
  });

  test('never holds more than twice that on the disk', async () => {
    const store = fakeStore();
    const log = createCallLog(store, () => 3);
    for (let at = 1; at <= 50; at++) {
      await log.add(entry(at));
      expect(store.texts.get('calls.jsonl')!.trim().split('\n').length).toBeLessThanOrEqual(6);
    }
    expect((await log.read()).map((e) => e.at)).toEqual([50, 49, 48]);
  });

  test('goes on where it was after a restart, a line cut short left out', async () => {
    const store = fakeStore();
    await createCallLog(store, () => 9).add(entry(1));
    store.texts.set('calls.jsonl', `${store.texts.get('calls.jsonl')!}{"at":2,"dire\n`);
    const log = createCallLog(store, () => 9);
    await log.add(entry(3));
    expect((await log.read()).map((e) => e.at)).toEqual([3, 1]);
  });

  test('keeps nothing when set to nothing, and forgets what it had', async () => {
    const store = fakeStore();
    let size = 5;
    const log = createCallLog(store, () => size);
    await log.add(entry(1));
    size = 0;
    await log.add(entry(2));
    expect(await log.read()).toEqual([]);
    expect(store.texts.get('calls.jsonl')).toBe('');
  });

  test('tells of a write that failed and takes the next one', async () => {
    const store = fakeStore();
    const log = createCallLog(store, () => 5);
    store.fail = true;
    await expect(log.add(entry(1))).rejects.toThrow('disk full');
    store.fail = false;
    await log.add(entry(2));
    expect((await log.read()).map((e) => e.at)).toEqual([2]);
  });
});

test('the memory comes back as it was written, and empty from nonsense', async () => {
  const store = fakeStore();
  expect(await readMemory(store)).toEqual({ redial: '', lastCaller: '', missed: 0 });
  await writeMemory(store, { redial: '201', lastCaller: 'sip:door@192.0.2.7', missed: 2 });
  expect(await readMemory(store)).toEqual({ redial: '201', lastCaller: 'sip:door@192.0.2.7', missed: 2 });
  for (const text of ['{"redial":', 'null', '[]', '{"redial":7,"missed":"x"}']) {
    store.texts.set('memory.json', text);
    expect(await readMemory(store)).toEqual({ redial: '', lastCaller: '', missed: 0 });
  }
});
