// A house with an exchange: phones as people run them, one of them the exchange itself, and a baresip.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askControl } from '../../src/system/control.ts';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { startKamailio, type Kamailio } from './lab/kamailio.ts';
import { startPeer, type Peer } from './lab/peer.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { freePort, pause, scratch, start, startedHere, until, type Program } from './lab/process.ts';
import { connect } from 'node:net';

const folder = scratch('house');
const { up, stop } = startedHere();
const peers: Peer[] = [];
afterAll(async () => {
  await stop();
  for (const peer of peers) peer.close();
  folder.remove();
});

const USERS = ['201', '202', '203', '204', '205', '206', '207', '208', '209'];
let hall: Phone, kitchen: Phone, attic: Phone; // hall is the exchange as well
let bare: Baresip;
let port: number;
let server: string;

const house = (more: Record<string, string | number | boolean> = {}) => ({
  'exchange.enabled': true, 'exchange.host': '127.0.0.1', 'exchange.port': port, 'exchange.noAnswerS': 3,
  ...Object.fromEntries(USERS.flatMap((user, i) => [[`exchange.users.${i}.user`, user], [`exchange.users.${i}.password`, `secret-${user}`]])),
  'exchange.users.3.digest': 'MD5', 'exchange.groups.0.number': '200', 'exchange.groups.0.members': '201,202,203,204', ...more,
});
const member = (user: string, more: Record<string, string | number | boolean> = {}) => ({ ...accountAt(server, user), 'media.codecs': 'PCMA,PCMU', ...more });
interface HouseStatus { readonly exchange: { readonly users: { readonly user: string; readonly phones: { readonly address: string; readonly userAgent: string; readonly since: number }[] }[] } }

beforeAll(async () => {
  port = await freePort();
  server = `127.0.0.1:${port}`;
  hall = await up(startPhone(folder.path, {
    name: 'hall',
    set: { ...house({ 'exchange.ownUser': '201', 'exchange.users.0.displayName': 'Hall', 'exchange.users.4.forward': '202', 'exchange.users.5.busyForward': '203', 'exchange.users.5.noAnswerForward': '203', 'exchange.users.7.forward': '209', 'exchange.users.8.forward': '208' }), 'media.codecs': 'PCMA,PCMU' },
  }));
  [kitchen, attic, bare] = await Promise.all([
    up(startPhone(folder.path, { name: 'kitchen', set: member('202') })),
    up(startPhone(folder.path, { name: 'attic', set: member('203', { 'accounts.0.transport': 'tcp', 'calls.waiting': false }) })),
    up(startBaresip(folder.path, { user: '204', password: 'secret-204', server, codec: 'PCMA/8000' })),
  ]);
  await Promise.all([hall, kitchen, attic].map((phone) => phone.waitFor('registered')));
});

/** One phone calls another, which answers; both hang up. */
async function talk(from: Phone, to: Phone, number: string, name?: string): Promise<void> {
  from.forget();
  to.forget();
  const calling = from.must({ do: 'call', target: number, until: 'answered' });
  const incoming = await to.waitFor('incoming');
  if (name !== undefined) expect(incoming).toMatchObject({ from: name });
  await to.must({ do: 'answer', call: incoming['call'] });
  const { call } = await calling;
  await from.must({ do: 'hangup', call });
  await to.waitFor('ended');
  await from.waitFor('ended');
}

/** Nobody has a call. */
const quiet = () => until(async () => {
  for (const phone of [hall, kitchen, attic]) if (((await phone.status())['calls'] as unknown[]).length > 0) return false;
  return true;
}, 10_000);

test('the house is there: who, since when, where, with which program', async () => {
  const { exchange } = await hall.status() as unknown as HouseStatus;
  const registered = exchange.users.filter((u) => u.phones.length > 0);
  expect(registered.map((u) => u.user)).toEqual(['201', '202', '203', '204']);
  expect(registered.map((u) => u.phones[0]!.userAgent)).toEqual([expect.stringMatching(/^Offhook/), expect.stringMatching(/^Offhook/), expect.stringMatching(/^Offhook/), expect.stringMatching(/^baresip/)]);
  expect(Math.abs(Date.now() - registered[1]!.phones[0]!.since)).toBeLessThan(120_000);
  expect(registered[1]!.phones[0]!.address).toBe(`127.0.0.1:${kitchen.port}`);
  await hall.waitFor('exchange registered', 2_000, (l) => l['user'] === '204');
});

describe('calls', () => {
  test('each of our three phones calls the others by number', async () => {
    for (const [from, to, number, name] of [[hall, kitchen, '202', '201'], [kitchen, attic, '203', '202'], [attic, hall, '201', '203']] as const) await talk(from, to, number, name);
    await until(() => hall.lines.filter((l) => l.event === 'exchange call' && l['status'] === 200).length >= 3, 2_000);
    expect(hall.lines.filter((l) => l.event === 'exchange call').map((l) => [l['from'], l['to'], l['status'], l['by']]).slice(0, 3)).toEqual([['201', '202', 200, '202'], ['202', '203', 200, '203'], ['203', '201', 200, '201']]);
  });

  test('baresip calls a phone of ours and is called by one', async () => {
    kitchen.forget();
    bare.forget();
    await bare.command('dial', '202');
    const incoming = await kitchen.waitFor('incoming');
    await kitchen.must({ do: 'answer', call: incoming['call'] });
    await bare.waitFor('CALL_ESTABLISHED');
    await bare.command('hangup');
    await kitchen.waitFor('ended');

    bare.forget();
    attic.forget();
    const calling = attic.must({ do: 'call', target: '204', until: 'answered' });
    await bare.waitFor('CALL_INCOMING');
    await bare.command('accept');
    const { call } = await calling;
    await attic.must({ do: 'hangup', call });
    await bare.waitFor('CALL_CLOSED');
    expect(await quiet()).toBe(true);
  });

  test('the group rings all but the caller, and whom another one was faster than has no missed call', async () => {
    for (const phone of [hall, kitchen, attic]) phone.forget();
    bare.forget();
    const missed = async (phone: Phone) => (await phone.status())['missed'] as number;
    const before = await missed(attic);
    const calling = hall.must({ do: 'call', target: '200', until: 'answered' });
    const incoming = await kitchen.waitFor('incoming');
    await attic.waitFor('incoming');
    await bare.waitFor('CALL_INCOMING');
    expect(hall.seen('incoming')).toBeUndefined();
    await kitchen.must({ do: 'answer', call: incoming['call'] });
    const { call } = await calling;
    await attic.waitFor('ended');
    await bare.waitFor('CALL_CLOSED');
    expect(await missed(attic)).toBe(before);
    await hall.must({ do: 'hangup', call });
    await kitchen.waitFor('ended');
    expect(await quiet()).toBe(true);
  });

  test('a busy phone is busy', async () => {
    const desk = await up(startPhone(folder.path, { name: 'desk', set: member('207', { 'phone.board': 'bench', 'calls.waiting': false }) }));
    await desk.waitFor('registered');
    await desk.must({ do: 'lift' });
    await desk.must({ do: 'key', key: '2' }); // who lifts in the very moment of a call takes it
    expect(await hall.say({ do: 'call', target: '207', until: 'answered' })).toMatchObject({ ok: false, status: 486 });
    await desk.stop();
    expect(await hall.say({ do: 'call', target: '207', until: 'answered' })).toMatchObject({ ok: false, status: 480 });
    expect(await hall.say({ do: 'call', target: '299', until: 'answered' })).toMatchObject({ ok: false, status: 404 });
    expect(await quiet()).toBe(true);
  });

  test('forwarded always, when not registered, when nobody answers, when busy', async () => {
    await talk(hall, kitchen, '205');
    await talk(hall, attic, '206'); // 206 is nowhere
    const door = await up(startPhone(folder.path, { name: 'door', set: member('206', { 'phone.board': 'bench', 'calls.waiting': false }) }));
    await door.waitFor('registered');
    door.forget();
    attic.forget();
    const calling = hall.must({ do: 'call', target: '206', until: 'answered' });
    await door.waitFor('incoming');
    const incoming = await attic.waitFor('incoming', 8_000); // after exchange.noAnswerS
    await door.waitFor('ended');
    await attic.must({ do: 'answer', call: incoming['call'] });
    await hall.must({ do: 'hangup', call: (await calling)['call'] });
    await attic.waitFor('ended');

    await door.must({ do: 'lift' });
    await door.must({ do: 'key', key: '2' });
    door.forget();
    await talk(hall, attic, '206'); // busy now
    expect(await door.waitFor('ended')).toMatchObject({ by: 'us', status: 486 });
    expect(await quiet()).toBe(true);
    await door.stop();
  });

  test('transferred from one to another, within the house', async () => {
    kitchen.forget();
    attic.forget();
    const calling = hall.must({ do: 'call', target: '202', until: 'answered' });
    await kitchen.must({ do: 'answer', call: (await kitchen.waitFor('incoming'))['call'] });
    await calling;
    void kitchen.say({ do: 'transfer', target: '203' });
    await attic.must({ do: 'answer', call: (await attic.waitFor('incoming'))['call'] });
    await kitchen.waitFor('ended');
    expect(((await hall.status())['calls'] as { state: string }[]).map((c) => c.state)).toEqual(['established']);
    await attic.must({ do: 'hangup' });
    expect(await quiet()).toBe(true);
  });
});

describe('strangers', () => {
  const stranger = async (): Promise<Peer> => {
    const peer = await startPeer(port, '666');
    peers.push(peer);
    return peer;
  };

  test('an unknown caller is challenged and rings nobody; a wrong password does not register', async () => {
    kitchen.forget();
    const peer = await stranger();
    const call = peer.dialog();
    call.request('INVITE', { uri: `sip:202@${server}` });
    await peer.next(/^SIP\/2.0 407/);
    call.request('REGISTER', { uri: `sip:${server}`, to: `<sip:202@${server}>` });
    await peer.next(/^SIP\/2.0 401/);
    expect(kitchen.seen('incoming')).toBeUndefined();
    const thief = await up(startPhone(folder.path, { name: 'thief', set: member('207', { 'accounts.0.password': 'guess' }) }));
    expect(await thief.waitFor('registration failed')).toMatchObject({ why: 'wrong password' });
    const unknown = await up(startPhone(folder.path, { name: 'unknown', set: member('299') }));
    expect(await unknown.waitFor('registration failed')).toMatchObject({ why: 'wrong password' });
    await Promise.all([thief.stop(), unknown.stop()]);
    await hall.waitFor('exchange refused', 2_000, (l) => l['why'] === 'wrong user or password');
  });

  test('nobody is relayed to elsewhere, whatever Route or dialog he claims', async () => {
    const [from, to] = [await stranger(), await startPeer(port, 'victim')];
    peers.push(to);
    const call = from.dialog();
    for (const method of ['INVITE', 'MESSAGE', 'BYE', 'ACK']) {
      call.request(method, { uri: `sip:victim@127.0.0.1:${to.port}`, to: `<sip:victim@127.0.0.1:${to.port}>;tag=1`, headers: [`Route: <sip:${server};lr;oh=0123456789abcdef>`], branch: `z9hG4bK${method}` });
    }
    await from.next(/^SIP\/2.0 407 .*BYE/s);
    expect(await to.quiet(/./s, 500)).toBe(true);
    expect(await hall.say({ do: 'call', target: `sip:victim@127.0.0.1:${to.port}`, account: 'exchange', until: 'ringing' })).toMatchObject({ ok: false });
  });

  test('forwards in a circle are 482', async () => {
    expect(await hall.say({ do: 'call', target: '208', until: 'answered' })).toMatchObject({ ok: false, status: 482 });
  });

  test('no hops left is 483', async () => {
    const peer = await stranger();
    const socket = connect(port, '127.0.0.1');
    const heard: string[] = [];
    socket.on('data', (bytes: Buffer) => heard.push(bytes.toString()));
    socket.write(`INVITE sip:202@${server} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:${peer.port};branch=z9hG4bKmf\r\nMax-Forwards: 0\r\nFrom: <sip:666@x>;tag=1\r\nTo: <sip:202@x>\r\nCall-ID: mf\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n`);
    expect(await until(() => heard.some((h) => /^SIP\/2\.0 483/.test(h)), 3_000)).toBe(true);
    socket.destroy();
  });
});

test('the exchange started anew on the same state still has its phones, and a call that went on meanwhile can be hung up', async () => {
  const bundle = resolve(import.meta.dirname, '../../dist/offhook.js');
  const own = await freePort();
  const args = [bundle, 'exchange', '--state', join(folder.path, 'alone'), '--log', 'json', ...Object.entries({ 'exchange.host': '127.0.0.1', 'exchange.port': own, 'exchange.users.0.user': '201', 'exchange.users.0.password': 'secret-201', 'exchange.users.1.user': '202', 'exchange.users.1.password': 'secret-202' }).flatMap(([k, v]) => ['--set', `${k}=${v}`])];
  const launch = async (): Promise<Program> => {
    const program = start(process.execPath, args);
    await up(Promise.resolve(program));
    await program.waitFor(/"exchange started"/, 10_000);
    return program;
  };
  const first = await launch();
  const set = (user: string) => ({ ...accountAt(`127.0.0.1:${own}`, user), 'media.codecs': 'PCMA' });
  const one = await up(startPhone(folder.path, { name: 'one', set: set('201') }));
  const two = await up(startPhone(folder.path, { name: 'two', set: { ...set('202'), 'calls.answer': 'auto' } }));
  await Promise.all([one.waitFor('registered'), two.waitFor('registered')]);
  const reply = await askControl(join(folder.path, 'alone', 'control.sock'), { do: 'status' });
  expect((reply['status'] as HouseStatus).exchange.users.map((u) => u.phones.length)).toEqual([1, 1]);
  await one.must({ do: 'call', target: '202', until: 'answered' });
  await first.stop();
  await launch();
  two.forget();
  await one.must({ do: 'hangup' });
  await two.waitFor('ended');
  expect((await one.must({ do: 'call', target: '202', until: 'answered' }))['ok']).toBe(true);
  expect(existsSync(join(folder.path, 'alone', 'exchange-key'))).toBe(true);
  await Promise.all([one.stop(), two.stop()]);
});

test('a phone moves to Kamailio by one setting, accounts.0.server, and back', async () => {
  const kamailio: Kamailio = await up(startKamailio(folder.path));
  const options = (name: string, user: string, at: string) => ({ name, set: { ...accountAt(at, user), 'media.codecs': 'PCMA', 'calls.answer': 'auto' } });
  for (const at of [server, kamailio.server, server]) {
    const mover = await startPhone(folder.path, options('mover', '207', at));
    const mate = await startPhone(folder.path, options('mate', at === server ? '206' : '205', at));
    await Promise.all([mover.waitFor('registered'), mate.waitFor('registered')]);
    expect((await mover.must({ do: 'call', target: at === server ? '206' : '205', until: 'answered' }))['ok']).toBe(true);
    await mover.must({ do: 'hangup' });
    await pause(100);
    await Promise.all([mover.stop(), mate.stop()]);
  }
});
