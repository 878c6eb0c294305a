// What networks do to a stream, packet by packet: made from a seed, or captured and read from a file.
//
//   clean      nothing                                    wifigood   0.4 % lost, stalls of 15-40 ms every 10 s
//   rand3      3 % lost, one by one                       wifibusy   2.8 % lost in pairs, stalls of 30-90 ms every 3 s
//   rand10     10 % lost, one by one                      wifibad    8 % lost in threes, stalls of 50-150 ms every 1.4 s, some out of order
//   burst3     4.6 % lost, five in a row                  spikes     a stall of 150 ms every 5 s
//   jitter     exponential, up to 40 ms                   reorder    5 % out of order by 1 to 3 packets, 2 % doubled
//   step       80 ms more in the middle third             fast, slow a sender 200 ppm off; fast2k, slow2k 2000 ppm
//   even40     anything from 0 to 40 ms, evenly
//
// A stall is a Wi-Fi retry queue: nothing passes, then all that waited leaves at 1 ms a packet. Losses are a two-state (Gilbert) chain.

import type { Random } from '../../src/ports/random.ts';
import { FakeRandom } from '../fakes/random.ts';

/** Times are of the receiver's clock, in ms from the first packet on. */
export interface TracePacket {
  /** Counts from 0 and does not wrap. */
  readonly sequence: number;
  readonly sentMs: number;
  /** undefined: lost. */
  readonly arrivalMs: number | undefined;
  /** Arrivals of further copies. */
  readonly againMs: readonly number[];
}

export interface Trace {
  readonly name: string;
  /** Sound in a packet, by the sender's clock. */
  readonly ptimeMs: number;
  /** In the order of sending. */
  readonly packets: readonly TracePacket[];
}

interface Profile {
  /** Mean of the exponential delay of every packet. */
  readonly jitterMs: number;
  /** Further delay of every packet, evenly from 0 to this. */
  readonly evenMs?: number;
  /** Share of packets lost, and how many in a row on average. */
  readonly loss?: number;
  readonly lossRun?: number;
  readonly stalls?: { readonly aSecond: number; readonly fromMs: number; readonly toMs: number };
  /** As `stalls`, but punctual. */
  readonly spike?: { readonly everyMs: number; readonly ms: number };
  /** Share of packets that come behind later ones, and by how much. */
  readonly reordered?: { readonly share: number; readonly fromMs: number; readonly toMs: number };
  readonly doubled?: number;
  /** More delay in the middle third. */
  readonly stepMs?: number;
  /** How fast the sender's clock runs. */
  readonly ppm?: number;
}

export const profiles = {
  clean: { jitterMs: 0 },
  rand3: { jitterMs: 0, loss: 0.03, lossRun: 1 },
  rand10: { jitterMs: 0, loss: 0.1, lossRun: 1 },
  burst3: { jitterMs: 0, loss: 0.046, lossRun: 4.7 },
  jitter: { jitterMs: 7 },
  wifigood: { jitterMs: 1.6, loss: 0.004, lossRun: 1.3, stalls: { aSecond: 0.1, fromMs: 15, toMs: 40 } },
  wifibusy: { jitterMs: 3.6, loss: 0.028, lossRun: 2.2, stalls: { aSecond: 0.35, fromMs: 30, toMs: 90 } },
  wifibad: { jitterMs: 8, loss: 0.08, lossRun: 3.3, stalls: { aSecond: 0.7, fromMs: 50, toMs: 150 }, reordered: { share: 0.005, fromMs: 20, toMs: 64 }, doubled: 0.005 },
  spikes: { jitterMs: 1.3, spike: { everyMs: 5_000, ms: 150 } },
  reorder: { jitterMs: 1.3, reordered: { share: 0.054, fromMs: 20, toMs: 64 }, doubled: 0.02 },
  step: { jitterMs: 1, stepMs: 80 },
  fast: { jitterMs: 2, ppm: 200 },
  slow: { jitterMs: 2, ppm: -200 },
  fast2k: { jitterMs: 2, ppm: 2_000 },
  slow2k: { jitterMs: 2, ppm: -2_000 },
  even40: { jitterMs: 0, evenMs: 40 },
} as const satisfies Record<string, Profile>;

export type ProfileName = keyof typeof profiles;

/** The eleven over which means are taken. */
export const ELEVEN = ['clean', 'rand3', 'rand10', 'burst3', 'jitter', 'wifigood', 'wifibusy', 'wifibad', 'spikes', 'reorder', 'step'] as const satisfies readonly ProfileName[];
export const DRIFTING = ['fast', 'slow', 'fast2k', 'slow2k'] as const satisfies readonly ProfileName[];

export const isProfile = (name: string): name is ProfileName => Object.hasOwn(profiles, name);

const DRAIN_MS = 1;

/** The same seed, the same trace; `seconds` may be long, but short ones are not the beginning of long ones. */
export function makeTrace(name: ProfileName, options: { readonly seconds: number; readonly seed?: number; readonly ptimeMs?: number }): Trace {
  const profile: Profile = profiles[name];
  const ptimeMs = options.ptimeMs ?? 20;
  let place = 0;
  for (const letter of name) place = Math.imul(place, 31) + letter.charCodeAt(0);
  const random = new FakeRandom((options.seed ?? 1) * 7_919 + place);
  for (let i = 0; i < 16; i++) random.fraction(); // neighbouring seeds begin alike
  const everyMs = ptimeMs / (1 + (profile.ppm ?? 0) / 1e6);
  const count = Math.ceil(options.seconds * 1_000 / everyMs);
  const stalls = stallsOf(profile, count * everyMs, random);
  const lost = lossesOf(profile, count, random);
  const third = count / 3;
  const packets: TracePacket[] = [];
  let lastMs = -Infinity; // what queues does not overtake
  for (let i = 0, stall = 0; i < count; i++) {
    const sentMs = i * everyMs;
    let dueMs = sentMs + exponential(random, profile.jitterMs);
    if (profile.evenMs !== undefined) dueMs += between(random, 0, profile.evenMs);
    if (profile.stepMs !== undefined && i >= third && i < 2 * third) dueMs += profile.stepMs;
    while (stall < stalls.length && stalls[stall]!.untilMs <= dueMs) stall++;
    const now = stalls[stall];
    if (now !== undefined && dueMs >= now.fromMs) dueMs = now.untilMs;
    const late = profile.reordered !== undefined && random.fraction() < profile.reordered.share;
    if (late) dueMs += between(random, profile.reordered.fromMs, profile.reordered.toMs);
    else {
      if (dueMs > sentMs) dueMs = Math.max(dueMs, lastMs + DRAIN_MS);
      lastMs = dueMs;
    }
    const doubled = profile.doubled !== undefined && random.fraction() < profile.doubled;
    const arrivalMs = lost[i] === 1 ? undefined : round(dueMs);
    packets.push({ sequence: i, sentMs: round(sentMs), arrivalMs, againMs: doubled && arrivalMs !== undefined ? [round(dueMs + between(random, 1, 30))] : [] });
  }
  return { name, ptimeMs, packets };
}

/** Thousandths of a ms: what the file keeps. */
const round = (ms: number): number => Math.round(ms * 1_000) / 1_000;
const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random.fraction());
const between = (random: Random, from: number, to: number): number => from + (to - from) * random.fraction();

function stallsOf(profile: Profile, lengthMs: number, random: Random): { fromMs: number; untilMs: number }[] {
  const found: { fromMs: number; untilMs: number }[] = [];
  const { stalls, spike } = profile;
  if (spike !== undefined) for (let at = spike.everyMs / 2; at < lengthMs; at += spike.everyMs) found.push({ fromMs: at, untilMs: at + spike.ms });
  if (stalls !== undefined) {
    for (let at = exponential(random, 1_000 / stalls.aSecond); at < lengthMs;) {
      const untilMs = at + between(random, stalls.fromMs, stalls.toMs);
      found.push({ fromMs: at, untilMs });
      at = untilMs + exponential(random, 1_000 / stalls.aSecond);
    }
  }
  return found;
}

/** 1 for each packet lost: a chain of two states, the first packet always arrives. */
function lossesOf(profile: Profile, count: number, random: Random): Uint8Array {
  const out = new Uint8Array(count);
  const { loss = 0, lossRun = 1 } = profile;
  if (loss === 0) return out;
  if (lossRun <= 1) {
    for (let i = 1; i < count; i++) out[i] = random.fraction() < loss ? 1 : 0;
    return out;
  }
  const leave = 1 / lossRun, enter = loss * leave / (1 - loss);
  for (let i = 1, bad = false; i < count; i++) {
    bad = random.fraction() < (bad ? 1 - leave : enter);
    if (bad) out[i] = 1;
  }
  return out;
}

const HEAD = 'offhook trace 1';

/**
 * A line a packet: sequence, ms sent, ms arrived or 'lost', ms of each further copy. A captured one is written the same way: sequence numbers
 * unwrapped, times sent from the RTP timestamps, arrivals of the capture less that of the first packet.
 */
export function writeTrace(trace: Trace): string {
  const lines = trace.packets.map((p) => [p.sequence, p.sentMs, p.arrivalMs ?? 'lost', ...p.againMs].join(' '));
  return [HEAD, `name ${trace.name}`, `ptime ${trace.ptimeMs}`, ...lines, ''].join('\n');
}

/** The trace of a file, or what is wrong with it. Lines that begin with # are comments. */
export function readTrace(text: string): Trace | string {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.shift() !== HEAD) return `it does not begin with "${HEAD}"`;
  let name = 'captured', ptimeMs = 20;
  const packets: TracePacket[] = [];
  for (const line of lines) {
    const words = line.split(/\s+/);
    if (words[0] === 'name') name = words[1] ?? name;
    else if (words[0] === 'ptime') ptimeMs = Number(words[1]);
    else {
      const [sequence = NaN, sentMs = NaN] = words.slice(0, 2).map(Number);
      const arrivalMs = words[2] === 'lost' ? undefined : Number(words[2]);
      const againMs = words.slice(3).map(Number);
      if (![sequence, sentMs, arrivalMs ?? 0, ...againMs].every(Number.isFinite)) return `not understood: "${line}"`;
      if (packets.length > 0 && sequence <= packets.at(-1)!.sequence) return `sequence numbers must rise: "${line}"`;
      packets.push({ sequence, sentMs, arrivalMs, againMs });
    }
  }
  if (!(ptimeMs > 0) || packets.length === 0) return 'it has no packets';
  return { name, ptimeMs, packets };
}

export interface Arrival {
  readonly atMs: number;
  readonly sequence: number;
}

/** Everything that arrives, copies too, in the order of arrival. */
export function arrivalsOf(trace: Trace): Arrival[] {
  const all: Arrival[] = [];
  for (const { sequence, arrivalMs, againMs } of trace.packets) {
    if (arrivalMs !== undefined) all.push({ atMs: arrivalMs, sequence });
    for (const atMs of againMs) all.push({ atMs, sequence });
  }
  return all.sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
}

export interface TraceFigures {
  readonly lossPercent: number;
  /** Packets lost in a row, on average. */
  readonly lossRun: number;
  /** Delay from sending to arrival: median, 95th and 99th percentile, greatest. */
  readonly delayMs: readonly [number, number, number, number];
  /** Packets that arrive after a later one. */
  readonly reorderedPercent: number;
  readonly doubledPercent: number;
}

export function figuresOf(trace: Trace): TraceFigures {
  const { packets } = trace, count = packets.length;
  const delays: number[] = [];
  let lost = 0, runs = 0, reordered = 0, doubled = 0, latest = -Infinity;
  for (const [i, p] of packets.entries()) {
    doubled += p.againMs.length;
    if (p.arrivalMs === undefined) {
      lost++;
      if (packets[i - 1]?.arrivalMs !== undefined) runs++;
      continue;
    }
    delays.push(p.arrivalMs - p.sentMs);
  }
  for (const { sequence } of arrivalsOf({ ...trace, packets: packets.map((p) => ({ ...p, againMs: [] })) })) {
    if (sequence < latest) reordered++;
    latest = Math.max(latest, sequence);
  }
  delays.sort((a, b) => a - b);
  const at = (share: number): number => delays[Math.min(delays.length - 1, Math.floor(share * delays.length))] ?? 0;
  return {
    lossPercent: 100 * lost / count, lossRun: runs === 0 ? 0 : lost / runs, delayMs: [at(0.5), at(0.95), at(0.99), at(1)],
    reorderedPercent: 100 * reordered / count, doubledPercent: 100 * doubled / count,
  };
}
