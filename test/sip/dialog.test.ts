import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { belongs, contactOf, dialogOfRequest, dialogOfResponse, inOrder, pathOf, refreshTarget } from '../../src/sip/dialog.ts';
import { parseMessage, type Message } from '../../src/sip/message.ts';

function message(start: string, ...lines: string[]): Message {
  const read = parseMessage(Buffer.from([start, 'Via: SIP/2.0/UDP h;branch=z9hG4bK1', ...lines, 'Content-Length: 0', '', ''].join('\r\n')));
  assert.ok(read.kind !== 'malformed');
  return read;
}
const invite = (...more: string[]) => message('INVITE sip:bob@b.example SIP/2.0', 'From: Alice <sip:alice@a.example>;tag=a1', 'To: <sip:bob@b.example>', 'Call-ID: c1', 'CSeq: 7 INVITE', ...more);
const ok = (...more: string[]) => message('SIP/2.0 200 OK', 'From: <sip:us@a.example>;tag=u1', 'To: <sip:bob@b.example>;tag=b1', 'Call-ID: c1', 'CSeq: 3 INVITE', ...more);
const ours = { callId: 'c1', from: '<sip:us@a.example>;tag=u1', localTag: 'u1', seq: 3, uri: 'sip:bob@b.example' };

describe('dialog', () => {
  test('the caller takes Record-Route in reverse order (RFC 3261 §12.1.2)', () => {
    const d = dialogOfResponse(ours, ok('Contact: <sip:bob@192.0.2.4;transport=tcp>', 'Record-Route: <sip:p2;lr>, <sip:p1;lr>', 'Record-Route: <sip:p0;lr>'));
    assert.deepEqual(d, { callId: 'c1', localTag: 'u1', remoteTag: 'b1', from: ours.from, to: '<sip:bob@b.example>;tag=b1', target: 'sip:bob@192.0.2.4;transport=tcp', routes: ['<sip:p0;lr>', '<sip:p1;lr>', '<sip:p2;lr>'], localSeq: 3, remoteSeq: -1 });
    assert.deepEqual(pathOf(d!), { uri: 'sip:bob@192.0.2.4;transport=tcp', routes: d!.routes, hop: 'sip:p0;lr' });
  });

  test('the called takes Record-Route in order and the CSeq of the request (RFC 3261 §12.1.1)', () => {
    const d = dialogOfRequest(invite('Contact: <sip:alice@192.0.2.3>', 'Record-Route: <sip:p2;lr>, <sip:p1;lr>'), 'us9');
    assert.deepEqual(d?.routes, ['<sip:p2;lr>', '<sip:p1;lr>']);
    assert.equal(d?.from, '<sip:bob@b.example>;tag=us9');
    assert.equal(d?.to, 'Alice <sip:alice@a.example>;tag=a1');
    assert.equal(d?.remoteSeq, 7);
  });

  test('an INVITE without a usable Contact makes none (RFC 3261 §8.1.1.8)', () => {
    assert.equal(dialogOfRequest(invite(), 't'), undefined);
    assert.equal(dialogOfRequest(invite('Contact: <mailto:x@y>'), 't'), undefined);
    assert.equal(dialogOfRequest(invite('Contact: <sip:a@h>', 'Record-Route: <not a uri>'), 't'), undefined);
  });

  test('a 2xx without Contact leaves the address that was asked as target', () => {
    assert.equal(dialogOfResponse(ours, ok())?.target, 'sip:bob@b.example');
  });

  test('without routes the target is asked straight; a strict router becomes the Request-URI (RFC 3261 §12.2.1.1)', () => {
    assert.deepEqual(pathOf({ target: 'sip:b@h', routes: [] }), { uri: 'sip:b@h', routes: [], hop: 'sip:b@h' });
    assert.deepEqual(pathOf({ target: 'sip:b@h', routes: ['<sip:old.example>', '<sip:new;lr>'] }), { uri: 'sip:old.example', routes: ['<sip:new;lr>', '<sip:b@h>'], hop: 'sip:old.example' });
  });

  test('a lower CSeq is out of order, a gap is not (RFC 3261 §12.2.2)', () => {
    const d = dialogOfRequest(invite('Contact: <sip:a@h>'), 't')!;
    const bye = (n: number) => message('BYE sip:us@h SIP/2.0', 'From: <sip:alice@a.example>;tag=a1', 'To: <sip:b>;tag=t', 'Call-ID: c1', `CSeq: ${n} BYE`);
    assert.deepEqual([inOrder(d, bye(6)), inOrder(d, bye(20)), inOrder(d, bye(19)), d.remoteSeq], [false, true, false, 20]);
  });

  test('both tags name the dialog, each from its own side', () => {
    const d = dialogOfRequest(invite('Contact: <sip:a@h>'), 't')!;
    const from = (ft: string, tt: string) => message('BYE sip:us@h SIP/2.0', `From: <sip:alice@a.example>${ft}`, `To: <sip:b>${tt}`, 'Call-ID: c1', 'CSeq: 9 BYE');
    assert.deepEqual([belongs(d, from(';tag=a1', ';tag=t')), belongs(d, from(';tag=a1', ';tag=x')), belongs(d, from('', ';tag=t'))], [true, false, false]);
  });

  test('a peer without tag is a dialog all the same (RFC 3261 §12.1.1, RFC 2543)', () => {
    const old = message('INVITE sip:bob@b SIP/2.0', 'From: <sip:old@a>', 'To: <sip:bob@b>', 'Call-ID: c1', 'CSeq: 1 INVITE', 'Contact: <sip:old@h>');
    const d = dialogOfRequest(old, 't')!;
    assert.equal(d.remoteTag, '');
    assert.ok(belongs(d, message('BYE sip:us@h SIP/2.0', 'From: <sip:old@a>', 'To: <sip:b>;tag=t', 'Call-ID: c1', 'CSeq: 2 BYE')));
  });

  test('a new Contact moves the target; none leaves it (RFC 3261 §12.2.2)', () => {
    const d = dialogOfRequest(invite('Contact: <sip:a@h>'), 't')!;
    refreshTarget(d, invite('Contact: <sip:a@elsewhere>'));
    assert.equal(d.target, 'sip:a@elsewhere');
    refreshTarget(d, invite());
    assert.equal(d.target, 'sip:a@elsewhere');
  });

  test('a Contact gives its address as written, without headers and method', () => {
    assert.equal(contactOf(invite('Contact: <sip:a%20b@H;ob;alias=1~2>')), 'sip:a%20b@H;ob;alias=1~2');
    assert.equal(contactOf(invite('Contact: <sip:a@h;method=INVITE?x=y>')), 'sip:a@h');
  });
});
