// A call of the engine with itself, without card, socket or waiting: what a call needs often is compiled before the first one comes.
// Decides nothing and leaves nothing behind.
//
//   made-up sound --> card --> stream 1 --RTP in memory--> stream 2 routed to echo --> stream 1 --> card

import type { AudioOptions } from '../ports/audio.ts';
import type { Clock } from '../ports/clock.ts';
import { PhoneError } from '../ports/errors.ts';
import type { DatagramHandler, Network } from '../ports/net.ts';
import type { Random } from '../ports/random.ts';
import type { CodecFactory } from './codec.ts';
import type { MediaSettings, PlaceSettings } from './door.ts';
import type { createEngine } from './engine.ts';

const PERIOD_MS = 20;
const NEAR = 1;
const FAR = 2;
const HOST = '127.0.0.1';
const place: PlaceSettings = { device: 'rehearsal', periodMs: PERIOD_MS, periods: 4, playDb: 0, captureDb: 0 };
const settings: MediaSettings = {
  places: { handset: place, speaker: place, ringer: place },
  rtpPortMin: 2, rtpPortMax: 9, jitterMinMs: 20, jitterMaxMs: 300, opusBitrate: 24_000, opusComplexity: 5, inbandDtmf: 'off', rtpTimeoutS: 0,
};

/** Plays `periods` of 20 ms of a call on an engine that `create` makes, half of them in each kind of G.711, as fast as the machine can. */
export async function rehearse(create: typeof createEngine, random: Random, codec: CodecFactory, periods: number): Promise<void> {
  let now = 0.37; // real times are no whole numbers, and code made for those would not serve
  let alarms: { readonly at: number; readonly due: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    wall: () => now,
    after(ms, due) {
      const alarm = { at: now + ms, due };
      alarms.push(alarm);
      return () => { alarms = alarms.filter((a) => a !== alarm); };
    },
  };
  const bound = new Map<number, DatagramHandler>();
  const network: Network = {
    async udp(local, handler) {
      if (bound.has(local.port)) throw new PhoneError('PORT_IN_USE', 'the other stream has it');
      bound.set(local.port, handler);
      return { local, send: (bytes, to) => bound.get(to.port)?.onDatagram(Buffer.from(bytes), local), close() {} };
    },
    connect() { throw new Error('no rehearsal of TCP'); },
    listen() { throw new Error('no rehearsal of TCP'); },
    sourceFor: async () => HOST,
  };
  let card: AudioOptions | undefined;
  const engine = create({
    clock, random, udp: network, codec,
    audio: {
      list: () => [],
      open(options) {
        card = options;
        const { name, rateHz, periodFrames } = options;
        return { name, rateHz, periodFrames, status: () => ({ state: 'running', trouble: '', xruns: 0, reopened: 0, delayFrames: 0 }), close() {} };
      },
    },
  }, settings);

  const ports = new Map<number, number>();
  const opened = new Promise<void>((resolve) => {
    engine.subscribe((event) => {
      if (event.event === 'opened') ports.set(event.stream, event.port);
      if (ports.size === 2) resolve();
    });
  });
  for (const stream of [NEAR, FAR]) engine.command({ do: 'open', stream, host: HOST, cname: 'rehearsal' });
  await opened;
  const speak = (name: 'PCMU' | 'PCMA', payloadType: number): void => {
    for (const [stream, other] of [[NEAR, FAR], [FAR, NEAR]] as const) {
      const port = ports.get(other)!;
      const use = { name, payloadType };
      engine.command({ do: 'negotiated', stream, session: { remote: { host: HOST, port }, rtcpPort: port + 1, send: use, receive: [use], direction: 'sendrecv', ptimeMs: PERIOD_MS } });
    }
  };
  speak('PCMU', 0);
  engine.command({ do: 'route', stream: NEAR, route: { to: 'place', place: 'handset' } });
  engine.command({ do: 'route', stream: FAR, route: { to: 'echo' } });

  const captured = new Int16Array(card?.periodFrames ?? 0), playback = new Int16Array(captured.length);
  for (let i = 0; i < captured.length; i++) captured[i] = (i * 997) % 8_000 - 4_000;
  for (let i = 0; i < periods; i++) {
    if (i === periods >> 1) speak('PCMA', 8);
    now += PERIOD_MS + (i % 3 - 1) * 0.21;
    for (const alarm of alarms.filter((a) => a.at <= now)) {
      if (!alarms.includes(alarm)) continue;
      alarms.splice(alarms.indexOf(alarm), 1);
      alarm.due();
    }
    card?.onPeriod(captured, playback.fill(0));
  }
  engine.close();
}
