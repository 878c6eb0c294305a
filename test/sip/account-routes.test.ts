// What a registrar may say besides yes: Service-Route, GRUU, flows, public identities; and what calls then carry.

import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { AccountOptions, CallOptions } from '../../src/sip/agent-types.ts';
import type { Headers } from '../../src/sip/build.ts';
import { nameAddr, parseCredentials } from '../../src/sip/headers.ts';
import { requestUri, text, texts, type Message } from '../../src/sip/message.ts';
import { Registrar, type Answer } from '../fakes/registrar.ts';
import { createAgent } from '../../src/sip/agent.ts';
import type { CallUnit } from '../../src/sip/call.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeRandom } from '../fakes/random.ts';
import { Notifier } from '../../src/sip/notifier.ts';
import { request } from '../../src/sip/outside.ts';
import { readRefer } from '../../src/sip/referral.ts';
import { ANSWER, OFFER, Peer, Town } from './agent-bench.ts';

const SERVER = '10.0.0.50', EDGE = '10.0.0.70', INSTANCE = 'urn:uuid:f81d4fae-7dec-41d0-a765-00a0c91e6bf6', GRUU = `sip:201@${SERVER};gr=${INSTANCE}`;
const options = (more: Partial<AccountOptions> = {}): AccountOptions => ({
  id: 'main', user: '201', server: SERVER, proxy: '', transport: 'udp', authUser: '', password: '', displayName: 'Desk', expiresS: 600, register: true, ...more,
});

/** A phone and a registrar without password that adds `lines` to its 200; INVITEs get 486. */
async function bench(more: Partial<AccountOptions> = {}, lines: Headers | ((request: Message) => Answer) = [], instance = INSTANCE) {
  const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER));
  registrar.override = (m) => {
    if (m.method === 'INVITE') return { status: 486 };
    return typeof lines === 'function' ? lines(m) : { status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600`], ...lines] };
  };
  await registrar.start();
  const edge = await new Peer(town, EDGE).open();
  const phone = await town.phone('10.0.0.1', {}, instance === '' ? {} : { instance });
  const account = phone.agent.addAccount(options(more));
  await town.run(100);
  const call = async (wanted: Partial<CallOptions> = {}): Promise<Message> => {
    phone.agent.call({ account, target: '202', offer: OFFER, ...wanted });
    await town.run(100);
    return town.messages().filter((m) => m.words === 'INVITE').at(-1)!.message;
  };
  const last = (): Message => registrar.requests.filter((r) => r.message.method === 'REGISTER').at(-1)!.message;
  return { town, registrar, edge, phone, account, call, last, to: () => town.messages().filter((m) => m.words === 'INVITE').at(-1)!.to };
}

describe('Service-Route (RFC 3608)', () => {
  const ROUTES = [`<sip:${EDGE};lr>`, '<sip:home.example;lr>'];

  test('is the Route of requests outside dialogs, in its order, and the first of it is where they go (§6.1, RFC 3261 §8.1.2)', async () => {
    const { call, to, edge } = await bench({}, [['Service-Route', ROUTES.join(', ')]]);
    const invite = await call();
    assert.deepEqual(texts(invite, 'route'), ROUTES);
    assert.equal(requestUri(invite), `sip:202@${SERVER}`);
    assert.equal(to(), EDGE);
    assert.equal(edge.count('INVITE'), 1);
  });

  test('stands behind the outbound proxy, which is not named twice (§6.1)', async () => {
    const behind = await bench({ proxy: SERVER }, [['Service-Route', ROUTES[1]!]]);
    assert.deepEqual(texts(await behind.call(), 'route'), [`<sip:${SERVER};lr>`, ROUTES[1]]);
    assert.equal(behind.to(), SERVER);
    const named = await bench({ proxy: SERVER }, [['Service-Route', `<sip:${SERVER};lr>, ${ROUTES[1]}`]]);
    assert.deepEqual(texts(await named.call(), 'route'), [`<sip:${SERVER};lr>`, ROUTES[1]]);
  });

  test('is not the way of REGISTER, and the next 200 replaces it (§6.1)', async () => {
    let lines: Headers = [['Service-Route', ROUTES[0]!]];
    const { account, town, last, call, to } = await bench({}, (m) => ({ status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600`], ...lines] }));
    lines = [];
    await town.run(1_000);
    account.refresh();
    await town.run(100);
    assert.deepEqual(texts(last(), 'route'), []);
    assert.deepEqual(texts(await call(), 'route'), []);
    assert.equal(to(), SERVER);
  });

  test('that cannot be read is left aside', async () => {
    for (const bad of ['<sip:a b;lr>', 'rubbish', '<>', `${ROUTES[0]}, <tel`]) {
      const { call, to } = await bench({}, [['Service-Route', bad]]);
      assert.deepEqual(texts(await call(), 'route'), [], bad);
      assert.equal(to(), SERVER);
    }
  });
});

test('Path is supported (RFC 3327 §5.1), and a Path in the 200 changes nothing for us', async () => {
  const { last, account, call } = await bench({}, [['Path', '<sip:edge.example;lr>']], '');
  assert.equal(text(last(), 'supported'), 'path');
  assert.equal(account.registration.state, 'registered');
  assert.deepEqual(texts(await call(), 'route'), []);
});

describe('outbound (RFC 5626)', () => {
  test('the Contact of REGISTER carries instance and reg-id, and outbound is supported (§4.2)', async () => {
    const { last } = await bench();
    const contact = nameAddr(last(), 'contact')!;
    assert.equal(contact.params.get('+sip.instance'), `"<${INSTANCE}>"`);
    assert.equal(contact.params.get('reg-id'), '1');
    assert.equal(text(last(), 'supported'), 'path, outbound');
  });

  test('without an instance nothing of it is said', async () => {
    const { last } = await bench({}, [], '');
    assert.deepEqual([...nameAddr(last(), 'contact')!.params.keys()], ['expires']);
  });

  test('439 is answered by a REGISTER without it, once and for good (§4.2.1)', async () => {
    const { last, registrar, account, town } = await bench({}, (m) => (text(m, 'contact')!.includes('reg-id')
      ? { status: 439 } : { status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600`]] }));
    assert.equal(account.registration.state, 'registered');
    assert.equal(registrar.requests.length, 2);
    assert.equal(text(last(), 'supported'), 'path');
    assert.ok(text(last(), 'contact')!.includes('+sip.instance'), 'who we are stays');
    await town.run(1_000);
    account.refresh();
    await town.run(100);
    assert.equal(registrar.requests.length, 3);
  });

  test('439 to one that said nothing of it, and 430, are refusals like any 4xx (§11.5, §11.6)', async () => {
    for (const [status, instance] of [[439, undefined], [430, INSTANCE]] as const) {
      const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER));
      registrar.override = () => ({ status });
      await registrar.start();
      const phone = await town.phone('10.0.0.1', {}, instance === undefined ? {} : { instance });
      const account = phone.agent.addAccount(options());
      await town.run(1_000);
      assert.equal(registrar.requests.length, 1);
      assert.equal(account.registration.state === 'failed' && account.registration.status, status);
    }
  });

  test('our Contact in a 200 is known by instance and reg-id, whatever address the server wrote there (§6)', async () => {
    const { account } = await bench({}, () => ({ status: 200, headers: [
      ['Contact', `<sip:201@10.0.0.1>;expires=30;+sip.instance="<${INSTANCE}>";reg-id=2`], ['Contact', `<sip:201@192.0.2.7:9>;expires=1234;+sip.instance="<${INSTANCE.toUpperCase()}>";reg-id=1`],
      ['Contact', '<sip:201@10.0.0.1>;expires=40;+sip.instance="<urn:uuid:another>";reg-id=1'],
    ] }));
    assert.ok(account.registration.state === 'registered' && Math.abs(account.registration.untilMs - 1_234_000) < 100);
  });

  test('a server that holds the flow gets keep-alives over UDP without a NAT, at four to five fifths of its Flow-Timer (§4.4)', async () => {
    const pings = (town: Town): number[] => town.wire.sent.filter((d) => d.bytes.toString() === '\r\n\r\n').map((d) => d.atMs);
    const none = await bench();
    await none.town.run(200_000);
    assert.deepEqual(pings(none.town), []);
    const plain = await bench({}, [['Require', 'outbound']]);
    await plain.town.run(60_000);
    assert.equal(pings(plain.town).length, 2, '24 to 29 s');
    for (const [told, least, most] of [[100, 80_000, 100_000], [1, 4_000, 5_000]] as const) {
      const timed = await bench({}, [['Require', 'outbound'], ['Flow-Timer', String(told)]]);
      await timed.town.run(3.2 * most);
      const at = pings(timed.town), gaps = at.map((t, i) => t - (at[i - 1] ?? 0));
      assert.ok(at.length >= 3 && gaps.every((g) => g >= least && g <= most + 50), `${told}: ${gaps}`);
    }
  });
});

describe('a server that keeps the flow of the registration (RFC 5626 §4.3)', () => {
  const keeping = (m: Message): Answer => ({ status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600`], ['Require', 'outbound']] });
  const OB = '<sip:201@10.0.0.1:5060;ob>';

  test('gets ob in the Contact of requests that make a dialog, inside it too, not in REGISTER: what comes in the dialog takes that flow', async () => {
    const { account, call, last, phone, registrar, town } = await bench({}, keeping);
    assert.equal(text(await call(), 'contact'), OB);
    void request(phone.agent, { method: 'REFER', account, target: '202', headers: [['Refer-To', '<sip:203@x>']] });
    await town.run(100);
    assert.equal(text(registrar.requests.at(-1)!.message, 'contact'), OB);
    account.refresh();
    await town.run(100);
    assert.equal(nameAddr(last(), 'contact')!.uri, 'sip:201@10.0.0.1:5060');
  });

  test('gets it in our answers to its calls, others do not', async () => {
    const { phone, registrar, town } = await bench({}, keeping);
    phone.onCall = (call) => call.accept(ANSWER);
    registrar.send(['INVITE sip:201@10.0.0.1 SIP/2.0', `Via: SIP/2.0/UDP ${SERVER};branch=z9hG4bKo;rport`, 'From: <sip:202@pbx>;tag=f', 'To: <sip:201@pbx>', 'Call-ID: o', 'CSeq: 1 INVITE', `Contact: <sip:202@${SERVER}>`,
      'Content-Type: application/sdp', 'Content-Length: 3', '', 'v=0'].join('\n'), { host: '10.0.0.1', port: 5060 });
    await town.run(50);
    const contactOf200 = (): string | undefined => text(town.messages().filter((m) => m.words === '200 INVITE').at(-1)!.message, 'contact');
    assert.equal(contactOf200(), OB);
    const stranger = await town.phone('10.0.0.9');
    stranger.agent.call({ target: 'sip:201@10.0.0.1', offer: OFFER });
    await town.run(50);
    assert.equal(contactOf200(), '<sip:201@10.0.0.1:5060>');
  });

  test('a call over sips: has a Contact of sips: (RFC 3261 §12.1.1); a hidden caller is not named by it; the last 200 counts', async () => {
    let keeps = true;
    const { account, call, town, phone } = await bench({}, (m) => keeps ? keeping(m) : { status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600`]] });
    assert.equal(phone.agent.ua.contact(phone.agent.ua.unit(account)!.contact, '10.0.0.1', { transport: 'tls' }, true), '<sips:201@10.0.0.1:5060;ob>');
    assert.equal(text(await call({ anonymous: true }), 'contact'), '<sip:10.0.0.1:5060>');
    keeps = false;
    await town.run(6_000);
    account.refresh();
    await town.run(100);
    assert.equal(text(await call(), 'contact'), '<sip:201@10.0.0.1:5060>');
  });

  test('an address that changes in a call is in what we send from then on', async () => {
    let address = '10.0.0.1';
    const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER)), network = town.wire.host('10.0.0.1');
    registrar.override = (m) => m.method === 'REGISTER' ? keeping(m) : { status: 180, headers: [['Contact', `<sip:202@${SERVER}>`]] };
    await registrar.start();
    const agent = createAgent({
      clock: town.clock, random: new FakeRandom(3), log: new FakeLog(), resolver: town.resolver,
      network: { udp: (l, h) => network.udp(l, h), listen: (l, a) => network.listen(l, a), connect: (r, h) => network.connect(r, h), sourceFor: async () => address },
    }, { listen: { host: '', port: 5060 }, tcp: true, userAgent: 'test', instance: INSTANCE }, { onIncoming: () => undefined, onRegistration: () => undefined });
    await agent.start();
    const account = agent.addAccount(options());
    await town.run(100);
    const call = agent.call({ account, target: '202', offer: OFFER });
    await town.run(100);
    address = '10.0.0.77';
    agent.networkChanged();
    await town.run(6_000);
    assert.equal(agent.ua.unit(account)!.contact, '<sip:201@10.0.0.77:5060;ob>');
    assert.equal((call as CallUnit).user, '<sip:201@10.0.0.77:5060;ob>');
  });
});

describe('GRUU (RFC 5627)', () => {
  const granting = (m: Message): Answer => ({ status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600;pub-gruu="${GRUU}";temp-gruu="sip:x@${SERVER};gr";+sip.instance="<${INSTANCE}>"`]] });

  test('is asked for where it is wanted (§4.1), and is the Contact of calls of ours, not of REGISTER (§4.4)', async () => {
    const { last, call, account, town } = await bench({ gruu: true }, granting);
    assert.equal(text(last(), 'supported'), 'path, gruu, outbound');
    assert.equal(text(await call(), 'contact'), `<${GRUU}>`);
    await town.run(1_000);
    account.refresh();
    await town.run(100);
    assert.equal(nameAddr(last(), 'contact')!.uri, 'sip:201@10.0.0.1:5060');
  });

  test('is the Contact of our answers to calls through the server, and of no others', async () => {
    const { phone, registrar, town } = await bench({ gruu: true }, granting);
    phone.onCall = (call) => call.accept(ANSWER);
    const invite = ['INVITE sip:201@10.0.0.1 SIP/2.0', `Via: SIP/2.0/UDP ${SERVER};branch=z9hG4bKg;rport`, 'From: <sip:202@pbx>;tag=f', 'To: <sip:201@pbx>', 'Call-ID: g', 'CSeq: 1 INVITE', `Contact: <sip:202@${SERVER}>`, 'Content-Type: application/sdp',
      'Content-Length: 3', '', 'v=0'].join('\n');
    registrar.send(invite, { host: '10.0.0.1', port: 5060 });
    await town.run(50);
    const contactOf200 = (): string | undefined => text(town.messages().filter((m) => m.words === '200 INVITE').at(-1)!.message, 'contact');
    assert.equal(contactOf200(), `<${GRUU}>`);
    const stranger = await town.phone('10.0.0.9');
    stranger.agent.call({ target: 'sip:201@10.0.0.1', offer: OFFER });
    await town.run(50);
    assert.equal(contactOf200(), '<sip:201@10.0.0.1:5060>');
  });

  test('is not asked for unless wanted, nor believed when it came all the same or is no address', async () => {
    const plain = await bench({}, granting);
    assert.equal(text(plain.last(), 'supported'), 'path, outbound');
    assert.equal(text(await plain.call(), 'contact'), '<sip:201@10.0.0.1:5060>');
    const bad = await bench({ gruu: true }, [['Contact', `<sip:201@10.0.0.1>;pub-gruu="sip:a> <b";+sip.instance="<${INSTANCE}>"`]]);
    assert.equal(text(await bad.call(), 'contact'), '<sip:201@10.0.0.1:5060>');
  });

  test('a stranger cannot choose our Contact by what he calls', async () => {
    const { town, phone } = await bench({ gruu: true }, granting);
    const stranger = await new Peer(town, '10.0.0.9').open();
    phone.onCall = (call) => call.accept(ANSWER);
    stranger.send('10.0.0.1', ['INVITE sip:%3Csip%3Aevil%3E@10.0.0.1 SIP/2.0', 'Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKe', 'From: <sip:e@e>;tag=e', 'To: <sip:e@e>', 'Call-ID: e', 'CSeq: 1 INVITE', 'Contact: <sip:10.0.0.9>', 'Content-Type: application/sdp'], 'v=0');
    await town.run(100);
    const contact = stranger.got.map((m) => text(m, 'contact')).find((c) => c !== undefined);
    assert.equal(contact, '<sip:sip%3Aevil%3E@10.0.0.1:5060>');
  });
});

describe('our answers outside calls, and the NOTIFYs of their dialogs', () => {
  const keeping: Headers = [['Require', 'outbound']];
  const gruu = (m: Message): Answer => ({ status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600;pub-gruu="${GRUU}";+sip.instance="<${INSTANCE}>"`]] });
  const held = (m: Message): Answer => ({ status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600;+sip.instance="<${INSTANCE}>";reg-id=1`], ...keeping] });

  for (const [name, more, lines, contact] of [
    ['have the GRUU as Contact (RFC 5627 §4.4)', { gruu: true }, gruu, `<${GRUU}>`],
    ['have ob in their Contact where the server keeps our flow (RFC 5626 §4.3)', {}, held, '<sip:201@10.0.0.1:5060;ob>'],
    ['have the user of the account in their Contact without either', {}, [], '<sip:201@10.0.0.1:5060>'],
  ] as const) {
    test(`${name}; to strangers they have neither`, async () => {
      const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER));
      registrar.override = (m) => (m.method !== 'REGISTER' ? { status: 200 } : typeof lines === 'function' ? lines(m) : undefined);
      registrar.users.set('201', '');
      await registrar.start();
      const phone = await town.phone('10.0.0.1', {
        onRequest(asked, server, source, challenge) {
          if (asked.method === 'SUBSCRIBE') return notifier.take(asked, server, source, challenge);
          void readRefer(phone.agent, asked, server, source)?.accept();
          return asked.method === 'REFER';
        },
      }, { instance: INSTANCE });
      const what = { event: 'dialog', type: 'text/plain', paceMs: 1_000, body: () => Buffer.from('x') };
      const notifier = new Notifier(phone.agent, what, () => 'in');
      phone.agent.addAccount(options(more));
      const stranger = await new Peer(town, '10.0.0.9').open();
      await town.run(100);
      const ask = (method: string, host: string): string => [`${method} sip:201@10.0.0.1 SIP/2.0`, `Via: SIP/2.0/UDP ${host}:5060;branch=z9hG4bK${method}`, 'Max-Forwards: 70', `From: <sip:202@${host}>;tag=f`, 'To: <sip:201@10.0.0.1>',
        `Call-ID: ${method}-${host}`, `CSeq: 1 ${method}`, `Contact: <sip:202@${host}:5060>`, method === 'REFER' ? 'Refer-To: <sip:203@10.0.0.50>' : 'Event: dialog', 'Content-Length: 0', '', ''].join('\r\n');
      const contacts = (to: string): (string | undefined)[] => [...new Set(town.messages().filter((m) => m.to === to && /^(200 SUBSCRIBE|202 REFER|NOTIFY)$/.test(m.words)).map((m) => `${m.words} ${text(m.message, 'contact')}`))].sort();
      for (const method of ['SUBSCRIBE', 'REFER']) {
        registrar.send(ask(method, SERVER), { host: '10.0.0.1', port: 5060 });
        stranger.send('10.0.0.1', ask(method, '10.0.0.9').trim().split('\r\n'));
        await town.run(100);
      }
      const all = (one: string): string[] => [`200 SUBSCRIBE ${one}`, `202 REFER ${one}`, `NOTIFY ${one}`];
      assert.deepEqual(contacts(SERVER), all(contact));
      assert.deepEqual(contacts('10.0.0.9'), all('<sip:phone@10.0.0.1:5060>'));
      notifier.close();
    });
  }
});

describe('IMS style', () => {
  test('the first REGISTER names user and realm with an empty nonce and response; the challenge to it is answered (3GPP TS 24.229 §5.1.1.2)', async () => {
    const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER));
    registrar.users.set('201', 'secret');
    await registrar.start();
    const phone = await town.phone('10.0.0.1'), account = phone.agent.addAccount(options({ password: 'secret', imsRegister: true }));
    await town.run(100);
    const [first, second] = registrar.requests.map((r) => Object.fromEntries(parseCredentials(text(r.message, 'authorization')!)!.params));
    assert.deepEqual(first, { username: '201', realm: SERVER, nonce: '', uri: `sip:${SERVER}`, response: '' });
    assert.equal(second!['nonce'], 'n1');
    assert.equal(account.registration.state, 'registered');
  });

  test('403 to the empty one is no word on the password', async () => {
    const { account } = await bench({ password: 'secret', imsRegister: true }, () => ({ status: 403 }));
    assert.equal(account.registration.state === 'failed' && account.registration.why, 'not allowed');
  });

  test('the first of P-Associated-URI is who calls, where that is wanted (RFC 7315 §4.1, 3GPP TS 24.229 §5.1.1.2); REGISTER keeps the address of record', async () => {
    const lines: Headers = [['P-Associated-URI', '"Ann" <sip:+4912345@ims.example>, <tel:+4912345>']];
    for (const [more, from] of [[{ identity: 'associated', displayName: '' }, '"Ann" <sip:+4912345@ims.example>'], [{ identity: 'associated' }, '"Desk" <sip:+4912345@ims.example>'], [{}, `"Desk" <sip:201@${SERVER}>`]] as const) {
      const { call, last, account, town } = await bench(more, lines);
      assert.equal(text(await call(), 'from')!.replace(/;tag=.*/, ''), from);
      await town.run(1_000);
      account.refresh();
      await town.run(100);
      assert.equal(nameAddr(last(), 'from')!.uri, `sip:201@${SERVER}`);
    }
  });

  test('no P-Associated-URI, or one that is none, changes nothing', async () => {
    for (const lines of [[], [['P-Associated-URI', '<nonsense>']], [['P-Associated-URI', '']]] as Headers[]) {
      const { call } = await bench({ identity: 'associated' }, lines);
      assert.equal(nameAddr(await call(), 'from')!.uri, `sip:201@${SERVER}`);
    }
  });
});

describe('anonymous calls', () => {
  const seen = (m: Message) => ({ from: text(m, 'from')!.replace(/;tag=.*/, ''), privacy: text(m, 'privacy'), preferred: text(m, 'p-preferred-identity'), contact: text(m, 'contact') });
  const hidden = { from: '"Anonymous" <sip:anonymous@anonymous.invalid>', privacy: 'id', preferred: `"Desk" <sip:201@${SERVER}>`, contact: '<sip:10.0.0.1:5060>' };

  test('hide name, address and Contact, ask for Privacy: id, and tell the server alone who calls (RFC 3323 §4.1, RFC 3325 §9.2, §9.3)', async () => {
    const { call } = await bench({ anonymous: true });
    const invite = await call();
    assert.deepEqual(seen(invite), hidden);
    assert.ok(!invite.bytes.toString().replace(/^P-Preferred-Identity.*$/m, '').includes('201'), 'nowhere else');
  });

  test('are chosen per call as well, either way', async () => {
    assert.deepEqual(seen(await (await bench()).call({ anonymous: true })), hidden);
    const told = seen(await (await bench({ anonymous: true })).call({ anonymous: false }));
    assert.deepEqual(told, { from: `"Desk" <sip:201@${SERVER}>`, privacy: undefined, preferred: undefined, contact: '<sip:201@10.0.0.1:5060>' });
  });

  test('an anonymous call past every server tells nobody anything', async () => {
    const { call } = await bench();
    assert.deepEqual(seen(await call({ account: undefined as never, target: `sip:202@${EDGE}`, anonymous: true })), { ...hidden, preferred: undefined });
  });

  test('goes by the temporary GRUU, which names nobody and leads back all the same (RFC 5627 §4.4)', async () => {
    const temporary = `sip:tgruu.7hs==jd7vnzga5w7fajsc7@${SERVER};gr`;
    const { call } = await bench({ gruu: true }, (m) => ({ status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;pub-gruu="${GRUU}";temp-gruu="${temporary}";+sip.instance="<${INSTANCE}>"`]] }));
    assert.equal(text(await call({ anonymous: true }), 'contact'), `<${temporary}>`);
    assert.equal(text(await call(), 'contact'), `<${GRUU}>`);
  });

  test('does not use the public GRUU, which names the phone (RFC 5627 §4.4)', async () => {
    const { call } = await bench({ gruu: true, anonymous: true }, (m) => ({ status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;pub-gruu="${GRUU}";+sip.instance="<${INSTANCE}>"`]] }));
    assert.equal(text(await call(), 'contact'), hidden.contact);
  });
});

test('a registrar that proves not to know the password is no server of ours (RFC 7616 §3.5)', async () => {
  const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER));
  let good = false;
  registrar.users.set('201', 'secret');
  registrar.override = (m) => {
    const given = parseCredentials(text(m, 'authorization') ?? '')?.params;
    return given === undefined || good ? undefined
      : { status: 200, headers: [['Contact', text(m, 'contact')!], ['Authentication-Info', `rspauth="${'0'.repeat(32)}", cnonce="${given.get('cnonce')}", nc=${given.get('nc')}, qop=auth`]] };
  };
  await registrar.start();
  const phone = await town.phone('10.0.0.1'), account = phone.agent.addAccount(options({ password: 'secret' }));
  await town.run(1_000);
  assert.ok(account.registration.state === 'failed' && account.registration.detail.includes('does not know the password'));
  good = true;
  await town.run(5_000);
  assert.equal(account.registration.state, 'registered');
});

describe('380 Alternative Service (RFC 3261 §21.3.5)', () => {
  const IMS = ['Content-Type', 'application/3gpp-ims+xml'] as const;
  /** The server answers a call to 110 by 380 with these lines, and any other by 486. */
  const world = (...lines: Headers) => {
    const asked: Message[] = [];
    return bench({}, (m) => {
      if (m.method === 'INVITE') asked.push(m);
      return { status: 200, headers: [['Contact', `<${nameAddr(m, 'contact')!.uri}>;expires=600`]] };
    }).then((made) => {
      const { override } = made.registrar;
      made.registrar.override = (m) => m.method !== 'INVITE' ? override(m) : (asked.push(m), requestUri(m).startsWith('sip:110@') ? { status: 380, headers: [IMS, ...lines] } : { status: 486 });
      return { ...made, asked };
    });
  };

  test('that names an emergency service in Contact: the call is made anew to that service by the same server, which knows who helps (3GPP TS 24.229 §5.1.3.1, RFC 5031)', async () => {
    const { call, asked, phone, to } = await world(['Contact', '<urn:service:sos.police>']);
    await call({ target: '110', headers: [['Resource-Priority', 'esnet.0']] });
    assert.deepEqual(asked.map(requestUri), [`sip:110@${SERVER}`, 'urn:service:sos.police']);
    assert.equal(text(asked[1]!, 'resource-priority'), 'esnet.0');
    assert.equal(text(asked[1]!, 'call-id'), text(asked[0]!, 'call-id')); // RFC 3261 §8.1.3.4
    assert.equal(to(), SERVER);
    assert.deepEqual(phone.agent.calls, []);
  });

  test('that names an address: that is called; that names nothing we can call: the call ends with it', async () => {
    const sip = await world(['Contact', `<sip:leitstelle@${EDGE}>`]);
    await sip.call({ target: '110' });
    assert.deepEqual([requestUri(sip.asked[1]!), sip.to()], [`sip:leitstelle@${EDGE}`, SERVER]);
    for (const lines of [[], [['Contact', '<urn:nena:service:sos>']], [['Contact', '<http://help.example>']]] as Headers[]) {
      const { call, asked, phone } = await world(...lines);
      await call({ target: '110' });
      assert.equal(asked.length, 1);
      assert.deepEqual(phone.agent.calls, []);
    }
  });

  test('without a server nobody knows who is meant: the call ends with it', async () => {
    const town = new Town(), phone = await town.phone('10.0.0.1'), peer = await new Peer(town, EDGE).open();
    phone.agent.call({ target: `sip:110@${EDGE}`, offer: OFFER });
    await town.run(100);
    peer.answer(peer.last('INVITE'), 380, ['Contact: <urn:service:sos>']);
    await town.run(100);
    assert.equal(peer.count('INVITE'), 1);
    assert.deepEqual(phone.agent.calls, []);
  });
});
