// A telephone with a sound card of its own that can be heard, in a call with us: ours or Debian's baresip, the same work for both. We are
// the other phone: packets are sent when a trace says that they would have arrived, and what the earpiece then says is kept with its instants.
//
//   said -> coder -> packets --(trace: lost, late, doubled)--> [phone] -> card -> heard

import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readRtp, rtpPacket } from '../../../src/media/rtp.ts';
import { nowMs, startCard, type Card, type CardOptions } from '../../card/card.ts';
import { resampled, type SpeechHz } from '../../quality/speech.ts';
import { arrivalsOf, type Trace } from '../../quality/traces.ts';
import { startPeer } from './peer.ts';
import { startPhone } from './phone.ts';
import { freePort, pause, scratch, start, type Program } from './process.ts';

export type RigCodec = 'PCMU' | 'opus';
export type RigName = 'offhook' | 'baresip';

export interface Rig {
  readonly name: RigName;
  readonly program: Program;
  readonly card: Card;
  readonly sipPort: number;
  /** What the phone itself counts, where it tells. */
  concealedMs(): Promise<number | undefined>;
  stop(): Promise<void>;
}

export interface RigOptions {
  readonly codec: RigCodec;
  readonly card?: Omit<CardOptions, 'dir' | 'name'>;
  /** Run it under this command: FIRST, unless told. */
  readonly under?: readonly string[];
  /** More settings of ours. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
  /** Where baresip registers; nowhere unless told. */
  readonly server?: string;
  /** Lines of baresip's configuration that replace the same ones of its defaults. */
  readonly baresip?: readonly string[];
}

/**
 * Before other work of this machine, where that is allowed: sound that another program tears says nothing of the phone. The same for whomever is
 * compared, and for us while we send. (nice would not do: Linux shares time out among sessions first.)
 */
export const FIRST: readonly string[] = spawnSync('chrt', ['-r', '4', 'true']).status === 0 ? ['chrt', '-r', '4'] : [];

/** Run this process first while `work` is done. */
export async function first<T>(work: () => Promise<T>): Promise<T> {
  const pid = String(process.pid);
  if (FIRST.length > 0) spawnSync('chrt', ['-a', '-r', '-p', '5', pid]);
  try {
    return await work();
  } finally {
    if (FIRST.length > 0) spawnSync('chrt', ['-a', '-o', '-p', '0', pid]);
  }
}

let cards = 0;

export async function startRig(name: RigName, folder: string, options: RigOptions): Promise<Rig> {
  const dir = join(folder, `${name}-${++cards}`);
  const card = await startCard({ ...options.card, dir, name: 'ear' });
  return name === 'offhook' ? ours(dir, card, options) : theirs(dir, card, options);
}

async function ours(dir: string, card: Card, options: RigOptions): Promise<Rig> {
  const phone = await startPhone(dir, {
    name: 'phone', env: card.env, under: options.under ?? FIRST,
    set: { 'sip.allowAddresses': '127.0.0.1', 'media.codecs': options.codec, 'sound.handset.device': card.device, 'calls.logSize': 0, ...options.set },
  });
  const answering = setInterval(() => {
    if (phone.seen('incoming') === undefined) return;
    phone.forget();
    phone.must({ do: 'answer' }).catch(() => undefined); // an unanswered call shows
  }, 20);
  return {
    name: 'offhook', program: phone.program, card, sipPort: phone.port,
    async concealedMs() {
      const { stats } = await phone.say({ do: 'measure' }) as { readonly stats?: { readonly concealedMs: number } };
      return stats?.concealedMs;
    },
    async stop() {
      clearInterval(answering);
      await phone.stop();
      card.stop();
    },
  };
}

/** Debian's baresip with its own defaults (5 to 10 packets of jitter buffer, concealment for G.711), on ALSA. */
async function theirs(dir: string, card: Card, options: RigOptions): Promise<Rig> {
  const port = await freePort(), rate = options.codec === 'opus' ? 48_000 : 8_000;
  const home = join(dir, 'baresip'), own = options.baresip ?? [];
  mkdirSync(home, { recursive: true });
  const names = own.map((line) => line.split(/\s/)[0]);
  writeFileSync(join(home, 'config'), [
    'poll_method epoll', `sip_listen 127.0.0.1:${port}`, 'net_interface 127.0.0.1', 'call_max_calls 8',
    `audio_source alsa,${card.alsaName}`, `audio_player alsa,${card.alsaName}`, 'audio_alert aubridge,nil', `ausrc_srate ${rate}`, `auplay_srate ${rate}`, 'ausrc_channels 1', 'auplay_channels 1',
    'audio_buffer 20-160', 'jitter_buffer_delay 5-10', 'rtp_ports 32000-33998',
    'module_path /usr/lib/baresip/modules', 'module_path_alt /usr/lib/aarch64-linux-gnu/baresip/modules',
    'module g711.so', 'module opus.so', ...(options.codec === 'opus' ? [] : ['module plc.so']), 'module alsa.so', 'module aubridge.so', 'module_tmp account.so', 'module_app menu.so',
  ].filter((line) => !names.includes(line.split(/\s/)[0])).concat(own, '').join('\n'));
  writeFileSync(join(home, 'accounts'), `<sip:bench@${options.server ?? `127.0.0.1:${port}`}>;auth_pass=x;regint=${options.server === undefined ? 0 : 300};answermode=auto;audio_codecs=${options.codec === 'opus' ? 'opus/48000/2' : 'PCMU/8000'}\n`);
  writeFileSync(join(home, 'contacts'), '');
  const [command = 'baresip', ...args] = [...(options.under ?? FIRST), 'baresip', '-f', home];
  const program = start(command, args, { env: { ...process.env, ...card.env } });
  await program.waitFor(/baresip is ready/, 15_000);
  return {
    name: 'baresip', program, card, sipPort: port,
    concealedMs: async () => undefined,
    async stop() {
      await program.stop();
      card.stop();
    },
  };
}

export interface RigCall {
  /** Where the phone wants its packets. */
  readonly toPort: number;
  /** Send this packet of the phone's stream now. */
  send(sequence: number, payload: Uint8Array): void;
  /** Told of each packet of the phone, with its instant. */
  onPacket: (payload: Uint8Array, timestamp: number, atMs: number) => void;
  hangUp(): Promise<void>;
}

const PAYLOAD_TYPE = { PCMU: 0, opus: 111 } as const;
const TICKS = { PCMU: 160, opus: 960 } as const;

/** Call the phone and be answered. */
export async function callRig(rig: Rig, codec: RigCodec): Promise<RigCall> {
  const peer = await startPeer(rig.sipPort), talk = peer.dialog();
  const socket: Socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address(), type = PAYLOAD_TYPE[codec];
  const body = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', `m=audio ${port} RTP/AVP ${type} 101`, `a=rtpmap:${type} ${codec === 'opus' ? 'opus/48000/2' : 'PCMU/8000'}`,
    ...(codec === 'opus' ? [`a=fmtp:${type} useinbandfec=1`] : []), `a=rtpmap:101 telephone-event/${codec === 'opus' ? 48_000 : 8_000}`, 'a=ptime:20', 'a=sendrecv', ''].join('\r\n');
  talk.request('INVITE', { body, uri: `sip:bench@127.0.0.1:${rig.sipPort}` });
  const answer = await peer.next(/^SIP\/2\.0 200 .*INVITE/, 10_000);
  talk.learn(answer);
  talk.ack();
  const toPort = Number(/^m=audio (\d+)/m.exec(answer.body)?.[1]), theirType = Number(/^a=rtpmap:(\d+) (?:opus|PCMU)/mi.exec(answer.body)?.[1] ?? type);
  const packet = rtpPacket(), out = Buffer.alloc(1_500), base = 30_000;
  const call: RigCall = {
    toPort,
    onPacket: () => undefined,
    send(sequence, payload) {
      out.writeUInt8(0x80, 0);
      out.writeUInt8(theirType | (sequence === 0 ? 0x80 : 0), 1);
      out.writeUInt16BE((base + sequence) & 0xffff, 2);
      out.writeUInt32BE((sequence * TICKS[codec]) >>> 0, 4);
      out.writeUInt32BE(0x0ff0_0ff0, 8);
      out.set(payload, 12);
      socket.send(out.subarray(0, 12 + payload.length), toPort, '127.0.0.1');
    },
    async hangUp() {
      talk.request('BYE');
      await peer.next(/^SIP\/2\.0 200 .*BYE/, 5_000).catch(() => undefined); // it is ended anyway
      peer.close();
      socket.close();
    },
  };
  socket.on('message', (bytes) => { if (readRtp(bytes, packet)) call.onPacket(packet.payload, packet.timestamp, nowMs()); });
  return call;
}

/** Send what arrives of `trace` to every call, each packet at its instant counted from `startMs` (of nowMs); resolves with the greatest lateness of a sending. */
export async function send(trace: Trace, payloads: readonly Uint8Array[], calls: readonly RigCall[], startMs: number): Promise<number> {
  let worstMs = 0;
  for (const { atMs, sequence } of arrivalsOf(trace)) {
    const dueMs = startMs + atMs;
    for (let waitMs = dueMs - nowMs(); waitMs > 0; waitMs = dueMs - nowMs()) await (waitMs > 1.2 ? pause(waitMs - 1) : new Promise<void>((resolve) => setImmediate(resolve)));
    worstMs = Math.max(worstMs, nowMs() - dueMs);
    const payload = payloads[sequence];
    if (payload !== undefined) for (const call of calls) call.send(sequence, payload);
  }
  return worstMs;
}

export interface Heard {
  readonly who: RigName;
  readonly trace: Trace;
  /** Sample 0 was heard at the instant that the first packet was sent. */
  readonly heard: Int16Array;
  readonly concealedMs: number | undefined;
  /** The greatest lateness of a packet that we sent: more than some ms spoils the comparison with other runs, not with the other phone. */
  readonly worstMs: number;
}

const TAIL_MS = 700;

/** A call to each phone over each trace, all at the same time, with nothing else to do for us. */
export async function callBoth(traces: readonly Trace[], payloads: readonly Uint8Array[], codec: RigCodec, set: Readonly<Record<string, string | number | boolean>> = {}): Promise<Heard[]> {
  const folder = scratch('both'), rigs: [Trace, Rig][] = [];
  try {
    for (const trace of traces) for (const name of ['offhook', 'baresip'] as const) rigs.push([trace, await startRig(name, folder.path, { codec, set })]);
    const calls = await Promise.all(rigs.map(([, rig]) => callRig(rig, codec)));
    await pause(400); // until all have their cards open
    return await first(async () => {
      const ears = rigs.map(([, rig]) => rig.card.record()), startMs = nowMs() + 200;
      const worst = await Promise.all(traces.map((trace) => send(trace, payloads, calls.filter((_, i) => rigs[i]![0] === trace), startMs)));
      const concealed = await Promise.all(rigs.map(([, rig]) => rig.concealedMs()));
      await pause(TAIL_MS);
      const heard = rigs.map(([trace], i) => heardFrom(ears[i]!, startMs, trace.packets.at(-1)!.sentMs + TAIL_MS, codec === 'opus' ? 16_000 : 8_000));
      await Promise.all(calls.map((call) => call.hangUp()));
      return rigs.map(([trace, rig], i) => ({ who: rig.name, trace, heard: heard[i]!, concealedMs: concealed[i], worstMs: worst[traces.indexOf(trace)]! }));
    });
  } finally {
    await Promise.all(rigs.map(([, rig]) => rig.stop()));
    folder.remove();
  }
}

/** What the earpiece said from `startMs` on for `ms`, at `rateHz`. */
export function heardFrom(recording: { stop(): { readonly rateHz: number; readonly samples: Int16Array; readonly startMs: number } }, startMs: number, ms: number, rateHz: SpeechHz): Int16Array {
  const heard = recording.stop();
  if (heard.rateHz === 0) return new Int16Array(Math.round(ms * rateHz / 1_000));
  const from = Math.round((startMs - heard.startMs) * heard.rateHz / 1_000), count = Math.round(ms * heard.rateHz / 1_000);
  const part = new Int16Array(count);
  part.set(heard.samples.subarray(Math.max(0, from), from + count).subarray(0, count), Math.max(0, -from));
  // Twice the rate of G.711 was made by a filter whose every other sample is the codec's own: those are taken back as they are.
  return heard.rateHz === 2 * rateHz ? Int16Array.from({ length: count >> 1 }, (_, i) => part[2 * i]!) : resampled(part, heard.rateHz, rateHz);
}
