import { expect, test } from 'vitest';
import { faultsOf, numberOf } from '../../src/exchange/plan.ts';
import { user } from './house.ts';

test('settings that lead nowhere are told, a sentence each', () => {
  const settings = {
    domain: '', noAnswerS: 20, users: [user('201', { forward: '209', busyForward: '200' }), user('202', { password: '' })],
    groups: [{ number: '200', members: ['201', '203', '200'], ring: 'all' as const }],
  };
  expect(faultsOf(settings)).toEqual([
    'user 202 has no password and cannot register', 'user 201 is forwarded to 209, which is no number here',
    'group 200 has the member 203, who is no user', 'group 200 has the member 200, who is no user',
  ]);
});

test.each([['sip:201@h', '201'], ['sips:a%20b@h', 'a b'], ['tel:+1-(2).3;x=y', '+123'], ['http://x', ''], ['sip:h', '']])('the number in %s is "%s" (RFC 3966 §3)', (address, number) => {
  expect(numberOf(address)).toBe(number);
});
