import { expect, test } from 'vitest';
import { defaults } from '../../src/config/layers.ts';
import type { AccountSettings, Settings } from '../../src/config/types.ts';
import { networkOptions } from '../../src/main/reach.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';
import { accountSettings } from '../phone/settings.ts';

const account = (more: Partial<AccountSettings>): AccountSettings => accountSettings({ transport: 'tls', ...more });

const settings: Settings = {
  ...defaults(),
  accounts: [
    account({ server: 'A.example:5061', tlsVerify: 'off', wsPath: '/a' }), account({ server: 'far.example', proxy: '[2001:db8::1]:443', tlsVerify: 'wildcards', wsPath: '/b' }),
    account({ server: 'one.example', backupServer: 'two.example:5061', tlsVerify: 'off' }), account({ server: 'both.example', tlsVerify: 'off' }), account({ server: 'both.example:5071', tlsVerify: 'on' }),
  ],
};

test.each([
  ['a.example', 'off', '/a'], ['2001:db8::1', 'wildcards', '/b'],
  ['both.example', 'on', '/ws'], // the stricter of two
  ['two.example', 'off', '/ws'], // the account's second server
])('%s: checking %s, path %s', (name, checking, webSocketPath) => {
  expect(networkOptions(() => settings, new FakeClock(), new FakeLog()).server!(name)).toEqual({ checking, webSocketPath });
});

test.each(['far.example', 'stranger.example', ''])('nothing is said of %s: it is behind a proxy, or no account is there', (name) => {
  expect(networkOptions(() => settings, new FakeClock(), new FakeLog()).server!(name)).toBeUndefined();
});

test('files and mark are those of the settings, the files as they are now', () => {
  let now = settings;
  const { tls, dscp } = networkOptions(() => now, new FakeClock(), new FakeLog());
  now = { ...settings, sip: { ...settings.sip, tlsCa: '/ca', tlsCert: '/cert', tlsKey: '/key' } };
  expect([tls!(), dscp]).toEqual([{ ca: '/ca', cert: '/cert', key: '/key' }, 26]);
});
