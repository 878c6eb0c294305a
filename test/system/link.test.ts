import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { waysOut, watchLinks } from '../../src/system/link.ts';
import { FakeClock } from '../fakes/clock.ts';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const route = (name: string, target: string, gateway: string, used = '0') => `${name}\t${target}\t${gateway}\t0003\t0\t${used}\t0\t00000000\t0\t0\t0\n`;
const ZERO = '0'.repeat(32);
const route6 = (target: string, prefix: string, gateway: string, name: string, used = '00000000') =>
  `${target} ${prefix} ${ZERO} 00 ${gateway} 00000400 00000001 ${used} 00000003     ${name}\n`;
const at = (address: string) => [{ address }];

describe('what counts as a way out', () => {
  const before = waysOut({ eth0: at('192.0.2.5') }, HEAD + route('eth0', '00000000', '010200C0'), route6(ZERO, '00', `fe80${'0'.repeat(27)}1`, 'eth0'));

  test.each([
    ['another address', { eth0: at('192.0.2.6') }, HEAD + route('eth0', '00000000', '010200C0'), route6(ZERO, '00', `fe80${'0'.repeat(27)}1`, 'eth0')],
    ['no carrier, so no address', {}, HEAD, ''],
    ['another router', { eth0: at('192.0.2.5') }, HEAD + route('eth0', '00000000', '020200C0'), route6(ZERO, '00', `fe80${'0'.repeat(27)}1`, 'eth0')],
    ['another IPv6 router', { eth0: at('192.0.2.5') }, HEAD + route('eth0', '00000000', '010200C0'), route6(ZERO, '00', `fe80${'0'.repeat(27)}2`, 'eth0')],
    ['one more interface with an address', { eth0: at('192.0.2.5'), wlan0: at('192.0.2.9') }, HEAD + route('eth0', '00000000', '010200C0'), route6(ZERO, '00', `fe80${'0'.repeat(27)}1`, 'eth0')],
  ])('%s does', (_, interfaces, routes, routes6) => {
    expect(waysOut(interfaces, routes, routes6)).not.toBe(before);
  });

  test('counters, other routes and interfaces without an address for others do not', () => {
    const interfaces = { veth12: at('fe80::1'), eth0: at('192.0.2.5') };
    const routes = HEAD + route('veth12', '000011AC', '00000000') + route('eth0', '00000000', '010200C0', '77');
    const routes6 = route6(`fe80${'0'.repeat(28)}`, '40', ZERO, 'veth12') + route6(ZERO, '00', `fe80${'0'.repeat(27)}1`, 'eth0', '00000042') + route6(ZERO, '00', ZERO, 'lo');
    expect(waysOut(interfaces, routes, routes6)).toBe(before);
  });
});

describe('watching', () => {
  const path = process.env['PATH'] ?? '';
  let folder = '';
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'oh-link-')); });
  afterEach(() => {
    process.env['PATH'] = path;
    rmSync(folder, { recursive: true, force: true });
  });
  /** Another program in the place of `ip`. */
  const instead = (script: string) => {
    writeFileSync(join(folder, 'ip'), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, 'ip'), 0o755);
    process.env['PATH'] = `${folder}:${path}`;
  };
  /** Resolves when the watcher has looked `n` times; the first look is its start. */
  const eyes = () => {
    let looks = 0;
    let state = 'up';
    let due = () => undefined as void;
    let wanted = Infinity;
    return {
      now: () => {
        if (++looks >= wanted) due();
        return state;
      },
      set: (next: string) => { state = next; },
      looked: (n: number) => new Promise<void>((done) => {
        wanted = n;
        due = done;
        if (looks >= n) done();
      }),
    };
  };

  test('a message of the kernel that changes nothing is not told', async () => {
    instead('echo 2: eth0; exec sleep 60');
    const clock = new FakeClock();
    const { now, looked } = eyes();
    let told = 0;
    const stop = watchLinks(clock, () => { told += 1; }, now);
    await looked(2);
    clock.advance(60_000);
    stop();
    expect(told).toBe(0);
  });

  test('a burst of changes is told once, half a second after its last', async () => {
    instead('echo 2: eth0; exec sleep 60');
    const clock = new FakeClock();
    const { now, set, looked } = eyes();
    const told: number[] = [];
    const stop = watchLinks(clock, () => { told.push(clock.now()); }, now);
    set('down');
    await looked(2);
    clock.advance(499);
    expect(told).toEqual([]);
    clock.advance(60_000);
    stop();
    expect(told).toEqual([500]);
  });

  test('what changed before ip listened is seen after 15 s', () => {
    instead('exec sleep 60');
    const clock = new FakeClock();
    const { now, set } = eyes();
    let told = 0;
    const stop = watchLinks(clock, () => { told += 1; }, now);
    set('up, with an address');
    clock.advance(15_500);
    expect(told).toBe(1);
    stop();
    expect(clock.pending).toBe(0);
  });

  test.each([['is not installed', undefined], ['ends', 'exit 1']])('where ip %s a look is taken every 15 s', async (_, script) => {
    if (script === undefined) process.env['PATH'] = folder;
    else instead(script);
    const clock = new FakeClock();
    const { now, set, looked } = eyes();
    let told = 0;
    const stop = watchLinks(clock, () => { told += 1; }, now);
    await looked(2);
    set('down');
    clock.advance(14_999);
    expect(told).toBe(0);
    clock.advance(1 + 500);
    expect(told).toBe(1);
    stop();
    set('up');
    clock.advance(60_000);
    expect(told).toBe(1);
  });
});
