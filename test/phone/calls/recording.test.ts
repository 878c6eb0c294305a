import { describe, expect, test } from 'vitest';
import type { Settings } from '../../../src/config/types.ts';
import { accountSettings } from '../settings.ts';
import { createLab, type Subject } from './lab.ts';

const A = '192.0.2.1', B = '192.0.2.2', C = '192.0.2.3';
type Mode = Settings['recording']['mode'];
const speedDial = { dialing: { speedDial: { 1: `sip:bob@${B}`, 2: `sip:carol@${C}` }, plan: ['4'] } };

/** A telephone with handset, and two without that answer by themselves. */
async function house(mode: Mode, settings: Parameters<ReturnType<typeof createLab>['phone']>[1] = {}) {
  const lab = createLab();
  const a = await lab.phone(A, { ...settings, settings: { ...speedDial, recording: { mode }, ...settings.settings } });
  const b = await lab.phone(B, { hardware: 'none', settings: { calls: { answer: 'auto' } } });
  const c = await lab.phone(C, { hardware: 'none', settings: { calls: { answer: 'auto' } } });
  const call = async () => {
    a.bench.lift();
    await a.dial('1');
    await lab.run(1_500);
    expect(a.phone.status().state).toBe('in call');
  };
  return { lab, a, b, c, call };
}
const told = ({ events }: Subject) => events.flatMap((e) => (e.event === 'recording' ? [{ on: e.on, seconds: e.seconds, why: e.why }] : []));
const recorded = ({ phone }: Subject) => phone.status().calls.map(({ recording }) => recording);

describe('a recording', () => {
  test('is off unless the setting allows it', async () => {
    const { lab, a, call } = await house('off');
    await call();
    const asked = a.command({ do: 'record', on: true });
    await lab.run(100);
    expect(asked.outcome).toMatchObject({ ok: false, code: 'RECORDING_OFF', why: 'recording is switched off: setting recording.mode' });
    expect(a.sent.some((c) => c.do === 'record')).toBe(false);
    expect(a.disk.files.size).toBe(0);
  });

  test('begins and ends when asked for, is seen in the status, and kept', async () => {
    const { lab, a, call } = await house('on-demand');
    await call();
    expect(recorded(a)).toEqual([false]);
    const on = a.command({ do: 'record', on: true });
    await lab.run(3_000);
    expect(on.outcome).toEqual({ ok: true, call: '1', state: 'recorded' });
    expect(recorded(a)).toEqual([true]);
    const again = a.command({ do: 'record', on: true });
    await lab.run(3_000);
    expect(again.outcome).toEqual({ ok: true, call: '1', state: 'recorded' });
    const off = a.command({ do: 'record', on: false });
    await lab.run(100);
    expect(off.outcome).toEqual({ ok: true, call: '1', state: 'not recorded' });
    expect(recorded(a)).toEqual([false]);
    expect([...a.disk.files.keys()]).toEqual([`/recordings/1-out-sip:bob@${B}.wav`]);
    expect(a.disk.sound().left.length / 16_000).toBeCloseTo(6, 0);
    expect(told(a)).toEqual([{ on: true, seconds: 0, why: '' }, { on: false, seconds: 6, why: '' }]);
    expect(a.phone.status().state).toBe('in call');
  });

  test('ends with the call; so much is told after its end', async () => {
    const { lab, a, call } = await house('on-demand');
    await call();
    a.command({ do: 'record', on: true });
    await lab.run(4_000);
    a.bench.hangUp();
    await lab.run(500);
    expect(told(a).at(-1)).toEqual({ on: false, seconds: 4, why: '' });
    expect(a.disk.closed).toHaveLength(1);
  });

  test('of every call begins with its answer, where the setting says always', async () => {
    const { lab, a, call } = await house('always');
    await call();
    await lab.run(2_000);
    expect(recorded(a)).toEqual([true]);
    const off = a.command({ do: 'record', on: false }); // a person may end it
    await lab.run(100);
    expect(off.outcome).toMatchObject({ ok: true });
    expect(recorded(a)).toEqual([false]);
  });

  test('that cannot be made costs no call: it is logged and shown', async () => {
    const { lab, a, call } = await house('always');
    a.disk.refuse = new Error('the disk is full (/recordings/1-out-1.wav)');
    await call();
    expect(recorded(a)).toEqual([false]);
    expect(a.log.facts()).toContain('call not recorded');
    expect(a.phone.status().lastFailure).toContain('the disk is full');
    await lab.run(5_000);
    expect(a.phone.status().state).toBe('in call');
  });

  test('whose disk fills up ends with a warning, and the call goes on', async () => {
    const { lab, a, call } = await house('always');
    await call();
    a.disk.refuse = new Error('the disk is full (/recordings/1-out-1.wav)');
    await lab.run(4_000);
    expect(told(a).at(-1)).toMatchObject({ on: false, why: 'the disk is full (/recordings/1-out-1.wav)' });
    expect(a.log.lines.find((l) => l.fact === 'recording ended by itself')).toMatchObject({ level: 'warn', fields: { why: 'the disk is full (/recordings/1-out-1.wav)' } });
    expect(a.phone.status()).toMatchObject({ state: 'in call', lastFailure: 'A recording ended: the disk is full (/recordings/1-out-1.wav)' });
  });

  test('of an emergency call is never made', async () => {
    const { lab, a } = await house('always', { settings: { accounts: [accountSettings({ user: 'a', server: B, register: false })], phone: { country: 'us' }, recording: { mode: 'always' } } });
    a.bench.lift();
    await a.dial('911');
    await lab.run(2_000);
    expect(a.phone.status().calls).toMatchObject([{ emergency: true, state: 'established', recording: false }]);
    const asked = a.command({ do: 'record', on: true });
    await lab.run(100);
    expect(asked.outcome).toMatchObject({ ok: false, why: 'emergency calls are not recorded' });
    expect(a.disk.files.size).toBe(0);
  });

  test('does not follow the caller to a third: whom a transfer brings is asked for anew', async () => {
    const { lab, a, b, c, call } = await house('on-demand');
    await call();
    a.command({ do: 'record', on: true });
    await lab.run(2_000);
    const sent = b.command({ do: 'transfer', target: `sip:carol@${C}` });
    await lab.run(4_000);
    expect(sent.outcome).toMatchObject({ ok: true });
    expect(c.phone.status().calls).toHaveLength(1);
    expect(recorded(a)).toEqual([false]);
    expect(told(a).at(-1)).toMatchObject({ on: false, why: '' });
  });

  test('blinks twice at the lamp', async () => {
    const { lab, a, call } = await house('on-demand');
    const lit = async () => {
      let times = '';
      for (let i = 0; i < 40; i++) {
        times += a.bench.state.lamp ? '#' : '.';
        await lab.run(50);
      }
      return times;
    };
    await call();
    expect(await lit()).toMatch(/#{4,6}\.{4,6}#{4,6}/);
    a.command({ do: 'record', on: true });
    await lab.run(1_000);
    expect(await lit()).toMatch(/\.{12,14}##\.{3}##\.{12,14}/);
  });
});

describe('*45 after a flash', () => {
  test('begins the recording of the call that waits, and ends it', async () => {
    const { lab, a, call } = await house('on-demand');
    await call();
    a.bench.flash();
    await lab.run(500);
    await a.dial('*45');
    await lab.run(100);
    expect(a.heard()).toBe('confirm');
    a.bench.flash();
    await lab.run(3_000);
    expect(a.phone.status()).toMatchObject({ state: 'in call', calls: [{ held: false, recording: true }] });
    a.bench.flash();
    await lab.run(500);
    await a.dial('*45');
    a.bench.flash();
    await lab.run(1_000);
    expect(recorded(a)).toEqual([false]);
    expect(a.disk.sound().left.length / 16_000).toBeCloseTo(3.3, 0); // not what was on hold
  });

  test('means nothing where recording is off, or nobody waits', async () => {
    for (const mode of ['off', 'on-demand'] as const) {
      const { lab, a } = await house(mode);
      a.bench.lift();
      await lab.run(2_000);
      await a.dial('*45');
      await lab.run(300);
      expect(a.heard()).toBe('sit');
      expect(a.phone.status().lastFailure).toBe('*45: there is no call to record: flash first');
    }
  });
});

test('commands that are wrong are refused', async () => {
  const { lab, a, call } = await house('on-demand');
  const none = a.command({ do: 'record', on: true });
  await lab.run(50);
  expect(none.outcome).toMatchObject({ ok: false, code: 'NO_SUCH_CALL' });
  await call();
  const odd = a.command({ do: 'record', on: 'yes' as never });
  await lab.run(50);
  expect(odd.outcome).toMatchObject({ ok: false, code: 'BAD_COMMAND', why: 'on is true or false' });
});
