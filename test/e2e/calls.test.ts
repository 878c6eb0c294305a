// Calls with baresip through Kamailio, both ways, G.711, G.722 and Opus: speech arrives, keys arrive, hold, hang-up, CANCEL.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';
import { above, concat, find, readWav, resample, silence, speech, writeWav, type Sound } from './lab/wav.ts';

const RATE = 16_000;
const folder = scratch('calls');
const file = (name: string) => join(folder.path, name);
let kamailio: Kamailio;
/** What the phone says and what baresip says, and the same with quiet before and after. */
let ours: Sound;
let theirs: Sound;

beforeAll(async () => {
  kamailio = await startKamailio(folder.path);
  ours = speech(file('ours.wav'), RATE, 'The birch canoe slid on the smooth planks.');
  theirs = speech(file('theirs.wav'), RATE, 'Glue the sheet to the dark blue background.');
  const padded = (sound: Sound, rate: number, name: string) => writeWav(file(name), concat(rate, ...Array.from({ length: 8 }, () => [silence(rate, 700), sound.samples]).flat()));
  padded(ours, RATE, 'ours-loop.wav');
  padded(resample(theirs, 8_000, file('t8')), 8_000, 'theirs-8000.wav');
  padded(theirs, RATE, 'theirs-16000.wav');
  padded(resample(theirs, 48_000, file('t48')), 48_000, 'theirs-48000.wav');
});
afterAll(async () => {
  await kamailio.stop();
  folder.remove();
});

const codecs = [
  // `upper`: how alike the sound above 4.2 kHz must come; less of Opus, which remakes it rather than copies its waves.
  { name: 'PCMU', baresip: 'PCMU/8000', rate: 8_000, user: 1, upper: 0 },
  { name: 'PCMA', baresip: 'PCMA/8000', rate: 8_000, user: 3, upper: 0 },
  { name: 'opus', baresip: 'opus/48000/2', rate: 48_000, user: 5, upper: 0.4 },
  { name: 'G722', baresip: 'G722/16000', rate: 16_000, user: 9, upper: 0.8 },
] as const;

describe.each(codecs)('$name', ({ name, baresip: codec, rate, user, upper }) => {
  const our = `${200 + user}`;
  const their = `${201 + user}`;
  let phone: Phone;
  let baresip: Baresip;

  beforeAll(async () => {
    phone = await startPhone(folder.path, { name: `phone-${name}`, set: {
      ...accountAt(kamailio.server, our), 'media.codecs': name, 'sound.handset.device': `wav:${file('ours-loop.wav')},${file(`heard-${name}.wav`)}`,
    } });
    baresip = await startBaresip(folder.path, { user: their, password: passwordOf(their), server: kamailio.server, codec, speaks: file(`theirs-${rate}.wav`), speaksRateHz: rate });
    await phone.waitFor('registered');
  });
  afterAll(async () => {
    await phone?.stop();
    await baresip?.stop();
  });

  /** Best correlation of each side's speech in what the other heard. */
  const compare = () => {
    const last = baresip.heard().at(-1);
    if (last === undefined) throw new Error('baresip heard nothing');
    const phoneHeard = resample(readWav(file(`heard-${name}.wav`)), RATE, file('p')), baresipHeard = resample(readWav(last), RATE, file('b'));
    const atPhone = find(phoneHeard, theirs.samples), atBaresip = find(baresipHeard, ours.samples);
    const upperAtPhone = find(above(phoneHeard, file('p')), above(theirs, file('t')).samples), upperAtBaresip = find(above(baresipHeard, file('b')), above(ours, file('o')).samples);
    console.log(`${name}: speech at the phone ${atPhone.correlation.toFixed(3)}, at baresip ${atBaresip.correlation.toFixed(3)}; above 4.2 kHz ${upperAtPhone.correlation.toFixed(3)} and ${upperAtBaresip.correlation.toFixed(3)}`);
    expect(atPhone.correlation).toBeGreaterThan(0.9);
    expect(atBaresip.correlation).toBeGreaterThan(0.9);
    expect(upperAtPhone.correlation).toBeGreaterThan(upper);
    expect(upperAtBaresip.correlation).toBeGreaterThan(upper);
  };

  test('we call: speech both ways, keys both ways, hold and resume, we hang up', async () => {
    const answering = baresip.waitFor('CALL_INCOMING').then(() => baresip.command('accept'));
    const { call } = await phone.must({ do: 'call', target: their });
    await answering;
    const answered = await phone.waitFor('answered');
    expect(String(answered['codec']).toLowerCase()).toContain(name.toLowerCase());
    await pause(7_500);

    await phone.must({ do: 'dtmf', digits: '159#' });
    expect(await until(() => baresip.events.filter((e) => e.type === 'CALL_DTMF_START').length >= 4, 5_000)).toBe(true);
    expect(baresip.events.filter((e) => e.type === 'CALL_DTMF_START').map((e) => e.param).join('')).toBe('159#');
    for (const digit of '27*') await baresip.command('sndcode', digit);
    expect(await until(() => phone.lines.filter((l) => l.event === 'digit').map((l) => String(l['digit'])).join('').endsWith('27*'), 5_000)
      || phone.seen('digit', (l) => l['digit'] === '*') !== undefined).toBe(true);
    const digits = phone.lines.filter((l) => l.event === 'digit').map((l) => String(l['digit'])).join('');
    expect(digits).toBe('27*');

    await phone.must({ do: 'hold', call });
    await phone.waitFor('held', 5_000, (l) => l['by'] === 'us');
    await pause(500);
    await phone.must({ do: 'resume', call });
    await phone.waitFor('resumed', 5_000, (l) => l['by'] === 'us');

    await phone.must({ do: 'hangup' });
    await baresip.waitFor('CALL_CLOSED');
    await phone.waitFor('ended', 5_000, (l) => l['by'] === 'us');
    compare();
  });

  test('baresip calls: we answer, speech both ways, it holds and resumes, it hangs up', async () => {
    baresip.forget();
    phone.forget();
    await baresip.command('dial', `sip:${our}@${kamailio.server}`);
    await phone.waitFor('incoming');
    await phone.must({ do: 'answer' });
    await baresip.waitFor('CALL_ESTABLISHED');
    await pause(7_500);
    await baresip.command('hold');
    await phone.waitFor('held', 5_000, (l) => l['by'] === 'them');
    await baresip.command('resume');
    await phone.waitFor('resumed', 5_000, (l) => l['by'] === 'them');
    await baresip.command('hangup');
    await phone.waitFor('ended', 5_000, (l) => l['by'] === 'them');
    compare();
  });
});

describe('what goes wrong', () => {
  let phone: Phone;
  let baresip: Baresip;
  beforeAll(async () => {
    phone = await startPhone(folder.path, { name: 'phone-wrong', set: accountAt(kamailio.server, '207') });
    baresip = await startBaresip(folder.path, { user: '208', password: passwordOf('208'), server: kamailio.server, codec: 'PCMU/8000' });
    await phone.waitFor('registered');
  });
  afterAll(async () => {
    await phone?.stop();
    await baresip?.stop();
  });

  test('we hang up while it rings there: CANCEL', async () => {
    await phone.must({ do: 'call', target: '208', until: 'ringing' });
    await baresip.waitFor('CALL_INCOMING');
    await phone.must({ do: 'hangup' });
    await baresip.waitFor('CALL_CLOSED');
    await phone.waitFor('ended', 5_000, (l) => l['by'] === 'us');
  });

  test('baresip hangs up while we ring: a missed call', async () => {
    baresip.forget();
    phone.forget();
    await baresip.command('dial', `sip:207@${kamailio.server}`);
    await phone.waitFor('incoming');
    await baresip.command('hangup');
    await phone.waitFor('ended', 5_000, (l) => l['by'] === 'them');
    expect((await phone.status())['missed']).toBe(1);
  });

  test('we refuse: the caller hears busy', async () => {
    baresip.forget();
    phone.forget();
    await baresip.command('dial', `sip:207@${kamailio.server}`);
    await phone.waitFor('incoming');
    await phone.must({ do: 'hangup' });
    const closed = await baresip.waitFor('CALL_CLOSED');
    expect(closed.param).toMatch(/486|603/);
  });

  test('a number nobody has ends with 404 and a sentence', async () => {
    const reply = await phone.say({ do: 'call', target: '219' });
    expect(reply).toMatchObject({ ok: false, status: 404 });
    expect(String(reply['why']).length).toBeGreaterThan(3);
  });
});
