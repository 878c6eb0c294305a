// Registers and calls through a real Kamailio over TCP, TLS, WebSocket and IPv6, with certificates that are right and wrong. Where the
// call crosses transports the other end is a baresip over UDP.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority, makeSelfSigned } from '../fakes/certificates.ts';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { freePort, pause, scratch, startedHere, until } from './lab/process.ts';

const folder = scratch('transports');
const { up, stop } = startedHere();
afterAll(async () => {
  await stop();
  folder.remove();
});

const authority = makeAuthority('House authority'), stranger = makeAuthority('Another authority');
const pem = (name: string, text: string): string => {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
};
const ca = pem('ca.pem', authority.cert);
const DAY_MS = 86_400_000;

const ports = { good: 0, v6: 0, name: 0, expired: 0, early: 0, unknown: 0, self: 0, clients: 0 };
let kamailio: Kamailio;
let baresip: Baresip;
beforeAll(async () => {
  for (const key of Object.keys(ports) as (keyof typeof ports)[]) ports[key] = await freePort();
  const localhost = ['dns:localhost'];
  kamailio = await up(startKamailio(folder.path, { doors: { v6: true, tls: [
    { port: ports.good, certificate: authority.issue('localhost', localhost) },
    { port: ports.v6, host: '::1', certificate: authority.issue('v6', ['ip:::1']) },
    { port: ports.name, certificate: authority.issue('other', ['dns:other.example']) },
    { port: ports.expired, certificate: authority.issue('localhost', localhost, { from: new Date(Date.now() - 9 * DAY_MS), to: new Date(Date.now() - 2 * DAY_MS) }) },
    { port: ports.early, certificate: authority.issue('localhost', localhost, { from: new Date(Date.now() + 9 * DAY_MS), to: new Date(Date.now() + 99 * DAY_MS) }) },
    { port: ports.unknown, certificate: stranger.issue('localhost', localhost) },
    { port: ports.self, certificate: makeSelfSigned('localhost', localhost) },
    { port: ports.clients, certificate: authority.issue('localhost', localhost), clientsOf: authority.cert },
  ] } }));
  baresip = await up(startBaresip(folder.path, { user: '219', password: passwordOf('219'), server: kamailio.server, codec: 'PCMA/8000', answer: 'auto' }));
});

const phoneAt = (user: string, server: string, transport: string, more: Readonly<Record<string, string | number | boolean>> = {}): Promise<Phone> =>
  up(startPhone(folder.path, { name: `${user}-${transport}-${Math.random().toString(36).slice(2, 7)}`, set: accountAt(server, user, { 'accounts.0.transport': transport, 'sip.tlsCa': ca, 'calls.answer': 'auto', 'log.level': 'debug', 'sip.trace': true, ...more }) }));

/** What the page shows of the account. */
async function trouble(phone: Phone): Promise<{ state: string; why: string; trouble: string }> {
  const { registrations } = await phone.status() as { registrations: { state: string; why: string; trouble: string }[] };
  return registrations[0]!;
}

describe.each([
  ['tcp', () => `localhost:${kamailio.port}`], ['tls', () => `localhost:${ports.good}`], ['ws', () => `localhost:${kamailio.port}`], ['wss', () => `localhost:${ports.good}`],
] as const)('over %s', (transport, server) => {
  test('registers, calls a baresip of UDP, is called by it, and un-registers', async () => {
    const user = `20${['tcp', 'tls', 'ws', 'wss'].indexOf(transport) + 1}`;
    const phone = await phoneAt(user, server(), transport);
    await phone.waitFor('registered');
    expect(await kamailio.bindings(user)).toBe(1);

    await phone.must({ do: 'call', target: '219' });
    await phone.waitFor('answered');
    await baresip.waitFor('CALL_ESTABLISHED');
    await pause(500);
    await phone.must({ do: 'hangup' });
    await phone.waitFor('ended');
    await baresip.waitFor('CALL_CLOSED');

    phone.forget();
    baresip.forget();
    await baresip.command('dial', `sip:${user}@${kamailio.server}`);
    await phone.waitFor('answered');
    await baresip.waitFor('CALL_ESTABLISHED');
    await pause(500);
    await baresip.command('hangup');
    await phone.waitFor('ended');
    baresip.forget();

    const written = phone.lines.filter((line) => line.event === 'message' && line['direction'] === 'out').map((line) => String(line['message']));
    expect(written.some((text) => text.startsWith('BYE'))).toBe(true);
    for (const text of written) expect(text).toMatch(new RegExp(`^Via: SIP/2.0/${transport.toUpperCase()} `, 'm'));
    await phone.stop();
    expect(await until(async () => await kamailio.bindings(user) === 0, 2_000)).toBe(true);
  });
});

test('messages and sound are marked for the network (RFC 2474), as the kernel sees it', async () => {
  const phone = await phoneAt('218', `localhost:${ports.good}`, 'tls');
  await phone.waitFor('registered');
  await phone.must({ do: 'call', target: '219' });
  await phone.waitFor('answered');
  const offer = phone.lines.map((line) => String(line['message'])).find((text) => text.startsWith('INVITE'))!;
  const rtp = Number(/^m=audio (\d+)/m.exec(offer)![1]);
  const marks = (...filter: string[]): string[] => [...execFileSync('ss', ['-n', '--tos', ...filter]).toString().matchAll(/tos:0x([\da-f]+)/g)].map((match) => match[1]!);
  const AF31 = (26 << 2).toString(16), EF = (46 << 2).toString(16);
  await expect.poll(() => marks('-ua', `sport = :${phone.port}`), { timeout: 5_000 }).toEqual([AF31]);
  await expect.poll(() => marks('-t', `dport = :${ports.good}`), { timeout: 5_000 }).toContain(AF31);
  await expect.poll(() => [...marks('-ua', `sport = :${rtp}`), ...marks('-ua', `sport = :${rtp + 1}`)], { timeout: 5_000 }).toEqual([EF, EF]);
  await phone.must({ do: 'hangup' });
});

test('a phone over TLS calls a phone over WebSocket', async () => {
  const [a, b] = await Promise.all([phoneAt('205', `localhost:${ports.good}`, 'tls'), phoneAt('206', `localhost:${ports.good}`, 'wss')]);
  await Promise.all([a.waitFor('registered'), b.waitFor('registered')]);
  await a.must({ do: 'call', target: '206' });
  await Promise.all([a.waitFor('answered'), b.waitFor('answered')]);
  await pause(300);
  await b.must({ do: 'hangup' });
  await Promise.all([a.waitFor('ended'), b.waitFor('ended')]);
});

describe('what is wrong with TLS is said in words', () => {
  test.each([
    ['another name', 'name', /its certificate is for other\.example, not for localhost/],
    ['an expired certificate', 'expired', /its certificate expired at \d{4}-\d\d-\d\d \d\d:\d\d; the clock of this machine says/],
    ['one that is not valid yet', 'early', /valid only from .* a board without a battery has no time until the network gives it/],
    ['an unknown authority', 'unknown', /an authority that is not known here \(CN=Another authority\)/],
    ['one signed by itself', 'self', /signed by itself alone/],
    ['a server that wants ours', 'clients', /wants a certificate of this phone \(sip\.tlsCert\)/],
  ] as const)('%s', async (_, port, words) => {
    const phone = await phoneAt('207', `localhost:${ports[port]}`, 'tls');
    const line = await phone.waitFor('registration failed');
    expect(line).toMatchObject({ why: 'not trusted' });
    expect(String(line['detail'])).toMatch(words);
    expect(await trouble(phone)).toMatchObject({ why: 'not trusted', trouble: expect.stringMatching(words) as string });
    expect(await kamailio.bindings('207')).toBe(0);
    await phone.stop();
  });

  test('no TLS at the port, and TLS where none is meant', async () => {
    const plain = await phoneAt('207', `localhost:${kamailio.port}`, 'tls');
    expect(await plain.waitFor('registration failed')).toMatchObject({ detail: expect.stringMatching(/does not speak TLS|TLS handshake/) as string }); // Kamailio waits for more
    const wrong = await phoneAt('207', `localhost:${kamailio.port}`, 'ws', { 'accounts.0.wsPath': '/elsewhere' });
    expect(await wrong.waitFor('registration failed')).toMatchObject({ why: 'server refused', detail: expect.stringContaining('answers 404 to /elsewhere') as string });
  });

  test('with a certificate of its own the phone is let in; with one of a stranger it is told', async () => {
    const mine = authority.issue('phone', []), theirs = stranger.issue('phone', []);
    const phone = await phoneAt('208', `localhost:${ports.clients}`, 'tls', { 'sip.tlsCert': pem('mine.pem', mine.cert), 'sip.tlsKey': pem('mine.key', mine.key) });
    await phone.waitFor('registered');
    const other = await phoneAt('207', `localhost:${ports.clients}`, 'tls', { 'sip.tlsCert': pem('theirs.pem', theirs.cert + theirs.key) });
    expect(await other.waitFor('registration failed')).toMatchObject({ why: 'not trusted', detail: expect.stringContaining('does not take the certificate in sip.tlsCert') as string });
  });

  test('where the account switches the check off, anybody is believed, till the page switches it on', async () => {
    const web = await freePort(), name = '209-tls-page', account = { user: '209', password: passwordOf('209'), server: `localhost:${ports.self}`, transport: 'tls', tlsVerify: 'off' };
    mkdirSync(join(folder.path, name));
    writeFileSync(join(folder.path, name, 'settings.toml'), `[[accounts]]\n${Object.entries(account).map(([key, value]) => `${key} = "${value}"\n`).join('')}`);
    const phone = await up(startPhone(folder.path, { name, set: { 'web.enabled': true, 'web.host': '127.0.0.1', 'web.port': web } }));
    await phone.waitFor('registered');

    const page = `http://127.0.0.1:${web}`, cookies = new Map<string, string>();
    let csrf = '';
    const ask = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
      const reply = await fetch(`${page}${path}`, {
        method, headers: { origin: page, cookie: [...cookies].map((pair) => pair.join('=')).join('; '), 'x-csrf-token': csrf, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      for (const line of reply.headers.getSetCookie()) cookies.set(line.split('=')[0]!, line.slice(line.indexOf('=') + 1).split(';')[0]!);
      const said = await reply.json() as Record<string, unknown>;
      if (typeof said['csrf'] === 'string') csrf = said['csrf'];
      expect(reply.status, JSON.stringify(said)).toBe(200);
      return said;
    };
    await ask('GET', '/api/session');
    await ask('POST', '/api/password', { password: 'a page of its own' });
    const { values } = await ask('GET', '/api/settings') as { values: { accounts: Record<string, unknown>[] } };
    phone.forget();
    await ask('PUT', '/api/settings', { changes: { accounts: [{ ...values.accounts[0], password: { keep: 0 }, tlsVerify: 'on' }] } });
    expect(await phone.waitFor('registration failed')).toMatchObject({ why: 'not trusted', detail: expect.stringContaining('signed by itself alone') as string });
  });
});

test('without a server: two phones that accept TLS call each other by sip: and sips: addresses', async () => {
  const door = await freePort(), back = await freePort(), mine = authority.issue('localhost', ['dns:localhost']), ours = authority.issue('a', ['ip:127.0.0.1']);
  const settings = { 'calls.answer': 'auto', 'sip.allowAddresses': '127.0.0.1', 'sip.tlsCa': ca, 'log.level': 'debug', 'sip.trace': true };
  const b = await up(startPhone(folder.path, { name: `door-${door}`, set: { ...settings, 'sip.tlsPort': door, 'sip.tlsCert': pem('door.pem', mine.cert + mine.key) } }));
  const a = await up(startPhone(folder.path, { name: `caller-${back}`, set: { ...settings, 'sip.tlsPort': back, 'sip.tlsCert': pem('a.pem', ours.cert), 'sip.tlsKey': pem('a.key', ours.key) } }));
  for (const target of [`sip:b@localhost:${door};transport=tls`, `sips:b@localhost:${door}`]) {
    for (const phone of [a, b]) phone.forget();
    await a.must({ do: 'call', target });
    await Promise.all([a.waitFor('answered'), b.waitFor('answered')]);
    await b.must({ do: 'hangup' }); // to the Contact of the caller
    await Promise.all([a.waitFor('ended'), b.waitFor('ended')]);
    const told = b.lines.map((line) => String(line['message'])).filter((text) => text.startsWith('SIP/2.0 200') && /^CSeq: \d+ INVITE/m.test(text));
    expect(told.at(-1)).toMatch(target.startsWith('sips') ? new RegExp(`^Contact: <sips:b@127.0.0.1:${door}>`, 'm') : new RegExp(`^Contact: <sip:b@127.0.0.1:${door};transport=tls>`, 'm'));
  }
  const c = await up(startPhone(folder.path, { name: `doubter-${door}`, set: { ...settings, 'sip.tlsCa': '' } }));
  expect(await c.say({ do: 'call', target: `sips:b@localhost:${door}` })).toMatchObject({ ok: false, status: 503, why: expect.stringContaining('an authority that is not known here') as string });
});

test('a Kamailio that was started again is found again over TLS and WebSocket, and calls go on', async () => {
  const own = await freePort(), lost = await up(startKamailio(folder.path, { doors: { tls: [{ port: own, certificate: authority.issue('localhost', ['dns:localhost']) }] } }));
  const phones = [await phoneAt('210', `localhost:${own}`, 'tls'), await phoneAt('211', `localhost:${own}`, 'wss')] as const;
  for (const phone of phones) {
    await phone.waitFor('registered');
    phone.forget();
  }
  await lost.restart();
  for (const user of ['210', '211']) expect(await until(async () => await lost.bindings(user) === 1, 15_000), user).toBe(true);
  await phones[0].must({ do: 'call', target: '211' });
  await Promise.all(phones.map((phone) => phone.waitFor('answered')));
  await phones[0].must({ do: 'hangup' });
});

describe.each([
  ['udp', () => kamailio.port], ['tcp', () => kamailio.port], ['tls', () => ports.v6],
] as const)('over IPv6 and %s', (transport, port) => {
  test('two phones register and talk', async () => {
    const base = 212 + 2 * ['udp', 'tcp', 'tls'].indexOf(transport);
    const [a, b] = await Promise.all([base, base + 1].map((user) => phoneAt(String(user), `[::1]:${port()}`, transport, { 'sip.host': '::1' }))) as [Phone, Phone];
    await Promise.all([a.waitFor('registered'), b.waitFor('registered')]);
    await a.must({ do: 'call', target: String(base + 1) });
    await Promise.all([a.waitFor('answered'), b.waitFor('answered')]);
    for (const phone of [a, b]) expect(await until(async () => ((await phone.must({ do: 'measure' }))['stats'] as { receivedPackets: number }).receivedPackets > 20, 5_000)).toBe(true);
    await b.must({ do: 'hangup' });
    await Promise.all([a.waitFor('ended'), b.waitFor('ended')]);
    for (const phone of [a, b]) await phone.stop();
  });
});
