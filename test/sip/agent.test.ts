import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
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
    assert.deepEqual(there.told, ['established']);
    there.call.hangUp();
    await town.run(100);
    assert.deepEqual(told.slice(3), ['ended by them: hung up']);
    assert.deepEqual(there.told.slice(1), ['ended by us: hung up']);
    assert.deepEqual([alice.agent.calls, bob.agent.calls], [[], []]);
    assert.deepEqual(town.messages().map((m) => m.words), ['INVITE', '180 INVITE', '200 INVITE', 'ACK', 'BYE', '200 BYE']);
    await town.run(40_000);
    assert.equal(town.clock.pending, 0, 'nothing is left running');
  });
});
