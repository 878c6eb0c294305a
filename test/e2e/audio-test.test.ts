// `offhook audio-test` on the test sound card: by itself, and through a phone that runs.

import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCard, type Card } from '../card/card.ts';
import type { ProbeReport } from '../../src/media/probe.ts';
import { startPhone, type Phone } from './lab/phone.ts';
import { scratch } from './lab/process.ts';

const folder = scratch('audio-test');
const bundle = resolve(import.meta.dirname, '../../dist/offhook.js');
let cable: Card, drifting: Card, phone: Phone;

beforeAll(async () => {
  cable = await startCard({ dir: folder.path, name: 'cable', cable: true });
  drifting = await startCard({ dir: folder.path, name: 'drifting', cable: true, playbackPpm: 200, rateHz: 48_000, channels: 2 });
  phone = await startPhone(folder.path, { name: 'phone', set: { 'sound.speaker.device': cable.device }, env: cable.env });
}, 30_000);
afterAll(async () => {
  await phone?.stop();
  for (const card of [cable, drifting]) card?.stop();
  folder.remove();
});

const offhook = (...args: string[]) => new Promise<{ code: number; out: string; err: string }>((done) => {
  execFile(process.execPath, [bundle, 'audio-test', ...args], { env: { ...process.env, ...cable.env } }, (error, out, err) => done({ code: error === null ? 0 : Number(error.code), out, err }));
});

describe('offhook audio-test', () => {
  test('by itself: level, delay and drift of a card, here 200 ppm at 48 kHz stereo', async () => {
    const { code, out, err } = await offhook('handset', '--state', join(folder.path, 'none'), '--set', `sound.handset.device=${drifting.device}`, '--json');
    expect([code, err]).toEqual([0, expect.stringContaining('two sweeps')]);
    const report = JSON.parse(out) as ProbeReport;
    console.log(JSON.stringify(report.echo));
    expect(report.noiseDb).toBeLessThan(-90);
    expect(report.echo!.lossDb).toBeGreaterThan(-1);
    expect(report.echo!.lossDb).toBeLessThan(1);
    expect(report.echo!.delayMs).toBeGreaterThan(10);
    expect(report.echo!.delayMs).toBeLessThan(90);
    expect(report.echo!.driftPpm).toBeGreaterThan(-260);
    expect(report.echo!.driftPpm).toBeLessThan(-140);
  }, 40_000);

  test('through the phone that runs, in words, with what to do', async () => {
    const { code, out } = await offhook('speaker', '--state', phone.state);
    console.log(out);
    expect(code).toBe(0);
    expect(out).toMatch(/^the loudspeaker in the microphone +-?0\.\d dB weaker/m);
    expect(out).toMatch(/^drift between the two +-?\d\.\d ppm/m);
    expect(out).toMatch(/^All is well\.$/m);
  }, 40_000);

  test('a phone in use is not disturbed', async () => {
    const silent = createSocket('udp4');
    await new Promise<void>((done) => silent.bind(0, '127.0.0.1', done));
    const call = phone.say({ do: 'call', target: `sip:nobody@127.0.0.1:${silent.address().port}` });
    await phone.waitFor('calling');
    const { code, err } = await offhook('speaker', '--state', phone.state);
    expect([code, err]).toEqual([1, expect.stringContaining('in use')]);
    await phone.say({ do: 'hangup' });
    await call;
    silent.close();
  }, 40_000);

  test('a card that is not there is named', async () => {
    const { code, err } = await offhook('handset', '--state', join(folder.path, 'none'), '--set', 'sound.handset.device=alsa:nosuchcard');
    expect([code, err]).toEqual([1, expect.stringContaining('there is no sound card "nosuchcard"')]);
  }, 40_000);
});
