import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutRecords, kernelTime } from '../../src/hardware/records.ts';

test('records come out whole and in order however the bytes arrive', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 48 }), fc.uint8Array({ maxLength: 400 }), fc.array(fc.integer({ min: 1, max: 100 })), (size, bytes, cuts) => {
    const seen: number[] = [];
    const cut = cutRecords(size, (record) => { for (let i = 0; i < size; i++) seen.push(record.getUint8(i)); });
    let at = 0;
    for (const length of [...cuts, bytes.length]) { cut(bytes.subarray(at, at + length)); at += length; }
    expect(seen).toEqual([...bytes.subarray(0, bytes.length - bytes.length % size)]);
  }));
});

test('kernel instants keep their distances once the least delay was seen', () => {
  let nowMs = 5_003;
  const onOurClock = kernelTime(() => nowMs);
  expect(onOurClock(1_000)).toBe(5_003); // 3 ms late, unknown to us
  nowMs = 5_100;
  expect(onOurClock(1_100)).toBe(5_100);
  nowMs = 5_900;
  expect(onOurClock(1_200)).toBe(5_200); // read 700 ms late
});
