import { expect, test } from 'vitest';
import { asHostName, hostOf, isNear, isOurHost, isOurPage } from '../../src/web/guard.ts';

test('near are loopback, link-local and private addresses, and no others (RFC 1918, 3927, 4193, 4291)', () => {
  for (const near of ['127.0.0.1', '127.9.9.9', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.4.5', '169.254.1.1', '::1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fd00::1', 'fc12:3::4', '::ffff:10.0.0.1', '::FFFF:192.168.0.1']) {
    expect([near, isNear(near)]).toEqual([near, true]);
  }
  for (const far of ['8.8.8.8', '172.32.0.1', '172.15.0.1', '192.169.0.1', '100.64.0.1', '11.0.0.1', '2001:db8::1', '::ffff:8.8.8.8', 'fec0::1', 'fd::1', '::', '', 'localhost', '10.0.0']) {
    expect([far, isNear(far)]).toEqual([far, false]);
  }
});

test('the host of a Host header is read without port, brackets and last dot', () => {
  const rows: readonly [string | undefined, string | undefined][] = [
    ['192.168.1.20:8080', '192.168.1.20'], ['[::1]:8080', '::1'], ['[fe80::1]', 'fe80::1'], ['Phone.Local.', 'phone.local'], ['hall:80', 'hall'],
    [undefined, undefined], ['', undefined], ['a b', undefined], ['evil.example/x', undefined], ['x:y', undefined], ['::1', undefined],
  ];
  for (const [header, host] of rows) expect([header, hostOf(header)]).toEqual([header, host]);
});

test('a name that was turned to our address is not ours', () => {
  const names = ['hall', 'front-door'];
  for (const ours of ['127.0.0.1', '10.0.0.5:8080', '[::1]:8080', 'localhost:8080', 'hall', 'FRONT-DOOR:80', 'offhook.local', 'x.localhost']) expect([ours, isOurHost(ours, names)]).toEqual([ours, true]);
  for (const other of ['evil.example', 'hall.evil.example', 'local', 'evillocal', '127.0.0.1.evil.example', '', undefined]) expect([other, isOurHost(other, names)]).toEqual([other, false]);
});

test('a change must come from a page of the same origin, where the browser says so', () => {
  const host = '10.0.0.5:8080';
  expect(isOurPage({ host })).toBe(true);
  expect(isOurPage({ host, origin: 'http://10.0.0.5:8080', 'sec-fetch-site': 'same-origin' })).toBe(true);
  for (const origin of ['http://evil.example', 'http://10.0.0.5', 'http://10.0.0.5:8081', 'null', '']) expect(isOurPage({ host, origin })).toBe(false);
  expect(isOurPage({ host, 'sec-fetch-site': 'cross-site' })).toBe(false);
  expect(isOurPage({ host, 'sec-fetch-site': 'same-site' })).toBe(false);
});

test('the name of the phone becomes a host name', () => {
  expect(asHostName('Front Door')).toBe('front-door');
  expect(asHostName('!')).toBe('');
});
