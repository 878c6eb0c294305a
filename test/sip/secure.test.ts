// The agent over TLS and WebSocket: names, addresses and ports that it writes; what sips: asks for.

import { expect, test } from 'vitest';
import type { AccountOptions, Transport } from '../../src/sip/agent-types.ts';
import { nameAddr, topVia } from '../../src/sip/headers.ts';
import { parseMessage, requestUri, text, type Message } from '../../src/sip/message.ts';
import { placeOf } from '../../src/sip/requester.ts';
import { Registrar } from '../fakes/registrar.ts';
import { OFFER, story, Town } from './agent-bench.ts';

const SERVER = '10.0.0.50';
const account = (more: Partial<AccountOptions>): AccountOptions => ({
  id: 'main', user: '201', server: 'pbx.example', proxy: '', transport: 'tls', authUser: '', password: 'secret', displayName: '', expiresS: 600, register: true, ...more,
});

async function bench(more: Partial<AccountOptions>, port: number, prepare: (town: Town) => void = () => undefined) {
  const town = new Town(), registrar = new Registrar(town.clock, town.wire.host(SERVER), port);
  registrar.users.set('201', 'secret');
  await registrar.start();
  town.resolver.hosts.set('pbx.example', [SERVER]);
  town.resolver.hosts.set('host7.farm.example', [SERVER]);
  prepare(town);
  const phone = await town.phone('10.0.0.1');
  phone.agent.addAccount(account(more));
  await town.run(200);
  return { town, registrar, phone };
}

const contactOf = (message: Message): string => nameAddr(message, 'contact')!.uri;

test.each<[Transport, number, string, string]>([
  ['tls', 5061, 'TLS', ';transport=tls'], ['ws', 80, 'WS', ';transport=ws'], ['wss', 443, 'WSS', ';transport=ws'],
])('registers over %s at port %i (RFC 3261 §19.1.2, §26.2.2; RFC 7118 §5)', async (transport, port, via, param) => {
  const { town, registrar, phone } = await bench({ transport }, port);
  expect(phone.registrations.map((r) => r.state)).toEqual(['trying', 'registered']);
  expect(town.wire.ways).toEqual([`${transport} pbx.example`]); // both requests on one connection
  const { message } = registrar.requests[1]!;
  expect(topVia(message)?.transport).toBe(via);
  expect(contactOf(message)).toBe(`sip:201@10.0.0.1:5060${param}`);
});

test('the name to be certified is the domain of the settings, not that of its SRV record (RFC 5922 §7.2, RFC 3263 §4.1)', async () => {
  const { town, phone } = await bench({}, 7_061, ({ resolver }) => resolver.services.set('_sips._tcp.pbx.example', [{ name: 'host7.farm.example', port: 7_061, priority: 1, weight: 1 }]));
  expect(phone.registrations.at(-1)?.state).toBe('registered');
  expect(town.wire.ways).toEqual(['tls pbx.example']);
});

test('with an outbound proxy it is the proxy that must be certified, and Route names its transport', async () => {
  const { town, registrar } = await bench({ server: 'other.example', proxy: 'pbx.example:7443', transport: 'wss' }, 7_443);
  expect(town.wire.ways).toEqual(['wss pbx.example']);
  expect(text(registrar.requests[0]!.message, 'route')).toBe('<sip:pbx.example:7443;transport=ws;lr>');
});

test('a certificate that is not good: the account fails by that name and in words, and tries again', async () => {
  const { town, phone } = await bench({}, 5_061, ({ wire }) => wire.distrusted.add('pbx.example'));
  expect(phone.registrations.at(-1)).toMatchObject({ state: 'failed', why: 'not trusted', status: 0, detail: 'its certificate is for evil.example' });
  town.wire.distrusted.clear();
  await town.run(6_000);
  expect(phone.registrations.at(-1)?.state).toBe('registered');
});

test('a lost connection is opened again at once by registering (RFC 5626 §4.5)', async () => {
  const { town, registrar, phone } = await bench({}, 5_061);
  for (const stream of registrar.streams) stream.close();
  await town.run(200);
  expect(town.wire.ways).toHaveLength(2);
  expect(registrar.requests.at(-1)!.message.method).toBe('REGISTER');
  expect(phone.agent.accounts[0]!.registration.state).toBe('registered');
});

test('a connection that fails for the name of another account is no failure of ours to the same address (RFC 5626 §4.2)', async () => {
  const { town, registrar, phone } = await bench({}, 5_061, ({ resolver, wire }) => {
    resolver.hosts.set('other.example', [SERVER]);
    wire.distrusted.add('other.example');
  });
  phone.agent.addAccount(account({ id: 'other', server: 'other.example' }));
  await town.run(20_000);
  expect(town.wire.ways.filter((way) => way === 'tls other.example').length).toBeGreaterThan(3);
  expect(registrar.methods()).toEqual(['REGISTER', 'REGISTER']);
});

test('nor does it fail what was sent to the mere address over our connection (RFC 3261 §18.4)', async () => {
  const { town, registrar, phone } = await bench({}, 5_061, ({ resolver, wire }) => {
    resolver.hosts.set('other.example', [SERVER]);
    wire.distrusted.add('other.example');
  });
  registrar.silent = true;
  let status = 0;
  void phone.agent.options(`sip:${SERVER}:5061;transport=tls`).then((said) => { status = said; });
  await town.run(100);
  phone.agent.addAccount(account({ id: 'other', server: 'other.example' }));
  await town.run(1_000);
  expect([registrar.methods().at(-1), status]).toEqual(['OPTIONS', 0]);
});

test.each([
  ['sips:a@x', 'tls'], ['sips:a@x;transport=tcp', 'tls'], ['sips:a@x;transport=ws', 'wss'], ['sips:a@x;transport=udp', 'tls'],
  ['sip:a@x;transport=tls', 'tls'], ['sip:a@x;transport=TCP', 'tcp'], ['sip:a@x;transport=ws', 'ws'], ['sip:a@x;transport=wss', 'wss'],
  ['sip:a@x;transport=sctp', undefined], ['sip:a@x;transport=wsx', undefined], ['sip:a@x', undefined],
])('%s goes over %s (RFC 3261 §26.2.2, RFC 7118 §5.2)', (uri, transport) => {
  expect(placeOf(uri)?.transport).toBe(transport);
});

/** Takes a TLS connection at SERVER:5061; gives what came. */
async function listener(town: Town) {
  const got: Message[] = [];
  let send: (lines: readonly string[]) => void = () => undefined;
  await town.wire.host(SERVER).listen({ host: '', port: 5_061 }, (socket) => {
    send = (lines) => socket.send(Buffer.from([...lines, 'Content-Length: 0', '', ''].join('\r\n')));
    return { onOpen: () => undefined, onBytes: (bytes) => { got.push(parseMessage(bytes) as Message); }, onClose: () => undefined };
  });
  return { got, send: (lines: readonly string[]) => send(lines) };
}

test('a call to sips: goes over TLS and has a sips: Contact (RFC 3261 §8.1.1.8, §26.2.2)', async () => {
  const town = new Town(), { got } = await listener(town);
  town.resolver.hosts.set('pbx.example', [SERVER]);
  const phone = await town.phone('10.0.0.1');
  phone.agent.call({ target: 'sips:bob@pbx.example', offer: OFFER });
  await town.run(100);
  expect(town.wire.ways).toEqual(['tls pbx.example']);
  expect([requestUri(got[0]!), topVia(got[0]!)?.transport, contactOf(got[0]!)]).toEqual(['sips:bob@pbx.example', 'TLS', 'sips:phone@10.0.0.1:5060']);
  expect(town.wire.sent).toEqual([]);
});

test('a call that meets a wrong certificate ends with the sentence about it', async () => {
  const town = new Town();
  await listener(town);
  town.wire.distrusted.add('pbx.example');
  town.resolver.hosts.set('pbx.example', [SERVER]);
  const phone = await town.phone('10.0.0.1'), told = story(phone.agent.call({ target: 'sips:bob@pbx.example', offer: OFFER }));
  await town.run(100);
  expect(told).toEqual(['ended by network: its certificate is for evil.example (503)']);
});

test('through an account of UDP too: no message for a sips: address leaves in the clear (§26.2.2)', async () => {
  const town = new Town(), { got } = await listener(town);
  town.resolver.hosts.set('pbx.example', [SERVER]);
  const phone = await town.phone('10.0.0.1'), unit = phone.agent.addAccount(account({ transport: 'udp', register: false }));
  phone.agent.call({ target: 'sips:bob@elsewhere.example', account: unit, offer: OFFER });
  await town.run(100);
  expect(got.map((m) => m.method)).toEqual(['INVITE']);
  expect(town.wire.ways).toEqual(['tls pbx.example']);
  expect(town.wire.sent).toEqual([]);
});

test.each([
  ['the Request-URI is one', 'sips:201@10.0.0.1', [], 'sip:bob@pbx.example', true],
  ['the topmost Record-Route is one', 'sip:201@10.0.0.1', ['Record-Route: <sips:pbx.example;lr>, <sip:inner.example;lr>'], 'sip:bob@pbx.example', true],
  ['there is no Record-Route and its Contact is one', 'sip:201@10.0.0.1', [], 'sips:bob@pbx.example', true],
  ['only its Contact is one, behind a Record-Route', 'sip:201@10.0.0.1', ['Record-Route: <sip:pbx.example;lr>'], 'sips:bob@pbx.example', false],
  ['nothing is', 'sip:201@10.0.0.1', [], 'sip:bob@pbx.example', false],
])('an INVITE is answered with a sips: Contact when %s: %#', async (_, uri, more, contact, sips) => {
  const { town, registrar, phone } = await bench({ server: SERVER }, 5_061);
  const before = registrar.requests.length;
  const got: string[] = [];
  phone.onCall = (call) => call.progress(180);
  const [stream] = registrar.streams;
  const peer = town.wire.host('10.0.0.60').connect({ host: '10.0.0.1', port: 5060 }, { onOpen: () => undefined, onBytes: (bytes) => { got.push(bytes.toString()); }, onClose: () => undefined });
  await town.run(10);
  peer.send(Buffer.from([`INVITE ${uri} SIP/2.0`, 'Via: SIP/2.0/TCP 10.0.0.60;branch=z9hG4bKx', 'Max-Forwards: 70', 'From: <sip:bob@pbx.example>;tag=f', 'To: <sip:201@pbx.example>', 'Call-ID: one', 'CSeq: 1 INVITE',
    ...more, `Contact: <${contact}>`, 'Content-Length: 0', '', ''].join('\r\n')));
  await town.run(50);
  const ringing = got.map((one) => parseMessage(Buffer.from(one)) as Message).find((m) => m.status === 180)!;
  expect(contactOf(ringing)).toBe(`${sips ? 'sips' : 'sip'}:201@10.0.0.1:5060;transport=tcp`);
  expect([before, stream === undefined]).toEqual([2, false]);
});

test('a call over TLS whose peer names a mere address stays on the connection (RFC 3261 §18.1.1)', async () => {
  const { town, registrar, phone } = await bench({}, 5_061);
  registrar.override = (message) => (message.method === 'INVITE' ? { status: 200, headers: [['Record-Route', `<sip:${SERVER}:5061;transport=tls;lr>`], ['Contact', '<sip:202@10.9.9.9:5060>']] } : message.method === 'REGISTER' ? undefined : { status: 200 });
  const call = phone.agent.call({ target: '202', account: phone.agent.accounts[0]!, offer: OFFER }), told = story(call);
  await town.run(200);
  call.hangUp();
  await town.run(200);
  expect(told).toContain('established');
  expect(registrar.requests.map((r) => r.message.method).slice(2)).toEqual(['INVITE', 'ACK', 'BYE']);
  expect(town.wire.ways).toEqual(['tls pbx.example']);
});
