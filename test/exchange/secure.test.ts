// TLS and WebSocket at the exchange: phones of every transport call one another, and what is for a sips: address is never sent in clear.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { House, requestUri, text, texts, user, type Carrier, type Peer } from './house.ts';

let house: House;
beforeEach(async () => {
  house = new House(true);
  await house.start();
});
afterEach(() => {
  house.exchange.close();
  house.clock.advance(10);
  expect(house.clock.pending, 'alarms left behind').toBe(0);
});

const CARRIERS: readonly Carrier[] = ['udp', 'tcp', 'tls', 'ws', 'wss'];
const seal = (text: string | undefined): string => String(text).replace(/oh=[\da-f]{16}/, 'oh=*');
const ROUTE: Readonly<Record<Carrier, string>> = {
  udp: '<sip:10.0.0.1:5070;lr;oh=*>', tcp: '<sip:10.0.0.1:5070;transport=tcp;lr;oh=*>', tls: '<sip:10.0.0.1:5071;transport=tls;lr;oh=*>', ws: '<sip:10.0.0.1:5080;transport=ws;lr;oh=*>', wss: '<sip:10.0.0.1:5081;transport=ws;lr;oh=*>',
};
const VIA: Readonly<Record<Carrier, RegExp>> = {
  udp: /^SIP\/2\.0\/UDP 10\.0\.0\.1:5070;/, tcp: /^SIP\/2\.0\/TCP 10\.0\.0\.1:5070;/, tls: /^SIP\/2\.0\/TLS 10\.0\.0\.1:5071;/, ws: /^SIP\/2\.0\/WS 10\.0\.0\.1:5080;/, wss: /^SIP\/2\.0\/WSS 10\.0\.0\.1:5081;/,
};

/** A call that is answered, acknowledged, and ended by the one who was called, all by its routes. */
async function talk(a: Peer, b: Peer, uri = `sip:${b.name}@10.0.0.1`): Promise<{ readonly callId: string; readonly toTag: string; readonly routes: readonly string[] }> {
  const { callId } = await a.call(b.name, { uri });
  b.respond(b.last('INVITE'), 200);
  await house.run();
  const ok = a.response(200), toTag = text(ok, 'to')!, routes = texts(ok, 'record-route');
  a.say('ACK', { uri: b.contact, callId, cseq: 90, to: toTag, headers: [...routes].reverse().map((r) => `Route: ${r}`) });
  await house.run();
  b.say('BYE', { uri: a.contact, callId, from: toTag, to: text(ok, 'from')!, headers: routes.map((r) => `Route: ${r}`) });
  await house.run();
  return { callId, toTag, routes };
}

describe('calls', () => {
  for (const from of CARRIERS) {
    for (const to of CARRIERS.filter((t) => t !== 'udp' || from !== 'udp')) {
      test(`from ${from} to ${to} pass, with a Record-Route for each side where they differ (RFC 3261 §16.6 step 4, RFC 5658, RFC 7118 §5.2)`, async () => {
        const a = await house.phone('201', '10.0.0.11', 5060, from), b = await house.phone('202', '10.0.0.12', 5062, to);
        await talk(a, b);
        const invite = b.requests('INVITE')[0]!;
        expect(text(invite, 'via')).toMatch(VIA[to]);
        expect(texts(invite, 'record-route').map(seal)).toEqual(from === to ? [ROUTE[to]] : [ROUTE[to], ROUTE[from]]);
        expect(b.requests().map((m) => m.method)).toEqual(['INVITE', 'ACK']);
        expect(requestUri(b.last('ACK'))).toBe(b.contact);
        expect(text(a.last('BYE'), 'via')).toMatch(VIA[from]);
        expect(texts(a.last('BYE'), 'route')).toEqual([]);
      });
    }
  }

  test('a phone in a browser, whose Contact leads nowhere, is reached over its connection (RFC 7118 §5, RFC 5626 §5.3)', async () => {
    const a = await house.phone('201', '10.0.0.11'), b = await house.peer('202', '10.0.0.12', 5062, 'wss');
    b.own = 'sip:q7x@df7jal23ls0d.invalid;transport=ws';
    expect((await b.register()).status).toBe(200);
    b.forget();
    await talk(a, b);
    expect(b.requests().map((m) => m.method)).toEqual(['INVITE', 'ACK']);
    expect(requestUri(b.last('INVITE'))).toBe(b.own);
  });

  test('a caller over TLS who is not registered is reached inside his call where his Contact is his end of the connection', async () => {
    const a = await house.peer('201', '10.0.0.11', 5060, 'tls'), b = await house.phone('202', '10.0.0.12');
    a.own = `sip:201@10.0.0.11:${a.stream!.local.port};transport=tls`;
    await talk(a, b);
    expect(a.requests('BYE')).toHaveLength(1);
  });
});

describe('a phone over TLS', () => {
  test('is reached over its connection alone: one that is gone is not opened, nor does anything go in clear', async () => {
    const a = await house.phone('201', '10.0.0.11'), b = await house.phone('202', '10.0.0.12', 5060, 'tls', '<sip:202@10.0.0.12:5060>');
    await house.peer('202', '10.0.0.12', 5060, 'udp'); // it would take it there
    const before = house.wire.ways.length;
    b.close();
    await house.run();
    expect(house.log.lines.at(-1)).toMatchObject({ fact: 'exchange unregistered', fields: { user: '202', why: 'connection lost' } });
    const { reply } = await a.call('202');
    expect([reply?.status, text(reply!, 'warning')]).toEqual([480, undefined]);
    expect(house.wire.ways).toHaveLength(before);
    expect(house.wire.sent.filter((s) => s.to.host === '10.0.0.12')).toEqual([]);
  });

  test('comes again over a new connection, which calls go over from then on (RFC 5626 §5.3)', async () => {
    const a = await house.phone('201', '10.0.0.11'), b = await house.phone('202', '10.0.0.12', 5060, 'tls');
    const { stream } = b, before = b.contact;
    await b.open();
    expect((await b.register()).status).toBe(200);
    stream!.close();
    await house.run();
    b.forget();
    await a.call('202');
    expect(requestUri(b.last('INVITE'))).toBe(before);
    expect(house.exchange.status().users[1]!.phones).toEqual([expect.objectContaining({ transport: 'tls', address: `10.0.0.12:${b.stream!.local.port}` })]);
  });

  test('is not there after a restart until it comes again; those over UDP are', async () => {
    const a = await house.phone('201', '10.0.0.11');
    await house.phone('202', '10.0.0.12', 5060, 'tls');
    await house.restart();
    expect(house.exchange.status().users.map((u) => u.phones.length)).toEqual([1, 0, 0, 0]);
    expect((await a.call('202')).reply?.status).toBe(480);
  });

  test('counts among the 64 connections: beyond them the one that was silent longest is closed', async () => {
    house.users = Array.from({ length: 66 }, (_, i) => user(`${201 + i}`));
    const all: Peer[] = [];
    for (let i = 0; i < 66; i++) all.push(await house.phone(`${201 + i}`, `10.0.1.${1 + i}`, 5060, (['tcp', 'tls', 'wss'] as const)[i % 3]));
    expect(all.filter((p) => p.closed).map((p) => p.name)).toEqual(['201', '202']);
  });
});

describe('sips:', () => {
  /** A Contact that is secure, as a phone over TLS may have. */
  const SIPS = '<sips:202@10.0.0.12:5062>';

  test('a call goes over TLS on both sides, with one sips: Record-Route, and so does all inside it (RFC 3261 §16.6 step 4, §26.2.2)', async () => {
    const a = await house.phone('201', '10.0.0.11', 5060, 'tls'), b = await house.phone('202', '10.0.0.12', 5062, 'tls');
    a.own = 'sips:201@10.0.0.11:5060';
    await a.call('202', { uri: 'sips:202@10.0.0.1' });
    expect(requestUri(b.last('INVITE')), 'with the scheme of the request').toBe('sips:202@10.0.0.12:5062');
    expect(texts(b.last('INVITE'), 'record-route').map(seal)).toEqual(['<sips:10.0.0.1:5071;lr;oh=*>']);
    b.own = 'sips:202@10.0.0.12:5062';
    const { routes } = await talk(a, b, 'sips:202@10.0.0.1');
    expect(routes.map(seal)).toEqual(['<sips:10.0.0.1:5071;lr;oh=*>']);
    expect(b.requests('ACK')).toHaveLength(1);
    expect(a.requests('BYE')).toHaveLength(1);
  });

  test('a phone over WebSocket and TLS is secure too', async () => {
    const a = await house.phone('201', '10.0.0.11', 5060, 'tls'), b = await house.phone('202', '10.0.0.12', 5062, 'wss');
    await a.call('202', { uri: 'sips:202@10.0.0.1:5071' });
    expect(requestUri(b.last('INVITE'))).toBe('sips:202@10.0.0.12:5062;transport=ws');
    expect(texts(b.last('INVITE'), 'record-route').map(seal)).toEqual(['<sips:10.0.0.1:5081;transport=ws;lr;oh=*>', '<sips:10.0.0.1:5071;lr;oh=*>']);
  });

  test.each(['udp', 'tcp', 'ws'] as const)('a phone over %s is not called by one: 480 with the reason (RFC 5630 §5.3)', async (carrier) => {
    const a = await house.phone('201', '10.0.0.11', 5060, 'tls'), b = await house.phone('202', '10.0.0.12', 5062, carrier);
    const { reply } = await a.call('202', { uri: 'sips:202@10.0.0.1' });
    expect([reply?.status, text(reply!, 'warning')]).toEqual([480, '380 offhook "SIPS Not Allowed"']);
    expect((await a.call('', { uri: `sips:202@10.0.0.12:5062${carrier === 'ws' ? ';transport=ws' : ''}` })).reply?.status, 'nor by its Contact').not.toBe(200);
    expect(b.heard).toEqual([]);
  });

  test('of a group only those ring who are reached securely; forwards go on', async () => {
    house.groups = [{ number: '200', members: ['202', '203'], ring: 'all' }];
    house.users = house.users.map((u) => (u.user === '204' ? user('204', { noAnswerForward: '203' }) : u));
    const a = await house.phone('201', '10.0.0.11', 5060, 'tls'), b = await house.phone('202', '10.0.0.12'), c = await house.phone('203', '10.0.0.13', 5060, 'tls');
    await house.phone('204', '10.0.0.14');
    await a.call('200', { uri: 'sips:200@10.0.0.1' });
    await a.call('204', { uri: 'sips:204@10.0.0.1' });
    expect([b.requests('INVITE').length, c.requests('INVITE').length]).toEqual([0, 2]);
  });

  test('what came in clear is refused, in a dialog as well (RFC 3261 §26.2.2)', async () => {
    const a = await house.phone('201', '10.0.0.11'), b = await house.phone('202', '10.0.0.12', 5062, 'tls');
    expect((await a.call('202', { uri: 'sips:202@10.0.0.1' })).reply?.status).toBe(403);
    const caller = await house.phone('203', '10.0.0.13', 5060, 'tls');
    caller.own = 'sips:203@10.0.0.13:5060';
    b.own = 'sips:202@10.0.0.12:5062';
    const { callId, toTag, routes } = await talk(caller, b, 'sips:202@10.0.0.1');
    b.forget();
    for (const method of ['BYE', 'ACK']) a.say(method, { uri: b.contact, callId, to: toTag, headers: routes.map((r) => `Route: ${r}`) });
    await house.run();
    expect(a.responses('BYE')).toEqual([403]);
    expect(b.heard).toEqual([]);
  });

  test('inside a dialog nothing for a sips: target goes on in clear, neither to an address nor by a further Route', async () => {
    const a = await house.phone('201', '10.0.0.11', 5060, 'tls'), b = await house.phone('202', '10.0.0.12', 5062, 'tls'), c = await house.phone('203', '10.0.0.13');
    a.own = 'sips:201@10.0.0.11:5060';
    b.own = 'sips:202@10.0.0.12:5062';
    const { callId, toTag, routes } = await talk(a, b, 'sips:202@10.0.0.1'), sent = house.wire.sent.length;
    for (const [uri, more] of [['sips:203@10.0.0.13:5060', []], [b.contact, ['Route: <sip:10.0.0.13:5060;lr>']]] as const) {
      a.forget();
      a.say('INFO', { uri, callId, to: toTag, headers: [...routes.map((r) => `Route: ${r}`), ...more] });
      await house.run();
      expect(a.responses('INFO')).toEqual([430]);
    }
    expect(house.wire.sent).toHaveLength(sent);
    expect(c.heard).toEqual([]);
  });

  test('a phone that registered a sips: Contact is called by a sip: address over its connection, and by that scheme (RFC 5630 §5.3)', async () => {
    const a = await house.phone('201', '10.0.0.11'), b = await house.peer('202', '10.0.0.12', 5062, 'tls');
    expect((await b.register({ uri: 'sips:10.0.0.1:5071', contact: SIPS })).status).toBe(200);
    b.forget();
    await a.call('202');
    expect(requestUri(b.last('INVITE'))).toBe('sip:202@10.0.0.12:5062;transport=tls');
  });

  test.each([
    ['to a sip: address', 'tls', 'sip:10.0.0.1:5071', []], ['with a Path in clear', 'tls', 'sips:10.0.0.1:5071', ['Path: <sip:10.0.0.99;lr>']],
  ] as const)('a sips: Contact %s is refused by 400 (RFC 5630 §5.2)', async (_, carrier, uri, headers) => {
    const b = await house.peer('202', '10.0.0.12', 5062, carrier);
    expect((await b.register({ uri, contact: SIPS, headers })).status).toBe(400);
    expect(house.exchange.status().users[1]!.phones).toEqual([]);
  });

  test('an exchange without TLS has no such scheme: 416 (RFC 3261 §16.3 step 2)', async () => {
    const plain = new House();
    await plain.start();
    const a = await plain.phone('201', '10.0.0.11');
    await plain.phone('202', '10.0.0.12');
    expect((await a.call('202', { uri: 'sips:202@10.0.0.1' })).reply?.status).toBe(416);
    plain.exchange.close();
  });
});

test('its ports are told: what is open besides UDP and TCP', () => {
  expect(house.exchange.status().doors).toEqual([{ transport: 'tls', port: 5071 }, { transport: 'ws', port: 5080 }, { transport: 'wss', port: 5081 }]);
});

test.each([5071, 5081])('a stranger over an encrypted connection to port %i is a stranger all the same', async (port) => {
  const stranger = await house.peer('nobody', '10.0.0.9', 5060, port === 5071 ? 'tls' : 'wss'), b = await house.phone('202', '10.0.0.12', 5062, 'tls');
  expect((await stranger.call('202')).reply?.status).toBe(407);
  expect(b.heard).toEqual([]);
});
