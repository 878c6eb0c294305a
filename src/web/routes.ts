// What the page's API does. Each answer is JSON; each refusal is { error } in a sentence.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { schemaRoot } from '../config/check.ts';
import { redacted, type Patch } from '../config/store.ts';
import type { Command } from '../phone/status.ts';
import type { Key } from '../ports/hardware.ts';
import type { Log } from '../ports/log.ts';
import type { Events } from './events.ts';
import { isNear } from './guard.ts';
import { PASSWORD_MAX, PASSWORD_MIN, type Password } from './password.ts';
import { withSecrets } from './secrets.ts';
import { csrfToken, isOpen, type Sessions } from './sessions.ts';
import type { BenchAction, BenchDoor, CallsView, PageDoors, PageOptions, RecordingsView, Refusal, SessionView, SettingsView, StateView } from './types.ts';

interface Rooms {
  readonly log: Log;
  readonly doors: PageDoors;
  readonly options: PageOptions;
  readonly password: Password;
  readonly open: Sessions;
  readonly events: Events;
  readonly state: () => StateView;
}

const MAX_CALLS = 500;
const KEYS = '0123456789*#ABCD';
/** Guesses at the password. */
const FEW = { rateLimit: { max: 5, timeWindow: 60_000 } };
const ANYONE = { anyone: true };

type Fields = Readonly<Record<string, unknown>>;
const fieldsOf = (body: unknown): Fields => (typeof body === 'object' && body !== null && !Array.isArray(body) ? body as Fields : {});
const refuse = (error: string, more: Partial<Refusal> = {}): Refusal => ({ error, ...more });

export function routes(app: FastifyInstance, { log, doors, options, password, open, events, state }: Rooms): void {
  const { phone, store, bench } = doors;

  for (const [path, { type, bytes }] of options.assets) {
    app.get(path, { config: ANYONE }, (_, reply) => reply.type(type).header('cache-control', 'no-cache').send(Buffer.from(bytes)));
  }

  // --- who is there ---

  app.get('/api/session', { config: ANYONE }, async (request, reply): Promise<SessionView> => ({
    state: isOpen(request) ? 'open' : await password.isSet() ? 'locked' : 'new',
    csrf: csrfToken(request, reply),
    name: store.settings.phone.name,
    near: isNear(request.ip),
    version: options.version ?? '',
  }));

  async function logIn(request: FastifyRequest): Promise<void> {
    await request.session.regenerate(); // a session id from before the login is worth nothing after it
    request.session.set('open', true);
    await request.session.save();
  }

  app.post('/api/login', { config: { ...ANYONE, ...FEW } }, async (request, reply) => {
    const { password: given } = fieldsOf(request.body);
    if (typeof given !== 'string' || given.length > PASSWORD_MAX || !await password.matches(given)) {
      log.warn({ from: request.ip }, 'page login refused');
      return reply.code(401).send(refuse('That is not the password.'));
    }
    await logIn(request);
    log.info({ from: request.ip }, 'page login');
    return { csrf: csrfToken(request, reply) };
  });

  app.post('/api/logout', async (request) => {
    await request.session.destroy();
    return {};
  });

  /** The first one from near by; a new one by whoever is logged in and knows the old one. */
  app.post('/api/password', { config: { ...ANYONE, ...FEW } }, async (request, reply) => {
    const { password: wanted, old } = fieldsOf(request.body);
    const first = !await password.isSet();
    if (!first && !isOpen(request)) return reply.code(401).send(refuse('Log in first.'));
    if (first && !isNear(request.ip)) {
      log.warn({ from: request.ip }, 'page password refused to a distant address');
      return reply.code(403).send(refuse('The first password can only be set from the phone\'s own network.'));
    }
    if (typeof wanted !== 'string' || [...wanted].length < PASSWORD_MIN || wanted.length > PASSWORD_MAX) {
      return reply.code(422).send(refuse(`The password needs at least ${PASSWORD_MIN} characters.`, { problems: [{ key: 'password', reason: `at least ${PASSWORD_MIN} characters` }] }));
    }
    if (!first && (typeof old !== 'string' || old.length > PASSWORD_MAX || !await password.matches(old))) {
      return reply.code(422).send(refuse('That is not the old password.', { problems: [{ key: 'old', reason: 'is not the old password' }] }));
    }
    if (!await password.set(wanted, first)) return reply.code(409).send(refuse('Somebody else has just set the password.'));
    open.endAll(); // whoever was logged in with the old one
    await logIn(request);
    log.info({ from: request.ip }, first ? 'page password set' : 'page password changed');
    return { csrf: csrfToken(request, reply) };
  });

  // --- the phone ---

  app.get('/api/state', async () => state());

  app.get('/api/events', (request, reply) => {
    const headers = reply.getHeaders();
    if (!events.add(reply.raw, request.session.sessionId, headers)) return void reply.code(503).send(refuse('Too many pages are open.'));
    reply.hijack();
  });

  app.get('/api/calls', async (): Promise<CallsView> => ({ calls: (await phone.callLog()).slice(0, MAX_CALLS) }));

  // --- recorded calls ---

  app.get('/api/recordings', async (): Promise<RecordingsView> => ({ recordings: await (await doors.recordings?.())?.list() ?? [] }));

  app.get('/api/recordings/:name', async (request, reply) => {
    const { name } = request.params as { readonly name: string };
    const found = await (await doors.recordings?.())?.open(name);
    if (found === undefined) return reply.code(404).send(refuse('There is no such recording.'));
    const range = rangeOf(request.headers.range, found.bytes);
    if (range === undefined) return reply.code(416).header('content-range', `bytes */${found.bytes}`).send(refuse('There is nothing there.'));
    const [from, to] = range, save = fieldsOf(request.query)['save'] !== undefined;
    if (request.headers.range !== undefined) reply.code(206).header('content-range', `bytes ${from}-${to}/${found.bytes}`);
    reply.type('audio/wav').header('accept-ranges', 'bytes').header('content-length', to - from + 1);
    return reply.header('content-disposition', `${save ? 'attachment' : 'inline'}; filename="${name}"`).send(found.stream(from, to));
  });

  app.delete('/api/recordings/:name', async (request, reply) => {
    const { name } = request.params as { readonly name: string };
    if (await (await doors.recordings?.())?.remove(name) !== true) return reply.code(404).send(refuse('There is no such recording, or it is being made.'));
    log.info({ from: request.ip, recording: name }, 'recording removed on the page');
    return {};
  });

  app.get('/api/devices', async () => ({ devices: await doors.devices?.() ?? [] }));

  app.post('/api/phone', async (request, reply) => {
    const command = readCommand(fieldsOf(request.body)['command'] ?? request.body);
    if (command === undefined) return reply.code(400).send(refuse('There is no such command.'));
    const outcome = await phone.command(command);
    events.changed();
    return outcome.ok ? outcome : reply.code(409).send({ ...outcome, error: outcome.why });
  });

  app.post('/api/bench', async (request, reply) => {
    if (bench === undefined) return reply.code(409).send(refuse('This phone has a handset of its own.'));
    const action = readBench(request.body);
    if (action === undefined) return reply.code(400).send(refuse('There is no such key or action.'));
    doBench(bench, action);
    return bench.state;
  });

  app.post('/api/restart', async (request, reply) => {
    if (doors.restart === undefined) return reply.code(409).send(refuse('Restart the phone where it was started.'));
    log.info({ from: request.ip }, 'restart asked for on the page');
    reply.raw.once('finish', doors.restart);
    return {};
  });

  // --- settings ---

  function view(): SettingsView {
    const { settings, set } = redacted(store.settings);
    return { revision: store.revision, values: settings, set, fixed: Object.fromEntries(store.fixed), schema: schemaRoot, canRestart: doors.restart !== undefined };
  }

  app.get('/api/settings', async () => view());

  app.put('/api/settings', async (request, reply) => {
    const { revision, changes } = fieldsOf(request.body);
    if (revision !== undefined && revision !== store.revision) {
      return reply.code(409).send(refuse('The settings were changed elsewhere meanwhile. Load them again, then make your change.'));
    }
    const outcome = await store.change(withSecrets(changes, store.settings) as Patch);
    if (!outcome.ok) return reply.code(422).send(refuse('Some settings cannot be used.', { problems: outcome.problems }));
    if (outcome.changed.length > 0) log.info({ from: request.ip, changed: outcome.changed.join(' ') }, 'settings changed on the page');
    return { ...view(), changed: outcome.changed };
  });
}

const isWord = (value: unknown): value is string => typeof value === 'string' && value.length > 0 && value.length <= 255 && !/[\r\n\0]/.test(value);

/** First and last byte asked for of a file of `size` (RFC 9110 §14.1.2), all of it where there is no one range; undefined when there is nothing there. */
export function rangeOf(header: string | undefined, size: number): readonly [from: number, to: number] | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return [0, size - 1];
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first), to = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return from <= to && from < size ? [from, to] : undefined;
}

/** A command as the browser may send it; undefined for anything else. It waits until the other side rings, not for an answer. */
function readCommand(body: unknown): Command | undefined {
  const fields = fieldsOf(body);
  const call = isWord(fields['call']) ? { call: fields['call'] } : {};
  switch (fields['do']) {
    case 'call':
      return isWord(fields['target']) ? {
        do: 'call', target: fields['target'], until: fields['until'] === 'answered' ? 'answered' : 'ringing',
        ...(fields['intercom'] === true ? { intercom: true } : {}), ...(isWord(fields['account']) ? { account: fields['account'] } : {}),
      } : undefined;
    case 'answer': case 'hangup': case 'hold': case 'resume': case 'measure': return { do: fields['do'], ...call };
    case 'transfer': return isWord(fields['target']) ? { do: 'transfer', target: fields['target'], ...call } : isWord(fields['to']) ? { do: 'transfer', to: fields['to'], ...call } : undefined;
    case 'dtmf': return isWord(fields['digits']) && /^[0-9*#A-D]{1,64}$/.test(fields['digits']) ? { do: 'dtmf', digits: fields['digits'], ...call } : undefined;
    case 'mute': return typeof fields['muted'] === 'boolean' ? { do: 'mute', muted: fields['muted'], ...call } : undefined;
    case 'record': return typeof fields['on'] === 'boolean' ? { do: 'record', on: fields['on'], ...call } : undefined;
    case 'audio test': return isWord(fields['place']) ? { do: 'audio test', place: fields['place'] } : undefined;
    case 'status': case 'sound': case 'join': return { do: fields['do'] };
    default: return undefined;
  }
}

function readBench(body: unknown): BenchAction | undefined {
  const { do: what, key, ms, on } = fieldsOf(body);
  if (what === 'lift' || what === 'hang up' || what === 'flash') return { do: what };
  if (what === 'privacy' && typeof on === 'boolean') return { do: 'privacy', on };
  if (what !== 'key' || typeof key !== 'string' || key.length !== 1 || !KEYS.includes(key)) return undefined;
  if (ms !== undefined && !(typeof ms === 'number' && ms >= 20 && ms <= 5_000)) return undefined;
  return { do: 'key', key: key as Key, ...(ms === undefined ? {} : { ms }) };
}

function doBench(bench: BenchDoor, action: BenchAction): void {
  switch (action.do) {
    case 'lift': return bench.lift();
    case 'hang up': return bench.hangUp();
    case 'flash': return bench.flash();
    case 'privacy': return bench.privacy(action.on);
    case 'key': return bench.press(action.key, action.ms);
    default: return action satisfies never;
  }
}
