// How a request finds its hop: fail-over inside the request (RFC 3263 §4.3), and TCP for what is too large for UDP (RFC 3261 §18.1.1).

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { formatVia, topVia } from '../../src/sip/headers.ts';
import { text, type Message } from '../../src/sip/message.ts';
import { settle } from '../fakes/clock.ts';
import { Registrar } from '../fakes/registrar.ts';
import { ANSWER, OFFER, Peer, story, Town, type Phone } from './agent-bench.ts';

const A = '10.0.0.11', B = '10.0.0.12';

async function town(...hosts: string[]): Promise<{ town: Town; alice: Phone; peers: Peer[]; call: () => string[] }> {
  const made = new Town();
  const alice = await made.phone('10.0.0.1');
  const peers = await Promise.all(hosts.map((host) => new Peer(made, host).open()));
  made.resolver.hosts.set('bob.example', hosts);
  return { town: made, alice, peers, call: () => story(alice.agent.call({ target: 'sip:bob@bob.example:5060', offer: OFFER })) };
}
const branch = (message: Message) => topVia(message)!.params.get('branch');
const contactAt = (host: string) => [`Contact: <sip:bob@${host}>`];

describe('fail-over to the next hop (RFC 3263 §4.3)', () => {
  test('a silent hop is left after 2.5 s; the next one gets the same request with another branch', async () => {
    const { town: t, peers: [a, b], call } = await town(A, B);
    const told = call();
    await t.run(2_450);
    assert.equal(a!.count('INVITE'), 3);
    assert.equal(b!.count('INVITE'), 0);
    await t.run(100);
    const first = a!.last('INVITE'), second = b!.last('INVITE');
    for (const name of ['call-id', 'cseq', 'from', 'to', 'contact']) assert.equal(text(first, name), text(second, name), name);
    assert.notEqual(branch(first), branch(second));
    b!.answer(second, 200, contactAt(B), ANSWER.toString());
    await t.run(100);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
    assert.equal(b!.count('ACK'), 1);
    await t.run(30_000);
    assert.equal(a!.count('INVITE'), 3, 'nothing is sent again to the hop that was left');
  });

  test('a 100 Trying keeps the request where it is', async () => {
    const { town: t, peers: [a, b], call } = await town(A, B);
    call();
    await t.run(100);
    a!.answer(a!.last('INVITE'), 100);
    await t.run(20_000);
    assert.equal(b!.count('INVITE'), 0);
  });

  for (const [what, status, more] of [
    ['hops', 503, []], ['a challenge and its answer', 401, ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']],
  ] as const) {
    test(`hung up between ${what}, the INVITE does not go out again (RFC 3261 §9.1)`, async () => {
      const { town: t, alice, peers: [a, b] } = await town(A, B);
      const account = alice.agent.addAccount({
        id: 'x', user: 'u', server: 'bob.example:5060', proxy: '', transport: 'udp', authUser: '', password: 'p', displayName: '', expiresS: 600, register: false,
      });
      const call = alice.agent.call({ account, target: 'bob', offer: OFFER }), told = story(call);
      await t.run(20);
      a!.answer(a!.last('INVITE'), status, [...more, ...contactAt(A)]);
      t.clock.advance(1); // it is there, and no promise has gone on
      call.hangUp();
      await t.run(1_000);
      assert.deepEqual([a!.count('INVITE'), b!.count('INVITE'), told, alice.agent.calls.length], [1, 0, ['ended by us: hung up (487)'], 0]);
      await t.run(40_000);
      assert.equal(t.clock.pending, 0);
    });
  }

  test('the last hop has as long as the RFC says', async () => {
    const { town: t, peers: [a, b], call } = await town(A, B);
    const told = call();
    await t.run(34_300);
    assert.deepEqual([a!.count('INVITE'), b!.count('INVITE'), told], [3, 7, []]);
    await t.run(1_000);
    assert.deepEqual(told, ['ended by network: the other side does not answer (408)']);
  });

  test('a hop alone has as long as the RFC says', async () => {
    const { town: t, peers: [a], call } = await town(A);
    const told = call();
    await t.run(31_900);
    assert.deepEqual([a!.count('INVITE'), told], [7, []]);
  });

  test('a refusing hop is left at once; both failed are told as the last one failed', async () => {
    const made = new Town();
    const alice = await made.phone('10.0.0.1');
    made.resolver.hosts.set('bob.example', [A, B]);
    const told = story(alice.agent.call({ target: 'sip:bob@bob.example:5060', offer: OFFER }));
    await made.run(100);
    assert.deepEqual(told, ['ended by network: the connection was refused (503)']);
    assert.deepEqual(made.messages().map((m) => m.to), [A, B]);
  });

  test('a closed port of which the socket hears nothing is found after half a second; where it is the only hop it is not asked about', async () => {
    const made = new Town();
    made.wire.icmp = false;
    const alice = await made.phone('10.0.0.1'), bob = await made.phone(B);
    bob.onCall = (call) => call.accept(ANSWER);
    made.resolver.hosts.set('bob.example', [A, B]).set('alone.example', [A]);
    const told = story(alice.agent.call({ target: 'sip:bob@bob.example:5060', offer: OFFER }));
    await made.run(490);
    assert.deepEqual(told, []);
    await made.run(50);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
    const alone = story(alice.agent.call({ target: 'sip:bob@alone.example:5060', offer: OFFER }));
    await made.run(20_000);
    assert.deepEqual(alone, []);
  });

  test('over TCP a connection that does not come is left after 2.5 s as well', async () => {
    const made = new Town();
    const alice = await made.phone('10.0.0.1'), bob = await made.phone(B);
    made.resolver.hosts.set('bob.example', [A, B]);
    made.wire.down.add(A);
    bob.onCall = (call) => call.accept(ANSWER);
    const told = story(alice.agent.call({ target: 'sip:bob@bob.example:5060;transport=tcp', offer: OFFER }));
    await made.run(2_600);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
  });

  test('a hop that was left rests: the next request of anybody goes to the other first, 32 s long', async () => {
    const { town: t, alice, peers: [a, b], call } = await town(A, B);
    call();
    await t.run(2_600);
    b!.answer(b!.last('INVITE'), 486);
    await t.run(100);
    const options = alice.agent.options('sip:bob.example:5060');
    await t.run(100);
    assert.deepEqual([a!.count('OPTIONS'), b!.count('OPTIONS')], [0, 1]);
    b!.answer(b!.last('OPTIONS'), 200);
    await t.run(100);
    assert.equal(await options, 200);
    await t.run(32_000);
    void alice.agent.options('sip:bob.example:5060');
    await t.run(100);
    assert.equal(a!.count('OPTIONS'), 1);
  });

  test('503 goes on at once, and Retry-After says how long that hop rests (RFC 3261 §21.5.4)', async () => {
    const { town: t, alice, peers: [a, b] } = await town(A, B);
    const ask = async () => {
      const before = [a!.count('OPTIONS'), b!.count('OPTIONS')];
      void alice.agent.options('sip:bob.example:5060');
      await t.run(50);
      if (a!.count('OPTIONS') > before[0]!) a!.answer(a!.last('OPTIONS'), 503, ['Retry-After: 120 (full)']);
      await t.run(50);
      if (b!.count('OPTIONS') > before[1]!) b!.answer(b!.last('OPTIONS'), 200);
      await t.run(50);
      return [a!.count('OPTIONS') - before[0]!, b!.count('OPTIONS') - before[1]!];
    };
    assert.deepEqual(await ask(), [1, 1]);
    await t.run(100_000);
    assert.deepEqual(await ask(), [0, 1]);
    await t.run(20_000);
    assert.deepEqual(await ask(), [1, 1]);
  });

  test('503 of the last hop is the answer', async () => {
    const { town: t, alice, peers: [a, b] } = await town(A, B);
    const status = alice.agent.options('sip:bob.example:5060');
    await t.run(50);
    a!.answer(a!.last('OPTIONS'), 503);
    await t.run(50);
    b!.answer(b!.last('OPTIONS'), 503);
    await t.run(50);
    assert.equal(await status, 503);
  });

  test('where all rest they are tried all the same, each for 4 s', async () => {
    const { town: t, alice, peers: [a, b] } = await town(A, B);
    void alice.agent.options('sip:bob.example:5060');
    await t.run(40_000); // both timed out
    const asked = alice.agent.options('sip:bob.example:5060');
    const before = [a!.count('OPTIONS'), b!.count('OPTIONS')];
    await t.run(4_200);
    assert.ok(a!.count('OPTIONS') > before[0]! && b!.count('OPTIONS') > before[1]!);
    b!.answer(b!.last('OPTIONS'), 200);
    a!.answer(a!.last('OPTIONS'), 200);
    await t.run(50);
    assert.equal(await asked, 200);
  });

  test('hung up while the first hop is silent: no second one is troubled', async () => {
    const { town: t, alice, peers: [a, b] } = await town(A, B);
    const call = alice.agent.call({ target: 'sip:bob@bob.example:5060', offer: OFFER });
    await t.run(1_000);
    call.hangUp();
    await t.run(80_000);
    assert.equal(a!.count('CANCEL'), 0, 'no CANCEL before a provisional response (RFC 3261 §9.1)');
    assert.equal(b!.count('INVITE'), 0);
    assert.equal(t.clock.pending, 0);
  });

  test('a challenge of the second hop is answered there', async () => {
    const made = new Town();
    const registrar = new Registrar(made.clock, made.wire.host(B));
    registrar.users.set('201', 'secret');
    await registrar.start();
    const dead = await new Peer(made, A).open();
    made.resolver.services.set('_sip._udp.example', [{ name: 'a', port: 5060, priority: 1, weight: 1 }, { name: 'b', port: 5060, priority: 2, weight: 1 }]);
    made.resolver.hosts.set('a', [A]).set('b', [B]);
    const phone = await made.phone('10.0.0.1');
    phone.agent.addAccount({ id: 'one', user: '201', server: 'example', proxy: '', transport: 'auto', authUser: '', password: 'secret', displayName: '', expiresS: 600, register: true });
    await made.run(2_700);
    assert.equal(phone.registrations.at(-1)!.state, 'registered');
    const refreshes = dead.count('REGISTER');
    await made.run(550_000);
    assert.equal(dead.count('REGISTER'), refreshes, 'the one that answered is kept to');
  });

  test('both servers dead, whichever comes back is found within 10 s', async () => {
    for (const back of [A, B]) {
      const made = new Town();
      const registrar = new Registrar(made.clock, made.wire.host(back));
      registrar.users.set('201', 'secret');
      made.resolver.services.set('_sip._udp.example', [{ name: 'a', port: 5060, priority: 1, weight: 1 }, { name: 'b', port: 5060, priority: 2, weight: 1 }]);
      made.resolver.hosts.set('a', [A]).set('b', [B]);
      await registrar.start();
      made.wire.down.add(A).add(B);
      const phone = await made.phone('10.0.0.1');
      phone.agent.addAccount({ id: 'one', user: '201', server: 'example', proxy: '', transport: 'auto', authUser: '', password: 'secret', displayName: '', expiresS: 600, register: true });
      await made.run(61_000);
      assert.equal(phone.registrations.at(-1)!.state, 'failed');
      made.wire.down.delete(back);
      await made.run(10_000);
      assert.equal(phone.registrations.at(-1)!.state, 'registered', back);
    }
  });
});

describe('an INVITE that was left is answered late', () => {
  test('a provisional response gets CANCEL (RFC 3261 §9.1), and the 487 its ACK', async () => {
    const { town: t, peers: [a, b], call } = await town(A, B);
    const told = call();
    await t.run(2_600);
    const left = a!.last('INVITE');
    a!.answer(left, 180);
    await t.run(100);
    assert.equal(branch(a!.last('CANCEL')), branch(left));
    a!.answer(a!.last('CANCEL'), 200);
    a!.answer(left, 487);
    await t.run(100);
    assert.equal(branch(a!.last('ACK')), branch(left));
    assert.deepEqual(told, [], 'the call heard nothing of it');
    b!.answer(b!.last('INVITE'), 200, contactAt(B), ANSWER.toString());
    await t.run(100);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
  });

  test('a 2xx is acknowledged and hung up, whatever became of the call (RFC 3261 §13.2.2.4)', async () => {
    const { town: t, peers: [a, b], call } = await town(A, B);
    const told = call();
    await t.run(2_600);
    b!.answer(b!.last('INVITE'), 200, contactAt(B), ANSWER.toString(), 'second');
    await t.run(100);
    const left = a!.last('INVITE');
    a!.answer(left, 200, contactAt(A), ANSWER.toString(), 'late');
    await t.run(100);
    assert.match(text(a!.last('ACK'), 'to')!, /tag=late/);
    assert.equal(text(a!.last('ACK'), 'cseq'), text(left, 'cseq')!.replace('INVITE', 'ACK'));
    assert.match(text(a!.last('BYE'), 'to')!, /tag=late/);
    a!.answer(a!.last('BYE'), 200);
    await t.run(1_000);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
    assert.equal(b!.count('BYE'), 0);
  });
});

describe('a request too large for UDP goes over TCP (RFC 3261 §18.1.1)', () => {
  const LARGE = Buffer.from(`v=0 ${'x'.repeat(1_300)}`);
  const dial = (phone: Phone) => story(phone.agent.call({ target: 'sip:bob@10.0.0.2', offer: LARGE }));

  test('with TCP in its Via; a Contact and all else as over UDP', async () => {
    const made = new Town();
    const alice = await made.phone('10.0.0.1'), bob = await made.phone('10.0.0.2');
    bob.onCall = (call) => call.accept(ANSWER);
    assert.deepEqual(await (async () => { const told = dial(alice); await made.run(200); return told; })(), ['answer v=0 answer', 'established']);
    const invite = bob.incoming[0]!.call.invite!;
    assert.equal(topVia(invite)!.transport, 'TCP');
    assert.equal(bob.incoming[0]!.source.transport, 'tcp');
    assert.doesNotMatch(text(invite, 'contact')!, /transport/);
    assert.deepEqual(made.sentBy('10.0.0.1'), [], 'nothing went over UDP');
  });

  test('1300 bytes are not too large, 1301 are', async () => {
    const made = new Town();
    const alice = await made.phone('10.0.0.1'), bob = await made.phone('10.0.0.2');
    const via: string[] = [];
    const sizes: number[] = [];
    bob.onCall = (call) => {
      via.push(topVia(call.invite!)!.transport);
      sizes.push(call.invite!.bytes.length);
      call.reject(486);
    };
    const send = async (bytes: number) => {
      alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: Buffer.alloc(bytes, 'x') });
      await made.run(100);
    };
    await send(700);
    await send(700 + 1_300 - sizes[0]!);
    await send(700 + 1_301 - sizes[0]!);
    assert.deepEqual([sizes.slice(1), via], [[1_300, 1_301], ['UDP', 'UDP', 'TCP']]);
  });

  for (const [how, ms] of [['refused', 50], ['silent', 1_700]] as const) {
    test(`TCP ${how}: UDP takes it within ${ms} ms, and for an hour no more is tried`, async () => {
      const made = new Town();
      const alice = await made.phone('10.0.0.1'), bob = await new Peer(made, '10.0.0.2').open();
      let connections = 0;
      const wire = made.wire, connect = wire.connectTcp.bind(wire);
      wire.connectTcp = (from, to, handler) => {
        connections++;
        if (how === 'refused') return connect(from, to, handler);
        return { local: { host: from, port: 1 }, remote: to, send: () => undefined, close: () => undefined };
      };
      const told = dial(alice);
      await made.run(ms);
      const invite = bob.last('INVITE');
      assert.equal(topVia(invite)!.transport, 'UDP');
      bob.answer(invite, 486);
      await made.run(100);
      assert.deepEqual(told, ['ended by them: Words (486)']);
      dial(alice);
      await made.run(50);
      assert.equal(bob.count('INVITE'), 2);
      assert.equal(connections, 1);
      bob.answer(bob.last('INVITE'), 486);
      made.clock.advance(3_600_000);
      dial(alice);
      await made.run(50);
      assert.equal(connections, 2);
    });
  }

  test('hung up before TCP was refused: UDP is not troubled', async () => {
    const made = new Town();
    const alice = await made.phone('10.0.0.1'), bob = await new Peer(made, '10.0.0.2').open();
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: LARGE }), told = story(call);
    await settle();
    call.hangUp();
    await made.run(1_000);
    assert.equal(bob.count('INVITE'), 0);
    assert.deepEqual(told, ['ended by us: hung up (487)']);
  });

  test('a connection that is there and an answer that takes its time: nothing is sent twice', async () => {
    const made = new Town();
    const alice = await made.phone('10.0.0.1');
    const got: string[] = [];
    await made.wire.host('10.0.0.2').listen({ host: '', port: 5060 }, () => ({ onOpen: () => undefined, onBytes: (bytes) => { got.push(bytes.toString().split(' ')[0]!); }, onClose: () => undefined }));
    dial(alice);
    await made.run(20_000);
    assert.deepEqual(got, ['INVITE']);
    assert.deepEqual(made.sentBy('10.0.0.1'), []);
  });
});

test('Via of an IPv6 address has it in brackets (RFC 3261 §25.1)', () => {
  assert.equal(formatVia('udp', '2001:db8::1', 5060, 'z9hG4bKx').startsWith('SIP/2.0/UDP [2001:db8::1]:5060;'), true);
});
