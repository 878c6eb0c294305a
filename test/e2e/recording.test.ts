// Recorded calls with baresip: both directions in the file and in step, the notice at the other side, a file that sox reads after kill -9, and a full disk.

import { execFileSync, spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBaresip, type Baresip } from './lab/baresip.ts';
import { openBrowser } from './lab/browser.ts';
import { startPhone, type Phone } from './lab/phone.ts';
import { freePort, pause, runners, scratch, until } from './lab/process.ts';
import { concat, find, readWav, resample, silence, speech, writeWav, type Sound } from './lab/wav.ts';

const RATE = 16_000, NOTICE_HZ = 1_400;
const bundle = resolve(import.meta.dirname, '../../dist/offhook.js');
const folder = scratch('recording');
const file = (name: string) => join(folder.path, name);
const { up, stop } = runners();
let ours: Sound, theirs: Sound, period: number;
beforeAll(() => {
  ours = speech(file('ours.wav'), RATE, 'The birch canoe slid on the smooth planks.');
  // Never the same twice, so that each instant of it is known by its sound.
  theirs = speech(file('theirs.wav'), RATE, 'Glue the sheet to the dark blue background. It is easy to tell the depth of a well. These days a chicken leg is a rare dish. Rice is often served in round bowls. The juice of lemons makes fine punch. The box was thrown beside the parked truck. The hogs were fed chopped corn and garbage. Four hours of steady work faced us. A large size in stockings is hard to sell.');
  writeWav(file('ours-loop.wav'), concat(RATE, ...Array.from({ length: 12 }, () => [silence(RATE, 700), ours.samples]).flat()));
  writeWav(file('theirs-8000.wav'), resample(theirs, 8_000, file('t8')));
  period = 700 + ours.samples.length * 1_000 / RATE;
});
afterAll(async () => {
  await stop();
  folder.remove();
});

async function called(name: string, set: Readonly<Record<string, string | number | boolean>>, speaks = true): Promise<{ phone: Phone; baresip: Baresip }> {
  const phone = await up(startPhone(folder.path, { name, set: {
    'media.codecs': 'PCMA', 'sip.allowAddresses': '127.0.0.1', 'recording.mode': 'on-demand', 'sound.handset.device': `wav:${speaks ? file('ours-loop.wav') : ''},${file(`heard-${name}.wav`)}`, ...set,
  } }));
  const baresip = await up(startBaresip(folder.path, { user: name, codec: 'PCMA/8000', answer: 'auto', speaks: file('theirs-8000.wav'), speaksRateHz: 8_000 }));
  await phone.must({ do: 'call', target: `sip:${name}@127.0.0.1:${baresip.port}` });
  await phone.waitFor('answered');
  return { phone, baresip };
}
const recordingsOf = (phone: Phone) => readdirSync(join(phone.state, 'recordings')).map((name) => join(phone.state, 'recordings', name));
/** One channel of a recording, as sox has it. */
const channel = (path: string, which: 1 | 2): Sound => {
  const out = file(`channel-${which}.wav`);
  execFileSync('sox', [path, out, 'remix', String(which)]);
  return readWav(out);
};
/** Seconds at which the notice begins, to a tenth: so steady a sine of 1,400 Hz is in no speech for 0.3 s. */
function notices({ rateHz, samples }: Sound): number[] {
  const step = rateHz / 10, window = 3 * step, out: number[] = [];
  for (let n = 0, last = -10; n * step + window <= samples.length; n++) {
    let re = 0, im = 0;
    for (let i = 0; i < window; i++) {
      const x = samples[n * step + i]!;
      re += x * Math.cos(2 * Math.PI * NOTICE_HZ * i / rateHz);
      im += x * Math.sin(2 * Math.PI * NOTICE_HZ * i / rateHz);
    }
    if (2 * Math.hypot(re, im) / window < 1_500) continue;
    if (n > last + 3) out.push(n / 10);
    last = n;
  }
  return out;
}
/** A second of it, from there on. */
const words = ({ samples }: Sound, fromS = 0.5) => samples.subarray(RATE * fromS, RATE * (fromS + 1));

test('both directions are in the file, in step, for the owner alone; the other side hears the notice every 15 s', async () => {
  const { phone, baresip } = await called('steps', {});
  await pause(1_500);
  const cli = spawnSync(process.execPath, [bundle, 'record', 'on', '--state', phone.state], { encoding: 'utf8' });
  expect([cli.status, cli.stderr]).toEqual([0, '']);
  expect((await phone.status())['calls']).toMatchObject([{ recording: true }]);
  await pause(19_000);
  await phone.must({ do: 'record', on: false });
  await phone.must({ do: 'hangup' });
  await baresip.waitFor('CALL_CLOSED');

  const [path] = recordingsOf(phone);
  expect((lstatSync(path!).mode & 0o777).toString(8)).toBe('600');
  expect((lstatSync(join(phone.state, 'recordings')).mode & 0o777).toString(8)).toBe('700');
  const left = channel(path!, 1), right = channel(path!, 2);
  expect(left.samples.length / RATE).toBeGreaterThan(18.5);
  const said = find({ ...left, samples: left.samples.subarray(RATE) }, words(ours)), answered = find({ ...right, samples: right.samples.subarray(RATE) }, words(theirs, 10));
  expect(said.correlation).toBeGreaterThan(0.95);
  expect(answered.correlation).toBeGreaterThan(0.7);
  // What was heard at an instant of the file lies in the earpiece's file at another; by that difference what was said must lie in the microphone's.
  const piece = right.samples.subarray(4 * RATE, 6 * RATE), ear = find(readWav(file('heard-steps.wav')), piece);
  expect(ear.correlation).toBeGreaterThan(0.99);
  const shiftMs = ear.atMs - 4_000, micMs = (said.atMs + 1_000 - 500 + shiftMs) % period;
  console.log(`said ${said.correlation.toFixed(3)}, heard ${answered.correlation.toFixed(3)}; the words begin ${micMs.toFixed(1)} ms after the pause of 700 ms began, in step to ${(micMs - 700).toFixed(2)} ms`);
  expect(Math.abs(micMs - 700)).toBeLessThan(1);

  const there = notices(readWav(baresip.heard().at(-1)!)), kept = notices(left);
  console.log(`notice at the other side at ${there.join(', ')} s, in the file at ${kept.join(', ')} s`);
  expect(kept).toHaveLength(2);
  expect(kept[0]).toBeLessThan(0.3);
  expect(kept[1]! - 15).toBeLessThan(0.3);
  expect(there).toHaveLength(2);
  expect(there[1]! - there[0]!).toBeCloseTo(15, 0);
  expect(notices(readWav(file('heard-steps.wav')))).toHaveLength(2);
  expect(await phone.waitFor('recording', 2_000, (line) => line['on'] === false)).toMatchObject({ why: '' });
});

test('nothing is recorded on hold, and the notice comes anew with the call', async () => {
  const { phone, baresip } = await called('held', { 'recording.mode': 'always', 'calls.holdMusic': 'off' });
  await phone.waitFor('recording');
  await pause(3_000);
  await phone.must({ do: 'hold' });
  await pause(4_000);
  await phone.must({ do: 'resume' });
  await pause(2_500);
  await phone.must({ do: 'hangup' });
  await phone.waitFor('recording', 3_000, (line) => line['on'] === false);
  const left = channel(recordingsOf(phone)[0]!, 1), seconds = left.samples.length / RATE;
  expect(seconds).toBeGreaterThan(5);
  expect(seconds).toBeLessThan(7);
  expect(notices(readWav(baresip.heard().at(-1)!)).length).toBeGreaterThanOrEqual(1); // baresip has a file for each stretch, maybe
  expect(notices(left)).toHaveLength(2);
});

test('kill -9 in the middle leaves a file that sox reads, at most two seconds short', async () => {
  const { phone } = await called('killed', { 'recording.mode': 'always' });
  await phone.waitFor('recording');
  await pause(9_500);
  process.kill(phone.program.child.pid!, 'SIGKILL');
  await phone.program.ended;
  const [path] = recordingsOf(phone);
  const sox = spawnSync('sox', [path!, '-n', 'stat'], { encoding: 'utf8' });
  expect(sox.status).toBe(0);
  expect(sox.stderr).not.toMatch(/WARN|FAIL/);
  const seconds = Number(/Length \(seconds\): +([\d.]+)/.exec(sox.stderr)?.[1]);
  console.log(`${seconds} s of 9.5 s are there`);
  expect(seconds).toBeGreaterThanOrEqual(7);
  expect(find(channel(path!, 1), words(ours)).correlation).toBeGreaterThan(0.9);
  expect(statSync(path!).size).toBeGreaterThanOrEqual(44 + seconds * 4 * RATE);
});

test('on the page of a phone a call is recorded by a button, and its recording is played and deleted', async () => {
  const web = await freePort(), visitor = await openBrowser(), { page } = visitor;
  try {
    const phone = await up(startPhone(folder.path, { name: `page-${Date.now()}`, set: { 'web.enabled': true, 'web.host': '127.0.0.1', 'web.port': web, 'recording.mode': 'on-demand', 'sound.handset.device': `wav:${file('ours-loop.wav')},` } }));
    await page.goto(`http://127.0.0.1:${web}/`);
    await page.getByLabel('Password').fill('correct horse');
    await page.getByLabel('Once more').fill('correct horse');
    await page.keyboard.press('Enter');
    await page.getByLabel('Number or address to call').fill('*43');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByRole('button', { name: 'Record', exact: true }).click();
    await page.getByText('Recorded; both sides hear a beep').waitFor();
    await pause(3_500);
    await visitor.picture('recorded-call');
    await page.getByRole('button', { name: 'Stop recording' }).click();
    await page.getByRole('button', { name: 'Record', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Hang up' }).click();
    await phone.waitFor('ended');
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Calls' }).click();
    const list = page.getByRole('region', { name: 'Recordings' });
    await list.getByRole('button', { name: 'Play the call with *43' }).click();
    await expect.poll(() => page.evaluate('document.querySelector("audio").duration'), { timeout: 10_000 }).toBeGreaterThan(3);
    await visitor.picture('recorded-calls');
    await list.getByRole('button', { name: 'Delete the call with *43' }).click();
    await list.getByRole('button', { name: 'Really delete' }).click();
    await expect.poll(() => recordingsOf(phone)).toEqual([]);
    expect(visitor.complaints).toEqual([]);
  } finally {
    await visitor.close();
  }
});

test('a disk that fills up ends the recording with a clear line, and the call goes on', async () => {
  const small = file(`small-${Date.now()}`);
  mkdirSync(small);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=33m', 'tmpfs', small]).status === 0;
  if (!mounted) return console.log('no small disk here: mount is not allowed');
  try {
    const { phone } = await called(`full-${Date.now()}`, { 'recording.folder': join(small, 'calls'), 'recording.mode': 'always' });
    await phone.waitFor('recording');
    writeFileSync(join(small, 'other'), Buffer.alloc(2_500_000));
    expect(await until(() => phone.seen('recording', (line) => line['on'] === false) !== undefined, 25_000)).toBe(true);
    expect(phone.seen('recording ended by itself')).toMatchObject({ level: 'warn', why: expect.stringMatching(/^less than 32 MB are free at /) as string });
    expect((await phone.status())['calls']).toMatchObject([{ state: 'established', recording: false }]);
    const [name] = readdirSync(join(small, 'calls'));
    expect(spawnSync('sox', [join(small, 'calls', name!), '-n', 'stat']).status).toBe(0);
    await phone.stop();
  } finally {
    spawnSync('umount', [small]);
  }
});
