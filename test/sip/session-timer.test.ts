import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseMessage, text, type Message } from '../../src/sip/message.ts';
import { agree, expiresOf, tooShort } from '../../src/sip/session-timer.ts';
import { ANSWER, OFFER, story, Town } from './agent-bench.ts';
import { answered, bench, called, calling, CONTACT, lines, SDP } from './call-bench.ts';

const ALLOW = 'Allow: INVITE, ACK, BYE, UPDATE';
const with1800 = { sessionS: () => 1_800 };

/** Long quiet times in long steps; alarms go off at their instants all the same. */
async function wait(town: Town, ms: number): Promise<void> {
  await town.clock.run(ms - 2_000, 1_000);
  await town.run(2_000);
}

function request(...headers: string[]): Message {
  return parseMessage(Buffer.from(['UPDATE sip:a@b SIP/2.0', ...headers, '', ''].join('\r\n'))) as Message;
}

describe('what Session-Expires says', () => {
  const rows: [string, ReturnType<typeof expiresOf>][] = [
    ['Session-Expires: 1800', { s: 1_800, refresher: '' }], ['x: 90 ; refresher=UAS', { s: 90, refresher: 'uas' }], ['Session-Expires: 600;foo=1;refresher=uac', { s: 600, refresher: 'uac' }],
    ['Session-Expires: soon', undefined], ['Session-Expires: -1', undefined], ['Session-Expires:', undefined], ['Subject: none', undefined], ['Session-Expires: 4294967295', { s: 2_000_000, refresher: '' }],
  ];
  for (const [line, read] of rows) test(`${line} (RFC 4028 §4)`, () => assert.deepEqual(expiresOf(request(line)), read));

  test('less than 90 s from one who knows the extension is too short (RFC 4028 §5, §9)', () => {
    assert.deepEqual([tooShort(request('x: 89', 'k: timer')), tooShort(request('x: 90', 'k: timer')), tooShort(request('x: 60')), tooShort(request('k: timer'))], [true, false, false, false]);
  });
});

describe('who refreshes, and how often (RFC 4028 §9, table 2)', () => {
  const rows: [wish: number, headers: string[], s: number | undefined, refresher: string, required: boolean][] = [
    [1_800, [], undefined, '', false],
    [1_800, ['k: timer'], 1_800, 'uas', true],
    [1_800, ['k: timer', 'Min-SE: 3600'], 3_600, 'uas', true],
    [0, ['k: timer'], undefined, '', false],
    [1_800, ['x: 600', 'k: timer'], 600, 'uac', true],
    [1_800, ['x: 600;refresher=uas', 'k: timer'], 600, 'uas', true],
    [1_800, ['x: 600;refresher=uac', 'k: timer'], 600, 'uac', true],
    [1_800, ['x: 600'], 600, 'uas', false],
    [300, ['x: 600', 'k: timer'], 300, 'uac', true],
    [300, ['x: 600', 'k: timer', 'Min-SE: 400'], 400, 'uac', true],
    [0, ['x: 600', 'k: timer'], 600, 'uac', true],
    [0, ['x: 60'], 60, 'uas', false],
    [1_800, ['x: 100', 'k: timer', 'Min-SE: 400'], 100, 'uac', true],
  ];
  for (const [wish, headers, s, refresher, required] of rows) {
    test(`we like ${wish}, they say ${headers.join(', ') || 'nothing'}`, () => {
      const agreed = agree(request(...headers), wish), said = new Map(agreed?.lines);
      assert.equal(said.get('Session-Expires'), s === undefined ? undefined : `${s};refresher=${refresher}`);
      assert.equal(said.get('Require'), required ? 'timer' : undefined);
      assert.equal(agreed?.ours, s === undefined ? undefined : refresher === 'uas');
    });
  }
});

/** A call of ours whose 2xx says `expires`. */
async function outgoing(expires: string[], options = with1800) {
  const b = await called(options);
  b.peer.answer(b.invite, 200, [CONTACT, ...expires], 'v=0 answer');
  await b.town.run(20);
  return b;
}

describe('a call of ours', () => {
  test('asks for a session of 1800 s and says that it knows timers (RFC 4028 §7.1)', async () => {
    const { invite } = await called(with1800);
    assert.deepEqual([text(invite, 'session-expires'), text(invite, 'min-se')], ['1800', undefined]);
    assert.match(text(invite, 'supported')!, /\btimer\b/);
  });

  test('asks for none when the setting is 0', async () => {
    const { invite } = await called({ sessionS: () => 0 });
    assert.equal(text(invite, 'session-expires'), undefined);
  });

  test('is tried again with the Min-SE of a 422, the same call, the next CSeq (RFC 4028 §7.3)', async () => {
    const { town, peer, invite, told } = await called(with1800);
    peer.answer(invite, 422, ['Min-SE: 3600']);
    await town.run(20);
    const again = peer.last('INVITE');
    assert.deepEqual([text(again, 'session-expires'), text(again, 'min-se'), text(again, 'cseq'), text(again, 'call-id')], ['3600', '3600', '2 INVITE', text(invite, 'call-id')]);
    assert.equal(text(again, 'from'), text(invite, 'from'));
    peer.answer(again, 422, ['Min-SE: 3600']); // the same once more is no offer to talk
    await town.run(20);
    assert.equal(told.at(-1), 'ended by them: Words (422)');
  });

  test('is not tried for ever by a server that wants ever more', async () => {
    const { town, peer, told } = await called(with1800);
    for (let min = 2_000; min < 2_020; min++) {
      peer.answer(peer.last('INVITE'), 422, [`Min-SE: ${min}`]);
      await town.run(20);
    }
    assert.match(told.at(-1)!, /\(422\)/);
    assert.equal(peer.count('INVITE'), 5);
  });

  test('is refreshed by UPDATE without a description at half time where that is allowed (RFC 4028 §7.4)', async () => {
    const { town, peer, call } = await outgoing(['Session-Expires: 1800;refresher=uac', ALLOW]);
    await wait(town, 899_000);
    assert.equal(peer.count('UPDATE'), 0);
    await town.run(1_000);
    const update = peer.last('UPDATE');
    assert.deepEqual([text(update, 'session-expires'), text(update, 'content-length'), text(update, 'content-type')], ['1800;refresher=uac', '0', undefined]);
    peer.answer(update, 200, [CONTACT, 'Session-Expires: 1800;refresher=uac']);
    await wait(town, 899_900);
    assert.equal(peer.count('UPDATE'), 1);
    await town.run(200);
    assert.equal(peer.count('UPDATE'), 2);
    assert.equal(call.state, 'established');
  });

  test('is refreshed by re-INVITE with the same description where UPDATE is not allowed (RFC 4028 §7.4)', async () => {
    const { town, peer, told } = await outgoing(['Session-Expires: 200;refresher=uac', 'Allow: INVITE, ACK, BYE']);
    await wait(town, 100_000);
    const again = peer.last('INVITE');
    assert.equal(again.bytes.subarray(again.bodyStart).toString(), OFFER.toString());
    assert.deepEqual([text(again, 'session-expires'), text(again, 'cseq')], ['200;refresher=uac', '2 INVITE']);
    peer.answer(again, 200, [CONTACT, 'Session-Expires: 200;refresher=uac'], 'v=0 answer');
    await town.run(20);
    assert.equal(text(peer.last('ACK'), 'cseq'), '2 ACK');
    assert.equal(told.at(-1), 'answer v=0 answer');
    await wait(town, 99_900);
    assert.equal(peer.count('INVITE'), 2);
    await town.run(200);
    assert.equal(peer.count('INVITE'), 3);
  });

  for (const status of [405, 501]) {
    test(`an UPDATE that gets ${status} after all gives way to a re-INVITE`, async () => {
      const { town, peer, call } = await outgoing(['Session-Expires: 200;refresher=uac', ALLOW]);
      await wait(town, 100_000);
      peer.answer(peer.last('UPDATE'), status);
      await town.run(20);
      assert.equal(text(peer.last('INVITE'), 'cseq'), '3 INVITE');
      peer.answer(peer.last('INVITE'), 200, [CONTACT, 'Session-Expires: 200;refresher=uac'], 'v=0 answer');
      await wait(town, 100_100);
      assert.deepEqual([peer.count('UPDATE'), peer.count('INVITE'), call.state], [1, 3, 'established']);
    });
  }

  test('a refresh that gets 422 asks again for longer (RFC 4028 §7.3)', async () => {
    const { town, peer } = await outgoing(['Session-Expires: 200;refresher=uac', ALLOW]);
    await wait(town, 100_000);
    peer.answer(peer.last('UPDATE'), 422, ['Min-SE: 400']);
    await town.run(20);
    assert.deepEqual([text(peer.last('UPDATE'), 'session-expires'), text(peer.last('UPDATE'), 'min-se'), peer.count('UPDATE')], ['400;refresher=uac', '400', 2]);
  });

  test('a refresh that is refused for good leaves the call until the session is over, then BYE (RFC 4028 §10)', async () => {
    const { town, peer, told } = await outgoing(['Session-Expires: 300;refresher=uac', ALLOW]);
    await wait(town, 150_000);
    peer.answer(peer.last('UPDATE'), 503);
    await wait(town, 117_900);
    assert.equal(peer.count('BYE'), 0);
    await town.run(200);
    assert.equal(peer.count('BYE'), 1);
    assert.equal(told.at(-1), 'ended by network: the session was not refreshed');
  });

  test('a refresh nobody answers ends the call (RFC 3261 §12.2.1.2)', async () => {
    const { town, told } = await outgoing(['Session-Expires: 300;refresher=uac', ALLOW]);
    town.wire.down.add('10.0.0.2');
    await wait(town, 183_000);
    assert.equal(told.at(-1), 'ended by network: the other side went silent');
  });

  test('a refresh that finds no way out is tried again: a network away for some seconds ends no call (RFC 3261 §8.1.3.1, §14.1)', async () => {
    const { town, peer, call, told } = await outgoing(['Session-Expires: 300;refresher=uac', ALLOW]);
    await wait(town, 149_000);
    town.wire.down.add('10.0.0.1');
    await wait(town, 6_000);
    town.wire.down.clear();
    await wait(town, 4_000);
    peer.answer(peer.last('UPDATE'), 200, [CONTACT, 'Session-Expires: 300;refresher=uac']);
    await wait(town, 100_000);
    assert.deepEqual([call.state, told.at(-1)], ['established', 'established']);
  });

  test('a refresh that finds no way out for long ends the call (RFC 3261 §12.2.1.2)', async () => {
    const { town, told } = await outgoing(['Session-Expires: 300;refresher=uac', ALLOW]);
    await wait(town, 149_000);
    town.wire.down.add('10.0.0.1');
    await wait(town, 30_000);
    assert.equal(told.at(-1), 'ended by network: the other side went silent');
  });

  for (const [everyS, beforeS] of [[90, 30], [300, 32], [1_800, 32]] as const) {
    test(`that the other side should refresh ends ${beforeS} s before its ${everyS} s are over (RFC 4028 §10)`, async () => {
      const { town, peer, told } = await outgoing([`Session-Expires: ${everyS};refresher=uas`]);
      await wait(town, 1_000 * (everyS - beforeS) - 100);
      assert.deepEqual([peer.count('BYE'), peer.count('INVITE'), peer.count('UPDATE')], [0, 1, 0]);
      await town.run(200);
      assert.equal(peer.count('BYE'), 1);
      assert.equal(told.at(-1), 'ended by network: the session was not refreshed');
    });
  }

  test('without Session-Expires in the 2xx lasts as long as it likes (RFC 4028 §7.2)', async () => {
    const { town, peer, call } = await outgoing([]);
    await wait(town, 2_000_000);
    assert.deepEqual([call.state, peer.count('INVITE'), peer.count('UPDATE')], ['established', 1, 0]);
    assert.equal(town.clock.pending, 0);
  });

  test('no clock runs on after it was hung up', async () => {
    const { town, peer, call } = await outgoing(['Session-Expires: 300;refresher=uac', ALLOW]);
    call.hangUp();
    await town.run(20);
    peer.answer(peer.last('BYE'), 200);
    await town.run(40_000);
    assert.equal(town.clock.pending, 0);
  });
});

describe('a call that came in', () => {
  test('with less than 90 s is refused by 422 and our Min-SE, and nothing rings (RFC 4028 §9)', async () => {
    const { town, phone, peer } = await bench(with1800);
    peer.send('10.0.0.1', lines('INVITE', 1, [CONTACT, SDP, 'Session-Expires: 60', 'Supported: timer']), 'v=0');
    await town.run(20);
    assert.deepEqual([peer.statuses(), text(peer.got[0]!, 'min-se'), phone.incoming.length], [[422], '90', 0]);
  });

  test('is refreshed by the caller who names nobody; silence ends it (RFC 4028 §9, §10)', async () => {
    const { town, peer, told, inside } = await answered(['Session-Expires: 300', 'Supported: timer'], with1800);
    const ok = peer.got.find((m) => m.status === 200)!;
    assert.deepEqual([text(ok, 'session-expires'), text(ok, 'require')], ['300;refresher=uac', 'timer']);
    await wait(town, 150_000);
    inside('UPDATE', 2, [CONTACT, 'Session-Expires: 300;refresher=uac', 'Supported: timer']);
    await town.run(20);
    assert.equal(text(peer.got.at(-1)!, 'session-expires'), '300;refresher=uac');
    await wait(town, 267_900);
    assert.equal(peer.count('BYE'), 0, 'the refresh began it anew');
    await town.run(200);
    assert.equal(peer.count('BYE'), 1);
    assert.equal(told.at(-1), 'ended by network: the session was not refreshed');
  });

  test('a re-INVITE refreshes as well (RFC 4028 §7.4)', async () => {
    const { town, peer, call, inside } = await answered(['Session-Expires: 300', 'Supported: timer'], with1800);
    await wait(town, 150_000);
    inside('INVITE', 2, [CONTACT, 'Session-Expires: 300;refresher=uac', 'Supported: timer'], 'v=0 offer');
    await town.run(20);
    call.answerOffer(ANSWER);
    await town.run(20);
    inside('ACK', 2);
    assert.equal(text(peer.got.findLast((m) => m.status === 200)!, 'session-expires'), '300;refresher=uac');
    await wait(town, 267_000);
    assert.equal(call.state, 'established');
  });

  test('is refreshed by us for a caller who knows no timers, though a proxy asked for one (RFC 4028 §9)', async () => {
    const { town, peer, call } = await answered(['Session-Expires: 300'], with1800);
    const ok = peer.got.find((m) => m.status === 200)!;
    assert.deepEqual([text(ok, 'session-expires'), text(ok, 'require')], ['300;refresher=uas', undefined]);
    await wait(town, 150_000);
    const again = peer.last('INVITE');
    assert.equal(again.bytes.subarray(again.bodyStart).toString(), ANSWER.toString(), 'what we said last, as it was');
    assert.equal(text(again, 'session-expires'), '300;refresher=uac');
    peer.answer(again, 200, [CONTACT], 'v=0 offer');
    await wait(town, 1_000_000);
    assert.equal(call.state, 'established', 'a 2xx without Session-Expires ends the timer (RFC 4028 §7.2)');
    assert.equal(peer.count('INVITE'), 1);
  });

  test('a refresh of theirs with less than 90 s is refused by 422, and the call goes on (RFC 4028 §9)', async () => {
    const { town, peer, call, inside } = await answered(['Session-Expires: 300', 'Supported: timer'], with1800);
    inside('UPDATE', 2, [CONTACT, 'Session-Expires: 30', 'Supported: timer']);
    await town.run(20);
    assert.deepEqual([peer.statuses().at(-1), text(peer.got.at(-1)!, 'min-se'), call.state], [422, '90', 'established']);
  });

  test('that requires timers gets them (RFC 3261 §8.2.2.3)', async () => {
    const { peer } = await calling(['Require: timer', 'Session-Expires: 300', 'Supported: timer']);
    assert.deepEqual(peer.statuses(), [180]);
  });
});

test('two phones of ours keep a call alive for twenty minutes over a network that loses and doubles a tenth, and part cleanly', async () => {
  for (const seed of [1, 2]) {
    const town = new Town(seed);
    Object.assign(town.wire.weather, { loss: 0.1, duplicate: 0.1, reorder: 0.1 });
    const a = await town.phone('10.0.0.1', {}, { sessionS: () => 90 }), b = await town.phone('10.0.0.2', {}, { sessionS: () => 90 });
    b.onCall = (c) => c.accept(ANSWER);
    const call = a.agent.call({ target: 'sip:b@10.0.0.2', offer: OFFER }), told = story(call);
    await town.clock.run(1_200_000, 50);
    assert.deepEqual(told.filter((w) => w.startsWith('ended')), [], `seed ${seed}`);
    const refreshes = town.messages().filter((m) => m.words === 'UPDATE' && !m.lost).length;
    assert.ok(refreshes > 20, `${refreshes}`);
    call.hangUp();
    await wait(town, 60_000);
    assert.deepEqual([a.agent.calls.length, b.agent.calls.length, town.clock.pending], [0, 0, 0]);
  }
});

test('when one of them is gone the other notices', async () => {
  const town = new Town(), a = await town.phone('10.0.0.1', {}, { sessionS: () => 90 }), b = await town.phone('10.0.0.2', {}, { sessionS: () => 90 });
  b.onCall = (c) => c.accept(ANSWER);
  a.agent.call({ target: 'sip:b@10.0.0.2', offer: OFFER });
  await town.run(1_000);
  town.wire.down.add('10.0.0.2');
  await wait(town, 90_000);
  assert.deepEqual([a.agent.calls.length, b.agent.calls.length], [0, 0]);
});
