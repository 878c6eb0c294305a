import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock, settle } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';
import { parseMessage } from '../../src/sip/message.ts';
import type { Message } from '../../src/sip/message.ts';
import { TransportLayer } from '../../src/sip/transport.ts';
import type { Destination, Flow } from '../../src/sip/transport.ts';
import type { StreamSocket } from '../../src/ports/net.ts';

let clock: FakeClock, wire: Wire, layer: TransportLayer;
let heard: { what: string; flow: Flow }[];
let failures: string[];
let traced: string[];

const OPTIONS = Buffer.from('OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2:5070;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n');
const PEER: Destination = { transport: 'tcp', host: '10.0.0.2', port: 5060 };

beforeEach(async () => {
  clock = new FakeClock();
  wire = new Wire(clock);
  heard = [];
  failures = [];
  traced = [];
  layer = make('10.0.0.1');
  await layer.start();
});

function make(address: string, port = 5060, tlsPort = 0): TransportLayer {
  const made = new TransportLayer({ clock, log: new FakeLog(), network: wire.host(address) }, {
    listen: { host: '', port }, tcp: true, tlsPort, trace: (direction, bytes, peer, transport) => traced.push(`${direction} ${bytes.length} ${peer.host}:${peer.port} ${transport}`),
  });
  made.use({
    onMessage: (message, flow) => heard.push({ what: message.method || String(message.status), flow }),
    onMalformed: (malformed, flow) => heard.push({ what: malformed.malformed, flow }),
    onFailure: (to, failure) => failures.push(`${clock.now()} ${to.transport} ${to.host}:${to.port} ${failure.why}`),
  });
  return made;
}

afterEach(() => {
  layer.close();
  clock.advance(2);
  expect(clock.pending, 'alarms left behind').toBe(0);
});

/** A peer's TCP port: what it got, and its ends of the streams. */
async function listenAt(host: string, port: number) {
  const got: Buffer[] = [], sockets: StreamSocket[] = [];
  let closed = 0;
  const listener = await wire.host(host).listen({ host: '', port }, (socket) => {
    sockets.push(socket);
    return { onOpen: () => undefined, onBytes: (bytes) => { got.push(bytes); }, onClose: () => { closed++; } };
  });
  return { got, sockets, listener, get closed() { return closed; }, text: () => Buffer.concat(got).toString() };
}

function connect(from: string) {
  const got: Buffer[] = [];
  let closed = false;
  const socket = wire.host(from).connect({ host: '10.0.0.1', port: 5060 }, { onOpen: () => undefined, onBytes: (b) => { got.push(b); }, onClose: () => { closed = true; } });
  clock.advance(5);
  return { socket, text: () => Buffer.concat(got).toString(), get closed() { return closed; } };
}

describe('UDP', () => {
  test('keep-alives and zero bytes are dropped, nonsense is counted, messages pass (RFC 5626 §3.5.1)', async () => {
    const peer = await wire.host('10.0.0.2').udp({ host: '', port: 5060 }, { onDatagram: () => undefined, onError: () => undefined });
    for (const bytes of [Buffer.from('\r\n\r\n'), Buffer.alloc(4), Buffer.alloc(0), Buffer.from('GET / HTTP/1.0\r\n\r\n'), OPTIONS]) peer.send(bytes, { host: '10.0.0.1', port: 5060 });
    clock.advance(5);
    expect(heard.map((h) => h.what)).toEqual(['the start line is neither a request nor a response', 'OPTIONS']);
    expect(layer.counts).toMatchObject({ in: 1, malformed: 1, keepAlives: 3 });
    expect(heard[1]!.flow).toEqual({ transport: 'udp', host: '10.0.0.2', port: 5060, local: { host: '10.0.0.1', port: 5060 } });
    expect(traced.at(-1)).toBe(`in ${OPTIONS.length} 10.0.0.2:5060 udp`);
  });

  test('a refused datagram is a failure of its target', () => {
    layer.send(OPTIONS, { transport: 'udp', host: '10.0.0.2', port: 9 });
    clock.advance(5);
    expect(failures).toEqual(['1 udp 10.0.0.2:9 refused']);
  });

  test('ping is CRLFCRLF', () => {
    expect(layer.ping({ transport: 'udp', host: '10.0.0.2', port: 5060 })).toBe(true);
    expect(wire.sent[0]!.bytes.toString()).toBe('\r\n\r\n');
    clock.advance(5);
  });
});

describe('TCP', () => {
  test('sends wait for the connection, then share it (RFC 3261 §18.1.1)', async () => {
    const far = await listenAt('10.0.0.2', 5060);
    layer.send(OPTIONS, PEER);
    layer.send(OPTIONS, PEER);
    expect(layer.isOpen(PEER)).toBe(true);
    clock.advance(5);
    layer.send(OPTIONS, PEER);
    clock.advance(5);
    expect(far.sockets).toHaveLength(1);
    expect(far.text()).toBe(OPTIONS.toString().repeat(3));
  });

  test('a connection the peer opened answers it, and carries our requests to that address', () => {
    const near = connect('10.0.0.2');
    near.socket.send(OPTIONS);
    clock.advance(5);
    const { flow } = heard[0]!;
    layer.send(Buffer.from('one'), flow);
    layer.send(Buffer.from('two'), { transport: 'tcp', host: flow.host, port: flow.port });
    clock.advance(5);
    expect(near.text()).toBe('onetwo');
  });

  test('after the connection is gone a response goes to the port of sent-by at the source (§18.2.2)', async () => {
    const far = await listenAt('10.0.0.2', 5070);
    const near = connect('10.0.0.2');
    near.socket.send(OPTIONS);
    clock.advance(5);
    const { flow } = heard[0]!;
    expect(layer.replyTo(parseMessage(OPTIONS) as Message, flow)).toBe(flow);
    near.socket.close();
    clock.advance(5);
    const elsewhere = layer.replyTo(parseMessage(OPTIONS) as Message, flow);
    expect(elsewhere).toEqual({ transport: 'tcp', host: '10.0.0.2', port: 5070 });
    layer.send(Buffer.from('answer'), elsewhere);
    clock.advance(5);
    expect(far.text()).toBe('answer');
  });

  test('a ping is answered with a pong (RFC 5626 §3.5.1)', () => {
    const near = connect('10.0.0.2');
    near.socket.send(Buffer.from('\r\n\r\n'));
    clock.advance(5);
    expect(near.text()).toBe('\r\n');
  });

  test('a ping of ours without pong in 10 s ends the connection, with one it stays (RFC 5626 §4.4.1)', async () => {
    expect(layer.ping(PEER)).toBe(false);
    const far = await listenAt('10.0.0.2', 5060);
    layer.send(OPTIONS, PEER);
    clock.advance(5);
    expect(layer.ping(PEER)).toBe(true);
    clock.advance(5);
    expect(far.text()).toMatch(/\r\n\r\n$/);
    far.sockets[0]!.send(Buffer.from('\r\n'));
    clock.advance(60_000);
    expect(failures).toEqual([]);
    layer.ping(PEER);
    clock.advance(9_999);
    expect(failures).toEqual([]);
    clock.advance(10);
    expect(failures).toEqual(['70010 tcp 10.0.0.2:5060 connection closed']);
    expect(layer.isOpen(PEER)).toBe(false);
  });

  test('refused, or silent for 5 s: a failure, and the next send tries anew', async () => {
    layer.send(OPTIONS, PEER);
    clock.advance(5);
    wire.down.add('10.0.0.2');
    layer.send(OPTIONS, PEER);
    clock.advance(5_000);
    wire.down.clear();
    const far = await listenAt('10.0.0.2', 5060);
    layer.send(OPTIONS, PEER);
    clock.advance(5);
    expect(failures.map((f) => f.replace(/ tcp.*:5060/, ''))).toEqual(['1 refused', '5005 no connection in time']);
    expect(far.text()).toBe(OPTIONS.toString());
  });

  test('nonsense closes the connection, a bad line in a framed message does not', () => {
    const near = connect('10.0.0.2');
    near.socket.send(Buffer.from('OPTIONS sip:a SIP/2.0\r\nbad\r\nl: 0\r\n\r\n'));
    clock.advance(5);
    expect(near.closed).toBe(false);
    near.socket.send(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    near.socket.send(OPTIONS);
    clock.advance(5);
    expect(near.closed).toBe(true);
    expect(heard.map((h) => h.what)).toEqual(['header line 1 is not "name: value"', 'the start line is neither a request nor a response']);
  });

  test('beyond 64 connections the accepted one that was silent longest goes', () => {
    const first = connect('10.0.0.2'), second = connect('10.0.0.2');
    first.socket.send(OPTIONS); // used later than the second
    clock.advance(5);
    for (let i = 0; i < 63; i++) connect(`10.0.1.${i}`);
    clock.advance(5);
    expect([first.closed, second.closed]).toEqual([false, true]);
  });

  test('a stranger\'s many connections cost nobody else his', () => {
    const phone = connect('10.0.0.2'), stranger = Array.from({ length: 100 }, () => connect('10.0.0.66')), late = connect('10.0.0.3');
    clock.advance(5);
    expect([phone.closed, late.closed, stranger.filter(({ closed }) => closed).length]).toEqual([false, false, 38]);
  });

  test('port 0: TCP gets the port that UDP was given', async () => {
    const other = make('10.0.0.5', 0);
    await other.start();
    const near = wire.host('10.0.0.6').connect(other.local, { onOpen: () => undefined, onBytes: () => undefined, onClose: () => failures.push('closed') });
    clock.advance(5);
    near.send(OPTIONS);
    clock.advance(5);
    expect(heard.map((h) => h.what)).toEqual(['OPTIONS']);
    other.close();
  });

  test('a taken port is an error that names it', async () => {
    await expect(make('10.0.0.1').start()).rejects.toMatchObject({ code: 'PORT_IN_USE', message: expect.stringContaining('5060') });
  });
});

describe('an unfinished message (RFC 3261 §18.3)', () => {
  test.each([
    ['a header without end', 'OPTIONS sip:a@b SIP/2.0\r\nVia'],
    ['a Content-Length that promises more than comes', 'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bK1\r\nContent-Length: 9\r\n\r\nshort'],
    ['nothing at all', ''],
  ])('%s: the connection is closed after 32 s', (_, bytes) => {
    const near = connect('10.0.0.2');
    if (bytes !== '') near.socket.send(Buffer.from(bytes));
    clock.advance(31_990);
    expect(near.closed).toBe(false);
    clock.advance(20);
    expect(near.closed).toBe(true);
    expect(failures).toHaveLength(1);
  });

  test('a byte a second wins no time, and a message in time does', () => {
    const slow = connect('10.0.0.2'), fair = connect('10.0.0.3');
    for (let at = 0; at < 40; at++) {
      if (!slow.closed) slow.socket.send(OPTIONS.subarray(at, at + 1));
      fair.socket.send(at % 2 === 0 ? OPTIONS.subarray(0, 50) : OPTIONS.subarray(50));
      clock.advance(1_000);
    }
    expect([slow.closed, fair.closed]).toEqual([true, false]);
    expect(heard).toHaveLength(20);
    clock.advance(100_000);
    expect(fair.closed, 'between messages a connection may rest').toBe(false);
  });

  test('one of ours that the server spoils is closed too, and the next send opens another', async () => {
    const far = await listenAt('10.0.0.2', 5060);
    layer.send(OPTIONS, PEER);
    clock.advance(5);
    far.sockets[0]!.send(Buffer.from('SIP/2.0 200 OK\r\n'));
    clock.advance(32_010);
    expect(failures).toEqual(['32006 tcp 10.0.0.2:5060 connection closed']);
    layer.send(OPTIONS, PEER);
    clock.advance(5);
    expect(far.sockets).toHaveLength(2);
  });
});

describe('TLS (RFC 3261 §26.3.1, RFC 5922)', () => {
  const tls = (name: string): Destination => ({ transport: 'tls', host: '10.0.0.2', port: 5061, name });

  test('the network is asked for the name that was looked up, and Via says TLS', async () => {
    const far = await listenAt('10.0.0.2', 5061);
    await layer.learnAddress('10.0.0.2');
    expect(layer.via(tls('pbx.example'), 'z9hG4bKx')).toMatch(/^SIP\/2\.0\/TLS 10\.0\.0\.1:5060;/);
    layer.send(OPTIONS, tls('pbx.example'));
    clock.advance(5);
    far.sockets[0]!.send(OPTIONS);
    clock.advance(5);
    expect(wire.ways).toEqual(['tls pbx.example']);
    expect(heard[0]!.flow).toMatchObject({ transport: 'tls', host: '10.0.0.2', port: 5061, name: 'pbx.example' });
    expect(layer.replyTo(parseMessage(OPTIONS) as Message, heard[0]!.flow)).toBe(heard[0]!.flow);
  });

  test('what is for the mere address goes over a connection that stands, not one that is only being tried', async () => {
    const peer = await listenAt('10.0.0.2', 5061);
    const to = (name: string): Destination => ({ transport: 'tls', host: '10.0.0.2', port: 5061, name });
    wire.distrusted.add('b.example');
    layer.send(OPTIONS, to('a.example'));
    clock.advance(5);
    layer.send(OPTIONS, to('b.example'));
    layer.send(OPTIONS, to('10.0.0.2'));
    clock.advance(5);
    expect(peer.got).toHaveLength(2);
    expect(failures).toEqual(['6 tls 10.0.0.2:5061 not trusted']);
  });

  test('a connection is used again for its name, for its mere address, and for names its certificate has; for no other (RFC 5922 §7.3)', async () => {
    const far = await listenAt('10.0.0.2', 5061);
    layer.send(OPTIONS, tls('pbx.example'));
    clock.advance(5);
    for (const name of ['pbx.example', '10.0.0.2']) layer.send(OPTIONS, tls(name));
    wire.covered.add('sbc.example');
    layer.send(OPTIONS, tls('sbc.example'));
    clock.advance(5);
    expect(far.sockets).toHaveLength(1);
    layer.send(OPTIONS, tls('other.example'));
    layer.send(OPTIONS, { transport: 'tcp', host: '10.0.0.2', port: 5061 });
    clock.advance(5);
    expect(wire.ways).toEqual(['tls pbx.example', 'tls other.example', 'tcp']);
  });

  test('a certificate that is not good is a failure of its own, in words', async () => {
    await listenAt('10.0.0.2', 5061);
    wire.distrusted.add('pbx.example');
    layer.send(OPTIONS, tls('pbx.example'));
    clock.advance(5);
    expect(failures).toEqual(['1 tls 10.0.0.2:5061 not trusted']);
    expect(layer.isOpen(tls('pbx.example'))).toBe(false);
  });

  test('a lost connection is opened again by the next send', async () => {
    const far = await listenAt('10.0.0.2', 5061);
    layer.send(OPTIONS, tls('pbx.example'));
    clock.advance(5);
    far.sockets[0]!.close();
    clock.advance(5);
    expect(failures).toEqual(['6 tls 10.0.0.2:5061 connection closed']);
    layer.send(OPTIONS, tls('pbx.example'));
    clock.advance(5);
    expect(far.sockets).toHaveLength(2);
  });

  test('where it is accepted, Via names that port, and an answer without connection goes to port 5061 (RFC 3261 §18.2.2)', async () => {
    const other = make('10.0.0.5', 5060, 5061);
    await other.start();
    await other.learnAddress('10.0.0.2');
    expect(other.via(tls('pbx.example'), 'z9hG4bKx')).toMatch(/^SIP\/2\.0\/TLS 10\.0\.0\.5:5061;/);
    const near = wire.host('10.0.0.6').connect({ host: '10.0.0.5', port: 5061 }, { onOpen: () => undefined, onBytes: () => undefined, onClose: () => undefined });
    clock.advance(5);
    const request = Buffer.from(OPTIONS.toString().replace('TCP 10.0.0.2:5070', 'TLS 10.0.0.6'));
    near.send(request);
    clock.advance(5);
    const { flow } = heard[0]!;
    expect(flow).toMatchObject({ transport: 'tls', host: '10.0.0.6' });
    near.close();
    clock.advance(5);
    expect(other.replyTo(parseMessage(request) as Message, flow)).toMatchObject({ transport: 'tls', host: '10.0.0.6', port: 5061 });
    other.close();
    const taken = make('10.0.0.7', 5060, 5060);
    await expect(taken.start()).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await expect(make('10.0.0.7', 5060).start().then(() => 'free again')).resolves.toBe('free again');
  });
});

describe('WebSocket (RFC 7118)', () => {
  const web = (transport: 'ws' | 'wss'): Destination => ({ transport, host: '10.0.0.2', port: 443, name: 'pbx.example' });
  const BARE = OPTIONS.toString().replace('Content-Length: 0\r\n', '').replace('TCP', 'WSS');

  test('a frame is a message, without Content-Length too (§5); nonsense in one closes nothing', async () => {
    const far = await listenAt('10.0.0.2', 443);
    layer.send(OPTIONS, web('wss'));
    clock.advance(5);
    for (const frame of [`${BARE}body`, 'what?', BARE]) far.sockets[0]!.send(Buffer.from(frame));
    clock.advance(5);
    expect(wire.ways).toEqual(['wss pbx.example']);
    expect(heard.map((h) => h.what)).toEqual(['OPTIONS', 'the start line does not end', 'OPTIONS']);
    expect(heard[0]!.flow.transport).toBe('wss');
    expect(failures).toEqual([]);
  });

  test('transport=ws goes over the secure one too, and Via then says so (§5.2, §5.3)', async () => {
    const far = await listenAt('10.0.0.2', 443);
    await layer.learnAddress('10.0.0.2');
    layer.send(OPTIONS, web('wss'));
    clock.advance(5);
    expect(layer.via(web('ws'), 'z9hG4bKx')).toMatch(/^SIP\/2\.0\/WSS /);
    layer.send(OPTIONS, web('ws'));
    clock.advance(5);
    expect(far.sockets).toHaveLength(1);
  });

  test('but what is for wss never goes over a plain one', async () => {
    await listenAt('10.0.0.2', 443);
    layer.send(OPTIONS, web('ws'));
    clock.advance(5);
    layer.send(OPTIONS, web('wss'));
    clock.advance(5);
    expect(wire.ways).toEqual(['ws pbx.example', 'wss pbx.example']);
  });

  test('a ping without pong ends it (§6)', async () => {
    const far = await listenAt('10.0.0.2', 443);
    layer.send(OPTIONS, web('ws'));
    clock.advance(5);
    layer.ping(web('ws'));
    clock.advance(5);
    far.sockets[0]!.send(Buffer.from('\r\n'));
    clock.advance(20_000);
    expect(failures).toEqual([]);
    layer.ping(web('ws'));
    clock.advance(10_010);
    expect(failures).toEqual([expect.stringMatching(/ws 10\.0\.0\.2:443 connection closed/)]);
  });
});

describe('the address of ours that leads to a target', () => {
  test('is asked once a minute and forgotten when the network changes', async () => {
    expect(layer.addressFor('10.0.0.2')).toBeUndefined();
    expect(layer.via(PEER, 'z9hG4bKx')).toBeUndefined();
    expect(await layer.learnAddress('10.0.0.2')).toBe('10.0.0.1');
    expect(layer.via(PEER, 'z9hG4bKx')).toBe('SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKx;rport');
    clock.advance(60_001);
    expect(layer.addressFor('10.0.0.2')).toBeUndefined();
    await layer.learnAddress('10.0.0.2');
    layer.networkChanged();
    expect(layer.addressFor('10.0.0.2')).toBeUndefined();
    wire.down.add('10.0.0.1');
    expect(await layer.learnAddress('10.0.0.2')).toBeUndefined();
  });

  test('is the bound one when one is bound', async () => {
    const bound = new TransportLayer({ clock, log: new FakeLog(), network: wire.host('10.0.0.7') }, { listen: { host: '10.0.0.7', port: 5090 }, tcp: false });
    expect(await bound.learnAddress('10.0.0.2')).toBe('10.0.0.7');
    await settle();
  });
});

describe('keep-alive by STUN (RFC 5626 §3.5.2)', () => {
  const SERVER: Destination = { transport: 'udp', host: '10.0.0.2', port: 5060 };

  test('the answer is told apart from SIP; a silent server is a failed flow (§4.4.2)', async () => {
    const random = new FakeRandom(1), asked: Buffer[] = [];
    const server = await wire.host('10.0.0.2').udp({ host: '', port: 5060 }, {
      onDatagram: (bytes, from) => {
        asked.push(bytes);
        if (asked.length > 1) return;
        // binding success, MAPPED-ADDRESS 10.0.0.1 5060
        server.send(Buffer.concat([Buffer.from('0101000c', 'hex'), bytes.subarray(4, 20), Buffer.from('00010008000113c40a000001', 'hex')]), from);
      },
      onError: () => undefined,
    });
    expect(layer.ping(SERVER, random)).toBe(true);
    clock.advance(25_000);
    expect([asked.length, heard, failures, layer.counts.malformed]).toEqual([1, [], [], 0]);
    layer.ping(SERVER, random);
    clock.advance(7_500);
    expect(asked).toHaveLength(5);
    expect(failures).toEqual(['32500 udp 10.0.0.2:5060 connection closed']);
    layer.ping(SERVER, random); // close() ends what is under way
  });
});
