import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MediaCommand, Route } from '../../src/media/door.ts';
import { FakeClock, settle } from '../fakes/clock.ts';
import { Wire } from '../fakes/network.ts';
import { end, mediaSettings, PCMA, PCMU, voice } from './bench.ts';

const streams = fc.integer({ min: 1, max: 4 });
const places = fc.constantFrom('handset', 'speaker', 'ringer' as const) as fc.Arbitrary<'handset' | 'speaker' | 'ringer'>;
const program = fc.record({ steps: fc.array(fc.record({ hz: fc.array(fc.integer({ min: 1, max: 9000 }), { maxLength: 3 }), dbm0: fc.integer({ min: -60, max: 6 }), ms: fc.nat(300) }), { minLength: 1, maxLength: 3 }), times: fc.nat(3) });
const route: fc.Arbitrary<Route> = fc.oneof(
  places.map((place): Route => ({ to: 'place', place })), program.map((p): Route => ({ to: 'program', program: p })), fc.constantFrom<Route>({ to: 'echo' }, { to: 'nothing' }),
);
const command = (peerPort: number): fc.Arbitrary<MediaCommand> => fc.oneof(
  streams.map((stream): MediaCommand => ({ do: 'open', stream, host: '192.0.2.1', cname: 'x' })),
  fc.record({
    do: fc.constant('negotiated' as const), stream: streams, session: fc.record({
      remote: fc.constantFrom({ host: '192.0.2.2', port: peerPort }, { host: '0.0.0.0', port: 4000 }, { host: '192.0.2.9', port: 0 }, { host: '192.0.2.1', port: 16_384 }),
      rtcpPort: fc.constantFrom(0, 4001, 70_000), send: fc.constantFrom(PCMA, PCMU), receive: fc.constantFrom([PCMA], [PCMU, PCMA], []),
      direction: fc.constantFrom('sendrecv', 'sendonly', 'recvonly', 'inactive'), ptimeMs: fc.constantFrom(0, 5, 10, 20, 30, 60, 120, 1000, -1, NaN),
    }),
  }),
  fc.record({ do: fc.constant('route' as const), stream: streams, route }),
  fc.record({ do: fc.constant('mute' as const), stream: streams, muted: fc.boolean() }),
  fc.record({ do: fc.constant('digit' as const), stream: streams, digit: fc.constantFrom('1', '#', 'D', '!', 'x', '', '12'), ms: fc.constantFrom(-1, 0, 50, 300) }),
  streams.map((stream): MediaCommand => ({ do: 'close', stream })),
  fc.record({ do: fc.constant('tone' as const), place: places, program, id: fc.nat(9) }),
  places.map((place): MediaCommand => ({ do: 'quiet', place })),
  fc.record({ do: fc.constant('warm' as const), place: places, on: fc.boolean() }),
  fc.record({ do: fc.constant('settings' as const), settings: fc.constantFrom(mediaSettings(), mediaSettings({ jitterMinMs: 0, rtpTimeoutS: 1 }, 10)) }),
  fc.record({ do: fc.constant('measure' as const), stream: streams, ask: fc.nat(9) }),
  fc.constant<MediaCommand>({ do: 'ping', ask: 1 }),
);

test('any commands in any order, with packets in between, never throw, and after the end nothing is left', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(command(17_000), fc.constantFrom(0, 0, 7, 40, 300)), { maxLength: 60 }), async (steps) => {
    const clock = new FakeClock(), wire = new Wire(clock);
    const phone = end(wire, '192.0.2.1');
    phone.audio.microphone = voice;
    // The other side sends back what it gets, wherever it came from.
    wire.bindUdp({ host: '192.0.2.2', port: 17_000 }, { onDatagram: (bytes, from) => wire.sendUdp({ host: '192.0.2.2', port: 17_000 }, from, bytes), onError: () => undefined });
    for (const [what, ms] of steps) {
      phone.media.command(what);
      await settle();
      clock.advance(ms);
    }
    for (const { event } of phone.events) expect(['opened', 'failed', 'digit', 'heard', 'silent', 'tone ended', 'device', 'stats', 'quality', 'pong', 'trouble']).toContain(event);
    phone.media.close();
    await settle();
    clock.advance(1000);
    expect(clock.pending).toBe(0);
    expect(phone.audio.running).toEqual([]);
  }), { numRuns: 150 });
});

test('a call of ten minutes neither drifts nor wears: as many packets as packet times, nothing concealed', async () => {
  const clock = new FakeClock(), wire = new Wire(clock), phone = end(wire, '192.0.2.1', mediaSettings({ rtpTimeoutS: 0 }));
  phone.media.command({ do: 'open', stream: 1, host: phone.host, cname: 'x' });
  await settle();
  let packets = 0;
  wire.bindUdp({ host: '192.0.2.2', port: 17_000 }, { onDatagram: (bytes, from) => { packets++; wire.sent.length = 0; wire.sendUdp({ host: '192.0.2.2', port: 17_000 }, from, bytes); }, onError: () => undefined });
  phone.media.command({ do: 'negotiated', stream: 1, session: { remote: { host: '192.0.2.2', port: 17_000 }, rtcpPort: 0, send: PCMA, receive: [PCMA], direction: 'sendrecv', ptimeMs: 20 } });
  clock.advance(600_000);
  phone.media.command({ do: 'measure', stream: 1, ask: 1 });
  const { stats } = phone.of('stats')[0]!;
  expect(packets).toBeGreaterThanOrEqual(29_998);
  expect(packets).toBeLessThanOrEqual(30_000);
  expect(stats).toMatchObject({ lostPackets: 0, latePackets: 0, concealedMs: 0, refusedPackets: 0 });
  expect(stats.playoutDelayMs).toBeLessThanOrEqual(22); // a period, and two ms to be there in time
});
