// Entry of the media thread: the engine and the sound cards, with sockets and time of their own. Nothing else runs here.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { rehearseCards } from '../audio/rehearsal.ts';
import { createAudioSystem } from '../audio/system.ts';
import { createCodec, type CodecFactory } from '../media/codec.ts';
import type { Media } from '../media/door.ts';
import { createEngine } from '../media/engine.ts';
import type { MediaExtras } from '../media/extras.ts';
import type { rehearse } from '../media/rehearsal.ts';
import type { Log, LogFields, LogLevel } from '../ports/log.ts';
import type { Network } from '../ports/net.ts';
import { systemClock } from '../system/clock.ts';
import { systemNetwork } from '../system/network.ts';
import { systemRandom } from '../system/random.ts';
import { soundFiles } from '../system/sound-files.ts';
import { opusComplexityFor } from './board-class.ts';
import { compileAtOnce, compileLate, compileSoon } from './flags.ts';
import type { ThreadMessage, ThreadOptions, ThreadWork } from './remote-media.ts';

/** So much of a call makes V8 compile all that a call runs often. */
const REHEARSED_PERIODS = 400;
/** Of the engine fewer: what runs once a period would be compiled by more, and cost 14 kB of heap for no less work (test/bench/sound-cpu.js). */
const ENGINE_PERIODS = 100;

if (parentPort === null) throw new Error('sound-thread is the media thread of the phone; it does not run by itself');
const port = parentPort;
const post = (message: ThreadMessage) => port.postMessage(message);
const { settings, dscp, realTime, stunServer, nameServers } = workerData as ThreadOptions;

const say = (level: LogLevel) => (fields: LogFields, fact: string) => post({ kind: 'log', level, fields, fact });
const log: Log = { error: say('error'), warn: say('warn'), info: say('info'), debug: say('debug') };
const clock = systemClock();
const random = systemRandom();

let fitting = 0;
/** The codecs; what the settings leave to us is chosen by the board, with the first Opus call. */
const codec: CodecFactory = (use, options) => createCodec(use, use.name !== 'opus' || options.opusComplexity > 0 ? options
  : { ...options, opusComplexity: fitting ||= opusComplexityFor(cpuinfo(), process.arch) });

async function begin(): Promise<void> {
  // The phone may start meanwhile: commands wait in the port until somebody listens to it, below.
  post({ kind: 'ready' });
  const load = createRequire(import.meta.url);
  const udp = systemNetwork({ log, dscp, marks: () => import('../system/dscp.ts'), polled: () => import('../system/polled-udp.ts') });
  compileAtOnce();
  rehearseCards(REHEARSED_PERIODS);
  await rehearseSocket(udp).catch(() => undefined); // without a loopback it is compiled as it goes
  compileSoon();
  await (load('./rehearsal.cjs') as { readonly rehearse: typeof rehearse }).rehearse(createEngine, random, createCodec, ENGINE_PERIODS);
  compileLate();
  if (realTime) await takePrecedence();

  const extras = (): MediaExtras => (load('./media-extras.cjs') as { readonly extras: MediaExtras }).extras; // at once, for the order of commands must stay
  const make = (sockets: Network): Media => createEngine({ clock, random, log, udp: sockets, audio: createAudioSystem({ clock, log, files: soundFiles() }), codec, extras }, settings);
  const engine = stunServer === '' ? make(udp) : (await import('./mapped.ts')).mappedEngine({ clock, random, log, udp }, stunServer, nameServers, make);

  engine.subscribe((event) => post({ kind: 'event', event }));
  port.on('message', (commands: ThreadWork) => {
    if (commands === 'end') {
      engine.close();
      port.close();
    } else {
      for (let i = 0; i < commands.length; i++) engine.command(commands[i]!);
    }
  });
}

/** Sends packets to itself and takes them in. The pauses are part of it: without them a minute of G.711 took 2.3 s of CPU, with them 1.7 (two runs each). */
async function rehearseSocket(udp: Network): Promise<void> {
  const socket = await udp.udp({ host: '127.0.0.1', port: 0 }, { onDatagram: () => undefined, onError: () => undefined }), packet = new Uint8Array(172);
  for (let i = 0; i < REHEARSED_PERIODS; i++) {
    socket.send(packet, socket.local);
    socket.poll?.();
    if (i % 8 === 0) await new Promise<void>((resolve) => { clock.after(1 + (i & 1), resolve); });
  }
  socket.close();
}

function cpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'latin1');
  } catch {
    return ''; // then nothing is known of the board
  }
}

/** After the rehearsal, which runs longer without a pause than such a thread may. */
async function takePrecedence(): Promise<void> {
  try {
    const { SOUND_PRIORITY, realTime } = await import('../system/realtime.ts'); // only here: it brings koffi
    const kernel = realTime();
    const why = kernel.take(SOUND_PRIORITY);
    if (why === undefined) post({ kind: 'real time', thread: kernel.thread() });
    else log.info({ why }, 'sound runs without real-time priority');
  } catch (error) {
    log.info({ why: error instanceof Error ? error.message : String(error) }, 'sound runs without real-time priority');
  }
}

void begin(); // what it throws ends the thread, and remote-media.ts hears of it
