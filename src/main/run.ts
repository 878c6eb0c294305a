// Builds one telephone out of the rooms and keeps it running until it is told to end. The only place where rooms meet.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseToml } from 'smol-toml';
import { openStore, type Patch, type Store } from '../config/store.ts';
import type { Settings } from '../config/types.ts';
import { openHardware, type OpenedHardware } from '../hardware/open.ts';
import { applyTerminal, decodeTerminal, terminalHelp, type TerminalState } from '../hardware/terminal.ts';
import { opusAvailable } from '../media/opus-drivers.ts';
import type { BuiltIn } from '../phone/builtin.ts';
import type { Phone } from '../phone/phone.ts';
import type { Dialled, PhonePorts } from '../phone/ports.ts';
import type { Command } from '../phone/status.ts';
import { PhoneError } from '../ports/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Files } from '../ports/files.ts';
import type { Shelf } from '../ports/recordings.ts';
import type { Log } from '../ports/log.ts';
import type { Random } from '../ports/random.ts';
import type { createSdes } from '../sdp/sdes.ts';
import type { Sdes } from '../sdp/types.ts';
import type { AgentHandlers } from '../sip/agent-types.ts';
import { startedNow, systemClock } from '../system/clock.ts';
import { serveControl, type Reply } from '../system/control.ts';
import { systemResolver } from '../system/dns.ts';
import { systemFiles } from '../system/files.ts';
import { watchLinks } from '../system/link.ts';
import { createLog, type LogOptions } from '../system/log.ts';
import { systemNetwork } from '../system/network.ts';
import { systemdNotify, watchdogIntervalMs } from '../system/notify.ts';
import { systemRandom } from '../system/random.ts';
import type { Asset } from '../web/types.ts';
import type { House } from './exchange.ts';
import { createAgent, createBuiltIn, createPhone, dtmfProgram, holdTone, intercomBeep, mediaSettings, ringTone, statusTones, texts } from './core.ts';
import { dropOldCode } from './flags.ts';
import { instanceOf } from './instance.ts';
import { MessageRing } from './message-ring.ts';
import { nationalTones } from './national.ts';
import { networkOptions } from './reach.ts';
import { recordedLamp } from './recorded-lamp.ts';
import { watchPrecedence } from './precedence.ts';
import { mediaThread } from './remote-media.ts';
import { towards } from './towards.ts';
import { blanked } from './trace.ts';
import { startWatchdog } from './watchdog.ts';
import { welcome } from './welcome.ts';

declare const OFFHOOK_VERSION: string;

export interface RunOptions {
  /** State folder: settings, call log, page password, control socket. */
  readonly state: string;
  /** Settings file in place of the state folder's. */
  readonly config: string | undefined;
  readonly set: readonly string[];
  /** The exchange alone, without a phone. */
  readonly exchangeAlone: boolean;
  /** Say to a person in a terminal what to try. */
  readonly welcome: boolean;
  /** How the command is spelt here. */
  readonly command: string;
}

/** Names that begin like settings and are said to scripts/start. */
const OF_THE_SCRIPTS = ['OFFHOOK_SKIP_PACKAGES', 'OFFHOOK_SETUP_LOG'];
const bundleFolder = fileURLToPath(new URL('.', import.meta.url));
/** At rest so long after its start, the phone drops the code that only the start needed. */
const REST_MS = 30_000;
/** A phone that has not ended by then ends anyway; systemd would wait for 8 s. */
const END_WITHIN_MS = 5_000;
/** So long all of the processor is for the first registration; then the media thread begins, answered or not. */
const ALONE_MS = 50;
const ANSWERED_WITHIN_MS = 500;

type Closer = () => void | Promise<void>;

export async function run(options: RunOptions): Promise<number> {
  const clock = systemClock(startedNow);
  const files = systemFiles();
  if (options.config !== undefined && !existsSync(options.config)) throw new PhoneError('NO_SUCH_FILE', `there is no settings file ${options.config}`);
  const store = await openStore({ files }, options.state, { env: process.env, notSettings: OF_THE_SCRIPTS, set: options.set, ...(options.config === undefined ? {} : { file: options.config }) });
  const fromOutside = store.problems.filter((problem) => problem.from !== 'file');
  for (const { key, reason, from } of fromOutside) process.stderr.write(`offhook: ${key} (${from}): ${reason}\n`);
  if (fromOutside.length > 0) return 2;

  const logOptions = logTo(store.settings.log);
  const log = createLog(clock, logOptions);
  for (const { key, reason } of store.problems) log.error({ setting: key, reason }, 'setting refused');

  let end: (code: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => { end = resolve; });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => end(0));

  const closers: Closer[] = [];
  const later = (close: Closer) => { closers.unshift(close); };
  try {
    await (options.exchangeAlone ? startExchange : start)({ ...options, clock, files, store, log, logOptions, random: systemRandom(), end, later });
  } catch (error) {
    if (!(error instanceof PhoneError)) throw error;
    log.error({ code: error.code }, error.message);
    end(1);
  }
  const code = await ended;
  clock.after(END_WITHIN_MS, () => process.exit(code)); // whatever still hangs
  for (const close of closers) await close();
  await store.close();
  log.info({}, options.exchangeAlone ? 'exchange ended' : 'phone ended');
  process.exit(code);
}

interface Making extends RunOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly store: Store;
  readonly log: Log;
  readonly logOptions: LogOptions;
  readonly end: (code: number) => void;
  /** Remember what is to be closed at the end, last opened first. */
  readonly later: (close: Closer) => void;
}

async function start(making: Making): Promise<void> {
  const { clock, random, store, log, later, end } = making;
  let house: House | undefined = undefined as House | undefined;
  const settings = () => house?.withOwnAccount(store.settings) ?? store.settings;
  const ring = new MessageRing();
  const { media, ready, begin } = mediaThread({ settings: mediaSettings(settings()), dscp: settings().media.dscp, realTime: settings().media.realTime, stunServer: settings().media.stunServer, nameServers: settings().sip.nameServers }, log, (error) => {
    log.error({ code: error.code }, error.message);
    end(1);
  }, (thread) => {
    void watchPrecedence(thread, log).then(later, (error: unknown) => log.warn({ why: String(error) }, 'the priority of sound is not watched'));
  });
  let phone: Phone | undefined = undefined as Phone | undefined;

  // Before anything else is opened: a second phone must not touch the first one's files, and be told that rather than of a port in use.
  const control = await serveControl(join(making.state, 'control.sock'), async (command): Promise<Reply> => {
    const word = (command as { readonly do?: unknown } | null)?.do;
    if (word === 'trace') return keptMessages(ring, command as TraceCommand);
    if (phone === undefined) return { ok: false, why: 'the phone is still starting' };
    if (word === 'status') {
      const status = phone.status(), said = status.calls.length === 0 ? undefined : await phone.command({ do: 'sound' });
      return { ok: true, status: { ...status, ...(said?.ok === true ? { sound: said.places } : {}), ...(house === undefined ? {} : { exchange: house.status() }) } };
    }
    if (word !== 'quit') return { ...await phone.command(command as Command) };
    clock.after(0, () => end(0));
    return { ok: true };
  }).catch((error: unknown) => {
    // A worn-out card that went read-only must not take the telephone along.
    if (!(error instanceof PhoneError) || error.code !== 'CONTROL_FAILED') throw error;
    log.error({ code: error.code }, `${error.message}: the command line does not reach this phone`);
    return undefined;
  });
  later(() => control?.close());

  later(() => media.close());
  const hardware = await hardwareOf(making);
  later(() => hardware.close());

  if (store.settings.exchange.enabled) {
    // A port that is taken must not take the telephone away
    house = await openHouse(making).catch((error: unknown) => {
      if (!(error instanceof PhoneError)) throw error;
      log.error({ code: error.code }, error.message);
      return undefined;
    });
    later(() => house?.close());
  }

  const network = systemNetwork(networkOptions(settings, clock, log));
  const sip = { clock, random, log, network, resolver: systemResolver(clock, { nameServers: settings().sip.nameServers }) };
  const about = { userAgent: `Offhook/${OFFHOOK_VERSION}`, sessionS: () => settings().calls.sessionTimerS };
  const trace = (direction: 'in' | 'out', bytes: Uint8Array, peer: { readonly host: string; readonly port: number }, transport: string) => {
    const at = clock.wall(), kept = ring.counts(at), logged = settings().sip.trace;
    if (!kept && !logged) return;
    const message = blanked(bytes);
    if (kept) ring.add(at, direction, transport, peer, message);
    if (logged) log.debug({ direction, peer: `${peer.host}:${peer.port}`, transport, message }, 'message');
  };
  const answered: (() => void)[] = [];
  const instance = await instanceOf(making.files, making.state, random, (write) => { answered.push(write); });
  let opus: boolean | undefined, sdes: Sdes | undefined, dialled: Dialled | undefined;
  const beside = createRequire(import.meta.url);
  const telephone = (handlers: AgentHandlers) => createAgent(sip, { ...about, instance, trace, listen: settings().sip, tcp: settings().sip.tcp, tlsPort: settings().sip.tlsPort }, handlers);
  let shelved: Promise<Shelf> | undefined;
  const shelf = (): Promise<Shelf> => shelved ??= openShelf(making);
  const watched = settings().sip.watchers === 'nobody' ? undefined : await import('./watched.ts');
  const lamp = hardware.lamp === undefined ? undefined : recordedLamp(hardware.lamp);
  const ports: PhonePorts = {
    clock, log, random, texts, settings,
    media: settings().media.stunServer === '' ? media : towards(media, () => made),
    hardware: lamp === undefined ? hardware : { ...hardware, lamp },
    get opus() { return opus ??= opusAvailable(); },
    dialled: () => dialled ??= beside('./dialled.cjs') as Dialled,
    sdes: () => sdes ??= (beside('./sdes.cjs') as { readonly createSdes: typeof createSdes }).createSdes(random), // at once, for an answer cannot wait
    sounds: { national: nationalTones(() => readFileSync(join(bundleFolder, 'national-tones.txt')), () => settings().phone.country, log), ringTone, intercomBeep, holdTone, statusTones, dtmfProgram, file: (name) => join(making.state, 'sounds', name) },
    beyond: () => import('./beyond.ts'),
    change: (key, value) => void changeOne(store, log, key, value),
    confirmed: (account, kept) => void confirmed(account, kept),
    store: textStore(making.files, making.state),
    recordings: shelf,
    agent: (handlers) => watched === undefined ? telephone(handlers) : watched.watchedAgent(telephone, handlers, settings),
  };
  const confirmed: NonNullable<PhonePorts['confirmed']> = async (account, kept) => {
    const credentials = made.agent.ua.unit(account)?.credentials;
    if (credentials !== undefined) await (await import('./keep-hash.ts')).keepHash(store, log, credentials, kept);
  };
  const builtIn: BuiltIn = createBuiltIn(ports, () => made, (handlers) => createAgent(sip, { ...about, listen: { host: '127.0.0.1', port: 0 }, tcp: false }, handlers));
  const made: Phone = createPhone(ports, builtIn);
  const recorded = new Set<string>();
  made.subscribe((event) => {
    if (event.event === 'answered' && settings().recording.mode === 'always') void made.command({ do: 'record', on: true, call: event.call });
    if (event.event !== 'recording') return;
    void shelf().then(({ running }) => running(event.path, event.on));
    if (event.on) recorded.add(event.call);
    else recorded.delete(event.call);
    lamp?.recorded(recorded.size > 0);
  });
  await made.start().catch((error: unknown) => { throw withSetting(error); });
  later(() => made.close());
  await firstAnswer(clock, made, ALONE_MS);
  begin();
  await firstAnswer(clock, made, ANSWERED_WITHIN_MS);
  for (const write of answered) write();
  await builtIn.start();
  later(() => builtIn.close());
  await ready;
  phone = made;
  let reports = false;
  const report = (): void => {
    if (reports || settings().calls.qualityReport === '') return;
    reports = true;
    import('./quality-report.ts').then(({ reportQuality }) => reportQuality({ clock, log, media, phone: made, settings }), (error: unknown) => log.warn({ why: String(error) }, 'quality is not reported'));
  };
  report();
  if (!ports.opus && settings().media.codecs.includes('opus')) log.warn({}, 'Opus is left out: install the Debian package libopus0');
  const notify = await systemdNotify();

  later(store.subscribe((_, now) => {
    making.logOptions.level = now.log.level;
    network.settingsChanged(); // first: accounts then register over connections by the new settings
    made.settingsChanged();
    report();
  }));
  later(watchLinks(clock, () => {
    log.info({ sip: sipAddress(made) }, 'network changed');
    house?.networkChanged();
    if (house !== undefined) made.settingsChanged(); // its account there may have another address now
    made.networkChanged();
  }));

  const page = settings().web.enabled ? await openPage(making, made, hardware, house, shelf) : undefined;
  if (settings().recording.mode !== 'off') void shelf(); // what is too old goes
  const keys = hardware.bench === undefined ? undefined : readTerminal(hardware.bench, end, later);

  const patMs = watchdogIntervalMs();
  if (patMs !== undefined) {
    const watchdog = startWatchdog(clock, media, patMs, () => notify('WATCHDOG=1'));
    media.subscribe((event) => { if (event.event === 'pong') watchdog.pong(event.ask); });
    later(() => watchdog.stop());
  }
  // Sound and pins are open or reported, the first registration is under way: systemd may go on.
  notify('READY=1');
  later(() => notify('STOPPING=1')); // opened last, so said first
  const address = sipAddress(made);
  log.info({ version: OFFHOOK_VERSION, sip: address, ...(page === undefined ? {} : { page }), board: hardware.board }, 'phone started');
  let cancelRest: () => void;
  const rest = (): void => {
    if (made.status().calls.length === 0) void dropOldCode(() => new Promise((resolve) => { clock.after(0, resolve); }));
    else cancelRest = clock.after(REST_MS, rest);
  };
  cancelRest = clock.after(REST_MS, rest);
  later(() => cancelRest());
  if (making.welcome) {
    process.stderr.write(welcome({ settings: settings(), board: hardware.board, sip: address, page, keys, state: making.state, cards: cardsSeen(), command: making.command }));
  }
}

/** Until each account was answered, but not long: loading all the rest would keep the answers waiting, and every server reckons with a power cut. */
function firstAnswer(clock: Clock, phone: Phone, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const waits = (): boolean => phone.agent.accounts.some(({ registration }) => registration.state === 'trying');
    const done = (): void => {
      cancel();
      forget();
      resolve();
    };
    const cancel = clock.after(withinMs, done);
    const forget = phone.subscribe(({ event }) => { if ((event === 'registered' || event === 'registration failed') && !waits()) done(); });
    if (!waits()) done();
  });
}

/** Loaded where calls are recorded, or the page asks for those that were. */
async function openShelf({ clock, log, state, store, later }: Making): Promise<Shelf> {
  const { createShelf } = await import('../system/recordings.ts');
  const shelf = createShelf(clock, log, state, () => store.settings.recording);
  later(() => shelf.close());
  return shelf;
}

async function openHouse(making: Making): Promise<House> {
  const { openExchange } = await import('./exchange.ts');
  return openExchange(making).catch((error: unknown) => { throw withSetting(error, 'exchange'); });
}

/** `offhook exchange`: the same settings, no phone. */
async function startExchange(making: Making): Promise<void> {
  const { clock, store, later, end } = making;
  const notify = await systemdNotify();
  let house: House | undefined = undefined as House | undefined;
  const control = await serveControl(join(making.state, 'control.sock'), async (command): Promise<Reply> => {
    const word = (command as { readonly do?: unknown } | null)?.do;
    if (word === 'status' && house !== undefined) return { ok: true, status: { exchange: house.status() } };
    if (word !== 'quit') return { ok: false, why: 'this is an exchange alone, without a phone' };
    clock.after(0, () => end(0));
    return { ok: true };
  });
  later(() => control.close());
  house = await openHouse(making);
  later(() => house?.close());
  later(store.subscribe((_, now) => { making.logOptions.level = now.log.level; }));
  later(watchLinks(clock, () => house?.networkChanged()));
  notify('READY=1');
  later(() => notify('STOPPING=1'));
}

interface TraceCommand {
  readonly from?: unknown;
  readonly last?: unknown;
}

function keptMessages(ring: MessageRing, { from, last }: TraceCommand): Reply {
  const whole = (n: unknown): boolean => n === undefined || (Number.isSafeInteger(n) && Number(n) >= 0);
  if (!whole(from) || !whole(last)) return { ok: false, why: 'from and last are whole numbers' };
  return { ok: true, ...ring.read(from as number | undefined, last as number | undefined) };
}

function sipAddress({ agent }: Phone): string {
  const { host, port } = agent.local;
  const shown = host === '' || host === '0.0.0.0' || host === '::' ? ourAddress() : host;
  return `${shown.includes(':') ? `[${shown}]` : shown}:${port}`;
}

/** The settings that mend it are named where a port or an address is refused. */
function withSetting(error: unknown, group: 'sip' | 'exchange' = 'sip'): unknown {
  if (!(error instanceof PhoneError)) return error;
  const kind = /^(TLS|WSS?) /.exec(error.message)?.[1]?.toLowerCase(), port = `${group}.${kind === undefined ? 'port' : `${kind}Port`}`, other = group === 'sip' ? (kind === undefined ? 5070 : 5071) : kind === undefined ? 5080 : 5081;
  const mend: Readonly<Record<string, string>> = {
    PORT_IN_USE: `end it, or choose another port: --set ${port}=${other}`, PORT_FORBIDDEN: `setting ${port}`, ADDRESS_NOT_LOCAL: `change ${group}.host, or leave it empty for all addresses`,
  };
  const hint = mend[error.code];
  return hint === undefined ? error : new PhoneError(error.code, `${error.message}: ${hint}`, error);
}

function cardsSeen(): boolean {
  try {
    return /^\s*\d+\s*\[/m.test(readFileSync('/proc/asound/cards', 'latin1'));
  } catch {
    return false; // no sound in this kernel
  }
}

function logTo({ format, level }: Settings['log']): LogOptions {
  let out: NodeJS.WriteStream | undefined; // opened with the first line, which has time until the phone is registered
  const open = (): NodeJS.WriteStream => {
    const opened = format === 'json' ? process.stdout : process.stderr;
    return opened.on('error', () => undefined); // whoever read the log is gone; the phone goes on
  };
  return { format, level, journal: process.env['JOURNAL_STREAM'] !== undefined, write: (line) => { (out ??= open()).write(line); } };
}

/** Pins that cannot be opened must not take the page away, on which they are set: the phone then runs without them. */
async function hardwareOf({ clock, log, store }: Making): Promise<OpenedHardware> {
  const boardFile = (id: string): unknown => {
    const path = join(bundleFolder, 'boards', `${id}.toml`);
    return existsSync(path) ? parseToml(readFileSync(path, 'utf8')) : undefined;
  };
  try {
    return await openHardware({ clock, log, boardFile }, store.settings.hardware, store.settings.phone.board);
  } catch (error) {
    if (!(error instanceof PhoneError)) throw error;
    log.error({ code: error.code }, error.message);
    return openHardware({ clock, log, boardFile }, store.settings.hardware, 'none');
  }
}

function textStore(files: Files, folder: string): PhonePorts['store'] {
  const path = (name: string) => `${folder}/${name}`;
  return {
    read: async (name) => (await files.read(path(name)))?.toString('utf8'),
    write: (name, text) => files.writeAtomic(path(name), text),
    append: (name, text) => files.append(path(name), text),
  };
}

async function changeOne(store: Store, log: Log, key: string, value: unknown): Promise<void> {
  const patch = key.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Patch;
  const outcome = await store.change(patch);
  if (!outcome.ok) for (const { key: at, reason } of outcome.problems) log.warn({ setting: at, reason }, 'setting refused');
}

/** Where the page is; undefined when it cannot be served, which must not stop the phone. */
async function openPage(making: Making, phone: Phone, hardware: OpenedHardware, house: House | undefined, recordings: () => Promise<Shelf>): Promise<string | undefined> {
  const { clock, random, files, log, store, state, later, end } = making;
  const types: Readonly<Record<string, string>> = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' };
  const assets = new Map<string, Asset>();
  for (const name of ['index.html', 'page.js', 'page.css']) {
    assets.set(name === 'index.html' ? '/' : `/${name}`, { type: types[name.slice(name.lastIndexOf('.') + 1)] ?? '', bytes: readFileSync(join(bundleFolder, 'page', name)) });
  }
  try {
    const { createPage } = await import('../web/server.ts');
    const { createAudioSystem } = await import('../audio/system.ts');
    const page = await createPage({ clock, random, log, files }, {
      host: store.settings.web.host, port: store.settings.web.port, stateDir: state, assets, names: [hostname()], version: OFFHOOK_VERSION,
    }, {
      phone, store, recordings,
      devices: () => createAudioSystem({ clock }).list(),
      ...(hardware.bench === undefined ? {} : { bench: hardware.bench }),
      ...(house === undefined ? {} : { exchange: house }),
      ...(process.env['NOTIFY_SOCKET'] === undefined ? {} : { restart: () => end(0) }),
    });
    later(() => page.close());
    return store.settings.web.host === '' ? `http://${ourAddress()}:${page.port}/` : `${page.address}/`;
  } catch (error) {
    if (!(error instanceof PhoneError)) throw error;
    log.error({ code: error.code }, error.message);
    return undefined;
  }
}

/** Keys of the terminal work the drawn handset. Gives the line that explains them; undefined where there is no terminal. */
function readTerminal(bench: NonNullable<OpenedHardware['bench']>, end: (code: number) => void, later: (close: Closer) => void): string | undefined {
  const { stdin } = process;
  if (!stdin.isTTY) return undefined;
  let state: TerminalState = 'plain';
  stdin.setRawMode(true);
  stdin.on('data', (bytes: Buffer) => {
    const [next, ...actions] = decodeTerminal(state, bytes);
    state = next;
    for (const action of actions) if (!applyTerminal(bench, action)) end(0);
  });
  later(() => {
    stdin.setRawMode(false);
    stdin.pause();
  });
  return terminalHelp;
}

/** An address of this machine that others can reach, for people to read; loopback when there is none. */
function ourAddress(): string {
  const all = Object.values(networkInterfaces()).flat().filter((i) => i !== undefined && !i.internal);
  return (all.find((i) => i?.family === 'IPv4') ?? all[0])?.address ?? '127.0.0.1';
}
