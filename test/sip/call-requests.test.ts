import assert from 'node:assert/strict';
import { test } from 'vitest';
import { parseReplaces, transferHeaders } from '../../src/sip/call-requests.ts';
import type { CallUnit } from '../../src/sip/call.ts';
import type { Ua } from '../../src/sip/ua.ts';

test('Replaces is read with its tags in any order (RFC 3891 §6.1)', () => {
  const rows: [string, ReturnType<typeof parseReplaces>][] = [
    ['98732@x.example;from-tag=r33th4x0r;to-tag=ff87ff', { callId: '98732@x.example', toTag: 'ff87ff', fromTag: 'r33th4x0r', earlyOnly: false }],
    ['a ; to-tag=1 ; from-tag=2 ; Early-Only', { callId: 'a', toTag: '1', fromTag: '2', earlyOnly: true }],
    ['a;TO-TAG=1;from-tag=0', { callId: 'a', toTag: '1', fromTag: '0', earlyOnly: false }],
    ['a;to-tag=1', undefined], [';to-tag=1;from-tag=2', undefined], ['', undefined],
  ];
  for (const [line, read] of rows) assert.deepEqual(parseReplaces(line), read, line);
});

test('a transfer names the third by its address at our server, which leads there through any proxy, else by its Contact (RFC 5589 §7.3)', () => {
  const account = { address: 'sip:201@example.org' };
  const call = { dialog: { from: '<sip:201@example.org>;tag=a' } } as unknown as CallUnit, ua = { target: () => undefined } as unknown as Ua;
  const rows: [remote: string, account: object | undefined, named: string][] = [
    ['sip:203@example.org', account, 'sip:203@example.org'], ['sip:203@example.org;user=phone', account, 'sip:203@example.org;user=phone'],
    ['sip:203@example.org', undefined, 'sip:203-x@10.0.0.3:7070'], ['sip:anonymous@anonymous.invalid', account, 'sip:203-x@10.0.0.3:7070'],
  ];
  for (const [uri, through, named] of rows) {
    const third = { account: through, remote: { uri }, dialog: { target: 'sip:203-x@10.0.0.3:7070', callId: 'c', remoteTag: 'r', localTag: 'l' } } as unknown as CallUnit;
    assert.equal(new Map(transferHeaders(ua, call, '', third)).get('Refer-To'), `<${named}?Replaces=c%3Bto-tag%3Dr%3Bfrom-tag%3Dl>`);
  }
});
