import { describe, expect, test } from 'vitest';
import { levelOf } from '../../media/listen.ts';
import { createLab, type Subject } from './lab.ts';

const tone = (hz: number) => (i: number) => Math.round(6_000 * Math.sin(2 * Math.PI * hz * i / 16_000));
const group = (n: number, priority: number) => ({ address: `239.1.1.${n}:5004`, priority });

/** Which of the two pages is heard on any card of the phone in the last 400 ms. */
function hears(subject: Subject): string {
  return [['1', 400], ['2', 700]].filter(([, hz]) => subject.audio.running.some((device) =>
    levelOf(Int16Array.from(device.played.slice(-device.rateHz * 0.4)), hz as number, device.rateHz) > -30)).map(([name]) => name).join('');
}

async function house(listen: ReturnType<typeof group>[], settings = {}) {
  const lab = createLab();
  const dialing = { dialing: { speedDial: { 1: 'page:239.1.1.1:5004', 2: 'page:239.1.1.2:5004', 3: 'sip:bob@192.0.2.3' }, plan: ['4'] } };
  const a = await lab.phone('192.0.2.1', { settings: dialing });
  const b = await lab.phone('192.0.2.2', { settings: dialing });
  const c = await lab.phone('192.0.2.3', { settings: { ...dialing, paging: { listen, urgent: 8 }, ...settings } });
  a.audio.microphone = tone(400);
  b.audio.microphone = tone(700);
  await lab.run(200);
  const speak = async (from: Subject, number: string) => {
    from.bench.lift();
    await from.dial(number);
    await lab.run(1_200);
  };
  return { lab, a, b, c, speak };
}

describe('multicast paging', () => {
  test('who dials the group is heard on the loudspeaker of all who listen, until he hangs up; nothing comes back', async () => {
    const { lab, a, c, speak } = await house([group(1, 5)]);
    await speak(a, '1');
    expect(a.phone.status()).toMatchObject({ state: 'in call', calls: [{ state: 'established', remote: 'page:239.1.1.1:5004' }] });
    expect(hears(c)).toBe('1');
    expect(c.phone.status().state).toBe('on hook');
    expect(c.events.filter((e) => e.event === 'page')).toMatchObject([{ group: '239.1.1.1:5004', on: true }]);
    expect(lab.wire.sent.filter(({ from, to }) => from.host === '192.0.2.3' && to.port === 5_004)).toEqual([]);
    a.bench.hangUp();
    await lab.run(2_500);
    expect(c.events.filter((e) => e.event === 'page').map((e) => e.event === 'page' && e.on)).toEqual([true, false]);
    expect(hears(c)).toBe('');
    await speak(a, '1');
    expect(hears(c)).toBe('1');
  });

  test('another group is not heard', async () => {
    const { a, c, speak } = await house([group(2, 5)]);
    await speak(a, '1');
    expect(hears(c)).toBe('');
  });

  test('of two pages the more important one is heard, and the other again when it is over', async () => {
    const { lab, a, b, c, speak } = await house([group(1, 5), group(2, 6)]);
    await speak(a, '1');
    await speak(b, '2');
    expect(hears(c)).toBe('2');
    b.bench.hangUp();
    await lab.run(2_500);
    expect(hears(c)).toBe('1');
  });

  test('during a call, do not disturb and privacy only urgent pages are heard', async () => {
    const quiet = await house([group(1, 5), group(2, 9)], { calls: { doNotDisturb: true } });
    await quiet.speak(quiet.a, '1');
    expect(hears(quiet.c)).toBe('');
    await quiet.speak(quiet.b, '2');
    expect(hears(quiet.c)).toBe('2');

    const busy = await house([group(1, 5)]);
    busy.c.bench.lift();
    await busy.lab.run(100);
    await busy.speak(busy.a, '1');
    expect(hears(busy.c)).toBe('');
    busy.c.bench.hangUp();
    await busy.lab.run(1_500);
    expect(hears(busy.c)).toBe('1');
  });

  test('what is no multicast group gets the special information tone', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { dialing: { speedDial: { 1: 'page:192.0.2.9:5004' }, plan: ['4'] } } });
    a.bench.lift();
    await a.dial('1');
    await lab.run(200);
    expect(a.phone.status().lastFailure).toMatch(/no multicast group/);
  });
});
