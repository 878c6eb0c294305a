import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createLab } from './lab.ts';
import { accountSettings } from '../settings.ts';
import { Registrar } from '../../fakes/registrar.ts';
import { nameAddr } from '../../../src/sip/headers.ts';
import { requestUri } from '../../../src/sip/message.ts';
import type { AccountSettings } from '../../../src/config/types.ts';
import type { RegistrationFailure } from '../../../src/sip/agent-types.ts';
import { troubles } from '../../../src/phone/words.ts';
import { statusTones } from '../../../src/media/tone-tables.ts';

const SERVER = '192.0.2.100';
const world = async (account: Partial<AccountSettings> = {}, dialing = {}, before: (registrar: Registrar) => void = () => undefined) => {
  const lab = createLab();
  const registrar = new Registrar(lab.clock, lab.wire.host(SERVER));
  registrar.users.set('200', 'secret');
  before(registrar);
  await registrar.start();
  const a = await lab.phone('192.0.2.1', { settings: { accounts: [accountSettings({ user: '200', server: SERVER, password: 'secret', ...account })], dialing: { plan: ['2xx'], ...dialing } } });
  await lab.run(1_000);
  return { lab, registrar, a };
};
const invites = (registrar: Registrar) => registrar.requests.filter((r) => r.message.method === 'INVITE');

describe('the password', () => {
  const hash = (realm: string): string => `MD5:${realm}:${createHash('md5').update(`200:${realm}:secret`).digest('hex')}`;

  test('that the server confirmed is told of once, and its hash in its place is the same account: nothing is sent', async () => {
    const told: { settings: AccountSettings }[] = [], lab = createLab(), registrar = new Registrar(lab.clock, lab.wire.host(SERVER));
    registrar.users.set('200', 'secret');
    await registrar.start();
    const accounts = [accountSettings({ user: '200', server: SERVER, password: 'secret' })];
    const a = await lab.phone('192.0.2.1', { settings: { accounts }, confirmed: (_, kept) => void told.push(kept) });
    await lab.run(1_000);
    expect(told).toHaveLength(1);
    const after = { ...accounts[0]!, password: '', ha1: hash('test') }, before = registrar.requests.length;
    told[0]!.settings = after;
    a.settings = { ...a.settings, accounts: [after] };
    await lab.run(1_000);
    expect(registrar.requests).toHaveLength(before);
    expect(a.story()).toEqual(['registered']);
    await lab.run(600_000);
    expect(told, 'not again').toHaveLength(1);
  });

  test.each([['is to stay as given', { passwordKept: 'clear' as const }], ['is a hash already', { password: '', ha1: hash('test') }]])('that %s is nobody told of', async (_, account) => {
    let told = 0;
    const lab = createLab(), registrar = new Registrar(lab.clock, lab.wire.host(SERVER));
    registrar.users.set('200', 'secret');
    await registrar.start();
    const a = await lab.phone('192.0.2.1', { settings: { accounts: [accountSettings({ user: '200', server: SERVER, password: 'secret', ...account })] }, confirmed: () => { told++; } });
    await lab.run(1_000);
    expect([a.story(), told]).toEqual([['registered'], 0]);
  });

  test('whose hash is for another realm is asked for, by the registration and by a call', async () => {
    const { lab, a } = await world({ password: '', ha1: hash('other') });
    await lab.run(1_000);
    expect(a.phone.status().registrations).toMatchObject([{ why: 'wrong password', trouble: expect.stringContaining('give the password once more') }]);
    const { lab: lab2, registrar, a: caller } = await world({ password: '', ha1: hash('test') });
    registrar.override = (m) => m.method === 'INVITE' ? { status: 407, headers: [['Proxy-Authenticate', 'Digest realm="of calls", nonce="n", qop="auth"']] } : undefined;
    expect(caller.phone.status().registrations).toMatchObject([{ state: 'registered' }]);
    const call = caller.command({ do: 'call', target: '201' });
    await lab2.run(1_000);
    expect(call.outcome).toMatchObject({ ok: false, why: expect.stringContaining('give the password once more') });
  });
});

describe('what is heard on lifting', () => {
  test('dial tone while registered', async () => {
    const { lab, a } = await world();
    a.bench.lift();
    await lab.run(100);
    expect(a.heard()).toBe('dial');
    expect(a.phone.condition()).toBe('all well');
    expect(a.story()).toEqual(['registered']);
  });

  const rows: readonly (readonly [what: string, account: Partial<AccountSettings>, before: (r: Registrar) => void, waitMs: number, tone: string])[] = [
    ['a tone for a wrong password', { password: 'guess' }, () => undefined, 2_000, 'wrong password'],
    ['a tone for a server that does not answer', {}, (r) => { r.silent = true; }, 40_000, 'server silent'],
    ['a tone for a server whose name is not known', { server: 'sip.example.org' }, () => undefined, 2_000, 'no such server'],
    ['a tone for a server that does not want us', {}, (r) => { r.override = () => ({ status: 404 }); }, 2_000, 'not registered'],
    ['a tone for a port where nobody listens', { server: `${SERVER}:5099` }, () => undefined, 2_000, 'server silent'],
  ];
  for (const [what, account, before, waitMs, tone] of rows) {
    test(what, async () => {
      const { lab, a } = await world(account, {}, before);
      await lab.run(waitMs);
      a.bench.lift();
      await lab.run(100);
      expect(a.heard()).toBe(tone);
      expect(a.phone.condition()).toBe(tone);
      expect(a.phone.status()).toMatchObject({ tone, registrations: [{ trouble: expect.stringMatching(/\w+\./) }] });
      expect(a.story()[0]).toBe('registration failed');
      await a.dial('201');
      await lab.run(200);
      expect(a.heard(), 'a call through that server is refused with the same tone').toBe(tone);
    });
  }

  test('every failure of a registration has a tone of its own to be explained by, and a sentence', () => {
    const failures: Record<RegistrationFailure, true> = { 'no network': true, 'no such server': true, 'server silent': true, 'server refused': true, 'not trusted': true, 'wrong password': true, 'not allowed': true, 'server trouble': true };
    for (const why of Object.keys(failures) as RegistrationFailure[]) {
      expect(Object.keys(statusTones)).toContain(troubles[why].tone);
      expect(troubles[why].words).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('a tone for no network, and dial tone again once it is back', async () => {
    const { lab, a } = await world();
    lab.wire.down.add('192.0.2.1');
    a.phone.networkChanged();
    await lab.run(40_000);
    a.bench.lift();
    await lab.run(100);
    expect(['no network', 'server silent']).toContain(a.heard());
    a.bench.hangUp();
    lab.wire.down.clear();
    a.phone.networkChanged();
    await lab.run(6_000);
    a.bench.lift();
    await lab.run(100);
    expect(a.heard()).toBe('dial');
    expect(a.story()).toEqual(['registered', 'registration failed', 'registered']);
  });

  test('a lamp that is lit while registered and blinks slowly while not', async () => {
    const { lab, a, registrar } = await world();
    expect(a.bench.state.lamp).toBe(true);
    registrar.override = () => ({ status: 403 });
    a.phone.networkChanged();
    await lab.run(3_000);
    let lit = 0;
    for (let i = 0; i < 40; i++) {
      await lab.run(50);
      if (a.bench.state.lamp) lit++;
    }
    expect(lit).toBeGreaterThan(2);
    expect(lit).toBeLessThan(8);
  });
});

describe('calling through the server', () => {
  test('a number of the plan goes to the server as user of its domain', async () => {
    const { lab, a, registrar } = await world();
    a.bench.lift();
    await a.dial('201');
    await lab.run(300);
    expect(invites(registrar)[0]!.message).toBeDefined();
    expect(lab.wire.sent.some((d) => d.bytes.toString().startsWith(`INVITE sip:201@${SERVER} `))).toBe(true);
  });

  const statuses: readonly (readonly [status: number, tone: string])[] = [
    [486, 'busy'], [600, 'busy'], [603, 'busy'], [404, 'sit'], [484, 'sit'], [604, 'sit'], [480, 'congestion'], [500, 'congestion'], [503, 'congestion'], [403, 'congestion'], [487, ''],
  ];
  for (const [status, tone] of statuses) {
    test(`${status} is heard as ${tone || 'silence'}`, async () => {
      const { lab, a, registrar } = await world();
      registrar.override = (m) => m.method === 'INVITE' ? { status } : undefined;
      a.bench.lift();
      await a.dial('201');
      await lab.run(500);
      expect(a.phone.status().state).toBe('dead line');
      expect(a.phone.status().tone).toBe(tone);
    });
  }
});

describe('emergency numbers', () => {
  test('are called though the phone is not registered, the plan refuses and do not disturb is on', async () => {
    const { lab, a, registrar } = await world({ password: 'guess' }, { plan: ['!9x.', '!x.'] });
    a.bench.lift();
    await a.dial('911');
    await lab.run(500);
    expect(a.events.find((e) => e.event === 'calling')).toMatchObject({ to: '911' });
    expect(invites(registrar).length).toBeGreaterThan(0);
    expect(a.store.texts.get('memory.json') ?? '').not.toContain('911');
  });

  test('try the next account when the first cannot carry the call', async () => {
    const lab = createLab();
    const second = new Registrar(lab.clock, lab.wire.host('192.0.2.101'));
    second.users.set('300', 'x');
    second.override = (m) => m.method === 'INVITE' ? { status: 486 } : undefined;
    await second.start();
    const a = await lab.phone('192.0.2.1', { settings: { accounts: [accountSettings({ user: '200', server: '192.0.2.99', register: false }), accountSettings({ user: '300', server: '192.0.2.101', password: 'x' })] } });
    await lab.run(500);
    a.bench.lift();
    await a.dial('911');
    await lab.run(1_000);
    expect(invites(second).length).toBeGreaterThan(0);
    expect(a.heard()).toBe('busy');
  });
});

describe('extensions 100 to 102 of a house', () => {
  const member = (user: string) => ({ user, password: 'x', digest: 'SHA-256 and MD5' as const, displayName: '', forward: '', busyForward: '', noAnswerForward: '' });
  /** A phone that is its house's exchange too, played by `own`, and has an account at a provider. */
  async function house(country: 'de' | 'il', dialing: { emergencyOfCountry?: boolean; emergency?: string[] } = {}) {
    const lab = createLab(), own = new Registrar(lab.clock, lab.wire.host('192.0.2.99')), provider = new Registrar(lab.clock, lab.wire.host(SERVER));
    for (const registrar of [own, provider]) {
      registrar.override = (m) => (m.method === 'INVITE' ? { status: 404 } : undefined);
      registrar.users.set('200', 'secret');
      await registrar.start();
    }
    const a = await lab.phone('192.0.2.1', { settings: {
      phone: { country }, dialing: { speedDial: { 101: '201' }, ...dialing }, exchange: { enabled: true, users: [member('100'), member('200')], groups: [{ number: '102', members: ['200'], ring: 'all' }] },
      accounts: [accountSettings({ id: 'exchange', user: '200', server: '192.0.2.99', password: 'secret' }), accountSettings({ id: 'provider', user: '200', server: SERVER, password: 'secret' })],
    } });
    await lab.run(1_000);
    const dial = async (number: string): Promise<string[]> => {
      const before = [own, provider].map((r) => invites(r).length);
      a.bench.lift();
      await a.dial(`${number}#`);
      await lab.run(3_000);
      a.bench.hangUp();
      await lab.run(1_000);
      const tried = [own, provider].flatMap((r, i) => invites(r).slice(before[i]).map(({ atMs, message }) => ({ atMs, to: `${r === own ? 'own' : 'provider'} ${requestUri(message).replace(/@.*/, '')}` })));
      return [...new Set(tried.sort((x, y) => x.atMs - y.atMs).map((t) => t.to))];
    };
    const warned = (): unknown[] => a.log.lines.filter((l) => l.fact === 'an emergency number goes first').map((l) => l.fields['why']);
    return { a, dial, warned };
  }

  test('are called as any number where the country has others, and nothing is said', async () => {
    const { dial, warned, a } = await house('de');
    expect([await dial('100'), await dial('101'), await dial('102')]).toEqual([['own sip:100'], ['own sip:201'], ['own sip:102']]);
    expect(a.events.some((e) => e.event === 'calling' && e.to === '101')).toBe(false);
    expect(warned()).toEqual([]);
  });

  test('where they are emergency numbers of the country those are called, outside first, and the owner is told once', async () => {
    const { dial, warned } = await house('il');
    expect(await dial('100')).toEqual(['provider sip:100', 'own sip:100']);
    await dial('101');
    expect(warned()).toEqual(['extension 100 is an emergency number, which is called instead', 'speed dial 101 is an emergency number, which is called instead', 'extension 102 is an emergency number, which is called instead']);
  });

  test('are extensions there too once the owner lists by himself what is called for help', async () => {
    const { dial, warned } = await house('il', { emergencyOfCountry: false, emergency: ['112'] });
    expect(await dial('101')).toEqual(['own sip:201']);
    expect(warned()).toEqual([]);
  });

  test('a number that is another country\'s is an extension where there is one of it, else a call for help', async () => {
    const { a, dial } = await house('il');
    a.settings = { ...a.settings, exchange: { ...a.settings.exchange, users: [member('911'), member('200')] } };
    await dial('911');
    expect(a.events.filter((e) => e.event === 'ended').length).toBe(1);
    expect(a.store.texts.get('memory.json')).toContain('911');
    a.settings = { ...a.settings, exchange: { ...a.settings.exchange, users: [member('200')] } };
    expect(await dial('911')).toEqual(['provider sip:911', 'own sip:911']);
    a.settings = { ...a.settings, dialing: { ...a.settings.dialing, speedDial: { 1: '911' } } };
    expect(await dial('1')).toEqual(['provider sip:911', 'own sip:911']);
  });
});

test('an emergency call leaves a silent server for the next one within seconds', async () => {
  const lab = createLab();
  const silent = new Registrar(lab.clock, lab.wire.host('192.0.2.99'));
  silent.silent = true;
  await silent.start();
  const second = new Registrar(lab.clock, lab.wire.host('192.0.2.101'));
  second.override = (m) => m.method === 'INVITE' ? { status: 486 } : undefined;
  await second.start();
  const a = await lab.phone('192.0.2.1', { settings: { accounts: [accountSettings({ user: '200', server: '192.0.2.99', register: false }), accountSettings({ user: '300', server: '192.0.2.101', register: false })] } });
  a.bench.lift();
  await a.dial('911');
  await lab.run(6_500);
  expect(invites(second).length).toBeGreaterThan(0);
  expect(a.heard()).toBe('busy');
});

test('an account of anonymous calls hides who calls, a command may do so or not, and an emergency call never does', async () => {
  const fromOf = async (account: Partial<AccountSettings>, call: (w: Awaited<ReturnType<typeof world>>) => Promise<unknown>) => {
    const w = await world(account, {}, (r) => { r.override = (m) => (m.method === 'INVITE' ? { status: 486 } : undefined); });
    await call(w);
    await w.lab.run(500);
    return nameAddr(invites(w.registrar)[0]!.message, 'from')!.uri.replace(/^sip:(\w+)@.*/, '$1');
  };
  const dialled = (keys: string) => async ({ a }: Awaited<ReturnType<typeof world>>) => {
    a.bench.lift();
    await a.dial(keys);
  };
  const command = (anonymous: boolean) => async ({ a }: Awaited<ReturnType<typeof world>>) => a.command({ do: 'call', target: '201', anonymous });
  expect(await fromOf({ anonymous: true }, dialled('201'))).toBe('anonymous');
  expect(await fromOf({ anonymous: true }, dialled('911')), 'who helps must be able to call back').toBe('200');
  expect(await fromOf({}, dialled('201'))).toBe('200');
  expect(await fromOf({}, command(true))).toBe('anonymous');
  expect(await fromOf({ anonymous: true }, command(false))).toBe('200');
});

describe('accounts that change', () => {
  test('a second server is said in status and log, and so is the return to the first', async () => {
    const spare = '192.0.2.101';
    const { lab, registrar, a } = await world({ backupServer: spare, expiresS: 30 });
    const second = new Registrar(lab.clock, lab.wire.host(spare));
    second.users.set('200', 'secret');
    await second.start();
    registrar.stop();
    await lab.run(40_000);
    expect(a.phone.status().registrations).toMatchObject([{ state: 'registered', server: spare, second: true, why: '', trouble: '' }]);
    expect(a.phone.condition()).toBe('all well');
    await registrar.start();
    await lab.run(5_000);
    expect(a.phone.status().registrations).toMatchObject([{ state: 'registered', server: SERVER, second: false }]);
    expect(a.events.flatMap((e) => (e.event === 'registered' ? [[e.server, e.second]] : []))).toEqual([[SERVER, false], [spare, true], [SERVER, false]]);
    expect(a.log.lines.every((line) => !JSON.stringify(line).includes('secret'))).toBe(true);
  });

  test('a new password registers again, a removed account is un-registered (RFC 3261 §10.2.2)', async () => {
    const { lab, a, registrar } = await world({ password: 'guess' });
    expect(a.phone.status().registrations[0]).toMatchObject({ state: 'failed', why: 'wrong password' });
    a.settings = { ...a.settings, accounts: [{ ...a.settings.accounts[0]!, password: 'secret' }] };
    await lab.run(3_000);
    expect(a.phone.status().registrations).toMatchObject([{ state: 'registered', why: '', trouble: '' }]);
    expect(registrar.bindings.has('200')).toBe(true);
    a.settings = { ...a.settings, accounts: [] };
    await lab.run(3_000);
    expect(a.phone.status().registrations).toEqual([]);
    expect(registrar.bindings.has('200')).toBe(false);
    expect(a.phone.condition()).toBe('no account');
  });

  test('a change of other settings leaves the registration alone', async () => {
    const { lab, a, registrar } = await world();
    const before = registrar.requests.length;
    a.settings = { ...a.settings, calls: { ...a.settings.calls, ringS: 30 } };
    await lab.run(3_000);
    expect(registrar.requests.length).toBe(before);
  });

  test('a dial plan with a fault leaves the old one in force and says so', async () => {
    const { lab, a } = await world();
    a.bench.lift();
    await a.dial('2');
    a.bench.hangUp();
    await lab.run(1_000);
    a.settings = { ...a.settings, dialing: { ...a.settings.dialing, plan: ['[9-1]'] } };
    a.bench.lift();
    await a.dial('3');
    expect(a.heard()).toBe('sit');
    expect(a.log.lines.find((l) => l.fact === 'dial plan refused')?.fields).toMatchObject({ why: 'dialing.plan.0 "[9-1]": "9-1" is not a range of digits' });
  });
});
