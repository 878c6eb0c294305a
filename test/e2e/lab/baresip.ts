// A real baresip (Debian's 1.0), headless: microphone is a WAV file, everything heard is dumped to a WAV file, driven over ctrl_tcp.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { freePort, pause, start, until, type Program } from './process.ts';
import { chirp, writeWav } from './wav.ts';

export interface BaresipEvent {
  readonly type: string;
  readonly param: string;
  readonly peeruri: string;
  readonly id: string;
}

export interface Baresip {
  readonly port: number;
  readonly events: readonly BaresipEvent[];
  command(command: string, params?: string): Promise<{ ok: boolean; data: string }>;
  waitFor(type: string, ms?: number, match?: RegExp): Promise<BaresipEvent>;
  /** Forget the events so far, for the next waitFor. */
  forget(): void;
  /** What it heard, newest file last. */
  heard(): string[];
  output(): string;
  readonly program: Program;
  stop(): Promise<void>;
}

export interface BaresipOptions {
  readonly user: string;
  readonly password?: string;
  /** Registers there; without it the account is a local one. */
  readonly server?: string;
  readonly transport?: 'udp' | 'tcp' | 'tls';
  readonly codec: 'PCMU/8000' | 'PCMA/8000' | 'G722/16000' | 'opus/48000/2';
  readonly answer?: 'manual' | 'auto';
  /** WAV file that it speaks, at the codec's rate; a hum of its own unless told. */
  readonly speaks?: string;
  readonly speaksRateHz?: number;
  /** srtp: offers keys and does without; srtp-mand: refuses calls without. */
  readonly mediaenc?: 'srtp' | 'srtp-mand';
}

export async function startBaresip(folder: string, options: BaresipOptions): Promise<Baresip> {
  const port = await freePort();
  const control = await freePort();
  const home = join(folder, `baresip-${port}`);
  mkdirSync(home, { recursive: true });
  const rate = options.speaksRateHz ?? (options.codec.startsWith('opus') ? 48_000 : options.codec.startsWith('G722') ? 16_000 : 8_000);
  const speaks = options.speaks ?? join(home, 'hum.wav');
  if (options.speaks === undefined) writeWav(speaks, { rateHz: rate, samples: chirp(rate, 60_000, 440, 440) });
  writeFileSync(join(home, 'config'), [
    'poll_method epoll', `sip_listen 127.0.0.1:${port}`, 'net_interface 127.0.0.1', 'call_local_timeout 120', 'call_max_calls 8',
    `audio_source aufile,${speaks}`,
    'audio_player aubridge,nil', 'audio_alert aubridge,nil', `ausrc_srate ${rate}`, 'ausrc_channels 1', 'auplay_channels 1', 'audio_telev_pt 101', 'rtp_ports 30000-31998', 'jitter_buffer_delay 1-10',
    'module_path /usr/lib/baresip/modules', 'module_path_alt /usr/lib/aarch64-linux-gnu/baresip/modules',
    'module g711.so', 'module g722.so', 'module opus.so', 'module aufile.so', 'module aubridge.so', 'module sndfile.so', ...(options.mediaenc === undefined ? [] : ['module srtp.so']),
    'module_tmp account.so', 'module_app menu.so', 'module_app ctrl_tcp.so',
    `ctrl_tcp_listen 127.0.0.1:${control}`, `snd_path ${home}`, '',
  ].join('\n'));
  const registration = options.server === undefined
    ? `<sip:${options.user}@127.0.0.1:${port}>;regint=0`
    : `<sip:${options.user}@${options.server}${(options.transport ?? 'udp') === 'udp' ? '' : `;transport=${options.transport}`}>;auth_pass=${options.password ?? ''};regint=300`;
  writeFileSync(join(home, 'accounts'), `${registration};answermode=${options.answer ?? 'manual'};audio_codecs=${options.codec}${options.mediaenc === undefined ? '' : `;mediaenc=${options.mediaenc}`}\n`);
  writeFileSync(join(home, 'contacts'), '');
  const program = start('baresip', ['-f', home]);
  await program.waitFor(/baresip is ready/, 15_000);

  const events: BaresipEvent[] = [];
  const replies: ((reply: { ok: boolean; data: string }) => void)[] = [];
  const socket = await new Promise<Socket>((resolve, reject) => {
    const s = connect(control, '127.0.0.1', () => resolve(s));
    s.once('error', reject);
  });
  let held = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (;;) { // netstrings: LENGTH:bytes,
      const colon = held.indexOf(0x3a);
      if (colon < 0) return;
      const length = Number(held.toString('latin1', 0, colon));
      if (held.length < colon + 2 + length) return;
      const message = JSON.parse(held.toString('utf8', colon + 1, colon + 1 + length)) as Record<string, unknown>;
      held = held.subarray(colon + 2 + length);
      if (message['event'] === true) {
        events.push({ type: String(message['type']), param: String(message['param'] ?? ''), peeruri: String(message['peeruri'] ?? ''), id: String(message['id'] ?? '') });
      } else if (message['response'] === true) {
        replies.shift()?.({ ok: message['ok'] === true, data: String(message['data'] ?? '') });
      }
    }
  });
  const baresip: Baresip = {
    port,
    events,
    program,
    output: () => program.output(),
    command(command, params = '') {
      const text = JSON.stringify({ command, params, token: 't' });
      return new Promise((resolve) => {
        replies.push(resolve);
        socket.write(`${Buffer.byteLength(text)}:${text},`);
      });
    },
    async waitFor(type, ms = 10_000, match = /(?:)/) {
      const find = () => events.find((e) => e.type === type && match.test(`${e.param} ${e.peeruri}`));
      if (!await until(() => find() !== undefined, ms)) throw new Error(`baresip: no ${type} within ${ms} ms; events: ${JSON.stringify(events)}\n${program.output().slice(-3_000)}`);
      return find() as BaresipEvent;
    },
    forget() { events.length = 0; },
    heard: () => readdirSync(home).filter((name) => /dec\.wav$/.test(name)).sort().map((name) => join(home, name)),
    async stop() {
      socket.destroy();
      await program.stop();
    },
  };
  if (options.server !== undefined) await program.waitFor(/200 OK .*binding/, 10_000);
  await pause(50);
  return baresip;
}
