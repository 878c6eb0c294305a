// A phone behind a NAT of the kernel calls one in the world: with a STUN server it tells the address at the NAT, and both hear from the first packet on.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWav } from '../../src/audio/wav.ts';
import { levelOf } from '../media/listen.ts';
import { makeNat, OUTSIDE, INSIDE, ROUTER, STUN, type Nat } from './lab/nat.ts';
import { startPhone } from './lab/phone.ts';
import { pause, scratch, start, type Program } from './lab/process.ts';
import { writeWav } from './lab/wav.ts';

const folder = scratch('nat');
const RTP = 20_000, AT_NAT = 50_123, RTCP_AT_NAT = 50_777;
let nat: Nat, stun: Program;

beforeAll(async () => {
  nat = makeNat(`oh-${process.pid}`, { [RTP]: AT_NAT, [RTP + 1]: RTCP_AT_NAT });
  stun = start('ip', ['netns', 'exec', nat.outside, process.execPath, join(import.meta.dirname, 'lab/stun.js'), STUN, '3478']);
  await stun.waitFor(/listening/, 10_000);
});
afterAll(async () => {
  await stun?.stop();
  nat?.close();
  folder.remove();
});

let calls = 0;
/** A call out of the house: what was offered, how long it took to the INVITE, what each heard, what the one outside counted. */
async function called(set: Readonly<Record<string, string | number | boolean>>) {
  const name = `${++calls}`, heard = (who: string) => join(folder.path, `${who}-${name}.wav`);
  const outside = await startPhone(folder.path, { name: `outside-${name}`, inside: nat.outside, set: { 'sip.host': OUTSIDE, 'sip.acceptFrom': 'anyone', 'sip.allowAddresses': ROUTER, 'calls.answer': 'auto', 'media.codecs': 'PCMA', 'sound.handset.device': `wav:${tone(500)},${heard('outside')}` } });
  const inside = await startPhone(folder.path, { name: `inside-${name}`, inside: nat.inside, set: { 'sip.host': INSIDE, 'media.rtpPortMin': RTP, 'media.rtpPortMax': RTP + 1, 'media.codecs': 'PCMA', 'log.level': 'debug', 'sip.trace': true, 'sound.handset.device': `wav:${tone(700)},${heard('inside')}`, ...set } });
  try {
    const from = Date.now();
    await inside.must({ do: 'call', target: `sip:outside@${OUTSIDE}:${outside.port}` });
    const took = Date.now() - from;
    await pause(2_000);
    const { stats } = await outside.must({ do: 'measure' }) as unknown as { readonly stats: { readonly remote: string; readonly receivedPackets: number; readonly refusedPackets: number } };
    await inside.must({ do: 'hangup' });
    await Promise.all([inside.stop(), outside.stop()]);
    inside.seen('phone ended'); // reads what was written last
    const invite = inside.lines.map((line) => String(line['message'] ?? '')).find((message) => message.startsWith('INVITE '))!;
    const sdp = invite.split(/\r?\n/).filter((line) => /^(c=|m=|a=rtcp:)/.test(line));
    return { took, stats, sdp, lines: inside.lines, inside: level(heard('inside'), 500), outside: level(heard('outside'), 700) };
  } finally {
    await Promise.all([inside.stop(), outside.stop()]);
  }
}
/** A file of a tone. */
function tone(hz: number): string {
  const path = join(folder.path, `tone-${hz}.wav`);
  writeWav(path, { rateHz: 16_000, samples: Float64Array.from({ length: 20 * 16_000 }, (_, i) => 6_000 * Math.sin(2 * Math.PI * hz * i / 16_000)) });
  return path;
}
/** dB of `hz` in the last second of a file. */
function level(path: string, hz: number): number {
  const wav = readWav(readFileSync(path));
  if (typeof wav === 'string') throw new Error(wav);
  const end = wav.samples.findLastIndex((x) => Math.abs(x) > 500);
  return levelOf(wav.samples.subarray(Math.max(0, end - wav.rateHz), Math.max(0, end)), hz, wav.rateHz);
}

describe('with a STUN server', () => {
  let call: Awaited<ReturnType<typeof called>>;
  beforeAll(async () => { call = await called({ 'media.stunServer': STUN }); });

  test('the offer has the address at the NAT, and the port of RTCP that is not the next one (RFC 3605)', () => {
    expect(call.sdp).toEqual([`c=IN IP4 ${ROUTER}`, expect.stringContaining(`m=audio ${AT_NAT} `), `a=rtcp:${RTCP_AT_NAT}`]);
    expect(stun.output()).toContain(`asked by ${ROUTER}:${AT_NAT}`);
    expect(stun.output()).toContain(`asked by ${ROUTER}:${RTCP_AT_NAT}`);
  });

  test('both hear, and the one outside has nobody to guess at: no packet comes from elsewhere than told', () => {
    console.log(`levels ${call.inside.toFixed(0)} and ${call.outside.toFixed(0)} dB, answered after ${call.took} ms`);
    expect(call.inside).toBeGreaterThan(-25);
    expect(call.outside).toBeGreaterThan(-25);
    expect(call.stats.remote).toBe(`${ROUTER}:${AT_NAT}`);
    expect(call.stats.refusedPackets).toBe(0);
    expect(call.stats.receivedPackets).toBeGreaterThan(80);
  });
});

test('without one the own address is told, and strangers\' packets have to be guessed at', async () => {
  const { sdp, stats } = await called({});
  expect(sdp[0]).toBe(`c=IN IP4 ${INSIDE}`);
  expect(stats.refusedPackets).toBeGreaterThan(0);
});

test('a silent one costs half a second and a line in the log; the call is made with the own address', async () => {
  const { sdp, took, lines } = await called({ 'media.stunServer': `${STUN}:3479` });
  expect(sdp[0]).toBe(`c=IN IP4 ${INSIDE}`);
  expect(lines.find((line) => line.event === 'STUN server silent: the call tells the address inside the NAT')).toMatchObject({ level: 'warn', server: `${STUN}:3479` });
  const opened = lines.findIndex((line) => line.event.startsWith('STUN server silent')), called0 = lines.findIndex((line) => line.event === 'calling');
  expect(opened).toBeLessThan(called0);
  expect(took).toBeLessThan(3_000);
});
