#!/usr/bin/env node
// The command: `offhook run` is the telephone, every other word is said to a running one through its control socket.

import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { stateFolder } from './main/state-folder.ts';
import { PhoneError } from './ports/errors.ts';
import { askControl, type Reply } from './system/control.ts';

const USAGE = `offhook run [--state DIR] [--config FILE] [--set key=value]... [--log text|json] [--welcome]
    the telephone, in the foreground. Settings come from the file (settings.toml of the state folder), then from the
    environment (OFFHOOK_SIP_PORT=5070), then from --set (accounts.0.user=201). Any number run side by side, each with
    its own --state, sip.port and web.port.
offhook call TARGET [--until ringing|answered] [--intercom] [--anonymous] [--account ID] [--header 'Name: value']...
offhook answer|hangup|hold|resume [CALL]
offhook join                              the call on hold joins the one talked on: all three talk
offhook transfer TARGET [--call ID]       blind; with --to CALL instead of TARGET attended
offhook dtmf DIGITS [--ms N] [--call ID]
offhook mute on|off [CALL]
offhook record on|off [CALL]              the sound of a call into a file; both sides hear a beep (setting recording.mode)
offhook message TARGET TEXT [--account ID]   a text; the other side took it when this succeeds
offhook lift|hang|flash|key KEY           the handset's own hook and keys
offhook status                            what the phone says of itself, as JSON
offhook measure [CALL]                    packets, losses, delay and quality of a call
offhook trace [--last N] [--follow] [--full]
                                          the last SIP messages as a ladder, then those that come; secrets blanked
offhook quit
    each talks to the phone that runs with the same --state; exit 0 only when the thing happened, 1 with the reason when not.
    --json prints the whole reply.
offhook exchange [--state DIR] [--config FILE] [--set key=value]... [--log text|json]
                                          the exchange of the house alone, without a phone: settings exchange.*
offhook devices                           sound devices by name
offhook audio-test [handset|speaker|ringer] [--config FILE] [--set key=value]... [--json]
                                          plays two sweeps: level, noise, delay, drift and echo of a sound card, and what to do about them
offhook settings [--config FILE] [--set key=value]...
                                          shows the settings, or writes some into the file of a phone that is not running
offhook --version`;

declare const OFFHOOK_VERSION: string;

const options = {
  state: { type: 'string' }, config: { type: 'string' }, set: { type: 'string', multiple: true }, log: { type: 'string' }, welcome: { type: 'boolean' },
  until: { type: 'string' }, intercom: { type: 'boolean' }, anonymous: { type: 'boolean' }, account: { type: 'string' }, header: { type: 'string', multiple: true },
  last: { type: 'string' }, follow: { type: 'boolean', short: 'f' }, full: { type: 'boolean' },
  call: { type: 'string' }, to: { type: 'string' }, ms: { type: 'string' }, json: { type: 'boolean' }, version: { type: 'boolean', short: 'v' }, help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>['values'];

/** Parts of Node.js that a phone needs. Loaded before V8 gets its flags: with others than its own it compiles them anew, 10 ms of 25. */
const BUILT_IN = ['node:dgram', 'node:net', 'node:cluster', 'node:crypto', 'node:dns', 'node:os'];

const load = createRequire(import.meta.url);

class UsageError extends Error {}

const onlyOf = (word: string | undefined, ...allowed: readonly string[]) => {
  if (word === undefined || !allowed.includes(word)) throw new UsageError(`one of ${allowed.join(', ')} is needed`);
  return word;
};
const needed = (word: string | undefined, what: string) => {
  if (word === undefined || word === '') throw new UsageError(`${what} is needed`);
  return word;
};

const headerLine = (line: string) => {
  const [, name, value] = /^([\w.!%*+`'~-]+)\s*:\s*(.*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new UsageError(`--header "${line}": of the form 'Name: value'`);
  return [name, value];
};
interface Takes {
  /** How many words may follow at the most. */
  readonly words: number;
  readonly options: readonly (keyof typeof options)[];
}
const one: Takes = { words: 1, options: ['state', 'json', 'call'] };
const alone: Takes = { words: 0, options: ['state', 'json'] };
/** What each command takes; whatever else is given would be overlooked, so it is refused. */
const TAKES: Readonly<Record<string, Takes>> = {
  run: { words: 0, options: ['state', 'config', 'set', 'log', 'welcome'] }, exchange: { words: 0, options: ['state', 'config', 'set', 'log'] }, devices: { words: 0, options: [] }, 'audio-test': { words: 1, options: ['state', 'config', 'set', 'json'] }, settings: { words: 0, options: ['state', 'config', 'set'] },
  call: { words: 1, options: ['state', 'json', 'until', 'intercom', 'anonymous', 'account', 'header'] }, transfer: { words: 1, options: ['state', 'json', 'call', 'to'] },
  message: { words: 2, options: ['state', 'json', 'account'] }, dtmf: { words: 1, options: ['state', 'json', 'call', 'ms'] }, mute: { words: 2, options: ['state', 'json'] }, record: { words: 2, options: ['state', 'json'] }, key: { words: 1, options: ['state', 'json'] },
  trace: { words: 0, options: ['state', 'last', 'follow', 'full'] },
  answer: one, hangup: one, hold: one, resume: one, measure: one, status: alone, join: alone, quit: alone, lift: alone, hang: alone, flash: alone,
};
/** What was given and is not taken, in words; undefined when all of it is. */
function tooMuch(word: string, rest: readonly string[], values: Values): string | undefined {
  const takes = TAKES[word];
  if (takes === undefined) return undefined;
  if (rest[takes.words] !== undefined) return `"${rest[takes.words]}" is one word too many`;
  const option = (Object.keys(values) as (keyof typeof options)[]).find((name) => !takes.options.includes(name));
  return option === undefined ? undefined : `--${option} means nothing to ${word}`;
}

const milliseconds = (word: string) => {
  if (!/^\d{1,5}$/.test(word)) throw new UsageError(`--ms ${word}: a number of milliseconds is needed`);
  return Number(word);
};

/** The control socket's command for a word of the command line; undefined when it is no such word. */
function command(word: string, rest: readonly string[], v: Values): Record<string, unknown> | undefined {
  const call = v.call ?? rest[0];
  const which = call === undefined ? {} : { call };
  switch (word) {
    case 'call':
      return {
        do: 'call', target: needed(rest[0], 'a number or address'), until: onlyOf(v.until ?? 'answered', 'ringing', 'answered'),
        ...(v.intercom === true ? { intercom: true } : {}), ...(v.anonymous === true ? { anonymous: true } : {}), ...(v.account === undefined ? {} : { account: v.account }),
        ...(v.header === undefined ? {} : { headers: v.header.map(headerLine) }),
      };
    case 'answer': case 'hangup': case 'hold': case 'resume': case 'measure':
      return { do: word, ...which };
    case 'transfer':
      return { do: word, ...(v.to === undefined ? { target: needed(rest[0], 'a number or address') } : { to: v.to }), ...(v.call === undefined ? {} : { call: v.call }) };
    case 'dtmf':
      return { do: word, digits: needed(rest[0], 'digits'), ...(v.ms === undefined ? {} : { ms: milliseconds(v.ms) }), ...(v.call === undefined ? {} : { call: v.call }) };
    case 'message':
      return { do: word, target: needed(rest[0], 'a number or address'), text: needed(rest[1], 'a text'), ...(v.account === undefined ? {} : { account: v.account }) };
    case 'mute':
      return { do: word, muted: onlyOf(rest[0], 'on', 'off') === 'on', ...(rest[1] === undefined ? {} : { call: rest[1] }) };
    case 'record':
      return { do: word, on: onlyOf(rest[0], 'on', 'off') === 'on', ...(rest[1] === undefined ? {} : { call: rest[1] }) };
    case 'key':
      return { do: word, key: needed(rest[0], 'a key') };
    case 'lift': case 'hang': case 'flash': case 'status': case 'join': case 'quit':
      return { do: word };
    default:
      return undefined;
  }
}

async function main(): Promise<number> {
  const { values, positionals: [word = '', ...rest] } = parseArgs({ options, allowPositionals: true });
  if (values.help === true || word === 'help' || (word === '' && values.version !== true)) {
    process.stdout.write(`${USAGE}\n`);
    return word === '' && values.help !== true ? 2 : 0;
  }
  if (values.version === true) {
    process.stdout.write(`offhook ${OFFHOOK_VERSION}\n`);
    return 0;
  }
  const overlooked = tooMuch(word, rest, values);
  if (overlooked !== undefined) throw new UsageError(overlooked);
  const state = stateFolder(values.state, process.env, homedir());
  if (word === 'run' || word === 'exchange') {
    if (values.set !== undefined) process.title = `offhook ${word} --state ${state}`; // a password in --set is none of ps's business
    for (const name of BUILT_IN) load(name);
    if (word === 'run') await import('./main/flags.ts'); // the exchange alone is worked harder than a phone, and counts no kilobytes
    const { run } = await import('./main/run.ts');
    return run({
      state,
      config: values.config === undefined ? undefined : resolve(values.config),
      set: [...(values.set ?? []), ...(values.log === undefined ? [] : [`log.format=${onlyOf(values.log, 'text', 'json')}`])],
      exchangeAlone: word === 'exchange',
      welcome: values.welcome === true,
      command: `node ${relative('.', process.argv[1] ?? 'offhook')}${values.state === undefined ? '' : ` --state ${values.state}`}`,
    });
  }
  if (word === 'devices') {
    const { listDevices } = await import('./main/devices.ts');
    process.stdout.write(listDevices());
    return 0;
  }
  if (word === 'audio-test') {
    const { audioTest } = await import('./main/audio-test.ts');
    return audioTest(state, onlyOf(rest[0] ?? 'speaker', 'handset', 'speaker', 'ringer') as 'handset' | 'speaker' | 'ringer', values.set ?? [], values.config === undefined ? undefined : resolve(values.config), values.json === true);
  }
  if (word === 'settings') {
    const { settingsCommand } = await import('./main/settings.ts');
    return settingsCommand(state, values.set ?? [], values.config === undefined ? undefined : resolve(values.config));
  }
  if (word === 'trace') {
    const { showTrace } = await import('./main/show-trace.ts');
    if (values.last !== undefined && !/^\d{1,4}$/.test(values.last)) throw new UsageError(`--last ${values.last}: a number of messages is needed`);
    return showTrace(join(state, 'control.sock'), { last: values.last === undefined ? undefined : Number(values.last), follow: values.follow === true, full: values.full === true });
  }
  const say = command(word, rest, values);
  if (say === undefined) throw new UsageError(`"${word}" is no command`);
  const reply = await askControl(join(state, 'control.sock'), say);
  if (values.json === true || (reply.ok && (word === 'status' || word === 'measure'))) {
    process.stdout.write(`${JSON.stringify(reply['status'] ?? reply['stats'] ?? reply, undefined, 2)}\n`);
  } else if (!reply.ok) {
    process.stderr.write(`offhook: ${why(reply)}\n`);
  } else if (typeof reply['call'] === 'string') {
    process.stdout.write(`${reply['call']}\n`);
  }
  return reply.ok ? 0 : 1;
}

const why = (reply: Reply) => (typeof reply['why'] === 'string' ? reply['why'] : 'refused');

main().then(
  (code) => { process.exitCode = code; },
  (error: unknown) => {
    const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    if (usage) process.stderr.write(`offhook: ${(error as Error).message.replace(/\.[ \n](To specify|Did you forget) .*/s, '')}; offhook --help tells the words there are\n`);
    else if (error instanceof PhoneError) process.stderr.write(`offhook: ${error.message}\n`);
    else process.stderr.write(`offhook: ${error instanceof Error ? error.stack ?? error.message : String(error)}\n`);
    process.exitCode = usage ? 2 : 1;
  },
);
