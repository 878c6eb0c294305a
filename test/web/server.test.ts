import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openStore, type Store } from '../../src/config/store.ts';
import { buildPage, createPage } from '../../src/web/server.ts';
import type { BenchState, PageDoors, SessionView, SettingsView } from '../../src/web/types.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeFiles } from '../fakes/files.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeRandom } from '../fakes/random.ts';
import { FakePhone } from './fake-phone.ts';
import { accountSettings } from '../phone/settings.ts';

const PASSWORD = 'correct horse';
const HOST = '192.168.1.20:8080';
const restingBench: BenchState = { offHook: false, ringing: false, bell: false, lamp: false, relay: false, privacy: false, key: undefined };

let files: FakeFiles, log: FakeLog, clock: FakeClock, phone: FakePhone, store: Store, app: FastifyInstance, close: () => Promise<void>;
let pressed: string[];

async function start(doors: Partial<PageDoors> = {}): Promise<void> {
  store = await openStore({ files }, '/state');
  const bench = {
    state: restingBench, lift: () => pressed.push('lift'), hangUp: () => pressed.push('hang up'), flash: () => pressed.push('flash'),
    press: (key: string, ms?: number) => pressed.push(`${key}${ms ?? ''}`), privacy: (on: boolean) => pressed.push(`privacy ${on}`), subscribe: () => {},
  };
  const assets = new Map([['/', { type: 'text/html; charset=utf-8', bytes: Buffer.from('<!doctype html>') }], ['/page.js', { type: 'text/javascript', bytes: Buffer.from('1') }]]);
  ({ app, close } = await buildPage({ clock, random: new FakeRandom(7), log, files }, { host: '', port: 0, stateDir: '/state', assets, names: ['pi'] }, {
    phone, store, bench, devices: () => [{ name: 'alsa:default', description: 'Default', input: true, output: true }], ...doors,
  }));
}

beforeEach(async () => {
  [files, log, clock, phone, pressed] = [new FakeFiles(), new FakeLog(), new FakeClock(), new FakePhone(), []];
  await start();
});
afterEach(() => close());

/** A browser: keeps cookies and sends the csrf token. */
class Browser {
  readonly cookies = new Map<string, string>();
  csrf = '';
  readonly #address: string;
  readonly #host: string;

  constructor(address = '192.168.1.77', host = HOST) {
    this.#address = address;
    this.#host = host;
  }

  async ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown, headers: Record<string, string> = {}) {
    const answer = await app.inject({
      method, url, remoteAddress: this.#address,
      headers: { host: this.#host, cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; '), ...(method === 'GET' ? {} : { 'x-csrf-token': this.csrf }), ...headers },
      ...(body === undefined ? {} : { payload: body as object }),
    });
    for (const { name, value } of answer.cookies) if (value === '') this.cookies.delete(name); else this.cookies.set(name, value);
    const answered = answer.headers['content-type']?.toString().includes('json') ? answer.json<{ csrf?: string; error?: string }>() : {};
    if (answered.csrf !== undefined) this.csrf = answered.csrf;
    return answer;
  }

  async visit(): Promise<SessionView> {
    return (await this.ask('GET', '/api/session')).json<SessionView>();
  }
}

async function loggedIn(): Promise<Browser> {
  const browser = new Browser();
  await browser.visit();
  expect((await browser.ask('POST', '/api/password', { password: PASSWORD })).statusCode).toBe(200);
  return browser;
}

describe('the first visit', () => {
  test('serves the page and nothing else until a password is set', async () => {
    const browser = new Browser();
    expect(await browser.visit()).toMatchObject({ state: 'new', near: true, name: 'Offhook' });
    expect((await browser.ask('GET', '/')).statusCode).toBe(200);
    for (const url of ['/api/state', '/api/settings', '/api/calls', '/api/devices', '/api/events']) expect([url, (await browser.ask('GET', url)).statusCode]).toEqual([url, 403]);
    for (const url of ['/api/phone', '/api/bench', '/api/restart']) expect([url, (await browser.ask('POST', url, { do: 'lift' })).statusCode]).toEqual([url, 403]);
    expect((await browser.ask('PUT', '/api/settings', { changes: {} })).statusCode).toBe(403);
    expect((await browser.ask('POST', '/api/login', { password: '' })).statusCode).toBe(401);
    expect(pressed).toEqual([]);
  });

  test('sets the password, hashed and for the owner alone, and is logged in', async () => {
    const browser = await loggedIn();
    expect((await browser.ask('GET', '/api/state')).statusCode).toBe(200);
    expect(files.modes.get('/state/page-password')).toBe(0o600);
    expect(files.text('/state/page-password')).not.toContain(PASSWORD);
    expect(log.facts()).toEqual(['page password set']);
  });

  test('from a distant address sets nothing', async () => {
    const stranger = new Browser('203.0.113.9');
    expect(await stranger.visit()).toMatchObject({ state: 'new', near: false });
    expect((await stranger.ask('POST', '/api/password', { password: PASSWORD })).statusCode).toBe(403);
    expect(files.contents.size).toBe(0);
  });

  test('refuses a short password with the reason at the field', async () => {
    const browser = new Browser();
    await browser.visit();
    const answer = await browser.ask('POST', '/api/password', { password: '1234567' });
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toEqual({ error: 'The password needs at least 8 characters.', problems: [{ key: 'password', reason: 'at least 8 characters' }] });
  });

  test('belongs to one of two who come at once', async () => {
    const two = [new Browser(), new Browser('10.0.0.2')];
    for (const browser of two) await browser.visit();
    const answers = await Promise.all(two.map((browser) => browser.ask('POST', '/api/password', { password: PASSWORD })));
    expect(answers.map((a) => a.statusCode).sort()).toEqual([200, 409]);
  });
});

describe('login', () => {
  test('takes the password and makes a new session, whose cookie scripts and other sites never get', async () => {
    await loggedIn();
    const browser = new Browser();
    expect(await browser.visit()).toMatchObject({ state: 'locked' });
    expect((await browser.ask('GET', '/api/state')).statusCode).toBe(401);
    const answer = await browser.ask('POST', '/api/login', { password: PASSWORD });
    expect(answer.statusCode).toBe(200);
    const set = [answer.headers['set-cookie']].flat().find((c) => c?.startsWith('offhook-') && !c.includes('csrf'));
    expect(set).toMatch(/HttpOnly/);
    expect(set).toMatch(/SameSite=Strict/);
    expect((await browser.ask('GET', '/api/state')).statusCode).toBe(200);
  });

  test('refuses a wrong password, and after five tries in a minute every one, until the minute is over', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_700_000_000_000 });
    try {
      await loggedIn();
      const guesser = new Browser('192.168.1.99');
      await guesser.visit();
      for (let i = 0; i < 5; i++) expect((await guesser.ask('POST', '/api/login', { password: `guess ${i}` })).statusCode).toBe(401);
      const refused = await guesser.ask('POST', '/api/login', { password: PASSWORD });
      expect(refused.statusCode).toBe(429);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(50);
      expect(refused.json<{ error: string }>().error).toMatch(/^Too many tries\. Wait (59|60) seconds\.$/);

      const other = new Browser('192.168.1.98');
      await other.visit();
      expect((await other.ask('POST', '/api/login', { password: PASSWORD })).statusCode).toBe(200);

      vi.setSystemTime(1_700_000_061_000);
      expect((await guesser.ask('POST', '/api/login', { password: PASSWORD })).statusCode).toBe(200);
      expect(log.facts().filter((f) => f === 'page login refused')).toHaveLength(5);
    } finally {
      vi.useRealTimers();
    }
  });

  test('what is no password is a wrong one, and costs no hash', async () => {
    await loggedIn();
    const stranger = new Browser();
    await stranger.visit();
    for (const password of [5, null, ['x'], 'x'.repeat(513)]) {
      const answer = await stranger.ask('POST', '/api/login', { password });
      expect([answer.statusCode, answer.json()]).toEqual([401, { error: 'That is not the password.' }]);
    }
  });

  test('a visit before the week is over makes it begin anew', async () => {
    const browser = await loggedIn();
    for (let day = 0; day < 12; day++) {
      clock.advance(24 * 3_600_000);
      expect((await browser.ask('GET', '/api/state')).cookies.some(({ name, maxAge }) => /^offhook-[0-9a-f]{8}$/.test(name) && (maxAge ?? 7 * 86_400) > 6 * 86_400)).toBe(true);
    }
  });

  test('a session ends by logging out, by a week away, and with the password', async () => {
    const browser = await loggedIn();
    const again = new Browser();
    await again.visit();
    await again.ask('POST', '/api/login', { password: PASSWORD });
    const stolen = new Map(again.cookies);
    expect((await again.ask('POST', '/api/logout', {})).statusCode).toBe(200);
    for (const [k, v] of stolen) again.cookies.set(k, v);
    expect((await again.ask('GET', '/api/state')).statusCode).toBe(401);

    await again.visit();
    await again.ask('POST', '/api/login', { password: PASSWORD });
    expect((await browser.ask('POST', '/api/password', { old: 'not it', password: 'another one' })).statusCode).toBe(422);
    expect((await browser.ask('POST', '/api/password', { old: PASSWORD, password: 'another one' })).statusCode).toBe(200);
    expect((await browser.ask('GET', '/api/state')).statusCode).toBe(200);
    expect((await again.ask('GET', '/api/state')).statusCode).toBe(401);

    clock.advance(8 * 24 * 3_600_000);
    expect((await browser.ask('GET', '/api/state')).statusCode).toBe(401);
  });

  test('a password cannot be changed without a session', async () => {
    await loggedIn();
    const browser = new Browser();
    await browser.visit();
    expect((await browser.ask('POST', '/api/password', { old: PASSWORD, password: 'another one' })).statusCode).toBe(401);
  });

  test('a damaged password file opens for nobody', async () => {
    files.contents.set('/state/page-password', Buffer.from('{"N":1,"salt":"","hash":""}'));
    const browser = new Browser();
    expect(await browser.visit()).toMatchObject({ state: 'locked' });
    expect((await browser.ask('POST', '/api/login', { password: '' })).statusCode).toBe(401);
    expect((await browser.ask('POST', '/api/password', { password: PASSWORD })).statusCode).toBe(401);
  });
});

describe('strange requests', () => {
  test('under another name than the phone\'s are refused (DNS rebinding), whatever they ask', async () => {
    for (const host of ['evil.example', 'offhook.evil.example:8080']) {
      const answer = await new Browser('192.168.1.77', host).ask('GET', '/api/session');
      expect(answer.statusCode).toBe(421);
      expect(answer.cookies).toEqual([]);
      expect((await new Browser('192.168.1.77', host).ask('GET', '/')).statusCode).toBe(421);
    }
    for (const host of ['offhook', 'pi:8080', 'localhost', 'offhook.local:8080', '[fe80::1]:8080']) expect((await new Browser('192.168.1.77', host).ask('GET', '/api/session')).statusCode).toBe(200);
  });

  test('without the token of this session change nothing', async () => {
    const browser = await loggedIn();
    const token = browser.csrf;
    const anonymous = await (async () => { const b = new Browser(); await b.visit(); return b.csrf; })();
    for (const wrong of ['', 'nonsense', anonymous]) {
      browser.csrf = wrong;
      for (const url of ['/api/bench', '/api/phone', '/api/logout', '/api/restart', '/api/password']) expect([wrong, url, (await browser.ask('POST', url, { do: 'lift' })).statusCode]).toEqual([wrong, url, 403]);
      expect((await browser.ask('PUT', '/api/settings', { changes: { sip: { port: 1 } } })).statusCode).toBe(403);
    }
    expect(pressed).toEqual([]);
    expect(store.settings.sip.port).toBe(5060);
    browser.csrf = token;
    expect((await browser.ask('POST', '/api/bench', { do: 'lift' })).statusCode).toBe(200);
    expect(pressed).toEqual(['lift']);
  });

  test('from a page of another origin change nothing, token or not', async () => {
    const browser = await loggedIn();
    expect((await browser.ask('POST', '/api/bench', { do: 'lift' }, { origin: 'http://evil.example' })).statusCode).toBe(403);
    expect((await browser.ask('POST', '/api/bench', { do: 'lift' }, { 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    expect(pressed).toEqual([]);
  });

  test('that are no JSON, too long or go nowhere get a sentence', async () => {
    const browser = await loggedIn();
    expect((await browser.ask('POST', '/api/bench', 'do=lift', { 'content-type': 'application/x-www-form-urlencoded' })).statusCode).toBe(415);
    expect((await browser.ask('POST', '/api/bench', '{"do":', { 'content-type': 'application/json' })).statusCode).toBe(400);
    expect((await browser.ask('PUT', '/api/settings', { changes: 'x'.repeat(300_000) })).statusCode).toBe(413);
    for (const url of ['/nothing', '/../etc/passwd', '/api/nothing', '/page.js.map']) expect((await browser.ask('GET', url)).statusCode).toBe(404);
    expect((await browser.ask('GET', '/nothing')).json()).toEqual({ error: 'There is nothing here.' });
  });

  test('each answer forbids foreign scripts, frames and sniffing', async () => {
    const { headers } = await new Browser().ask('GET', '/');
    expect(headers['content-security-policy']).toBe("default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;media-src 'self';connect-src 'self';form-action 'self';frame-ancestors 'none';base-uri 'none'");
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['strict-transport-security']).toBeUndefined();
  });
});

describe('settings', () => {
  const account = { user: '201', server: 'pbx.example', password: 'hush-hush' };

  test('come with their schema and without secrets; what is set is named', async () => {
    const browser = await loggedIn();
    await store.change({ accounts: [accountSettings(account)], intercom: { allow: [{ caller: '5', password: 'shh-shh' }] } });
    const answer = await browser.ask('GET', '/api/settings');
    const view = answer.json<SettingsView>();
    expect(view.set).toEqual(['accounts.0.password', 'intercom.allow.0.password']);
    expect(view.schema).toMatchObject({ properties: { sip: { properties: { port: { minimum: 0, maximum: 65_535 } } } } });
    const every = await Promise.all(['/api/settings', '/api/state', '/api/calls', '/api/devices', '/api/session', '/'].map((url) => browser.ask('GET', url)));
    const saved = await browser.ask('PUT', '/api/settings', { changes: { phone: { name: 'Hall' } } });
    const refused = await browser.ask('PUT', '/api/settings', { changes: { accounts: [{ ...account, server: '?' }] } });
    for (const { body } of [...every, saved, refused]) expect(body).not.toMatch(/hush-hush|shh-shh/);
    expect(JSON.stringify(log.lines)).not.toMatch(/hush-hush|shh-shh|correct horse/);
  });

  test('are saved, in force and told what changed', async () => {
    const browser = await loggedIn();
    const answer = await browser.ask('PUT', '/api/settings', { revision: 1, changes: { sip: { port: 5070 }, accounts: [account] } });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ changed: ['accounts', 'sip.port'], revision: 2, set: ['accounts.0.password'] });
    expect(store.settings.accounts[0]).toMatchObject(account);
    expect(files.text('/state/settings.toml')).toContain('port = 5070');
  });

  test('a bad one is refused whole, with the reason at its field', async () => {
    const browser = await loggedIn();
    const answer = await browser.ask('PUT', '/api/settings', { changes: { phone: { name: 'Hall' }, sip: { port: 99_999 }, accounts: [{ ...account, server: 'not a host' }] } });
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toEqual({
      error: 'Some settings cannot be used.',
      problems: [{ key: 'accounts.0.server', reason: 'a host name or address, optionally :port' }, { key: 'sip.port', reason: '0 to 65535' }],
    });
    expect(store.settings.phone.name).toBe('Offhook');
  });

  test('changed elsewhere meanwhile are not overwritten', async () => {
    const browser = await loggedIn();
    await store.change({ sip: { port: 5080 } });
    expect((await browser.ask('PUT', '/api/settings', { revision: 1, changes: { sip: { port: 5070 } } })).statusCode).toBe(409);
    expect(store.settings.sip.port).toBe(5080);
  });

  const second = { user: '202', server: 'pbx.example', password: 'other' };
  const rows: readonly [string, unknown[], string[]][] = [
    ['an empty password keeps the one of the same account', [{ ...account, password: '' }, { ...second, password: '' }], ['hush-hush', 'other']],
    ['a missing one too', [{ user: '201', server: 'pbx.example' }, { user: '202', server: 'pbx.example' }], ['hush-hush', 'other']],
    ['whatever the order', [{ ...second, password: '' }, { ...account, password: '' }], ['other', 'hush-hush']],
    ['an account that is gone takes its password along', [{ ...second, password: '' }], ['other']],
    ['a new account gets none of another', [{ user: '9', server: 'elsewhere.example', password: '' }], ['']],
    ['a renamed account keeps its own when asked for by place', [{ ...second, user: '203', password: { keep: 1 } }], ['other']],
    ['a place that there is not gives none', [{ ...second, password: { keep: 7 } }], ['']],
    ['null takes it away', [{ ...account, password: null }], ['']],
    ['a new one replaces it', [{ ...account, password: 'new' }], ['new']],
  ];
  for (const [what, accounts, passwords] of rows) {
    test(`secrets: ${what}`, async () => {
      const browser = await loggedIn();
      await browser.ask('PUT', '/api/settings', { changes: { accounts: [account, second] } });
      expect((await browser.ask('PUT', '/api/settings', { changes: { accounts } })).statusCode).toBe(200);
      expect(store.settings.accounts.map((a) => a.password)).toEqual(passwords);
    });
  }

  test('changes that are no settings at all are refused', async () => {
    const browser = await loggedIn();
    for (const body of [{}, { changes: null }, { changes: [] }, { changes: { accounts: 5 } }, { changes: { accounts: [null] } }, []]) expect([body, (await browser.ask('PUT', '/api/settings', body)).statusCode]).toEqual([body, 422]);
    expect((await browser.ask('PUT', '/api/settings', '{"changes":{"__proto__":{"x":1}}}', { 'content-type': 'application/json' })).statusCode).toBe(400);
  });

  test('that the disk refuses are answered with what happened', async () => {
    const browser = await loggedIn();
    files.refuse = new Error('EROFS: read-only file system');
    const answer = await browser.ask('PUT', '/api/settings', { changes: { sip: { port: 5070 } } });
    expect(answer.statusCode).toBe(500);
    expect(answer.json()).toEqual({ code: 'SETTINGS_NOT_SAVED', error: 'The settings could not be written to /state/settings.toml: EROFS: read-only file system' });
  });
});

describe('the phone', () => {
  test('does what the page asks, and its failure is the answer', async () => {
    const browser = await loggedIn();
    expect((await browser.ask('POST', '/api/phone', { command: { do: 'call', target: '201' } })).json()).toEqual({ ok: true });
    phone.outcome = { ok: false, code: 'BUSY', why: 'The other side is busy.' };
    const answer = await browser.ask('POST', '/api/phone', { do: 'hangup', call: 'c1' });
    expect([answer.statusCode, answer.json()]).toEqual([409, { ok: false, code: 'BUSY', why: 'The other side is busy.', error: 'The other side is busy.' }]);
    expect(phone.commands).toEqual([{ do: 'call', target: '201', until: 'ringing' }, { do: 'hangup', call: 'c1' }]);
  });

  test('never hears of what is no command', async () => {
    const browser = await loggedIn();
    for (const body of [{}, [], { do: 'explode' }, { do: 'call' }, { do: 'call', target: 'a\r\nVia: x' }, { do: 'call', target: 'x'.repeat(300) }, { do: 'dtmf', digits: '12x' }, { do: 'mute' }, { do: 'lift' }]) {
      expect([body, (await browser.ask('POST', '/api/phone', body)).statusCode]).toEqual([body, 400]);
    }
    await browser.ask('POST', '/api/phone', { do: 'call', target: '1', headers: [['X', 'y']] });
    expect(phone.commands).toEqual([{ do: 'call', target: '1', until: 'ringing' }]);
  });

  test('has its drawn handset lifted, its keys pressed, and nothing else', async () => {
    const browser = await loggedIn();
    for (const body of [{ do: 'lift' }, { do: 'key', key: '5' }, { do: 'key', key: '#', ms: 200 }, { do: 'flash' }, { do: 'privacy', on: true }, { do: 'hang up' }]) expect((await browser.ask('POST', '/api/bench', body)).statusCode).toBe(200);
    expect(pressed).toEqual(['lift', '5', '#200', 'flash', 'privacy true', 'hang up']);
    for (const body of [{}, { do: 'key' }, { do: 'key', key: '12' }, { do: 'key', key: 'x' }, { do: 'key', key: '' }, { do: 'key', key: '1', ms: 1e9 }, { do: 'privacy' }]) expect([body, (await browser.ask('POST', '/api/bench', body)).statusCode]).toEqual([body, 400]);
    expect(pressed).toHaveLength(6);
  });

  test('shows its state, calls and sound devices', async () => {
    const browser = await loggedIn();
    phone.log = Array.from({ length: 600 }, (_, i) => ({ at: i, direction: 'in' as const, who: '201', name: '', seconds: 0, how: 'missed', missed: true, intercom: false }));
    expect((await browser.ask('GET', '/api/state')).json()).toMatchObject({ phone: { state: 'on hook' }, bench: { offHook: false }, revision: 1, problems: [] });
    expect((await browser.ask('GET', '/api/calls')).json<{ calls: unknown[] }>().calls).toHaveLength(500);
    expect((await browser.ask('GET', '/api/devices')).json()).toEqual({ devices: [{ name: 'alsa:default', description: 'Default', input: true, output: true }] });
  });

  test('shows the phones of the house where it is their exchange, and that somebody came or went', async () => {
    const browser = await loggedIn();
    expect((await browser.ask('GET', '/api/state')).json()).toMatchObject({ exchange: null });
    await close();
    const told = new Set<() => void>();
    const users = [{ user: '201', displayName: 'Hall', phones: [{ address: '192.168.1.7:5060', transport: 'udp', userAgent: 'x', since: 1, expiresS: 60 }] }];
    await start({ exchange: { status: () => ({ listening: '0.0.0.0:5070', doors: [], ringing: 0, users }), subscribe: (on) => { told.add(on); return () => { told.delete(on); }; } } });
    const again = new Browser();
    await again.visit();
    expect((await again.ask('POST', '/api/login', { password: PASSWORD })).statusCode).toBe(200);
    expect((await again.ask('GET', '/api/state')).json()).toMatchObject({ exchange: { listening: '0.0.0.0:5070', users } });
    expect(told.size).toBe(1);
    await close();
    expect(told.size).toBe(0);
    await start();
  });

  test('is restarted only where it can be', async () => {
    const browser = await loggedIn();
    expect((await browser.ask('POST', '/api/restart', {})).statusCode).toBe(409);
    await close();
    let restarted = 0;
    await start({ restart: () => { restarted++; } });
    const again = new Browser();
    await again.visit();
    await again.ask('POST', '/api/login', { password: PASSWORD });
    expect((await again.ask('POST', '/api/restart', {})).statusCode).toBe(200);
    expect(restarted).toBe(1);
  });
});

describe('on a socket', () => {
  test('a port in use and an address of others are told by name', async () => {
    const ports = { clock, random: new FakeRandom(1), log, files };
    const options = { host: '127.0.0.1', port: 0, stateDir: '/state', assets: new Map() };
    const page = await createPage(ports, options, { phone, store });
    expect(page.address).toBe(`http://127.0.0.1:${page.port}`);
    await expect(createPage(ports, { ...options, port: page.port }, { phone, store })).rejects.toMatchObject({ code: 'PORT_IN_USE' });
    await expect(createPage(ports, { ...options, host: '192.0.2.1' }, { phone, store })).rejects.toMatchObject({ code: 'ADDRESS_NOT_LOCAL' });
    await page.close();
    expect(phone.listeners).toBe(1); // the page of this test alone
  });

  test('live events bring the state at once, then what happens, and end with the session', async () => {
    await app.listen({ host: '127.0.0.1', port: 0 });
    const at = app.server.address();
    const base = `http://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}`;
    const browser = new Browser('127.0.0.1', base.slice(7));
    await browser.visit();
    await browser.ask('POST', '/api/password', { password: PASSWORD });
    const cookie = [...browser.cookies].map(([k, v]) => `${k}=${v}`).join('; ');
    expect((await fetch(`${base}/api/events`)).status).toBe(401);

    const answer = await fetch(`${base}/api/events`, { headers: { cookie } });
    expect(answer.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    const reader = answer.body!.getReader();
    let heard = '';
    const until = async (what: string) => { while (!heard.includes(what)) heard += Buffer.from((await reader.read()).value ?? []).toString(); };
    await until('"state":"on hook"');
    phone.happen({ at: 5, event: 'hook', off: true }, { state: 'dial tone', hook: 'off' });
    await until('event: life\ndata: {"at":5,"event":"hook","off":true}');
    clock.advance(100);
    await until('"state":"dial tone"');
    clock.advance(15_000);
    await until(': still here');
    await browser.ask('POST', '/api/logout', {});
    while (!(await reader.read()).done);
    expect(clock.pending).toBe(0);
  });
});

describe('recorded calls', () => {
  const NAME = '20261130T070512Z-in-201.wav';
  let there: string[];
  const recordings = async () => ({
    list: async () => there.map((name) => ({ name, at: 1, direction: 'in' as const, who: '201', seconds: 1, bytes: 10, running: false })),
    open: async (name: string) => (there.includes(name) ? { bytes: 10, stream: (from: number, to: number) => Readable.from([Buffer.from('0123456789').subarray(from, to + 1)]) } : undefined),
    remove: async (name: string) => there.includes(name) && there.splice(there.indexOf(name), 1).length > 0,
  });
  beforeEach(async () => {
    there = [NAME];
    await close();
    await start({ recordings });
  });

  test('are listed, played, saved and removed by whoever is logged in', async () => {
    const browser = await loggedIn();
    expect((await browser.ask('GET', '/api/recordings')).json()).toMatchObject({ recordings: [{ name: NAME, who: '201' }] });
    const played = await browser.ask('GET', `/api/recordings/${NAME}`);
    expect([played.statusCode, played.body, played.headers['content-type'], played.headers['content-length'], played.headers['accept-ranges'], played.headers['cache-control']]).toEqual([200, '0123456789', 'audio/wav', '10', 'bytes', 'no-store']);
    expect((await browser.ask('GET', `/api/recordings/${NAME}?save`)).headers['content-disposition']).toBe(`attachment; filename="${NAME}"`);
    expect((await browser.ask('DELETE', `/api/recordings/${NAME}`, {})).statusCode).toBe(200);
    expect(there).toEqual([]);
    expect((await browser.ask('DELETE', `/api/recordings/${NAME}`, {})).statusCode).toBe(404);
    expect((await browser.ask('GET', `/api/recordings/${NAME}`)).statusCode).toBe(404);
    expect(log.lines.filter(({ fact }) => fact === 'recording removed on the page')).toHaveLength(1);
  });

  test('are nobody else\'s: without a login, without the token, from another site', async () => {
    const stranger = new Browser(), browser = await loggedIn();
    await stranger.visit();
    for (const url of ['/api/recordings', `/api/recordings/${NAME}`]) expect((await stranger.ask('GET', url)).statusCode).toBe(401);
    expect((await stranger.ask('DELETE', `/api/recordings/${NAME}`, {})).statusCode).toBe(401);
    expect((await browser.ask('DELETE', `/api/recordings/${NAME}`, {}, { 'x-csrf-token': 'x' })).statusCode).toBe(403);
    expect((await browser.ask('DELETE', `/api/recordings/${NAME}`, {}, { origin: 'http://evil.example' })).statusCode).toBe(403);
    expect(there).toEqual([NAME]);
  });

  test('are given in part, as a player asks that jumps (RFC 9110 §14.2)', async () => {
    const browser = await loggedIn();
    const part = async (range: string) => {
      const answer = await browser.ask('GET', `/api/recordings/${NAME}`, undefined, { range });
      return [answer.statusCode, answer.statusCode < 300 ? answer.body : '', answer.headers['content-range']];
    };
    expect(await part('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10']);
    expect(await part('bytes=7-')).toEqual([206, '789', 'bytes 7-9/10']);
    expect(await part('bytes=-2')).toEqual([206, '89', 'bytes 8-9/10']);
    expect(await part('bytes=5-99')).toEqual([206, '56789', 'bytes 5-9/10']);
    expect(await part('bytes=10-')).toEqual([416, '', 'bytes */10']);
    expect(await part('bytes=4-2')).toEqual([416, '', 'bytes */10']);
  });

  test('are begun and ended by a command of the page', async () => {
    const browser = await loggedIn();
    await browser.ask('POST', '/api/phone', { do: 'record', on: true, call: '3' });
    expect(phone.commands).toEqual([{ do: 'record', on: true, call: '3' }]);
    expect((await browser.ask('POST', '/api/phone', { do: 'record', on: 'yes' })).statusCode).toBe(400);
    expect((await browser.ask('GET', '/api/state')).json()).toMatchObject({ recording: 'off' });
  });
});
