import { expect, test } from 'vitest';
import { hostOf, userOf } from '../../src/phone/addresses.ts';

test.each([
  ['sip:200@pbx.example:5070;x=1', '200', 'pbx.example'], ['SIPS:a;phone-context=b@[2001:db8::1]', 'a', '2001:db8::1'], ['<sip:a:secret@h>', 'a', 'h'], ['a@h', 'a', 'h'], ['sip:h', '', 'h'], ['sip:@h', '', 'h'], ['tel:112', '', 'tel'],
])('%s: user "%s" at "%s"', (address, user, host) => {
  expect([userOf(address), hostOf(address)]).toEqual([user, host]);
});

test('60,000 characters that a caller has for a Diversion are read in a moment', () => {
  const before = process.cpuUsage();
  for (const one of ['a', ' ', '<', '=']) userOf(one.repeat(60_000));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000, 'ms of the processor').toBeLessThan(400);
});
