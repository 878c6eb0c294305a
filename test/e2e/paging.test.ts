// Multicast paging between two phones as people run them, in a network namespace whose loopback carries the group.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWav } from '../../src/audio/wav.ts';
import { levelOf } from '../media/listen.ts';
import { startPhone, type Phone } from './lab/phone.ts';
import { pause, scratch, until } from './lab/process.ts';

const folder = scratch('paging');
const space = `oh-page-${process.pid}`;
const heard = join(folder.path, 'heard.wav');
const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'inherit'] });
let speaker: Phone, listener: Phone;

beforeAll(async () => {
  ip('netns', 'add', space);
  ip('-n', space, 'link', 'set', 'lo', 'up');
  ip('-n', space, 'route', 'add', '239.0.0.0/8', 'dev', 'lo');
  listener = await startPhone(folder.path, {
    name: 'listener', inside: space, set: { 'sound.speaker.device': `wav:,${heard}`, 'paging.listen.0.address': '239.255.77.1:5004' },
  });
  speaker = await startPhone(folder.path, { name: 'speaker', inside: space, set: { 'sound.handset.device': 'tone:700' } });
}, 40_000);
afterAll(async () => {
  await Promise.all([speaker?.stop(), listener?.stop()]);
  ip('netns', 'del', space);
  folder.remove();
});

test('what one phone says to the group sounds on the loudspeaker of the other, and ends with it', async () => {
  await speaker.must({ do: 'call', target: 'page:239.255.77.1:5004' });
  expect(await listener.waitFor('page', 3_000)).toMatchObject({ group: '239.255.77.1:5004', on: true });
  await pause(1_500);
  listener.forget();
  await speaker.must({ do: 'hangup' });
  expect(await listener.waitFor('page', 4_000)).toMatchObject({ on: false });
  await listener.stop();
  const wav = readWav(readFileSync(heard));
  if (typeof wav === 'string') throw new Error(wav);
  const from = wav.samples.findIndex((x) => Math.abs(x) > 1_000);
  const second = wav.samples.subarray(from, from + wav.rateHz);
  expect(levelOf(second, 700, wav.rateHz)).toBeGreaterThan(-22);
}, 30_000);

test('a group that no network leads to is told, and tried again', async () => {
  ip('-n', space, 'route', 'flush', '239.0.0.0/8');
  const lonely = await startPhone(folder.path, { name: 'lonely', inside: space, set: { 'paging.listen.0.address': '239.255.77.1:5004' } });
  const failure = async () => (await lonely.status())['lastFailure'];
  await until(async () => await failure() !== '', 8_000);
  expect(await failure()).toBe('Pages to 239.255.77.1:5004 cannot be heard: no network leads to the multicast group 239.255.77.1');
  await lonely.stop();
}, 30_000);
