import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { AccountOptions } from '../../src/sip/agent-types.ts';
import { countOf, cseqOf, tagOf } from '../../src/sip/headers.ts';
import { requestUri, text, texts, type Message } from '../../src/sip/message.ts';
import { headed, sameEvent, Subscriptions, type SubscribeOptions, type SubscriptionEvent } from '../../src/sip/subscriptions.ts';
import { Registrar } from '../fakes/registrar.ts';
import { Peer, Town } from './agent-bench.ts';

const SUMMARY = 'application/simple-message-summary';
const WANTED = { target: 'sip:201@10.0.0.2', event: 'message-summary', accept: SUMMARY, expiresS: 600 } as const satisfies SubscribeOptions;
const ACCOUNT: AccountOptions = { id: 'home', user: '201', server: '10.0.0.2', proxy: '', transport: 'udp', authUser: '', password: 'secret', displayName: '', expiresS: 600, register: true };

function words(e: SubscriptionEvent): string {
  switch (e.event) {
    case 'notified': return `${e.state}${e.body.length === 0 ? '' : ` ${e.body.toString().trim()}`}`;
    case 'waiting': return `waiting ${e.status} ${e.why}`;
    case 'ended': return `ended ${e.status} ${e.why}`;
  }
}

/** How many SUBSCRIBEs came, resent ones left aside. */
const asks = (peer: Peer): number => new Set(peer.got.filter((m) => m.method === 'SUBSCRIBE').map((m) => text(m, 'via'))).size;

/** An agent at 10.0.0.1 that subscribes to a peer played by hand at 10.0.0.2. */
async function bench(options: Partial<SubscribeOptions> = {}) {
  const town = new Town(), peer = await new Peer(town, '10.0.0.2').open();
  const phone = await town.phone('10.0.0.1', { onRequest: (request, server) => subscriptions.take(request, server) });
  const subscriptions = new Subscriptions(phone.agent);
  const events: SubscriptionEvent[] = [], told: string[] = [];
  const subscription = subscriptions.subscribe({ ...WANTED, ...options }, (e) => {
    events.push(e);
    told.push(words(e));
  });
  await town.run(20);
  let branches = 0;
  let seq = 0;
  /** NOTIFY inside the dialog of `of`, the peer's tag being `tag`. */
  const notify = async (of: Message, state: string, body = '', { tag = 'peer', number = ++seq, event = 'message-summary', more = [], type = SUMMARY }: { tag?: string; number?: number; event?: string; more?: readonly string[]; type?: string } = {}) => {
    peer.send('10.0.0.1', [
      `NOTIFY ${/<([^>]*)>/.exec(text(of, 'contact') ?? '<sip:phone@10.0.0.1>')![1]} SIP/2.0`, `Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKn${++branches}`, 'Max-Forwards: 70',
      `From: <sip:201@10.0.0.2>;tag=${tag}`, `To: ${text(of, 'from')}`, `Call-ID: ${text(of, 'call-id')}`, `CSeq: ${number} NOTIFY`, 'Contact: <sip:peer@10.0.0.2>',
      `Event: ${event}`, ...(state === '' ? [] : [`Subscription-State: ${state}`]), ...(body === '' ? [] : [`Content-Type: ${type}`]), ...more,
    ], body);
    await town.run(20);
    return peer.statuses().at(-1);
  };
  const granted = async (of: Message, s = 600) => {
    peer.answer(of, 200, [`Expires: ${s}`, 'Contact: <sip:peer@10.0.0.2>']);
    await town.run(20);
  };
  return { town, phone, subscriptions, peer, events, told, subscription, notify, granted };
}

/** As bench(), granted and notified. */
async function active(options: Partial<SubscribeOptions> = {}, s = 600) {
  const b = await bench(options), first = b.peer.last('SUBSCRIBE');
  await b.granted(first, s);
  await b.notify(first, `active;expires=${s}`, 'Messages-Waiting: no');
  return { ...b, first };
}

describe('SUBSCRIBE of ours', () => {
  test('says event, type, time and contact, and asks the peer itself (RFC 6665 §4.1.2.1, §8.2.1)', async () => {
    const { peer } = await bench();
    const first = peer.last('SUBSCRIBE');
    assert.equal(requestUri(first), 'sip:201@10.0.0.2');
    assert.deepEqual([text(first, 'event'), text(first, 'accept'), text(first, 'expires'), tagOf(first, 'to')], ['message-summary', SUMMARY, '600', undefined]);
    assert.match(text(first, 'contact')!, /^<sip:phone@10\.0\.0\.1:5060>/);
  });

  test('the NOTIFY that follows the 200 makes it active (RFC 6665 §4.1.2.4)', async () => {
    const { town, peer, told, subscription, notify, granted } = await bench();
    const first = peer.last('SUBSCRIBE');
    assert.equal(subscription.state, 'pending');
    await granted(first);
    assert.equal(subscription.state, 'pending');
    assert.equal(await notify(first, 'active;expires=600', 'Messages-Waiting: yes'), 200);
    assert.deepEqual([told, subscription.state], [['active Messages-Waiting: yes'], 'active']);
    await town.run(60_000);
    assert.equal(asks(peer), 1, 'timer N is over');
  });

  test('a NOTIFY before the 200 is taken, and the 200 changes nothing of it (RFC 6665 §4.1.2.4)', async () => {
    const { town, peer, told, notify, granted } = await bench();
    const first = peer.last('SUBSCRIBE');
    assert.equal(await notify(first, 'active;expires=600', 'Messages-Waiting: yes'), 200);
    await granted(first);
    assert.deepEqual(told, ['active Messages-Waiting: yes']);
    await town.run(500_000);
    assert.equal(asks(peer), 2);
    assert.equal(tagOf(peer.last('SUBSCRIBE'), 'to'), 'peer', 'the refresh goes inside the dialog');
  });

  test('is refreshed inside the dialog before the granted time is over (RFC 6665 §4.1.2.2)', async () => {
    const { town, peer, first, granted, told } = await active({}, 100);
    await town.run(64_000);
    assert.equal(asks(peer), 1);
    await town.run(12_000);
    const second = peer.last('SUBSCRIBE');
    assert.deepEqual([requestUri(second), text(second, 'call-id'), cseqOf(second)!.number], ['sip:peer@10.0.0.2', text(first, 'call-id'), cseqOf(first)!.number + 1]);
    assert.equal(text(second, 'to'), '<sip:201@10.0.0.2>;tag=peer');
    await granted(second, 100);
    await town.run(80_000);
    assert.equal(asks(peer), 3);
    assert.equal(told.length, 1);
  });

  test('the time in a NOTIFY shortens what was granted (RFC 6665 §4.1.2.2)', async () => {
    const { town, peer, first, notify } = await active({}, 600);
    await notify(first, 'active;expires=20');
    await town.run(16_000);
    assert.equal(asks(peer), 2);
  });

  test('without any NOTIFY it failed after timer N and is asked anew in another dialog (RFC 6665 §4.1.2.4)', async () => {
    const { town, peer, told, granted } = await bench();
    const first = peer.last('SUBSCRIBE');
    await granted(first);
    await town.run(31_900);
    assert.deepEqual(told, []);
    await town.run(200);
    assert.deepEqual(told, ['waiting 408 no NOTIFY came']);
    const second = peer.last('SUBSCRIBE');
    assert.notEqual(text(second, 'call-id'), text(first, 'call-id'));
    assert.equal(tagOf(second, 'to'), undefined);
  });

  test('423 is asked again with the least time of the server (RFC 6665 §4.2.1.1)', async () => {
    const { town, peer } = await bench({ expiresS: 60 });
    peer.answer(peer.last('SUBSCRIBE'), 423, ['Min-Expires: 1800']);
    await town.run(20);
    assert.equal(countOf(peer.last('SUBSCRIBE'), 'expires'), 1_800);
  });

  test('423 without a greater least time is no reason to go round in circles', async () => {
    const { town, peer, told } = await bench({ expiresS: 60 });
    peer.answer(peer.last('SUBSCRIBE'), 423, ['Min-Expires: 10']);
    await town.run(60_000);
    assert.deepEqual([asks(peer), told], [1, ['ended 423 Words']]);
  });

  for (const status of [403, 404, 405, 406, 489, 501, 603]) {
    test(`refused by ${status} it ends (RFC 6665 §4.1.2.1, §8.3.2)`, async () => {
      const { town, peer, told, subscription } = await bench();
      peer.answer(peer.last('SUBSCRIBE'), status);
      await town.run(3_600_000);
      assert.deepEqual([asks(peer), told, subscription.state], [1, [`ended ${status} Words`], 'ended']);
      assert.equal(town.clock.pending, 0);
    });
  }

  test('trouble of the server is waited out, longer each time, and Retry-After is kept (RFC 3261 §20.33)', async () => {
    const { town, peer, events } = await bench();
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      const before = asks(peer);
      peer.answer(peer.last('SUBSCRIBE'), 500, i === 8 ? ['Retry-After: 1000'] : []);
      await town.run(20);
      const e = events.at(-1)!;
      assert.ok(e.event === 'waiting');
      waits.push(Math.floor(e.retryMs / 1_000));
      await town.run(e.retryMs + 30);
      assert.equal(asks(peer), before + 1);
    }
    assert.equal(waits[0], 0);
    for (let i = 1; i < 8; i++) assert.ok(waits[i]! >= Math.min(600, 5 * 2 ** (i - 1)) && waits[i]! <= 720, waits.join());
    assert.ok(waits[8]! >= 1_000, waits.join());
  });

  test('a silent server is asked for ever, ever more rarely', async () => {
    const { town, peer, told } = await bench();
    await town.run(40_000);
    assert.equal(told[0], 'waiting 408 no NOTIFY came');
    const calls = (): number => new Set(peer.got.map((m) => text(m, 'call-id'))).size;
    assert.equal(calls(), 2);
    await town.clock.run(3_600_000, 500);
    assert.ok(calls() > 6 && calls() < 20, `${calls()} in an hour`);
  });

  test('a challenge is answered with the account\'s password (RFC 3261 §22.2), through its server and from its address', async () => {
    const town = new Town(), registrar = new Registrar(town.clock, town.wire.host('10.0.0.2')), phone = await town.phone('10.0.0.1');
    registrar.users.set('201', 'secret');
    await registrar.start();
    registrar.override = (m) => m.method !== 'SUBSCRIBE' ? undefined
      : text(m, 'authorization') === undefined ? { status: 401, headers: [['WWW-Authenticate', 'Digest realm="test", nonce="n1", qop="auth"']] } : { status: 200, headers: [['Expires', '600']] };
    const account = phone.agent.addAccount(ACCOUNT);
    await town.run(50);
    new Subscriptions(phone.agent).subscribe({ ...WANTED, account, target: '' }, () => undefined);
    await town.run(100);
    const asked = registrar.requests.map((r) => r.message).filter((m) => m.method === 'SUBSCRIBE');
    assert.match(text(asked.at(-1)!, 'authorization')!, /username="201"/);
    assert.deepEqual([requestUri(asked[0]!), text(asked[0]!, 'to')], ['sip:201@10.0.0.2', '<sip:201@10.0.0.2>']);
    assert.match(text(asked[0]!, 'from')!, /^<sip:201@10\.0\.0\.2>;tag=/);
    assert.match(text(asked[0]!, 'contact')!, /^<sip:201@10\.0\.0\.1:5060>/);
  });

  test('what is no address, or holds a line break, is refused at once', async () => {
    const { subscriptions } = await bench();
    assert.throws(() => subscriptions.subscribe({ ...WANTED, target: 'no where' }, () => undefined), { code: 'BAD_ADDRESS' });
    assert.throws(() => subscriptions.subscribe({ ...WANTED, target: '' }, () => undefined), { code: 'BAD_ADDRESS' });
    assert.throws(() => subscriptions.subscribe({ ...WANTED, event: 'a\r\nb' }, () => undefined), { code: 'BAD_HEADER' });
  });
});

describe('a refresh', () => {
  const refreshed = async (status: number, more: readonly string[] = []) => {
    const b = await active({}, 100);
    await b.town.run(76_000);
    assert.equal(asks(b.peer), 2);
    b.peer.answer(b.peer.last('SUBSCRIBE'), status, more);
    await b.town.run(50);
    return b;
  };

  for (const status of [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]) {
    test(`answered ${status} ends the dialog; a new one is asked for (RFC 6665 §4.1.2.2, RFC 5057 §5.1)`, async () => {
      const { peer, told, first } = await refreshed(status);
      assert.equal(told.at(-1), `waiting ${status} Words`);
      assert.equal(asks(peer), 3);
      assert.notEqual(text(peer.last('SUBSCRIBE'), 'call-id'), text(first, 'call-id'));
    });
  }

  test('answered by trouble leaves the subscription as it was till its time is over (RFC 6665 §4.1.2.2)', async () => {
    const { town, peer, told, subscription, first, notify } = await refreshed(500);
    assert.equal(subscription.state, 'active');
    assert.equal(await notify(first, 'active', 'Messages-Waiting: yes'), 200);
    await town.run(20_000);
    assert.equal(asks(peer), 3, 'tried again within the time');
    assert.equal(text(peer.last('SUBSCRIBE'), 'call-id'), text(first, 'call-id'));
    assert.deepEqual(told, ['active Messages-Waiting: no', 'active Messages-Waiting: yes']);
  });

  test('that never succeeds leads to a new dialog once the time is over', async () => {
    const { town, peer, told, first } = await refreshed(500);
    await town.clock.run(60_000);
    assert.match(told.at(-1)!, /^waiting/);
    assert.notEqual(text(peer.last('SUBSCRIBE'), 'call-id'), text(first, 'call-id'));
  });

  test('after a change of network goes out at once with the new contact (RFC 6665 §4.1.2.2)', async () => {
    const { town, subscriptions, peer } = await active();
    subscriptions.networkChanged();
    await town.run(20);
    assert.equal(asks(peer), 2);
    assert.equal(tagOf(peer.last('SUBSCRIBE'), 'to'), 'peer');
  });
});

describe('NOTIFY', () => {
  test('of another event, another call or another tag is none of ours: 481 (RFC 6665 §4.1.3)', async () => {
    const { first, notify, told } = await active();
    assert.equal(await notify(first, 'active', '', { event: 'message-summary;id=2' }), 481);
    assert.equal(await notify(first, 'active', '', { event: 'refer' }), 481);
    assert.equal(told.length, 1);
  });

  test('of another branch of a forked SUBSCRIBE gets 481: the first made the dialog (RFC 6665 §4.1.4)', async () => {
    const { first, notify, told } = await active();
    assert.equal(await notify(first, 'active', 'Messages-Waiting: yes', { tag: 'other' }), 481);
    assert.equal(told.length, 1);
  });

  test('without Subscription-State is refused by 400 (RFC 6665 §4.1.3, §8.2.3)', async () => {
    const { first, notify } = await active();
    assert.equal(await notify(first, ''), 400);
  });

  test('with a body of another type is refused by 415 and the type that is taken (RFC 3261 §21.4.13)', async () => {
    const { first, notify, peer } = await active();
    assert.equal(await notify(first, 'active', '<x/>', { type: 'application/xml' }), 415);
    assert.equal(text(peer.got.at(-1)!, 'accept'), SUMMARY);
  });

  test('that comes late, with a lower CSeq, is refused by 500 (RFC 3261 §12.2.2)', async () => {
    const { first, notify, told } = await active();
    assert.equal(await notify(first, 'active', 'Messages-Waiting: yes', { number: 9 }), 200);
    assert.equal(await notify(first, 'active', 'Messages-Waiting: no', { number: 8 }), 500);
    assert.equal(told.at(-1), 'active Messages-Waiting: yes');
  });

  test('may say pending first (RFC 6665 §4.1.3)', async () => {
    const { peer, granted, notify, told, subscription } = await bench();
    const first = peer.last('SUBSCRIBE');
    await granted(first);
    await notify(first, 'pending;expires=600');
    await notify(first, 'active;expires=500');
    assert.deepEqual([told, subscription.state], [['pending', 'active'], 'active']);
  });

  for (const reason of ['rejected', 'noresource', 'invariant']) {
    test(`terminated;reason=${reason} ends it for good (RFC 6665 §4.1.3)`, async () => {
      const { town, first, notify, told, peer } = await active();
      await notify(first, `terminated;reason=${reason}`);
      await town.run(3_600_000);
      assert.deepEqual([told.at(-1), asks(peer), town.clock.pending], [`ended 0 ${reason}`, 1, 0]);
    });
  }

  for (const reason of ['deactivated', 'timeout']) {
    test(`terminated;reason=${reason} is followed at once by a new subscription (RFC 6665 §4.1.3)`, async () => {
      const { town, first, notify, told, peer } = await active();
      await town.run(61_000);
      await notify(first, `terminated;reason=${reason}`, 'Messages-Waiting: no');
      await town.run(50);
      assert.deepEqual([told.at(-1), asks(peer)], [`waiting 0 ${reason}`, 2]);
      assert.equal(tagOf(peer.last('SUBSCRIBE'), 'to'), undefined);
    });
  }

  test('terminated again and again as soon as it begins is met with growing pauses', async () => {
    const { town, peer, notify, granted, first } = await active();
    await notify(first, 'terminated;reason=deactivated');
    let tries = 1;
    for (let i = 0; i < 600; i++) {
      await town.run(1_000);
      if (asks(peer) === tries) continue;
      tries = asks(peer);
      await granted(peer.last('SUBSCRIBE'));
      await notify(peer.last('SUBSCRIBE'), 'active;expires=600');
      await notify(peer.last('SUBSCRIBE'), 'terminated;reason=deactivated');
    }
    assert.ok(tries >= 5 && tries <= 9, `${tries} in ten minutes`);
  });

  for (const reason of ['probation', 'giveup', '']) {
    test(`terminated${reason === '' ? ' without a reason' : `;reason=${reason}`} waits for retry-after (RFC 6665 §4.1.3)`, async () => {
      const { town, first, notify, peer } = await active();
      await notify(first, `terminated${reason === '' ? '' : `;reason=${reason}`};retry-after=120`);
      await town.run(119_000);
      assert.equal(asks(peer), 1);
      await town.run(26_000);
      assert.equal(asks(peer), 2);
    });
  }

  test('after its end belongs to nothing: 481', async () => {
    const { first, notify } = await active();
    await notify(first, 'terminated;reason=noresource');
    assert.equal(await notify(first, 'active'), 481);
  });
});

describe('the end', () => {
  test('un-subscribes by Expires 0 inside the dialog and waits for the last NOTIFY (RFC 6665 §4.1.2.3)', async () => {
    const { town, first, notify, peer, told, subscription, granted } = await active();
    let ended = false;
    void subscription.end().then(() => { ended = true; });
    await town.run(20);
    const last = peer.last('SUBSCRIBE');
    assert.deepEqual([text(last, 'expires'), tagOf(last, 'to')], ['0', 'peer']);
    await granted(last, 0);
    assert.equal(ended, false);
    assert.equal(await notify(first, 'terminated;reason=timeout', 'Messages-Waiting: no'), 200);
    assert.deepEqual([ended, told.slice(1)], [true, ['terminated Messages-Waiting: no', 'ended 0 unsubscribed']]);
    await town.run(60_000);
    assert.equal(town.clock.pending, 0);
  });

  test('before the first NOTIFY waits for the dialog', async () => {
    const { town, notify, peer, told, subscription, granted } = await bench();
    const first = peer.last('SUBSCRIBE');
    void subscription.end();
    await granted(first);
    assert.equal(asks(peer), 1);
    await notify(first, 'active;expires=600');
    assert.equal(text(peer.last('SUBSCRIBE'), 'expires'), '0');
    await granted(peer.last('SUBSCRIBE'), 0);
    await town.run(32_100);
    assert.equal(told.at(-1), 'ended 0 unsubscribed', 'even without a last NOTIFY');
  });

  test('while waiting is at once, and nothing is sent any more', async () => {
    const { town, peer, told, subscription } = await bench();
    peer.answer(peer.last('SUBSCRIBE'), 503, ['Retry-After: 60']);
    await town.run(20);
    await subscription.end();
    await town.run(600_000);
    assert.deepEqual([asks(peer), told.at(-1), town.clock.pending], [1, 'ended 0 unsubscribed', 0]);
  });

  test('of all of them un-subscribes', async () => {
    const { town, subscriptions, peer, first, notify, granted } = await active();
    const closed = subscriptions.close();
    await town.run(20);
    assert.equal(text(peer.last('SUBSCRIBE'), 'expires'), '0');
    await granted(peer.last('SUBSCRIBE'), 0);
    await notify(first, 'terminated;reason=timeout');
    await closed;
    await town.run(60_000);
    assert.equal(town.clock.pending, 0);
  });

  test('a fetch (Expires 0) tells the state once and is over (RFC 6665 §4.4.3)', async () => {
    const { town, notify, peer, told, granted } = await bench({ expiresS: 0 });
    const first = peer.last('SUBSCRIBE');
    assert.equal(text(first, 'expires'), '0');
    await granted(first, 0);
    await notify(first, 'terminated;reason=timeout', 'Messages-Waiting: yes');
    await town.run(60_000);
    assert.deepEqual([told, asks(peer), town.clock.pending], [['terminated Messages-Waiting: yes', 'ended 0 timeout'], 1, 0]);
  });
});

describe('REFER outside a call (RFC 3515)', () => {
  const REFER = { event: 'refer', accept: 'message/sipfrag', referTo: '<sip:carol@10.0.0.3>' };
  const FRAG = { event: 'refer', type: 'message/sipfrag;version=2.0' };

  test('its NOTIFYs tell how it goes, and the last one ends it (RFC 3515 §2.4.4, §2.4.7)', async () => {
    const { town, peer, told, notify } = await bench(REFER);
    const refer = peer.last('REFER');
    assert.deepEqual([text(refer, 'refer-to'), text(refer, 'event'), texts(refer, 'contact').length], ['<sip:carol@10.0.0.3>', undefined, 1]);
    peer.answer(refer, 202, ['Contact: <sip:peer@10.0.0.2>']);
    await town.run(20);
    await notify(refer, 'active;expires=60', 'SIP/2.0 100 Trying\r\n', FRAG);
    await notify(refer, 'terminated;reason=noresource', 'SIP/2.0 200 OK\r\n', { ...FRAG, event: `refer;id=${cseqOf(refer)!.number}` }); // RFC 3515 §2.4.6
    assert.deepEqual(told, ['active SIP/2.0 100 Trying', 'terminated SIP/2.0 200 OK', 'ended 0 noresource']);
    await town.run(60_000);
    assert.equal(town.clock.pending, 0);
  });

  test('refused it ends with the status, and is not sent again', async () => {
    const { town, peer, told } = await bench(REFER);
    peer.answer(peer.last('REFER'), 503);
    await town.run(600_000);
    assert.deepEqual([told, peer.count('REFER')], [['ended 503 Words'], 1]);
  });

  test('Refer-Sub: false in the 2xx means that no NOTIFY comes (RFC 4488 §4)', async () => {
    const { town, peer, told } = await bench({ ...REFER, headers: [['Refer-Sub', 'false'], ['Supported', 'norefersub']] });
    assert.equal(text(peer.last('REFER'), 'refer-sub'), 'false');
    peer.answer(peer.last('REFER'), 202, ['Refer-Sub: false']);
    await town.run(40_000);
    assert.deepEqual(told, ['ended 202 accepted']);
  });

  test('of which nothing is heard ends when its time is over', async () => {
    const { town, peer, told, notify } = await bench(REFER);
    const refer = peer.last('REFER');
    peer.answer(refer, 202);
    await notify(refer, 'active;expires=60', 'SIP/2.0 100 Trying\r\n', FRAG);
    await town.run(61_000);
    assert.deepEqual(told, ['active SIP/2.0 100 Trying', 'ended 408 nothing was heard of it']);
    assert.equal(peer.count('REFER'), 1);
  });
});

test('Event headers name the same subscription by package and id alone (RFC 6665 §8.2.1)', () => {
  assert.ok(sameEvent('message-summary', 'Message-Summary ;x=1'));
  assert.ok(sameEvent('refer;id=7', 'refer ; id=7'));
  assert.ok(!sameEvent('refer;id=7', 'refer'));
  assert.ok(!sameEvent('dialog', 'dialog.winfo'));
  assert.deepEqual(headed(' Terminated ; reason=noresource'), { word: 'terminated', params: new Map([['reason', 'noresource']]) });
  assert.equal(headed('active;=').word, 'active');
});
