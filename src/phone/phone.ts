// The telephone: joins agent, media, hardware and settings to the handset's machine, and is what page and command line speak to.
//
//   hook, keys --> handset --> lines --> agent          settings --> accounts
//   agent      --> incoming --^   '----> media          everything --> events, log, status

import { createAccounts } from './accounts.ts';
import { createCallLog, readMemory, writeMemory } from './call-log.ts';
import { createCommands } from './commands.ts';
import type { Desk } from './desk.ts';
import type { Dialling } from './dialplan.ts';
import type { Handset } from './handset.ts';
import { createIncoming } from './incoming.ts';
import { Line } from './line.ts';
import type { LineEvent, LinePorts } from './line-types.ts';
import { atRest, offHook } from './line-state.ts';
import { passwordOf } from './admission.ts';
import type { Paging } from './paging.ts';
import type { PhonePorts, Services } from './ports.ts';
import { createRequests } from './requests.ts';
import { sendOn } from './sent-on.ts';
import type { DeviceStatus, PhoneDoor, PhoneEvent, PhoneStatus } from './status.ts';
import type { StatusName } from './words.ts';
import type { Settings } from '../config/types.ts';
import type { MediaEvent, MediaSettings, Place, PlaceSettings } from '../media/door.ts';
import type { HookEvent } from '../ports/hardware.ts';
import type { Agent } from '../sip/agent-types.ts';

export interface Phone extends PhoneDoor {
  /** Remember what was, listen, register. Rejects as Agent.start(). */
  start(): Promise<void>;
  /** The settings have changed: accounts, dial plan, sound and lamp follow. */
  settingsChanged(): void;
  /** A link came up or an address changed. */
  networkChanged(): void;
  /** How the telephone is, as the name of its status tone. */
  condition(): StatusName;
  readonly agent: Agent;
  /** Lines for the built-in line, which shares engine and numbering with the telephone. */
  readonly linePorts: Omit<LinePorts, 'call'>;
  nextStream(): number;
  close(): Promise<void>;
}

/** At rest for ever. */
const NO_HANDSET: Handset = {
  state: atRest, active: undefined, second: undefined, tone: '', digits: '', handle: () => false, flash: () => false, key: () => undefined, incoming: () => undefined,
  intercom: () => false, call: () => undefined, lineDid: () => undefined, lineEnded: () => undefined, replace: () => undefined, sentOn: () => false, toneEnded: () => undefined,
};

const BLINK = [250, 250] as const;
/** In a call whose sound is encrypted. */
const LONG_BLINK = [900, 100] as const;
const SLOW_BLINK = [200, 1_800] as const;
/** Voice messages wait. */
const LAZY_BLINK = [1_000, 1_000] as const;
/** Music for whoever is held is no louder than speech (ITU-T G.100.1's -20 dBm0). */
const HOLD_DBOV = -26;
const PLACES = ['handset', 'speaker', 'ringer'] as const;
/** Facts of little use to people in a log; all the rest are info, failures warn. */
const QUIET = new Set<PhoneEvent['event']>(['state', 'hook', 'key']);

/** Devices with a room around them. */
const CARD = /^(auto|alsa|arecord)/;

/** The engine's settings out of the telephone's; `handsFree`: there is no handset, so nobody's ear for a sidetone. */
export function mediaSettings({ sound, media }: Settings, handsFree = false): MediaSettings {
  const place = (p: Settings['sound']['ringer']): PlaceSettings =>
    ({ device: p.device, periodMs: Number(sound.periodMs), periods: sound.periods, playDb: p.playDb, captureDb: p.captureDb });
  const spoken = (p: Settings['sound']['speaker'], free: boolean): PlaceSettings => {
    const on = (choice: 'auto' | 'on' | 'off') => choice === 'on' || (choice === 'auto' && free);
    const room = { echo: p.echo !== 'auto' ? p.echo : free ? 'full' : 'off', noise: on(p.noise), micGain: on(p.micGain), even: on(p.even) } as const;
    return room.echo === 'off' && !room.noise && !room.micGain && !room.even ? place(p) : { ...place(p), room };
  };
  const { sidetone } = sound.handset;
  const { rtpPortMin, rtpPortMax, jitterMinMs, jitterMaxMs, opusBitrate, opusComplexity, inbandDtmf, rtpTimeoutS } = media;
  return {
    places: {
      handset: { ...spoken(sound.handset, false), ...(sidetone === 'off' || handsFree ? {} : { sidetone: sidetone === 'auto' ? sidetone : Number(sidetone) }) },
      speaker: spoken(sound.speaker, CARD.test(sound.speaker.device)), ringer: place(sound.ringer),
    },
    rtpPortMin, rtpPortMax, jitterMinMs, jitterMaxMs, opusBitrate, opusComplexity, inbandDtmf, rtpTimeoutS,
  };
}

export function createPhone(ports: PhonePorts, services: Services = {}): Phone {
  const { clock, log, media, hardware, settings, store, sounds } = ports;
  const lines = new Set<Line>();
  const streams = new Map<number, Line>();
  const listeners = new Set<(event: PhoneEvent) => void>();
  const watchers = new Set<(line: Line, event: LineEvent) => void>();
  /** A call that asked to be sent on, and the call to the third. */
  const sentOn = new Map<Line, Line>();
  const devices = new Map<Place, DeviceStatus>();
  const memory = { redial: '', lastCaller: '', missed: 0 };
  const callLog = createCallLog(store, () => settings().calls.logSize);
  let streamId = 0;
  let lastFailure = '';
  let lastFailureAt = 0;
  let bell = false;
  let lamp = '';
  let dialling: (() => Dialling) | undefined;
  let closed = false;

  /** A write that failed must be known, and must not stop a call. */
  const keep = (written: Promise<void>): void => {
    written.then(undefined, (error: unknown) => log.error({ why: error instanceof Error ? error.message : String(error) }, 'call log and redial not kept'));
  };

  const linePorts: Omit<LinePorts, 'call'> = {
    clock, media, settings, get opus() { return ports.opus; }, sdes: ports.sdes,
    holdRoute() {
      const { holdMusic } = settings().calls, { holdTone } = sounds;
      if (holdMusic === 'off') return { to: 'nothing' };
      return { to: 'program', program: holdMusic === 'tone' ? holdTone : { wav: sounds.file(holdMusic), pauseMs: 0, mostDbov: HOLD_DBOV, instead: holdTone } };
    }, cname: Buffer.from(ports.random.bytes(12)).toString('base64'),
    // Without a way there loopback will do: that nothing leads there is then told by the call's failing.
    hostFor: async ({ target, account }) => await agent.localHostFor(target, account) ?? '127.0.0.1',
  };

  const desk: Desk = {
    ports, services, memory, lines, settings,
    headless: hardware.hook === undefined,
    dialling: () => (dialling ??= ports.dialled().createDialling(desk))(),
    newLine(direction, remote) {
      const line = new Line({ ...linePorts, call: (options) => agent.call(options) }, ++streamId, direction, remote, onLine);
      lines.add(line);
      streams.set(line.stream, line);
      return line;
    },
    raise(event) {
      const { event: fact, ...fields } = event;
      if (QUIET.has(fact)) log.debug(fact === 'key' ? {} : fields, fact);
      else if (fact === 'registration failed' || (event.event === 'device' && event.state === 'lost')) log.warn(fields, fact);
      else log.info(fields, fact);
      const told = { at: clock.wall(), ...event } as PhoneEvent;
      for (const on of listeners.values()) on(told);
    },
    failed(sentence) {
      lastFailure = sentence;
      lastFailureAt = clock.wall();
    },
    remember: () => keep(writeMemory(store, memory)),
    record(entry) {
      keep(callLog.add(entry));
      if (!entry.missed) return;
      memory.missed++;
      desk.remember();
    },
    trouble: () => accounts.trouble(),
    dialTone: () => accounts.trouble() ?? (settings().calls.doNotDisturb || messagesWaiting() ? 'stutter' : 'dial'),
    accounts: () => accounts.list(),
    troubleOf: (account) => accounts.troubleOf(account),
    show,
    watch(on, ms, late) {
      const watcher = (line: Line, event: LineEvent): void => {
        if (!on(line, event)) return;
        cancel();
        watchers.delete(watcher);
      };
      const cancel = clock.after(ms, () => { if (watchers.delete(watcher)) late(); });
      watchers.add(watcher);
    },
  };

  let paging: Paging | 'coming' | undefined = undefined as Paging | 'coming' | undefined;
  const handset = desk.headless ? NO_HANDSET : ports.dialled().createHandset(desk);
  const accounts = createAccounts(desk, () => agent);
  const commands = createCommands(desk, handset, status, onHook, async (options) => (await ports.beyond()).request(agent, options), ports.beyond);
  const agent: Agent = ports.agent({
    onIncoming: createIncoming(desk, handset, accounts),
    onRegistration: (account, state) => accounts.onRegistration(account, state),
    onRequest: createRequests(desk, accounts),
    passwordOf: (user) => passwordOf(settings(), user),
  });

  function onLine(line: Line, event: LineEvent): void {
    const { id, remote } = line;
    switch (event.is) {
      case 'calling':
        desk.raise({ event: 'calling', call: id, to: remote, account: line.destination?.account?.id ?? '' });
        break;
      case 'ringing':
      case 'early':
        if (event.is === 'ringing') desk.raise({ event: 'ringing', call: id, to: remote });
        handset.lineDid(line, event.is);
        break;
      case 'established':
        desk.raise({ event: 'answered', call: id, remote, codec: line.codec, intercom: line.intercom, encrypted: line.suite });
        if (line.keysInClear) warnOfKeys(line);
        handset.lineDid(line, 'answered');
        break;
      case 'held':
      case 'resumed':
        desk.raise({ event: event.is, call: id, by: event.by });
        break;
      case 'encryption':
        desk.raise({ event: 'encryption', call: id, encrypted: line.suite });
        if (line.keysInClear) warnOfKeys(line);
        break;
      case 'digit':
        desk.raise({ event: 'digit', call: id, digit: event.digit, ms: event.ms });
        break;
      case 'transfer asked':
        sendOn(desk, handset, sentOn, line, event.target, event.by);
        break;
      case 'ended': {
        const { by, why, status } = event.ending;
        const entry = line.logEntry();
        const established = line.established;
        lines.delete(line);
        streams.delete(line.stream);
        if (!established && line.direction === 'out' && status !== 487) desk.failed(`Calling ${remote} failed: ${why}${status > 0 ? ` (${status})` : ''}`);
        if (established && by === 'network') desk.failed(`The call with ${remote} was lost: ${why}`);
        desk.raise({ event: 'ended', call: id, remote, by, why, status, seconds: entry.seconds });
        desk.record(entry);
        const next = sentOn.get(line);
        sentOn.delete(line);
        if (next !== undefined && by !== 'us' && (desk.headless || handset.sentOn(line, next))) break;
        next?.hangUp();
        handset.lineEnded(line, established, event.ending);
        break;
      }
      case 'not held':
      case 'transfer progress':
    }
    for (const watcher of [...watchers]) watcher(line, event);
    show();
  }

  const warnOfKeys = (line: Line): void => log.warn({ call: line.id }, 'the keys of this call could be read on the way: set the transport of the account to tls');

  /** Multicast groups are listened to where the settings name some, and from then on. */
  function page(): void {
    if (paging === undefined && settings().paging.listen.length > 0) {
      paging = 'coming';
      void ports.beyond().then(({ createPaging }) => {
        paging = createPaging(desk, () => ++streamId, () => handset.state.line !== 'on hook' || lines.size > 0);
        paging.sync();
      });
    } else if (typeof paging === 'object') paging.sync();
  }

  function show(): void {
    const { state } = handset;
    if (typeof paging === 'object') paging.look();
    const rings = state.line === 'ringing' || state.line === 'recall' || (desk.headless && [...lines].some((l) => l.rings));
    if (rings !== bell) {
      bell = rings;
      const ring = ([...lines].find((l) => l.rings) ?? handset.second)?.ringStyle, cadence = ring?.cadence ?? sounds.national().ringCadence;
      if (rings) hardware.bell?.ring(cadence);
      else hardware.bell?.stop();
      if (!rings) media.command({ do: 'quiet', place: 'ringer' });
      else if (settings().sound.ringTone) media.command({ do: 'tone', place: 'ringer', program: ring?.program ?? sounds.ringTone(cadence), id: 0 });
    }
    if (hardware.lamp === undefined || closed) return;
    const talks = [...lines].filter((l) => !l.leaving);
    const want = rings || talks.length > 0 ? rings || talks.some((l) => l.suite === '') ? 'busy' : 'secret' : accounts.trouble() !== undefined ? 'trouble' : messagesWaiting() ? 'messages' : 'well';
    if (want !== lamp) hardware.lamp.show(want === 'busy' ? BLINK : want === 'secret' ? LONG_BLINK : want === 'well' ? true : want === 'messages' ? LAZY_BLINK : SLOW_BLINK);
    lamp = want;
  }

  function onMedia(event: MediaEvent): void {
    switch (event.event) {
      case 'device': {
        const { device, status: { state, trouble } } = event;
        // Several places may name one card; it is told of once.
        const before = [...devices.values()].find((d) => d.device === device)?.state;
        for (const [place, known] of devices) if (known.device === device) devices.set(place, { ...known, state, trouble });
        devices.set(event.place, { place: event.place, device, state, trouble });
        if (state === 'lost') desk.failed(trouble);
        if (state !== before && (state === 'lost' || before === 'lost')) desk.raise({ event: 'device', place: event.place, device, state, trouble });
        return;
      }
      case 'tone ended':
        handset.toneEnded(event.place, event.id);
        for (const line of lines.values()) line.onMedia(event);
        return;
      case 'stats': return commands.onStats(event.ask, event.stats);
      case 'sound': return commands.onStats(event.ask, event.places);
      case 'trouble': return log.warn({ code: event.code, why: event.message }, 'sound trouble');
      case 'probed': return commands.onProbed(event);
      case 'pong': return;
      default:
        if (typeof paging !== 'object' || !paging.onMedia(event)) streams.get(event.stream)?.onMedia(event);
    }
  }

  const messagesWaiting = (): boolean => accounts.status().some((a) => a.messages?.waiting);

  function status(): PhoneStatus {
    const { phone, calls, intercom, sound } = settings();
    const { state } = handset;
    const unused = (place: Place): DeviceStatus => ({ place, device: sound[place].device, state: 'unused', trouble: '' });
    return {
      name: phone.name, board: hardware.board, hook: desk.headless ? 'none' : offHook(state.line) ? 'off' : 'on', state: state.line, tone: handset.tone, dialled: handset.digits, bell,
      registrations: accounts.status(), calls: [...lines].filter((l) => !l.leaving).map((l) => l.status()), lastFailure, lastFailureAt, doNotDisturb: calls.doNotDisturb,
      privacy: intercom.privacy || hardware.privacy?.closed === true, missed: memory.missed, messagesWaiting: messagesWaiting(), devices: PLACES.map((p) => devices.get(p) ?? unused(p)),
      listening: `${agent.local.host}:${agent.local.port}`,
    };
  }

  /** Privacy ends what answered itself, unless a person has taken it to the handset. */
  function guard(): void {
    if (settings().intercom.privacy || hardware.privacy?.closed === true) {
      for (const line of lines.values()) if (line.auto !== undefined && !(line === handset.active && offHook(handset.state.line))) line.hangUp('privacy');
    }
    show();
  }

  function onHook(event: HookEvent): void {
    if (event !== 'flash') desk.raise({ event: 'hook', off: event === 'lifted' });
    if (event === 'flash') handset.flash();
    else handset.handle(event === 'lifted' ? 'lift' : 'hang up');
  }

  media.subscribe(onMedia);
  return {
    status,
    command: async (command) => closed && command?.do !== 'status' ? { ok: false, code: 'ENDING', why: 'the phone is ending' } : commands.run(command),
    subscribe(on) {
      listeners.add(on);
      return () => { listeners.delete(on); };
    },
    async callLog() {
      if (memory.missed > 0) {
        memory.missed = 0;
        desk.remember();
      }
      return callLog.read();
    },
    async start() {
      Object.assign(memory, await readMemory(store));
      media.command({ do: 'settings', settings: mediaSettings(settings(), desk.headless) });
      await agent.start();
      accounts.sync();
      hardware.hook?.subscribe(onHook);
      hardware.keypad?.subscribe((key, down) => handset.key(key, down));
      hardware.privacy?.subscribe(guard);
      page();
      show();
      if (hardware.hook?.offHook === true && handset.state === atRest) onHook('lifted');
    },
    settingsChanged() {
      media.command({ do: 'settings', settings: mediaSettings(settings(), desk.headless) });
      page();
      accounts.sync();
      guard();
    },
    networkChanged() {
      agent.networkChanged();
      accounts.subscriptions?.networkChanged();
    },
    condition: () => accounts.list().length === 0 ? 'no account' : accounts.trouble() ?? (accounts.list().some((a) => a.registration.state === 'registered' || a.registration.state === 'off') ? 'all well' : 'not registered'),
    agent,
    linePorts,
    nextStream: () => ++streamId,
    async close() {
      closed = true;
      for (const line of lines.values()) if (!line.rings) line.hangUp('phone stopped'); // what rings the agent tells 480
      hardware.bell?.stop();
      hardware.lamp?.show(false);
      void accounts.subscriptions?.close(); // goes out before the agent's own farewell, which is waited for
      await agent.close();
    },
  };
}
