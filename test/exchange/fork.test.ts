import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { House, branchOf, text, texts, user, type Peer } from './house.ts';

let house: House;
let a: Peer, b: Peer, c: Peer, d: Peer;
beforeEach(async () => {
  house = new House();
  house.groups = [{ number: '200', members: ['201', '202', '203', '204'], ring: 'all' }, { number: '210', members: ['202', '203'], ring: 'in turn' }];
  await house.start();
  a = await house.phone('201', '10.0.0.11');
  b = await house.phone('202', '10.0.0.12');
  c = await house.phone('203', '10.0.0.13');
  d = await house.phone('204', '10.0.0.14', 5060, 'tcp');
});
afterEach(() => {
  house.exchange.close();
  house.clock.advance(10);
  expect(house.clock.pending, 'alarms left behind').toBe(0);
});

const rung = (): string => [a, b, c, d].filter((p) => p.requests('INVITE').length > 0).map((p) => p.name).join(' ');
async function answer(phone: Peer, status: number, ...rest: [Parameters<Peer['respond']>[2]?]): Promise<void> {
  phone.respond(phone.last('INVITE'), status, ...rest);
  await house.run();
}
const settings = (name: string, more: Parameters<typeof user>[1]): void => { house.users = house.users.map((u) => (u.user === name ? user(name, more) : u)); };

describe('several phones at once', () => {
  test('a group rings all its members but the caller, over UDP and TCP, in branches of their own (RFC 3261 §16.6)', async () => {
    await a.call('200');
    expect(rung()).toBe('202 203 204');
    expect(new Set([b, c, d].map((p) => branchOf(p.last('INVITE')))).size).toBe(3);
  });

  test('all phones of one user ring', async () => {
    const second = await house.phone('202', '10.0.0.22');
    await a.call('202');
    expect([b.requests('INVITE').length, second.requests('INVITE').length]).toEqual([1, 1]);
  });

  test('the first who answers has the call; the others are cancelled, with the reason that makes it no missed call (RFC 3261 §16.7 step 10, RFC 3326)', async () => {
    await a.call('200');
    for (const p of [b, c, d]) await answer(p, 180);
    expect(a.responses()).toEqual([180, 180, 180]);
    await answer(c, 200);
    expect(a.responses().at(-1)).toBe(200);
    expect([b, c, d].map((p) => p.requests('CANCEL').length)).toEqual([1, 0, 1]);
    expect(text(b.last('CANCEL'), 'reason')).toBe('SIP;cause=200;text="Call completed elsewhere"');
    for (const p of [b, d]) {
      p.respond(p.last('CANCEL'), 200);
      await answer(p, 487);
      expect(p.requests('ACK')).toHaveLength(1);
    }
    expect(a.responses()).toEqual([180, 180, 180, 200]);
  });

  test('two who answer in the same moment both come through: the caller decides (RFC 3261 §16.7 step 5)', async () => {
    await a.call('200');
    for (const p of [b, c]) p.respond(p.last('INVITE'), 200);
    await house.run();
    expect(a.responses()).toEqual([200, 200]);
  });

  test.each([
    ['busy beats not there', [480, 486, 404], 486], ['a lower class wins', [500, 302, 486], 302], ['what the caller can mend comes first', [486, 484, 480], 484], ['503 of all is 500', [503, 503, 503], 500],
  ])('the best answer goes home once all have answered: %s (RFC 3261 §16.7 step 6)', async (_, statuses, best) => {
    await a.call('200');
    for (const [i, p] of [b, c, d].entries()) {
      expect(a.responses()).toEqual([]);
      await answer(p, statuses[i]!, statuses[i] === 302 ? [['Contact', '<sip:far@10.0.0.99>']] : []);
    }
    expect(a.responses()).toEqual([best]);
  });

  test('6xx ends it for all: the others are cancelled and it goes home (RFC 3261 §16.7 step 5)', async () => {
    await a.call('200');
    await answer(b, 603);
    expect([a.responses(), c.requests('CANCEL').length]).toEqual([[], 0]); // nothing was heard from c yet, §9.1
    for (const p of [c, d]) {
      await answer(p, 180);
      expect(p.requests('CANCEL')).toHaveLength(1);
      await answer(p, 487);
    }
    expect(a.responses().at(-1)).toBe(603);
  });

  test('the challenges of all phones come home in one response (RFC 3261 §16.7 step 7)', async () => {
    await a.call('200');
    a.forget();
    await answer(b, 401, [['WWW-Authenticate', 'Digest realm="b", nonce="1"']]);
    await answer(c, 407, [['Proxy-Authenticate', 'Digest realm="c", nonce="2"']]);
    await answer(d, 486);
    const reply = a.heard.at(-1)!;
    expect(reply.status).toBe(401);
    expect([...texts(reply, 'www-authenticate'), ...texts(reply, 'proxy-authenticate')]).toEqual(['Digest realm="b", nonce="1"', 'Digest realm="c", nonce="2"']);
  });

  test('the caller who hangs up stops them all (RFC 3261 §16.10)', async () => {
    const { callId } = await a.call('200');
    for (const p of [b, c, d]) await answer(p, 180);
    a.say('CANCEL', { uri: 'sip:200@10.0.0.1:5070', callId, cseq: 2, branch: branchOf(a.response(180)) });
    await house.run();
    for (const p of [b, c, d]) {
      expect(p.requests('CANCEL')).toHaveLength(1);
      await answer(p, 487);
    }
    expect(a.responses().at(-1)).toBe(487);
    expect(house.exchange.status().ringing).toBe(0);
  });

  test('a MESSAGE to a group goes to all, and one 2xx comes back (RFC 3261 §16.7 step 5)', async () => {
    await a.ask('MESSAGE', { uri: 'sip:200@10.0.0.1:5070', body: 'supper' }).catch(() => undefined);
    for (const p of [b, c, d]) p.respond(p.last('MESSAGE'), 200);
    await house.run();
    expect(a.responses('MESSAGE')).toEqual([200]);
  });

  test('of different q the higher rings first, the lower when that one refuses (RFC 3261 §16.6)', async () => {
    const second = await house.peer('202', '10.0.0.22');
    await second.register({ contact: `<${second.contact}>;q=0.3` });
    await a.call('202');
    expect(second.requests('INVITE')).toHaveLength(0);
    await answer(b, 486);
    expect(second.requests('INVITE')).toHaveLength(1);
    await answer(second, 480);
    expect(a.responses()).toEqual([486]);
  });

  test('a group in turn rings one after the other, each for its time', async () => {
    house.noAnswerS = 10;
    await a.call('210');
    await answer(b, 180);
    expect(rung()).toBe('202');
    await house.clock.run(10_000, 50);
    expect(b.requests('CANCEL')).toHaveLength(1);
    expect(texts(b.last('CANCEL'), 'reason')).toEqual([]); // missed it was
    expect(rung()).toBe('202 203');
    await answer(b, 487);
    await answer(c, 200);
    expect(a.responses()).toEqual([180, 200]);
  });

  test('a group of which nobody is there is 480', async () => {
    house.groups = [{ number: '200', members: ['201', '299'], ring: 'all' }];
    expect((await a.call('200')).reply?.status).toBe(480);
  });
});

describe('forwards', () => {
  const diversion = (p: Peer): string[] => texts(p.last('INVITE'), 'diversion');

  test('always: the phone itself does not ring (RFC 5806 §5.2)', async () => {
    settings('202', { forward: '203' });
    await a.call('202');
    expect([rung(), diversion(c)]).toEqual(['203', ['<sip:202@10.0.0.1>;reason=unconditional;counter=1']]);
  });

  test('when busy', async () => {
    settings('202', { busyForward: '203', noAnswerForward: '204' });
    await a.call('202');
    expect(rung()).toBe('202');
    await answer(b, 486);
    expect([rung(), diversion(c), a.responses()]).toEqual(['202 203', ['<sip:202@10.0.0.1>;reason=user-busy;counter=1'], []]);
    await answer(c, 200);
    expect(a.responses()).toEqual([200]);
  });

  test('when nobody answers in the time of the setting', async () => {
    house.noAnswerS = 15;
    settings('202', { noAnswerForward: '203' });
    await a.call('202');
    await answer(b, 180);
    await house.clock.run(14_900, 50);
    expect(rung()).toBe('202');
    await house.clock.run(200, 50);
    expect([rung(), diversion(c), b.requests('CANCEL').length]).toEqual(['202 203', ['<sip:202@10.0.0.1>;reason=no-answer;counter=1'], 1]);
    await answer(b, 487);
    await answer(c, 180);
    await answer(c, 200);
    expect(a.responses()).toEqual([180, 180, 200]);
  });

  test('an answer that crosses the CANCEL has the call', async () => {
    house.noAnswerS = 5;
    settings('202', { noAnswerForward: '203' });
    await a.call('202');
    await answer(b, 180);
    await house.clock.run(5_100, 50);
    await answer(c, 180);
    await answer(b, 200);
    expect(a.responses()).toEqual([180, 180, 200]);
    expect(text(c.last('CANCEL'), 'reason')).toContain('cause=200');
    await answer(c, 487);
  });

  test('when no phone is there, at once', async () => {
    settings('205', {});
    house.users = [...house.users, user('205', { noAnswerForward: '203' })];
    await a.call('205');
    expect([rung(), diversion(c)]).toEqual(['203', ['<sip:205@10.0.0.1>;reason=unavailable;counter=1']]);
  });

  test('to a group, and on from there to nobody twice', async () => {
    settings('202', { busyForward: '200' });
    await a.call('202');
    await answer(b, 486);
    expect(rung()).toBe('202 203 204');
  });

  test('one after another each leaves its line, the newest on top (RFC 5806 §5.2)', async () => {
    settings('202', { forward: '203' });
    settings('203', { busyForward: '204' });
    await a.call('202', { headers: [`Contact: <${a.contact}>`, 'Diversion: <sip:1@far>;reason=unknown'] });
    await answer(c, 486);
    expect(diversion(d)).toEqual(['<sip:203@10.0.0.1>;reason=user-busy;counter=1', '<sip:202@10.0.0.1>;reason=unconditional;counter=1', '<sip:1@far>;reason=unknown']);
  });

  test('leave the whole way in History-Info, the oldest first, behind what came (RFC 7044 §10.3); a caller who wants none told is obeyed (§10.1.1)', async () => {
    settings('202', { forward: '203' });
    settings('203', { busyForward: '204' });
    await a.call('202', { headers: [`Contact: <${a.contact}>`, 'History-Info: <sip:1@far>;index=1'] });
    await answer(c, 486);
    expect(texts(c.last('INVITE'), 'history-info')).toEqual(['<sip:1@far>;index=1', '<sip:202@10.0.0.1>;index=1.1', '<sip:203@10.0.0.1;cause=302>;index=1.1.1;mp=1.1']);
    expect(texts(d.last('INVITE'), 'history-info')).toEqual(['<sip:1@far>;index=1', '<sip:202@10.0.0.1>;index=1.1', '<sip:203@10.0.0.1;cause=302?Reason=SIP%3Bcause%3D486>;index=1.1.1;mp=1.1', '<sip:204@10.0.0.1;cause=486>;index=1.1.1.1;mp=1.1.1']);
    c.forget();
    await a.call('202', { headers: [`Contact: <${a.contact}>`, 'Privacy: history'], callId: 'private' });
    expect([texts(c.last('INVITE'), 'history-info'), diversion(c)]).toEqual([[], ['<sip:202@10.0.0.1>;reason=unconditional;counter=1']]);
  });

  test('a call that is not forwarded passes with the History-Info it came with', async () => {
    await a.call('202', { headers: [`Contact: <${a.contact}>`, 'History-Info: <sip:1@far>;index=1'] });
    expect(texts(b.last('INVITE'), 'history-info')).toEqual(['<sip:1@far>;index=1']);
  });

  test('that lead in a circle are 482 (RFC 3261 §16.3 step 4)', async () => {
    settings('202', { forward: '203' });
    settings('203', { forward: '202' });
    expect((await a.call('202')).reply?.status).toBe(482);
  });

  test('busy both ends with busy', async () => {
    settings('202', { busyForward: '203' });
    settings('203', { busyForward: '202' });
    await a.call('202');
    await answer(b, 486);
    await answer(c, 486);
    expect(a.responses()).toEqual([486]);
  });

  test('a refusal is none of them', async () => {
    settings('202', { busyForward: '203', noAnswerForward: '203' });
    await a.call('202');
    await answer(b, 603);
    expect([rung(), a.responses()]).toEqual(['202', [603]]);
  });

  test('a phone that sends the caller on by 302 is followed, to numbers of ours alone (RFC 3261 §16.7 step 4, §8.1.3.4)', async () => {
    await a.call('202');
    await answer(b, 302, [['Contact', '<sip:far@10.0.0.99>, <sip:203@10.0.0.1:5070>']]);
    expect([rung(), diversion(c), a.responses()]).toEqual(['202 203', ['<sip:202@10.0.0.1>;reason=deflection;counter=1'], []]);
    await answer(c, 200);
    expect(a.responses()).toEqual([200]);
  });

  test('a 302 to elsewhere goes home as it is', async () => {
    await a.call('202');
    await answer(b, 302, [['Contact', '<sip:far@10.0.0.99>']]);
    expect([rung(), a.responses()]).toEqual(['202', [302]]);
    expect(text(a.response(302), 'contact')).toBe('<sip:far@10.0.0.99>');
  });

  test('a 302 back to itself is not followed for ever', async () => {
    await a.call('202');
    await answer(b, 302, [['Contact', '<sip:202@10.0.0.1:5070>']]);
    expect(a.responses()).toEqual([302]);
  });

  test('who hangs up while it rings elsewhere is rung nowhere else', async () => {
    settings('202', { noAnswerForward: '203' });
    const { callId } = await a.call('202');
    await answer(b, 180);
    a.say('CANCEL', { uri: 'sip:202@10.0.0.1:5070', callId, cseq: 2, branch: branchOf(a.response(180)) });
    await house.run();
    await answer(b, 487);
    await house.clock.run(30_000, 100);
    expect([rung(), [...new Set(a.responses())]]).toEqual(['202', [180, 487]]); // 487 again and again: nobody acknowledges it here
  });
});

describe('under load', () => {
  test('more open requests than the limit get 503, and what was open goes on', async () => {
    await a.call('202');
    for (let i = 0; i < 600; i++) a.say('INVITE', { uri: 'sip:203@10.0.0.1:5070', callId: `flood${i}`, headers: a.credentials.headers('INVITE', 'sip:203@10.0.0.1:5070').map(([n, v]) => `${n}: ${v}`) });
    await house.run();
    await answer(b, 200);
    expect(a.responses()).toContain(200);
    expect((await a.register()).status).toBe(200);
  });

  test('what is malformed is refused or dropped, and nothing throws', async () => {
    const good = 'INVITE sip:202@10.0.0.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bKm\r\nFrom: <sip:201@10.0.0.1>;tag=1\r\nTo: <sip:202@10.0.0.1>\r\nCall-ID: m\r\nCSeq: 1 INVITE\r\nRoute: <sip:10.0.0.1:5070;lr>, <\r\n\r\n';
    for (let cut = 1; cut < good.length; cut += 7) a.raw(good.slice(0, cut));
    for (const word of ['Route: ,,,<>;;=', 'Route: <sip:%zz@h>', 'Contact: <<>>', 'Max-Breadth: -1', 'Proxy-Authorization: Digest', 'Proxy-Authorization: Digest username="201", realm="offhook", nonce="000000000000"', 'Path: <', 'Privacy: id;;id']) {
      a.raw(good.replace(/Route.*\r\n/, `${word}\r\n`));
      a.raw(good.replace(/Route.*\r\n/, `${word}\r\n`).replaceAll('INVITE', 'REGISTER'));
      a.raw(good.replace(/Route.*\r\n/, `${word}\r\n`).replaceAll('INVITE', 'ACK'));
    }
    a.raw('SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx.y\r\nFrom: <sip:a@b>\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n');
    await house.run(100);
    expect((await a.register()).status).toBe(200);
    expect(b.requests()).toEqual([]);
  });
});
