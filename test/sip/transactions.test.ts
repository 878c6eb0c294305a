import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeClock, settle } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';
import { buildResponse } from '../../src/sip/build.ts';
import type { RequestParts } from '../../src/sip/build.ts';
import { cseqOf, topVia } from '../../src/sip/headers.ts';
import { parseMessage, text, value } from '../../src/sip/message.ts';
import type { Message } from '../../src/sip/message.ts';
import { Transactions } from '../../src/sip/transactions.ts';
import type { ClientUser, ServerTransaction } from '../../src/sip/transactions.ts';
import { TransportLayer } from '../../src/sip/transport.ts';
import type { Destination, Failure } from '../../src/sip/transport.ts';
import type { DatagramSocket, StreamSocket } from '../../src/ports/net.ts';

// We are 10.0.0.1; the peer is 10.0.0.2, a script of raw messages.

const PEER: Destination = { transport: 'udp', host: '10.0.0.2', port: 5060 };
let clock: FakeClock, wire: Wire, transport: TransportLayer, transactions: Transactions;
let peer: DatagramSocket;
let heard: { atMs: number; message: Message }[];   // by the peer
let told: string[];                                 // what our user was told, with the instant
let servers: ServerTransaction[];
let whenAsked: (request: Message, server: ServerTransaction) => void;

function read(bytes: Buffer): Message {
  const message = parseMessage(bytes);
  if (message.kind === 'malformed') throw new Error(message.malformed);
  return message;
}

beforeEach(async () => {
  clock = new FakeClock();
  wire = new Wire(clock);
  wire.weather.delayMs = 0;
  heard = [];
  told = [];
  servers = [];
  whenAsked = () => undefined;
  peer = await wire.host('10.0.0.2').udp({ host: '', port: 5060 }, {
    onDatagram: (bytes) => heard.push({ atMs: clock.now(), message: read(bytes) }), onError: () => undefined,
  });
  await start();
});

async function start(limits = {}): Promise<void> {
  transport?.close();
  transport = new TransportLayer({ clock, log: new FakeLog(), network: wire.host('10.0.0.1') }, { listen: { host: '', port: 5060 }, tcp: true });
  transactions = new Transactions({ clock, random: new FakeRandom(7), log: new FakeLog() }, transport, {
    onRequest: (request, server) => {
      told.push(`${clock.now()} ${request.method}`);
      servers.push(server);
      whenAsked(request, server);
    },
    onAck: () => told.push(`${clock.now()} ACK`),
  }, limits);
  await transport.start();
}

afterEach(() => {
  transactions.close();
  transport.close();
  clock.advance(2); // the wire's own: streams that close
  expect(clock.pending, 'alarms left behind').toBe(0);
});

const parts = (method: string): RequestParts => ({
  method, uri: 'sip:bob@10.0.0.2',
  headers: [['From', '<sip:alice@10.0.0.1>;tag=a1'], ['To', '<sip:bob@10.0.0.2>'], ['Call-ID', 'c1'], ['CSeq', `7 ${method}`], ['Route', '<sip:10.0.0.2;lr>']],
});

const user: ClientUser = {
  onProvisional: (r) => told.push(`${clock.now()} ${r.status}`),
  onFinal: (r) => told.push(`${clock.now()} ${r.status}`),
  onTimeout: () => told.push(`${clock.now()} time-out`),
  onTransportError: (f: Failure) => told.push(`${clock.now()} ${f.why}`),
};

async function send(method: string, to = PEER) {
  const client = transactions.send(parts(method), to, user);
  await settle();
  clock.advance(0);
  return client;
}

/** The peer answers the first request it heard of `method`. */
function answer(status: number, method = 'INVITE', toTag = 'b1'): void {
  clock.advance(0);
  const request = heard.find(({ message }) => message.method === method)!.message;
  peer.send(buildResponse(request, status, { toTag }), { host: '10.0.0.1', port: 5060 });
  clock.advance(0);
}

/** A request from the peer. */
function ask(method: string, branch = 'z9hG4bKp1', more: { cseq?: number; callId?: string; from?: string; via?: string; to?: string; lines?: string; uri?: string } = {}): void {
  const { cseq = 1, callId = 'p1', from = '<sip:bob@10.0.0.2>;tag=b2', to = '<sip:alice@10.0.0.1>', via = `SIP/2.0/UDP 10.0.0.2:5060;branch=${branch}`, lines = '', uri = 'sip:alice@10.0.0.1' } = more;
  peer.send(Buffer.from(`${method} ${uri} SIP/2.0\r\nVia: ${via}\r\nMax-Forwards: 70\r\nFrom: ${from}\r\nTo: ${to}\r\nCall-ID: ${callId}\r\nCSeq: ${cseq} ${method}\r\n${lines}Content-Length: 0\r\n\r\n`), { host: '10.0.0.1', port: 5060 });
  clock.advance(0);
}

const instants = (method: string): number[] => heard.filter(({ message }) => message.method === method).map(({ atMs }) => atMs);
const statuses = (): number[] => heard.filter(({ message }) => message.kind === 'response').map(({ message }) => message.status);

describe('INVITE client', () => {
  test('is resent at T1, 2·T1, 4·T1 … and given up at 64·T1 (RFC 3261 §17.1.1.2, timers A and B)', async () => {
    await send('INVITE');
    clock.advance(40_000);
    expect(instants('INVITE')).toEqual([0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    expect(told).toEqual(['32000 time-out']);
  });

  test('stops resending at a provisional response and waits without end (§17.1.1.2)', async () => {
    await send('INVITE');
    clock.advance(600);
    answer(180);
    clock.advance(200_000);
    expect(instants('INVITE')).toEqual([0, 500]);
    expect(told).toEqual(['600 180']);
  });

  test('acknowledges a non-2xx each time it comes, passes it up once, and forgets after timer D (§17.1.1.2, §17.1.1.3)', async () => {
    await send('INVITE');
    answer(486);
    clock.advance(500);
    answer(486);
    clock.advance(31_499);
    answer(486);
    clock.advance(1_000);
    answer(486);
    clock.advance(100);
    expect(told).toEqual(['0 486']);
    expect(instants('ACK')).toEqual([0, 500, 31_999]);
    expect(transactions.size).toBe(0);
  });

  test('its ACK has the Via, Request-URI, Route, Call-ID, From and CSeq number of the INVITE and the To of the response (§17.1.1.3)', async () => {
    await send('INVITE');
    answer(603, 'INVITE', 'far');
    const [invite, ack] = heard.map(({ message }) => message);
    for (const name of ['via', 'route', 'call-id', 'from', 'max-forwards']) expect(text(ack!, name), name).toBe(text(invite!, name));
    expect(ack!.bytes.toString().split('\r\n')[0]).toBe('ACK sip:bob@10.0.0.2 SIP/2.0');
    expect(text(ack!, 'to')).toBe('<sip:bob@10.0.0.2>;tag=far');
    expect(cseqOf(ack!)).toEqual({ number: 7, method: 'ACK' });
    expect(text(ack!, 'content-length')).toBe('0');
    clock.advance(40_000);
  });

  test('passes up every 2xx for 64·T1, repeated and forked ones too, and sends no ACK of its own (RFC 6026 §7.2)', async () => {
    await send('INVITE');
    answer(200, 'INVITE', 'b1');
    answer(200, 'INVITE', 'b1');
    clock.advance(31_999);
    answer(200, 'INVITE', 'fork');
    clock.advance(2);
    answer(200);
    expect(told).toEqual(['0 200', '0 200', '31999 200']);
    expect(instants('ACK')).toEqual([]);
    expect(transactions.counts.strayResponses).toBe(1);
  });

  test('a refused datagram is told as a transport error at once (§17.1.4)', async () => {
    await send('INVITE', { ...PEER, port: 9 });
    clock.advance(0);
    expect(told).toEqual(['0 refused']);
  });

  test('without a route it fails without a datagram', async () => {
    wire.down.add('10.0.0.1');
    await send('INVITE', { ...PEER, host: '10.0.0.77' });
    expect(told).toEqual(['0 no route']);
    expect(wire.sent).toEqual([]);
  });
});

describe('CANCEL by the client', () => {
  test('waits for a provisional response, then has the INVITE’s Via and CSeq number (RFC 3261 §9.1)', async () => {
    const client = await send('INVITE');
    client.cancel([['Reason', 'SIP;cause=200;text="Call completed elsewhere"']]);
    clock.advance(100);
    expect(instants('CANCEL')).toEqual([]);
    answer(100);
    const cancel = heard.at(-1)!.message, invite = heard[0]!.message;
    expect(cancel.method).toBe('CANCEL');
    for (const name of ['via', 'from', 'to', 'call-id', 'route']) expect(text(cancel, name), name).toBe(text(invite, name));
    expect(text(cancel, 'cseq')).toBe('7 CANCEL');
    expect(text(cancel, 'reason')).toBe('SIP;cause=200;text="Call completed elsewhere"');
    answer(200, 'CANCEL');
    answer(487);
    expect(told).toEqual(['100 100', '100 487']);
    clock.advance(40_000);
    expect(instants('CANCEL')).toEqual([100]);
    expect(instants('ACK')).toEqual([100]);
  });

  test('is sent once however often asked, and not after a final response (§9.1)', async () => {
    const client = await send('INVITE');
    answer(180);
    client.cancel();
    client.cancel();
    answer(200, 'CANCEL');
    answer(180);
    answer(200);
    client.cancel();
    clock.advance(40_000);
    expect(instants('CANCEL')).toEqual([0]);
    expect(told).toEqual(['0 180', '0 180', '0 200']);
  });

  test('without any final response the INVITE ends 64·T1 later (§9.1)', async () => {
    const client = await send('INVITE');
    answer(180);
    client.cancel();
    answer(200, 'CANCEL');
    clock.advance(40_000);
    expect(told).toEqual(['0 180', '32000 time-out']);
  });

  test('of an INVITE that nobody answers is never sent (§9.1)', async () => {
    const client = await send('INVITE');
    client.cancel();
    clock.advance(40_000);
    expect(instants('CANCEL')).toEqual([]);
    expect(told).toEqual(['32000 time-out']);
  });
});

describe('other client', () => {
  test('is resent at T1, doubling up to T2, and given up at 64·T1 (RFC 3261 §17.1.2.2, timers E and F)', async () => {
    await send('OPTIONS');
    clock.advance(40_000);
    expect(instants('OPTIONS')).toEqual([0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    expect(told).toEqual(['32000 time-out']);
  });

  test('goes on at T2 after a provisional response (§17.1.2.2)', async () => {
    await send('OPTIONS');
    clock.advance(100);
    answer(100, 'OPTIONS');
    clock.advance(10_000);
    expect(instants('OPTIONS')).toEqual([0, 500, 4_500, 8_500]);
    answer(200, 'OPTIONS');
    clock.advance(40_000);
    expect(told).toEqual(['100 100', '10100 200']);
  });

  test('absorbs repeated final responses for timer K (§17.1.2.2)', async () => {
    await send('OPTIONS');
    answer(200, 'OPTIONS');
    clock.advance(4_999);
    expect(transactions.size).toBe(1);
    answer(200, 'OPTIONS');
    clock.advance(1);
    expect(transactions.size).toBe(0);
    expect(told).toEqual(['0 200']);
  });

  test('takes no response of another method, of another branch, or with two Vias (§17.1.3, §8.1.3.3)', async () => {
    await send('OPTIONS');
    const request = heard[0]!.message;
    const good = buildResponse(request, 200, { toTag: 'x' }).toString();
    for (const bad of [good.replace('7 OPTIONS', '7 INVITE'), good.replace('z9hG4bK', 'z9hG4bKx'), good.replace('From:', 'Via: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK1\r\nFrom:')]) {
      peer.send(Buffer.from(bad), { host: '10.0.0.1', port: 5060 });
      clock.advance(0);
    }
    expect(told).toEqual([]);
    expect(transactions.counts.strayResponses).toBe(3);
  });

  test('abandoned, it says and sends nothing more', async () => {
    const client = await send('REGISTER');
    client.abandon();
    answer(200, 'REGISTER');
    clock.advance(40_000);
    expect(told).toEqual([]);
    expect(instants('REGISTER')).toEqual([0]);
  });

  test('a line break in a header is refused before anything is sent', () => {
    expect(() => transactions.send({ ...parts('OPTIONS'), headers: [['Subject', 'a\r\nVia: x']] }, PEER, user)).toThrow('Subject');
  });

  test('Via carries the bound port, the address that leads to the target, a cookie branch and rport (§18.1.1, RFC 3581 §3)', async () => {
    await send('OPTIONS');
    expect(text(heard[0]!.message, 'via')).toMatch(/^SIP\/2\.0\/UDP 10\.0\.0\.1:5060;branch=z9hG4bK[\da-f]{16};rport$/);
    expect(text(heard[0]!.message, 'max-forwards')).toBe('70');
  });
});

describe('INVITE server', () => {
  test('says Trying after 200 ms when its user is silent (RFC 3261 §17.2.1)', () => {
    ask('INVITE');
    clock.advance(199);
    expect(statuses()).toEqual([]);
    clock.advance(1);
    expect(statuses()).toEqual([100]);
    expect(text(heard[0]!.message, 'to')).toBe('<sip:alice@10.0.0.1>'); // no tag in 100
    clock.advance(40_000);
  });

  test('a retransmitted INVITE gets the last response again and reaches the user once (§17.2.1)', () => {
    ask('INVITE');
    servers[0]!.respond(180);
    ask('INVITE');
    expect(statuses()).toEqual([180, 180]);
    expect(told).toEqual(['0 INVITE']);
  });

  test('a non-2xx is resent at T1 doubling to T2 until its ACK, then nothing until timer I (§17.2.1)', () => {
    whenAsked = (_, server) => server.respond(486);
    ask('INVITE');
    clock.advance(1_600);
    expect(statuses()).toEqual([486, 486, 486]);
    ask('ACK');
    clock.advance(4_999);
    expect(statuses()).toHaveLength(3);
    expect(transactions.size).toBe(1);
    clock.advance(1);
    expect(transactions.size).toBe(0);
    expect(told).toEqual(['0 INVITE']); // the ACK is the transaction's own
  });

  test('without ACK it gives up at timer H and says so (§17.2.1)', () => {
    let failed = '';
    whenAsked = (_, server) => {
      server.onFailure = (failure) => { failed = failure === undefined ? 'no ACK' : failure.why; };
      server.respond(486);
    };
    ask('INVITE');
    clock.advance(40_000);
    expect(heard.map(({ atMs }) => atMs)).toEqual([0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    expect(failed).toBe('no ACK');
  });

  test('after 2xx retransmissions are absorbed, resend() repeats the 2xx, its ACK is passed up (RFC 6026 §7.1)', () => {
    whenAsked = (_, server) => server.respond(200);
    ask('INVITE');
    ask('INVITE');
    expect(statuses()).toEqual([200]);
    servers[0]!.resend();
    clock.advance(0);
    expect(statuses()).toEqual([200, 200]);
    expect(heard[0]!.message.bytes.equals(heard[1]!.message.bytes)).toBe(true);
    ask('ACK', 'z9hG4bKother');
    clock.advance(31_999);
    ask('INVITE');
    expect(told).toEqual(['0 INVITE', '0 ACK']);
    clock.advance(1);
    expect(transactions.size).toBe(0);
  });

  test('only the first final response counts', () => {
    ask('INVITE');
    servers[0]!.respond(200);
    servers[0]!.respond(486);
    servers[0]!.respond(180);
    clock.advance(0);
    expect(statuses()).toEqual([200]);
    expect(servers[0]!.open).toBe(false);
  });

  test('all responses but 100 carry the same to tag (§8.2.6.2)', () => {
    ask('INVITE');
    servers[0]!.respond(100);
    servers[0]!.respond(180);
    servers[0]!.respond(200);
    clock.advance(0);
    const [trying, ringing, ok] = heard.map(({ message }) => text(message, 'to'));
    expect(trying).toBe('<sip:alice@10.0.0.1>');
    expect(ringing).toBe(`<sip:alice@10.0.0.1>;tag=${servers[0]!.toTag}`);
    expect(ok).toBe(ringing);
  });

  test('CANCEL is answered 200 with the INVITE’s tag, and the user hears of it while nothing is final (§9.2)', () => {
    ask('INVITE');
    servers[0]!.onCancel = () => {
      told.push('cancelled');
      servers[0]!.respond(487);
    };
    ask('CANCEL');
    expect(statuses()).toEqual([200, 487]);
    expect(text(heard[0]!.message, 'cseq')).toBe('1 CANCEL');
    expect(text(heard[0]!.message, 'to')).toBe(text(heard[1]!.message, 'to'));
    ask('CANCEL'); // retransmitted
    expect(statuses()).toEqual([200, 487, 200]);
    expect(told).toEqual(['0 INVITE', 'cancelled']);
  });

  test('CANCEL after the final response is answered 200 and changes nothing (§9.2)', () => {
    ask('INVITE');
    servers[0]!.onCancel = () => told.push('cancelled');
    servers[0]!.respond(200);
    ask('CANCEL');
    expect(statuses()).toEqual([200, 200]);
    expect(told).toEqual(['0 INVITE']);
  });

  test('CANCEL that meets nothing gets 481 (§9.2)', () => {
    ask('CANCEL');
    expect(statuses()).toEqual([481]);
    expect(told).toEqual([]);
  });

  test('a branch without the cookie is matched as in RFC 2543 (§17.2.3)', () => {
    const old = (method: string, cseq = 1): void => ask(method, '', { via: 'SIP/2.0/UDP 10.0.0.2:5060;branch=1', cseq });
    old('INVITE');
    old('INVITE');
    old('INVITE', 2);
    expect(told).toEqual(['0 INVITE', '0 INVITE']);
    servers[0]!.respond(486);
    clock.advance(0);
    old('ACK');
    clock.advance(10_000);
    expect(statuses().filter((s) => s === 486)).toEqual([486]);
  });
});

describe('other server', () => {
  test('a retransmission gets the response again for timer J and no longer (RFC 3261 §17.2.2)', () => {
    whenAsked = (_, server) => server.respond(200);
    ask('OPTIONS');
    clock.advance(31_999);
    ask('OPTIONS');
    expect(statuses()).toEqual([200, 200]);
    clock.advance(1);
    ask('OPTIONS');
    expect(told).toEqual(['0 OPTIONS', '32000 OPTIONS']);
  });

  test('a retransmission before any response is absorbed (§17.2.2)', () => {
    ask('OPTIONS');
    ask('OPTIONS');
    expect(statuses()).toEqual([]);
    expect(told).toEqual(['0 OPTIONS']);
    servers[0]!.respond(200);
    clock.advance(0);
    expect(statuses()).toEqual([200]);
  });

  test('sent-by tells two clients with one branch apart (§17.2.3)', () => {
    ask('OPTIONS', 'z9hG4bKsame');
    ask('OPTIONS', 'z9hG4bKsame', { via: 'SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bKsame', callId: 'p2' });
    expect(told).toEqual(['0 OPTIONS', '0 OPTIONS']);
  });
});

describe('every server', () => {
  test('a request that comes again by another path gets 482; one with a to tag does not (§8.2.2.2)', () => {
    ask('INVITE', 'z9hG4bK1');
    ask('INVITE', 'z9hG4bK2');
    clock.advance(0);
    expect(statuses()).toEqual([482]);
    ask('ACK', 'z9hG4bK2');
    ask('INFO', 'z9hG4bK3', { to: '<sip:alice@10.0.0.1>;tag=x' });
    ask('INFO', 'z9hG4bK4', { to: '<sip:alice@10.0.0.1>;tag=x' });
    expect(told).toEqual(['0 INVITE', '0 INFO', '0 INFO']);
  });

  test('refuses what no UA takes, the user unasked, and ACK in silence', () => {
    ask('OPTIONS', 'z9hG4bK1', { uri: 'http://example.org' });
    ask('OPTIONS', 'z9hG4bK2', { from: 'nonsense <' });
    ask('ACK', 'z9hG4bK3', { from: 'nonsense <' });
    expect(statuses()).toEqual([416, 400]);
    expect(told).toEqual([]);
  });

  test('a datagram cut short is answered 400 with the reason when its Via can be read (§18.3)', () => {
    peer.send(Buffer.from('OPTIONS sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK9\r\nFrom: <sip:b@c>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 10\r\n\r\nabc'), { host: '10.0.0.1', port: 5060 });
    clock.advance(0);
    expect(heard[0]!.message.bytes.toString()).toMatch(/^SIP\/2\.0 400 Bad Request: Content-Length says 10 bytes, 3 came\r\n/);
  });

  test('beyond its limit new requests get 503 with Retry-After, known ones go on', async () => {
    await start({ limit: 3 });
    for (let i = 0; i < 5; i++) ask('INVITE', `z9hG4bK${i}`, { callId: `${i}` });
    expect(statuses()).toEqual([503, 503]);
    expect(text(heard[0]!.message, 'retry-after')).toBe('5');
    servers[0]!.respond(200);
    clock.advance(0);
    ask('INVITE', 'z9hG4bK9', { callId: '9' });
    expect(told).toHaveLength(4);
    expect(transactions.counts.overload).toBe(2);
  });

  test('of a flood beyond the limit 50 a second hear 503, the others nothing (§21.5.4)', async () => {
    await start({ limit: 1 });
    for (let i = 0; i < 500; i++) ask('INVITE', `z9hG4bK${i}`, { callId: `${i}` });
    expect(statuses()).toHaveLength(50);
    expect([told.length, transactions.counts.overload]).toEqual([1, 499]);
    clock.advance(1_000);
    ask('INVITE', 'z9hG4bKx', { callId: 'x' });
    expect(statuses().filter((s) => s === 503)).toHaveLength(51);
  });

  test('too many header lines are answered 513 (§21.5.7)', async () => {
    await start();
    peer.send(Buffer.from(`OPTIONS sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK9\r\nFrom: <sip:b@c>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n${'X: 1\r\n'.repeat(300)}\r\n`), { host: '10.0.0.1', port: 5060 });
    clock.advance(0);
    expect(statuses()).toEqual([513]);
  });

  test('a flood keeps no more than the last stragglers', async () => {
    await start({ lingering: 10 });
    whenAsked = (_, server) => server.respond(200);
    for (let i = 0; i < 100; i++) ask('OPTIONS', `z9hG4bK${i}`, { callId: `${i}` });
    expect(statuses()).toHaveLength(100);
    expect(transactions.size).toBe(10);
    ask('OPTIONS', 'z9hG4bK99', { callId: '99' });
    expect(told).toHaveLength(100);
  });

  test('a flood of calls keeps a quarter as many INVITEs, and the rest still answers', async () => {
    await start({ lingering: 12 });
    whenAsked = (_, server) => server.respond(200);
    for (let i = 0; i < 50; i++) {
      ask('INVITE', `z9hG4bK${i}`, { callId: `${i}` });
      ask('BYE', `z9hG4bKb${i}`, { callId: `${i}`, cseq: 2, to: '<sip:a@b>;tag=1' });
    }
    expect(transactions.size).toBe(3 + 12);
    ask('INVITE', 'z9hG4bK49', { callId: '49' });
    expect(told).toHaveLength(100);
    clock.advance(32_000);
    expect(transactions.size).toBe(0);
  });

  test('closed, the layer neither sends nor tells nor waits', async () => {
    await send('INVITE');
    ask('INVITE');
    transactions.close();
    servers[0]!.respond(486);
    answer(200);
    clock.advance(40_000);
    expect(told).toEqual(['0 INVITE']);
    expect(heard.map(({ message }) => message.method)).toEqual(['INVITE']);
  });

  test('what a user does inside a callback happens after it, in order', async () => {
    whenAsked = (request, server) => {
      server.respond(180);
      server.respond(486);
      told.push(`still in ${request.method}, ${statuses().length} sent`);
    };
    ask('INVITE');
    clock.advance(0);
    expect(told).toEqual(['0 INVITE', 'still in INVITE, 0 sent']);
    expect(statuses()).toEqual([180, 486]);
    clock.advance(40_000);
  });

  test('received and rport stand in the topmost Via of the response, which goes back to the source (RFC 3581 §4, §18.2.1)', async () => {
    const behind = await wire.host('10.0.0.9').udp({ host: '', port: 4444 }, { onDatagram: (bytes) => heard.push({ atMs: 0, message: read(bytes) }), onError: () => undefined });
    whenAsked = (_, server) => server.respond(200);
    behind.send(Buffer.from('OPTIONS sip:a@10.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 192.168.1.5:5070;rport;branch=z9hG4bKn\r\nVia: SIP/2.0/TCP far;branch=z9hG4bKf\r\nf: <sip:b@c>;tag=1\r\nt: <sip:a@b>\r\ni: x\r\nCSeq: 1 OPTIONS\r\n\r\n'), { host: '10.0.0.1', port: 5060 });
    clock.advance(0);
    expect(topVia(heard[0]!.message)).toEqual({ transport: 'UDP', host: '192.168.1.5', port: 5070, params: new Map([['rport', '4444'], ['branch', 'z9hG4bKn'], ['received', '10.0.0.9']]) });
    expect(heard[0]!.message.bytes.toString()).toContain('Via: SIP/2.0/TCP far;branch=z9hG4bKf\r\n');
  });

  test('without rport the response goes to the port of sent-by at the source address (§18.2.2)', () => {
    whenAsked = (_, server) => server.respond(200);
    ask('OPTIONS', '', { via: 'SIP/2.0/UDP host.invalid;branch=z9hG4bKm;maddr=10.0.0.66' });
    expect(topVia(heard[0]!.message)?.params.get('received')).toBe('10.0.0.2');
    expect(wire.sent.at(-1)?.to).toMatchObject({ host: '10.0.0.2', port: 5060 });
  });
});

describe('over TCP', () => {
  const TCP: Destination = { transport: 'tcp', host: '10.0.0.2', port: 5060 };
  let streams: { socket: StreamSocket; got: Message[]; closed: boolean }[];

  beforeEach(async () => {
    streams = [];
    wire.weather.delayMs = 1;
    await wire.host('10.0.0.2').listen({ host: '', port: 5060 }, (socket) => {
      const one = { socket, got: [] as Message[], closed: false };
      streams.push(one);
      return { onOpen: () => undefined, onBytes: (bytes) => one.got.push(read(bytes)), onClose: () => { one.closed = true; } };
    });
  });

  test('nothing is resent, both sides end at once: timers A, D, E, I, J, K are zero (RFC 3261 §17)', async () => {
    await send('INVITE', TCP);
    clock.advance(20_000);
    expect(streams).toHaveLength(1);
    expect(streams[0]!.got.map((m) => m.method)).toEqual(['INVITE']);
    expect(text(streams[0]!.got[0]!, 'via')).toMatch(/^SIP\/2\.0\/TCP 10\.0\.0\.1:5060;/);
    streams[0]!.socket.send(buildResponse(streams[0]!.got[0]!, 486, { toTag: 'x' }));
    clock.advance(10);
    expect(streams[0]!.got.map((m) => m.method)).toEqual(['INVITE', 'ACK']);
    expect(transactions.size).toBe(0);
    expect(told).toEqual(['20001 486']);
  });

  test('two requests share one connection, and a request from the peer is answered on its own', async () => {
    whenAsked = (_, server) => server.respond(200);
    await send('OPTIONS', TCP);
    await send('INFO', TCP);
    clock.advance(10);
    expect(streams).toHaveLength(1);
    expect(streams[0]!.got.map((m) => m.method)).toEqual(['OPTIONS', 'INFO']);
    streams[0]!.socket.send(Buffer.from('OPTIONS sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2;branch=z9hG4bKt\r\nFrom: <sip:b@c>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: y\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n'));
    clock.advance(10);
    expect(streams).toHaveLength(1);
    expect(streams[0]!.got.at(-1)!.status).toBe(200);
    transactions.close();
  });

  test('a refused connection and one lost while waiting are transport errors', async () => {
    await send('OPTIONS', { ...TCP, port: 9 });
    clock.advance(10);
    await send('INVITE', TCP);
    clock.advance(10);
    streams[0]!.socket.close();
    clock.advance(10);
    expect(told.map((t) => t.replace(/^\d+ /, ''))).toEqual(['refused', 'connection closed']);
  });

  test('a server whose connection is gone answers at the port of sent-by (RFC 3261 §18.2.2)', async () => {
    const near = wire.host('10.0.0.2').connect({ host: '10.0.0.1', port: 5060 }, { onOpen: () => undefined, onBytes: () => undefined, onClose: () => undefined });
    clock.advance(5);
    near.send(Buffer.from('INVITE sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.2:5060;branch=z9hG4bKt\r\nFrom: <sip:b@c>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: y\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n'));
    clock.advance(5);
    near.close();
    clock.advance(5);
    servers[0]!.respond(200);
    clock.advance(5);
    expect(told).toEqual(['6 INVITE']);
    expect(streams[0]!.got.map((m) => m.status)).toEqual([200]);
  });

  test('the user is told which flow failed', async () => {
    const layer = new TransportLayer({ clock, log: new FakeLog(), network: wire.host('10.0.0.4') }, { listen: { host: '', port: 5060 }, tcp: false });
    const side = new Transactions({ clock, random: new FakeRandom(1), log: new FakeLog() }, layer, {
      onRequest: () => undefined, onAck: () => undefined, onFlowFailed: (to, failure) => told.push(`${to.host}:${to.port} ${failure.why}`),
    });
    await layer.start();
    side.send(parts('OPTIONS'), TCP, user);
    await settle();
    clock.advance(5);
    streams[0]!.socket.close();
    clock.advance(5);
    expect(told).toEqual([expect.stringContaining('connection closed'), '10.0.0.2:5060 connection closed']);
    side.close();
    layer.close();
  });

  test('a peer that never completes the connection is given up after 5 s', async () => {
    wire.down.add('10.0.0.2');
    await send('OPTIONS', TCP);
    clock.advance(40_000);
    expect(told).toEqual(['5000 no connection in time']);
  });
});

test('sendAck goes outside any transaction with its own branch, and again byte for byte (RFC 3261 §13.2.2.4)', async () => {
  const again = transactions.sendAck(parts('ACK'), PEER);
  await settle();
  again();
  clock.advance(0);
  expect(instants('ACK')).toHaveLength(2);
  expect(heard[0]!.message.bytes.equals(heard[1]!.message.bytes)).toBe(true);
  expect(value(heard[0]!.message, 'via')!.toString()).toContain('z9hG4bK');
  expect(transactions.size).toBe(0);
});

test('loss, doubling and reordering: each request reaches the user once and each is answered once (seeds 1 to 20)', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const time = new FakeClock();
    const net = new Wire(time, seed);
    Object.assign(net.weather, { loss: 0.3, duplicate: 0.2, reorder: 0.3 });
    const asked: string[] = [], finals: string[] = [];
    const sides = await Promise.all(['10.1.0.1', '10.1.0.2'].map(async (address) => {
      const layer = new TransportLayer({ clock: time, log: new FakeLog(), network: net.host(address) }, { listen: { host: '', port: 5060 }, tcp: false });
      const side = new Transactions({ clock: time, random: new FakeRandom(seed + address.length), log: new FakeLog() }, layer, {
        onRequest: (request, server) => {
          asked.push(text(request, 'call-id')!);
          server.respond(request.method === 'INVITE' ? 486 : 200);
        },
        onAck: () => undefined,
      });
      await layer.start();
      return { layer, side };
    }));
    for (let i = 0; i < 10; i++) {
      const method = i % 2 === 0 ? 'INVITE' : 'OPTIONS';
      sides[0]!.side.send({ ...parts(method), headers: [['From', '<sip:a@b>;tag=1'], ['To', '<sip:b@c>'], ['Call-ID', `${i}`], ['CSeq', `${i + 1} ${method}`]] },
        { transport: 'udp', host: '10.1.0.2', port: 5060 },
        { onFinal: (r) => finals.push(`${text(r, 'call-id')} ${r.status}`), onTimeout: () => finals.push('time-out'), onTransportError: () => finals.push('error') });
    }
    await settle();
    time.advance(120_000);
    expect(asked.sort(), `seed ${seed}`).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    expect(finals.sort(), `seed ${seed}`).toEqual(['0 486', '1 200', '2 486', '3 200', '4 486', '5 200', '6 486', '7 200', '8 486', '9 200']);
    expect(sides.map(({ side }) => side.size)).toEqual([0, 0]);
    expect(time.pending).toBe(0);
  }
});
