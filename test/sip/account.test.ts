import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { PhoneError } from '../../src/ports/errors.ts';
import type { AccountOptions } from '../../src/sip/agent-types.ts';
import { nameAddr, parseCredentials } from '../../src/sip/headers.ts';
import { requestUri, text, texts } from '../../src/sip/message.ts';
import { createAgent } from '../../src/sip/agent.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeRandom } from '../fakes/random.ts';
import { Registrar } from '../fakes/registrar.ts';
import { ANSWER, OFFER, story, Town } from './agent-bench.ts';

const SERVER = '10.0.0.50';
const options = (more: Partial<AccountOptions> = {}): AccountOptions => ({
  id: 'main', user: '201', server: SERVER, proxy: '', transport: 'udp', authUser: '', password: 'secret', displayName: 'Desk', expiresS: 600, register: true, ...more,
});

/** As a server passes a call on, from its own address. */
const INVITE = ['INVITE sip:201@10.0.0.1 SIP/2.0', `Via: SIP/2.0/UDP ${SERVER};branch=z9hG4bKone;rport`, 'Max-Forwards: 70', 'From: <sip:202@pbx>;tag=f', 'To: <sip:201@pbx>', 'Call-ID: one',
  'CSeq: 1 INVITE', `Contact: <sip:202@${SERVER}>`, 'Content-Type: application/sdp', 'Content-Length: 3', '', 'v=0'].join('\r\n');

async function bench(more: Partial<AccountOptions> = {}, set: (r: Registrar) => void = () => undefined) {
  const town = new Town();
  const registrar = new Registrar(town.clock, town.wire.host(SERVER));
  registrar.users.set('201', 'secret');
  set(registrar);
  await registrar.start();
  const phone = await town.phone('10.0.0.1');
  const account = phone.agent.addAccount(options(more));
  return { town, registrar, phone, account };
}

describe('an account', () => {
  for (const transport of ['udp', 'tcp'] as const) {
    for (const algorithm of ['MD5', 'SHA-256'] as const) {
      for (const proxy of [false, true]) {
        test(`registers over ${transport} with ${algorithm}, challenged by ${proxy ? 407 : 401} (RFC 3261 §10.2, §22)`, async () => {
          const { town, registrar, phone, account } = await bench({ transport }, (r) => { r.algorithm = algorithm; r.proxy = proxy; });
          await town.run(100);
          assert.deepEqual(phone.registrations.map((r) => r.state), ['trying', 'registered']);
          assert.equal(account.registration.state === 'registered' && account.registration.server, SERVER);
          assert.equal(registrar.bindings.get('201')?.contact, `sip:201@10.0.0.1:5060${transport === 'tcp' ? ';transport=tcp' : ''}`);
          const [first, second] = registrar.requests;
          assert.equal(requestUri(first!.message), `sip:${SERVER}`);
          assert.equal(text(first!.message, 'to'), `<sip:201@${SERVER}>`);
          assert.equal(text(first!.message, 'call-id'), text(second!.message, 'call-id'));
          assert.deepEqual([text(first!.message, 'cseq'), text(second!.message, 'cseq')], ['1 REGISTER', '2 REGISTER']);
        });
      }
    }
  }

  test('refreshes with the same Call-ID, a higher CSeq and the known nonce counted up (RFC 7616 §3.4)', async () => {
    const { town, registrar } = await bench({}, (r) => { r.grantS = 60; });
    await town.run(46_000);
    assert.equal(registrar.requests.length, 3);
    const refresh = registrar.requests[2]!;
    assert.ok(refresh.atMs > 38_000 && refresh.atMs < 46_000, 'two thirds of the 60 s granted, not of the 600 asked');
    assert.equal(text(refresh.message, 'cseq'), '3 REGISTER');
    assert.equal(parseCredentials(text(refresh.message, 'authorization')!)!.params.get('nc'), '00000002');
  });

  test('a nonce that went stale costs one more round and is no failure (RFC 7616 §3.3)', async () => {
    const { town, registrar, phone } = await bench({}, (r) => { r.grantS = 60; });
    await town.run(100);
    registrar.renew();
    await town.run(46_000);
    assert.equal(registrar.requests.length, 4);
    assert.deepEqual(phone.registrations.map((r) => r.state), ['trying', 'registered']);
  });

  test('a wrong password is told as such, tried again from 60 s on, and right again once the server agrees', async () => {
    const { town, registrar, phone } = await bench({ password: 'wrong' });
    await town.run(1_000);
    assert.equal(registrar.requests.length, 2, 'the password is offered once');
    const state = phone.registrations.at(-1)!;
    assert.ok(state.state === 'failed' && state.why === 'wrong password' && state.status === 401);
    await town.run(58_000);
    assert.equal(registrar.requests.length, 2);
    registrar.users.set('201', 'wrong');
    await town.run(20_000);
    assert.equal(phone.registrations.at(-1)!.state, 'registered');
  });

  test('no password where one is wanted, an unknown user, 403 and trouble each have their name', async () => {
    const rows: [Partial<AccountOptions>, (r: Registrar) => void, string, number][] = [
      [{ password: '' }, () => undefined, 'wrong password', 401],
      [{ user: '999' }, () => undefined, 'not allowed', 404],
      [{}, (r) => { r.override = (m) => text(m, 'authorization') === undefined ? undefined : { status: 403 }; }, 'wrong password', 403],
      [{}, (r) => { r.override = () => ({ status: 403 }); }, 'not allowed', 403],
      [{}, (r) => { r.override = () => ({ status: 500 }); }, 'server trouble', 500],
      [{}, (r) => { r.override = () => ({ status: 603 }); }, 'server trouble', 603],
    ];
    for (const [more, set, why, status] of rows) {
      const { town, phone } = await bench(more, set);
      await town.run(500);
      const state = phone.registrations.at(-1)!;
      assert.deepEqual(state.state === 'failed' && [state.why, state.status], [why, status]);
    }
  });

  test('no server, no name, no route and silence each have their name', async () => {
    const rows: [Partial<AccountOptions>, (t: Town) => void, string][] = [
      [{ server: '10.0.0.51' }, () => undefined, 'server refused'],
      [{ server: '10.0.0.51', transport: 'tcp' }, () => undefined, 'server refused'],
      [{ server: 'nowhere.example' }, () => undefined, 'no such server'],
      [{ server: 'pbx.example' }, (t) => { t.resolver.silent = true; }, 'no network'],
      [{}, (t) => t.wire.down.add('10.0.0.1'), 'no network'],
      [{}, (t) => t.wire.down.add(SERVER), 'server silent'],
      [{ transport: 'tcp' }, (t) => t.wire.down.add(SERVER), 'server silent'],
    ];
    for (const [more, set, why] of rows) {
      const town = new Town();
      await new Registrar(town.clock, town.wire.host(SERVER)).start();
      set(town);
      const phone = await town.phone('10.0.0.1');
      phone.agent.addAccount(options(more));
      await town.run(6_000);
      const state = phone.registrations.at(-1)!;
      assert.deepEqual(state.state === 'failed' && state.why, why, JSON.stringify(more));
    }
  });

  test('423 is obeyed (RFC 3261 §10.3 step 7)', async () => {
    const { town, registrar, phone } = await bench({ expiresS: 60 }, (r) => { r.minS = 1800; r.grantS = 1800; });
    await town.run(500);
    assert.deepEqual(registrar.requests.map((r) => text(r.message, 'expires')), ['60', '60', '1800']);
    assert.equal(phone.registrations.at(-1)!.state, 'registered');
  });

  test('a redirection is followed once', async () => {
    const { town, registrar, phone } = await bench({}, (r) => { r.override = () => ({ status: 302, headers: [['Contact', '<sip:10.0.0.60>']] }); });
    const other = new Registrar(town.clock, town.wire.host('10.0.0.60'));
    other.users.set('201', 'secret');
    await other.start();
    await town.run(500);
    assert.equal(registrar.requests.length, 1);
    assert.equal(phone.registrations.at(-1)!.state, 'registered');
    assert.equal(other.bindings.has('201'), true);
  });

  for (const transport of ['udp', 'tcp'] as const) {
    test(`registers again within 5 s of the server's return after 60 s, over ${transport}, asking no oftener than every 4 s`, async () => {
      const { town, registrar, phone, account } = await bench({ transport, expiresS: 30 }, (r) => { r.grantS = 30; });
      await town.run(1_000);
      registrar.stop();
      await town.run(60_000);
      assert.equal(account.registration.state, 'failed');
      const tries = town.messages().filter((m) => m.words === 'REGISTER' && m.atMs > 1_500);
      const cseqs = new Map(tries.map((m) => [text(m.message, 'cseq'), m.atMs]));
      const starts = [...cseqs.values()];
      if (transport === 'udp') assert.ok(starts.length >= 5 && starts.every((at, i) => i === 0 || at - starts[i - 1]! >= 3_990), starts.join(' '));
      await registrar.start();
      await town.run(5_000);
      assert.equal(account.registration.state, 'registered');
      assert.deepEqual(phone.registrations.map((r) => r.state), ['trying', 'registered', 'failed', 'registered']);
    });

    test(`a server that went silent, over ${transport}, is told after two tries and found within 5 s`, async () => {
      const { town, account } = await bench({ transport, expiresS: 30 }, (r) => { r.grantS = 30; });
      await town.run(1_000);
      town.wire.down.add(SERVER);
      await town.run(60_000);
      assert.ok(account.registration.state === 'failed' && account.registration.why === 'server silent');
      town.wire.down.delete(SERVER);
      await town.run(5_000);
      assert.equal(account.registration.state, 'registered');
    });
  }

  test('a broken flow is mended at once (RFC 5626 §4.2)', async () => {
    const { town, registrar } = await bench({ transport: 'tcp' });
    await town.run(1_000);
    const before = registrar.requests.length;
    for (const stream of registrar.streams) stream.close();
    registrar.streams.clear();
    await town.run(100);
    assert.ok(registrar.requests.length > before);
  });

  test('a server that answers no keep-alive keeps its connection', async () => {
    const { town, registrar } = await bench({ transport: 'tcp' }, (r) => { r.pongs = false; });
    await town.run(120_000);
    assert.equal(registrar.pings, 3);
    assert.equal(registrar.requests.length, 2);
  });

  test('one that answered and then stops is taken for dead within 10 s of the next (RFC 5626 §4.4.1)', async () => {
    const { town, registrar, account } = await bench({ transport: 'tcp' });
    await town.run(31_000);
    assert.equal(registrar.pings, 1);
    town.wire.down.add(SERVER);
    await town.run(50_000);
    assert.ok(account.registration.state === 'failed' && account.registration.why === 'server silent');
    town.wire.down.delete(SERVER);
    await town.run(5_000);
    assert.equal(account.registration.state, 'registered', 'on a connection of its own, the dead one is not waited for');
  });

  test('networkChanged() registers at once and asks the name servers again', async () => {
    const { town, registrar, phone } = await bench({ server: 'pbx.example' }, () => undefined);
    await town.run(100);
    town.resolver.hosts.set('pbx.example', ['10.0.0.48']);
    await town.run(5_000);
    assert.equal(phone.registrations.at(-1)!.state, 'failed');
    town.resolver.hosts.set('pbx.example', [SERVER]);
    phone.agent.networkChanged();
    await town.run(100);
    assert.equal(phone.registrations.at(-1)!.state, 'registered', 'not the address of a moment ago');
    await town.run(1_000);
    const before = registrar.requests.length;
    phone.agent.networkChanged();
    await town.run(100);
    assert.equal(registrar.requests.length, before + 1);
  });

  for (const transport of ['udp', 'tcp'] as const) {
    test(`a new address of ours is registered over ${transport} and the old one taken back`, async () => {
      const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER));
      registrar.users.set('201', 'secret');
      await registrar.start();
      const network = town.wire.host('10.0.0.1');
      let address = '10.0.0.1';
      const agent = createAgent({
        clock: town.clock, random: new FakeRandom(5), log: new FakeLog(), resolver: town.resolver,
        network: { udp: (l, h) => network.udp(l, h), listen: (l, a) => network.listen(l, a), connect: (r, h) => network.connect(r, h), sourceFor: async () => address },
      }, { listen: { host: '', port: 5060 }, tcp: true, userAgent: 'test' }, { onIncoming: () => undefined, onRegistration: () => undefined });
      await agent.start();
      const account = agent.addAccount(options({ transport }));
      await town.run(1_000);
      const streams = [...registrar.streams];
      address = '10.0.0.77';
      agent.networkChanged();
      await town.run(100);
      const last = registrar.requests.at(-1)!.message, tail = transport === 'tcp' ? ';transport=tcp' : '';
      assert.deepEqual(texts(last, 'contact'), [`<sip:201@10.0.0.77:5060${tail}>;expires=600`, `<sip:201@10.0.0.1:5060${tail}>;expires=0`]);
      assert.equal(account.registration.state, 'registered');
      if (transport === 'tcp') assert.ok([...registrar.streams].every((s) => !streams.includes(s)), 'the old connection is given up');
      account.refresh();
      await town.run(1_000);
      assert.equal(texts(registrar.requests.at(-1)!.message, 'contact').length, 1);
    });
  }

  test('the next server of several is tried when the first is dead (RFC 3263 §4.3)', async () => {
    for (const dead of ['refuses', 'silent', 'says 503'] as const) {
      const town = new Town();
      const registrar = new Registrar(town.clock, town.wire.host(SERVER));
      registrar.users.set('201', 'secret');
      await registrar.start();
      town.resolver.services.set('_sip._udp.example', [{ name: 'dead.example', port: 5060, priority: 1, weight: 1 }, { name: 'live.example', port: 5060, priority: 2, weight: 1 }]);
      town.resolver.hosts.set('dead.example', ['10.0.0.49']).set('live.example', [SERVER]);
      if (dead === 'says 503') {
        const full = new Registrar(town.clock, town.wire.host('10.0.0.49'));
        full.override = () => ({ status: 503 });
        await full.start();
      }
      if (dead === 'silent') town.wire.down.add('10.0.0.49');
      const phone = await town.phone('10.0.0.1');
      phone.agent.addAccount(options({ server: 'example' }));
      await town.run(5_500);
      assert.equal(phone.registrations.at(-1)!.state, 'registered', dead);
      const before = registrar.requests.length;
      await town.run(500_000);
      assert.ok(registrar.requests.length > before, 'refreshes go to the server that answered');
      assert.equal(phone.registrations.at(-1)!.state, 'registered');
    }
  });

  test('remove() takes the binding back (RFC 3261 §10.2.2)', async () => {
    const { town, registrar, phone, account } = await bench();
    await town.run(100);
    assert.ok(registrar.bindings.has('201'));
    let gone = false;
    void account.remove().then(() => { gone = true; });
    await town.run(100);
    assert.ok(gone);
    assert.ok(!registrar.bindings.has('201'));
    assert.deepEqual(phone.agent.accounts, []);
    await town.run(1_000_000);
    assert.equal(registrar.requests.length, 3);
  });

  test('close() takes the binding back, with a fresh nonce when the old one is stale', async () => {
    const { town, registrar, phone } = await bench();
    await town.run(100);
    registrar.renew();
    let closed = false;
    void phone.agent.close().then(() => { closed = true; });
    await town.run(200);
    assert.ok(closed && !registrar.bindings.has('201'));
  });

  test('behind a NAT a datagram every 25 s keeps the way open; without one there is none', async () => {
    const keepAlives = async (set: (r: Registrar) => void) => {
      const { town } = await bench({}, set);
      await town.run(101_000);
      return town.wire.sent.filter((d) => d.bytes.toString() === '\r\n\r\n').length;
    };
    assert.equal(await keepAlives(() => undefined), 0);
    assert.equal(await keepAlives((r) => { r.seenAs = { host: '203.0.113.9', port: 40123 }; }), 4);
  });

  for (const keepAlive of ['auto', 'stun'] as const) {
    test(`after remove() nothing keeps the way open (${keepAlive})`, async () => {
      const { town, account } = await bench({ keepAlive, optionsPingS: 60 }, (r) => { r.seenAs = { host: '203.0.113.9', port: 40123 }; });
      await town.run(5_500);
      const before = town.wire.sent.length;
      void account.remove();
      await town.run(6_000); // the transaction waits for stragglers
      assert.equal(town.clock.pending, 0);
      assert.deepEqual(town.wire.sent.slice(before).filter((d) => d.bytes.length < 30), []);
    });
  }

  test('kept by STUN, a silent server is registered at again (RFC 5626 §4.4.2)', async () => {
    const { town, registrar } = await bench({ keepAlive: 'stun' });
    await town.run(7_000);
    const asked = () => town.wire.sent.filter((d) => d.bytes.readUInt16BE(0) === 1 && d.bytes.length === 20).length;
    assert.deepEqual([asked(), registrar.requests.length], [4, 2]);
    await town.run(1_000);
    assert.equal(registrar.requests.length, 3);
  });

  test('a registrar that writes our IPv6 address its own way grants it all the same (RFC 5954 §4.2)', async () => {
    const town = new Town(), registrar = new Registrar(town.clock, town.wire.host('2001:db8::9'));
    registrar.override = () => ({ status: 200, headers: [['Contact', '<sip:203@[2001:db8::7]>;expires=9000, <sip:201@[2001:0DB8:0::0001]:5060>;expires=77']] });
    await registrar.start();
    const phone = await town.phone('2001:db8::1');
    const account = phone.agent.addAccount(options({ server: '[2001:DB8::9]' }));
    await town.run(100);
    assert.ok(account.registration.state === 'registered' && Math.abs(account.registration.untilMs - 77_000) < 200);
  });

  test('an outbound proxy is the way for all (RFC 3261 §8.1.2)', async () => {
    const { town, registrar, phone, account } = await bench({ server: 'pbx.example', proxy: SERVER, transport: 'auto' });
    await town.run(100);
    assert.equal(phone.registrations.at(-1)!.state, 'registered');
    assert.equal(text(registrar.requests[0]!.message, 'route'), `<sip:${SERVER};lr>`);
    phone.agent.call({ account, target: '202', offer: OFFER });
    await town.run(100);
    const invite = registrar.requests.find((r) => r.message.method === 'INVITE')!.message;
    assert.deepEqual([requestUri(invite), text(invite, 'route'), text(invite, 'from')?.split(';')[0]], ['sip:202@pbx.example', `<sip:${SERVER};lr>`, '"Desk" <sip:201@pbx.example>']);
  });

  test('a call answers the server\'s challenge, and the next one goes with credentials at once (RFC 3261 §22.3)', async () => {
    const { town, registrar, phone, account } = await bench({ register: false });
    registrar.proxy = true;
    registrar.override = (m) => {
      if (m.method !== 'INVITE') return undefined;
      if (text(m, 'proxy-authorization') === undefined) return { status: 407, headers: [['Proxy-Authenticate', 'Digest realm="test", nonce="n9", qop="auth"']] };
      return { status: 486 };
    };
    await town.run(100);
    assert.deepEqual(account.registration, { state: 'off' });
    const told = story(phone.agent.call({ account, target: '202', offer: OFFER }));
    await town.run(100);
    assert.deepEqual(told, ['ended by them: Busy Here (486)']);
    assert.deepEqual(registrar.methods().filter((m) => m === 'INVITE').length, 2);
    phone.agent.call({ account, target: '203', offer: OFFER });
    await town.run(100);
    const invites = registrar.requests.filter((r) => r.message.method === 'INVITE');
    assert.equal(invites.length, 3);
    assert.equal(parseCredentials(text(invites[2]!.message, 'proxy-authorization')!)!.params.get('nc'), '00000002');
    assert.equal(nameAddr(invites[2]!.message, 'to')?.uri, `sip:203@${SERVER}`);
  });

  test('a call refused for a wrong password ends, it does not go round', async () => {
    const { town, registrar, phone, account } = await bench({ register: false, password: 'wrong' });
    registrar.override = (m) => (m.method === 'INVITE' ? { status: 401, headers: [['WWW-Authenticate', `Digest realm="test", nonce="${text(m, 'cseq')}", qop="auth"`]] } : undefined);
    const told = story(phone.agent.call({ account, target: '202', offer: OFFER }));
    await town.run(1_000);
    assert.deepEqual(told, ['ended by them: Unauthorized (401)']);
    assert.equal(registrar.methods().filter((m) => m === 'INVITE').length, 2);
  });

  test('a server that calls every nonce stale is given up on', async () => {
    const { town, registrar, phone, account } = await bench({ register: false });
    let n = 0;
    registrar.override = (m) => (m.method === 'INVITE' ? { status: 401, headers: [['WWW-Authenticate', `Digest realm="test", nonce="${++n}", qop="auth", stale=true`]] } : undefined);
    const told = story(phone.agent.call({ account, target: '202', offer: OFFER }));
    await town.run(1_000);
    assert.deepEqual(told, ['ended by them: Unauthorized (401)']);
    assert.equal(n, 5);
  });

  test('a call and a registration challenged together with one nonce both get through', async () => {
    const { town, registrar, phone, account } = await bench();
    registrar.override = (m) => {
      if (m.method !== 'INVITE') return undefined;
      return text(m, 'authorization') === undefined ? { status: 401, headers: [['WWW-Authenticate', `Digest realm="test", nonce="${registrar.nonce}", qop="auth"`]] } : { status: 486 };
    };
    await town.run(1); // REGISTER is answered, and its password used, while the INVITE is on its way
    const told = story(phone.agent.call({ account, target: '202', offer: OFFER }));
    await town.clock.run(20, 1);
    assert.equal(account.registration.state, 'registered');
    assert.deepEqual(told, ['ended by them: Busy Here (486)']);
  });

  test('an incoming call finds its account, and the registered server is known by its address', async () => {
    const { town, registrar, phone, account } = await bench();
    const stranger = await town.phone('10.0.0.9');
    await town.run(100);
    phone.onCall = (call) => call.accept(ANSWER);
    stranger.agent.call({ target: 'sip:201@10.0.0.1', offer: OFFER });
    await town.run(100);
    assert.equal(phone.incoming[0]!.call.account, account);
    assert.equal(phone.incoming[0]!.source.registeredServer, undefined);
    registrar.send(INVITE, { host: '10.0.0.1', port: 5060 });
    await town.run(100);
    assert.equal(phone.incoming[1]!.source.registeredServer, account);
    const neighbour = await town.phone(SERVER, {}, { listen: { host: '', port: 5070 } });
    neighbour.agent.call({ target: 'sip:201@10.0.0.1', offer: OFFER });
    await town.run(100);
    assert.equal(phone.incoming[2]!.source.registeredServer, undefined, 'another program on the same machine is another');
    void account.remove();
    registrar.send(INVITE.replaceAll('one', 'two'), { host: '10.0.0.1', port: 5060 });
    await town.run(100);
    assert.equal(phone.incoming[3]!.source.registeredServer, undefined);
  });

  test('an account that never registered vouches for nobody', async () => {
    const { town, registrar, phone } = await bench({ register: false });
    registrar.send(INVITE, { host: '10.0.0.1', port: 5060 });
    await town.run(100);
    assert.equal(phone.incoming[0]!.source.registeredServer, undefined);
  });

  test('accounts added before start() register once the ports are open', async () => {
    const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER));
    registrar.users.set('201', 'secret');
    await registrar.start();
    const states: string[] = [];
    const agent = createAgent(
      { clock: town.clock, random: new FakeRandom(5), log: new FakeLog(), network: town.wire.host('10.0.0.1'), resolver: town.resolver },
      { listen: { host: '', port: 0 }, tcp: true, userAgent: 'test' }, { onIncoming: () => undefined, onRegistration: (_, s) => { states.push(s.state); } });
    agent.addAccount(options());
    await town.run(1_000);
    assert.deepEqual(states, []);
    await agent.start();
    await town.run(1_000);
    assert.deepEqual(states, ['trying', 'registered']);
    assert.equal(registrar.bindings.get('201')?.contact, `sip:201@10.0.0.1:${agent.local.port}`);
  });

  test('a server or proxy that is no address is refused at once', async () => {
    const town = new Town(), phone = await town.phone('10.0.0.1');
    for (const more of [{ server: '' }, { server: 'a b' }, { proxy: 'x:99999' }, { user: 'a\r\nb' }]) {
      assert.throws(() => phone.agent.addAccount(options(more)), (e) => e instanceof PhoneError && e.code === 'BAD_ADDRESS', JSON.stringify(more));
    }
  });
});
