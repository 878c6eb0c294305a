// Builds one telephone out of the rooms and keeps it running until it is told to end. The only place where rooms meet.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseToml } from 'smol-toml';
import { openStore, type Store } from '../config/store.ts';
import { openHardware } from '../hardware/open.ts';
import { applyTerminal, decodeTerminal, terminalHelp, type TerminalState } from '../hardware/terminal.ts';
import type { Command } from '../phone/status.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Log } from '../ports/log.ts';
import { systemClock } from '../system/clock.ts';
import { serveControl, type Reply } from '../system/control.ts';
import { systemFiles } from '../system/files.ts';
import { watchLinks } from '../system/link.ts';
import { createLog, type LogOptions } from '../system/log.ts';
import { systemNetwork, systemResolver } from '../system/network.ts';
import { systemdNotify, watchdogIntervalMs } from '../system/notify.ts';
import { systemRandom } from '../system/random.ts';
import { createAgent, createBuiltIn, createPhone, dtmfProgram, intercomBeep, opusAvailable, ringCadence, ringTone, statusTones, texts, tones } from './core.ts';
import { mediaSettings } from './media-settings.ts';
import { startMediaThread } from './remote-media.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

declare const OFFHOOK_VERSION: string;

export interface RunOptions {
  /** State folder: settings, call log, page password, control socket. */
  readonly state: string;
  /** Settings file in place of the state folder's. */
  readonly config: string | undefined;
  readonly set: readonly string[];
  /** Say to a person in a terminal what to try. */
  readonly welcome: boolean;
}

const bundleFolder = fileURLToPath(new URL('.', import.meta.url));
/** A phone that cannot end within this ends anyway; systemd waits a little longer. */
const END_WITHIN_MS = 4_000;

export async function run(options: RunOptions): Promise<number> {
  const clock = systemClock();
  const random = systemRandom();
  const files = systemFiles();
  const network = systemNetwork();
  const store = await openStore({ files }, options.state, { env: process.env, set: options.set, ...(options.config === undefined ? {} : { file: options.config }) });
  const fromOutside = store.problems.filter((problem) => problem.from !== 'file');
  if (fromOutside.length > 0) {
    for (const { key, reason, from } of fromOutside) process.stderr.write(`offhook: ${key} (${from}): ${reason}\n`);
    return 2;
  }
  const logOptions: LogOptions = {
    format: store.settings.log.format, level: store.settings.log.level, journal: process.env['JOURNAL_STREAM'] !== undefined,
    write: store.settings.log.format === 'json' ? (line) => process.stdout.write(line) : (line) => process.stderr.write(line),
  };
  const log = createLog(clock, logOptions);
  for (const { key, reason } of store.problems) log.error({ setting: key, reason }, 'setting refused');

  const closers: (() => void | Promise<void>)[] = [];
  let ending: ((code: number) => void) | undefined;
  const ended = new Promise<number>((resolve) => { ending = resolve; });
  const end = (code: number) => ending?.(code);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => end(0));

  try {
    const media = await startMediaThread({ settings: mediaSettings(store.settings) }, log, (error) => {
      log.error({ code: error.code }, error.message);
      end(1);
    });
    closers.push(() => media.close());
    const notify = systemdNotify();
    const patMs = watchdogIntervalMs();
    const watchdog: Watchdog | undefined = patMs === undefined ? undefined : startWatchdog(clock, media, patMs, () => notify('WATCHDOG=1'));
    if (watchdog !== undefined) closers.push(() => watchdog.stop());

    const boards = join(bundleFolder, 'boards');
    const hardware = await openHardware({
      clock, log,
      boardFile: (id) => (existsSync(join(boards, `${id}.toml`)) ? parseToml(readFileSync(join(boards, `${id}.toml`), 'utf8')) : undefined),
    }, store.settings.hardware, store.settings.phone.board);
    closers.push(() => hardware.close());

    const text = (name: string) => `${options.state}/${name}`;
    const sounds = { tones, ringCadence, ringTone, intercomBeep, statusTones, dtmfProgram };
    const sip = { clock, random, log, network, resolver: systemResolver() };
    const trace = (direction: 'in' | 'out', bytes: Uint8Array, peer: { readonly host: string; readonly port: number }, transport: string) => {
      if (store.settings.sip.trace) log.debug({ direction, peer: `${peer.host}:${peer.port}`, transport, message: blanked(bytes) }, 'message');
    };
    const userAgent = `Offhook/${OFFHOOK_VERSION}`;
    const opus = opusAvailable();
    if (!opus && store.settings.media.codecs.includes('opus')) log.warn({}, 'Opus is left out: install the Debian package libopus0');

    const phone = createPhone({
      clock, log, random, media, hardware, sounds, opus,
      settings: () => store.settings,
      change: (key, value) => { void changeOne(store, log, key, value); },
      store: {
        read: async (name) => (await files.read(text(name)))?.toString('utf8'),
        write: (name, contents) => files.writeAtomic(text(name), contents),
        append: (name, contents) => files.append(text(name), contents),
      },
      agent: (handlers) => createAgent(sip, { listen: { host: store.settings.sip.host, port: store.settings.sip.port }, tcp: store.settings.sip.tcp, userAgent, trace }, handlers),
      texts,
      sourceFor: (host) => network.sourceFor(host),
      builtIn: (handlers) => createAgent(sip, { listen: { host: '127.0.0.1', port: 0 }, tcp: false, userAgent }, handlers),
    });
    void createBuiltIn;
    void watchdog;
    await phone.start();
    closers.push(() => phone.close());

    const control = await serveControl(join(options.state, 'control.sock'), async (command): Promise<Reply> => {
      if (isQuit(command)) {
        clock.after(0, () => end(0));
        return { ok: true };
      }
      return { ...await phone.command(command as Command) };
    });
    closers.push(() => control.close());
    closers.push(watchLinks(clock, () => {
      log.info({}, 'network changed');
      phone.networkChanged();
    }));

    void hostname; void readdirSync; void applyTerminal; void decodeTerminal; void terminalHelp;
    notify('READY=1');
    log.info({ version: OFFHOOK_VERSION }, 'phone started');
  } catch (error) {
    if (!(error instanceof PhoneError)) throw error;
    log.error({ code: error.code }, error.message);
    end(1);
  }
  const code = await ended;
  void END_WITHIN_MS; void closers; 
  let state: TerminalState = 'plain';
  void state;
  return code;
}

declare function blanked(bytes: Uint8Array): string;
declare function changeOne(store: Store, log: Log, key: string, value: unknown): Promise<void>;
declare function isQuit(command: unknown): boolean;
