// An allowed caller with each form of the wish is answered by itself, after the beep; a stranger with the same headers is not.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch } from './lab/process.ts';
import { loudestDb, readWav } from './lab/wav.ts';

const folder = scratch('icom');
const wishes = [
  'Call-Info: <sip:127.0.0.1>;answer-after=0',
  'Alert-Info: <http://127.0.0.1>;info=alert-autoanswer',
  'Alert-Info: <http://127.0.0.1>;info=alert-autoanswer;delay=0',
  'Alert-Info: Auto Answer',
  'Alert-Info: Ring Answer',
  'Alert-Info: Intercom',
  'Answer-Mode: Auto',
  'Priv-Answer-Mode: Auto',
];

let kamailio: Kamailio;
let station: Phone;
let friend: Phone;
let stranger: Phone;
let outsider: Phone;
const heard = join(folder.path, 'friend.wav');

beforeAll(async () => {
  kamailio = await startKamailio(folder.path);
  [station, friend, stranger, outsider] = await Promise.all([
    startPhone(folder.path, { name: 'station', set: {
      ...accountAt(kamailio.server, '201'), 'intercom.enabled': true, 'intercom.allow.0.caller': '202', 'sound.speaker.device': 'tone:600', 'intercom.maxS': 5,
    } }),
    startPhone(folder.path, { name: 'friend', set: { ...accountAt(kamailio.server, '202'), 'sound.handset.device': `wav:,${heard}` } }),
    startPhone(folder.path, { name: 'stranger', set: accountAt(kamailio.server, '203') }),
    startPhone(folder.path, { name: 'outsider', set: {} }),
  ]);
  await Promise.all([station, friend, stranger].map((p) => p.waitFor('registered')));
});
afterAll(async () => {
  await Promise.all([station, friend, stranger, outsider].map((p) => p?.stop()));
  await kamailio?.stop();
  folder.remove();
});

const asking = (header: string) => [header.slice(0, header.indexOf(':')), header.slice(header.indexOf(':') + 2)];

describe.each(wishes)('%s', (wish) => {
  test('an allowed caller is answered at once', async () => {
    station.forget();
    await friend.must({ do: 'call', target: '201', headers: [asking(wish)] });
    const answered = await station.waitFor('answered', 3_000);
    expect(answered['intercom']).toBe(true);
    await friend.must({ do: 'hangup' });
    await station.waitFor('ended');
  });

  test('a stranger at the same server only rings', async () => {
    station.forget();
    await stranger.must({ do: 'call', target: '201', until: 'ringing', headers: [asking(wish)] });
    await pause(600);
    expect(station.seen('answered')).toBeUndefined();
    await stranger.must({ do: 'hangup' });
    await station.waitFor('ended');
  });

  test('an outsider who calls the address directly, even under the allowed name, is refused and does not ring', async () => {
    station.forget();
    const reply = await outsider.say({ do: 'call', target: `sip:201@127.0.0.1:${station.port}`, headers: [asking(wish), ['P-Asserted-Identity', '<sip:202@127.0.0.1>']] });
    expect(reply).toMatchObject({ ok: false, status: 403 });
    expect(station.seen('incoming')).toBeUndefined();
    expect(station.seen('answered')).toBeUndefined();
  });
});

test('refused strangers are in the log, a flood of them as one line and a number', () => {
  const lines = station.lines.filter((line) => line.event === 'refused');
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.length).toBeLessThan(wishes.length);
});

test('the caller hears nothing of the room until the beep is over, then the room', async () => {
  station.forget();
  await friend.must({ do: 'call', target: '201', intercom: true });
  await station.waitFor('answered');
  await pause(2_500);
  await friend.must({ do: 'hangup' });
  await pause(300);
  const sound = readWav(heard);
  const second = sound.samples.slice(-sound.rateHz);
  expect(loudestDb({ rateHz: sound.rateHz, samples: second })).toBeGreaterThan(-45);
});

test('an intercom call ends after intercom.maxS', async () => {
  station.forget();
  await friend.must({ do: 'call', target: '201', intercom: true });
  await station.waitFor('answered');
  const ended = await station.waitFor('ended', 8_000);
  expect(ended['by']).toBe('us');
  expect(Number(ended['seconds'])).toBeGreaterThanOrEqual(4);
});
