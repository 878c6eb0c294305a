import { expect, test } from 'vitest';
import { Value } from '@sinclair/typebox/value';
import { settingsSchema, type Settings } from '../../src/config/schema.ts';
import { welcome, type Started } from '../../src/main/welcome.ts';

const defaults = Value.Default(settingsSchema, {}) as Settings;
const told = (over: Partial<Started> = {}) => welcome({
  settings: defaults, board: 'bench', sip: '192.168.1.7:5060', page: 'http://192.168.1.7:8080/', keys: 'space: lift', state: '/tmp/s', cards: true, command: 'node dist/offhook.js', ...over,
});

test('the page, the handset and what to try are told', () => {
  expect(told()).toContain('http://192.168.1.7:8080/   (the first visit sets its password)');
  expect(told()).toContain('drawn on the page, and worked by the keys of this terminal');
  expect(told()).toContain('lift the handset (space)');
  expect(told()).toContain('node dist/offhook.js status');
});

test('nothing is promised that is not there', () => {
  const dark = told({ page: undefined, keys: undefined });
  expect(dark).toContain('none, see the error above');
  expect(dark).toContain('only the command line works this phone');
  expect(dark).not.toContain('lift the handset');
  expect(told({ keys: undefined })).not.toContain('terminal, ');
  expect(told({ keys: undefined })).not.toContain('(space)');
  expect(told({ page: undefined, settings: { ...defaults, web: { ...defaults.web, enabled: false } } })).toContain('switched off: setting web.enabled');
  expect(told({ board: 'none', keys: undefined })).not.toContain('lift the handset');
  expect(told({ board: 'raspberry-pi', page: undefined, keys: undefined })).toContain('wired, board raspberry-pi');
});

test('silence has its reason, and who may call is said', () => {
  expect(told({ cards: false })).toContain('no sound card seen: calls work, silently');
  expect(told({ cards: false, settings: { ...defaults, sound: { ...defaults.sound, handset: { ...defaults.sound.handset, device: 'alsa:usb' } } } })).toContain('Its sound       alsa:usb');
  expect(told()).toContain('rings for its server and listed addresses only');
});
