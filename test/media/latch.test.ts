import { expect, test } from 'vitest';
import { Latch } from '../../src/media/latch.ts';

const peer = { host: '192.0.2.9', port: 4000 }, otherPort = { host: '192.0.2.9', port: 4444 }, stranger = { host: '203.0.113.5', port: 4000 };

function latch(): Latch {
  const l = new Latch();
  l.negotiate(peer);
  return l;
}
const run = (l: Latch, from: typeof peer, count: number, sequence = 1, ssrc = 7, type = 8) => Array.from({ length: count }, (_, i) => l.accept({ ...from }, ssrc, type, sequence + i));

test('the negotiated address is heard from its first packet on', () => {
  expect(run(latch(), peer, 2)).toEqual([true, true]);
});

test('one packet of a stranger moves nothing', () => {
  const l = latch();
  expect(run(l, stranger, 1)).toEqual([false]);
  expect(l.to).toEqual(peer);
});

test('another port of the same host is believed after three packets in a row, another host after six (RFC 4961)', () => {
  const near = latch(), far = latch();
  expect(run(near, otherPort, 4)).toEqual([false, false, true, true]);
  expect(near.to).toEqual(otherPort);
  expect(run(far, stranger, 7)).toEqual([false, false, false, false, false, true, true]);
  expect(far.to).toEqual(stranger);
});

test.each([
  ['SSRC', (l: Latch, i: number) => l.accept(stranger, i, 8, i)],
  ['payload type', (l: Latch, i: number) => l.accept(stranger, 7, i % 2 === 0 ? 8 : 0, i)],
  ['sequence', (l: Latch, i: number) => l.accept(stranger, 7, 8, i * 1000)],
  ['sequence that stands still', (l: Latch) => l.accept(stranger, 7, 8, 5)],
  ['port', (l: Latch, i: number) => l.accept({ ...stranger, port: i }, 7, 8, i)],
])('packets that do not belong together by %s are never believed', (_, packet) => {
  const l = latch();
  for (let i = 0; i < 100; i++) expect(packet(l, i)).toBe(false);
  expect(l.to).toEqual(peer);
});

test('after the negotiated address was heard, or a stranger latched, everybody else is refused', () => {
  const heard = latch(), latched = latch();
  run(heard, peer, 1);
  expect(run(heard, stranger, 50).some(Boolean)).toBe(false);
  run(latched, otherPort, 3);
  expect(run(latched, stranger, 50).some(Boolean)).toBe(false);
  expect(latched.to).toEqual(otherPort);
});

test('the negotiated address takes its place back from a stranger who was there first', () => {
  const l = latch();
  run(l, stranger, 6);
  expect(run(l, peer, 1)).toEqual([true]);
  expect(l.to).toEqual(peer);
  expect(run(l, stranger, 20, 7).some(Boolean)).toBe(false);
});

test('another port of the right host takes the place back from a wrong host that latched first', () => {
  const l = latch();
  run(l, stranger, 6);
  expect(l.to).toEqual(stranger);
  expect(run(l, otherPort, 3, 1, 9)).toEqual([false, false, true]);
  expect(l.to).toEqual(otherPort);
  expect(run(l, stranger, 50, 7).some(Boolean)).toBe(false);
  const busy = latch();
  run(busy, stranger, 6);
  for (let i = 0; i < 3; i++) { // while the stranger goes on
    busy.accept(otherPort, 9, 8, 100 + i);
    busy.accept(stranger, 7, 8, 7 + i);
  }
  expect(busy.to).toEqual(otherPort);
});

test('a stranger on the same host goes before one on another host', () => {
  const l = latch();
  let taken = 0;
  for (let i = 0; i < 3; i++) {
    if (l.accept(otherPort, 1, 8, i)) taken++;
    l.accept(stranger, 2, 8, i);
  }
  expect(taken).toBe(1);
  expect(l.to).toEqual(otherPort);
});

test('an endpoint object that the network uses again for the next datagram is not mistaken for the same sender', () => {
  const l = latch(), reused = { ...stranger };
  for (let i = 0; i < 5; i++) l.accept(reused, 7, 8, i);
  reused.host = '198.51.100.1';
  expect(l.accept(reused, 7, 8, 5)).toBe(false);
});

test('a sequence that wraps is still in a row', () => {
  const l = latch();
  l.accept(otherPort, 7, 8, 65_535);
  l.accept(otherPort, 7, 8, 0);
  expect(l.accept(otherPort, 7, 8, 1)).toBe(true);
});

test('negotiating another address starts over; negotiating the same one keeps sending where it was and lets another prove itself', () => {
  const l = latch();
  run(l, otherPort, 3);
  l.negotiate(peer);
  expect(l.to).toEqual(otherPort);
  expect(run(l, { ...otherPort, port: 5555 }, 3).at(-1)).toBe(true);
  l.negotiate(stranger);
  expect(l.to).toEqual(stranger);
  expect(run(l, otherPort, 1)).toEqual([false]);
});
