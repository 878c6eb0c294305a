// The work of delay.js.

import { ulaw } from '../../src/media/g711.ts';
import { nowMs } from '../card/card.ts';
import { callRig, first, send, startRig, type RigCall, type RigOptions } from '../e2e/lab/rig.ts';
import { pause, scratch } from '../e2e/lab/process.ts';
import { FakeRandom } from '../fakes/random.ts';
import { packetsOf } from '../quality/sending.ts';
import { makeTrace, type ProfileName, type Trace } from '../quality/traces.ts';

const FRAME = 160;
const MOST_MS = 400;
/** Correlation from which a packet's sound was found again. */
const FOUND = 0.8;

export interface Loop {
  readonly medianMs: number;
  readonly p95Ms: number;
  readonly badPercent: number;
  readonly worstMs: number;
}

/** Noise of the lower 3 kHz, which passes any filter on the way: another one each 20 ms. */
function noise(packets: number): Int16Array {
  const random = new FakeRandom(99), out = new Int16Array(packets * FRAME);
  let a = 0, b = 0;
  for (let i = 0; i < out.length; i++) {
    const x = 9_000 * (random.fraction() - 0.5);
    out[i] = Math.round((x + 2 * a + b) / 2);
    b = a;
    a = x;
  }
  return out;
}

/** One call: send, and keep what comes back as sound with the instant of each sample. */
class Echo {
  readonly #sound: Float64Array;
  readonly #startMs: number;
  #first = -1;
  /** Instants of packets against their timestamps: the least is that of a packet sent at once. */
  #offsetMs = Infinity;

  constructor(call: RigCall, startMs: number, ms: number) {
    this.#startMs = startMs;
    this.#sound = new Float64Array(Math.ceil(ms * 8) + 16_000);
    call.onPacket = (payload, timestamp, atMs) => {
      if (this.#first < 0) this.#first = timestamp;
      const at = (timestamp - this.#first) | 0;
      for (let i = 0; i < payload.length; i++) if (at + i >= 0 && at + i < this.#sound.length) this.#sound[at + i] = ulaw[payload[i]!]!;
      this.#offsetMs = Math.min(this.#offsetMs, atMs - at / 8); // a packet leaves when its last sample is there, its first one 20 ms sooner
    };
  }

  /** Delay of the sound of packet `sequence`, which was sent at `sentMs`; NaN when it was not heard. */
  delayOf(said: Int16Array, sequence: number, sentMs: number): number {
    const from = sequence * FRAME, skip = 24, length = FRAME - 2 * skip; // edges are joins
    const base = Math.round((sentMs + this.#startMs - this.#offsetMs) * 8);
    let best = -1, at = 0, energy = 0;
    for (let i = 0; i < length; i++) energy += said[from + skip + i]! ** 2;
    for (let lag = 0; lag < MOST_MS * 8; lag++) {
      let cross = 0, power = 1;
      for (let i = 0; i < length; i++) {
        const y = this.#sound[base + lag + skip + i] ?? 0;
        cross += said[from + skip + i]! * y;
        power += y * y;
      }
      const like = cross / Math.sqrt(energy * power);
      if (like > best) {
        best = like;
        at = lag;
      }
    }
    return best >= FOUND ? at / 8 : NaN;
  }
}

/** Rigs of the same call at the same time. */
async function loops(options: readonly (readonly [name: 'offhook' | 'baresip', more: Partial<RigOptions>])[], profile: ProfileName, seconds: number): Promise<Loop[]> {
  const folder = scratch('delay'), trace: Trace = makeTrace(profile, { seconds });
  const said = noise(trace.packets.length), packets = packetsOf(said, 'PCMU', 20);
  const rigs = [];
  try {
    for (const [name, more] of options) rigs.push(await startRig(name, folder.path, { codec: 'PCMU', card: { cable: true }, ...more }));
    const calls = await Promise.all(rigs.map((rig) => callRig(rig, 'PCMU')));
    await pause(500);
    const startMs = nowMs() + 200, echoes = calls.map((call) => new Echo(call, startMs, seconds * 1_000));
    const worstMs = await first(async () => {
      const worst = await send(trace, packets, calls, startMs);
      await pause(500);
      return worst;
    });
    await Promise.all(calls.map((call) => call.hangUp()));
    return echoes.map((echo) => {
      const delays: number[] = [];
      let bad = 0;
      for (const { sequence, sentMs } of trace.packets.slice(150)) { // three seconds to settle
        const delay = echo.delayOf(said, sequence, sentMs);
        if (Number.isNaN(delay)) bad++;
        else delays.push(delay);
      }
      delays.sort((a, b) => a - b);
      const at = (share: number): number => delays[Math.min(delays.length - 1, Math.floor(share * delays.length))] ?? NaN;
      return { medianMs: at(0.5), p95Ms: at(0.95), badPercent: 100 * bad / Math.max(1, bad + delays.length), worstMs };
    });
  } finally {
    for (const rig of rigs) await rig.stop();
    folder.remove();
  }
}

export async function run(seconds: number): Promise<void> {
  const options = [
    ['ours, periods of 10 ms', 'offhook', { set: { 'sound.periodMs': 10 } }], ['ours, periods of 20 ms', 'offhook', { set: { 'sound.periodMs': 20 } }],
    ['baresip as it comes', 'baresip', {}], ['baresip, buffer 1-10', 'baresip', { baresip: ['jitter_buffer_delay 1-10'] }],
  ] as const;
  process.stdout.write('delay added to 20 ms packets, RTP in to RTP out: median / p95 ms, bad frames\n');
  for (const [profile, words] of [['clean', 'no jitter'], ['even40', '0 to 40 ms of jitter']] as const) {
    const found = await loops(options.map(([, name, more]) => [name, more]), profile, seconds);
    for (const [i, [label]] of options.entries()) {
      const { medianMs, p95Ms, badPercent, worstMs } = found[i]!;
      process.stdout.write(`${words.padEnd(21)} ${label.padEnd(23)} ${medianMs.toFixed(1).padStart(6)} / ${p95Ms.toFixed(1).padStart(5)} ms  ${badPercent.toFixed(1).padStart(5)} % bad${worstMs > 15 ? `   (a packet went out ${worstMs.toFixed(0)} ms late: this machine is busy)` : ''}\n`);
    }
  }
}
