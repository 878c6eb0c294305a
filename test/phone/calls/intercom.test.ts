import { describe, expect, test } from 'vitest';
import { createLab, loudness, type Subject } from './lab.ts';
import { accountSettings } from '../settings.ts';
import { Registrar } from '../../fakes/registrar.ts';
import type { MediaCommand } from '../../../src/media/door.ts';

const SERVER = '192.0.2.100';
const sine = (i: number) => Math.round(8_000 * Math.sin(2 * Math.PI * 440 * i / 16_000));
// Over TCP any connection from the server's address counts as the server's, so that a telephone there can play what comes through it.
const account = accountSettings({ user: '200', server: SERVER, password: 'secret', transport: 'tcp' });
const TARGET = 'sip:200@192.0.2.2;transport=tcp';
const allow = [{ caller: '201', password: '' }, { caller: 'door', password: 'let me in' }];

/** A telephone registered at a server, and a caller at that server's own address, as if it came through it. */
const registered = async (intercom = {}, more = {}) => {
  const lab = createLab();
  const registrar = new Registrar(lab.clock, lab.wire.host(SERVER));
  registrar.users.set('200', 'secret');
  await registrar.start();
  const b = await lab.phone('192.0.2.2', { settings: { accounts: [account], sip: { allowAddresses: [] }, intercom: { enabled: true, allow, ...intercom }, ...more } });
  await lab.run(500);
  const from = (user: string, port: number, host = SERVER) => lab.phone(host, { port, ...(user === 'x' ? { hardware: 'none' as const } : {}), settings: { accounts: [accountSettings({ user, server: '192.0.2.250', register: false })] } });
  return { lab, registrar, b, from };
};
/** The commands to the engine that open, close and route the microphone, in order. */
const micOf = (s: Subject): string[] => s.sent.filter((c) => c.do === 'mute' || c.do === 'tone' || c.do === 'negotiated').map((c: MediaCommand) => c.do === 'mute' ? `mute ${c.muted}` : c.do);

describe('a call that asks to be answered', () => {
  test('is answered on the speaker, beep first, microphone after, and ended after its longest time', async () => {
    const { lab, b, from } = await registered({ maxS: 20 });
    expect(b.phone.status().registrations).toMatchObject([{ state: 'registered', trouble: '' }]);
    const caller = await from('201', 5062);
    b.audio.microphone = sine;
    const called = caller.command({ do: 'call', target: TARGET, intercom: true });
    await lab.run(120);
    expect(b.heard('speaker')).toBe('beep');
    expect(micOf(b)).toEqual(['mute true', 'negotiated', 'tone']);
    expect(b.phone.status()).toMatchObject({ state: 'speaker', hook: 'on', bell: false, calls: [{ intercom: true, place: 'speaker' }] });
    expect(b.bench.state.lamp).toBe(true);
    expect(loudness(caller, 60)).toBeLessThan(10);
    await lab.run(1_500);
    expect(micOf(b)).toEqual(['mute true', 'negotiated', 'tone', 'mute false']);
    expect(called.outcome).toMatchObject({ ok: true, state: 'answered' });
    expect(loudness(caller)).toBeGreaterThan(1_000);
    await lab.run(19_000);
    expect(b.phone.status()).toMatchObject({ state: 'on hook', calls: [] });
    expect(b.events.find((e) => e.event === 'ended')).toMatchObject({ why: 'longest intercom call', by: 'us' });
    expect(await b.phone.callLog()).toMatchObject([{ intercom: true, missed: false }]);
    expect(b.log.lines.find((l) => l.fact === 'automatic answer decided')?.fields).toMatchObject({ do: 'answer', from: '201' });
  });

  test('is ended by privacy, switch or setting, unless a person has taken it', async () => {
    for (const way of ['switch', 'setting', 'taken'] as const) {
      const { lab, b, from } = await registered();
      const caller = await from('201', 5062);
      caller.command({ do: 'call', target: TARGET, intercom: true });
      await lab.run(2_000);
      if (way === 'taken') b.bench.lift();
      await lab.run(100);
      if (way === 'setting') b.settings = { ...b.settings, intercom: { ...b.settings.intercom, privacy: true } };
      else b.bench.privacy(true);
      await lab.run(500);
      expect(b.phone.status().calls.length, way).toBe(way === 'taken' ? 1 : 0);
      if (way !== 'taken') expect(b.events.find((e) => e.event === 'ended')).toMatchObject({ why: 'privacy', by: 'us' });
    }
  });

  test('taken to the handset it may last as long as any other', async () => {
    const { lab, b, from } = await registered({ maxS: 10 });
    const caller = await from('201', 5062);
    caller.command({ do: 'call', target: TARGET, intercom: true });
    await lab.run(2_000);
    b.bench.lift();
    await lab.run(20_000);
    expect(b.phone.status()).toMatchObject({ state: 'in call', calls: [{ place: 'handset' }] });
  });

  test('is taken to the handset by lifting it', async () => {
    const { lab, b, from } = await registered();
    const caller = await from('201', 5062);
    caller.command({ do: 'call', target: TARGET, intercom: true });
    await lab.run(2_000);
    b.bench.lift();
    await lab.run(500);
    expect(b.phone.status()).toMatchObject({ state: 'in call', calls: [{ place: 'handset', state: 'established' }] });
    b.bench.hangUp();
    await lab.run(1_500);
    expect(caller.phone.status().calls).toEqual([]);
  });

  const strangers: readonly (readonly [what: string, user: string, intercom: object])[] = [
    ['only rings for a caller who is not on the list', '666', {}],
    ['only rings while privacy is on', '201', { privacy: true }],
    ['only rings while the intercom is off', '201', { enabled: false }],
  ];
  for (const [what, user, intercom] of strangers) {
    test(what, async () => {
      const { lab, b, from } = await registered(intercom);
      const caller = await from(user, 5062);
      caller.command({ do: 'call', target: TARGET, intercom: true });
      await lab.run(3_000);
      expect(b.phone.status()).toMatchObject({ state: 'ringing', calls: [{ state: 'ringing' }] });
      expect(b.sent.some((c) => c.do === 'open')).toBe(false);
    });
  }

  test('only rings while the switch on the board is closed', async () => {
    const { lab, b, from } = await registered();
    b.bench.privacy(true);
    const caller = await from('201', 5062);
    caller.command({ do: 'call', target: TARGET, intercom: true });
    await lab.run(3_000);
    expect(b.phone.status()).toMatchObject({ state: 'ringing', privacy: true });
  });

  test('from elsewhere is refused and opens nothing, whatever number it claims', async () => {
    const { lab, b, from } = await registered();
    const caller = await from('201', 5060, '192.0.2.66');
    const called = caller.command({ do: 'call', target: TARGET, intercom: true });
    await lab.run(3_000);
    expect(called.outcome).toMatchObject({ ok: false, status: 403 });
    expect(b.sent.some((c) => c.do === 'open' || c.do === 'tone')).toBe(false);
    expect(b.bench.state.ringing).toBe(false);
    expect(b.story()).toEqual(['registered', 'refused']);
  });

  test('from forty who may call and are turned away is told of and kept ten times a minute, then counted', async () => {
    for (const [why, calls] of [['do not disturb', { doNotDisturb: true }], ['too many calls', {}]] as const) {
      const lab = createLab();
      const a = await lab.phone('192.0.2.1', { hardware: 'none' });
      const b = await lab.phone('192.0.2.2', { hardware: 'none', settings: { sip: { acceptFrom: 'anyone' }, calls } });
      for (let i = 0; i < 48; i++) a.command({ do: 'call', target: 'sip:bob@192.0.2.2' });
      await lab.run(3_000);
      const refused = b.events.filter((e) => e.event === 'refused');
      expect(refused.map((e) => e.why)).toEqual([...Array.from({ length: 10 }, () => why), why]);
      expect(await b.phone.callLog()).toHaveLength(why === 'do not disturb' ? 10 : 0);
      await lab.run(60_000);
      a.command({ do: 'call', target: 'sip:bob@192.0.2.2' });
      await lab.run(500);
      if (why === 'do not disturb') expect(await b.phone.callLog()).toHaveLength(11);
    }
  });

  test('from fifty strangers is told of once a minute', async () => {
    const { lab, b, from } = await registered();
    const caller = await from('x', 5060, '192.0.2.66');
    for (let i = 0; i < 50; i++) caller.command({ do: 'call', target: TARGET });
    await lab.run(3_000);
    expect(b.story()).toEqual(['registered', 'refused']);
    await lab.run(60_000);
    caller.command({ do: 'call', target: TARGET });
    await lab.run(500);
    expect(b.events.filter((e) => e.event === 'refused').map((e) => e.why)).toEqual(['not from a server this phone is registered at', expect.stringMatching(/and \d+ more since/)]);
  });

  test('after a wait rings first, and a person may be quicker', async () => {
    const { lab, b, from } = await registered();
    const caller = await from('201', 5062);
    const ask = () => caller.command({ do: 'call', target: TARGET, headers: [['Alert-Info', '<http://x>;info=alert-autoanswer;delay=3']] });
    ask();
    await lab.run(2_500);
    expect(b.phone.status().state).toBe('ringing');
    await lab.run(1_000);
    expect(b.phone.status()).toMatchObject({ state: 'speaker', calls: [{ intercom: true }] });
    caller.command({ do: 'hangup' });
    await lab.run(1_000);
    ask();
    await lab.run(1_000);
    b.bench.lift();
    await lab.run(4_000);
    expect(b.phone.status()).toMatchObject({ state: 'in call', calls: [{ intercom: false, place: 'handset' }] });
  });

  test('during another call rings as a waiting one, or is heard beside it where that is set', async () => {
    for (const whileBusy of [false, true]) {
      const { lab, b, from } = await registered({ whileBusy });
      const other = await from('300', 5064);
      const caller = await from('201', 5062);
      other.command({ do: 'call', target: TARGET });
      await lab.run(500);
      b.bench.lift();
      await lab.run(500);
      caller.command({ do: 'call', target: TARGET, intercom: true });
      await lab.run(1_500);
      expect(b.phone.status().state).toBe('in call');
      expect(b.phone.status().calls.map((c) => [c.state, c.place, c.intercom])).toEqual([['established', 'handset', false], whileBusy ? ['established', 'speaker', true] : ['ringing', 'handset', false]]);
    }
  });
});

test('who calls directly is shown, and called back, by address, though an account of ours has the number called', async () => {
  const { lab, b } = await registered({}, { sip: { allowAddresses: ['192.0.2.66'] } });
  const direct = await lab.phone('192.0.2.66', { settings: { accounts: [accountSettings({ user: 'ann', server: '192.0.2.250', register: false })] } });
  direct.command({ do: 'call', target: 'sip:200@192.0.2.2' });
  await lab.run(500);
  expect(b.phone.status().calls).toMatchObject([{ remote: 'sip:ann@192.0.2.66:5060' }]);
  expect(b.events.find((e) => e.event === 'incoming')).toMatchObject({ account: '' });
  direct.command({ do: 'hangup' });
  await lab.run(500);
  b.bench.lift();
  await b.dial('*69');
  await lab.run(500);
  expect(direct.phone.status().state).toBe('ringing');
});

test('a door phone without a server proves its password and is answered (RFC 3261 §22)', async () => {
  const { lab, b } = await registered();
  const door = await lab.phone('192.0.2.66', { settings: { accounts: [accountSettings({ user: 'door', server: '192.0.2.2', register: false, password: 'let me in' })] } });
  const called = door.command({ do: 'call', target: TARGET, intercom: true });
  await lab.run(2_000);
  expect(called.outcome).toMatchObject({ ok: true });
  expect(b.phone.status()).toMatchObject({ state: 'speaker', calls: [{ intercom: true }] });
});

test('and with the wrong password it is not', async () => {
  const { lab, b } = await registered();
  const door = await lab.phone('192.0.2.66', { settings: { accounts: [accountSettings({ user: 'door', server: '192.0.2.2', register: false, password: 'guess' })] } });
  const called = door.command({ do: 'call', target: TARGET, intercom: true });
  await lab.run(3_000);
  expect(called.outcome).toMatchObject({ ok: false });
  expect(b.sent.some((c) => c.do === 'open')).toBe(false);
  expect(b.events.find((e) => e.event === 'refused')).toMatchObject({ peer: '192.0.2.66:5060', why: 'the password was not right' });
});
