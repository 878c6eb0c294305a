import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { PhoneError } from '../../src/ports/errors.ts';
import type { StreamSocket } from '../../src/ports/net.ts';
import { framer } from '../../src/sip/framing.ts';
import { text, type Message } from '../../src/sip/message.ts';
import { ANSWER, OFFER, story, Town } from './agent-bench.ts';

async function pair(seed = 1) {
  const town = new Town(seed);
  const alice = await town.phone('10.0.0.1'), bob = await town.phone('10.0.0.2');
  return { town, alice, bob };
}

describe('two agents', () => {
  test('a call is rung, answered, talked and hung up (RFC 3665 §3.1)', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.progress(180);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    const told = story(call);
    await town.run(100);
    assert.equal(call.state, 'ringing');
    assert.equal(call.localHost, '10.0.0.1');
    const there = bob.incoming[0]!;
    assert.equal(there.call.localHost, '10.0.0.2');
    assert.equal(there.call.remote.uri, 'sip:phone@10.0.0.1:5060');
    there.call.accept(ANSWER);
    await town.run(100);
    assert.deepEqual(told, ['progress 180', 'answer v=0 answer', 'established']);
    assert.deepEqual(there.told, ['offer v=0 offer', 'established']);
    there.call.hangUp();
    await town.run(100);
    assert.deepEqual(told.slice(3), ['ended by them: hung up']);
    assert.deepEqual(there.told.slice(2), ['ended by us: hung up']);
    assert.deepEqual([alice.agent.calls, bob.agent.calls], [[], []]);
    assert.deepEqual(town.messages().map((m) => m.words), ['INVITE', '180 INVITE', '200 INVITE', 'ACK', 'BYE', '200 BYE']);
    await town.run(40_000);
    assert.equal(town.clock.pending, 0, 'nothing is left running');
  });

  test('the caller hangs up; both are told', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    const call = alice.agent.call({ target: 'bob@10.0.0.2', offer: OFFER });
    const told = story(call);
    await town.run(50);
    call.hangUp();
    await town.run(50);
    assert.deepEqual(told.at(-1), 'ended by us: hung up');
    assert.deepEqual(bob.incoming[0]!.told.at(-1), 'ended by them: hung up');
  });

  test('a refusal comes with its words and header lines', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.reject(486, [['Retry-After', '9']]);
    const told = story(alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }));
    await town.run(50);
    assert.deepEqual(told, ['ended by them: Busy Here (486)']);
    assert.deepEqual(bob.incoming[0]!.told.at(-1), 'ended by us: Busy Here (486)');
    assert.equal(text(town.messages().find((m) => m.words === '486 INVITE')!.message, 'retry-after'), '9');
  });

  test('early media answers once, in a reliable 183 (RFC 3262 §5)', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.progress(183, ANSWER);
    const told = story(alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }));
    await town.run(50);
    bob.incoming[0]!.call.accept(ANSWER);
    await town.run(50);
    assert.deepEqual(told, ['progress 183', 'early answer v=0 answer', 'established']);
  });

  test('without an offer in INVITE the 2xx offers and the ACK answers (RFC 3261 §13.2.1)', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(OFFER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2' });
    const told = story(call);
    await town.run(1_800);
    assert.deepEqual(told, ['offer v=0 offer', 'established']);
    assert.ok(!town.sentBy('10.0.0.1').includes('ACK'), 'the ACK waits for our answer');
    call.answerOffer(ANSWER);
    await town.run(50);
    assert.deepEqual(bob.incoming[0]!.told, ['established', 'answer v=0 answer']);
    await town.run(40_000);
    assert.equal(call.state, 'established');
    assert.equal(town.sentBy('10.0.0.2').filter((w) => w === '200 INVITE').length, 3, 'at 0, 500 and 1500 ms');
  });

  test('hanging up before answering a delayed offer still acknowledges it', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(OFFER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2' });
    await town.run(50);
    call.hangUp();
    await town.run(100);
    assert.deepEqual(town.sentBy('10.0.0.1').slice(0, 3), ['INVITE', 'ACK', 'BYE']);
    assert.equal(bob.incoming[0]!.told.at(-1), 'ended by them: the other side sent no session description');
  });

  test('hold and resume are offers inside the call, answered or refused (RFC 3261 §14)', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    const told = story(call);
    await town.run(50);
    const there = bob.incoming[0]!;
    call.offer(Buffer.from('hold'));
    await town.run(50);
    assert.equal(there.told.at(-1), 'offer hold');
    there.call.answerOffer(Buffer.from('held'));
    await town.run(50);
    assert.equal(told.at(-1), 'answer held');
    there.call.offer(Buffer.from('other way'));
    await town.run(50);
    assert.equal(told.at(-1), 'offer other way');
    call.refuseOffer(488);
    await town.run(50);
    assert.equal(there.told.at(-1), 'offer refused 488');
    assert.deepEqual([call.state, there.call.state], ['established', 'established']);
  });

  test('an offer made while another is open waits, and only the newest goes out', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(50);
    const there = bob.incoming[0]!;
    for (const body of ['one', 'two', 'three']) call.offer(Buffer.from(body));
    await town.run(50);
    there.call.answerOffer(Buffer.from('1'));
    await town.run(50);
    there.call.answerOffer(Buffer.from('3'));
    await town.run(50);
    assert.deepEqual(there.told.slice(2), ['offer one', 'offer three']);
  });

  test('offers that meet are both refused by 491, and both get through after their pauses (RFC 3261 §14.1)', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    const told = story(call);
    await town.run(50);
    const there = bob.incoming[0]!;
    call.subscribe((e) => { if (e.event === 'offer') call.answerOffer(Buffer.from('A')); });
    there.call.subscribe((e) => { if (e.event === 'offer') there.call.answerOffer(Buffer.from('B')); });
    call.offer(Buffer.from('from alice'));
    there.call.offer(Buffer.from('from bob'));
    await town.run(20);
    assert.deepEqual(town.messages().filter((m) => m.words === '491 INVITE').length, 2);
    await town.run(6_000);
    assert.deepEqual(told.slice(2), ['offer from bob', 'answer B'], 'the owner of the Call-ID waits longer');
    assert.deepEqual(there.told.slice(2), ['answer A', 'offer from alice']);
  });

  test('digits go as INFO both ways', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    const told = story(call);
    await town.run(50);
    call.sendInfoDigit('5', 120);
    bob.incoming[0]!.call.sendInfoDigit('#', 250);
    await town.run(50);
    assert.equal(bob.incoming[0]!.told.at(-1), 'digit 5 120');
    assert.equal(told.at(-1), 'digit # 250');
  });

  test('a call over TCP needs no resending (RFC 3261 §18)', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2;transport=tcp', offer: OFFER });
    const told = story(call);
    await town.run(100);
    call.hangUp();
    await town.run(100);
    assert.deepEqual(told, ['answer v=0 answer', 'established', 'ended by us: hung up']);
    assert.equal(bob.incoming[0]!.source.transport, 'tcp');
    assert.equal(bob.incoming[0]!.told.at(-1), 'ended by them: hung up');
    assert.equal(town.wire.sent.length, 0, 'no datagram was sent');
  });

  for (let seed = 1; seed <= 25; seed++) {
    test(`a call survives loss, doubling and reordering of datagrams (seed ${seed})`, async () => {
      const { town, alice, bob } = await pair(seed);
      Object.assign(town.wire.weather, { loss: 0.25, duplicate: 0.2, reorder: 0.3, delayMs: 8 });
      bob.onCall = (call) => {
        call.progress(180);
        call.subscribe((e) => { if (e.event === 'offer') call.answerOffer(Buffer.from('held')); });
      };
      const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
      const told = story(call);
      for (let i = 0; i < 300 && bob.incoming.length === 0; i++) await town.run(100);
      const there = bob.incoming[0]!;
      await town.run(1_000);
      there.call.accept(ANSWER);
      await town.run(25_000);
      assert.ok(told.includes('established') && told.includes('answer v=0 answer'), told.join(', '));
      call.offer(Buffer.from('hold'));
      await town.run(25_000);
      assert.ok(told.includes('answer held'), told.join(', '));
      (seed % 2 === 0 ? call : there.call).hangUp();
      await town.run(70_000);
      assert.equal(bob.incoming.length, 1);
      assert.match(told.at(-1)!, seed % 2 === 0 ? /^ended by us/ : /^ended by them/);
      assert.match(there.told.at(-1)!, seed % 2 === 0 ? /^ended by them/ : /^ended by us/);
      for (const t of [told, there.told]) assert.equal(t.filter((w) => w.startsWith('ended') || w === 'established').length, 2, t.join(', '));
      assert.equal(town.clock.pending, 0);
    });
  }
});

describe('calls that come to nothing', () => {
  test('a target that is no address is refused at once', async () => {
    const { alice } = await pair();
    for (const target of ['', 'a b@c', '201', 'sip:', 'mailto:x@y', 'tel:+49301234', 'sip:a@b\r\nX: y']) {
      assert.throws(() => alice.agent.call({ target, offer: OFFER }), (e) => e instanceof PhoneError && e.code === 'BAD_ADDRESS', target);
    }
  });

  test('a header with a line break is refused at once', async () => {
    const { alice } = await pair();
    assert.throws(() => alice.agent.call({ target: 'sip:b@10.0.0.2', offer: OFFER, headers: [['Alert-Info', 'x\r\nVia: y']] }), (e) => e instanceof PhoneError && e.code === 'BAD_HEADER');
    assert.throws(() => alice.agent.call({ target: 'sip:b@10.0.0.2', offer: OFFER, displayName: 'a\r\nb' }), (e) => e instanceof PhoneError && e.code === 'BAD_HEADER');
    assert.deepEqual(alice.agent.calls, []);
  });

  test('a refusal with a line break in a header is refused at once, and the call still rings', async () => {
    const { town, alice, bob } = await pair();
    alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(50);
    const { call } = bob.incoming[0]!;
    assert.throws(() => call.reject(486, [['Warning', 'a\r\nb']]), (e) => e instanceof PhoneError && e.code === 'BAD_HEADER');
    assert.equal(call.state, 'ringing');
    call.reject(486);
    assert.equal(call.state, 'ended');
  });

  test('nobody answers: 408 after 64 T1 (RFC 3261 §17.1.1.2)', async () => {
    const { town, alice } = await pair();
    town.wire.down.add('10.0.0.2');
    const told = story(alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }));
    await town.run(31_900);
    assert.deepEqual(told, []);
    await town.run(200);
    assert.deepEqual(told, ['ended by network: the other side does not answer (408)']);
    await town.run(40_000);
    assert.equal(town.clock.pending, 0);
  });

  test('a closed port, a name without address, and no network each have their words', async () => {
    const { town, alice } = await pair();
    const refused = story(alice.agent.call({ target: 'sip:bob@10.0.0.2:9', offer: OFFER }));
    const unknown = story(alice.agent.call({ target: 'sip:bob@nowhere.example', offer: OFFER }));
    await town.run(100);
    town.wire.down.add('10.0.0.1');
    const cut = story(alice.agent.call({ target: 'sip:bob@10.0.0.7', offer: OFFER }));
    await town.run(100);
    assert.deepEqual([refused, unknown, cut], [
      ['ended by network: the connection was refused (503)'], ['ended by network: no such address (404)'], ['ended by network: no network (503)']]);
  });

  test('a dead first server costs one time-out, the next one is called (RFC 3263 §4.3)', async () => {
    const { town, alice, bob } = await pair();
    town.resolver.hosts.set('bob.example', ['10.0.0.99', '10.0.0.2']);
    town.wire.host('10.0.0.99');
    bob.onCall = (call) => call.accept(ANSWER);
    const told = story(alice.agent.call({ target: 'sip:bob@bob.example', offer: OFFER }));
    await town.run(500);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
  });

  test('503 passes the call on to the next server (RFC 3263 §4.3), other refusals do not', async () => {
    for (const [status, reached] of [[503, 1], [486, 0]] as const) {
      const { town, alice, bob } = await pair();
      const other = await town.phone('10.0.0.3');
      town.resolver.hosts.set('two.example', ['10.0.0.2', '10.0.0.3']);
      bob.onCall = (call) => call.reject(status);
      alice.agent.call({ target: 'sip:bob@two.example', offer: OFFER });
      await town.run(100);
      assert.equal(other.incoming.length, reached, String(status));
    }
  });

  test('a redirection is followed', async () => {
    const { town, alice, bob } = await pair();
    const other = await town.phone('10.0.0.3');
    bob.onCall = (call) => call.reject(302, [['Contact', '<sip:bob@10.0.0.3>']]);
    other.onCall = (call) => call.accept(ANSWER);
    const told = story(alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }));
    await town.run(100);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
    bob.onCall = (call) => call.reject(302, [['Contact', '<sip:bob@10.0.0.2>']]);
    const circle = story(alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }));
    await town.run(500);
    assert.deepEqual(circle, ['ended by them: Moved Temporarily (302)']);
  });
});

test('the 65th call at once hears busy, and the phone never hears of it', async () => {
  const { town, alice, bob } = await pair();
  const carol = await town.phone('10.0.0.3');
  const told = [alice, carol].flatMap(({ agent }) => Array.from({ length: 33 }, () => story(agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }))));
  await town.run(300);
  assert.equal(bob.incoming.length, 64);
  assert.equal(told.filter((t) => t[0] === 'ended by them: Busy Here (486)').length, 2);
});

describe('closing', () => {
  test('ends every call, on both sides, within 2 s', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => { if (bob.incoming.length === 1) call.accept(ANSWER); else call.progress(180); };
    const first = story(alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }));
    await town.run(50);
    const second = story(alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER }));
    await town.run(50);
    let closed = false;
    void alice.agent.close().then(() => { closed = true; });
    await town.run(100);
    assert.ok(closed);
    assert.deepEqual([first.at(-1), second.at(-1)], ['ended by us: hung up', 'ended by us: hung up (487)']);
    assert.deepEqual(bob.incoming.map((i) => i.told.at(-1)), ['ended by them: hung up', 'ended by them: the caller gave up (487)']);
  });

  test('a call that comes in meanwhile is told to come back later', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(50);
    town.wire.weather.delayMs = 200;
    void alice.agent.close();
    const told = story(bob.agent.call({ target: 'sip:alice@10.0.0.1', offer: OFFER }));
    town.wire.weather.delayMs = 1;
    await town.run(100);
    assert.deepEqual(told, ['ended by them: Temporarily Unavailable (480)']);
  });

  test('does not wait longer than 2 s for the dead', async () => {
    const { town, alice, bob } = await pair();
    bob.onCall = (call) => call.accept(ANSWER);
    alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(50);
    town.wire.down.add('10.0.0.2');
    let closed = false;
    void alice.agent.close().then(() => { closed = true; });
    await town.run(1_900);
    assert.ok(!closed);
    await town.run(200);
    assert.ok(closed);
  });
});

test('the address that leads to a target is told before there is a call', async () => {
  const { town, alice } = await pair();
  town.resolver.hosts.set('bob.example', ['10.0.0.2']);
  assert.equal(await alice.agent.localHostFor('sip:bob@bob.example'), '10.0.0.1');
  assert.equal(await alice.agent.localHostFor('no address'), undefined);
  assert.equal(await alice.agent.localHostFor('sip:bob@nowhere.example'), undefined);
});

test('OPTIONS tells what a phone can, and what became of the question', async () => {
  const { town, alice } = await pair();
  const asked = [alice.agent.options('sip:10.0.0.2'), alice.agent.options('sip:10.0.0.2:9')];
  await town.run(100);
  assert.deepEqual(await Promise.all(asked), [200, 503]);
  const answer = town.messages().find((m) => m.words === '200 OPTIONS')!.message;
  assert.deepEqual([text(answer, 'allow'), text(answer, 'accept'), text(answer, 'supported')], ['INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, REFER, NOTIFY, PRACK, MESSAGE, SUBSCRIBE', 'application/sdp, multipart/mixed', 'replaces, 100rel, timer, norefersub']);
  town.wire.down.add('10.0.0.2');
  const dead = alice.agent.options('sip:10.0.0.2');
  await town.run(33_000);
  assert.equal(await dead, 408);
});

test('a call that rings outlives the connection it came by: answered, its 200 goes by a new one to the sent-by of the caller, whose ACK may come by any (RFC 3261 §18.2.2)', async () => {
  const town = new Town(), bob = await town.phone('10.0.0.1'), near = town.wire.host('10.0.0.2'), later: { readonly got: Message[]; readonly socket: StreamSocket }[] = [];
  const take = (got: Message[]) => framer({ onMessage: (m) => { got.push(m); }, onMalformed: () => undefined, onPing: () => undefined, onPong: () => undefined });
  await near.listen({ host: '', port: 5060 }, (socket) => {
    const got: Message[] = [], read = take(got);
    later.push({ got, socket });
    return { onOpen: () => undefined, onBytes: (bytes) => void read(bytes), onClose: () => undefined };
  });
  const got: Message[] = [], read = take(got);
  const first = near.connect({ host: '10.0.0.1', port: 5060 }, { onOpen: () => undefined, onBytes: (bytes) => void read(bytes), onClose: () => undefined });
  await town.run(10);
  const lines = (method: string, branch: string, to: string): string => [`${method} sip:bob@10.0.0.1;transport=tcp SIP/2.0`, `Via: SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bK${branch}`, 'From: <sip:a@10.0.0.2>;tag=a', `To: ${to}`, 'Call-ID: lost',
    `CSeq: 1 ${method}`, 'Contact: <sip:a@10.0.0.2;transport=tcp>', ...(method === 'INVITE' ? ['Content-Type: application/sdp', 'Content-Length: 9', '', 'v=0 offer'] : ['Content-Length: 0', '', ''])].join('\r\n');
  bob.onCall = (call) => call.progress(180);
  first.send(Buffer.from(lines('INVITE', 'i', '<sip:bob@10.0.0.1>')));
  await town.run(50);
  assert.deepEqual(got.map((m) => m.status), [180]);
  first.close();
  await town.run(1_000);
  const { call, told } = bob.incoming[0]!;
  assert.equal(call.state, 'ringing');
  call.accept(ANSWER);
  await town.run(50);
  assert.deepEqual(later.map((each) => each.got.map((m) => m.status)), [[200]]);
  later[0]!.socket.send(Buffer.from(lines('ACK', 'k', text(later[0]!.got[0]!, 'to')!)));
  await town.run(40_000);
  assert.equal(call.state, 'established');
  assert.deepEqual(told, ['offer v=0 offer', 'established']);
});
