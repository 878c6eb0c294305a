// How a call sounds at our side and, where it reports, at the other one: counts what came, rates it, and adds extended reports (RFC 3611) to ours. One
// for each stream, in media-extras.

import type { CallQuality, MediaSettings, StreamId, StreamSession, StreamStats } from './door.ts';
import type { Measured, Quality, QualityPorts } from './extras.ts';
import type { JitterBuffer } from './jitter.ts';
import { burstRatio, gradeOf, LossCounter, opinionOf, wordOf } from './quality.ts';
import { ntpMiddle } from './rtcp.ts';
import { u32 } from './rtp.ts';
import { readXr, UNKNOWN, writeXr, type HeardThere, type SinceReference, type VoipMetrics } from './xr.ts';

/** Of fewer packets nothing is said: a second of most calls. */
const LEAST_PACKETS = 50;
const SECOND_MS = 1000;
const SR = 200, BYE = 203, BYE_BYTES = 8;
/** 10 ms in 1/65536 s: rounding, and clocks that disagree. */
const TEN_MS_TICKS = 655;
/** Of the other side's own delay no more is believed. */
const END_SYSTEM_MOST_MS = 2_000;
/** A packet's sound is taken to be no longer: more is a pause of the sender. */
const LONGEST_PACKET_MS = 120;

export function createQuality(stream: Measured, id: StreamId, ours: number, jitter: JitterBuffer, { jitterMaxMs }: MediaSettings, { clock, tell }: QualityPorts): Quality {
  const counter = new LossCounter();
  /** Wall time less monotonic time: reports must not follow a clock that is set. */
  const wallMs = clock.wall() - clock.now();
  let session: StreamSession | undefined, codec = '', theirs = 0, roundTripMs = -1;
  /** What their description asks for (§5.1). */
  let wantsMetrics = false, wantsRoundTrip = false, answersAll = false;
  let packetMs = 20, sequence = -1, timestamp = 0, type = -1, clockHz = 8000, late = jitter.late;
  let there: HeardThere | undefined, reference: number | undefined, referenceMs = 0, referenceOf = 0;
  let now: CallQuality | undefined, stop = (): void => undefined;

  /** The jitter buffer refused the packet before. */
  function settle(): void {
    if (jitter.late !== late && sequence >= 0) counter.packet(sequence, true);
    late = jitter.late;
  }

  /** What is known once enough was heard. */
  function rate(stats: StreamStats): { readonly metrics: VoipMetrics; readonly quality: CallQuality } | undefined {
    settle();
    const packets = counter.packets;
    if (packets < LEAST_PACKETS) return undefined;
    const counted = counter.shape(packetMs), shape = { ...counted, discarded: Math.min(1 - counted.lost, counted.discarded + jitter.dropped / packets) }; // of a flood no numbers are known
    const grade = gradeOf(codec), { playoutDelayMs, wantedDelayMs, jitterMs, recoveredPackets } = stats;
    const endSystemMs = playoutDelayMs + (session?.ptimeMs ?? packetMs);
    const tripMs = stats.roundTripMs >= 0 ? stats.roundTripMs : roundTripMs;
    const delayMs = (Math.max(0, tripMs) + endSystemMs + Math.min(there?.endSystemMs ?? endSystemMs, END_SYSTEM_MOST_MS)) / 2; // §4.7.3
    const gone = Math.max(0, shape.lost + shape.discarded - recoveredPackets / packets); // what came with its successor was heard
    const opinion = opinionOf(gone * 100, burstRatio(shape), delayMs, grade);
    const buffer = { jitterNominalMs: wantedDelayMs, jitterMaximumMs: Math.max(wantedDelayMs, playoutDelayMs), jitterAbsoluteMs: jitterMaxMs };
    return {
      metrics: { ssrc: theirs, shape, opinion, roundTripMs: tripMs, endSystemMs, signalDb: UNKNOWN, noiseDb: UNKNOWN, ...buffer },
      quality: {
        heard: {
          words: wordOf(opinion, grade), mosLq: round(opinion.mosLq, 2), mosCq: round(opinion.mosCq, 2), r: round(opinion.r), rLq: round(opinion.rLq),
          lossPercent: round(shape.lost * 100, 2), discardPercent: round(shape.discarded * 100, 2),
        },
        path: {
          burstPercent: round(shape.burstDensity * 100), gapPercent: round(shape.gapDensity * 100, 2), burstMs: Math.round(shape.burstMs), gapMs: Math.round(shape.gapMs),
          jitterMs: round(jitterMs), roundTripMs: round(tripMs), endSystemMs: Math.round(endSystemMs), oneWayMs: Math.round(delayMs), playoutDelayMs: Math.round(playoutDelayMs),
          jitterNominalMs: Math.round(buffer.jitterNominalMs), jitterMaximumMs: Math.round(buffer.jitterMaximumMs), jitterAbsoluteMs: jitterMaxMs,
        },
        ...(there === undefined ? {} : { there }), codec, payloadType: type, packetMs: Math.round(packetMs), ssrc: ours, remoteSsrc: theirs,
      },
    };
  }

  /** Packets of another kind come; of events and noise the clock stays. */
  function change(payloadType: number): void {
    const use = session?.receive.find((each) => each.payloadType === payloadType);
    if (use === undefined) return;
    type = payloadType;
    codec = use.name;
    clockHz = codec === 'opus' ? 48_000 : codec === 'L16' ? 16_000 : 8_000;
  }

  function say(last: boolean): void {
    const stats = stream.stats();
    now = rate(stats)?.quality ?? now;
    if (now !== undefined) tell({ event: 'quality', stream: id, quality: now, remote: stats.remote, last });
  }
  const everySecond = (): void => {
    say(false);
    stop = clock.after(SECOND_MS, everySecond);
  };

  return {
    get now() { return now; },
    negotiated(next) {
      if (session === undefined) stop = clock.after(SECOND_MS, everySecond);
      session = next;
      const asked = (next.rtcpXr ?? '').toLowerCase().split(/\s+/);
      wantsMetrics = asked.includes('voip-metrics');
      wantsRoundTrip = asked.some((word) => /^rcvr-rtt=(all|sender)(:\d+)?$/.test(word));
      answersAll = asked.some((word) => word.startsWith('rcvr-rtt=all'));
    },
    packet(packet) {
      settle();
      if (packet.ssrc !== theirs && sequence >= 0) {
        counter.restart(packet.sequence);
        sequence = -1;
      }
      theirs = packet.ssrc;
      if (packet.payloadType !== type) change(packet.payloadType);
      else if (sequence >= 0 && packet.sequence === ((sequence + 1) & 0xffff)) {
        const ms = ((packet.timestamp - timestamp) | 0) * 1000 / clockHz;
        if (ms >= 1 && ms <= LONGEST_PACKET_MS) packetMs = ms;
      }
      sequence = packet.sequence;
      timestamp = packet.timestamp;
      counter.packet(sequence, false);
    },
    heard(bytes) {
      const news = readXr(bytes, ours), wall = wallMs + clock.now();
      there = news.heard ?? there;
      if (news.reference !== undefined) {
        reference = news.reference;
        referenceMs = wall;
        referenceOf = u32(bytes, 4); // whoever only hears us sends no RTP
      }
      if (news.lastRr === undefined || news.delaySinceRr === undefined || news.lastRr === 0) return;
      const ticks = (ntpMiddle(wall) - news.lastRr - news.delaySinceRr) | 0;
      if (ticks >= -TEN_MS_TICKS) roundTripMs = Math.max(0, ticks) / 65.536; // as in rtcp.ts
    },
    append(out, bytes, bye) {
      if (!wantsMetrics && !wantsRoundTrip) return bytes;
      const wall = wallMs + clock.now(), answers = wantsRoundTrip && (answersAll || out[1] === SR);
      const since: SinceReference | undefined = answers && reference !== undefined ? { ssrc: referenceOf, lastRr: reference, sinceMs: wall - referenceMs } : undefined;
      reference = undefined; // answered once (§4.5)
      const from = bye ? bytes - BYE_BYTES : bytes;
      const to = writeXr(out, from, ours, { metrics: wantsMetrics ? rate(stream.stats())?.metrics : undefined, referenceMs: wantsRoundTrip ? wall : undefined, since });
      if (to === from) return bytes;
      if (!bye) return to;
      out.set([0x81, BYE, 0, 1, ours >>> 24, ours >>> 16, ours >>> 8, ours], to); // the last packet of all (RFC 3550 §6.1)
      return to + BYE_BYTES;
    },
    close() {
      stop();
      say(true);
    },
  };
}

function round(value: number, digits = 1): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
