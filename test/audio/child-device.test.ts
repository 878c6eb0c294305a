import { describe, expect, test } from 'vitest';
import { childArgs } from '../../src/audio/child-device.ts';
import type { ChildHandler, Spawn } from '../../src/audio/child-device.ts';
import { createAudioSystem } from '../../src/audio/system.ts';
import type { AudioStatus } from '../../src/ports/audio.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeLog } from '../fakes/log.ts';

interface Started {
  readonly command: string;
  readonly args: readonly string[];
  readonly handler: ChildHandler;
  readonly written: Uint8Array[];
  readonly signals: string[];
  /** What write() answers: bytes not taken yet. */
  waiting: number;
}

function bench(name = 'arecord:hw:USB') {
  const clock = new FakeClock();
  const log = new FakeLog();
  const children: Started[] = [];
  const captured: Int16Array[] = [];
  const statuses: AudioStatus[] = [];
  const play = { next: (_: Int16Array) => {} };
  const spawn: Spawn = (command, args, handler) => {
    const child: Started = { command, args, handler, written: [], signals: [], waiting: 0 };
    children.push(child);
    return {
      write: (bytes) => {
        child.written.push(Uint8Array.from(bytes));
        return child.waiting;
      },
      kill: (signal) => child.signals.push(signal),
    };
  };
  const device = createAudioSystem({ clock, log, spawn }).open({
    name, rateHz: 16_000, periodFrames: 320, periods: 4,
    onPeriod: (c, p) => { captured.push(Int16Array.from(c)); play.next(p); }, onStatus: (s) => statuses.push(s),
  });
  const child = (command: string) => children.filter((c) => c.command === command).at(-1)!;
  return { clock, log, children, captured, statuses, play, device, child };
}

const period = (value: number) => new Uint8Array(new Int16Array(320).fill(value).buffer);

describe('arecord and aplay', () => {
  test('are started with period and buffer spelled out, a bare card through the plug layer', () => {
    expect(childArgs('hw:USB', 16_000, 320, 4)).toEqual(['-q', '-D', 'plughw:USB', '-t', 'raw', '-f', 'S16_LE', '-c', '1', '-r', '16000', '--period-size=320', '--buffer-size=1280']);
    const { child } = bench();
    expect(child('aplay').args).toContain('--start-delay=1000');
    expect(child('arecord').args).not.toContain('--start-delay=1000');
  });

  test('aplay gets two periods of silence first, then a period for each captured', () => {
    const { captured, play, child } = bench();
    play.next = (p) => p.fill(7);
    child('arecord').handler.onBytes(period(5));
    child('arecord').handler.onBytes(period(6));
    expect(captured.map((c) => c[0])).toEqual([5, 6]);
    expect(child('aplay').written.map((w) => w.length)).toEqual([2 * 640, 640, 640]);
    expect(new Int16Array(child('aplay').written[2]!.buffer)[319]).toBe(7);
  });

  test('pieces of any length, even odd ones, make whole periods', () => {
    const { captured, child } = bench();
    const samples = Int16Array.from({ length: 3_200 }, (_, i) => i * 7 - 9_000);
    const bytes = new Uint8Array(samples.buffer);
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 5 + 3) % 1_301) child('arecord').handler.onBytes(bytes.subarray(at, at + size));
    expect(Int16Array.from(captured.flatMap((c) => [...c]))).toEqual(samples);
  });

  test('the clock keeps time until the first sound comes, and no longer', () => {
    const { clock, captured, child } = bench();
    clock.advance(100);
    expect(captured).toHaveLength(5);
    child('arecord').handler.onBytes(period(1));
    clock.advance(1_000);
    expect(captured).toHaveLength(6);
  });

  test.each([
    ['arecord: main:831: audio open error: No such file or directory', 'there is no sound card "hw:USB": it is unplugged or its name is wrong'],
    ['overrun!!! (at least 0.1 ms long)\narecord: xrun: prepare error: No such device', 'the sound card "hw:USB" is unplugged'],
    ['arecord: main:831: audio open error: Device or resource busy', 'another program holds the sound card "hw:USB"'],
    ['arecord: main:831: audio open error: Permission denied', 'no permission to use the sound card "hw:USB": add the user to the group audio'],
    ['arecord: set_params:1403: Sample format non available', 'the sound card "hw:USB" failed: arecord: set_params:1403: Sample format non available'],
  ])('"%s" is told in words', (complaint, words) => {
    const { child, statuses } = bench();
    child('arecord').handler.onComplaint(complaint);
    child('arecord').handler.onExit(1);
    expect(statuses).toEqual([expect.objectContaining({ state: 'lost', trouble: words })]);
  });

  test('a missing program names its package', () => {
    const { child, statuses } = bench();
    child('arecord').handler.onExit(-1);
    expect(statuses[0]?.trouble).toBe('arecord is missing: install the Debian package alsa-utils');
  });

  test('when one ends both end, killed for good if need be, and both are started again', () => {
    const { clock, children, captured, statuses, child, device, log } = bench();
    child('arecord').handler.onBytes(period(1));
    const [first, second] = children;
    child('aplay').handler.onExit(1);
    expect(first!.signals).toEqual(['SIGTERM']);
    clock.advance(400);
    expect([first!.signals, second!.signals]).toEqual([['SIGTERM', 'SIGKILL'], ['SIGTERM', 'SIGKILL']]);
    expect(captured).toHaveLength(21);
    clock.advance(100);
    expect(children).toHaveLength(4);
    child('arecord').handler.onBytes(period(1));
    expect(statuses.map((s) => s.state)).toEqual(['lost', 'running']);
    expect(device.status().reopened).toBe(1);
    first!.handler.onBytes(period(9)); // the old one's last words are nobody's
    first!.handler.onExit(1);
    expect(statuses).toHaveLength(2);
    expect(log.facts()).toEqual(['sound card lost', 'sound card found']);
  });

  test('an arecord that goes dumb is given up', () => {
    const { clock, child, statuses } = bench();
    child('arecord').handler.onBytes(period(1));
    clock.advance(2_100);
    expect(statuses.map((s) => s.trouble)).toEqual(['the sound card "hw:USB" stopped delivering sound']);
  });

  test('sound that aplay does not take is dropped instead of piling up', () => {
    const { child, device } = bench();
    child('aplay').waiting = 5 * 640;
    for (let i = 0; i < 10; i++) child('arecord').handler.onBytes(period(1));
    expect(child('aplay').written.filter((w) => w.length > 0).length).toBeLessThanOrEqual(3);
    expect(device.status().xruns).toBeGreaterThan(5);
    child('aplay').waiting = 0;
    child('arecord').handler.onBytes(period(1));
    child('arecord').handler.onBytes(period(1));
    expect(child('aplay').written.at(-1)).toHaveLength(640);
  });

  test('playback alone is paced by the clock', () => {
    const { clock, children, child, play } = bench('arecord:|hw:USB');
    play.next = (p) => p.fill(3);
    expect(children).toHaveLength(1);
    clock.advance(1_000);
    expect(child('aplay').written).toHaveLength(51);
  });

  test('closing ends both children and every timer', () => {
    const { clock, children, captured, device, child } = bench();
    device.close();
    child('arecord').handler.onBytes(period(1));
    child('arecord').handler.onExit(0);
    clock.advance(1_000);
    expect(children.map((c) => c.signals)).toEqual([['SIGTERM', 'SIGKILL'], ['SIGTERM', 'SIGKILL']]);
    expect(captured).toHaveLength(0);
    expect(clock.pending).toBe(0);
  });
});
