import assert from 'node:assert/strict';
import { test } from 'vitest';
import { parseReplaces } from '../../src/sip/call-requests.ts';

test('Replaces is read with its tags in any order (RFC 3891 §6.1)', () => {
  const rows: [string, ReturnType<typeof parseReplaces>][] = [
    ['98732@x.example;from-tag=r33th4x0r;to-tag=ff87ff', { callId: '98732@x.example', toTag: 'ff87ff', fromTag: 'r33th4x0r', earlyOnly: false }],
    ['a ; to-tag=1 ; from-tag=2 ; Early-Only', { callId: 'a', toTag: '1', fromTag: '2', earlyOnly: true }],
    ['a;TO-TAG=1;from-tag=0', { callId: 'a', toTag: '1', fromTag: '0', earlyOnly: false }],
    ['a;to-tag=1', undefined], [';to-tag=1;from-tag=2', undefined], ['', undefined],
  ];
  for (const [line, read] of rows) assert.deepEqual(parseReplaces(line), read, line);
});
