import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { House, text, texts, user, type Peer } from './house.ts';
import { EXPIRES } from '../../src/exchange/registrar.ts';

let house: House;
let phone: Peer;
beforeEach(async () => {
  house = new House();
  await house.start();
  phone = await house.peer('201', '10.0.0.11');
});
afterEach(() => {
  house.exchange.close();
  house.clock.advance(10);
  expect(house.clock.pending, 'alarms left behind').toBe(0);
});

const places = (name = '201'): string[] => house.exchange.status().users.find((u) => u.user === name)!.phones.map((p) => p.address);
const contactsIn = (reply: Parameters<typeof texts>[0]): string[] => texts(reply, 'contact');

describe('who may register', () => {
  test('a REGISTER without credentials is challenged by SHA-256 and MD5 (RFC 3261 §22.1, RFC 8760 §2.3)', async () => {
    phone.say('REGISTER', { to: '<sip:201@10.0.0.1:5070>' });
    await house.run();
    const reply = phone.response(401, 'REGISTER');
    expect(reply.bytes.toString().match(/algorithm=[\w-]+/g)).toEqual(['algorithm=SHA-256', 'algorithm=MD5']);
    expect(places()).toEqual([]);
  });

  test('a user whose phone stumbles over two algorithms is challenged by MD5 alone, and registers', async () => {
    house.users = [user('201', { digest: 'MD5' })];
    phone.say('REGISTER', { to: '<sip:201@10.0.0.1:5070>' });
    await house.run();
    expect(phone.response(401, 'REGISTER').bytes.toString().match(/algorithm=[\w-]+/g)).toEqual(['algorithm=MD5']);
    phone.forget();
    expect((await phone.register()).status).toBe(200);
  });

  test('with the right password it is registered, the address and the program are known', async () => {
    expect((await phone.register({ headers: ['User-Agent: Test/1'] })).status).toBe(200);
    expect(house.exchange.status().users[0]).toMatchObject({ user: '201', phones: [{ address: '10.0.0.11:5060', transport: 'udp', userAgent: 'Test/1', since: 1_700_000_000_041, expiresS: EXPIRES.defaultS }] });
    expect(house.log.lines.filter((l) => l.fact === 'exchange registered').map((l) => l.fields['user'])).toEqual(['201']);
  });

  test.each([['a wrong password', '201', 'wrong'], ['an unknown user', '999', 'secret-999']])('%s is challenged again and not registered, and the log tells it once a minute (RFC 3261 §10.3 step 3)', async (_, name) => {
    const stranger = await house.peer(name === '999' ? '999' : '201', '10.0.0.66');
    if (name === '201') stranger.usePassword('wrong');
    expect((await stranger.register()).status).toBe(401);
    expect((await stranger.register()).status).toBe(401);
    expect(house.exchange.status().users.flatMap((u) => u.phones)).toEqual([]);
    expect(house.log.lines.filter((l) => l.fact === 'exchange refused')).toHaveLength(1);
  });

  test('who guesses is held back: 503 with Retry-After without a look at the password, longer with each guess; others from his address and the user elsewhere are not (RFC 3261 §22.1)', async () => {
    const stranger = await house.peer('201', '10.0.0.66'), statuses: number[] = [];
    for (let i = 0; i < 12; i++) {
      stranger.usePassword(`guess${i}`);
      statuses.push((await stranger.register()).status);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 503, 503, 503, 503, 503, 503, 503]);
    stranger.usePassword('secret-201');
    const held = await stranger.register();
    expect([held.status, text(held, 'retry-after')]).toEqual([503, '1']);
    expect((await phone.register()).status, 'the user himself, elsewhere').toBe(200);
    const neighbour = await house.peer('202', '10.0.0.66', 5062);
    expect((await neighbour.register()).status).toBe(200);
    const asked = await stranger.ask('REGISTER', { callId: 'plain', to: '<sip:201@10.0.0.1:5070>' });
    expect(asked.status, 'with credentials it knows').toBe(503);
    await house.clock.run(1_100, 50);
    expect((await stranger.register()).status).toBe(200);
    expect(house.log.lines.some((l) => l.fields['why'] === 'wrong user or password')).toBe(true);
  });

  test('a guess that tells a right password from a wrong one by a nonce of old counts as well; calls are held back like registrations', async () => {
    const guess = async (i: number): Promise<number> => {
      const line = `Digest username="201", realm="offhook", nonce="${'0'.repeat(44)}", uri="sip:10.0.0.1:5070", response="${String(i).padStart(32, '0')}", algorithm=MD5, qop=auth, nc=00000001, cnonce="x"`;
      phone.say('INVITE', { uri: 'sip:202@10.0.0.1:5070', callId: `guess${i}`, headers: [`Proxy-Authorization: ${line}`] });
      await house.run();
      return phone.heard.filter((m) => m.kind === 'response').at(-1)!.status;
    };
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) statuses.push(await guess(i));
    expect(statuses).toEqual([407, 407, 407, 407, 407, 503, 503]);
  });

  test('a user may not register another one (RFC 3261 §10.3 step 4)', async () => {
    const reply = await phone.register({ to: '<sip:202@10.0.0.1:5070>' });
    expect(reply.status).toBe(403);
    expect(places('202')).toEqual([]);
  });

  test('an address of record elsewhere is 404, a Request-URI elsewhere is not relayed (RFC 3261 §10.3 steps 1 and 5)', async () => {
    expect((await phone.register({ to: '<sip:201@example.org>' })).status).toBe(404);
    expect((await phone.register({ uri: 'sip:example.org' })).status).toBe(403);
  });

  test('a user without a password cannot register at all', async () => {
    house.users = [user('201', { password: '' })];
    phone.usePassword('');
    expect((await phone.register()).status).toBe(401);
  });

  test('Require of an extension that is not known here is 420 (RFC 3261 §10.3 step 2)', async () => {
    const reply = await phone.register({ headers: ['Require: path, teleport'] });
    expect([reply.status, text(reply, 'unsupported')]).toEqual([420, 'teleport']);
  });

  test('credentials of five minutes ago are stale: a new nonce, no new question to a person (RFC 7616 §3.3)', async () => {
    await phone.register();
    const old = phone.credentials.headers('REGISTER', 'sip:10.0.0.1:5070');
    await house.clock.run(301_000, 1_000);
    phone.forget();
    phone.say('REGISTER', { to: '<sip:201@10.0.0.1:5070>', callId: phone.callId, cseq: 50 }, old);
    await house.run();
    expect(phone.response(401, 'REGISTER').bytes.toString()).toContain('stale=true');
  });
  test('right credentials with the nonce of another call, or of before a restart, are stale and no alarm (RFC 7616 §3.3)', async () => {
    await phone.register();
    for (const restart of [false, true]) {
      if (restart) await house.restart();
      const used = phone.credentials.headers('REGISTER', 'sip:10.0.0.1:5070');
      phone.forget();
      phone.say('REGISTER', { to: '<sip:201@10.0.0.1:5070>', callId: `another ${restart}`, cseq: 50 }, used);
      await house.run();
      expect(phone.response(401, 'REGISTER').bytes.toString()).toContain('stale=true');
    }
    expect(house.log.facts()).not.toContain('exchange refused');
  });
});

describe('bindings', () => {
  test('the 200 lists every Contact with what is left of its time (RFC 3261 §10.3 step 8)', async () => {
    await phone.register({ contact: '<sip:201@10.0.0.11:5060>;expires=100' });
    await house.clock.run(10_000, 1_000);
    const second = await house.peer('201', '10.0.0.12');
    const reply = await second.register({ contact: '<sip:201@10.0.0.12:5060>;q=0.5', expires: 60 });
    expect(contactsIn(reply)).toEqual(['<sip:201@10.0.0.11:5060>;expires=90', '<sip:201@10.0.0.12:5060>;q=0.5;expires=60']);
    expect(text(reply, 'date')).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
  });

  test('a REGISTER without Contact asks and changes nothing (RFC 3261 §10.3 step 6)', async () => {
    await phone.register({ expires: 60 });
    const reply = await phone.register({ contact: '' });
    expect(contactsIn(reply)).toEqual(['<sip:201@10.0.0.11:5060>;expires=60']);
  });

  test.each([
    ['the parameter before the header', '<sip:201@10.0.0.11>;expires=120', '60', 120], ['the header', '<sip:201@10.0.0.11>', '60', 60], ['neither: an hour', '<sip:201@10.0.0.11>', undefined, 3_600],
    ['nonsense counts as an hour', '<sip:201@10.0.0.11>', 'soon', 3_600], ['more than the most', '<sip:201@10.0.0.11>', '99999', EXPIRES.mostS],
  ])('how long: %s (RFC 3261 §10.3 step 7)', async (_, contact, expires, granted) => {
    const reply = await phone.register({ contact, ...(expires === undefined ? {} : { expires }) });
    expect(contactsIn(reply)[0]).toContain(`expires=${granted}`);
  });

  test('too short a time is refused with 423 and Min-Expires, and nothing of that request is kept (RFC 3261 §10.3 step 7)', async () => {
    const reply = await phone.register({ contact: '<sip:201@10.0.0.11>;expires=600, <sip:201@10.0.0.12>;expires=5' });
    expect([reply.status, text(reply, 'min-expires')]).toEqual([423, String(EXPIRES.leastS)]);
    expect(places()).toEqual([]);
  });

  test('expires 0 takes one Contact away and leaves the others (RFC 3261 §10.2.2)', async () => {
    await phone.register({ contact: '<sip:201@10.0.0.11>, <sip:201@10.0.0.12>' });
    const reply = await phone.register({ contact: '<sip:201@10.0.0.12>;expires=0' });
    expect(contactsIn(reply)).toEqual(['<sip:201@10.0.0.11>;expires=3600']);
    expect(house.log.lines.filter((l) => l.fact === 'exchange unregistered').map((l) => l.fields['why'])).toEqual(['by the phone']);
  });

  test('Contact * with Expires 0 takes all away; with another time or another Contact it is 400 (RFC 3261 §10.3 step 6)', async () => {
    await phone.register({ contact: '<sip:201@10.0.0.11>, <sip:201@10.0.0.12>' });
    expect((await phone.register({ contact: '*', expires: 60 })).status).toBe(400);
    expect((await phone.register({ contact: '*' })).status).toBe(400);
    expect((await phone.register({ contact: '*, <sip:201@10.0.0.13>', expires: 0 })).status).toBe(400);
    const reply = await phone.register({ contact: '*', expires: 0 });
    expect([reply.status, contactsIn(reply)]).toEqual([200, []]);
  });

  test('the same Call-ID with a CSeq that is not higher changes nothing (RFC 3261 §10.3 step 7)', async () => {
    await phone.register({ cseq: 10, expires: 600 });
    expect((await phone.register({ cseq: 9, expires: 60 })).status).toBe(400);
    expect((await phone.register({ cseq: 9, contact: '*', expires: 0 })).status).toBe(400);
    expect((await phone.register({ cseq: 10, expires: 0 })).status).toBe(400);
    expect(house.exchange.status().users[0]!.phones).toMatchObject([{ expiresS: 600 }]);
    expect((await phone.register({ cseq: 9, callId: 'after-restart', expires: 0 })).status).toBe(200);
    expect(places()).toEqual([]);
  });

  test('equal addresses are one binding, whatever the case of the host (RFC 3261 §19.1.4)', async () => {
    await phone.register({ contact: '<sip:201@Phone.Local:5060>' });
    const reply = await phone.register({ contact: '<sip:201@phone.local:5060>' });
    expect(contactsIn(reply)).toHaveLength(1);
  });

  test('a binding that is not renewed is gone at its time, and the log says so', async () => {
    await phone.register({ expires: 60 });
    await house.clock.run(59_000, 1_000);
    expect(places()).toEqual(['10.0.0.11:5060']);
    await house.clock.run(2_000, 100);
    expect(places()).toEqual([]);
    expect(house.log.lines.filter((l) => l.fact === 'exchange unregistered').map((l) => l.fields['why'])).toEqual(['expired']);
  });

  test('renewing is no life event: one line in the log, the time of the first', async () => {
    await phone.register({ expires: 60 });
    const [first] = house.exchange.status().users[0]!.phones;
    await house.clock.run(30_000, 1_000);
    await phone.register({ expires: 60 });
    expect(house.exchange.status().users[0]!.phones).toMatchObject([{ since: first!.since, expiresS: 60 }]);
    expect(house.log.lines.filter((l) => l.fact === 'exchange registered')).toHaveLength(1);
  });

  test('eleven phones of one user are one too many', async () => {
    const many = Array.from({ length: 11 }, (_, i) => `<sip:201@10.0.1.${i}>`);
    expect((await phone.register({ contact: many.join(', ') })).status).toBe(403);
    expect((await phone.register({ contact: many.slice(1).join(', ') })).status).toBe(200);
  });

  test('a Contact that is another user\'s, this exchange itself or no SIP address is refused', async () => {
    const other = await house.peer('202', '10.0.0.12');
    await other.register();
    expect((await phone.register({ contact: '<sip:202@10.0.0.12:5060>' })).status).toBe(403);
    expect((await phone.register({ contact: '<sip:201@10.0.0.1:5070>' })).status).toBe(403);
    expect((await phone.register({ contact: '<mailto:201@example.org>' })).status).toBe(400);
  });

  test('a user who is taken out of the settings is unregistered at once', async () => {
    await phone.register();
    house.users = [user('202')];
    house.exchange.settingsChanged();
    expect(house.exchange.status().users.flatMap((u) => u.phones)).toEqual([]);
    expect(house.log.lines.at(-1)).toMatchObject({ fact: 'exchange unregistered', fields: { user: '201', why: 'user removed' } });
  });

  test('whoever registered by a password that is another now, or none, is unregistered at once; the others stay', async () => {
    const others = [await house.phone('202', '10.0.0.12'), await house.phone('203', '10.0.0.13')];
    await phone.register();
    house.users = [user('201', { password: 'a new one' }), user('202', { password: '' }), user('203', { displayName: 'Hall' })];
    house.exchange.settingsChanged();
    expect(house.exchange.status().users.map((u) => [u.user, u.phones.length])).toEqual([['201', 0], ['202', 0], ['203', 1]]);
    expect(house.log.lines.at(-1)).toMatchObject({ fact: 'exchange unregistered', fields: { user: '201', why: 'password changed' } });
    phone.usePassword('a new one');
    expect((await phone.register()).status).toBe(200);
    house.exchange.settingsChanged();
    expect(house.exchange.status().users.map((u) => u.phones.length)).toEqual([1, 0, 1]);
    expect((await others[0]!.register()).status).toBe(401);
  });
});

describe('flows and paths', () => {
  const instance = '"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"';

  test('instance and reg-id are one flow, whatever its Contact: a new one takes the old one\'s place (RFC 5626 §6)', async () => {
    const tcp = await house.peer('201', '10.0.0.11', 5060, 'tcp');
    const first = await tcp.register({ contact: `<sip:201@10.0.0.11:5060;transport=tcp>;+sip.instance=${instance};reg-id=1`, headers: ['Supported: path, outbound'] });
    expect(text(first, 'require')).toBe('outbound');
    const second = await tcp.register({ contact: `<sip:201@10.0.0.11:6000;transport=tcp>;+sip.instance=${instance};reg-id=1`, callId: 'again', headers: ['Supported: path, outbound'] });
    expect(contactsIn(second)).toEqual([`<sip:201@10.0.0.11:6000;transport=tcp>;+sip.instance=${instance};reg-id=1;expires=3600`]);
    const third = await tcp.register({ contact: `<sip:201@10.0.0.11:6000;transport=tcp>;+sip.instance=${instance};reg-id=2`, callId: 'second flow', headers: ['Supported: path, outbound'] });
    expect(contactsIn(third)).toHaveLength(2);
  });

  test('without Supported: outbound the reg-id means nothing (RFC 5626 §6)', async () => {
    const reply = await phone.register({ contact: `<sip:201@10.0.0.11>;+sip.instance=${instance};reg-id=1` });
    expect(text(reply, 'require')).toBeUndefined();
  });

  test('a flow ends with its connection, a phone that can be reached anew stays (RFC 5626 §6)', async () => {
    const flow = await house.peer('201', '10.0.0.11', 5060, 'tcp');
    await flow.register({ contact: `<sip:201@10.0.0.11:5060;transport=tcp>;+sip.instance=${instance};reg-id=1`, headers: ['Supported: outbound'] });
    const plain = await house.peer('202', '10.0.0.12', 5060, 'tcp');
    await plain.register();
    const masked = await house.peer('203', '10.0.0.13', 5060, 'tcp');
    await masked.register({ contact: '<sip:203@192.168.7.7:5060;transport=tcp>' });
    for (const peer of [flow, plain, masked]) peer.close();
    await house.run();
    expect([places('201'), places('202').length, places('203')]).toEqual([[], 1, []]);
  });

  test('Path is kept and given back (RFC 3327 §5.3)', async () => {
    const reply = await phone.register({ headers: ['Supported: path', 'Path: <sip:10.0.0.30;lr>'] });
    expect(texts(reply, 'path')).toEqual(['<sip:10.0.0.30;lr>']);
  });
});

describe('after a restart', () => {
  test('who was registered still is, and is called; renewals are written down seldom, comings and goings soon', async () => {
    await phone.register({ expires: 600 });
    await house.clock.run(2_100, 100);
    expect(house.written).toHaveLength(1);
    await phone.register({ expires: 600 });
    await house.clock.run(290_000, 1_000);
    expect(house.written).toHaveLength(1);
    await house.clock.run(15_000, 1_000);
    expect(house.written).toHaveLength(2);
    await house.restart();
    expect(house.exchange.status().users[0]!.phones).toMatchObject([{ address: '10.0.0.11:5060', since: 1_700_000_000_041 }]);
    const caller = await house.phone('202', '10.0.0.12');
    await caller.call('201');
    expect(phone.requests('INVITE')).toHaveLength(1);
  });

  test('who came just before the end is not forgotten', async () => {
    await phone.register({ expires: 600 });
    await house.restart();
    expect(places()).toEqual(['10.0.0.11:5060']);
  });

  test('what ran out meanwhile, users who are gone and connections are not kept', async () => {
    await phone.register({ expires: 60 });
    const masked = await house.phone('202', '10.0.0.12', 5060, 'tcp', '<sip:202@192.168.7.7:5060;transport=tcp>');
    const gone = await house.phone('203', '10.0.0.13');
    house.exchange.close();
    await house.clock.run(61_000, 1_000);
    house.users = house.users.filter((u) => u.user !== '203');
    await house.restart();
    expect(house.exchange.status().users.flatMap((u) => u.phones)).toEqual([]);
    for (const peer of [masked, gone]) peer.close();
  });

  test.each(['', '[', '{}', '[null]', '[{"user":"201"}]', '[{"user":"201","address":"sip:201@10.0.0.11","flowId":"","callId":"1","userAgent":"","q":1,"cseq":1,"since":1,"until":1e99,"path":[1],"params":[],"flow":{"transport":"udp","host":"10.0.0.11","port":5060}}]'])('what is no memory of ours is left aside: %s', async (text) => {
    house.written.push(text);
    await house.restart();
    expect(house.exchange.status().users.flatMap((u) => u.phones)).toEqual([]);
    expect((await phone.register()).status).toBe(200);
  });
});
