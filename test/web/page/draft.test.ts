import { expect, test } from 'vitest';
import { schemaRoot } from '../../../src/config/check.ts';
import { defaults } from '../../../src/config/layers.ts';
import { changesOf, draftOf, freshEntry, put, troubleAt, type Node, type Tree } from '../../../src/web/page/draft.ts';
import type { SettingsView } from '../../../src/web/types.ts';
import { accountSettings } from '../../phone/settings.ts';

const root = schemaRoot as Node;
const values = { ...defaults(), accounts: [{ user: '1', password: '' }, { user: '2', password: '' }] } as unknown as Tree;
const view: SettingsView = { revision: 1, values, set: ['accounts.1.password'], fixed: {}, schema: root, canRestart: false };

test('a secret that is set stands in the form as the place it is kept at', () => {
  expect((draftOf(view)['accounts'] as Tree[]).map((a) => a['password'])).toEqual(['', { keep: 1 }]);
  expect(view.values).toBe(values);
});

test('only what was changed is sent, nested; a list goes whole', () => {
  const before = draftOf(view);
  expect(changesOf(root, before, before)).toEqual({ changes: {}, keys: [] });
  const after = put(put(put(before, 'sip.port', 5070), 'sound.handset.playDb', 3), 'accounts.1.user', '3');
  expect(changesOf(root, before, after)).toEqual({
    keys: ['accounts', 'sip.port', 'sound.handset.playDb'],
    changes: { sip: { port: 5070 }, sound: { handset: { playDb: 3 } }, accounts: [{ user: '1', password: '' }, { user: '3', password: { keep: 1 } }] },
  });
  expect(changesOf(root, before, put(after, 'accounts', before['accounts'])).keys).toEqual(['sip.port', 'sound.handset.playDb']);
});

test('what is wrong is shown at its field, in a list with the line and in a table with the name', () => {
  const problems = [{ key: 'sip.port', reason: '0 to 65535' }, { key: 'dialing.plan.1', reason: '[ without ]' }, { key: 'dialing.speedDial.x', reason: 'no' }, { key: 'accounts.0.server', reason: 'host' }];
  const node = (group: string, name: string) => root.properties![group]!.properties![name]!;
  expect(troubleAt(problems, 'sip.port', node('sip', 'port'))).toBe('0 to 65535');
  expect(troubleAt(problems, 'dialing.plan', node('dialing', 'plan'))).toBe('line 2: [ without ]');
  expect(troubleAt(problems, 'dialing.speedDial', node('dialing', 'speedDial'))).toBe('x: no');
  expect(troubleAt(problems, 'accounts', root.properties!['accounts']!)).toBe('');
  expect(troubleAt(problems, 'accounts.0.server', root.properties!['accounts']!.items!.properties!['server']!)).toBe('host');
});

test('a new account has every field with its default', () => {
  expect(freshEntry(root.properties!['accounts']!.items!)).toEqual(accountSettings({}));
});
