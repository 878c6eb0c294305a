// Whole telephones in memory: real agent, real sound engine, real bench handset, on one wire and one fake clock.

import { readFileSync } from 'node:fs';
import { wavHeader } from '../../../src/audio/wav.ts';
import { extras } from '../../../src/main/media-extras.ts';
import { createRecord } from '../../../src/media/recording.ts';
import { createPaging } from '../../../src/phone/paging.ts';
import * as dialled from '../../../src/main/dialled.ts';
import { reportOf } from '../../../src/media/probe.ts';
import { createBench, type Bench } from '../../../src/hardware/bench.ts';
import { createCodec } from '../../../src/media/codec.ts';
import type { Media, MediaCommand } from '../../../src/media/door.ts';
import { dtmfProgram } from '../../../src/media/dtmf.ts';
import { recordedLamp } from '../../../src/main/recorded-lamp.ts';
import { createEngine } from '../../../src/media/engine.ts';
import { readNational } from '../../../src/media/national.ts';
import * as toneTables from '../../../src/media/tone-tables.ts';
import type { Settings } from '../../../src/config/types.ts';
import { createBuiltIn, type BuiltIn } from '../../../src/phone/builtin.ts';
import { createPhone, mediaSettings, type Phone } from '../../../src/phone/phone.ts';
import { ringOf } from '../../../src/phone/ringing.ts';
import type { PhonePorts } from '../../../src/phone/ports.ts';
import type { Command, Outcome, PhoneEvent } from '../../../src/phone/status.ts';
import type { Hardware, Key } from '../../../src/ports/hardware.ts';
import { createSdes } from '../../../src/sdp/sdes.ts';
import { createAgent } from '../../../src/sip/agent.ts';
import type { AgentHandlers } from '../../../src/sip/agent-types.ts';
import { texts } from '../../../src/sip/message.ts';
import { request } from '../../../src/sip/outside.ts';
import { Subscriptions } from '../../../src/sip/subscriptions.ts';
import { FakeAudio } from '../../fakes/audio.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { FakeDisk } from '../../fakes/disk.ts';
import { FakeLog } from '../../fakes/log.ts';
import { FakeResolver, Wire } from '../../fakes/network.ts';
import { FakeRandom } from '../../fakes/random.ts';
import { fakeStore } from '../fake-store.ts';
import { settings as make } from '../settings.ts';

const nationalTones = readFileSync(new URL('../../../src/media/national-tones.txt', import.meta.url));
const nationalIn = (country: string): toneTables.National => toneTables.nationalOf(readNational(nationalTones, country)!);

export interface Lab {
  readonly clock: FakeClock;
  readonly wire: Wire;
  run(ms: number): Promise<void>;
  phone(address: string, options?: PhoneOptions): Promise<Subject>;
}

export interface PhoneOptions {
  readonly settings?: Parameters<typeof make>[0];
  readonly port?: number;
  /** Own hardware in place of the bench; 'none': a phone without handset. */
  readonly hardware?: Hardware | 'none';
  /** With a built-in line on loopback; the wire then knows 127.0.0.1. */
  readonly builtIn?: true;
  /** Hears of passwords that a server confirmed. */
  readonly confirmed?: PhonePorts['confirmed'];
}

/** One telephone and all there is to see of it. */
export interface Subject {
  readonly phone: Phone;
  readonly bench: Bench;
  readonly audio: FakeAudio;
  readonly log: FakeLog;
  readonly events: PhoneEvent[];
  readonly sent: MediaCommand[];
  readonly store: ReturnType<typeof fakeStore>;
  /** Where its recordings go. */
  readonly disk: FakeDisk;
  readonly builtIn: BuiltIn | undefined;
  settings: Settings;
  dial(keys: string): Promise<void>;
  /** Start a command; `outcome` is filled when it resolves. */
  command(command: Command): { outcome: Outcome | undefined };
  /** Names of events so far, some left out. */
  story(): string[];
  /** What plays at a place now, by name. */
  heard(place?: 'handset' | 'speaker' | 'ringer'): string;
}

export function createLab(seed = 1): Lab {
  const clock = new FakeClock();
  const wire = new Wire(clock, seed);
  const resolver = new FakeResolver();
  const run = async (ms: number): Promise<void> => {
    await clock.run(ms);
    await settle();
  };
  return {
    clock, wire, run,
    async phone(address, { settings, port = 5060, hardware, builtIn, confirmed } = {}) {
      const bench = createBench({ clock });
      const random = new FakeRandom(wire.sent.length + port + [...address].reduce((a, c) => a * 31 + c.charCodeAt(0) | 0, 7));
      const network = wire.host(address);
      const audio = new FakeAudio(clock);
      const log = new FakeLog();
      const events: PhoneEvent[] = [];
      const sent: MediaCommand[] = [];
      const store = fakeStore();
      const disk = new FakeDisk(), lamp = recordedLamp(bench.hardware.lamp!);
      let recordings = 0;
      const box = { settings: make({ media: { codecs: ['PCMA', 'PCMU'] as Settings['media']['codecs'] }, sip: { allowAddresses: ['192.0.2.0/24'] }, ...settings }) };
      const engine = createEngine({ clock, random, udp: network, audio, codec: createCodec, extras: () => ({ ...extras, record: createRecord(disk.make, wavHeader) }) }, mediaSettings(box.settings));
      const media: Media = { ...engine, command(command) { sent.push(command); engine.command(command); } };
      const agent = (host: string, listen: number) => (handlers: AgentHandlers) =>
        createAgent({ clock, random, log, network: host === address ? network : wire.host(host), resolver }, { listen: { host, port: listen }, tcp: true, userAgent: 'test' }, handlers);
      const ports: PhonePorts = {
        clock, log, random, media, store, sounds: { ...toneTables, dtmfProgram, national: () => nationalIn(box.settings.phone.country), file: (name) => `sounds/${name}` }, opus: false, sdes: () => createSdes(random),
        dialled: () => dialled,
        recordings: async () => ({ place: async (_, direction, who) => ({ path: `/recordings/${++recordings}-${direction}-${who}.wav`, maxBytes: 1e9 }) }),
        beyond: async () => ({ request, Subscriptions, reportOf, createPaging, ringOf }),
        texts: (invite, name) => texts(invite, name),
        hardware: hardware === 'none' ? { board: 'none', close: () => undefined } : hardware ?? { ...bench.hardware, lamp },
        settings: () => box.settings,
        change: (key, value) => {
          const [group, name] = key.split('.') as [keyof Settings, string];
          box.settings = { ...box.settings, [group]: { ...box.settings[group], [name]: value } };
        },
        agent: agent(address, port),
        ...(confirmed === undefined ? {} : { confirmed }),
      };
      const line: BuiltIn | undefined = builtIn === undefined ? undefined : createBuiltIn(ports, () => phone, agent(address, port + 10));
      const phone: Phone = createPhone(ports, line);
      phone.subscribe((e) => {
        events.push(e);
        if (e.event === 'recording') lamp.recorded(e.on); // as main/run.ts does, both
        if (e.event === 'answered' && box.settings.recording.mode === 'always') void phone.command({ do: 'record', on: true, call: e.call });
      });
      await line?.start();
      await phone.start();
      await run(50);
      return {
        phone, bench, audio, log, events, sent, store, disk, builtIn: line,
        get settings() { return box.settings; },
        set settings(next) {
          box.settings = next;
          phone.settingsChanged();
        },
        async dial(keys) {
          for (const key of keys) {
            bench.press(key as Key);
            await run(200);
          }
        },
        command(command) {
          const box2: { outcome: Outcome | undefined } = { outcome: undefined };
          void phone.command(command).then((outcome) => { box2.outcome = outcome; });
          return box2;
        },
        story: () => events.filter((e) => !['state', 'hook', 'key', 'device'].includes(e.event)).map((e) => e.event),
        heard(place = 'handset') {
          const last = sent.findLast((c) => (c.do === 'tone' || c.do === 'quiet') && c.place === place);
          if (last?.do !== 'tone') return '';
          const { tones, ringCadence } = nationalIn(box.settings.phone.country);
          const named = [
            ...Object.entries(tones), ...Object.entries(toneTables.statusTones).map(([n, t]) => [n, t.program] as const), ['beep', toneTables.intercomBeep] as const,
            ['ring', toneTables.ringTone(ringCadence)] as const,
          ];
          return named.find(([, program]) => JSON.stringify(program) === JSON.stringify(last.program))?.[0] ?? 'key';
        },
      };
    },
  };
}

/** Loudness of the last `ms` played at the newest running card. */
export function loudness(subject: Subject, ms = 400): number {
  const device = subject.audio.running.at(-1);
  if (device === undefined) return 0;
  const tail = device.played.slice(-device.rateHz * ms / 1_000);
  return Math.sqrt(tail.reduce((sum, s) => sum + s * s, 0) / Math.max(1, tail.length));
}
