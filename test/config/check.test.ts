import { describe, expect, test } from 'vitest';
import { problems, type Problem } from '../../src/config/check.ts';
import { defaults, withValue, type Tree } from '../../src/config/layers.ts';
import type { Settings } from '../../src/config/schema.ts';
import { accountSettings } from '../phone/settings.ts';

const account = accountSettings({ user: '201', server: 'pbx.example', password: 'x' });
const member = (user: string) => ({ user, password: 'x', displayName: '', digest: 'SHA-256 and MD5', forward: '', busyForward: '', noAnswerForward: '' });

/** The defaults with single values changed. */
const settingsWith = (changes: Readonly<Record<string, unknown>>): Settings =>
  Object.entries(changes).reduce<unknown>((tree, [key, value]) => withValue(tree as Tree, key.split('.'), value), defaults()) as Settings;

test('the defaults are right', () => {
  expect(problems(defaults())).toEqual([]);
});

describe('a wrong value is named with its dotted key and what would be right', () => {
  const rows: readonly [changes: Readonly<Record<string, unknown>>, ...expected: Problem[]][] = [
    [{ 'sip.port': -5 }, { key: 'sip.port', reason: '0 to 65535' }],
    [{ 'sip.port': 70_000 }, { key: 'sip.port', reason: '0 to 65535' }],
    [{ 'sip.port': 5060.5 }, { key: 'sip.port', reason: '0 to 65535, a whole number' }],
    [{ 'sip.port': '5060' }, { key: 'sip.port', reason: '0 to 65535' }],
    [{ 'sip.port': Number.NaN }, { key: 'sip.port', reason: '0 to 65535' }],
    [{ 'sound.handset.playDb': 90 }, { key: 'sound.handset.playDb', reason: '-40 to 20 dB' }],
    [{ 'media.ptimeMs': '25' }, { key: 'media.ptimeMs', reason: 'one of 10, 20, 40, 60' }],
    [{ 'calls.holdMusic': '../secret.wav' }, { key: 'calls.holdMusic', reason: 'off, tone, or the name of a WAV file without a folder' }],
    [{ 'sound.ringTones': { normal: '/etc/x.wav' } }, { key: 'sound.ringTones.normal', reason: 'bell, warble, trill, chime, marimba, buzzer, or the name of a WAV file without a folder' }],
    [{ 'phone.name': 'a\r\nb' }, { key: 'phone.name', reason: 'one line of text' }],
    [{ 'phone.name': 'a\0b' }, { key: 'phone.name', reason: 'one line of text' }],
    [{ 'phone.name': 'half \ud83d' }, { key: 'phone.name', reason: 'one line of text' }],
    [{ 'phone.name': 'x'.repeat(65) }, { key: 'phone.name', reason: 'at most 64 characters' }],
    [{ 'calls.waiting': 'yes' }, { key: 'calls.waiting', reason: 'true or false' }],
    [{ 'sip.host': '1.2.3.400' }, { key: 'sip.host', reason: 'no such address' }],
    [{ 'sip.allowAddresses': ['10.0.0.0/33'] }, { key: 'sip.allowAddresses.0', reason: 'the part after / must be 0 to 32' }],
    [{ 'sip.allowAddresses': ['fd00::/64', '10.0.0.256'] }, { key: 'sip.allowAddresses.1', reason: 'no such address' }],
    [{ 'sip.allowAddresses': Array.from({ length: 101 }, () => '10.0.0.1') }, { key: 'sip.allowAddresses', reason: 'at most 100 entries' }],
    [{ 'sip.nameServers': ['192.0.2.1:0'] }, { key: 'sip.nameServers.0', reason: 'the port must be 1 to 65535' }],
    [{ 'sip.nameServers': ['256.0.2.1'] }, { key: 'sip.nameServers.0', reason: 'no such address' }],
    [{ 'sip.nameServers': ['dns.example'] }, { key: 'sip.nameServers.0', reason: 'an IP address, optionally :port' }],
    [{ 'sip.colour': 'red' }, { key: 'sip.colour', reason: 'no such setting' }],
    [{ 'sip.prot': 5 }, { key: 'sip.prot', reason: 'no such setting; perhaps sip.port' }],
    [{ 'media.codecs': [] }, { key: 'media.codecs', reason: 'at least one codec' }],
    [{ 'media.codecs': ['PCMU', 'PCMU'] }, { key: 'media.codecs', reason: 'each codec once' }],
    [{ 'media.rtpPortMin': 40_000 }, { key: 'media.rtpPortMax', reason: 'above the lowest RTP port (40000), with room for an even port and the next' }],
    [{ 'media.jitterMinMs': 200, 'media.jitterMaxMs': 100 }, { key: 'media.jitterMaxMs', reason: 'not less than the least jitter buffer (200 ms)' }],
    [{ 'hardware.flashMinMs': 400, 'hardware.flashMaxMs': 300 }, { key: 'hardware.flashMaxMs', reason: 'more than the shortest flash (400 ms)' }],
    [{ 'web.port': 5060 }, { key: 'web.port', reason: 'SIP over TCP already uses this port' }],
    [{ 'dialing.plan': ['[2-'] }, { key: 'dialing.plan.0', reason: 'the range at 3 goes nowhere' }],
    [{ 'dialing.plan': ['xx', '<9'] }, { key: 'dialing.plan.1', reason: '< without >' }],
    [{ 'dialing.plan': ['.'] }, { key: 'dialing.plan.0', reason: '. repeats what stands before it' }],
    [{ 'dialing.speedDial': { hello: '201' } }, { key: 'dialing.speedDial.hello', reason: '“hello” cannot stand on the left side' }],
    [{ 'dialing.speedDial': { 1: '' } }, { key: 'dialing.speedDial.1', reason: 'must not be empty' }],
    [{ 'hardware.pins': { hook: 'x' } }, { key: 'hardware.pins.hook', reason: 'a pin number from 0 to 1023, or a list of them' }],
    [{ 'hardware.pins': { lmap: 4 } }, { key: 'hardware.pins.lmap', reason: '“lmap” cannot stand on the left side; known are hook, invertedHook, rows, columns, pulse, offNormal, bell, lamp, relay, privacy' }],
    [{ 'sound.handset.device': 'tone:10' }, { key: 'sound.handset.device', reason: 'a tone has at least 20 Hz' }],
    [{ 'sound.handset.device': 'alsa:a|b|c' }, { key: 'sound.handset.device', reason: 'at most two names: what is heard from, what is played to' }],
    [{ 'sound.ringer.device': 'wav:' }, { key: 'sound.ringer.device', reason: 'wav: needs a name' }],
    [{ 'sound.speaker.device': 'arecord:|' }, { key: 'sound.speaker.device', reason: 'arecord: needs a name' }],
    [{ accounts: [{ ...account, server: 'pbx.example:99999' }] }, { key: 'accounts.0.server', reason: 'the port must be 1 to 65535' }],
    [{ accounts: [{ ...account, backupServer: 'b:0' }] }, { key: 'accounts.0.backupServer', reason: 'the port must be 1 to 65535' }],
    [{ accounts: [{ ...account, ha1: 'secret' }] }, { key: 'accounts.0.ha1', reason: 'empty, or algorithm:realm:hash with 32 hex digits for MD5, 64 for SHA-256 and SHA-512-256; several with a space between' }],
    [{ accounts: [{ ...account, ha1: `SHA-256:asterisk:${'0'.repeat(32)}` }] }, { key: 'accounts.0.ha1', reason: 'empty, or algorithm:realm:hash with 32 hex digits for MD5, 64 for SHA-256 and SHA-512-256; several with a space between' }],
    [{ accounts: [{ ...account, server: 'pbx example' }] }, { key: 'accounts.0.server', reason: 'a host name or address, optionally :port' }],
    [{ accounts: [{ ...account, server: '' }] }, { key: 'accounts.0.server', reason: 'where should this account register? Give the server, or turn Register off' }],
    [{ accounts: [account, { ...account }] }, { key: 'accounts.1.id', reason: 'account 1 is also called 201@pbx.example' }],
    [{ 'exchange.enabled': true, 'exchange.port': 5060 }, { key: 'exchange.port', reason: 'the phone itself already uses this port' }],
    [{ 'exchange.enabled': true, 'exchange.port': 5061, 'sip.tlsPort': 5061, 'sip.tlsCert': '/c' }, { key: 'exchange.port', reason: 'the phone itself already uses this port' }],
    [{ 'exchange.enabled': true, 'exchange.port': 8080 }, { key: 'web.port', reason: 'the exchange already uses this port' }],
    [{ 'exchange.enabled': true, 'exchange.wsPort': 5070 }, { key: 'exchange.port', reason: 'SIP, TLS and WebSocket have a port each' }],
    [{ 'exchange.tlsPort': 5061 }, { key: 'exchange.tlsCert', reason: 'phones that come over TLS want to see a certificate; name it, or let exchange.tlsPort and exchange.wssPort be 0' }],
    [{ 'exchange.wssPort': 8443 }, { key: 'exchange.tlsCert', reason: 'phones that come over TLS want to see a certificate; name it, or let exchange.tlsPort and exchange.wssPort be 0' }],
    [{ 'sip.tlsPort': 5060, 'sip.tlsCert': '/c' }, { key: 'sip.tlsPort', reason: 'SIP over TCP already uses this port' }],
    [{ 'sip.tlsPort': 8080, 'sip.tlsCert': '/c', 'sip.host': '0.0.0.0', 'web.host': '192.0.2.1' }, { key: 'web.port', reason: 'SIP over TLS already uses this port' }],
    [{ 'sip.tlsPort': 5061 }, { key: 'sip.tlsCert', reason: 'who connects by TLS wants to see a certificate; name it, or let sip.tlsPort be 0' }],
    [{ 'exchange.enabled': true, 'exchange.ownUser': '201', 'exchange.users': [member('201')], accounts: [{ ...account, id: 'exchange' }] }, { key: 'accounts.0.id', reason: 'the account of exchange.ownUser is already called exchange' }],
    [{ 'exchange.users': [member('201'), member('201')] }, { key: 'exchange.users', reason: '201 is there twice; each number once, of users and groups together' }],
    [{ 'exchange.users': [member('201')], 'exchange.groups': [{ number: '201', members: [], ring: 'all' }] }, { key: 'exchange.users', reason: '201 is there twice; each number once, of users and groups together' }],
    [{ 'exchange.ownUser': '201' }, { key: 'exchange.users', reason: 'this phone shall be 201, who is no user' }],
    [{ 'exchange.users': [member('')] }, { key: 'exchange.users.0.user', reason: 'a number or name as in 201 or anna, without spaces or @' }],
    [{ 'exchange.domain': 'a b' }, { key: 'exchange.domain', reason: 'a host name, or empty' }],
    [{ accounts: [account, { ...account, id: '201@pbx.example', user: '5' }] }, { key: 'accounts.1.id', reason: 'account 1 is also called 201@pbx.example' }],
  ];
  for (const [changes, ...expected] of rows) {
    test(JSON.stringify(changes).slice(0, 90), () => { expect(problems(settingsWith(changes))).toEqual(expected); });
  }
});

test('what is right is not refused', () => {
  expect(problems(settingsWith({
    accounts: [account, { ...account, server: '[2001:db8::1]:5062', user: '7', backupServer: 'spare:5062', ha1: `MD5:a realm: of ours:${'0f'.repeat(16)}` }, { ...account, user: '8', ha1: `sha-256:asterisk:${'AB'.repeat(32)}` }, { ...account, server: '', register: false, user: '' }],
    'sip.nameServers': ['192.0.2.1', '[2001:db8::1]:5353', '2001:db8::1'],
    'sip.allowAddresses': ['10.0.0.0/8', '2001:db8::/32', '::1', '::ffff:10.0.0.1', '1:2:3:4:5:6:7:8'],
    'dialing.plan': ['[2-5]xx', '<9:>x.', '!1900', '0T', '00x.T'],
    'dialing.speedDial': { 1: '201', '*9': 'sip:door@192.168.1.9' },
    'hardware.pins': { hook: 17, rows: [5, 6, 13, 26] },
    'web.port': 5060, 'sip.tcp': false, 'sip.tlsPort': 5061, 'sip.tlsCert': '/c', 'exchange.enabled': true, 'exchange.ownUser': '', 'exchange.port': 5061, 'exchange.host': '192.0.2.1', 'exchange.tlsPort': 5071, 'exchange.wssPort': 8443, 'exchange.tlsCert': '/c', 'sip.host': '192.0.2.2', 'web.host': '192.0.2.1',
    'sound.handset.device': 'alsa:|plughw:1,0', 'sound.speaker.device': 'wav:,/tmp/heard.wav', 'sound.ringer.device': 'tone:425',
  }))).toEqual([]);
});

test('a missing setting and a group that is none are named', () => {
  const { sip: _, ...rest } = defaults();
  expect(problems(rest)).toEqual([{ key: 'sip', reason: 'is missing' }]);
  expect(problems({ ...defaults(), web: 5 })).toEqual([{ key: 'web', reason: 'a group of settings' }]);
  expect(problems('nonsense')).toEqual([{ key: '', reason: 'a group of settings' }]);
});
