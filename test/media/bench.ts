// Two engines at two ends of a wire in fake time, and measures of sound: shared by the tests of this folder.

import { extras as all } from '../../src/main/media-extras.ts';
import { createCodec } from '../../src/media/codec.ts';
import type { CodecUse, MediaEvent, MediaSettings, Media, PlaceSettings, StreamSession } from '../../src/media/door.ts';
import { createEngine } from '../../src/media/engine.ts';
import type { MediaExtras } from '../../src/media/extras.ts';
import { FakeAudio, type FakeDevice } from '../fakes/audio.ts';
import { FakeClock, settle } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { Wire } from '../fakes/network.ts';
import { FakeRandom } from '../fakes/random.ts';

export const PCMU: CodecUse = { name: 'PCMU', payloadType: 0 };
export const PCMA: CodecUse = { name: 'PCMA', payloadType: 8 };
export const G722: CodecUse = { name: 'G722', payloadType: 9 };
export const L16: CodecUse = { name: 'L16', payloadType: 97 };
export const OPUS: CodecUse = { name: 'opus', payloadType: 111, fmtp: 'useinbandfec=1' };

const place = (device: string, periodMs: number): PlaceSettings => ({ device, periodMs, periods: 4, playDb: 0, captureDb: 0 });

export function mediaSettings(change: Partial<MediaSettings> = {}, periodMs = 20): MediaSettings {
  return {
    places: { handset: place('card', periodMs), speaker: place('card', periodMs), ringer: place('ringer', periodMs) },
    rtpPortMin: 16_384, rtpPortMax: 16_484, jitterMinMs: 0, jitterMaxMs: 300, opusBitrate: 24_000, opusComplexity: 5, inbandDtmf: 'auto', rtpTimeoutS: 60, ...change,
  };
}

/** One phone's media. */
export interface End {
  readonly host: string;
  readonly media: Media;
  readonly audio: FakeAudio;
  readonly events: MediaEvent[];
  readonly log: FakeLog;
  of<K extends MediaEvent['event']>(kind: K): Extract<MediaEvent, { event: K }>[];
}

export function end(wire: Wire, host: string, settings = mediaSettings(), seed = 7, extras: (() => MediaExtras) | null = () => all): End {
  const audio = new FakeAudio(wire.clock), log = new FakeLog();
  const media = createEngine({ clock: wire.clock, random: new FakeRandom(seed + host.length + host.charCodeAt(host.length - 1)), log, udp: wire.host(host), audio, codec: createCodec, ...(extras === null ? {} : { extras }) }, settings);
  const events: MediaEvent[] = [];
  media.subscribe((event) => { events.push(event); });
  return { host, media, audio, events, log, of: <K extends MediaEvent['event']>(kind: K) => events.filter((e): e is Extract<MediaEvent, { event: K }> => e.event === kind) };
}

export const portOf = (e: End, stream = 1): number => e.of('opened').find((o) => o.stream === stream)!.port;

export function session(far: End, change: Partial<StreamSession> = {}, farStream = 1): StreamSession {
  const port = portOf(far, farStream);
  return { remote: { host: far.host, port }, rtcpPort: port + 1, send: PCMA, receive: [PCMA, PCMU], eventSend: 101, eventReceive: 101, direction: 'sendrecv', ptimeMs: 20, ...change };
}

export interface Call {
  readonly clock: FakeClock;
  readonly wire: Wire;
  readonly a: End;
  readonly b: End;
}

/** A call between stream 1 of two phones, each routed to its handset. */
export async function call(options: { settings?: MediaSettings; session?: Partial<StreamSession>; microphone?: (i: number) => number; seed?: number; ppm?: number; extras?: Partial<MediaExtras> | null } = {}): Promise<Call> {
  const { extras } = options, given = extras === null ? null : () => (extras ?? all) as MediaExtras; // what a test names is all there is; null: none at all
  const clock = new FakeClock();
  const wire = new Wire(clock, options.seed ?? 1);
  const a = end(wire, '192.0.2.1', options.settings, 7, given), b = end(wire, '192.0.2.2', options.settings, 7, given);
  if (options.microphone !== undefined) a.audio.microphone = options.microphone;
  a.audio.ppm = options.ppm ?? 0;
  for (const e of [a, b]) e.media.command({ do: 'open', stream: 1, host: e.host, cname: `phone@${e.host}` });
  await settle();
  for (const [near, far] of [[a, b], [b, a]] as const) {
    near.media.command({ do: 'negotiated', stream: 1, session: session(far, options.session) });
    near.media.command({ do: 'route', stream: 1, route: { to: 'place', place: 'handset' } });
  }
  return { clock, wire, a, b };
}

export const card = (e: End): FakeDevice => e.audio.devices[0]!;

/** Something like a voice: harmonics of a gliding pitch, in syllables, band-limited to a telephone's. */
export function voice(i: number): number {
  const t = i / 16_000;
  const phase = 2 * Math.PI * (120 * t + 3 * Math.sin(2 * Math.PI * 1.1 * t));
  let x = 0;
  for (let h = 3; h <= 20; h++) x += Math.sin(h * phase + h * h) / (1 + Math.abs(h - 6) + Math.abs(h - 14) / 2);
  return Math.round(3500 * x * (0.25 + 0.75 * Math.sin(2 * Math.PI * 2.3 * t) ** 2));
}

export const sine = (hz: number, peak: number) => (i: number): number => Math.round(peak * Math.sin(2 * Math.PI * hz * i / 16_000));

/** The best normalised correlation of `heard[from..from+count)` with `said`, and the delay in samples at which it is found. */
export function align(said: (i: number) => number, heard: readonly number[], from: number, count: number, longest = 6400): { like: number; delay: number } {
  const reference = Float64Array.from({ length: count + longest }, (_, i) => (from - longest + i < 0 ? 0 : said(from - longest + i)));
  let best = { like: -1, delay: 0 };
  const at = (delay: number, step: number): number => {
    let cross = 0, p = 0, q = 0;
    for (let i = 0; i < count; i += step) {
      const x = reference[i + longest - delay]!, y = heard[from + i] ?? 0;
      cross += x * y;
      p += x * x;
      q += y * y;
    }
    return p === 0 || q === 0 ? 0 : cross / Math.sqrt(p * q);
  };
  for (let delay = 0; delay <= longest; delay++) {
    const like = at(delay, 5);
    if (like > best.like) best = { like, delay };
  }
  return { like: at(best.delay, 1), delay: best.delay };
}

/** Level of `hz` in `x`, as the peak of a sine. */
export function toneIn(x: readonly number[], hz: number, from = 0, count = x.length - from): number {
  let re = 0, im = 0;
  for (let i = 0; i < count; i++) {
    re += (x[from + i] ?? 0) * Math.cos(2 * Math.PI * hz * i / 16_000);
    im += (x[from + i] ?? 0) * Math.sin(2 * Math.PI * hz * i / 16_000);
  }
  return 2 * Math.hypot(re, im) / count;
}
