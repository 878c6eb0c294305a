import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventReceiver, EventSender, LOST_END_MS, eventOf } from '../../src/media/telephone-event.ts';

interface Packet { payload: Uint8Array; timestamp: number; marker: boolean }
const send = (sender: EventSender): Packet[] => {
  const packets: Packet[] = [];
  while (sender.next()) packets.push({ payload: sender.payload.slice(), timestamp: sender.timestamp, marker: sender.marker });
  return packets;
};
const digit = (key: string, ms: number, timestamp: number, stepTicks = 160, clockHz = 8000): Packet[] => {
  const sender = new EventSender();
  expect(sender.start(key, ms, timestamp, stepTicks, clockHz)).toBe(true);
  return send(sender);
};
const receiver = (clockHz = 8000) => {
  const told: string[] = [];
  const events = new EventReceiver(clockHz, (key, ms) => told.push(`${key} ${ms}`));
  let nowMs = 0;
  return {
    told,
    take(packets: readonly Packet[], everyMs = 20) {
      for (const { payload, timestamp, marker } of packets) {
        expect(events.receive(payload, timestamp, marker, nowMs)).toBe(true);
        nowMs += everyMs;
        events.poll(nowMs);
      }
      return told;
    },
    wait(ms: number) {
      nowMs += ms;
      events.poll(nowMs);
      return told;
    },
    events,
  };
};

describe('sending', () => {
  test('one timestamp, the marker on the first packet, the duration growing each packet time, the end three times (RFC 4733 §2.5.1)', () => {
    const packets = digit('5', 100, 1000);
    expect(packets.map((p) => [p.timestamp, p.marker, ...p.payload])).toEqual([
      [1000, true, 5, 10, 0, 160], [1000, false, 5, 10, 1, 64], [1000, false, 5, 10, 1, 224], [1000, false, 5, 10, 2, 128],
      [1000, false, 5, 0x8a, 3, 32], [1000, false, 5, 0x8a, 3, 32], [1000, false, 5, 0x8a, 3, 32],
    ]);
  });

  test('an event longer than 65,535 ticks goes on as a segment that begins where the last one ended, without a marker (RFC 4733 §2.5.1.3)', () => {
    const packets = digit('1', 10_000, 4_294_967_000);
    const segments = [...new Set(packets.map((p) => p.timestamp))];
    expect(segments).toEqual([4_294_967_000, (4_294_967_000 + 65_535) % 2 ** 32]);
    expect(packets.filter((p) => p.marker)).toEqual([packets[0]]);
    const last = packets.filter((p) => p.timestamp === segments[0]).at(-1)!;
    expect([...last.payload]).toEqual([1, 10, 0xff, 0xff]); // full, and not ended
    expect([...packets.at(-1)!.payload]).toEqual([1, 0x8a, (80_000 - 65_535) >> 8, (80_000 - 65_535) & 0xff]);
  });

  test('a digit is at least 40 ms long, and only one is under way', () => {
    const sender = new EventSender();
    expect(sender.busy).toBe(false);
    expect(sender.start('#', 1, 0, 160, 8000)).toBe(true);
    expect(sender.busy).toBe(true);
    expect(sender.start('1', 100, 0, 160, 8000)).toBe(false);
    expect(send(sender).map((p) => p.payload[3]! | p.payload[2]! << 8)).toEqual([160, 320, 320, 320]);
    expect(sender.busy).toBe(false);
    expect(sender.next()).toBe(false);
  });

  test.each([...'0123456789*#ABCD!'].map((key, code) => [key, code] as const))('%s is event %i (RFC 4733 §3.2)', (key, code) => {
    expect(eventOf(key)).toBe(code);
  });

  test.each(['', 'x', '12', 'E', ' '])('%j has no event', (key) => {
    expect(eventOf(key)).toBe(-1);
    expect(new EventSender().start(key, 100, 0, 160, 8000)).toBe(false);
  });
});

describe('receiving', () => {
  test('a digit is told once, at its end, with how long it was', () => {
    const { take, wait } = receiver();
    const packets = digit('5', 100, 1000);
    expect(take(packets.slice(0, 4))).toEqual([]);
    expect(take(packets.slice(4))).toEqual(['5 100']);
    expect(wait(10_000)).toEqual(['5 100']);
  });

  test('the same key twice is two digits, told apart by timestamp', () => {
    expect(receiver().take([...digit('7', 60, 0), ...digit('7', 60, 1600)])).toEqual(['7 60', '7 60']);
  });

  test('any one packet of an event is enough (RFC 4733 §2.5.2.2)', () => {
    const packets = digit('D', 100, 0);
    const heard = packets.map((packet) => {
      const { take, wait } = receiver();
      take([packet]);
      return wait(LOST_END_MS);
    });
    expect(heard).toEqual([['D 20'], ['D 40'], ['D 60'], ['D 80'], ['D 100'], ['D 100'], ['D 100']]);
  });

  test('when all end packets are lost the digit is told after a time, or when the next one begins', () => {
    const { take, wait } = receiver();
    take(digit('1', 100, 0).slice(0, 4));
    expect(wait(LOST_END_MS - 21)).toEqual([]);
    expect(wait(1)).toEqual(['1 80']);
    take(digit('1', 100, 0)); // the end after all: told already
    expect(take(digit('2', 100, 2000).slice(0, 4))).toEqual(['1 80']);
    expect(take(digit('3', 100, 4000))).toEqual(['1 80', '2 80', '3 100']);
  });

  test('doubled and reordered packets change nothing', () => {
    fc.assert(fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 99 })), (chance) => {
      const next = () => chance.next().value as number;
      const keys = ['1', '1', '9', '#'];
      const sent = keys.flatMap((key, i) => digit(key, 100, 4_294_966_000 + i * 2400));
      const weather = sent.flatMap((p, i) => next() < 20 ? [[p, i] as const, [p, i + next() / 40] as const] : [[p, i + (next() < 30 ? next() / 40 : 0)] as const]);
      const { take, wait } = receiver();
      take(weather.sort((a, b) => a[1] - b[1]).map(([p]) => p), 15);
      expect(wait(LOST_END_MS).map((each) => each[0])).toEqual(keys);
    }), { numRuns: 300 });
  });

  test('the longest duration heard counts, whatever came last', () => {
    const [first, second, third] = digit('8', 100, 0);
    const { take, wait } = receiver();
    take([first!, third!, second!]);
    expect(wait(LOST_END_MS)).toEqual(['8 60']);
  });

  test('a long event in segments is one digit, also when the full packet of the first segment is lost (RFC 4733 §2.5.1.3)', () => {
    const packets = digit('4', 10_000, 5);
    expect(receiver().take(packets)).toEqual(['4 10000']);
    const full = packets.findIndex((p) => p.payload[2] === 0xff && p.payload[3] === 0xff);
    expect(receiver().take(packets.toSpliced(full, 1))).toEqual(['4 10000']);
    expect(receiver(48_000).take(digit('4', 3000, 5, 960, 48_000))).toEqual(['4 3000']);
  });

  test('a sender that moves the timestamp along with the event sends one digit all the same', () => {
    const packets = digit('6', 100, 0).map((p, i) => ({ ...p, timestamp: Math.min(i, 4) * 80 }));
    expect(receiver().take(packets)).toHaveLength(1);
  });

  test('a sender that begins anew with far older timestamps is heard', () => {
    expect(receiver().take([...digit('1', 100, 10_000_000), ...digit('2', 100, 50)])).toEqual(['1 100', '2 100']);
  });

  test('what is no digit is passed over: short payloads, other events', () => {
    const { events, told } = receiver();
    expect(events.receive(Uint8Array.of(5, 0x8a, 1), 0, true, 0)).toBe(false);
    expect(events.receive(new Uint8Array(0), 0, true, 0)).toBe(false);
    expect(events.receive(Uint8Array.of(32, 0x8a, 1, 0), 0, true, 0)).toBe(false);
    expect(told).toEqual([]);
  });

  test('no packets make it throw or tell more digits than there were packets', () => {
    const packet = fc.record({ payload: fc.uint8Array({ maxLength: 8 }), timestamp: fc.nat(0xffffffff), marker: fc.boolean() });
    fc.assert(fc.property(fc.array(packet, { maxLength: 50 }), (packets) => {
      const { events, told } = receiver();
      packets.forEach((p, i) => events.receive(p.payload, p.timestamp, p.marker, i * 20));
      events.poll(1e6);
      expect(told.length).toBeLessThanOrEqual(packets.length);
    }));
  });
});
