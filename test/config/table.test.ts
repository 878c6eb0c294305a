import { expect, test } from 'vitest';
import { leaves } from '../../src/config/layers.ts';
import { settingsTable } from '../../src/config/table.ts';

test('every setting has a row, with its default and when a change works', () => {
  const table = settingsTable();
  for (const key of leaves().filter((k) => !['accounts', 'intercom.allow', 'paging.listen', 'exchange.users', 'exchange.groups'].includes(k))) expect(table).toContain(`| \`${key}\` |`);
  expect(table).toContain('| `sip.port` | `5060` | 0 to 65535 | UDP and TCP port; 0 takes any free one. | on restart |');
  expect(table).toContain('| `accounts.0.user` |');
  for (const line of table.trimEnd().split('\n')) expect(line.replaceAll('\\|', '').split('|')).toHaveLength(7);
});
