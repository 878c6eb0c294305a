// The handset itself, as a person uses it: lift, dial on the keypad, talk, press keys, flash, hang up; the bell. The other side is
// baresip behind Kamailio.

import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';
import { readWav } from './lab/wav.ts';

const folder = scratch('hand');
const heard = join(folder.path, 'earpiece.wav');
let kamailio: Kamailio;
let phone: Phone;
let baresip: Baresip;

beforeAll(async () => {
  kamailio = await startKamailio(folder.path);
  phone = await startPhone(folder.path, { name: 'desk', set: {
    ...accountAt(kamailio.server, '201'), 'phone.board': 'bench', 'phone.country': 'de', 'sound.handset.device': `wav:,${heard}`, 'dialing.interDigitS': 2, 'calls.howlerS': 10,
  } });
  baresip = await startBaresip(folder.path, { user: '202', password: passwordOf('202'), server: kamailio.server, codec: 'PCMA/8000' });
  await phone.waitFor('registered');
});
afterAll(async () => {
  await phone?.stop();
  await baresip?.stop();
  await kamailio?.stop();
  folder.remove();
});

const press = async (keys: string) => {
  for (const key of keys) {
    await phone.must({ do: 'key', key });
    await pause(170);
  }
};
const stateIs = (state: string, ms = 5_000) => until(async () => (await phone.status())['state'] === state, ms);

/** Power of one frequency in the last `ms` of what the earpiece played, in dB against full scale. */
function earpieceDb(hz: number, ms: number): number {
  const { rateHz, samples } = readWav(heard);
  const last = samples.slice(-Math.round(rateHz * ms / 1_000));
  let re = 0;
  let im = 0;
  for (let i = 0; i < last.length; i++) {
    re += last[i]! * Math.cos(2 * Math.PI * hz * i / rateHz);
    im += last[i]! * Math.sin(2 * Math.PI * hz * i / rateHz);
  }
  return 20 * Math.log10(2 * Math.hypot(re, im) / last.length / 32_768 + 1e-9);
}

test('lift: dial tone; dial; it rings there; talk; keys arrive as digits; flash holds and takes back; hang up', async () => {
  await phone.must({ do: 'lift' });
  expect(await stateIs('dial tone')).toBe(true);
  await pause(700);
  expect(earpieceDb(425, 400)).toBeGreaterThan(-25); // Germany: 425 Hz
  await press('202#');
  await baresip.waitFor('CALL_INCOMING');
  await baresip.command('accept');
  await phone.waitFor('answered');
  await press('59*');
  expect(await until(() => baresip.events.filter((e) => e.type === 'CALL_DTMF_START').length === 3, 5_000)).toBe(true);
  expect(baresip.events.filter((e) => e.type === 'CALL_DTMF_START').map((e) => e.param).join('')).toBe('59*');
  await phone.must({ do: 'flash' });
  await phone.waitFor('held', 5_000, (l) => l['by'] === 'us');
  await phone.must({ do: 'flash' });
  await phone.waitFor('resumed', 5_000, (l) => l['by'] === 'us');
  await phone.must({ do: 'hang' });
  await baresip.waitFor('CALL_CLOSED');
  expect(await stateIs('on hook')).toBe(true);
});

test('a call comes: the bell rings, lifting answers, the other side hangs up, busy tone, then the howler', async () => {
  baresip.forget();
  phone.forget();
  await baresip.command('dial', `sip:201@${kamailio.server}`);
  await phone.waitFor('incoming');
  expect(await until(async () => (await phone.status())['bell'] === true, 2_000)).toBe(true);
  await phone.must({ do: 'lift' });
  await baresip.waitFor('CALL_ESTABLISHED');
  expect((await phone.status())['bell']).toBe(false);
  await baresip.command('hangup');
  await phone.waitFor('ended', 5_000, (l) => l['by'] === 'them');
  expect(await stateIs('dead line')).toBe(true);
  expect((await phone.status())['tone']).toBe('busy');
  expect(await stateIs('howler', 14_000)).toBe(true);
  await phone.must({ do: 'hang' });
  expect(await stateIs('on hook')).toBe(true);
});

test('a number that nobody has gives the special information tone and says why', async () => {
  await phone.must({ do: 'lift' });
  await press('219#');
  expect(await until(async () => (await phone.status())['tone'] === 'sit', 5_000)).toBe(true);
  expect(String((await phone.status())['lastFailure'])).toContain('219');
  await phone.must({ do: 'hang' });
});

test('lifted just as a call comes in: it is answered', async () => {
  baresip.forget();
  phone.forget();
  await baresip.command('dial', `sip:201@${kamailio.server}`);
  await phone.waitFor('incoming', 5_000);
  await phone.must({ do: 'lift' });
  await phone.waitFor('answered', 5_000);
  await phone.must({ do: 'hang' });
  await baresip.waitFor('CALL_CLOSED');
});

describe('what is wrong is heard when the handset is lifted, instead of dial tone', () => {
  const silent = createSocket('udp4');
  beforeAll(() => new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve)));
  afterAll(() => void silent.close());
  const cases: readonly (readonly [string, () => Readonly<Record<string, string>>])[] = [
    ['wrong password', () => ({ 'accounts.0.server': kamailio.server, 'accounts.0.password': 'nonsense' })],
    ['server silent', () => ({ 'accounts.0.server': `127.0.0.1:${silent.address().port}` })],
    ['no such server', () => ({ 'accounts.0.server': 'pbx.invalid' })],
  ];
  test.each(cases)('%s; *43 still works', async (wrong, account) => {
    const lost = await startPhone(folder.path, { name: wrong.replaceAll(' ', '-'), set: { 'accounts.0.user': '203', 'phone.board': 'bench', ...account() } });
    try {
      const failed = await lost.waitFor('registration failed', 45_000);
      expect(failed['why']).toBe(wrong);
      await lost.must({ do: 'lift' });
      expect(await until(async () => (await lost.status())['tone'] === wrong, 3_000)).toBe(true);
      for (const key of '*43') {
        await lost.must({ do: 'key', key });
        await pause(150);
      }
      await lost.waitFor('answered', 8_000, (l) => l['remote'] === '*43');
    } finally {
      await lost.stop();
    }
  });
});
