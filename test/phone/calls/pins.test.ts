import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { checkBoard } from '../../../src/hardware/board.ts';
import { openBoard } from '../../../src/hardware/board-hardware.ts';
import { createSimulatedPins, GROUND } from '../../../src/hardware/simulated.ts';
import { createLab } from './lab.ts';

const BOUNCE = [3, 2, 4, 1, 3];
const board = checkBoard(parse(readFileSync(new URL('../../../hw/boards/raspberry-pi.toml', import.meta.url), 'utf8'))).board!;

test('on a Pi\'s pins, with contacts that bounce and 5 ms of noise: lift, dial 201, talk, flash, hang up, and nothing else happens', async () => {
  const lab = createLab();
  const pins = createSimulatedPins(lab.clock);
  const hardware = openBoard(lab.clock, board, pins, { debounceMs: 20, flashMinMs: 80, flashMaxMs: 800 });
  const a = await lab.phone('192.0.2.1', { hardware, settings: { dialing: { plan: ['3xx'], speedDial: { '201': 'sip:bob@192.0.2.2' } } } });
  const b = await lab.phone('192.0.2.2');
  const { rows, columns, keys } = board.keypad!;
  const hook = (lifted: boolean) => pins.snap(board.hook!.pin, GROUND, lifted, BOUNCE);
  const press = async (key: string) => {
    const row = keys.findIndex((r) => (r as readonly string[]).includes(key));
    const [r, c] = [rows[row]!, columns[(keys[row] as readonly string[]).indexOf(key)]!];
    pins.snap(r, c, true, BOUNCE);
    await lab.run(120);
    pins.noise(rows[(row + 1) % 4]!, 5);
    pins.snap(r, c, false, BOUNCE);
    await lab.run(130);
  };

  pins.noise(board.hook!.pin, 5);
  await lab.run(300);
  expect(a.phone.status().hook).toBe('on');
  hook(true);
  await lab.run(200);
  expect(a.heard()).toBe('dial');
  pins.noise(rows[0]!, 5);
  await lab.run(100);
  for (const key of '201') await press(key);
  await lab.run(300);
  expect(a.phone.status()).toMatchObject({ state: 'calling', dialled: '201', tone: 'ringback' });
  b.bench.lift();
  await lab.run(500);
  hook(false);
  await lab.run(300);
  hook(true);
  await lab.run(1_000);
  expect(a.heard()).toBe('recall');
  expect(b.phone.status().calls[0]).toMatchObject({ remoteHeld: true });
  hook(false);
  await lab.run(250);
  hook(true);
  await lab.run(1_000);
  expect(a.phone.status().state).toBe('in call');
  await press('5');
  await lab.run(500);
  hook(false);
  await lab.run(2_000);
  expect(a.phone.status()).toMatchObject({ state: 'on hook', calls: [] });

  expect(a.events.filter((e) => e.event === 'key' && e.down).map((e) => e.event === 'key' ? e.key : '').join('')).toBe('2015');
  expect(a.events.filter((e) => e.event === 'hook').map((e) => e.event === 'hook' && e.off)).toEqual([true, false]);
  expect(a.story()).toEqual(['calling', 'ringing', 'answered', 'held', 'resumed', 'ended']);
  expect(b.events.filter((e) => e.event === 'digit').map((e) => e.event === 'digit' ? e.digit : '')).toEqual(['5']);
});

test('a telephone that starts with its handset off gives dial tone', async () => {
  const lab = createLab();
  const pins = createSimulatedPins(lab.clock);
  pins.contact(board.hook!.pin, GROUND, true);
  const a = await lab.phone('192.0.2.1', { hardware: openBoard(lab.clock, board, pins, { debounceMs: 20, flashMinMs: 80, flashMaxMs: 800 }) });
  expect(a.heard()).toBe('dial');
});

test('a caller whom the server marks rings otherwise, on the bell and in the owner\'s ring tone (Alert-Info)', async () => {
  const lab = createLab();
  const pins = createSimulatedPins(lab.clock);
  const ringTones = { internal: 'chime', dr2: 'door.wav' };
  const a = await lab.phone('192.0.2.1', { hardware: openBoard(lab.clock, board, pins, { debounceMs: 20, flashMinMs: 80, flashMaxMs: 800 }), settings: { sound: { ringTones } } });
  const b = await lab.phone('192.0.2.2', { hardware: 'none' });
  const pin = board.bell!.pins[0]!;
  const rung = async (alert: string): Promise<{ ms: number; tone: unknown }> => {
    b.command({ do: 'call', target: 'sip:a@192.0.2.1', headers: [['Alert-Info', alert]] });
    for (let i = 0; i < 200 && !pins.output(pin); i++) await lab.run(10);
    let ms = 0;
    for (; ms < 5_000 && pins.output(pin); ms += 10) await lab.run(10);
    const tone = a.sent.findLast((c) => c.do === 'tone' && c.place === 'ringer');
    b.command({ do: 'hangup' });
    await lab.run(1_000);
    expect(a.phone.status().bell).toBe(false);
    return { ms, tone };
  };
  const dr2 = await rung('<http://127.0.0.1/Bellcore-dr2>');
  expect(Math.abs(dr2.ms - 800)).toBeLessThanOrEqual(20);
  expect(dr2.tone).toMatchObject({ program: { wav: 'sounds/door.wav' } });
  const internal = await rung('<http://pbx>;info=alert-internal');
  expect(Math.abs(internal.ms - 400)).toBeLessThanOrEqual(20);
  expect(JSON.stringify(internal.tone)).toContain('"hz":[660,1320]'); // the chime
  const unknown = await rung('<http://evil.example/scream.wav>;volume=100');
  expect(Math.abs(unknown.ms - 2_000)).toBeLessThanOrEqual(20);
});

test('the bell on its pin follows the country\'s cadence until the handset is lifted', async () => {
  const lab = createLab();
  const pins = createSimulatedPins(lab.clock);
  const a = await lab.phone('192.0.2.1', { hardware: openBoard(lab.clock, board, pins, { debounceMs: 20, flashMinMs: 80, flashMaxMs: 800 }), settings: { phone: { country: 'uk' } } });
  const b = await lab.phone('192.0.2.2', { hardware: 'none' });
  b.command({ do: 'call', target: 'sip:a@192.0.2.1' });
  for (let i = 0; i < 200 && !pins.output(board.bell!.pins[0]!); i++) await lab.run(10);
  const heard: string[] = [];
  for (let i = 0; i < 30; i++) {
    heard.push(pins.output(board.bell!.pins[0]!) ? 'o' : '.');
    await lab.run(100);
  }
  expect(heard.join('')).toMatch(/^o{4}\.{2}o{4}\.{20}$/);
  pins.snap(board.hook!.pin, GROUND, true);
  await lab.run(3_000);
  expect(a.phone.status().state).toBe('in call');
  expect(pins.output(board.bell!.pins[0]!)).toBe(false);
});
