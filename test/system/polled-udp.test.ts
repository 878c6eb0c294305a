import { createSocket, type Socket } from 'node:dgram';
import { networkInterfaces } from 'node:os';
import { expect, test } from 'vitest';
import type { DatagramHandler, Endpoint } from '../../src/ports/net.ts';
import { systemNetwork } from '../../src/system/network.ts';
import { msSince, takeOver, timespec } from '../../src/system/polled-udp.ts';

interface Came { readonly text: string; readonly from: Endpoint; readonly ageMs: number | undefined }

function collector(): DatagramHandler & { readonly came: Came[]; readonly errors: Error[] } {
  const came: Came[] = [], errors: Error[] = [];
  return { came, errors, onDatagram: (bytes, from, ageMs) => { came.push({ text: String(bytes), from, ageMs }); }, onError: (error) => { errors.push(error); } };
}

const bound = (type: 'udp4' | 'udp6', address?: string): Promise<Socket> => new Promise((resolve) => {
  const socket = createSocket(type);
  socket.bind(0, address, () => resolve(socket));
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const polled = () => import('../../src/system/polled-udp.ts');

test('a poll hands over what has come, with its sender and how long ago it came; nothing is handed over between polls', async () => {
  const a = await bound('udp4', '127.0.0.1'), b = await bound('udp4', '127.0.0.1'), heard = collector();
  const mine = takeOver(b, false, heard)!, peer = takeOver(a, false, collector())!, to = { host: '127.0.0.1', port: b.address().port };
  await expect.poll(async () => { // the kernel begins to keep the time a little after it was asked to
    heard.came.length = 0;
    peer.send(Buffer.from('probe'), to);
    await pause(20);
    mine.poll();
    return heard.came[0]!.ageMs;
  }).toBeGreaterThan(15);
  heard.came.length = 0;
  peer.send(Buffer.from('early'), to);
  await pause(60);
  peer.send(Buffer.from('late'), to);
  expect(heard.came).toEqual([]);
  mine.poll();
  mine.poll();
  expect(heard.came.map(({ text }) => text)).toEqual(['early', 'late']);
  expect(heard.came[0]!.from).toEqual({ host: '127.0.0.1', port: a.address().port });
  expect(heard.came[0]!.ageMs! - heard.came[1]!.ageMs!).toBeGreaterThan(50);
  expect(heard.came[1]!.ageMs!).toBeLessThan(50);
  a.close();
  b.close();
});

test('a socket of IPv6 for every address speaks to both families, and writes IPv4 as such', async () => {
  const all = await bound('udp6'), heard = collector(), mine = takeOver(all, true, heard)!;
  for (const [type, host] of [['udp4', '127.0.0.1'], ['udp6', '::1']] as const) {
    const peer = await bound(type, host), answers = collector(), theirs = takeOver(peer, type === 'udp6', answers)!;
    theirs.send(Buffer.from('there'), { host, port: all.address().port });
    mine.poll();
    expect(heard.came.at(-1)).toMatchObject({ text: 'there', from: { host, port: peer.address().port } });
    mine.send(Buffer.from('back'), heard.came.at(-1)!.from);
    theirs.poll();
    expect(answers.came).toMatchObject([{ text: 'back', from: { host, port: all.address().port } }]);
    peer.close();
  }
  all.close();
});

test('the kernel\'s time is 64 bits wide everywhere, that of the C library as wide as the machine\'s words', () => {
  const stamp = BigInt64Array.of(1_795_000_000n, 999_000_000n), words = timespec(4), long = timespec(8);
  expect([words.byteLength, long.byteLength]).toEqual([8, 16]);
  words.set([1_795_000_001, 20_000_000] as never);
  long.set([1_795_000_001n, 20_000_000n] as never);
  expect([msSince(stamp, words, 30), msSince(stamp, long, 30)]).toEqual([21, 21]);
});

test('no datagram is older than the poll that left nothing: a wall clock that was set meanwhile, ahead or back, makes none', () => {
  const stamp = BigInt64Array.of(1_795_000_000n, 0n), now = BigInt64Array.of(1_795_000_003n, 20_000_000n); // three seconds ahead
  expect([msSince(stamp, now, 21), msSince(now, stamp, 21), msSince(stamp, now, 4_000)]).toEqual([0, 0, 3_020]);
});

const link = Object.entries(networkInterfaces()).flatMap(([device, all = []]) => all.map(({ address }) => `${address}%${device}`)).find((one) => one.startsWith('fe80:'));
test.skipIf(link === undefined)('a sender at an address of a link is named with its link, as by Node: what goes back needs it (RFC 4007 §11)', async () => {
  const network = systemNetwork({ polled }), heard = collector(), answers = collector();
  const a = await network.udp({ host: '', port: 0 }, heard), b = await network.udp({ host: link!, port: 0 }, answers), to = { host: link!, port: a.local.port };
  b.send(Buffer.from('to Node'), to);
  await expect.poll(() => heard.came.length).toBe(1);
  a.poll!();
  b.send(Buffer.from('polled'), to);
  await pause(30);
  a.poll!();
  expect(heard.came.map(({ from }) => from)).toEqual([heard.came[0]!.from, heard.came[0]!.from]);
  a.send(Buffer.from('back'), heard.came[1]!.from);
  await expect.poll(() => answers.came.map(({ text }) => text)).toEqual(['back']);
  a.close();
  b.close();
});

test('a datagram handed over stays as it is while hundreds follow, in order; one longer than 4096 bytes is dropped', async () => {
  const a = await bound('udp4', '127.0.0.1'), b = await bound('udp4', '127.0.0.1'), kept: Buffer[] = [];
  b.setRecvBufferSize(1 << 20);
  const mine = takeOver(b, false, { onDatagram: (bytes) => { kept.push(bytes); }, onError: () => undefined })!, peer = takeOver(a, false, collector())!, to = { host: '127.0.0.1', port: b.address().port };
  for (let i = 0; i < 400; i++) peer.send(Buffer.alloc(i === 7 ? 5_000 : 200 + i, i), to);
  for (let i = 0; i < 10; i++) mine.poll();
  expect(kept.map((bytes) => [bytes.length, bytes[0], bytes.at(-1)])).toEqual(Array.from({ length: 400 }, (_, i) => [200 + i, i & 0xff, i & 0xff]).filter((_, i) => i !== 7));
  a.close();
  b.close();
});

test('what the kernel refuses is told; an address of a link is left to Node; one that ended does nothing', async () => {
  const a = await bound('udp6', '::1'), heard = collector(), mine = takeOver(a, true, heard)!;
  expect(mine.send(Buffer.from('x'), { host: 'fe80::1%lo', port: 9 })).toBe(false);
  expect(mine.send(Buffer.alloc(70_000), { host: '::1', port: 9 })).toBe(true); // longer than any datagram
  expect(heard.errors.map(({ message }) => message)).toEqual(['the kernel does not send to ::1: error 90']);
  mine.end();
  await new Promise<void>((resolve) => { a.close(resolve); });
  mine.poll();
  expect(mine.send(Buffer.from('x'), { host: '::1', port: 9 })).toBe(true);
  expect(heard.came).toEqual([]);
});

test('a socket of the network comes by itself until it is polled, and closes while it is', async () => {
  const network = systemNetwork({ polled }), heard = collector();
  const b = await network.udp({ host: '127.0.0.1', port: 0 }, heard), a = await network.udp({ host: '127.0.0.1', port: 0 }, collector());
  a.send(Buffer.from('first'), b.local);
  await expect.poll(() => heard.came.length).toBe(1);
  expect(heard.came[0]!.ageMs).toBeUndefined();
  b.poll!();
  a.send(Buffer.from('second'), b.local);
  await pause(30);
  expect(heard.came).toHaveLength(1);
  b.poll!();
  expect(heard.came.map(({ text }) => text)).toEqual(['first', 'second']);
  b.send(Buffer.from('third'), b.local);
  b.poll!();
  expect(heard.came.at(-1)).toMatchObject({ text: 'third', from: b.local });
  b.close();
  b.poll!();
  a.close();
});

test('a socket closed by what it hands over hands over no more, and neither reads nor writes by a descriptor that is another\'s by then', async () => {
  const network = systemNetwork({ polled }), a = await network.udp({ host: '127.0.0.1', port: 0 }, collector());
  let heard = 0;
  const b = await network.udp({ host: '127.0.0.1', port: 0 }, { onDatagram: () => { heard++; b.close(); }, onError: () => undefined }), { local } = b;
  b.poll!();
  for (let i = 0; i < 5; i++) a.send(Buffer.from('x'), local);
  await pause(30); // Node sends in a later turn
  b.poll!();
  expect(heard).toBe(1);
  const others = collector(), other = await network.udp({ host: '127.0.0.1', port: 0 }, others); // takes the descriptor that came free
  b.send(Buffer.from('from the closed one'), other.local);
  b.poll!();
  await pause(30);
  expect([heard, others.came]).toEqual([1, []]);
  a.close();
  other.close();
});

test('without the C library sockets cannot be polled, and come by themselves', async () => {
  const network = systemNetwork({ polled: () => Promise.reject(new Error('no koffi')) }), heard = collector();
  const b = await network.udp({ host: '127.0.0.1', port: 0 }, heard);
  expect(b.poll).toBeUndefined();
  b.send(Buffer.from('x'), b.local);
  await expect.poll(() => heard.came.length).toBe(1);
  b.close();
});
