// The phone itself as people run it: the built bundle in a process of its own, its life read from the JSON log, driven by its
// control socket.

import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { askControl, type Reply } from '../../../src/system/control.ts';
import { freePort, start, until, type Program } from './process.ts';

const bundle = resolve(import.meta.dirname, '../../../dist/offhook.js');

export interface LogLine {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Phone {
  readonly port: number;
  readonly state: string;
  readonly program: Program;
  /** Every line of the log so far. */
  readonly lines: readonly LogLine[];
  /** Resolves with the first line of this event since forget(); `match` must hold for its fields. */
  waitFor(event: string, ms?: number, match?: (line: LogLine) => boolean): Promise<LogLine>;
  seen(event: string, match?: (line: LogLine) => boolean): LogLine | undefined;
  forget(): void;
  say(command: Record<string, unknown>): Promise<Reply>;
  /** say(), and throw when the reply is not ok. */
  must(command: Record<string, unknown>): Promise<Reply>;
  status(): Promise<Record<string, unknown>>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface PhoneOptions {
  readonly name: string;
  readonly set: Readonly<Record<string, string | number | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
  readonly args?: readonly string[];
  /** A network namespace to run in; its control socket is reached from outside. */
  readonly inside?: string;
  /** Run it under this command, as ['chrt', '-r', '4']. */
  readonly under?: readonly string[];
  /** Wait for the phone to say that it started; true unless told. */
  readonly ready?: boolean;
}

/** Settings of an account at a Kamailio of the lab. */
export const accountAt = (server: string, user: string, more: Readonly<Record<string, string | number | boolean>> = {}) => ({
  'accounts.0.user': user, 'accounts.0.server': server, 'accounts.0.password': `secret-${user}`, ...more,
});

export async function startPhone(folder: string, options: PhoneOptions): Promise<Phone> {
  const port = options.port ?? await freePort();
  const state = join(folder, options.name);
  mkdirSync(state, { recursive: true });
  const settings = {
    'sip.host': '127.0.0.1', 'sip.port': port, 'web.enabled': false, 'phone.board': 'none', 'sound.handset.device': 'silence', 'sound.speaker.device': 'silence', 'sound.ringer.device': 'silence',
    ...options.set,
  };
  const inside = options.inside === undefined ? [] : ['ip', 'netns', 'exec', options.inside];
  const [command, ...before] = [...inside, ...(options.under ?? []), process.execPath];
  const program = start(command!, [
    ...before, bundle, 'run', '--state', state, '--log', 'json', ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]), ...(options.args ?? []),
  ], { env: { ...process.env, ...options.env } });
  const lines: LogLine[] = [];
  let read = 0;
  let from = 0;
  const update = () => {
    const text = program.output();
    for (let end = text.indexOf('\n', read); end >= 0; end = text.indexOf('\n', read)) {
      const line = text.slice(read, end);
      read = end + 1;
      try {
        lines.push(JSON.parse(line) as LogLine);
      } catch {
        lines.push({ time: '', level: 'raw', event: line });
      }
    }
  };
  const socket = join(state, 'control.sock');
  const phone: Phone = {
    port,
    state,
    program,
    lines,
    seen(event, match = () => true) {
      update();
      return lines.slice(from).find((line) => line.event === event && match(line));
    },
    async waitFor(event, ms = 10_000, match = () => true) {
      if (!await until(() => phone.seen(event, match) !== undefined, ms, 20)) {
        throw new Error(`${options.name}: no "${event}" within ${ms} ms:\n${program.output().slice(-4_000)}`);
      }
      return phone.seen(event, match) as LogLine;
    },
    forget() {
      update();
      from = lines.length;
    },
    say: (command) => askControl(socket, command),
    async must(command) {
      const reply = await askControl(socket, command);
      if (!reply.ok) throw new Error(`${options.name}: ${JSON.stringify(command)} -> ${JSON.stringify(reply)}\n${program.output().slice(-4_000)}`);
      return reply;
    },
    async status() {
      return (await phone.must({ do: 'status' }))['status'] as Record<string, unknown>;
    },
    stop: (signal) => program.stop(signal),
  };
  if (options.ready !== false) await phone.waitFor('phone started', 15_000);
  return phone;
}
