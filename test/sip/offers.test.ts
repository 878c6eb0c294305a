import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { Call } from '../../src/sip/agent-types.ts';
import { text } from '../../src/sip/message.ts';
import { ANSWER, OFFER, story, Town } from './agent-bench.ts';
import { answered, called, calling, CONTACT, lines, SDP, tagOf } from './call-bench.ts';

const NOTHING = Buffer.alloc(0);
const reliable = (rseq: number): string[] => [CONTACT, 'Require: 100rel', `RSeq: ${rseq}`, 'Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK'];
const body = (m: { bytes: Buffer; bodyStart: number }) => m.bytes.subarray(m.bodyStart).toString();

describe('reliable responses to a call of ours', () => {
  test('each gets one PRACK that names it, in its own dialog, with the next CSeq (RFC 3262 §4, §7.2)', async () => {
    const { town, peer, invite, told } = await called();
    peer.answer(invite, 180, reliable(77));
    await town.run(20);
    const prack = peer.last('PRACK');
    assert.deepEqual([text(prack, 'rack'), text(prack, 'cseq'), tagOf(prack, 'to'), text(prack, 'content-length')], ['77 1 INVITE', '2 PRACK', 'peer', '0']);
    assert.match(prack.bytes.toString(), /^PRACK sip:peer@10.0.0.2 SIP/);
    peer.answer(prack, 200);
    peer.answer(invite, 183, reliable(78));
    await town.run(20);
    assert.deepEqual([text(peer.last('PRACK'), 'rack'), text(peer.last('PRACK'), 'cseq'), peer.count('PRACK')], ['78 1 INVITE', '3 PRACK', 2]);
    assert.deepEqual(told, ['progress 180', 'progress 183']);
  });

  test('one that comes again, or before its turn, is as if it had not come (RFC 3262 §4)', async () => {
    const { town, peer, invite, told } = await called();
    for (const rseq of [5, 5, 7, 4]) {
      peer.answer(invite, 180, reliable(rseq));
      await town.run(20);
      if (peer.count('PRACK') === 1) peer.answer(peer.last('PRACK'), 200);
    }
    assert.equal(peer.count('PRACK'), 1);
    assert.deepEqual(told, ['progress 180']);
    peer.answer(invite, 180, reliable(6));
    await town.run(20);
    assert.equal(text(peer.last('PRACK'), 'rack'), '6 1 INVITE');
  });

  test('without RSeq there is nothing to name', async () => {
    const { town, peer, invite } = await called();
    for (const line of ['RSeq: 0', 'RSeq: x', 'Subject: none']) peer.answer(invite, 180, [CONTACT, 'Require: 100rel', line]);
    await town.run(20);
    assert.equal(peer.count('PRACK'), 0);
  });

  test('an answer in one is the answer: what later responses describe does not count (RFC 3261 §13.2.1, RFC 6337 §3.1)', async () => {
    const { town, peer, invite, told } = await called();
    peer.answer(invite, 183, reliable(1), 'v=0 answer');
    await town.run(20);
    peer.answer(peer.last('PRACK'), 200);
    peer.answer(invite, 183, [CONTACT], 'v=0 another');
    await town.run(20);
    peer.answer(invite, 200, [CONTACT]);
    await town.run(20);
    assert.deepEqual(told, ['progress 183', 'early answer v=0 answer', 'progress 183', 'established']);
    assert.equal(text(peer.last('ACK'), 'cseq'), '1 ACK');
  });

  test('an unreliable answer is a foretaste, replaced by that of the 2xx (RFC 3261 §13.2.1)', async () => {
    const { town, peer, invite, told } = await called();
    peer.answer(invite, 183, [CONTACT], 'v=0 early');
    await town.run(20);
    peer.answer(invite, 200, [CONTACT], 'v=0 answer');
    await town.run(20);
    assert.deepEqual(told, ['progress 183', 'early answer v=0 early', 'answer v=0 answer', 'established']);
  });

  test('an offer in one is answered in its PRACK (RFC 3262 §5)', async () => {
    const { town, peer, call, invite, told } = await called({}, NOTHING);
    peer.answer(invite, 183, reliable(9), 'v=0 theirs');
    await town.run(20);
    assert.deepEqual([told.at(-1), peer.count('PRACK')], ['offer v=0 theirs', 0]);
    call.answerOffer(ANSWER);
    await town.run(20);
    const prack = peer.last('PRACK');
    assert.deepEqual([text(prack, 'rack'), text(prack, 'content-type'), body(prack)], ['9 1 INVITE', 'application/sdp', 'v=0 answer']);
    peer.answer(prack, 200);
    peer.answer(invite, 200, [CONTACT]);
    await town.run(20);
    assert.deepEqual([told.at(-1), peer.count('ACK'), call.state], ['established', 1, 'established']);
  });

  test('an offer in one is answered in its PRACK also when the 200 did not wait for that (RFC 3262 §4)', async () => {
    const { town, peer, call, invite } = await called({}, NOTHING);
    peer.answer(invite, 183, reliable(9), 'v=0 theirs');
    peer.answer(invite, 200, [CONTACT]);
    await town.run(20);
    call.answerOffer(ANSWER);
    call.offer(Buffer.from('v=0 hold'));
    await town.run(20);
    assert.deepEqual([peer.count('ACK'), body(peer.last('PRACK')), body(peer.last('INVITE'))], [1, 'v=0 answer', 'v=0 hold']);
  });

  test('an offer in one that we cannot have ends the call (RFC 6337 §3.2)', async () => {
    const { town, peer, call, invite, told } = await called({}, NOTHING);
    peer.answer(invite, 183, reliable(9), 'v=0 theirs');
    await town.run(20);
    call.refuseOffer(488);
    await town.run(20);
    assert.equal(peer.count('CANCEL'), 1);
    assert.match(told.at(-1)!, /^ended by us: the session offered cannot be had/);
  });

  test('hung up while our answer is owed: CANCEL, and a 200 that crosses it gets ACK and BYE, no late PRACK', async () => {
    const { town, peer, call, invite } = await called({}, NOTHING);
    peer.answer(invite, 183, reliable(9), 'v=0 theirs');
    await town.run(20);
    call.hangUp();
    peer.answer(invite, 200, [CONTACT]);
    await town.run(50);
    assert.deepEqual(['CANCEL', 'ACK', 'BYE', 'PRACK'].map((m) => peer.count(m)), [1, 1, 1, 0]);
  });

  for (const status of [481, 408]) {
    test(`a PRACK that gets ${status}, having crossed the final response, ends nothing`, async () => {
      const { town, peer, call, invite } = await called();
      peer.answer(invite, 180, reliable(1));
      await town.run(20);
      peer.answer(invite, 200, [CONTACT], 'v=0 answer');
      peer.answer(peer.last('PRACK'), status);
      await town.run(20);
      assert.equal(call.state, 'established');
    });
  }

  test('PRACK is sent again until answered (RFC 3262 §4)', async () => {
    const { town, peer, invite } = await called();
    peer.answer(invite, 180, reliable(1));
    await town.run(1_600);
    assert.equal(peer.count('PRACK'), 3);
    peer.answer(peer.last('PRACK'), 200);
    await town.run(10_000);
    assert.equal(peer.count('PRACK'), 3);
  });

  test('one that comes after hanging up is acknowledged before the CANCEL\'s 487 (RFC 3262 §4)', async () => {
    const { town, peer, call, invite } = await called();
    call.hangUp();
    peer.answer(invite, 180, reliable(1));
    await town.run(20);
    assert.deepEqual([peer.count('CANCEL'), peer.count('PRACK')], [1, 1]);
  });
});

describe('reliable responses of ours', () => {
  test('go to a caller who requires them, with Require and a growing RSeq (RFC 3262 §3)', async () => {
    const { town, peer, call, inside } = await calling(['Require: 100rel', 'Supported: 100rel']);
    const first = peer.got[0]!, rseq = Number(text(first, 'rseq'));
    assert.deepEqual([first.status, text(first, 'require')], [180, '100rel']);
    assert.ok(rseq >= 1 && rseq < 2 ** 31);
    inside('PRACK', 2, [`RAck: ${rseq} 1 INVITE`]);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 200);
    call.progress(182);
    await town.run(20);
    assert.equal(text(peer.got.at(-1)!, 'rseq'), String(rseq + 1));
  });

  test('not to one who only can, unless they describe (RFC 3262 §3)', async () => {
    const { town, peer, call } = await calling(['Supported: 100rel']);
    assert.equal(text(peer.got[0]!, 'rseq'), undefined);
    call.progress(183, ANSWER);
    await town.run(20);
    assert.deepEqual([text(peer.got[1]!, 'require'), body(peer.got[1]!)], ['100rel', 'v=0 answer']);
  });

  test('not to one who cannot: then the 2xx describes again (RFC 3261 §13.2.1)', async () => {
    const { town, peer, call } = await calling();
    call.progress(183, ANSWER);
    call.accept(ANSWER);
    await town.run(20);
    assert.deepEqual(peer.got.slice(1, 3).map((m) => [m.status, text(m, 'rseq'), body(m)]), [[183, undefined, 'v=0 answer'], [200, undefined, 'v=0 answer']]);
  });

  test('come again at T1, doubling, and after 64 T1 the call is refused by 504 (RFC 3262 §3)', async () => {
    const { town, peer, told } = await calling(['Require: 100rel']);
    const start = town.messages().find((m) => m.words === '180 INVITE')!.atMs;
    await town.run(40_000);
    const sent = town.messages().filter((m) => m.from === '10.0.0.1');
    assert.deepEqual(sent.filter((m) => m.words === '180 INVITE').map((m) => m.atMs - start), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert.equal(sent.find((m) => m.words === '504 INVITE')!.atMs - start, 32_000);
    assert.equal(told.at(-1), 'ended by network: the other side never confirmed (504)');
    assert.ok(peer.statuses().includes(504));
  });

  test('a PRACK that names none of them gets 481 (RFC 3262 §3)', async () => {
    const { town, peer, inside } = await calling(['Require: 100rel']);
    const rseq = Number(text(peer.got[0]!, 'rseq'));
    let seq = 2;
    for (const rack of [`RAck: ${rseq + 1} 1 INVITE`, `RAck: ${rseq} 2 INVITE`, `RAck: ${rseq} 1 UPDATE`, 'RAck: x', 'Subject: none']) {
      inside('PRACK', seq++, [rack]);
      await town.run(20);
      assert.equal(peer.statuses().at(-1), 481, rack);
    }
    inside('PRACK', seq++, [`RAck: ${rseq} 1 INVITE`]);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 200);
    inside('PRACK', seq++, [`RAck: ${rseq} 1 INVITE`]);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 481, 'acknowledged already');
  });

  test('the next waits for the PRACK of the one before (RFC 3262 §3)', async () => {
    const { town, peer, call, inside } = await calling(['Require: 100rel']);
    const rseq = Number(text(peer.got[0]!, 'rseq'));
    call.progress(183, ANSWER);
    await town.run(20);
    assert.deepEqual(peer.statuses(), [180]);
    inside('PRACK', 2, [`RAck: ${rseq} 1 INVITE`]);
    await town.run(20);
    assert.deepEqual(peer.statuses(), [180, 200, 183]);
  });

  test('one that is not reliable waits for it too: what is repeated is the one that waits for its PRACK (RFC 3262 §3)', async () => {
    const { town, peer, call, inside } = await calling(['Supported: 100rel'], 'v=0 offer', {}, (c) => c.progress(183, ANSWER));
    call.progress(180);
    await town.run(1_600);
    assert.deepEqual(peer.statuses(), [183, 183, 183]);
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`]);
    await town.run(20);
    assert.deepEqual(peer.statuses(), [183, 183, 183, 200, 180]);
  });

  test('the 200 waits for the PRACK of one that described, and does not describe again (RFC 3262 §3, RFC 6337 §3.1)', async () => {
    const { town, peer, call, told, inside } = await calling(['Supported: 100rel'], 'v=0 offer', {}, (c) => c.progress(183, ANSWER));
    call.accept(ANSWER);
    await town.run(200);
    assert.deepEqual(peer.statuses(), [183]);
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`]);
    await town.run(20);
    assert.deepEqual(peer.statuses(), [183, 200, 200]);
    assert.deepEqual([text(peer.got.at(-1)!, 'cseq'), text(peer.got.at(-1)!, 'content-length')], ['1 INVITE', '0']);
    inside('ACK', 1);
    await town.run(20);
    assert.deepEqual([call.state, told.at(-1)], ['established', 'established']);
  });

  test('the 200 does not wait for one that described nothing, which then is not repeated but may still be acknowledged (RFC 3262 §3)', async () => {
    const { town, peer, call, inside } = await calling(['Require: 100rel']);
    call.accept(ANSWER);
    await town.run(20);
    assert.deepEqual(peer.statuses(), [180, 200]);
    inside('ACK', 1);
    await town.run(40_000);
    assert.deepEqual([peer.statuses(), call.state], [[180, 200], 'established']);
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`]);
    await town.run(20);
    assert.deepEqual(peer.statuses(), [180, 200, 200]);
  });

  test('one that was lost and so is never acknowledged holds nothing up once the call is answered (RFC 3262 §3)', async () => {
    const { town, peer, call, inside } = await calling(['Require: 100rel']);
    call.accept(ANSWER);
    await town.run(20);
    inside('ACK', 1);
    call.offer(Buffer.from('v=0 hold'));
    await town.run(20);
    assert.equal(body(peer.last('INVITE')), 'v=0 hold');
  });

  for (const described of [true, false]) {
    test(`one that waited for its turn ${described ? '' : 'without a description '}is not sent after the 200 (RFC 3262 §3)`, async () => {
      const { town, peer, call, inside } = await calling(['Require: 100rel'], 'v=0 offer', {}, (c) => c.progress(183, described ? ANSWER : undefined));
      call.progress(180);
      call.accept(ANSWER);
      await town.run(20);
      inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`]);
      await town.run(20);
      inside('ACK', 1);
      await town.run(40_000);
      assert.deepEqual([peer.statuses(), call.state], [[183, 200, 200], 'established']);
    });
  }

  test('our offer in one is answered in the PRACK (RFC 3262 §5)', async () => {
    const { town, peer, call, told, inside } = await calling(['Supported: 100rel'], '', {}, (c) => c.progress(183, OFFER));
    assert.equal(body(peer.got[0]!), 'v=0 offer');
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`], 'v=0 theirs');
    await town.run(20);
    assert.deepEqual(told, ['early answer v=0 theirs']);
    call.accept(OFFER);
    await town.run(20);
    assert.equal(text(peer.got.at(-1)!, 'content-length'), '0');
    inside('ACK', 1);
    await town.run(20);
    assert.equal(call.state, 'established');
  });

  test('a PRACK without the answer that it owes ends the call (RFC 3262 §5)', async () => {
    const { town, peer, told, inside } = await calling(['Supported: 100rel'], '', {}, (c) => c.progress(183, OFFER));
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`]);
    await town.run(20);
    assert.equal(told.at(-1), 'ended by them: the other side sent no session description');
    assert.deepEqual(peer.statuses(), [183, 200, 500]);
  });

  test('an offer in the PRACK is answered in its 200 (RFC 3262 §5)', async () => {
    const { town, peer, call, told, inside } = await calling(['Supported: 100rel'], 'v=0 offer', {}, (c) => c.progress(183, ANSWER));
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`], 'v=0 more');
    await town.run(20);
    assert.deepEqual([told.at(-1), peer.statuses()], ['offer v=0 more', [183]]);
    call.answerOffer(Buffer.from('v=0 yes'));
    await town.run(20);
    assert.deepEqual([body(peer.got.at(-1)!), text(peer.got.at(-1)!, 'cseq')], ['v=0 yes', '2 PRACK']);
  });

  test('required by a caller who offers nothing: nothing rings there before our offer (RFC 3262 §5)', async () => {
    const { town, peer, call } = await calling(['Require: 100rel'], '');
    await town.run(1_000);
    assert.deepEqual(peer.statuses(), [100]);
    call.accept(OFFER);
    await town.run(20);
    assert.equal(body(peer.got.at(-1)!), 'v=0 offer');
  });

  test('an early description for a caller who offered nothing and takes no reliable ones stays with us (RFC 3261 §13.2.1)', async () => {
    const { peer } = await calling([], '', {}, (c) => c.progress(183, OFFER));
    assert.deepEqual([peer.statuses(), text(peer.got[0]!, 'content-length')], [[183], '0']);
  });

  test('CANCEL while one waits for its PRACK ends the repeating', async () => {
    const { town, peer } = await calling(['Require: 100rel']);
    peer.send('10.0.0.1', lines('CANCEL', 1, [], { branch: 'z9hG4bKinvite' }));
    await town.run(40_000);
    assert.equal(peer.statuses().filter((s) => s === 180).length, 1);
    assert.equal(town.clock.pending, 0);
  });
});

describe('UPDATE before the answer', () => {
  /** Our call, answered early and reliably by a peer who allows UPDATE. */
  async function early() {
    const b = await called();
    b.peer.answer(b.invite, 183, reliable(1), 'v=0 answer');
    await b.town.run(20);
    b.peer.answer(b.peer.last('PRACK'), 200);
    await b.town.run(20);
    const inside = (method: string, seq: number, more: string[] = [], content = '') =>
      b.peer.send('10.0.0.1', lines(method, seq, [...more, ...(content === '' ? [] : [SDP])], { to: tagOf(b.invite, 'from'), callId: text(b.invite, 'call-id')! }), content);
    return { ...b, inside };
  }

  test('brings an offer of ours into an early dialog (RFC 3311 §5.1)', async () => {
    const { town, peer, call, told } = await early();
    call.offer(Buffer.from('v=0 hold'));
    await town.run(20);
    const update = peer.last('UPDATE');
    assert.deepEqual([text(update, 'cseq'), body(update), text(update, 'session-expires')], ['3 UPDATE', 'v=0 hold', undefined]);
    peer.answer(update, 200, [CONTACT], 'v=0 held');
    await town.run(20);
    assert.equal(told.at(-1), 'answer v=0 held');
  });

  test('waits for the call where the peer does not allow it, and goes as re-INVITE then (RFC 3311 §5.1)', async () => {
    const { town, peer, call, invite } = await called();
    peer.answer(invite, 183, [CONTACT, 'Require: 100rel', 'RSeq: 1'], 'v=0 answer');
    await town.run(20);
    peer.answer(peer.last('PRACK'), 200);
    call.offer(Buffer.from('v=0 hold'));
    await town.run(20);
    assert.equal(peer.count('UPDATE'), 0);
    peer.answer(invite, 200, [CONTACT]);
    await town.run(20);
    assert.deepEqual([text(peer.last('INVITE'), 'cseq'), body(peer.last('INVITE'))], ['3 INVITE', 'v=0 hold']);
  });

  test('of theirs is answered in its 200 (RFC 3311 §5.2)', async () => {
    const { town, peer, call, told, inside } = await early();
    inside('UPDATE', 1, [CONTACT], 'v=0 new');
    await town.run(20);
    assert.equal(told.at(-1), 'offer v=0 new');
    call.answerOffer(ANSWER);
    await town.run(20);
    assert.deepEqual([peer.got.at(-1)!.status, body(peer.got.at(-1)!)], [200, 'v=0 answer']);
  });

  test('of theirs before our offer was answered gets 491 (RFC 3311 §5.2)', async () => {
    const { town, peer, invite } = await called();
    peer.answer(invite, 180, reliable(1));
    await town.run(20);
    peer.send('10.0.0.1', lines('UPDATE', 1, [CONTACT, SDP], { to: tagOf(invite, 'from'), callId: text(invite, 'call-id')! }), 'v=0 new');
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 491);
  });

  test('of the caller before we answered his offer gets 500 with Retry-After (RFC 3311 §5.2)', async () => {
    const { town, peer, inside } = await calling();
    inside('UPDATE', 2, [CONTACT], 'v=0 new');
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 500);
    assert.ok(Number(text(peer.got.at(-1)!, 'retry-after')) <= 10);
  });

  test('of a caller who offered nothing in his INVITE waits for our offer too: 500 (RFC 3311 §5.1, RFC 3261 §13.2.1)', async () => {
    const { town, peer, call, told, inside } = await calling([], '');
    inside('UPDATE', 2, [CONTACT], 'v=0 new');
    await town.run(20);
    assert.deepEqual([peer.statuses().at(-1), told], [500, []]);
    call.accept(OFFER);
    await town.run(20);
    inside('ACK', 1, [], 'v=0 theirs');
    await town.run(20);
    assert.deepEqual([body(peer.got.at(-1)!), told], ['v=0 offer', ['established', 'answer v=0 theirs']]);
  });

  test('of the caller after a reliable answer is taken, and the 200 follows without a description (RFC 6337 §3.1)', async () => {
    const { town, peer, call, told, inside } = await calling(['Supported: 100rel'], 'v=0 offer', {}, (c) => c.progress(183, ANSWER));
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`]);
    inside('UPDATE', 3, [CONTACT], 'v=0 new');
    await town.run(20);
    assert.equal(told.at(-1), 'offer v=0 new');
    call.answerOffer(Buffer.from('v=0 yes'));
    call.accept(ANSWER);
    await town.run(20);
    assert.deepEqual(peer.statuses().slice(-2), [200, 200]);
    assert.equal(text(peer.got.at(-1)!, 'content-length'), '0');
  });

  test('UPDATEs that cross are each refused by 491, and ours goes again (RFC 3311 §5.2, RFC 3261 §14.1)', async () => {
    const { town, peer, call, inside } = await early();
    call.offer(OFFER);
    inside('UPDATE', 1, [CONTACT], 'v=0 theirs');
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 491);
    peer.answer(peer.last('UPDATE'), 491);
    await town.run(2_000);
    assert.equal(peer.count('UPDATE'), 1, 'the owner of the Call-ID waits 2.1 s at least');
    await town.run(2_100);
    assert.ok(new Set(peer.got.filter((m) => m.method === 'UPDATE').map((m) => text(m, 'cseq'))).size === 2);
  });

  test('of theirs that waits for our answer gets 487 when the call ends (RFC 3261 §15.1.2)', async () => {
    for (const end of ['refused', 'hung up'] as const) {
      const { town, peer, call, invite, inside } = await early();
      inside('UPDATE', 1, [CONTACT], 'v=0 new');
      await town.run(20);
      if (end === 'refused') peer.answer(invite, 486);
      else call.hangUp();
      await town.run(20);
      assert.deepEqual([peer.got.filter((m) => m.kind === 'response' && text(m, 'cseq') === '1 UPDATE').map((m) => m.status), end], [[487], end]);
    }
  });

  test('of the caller that waits for our answer gets 487 when he gives up (RFC 3261 §15.1.2)', async () => {
    const { town, peer, inside } = await calling(['Supported: 100rel'], 'v=0 offer', {}, (c) => c.progress(183, ANSWER));
    inside('PRACK', 2, [`RAck: ${text(peer.got[0]!, 'rseq')} 1 INVITE`]);
    inside('UPDATE', 3, [CONTACT], 'v=0 new');
    await town.run(20);
    peer.send('10.0.0.1', lines('CANCEL', 1, [], { branch: 'z9hG4bKinvite' }));
    await town.run(20);
    assert.equal(peer.got.find((m) => text(m, 'cseq') === '3 UPDATE')?.status, 487);
  });

  test('a BYE of the called side before it answered gets 481 (RFC 3261 §15)', async () => {
    const { town, peer, call, inside } = await early();
    inside('BYE', 1);
    await town.run(20);
    assert.deepEqual([peer.statuses().at(-1), call.state], [481, 'ringing']);
  });
});

describe('glare and failure inside a call', () => {
  test('an UPDATE that meets our re-INVITE gets 491 (RFC 3311 §5.2)', async () => {
    const { town, peer, call, inside } = await answered();
    call.offer(OFFER);
    await town.run(20);
    inside('UPDATE', 2, [CONTACT], 'v=0 theirs');
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 491);
    inside('UPDATE', 3, [CONTACT]);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 200, 'one that offers nothing is no glare');
  });

  test('a re-INVITE of ours asks for no reliable responses, which it would have to acknowledge (RFC 3262 §3, §4)', async () => {
    const { town, peer, call } = await answered();
    call.offer(OFFER);
    await town.run(20);
    assert.equal(text(peer.last('INVITE'), 'supported'), 'replaces, timer, norefersub');
  });

  test('500 with Retry-After is tried again after that time (RFC 3261 §14.2, §21.5.1)', async () => {
    const { town, peer, call, told } = await answered();
    call.offer(OFFER);
    await town.run(20);
    peer.answer(peer.last('INVITE'), 500, ['Retry-After: 3']);
    await town.run(2_900);
    assert.equal(peer.count('INVITE'), 1);
    await town.run(200);
    assert.equal(text(peer.last('INVITE'), 'cseq'), '2 INVITE');
    assert.equal(told.filter((w) => w.startsWith('offer refused')).length, 0);
  });

  test('500 with Retry-After for ever is told after some tries', async () => {
    const { town, peer, call, told } = await answered();
    call.offer(OFFER);
    for (let i = 0; i < 10; i++) {
      await town.run(20);
      if (told.at(-1)!.startsWith('offer refused')) break;
      peer.answer(peer.last('INVITE'), 500, ['Retry-After: 0']);
      await town.run(1_000);
    }
    assert.equal(told.at(-1), 'offer refused 500');
    assert.ok(peer.count('INVITE') < 8);
  });

  test('after a refused re-INVITE the session is what it was: a refresh repeats what was agreed (RFC 6337 §3.4, RFC 3261 §14.1)', async () => {
    const { town, peer, call, told } = await answered(['Session-Expires: 300'], { sessionS: () => 1_800 });
    call.offer(Buffer.from('v=0 other'));
    await town.run(20);
    peer.answer(peer.last('INVITE'), 488);
    await town.run(20);
    assert.equal(told.at(-1), 'offer refused 488');
    await town.run(150_000);
    assert.equal(body(peer.last('INVITE')), ANSWER.toString());
  });

  test('a refused offer of theirs leaves everything as it was, their target too (RFC 3261 §14.2, RFC 6141 §4.9)', async () => {
    const { town, peer, call, inside } = await answered();
    inside('INVITE', 2, ['Contact: <sip:moved@10.0.0.2>'], 'v=0 video');
    await town.run(20);
    call.refuseOffer(488);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 488);
    inside('ACK', 2);
    call.hangUp();
    await town.run(20);
    assert.match(peer.last('BYE').bytes.toString(), /^BYE sip:peer@10.0.0.2 /);
  });
});

test('calls with early media, required PRACK and UPDATE survive a network that loses, doubles and reorders', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const town = new Town(seed);
    Object.assign(town.wire.weather, { loss: 0.2, duplicate: 0.2, reorder: 0.2 });
    const a = await town.phone('10.0.0.1'), b = await town.phone('10.0.0.2');
    const answer = (c: Call) => c.subscribe((e) => { if (e.event === 'offer' && c.state !== 'calling') c.answerOffer(ANSWER); });
    b.onCall = (c) => {
      answer(c);
      c.progress(183, ANSWER);
      town.clock.after(3_000, () => c.accept(ANSWER));
    };
    const call = a.agent.call({ target: 'sip:b@10.0.0.2', offer: OFFER, headers: [['Require', '100rel']] }), told = story(call);
    answer(call);
    call.offer(Buffer.from('v=0 early update'));
    await town.run(64_000);
    const ended = told.find((w) => w.startsWith('ended'));
    assert.equal(ended, undefined, `seed ${seed}: ${told.join(', ')}`);
    assert.equal(call.state, 'established', `seed ${seed}: ${told.join(', ')}`);
    assert.deepEqual(told.filter((w) => /answer/.test(w)).length, 2, `seed ${seed}: ${told.join(', ')}`);
    call.hangUp();
    await town.run(120_000);
    assert.deepEqual([a.agent.calls.length, b.agent.calls.length, town.clock.pending], [0, 0, 0], `seed ${seed}`);
  }
});
