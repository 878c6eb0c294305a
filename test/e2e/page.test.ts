// The page in a real browser, with a telephone behind it that is only played.

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wavHeader } from '../../src/audio/wav.ts';
import { startDemo, type Demo } from '../web/demo.ts';

const PASSWORD = 'correct horse';
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

let demo: Demo, browser: Browser, context: BrowserContext, page: Page;
const foreign: string[] = [];
const complaints: string[] = [];

beforeAll(async () => {
  demo = await startDemo();
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ARGS });
  context = await browser.newContext({ viewport: { width: 1200, height: 860 } });
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('request', (request) => { if (!request.url().startsWith(demo.page.address) && !request.url().startsWith('data:')) foreign.push(request.url()); });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => { if (message.type() === 'error' && !/status of (401|409|422)/.test(message.text())) complaints.push(message.text()); });
});
afterAll(async () => {
  await browser?.close();
  await demo?.page.close();
  await rm(demo.stateDir, { recursive: true, force: true });
});

const headline = () => page.locator('.headline');

test('the first visit sets a password, and only when both are the same', async () => {
  await page.goto(demo.page.address);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByLabel('Once more').fill('another one');
  await page.getByRole('button', { name: 'Set password' }).click();
  expect(await page.getByRole('alert').textContent()).toBe('The two are not the same.');
  await page.getByLabel('Once more').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.locator('.telephone').waitFor();
  expect(await headline().textContent()).toBe('Ready, without an account');
});

test('the handset is lifted and dialled from the keyboard, in order', async () => {
  await page.keyboard.press('Space');
  await headline().filter({ hasText: 'Dial tone' }).waitFor();
  expect(await page.getByRole('button', { name: 'Handset, lifted. Hang up' }).getAttribute('aria-pressed')).toBe('true');
  for (const key of '*43201#') await page.keyboard.press(key);
  await headline().filter({ hasText: 'Dialling *43201#' }).waitFor();
  await page.keyboard.press('Escape');
  await headline().filter({ hasText: 'Ready' }).waitFor();
  expect(demo.bench.state.offHook).toBe(false);
});

test('the handset is lifted and dialled with the mouse', async () => {
  await page.getByRole('button', { name: 'Handset, on hook. Lift' }).click();
  for (const key of ['2', '0', '1', 'star']) await page.getByRole('button', { name: `Key ${key}`, exact: true }).click();
  await headline().filter({ hasText: 'Dialling 201*' }).waitFor();
  await page.getByRole('button', { name: 'Hang up', exact: false }).first().click();
  await headline().filter({ hasText: 'Ready' }).waitFor();
});

test('a focused key works with Enter, and typing into a field dials nothing', async () => {
  await page.keyboard.press('Space');
  await headline().filter({ hasText: 'Dial tone' }).waitFor();
  await page.getByRole('button', { name: 'Key 7' }).focus();
  await page.keyboard.press('Enter');
  await headline().filter({ hasText: 'Dialling 7' }).waitFor();
  await page.getByLabel('Number or address to call').fill('');
  await page.getByLabel('Number or address to call').pressSequentially('20 1');
  expect(demo.phone.now.dialled).toBe('7');
  expect(demo.bench.state.offHook).toBe(true);
  await page.getByRole('button', { name: 'Call', exact: true }).click();
  await expect.poll(() => demo.phone.commands.at(-1)).toEqual({ do: 'call', target: '20 1', until: 'ringing' });
  demo.bench.hangUp();
  await headline().filter({ hasText: 'Ready' }).waitFor();
});

test('the bell shows while it sounds, says who calls, and lifting answers', async () => {
  demo.bench.hardware.bell?.ring([2_000, 4_000]);
  demo.phone.happen({ at: 0, event: 'incoming', call: 'd', from: '204', name: 'Workshop', account: '' }, {
    state: 'ringing', bell: true,
    calls: [{ id: 'd', direction: 'in', state: 'ringing', remote: '204', remoteName: 'Workshop', account: '', codec: '', place: 'handset', seconds: 0, held: false, remoteHeld: false, muted: false, joined: false, recording: false, encrypted: false, suite: '', keysInClear: false, intercom: false, emergency: false }],
  });
  await headline().filter({ hasText: 'Workshop is calling' }).waitFor();
  await page.locator('.telephone.sounding').waitFor();
  expect(await page.title()).toBe('☎ Offhook rings');
  await page.getByRole('button', { name: 'Handset, ringing. Lift to answer' }).click();
  await page.locator('.telephone.off-hook:not(.ringing)').waitFor();
  demo.bench.hangUp();
  await headline().filter({ hasText: 'Ready' }).waitFor();
});

test('a call\'s row says how it sounds and what the other side hears, the call log how it sounded', async () => {
  const heard = { words: 'fair', mosLq: 3.9, mosCq: 3.7, r: 72, rLq: 77, lossPercent: 4.8, discardPercent: 0.4 } as const;
  const path = { burstPercent: 35, gapPercent: 1, burstMs: 260, gapMs: 4_000, jitterMs: 6, roundTripMs: 80, endSystemMs: 60, oneWayMs: 100, playoutDelayMs: 40, jitterNominalMs: 38, jitterMaximumMs: 40, jitterAbsoluteMs: 300 };
  const there = { lossPercent: 0, discardPercent: 0, burstPercent: 0, gapPercent: 0, burstMs: 0, gapMs: 9_000, gmin: 16, roundTripMs: 80, endSystemMs: 60, signalDb: 127, noiseDb: 127, echoDb: 127, r: 92, mosLq: 4.4, mosCq: 4.4, concealment: 2, adaptive: 3, rate: 0, jitterNominalMs: 40, jitterMaximumMs: 40, jitterAbsoluteMs: 300 };
  const call = { id: 'q', direction: 'out', state: 'established', remote: '201', remoteName: 'Kitchen', account: '', codec: 'PCMA', place: 'handset', seconds: 65, held: false, remoteHeld: false, muted: false, joined: false, encrypted: false, suite: '', keysInClear: false, intercom: false, emergency: false, recording: false } as const;
  demo.phone.happen({ at: 0, event: 'answered', call: 'q', remote: '201', codec: 'PCMA', intercom: false, encrypted: '' }, { state: 'in call', bell: false, hook: 'off', calls: [call] });
  await page.locator('.live .time').waitFor();
  expect(await page.locator('.live .quality').count()).toBe(0); // nothing is known yet
  demo.phone.now = { ...demo.phone.now, calls: [{ ...call, quality: { heard, path, there, codec: 'PCMA', payloadType: 8, packetMs: 20, ssrc: 1, remoteSsrc: 2 } }] }; // no event: the page looks by itself
  const line = page.locator('.live .quality.fair');
  await line.waitFor();
  expect(await line.textContent()).toBe('Sounds fair: MOS 3.7, 4.8 % lost, 0.4 % too late, 100 ms to the earThey hear us: MOS 4.4, nothing lost');
  expect(await line.getAttribute('title')).toContain('round trip 80 ms; bursts of 260 ms with 35 % lost');
  demo.phone.log = [{ at: Date.now() - 60_000, direction: 'out', who: '201', name: 'Kitchen', seconds: 65, how: 'hung up', missed: false, intercom: false, quality: heard }];
  demo.phone.happen({ at: 0, event: 'ended', call: 'q', remote: '201', by: 'us', why: 'hung up', status: 0, seconds: 65 }, { hook: 'on', state: 'on hook', calls: [] });
  await page.locator('.call', { hasText: 'sounded fair (MOS 3.7)' }).first().waitFor();
  demo.phone.log = [];
  demo.phone.happen({ at: 0, event: 'ended', call: 'q', remote: '201', by: 'us', why: 'hung up', status: 0, seconds: 65 });
});

test('a call is held, muted, handed on and ended from its row; privacy is a switch', async () => {
  demo.phone.happen({ at: 0, event: 'answered', call: 'e', remote: '201', codec: 'opus', intercom: false, encrypted: '' }, {
    state: 'in call', bell: false, hook: 'off',
    calls: [{ id: 'e', direction: 'out', state: 'established', remote: '201', remoteName: 'Kitchen', account: '', codec: 'opus', place: 'handset', seconds: 65, held: false, remoteHeld: false, muted: false, joined: false, recording: false, encrypted: false, suite: '', keysInClear: false, intercom: false, emergency: false }],
  });
  await headline().filter({ hasText: 'Talking to Kitchen' }).waitFor();
  expect(await page.locator('.live .time').textContent()).toMatch(/^1:0[5-9]$/);
  const row = page.locator('.live');
  await row.getByRole('button', { name: 'Hold' }).click();
  await row.getByRole('button', { name: 'Mute' }).click();
  await row.getByRole('button', { name: 'Transfer' }).click();
  await page.getByLabel('Number or address to hand the call to').fill('204');
  await page.keyboard.press('Enter');
  await row.getByRole('button', { name: 'Hang up' }).click();
  await expect.poll(() => demo.phone.commands.slice(-4)).toEqual([
    { do: 'hold', call: 'e' }, { do: 'mute', muted: true, call: 'e' }, { do: 'transfer', target: '204', call: 'e' }, { do: 'hangup', call: 'e' },
  ]);
  demo.phone.outcome = { ok: false, code: 'NO_CALL', why: 'That call is over.' };
  await row.getByRole('button', { name: 'Hold' }).click();
  await page.locator('.toast', { hasText: 'That call is over.' }).waitFor();
  demo.phone.outcome = { ok: true };
  demo.phone.happen({ at: 0, event: 'hook', off: false }, { hook: 'on', state: 'on hook', calls: [] });
  await page.getByRole('button', { name: 'Privacy off' }).click();
  await page.getByRole('button', { name: 'Privacy on' }).waitFor();
  expect(demo.bench.state.privacy).toBe(true);
});

test('a call is recorded by a button where that is allowed, and its row says so', async () => {
  const call = { id: 'r', direction: 'out', state: 'established', remote: '201', remoteName: 'Kitchen', account: '', codec: 'opus', place: 'handset', seconds: 65, held: false, remoteHeld: false, muted: false, joined: false, recording: false, encrypted: false, suite: '', keysInClear: false, intercom: false, emergency: false } as const;
  demo.phone.happen({ at: 0, event: 'answered', call: 'r', remote: '201', codec: 'opus', intercom: false, encrypted: '' }, { state: 'in call', bell: false, hook: 'off', calls: [call] });
  const row = page.locator('.live');
  await row.getByRole('button', { name: 'Mute' }).waitFor();
  expect(await row.getByRole('button', { name: 'Record' }).count()).toBe(0);
  await demo.store.change({ recording: { mode: 'on-demand' } });
  await row.getByRole('button', { name: 'Record', exact: true }).click();
  await expect.poll(() => demo.phone.commands.at(-1)).toEqual({ do: 'record', on: true, call: 'r' });
  demo.phone.happen({ at: 0, event: 'recording', call: 'r', on: true, path: 'x', seconds: 0, why: '' }, { calls: [{ ...call, recording: true }] });
  await row.getByText('Recorded; both sides hear a beep').waitFor();
  await page.screenshot({ path: 'build/screenshots/recording.png', fullPage: true });
  await row.getByRole('button', { name: 'Stop recording' }).click();
  await expect.poll(() => demo.phone.commands.at(-1)).toEqual({ do: 'record', on: false, call: 'r' });
  demo.phone.happen({ at: 0, event: 'hook', off: false }, { hook: 'on', state: 'on hook', calls: [] });
});

test('recordings are listed, played, saved and, when asked twice, deleted', async () => {
  const folder = `${demo.stateDir}/recordings`, sound = Buffer.alloc(64_000 * 3);
  for (let i = 0; i < sound.length / 2; i++) sound.writeInt16LE(Math.round(3_000 * Math.sin(i / 8)), 2 * i);
  await mkdir(folder);
  for (const name of ['20261129T101500Z-in-bob_pbx.home.wav', '20261130T080000Z-out-201.wav']) await writeFile(`${folder}/${name}`, Buffer.concat([wavHeader(16_000, sound.length, 2), sound]));
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Calls' }).click();
  const list = page.getByRole('region', { name: 'Recordings' });
  await list.getByText('bob_pbx.home').waitFor();
  expect(await list.locator('.who strong').allTextContents()).toEqual(['201', 'bob_pbx.home']);
  expect(await list.locator('.how').first().textContent()).toBe('0:03, 0.2 MB');

  await list.getByRole('button', { name: 'Play the call with 201' }).click();
  await expect.poll(() => page.evaluate('document.querySelector("audio").duration'), { timeout: 10_000 }).toBeCloseTo(3, 1);
  await page.evaluate('document.querySelector("audio").currentTime = 2');
  await expect.poll(() => page.evaluate('document.querySelector("audio").currentTime')).toBeGreaterThanOrEqual(2);
  await page.screenshot({ path: 'build/screenshots/recordings.png', fullPage: true });
  const [saved] = await Promise.all([page.waitForEvent('download'), list.getByRole('link', { name: 'Save the call with 201' }).click()]);
  expect(saved.suggestedFilename()).toBe('20261130T080000Z-out-201.wav');
  expect((await readFile(await saved.path())).length).toBe(44 + sound.length);

  await list.getByRole('button', { name: 'Delete the call with bob_pbx.home' }).click();
  expect(await readdir(folder)).toHaveLength(2);
  await list.getByRole('button', { name: 'Really delete' }).click();
  await expect.poll(() => readdir(folder)).toEqual(['20261130T080000Z-out-201.wav']);
  await expect.poll(() => list.locator('.who strong').allTextContents()).toEqual(['201']);
  await page.setViewportSize({ width: 390, height: 844 });
  await page.screenshot({ path: 'build/screenshots/recordings-phone.png', fullPage: true });
  expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  await page.setViewportSize({ width: 1_200, height: 860 });
});

test('a bad setting is refused at its field and nothing is saved; the mended one is', async () => {
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByRole('button', { name: '+ Add account' }).click();
  await page.getByLabel('User', { exact: true }).fill('202');
  await page.getByLabel('Server', { exact: true }).fill('pbx home');
  await page.locator('#set-accounts-0-password').fill('hush-hush');
  await page.getByRole('button', { name: 'Save' }).click();
  const field = page.locator('.field', { has: page.locator('#set-accounts-0-server') });
  await field.locator('.problem', { hasText: 'a host name or address' }).waitFor();
  expect(await page.locator('#set-accounts-0-server').getAttribute('aria-invalid')).toBe('true');
  expect(await page.evaluate('document.activeElement.id')).toBe('set-accounts-0-server');
  expect(demo.store.settings.accounts).toEqual([]);

  await page.getByLabel('Server', { exact: true }).fill('pbx.home');
  await page.locator('#set-sip-port').fill('5070');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Restart the phone' }).waitFor();
  expect(demo.store.settings.accounts[0]).toMatchObject({ user: '202', server: 'pbx.home', password: 'hush-hush' });
  expect(await readFile(`${demo.stateDir}/settings.toml`, 'utf8')).toContain('port = 5070');
  expect(await page.content()).not.toContain('hush-hush');
});

test('a set password stays when other fields of the account change, and goes when told to', async () => {
  await page.reload();
  await page.getByLabel('User', { exact: true }).fill('203');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect.poll(() => demo.store.settings.accounts[0]).toMatchObject({ user: '203', password: 'hush-hush' });
  await page.locator('.savebar', { hasText: 'Saved.' }).waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect.poll(() => demo.store.settings.accounts[0]?.password).toBe('');
});

test('lists, tables, choices and switches are saved as they were made; Undo takes them back', async () => {
  await page.reload();
  await page.getByLabel('Listed addresses').fill('192.168.1.9\n10.0.0.0/8\n');
  await page.locator('.field', { hasText: 'Speed dial' }).getByRole('button', { name: '+ Add' }).click();
  await page.getByLabel('Digits').fill('1');
  await page.getByLabel('Calls', { exact: true }).fill('sip:door@192.168.1.9');
  await page.getByLabel('Country', { exact: true }).selectOption('de');
  await page.locator('label.switch', { hasText: 'Do not disturb' }).click();
  await page.getByRole('button', { name: 'Prefer PCMU more' }).click();
  await page.locator('.savebar', { hasText: '5 changes, not saved' }).waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.locator('.savebar', { hasText: 'Saved.' }).waitFor();
  const { sip, dialing, phone, calls, media } = demo.store.settings;
  expect(sip.allowAddresses).toEqual(['192.168.1.9', '10.0.0.0/8']);
  expect(dialing.speedDial).toEqual({ 1: 'sip:door@192.168.1.9' });
  expect([phone.country, calls.doNotDisturb, media.codecs]).toEqual(['de', true, ['opus', 'G722', 'PCMU', 'PCMA']]);

  await page.getByLabel('Listed addresses').fill('');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => page.getByLabel('Listed addresses').inputValue()).toBe('192.168.1.9\n10.0.0.0/8');
  expect(await page.locator('#set-sound-periods').isDisabled()).toBe(true);
});

test('what is typed survives a look at the phone, and settings changed elsewhere show up', async () => {
  await page.getByLabel('Hotline', { exact: true }).fill('201');
  await page.getByRole('link', { name: 'Phone', exact: true }).first().click();
  await page.locator('.telephone').waitFor();
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Settings' }).click();
  expect(await page.getByLabel('Hotline', { exact: true }).inputValue()).toBe('201');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect.poll(() => page.getByLabel('Hotline', { exact: true }).inputValue()).toBe('');

  await demo.store.change({ dialing: { hotline: '999' } });
  await expect.poll(() => page.getByLabel('Hotline', { exact: true }).inputValue()).toBe('999');
});

test('every field has a name, and nothing is wider than a telephone\'s screen', async () => {
  const small = await browser.newContext({ viewport: { width: 360, height: 740 }, storageState: await context.storageState(), colorScheme: 'dark' });
  const narrow = await small.newPage();
  for (const view of ['phone', 'calls', 'settings']) {
    await narrow.goto(`${demo.page.address}/#${view}`);
    await narrow.locator('main > *').first().waitFor();
    const nameless = await narrow.evaluate(`[...document.querySelectorAll('input, select, textarea, button')]
      .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length > 0))).map((e) => e.outerHTML)`);
    expect(nameless).toEqual([]);
    expect(await narrow.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
  }
  await small.close();
});

test('the phones of the house are listed where this one is their exchange, and one that registers is seen at once', async () => {
  await page.goto(`${demo.page.address}/#phone`);
  const house = page.getByRole('region', { name: 'Phones of the house' });
  await house.getByText('201 Hall').waitFor();
  expect(await house.locator('dd').allTextContents()).toEqual(['not registered', 'not registered']);
  demo.registered('202', [{ address: '192.168.1.9:5060', transport: 'udp', userAgent: 'Offhook/0.1', since: Date.now(), expiresS: 600 }]);
  await house.getByText(/since today .*192\.168\.1\.9:5060, Offhook\/0\.1/).waitFor();
  await page.screenshot({ path: 'build/screenshots/house.png', fullPage: true });
});

test('logging out asks for the password again, and only it opens', async () => {
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.locator('.door').waitFor();
  await page.getByLabel('Password').fill('wrong one');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'That is not the password.' }).waitFor();
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.locator('.settings, .telephone').first().waitFor();
});

test('the page asks nobody else for anything and the browser has nothing to complain of', () => {
  expect(foreign).toEqual([]);
  expect(complaints).toEqual([]);
});
