// Both families and several interfaces: each target sees the address that leads to it, in Via, Contact and session description.

import assert from 'node:assert/strict';
import { describe, expect, test } from 'vitest';
import { createLocator } from '../../src/sip/locate.ts';
import { topVia } from '../../src/sip/headers.ts';
import { text } from '../../src/sip/message.ts';
import { TransportLayer } from '../../src/sip/transport.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeResolver, Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';
import { ANSWER, OFFER, Peer, story, Town } from './agent-bench.ts';

const HOME = '10.0.0.1 172.16.0.1 2001:db8::1';

describe('several interfaces and both families', () => {
  test('Via, Contact and the address for the session description are those that lead to the target', async () => {
    const town = new Town();
    const phone = await town.phone(HOME);
    for (const [peer, uri, ours] of [
      ['10.0.0.2', '10.0.0.2', '10.0.0.1'], ['172.16.0.9', '172.16.0.9', '172.16.0.1'], ['2001:db8::2', '[2001:db8:0::2]', '[2001:db8::1]'],
    ] as const) {
      const there = await new Peer(town, peer).open();
      const call = phone.agent.call({ target: `sip:bob@${uri}`, offer: OFFER });
      await town.run(50);
      const invite = there.last('INVITE');
      assert.match(text(invite, 'via')!, new RegExp(`^SIP/2.0/UDP ${ours.replace(/[[\]]/g, '\\$&')}:5060;`));
      assert.equal(text(invite, 'contact'), `<sip:phone@${ours}:5060>`);
      assert.equal(call.localHost, ours.replace(/[[\]]/g, ''));
      assert.equal(await phone.agent.localHostFor(`sip:bob@${uri}`), ours.replace(/[[\]]/g, ''));
    }
  });

  test('a call over IPv6 from INVITE to BYE, over UDP and TCP', async () => {
    for (const transport of ['udp', 'tcp']) {
      const town = new Town();
      const alice = await town.phone(HOME), bob = await town.phone('2001:db8::2');
      bob.onCall = (call) => call.accept(ANSWER);
      const call = alice.agent.call({ target: `sip:bob@[2001:DB8::2];transport=${transport}`, offer: OFFER });
      const told = story(call);
      await town.run(200);
      assert.deepEqual(told, ['answer v=0 answer', 'established']);
      assert.match(text(bob.incoming[0]!.call.invite!, 'contact')!, /\[2001:db8::1\]/);
      bob.incoming[0]!.call.hangUp();
      await town.run(200);
      assert.deepEqual(told.slice(2), ['ended by them: hung up']);
    }
  });

  test('received is said of another address, not of another way to write it (RFC 3261 §18.2.1, RFC 5954 §4.2), without brackets', async () => {
    for (const [sentBy, received] of [['[2001:DB8:0:0::2]', undefined], ['[2001:db8::7]', '2001:db8::2']] as const) {
      const town = new Town();
      await town.phone(HOME);
      const peer = await new Peer(town, '2001:db8::2').open();
      peer.send('2001:db8::1', [
        'OPTIONS sip:bob@[2001:db8::1] SIP/2.0', `Via: SIP/2.0/UDP ${sentBy}:5060;branch=z9hG4bK1`, 'Max-Forwards: 70', 'From: <sip:a@b>;tag=1', 'To: <sip:bob@[2001:db8::1]>', 'Call-ID: 1', 'CSeq: 1 OPTIONS']);
      await town.run(50);
      const via = topVia(peer.got.find((m) => m.status === 200)!)!;
      assert.equal(via.params.get('received'), received, sentBy);
    }
  });

  test('a hop of a family that we have no address of is passed over at once', async () => {
    const town = new Town();
    const alice = await town.phone('2001:db8::1'), bob = await town.phone('2001:db8::2');
    town.resolver.hosts.set('bob.example', ['10.0.0.2', '2001:db8::2']);
    bob.onCall = (call) => call.accept(ANSWER);
    assert.equal(await alice.agent.localHostFor('sip:bob@bob.example'), '2001:db8::1');
    const told = story(alice.agent.call({ target: 'sip:bob@bob.example', offer: OFFER }));
    await town.run(100);
    assert.deepEqual(told, ['answer v=0 answer', 'established']);
  });
});

describe('bound to one address or family', () => {
  const layer = (bound: string) => new TransportLayer({ clock: new FakeClock(), log: new FakeLog(), network: new Wire(new FakeClock()).host('10.0.0.1', '2001:db8::1') }, { listen: { host: bound, port: 5060 }, tcp: false });

  test.each([
    ['', '10.0.0.2', '10.0.0.1'], ['', '2001:db8::2', '2001:db8::1'], ['::', '10.0.0.2', '10.0.0.1'], ['::', '2001:db8::2', '2001:db8::1'],
    ['0.0.0.0', '10.0.0.2', '10.0.0.1'], ['0.0.0.0', '2001:db8::2', undefined], ['10.0.0.1', '10.9.9.9', '10.0.0.1'], ['10.0.0.1', '2001:db8::2', undefined],
    ['2001:db8::1', '2001:db8::9', '2001:db8::1'], ['2001:db8::1', '10.0.0.2', undefined],
  ])('%s leads to %s from %s', async (bound, target, ours) => {
    expect(await layer(bound).learnAddress(target)).toBe(ours);
  });
});

test('IPv4 goes before IPv6 of one name; either may be absent', async () => {
  const resolver = new FakeResolver();
  resolver.hosts.set('both', ['2001:db8::2', '10.0.0.2']).set('six', ['2001:db8::2']);
  const locator = createLocator({ resolver, clock: new FakeClock(), random: new FakeRandom(1) });
  assert.deepEqual((await locator.locate({ host: 'both' })).map((h) => h.host), ['10.0.0.2', '2001:db8::2']);
  assert.deepEqual((await locator.locate({ host: 'six' })).map((h) => h.host), ['2001:db8::2']);
});
