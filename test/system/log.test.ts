import { expect, test } from 'vitest';
import { createLog, type LogOptions } from '../../src/system/log.ts';
import { FakeClock } from '../fakes/clock.ts';

function logged(options: Partial<LogOptions>, say: (log: ReturnType<typeof createLog>) => void): string[] {
  const lines: string[] = [];
  say(createLog(new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), { format: 'text', level: 'info', journal: false, write: (line) => lines.push(line), ...options }));
  return lines;
}

test('a text line has time, level, fact and fields, words with spaces quoted', () => {
  expect(logged({}, (log) => log.info({ account: 'home', why: 'hung up', seconds: 3, none: undefined }, 'call ended')))
    .toEqual(['03:04:05.678 info  call ended account=home why="hung up" seconds=3\n']);
});

test('in the journal the level stands in front (sd-daemon(3))', () => {
  expect(logged({ journal: true }, (log) => log.warn({}, 'server silent'))).toEqual(['<4>server silent\n']);
});

test('as JSON each line is one object', () => {
  expect(JSON.parse(logged({ format: 'json' }, (log) => log.info({ digit: '5' }, 'digit received'))[0] ?? ''))
    .toEqual({ time: '2026-01-02T03:04:05.678Z', level: 'info', event: 'digit received', digit: '5' });
});

test('a level below the one set is not written', () => {
  expect(logged({ level: 'warn' }, (log) => { log.info({}, 'registered'); log.error({}, 'no sound'); })).toHaveLength(1);
});

test('what a peer sent cannot start a line of its own', () => {
  expect(logged({}, (log) => log.info({ why: 'a\r\nerror forged' }, 'call ended\nx'))[0]?.split('\n')).toHaveLength(2);
});

test('what a peer sent reaches no terminal as a command, and turns no text around', () => {
  expect(logged({}, (log) => log.info({ name: 'a\u009b31mb\u007f\u202ec \u001b[2J', from: 'Zoë Żółć' }, 'incoming')))
    .toEqual(['03:04:05.678 info  incoming name="a\\u009b31mb\\u007f\\u202ec \\u001b[2J" from="Zoë Żółć"\n']);
});
