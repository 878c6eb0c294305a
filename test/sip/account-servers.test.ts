// Two servers, signs of life, and how soon a server that was away is found again.

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { AccountOptions } from '../../src/sip/agent-types.ts';
import { requestUri, text } from '../../src/sip/message.ts';
import { Registrar } from '../fakes/registrar.ts';
import { ANSWER, OFFER, story, Town } from './agent-bench.ts';

const FIRST = '10.0.0.50', SECOND = '10.0.0.60', US = '10.0.0.1';
const options = (more: Partial<AccountOptions> = {}): AccountOptions => ({
  id: 'main', user: '201', server: FIRST, proxy: '', transport: 'udp', authUser: '', password: 'secret', displayName: '', expiresS: 600, register: true, ...more,
});

async function registrarAt(town: Town, host: string, set: (r: Registrar) => void = () => undefined): Promise<Registrar> {
  const registrar = new Registrar(town.clock, town.wire.host(host));
  registrar.users.set('201', 'secret').set('202', 'other');
  set(registrar);
  await registrar.start();
  return registrar;
}

async function pair(more: Partial<AccountOptions> = {}) {
  const town = new Town(), first = await registrarAt(town, FIRST), second = await registrarAt(town, SECOND), phone = await town.phone(US, {}, { instance: 'urn:uuid:1' });
  const account = phone.agent.addAccount(options({ backupServer: SECOND, ...more }));
  return { town, first, second, phone, account };
}

/** As a server passes a call on, from its own address. */
const invite = (server: string, id: string): string => ['INVITE sip:201@10.0.0.1 SIP/2.0', `Via: SIP/2.0/UDP ${server};branch=z9hG4bK${id};rport`, 'Max-Forwards: 70', 'From: <sip:202@pbx>;tag=f', 'To: <sip:201@pbx>',
  `Call-ID: ${id}`, 'CSeq: 1 INVITE', `Contact: <sip:202@${server}>`, 'Content-Type: application/sdp', 'Content-Length: 3', '', 'v=0'].join('\r\n');

describe('a second server, to fall back to', () => {
  test('is left alone while the first confirms', async () => {
    const { town, second, account } = await pair();
    await town.clock.run(3_600_000, 200);
    assert.equal(second.requests.length, 0);
    assert.ok(account.registration.state === 'registered' && account.registration.second === undefined);
  });

  for (const how of ['closed', 'silent'] as const) {
    test(`takes over when the first is ${how}, and gives way when it is back`, async () => {
      const { town, first, second, phone, account } = await pair({ expiresS: 60 });
      await town.run(1_000);
      if (how === 'closed') first.stop();
      else town.wire.down.add(FIRST);
      await town.run(60_000);
      assert.deepEqual({ ...account.registration, untilMs: 0 }, { state: 'registered', server: SECOND, untilMs: 0, second: true });
      assert.ok(second.bindings.has('201'));
      const told = phone.registrations.map((r) => r.state === 'registered' ? `${r.server}` : r.state);
      assert.deepEqual(told, ['trying', FIRST, 'failed', SECOND], 'each only when a server said so');
      if (how === 'closed') await first.start();
      else town.wire.down.delete(FIRST);
      await town.run(5_000);
      assert.ok(account.registration.state === 'registered' && account.registration.server === FIRST);
      assert.ok(!second.bindings.has('201'), 'the binding there is taken back (RFC 3261 §10.2.2)');
      const before = second.requests.length;
      await town.run(600_000);
      assert.equal(second.requests.length, before);
    });
  }

  test('is found at the start as well, within 5 s, and is asked for an address of its own domain', async () => {
    const town = new Town(), second = await registrarAt(town, SECOND), phone = await town.phone(US);
    town.wire.down.add(FIRST);
    phone.agent.addAccount(options({ backupServer: SECOND }));
    await town.run(5_000);
    const state = phone.registrations.at(-1)!;
    assert.ok(state.state === 'registered' && state.second === true);
    assert.equal(requestUri(second.requests[0]!.message), `sip:${SECOND}`);
    assert.equal(text(second.requests[0]!.message, 'to'), `<sip:201@${SECOND}>`);
  });

  test('calls go through the one that is registered, and an answer with its credentials', async () => {
    const { town, first, second, phone, account } = await pair();
    for (const registrar of [first, second]) registrar.override = (m) => (m.method === 'INVITE' ? { status: 486 } : undefined);
    await town.run(100);
    const before = story(phone.agent.call({ account, target: '202', offer: OFFER }));
    await town.run(100);
    town.wire.down.add(FIRST);
    account.refresh();
    await town.run(10_000);
    const after = story(phone.agent.call({ account, target: '202', offer: OFFER }));
    assert.equal(await phone.agent.localHostFor('202', account), US);
    await town.run(100);
    assert.deepEqual([before, after], [['ended by them: Busy Here (486)'], ['ended by them: Busy Here (486)']]);
    const invites = [first, second].map((r) => r.requests.filter((q) => q.message.method === 'INVITE').map((q) => requestUri(q.message)));
    assert.deepEqual(invites, [[`sip:202@${FIRST}`], [`sip:202@${SECOND}`]]);
  });

  test('only the server that confirms vouches for callers', async () => {
    const { town, first, second, phone, account } = await pair();
    await town.run(100);
    phone.onCall = (call) => call.accept(ANSWER);
    const call = async (registrar: Registrar, host: string, id: string): Promise<boolean> => {
      registrar.send(invite(host, id), { host: US, port: 5060 });
      await town.run(100);
      return phone.incoming.at(-1)!.source.registeredServer !== undefined;
    };
    assert.deepEqual([await call(first, FIRST, 'a'), await call(second, SECOND, 'b')], [true, false]);
    town.wire.down.add(FIRST);
    account.refresh();
    await town.run(10_000);
    assert.equal(await call(second, SECOND, 'c'), true);
    assert.equal(phone.incoming.at(-1)!.source.registeredServer?.id, 'main');
  });

  test('the keep-alive goes to the one registered and to no other', async () => {
    const { town, first, second, account } = await pair({ transport: 'tcp' });
    await town.run(100);
    await town.run(65_000);
    assert.deepEqual([first.pings, second.pings], [2, 0]);
    first.stop();
    await town.run(10_000);
    assert.ok(account.registration.state === 'registered' && account.registration.second === true);
    await town.run(65_000);
    assert.deepEqual([first.pings, second.pings], [2, 2]);
  });

  test('both away: the first is what is told, and both are asked no oftener than every 4 s', async () => {
    const { town, phone, account } = await pair();
    for (const host of [FIRST, SECOND]) town.wire.down.add(host);
    await town.run(60_000);
    assert.equal(account.registration.state === 'failed' && account.registration.why, 'server silent');
    for (const host of [FIRST, SECOND]) {
      const starts = [...new Map(town.messages().filter((m) => m.to === host).map((m) => [text(m.message, 'cseq'), m.atMs])).keys()];
      assert.ok(starts.length >= 10 && starts.length <= 15, `${host}: ${starts.length}`);
    }
    town.wire.down.delete(SECOND);
    await town.run(5_000);
    const state = phone.registrations.at(-1)!;
    assert.ok(state.state === 'registered' && state.second === true);
  });

  test('remove() takes back what either holds', async () => {
    for (const how of ['silent', 'closed'] as const) {
      const { town, first, second, account } = await pair();
      for (const [host, registrar] of [[FIRST, first], [SECOND, second]] as const) {
        if (how === 'silent') town.wire.down.add(host);
        else registrar.stop();
      }
      await town.run(11_000);
      void account.remove();
      await town.run(3_000);
      const before = town.messages().length;
      await town.run(60_000);
      assert.equal(town.messages().length, before, 'nor is anybody asked any more');
    }
    for (const mode of ['fallback', 'parallel'] as const) {
      const { town, first, second, account } = await pair({ backupMode: mode });
      await town.run(100);
      if (mode === 'fallback') {
        town.wire.down.add(FIRST);
        account.refresh();
        await town.run(10_000);
      }
      assert.deepEqual([first.bindings.has('201'), second.bindings.has('201')], [true, true]);
      let gone = false;
      void account.remove().then(() => { gone = true; });
      await town.run(2_500);
      assert.ok(gone);
      assert.ok(!second.bindings.has('201') && (mode === 'fallback' || !first.bindings.has('201')), mode);
      const before = first.requests.length + second.requests.length;
      town.wire.down.clear();
      await town.run(600_000);
      assert.equal(first.requests.length + second.requests.length, before, 'neither comes back to life');
    }
  });
});

describe('two servers side by side', () => {
  test('both are registered at, each with a reg-id of its own (RFC 5626 §4.2), and callers of both are let in', async () => {
    const { town, first, second, phone, account } = await pair({ backupMode: 'parallel' });
    await town.run(100);
    assert.ok(first.bindings.has('201') && second.bindings.has('201'));
    assert.deepEqual([first, second].map((r) => /reg-id=\d/.exec(text(r.requests[0]!.message, 'contact')!)?.[0]), ['reg-id=1', 'reg-id=2']);
    assert.ok(account.registration.state === 'registered' && account.registration.server === FIRST);
    for (const [registrar, host] of [[first, FIRST], [second, SECOND]] as const) {
      registrar.send(invite(host, host), { host: US, port: 5060 });
      await town.run(100);
      assert.equal(phone.incoming.at(-1)!.source.registeredServer?.id, 'main', host);
    }
  });

  test('calls of ours go through the second while the first is away, and come from both again after', async () => {
    const { town, first, second, account } = await pair({ backupMode: 'parallel', expiresS: 60 });
    await town.run(100);
    first.stop();
    await town.run(60_000);
    assert.ok(account.registration.state === 'registered' && account.registration.second === true);
    await first.start();
    await town.run(5_000);
    assert.ok(account.registration.state === 'registered' && account.registration.second === undefined);
    assert.ok(first.bindings.has('201') && second.bindings.has('201'));
  });

  test('two servers of one realm keep their nonces apart', async () => {
    const { town, first, second, phone } = await pair({ backupMode: 'parallel', expiresS: 60 });
    first.nonce = 'first';
    second.nonce = 'second';
    await town.run(600_000);
    assert.ok(phone.registrations.every((r) => r.state !== 'failed'));
    assert.equal([first, second].flatMap((r) => r.requests).filter((r) => text(r.message, 'authorization') === undefined).length, 2, 'one challenge each');
  });
});

test('several accounts do not know of each other: one without server, one with a wrong password, one well', async () => {
  const town = new Town(), registrar = await registrarAt(town, FIRST), phone = await town.phone(US);
  const [away, wrong, well] = [options({ id: 'away', server: '10.0.0.99' }), options({ id: 'wrong', user: '202' }), options({ id: 'well' })].map((o) => phone.agent.addAccount(o));
  await town.run(30_000);
  assert.deepEqual([away, wrong, well].map((a) => a!.registration.state === 'failed' ? a!.registration.why : a!.registration.state), ['server refused', 'wrong password', 'registered']);
  assert.equal(registrar.bindings.size, 1);
  void away!.remove();
  await town.run(100);
  assert.equal(well!.registration.state, 'registered');
});

describe('signs of life (RFC 3261 §11)', () => {
  const pings = (town: Town): number => town.messages().filter((m) => m.words === 'OPTIONS').length;

  test('are not asked for unless set', async () => {
    const { town } = await pair();
    await town.run(600_000);
    assert.equal(pings(town), 0);
  });

  test('OPTIONS goes to the registered server alone, and any answer will do', async () => {
    const { town, first, account } = await pair({ optionsPingS: 10 });
    for (const status of [200, 404, 405, 401]) {
      first.override = (m) => (m.method === 'OPTIONS' ? { status } : undefined);
      await town.run(60_000);
    }
    assert.ok(pings(town) >= 22 && pings(town) <= 27, String(pings(town)));
    assert.deepEqual(new Set(town.messages().filter((m) => m.words === 'OPTIONS').map((m) => m.to)), new Set([FIRST]));
    assert.equal(first.methods().filter((m) => m === 'REGISTER').length, 2, 'no registration was put in doubt');
    assert.equal(account.registration.state, 'registered');
  });

  for (const [how, hurt] of [['silent', (t: Town) => t.wire.down.add(FIRST)], ['closed', (_: Town, r: Registrar) => r.stop()]] as const) {
    for (const transport of ['udp', 'tcp'] as const) {
      test(`a server that is ${how} is known within ping, its wait and two tries, over ${transport}`, async () => {
        const town = new Town(), registrar = await registrarAt(town, FIRST), phone = await town.phone(US), account = phone.agent.addAccount(options({ optionsPingS: 10, transport }));
        await town.run(1_000);
        hurt(town, registrar);
        await town.run(10_000 + 4_000 + 2 * 4_800 + 100);
        assert.equal(account.registration.state, 'failed');
        if (how === 'closed') await registrar.start();
        else town.wire.down.delete(FIRST);
        await town.run(5_000);
        assert.equal(account.registration.state, 'registered');
        const asked = (): number => registrar.methods().filter((m) => m === 'OPTIONS').length, before = asked();
        await town.run(21_000);
        assert.ok(asked() >= before + 2, 'and asked again');
      });
    }
  }

  test('503 and 408 put the registration in doubt, and REGISTER tells what is true', async () => {
    for (const status of [408, 503]) {
      const { town, first, account } = await pair({ optionsPingS: 10 });
      first.override = (m) => (m.method === 'OPTIONS' ? { status } : undefined);
      await town.run(15_000);
      assert.ok(first.methods().filter((m) => m === 'REGISTER').length > 2);
      assert.equal(account.registration.state, 'registered');
    }
  });

  test('end with the account', async () => {
    const { town, account } = await pair({ optionsPingS: 10 });
    await town.run(15_000);
    void account.remove();
    await town.run(3_000);
    const before = pings(town);
    await town.run(60_000);
    assert.equal(pings(town), before);
  });
});

describe('after the server was away', () => {
  for (const how of ['closed', 'silent'] as const) {
    for (const transport of ['udp', 'tcp'] as const) {
      for (const awayS of [7, 60, 133, 299]) {
        test(`${how} for ${awayS} s over ${transport}: registered again within 5 s, tries at least 4 s apart`, async () => {
          const town = new Town(awayS), registrar = await registrarAt(town, FIRST), phone = await town.phone(US), account = phone.agent.addAccount(options({ transport }));
          await town.run(1_000);
          if (how === 'closed') registrar.stop();
          else town.wire.down.add(FIRST);
          const from = town.clock.now();
          account.refresh();
          await town.run(awayS * 1_000);
          const tries = [...new Map(town.messages().filter((m) => m.words === 'REGISTER' && m.atMs >= from).reverse().map((m) => [text(m.message, 'cseq'), m.atMs])).values()].reverse();
          tries.forEach((at, i) => assert.ok(i === 0 || at - tries[i - 1]! >= 4_000, tries.join(' ')));
          if (transport === 'udp') assert.ok(tries.length > awayS / 5 - 1, `${tries.length} tries`);
          if (how === 'closed') await registrar.start();
          else town.wire.down.delete(FIRST);
          registrar.bindings.clear();
          await town.run(5_000);
          assert.equal(account.registration.state, 'registered');
          assert.ok(registrar.bindings.has('201'));
        });
      }

      test(`${how} for three quarters of an hour over ${transport}: within 36 s, and at once by a link event`, async () => {
        for (const link of [false, true]) {
          const town = new Town(3), registrar = await registrarAt(town, FIRST), phone = await town.phone(US), account = phone.agent.addAccount(options({ transport }));
          await town.run(1_000);
          if (how === 'closed') registrar.stop();
          else town.wire.down.add(FIRST);
          await town.clock.run(2_700_000, 200);
          assert.equal(account.registration.state, 'failed');
          const before = town.messages().length;
          await town.run(120_000);
          if (transport === 'udp') assert.ok(new Set(town.messages().slice(before).map((m) => text(m.message, 'cseq'))).size <= 6, 'at most one try every 24 s');
          if (how === 'closed') await registrar.start();
          else town.wire.down.delete(FIRST);
          if (link) phone.agent.networkChanged();
          await town.run(link ? 200 : 36_000);
          assert.equal(account.registration.state, 'registered', `link event: ${link}`);
        }
      });
    }
  }

  test('a packet from a server that was silent brings a try at once', async () => {
    const town = new Town(4), registrar = await registrarAt(town, FIRST), phone = await town.phone(US), account = phone.agent.addAccount(options());
    await town.run(1_000);
    registrar.stop();
    await town.clock.run(2_700_000, 200);
    await registrar.start();
    await town.run(4_100); // no try is younger than 4 s
    if (account.registration.state === 'registered') return assert.fail('found by chance: take another seed');
    registrar.send(['OPTIONS sip:201@10.0.0.1 SIP/2.0', `Via: SIP/2.0/UDP ${FIRST};branch=z9hG4bKo;rport`, 'From: <sip:pbx>;tag=f', 'To: <sip:201@pbx>', 'Call-ID: o', 'CSeq: 1 OPTIONS', 'Content-Length: 0', '', ''].join('\n'), { host: US, port: 5060 });
    await town.run(200);
    assert.equal(account.registration.state, 'registered');
  });

  test('Retry-After is honoured before the pace (RFC 3261 §20.33)', async () => {
    const town = new Town(), registrar = await registrarAt(town, FIRST, (r) => { r.override = () => ({ status: 503, headers: [['Retry-After', '45 (rebooting)']] }); }), phone = await town.phone(US);
    phone.agent.addAccount(options());
    await town.run(44_900);
    assert.equal(registrar.requests.length, 1);
    await town.run(5_000);
    assert.equal(registrar.requests.length, 2);
  });
});
