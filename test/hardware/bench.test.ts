import { expect, test } from 'vitest';
import { createBench } from '../../src/hardware/bench.ts';
import { FakeClock } from '../fakes/clock.ts';

test('lifting, keys, flash and hanging up arrive as from a wired phone', () => {
  const clock = new FakeClock();
  const { hardware, ...bench } = createBench({ clock });
  const seen: string[] = [];
  hardware.hook!.subscribe((event, atMs) => seen.push(`${atMs} ${event}`));
  hardware.keypad!.subscribe((key, down, atMs) => seen.push(`${atMs} ${key} ${down ? 'down' : 'up'}`));
  bench.flash(); // on hook: nothing
  bench.lift();
  bench.lift();
  expect(hardware.hook!.offHook).toBe(true);
  bench.press('2');
  bench.press('0', 200);
  clock.advance(1_000);
  bench.flash();
  bench.hangUp();
  expect(seen).toEqual(['0 lifted', '0 2 down', '100 2 up', '150 0 down', '350 0 up', '1000 flash', '1000 hung up']);
});

test('bell, lamp, relay and privacy are shown as they change', () => {
  const clock = new FakeClock();
  const bench = createBench({ clock });
  const { hardware } = bench;
  const rings: string[] = [];
  bench.subscribe(({ ringing, bell }) => rings.push(`${clock.now()} ${ringing ? 'ringing' : 'quiet'} ${bell ? 'on' : 'off'}`));
  hardware.bell!.ring([2_000, 4_000]);
  clock.advance(7_000);
  hardware.bell!.stop();
  expect(rings).toEqual(['0 ringing off', '0 ringing on', '2000 ringing off', '6000 ringing on', '7000 ringing off', '7000 quiet off']);

  const privacy: boolean[] = [];
  hardware.privacy!.subscribe((closed) => privacy.push(closed));
  bench.privacy(true);
  bench.privacy(true);
  bench.privacy(false);
  expect(privacy).toEqual([true, false]);
  hardware.lamp!.show([500, 500]);
  clock.advance(500);
  expect(bench.state.lamp).toBe(false);
  hardware.lamp!.show(true);
  hardware.relay!.pulse(3_000);
  expect(bench.state).toMatchObject({ lamp: true, relay: true });
  clock.advance(3_000);
  expect(bench.state.relay).toBe(false);
  hardware.close();
  expect(bench.state.lamp).toBe(false);
  expect(clock.pending).toBe(0);
});
