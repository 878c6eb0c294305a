import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { settings as make } from './settings.ts';
import type { Settings } from '../../src/config/types.ts';
import { admit } from '../../src/phone/admission.ts';
import { within } from '../../src/phone/nets.ts';
import type { Account, Source } from '../../src/sip/agent-types.ts';

const settings = (sip: Partial<Settings['sip']>, intercom: Partial<Settings['intercom']> = {}): Settings => make({ sip, intercom });
const from = (host: string, more: Partial<Source> = {}): Source => ({ peer: { host, port: 5060 }, transport: 'udp', registeredServer: undefined, authenticated: undefined, ...more });
const account = { id: 'a' } as Account;

describe('who may call in', () => {
  const rows: readonly (readonly [what: string, source: Source, sip: Partial<Settings['sip']>, outcome: string])[] = [
    ['a stranger does not', from('198.51.100.9'), {}, 'not from a server this phone is registered at'],
    ['the registered server does', from('192.0.2.1', { registeredServer: account }), {}, 'registered server'],
    ['a listed address does', from('192.168.1.44'), { allowAddresses: ['192.168.1.0/24'] }, 'listed address'],
    ['an address beside the listed network does not', from('192.168.2.44'), { allowAddresses: ['192.168.1.0/24'] }, 'not from a server this phone is registered at'],
    ['the registered server does not where only listed addresses may', from('192.0.2.1', { registeredServer: account }), { acceptFrom: 'listed' }, 'not a listed address'],
    ['a listed server does', from('192.0.2.1', { registeredServer: account }), { acceptFrom: 'listed', allowAddresses: ['192.0.2.1'] }, 'listed address'],
    ['anyone does where the owner says so', from('198.51.100.9'), { acceptFrom: 'anyone' }, 'anyone may call'],
    ['a caller that proved itself does', from('198.51.100.9', { authenticated: 'door' }), {}, 'authenticated'],
    ['loopback is no exception', from('127.0.0.1'), {}, 'not from a server this phone is registered at'],
  ];
  for (const [what, source, sip, outcome] of rows) {
    test(what, () => expect(admit(source, '201', settings(sip))).toMatchObject({ why: outcome }));
  }
  test('strangers get 403, which tells a scanner that repeating is of no use (RFC 3261 §21.4.4)', () => {
    expect(admit(from('198.51.100.9'), '201', settings({}))).toMatchObject({ let: 'out', status: 403 });
  });
  test('our own built-in line does, from its very port', () => {
    const builtIn = { host: '127.0.0.1', port: 5070 };
    expect(admit({ ...from('127.0.0.1'), peer: builtIn }, '', settings({}), builtIn)).toMatchObject({ let: 'in', trusted: false });
    expect(admit(from('127.0.0.1'), '', settings({}), builtIn)).toMatchObject({ let: 'out' });
  });
  test('a claimed name with a password on the intercom list has to prove it, while the intercom is on', () => {
    const allow = [{ caller: 'door@example.org', password: 'x' }, { caller: '201', password: '' }];
    expect(admit(from('198.51.100.9'), 'door', settings({}, { enabled: true, allow }))).toEqual({ let: 'prove' });
    expect(admit(from('198.51.100.9'), 'door', settings({}, { enabled: false, allow })).let).toBe('out');
    expect(admit(from('198.51.100.9'), '201', settings({}, { enabled: true, allow })).let).toBe('out');
  });
  test('anyone and the built-in line are never trusted to be answered by themselves', () => {
    expect(admit(from('198.51.100.9'), '', settings({ acceptFrom: 'anyone' }))).toMatchObject({ trusted: false });
  });
});

describe('networks', () => {
  const rows: readonly (readonly [host: string, net: string, inside: boolean])[] = [
    ['192.168.1.9', '192.168.1.9', true], ['192.168.1.9', '192.168.1.8', false], ['192.168.1.9', '192.168.1.8/31', true],
    ['10.255.0.1', '10.0.0.0/8', true], ['11.0.0.1', '10.0.0.0/8', false], ['1.2.3.4', '0.0.0.0/0', true], ['172.20.0.1', '172.16.0.0/12', true],
    ['172.32.0.1', '172.16.0.0/12', false], ['192.168.1.128', '192.168.1.0/25', false], ['192.168.1.127', '192.168.1.0/25', true],
    ['::ffff:192.168.1.9', '192.168.1.0/24', true], ['2001:db8::1', '2001:db8::/32', true], ['2001:db9::1', '2001:db8::/32', false],
    ['fe80::1%eth0', 'fe80::/10', true], ['::1', '::1', true], ['::1', '0:0:0:0:0:0:0:1', true], ['2001:DB8::A', '2001:db8:0::a', true],
    ['192.168.1.9', '::/0', false], ['::1', '0.0.0.0/0', false], ['192.168.1.9', '192.168.1.0/33', false], ['192.168.1.9', '999.168.1.0/8', false],
    ['1.2.3.4', '1.2.3.4/x', false], ['::1', ':::/0', false], ['example.org', '0.0.0.0/0', false], ['1:2:3:4:5:6:7:8:9', '::/0', false],
  ];
  for (const [host, net, inside] of rows) test(`${host} is ${inside ? 'in' : 'not in'} ${net}`, () => expect(within(host, net)).toBe(inside));

  test('an address lies in a network exactly when their first bits are equal', () => {
    const address = fc.integer({ min: 0, max: 0xffff_ffff });
    const dotted = (n: number) => [24, 16, 8, 0].map((s) => n >>> s & 255).join('.');
    fc.assert(fc.property(address, address, fc.integer({ min: 0, max: 32 }), (a, b, length) => {
      const same = length === 0 || a >>> (32 - length) === b >>> (32 - length);
      expect(within(dotted(a), `${dotted(b)}/${length}`)).toBe(same);
    }));
  });
  test('any text at all is no error', () => {
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => { expect(typeof within(a, b)).toBe('boolean'); }));
  });
});
