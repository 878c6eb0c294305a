import { describe, expect, test } from 'vitest';
import { createLab, loudness } from './lab.ts';
import { levelOf } from '../../media/listen.ts';
import { accountSettings } from '../settings.ts';

const B = '192.0.2.2';
const speedDial = { '2': `sip:bob@${B}`, '3': 'sip:carol@192.0.2.3', '9': 'sip:nobody@192.0.2.99' };
const dialing = { dialing: { speedDial, plan: ['[4-9]xx', '1[0-3]'], interDigitS: 1 } };
const sine = (i: number) => Math.round(8_000 * Math.sin(2 * Math.PI * 440 * i / 16_000));

describe('two telephones and no server', () => {
  test('lift, dial, ring, answer, talk, hang up', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B);
    a.audio.microphone = sine;
    a.bench.lift();
    await lab.run(100);
    expect(a.heard()).toBe('dial');
    expect(a.phone.status()).toMatchObject({ hook: 'off', tone: 'dial' });

    await a.dial('2');
    await lab.run(200);
    expect(a.phone.status()).toMatchObject({ state: 'calling', tone: 'ringback' });
    expect(b.phone.status()).toMatchObject({ state: 'ringing', bell: true, hook: 'on' });
    expect(b.bench.state.ringing).toBe(true);
    expect(b.heard('ringer')).toBe('ring');

    b.bench.lift();
    await lab.run(1_000);
    expect(b.bench.state.ringing).toBe(false);
    expect(b.heard('ringer')).toBe('');
    expect(a.phone.status()).toMatchObject({ state: 'in call', tone: '' });
    expect(a.phone.status().calls[0]).toMatchObject({ state: 'established', codec: 'PCMA', place: 'handset', direction: 'out', encrypted: false });
    expect(loudness(b)).toBeGreaterThan(1_000);

    await lab.run(4_000);
    b.bench.hangUp();
    await lab.run(1_500);
    expect(a.phone.status()).toMatchObject({ state: 'dead line', tone: 'busy', calls: [] });
    a.bench.hangUp();
    await lab.run(1_500);
    expect(a.phone.status()).toMatchObject({ state: 'on hook', hook: 'on', tone: '' });
    expect(a.story()).toEqual(['calling', 'ringing', 'answered', 'ended']);
    expect(b.story()).toEqual(['incoming', 'answered', 'ended']);
    expect(a.events.find((e) => e.event === 'ended')).toMatchObject({ by: 'them', why: 'hung up' });
    expect(await a.phone.callLog()).toMatchObject([{ direction: 'out', how: 'hung up', missed: false }]);
    expect((await b.phone.callLog())[0]).toMatchObject({ direction: 'in', seconds: 5 });
    await lab.run(5_000);
    expect(a.audio.running).toEqual([]);
  });

  test('hanging up before the answer cancels; the bell stops and the call is missed', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B);
    a.bench.lift();
    await a.dial('2');
    await lab.run(2_000);
    a.bench.hangUp();
    await lab.run(1_500);
    expect(b.phone.status()).toMatchObject({ state: 'on hook', bell: false, calls: [], missed: 1 });
    expect(await b.phone.callLog()).toMatchObject([{ missed: true, how: 'the caller gave up' }]);
    expect(b.phone.status().missed).toBe(0);
  });

  test('a handset lifted just as the call comes in answers it (hook glare)', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B);
    a.bench.lift();
    await lab.run(100);
    a.bench.press('2');
    b.bench.lift();
    await lab.run(1_000);
    expect(b.phone.status().state).toBe('in call');
    expect(a.phone.status().state).toBe('in call');
    expect(b.heard()).toBe('');
  });

  test('nobody there gives congestion, then the howler, then silence', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { ...dialing, calls: { howlerS: 10 } } });
    a.bench.lift();
    await a.dial('9'); // could yet be 911
    await lab.run(1_300);
    expect(a.phone.status()).toMatchObject({ state: 'dead line', tone: 'congestion', lastFailure: 'Calling sip:nobody@192.0.2.99 failed: the connection was refused (503)' });
    await lab.run(10_000);
    expect(a.heard()).toBe('howler');
    await lab.run(60_000);
    expect(a.phone.status()).toMatchObject({ state: 'silence', tone: '' });
    expect(a.heard()).toBe('');
    a.bench.flash();
    await lab.run(100);
    expect(a.heard()).toBe('dial');
  });

  test('a number of no pattern gets the special information tone at once', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    a.bench.lift();
    await a.dial('1');
    expect(a.phone.status().tone).toBe('');
    await a.dial('7');
    expect(a.heard()).toBe('sit');
    await lab.run(4_200); // twice, then
    expect(a.heard()).toBe('congestion');
    expect(a.phone.status()).toMatchObject({ state: 'dead line', tone: 'congestion' });
    expect(a.events.at(-1)).toMatchObject({ event: 'state', state: 'dead line', tone: 'congestion' });
    expect(a.phone.status().lastFailure).toContain('17 is no number of the dial plan');
  });

  test('a number without an account gets the tone that says so', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    a.bench.lift();
    await a.dial('456');
    expect(a.heard()).toBe('no account');
  });

  test('a busy phone gives busy tone where call waiting is off', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B, { settings: { calls: { waiting: false } } });
    b.bench.lift();
    await lab.run(2_000);
    a.bench.lift();
    await a.dial('2');
    await lab.run(300);
    expect(a.heard()).toBe('busy');
    expect(b.phone.status().state).toBe('dial tone');
  });

  test('an unanswered call rings out', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B, { settings: { calls: { ringS: 10 } } });
    a.bench.lift();
    await a.dial('2');
    await lab.run(11_000);
    expect(a.heard()).toBe('congestion');
    expect(b.phone.status()).toMatchObject({ state: 'on hook', bell: false });
    expect(b.events.find((e) => e.event === 'ended')).toMatchObject({ by: 'us', status: 480, why: 'not answered' });
  });

  test('a call of ours that nobody answers is given up in time', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { ...dialing, calls: { noAnswerS: 8 } } });
    await lab.phone(B);
    a.bench.lift();
    await a.dial('2');
    await lab.run(9_000);
    expect(a.phone.status()).toMatchObject({ state: 'dead line', calls: [] });
    expect(a.events.find((e) => e.event === 'ended')).toMatchObject({ why: 'no answer', by: 'us' });
  });

  test('do not disturb is dialled on and off, confirmed, and gives callers busy', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B);
    b.bench.lift();
    await b.dial('*78');
    expect(b.heard()).toBe('confirm');
    await lab.run(2_000);
    expect(b.heard()).toBe('stutter'); // special dial tone: nobody can call (E.180)
    b.bench.hangUp();
    await lab.run(1_000);
    expect(b.phone.status().doNotDisturb).toBe(true);
    a.bench.lift();
    await a.dial('2');
    await lab.run(300);
    expect(a.heard()).toBe('busy');
    expect(b.story()).toEqual(['refused']);
    expect(await b.phone.callLog()).toMatchObject([{ missed: true, how: 'do not disturb' }]);
    b.bench.lift();
    await b.dial('*79');
    expect(b.phone.status().doNotDisturb).toBe(false);
    await lab.run(2_000);
    expect(b.heard()).toBe('dial');
  });

  test('redial and last caller call again, across a restart of the memory', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B, { settings: { dialing: { interDigitS: 1 } } });
    a.bench.lift();
    await a.dial('2');
    await lab.run(500);
    a.bench.hangUp();
    await lab.run(1_500);
    expect(JSON.parse(a.store.texts.get('memory.json')!)).toMatchObject({ redial: '2' });
    a.bench.lift();
    await a.dial('*66');
    await lab.run(300);
    expect(b.phone.status().state).toBe('ringing');
    a.bench.hangUp();
    await lab.run(1_500);
    b.bench.lift();
    await b.dial('*69');
    await lab.run(300);
    expect(a.phone.status()).toMatchObject({ state: 'ringing' });
  });

  test('a hotline is called when nothing is dialled, and not when something is', async () => {
    const lab = createLab();
    const hot = { dialing: { ...dialing.dialing, hotline: '2', hotlineS: 3 } };
    const a = await lab.phone('192.0.2.1', { settings: hot });
    const b = await lab.phone(B);
    a.bench.lift();
    await lab.run(2_000);
    await a.dial('4');
    await lab.run(3_000);
    expect(b.story()).toEqual([]);
    a.bench.hangUp();
    await lab.run(1_000);
    a.bench.lift();
    await lab.run(3_300);
    expect(b.phone.status().state).toBe('ringing');
  });
});

describe('holding and waiting', () => {
  /** a talks to b. */
  const talking = async (more: Parameters<typeof createLab>[0] = 1, settings = {}) => {
    const lab = createLab(more);
    const a = await lab.phone('192.0.2.1', { settings: { ...dialing, ...settings } });
    const b = await lab.phone(B, { settings: dialing });
    const c = await lab.phone('192.0.2.3', { settings: { dialing: { speedDial: { '1': 'sip:alice@192.0.2.1' }, plan: ['4'] } } });
    a.bench.lift();
    await a.dial('2');
    await lab.run(300);
    b.bench.lift();
    await lab.run(500);
    expect(a.phone.status().state).toBe('in call');
    return { lab, a, b, c };
  };

  test('flash holds, flash again takes back (RFC 3264 §8.4)', async () => {
    const { lab, a, b } = await talking();
    a.audio.microphone = sine;
    a.bench.flash();
    await lab.run(1_500);
    expect(a.heard()).toBe('recall');
    expect(a.phone.status().calls[0]).toMatchObject({ held: true });
    expect(b.phone.status().calls[0]).toMatchObject({ remoteHeld: true });
    expect(a.sent.findLast((c) => c.do === 'route')).toMatchObject({ route: { to: 'program', program: { steps: [{ hz: [440] }, { hz: [550] }, { hz: [660] }, { hz: [] }] } } });
    await lab.run(1_000); // its pause
    expect(loudness(b)).toBeLessThan(100); // the microphone is not heard
    await lab.run(3_000);
    expect(loudness(b, 1_500)).toBeGreaterThan(200);
    expect(a.sent.filter((c) => c.do === 'route' && c.route.to === 'program')).toHaveLength(1); // begun once, not with each answer
    a.bench.flash();
    await lab.run(1_500);
    expect(a.phone.status()).toMatchObject({ state: 'in call', tone: '' });
    expect(a.phone.status().calls[0]).toMatchObject({ held: false });
    expect(b.phone.status().calls[0]).toMatchObject({ remoteHeld: false });
    expect(loudness(b)).toBeGreaterThan(1_000);
    expect(b.story().slice(-2)).toEqual(['held', 'resumed']);
  });

  test('whoever is held hears nothing where that is set, or the owner\'s file', async () => {
    const { lab, a, b } = await talking();
    a.audio.microphone = sine;
    const set = (holdMusic: string) => { a.settings = { ...a.settings, calls: { ...a.settings.calls, holdMusic } }; };
    set('off');
    a.bench.flash();
    await lab.run(3_000);
    expect(loudness(b, 2_000)).toBeLessThan(100);
    a.bench.flash();
    await lab.run(1_500);
    set('waltz.wav');
    a.bench.flash();
    await lab.run(1_500);
    expect(a.sent.findLast((c) => c.do === 'route')).toMatchObject({ route: { to: 'program', program: { wav: 'sounds/waltz.wav', mostDbov: -26 } } });
  });

  test('a person who muted the microphone and holds is muted again after that, and the music is heard', async () => {
    const { lab, a, b } = await talking();
    a.audio.microphone = sine;
    a.command({ do: 'mute', muted: true });
    await lab.run(500);
    a.bench.flash();
    await lab.run(1_200);
    expect(loudness(b, 1_000)).toBeGreaterThan(200);
    a.bench.flash();
    await lab.run(1_500);
    expect(a.phone.status().calls[0]).toMatchObject({ held: false, muted: true });
    expect(loudness(b, 1_000)).toBeLessThan(100);
    a.command({ do: 'mute', muted: false });
    await lab.run(500);
    expect(loudness(b)).toBeGreaterThan(1_000);
  });

  test('a second call beside a held one, swapped by flash; hanging up rings the held one back', async () => {
    const { lab, a, b, c } = await talking();
    a.bench.flash();
    await lab.run(1_200);
    await a.dial('3');
    await lab.run(300);
    c.bench.lift();
    await lab.run(500);
    expect(a.phone.status().calls.map((l) => l.held)).toEqual([true, false]);
    a.bench.flash();
    await lab.run(1_500);
    expect(a.phone.status().calls.map((l) => l.held)).toEqual([false, true]);
    expect(c.phone.status().calls[0]!.remoteHeld).toBe(true);
    a.bench.hangUp();
    await lab.run(1_500);
    expect(b.phone.status().state).toBe('dead line');
    expect(a.phone.status()).toMatchObject({ state: 'recall', bell: true });
    a.bench.lift();
    await lab.run(1_000);
    expect(a.phone.status()).toMatchObject({ state: 'in call', bell: false });
    expect(c.phone.status().calls[0]!.remoteHeld).toBe(false);
  });

  describe('a conference', () => {
    const tone = (hz: number) => (i: number) => Math.round(6_000 * Math.sin(2 * Math.PI * hz * i / 16_000));
    /** Which of the three is heard in the last 400 ms. */
    const hears = (subject: Parameters<typeof loudness>[0]): string => {
      const device = subject.audio.running.at(-1)!;
      const tail = Int16Array.from(device.played.slice(-device.rateHz * 0.4));
      return [['a', 400], ['b', 700], ['c', 1_100]].filter(([, hz]) => levelOf(tail, hz as number, device.rateHz) > -30).map(([name]) => name).join('');
    };
    const three = async (settings = {}) => {
      const { lab, a, b, c } = await talking(1, settings);
      a.audio.microphone = tone(400);
      b.audio.microphone = tone(700);
      c.audio.microphone = tone(1_100);
      a.bench.flash();
      await lab.run(1_200);
      await a.dial('3');
      await lab.run(300);
      c.bench.lift();
      await lab.run(800);
      return { lab, a, b, c };
    };

    test('the held call joins: everybody hears the two others and not himself', async () => {
      const { lab, a, b, c } = await three();
      expect([hears(a), hears(b), hears(c)]).toEqual(['c', '', 'a']);
      const joined = a.phone.command({ do: 'join' });
      await lab.run(1_500);
      expect(await joined).toMatchObject({ ok: true, state: 'joined' });
      expect(a.phone.status().calls.map((l) => [l.held, l.joined])).toEqual([[false, true], [false, true]]);
      expect([hears(a), hears(b), hears(c)]).toEqual(['bc', 'ac', 'ab']);
      b.bench.hangUp();
      await lab.run(1_500);
      expect(a.phone.status()).toMatchObject({ state: 'in call', calls: [{ joined: false, held: false }] });
      expect([hears(a), hears(c)]).toEqual(['c', 'a']);
    });

    test('by flash, where the setting says so; the next flash ends the call made last, hanging up ends both', async () => {
      const { lab, a, b, c } = await three({ calls: { flash: 'join' } });
      a.bench.flash();
      await lab.run(1_500);
      expect([hears(a), hears(b), hears(c)]).toEqual(['bc', 'ac', 'ab']);
      a.bench.flash();
      await lab.run(1_500);
      expect(c.phone.status().state).toBe('dead line');
      expect([hears(a), hears(b)]).toEqual(['b', 'a']);
      a.bench.hangUp();
      await lab.run(1_500);
      expect([a.phone.status().state, b.phone.status().state]).toEqual(['on hook', 'dead line']);
    });

    test('one of the two is held again and the other talked on', async () => {
      const { lab, a, b, c } = await three();
      void a.phone.command({ do: 'join' });
      await lab.run(1_500);
      const last = a.phone.status().calls[1]!;
      void a.phone.command({ do: 'hold', call: last.id });
      await lab.run(2_000);
      expect(a.phone.status().calls.map((l) => [l.held, l.joined])).toEqual([[false, false], [true, false]]);
      expect([hears(a), hears(b), hears(c)]).toEqual(['b', 'a', '']);
    });

    test('without a call on hold there is nobody to join', async () => {
      const { a } = await talking();
      expect(await a.phone.command({ do: 'join' })).toMatchObject({ ok: false, code: 'WRONG_STATE' });
    });
  });

  test('a held call that nobody takes back is ended when the bell has rung its time', async () => {
    const { lab, a, b } = await talking();
    a.settings = { ...a.settings, calls: { ...a.settings.calls, ringS: 10 } };
    a.bench.flash();
    await lab.run(1_200);
    a.bench.hangUp();
    await lab.run(2_000);
    expect(a.phone.status()).toMatchObject({ state: 'recall', bell: true });
    await lab.run(10_000);
    expect(a.phone.status()).toMatchObject({ state: 'on hook', bell: false, calls: [] });
    expect(b.phone.status().state).toBe('dead line');
  });

  test('a waiting caller is heard, taken by flash, and the first is held', async () => {
    const { lab, a, b, c } = await talking();
    c.bench.lift();
    await c.dial('1');
    await lab.run(500);
    expect(a.heard()).toBe('callWaiting');
    expect(c.heard()).toBe('ringback');
    a.bench.flash();
    await lab.run(1_500);
    expect(a.heard()).toBe('');
    expect(c.phone.status().state).toBe('in call');
    expect(b.phone.status().calls[0]!.remoteHeld).toBe(true);
  });

  test('a waiting caller rings when the first call is hung up', async () => {
    const { lab, a, b, c } = await talking();
    c.bench.lift();
    await c.dial('1');
    await lab.run(500);
    a.bench.hangUp();
    await lab.run(1_200);
    expect(a.phone.status()).toMatchObject({ state: 'ringing', bell: true });
    expect(b.phone.status().state).toBe('dead line');
    a.bench.lift();
    await lab.run(500);
    expect(c.phone.status().state).toBe('in call');
  });

  test('a waiting caller who gives up leaves no tone', async () => {
    const { lab, a, c } = await talking();
    c.bench.lift();
    await c.dial('1');
    await lab.run(500);
    c.bench.hangUp();
    await lab.run(1_200);
    expect(a.heard()).toBe('');
    expect(a.phone.status()).toMatchObject({ state: 'in call', calls: [{ state: 'established' }], missed: 1 });
  });

  test('digits pressed in a call are heard and arrive once each (RFC 4733)', async () => {
    const { lab, a, b } = await talking();
    await a.dial('159*0#');
    await lab.run(1_000);
    expect(b.events.filter((e) => e.event === 'digit').map((e) => e.digit).join('')).toBe('159*0#');
  });

  test('loss and reordering of a quarter of all packets change nothing of what happens', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { lab, a, b } = await talking(seed);
      Object.assign(lab.wire.weather, { loss: 0.15, reorder: 0.1, duplicate: 0.1 });
      a.bench.flash();
      await lab.run(6_000);
      expect(b.phone.status().calls[0], `seed ${seed}`).toMatchObject({ remoteHeld: true });
      a.bench.flash();
      await lab.run(6_000);
      expect(b.phone.status().calls[0], `seed ${seed}`).toMatchObject({ remoteHeld: false });
      a.bench.hangUp();
      await lab.run(12_000);
      expect(b.phone.status(), `seed ${seed}`).toMatchObject({ state: 'dead line', calls: [] });
      expect(b.story()).toEqual(['incoming', 'answered', 'held', 'resumed', 'ended']);
    }
  }, 30_000);
});

describe('transfer and taking over at a handset', () => {
  /** b, a handset, talks to the phone without handset a. */
  const talking = async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { hardware: 'none' });
    const b = await lab.phone(B);
    const c = await lab.phone('192.0.2.3', { hardware: 'none', settings: { calls: { answer: 'auto' } } });
    a.command({ do: 'call', target: `sip:bob@${B}` });
    await lab.run(300);
    b.bench.lift();
    await lab.run(500);
    return { lab, a, b, c };
  };

  test('who is transferred stays in the call, now with the third (RFC 3515)', async () => {
    const { lab, a, b } = await talking();
    a.command({ do: 'transfer', target: 'sip:carol@192.0.2.3' });
    await lab.run(2_000);
    expect(b.phone.status()).toMatchObject({ state: 'in call', calls: [{ remote: 'sip:carol@192.0.2.3', place: 'handset', state: 'established' }] });
    b.bench.hangUp();
    await lab.run(1_500);
    expect(b.phone.status()).toMatchObject({ state: 'on hook', calls: [] });
  });

  test('who is transferred by one who hangs up at once is still joined (RFC 5589 §6.1)', async () => {
    const { lab, a, b, c } = await talking();
    c.settings = { ...c.settings, calls: { ...c.settings.calls, answer: 'ring' } };
    a.command({ do: 'transfer', target: 'sip:carol@192.0.2.3' });
    await lab.run(500);
    a.command({ do: 'hangup' });
    await lab.run(500);
    expect(b.phone.status()).toMatchObject({ state: 'calling', tone: 'ringback' });
    c.command({ do: 'answer' });
    await lab.run(500);
    expect(b.phone.status()).toMatchObject({ state: 'in call', calls: [{ remote: 'sip:carol@192.0.2.3' }] });
  });

  test('a transfer that comes to nothing leaves the call as it was', async () => {
    const { lab, a, b } = await talking();
    a.command({ do: 'transfer', target: 'sip:carol@192.0.2.77' });
    await lab.run(2_000);
    expect(b.phone.status()).toMatchObject({ state: 'in call', calls: [{ state: 'established' }] });
    expect(b.phone.status().calls).toHaveLength(1);
  });

  test('hanging up while being transferred ends both calls', async () => {
    const { lab, a, b, c } = await talking();
    c.settings = { ...c.settings, calls: { ...c.settings.calls, answer: 'ring' } };
    a.command({ do: 'transfer', target: 'sip:carol@192.0.2.3' });
    await lab.run(500);
    b.bench.hangUp();
    await lab.run(2_000);
    expect(b.phone.status()).toMatchObject({ state: 'on hook', calls: [] });
    expect(c.phone.status().calls).toEqual([]);
  });
});

describe('at the edges', () => {
  test('a caller waits as a tone while a number is being dialled, and is answered by flash', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { hardware: 'none' });
    const b = await lab.phone(B, { settings: { dialing: { plan: ['xxxxx'], interDigitS: 10 } } });
    b.bench.lift();
    await b.dial('34');
    a.command({ do: 'call', target: `sip:bob@${B}` });
    await lab.run(500);
    expect(b.heard()).toBe('callWaiting');
    await b.dial('5');
    expect(b.heard(), 'the tone goes on after the key').toBe('callWaiting');
    b.bench.flash();
    await lab.run(1_200);
    expect(b.phone.status()).toMatchObject({ state: 'in call', calls: [{ direction: 'in', state: 'established' }] });
    expect(b.heard()).toBe('');
  });

  test('the send key ends a number at once and is not part of it', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { dialing: { speedDial: { '2': `sip:bob@${B}` } } } });
    const b = await lab.phone(B);
    a.bench.lift();
    await a.dial('2#');
    await lab.run(200);
    expect(b.phone.status().state).toBe('ringing');
  });

  test('the pause after the last digit ends a number', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { dialing: { speedDial: { '2': `sip:bob@${B}` }, interDigitS: 4 } } });
    const b = await lab.phone(B);
    a.bench.lift();
    await a.dial('2');
    await lab.run(3_500);
    expect(b.phone.status().state).toBe('on hook');
    await lab.run(500);
    expect(b.phone.status().state).toBe('ringing');
  });

  test('a number begun and left is refused after the pause', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { dialing: { plan: ['2xx'], interDigitS: 2 } } });
    a.bench.lift();
    await a.dial('20');
    await lab.run(2_500);
    expect(a.heard()).toBe('sit');
  });

  test('a caller during an emergency call hears busy', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { hardware: 'none' });
    const b = await lab.phone(B, { settings: { dialing: { plan: ['<9:>911'] }, accounts: [accountSettings({ id: 'x', user: '200', server: '192.0.2.1', register: false })] } });
    b.bench.lift();
    await b.dial('911');
    await lab.run(500);
    a.command({ do: 'answer' });
    await lab.run(500);
    expect(b.phone.status().calls).toMatchObject([{ emergency: true, state: 'established' }]);
    const called = a.command({ do: 'call', target: `sip:bob@${B}` });
    await lab.run(500);
    expect(called.outcome).toMatchObject({ ok: false, status: 486 });
  });

  test('a quick hand on the hook never loses or doubles a call', async () => {
    const lab = createLab(3);
    const a = await lab.phone('192.0.2.1', { settings: dialing });
    const b = await lab.phone(B);
    for (let i = 0; i < 30; i++) {
      a.bench.lift();
      a.bench.press('2');
      await lab.run(20 + 37 * i);
      if (i % 3 === 0) b.bench.lift();
      await lab.run(i * 11);
      a.bench.hangUp();
      await lab.run(i % 5 === 0 ? 1 : 900);
      b.bench.hangUp();
      await lab.run(i % 4 === 0 ? 5 : 1_000);
    }
    await lab.run(40_000);
    for (const s of [a, b]) {
      expect(s.phone.status()).toMatchObject({ state: 'on hook', calls: [], bell: false });
      expect(s.audio.running).toEqual([]);
      expect(s.sent.filter((c) => c.do === 'open').length).toBe(s.sent.filter((c) => c.do === 'close').length);
    }
  }, 30_000);
});
