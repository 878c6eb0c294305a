import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { nationalTones } from '../../src/main/national.ts';
import { FakeLog } from '../fakes/log.ts';

const whole = readFileSync(new URL('../../src/media/national-tones.txt', import.meta.url));

test('the tones follow the country that is set, the file read once for each change', () => {
  let country = 'de', reads = 0;
  const national = nationalTones(() => { reads++; return whole; }, () => country, new FakeLog());
  expect(national().tones.dial.steps[0]!.hz).toEqual([425]);
  expect(national().ringCadence).toEqual([1000, 4000]);
  country = 'fr';
  expect(national().tones.dial.steps[0]!.hz).toEqual([440]);
  expect(national().emergency).toEqual(['112', '15', '17', '18']);
  expect(reads).toBe(2);
});

test('a file that cannot be read later on leaves the tones as they were, and is told of once', () => {
  let country = 'de', there = true;
  const log = new FakeLog();
  const national = nationalTones(() => {
    if (!there) throw new Error('gone');
    return whole;
  }, () => country, log);
  there = false;
  country = 'fr';
  expect(national().emergency).toEqual(['112', '110']);
  expect(national().emergency).toEqual(['112', '110']);
  expect(log.lines.filter(({ fact }) => fact === 'tones not changed')).toHaveLength(1);
});

test('a country without tones stops the start', () => {
  expect(() => nationalTones(() => whole, () => 'xx', new FakeLog())).toThrow('xx');
});
