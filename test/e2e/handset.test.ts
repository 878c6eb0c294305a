// The handset itself, as a person uses it: lift, dial on the keypad, talk, press keys, flash, hang up; the bell. The other side is
// baresip behind Kamailio.

import { createSocket } from 'node:dgram';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createG711 } from '../../src/media/g711.ts';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { passwordOf, startKamailio, type Kamailio } from './lab/kamailio.ts';
import { sdp, startPeer } from './lab/peer.ts';
import { accountAt, startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';
import { readWav, writeWav, type Sound } from './lab/wav.ts';

const folder = scratch('hand');
const heard = join(folder.path, 'earpiece.wav');
let kamailio: Kamailio;
let phone: Phone;
let baresip: Baresip;

beforeAll(async () => {
  kamailio = await startKamailio(folder.path);
  phone = await startPhone(folder.path, { name: 'desk', set: {
    ...accountAt(kamailio.server, '201'), 'phone.board': 'bench', 'phone.country': 'de', 'sound.handset.device': `wav:,${heard}`, 'dialing.interDigitS': 2, 'calls.howlerS': 10, 'calls.holdMusic': 'hold.wav',
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
const earpieceDb = (hz: number, ms: number): number => {
  const { rateHz, samples } = readWav(heard);
  return levelDb({ rateHz, samples: samples.slice(-Math.round(rateHz * ms / 1_000)) }, hz);
};

/** Peak of a sine of that frequency in all of the sound, in dB against full scale. */
function levelDb({ rateHz, samples: last }: Sound, hz: number): number {
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

test('messages that wait at the server are heard as special dial tone, until they are fetched', async () => {
  const socket = createSocket('udp4');
  const tell = (waiting: 'yes' | 'no') => {
    const body = `Messages-Waiting: ${waiting}\r\nVoice-Message: ${waiting === 'yes' ? 1 : 0}/0\r\n`, id = `${waiting}${socket.address().port}`;
    const [host = '', port = ''] = kamailio.server.split(':');
    socket.send([
      `NOTIFY sip:201@${kamailio.server} SIP/2.0`, `Via: SIP/2.0/UDP 127.0.0.1:${socket.address().port};branch=z9hG4bK${id}`, 'Max-Forwards: 70', `From: <sip:201@${kamailio.server}>;tag=${id}`, `To: <sip:201@${kamailio.server}>`,
      `Call-ID: ${id}`, 'CSeq: 1 NOTIFY', 'Event: message-summary', 'Subscription-State: active', 'Content-Type: application/simple-message-summary', `Content-Length: ${body.length}`, '', body,
    ].join('\r\n'), Number(port), host);
  };
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  try {
    tell('yes');
    await phone.waitFor('messages', 5_000, (l) => l['waiting'] === true);
    await phone.must({ do: 'lift' });
    expect(await until(async () => (await phone.status())['tone'] === 'stutter', 3_000)).toBe(true);
    await pause(800);
    for (const hz of [400, 425]) expect(earpieceDb(hz, 400)).toBeGreaterThan(-25); // Germany: both at once, in place of 425 Hz
    await phone.must({ do: 'hang' });
    tell('no');
    await phone.waitFor('messages', 5_000, (l) => l['waiting'] === false);
    await phone.must({ do: 'lift' });
    expect(await until(async () => (await phone.status())['tone'] === 'dial', 3_000)).toBe(true);
    await pause(800);
    expect(earpieceDb(400, 400)).toBeLessThan(earpieceDb(425, 400) - 20);
    await phone.must({ do: 'hang' });
  } finally {
    socket.close();
  }
});

// baresip 1.0 ends its recording of what it hears when it is held, so here the other side is a socket.
test('whoever is held hears the owner\'s music, as loud as speech', async () => {
  mkdirSync(join(phone.state, 'sounds'), { recursive: true });
  writeWav(join(phone.state, 'sounds', 'hold.wav'), { rateHz: 22_050, samples: Float64Array.from({ length: 22_050 }, (_, i) => 12_000 * Math.sin(2 * Math.PI * 1_000 * i / 22_050)) });
  const peer = await startPeer(phone.port), rtp = createSocket('udp4'), codec = createG711('PCMA'), samples: number[] = [];
  const decoded = new Int16Array(160);
  rtp.on('message', (packet) => { if ((packet[1]! & 0x7f) === 8) samples.push(...decoded.subarray(0, codec.decode(packet.subarray(12), decoded))); });
  await new Promise<void>((resolve) => rtp.bind(0, '127.0.0.1', resolve));
  try {
    const { port } = rtp.address(), calling = phone.must({ do: 'call', target: `sip:peer@127.0.0.1:${peer.port}` });
    const invite = await peer.next(/^INVITE/);
    peer.respond(invite, '200 OK', { body: sdp(port, { codecs: [8, 101] }) });
    await peer.next(/^ACK/);
    await calling;
    const holding = phone.must({ do: 'hold' });
    peer.respond(await peer.next(/^INVITE/), '200 OK', { body: sdp(port, { codecs: [8, 101], direction: 'recvonly', version: 2 }) });
    await peer.next(/^ACK/);
    await holding;
    await pause(1_500);
    const db = levelDb({ rateHz: 8_000, samples: Float64Array.from(samples.slice(-8_000)) }, 1_000);
    console.log(`held: 1000 Hz at ${db.toFixed(1)} dB against full scale`);
    expect(Math.abs(db + 23)).toBeLessThan(1.5); // -26 dBov is that peak of a sine
    const over = phone.must({ do: 'hangup' });
    peer.respond(await peer.next(/^BYE/), '200 OK');
    await over;
  } finally {
    peer.close();
    rtp.close();
  }
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
