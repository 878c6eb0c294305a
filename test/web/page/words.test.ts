import { describe, expect, test } from 'vitest';
import type { PhoneStatus } from '../../../src/phone/status.ts';
import { applyWords, callWords, clockTime, doorWords, heardThereWords, lineWords, qualityFigures, qualityWords, readiness, registeredWords, secrecyWords, silenceWords, soundedFigures, soundedWords, when } from '../../../src/web/page/words.ts';
import { restingPhone } from '../fake-phone.ts';

type Call = PhoneStatus['calls'][number];
type Registration = PhoneStatus['registrations'][number];
const call = (part: Partial<Call>): Call => ({ id: 'a', direction: 'out', state: 'established', remote: '201', remoteName: '', account: '', codec: 'PCMA', place: 'handset', seconds: 1, held: false, remoteHeld: false, muted: false, joined: false, recording: false, encrypted: false, suite: '', keysInClear: false, intercom: false, emergency: false, ...part });
const account = (part: Partial<Registration>): Registration => ({ account: '202@pbx', user: '202', server: 'pbx', second: false, state: 'registered', trouble: '', why: '', nextS: 1, ...part });

describe('the line in plain words', () => {
  const rows: readonly [Partial<PhoneStatus>, string, string][] = [
    [{}, 'Ready, without an account', 'Service codes and direct calls work. Give it an account to be called by number.'],
    [{ registrations: [account({})] }, 'Ready', 'Can be called at 202.'],
    [{ registrations: [account({})], doNotDisturb: true }, 'Ready', 'Can be called at 202. Do not disturb is on: callers hear busy.'],
    [{ registrations: [account({ second: true, server: 'spare' })] }, 'Ready', 'Can be called at 202. 202 is at its second server spare: the first does not answer.'],
    [{ registrations: [account({ state: 'trying' })] }, 'Registering', 'Asking pbx.'],
    [{ registrations: [account({ state: 'failed', why: 'wrong password', trouble: 'The server did not take the user and password.' })] }, 'Not registered', 'The server did not take the user and password.'],
    [{ registrations: [account({}), account({ account: 'b', server: 'other', state: 'failed', why: 'server silent' })] }, 'One account is not registered', 'other: server silent.'],
    [{ registrations: [account({ state: 'off' })] }, 'Ready, without an account', 'Service codes and direct calls work. Give it an account to be called by number.'],
    [{ hook: 'off', state: 'dial tone', tone: 'dial' }, 'Dial tone', 'Dial a number, or *43 to hear yourself.'],
    [{ hook: 'off', state: 'dial tone', tone: 'wrong password' }, 'Dial tone', 'The beeps say: wrong password. Service codes and direct calls still work.'],
    [{ hook: 'off', state: 'dial tone', tone: 'confirm' }, 'Dial tone', 'Done. Dial on, or hang up.'],
    [{ hook: 'off', state: 'dead line', tone: 'no account' }, 'The call could not be made: no account.', 'Hang up before the next call.'],
    [{ hook: 'off', state: 'collecting', dialled: '20' }, 'Dialling 20', 'A pause or # ends the number.'],
    [{ hook: 'off', state: 'calling', calls: [call({ state: 'calling' })] }, 'Calling 201', 'Waiting for the other side.'],
    [{ hook: 'off', state: 'calling', calls: [call({ state: 'ringing', remoteName: 'Kitchen' })] }, 'Calling Kitchen', 'It is ringing there.'],
    [{ state: 'ringing', calls: [call({ direction: 'in', state: 'ringing' })] }, '201 is calling', 'Lift the handset to answer.'],
    [{ hook: 'none', calls: [call({ direction: 'in', state: 'ringing', remote: '' })] }, 'an unknown caller is calling', ''],
    [{ hook: 'off', state: 'in call', calls: [call({})] }, 'Talking to 201', ''],
    [{ hook: 'off', state: 'in call', calls: [call({}), call({ id: 'b', remote: '202', held: true })] }, 'Talking to 201', '202 is on hold.'],
    [{ hook: 'off', state: 'in call', calls: [call({}), call({ id: 'b', remote: '203', direction: 'in', state: 'ringing' })] }, 'Talking to 201', '203 is calling too; flash to take it.'],
    [{ hook: 'off', state: 'in call', calls: [call({ remoteHeld: true })] }, 'Talking to 201', 'The other side put you on hold.'],
    [{ state: 'speaker', calls: [call({ intercom: true, direction: 'in' })] }, 'Intercom with 201', ''],
    [{ hook: 'off', state: 'dial tone', calls: [call({ held: true })] }, '201 is on hold', 'Flash to go back.'],
    [{ hook: 'off', state: 'in call', calls: [call({ remote: '*43' })] }, 'Talking to *43', 'The echo line: what you say comes back.'],
    [{ hook: 'off', state: 'in call', calls: [call({ remote: '*44' })] }, 'Talking to *44', 'The beeps say how the phone is: no account.'],
    [{ hook: 'off', state: 'in call', calls: [call({ remote: '*44' })], registrations: [account({ state: 'failed', why: 'wrong password' })] }, 'Talking to *44', 'The beeps say how the phone is: wrong password.'],
    [{ hook: 'off', state: 'in call', calls: [call({ remote: '*44' })], registrations: [account({})] }, 'Talking to *44', 'The beeps say how the phone is: all well.'],
    [{ hook: 'off', state: 'dead line', tone: 'busy' }, 'The other side is busy.', 'Hang up before the next call.'],
    [{ hook: 'off', state: 'dead line', tone: 'sit' }, 'That number is not in service.', 'Hang up before the next call.'],
    [{ hook: 'off', state: 'dead line', tone: '' }, 'The line is dead.', 'Hang up before the next call.'],
    [{ hook: 'off', state: 'howler', tone: 'howler' }, 'The handset is off', 'Nobody can call. Hang up.'],
  ];
  for (const [part, headline, detail] of rows) {
    test(`${headline} ${detail}`, () => { expect(lineWords({ ...restingPhone, ...part })).toMatchObject({ headline, detail }); });
  }

  test('a failure is red, half of one amber, all well green', () => {
    expect(readiness({ ...restingPhone, registrations: [account({ state: 'failed' })] }).mood).toBe('bad');
    expect(readiness({ ...restingPhone, registrations: [account({}), account({ state: 'failed' })] }).mood).toBe('warn');
    expect(readiness({ ...restingPhone, registrations: [account({})] }).mood).toBe('good');
    expect(readiness({ ...restingPhone, registrations: [account({ second: true })] }).mood).toBe('warn');
  });
});

test('a call says by what it is encrypted, and when its keys could be read', () => {
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  expect(secrecyWords(call({}))).toBe('');
  expect(secrecyWords(call({ encrypted: true, suite }))).toBe('Encrypted by AES_CM_128_HMAC_SHA1_80.');
  expect(secrecyWords(call({ encrypted: true, suite, keysInClear: true }))).toMatch(/^Encrypted by AES_CM_128_HMAC_SHA1_80, but .* tls/);
});

test('a lifted handset without sound says why, one at rest does not', () => {
  const devices = [{ place: 'handset', device: 'auto', state: 'running', trouble: 'there is no sound card' }] as const;
  expect(silenceWords({ ...restingPhone, hook: 'off', devices })).toBe('there is no sound card');
  expect(silenceWords({ ...restingPhone, hook: 'on', devices })).toBe('');
  expect(silenceWords({ ...restingPhone, hook: 'off' })).toBe('');
});

test('times are short and right at their edges', () => {
  expect([0, 9, 59.9, 60, 65, 3_599, 3_600, 3_700, -1].map(clockTime)).toEqual(['0:00', '0:09', '0:59', '1:00', '1:05', '59:59', '1:00:00', '1:01:40', '0:00']);
  const now = new Date(2026, 10, 20, 0, 30).getTime();
  expect(when(now - 20 * 60_000, now, 'en-GB')).toBe('today 00:10');
  expect(when(now - 40 * 60_000, now, 'en-GB')).toBe('yesterday 23:50');
  expect(when(now - 17 * 86_400_000, now, 'en-GB')).toBe('3 Nov 00:30');
  expect(when(now - 400 * 86_400_000, now, 'en-GB')).toBe('16 Oct 2025 00:30');
});

test('a call of the log says how it went', () => {
  const entry = { at: 0, direction: 'in', who: '1', name: '', seconds: 0, how: 'busy', missed: false, intercom: false } as const;
  expect(callWords(entry)).toBe('busy');
  expect(callWords({ ...entry, seconds: 65 })).toBe('1:05');
  expect(callWords({ ...entry, missed: true })).toBe('missed');
});

test('saving says what has to happen before it works', () => {
  expect(applyWords(['now'])).toBe('');
  expect(applyWords(['now', 'on registering', 'on restart'])).toBe('The phone registers anew. Some of it holds after a restart of the phone.');
});

test('where a user of the exchange is, in one line', () => {
  const at = new Date(2026, 10, 3, 14, 5).getTime();
  const phone = { address: '192.168.1.7:5060', transport: 'udp', userAgent: 'Offhook/1', since: at, expiresS: 60 };
  expect(registeredWords([], at)).toBe('not registered');
  expect(registeredWords([phone, { ...phone, address: '192.168.1.8:5060', userAgent: '' }], at + 1_000, 'en-GB')).toBe('since today 14:05, 192.168.1.7:5060, Offhook/1; since today 14:05, 192.168.1.8:5060');
});

describe('how a call sounds', () => {
  const quality = {
    heard: { words: 'good', mosLq: 4.25, mosCq: 4.14, r: 82.4, rLq: 90, lossPercent: 1.23, discardPercent: 0.31 },
    path: { burstPercent: 40, gapPercent: 0.5, burstMs: 120, gapMs: 8_000, jitterMs: 3.2, roundTripMs: 60, endSystemMs: 55, oneWayMs: 85, playoutDelayMs: 35, jitterNominalMs: 30, jitterMaximumMs: 35, jitterAbsoluteMs: 300 },
    codec: 'PCMA', payloadType: 8, packetMs: 20, ssrc: 1, remoteSsrc: 2,
  } as const;
  const clean = { ...quality, heard: { ...quality.heard, words: 'very good', mosCq: 4.41, lossPercent: 0.01, discardPercent: 0 }, path: { ...quality.path, roundTripMs: -1, burstMs: 0 } } as const;
  const there = (part: object) => ({ ...quality, there: { lossPercent: 0, discardPercent: 0, mosLq: 4.4, mosCq: 4.2, ...part } }) as unknown as NonNullable<Call['quality']>;

  test('in words, with figures', () => {
    expect(qualityWords(quality)).toBe('Sounds good: MOS 4.1, 1.2 % lost, 0.3 % too late, 85 ms to the ear');
    expect(qualityWords(clean)).toBe('Sounds very good: MOS 4.4, nothing lost');
    expect(qualityFigures(quality)).toBe('R 82, listening MOS 4.3; jitter 3 ms, jitter buffer 35 ms, packets of 20 ms, round trip 60 ms; bursts of 120 ms with 40 % lost; MOS is 1 to 4.5');
    expect(qualityFigures(clean)).not.toMatch(/round trip|bursts/);
  });

  test('what the other side says, where it says something', () => {
    expect(heardThereWords(quality)).toBe('');
    expect(heardThereWords(there({ lossPercent: 12.5 }))).toBe('They hear us: MOS 4.2, 13 % lost');
    expect(heardThereWords(there({ mosCq: -1 }))).toBe('They hear us: MOS 4.4, nothing lost');
    expect(heardThereWords(there({ mosCq: -1, mosLq: -1 }))).toBe('They hear us: nothing lost');
  });

  test('in the call log', () => {
    const entry = { at: 0, direction: 'in', who: '201', name: '', seconds: 65, how: 'hung up', missed: false, intercom: false } as const;
    expect(soundedWords(entry)).toBe('');
    expect(soundedWords({ ...entry, quality: quality.heard })).toBe('sounded good (MOS 4.1)');
    expect(soundedFigures({ ...entry, quality: quality.heard })).toBe('1.2 % lost, 0.3 % too late; MOS is 1 to 4.5');
    expect(soundedFigures(entry)).toBeUndefined();
    expect(soundedWords({ ...entry, quality: clean.heard })).toBe('sounded very good (MOS 4.4)');
  });
});

test('the ports of the exchange besides its own are told by what comes there', () => {
  expect(doorWords([])).toBe('');
  expect(doorWords([{ transport: 'tls', port: 5061 }, { transport: 'ws', port: 8080 }, { transport: 'wss', port: 8443 }])).toBe(', over TLS at port 5061, over WebSocket at port 8080, over WebSocket with TLS at port 8443');
});
