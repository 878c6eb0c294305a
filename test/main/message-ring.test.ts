import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MessageRing } from '../../src/main/message-ring.ts';
import type { Endpoint } from '../../src/ports/net.ts';

/** Counts and keeps. */
function keep(ring: MessageRing, at: number, direction: 'in' | 'out', transport: string, peer: Endpoint, text: string): void {
  if (ring.counts(at)) ring.add(at, direction, transport, peer, text);
}

const PEER = { host: '192.0.2.10', port: 5060 };

test('what was kept comes back as it was, oldest first', () => {
  const ring = new MessageRing();
  keep(ring, 1_700_000_000_123, 'out', 'udp', PEER, 'REGISTER sip:pbx SIP/2.0\r\nX: Grüße\r\n\r\n');
  keep(ring, 1_700_000_000_150, 'in', 'tcp', { host: '2001:db8::1', port: 5061 }, '');
  expect(ring.read(undefined)).toEqual({ next: 3, messages: [
    { n: 1, at: 1_700_000_000_123, direction: 'out', transport: 'udp', peer: '192.0.2.10:5060', text: 'REGISTER sip:pbx SIP/2.0\r\nX: Grüße\r\n\r\n' },
    { n: 2, at: 1_700_000_000_150, direction: 'in', transport: 'tcp', peer: '[2001:db8::1]:5061', text: '' },
  ] });
});

test('the last few, and those from a number on', () => {
  const ring = new MessageRing();
  for (let i = 1; i <= 250; i++) keep(ring, 20 * i, 'in', 'udp', PEER, `${i}`);
  const numbers = (from?: number, last?: number) => ring.read(from, last).messages.map((m) => m.n);
  expect(numbers()).toEqual(Array.from({ length: 200 }, (_, i) => 51 + i));
  expect(numbers(undefined, 3)).toEqual([248, 249, 250]);
  expect(numbers(249)).toEqual([249, 250]);
  expect(numbers(1), 'what is gone is gone').toHaveLength(200);
  expect(ring.read(251)).toEqual({ messages: [], next: 251 });
  expect(ring.read(undefined, 0)).toEqual({ messages: [], next: 251 });
  expect(numbers(9_999)).toEqual([]);
});

test('a reply has a limit, and the next one goes on from there', () => {
  const ring = new MessageRing();
  for (let i = 1; i <= 40; i++) keep(ring, 20 * i, 'in', 'udp', PEER, `${i}${'x'.repeat(6_000)}`);
  const first = ring.read(undefined), second = ring.read(first.next);
  expect(first.messages.length).toBeLessThan(40);
  expect([...first.messages, ...second.messages].map((m) => m.n)).toEqual(Array.from({ length: 40 }, (_, i) => 1 + i));
});

test('one huge message does not push out all others; its end is cut', () => {
  const ring = new MessageRing();
  keep(ring, 1, 'in', 'udp', PEER, 'small');
  keep(ring, 2, 'in', 'udp', PEER, 'y'.repeat(70_000));
  expect(ring.read(undefined).messages.map((m) => m.text.length)).toEqual([5, expect.closeTo(65_500, -2)]);
});

test('whatever comes, the newest are whole and in order, and the room is used', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }), (sizes) => {
    const ring = new MessageRing(16, 1_000), all: string[] = [];
    for (const [i, size] of sizes.entries()) {
      const text = `${i}:${'z'.repeat(size)}`;
      keep(ring, 20 * i, 'in', 'udp', PEER, text);
      all.push(text);
      const { messages, next } = ring.read(undefined);
      expect(next).toBe(all.length + 1);
      expect(messages.length).toBeGreaterThan(0);
      const tail = all.slice(-messages.length);
      for (const [k, message] of messages.entries()) expect(tail[k]!.startsWith(message.text) && message.text.length >= Math.min(tail[k]!.length, 200)).toBe(true);
    }
  }));
});

test('of a flood a hundred a second are kept, and the numbers tell how many were not', () => {
  const ring = new MessageRing();
  keep(ring, 500, 'in', 'udp', PEER, 'before');
  for (let i = 0; i < 1_000; i++) keep(ring, 1_000 + i / 2, 'in', 'udp', PEER, 'flood');
  keep(ring, 2_000, 'in', 'udp', PEER, 'after');
  const { messages, next } = ring.read(undefined);
  expect(messages.map((m) => m.n)).toEqual([1, ...Array.from({ length: 100 }, (_, i) => 2 + i), 1_002]);
  expect([messages[0]!.text, messages.at(-1)!.text, next]).toEqual(['before', 'after', 1_003]);
  expect(ring.read(500).messages.map((m) => m.text)).toEqual(['after']);
});
