import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaults } from '../../src/config/layers.ts';
import { openStore, redacted, type Overrides, type Patch } from '../../src/config/store.ts';
import { systemFiles } from '../../src/system/files.ts';
import { FakeFiles } from '../fakes/files.ts';
import { accountSettings } from '../phone/settings.ts';

const DIR = '/state';
const FILE = '/state/settings.toml';

const withFile = (text: string, good?: string): FakeFiles => {
  const files = new FakeFiles();
  files.contents.set(FILE, Buffer.from(text));
  if (good !== undefined) files.contents.set(`${FILE}.good`, Buffer.from(good));
  return files;
};
const open = (files: FakeFiles, overrides: Overrides = {}) => openStore({ files }, DIR, overrides);
const account = accountSettings({});

describe('the file', () => {
  test('without one the defaults are in force and nothing is written', async () => {
    const files = new FakeFiles();
    const store = await open(files);
    expect(store.settings).toEqual(defaults());
    expect(files.contents.size).toBe(0);
  });

  test('what it says is laid over the defaults, accounts over an account\'s defaults', async () => {
    const store = await open(withFile('[sip]\nport = 5070\n[[accounts]]\nuser = "201"\nserver = "pbx"\n'));
    expect(store.problems).toEqual([]);
    expect(store.settings.sip).toEqual({ ...defaults().sip, port: 5070 });
    expect(store.settings.accounts).toEqual([{ ...account, user: '201', server: 'pbx' }]);
  });

  test('what was written by hand is known from what the store wrote, until the store writes it anew', async () => {
    const files = new FakeFiles(), states: boolean[] = [];
    const see = async (): Promise<void> => void states.push((await open(files)).handwritten);
    await see();
    await (await open(files)).change({ sip: { port: 5070 } });
    await see();
    files.contents.set(FILE, Buffer.from(`${files.text(FILE)}# mine`));
    const store = await open(files);
    states.push(store.handwritten);
    await store.change({ sip: { port: 5071 } });
    states.push(store.handwritten);
    expect(states).toEqual([false, false, true, false]);
  });

  test('a bad setting is named, the default used, the rest kept, and the file kept beside', async () => {
    const text = '[sip]\nport = -1\ntcp = false\n[phone]\nnaem = "Hall"\n';
    const files = withFile(text);
    const store = await open(files);
    expect(store.problems).toEqual([
      { key: 'sip.port', reason: '0 to 65535', from: 'file' },
      { key: 'phone.naem', reason: 'no such setting; perhaps phone.name', from: 'file' },
    ]);
    expect(store.settings.sip.port).toBe(5060);
    expect(store.settings.sip.tcp).toBe(false);
    await store.change({ calls: { waiting: false } });
    expect(files.text(`${FILE}.bad`)).toBe(text);
    expect(files.text(FILE)).toContain('waiting = false');
  });

  test('a bad setting is taken from the last good copy, and only that one', async () => {
    const store = await open(withFile('[sip]\nport = "x"\n', '[sip]\nport = 5099\ntcp = false\n'));
    expect(store.settings.sip.port).toBe(5099);
    expect(store.settings.sip.tcp).toBe(true);
  });

  test('of a list with a bad entry the right ones stay, or the last good list', async () => {
    const text = '[[accounts]]\nuser = "1"\nserver = "pbx"\n[[accounts]]\nuser = "2"\nserver = "not a host"\n[sip]\nallowAddresses = ["10.0.0.1", "nonsense"]\n[intercom]\nallow = [{ caller = "" }, { caller = "7" }]\n';
    const alone = await open(withFile(text));
    expect(alone.settings.accounts.map((a) => a.user)).toEqual(['1']);
    expect(alone.settings.sip.allowAddresses).toEqual(['10.0.0.1']);
    expect(alone.settings.intercom.allow).toEqual([{ caller: '7', password: '' }]);
    expect(alone.problems.map((p) => p.key)).toEqual(['accounts.1.server', 'sip.allowAddresses.1', 'intercom.allow.0.caller']);
    const copied = await open(withFile(text, '[[accounts]]\nuser = "9"\nserver = "pbx"\n'));
    expect(copied.settings.accounts.map((a) => a.user)).toEqual(['9']);
  });

  test('settings that contradict each other go back together', async () => {
    const store = await open(withFile('[media]\nrtpPortMin = 50000\nrtpPortMax = 40000\n'));
    expect(store.problems.map((p) => p.key)).toEqual(['media.rtpPortMax']);
    expect([store.settings.media.rtpPortMin, store.settings.media.rtpPortMax]).toEqual([16_384, 32_766]);
  });

  for (const [what, text] of [['cut in the middle', '[sip]\nport = 50'.slice(0, -3)], ['empty', ''], ['zeros', '\0\0\0\0'], ['not TOML', 'hello world']] as const) {
    test(`a file that is ${what} gives the last good copy and is kept beside`, async () => {
      const files = withFile(text, '[sip]\nport = 5099\n');
      const store = await open(files);
      expect(store.settings.sip.port).toBe(5099);
      expect(store.problems).toHaveLength(1);
      expect(store.problems[0]!.key).toBe('settings.toml');
      expect(files.text(`${FILE}.bad`)).toBe(text);
    });
  }

  test('a file that is no TOML and has no good copy gives the defaults, with the line at fault', async () => {
    const store = await open(withFile('[sip]\nport = = 4\n'));
    expect(store.settings).toEqual(defaults());
    expect(store.problems[0]!.reason).toMatch(/^line 2, column 8: .*; the defaults are used$/);
  });
});

test('another file may hold the settings; copies stay in the state folder', async () => {
  const files = new FakeFiles();
  files.contents.set('/etc/offhook.toml', Buffer.from('[sip]\nport = 5070\n'));
  const store = await open(files, { file: '/etc/offhook.toml' });
  expect(store.settings.sip.port).toBe(5070);
  await store.change({ sip: { port: 5071 } });
  expect([...files.contents.keys()].sort()).toEqual(['/etc/offhook.toml', '/state/offhook.toml.good']);
  expect(files.text('/etc/offhook.toml')).toContain('5071');
});

test('a file that cannot be read gives the last good copy and is never written over', async () => {
  const files = withFile('[sip]\nport = 5070\n', '[sip]\nport = 5099\n');
  const read = files.read.bind(files);
  files.read = (path) => (path === FILE ? Promise.reject(new Error('EACCES: permission denied')) : read(path));
  const store = await open(files);
  expect(store.settings.sip.port).toBe(5099);
  expect(store.problems).toEqual([{ key: 'settings.toml', reason: 'cannot be read: EACCES: permission denied', from: 'file' }]);
  await expect(store.change({ sip: { port: 1 } })).rejects.toMatchObject({ code: 'SETTINGS_NOT_SAVED' });
  expect(files.text(FILE)).toBe('[sip]\nport = 5070\n');
});

test('a disk that takes nothing still gives a phone its settings', async () => {
  const files = withFile('[sip]\nport = 5070\n');
  files.refuse = new Error('EROFS: read-only file system');
  const store = await open(files);
  expect(store.settings.sip.port).toBe(5070);
  expect(store.problems.map((p) => p.reason)).toEqual(['no copy of the settings could be kept: EROFS: read-only file system']);
});

describe('a change', () => {
  test('is checked, written, put in force and told, with the keys that changed', async () => {
    const files = new FakeFiles();
    const store = await open(files);
    const told: (readonly string[])[] = [];
    store.subscribe((changed, settings) => { told.push(changed); expect(settings).toBe(store.settings); });
    const outcome = await store.change({ sip: { port: 5070 }, accounts: [{ ...account, user: '201', server: 'pbx', password: 'secret' }] });
    expect(outcome).toEqual({ ok: true, changed: ['accounts', 'sip.port'] });
    expect(told).toEqual([['accounts', 'sip.port']]);
    expect(files.modes.get(FILE)).toBe(0o600);
    expect((await open(files)).settings).toEqual(store.settings);
  });

  test('may be made of what the file holds when its turn comes', async () => {
    const store = await open(new FakeFiles());
    await Promise.all([store.change({ sip: { port: 5070 } }), store.change(({ sip }) => ({ sip: { port: sip.port + 1 } })), store.change(() => ({}))]);
    expect([store.settings.sip.port, store.revision]).toEqual([5071, 3]);
  });

  test('writes only what differs from the defaults, and says that comments are lost', async () => {
    const files = new FakeFiles();
    await (await open(files)).change({ phone: { name: 'Hall' } });
    expect(files.text(FILE)).toMatch(/^# .*\n# .*comments added here are lost.*\n\n\[phone\]\nname = "Hall"\n+$/);
  });

  test('that is wrong anywhere changes nothing', async () => {
    const files = new FakeFiles();
    const store = await open(files);
    const outcome = await store.change({ phone: { name: 'Hall' }, sip: { port: 99_999 } });
    expect(outcome).toEqual({ ok: false, problems: [{ key: 'sip.port', reason: '0 to 65535' }] });
    expect(store.settings).toEqual(defaults());
    expect(files.contents.size).toBe(0);
  });

  for (const patch of ['nonsense', 5, null, [], { sip: 'x' }, { sip: null }, { nothing: 1 }, JSON.parse('{"__proto__": {"sip": 5}}'), { accounts: 'x' }, { accounts: [5] }, { dialing: { speedDial: [] } }] as const) {
    test(`of the wrong shape (${JSON.stringify(patch)}) is refused and never thrown`, async () => {
      const store = await open(new FakeFiles());
      expect((await store.change(patch as never)).ok).toBe(false);
      expect(store.settings).toEqual(defaults());
    });
  }

  test('several at once are all kept', async () => {
    const store = await open(new FakeFiles());
    await Promise.all([store.change({ sip: { port: 1 } }), store.change({ calls: { ringS: 30 } }), store.change({ phone: { name: 'x' } })]);
    expect([store.settings.sip.port, store.settings.calls.ringS, store.settings.phone.name]).toEqual([1, 30, 'x']);
    expect(store.revision).toBe(4);
  });

  test('that the disk refuses is an error, the old settings stay in force, and the next one works', async () => {
    const files = new FakeFiles();
    const store = await open(files);
    files.refuse = new Error('ENOSPC: no space left on device');
    await expect(store.change({ sip: { port: 1 } })).rejects.toMatchObject({ code: 'SETTINGS_NOT_SAVED' });
    expect(store.settings.sip.port).toBe(5060);
    files.refuse = undefined;
    expect(await store.change({ sip: { port: 2 } })).toEqual({ ok: true, changed: ['sip.port'] });
  });
});

test('of an account only what differs from the defaults is written, so that a better default reaches it too', async () => {
  const files = new FakeFiles();
  const store = await open(files);
  await store.change({ accounts: [{ ...account, user: '201', server: 'pbx' }] });
  const written = [...files.contents.entries()].find(([path]) => path.endsWith('settings.toml'))?.[1].toString() ?? '';
  expect(written).toContain('[[accounts]]\nuser = "201"\nserver = "pbx"\n');
  expect(written).not.toMatch(/expiresS|transport|register/);
});

describe('from outside', () => {
  const rows: readonly [Overrides, string, unknown][] = [
    [{ set: ['sip.port=5071'] }, 'sip.port', 5071],
    [{ env: { OFFHOOK_SIP_PORT: '5072' } }, 'sip.port', 5072],
    [{ env: { OFFHOOK_SIP_PORT: '5072' }, set: ['sip.port=5073'] }, 'sip.port', 5073],
    [{ env: { OFFHOOK_MEDIA_RTP_PORT_MIN: '20000' } }, 'media.rtpPortMin', 20_000],
    [{ env: { OFFHOOK_SOUND_HANDSET_PLAYDB: '-3.5' } }, 'sound.handset.playDb', -3.5],
    [{ set: ['calls.doNotDisturb=yes'] }, 'calls.doNotDisturb', true],
    [{ set: ['media.codecs=PCMU, opus'] }, 'media.codecs', ['PCMU', 'opus']],
    [{ set: ['media.codecs=["PCMA"]'] }, 'media.codecs', ['PCMA']],
    [{ set: ['dialing.plan=[2-5]xx,0T'] }, 'dialing.plan', ['[2-5]xx', '0T']],
    [{ set: ['dialing.plan=["[2-5]xx"]'] }, 'dialing.plan', ['[2-5]xx']],
    [{ set: ['sip.allowAddresses='] }, 'sip.allowAddresses', []],
    [{ set: ['sip.allowAddresses.0=10.0.0.1', 'sip.allowAddresses.1=10.0.0.2'] }, 'sip.allowAddresses', ['10.0.0.1', '10.0.0.2']],
    [{ set: ['phone.name=5'] }, 'phone.name', '5'],
    [{ set: ['phone.name=a=b'] }, 'phone.name', 'a=b'],
    [{ set: ['accounts.0.user=201', 'accounts.0.server=pbx'] }, 'accounts', [{ ...account, user: '201', server: 'pbx' }]],
    [{ env: { OFFHOOK_ACCOUNTS_0_SERVER: 'pbx', OFFHOOK_ACCOUNTS_0_AUTH_USER: 'x', OFFHOOK_ACCOUNTS_0_USER: '7' } }, 'accounts', [{ ...account, user: '7', server: 'pbx', authUser: 'x' }]],
    [{ set: ['accounts=[{"user":"5","server":"pbx"}]'] }, 'accounts', [{ ...account, user: '5', server: 'pbx' }]],
    [{ set: ['intercom.allow.0.caller=201'] }, 'intercom.allow', [{ caller: '201', password: '' }]],
    [{ set: ['dialing.speedDial.1=201', 'dialing.speedDial.2=sip:door@192.168.1.9'] }, 'dialing.speedDial', { 1: '201', 2: 'sip:door@192.168.1.9' }],
    [{ set: ['dialing.speedDial=1=201,2=202'] }, 'dialing.speedDial', { 1: '201', 2: '202' }],
    [{ set: ['hardware.pins.hook=4', 'hardware.pins.rows=[5,6]'] }, 'hardware.pins', { hook: 4, rows: [5, 6] }],
    [{ set: ['media.rtpPortMin=40000', 'media.rtpPortMax=40100'] }, 'media.rtpPortMin', 40_000],
  ];
  for (const [overrides, key, value] of rows) {
    test(JSON.stringify(overrides), async () => {
      const store = await open(withFile('[sip]\nport = 5090\n'), overrides);
      expect(store.problems).toEqual([]);
      expect(key.split('.').reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], store.settings)).toEqual(value);
    });
  }

  const faults: readonly [Overrides, { key: string; reason: string; from: string }][] = [
    [{ set: ['sip.port=abc'] }, { key: 'sip.port', reason: '0 to 65535', from: 'command line' }],
    [{ set: ['sip.prot=5'] }, { key: 'sip.prot', reason: 'no such setting; perhaps sip.port', from: 'command line' }],
    [{ set: ['spi.port=5'] }, { key: 'spi.port', reason: 'no such setting; perhaps sip', from: 'command line' }],
    [{ set: ['sip=5'] }, { key: 'sip', reason: 'is a group of settings; name one of them', from: 'command line' }],
    [{ set: ['nonsense'] }, { key: 'nonsense', reason: 'should be key=value, as in sip.port=5070', from: 'command line' }],
    [{ set: ['accounts.3.user=1'] }, { key: 'accounts.3.user', reason: 'there is no accounts.0 yet', from: 'command line' }],
    [{ set: ['accounts.x.user=1'] }, { key: 'accounts.x.user', reason: 'no such setting', from: 'command line' }],
    [{ set: ['media.rtpPortMin=40000'] }, { key: 'media.rtpPortMax', reason: 'above the lowest RTP port (40000), with room for an even port and the next', from: 'command line' }],
    [{ env: { OFFHOOK_SIP_PROT: '5' } }, { key: 'OFFHOOK_SIP_PROT', reason: 'no such setting', from: 'environment' }],
    [{ env: { OFFHOOK_SIP_TCP: 'maybe' } }, { key: 'sip.tcp', reason: 'true or false', from: 'environment' }],
  ];
  for (const [overrides, problem] of faults) {
    test(`${JSON.stringify(overrides)} is named and changes nothing`, async () => {
      const store = await open(new FakeFiles(), overrides);
      expect(store.problems).toEqual([problem]);
      expect(store.settings).toEqual(defaults());
    });
  }

  test('names that are no settings may be excepted', async () => {
    const store = await open(new FakeFiles(), { env: { OFFHOOK_STATE: '/x', OFFHOOK_HERE: '1', PATH: '/bin' }, notSettings: ['OFFHOOK_HERE'] });
    expect(store.problems).toEqual([]);
  });

  test('what is fixed is never written to the file, stays in force, and cannot be changed on the page', async () => {
    const files = new FakeFiles();
    const store = await open(files, { set: ['sip.port=5071', 'accounts.0.user=1', 'accounts.0.server=pbx'] });
    expect(await store.change({ sip: { port: 6000 } })).toEqual({ ok: false, problems: [{ key: 'sip.port', reason: 'is fixed on the command line; change it there' }] });
    expect((await store.change({ accounts: [{ ...account, user: '5', server: 'other' }] })).ok).toBe(false);
    expect(await store.change({ phone: { name: 'Hall' } })).toEqual({ ok: true, changed: ['phone.name'] });
    expect(files.text(FILE)).not.toMatch(/port|accounts/);
    expect(store.settings.sip.port).toBe(5071);
  });
});

test('secrets leave a copy for others, named where one is set', async () => {
  const store = await open(new FakeFiles());
  await store.change({ accounts: [{ ...account, user: '1', server: 'a', password: 'hush' }, { ...account, user: '2', server: 'a' }], intercom: { allow: [{ caller: '5', password: 'shh' }] } });
  const { settings, set } = redacted(store.settings);
  expect(JSON.stringify(settings)).not.toMatch(/hush|shh/);
  expect(set).toEqual(['accounts.0.password', 'intercom.allow.0.password']);
  expect(settings.accounts[0]!.user).toBe('1');
  expect(store.settings.accounts[0]!.password).toBe('hush');
});

test('whatever text and numbers the check lets through come back from the file as they were', async () => {
  const line = fc.string({ maxLength: 40, unit: 'binary' }).filter((t) => !/[\0-\x1f\x7f]/.test(t));
  const patches = fc.record({
    phone: fc.record({ name: line }),
    accounts: fc.array(fc.record({ user: fc.stringMatching(/^[a-z0-9]{1,5}$/), server: fc.constant('pbx'), password: line, authUser: line, register: fc.boolean(), expiresS: fc.integer({ min: 30, max: 86_400 }) }), { maxLength: 3 }),
    sound: fc.record({ handset: fc.record({ playDb: fc.double({ min: -40, max: 20, noNaN: true }).map((db) => db + 0) }) }),
    dialing: fc.record({ speedDial: fc.dictionary(fc.stringMatching(/^[0-9*#]{1,4}$/), line.filter((t) => t !== '')), plan: fc.array(fc.constantFrom('[2-5]xx', '<9:>x.', '!1900')) }),
  });
  let saved = 0;
  await fc.assert(fc.asyncProperty(patches, async (patch) => {
    const files = new FakeFiles();
    const store = await open(files);
    if (!(await store.change(patch as unknown as Patch)).ok) return; // two accounts of one name, say
    saved++;
    const again = await open(files);
    expect(again.problems).toEqual([]);
    expect(again.settings).toEqual(store.settings);
  }), { numRuns: 300 });
  expect(saved).toBeGreaterThan(200);
}, 60_000); // 300 rounds: a second alone, more than five beside other work

describe('on a real disk', () => {
  let dir = '';
  beforeEach(async () => { dir = await mkdtemp(`${tmpdir()}/offhook-store-`); });
  afterEach(async () => { await rm(dir, { recursive: true }); });

  test('the file is for its owner alone, even over the open temp file of a killed writer', async () => {
    await writeFile(`${dir}/settings.toml.tmp`, 'half', { mode: 0o666 });
    const store = await openStore({ files: systemFiles() }, dir);
    await store.change({ sip: { port: 5070 } });
    expect((await stat(`${dir}/settings.toml`)).mode & 0o777).toBe(0o600);
    expect((await readdir(dir)).sort()).toEqual(['settings.toml', 'settings.toml.good']);
    expect(await readFile(`${dir}/settings.toml`, 'utf8')).toContain('port = 5070');
  });

  test('many writes at once end with the last one whole', async () => {
    const files = systemFiles();
    await Promise.all(Array.from({ length: 20 }, (_, i) => files.writeAtomic(`${dir}/x`, `${i}`.repeat(5_000))));
    expect(await readFile(`${dir}/x`, 'utf8')).toBe('19'.repeat(5_000));
    expect(await readdir(dir)).toEqual(['x']);
  });

  test('what does not exist is undefined or empty', async () => {
    const files = systemFiles();
    expect(await files.read(`${dir}/none`)).toBeUndefined();
    expect(await files.read(`${dir}/none/none`)).toBeUndefined();
    expect(await files.list(`${dir}/none`)).toEqual([]);
    expect(await files.exists(`${dir}/none`)).toBe(false);
    await files.remove(`${dir}/none`);
    await files.append(`${dir}/log`, 'a\n');
    await files.append(`${dir}/log`, 'b\n');
    expect((await files.read(`${dir}/log`))?.toString()).toBe('a\nb\n');
  });

  test('a write that fails leaves the old contents and rejects', async () => {
    const files = systemFiles();
    await expect(files.writeAtomic(`${dir}/none/x`, 'a')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
