import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { Source } from '../../src/sip/agent-types.ts';
import { cseqOf, tagOf } from '../../src/sip/headers.ts';
import { bodyOf, requestUri, text, type Message } from '../../src/sip/message.ts';
import { dialogPackage, Notifier, type Admission, type Package } from '../../src/sip/notifier.ts';
import { readDialogInfo } from '../../src/sip/packages.ts';
import { Subscriptions } from '../../src/sip/subscriptions.ts';
import { ANSWER, OFFER, Peer, Town } from './agent-bench.ts';

const TYPE = 'application/dialog-info+xml';

/** An agent at 10.0.0.1 with something to tell, and a watcher played by hand at 10.0.0.2 who answers each NOTIFY with `reply`. */
async function bench(admission: Admission = 'in') {
  const town = new Town(), peer = await new Peer(town, '10.0.0.2').open();
  const asked: Source[] = [];
  let state = 'one';
  const what: Package = { event: 'dialog', type: TYPE, paceMs: 1_000, body: (version) => Buffer.from(`${state} ${version}`) };
  const phone = await town.phone('10.0.0.1', { onRequest: (request, server, source, challenge) => notifier.take(request, server, source, challenge), passwordOf: () => 'x' });
  const notifier = new Notifier(phone.agent, what, (_, source) => {
    asked.push(source);
    return admission;
  });
  let seq = 0, branches = 0;
  const subscribe = async (expires: string, more: readonly string[] = [], { to = '', number = ++seq, from = 'w', event = 'Event: dialog', contact = 'Contact: <sip:watcher@10.0.0.2>' } = {}) => {
    peer.send('10.0.0.1', [
      'SUBSCRIBE sip:201@10.0.0.1 SIP/2.0', `Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKs${++branches}`, 'Max-Forwards: 70', `From: <sip:watcher@10.0.0.2>;tag=${from}`, `To: <sip:201@10.0.0.1>${to === '' ? '' : `;tag=${to}`}`,
      'Call-ID: watch', `CSeq: ${number} SUBSCRIBE`, ...(contact === '' ? [] : [contact]), event, ...(expires === '' ? [] : [`Expires: ${expires}`]), ...more,
    ].filter((l) => l !== ''));
    await town.run(20);
    const answer = peer.got.filter((m) => m.kind === 'response').at(-1)!;
    return answer;
  };
  const reply = async (status = 200): Promise<Message> => {
    const notify = peer.last('NOTIFY');
    peer.answer(notify, status);
    await town.run(20);
    return notify;
  };
  const notifies = (): Message[] => [...new Map(peer.got.filter((m) => m.method === 'NOTIFY').map((m) => [text(m, 'via')!, m])).values()];
  return { town, phone, peer, notifier, asked, subscribe, reply, notifies, set: (to: string) => { state = to; } };
}

async function watched() {
  const b = await bench(), answer = await b.subscribe('600'), to = tagOf(answer, 'to')!;
  await b.reply();
  return { ...b, to };
}

describe('SUBSCRIBE to us', () => {
  test('is granted with its time and our Contact, and a NOTIFY with all there is follows at once (RFC 6665 §4.2.1.1, §4.2.1.2)', async () => {
    const { subscribe, peer, asked, notifier } = await bench();
    const answer = await subscribe('600');
    assert.deepEqual([answer.status, text(answer, 'expires')], [200, '600']);
    assert.match(text(answer, 'contact')!, /^<sip:phone@10\.0\.0\.1:5060>/);
    assert.deepEqual(peer.got.map((m) => m.method || m.status), [200, 'NOTIFY'], 'in this order');
    const notify = peer.last('NOTIFY');
    assert.deepEqual([requestUri(notify), text(notify, 'to'), tagOf(notify, 'from')], ['sip:watcher@10.0.0.2', '<sip:watcher@10.0.0.2>;tag=w', tagOf(answer, 'to')]);
    assert.deepEqual([text(notify, 'event'), text(notify, 'subscription-state'), text(notify, 'content-type'), bodyOf(notify).toString()], ['dialog', 'active;expires=600', TYPE, 'one 0']);
    assert.deepEqual([asked.length, asked[0]!.peer.host, notifier.watchers], [1, '10.0.0.2', 1]);
  });

  test('without Expires gets an hour, and no more than that (RFC 6665 §4.2.1.1)', async () => {
    const { subscribe } = await bench();
    assert.equal(text(await subscribe(''), 'expires'), '3600');
    assert.equal(text(await subscribe('99999', [], { from: 'v' }), 'expires'), '3600');
  });

  test('for too short a time is refused by 423 and the least that is granted (RFC 6665 §4.2.1.1)', async () => {
    const { subscribe, notifier } = await bench();
    const answer = await subscribe('5');
    assert.deepEqual([answer.status, text(answer, 'min-expires'), notifier.watchers], [423, '60', 0]);
  });

  test('to another package, or to none, is refused by 489 with what there is (RFC 6665 §4.2.1.1)', async () => {
    const { subscribe } = await bench();
    for (const event of ['Event: presence', '']) {
      const answer = await subscribe('600', [], { event });
      assert.deepEqual([answer.status, text(answer, 'allow-events') !== undefined], [489, true]);
    }
  });

  test('that cannot take our type is refused by 406 (RFC 3261 §21.4.7)', async () => {
    const { subscribe } = await bench();
    assert.equal((await subscribe('600', ['Accept: application/pidf+xml'])).status, 406);
    assert.equal((await subscribe('600', [`Accept: text/plain, ${TYPE}`], { from: 'v' })).status, 200);
  });

  test('by whom the owner does not let in is refused by 403 (RFC 6665 §4.2.1.3)', async () => {
    const { subscribe, notifier, peer } = await bench('out');
    assert.equal((await subscribe('600')).status, 403);
    assert.deepEqual([notifier.watchers, peer.count('NOTIFY')], [0, 0]);
  });

  test('may be challenged (RFC 6665 §4.2.1.3)', async () => {
    const { subscribe, notifier } = await bench('prove');
    const answer = await subscribe('600');
    assert.equal(answer.status, 401);
    assert.match(text(answer, 'www-authenticate')!, /^Digest /);
    assert.equal(notifier.watchers, 0);
  });

  test('without Contact is refused by 400', async () => {
    const { subscribe } = await bench();
    assert.equal((await subscribe('600', [], { contact: '' })).status, 400);
  });

  test('of more watchers than anybody needs is refused by 503', async () => {
    const { subscribe, notifier } = await bench();
    for (let i = 0; i < 40; i++) await subscribe('600', [], { from: `w${i}` });
    assert.equal(notifier.watchers, 32);
  });

  test('with Expires 0 fetches the state once (RFC 6665 §4.4.3)', async () => {
    const { town, subscribe, reply, notifier } = await bench();
    assert.equal((await subscribe('0')).status, 200);
    const notify = await reply();
    assert.deepEqual([text(notify, 'subscription-state'), bodyOf(notify).toString(), notifier.watchers], ['terminated;reason=timeout', 'one 0', 0]);
    await town.run(60_000);
    assert.equal(town.clock.pending, 0);
  });
});

describe('a watcher', () => {
  test('is told of what changes, no oftener than the package says (RFC 6665 §5.4.10, RFC 4235 §3.10)', async () => {
    const { town, notifier, notifies, reply, set } = await watched();
    for (const state of ['two', 'three']) {
      set(state);
      notifier.changed();
    }
    await town.run(900);
    assert.equal(notifies().length, 1);
    await town.run(100);
    assert.equal(notifies().length, 2);
    const second = await reply();
    assert.deepEqual([bodyOf(second).toString(), cseqOf(second)!.number], ['three 1', cseqOf(notifies()[0]!)!.number + 1]);
    await town.run(5_000);
    set('four');
    notifier.changed();
    await town.run(20);
    assert.equal(bodyOf(await reply()).toString(), 'four 2', 'at once after a rest');
  });

  test('has one NOTIFY under way; the next waits for its answer, so that none overtakes another', async () => {
    const { town, notifier, notifies, reply, set, subscribe } = await bench();
    await subscribe('600');
    set('two');
    notifier.changed();
    await town.run(3_000);
    assert.equal(notifies().length, 1);
    await reply();
    await town.run(100);
    assert.equal(bodyOf(notifies()[1]!).toString(), 'two 1');
  });

  test('refreshes, and is told all again (RFC 6665 §4.2.1.2, §4.2.1.4)', async () => {
    const { town, subscribe, to, notifies, reply, asked } = await watched();
    await town.run(300_000);
    const answer = await subscribe('600', [], { to, contact: 'Contact: <sip:moved@10.0.0.2>' });
    assert.deepEqual([answer.status, text(answer, 'expires'), tagOf(answer, 'to')], [200, '600', to]);
    const notify = await reply();
    assert.deepEqual([requestUri(notify), text(notify, 'subscription-state'), notifies().length], ['sip:moved@10.0.0.2', 'active;expires=600', 2]);
    assert.equal(asked.length, 1);
    await town.run(500_000);
    assert.equal(notifies().length, 2);
  });

  test('whose time is over is told so, and forgotten (RFC 6665 §4.2.2)', async () => {
    const { town, reply, notifier, notifies } = await watched();
    await town.run(600_000);
    assert.equal(text(await reply(), 'subscription-state'), 'terminated;reason=timeout');
    assert.equal(notifier.watchers, 0);
    await town.run(60_000);
    assert.deepEqual([notifies().length, town.clock.pending], [2, 0]);
  });

  test('un-subscribes by Expires 0 and gets a last NOTIFY (RFC 6665 §4.4.1)', async () => {
    const { subscribe, to, reply, notifier } = await watched();
    assert.equal((await subscribe('0', [], { to })).status, 200);
    assert.equal(text(await reply(), 'subscription-state'), 'terminated;reason=timeout');
    assert.equal(notifier.watchers, 0);
  });

  for (const status of [404, 410, 481, 489, 501]) {
    test(`that answers a NOTIFY by ${status} is forgotten (RFC 6665 §4.2.2, RFC 5057 §5.1)`, async () => {
      const { town, notifier, notifies, reply, subscribe } = await bench();
      await subscribe('600');
      await reply(status);
      assert.equal(notifier.watchers, 0);
      notifier.changed();
      await town.run(60_000);
      assert.deepEqual([notifies().length, town.clock.pending], [1, 0]);
    });
  }

  test('that answers by passing trouble stays', async () => {
    const { town, notifier, notifies, reply, subscribe } = await bench();
    await subscribe('600');
    await reply(500);
    notifier.changed();
    await town.run(2_000);
    assert.deepEqual([notifier.watchers, notifies().length], [1, 2]);
  });

  test('that does not answer at all is forgotten (RFC 6665 §4.2.2)', async () => {
    const { town, notifier, subscribe } = await bench();
    await subscribe('600');
    await town.run(33_000);
    assert.equal(notifier.watchers, 0);
    await town.run(33_000);
    assert.equal(town.clock.pending, 0);
  });

  test('with a lower CSeq gets 500, with unknown tags or another event 481 (RFC 3261 §12.2.2)', async () => {
    const { subscribe, to } = await watched();
    assert.equal((await subscribe('600', [], { to, number: 1_000 })).status, 200);
    assert.equal((await subscribe('600', [], { to, number: 999 })).status, 500);
    assert.equal((await subscribe('600', [], { to: 'nobody' })).status, 481);
    assert.equal((await subscribe('600', [], { to, from: 'other', number: 1_001 })).status, 481);
    assert.equal((await subscribe('600', [], { to, event: 'Event: dialog;id=9', number: 1_002 })).status, 481);
  });

  test('is told when the phone ends, and may come again later (RFC 6665 §4.1.3)', async () => {
    const { town, notifier, reply } = await watched();
    notifier.close();
    await town.run(20);
    assert.equal(text(await reply(), 'subscription-state'), 'terminated;reason=probation;retry-after=60');
    assert.equal(notifier.watchers, 0);
  });
});

describe('the dialog package (RFC 4235)', () => {
  /** bob's calls are watched by carol. */
  async function three() {
    const town = new Town();
    const alice = await town.phone('10.0.0.1');
    const bob = await town.phone('10.0.0.2', { onRequest: (request, server, source, challenge) => notifier.take(request, server, source, challenge) });
    const carol = await town.phone('10.0.0.3', { onRequest: (request, server) => subscriptions.take(request, server) });
    const what = dialogPackage(bob.agent, () => 'sip:bob@10.0.0.2', () => notifier.changed());
    const notifier = new Notifier(bob.agent, what, () => 'in');
    bob.onCall = (call) => {
      call.progress(180);
      what.watch(call);
    };
    const subscriptions = new Subscriptions(carol.agent), told: string[] = [], versions: number[] = [];
    subscriptions.subscribe({ target: 'sip:bob@10.0.0.2', event: 'dialog', accept: TYPE }, (e) => {
      if (e.event !== 'notified') return;
      const document = readDialogInfo(e.body.toString())!;
      versions.push(document.version);
      told.push(document.dialogs.map((d) => `${d.direction} ${d.state}${d.how === undefined ? '' : ` ${d.how}`} ${d.remote}`).join(' + '));
    });
    await town.run(1_100);
    return { town, alice, bob, carol, told, versions, what, notifier };
  }
  const ALICE = 'sip:phone@10.0.0.1:5060';

  test('tells a call from ringing to its end (RFC 4235 §3.7.1)', async () => {
    const { town, alice, bob, told, versions } = await three();
    const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(1_100);
    bob.incoming[0]!.call.accept(ANSWER);
    await town.run(1_100);
    call.hangUp();
    await town.run(10_000);
    assert.deepEqual(told, ['', `recipient early ${ALICE}`, `recipient confirmed ${ALICE}`, `recipient terminated remote-bye ${ALICE}`]);
    assert.deepEqual(versions, [0, 1, 2, 3], 'each one more (RFC 4235 §4.3)');
  });

  test('names the dialog as Replaces does, so that the watcher may take it over (RFC 4235 §4.1.1, RFC 3891)', async () => {
    const { town, alice, bob, told } = await three();
    alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(1_100);
    const invite = bob.incoming[0]!.call.invite!, sent = town.messages().filter((m) => m.words === 'NOTIFY').at(-1)!.message;
    const [dialog] = readDialogInfo(bodyOf(sent).toString())!.dialogs;
    assert.deepEqual([dialog!.callId, dialog!.remoteTag], [text(invite, 'call-id'), tagOf(invite, 'from')]);
    assert.equal(told.length, 2);
  });

  const ENDS: [string, (s: Awaited<ReturnType<typeof three>>) => Promise<void>, string][] = [
    ['a caller who gives up', async ({ town, alice }) => {
      const call = alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
      await town.run(1_100);
      call.hangUp();
    }, `recipient terminated cancelled ${ALICE}`],
    ['a call refused', async ({ town, alice, bob }) => {
      alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
      await town.run(1_100);
      bob.incoming[0]!.call.reject(486);
    }, `recipient terminated rejected ${ALICE}`],
    ['a call of our own that we end', async ({ town, alice, bob, what }) => {
      alice.onCall = (c) => c.accept(ANSWER);
      const call = bob.agent.call({ target: 'sip:alice@10.0.0.1', offer: OFFER });
      what.watch(call);
      await town.run(1_100);
      call.hangUp();
    }, 'initiator terminated local-bye sip:alice@10.0.0.1'],
    ['a call that nobody answers at all', async ({ town, bob, what }) => {
      town.wire.down.add('10.0.0.1');
      what.watch(bob.agent.call({ target: 'sip:alice@10.0.0.1', offer: OFFER }));
      await town.run(40_000);
    }, 'initiator terminated timeout sip:alice@10.0.0.1'],
  ];
  for (const [name, act, expected] of ENDS) {
    test(`${name} is told as ${expected.split(' ')[2]} (RFC 4235 §3.7.1)`, async () => {
      const s = await three();
      await act(s);
      await s.town.run(3_000);
      assert.equal(s.told.at(-1), expected);
    });
  }

  test('closed with its watchers it leaves no timer behind, be there calls that end after it', async () => {
    const { town, alice, bob, carol, notifier } = await three();
    alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    alice.agent.call({ target: 'sip:bob@10.0.0.2', offer: OFFER });
    await town.run(1_100);
    bob.incoming[0]!.call.reject(486);
    await town.run(1_100);
    notifier.close();
    for (const { agent } of [bob, alice, carol]) void agent.close();
    await town.run(1_500);
    const left = town.clock.pending;
    await town.run(5_000);
    assert.deepEqual([left - town.clock.pending, notifier.watchers], [0, 0]);
  });
});
