import { describe, expect, test } from 'vitest';
import { openStore, type Overrides, type Patch } from '../../src/config/store.ts';
import type { AccountSettings } from '../../src/config/types.ts';
import { keepHash } from '../../src/main/keep-hash.ts';
import { DigestClient } from '../../src/sip/digest.ts';
import { parseMessage, type Message } from '../../src/sip/message.ts';
import { FakeFiles } from '../fakes/files.ts';
import { FakeLog } from '../fakes/log.ts';
import { FakeRandom } from '../fakes/random.ts';
import { accountSettings } from '../phone/settings.ts';

const challenged = (realm: string): Message => parseMessage(Buffer.from(
  `SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nWWW-Authenticate: Digest realm="${realm}", nonce="n", qop="auth"\r\nContent-Length: 0\r\n\r\n`)) as Message;

/** A phone whose account has `more` in the settings file, written by the phone, and was confirmed by a server of `realm`. */
async function confirmed(more: Partial<AccountSettings> = {}, { realm = 'pbx', overrides = {} as Overrides, handwritten = false } = {}) {
  const files = new FakeFiles(), log = new FakeLog(), account = { ...accountSettings({}), user: '201', server: 'pbx', password: 'secret', ...more };
  const first = await openStore({ files }, '/state');
  await first.change({ accounts: [account] } as Patch);
  if (handwritten) files.contents.set('/state/settings.toml', Buffer.from(`# mine\n${files.text('/state/settings.toml')}`));
  const store = await openStore({ files }, '/state', overrides);
  const credentials = new DigestClient(new FakeRandom(1), '201', 'secret');
  credentials.learn(challenged(realm));
  const kept = { settings: store.settings.accounts[0] as AccountSettings };
  return { files, store, log, kept, keep: () => keepHash(store, log, credentials, kept) };
}

test('the hash of a confirmed password takes its place, in the file and its copy, and the telephone knows before it hears of the change', async () => {
  const { files, store, kept, keep } = await confirmed();
  let atChange: unknown;
  store.subscribe((_, now) => { atChange = [now.accounts[0], kept.settings]; });
  await keep();
  expect(store.settings.accounts).toMatchObject([{ password: '', ha1: expect.stringMatching(/^SHA-512-256:pbx:[\da-f]{64} SHA-256:pbx:[\da-f]{64} MD5:pbx:[\da-f]{32}$/) }]);
  for (const name of ['settings.toml', 'settings.toml.good']) expect(files.text(`/state/${name}`)).not.toContain('secret');
  expect(atChange).toEqual([kept.settings, kept.settings]);
  expect(store.problems).toEqual([]);
  expect((await openStore({ files }, '/state')).problems).toEqual([]);
});

describe('the password stays as given', () => {
  const stays = async (world: Awaited<ReturnType<typeof confirmed>>) => {
    const before = world.files.text('/state/settings.toml');
    await world.keep();
    expect(world.files.text('/state/settings.toml')).toBe(before);
    expect(world.kept.settings.password).toBe('secret');
  };
  test('where the file was written by hand: what else stands in it would be lost', async () => stays(await confirmed({}, { handwritten: true })));
  test('where there is a second server, whose realm may be another', async () => stays(await confirmed({ backupServer: 'spare' })));
  test('where accounts are given on the command line or in the environment', async () => stays(await confirmed({}, { overrides: { set: ['accounts.0.displayName=Anna'] } })));
  test('where the realm cannot be written', async () => stays(await confirmed({}, { realm: 'a\\"b' })));
  test('when it was given once more though its hash was there: a realm that only calls meet asked for it', async () => {
    const first = await confirmed();
    await first.keep();
    const again = await confirmed({ ha1: first.kept.settings.ha1 });
    await stays(again);
    expect(again.log.facts().includes('password stays as given: its hash did not do')).toBe(true);
  });
  test('when the settings of the account changed meanwhile: who changed them is not overruled', async () => {
    const { store, kept, keep } = await confirmed();
    const before = kept.settings;
    await store.change({ accounts: [{ ...before, password: 'newer' }] } as Patch);
    await keep();
    expect(store.settings.accounts).toMatchObject([{ password: 'newer', ha1: '' }]);
    expect(kept.settings).toBe(before);
  });
  test('when the disk refuses', async () => {
    const world = await confirmed();
    world.files.refuse = new Error('read-only');
    await stays(world);
  });
});

test('another password, or another realm: the new hashes take the place of the old', async () => {
  const { store, keep } = await confirmed({ ha1: `MD5:old:${'0'.repeat(32)}` });
  await keep();
  expect(store.settings.accounts[0]!.ha1).not.toContain('old');
  expect(store.settings.accounts[0]!.password).toBe('');
});
