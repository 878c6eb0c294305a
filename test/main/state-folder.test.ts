import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { stateFolder } from '../../src/main/state-folder.ts';

test.each([
  [undefined, {}, '/home/a/.local/state/offhook'],
  [undefined, { XDG_STATE_HOME: '/var/x' }, '/var/x/offhook'],
  [undefined, { XDG_STATE_HOME: '' }, '/home/a/.local/state/offhook'],
  [undefined, { XDG_STATE_HOME: 'here' }, '/home/a/.local/state/offhook'],
  [undefined, { XDG_STATE_HOME: '/var/x', OFFHOOK_STATE: '/var/lib/offhook' }, '/var/lib/offhook'],
  [undefined, { OFFHOOK_STATE: '' }, '/home/a/.local/state/offhook'],
  ['mine', { OFFHOOK_STATE: '/var/lib/offhook' }, resolve('mine')],
])('--state %s with %j is %s', (given, env, folder) => {
  expect(stateFolder(given, env, '/home/a')).toBe(folder);
});
