import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { House, branchOf, requestUri, text, texts, user, type Peer } from './house.ts';
import { bodyOf } from '../../src/sip/message.ts';

let house: House;
let a: Peer, b: Peer, c: Peer;
beforeEach(async () => {
  house = new House();
  await house.start();
  a = await house.phone('201', '10.0.0.11');
  b = await house.phone('202', '10.0.0.12');
  c = await house.phone('203', '10.0.0.13');
});
afterEach(() => {
  house.exchange.close();
  house.clock.advance(10);
  expect(house.clock.pending, 'alarms left behind').toBe(0);
});

/** A call of `a` to b that is answered and acknowledged through the exchange. */
async function talking(): Promise<{ callId: string; routes: string[]; toTag: string }> {
  const { callId } = await a.call('202');
  b.respond(b.last('INVITE'), 200);
  await house.run();
  const ok = a.response(200);
  const routes = texts(ok, 'record-route').reverse();
  a.say('ACK', { uri: b.contact, callId, cseq: 90, to: text(ok, 'to')!, headers: routes.map((r) => `Route: ${r}`) });
  await house.run();
  return { callId, routes, toTag: text(ok, 'to')! };
}

describe('a call', () => {
  test('rings, is answered, is acknowledged, and ends, each message through the exchange (RFC 3261 §16)', async () => {
    const { callId, routes, toTag } = await talking();
    expect(b.requests().map((m) => m.method)).toEqual(['INVITE', 'ACK']);
    expect(requestUri(b.last('ACK'))).toBe(b.contact);
    a.say('BYE', { uri: b.contact, callId, to: toTag, headers: routes.map((r) => `Route: ${r}`) });
    await house.run();
    expect(texts(b.last('BYE'), 'route')).toEqual([]);
    b.respond(b.last('BYE'), 200);
    await house.run();
    expect(a.responses('BYE')).toEqual([200]);
    expect(house.log.lines.at(-1)).toMatchObject({ fact: 'exchange call', fields: { from: '201', to: '202', status: 200, by: '202' } });
  });

  test('what goes on is what came but for Via, Max-Forwards, Record-Route and the spent credentials (RFC 3261 §16.6)', async () => {
    await a.call('202', { headers: ['X-Odd:  kept \u00e4 ', 'Content-Type: application/sdp', `Contact: <${a.contact}>`, 'Subject: first', '  line', 'Proxy-Authorization: Digest realm="elsewhere", username="x"'], body: 'v=0\r\n' });
    const invite = b.last('INVITE');
    expect(requestUri(invite)).toBe(b.contact);
    expect(texts(invite, 'via')).toHaveLength(2);
    expect(texts(invite, 'via')[0]).toMatch(/^SIP\/2.0\/UDP 10.0.0.1:5070;branch=z9hG4bK/);
    expect(texts(invite, 'via')[1]).toMatch(/10\.0\.0\.11:5060;branch=[^;]+;rport=5060;received=10\.0\.0\.11$/); // §18.2.1, RFC 3581 §4
    expect(text(invite, 'max-forwards')).toBe('69');
    expect(texts(invite, 'record-route')).toEqual([expect.stringMatching(/^<sip:10\.0\.0\.1:5070;lr;oh=[\da-f]{16}>$/)]);
    expect(texts(invite, 'proxy-authorization')).toEqual(['Digest realm="elsewhere", username="x"']); // §22.3
    expect(invite.bytes.toString()).toContain('X-Odd:  kept \u00e4\r\n');
    expect(text(invite, 'subject')).toBe('first line');
    expect(bodyOf(invite).toString()).toBe('v=0\r\n');
    expect(text(invite, 'content-length')).toBe('5');
  });

  test('a request without Max-Forwards goes on with 70 (RFC 3261 §16.6 step 3)', async () => {
    const callId = 'no-max';
    a.credentials.forget();
    const lines = (more: string): string => [`INVITE sip:202@10.0.0.1:5070 SIP/2.0`, `Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK${more.length}`, 'From: <sip:201@10.0.0.1:5070>;tag=1', 'To: <sip:202@10.0.0.1:5070>', `Call-ID: ${callId}`, `CSeq: ${1 + more.length} INVITE`, `Contact: <${a.contact}>`, ...(more === '' ? [] : [more]), '', ''].join('\r\n');
    a.raw(lines(''));
    await house.run();
    a.credentials.learn(a.heard.find((m) => m.status === 407)!);
    a.raw(lines(a.credentials.headers('INVITE', 'sip:202@10.0.0.1:5070').map(([n, v]) => `${n}: ${v}`).join('\r\n')));
    await house.run();
    expect(text(b.last('INVITE'), 'max-forwards')).toBe('70');
  });

  test('180 and 183 come back without our Via, 100 is for the hop alone (RFC 3261 §16.7 steps 3 and 5)', async () => {
    await a.call('202');
    b.respond(b.last('INVITE'), 100);
    b.respond(b.last('INVITE'), 180);
    b.respond(b.last('INVITE'), 183);
    await house.run();
    expect(a.responses()).toEqual([180, 183]);
    expect(texts(a.response(180), 'via')).toEqual([expect.stringContaining('10.0.0.11:5060')]);
    b.respond(b.last('INVITE'), 486);
    await house.run();
    expect(a.responses()).toEqual([180, 183, 486]);
  });

  test('an INVITE that nobody answers at once gets 100 Trying from us within 200 ms (RFC 3261 §16.2, §17.2.1)', async () => {
    await a.call('202');
    await house.run(250);
    expect(a.heard.filter((m) => m.status === 100)).toHaveLength(1);
  });

  test('the ACK of a refusal goes from hop to hop, and none is passed on (RFC 3261 §17.1.1.3, §17.2.1)', async () => {
    const { callId } = await a.call('202');
    b.respond(b.last('INVITE'), 486);
    await house.run();
    expect(b.requests('ACK')).toHaveLength(1);
    const busy = a.response(486);
    a.say('ACK', { uri: 'sip:202@10.0.0.1:5070', callId, cseq: 2, branch: branchOf(busy), to: text(busy, 'to')! });
    await house.run(2_000);
    expect(b.requests('ACK')).toHaveLength(1);
    expect(a.responses()).toEqual([486]);
  });

  test('a repeated 2xx is passed on each time, and its ACK too (RFC 3261 §16.7 step 5, RFC 6026 §7.1)', async () => {
    const { callId } = await a.call('202');
    const invite = b.last('INVITE');
    for (let i = 0; i < 3; i++) {
      b.respond(invite, 200);
      await house.run();
    }
    expect(a.responses()).toEqual([200, 200, 200]);
    const routes = texts(a.response(200), 'record-route').map((r) => `Route: ${r}`);
    for (let i = 0; i < 2; i++) a.say('ACK', { uri: b.contact, callId, cseq: 2, branch: 'z9hG4bKsame', to: text(a.response(200), 'to')!, headers: routes });
    await house.run();
    expect(new Set(b.requests('ACK').map(branchOf)).size).toBe(1); // §16.11: the same ACK, the same branch
    expect(b.requests('ACK')).toHaveLength(2);
  });

  test('CANCEL is answered here and sent on with its reason; 487 comes home (RFC 3261 §16.10)', async () => {
    const { callId } = await a.call('202');
    b.respond(b.last('INVITE'), 180);
    await house.run();
    a.say('CANCEL', { uri: 'sip:202@10.0.0.1:5070', callId, cseq: 2, branch: branchOf(a.response(180)), headers: ['Reason: SIP;cause=487;text="changed my mind"'] });
    await house.run();
    expect(a.responses('CANCEL')).toEqual([200]);
    expect(branchOf(b.last('CANCEL'))).toBe(branchOf(b.last('INVITE')));
    expect(text(b.last('CANCEL'), 'reason')).toBe('SIP;cause=487;text="changed my mind"');
    b.respond(b.last('CANCEL'), 200);
    b.respond(b.last('INVITE'), 487);
    await house.run();
    expect(a.responses()).toEqual([180, 487]);
    expect(b.requests('ACK')).toHaveLength(1);
  });

  test('CANCEL before any answer is sent once one came (RFC 3261 §9.1)', async () => {
    const { callId } = await a.call('202');
    await house.run(250);
    a.say('CANCEL', { uri: 'sip:202@10.0.0.1:5070', callId, cseq: 2, branch: branchOf(a.heard.find((m) => m.status === 100)!) });
    await house.run();
    expect(b.requests('CANCEL')).toHaveLength(0);
    b.respond(b.last('INVITE'), 180);
    await house.run();
    expect(b.requests('CANCEL')).toHaveLength(1);
  });

  test('a CANCEL that belongs to nothing is 481: nothing is forwarded statelessly here (departs from RFC 3261 §16.10)', async () => {
    a.say('CANCEL', { uri: 'sip:202@10.0.0.1:5070', callId: 'nothing' });
    await house.run();
    expect(a.responses('CANCEL')).toEqual([481]);
    expect(b.requests()).toEqual([]);
  });

  test('timer C: a phone that rings for three minutes without a word is cancelled, each 18x starts it anew (RFC 3261 §16.6 step 11, §16.8)', async () => {
    await a.call('202');
    b.respond(b.last('INVITE'), 180);
    await house.clock.run(170_000, 500);
    b.respond(b.last('INVITE'), 180);
    await house.clock.run(180_000, 500);
    expect(b.requests('CANCEL')).toHaveLength(0);
    await house.clock.run(6_000, 500);
    expect(b.requests('CANCEL').length).toBeGreaterThan(0);
    b.respond(b.last('INVITE'), 487);
    await house.run();
    expect(a.responses().at(-1)).toBe(487);
  });

  test('a phone that is silent for 32 s counts as 408, one that refuses packets as 500 (RFC 3261 §16.8, §16.9)', async () => {
    b.close();
    await a.call('202');
    await house.run(100);
    expect(a.responses()).toEqual([500]);
    a.forget();
    await a.call('203');
    await house.clock.run(33_000, 100);
    expect(a.responses()).toContain(408);
  });

  test('a silent phone is no 408 to another request than INVITE: that would come too late (RFC 4320 §4.2)', async () => {
    await a.ask('MESSAGE', { uri: 'sip:202@10.0.0.1:5070', body: 'hello' }).catch(() => undefined);
    await house.clock.run(40_000, 100);
    expect(b.requests('MESSAGE').length).toBeGreaterThan(1);
    expect(a.responses('MESSAGE')).toEqual([]);
  });
});

describe('who may', () => {
  test.each(['INVITE', 'MESSAGE', 'SUBSCRIBE', 'OPTIONS', 'REFER', 'PUBLISH'])('%s to a number is challenged with 407 (RFC 3261 §22.3)', async (method) => {
    const stranger = await house.peer('666', '10.0.0.66');
    stranger.say(method, { uri: 'sip:202@10.0.0.1:5070' });
    await house.run();
    expect(stranger.heard.map((m) => m.status)).toEqual([407]);
    expect(stranger.response(407, method).bytes.toString().match(/Proxy-Authenticate: Digest realm="offhook", nonce="[\da-f]+", algorithm=[\w-]+/g)).toHaveLength(2);
    expect(b.requests()).toEqual([]);
  });

  test('an unknown caller, a wrong password and a stranger with a known number do not ring', async () => {
    const stranger = await house.peer('666', '10.0.0.66');
    expect((await stranger.call('202')).reply?.status).toBe(407);
    stranger.credentials = a.credentials;
    a.credentials.forget();
    expect((await stranger.call('202')).reply?.status).toBe(403); // a's password, but From says 666
    a.usePassword('guess');
    expect((await a.call('202')).reply?.status).toBe(407);
    expect(b.requests()).toEqual([]);
    expect(house.log.lines.filter((l) => l.fact === 'exchange refused').length).toBeGreaterThan(0);
  });

  test('nobody calls in another one\'s name', async () => {
    const { reply } = await a.call('202', { from: '<sip:203@10.0.0.1:5070>;tag=x' });
    expect([reply?.status, b.requests()]).toEqual([403, []]);
    expect((await a.call('202', { from: '<sip:201@example.org>;tag=x' })).reply?.status).toBe(403);
  });

  test('who proved it is asserted, what a phone claims for itself is taken off, both ways (RFC 3325 §5)', async () => {
    house.users = house.users.map((u) => (u.user === '201' ? user('201', { displayName: 'Hall "up"' }) : u));
    await a.call('202', { headers: [`Contact: <${a.contact}>`, 'P-Asserted-Identity: <sip:boss@10.0.0.1>', 'P-Preferred-Identity: <sip:boss@10.0.0.1>'] });
    const invite = b.last('INVITE');
    expect(texts(invite, 'p-asserted-identity')).toEqual(['"Hall \\"up\\"" <sip:201@10.0.0.1>']);
    expect(texts(invite, 'p-preferred-identity')).toEqual([]);
    b.respond(invite, 180, [['P-Asserted-Identity', '<sip:boss@10.0.0.1>']]);
    await house.run();
    expect(texts(a.response(180), 'p-asserted-identity')).toEqual([]);
  });

  test('Privacy: id keeps the identity here (RFC 3325 §7)', async () => {
    await a.call('202', { headers: [`Contact: <${a.contact}>`, 'Privacy: id'] });
    expect(texts(b.last('INVITE'), 'p-asserted-identity')).toEqual([]);
  });

  test('no relay: neither by Request-URI, nor by Route, nor by a made-up Record-Route of ours', async () => {
    const far = await house.peer('far', '10.0.0.99');
    for (const said of [
      { uri: 'sip:far@10.0.0.99' }, { uri: 'sip:202@10.0.0.1:5070', headers: [`Contact: <${a.contact}>`, 'Route: <sip:10.0.0.99;lr>'] },
      { uri: 'sip:far@10.0.0.99', headers: [`Contact: <${a.contact}>`, 'Route: <sip:10.0.0.1:5070;lr>'] },
      { uri: 'sip:far@10.0.0.99', to: '<sip:far@10.0.0.99>;tag=t', headers: [`Contact: <${a.contact}>`, 'Route: <sip:10.0.0.1:5070;lr;oh=0123456789abcdef>'] },
    ]) expect((await a.ask('INVITE', said)).status).toBe(403);
    const stranger = await house.peer('666', '10.0.0.66');
    for (const method of ['INVITE', 'BYE', 'MESSAGE']) {
      stranger.say(method, { uri: 'sip:far@10.0.0.99', to: '<sip:far@10.0.0.99>;tag=t', headers: ['Route: <sip:10.0.0.1:5070;lr;oh=0123456789abcdef>', 'Route: <sip:10.0.0.99;lr>'] });
    }
    stranger.say('ACK', { uri: 'sip:far@10.0.0.99', to: '<sip:far@10.0.0.99>;tag=t', headers: ['Route: <sip:10.0.0.1:5070;lr;oh=0123456789abcdef>'] });
    await house.run(50);
    expect(far.heard).toEqual([]);
    expect(stranger.heard.every((m) => m.status === 407)).toBe(true);
  });

  test('the seal of one dialog opens no other, and none without a tag in To', async () => {
    const { routes, toTag } = await talking();
    const stranger = await house.peer('666', '10.0.0.66');
    const far = await house.peer('far', '10.0.0.99');
    stranger.say('BYE', { uri: 'sip:far@10.0.0.99', callId: 'another', to: toTag, headers: routes.map((r) => `Route: ${r}`) });
    await house.run();
    expect([far.heard, stranger.heard.map((m) => m.status)]).toEqual([[], [407]]);
    const { callId } = await talking();
    stranger.forget();
    stranger.say('INVITE', { uri: 'sip:far@10.0.0.99', callId, headers: texts(b.last('INVITE'), 'record-route').map((r) => `Route: ${r}`) });
    await house.run();
    expect([far.heard, stranger.heard.map((m) => m.status)]).toEqual([[], [407]]);
  });

  test('a number that does not exist is 404, one that is not registered 480 (RFC 3261 §16.5)', async () => {
    expect((await a.call('999')).reply?.status).toBe(404);
    expect((await a.call('204')).reply?.status).toBe(480);
  });

  test('OPTIONS to the exchange itself is answered, anything else to it is not (RFC 3261 §11.2)', async () => {
    const stranger = await house.peer('666', '10.0.0.66');
    stranger.say('OPTIONS', { maxForwards: 0 });
    stranger.say('MESSAGE');
    stranger.say('INVITE');
    await house.run();
    expect(stranger.heard.map((m) => m.status)).toEqual([200, 405, 404]);
    expect(text(stranger.response(200, 'OPTIONS'), 'allow')).toBe('OPTIONS, REGISTER');
  });
});

describe('checks of a proxy', () => {
  test('Max-Forwards 0 is 483 (RFC 3261 §16.3 step 3)', async () => {
    a.say('INVITE', { uri: 'sip:202@10.0.0.1:5070', maxForwards: 0 });
    await house.run();
    expect([a.responses(), b.requests()]).toEqual([[483], []]);
  });

  test('the same request back again is a loop: 482 (RFC 3261 §16.3 step 4)', async () => {
    await a.call('202');
    const invite = b.last('INVITE');
    const back = invite.bytes.toString().replace(/^INVITE \S+/, 'INVITE sip:202@10.0.0.1:5070').replace('Via: ', 'Via: SIP/2.0/UDP 10.0.0.12:5060;branch=z9hG4bKback\r\nVia: ').replace(/Record-Route.*\r\n/, '').replace('Max-Forwards: 69', 'Max-Forwards: 68');
    b.forget();
    b.raw(back);
    await house.run();
    expect(b.responses()).toEqual([482]);
  });

  test('with another Request-URI it is a spiral, and only asks who it is (RFC 5393 §4.2)', async () => {
    await a.call('202');
    const back = b.last('INVITE').bytes.toString().replace(/^INVITE \S+/, 'INVITE sip:203@10.0.0.1:5070').replace('Via: ', 'Via: SIP/2.0/UDP 10.0.0.12:5060;branch=z9hG4bKback\r\nVia: ').replace(/Record-Route.*\r\n/, '');
    b.forget();
    b.raw(back);
    await house.run();
    expect(b.heard.map((m) => m.status)).toEqual([407]);
  });

  test('Proxy-Require is 420 with what is not known (RFC 3261 §16.3 step 5)', async () => {
    a.say('INVITE', { uri: 'sip:202@10.0.0.1:5070', headers: [`Contact: <${a.contact}>`, 'Proxy-Require: sec-agree, x'] });
    await house.run();
    expect(text(a.response(420), 'unsupported')).toBe('sec-agree, x');
  });

  test('a scheme that is not ours is 416, an unknown method goes on (RFC 3261 §16.3 steps 1 and 2)', async () => {
    a.say('INVITE', { uri: 'http://example.org' });
    await house.run();
    expect(a.responses()).toEqual([416]);
    await a.ask('NEWMETHOD', { uri: 'sip:202@10.0.0.1:5070' }).catch(() => undefined);
    expect(b.last('NEWMETHOD').method).toBe('NEWMETHOD');
  });

  test('tel: numbers are numbers of ours (RFC 3966)', async () => {
    await a.call('202', { uri: 'tel:2-0-2;phone-context=10.0.0.1' });
    expect(b.requests('INVITE')).toHaveLength(1);
  });

  test('no Max-Breadth left is 440, else it is shared among the branches (RFC 5393 §5.3.3)', async () => {
    expect((await a.call('202', { headers: [`Contact: <${a.contact}>`, 'Max-Breadth: 0'] })).reply?.status).toBe(440);
    house.groups = [{ number: '200', members: ['202', '203'], ring: 'all' }];
    await a.call('200', { headers: [`Contact: <${a.contact}>`, 'Max-Breadth: 9'] });
    expect([text(b.last('INVITE'), 'max-breadth'), text(c.last('INVITE'), 'max-breadth')]).toEqual(['4', '4']);
  });
});

describe('routes', () => {
  test('a request in the dialog follows its route from either side (RFC 3261 §16.4, §16.12)', async () => {
    const { callId } = await talking();
    const invite = b.last('INVITE');
    b.say('INFO', { uri: a.contact, callId, from: `${text(invite, 'to')!};tag=202answer`, to: text(invite, 'from')!, headers: texts(invite, 'record-route').map((r) => `Route: ${r}`) });
    await house.run();
    expect(requestUri(a.last('INFO'))).toBe(a.contact);
    expect(texts(a.last('INFO'), 'route')).toEqual([]);
    a.respond(a.last('INFO'), 200);
    await house.run();
    expect(b.responses('INFO')).toEqual([200]);
  });

  test('a strict router\'s request is put right: our Record-Route as Request-URI, the target last in Route (RFC 3261 §16.4)', async () => {
    const { callId, routes, toTag } = await talking();
    a.say('BYE', { uri: routes[0]!.slice(1, -1), callId, to: toTag, headers: [`Route: <${b.contact}>`] });
    await house.run();
    expect([requestUri(b.last('BYE')), texts(b.last('BYE'), 'route')]).toEqual([b.contact, []]);
  });

  test('a next hop without lr gets the request as a strict router wants it (RFC 3261 §16.6 step 6)', async () => {
    const { callId, routes, toTag } = await talking();
    const strict = await house.peer('strict', '10.0.0.40');
    a.say('BYE', { uri: b.contact, callId, to: toTag, headers: [...routes.map((r) => `Route: ${r}`), 'Route: <sip:10.0.0.40>, <sip:10.0.0.41;lr>'] });
    await house.run();
    expect([requestUri(strict.last('BYE')), texts(strict.last('BYE'), 'route')]).toEqual(['sip:10.0.0.40', ['<sip:10.0.0.41;lr>', `<${b.contact}>`]]);
  });

  test('further Route values stay, and the first of them is where it goes (RFC 3261 §16.6 step 7)', async () => {
    const { callId, routes, toTag } = await talking();
    const next = await house.peer('next', '10.0.0.40');
    a.say('BYE', { uri: b.contact, callId, to: toTag, headers: [...routes.map((r) => `Route: ${r}`), 'Route: <sip:10.0.0.40;lr>'] });
    await house.run();
    expect([requestUri(next.last('BYE')), texts(next.last('BYE'), 'route')]).toEqual([b.contact, ['<sip:10.0.0.40;lr>']]);
  });

  test('where the transports differ we stand in the route twice, once for each side (RFC 3261 §16.6 step 4, RFC 5658)', async () => {
    const d = await house.phone('204', '10.0.0.14', 5060, 'tcp');
    const { callId } = await a.call('204');
    const invite = d.last('INVITE');
    expect(texts(invite, 'via')[0]).toMatch(/^SIP\/2\.0\/TCP /);
    expect(texts(invite, 'record-route')).toEqual([expect.stringMatching(/^<sip:10\.0\.0\.1:5070;transport=tcp;lr;oh=/), expect.stringMatching(/^<sip:10\.0\.0\.1:5070;lr;oh=/)]);
    d.respond(invite, 200);
    await house.run();
    const ok = a.response(200);
    a.say('ACK', { uri: d.contact, callId, cseq: 2, to: text(ok, 'to')!, headers: texts(ok, 'record-route').reverse().map((r) => `Route: ${r}`) });
    await house.run();
    expect(texts(d.last('ACK'), 'route')).toEqual([]);
    d.say('BYE', { uri: a.contact, callId, from: `${text(invite, 'to')!};tag=204answer`, to: text(invite, 'from')!, headers: texts(invite, 'record-route').map((r) => `Route: ${r}`) });
    await house.run();
    expect(requestUri(a.last('BYE'))).toBe(a.contact);
  });

  test('a phone over TCP is reached by the connection it keeps (RFC 5626 §5.3)', async () => {
    const d = await house.phone('204', '10.0.0.14', 5060, 'tcp', '<sip:204@192.168.77.7:5060;transport=tcp>');
    await a.call('204');
    expect(requestUri(d.last('INVITE'))).toBe('sip:204@192.168.77.7:5060;transport=tcp');
  });

  test('a phone behind a NAT is reached where its registration came from', async () => {
    const d = await house.phone('204', '10.0.0.14', 40_123, 'udp', '<sip:204@192.168.77.7:5060>');
    const { callId } = await a.call('204');
    expect(requestUri(d.last('INVITE'))).toBe('sip:204@192.168.77.7:5060');
    d.raw(d.last('INVITE').bytes.toString().replace(/^INVITE[^]*$/, '')); // nothing: an empty datagram keeps the way open
    d.respond(d.last('INVITE'), 200, [['Contact', '<sip:204@192.168.77.7:5060>']]);
    await house.run();
    a.say('ACK', { uri: 'sip:204@192.168.77.7:5060', callId, cseq: 2, to: text(a.response(200), 'to')!, headers: texts(a.response(200), 'record-route').map((r) => `Route: ${r}`) });
    await house.run();
    expect(d.requests('ACK')).toHaveLength(1);
  });

  test('a Contact with another port at the same address is where it is reached', async () => {
    const d = await house.peer('204', '10.0.0.14', 40_123);
    const bell = await house.peer('204', '10.0.0.14', 5060);
    await d.register({ contact: '<sip:204@10.0.0.14:5060>' });
    await a.call('204');
    expect([bell.requests('INVITE').length, d.requests('INVITE').length]).toEqual([1, 0]);
  });

  test('a phone with a Path gets its requests by it (RFC 3327 §5.1)', async () => {
    const edge = await house.peer('edge', '10.0.0.30');
    await c.register({ headers: ['Supported: path', 'Path: <sip:10.0.0.30;lr>'] });
    await a.call('203');
    expect([requestUri(edge.last('INVITE')), texts(edge.last('INVITE'), 'route')]).toEqual([c.contact, ['<sip:10.0.0.30;lr>']]);
  });

  test('a lost flow that cannot be opened anew is 430 (RFC 5626 §5.3.1)', async () => {
    const d = await house.phone('204', '10.0.0.14', 5060, 'tcp');
    const { callId } = await a.call('204');
    d.respond(d.last('INVITE'), 200);
    await house.run();
    d.close();
    await house.run();
    const ok = a.response(200);
    a.say('BYE', { uri: 'sip:204@phone.invalid', callId, to: text(ok, 'to')!, headers: texts(ok, 'record-route').reverse().map((r) => `Route: ${r}`) });
    await house.run();
    expect(a.responses('BYE')).toEqual([430]);
  });

  test('the very phone is called by its Contact, as attended transfer does (RFC 3891 §3)', async () => {
    await a.call('202', { uri: b.contact });
    expect(b.requests('INVITE')).toHaveLength(1);
  });

  test.each(['MESSAGE', 'SUBSCRIBE', 'REFER', 'OPTIONS', 'PUBLISH', 'NOTIFY'])('%s is relayed between users, and its answer comes back', async (method) => {
    await a.ask(method, { uri: 'sip:202@10.0.0.1:5070', body: 'x' }).catch(() => undefined);
    b.respond(b.last(method), 202);
    await house.run();
    expect(a.responses(method)).toEqual([202]);
    expect(texts(b.last(method), 'record-route')).toHaveLength(['SUBSCRIBE', 'REFER', 'NOTIFY'].includes(method) ? 1 : 0);
  });

  test('with a domain in the settings that is the realm, and numbers stand behind it', async () => {
    house.domain = 'home.example';
    await a.call('202', { uri: 'sip:202@home.example', from: '<sip:201@home.example>;tag=x' });
    expect(texts(b.last('INVITE'), 'p-asserted-identity')).toEqual(['<sip:201@home.example>']);
    expect(a.heard.find((m) => m.status === 407)!.bytes.toString()).toContain('realm="home.example"');
  });
});

test.each([
  ['a Via of spaces', `Via: SIP/2.0/UDP${' '.repeat(60_000)}10.0.0.66`], ['a Route of brackets', `Route: ${'<'.repeat(60_000)}`], ['a Contact of brackets', `Contact: ${'<a'.repeat(30_000)}`],
])('%s in a stranger\'s datagram is read in a moment: it does not keep calls waiting', async (_, line) => {
  const stranger = await house.peer('66', '10.0.0.66'), before = process.cpuUsage();
  stranger.say('REGISTER', { headers: [line] });
  await house.run();
  const { user: us, system } = process.cpuUsage(before);
  expect((us + system) / 1_000, 'ms of the processor').toBeLessThan(800);
});
