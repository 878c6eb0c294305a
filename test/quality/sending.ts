// Speech as the packets that a phone sends of it, and an offline listener: our receive path alone, in time that is counted and not waited for.

import { extras } from '../../src/main/media-extras.ts';
import { createCodec, type Codec } from '../../src/media/codec.ts';
import { createG711 } from '../../src/media/g711.ts';
import { Receiver } from '../../src/media/receiver.ts';
import { rtpPacket } from '../../src/media/rtp.ts';
import type { SpeechHz } from './speech.ts';
import { arrivalsOf, type Trace } from './traces.ts';

export type SentCodec = 'PCMU' | 'opus';
export const speechHz = (codec: SentCodec): SpeechHz => (codec === 'opus' ? 16_000 : 8_000);

/** As the phone's settings are by default, on a board of the middle. */
const OPTIONS = { opusBitrate: 32_000, opusComplexity: 5 } as const;
/** Between two reports of the listener (RFC 3550 §6.2). */
const REPORT_MS = 5_000;
const coder = (codec: SentCodec): Codec => (codec === 'PCMU' ? createG711('PCMU') : createCodec({ name: 'opus', payloadType: 111, fmtp: 'useinbandfec=1' }, OPTIONS));

/** Packets of `ptimeMs`, as many as the sound has whole ones. Opus goes by what a listener at the end of `trace` reports; without one nobody reports anything. */
export function packetsOf(said: Int16Array, codec: SentCodec, ptimeMs: number, trace?: Trace): Uint8Array[] {
  const encoder = coder(codec), size = ptimeMs * speechHz(codec) / 1_000, bytes = new Uint8Array(1_500), packets: Uint8Array[] = [];
  for (let at = 0, reported = 0; at + size <= said.length; at += size) {
    const n = packets.length;
    if (trace !== undefined && (n - reported) * ptimeMs >= REPORT_MS) {
      encoder.expectLoss?.(100 * trace.packets.slice(reported, n).filter((p) => p.arrivalMs === undefined).length / (n - reported));
      reported = n;
    }
    packets.push(bytes.slice(0, encoder.encode(said.subarray(at, at + size), bytes)));
  }
  encoder.close();
  return packets;
}

export interface Offline {
  /** At the rate of the speech; sample 0 is heard at the instant that the first packet is sent. */
  readonly heard: Int16Array;
  readonly concealedMs: number;
  /** Mean and 99th percentile of the time that a pull took. */
  readonly pullUs: number;
  readonly pullP99Us: number;
}

export interface OfflineOptions {
  readonly periodMs?: number;
  readonly jitterMinMs?: number;
  readonly jitterMaxMs?: number;
  /** How fast the card's clock runs. */
  readonly ppm?: number;
  /** In microseconds, for pullUs. */
  readonly nowUs?: () => number;
}

/** What the receive path gives a perfect card, with the phone's default limits of delay unless told. */
export function listenOffline(trace: Trace, packets: readonly Uint8Array[], codec: SentCodec, options: OfflineOptions = {}): Offline {
  const { periodMs = 10, jitterMinMs = 0, jitterMaxMs = 300, nowUs = () => 0 } = options;
  const decoder = coder(codec), type = codec === 'opus' ? 111 : 0, ticks = trace.ptimeMs * (codec === 'opus' ? 48 : 8);
  const receiver = new Receiver(jitterMinMs, jitterMaxMs, (payloadType) => (payloadType === type ? decoder : undefined), () => extras);
  const arrivals = arrivalsOf(trace), lengthMs = trace.packets.at(-1)!.sentMs + 800, count = periodMs * 16;
  const realMs = periodMs / (1 + (options.ppm ?? 0) / 1e6);
  const out = new Int16Array(count), all = new Int16Array(Math.ceil(lengthMs / realMs) * count), tookUs: number[] = [];
  let next = 0, at = 0, concealedMs = 0;
  for (let nowMs = 0; at + count <= all.length; nowMs += realMs) {
    for (; next < arrivals.length && arrivals[next]!.atMs <= nowMs; next++) {
      const { sequence, atMs } = arrivals[next]!, payload = packets[sequence];
      if (payload === undefined || payload.length === 0) continue;
      receiver.put({ ...rtpPacket(), payloadType: type, sequence: (30_000 + sequence) & 0xffff, timestamp: (sequence * ticks) >>> 0, ssrc: 7, payload: payload.slice() }, atMs);
    }
    const began = nowUs();
    receiver.pull(out, count, nowMs);
    tookUs.push(nowUs() - began);
    if (nowMs <= lengthMs - 800) concealedMs = receiver.concealedMs; // what follows the last packet is nobody's loss
    all.set(out, at);
    at += count;
  }
  decoder.close();
  tookUs.sort((a, b) => a - b);
  return {
    heard: codec === 'opus' ? all : halved(all), concealedMs,
    pullUs: tookUs.reduce((sum, us) => sum + us, 0) / tookUs.length, pullP99Us: tookUs[Math.floor(0.99 * tookUs.length)]!,
  };
}

/** The receive path doubles 8 kHz by a filter whose even samples are those of the codec: they are taken back, so that a score of G.711 is of G.711. */
function halved(samples: Int16Array): Int16Array {
  return Int16Array.from({ length: samples.length >> 1 }, (_, i) => samples[2 * i]!);
}
