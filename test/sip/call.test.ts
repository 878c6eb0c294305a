import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { parseMessage, text } from '../../src/sip/message.ts';
import { createAgent } from '../../src/sip/agent.ts';
import { buildResponse } from '../../src/sip/build.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeRandom } from '../fakes/random.ts';
import { ANSWER, OFFER, Peer, story, Town } from './agent-bench.ts';
import { answered, bench, called, calling, CONTACT, lines, SDP, tagOf } from './call-bench.ts';

describe('hanging up a call of ours', () => {
  test('before any response no CANCEL goes out until one comes (RFC 3261 §9.1)', async () => {
    const { town, peer, call, told, invite } = await called();
    call.hangUp();
    await town.run(400);
    assert.equal(peer.count('CANCEL'), 0);
    assert.deepEqual(told, ['ended by us: hung up (487)']);
    peer.answer(invite, 180);
    await town.run(20);
    assert.equal(peer.count('CANCEL'), 1);
    assert.equal(text(peer.last('CANCEL'), 'via'), text(invite, 'via'));
    peer.answer(peer.last('CANCEL'), 200);
    peer.answer(invite, 487);
    await town.run(20);
    assert.equal(peer.count('ACK'), 1);
    assert.equal(told.length, 1);
  });

  test('with a reason says it in CANCEL (RFC 3326)', async () => {
    const { town, peer, call, invite } = await called();
    peer.answer(invite, 180);
    await town.run(20);
    call.hangUp('changed my mind');
    await town.run(20);
    assert.equal(text(peer.last('CANCEL'), 'reason'), 'Q.850;cause=16;text="changed my mind"');
  });

  for (const crossing of ['before the CANCEL arrives', 'without a provisional response'] as const) {
    test(`a 200 ${crossing} is acknowledged and ended by BYE (RFC 3261 §15)`, async () => {
      const { town, peer, call, told, invite } = await called();
      if (crossing === 'before the CANCEL arrives') peer.answer(invite, 180);
      await town.run(20);
      call.hangUp();
      peer.answer(invite, 200, [CONTACT], 'v=0 answer');
      await town.run(50);
      assert.deepEqual([peer.count('ACK'), peer.count('BYE')], [1, 1]);
      peer.answer(invite, 200, [CONTACT], 'v=0 answer');
      await town.run(20);
      assert.deepEqual([peer.count('ACK'), peer.count('BYE')], [2, 1]);
      assert.deepEqual(told.filter((w) => !w.startsWith('progress')), ['ended by us: hung up (487)']);
    });
  }

  test('a peer that never ends a cancelled INVITE is given up after 64 T1 (RFC 3261 §9.1)', async () => {
    const { town, phone, peer, call, invite } = await called();
    peer.answer(invite, 180);
    await town.run(20);
    call.hangUp();
    await town.run(120_000);
    assert.deepEqual(phone.agent.calls, []);
    assert.equal(town.clock.pending, 0);
  });

  test('a challenge that arrives after hanging up is not answered', async () => {
    const { town, phone, peer } = await bench();
    const account = phone.agent.addAccount({ id: 'a', user: 'me', server: '10.0.0.2', proxy: '', transport: 'udp', authUser: '', password: 'secret', displayName: '', expiresS: 60, register: false });
    const call = phone.agent.call({ account, target: 'x', offer: OFFER });
    await town.run(20);
    call.hangUp();
    peer.answer(peer.last('INVITE'), 401, ['WWW-Authenticate: Digest realm="x", nonce="y", qop="auth"']);
    await town.run(1_000);
    assert.equal(peer.count('INVITE'), 1);
  });
});

describe('the answer to a call of ours', () => {
  test('every 2xx gets its ACK, a repeated one the same bytes again (RFC 3261 §13.2.2.4)', async () => {
    const { town, peer, told, invite } = await called();
    for (let i = 0; i < 3; i++) {
      peer.answer(invite, 200, [CONTACT], 'v=0 answer');
      await town.run(20);
    }
    const acks = peer.got.filter((m) => m.method === 'ACK');
    assert.equal(acks.length, 3);
    assert.ok(acks.every((a) => a.bytes.equals(acks[0]!.bytes)));
    assert.equal(text(acks[0]!, 'cseq'), '1 ACK');
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
  });

  test('a second branch of a fork that answers too is acknowledged and ended (RFC 3261 §13.2.2.4)', async () => {
    const { town, peer, call, invite } = await called();
    peer.answer(invite, 200, [CONTACT], 'v=0 answer', 'first');
    await town.run(20);
    peer.answer(invite, 200, [CONTACT], 'v=0 answer', 'second');
    await town.run(20);
    assert.equal(tagOf(peer.last('BYE'), 'to'), 'second');
    assert.equal(call.state, 'established');
    call.hangUp();
    await town.run(20);
    assert.equal(tagOf(peer.last('BYE'), 'to'), 'first');
  });

  test('requests follow the route set in reverse to the Contact (RFC 3261 §12.2.1.1)', async () => {
    const { town, peer, call, invite } = await called();
    peer.answer(invite, 200, ['Contact: <sip:inner@10.9.9.9>', 'Record-Route: <sip:10.0.0.2:5060;lr;n=2>, <sip:10.0.0.2;lr;n=1>'], 'v=0 answer');
    await town.run(20);
    call.hangUp();
    await town.run(20);
    for (const method of ['ACK', 'BYE']) {
      const m = peer.last(method);
      assert.match(m.bytes.toString(), new RegExp(`^${method} sip:inner@10.9.9.9 SIP/2.0`));
      assert.deepEqual(m.bytes.toString().split('\r\n').filter((l) => l.startsWith('Route')), ['Route: <sip:10.0.0.2;lr;n=1>', 'Route: <sip:10.0.0.2:5060;lr;n=2>']);
    }
  });

  test('a 2xx without any session description ends the call in words', async () => {
    const { town, peer, told, invite } = await called();
    peer.answer(invite, 200, [CONTACT]);
    await town.run(20);
    assert.deepEqual([peer.count('ACK'), peer.count('BYE')], [1, 1]);
    assert.equal(told.at(-1), 'ended by them: the other side sent no session description');
  });

  test('an INVITE of ours says what it can and requires none of it (RFC 3261 §20.37)', async () => {
    const { invite } = await called();
    assert.deepEqual([text(invite, 'supported'), text(invite, 'require')], ['replaces, 100rel, timer, norefersub', undefined]);
  });

  test('a BYE of the peer carries its reason', async () => {
    const { town, peer, call, invite } = await called();
    peer.answer(invite, 200, [CONTACT], 'v=0 answer');
    await town.run(20);
    let ending: unknown;
    call.subscribe((e) => { if (e.event === 'ended') ending = e.ending; });
    peer.send('10.0.0.1', lines('BYE', 1, ['Reason: Q.850;cause=16'], { to: tagOf(invite, 'from'), callId: text(invite, 'call-id')! }));
    await town.run(20);
    assert.deepEqual(ending, { by: 'them', status: 0, why: 'hung up', reason: 'Q.850;cause=16' });
    assert.equal(peer.statuses().at(-1), 200);
  });
});

describe('a call that comes in', () => {
  test('CANCEL while it rings gives 200 and 487 (RFC 3261 §9.2)', async () => {
    const { town, peer, told } = await calling();
    peer.send('10.0.0.1', lines('CANCEL', 1, [], { branch: 'z9hG4bKinvite' }));
    await town.run(20);
    assert.deepEqual(peer.statuses(), [180, 200, 487]);
    assert.equal(told.at(-1), 'ended by them: the caller gave up (487)');
  });

  test('CANCEL because somebody else answered says so (RFC 3326)', async () => {
    const { town, peer, told } = await calling();
    peer.send('10.0.0.1', lines('CANCEL', 1, ['Reason: SIP;cause=200;text="Call completed elsewhere"'], { branch: 'z9hG4bKinvite' }));
    await town.run(20);
    assert.equal(told.at(-1), 'ended by them: answered elsewhere (487)');
  });

  test('CANCEL after our 200 changes nothing (RFC 3261 §9.2)', async () => {
    const { town, peer, call } = await answered();
    peer.send('10.0.0.1', lines('CANCEL', 1, [], { branch: 'z9hG4bKinvite' }));
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 200);
    assert.equal(call.state, 'established');
  });

  test('our 200 is repeated at T1, doubling to T2, until the ACK (RFC 3261 §13.3.1.4)', async () => {
    const { town, call, inside } = await calling();
    const start = town.clock.now();
    call.accept(ANSWER);
    await town.run(12_000);
    const at = town.messages().filter((m) => m.words === '200 INVITE').map((m) => m.atMs - start);
    assert.deepEqual(at, [0, 500, 1_500, 3_500, 7_500, 11_500]);
    inside('ACK', 1);
    await town.run(20_000);
    assert.equal(town.messages().filter((m) => m.words === '200 INVITE').length, 6);
    assert.equal(call.state, 'established');
  });

  test('without ACK for 64 T1 it ends by BYE (RFC 3261 §13.3.1.4)', async () => {
    const { town, peer, call, told } = await calling();
    call.accept(ANSWER);
    await town.run(31_990);
    assert.equal(peer.count('BYE'), 0);
    await town.run(100);
    assert.equal(peer.count('BYE'), 1);
    assert.equal(told.at(-1), 'ended by network: the other side never confirmed');
  });

  test('481 to a request of ours before the ACK ends nothing: the 200 may have been lost, and BYE has to wait (RFC 3261 §13.3.1.4, §15)', async () => {
    const { town, peer, call, inside } = await calling();
    call.accept(ANSWER);
    await town.run(20);
    call.sendInfoDigit('5', 100);
    await town.run(20);
    peer.answer(peer.last('INFO'), 481);
    await town.run(1_000);
    assert.deepEqual([peer.count('BYE'), peer.statuses()], [0, [180, 200, 200]]);
    inside('ACK', 1);
    await town.run(20);
    assert.equal(call.state, 'established');
  });

  test('hanging up before the ACK waits for it with the BYE (RFC 3261 §15)', async () => {
    const { town, peer, call, told, inside } = await calling();
    call.accept(ANSWER);
    await town.run(20);
    call.hangUp();
    await town.run(200);
    assert.equal(told.at(-1), 'ended by us: hung up');
    assert.equal(peer.count('BYE'), 0);
    inside('ACK', 1);
    await town.run(20);
    assert.equal(peer.count('BYE'), 1);
  });

  test('BYE while it rings gives 200, and 487 to the INVITE (RFC 3261 §15.1.2)', async () => {
    const { town, peer, told, inside } = await calling();
    inside('BYE', 2);
    await town.run(20);
    assert.deepEqual(peer.statuses(), [180, 200, 487]);
    assert.equal(told.at(-1), 'ended by them: the caller gave up (487)');
  });

  test('ringing is repeated each minute for the proxies on the way (RFC 3261 §13.3.1.1)', async () => {
    const { town, peer } = await calling();
    await town.run(125_000);
    assert.deepEqual(peer.statuses(), [180, 180, 180]);
  });

  test('hanging up while it rings declines', async () => {
    const { town, peer, call } = await calling();
    call.hangUp();
    await town.run(20);
    assert.deepEqual(peer.statuses(), [180, 603]);
  });

  test('without an offer our 200 offers and the ACK answers (RFC 3261 §13.2.1)', async () => {
    const { town, call, told, inside } = await calling([], '');
    call.accept(OFFER);
    await town.run(20);
    inside('ACK', 1, [], 'v=0 answer');
    await town.run(20);
    assert.deepEqual(told, ['established', 'answer v=0 answer']);
  });

  test('a caller who is challenged and proves himself comes again as authenticated (RFC 3261 §22)', async () => {
    const town = new Town();
    const phone = await town.phone('10.0.0.1', { passwordOf: (user) => (user === 'door' ? 'open' : undefined) });
    const asked: (string | undefined)[] = [];
    phone.onCall = (call, source, challenge) => {
      asked.push(source.authenticated);
      if (source.authenticated === undefined) challenge();
      else call.accept(ANSWER);
    };
    const door = await town.phone('10.0.0.3');
    const account = door.agent.addAccount({ id: 'd', user: 'door', server: '10.0.0.1', proxy: '', transport: 'udp', authUser: '', password: 'open', displayName: '', expiresS: 60, register: false });
    const told = story(door.agent.call({ account, target: 'phone', offer: OFFER }));
    await town.run(100);
    assert.deepEqual(asked, [undefined, 'door']);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
    const thief = door.agent.addAccount({ id: 't', user: 'door', server: '10.0.0.1', proxy: '', transport: 'udp', authUser: '', password: 'guess', displayName: '', expiresS: 60, register: false });
    const stolen = story(door.agent.call({ account: thief, target: 'phone', offer: OFFER }));
    await town.run(100);
    assert.deepEqual(asked.slice(2), [undefined, undefined]);
    assert.deepEqual(stolen, ['ended by them: Unauthorized (401)']);
    assert.equal(phone.agent.calls.length, 1);
  });

  test('with a Session-ID gets ours beside its own in every response and request of ours; without one there is none (RFC 7989 §6)', async () => {
    const theirs = 'ab30317f1a784dc48ff824d0d3715d86';
    const { town, peer, call, inside } = await calling([`Session-ID: ${theirs};remote=${'0'.repeat(32)}`]);
    const [, ours] = /^([\da-f]{12}5[\da-f]{3}8[\da-f]{15});remote=(\w+)$/.exec(text(peer.got[0]!, 'session-id')!)!;
    call.accept(ANSWER);
    await town.run(20);
    inside('ACK', 1);
    inside('INFO', 2, [`Session-ID: ${theirs};remote=${ours}`]);
    call.offer(OFFER);
    await town.run(20);
    peer.answer(peer.last('INVITE'), 488);
    call.hangUp();
    await town.run(20);
    const said = peer.got.filter((m) => m.method !== 'ACK' && m.status !== 100).map((m) => text(m, 'session-id'));
    assert.deepEqual([...new Set(said)], [`${ours};remote=${theirs}`]);
    assert.equal(said.length, 5);
    assert.equal(text((await calling()).peer.got[0]!, 'session-id'), undefined);
    assert.equal(text((await calling(['Session-ID: nonsense'])).peer.got[0]!, 'session-id'), undefined);
  });

  const REFUSED: [string, readonly string[], readonly string[], number, string, string][] = [
    ['a body that is no session description (RFC 3261 §8.2.3)', ['Content-Type: text/plain'], [], 415, 'accept', 'application/sdp, multipart/mixed'],
    ['a Replaces of no call of ours (RFC 3891 §3)', ['Replaces: x;to-tag=a;from-tag=b'], [SDP], 481, '', ''],
    ['a Replaces without tags (RFC 3891 §6.1)', ['Replaces: x'], [SDP], 400, '', ''],
  ];
  for (const [what, more, also, status, header, value] of REFUSED) {
    test(`${what} is refused by ${status}`, async () => {
      const { town, phone, peer } = await bench();
      peer.send('10.0.0.1', lines('INVITE', 1, [CONTACT, ...more, ...also]), 'v=0');
      await town.run(20);
      assert.deepEqual(peer.statuses(), [status]);
      if (header !== '') assert.equal(text(peer.got[0]!, header), value);
      assert.equal(phone.incoming.length, 0);
    });
  }

  test('CANCEL before we know our own address towards the caller still gives 487', async () => {
    const town = new Town(), peer = await new Peer(town, '10.0.0.2').open(), network = town.wire.host('10.0.0.1');
    let incoming = 0;
    let known: (host: string) => void = () => undefined;
    const agent = createAgent({
      clock: town.clock, random: new FakeRandom(3), log: new FakeLog(), resolver: town.resolver,
      network: { udp: (l, h) => network.udp(l, h), listen: (l, a) => network.listen(l, a), connect: (r, h) => network.connect(r, h), sourceFor: () => new Promise((resolve) => { known = resolve; }) },
    }, { listen: { host: '', port: 5060 }, tcp: true, userAgent: 'test' }, { onIncoming: () => { incoming++; }, onRegistration: () => undefined });
    await agent.start();
    peer.send('10.0.0.1', lines('INVITE', 1, [CONTACT, SDP], { branch: 'z9hG4bKinvite' }), 'v=0');
    await town.run(20);
    peer.send('10.0.0.1', lines('CANCEL', 1, [], { branch: 'z9hG4bKinvite' }));
    await town.run(20);
    known('10.0.0.1');
    await town.run(20);
    assert.deepEqual(peer.statuses(), [200, 487]);
    assert.equal(incoming, 0);
  });

  test('one without Contact is refused by 400 (RFC 3261 §8.1.1.8)', async () => {
    const { town, peer } = await bench();
    peer.send('10.0.0.1', lines('INVITE', 1, [SDP]), 'v=0');
    await town.run(20);
    assert.deepEqual(peer.statuses(), [400]);
  });
});

describe('requests that belong to no call', () => {
  const ROWS: [string, number, string?][] = [
    ['OPTIONS', 200], ['BYE', 481], ['INFO', 481], ['NOTIFY', 481], ['UPDATE', 481], ['REFER', 403], ['PRACK', 481], ['MESSAGE', 403], ['PUBLISH', 405], ['REGISTER', 405], ['SUBSCRIBE', 489], ['FROB', 501],
  ];
  for (const [method, status] of ROWS) {
    test(`${method} is answered ${status}`, async () => {
      const { town, peer } = await bench();
      peer.send('10.0.0.1', lines(method, 1));
      await town.run(20);
      assert.deepEqual(peer.statuses(), [status]);
      if (status === 405 || status === 501) assert.match(text(peer.got[0]!, 'allow')!, /INVITE, ACK, CANCEL, BYE/);
    });
  }
  test('a request for a dialog nobody knows is answered 481 (RFC 3261 §12.2.2)', async () => {
    const { town, peer } = await bench();
    for (const method of ['INVITE', 'BYE', 'UPDATE', 'INFO']) peer.send('10.0.0.1', lines(method, 1, [CONTACT], { to: 'nobody' }));
    await town.run(20);
    assert.deepEqual(peer.statuses(), [481, 481, 481, 481]);
  });
});

describe('inside a call', () => {
  test('a CSeq lower than before is answered 500 (RFC 3261 §12.2.2)', async () => {
    const { town, peer, call, inside } = await answered();
    inside('INFO', 9);
    inside('BYE', 8);
    await town.run(60);
    assert.deepEqual(peer.statuses().slice(-2), [200, 500]);
    assert.equal(call.state, 'established');
  });

  test('a second offer before the first was answered is refused by 500 with Retry-After (RFC 3261 §14.2)', async () => {
    const { town, peer, call, told, inside } = await answered();
    inside('INVITE', 2, [CONTACT], 'v=0 one');
    await town.run(20);
    inside('INVITE', 3, [CONTACT], 'v=0 two');
    await town.run(20);
    const refusal = peer.got.at(-1)!;
    assert.equal(refusal.status, 500);
    assert.ok(Number(text(refusal, 'retry-after')) <= 10);
    call.answerOffer(ANSWER);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 200);
    assert.equal(told.filter((w) => w.startsWith('offer')).length, 2);
  });

  test('CANCEL of a re-INVITE gives 487 to it alone (RFC 3261 §14.1)', async () => {
    const { town, peer, call, inside } = await answered();
    inside('INVITE', 2, [CONTACT], 'v=0 one', 'z9hG4bKre');
    await town.run(20);
    inside('CANCEL', 2, [], '', 'z9hG4bKre');
    await town.run(20);
    assert.deepEqual(peer.statuses().slice(-2), [200, 487]);
    assert.equal(call.state, 'established');
    call.answerOffer(ANSWER);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 487, 'an answer that comes too late goes nowhere');
  });

  test('BYE while a re-INVITE waits gives 487 to it (RFC 3261 §15.1.2)', async () => {
    const { town, peer, inside } = await answered();
    inside('INVITE', 2, [CONTACT], 'v=0 one');
    await town.run(20);
    inside('BYE', 3);
    await town.run(20);
    assert.deepEqual(peer.statuses().slice(-2).sort(), [200, 487]);
  });

  test('a re-INVITE without offer gets ours, and its answer comes with the ACK', async () => {
    const { town, call, told, inside } = await answered();
    inside('INVITE', 2, [CONTACT]);
    await town.run(20);
    assert.equal(told.at(-1), 'offer ');
    call.answerOffer(Buffer.from('v=0 ours'));
    await town.run(20);
    inside('ACK', 2, [], 'v=0 theirs');
    await town.run(20);
    assert.equal(told.at(-1), 'answer v=0 theirs');
  });

  test('the target moves with a re-INVITE and an UPDATE, whose Contact is the next Request-URI (RFC 3261 §12.2.2, RFC 3311)', async () => {
    for (const method of ['INVITE', 'UPDATE']) {
      const { town, peer, call, inside } = await answered();
      inside(method, 2, ['Contact: <sip:moved@10.0.0.2>'], method === 'INVITE' ? 'v=0' : '');
      await town.run(20);
      if (method === 'INVITE') {
        call.answerOffer(ANSWER);
        await town.run(20);
        inside('ACK', 2);
        await town.run(20);
      }
      call.hangUp();
      await town.run(20);
      assert.match(peer.last('BYE').bytes.toString(), /^BYE sip:moved@10.0.0.2 /);
    }
  });

  test('UPDATE with an offer is answered like a re-INVITE, without ACK (RFC 3311 §5.2)', async () => {
    const { town, peer, call, told, inside } = await answered();
    inside('UPDATE', 2, [CONTACT], 'v=0 update');
    await town.run(20);
    assert.equal(told.at(-1), 'offer v=0 update');
    call.answerOffer(ANSWER);
    await town.run(2_000);
    assert.equal(peer.got.filter((m) => m.status === 200 && text(m, 'cseq') === '2 UPDATE').length, 1);
  });

  for (const [status, why] of [[481, 'the other side lost the call'], [408, 'the other side went silent']] as const) {
    test(`${status} to a re-INVITE of ours ends the call (RFC 3261 §14.1)`, async () => {
      const { town, peer, call, told } = await answered();
      call.offer(OFFER);
      await town.run(20);
      peer.answer(peer.last('INVITE'), status);
      await town.run(20);
      assert.equal(told.at(-1), `ended by network: ${why}`);
      assert.equal(peer.count('BYE'), 1);
    });
  }

  test('a re-INVITE nobody answers ends the call after 64 T1', async () => {
    const { town, call, told } = await answered();
    town.wire.down.add('10.0.0.2');
    call.offer(OFFER);
    await town.run(32_100);
    assert.equal(told.at(-1), 'ended by network: the other side went silent');
  });

  test('a re-INVITE that is refused on its way goes out again (RFC 3261 §8.1.3.1, §14.1)', async () => {
    const town = new Town(), a = await town.phone('10.0.0.1'), peer = town.wire.host('10.0.0.2');
    const got: string[] = [];
    const listen = () => peer.listen({ host: '', port: 5060 }, (socket) => ({
      onOpen: () => undefined, onClose: () => undefined,
      onBytes: (bytes) => {
        const message = parseMessage(bytes);
        if (message.kind !== 'request') return;
        got.push(`${text(message, 'cseq')} ${bytes.subarray(message.bodyStart).toString()}`.trim());
        if (message.method === 'INVITE') socket.send(buildResponse(message, 200, { toTag: 'b', headers: [['Contact', '<sip:b@10.0.0.2;transport=tcp>'], ['Content-Type', 'application/sdp']], body: ANSWER }));
        if (got.length === 2) {
          listener.close();
          socket.close();
        }
      },
    }));
    let listener = await listen();
    const call = a.agent.call({ target: 'sip:b@10.0.0.2;transport=tcp', offer: OFFER }), told = story(call);
    await town.run(50);
    call.offer(Buffer.from('v=0 hold'));
    await town.run(3_000);
    assert.deepEqual([call.state, got], ['established', ['1 INVITE v=0 offer', '1 ACK']]);
    listener = await listen();
    await town.run(3_000);
    assert.deepEqual([told.at(-1), got.slice(2)], ['answer v=0 answer', ['3 INVITE v=0 hold', '3 ACK']]);
  });

  test('after 491 the offer goes out again within the pause of the called side (RFC 3261 §14.1)', async () => {
    const { town, peer, call } = await answered();
    call.offer(OFFER);
    await town.run(20);
    peer.answer(peer.last('INVITE'), 491);
    await town.run(2_050);
    assert.deepEqual([...new Set(peer.got.filter((m) => m.method === 'INVITE').map((m) => text(m, 'cseq')))], ['1 INVITE', '2 INVITE']);
  });

  test('a repeated 2xx to a re-INVITE gets its ACK again, and its Contact is the new target', async () => {
    const { town, peer, call, told } = await answered();
    call.offer(OFFER);
    await town.run(20);
    const invite = peer.last('INVITE'), before = peer.count('ACK');
    for (let i = 0; i < 2; i++) {
      peer.answer(invite, 200, ['Contact: <sip:elsewhere@10.0.0.2>'], 'v=0 again');
      await town.run(20);
    }
    assert.equal(peer.count('ACK') - before, 2);
    assert.equal(told.filter((w) => w === 'answer v=0 again').length, 1);
    call.hangUp();
    await town.run(20);
    assert.match(peer.last('BYE').bytes.toString(), /^BYE sip:elsewhere@10.0.0.2 /);
  });

  const INFO: [string, string, number, string | undefined][] = [
    ['application/dtmf-relay', 'Signal=7\r\nDuration=200\r\n', 200, 'digit 7 200'],
    ['application/dtmf-relay', 'Signal= *\r\n', 200, 'digit * 160'],
    ['application/dtmf-relay', 'Signal=11', 200, 'digit # 160'],
    ['application/dtmf', '3', 200, 'digit 3 160'],
    ['application/dtmf-relay', 'Signal=x', 400, undefined],
    ['application/media_control+xml', '<x/>', 415, undefined],
  ];
  for (const [type, body, status, digit] of INFO) {
    test(`INFO ${type} ${JSON.stringify(body)} is answered ${status}`, async () => {
      const { town, peer, told } = await answered();
      const before = told.length;
      peer.send('10.0.0.1', lines('INFO', 2, [`Content-Type: ${type}`], { to: tagOf(peer.got[0]!, 'to') }), body);
      await town.run(20);
      assert.equal(peer.statuses().at(-1), status);
      assert.deepEqual(told.slice(before), digit === undefined ? [] : [digit]);
    });
  }
});

describe('transfer', () => {
  test('REFER is taken with 202, told, and reported by NOTIFY to its end (RFC 3515 §2.4)', async () => {
    const { town, peer, call, told, inside } = await answered();
    inside('REFER', 2, [CONTACT, 'Refer-To: <sip:carol@10.0.0.3>', 'Referred-By: <sip:boss@x>']);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 202);
    assert.equal(told.at(-1), 'transfer to sip:carol@10.0.0.3');
    const first = peer.last('NOTIFY');
    assert.deepEqual([text(first, 'event'), text(first, 'subscription-state'), first.bytes.subarray(first.bodyStart).toString()], ['refer', 'active;expires=60', 'SIP/2.0 100 Trying\r\n']);
    peer.answer(first, 200);
    call.transferProgress(200, 'OK');
    await town.run(20);
    const last = peer.last('NOTIFY');
    assert.deepEqual([text(last, 'subscription-state'), last.bytes.subarray(last.bodyStart).toString()], ['terminated;reason=noresource', 'SIP/2.0 200 OK\r\n']);
    peer.answer(last, 200);
    call.transferProgress(486, 'Busy Here');
    await town.run(20);
    assert.equal(peer.count('NOTIFY'), 2, 'a subscription ends once');
    inside('REFER', 3, [CONTACT, 'Refer-To: <sip:dave@10.0.0.4>']);
    await town.run(20);
    assert.equal(text(peer.last('NOTIFY'), 'event'), 'refer;id=3', 'a second one is told apart (RFC 3515 §2.4.6)');
  });

  test('a REFER without a usable Refer-To is refused by 400 (RFC 3515 §2.4.2)', async () => {
    const { town, peer, inside } = await answered();
    inside('REFER', 2, [CONTACT]);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 400);
  });

  test('a transfer of ours is told by its NOTIFYs', async () => {
    const { town, peer, call, told } = await answered();
    call.transfer('sip:carol@10.0.0.3');
    await town.run(20);
    const refer = peer.last('REFER');
    assert.equal(text(refer, 'refer-to'), '<sip:carol@10.0.0.3>');
    peer.answer(refer, 202, [CONTACT]);
    for (const [seq, frag, state] of [[2, 'SIP/2.0 100 Trying', 'active'], [3, 'SIP/2.0 200 OK', 'terminated;reason=noresource']] as const) {
      peer.send('10.0.0.1', lines('NOTIFY', seq, [CONTACT, 'Event: refer', `Subscription-State: ${state}`, 'Content-Type: message/sipfrag'], { to: tagOf(peer.got[0]!, 'to') }), frag);
      await town.run(20);
      assert.equal(peer.statuses().at(-1), 200);
    }
    assert.deepEqual(told.slice(-2), ['transfer 100', 'transfer 200']);
  });

  test('a refused transfer says why', async () => {
    const { town, peer, call, told } = await answered();
    call.transfer('sip:carol@10.0.0.3');
    await town.run(20);
    peer.answer(peer.last('REFER'), 603);
    await town.run(20);
    assert.equal(told.at(-1), 'transfer 603');
    call.transfer('');
    assert.equal(told.at(-1), 'transfer 400');
    assert.equal(call.state, 'established');
  });

  test('a REFER that wants no report gets none, and is told so (RFC 4488 §4)', async () => {
    const { town, peer, call, told, inside } = await answered();
    inside('REFER', 2, [CONTACT, 'Refer-To: <sip:carol@10.0.0.3>', 'Refer-Sub: false', 'Supported: norefersub']);
    await town.run(20);
    assert.deepEqual([peer.statuses().at(-1), text(peer.got.at(-1)!, 'refer-sub'), told.at(-1)], [202, 'false', 'transfer to sip:carol@10.0.0.3']);
    call.transferProgress(200, 'OK');
    await town.run(20);
    assert.equal(peer.count('NOTIFY'), 0);
    inside('REFER', 3, [CONTACT, 'Refer-To: <sip:dave@10.0.0.3>']);
    await town.run(20);
    assert.equal(text(peer.last('NOTIFY'), 'event'), 'refer', 'nothing of it hinders the next');
  });

  test('a transfer of ours that wants no report ends with the 202 that agrees (RFC 4488 §4)', async () => {
    const { town, peer, call, told } = await answered();
    call.transfer('sip:carol@10.0.0.3', undefined, false);
    await town.run(20);
    assert.equal(text(peer.last('REFER'), 'refer-sub'), 'false');
    peer.answer(peer.last('REFER'), 202, [CONTACT, 'Refer-Sub: false']);
    await town.run(20);
    assert.equal(told.at(-1), 'transfer 202');
  });

  test('a transfer to a call that only rings names its address alone: an early dialog of ours cannot be replaced there (RFC 3891 §3)', async () => {
    const town = new Town(), alice = await town.phone('10.0.0.1'), bob = await new Peer(town, '10.0.0.2').open(), carol = await town.phone('10.0.0.3');
    const toBob = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(20);
    bob.answer(bob.last('INVITE'), 200, [CONTACT], 'v=0 answer');
    carol.onCall = (c) => c.progress(180);
    const toCarol = alice.agent.call({ target: 'sip:carol@10.0.0.3', offer: OFFER });
    await town.run(50);
    toBob.transfer('sip:carol@10.0.0.3', toCarol);
    await town.run(20);
    assert.equal(text(bob.last('REFER'), 'refer-to'), '<sip:carol@10.0.0.3>');
  });

  test('REFER that belongs to no call is refused: nobody may make us call (RFC 3515 §2.4.2)', async () => {
    const { town, peer } = await bench();
    peer.send('10.0.0.1', lines('REFER', 1, [CONTACT, 'Refer-To: <sip:premium@10.0.0.9>']));
    await town.run(20);
    assert.deepEqual(peer.statuses(), [403]);
  });

  test('NOTIFY that nobody asked for is answered 481 (RFC 6665 §4.1.3)', async () => {
    const { town, peer, inside } = await answered();
    inside('NOTIFY', 2, [CONTACT, 'Event: refer', 'Subscription-State: active']);
    await town.run(20);
    assert.equal(peer.statuses().at(-1), 481);
  });

  test('an attended transfer joins the two others (RFC 3891, RFC 5589 §7.1)', async () => {
    const town = new Town();
    const alice = await town.phone('10.0.0.1'), bob = await town.phone('10.0.0.2'), carol = await town.phone('10.0.0.3');
    for (const p of [bob, carol]) p.onCall = (call) => call.accept(ANSWER);
    const toBob = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    const toCarol = alice.agent.call({ target: 'sip:carol@10.0.0.3', offer: OFFER });
    const told = story(toBob), toldCarol = story(toCarol);
    await town.run(100);
    const bobs = bob.incoming[0]!.call;
    bobs.subscribe((e) => {
      if (e.event !== 'transfer asked') return;
      const next = bob.agent.call({ target: e.target, offer: OFFER });
      next.subscribe((n) => { if (n.event === 'established') bobs.transferProgress(200, 'OK'); });
    });
    toBob.transfer('', toCarol);
    await town.run(200);
    assert.equal(told.at(-1), 'transfer 200');
    assert.equal(carol.incoming.length, 2);
    assert.equal(carol.incoming[1]!.call.remote.host, '10.0.0.2');
    assert.equal(carol.incoming[0]!.told.at(-1), 'ended by us: replaced');
    assert.equal(toldCarol.at(-1), 'ended by them: hung up');
    toBob.hangUp();
    await town.run(100);
    assert.deepEqual([alice, bob, carol].map((p) => p.agent.calls.length), [0, 1, 1]);
  });
});

describe('picking up (RFC 3891)', () => {
  /** Alice rings at Bob; Carol, who was told of it, takes it. */
  async function ringing(early: '' | ';early-only', answer = false) {
    const town = new Town(), alice = await town.phone('10.0.0.1'), bob = await town.phone('10.0.0.2'), carol = await town.phone('10.0.0.3');
    bob.onCall = (c) => answer ? c.accept(ANSWER) : c.progress(180);
    alice.onCall = (c) => c.accept(ANSWER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }), told = story(call);
    await town.run(100);
    const invite = town.messages().find((m) => m.words === 'INVITE')!.message, ring = town.messages().find((m) => m.words === (answer ? '200 INVITE' : '180 INVITE'))!.message;
    const picked = carol.agent.call({ target: 'sip:alice@10.0.0.1', offer: OFFER, replaces: `${text(invite, 'call-id')};to-tag=${tagOf(invite, 'from')};from-tag=${tagOf(ring, 'to')}${early}` });
    const pickedTold = story(picked);
    await town.run(100);
    return { alice, bob, carol, told, pickedTold, town };
  }

  test('a call that rings elsewhere: the caller drops that for us, and its phone stops ringing (§3, §4)', async () => {
    const { alice, bob, told, pickedTold } = await ringing(';early-only');
    assert.deepEqual(pickedTold, ['answer v=0 answer', 'established']);
    assert.equal(told.at(-1), 'ended by us: replaced (487)');
    assert.equal(bob.incoming[0]!.told.at(-1), 'ended by them: the caller gave up (487)');
    assert.equal(alice.agent.calls.length, 1);
  });

  test('early-only of a call that was answered is refused by 486 (§3)', async () => {
    const { told, pickedTold } = await ringing(';early-only', true);
    assert.deepEqual([pickedTold, told.at(-1)], [['ended by them: Busy Here (486)'], 'established']);
  });

  test('without early-only it is taken over (§3)', async () => {
    const { told, pickedTold } = await ringing('', true);
    assert.deepEqual([pickedTold.at(-1), told.at(-1)], ['established', 'ended by us: replaced']);
  });

  test('an early dialog that began with the other side cannot be replaced: 481 (§3)', async () => {
    const { town, peer, phone, call } = await calling();
    peer.send('10.0.0.1', lines('INVITE', 1, [CONTACT, SDP, `Replaces: peercall;to-tag=${tagOf(peer.got[0]!, 'to')};from-tag=peer;early-only`], { callId: 'other', from: 'x' }), 'v=0');
    await town.run(20);
    assert.deepEqual([peer.statuses().at(-1), phone.incoming.length, call.state], [481, 1, 'ringing']);
  });

  test('one branch of a fork is enough to name the call', async () => {
    const { town, phone, peer, invite, told } = await called();
    phone.onCall = (c) => c.accept(ANSWER);
    for (const who of ['one', 'two']) peer.answer(invite, 180, [CONTACT], '', who);
    await town.run(20);
    peer.send('10.0.0.1', lines('INVITE', 1, [CONTACT, SDP, `Replaces: ${text(invite, 'call-id')};to-tag=${tagOf(invite, 'from')};from-tag=one`], { callId: 'pick', from: 'x' }), 'v=0');
    await town.run(20);
    assert.equal(told.at(-1), 'ended by us: replaced (487)');
    assert.equal(peer.count('CANCEL'), 1);
  });

  test('a line break in it is refused before anything is sent', async () => {
    const { phone } = await bench();
    assert.throws(() => phone.agent.call({ target: 'sip:x@10.0.0.2', replaces: 'a;to-tag=1\r\nEvil: 1;from-tag=2' }), /cannot be sent/);
  });
});
