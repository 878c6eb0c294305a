// Encrypted calls with baresip (SDES), both ways, through Kamailio over TLS as well; what is replayed or forged on the way; policies that do not meet.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeAuthority } from '../fakes/certificates.ts';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio } from './lab/kamailio.ts';
import { startMeddler } from './lab/meddler.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { freePort, pause, runners, scratch, until } from './lab/process.ts';
import { concat, find, readWav, resample, silence, speech, writeWav, type Sound } from './lab/wav.ts';

const RATE = 16_000;
const folder = scratch('encryption');
const file = (name: string) => join(folder.path, name);
const { up, stop } = runners();
let ours: Sound, theirs: Sound;
beforeAll(() => {
  ours = speech(file('ours.wav'), RATE, 'The birch canoe slid on the smooth planks.');
  theirs = speech(file('theirs.wav'), RATE, 'Glue the sheet to the dark blue background.');
  const padded = (sound: Sound, rate: number, name: string) => writeWav(file(name), concat(rate, ...Array.from({ length: 8 }, () => [silence(rate, 700), sound.samples]).flat()));
  padded(ours, RATE, 'ours-loop.wav');
  padded(resample(theirs, 8_000, file('t8')), 8_000, 'theirs-8000.wav');
});
afterAll(async () => {
  await stop();
  folder.remove();
});

const phoneWith = (name: string, encryption: string, set: Readonly<Record<string, string | number | boolean>> = {}) => up(startPhone(folder.path, { name, set: {
  'media.codecs': 'PCMA', 'media.encryption': encryption, 'calls.answer': 'auto', 'sip.acceptFrom': 'anyone', 'sip.allowAddresses': '127.0.0.1', 'log.level': 'debug', 'sip.trace': true,
  'sound.handset.device': `wav:${file('ours-loop.wav')},${file(`heard-${name}.wav`)}`, ...set,
} }));
const baresipWith = (user: string, more: Partial<Parameters<typeof startBaresip>[1]> = {}) =>
  up(startBaresip(folder.path, { user, codec: 'PCMA/8000', answer: 'auto', speaks: file('theirs-8000.wav'), speaksRateHz: 8_000, ...more }));

type Stats = Readonly<Record<'receivedPackets' | 'refusedPackets' | 'forgedPackets' | 'replayedPackets' | 'lostPackets', number>>;
const statsOf = async (phone: Phone) => (await phone.must({ do: 'measure' }))['stats'] as Stats;
const callOf = async (phone: Phone) => ((await phone.status())['calls'] as readonly { encrypted: boolean; suite: string; keysInClear: boolean }[])[0];

/** A second of each side's words, which no buffer that stretches time tears apart. */
const words = ({ samples }: Sound) => samples.subarray(RATE / 2, RATE * 3 / 2);

/** Speech both ways is what was said: other speech and noise come to less than 0.3. How good it sounds is asked in calls.test.ts. */
function expectSpeech(name: string, baresip: Baresip): void {
  const atPhone = find(resample(readWav(file(`heard-${name}.wav`)), RATE, file('p')), words(theirs));
  const last = baresip.heard().at(-1);
  if (last === undefined) throw new Error('baresip heard nothing');
  const atBaresip = find(resample(readWav(last), RATE, file('b')), words(ours));
  console.log(`${name}: speech at the phone ${atPhone.correlation.toFixed(3)}, at baresip ${atBaresip.correlation.toFixed(3)}`);
  expect(atPhone.correlation).toBeGreaterThan(0.7);
  expect(atBaresip.correlation).toBeGreaterThan(0.7);
}
/** No key is in anything that the phone wrote or shows. */
async function expectNoKeys(phone: Phone): Promise<void> {
  expect(phone.program.output()).toMatch(/a=crypto:\d+ \S+ \(blanked\)/);
  expect(phone.program.output()).not.toMatch(/inline:[A-Za-z0-9+/]/);
  expect(JSON.stringify(await phone.must({ do: 'trace', last: 50 }))).not.toMatch(/inline:[A-Za-z0-9+/]/);
}

describe('with a baresip that demands encryption', () => {
  let phone: Phone, baresip: Baresip;
  beforeAll(async () => {
    phone = await phoneWith('demands', 'offered');
    baresip = await baresipWith('bob', { mediaenc: 'srtp-mand' });
  });

  test('it calls, and speech goes both ways, encrypted', async () => {
    await baresip.command('dial', `sip:phone@127.0.0.1:${phone.port}`);
    await phone.waitFor('answered');
    await baresip.waitFor('CALL_ESTABLISHED');
    expect(await callOf(phone)).toMatchObject({ encrypted: true, suite: expect.stringMatching(/^A/), keysInClear: true });
    await pause(7_000);
    const stats = await statsOf(phone);
    expect(stats).toMatchObject({ replayedPackets: 0, lostPackets: 0 });
    expect(stats.forgedPackets).toBeLessThanOrEqual(1); // its first packet of RTCP, a PING, it sends in clear
    await baresip.command('hangup');
    await phone.waitFor('ended');
    expectSpeech('demands', baresip);
    await expectNoKeys(phone);
  });

  test('we call: our plain offer is refused, the next has keys, and the call is encrypted through hold and resume', async () => {
    phone.forget();
    await phone.must({ do: 'call', target: `sip:bob@127.0.0.1:${baresip.port}` });
    await phone.waitFor('answered', 5_000, (line) => String(line['encrypted']).startsWith('AES'));
    await phone.must({ do: 'hold' });
    await pause(300);
    await phone.must({ do: 'resume' });
    const before = (await statsOf(phone)).receivedPackets;
    expect(await until(async () => (await statsOf(phone)).receivedPackets > before + 50, 5_000)).toBe(true);
    expect((await statsOf(phone)).forgedPackets).toBeLessThanOrEqual(1);
    await phone.must({ do: 'hangup' });
    await phone.waitFor('ended');
  });
});

test('packets replayed and forged on the way are dropped and counted, and the speech is whole', async () => {
  const phone = await phoneWith('meddled', 'preferred'), baresip = await baresipWith('carol', { mediaenc: 'srtp' });
  const meddler = await up(startMeddler(baresip.port));
  await phone.must({ do: 'call', target: `sip:carol@127.0.0.1:${meddler.port}` });
  expect(await callOf(phone)).toMatchObject({ encrypted: true });
  expect(await until(() => meddler.passed.length > 60, 5_000)).toBe(true);
  for (let i = 0; i < 20; i++) {
    meddler.slipIn(meddler.passed.at(-10)!); // came before
    const forged = Buffer.from(meddler.passed.at(-1)!);
    forged.writeUInt16BE((forged.readUInt16BE(2) + 500) & 0xffff, 2); // as if it were of later
    meddler.slipIn(forged);
    await pause(50);
  }
  expect(await statsOf(phone)).toMatchObject({ replayedPackets: 20, forgedPackets: 20, refusedPackets: 40 });
  const before = (await statsOf(phone)).receivedPackets;
  await pause(5_000);
  expect((await statsOf(phone)).receivedPackets).toBeGreaterThan(before + 200);
  await phone.must({ do: 'hangup' });
  await baresip.waitFor('CALL_CLOSED');
  expectSpeech('meddled', baresip);
});

test('a phone that always encrypts refuses a plain call and says why, and ends one whose answer is plain', async () => {
  const phone = await phoneWith('always', 'always'), baresip = await baresipWith('dave');
  await baresip.command('dial', `sip:phone@127.0.0.1:${phone.port}`);
  expect((await baresip.waitFor('CALL_CLOSED')).param).toMatch(/488/);
  expect(await phone.waitFor('ended')).toMatchObject({ status: 488, why: 'it is not encrypted' });
  const call = await phone.say({ do: 'call', target: `sip:dave@127.0.0.1:${baresip.port}` });
  expect(call).toMatchObject({ ok: false });
  expect(phone.program.output()).not.toMatch(/"event":"answered"/);
});

test('through Kamailio over TLS the keys are hidden as well', async () => {
  const authority = makeAuthority('House authority'), tls = await freePort();
  writeFileSync(file('ca.pem'), authority.cert);
  const kamailio = await up(startKamailio(folder.path, { doors: { tls: [{ port: tls, certificate: authority.issue('localhost', ['dns:localhost']) }] } }));
  const phone = await phoneWith('tls', 'preferred', accountAt(`localhost:${tls}`, '201', { 'accounts.0.transport': 'tls', 'sip.tlsCa': file('ca.pem') }));
  await baresipWith('202', { password: passwordOf('202'), server: kamailio.server, mediaenc: 'srtp' });
  await phone.waitFor('registered');
  await phone.must({ do: 'call', target: '202' });
  expect(await callOf(phone)).toMatchObject({ encrypted: true, keysInClear: false });
  expect(await until(async () => (await statsOf(phone)).receivedPackets > 50, 5_000)).toBe(true);
  expect((await statsOf(phone)).forgedPackets).toBeLessThanOrEqual(1);
  await phone.must({ do: 'hangup' });
  await phone.waitFor('ended');
  await expectNoKeys(phone);
});
