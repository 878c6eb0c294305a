// One INVITE, several phones (RFC 3261 §13.2.2.4): what a proxy that forks lets through, played by hand.

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { text } from '../../src/sip/message.ts';
import { called, CONTACT, lines, SDP, tagOf } from './call-bench.ts';

const at = (user: string) => `Contact: <sip:${user}@10.0.0.2>`;
const reliable = (user: string, rseq: number) => [at(user), 'Require: 100rel', `RSeq: ${rseq}`, 'Allow: INVITE, UPDATE, PRACK'];

describe('an INVITE that forks', () => {
  test('makes a dialog of each To tag: its own target, routes, RSeq and CSeq (RFC 3261 §12.1.2, RFC 3262 §4)', async () => {
    const { town, peer, invite } = await called();
    peer.answer(invite, 183, [...reliable('one', 100), 'Record-Route: <sip:10.0.0.2;lr;n=1>'], '', 'one');
    await town.run(20);
    peer.answer(invite, 183, reliable('two', 7), '', 'two');
    await town.run(20);
    const [first, second] = peer.got.filter((m) => m.method === 'PRACK');
    assert.match(first!.bytes.toString(), /^PRACK sip:one@10.0.0.2 SIP\/2.0\r\n[^]*\r\nRoute: <sip:10.0.0.2;lr;n=1>/);
    assert.match(second!.bytes.toString(), /^PRACK sip:two@10.0.0.2 SIP/);
    assert.deepEqual([first!, second!].map((m) => [text(m, 'rack'), text(m, 'cseq'), tagOf(m, 'to')]), [['100 1 INVITE', '2 PRACK', 'one'], ['7 1 INVITE', '2 PRACK', 'two']]);
    peer.answer(first!, 200);
    peer.answer(second!, 200);
    peer.answer(invite, 180, reliable('one', 101), '', 'one');
    await town.run(20);
    assert.deepEqual([text(peer.last('PRACK'), 'rack'), text(peer.last('PRACK'), 'cseq')], ['101 1 INVITE', '3 PRACK']);
  });

  test('is heard where somebody spoke last, and in the end where somebody answered (RFC 3960 §3)', async () => {
    const { town, peer, call, invite, told } = await called();
    peer.answer(invite, 183, reliable('one', 1), 'v=0 one', 'one');
    await town.run(20);
    peer.answer(invite, 183, reliable('two', 1), 'v=0 two', 'two');
    await town.run(20);
    peer.answer(invite, 200, [at('one')], '', 'one'); // its answer came before
    await town.run(20);
    assert.deepEqual(told, ['progress 183', 'early answer v=0 one', 'progress 183', 'early answer v=0 two', 'answer v=0 one', 'established']);
    call.hangUp();
    await town.run(20);
    assert.deepEqual([tagOf(peer.last('BYE'), 'to'), text(peer.last('BYE'), 'cseq')], ['one', '3 BYE'], 'the CSeq of the early dialog goes on');
  });

  test('the routes are those of the 2xx, whatever the 1xx said (RFC 3261 §13.2.2.4)', async () => {
    const { town, peer, call, invite } = await called();
    peer.answer(invite, 180, [at('one'), 'Record-Route: <sip:10.0.0.2;lr;old>'], '', 'one');
    await town.run(20);
    peer.answer(invite, 200, [at('late'), 'Record-Route: <sip:10.0.0.2;lr;new>'], 'v=0 answer', 'one');
    await town.run(20);
    call.hangUp();
    await town.run(20);
    assert.match(peer.last('BYE').bytes.toString(), /^BYE sip:late@10.0.0.2 SIP\/2.0\r\n[^]*Route: <sip:10.0.0.2;lr;new>/);
  });

  test('a second 2xx gets ACK and BYE in its own dialog, each time it comes the ACK (RFC 3261 §13.2.2.4)', async () => {
    const { town, peer, call, invite, told } = await called();
    peer.answer(invite, 180, reliable('two', 1), '', 'two');
    await town.run(20);
    peer.answer(peer.last('PRACK'), 200);
    peer.answer(invite, 200, [at('one')], 'v=0 one', 'one');
    await town.run(20);
    peer.answer(invite, 200, [at('two')], 'v=0 two', 'two');
    await town.run(20);
    const bye = peer.last('BYE');
    assert.deepEqual([tagOf(bye, 'to'), peer.got.filter((m) => m.method === 'ACK').map((m) => tagOf(m, 'to'))], ['two', ['one', 'two']]);
    assert.match(bye.bytes.toString(), /^BYE sip:two@/);
    assert.deepEqual([told.at(-1), call.state], ['established', 'established']);
  });

  test('199 says that a branch is over: it is acknowledged and no progress (RFC 6228 §4)', async () => {
    const { town, peer, invite, told } = await called();
    peer.answer(invite, 183, reliable('one', 1), 'v=0 one', 'one');
    await town.run(20);
    peer.answer(peer.last('PRACK'), 200);
    peer.answer(invite, 199, reliable('one', 2), '', 'one');
    await town.run(20);
    assert.equal(text(peer.last('PRACK'), 'rack'), '2 1 INVITE');
    assert.deepEqual(told, ['progress 183', 'early answer v=0 one']);
    peer.send('10.0.0.1', lines('UPDATE', 1, [CONTACT, SDP], { to: tagOf(invite, 'from'), from: 'one', callId: text(invite, 'call-id')! }), 'v=0 new');
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 481);
  });

  test('an UPDATE in the dialog of either branch is theirs (RFC 3311 §5.2)', async () => {
    const { town, peer, call, invite, told } = await called();
    for (const who of ['one', 'two']) {
      peer.answer(invite, 183, reliable(who, 1), `v=0 ${who}`, who);
      await town.run(20);
      peer.answer(peer.last('PRACK'), 200);
    }
    peer.send('10.0.0.1', lines('UPDATE', 1, [CONTACT, SDP], { to: tagOf(invite, 'from'), from: 'one', callId: text(invite, 'call-id')! }), 'v=0 more');
    await town.run(20);
    assert.equal(told.at(-1), 'offer v=0 more');
    call.answerOffer(Buffer.from('v=0 yes'));
    await town.run(20);
    assert.equal(tagOf(peer.got.at(-1)!, 'from'), 'one');
  });

  test('branches without number do not fill the memory', async () => {
    const { town, peer, invite, call, told } = await called();
    for (let i = 0; i < 100; i++) peer.answer(invite, 180, [at(`n${i}`)], '', `n${i}`);
    await town.run(100);
    const update = (who: string) => peer.send('10.0.0.1', lines('UPDATE', 1, [CONTACT], { to: tagOf(invite, 'from'), from: who, callId: text(invite, 'call-id')! }));
    update('n99');
    await town.run(20);
    update('n3');
    await town.run(20);
    assert.deepEqual(peer.statuses(), [200, 481], 'the oldest are forgotten');
    peer.answer(invite, 200, [at('n3')], 'v=0 answer', 'n3');
    await town.run(20);
    assert.equal(told.at(-1), 'established');
    call.hangUp();
    await town.run(20);
    assert.equal(tagOf(peer.last('BYE'), 'to'), 'n3');
  });

  test('a CANCEL takes all of them (RFC 3261 §9.1); a 200 that crossed it gets ACK and BYE', async () => {
    const { town, peer, call, invite } = await called();
    for (const who of ['one', 'two']) peer.answer(invite, 180, [at(who)], '', who);
    await town.run(20);
    call.hangUp();
    await town.run(20);
    assert.equal(peer.count('CANCEL'), 1);
    peer.answer(invite, 200, [at('two')], 'v=0 answer', 'two');
    await town.run(20);
    assert.deepEqual([tagOf(peer.last('ACK'), 'to'), tagOf(peer.last('BYE'), 'to')], ['two', 'two']);
  });

  test('the BYE of a branch that answers too late comes after its PRACKs (RFC 3261 §12.2.1.1)', async () => {
    const { town, peer, invite } = await called();
    for (const rseq of [1, 2]) {
      peer.answer(invite, 180, reliable('two', rseq), '', 'two');
      await town.run(20);
      peer.answer(peer.last('PRACK'), 200);
    }
    peer.answer(invite, 200, [at('one')], 'v=0 one', 'one');
    await town.run(20);
    peer.answer(invite, 200, [at('two')], 'v=0 two', 'two');
    await town.run(20);
    assert.deepEqual([tagOf(peer.last('BYE'), 'to'), text(peer.last('BYE'), 'cseq')], ['two', '4 BYE']);
  });

  for (const status of [200, 481]) {
    test(`an offer of ours to a branch that did not answer the call, ended there by ${status}, goes on to the one that did`, async () => {
      const { town, peer, call, invite } = await called();
      peer.answer(invite, 183, reliable('one', 1), 'v=0 one', 'one');
      await town.run(20);
      peer.answer(peer.last('PRACK'), 200);
      call.offer(Buffer.from('v=0 hold'));
      await town.run(20);
      peer.answer(invite, 200, [at('two')], 'v=0 two', 'two');
      await town.run(20);
      peer.answer(peer.last('UPDATE'), status, [at('one')], status === 200 ? 'v=0 held' : '');
      await town.run(20);
      const again = peer.last('INVITE');
      assert.deepEqual([tagOf(again, 'to'), again.bytes.subarray(again.bodyStart).toString(), call.state], ['two', 'v=0 hold', 'established']);
    });
  }
});
