import { expect, test } from 'vitest';
import { FakeRandom } from '../../fakes/random.ts';
import { createLab, type Subject } from './lab.ts';
import type { Command } from '../../../src/phone/status.ts';

/** Three telephones worked at random by hands and programs, packets lost on the way; then everybody hangs up. */
const deeds: readonly ((s: Subject, n: number) => void)[] = [
  (s) => s.bench.lift(), (s) => s.bench.lift(), (s) => s.bench.hangUp(), (s) => s.bench.flash(), (s) => s.bench.flash(),
  (s, n) => s.bench.press((['1', '2', '3', '7', '#', '*'] as const)[n % 6]!),
  (s, n) => s.bench.press((['1', '2', '3'] as const)[n % 3]!),
  (s, n) => s.bench.press((['1', '2', '3'] as const)[n % 3]!),
  (s, n) => { void s.command(([{ do: 'answer' }, { do: 'hangup' }, { do: 'hold' }, { do: 'resume' }, { do: 'transfer', target: '2' }, { do: 'transfer', target: '3' }, { do: 'dtmf', digits: '12' }, { do: 'mute', muted: true }] as const)[n % 8]!); },
  (s, n) => { void s.command({ do: 'call', target: `${1 + n % 3}`, intercom: n % 2 === 0 }); },
  (s, n) => s.bench.privacy(n % 2 === 0),
];

test('telephones worked at random always come to rest when everybody hangs up', async () => {
  for (let seed = 1; seed <= 15; seed++) {
    const lab = createLab(seed);
    const random = new FakeRandom(seed * 77);
    const pick = (below: number) => Math.floor(random.fraction() * below);
    const settings = { dialing: { plan: ['9'], speedDial: { '1': 'sip:a@192.0.2.1', '2': 'sip:b@192.0.2.2', '3': 'sip:c@192.0.2.3' } }, calls: { noAnswerS: 20, ringS: 20, howlerS: 10 } };
    const phones = [await lab.phone('192.0.2.1', { settings }), await lab.phone('192.0.2.2', { settings }), await lab.phone('192.0.2.3', { settings })];
    Object.assign(lab.wire.weather, { loss: 0.05, reorder: 0.05, duplicate: 0.05 });
    const done: string[] = [];
    for (let i = 0; i < 120; i++) {
      const who = pick(3), deed = pick(deeds.length), n = pick(24);
      done.push(`${who}:${deed}:${n}`);
      deeds[deed]!(phones[who]!, n);
      await lab.run(pick(4) === 0 ? pick(3_000) : pick(60));
      for (const s of phones) {
        const { state, bell, calls } = s.phone.status();
        const what = `seed ${seed} after ${done.join(' ')}: ${state} ${JSON.stringify(calls)}`;
        expect(bell, what).toBe(state === 'ringing' || state === 'recall');
        if (state === 'on hook') expect(calls, what).toEqual([]);
        expect(calls.filter((c) => c.state === 'established' && !c.held && !c.intercom).length, what).toBeLessThan(2);
        expect(calls.length, what).toBeLessThan(4);
      }
    }
    for (const s of phones) s.bench.hangUp();
    await lab.run(1_500);
    for (let round = 0; round < 3; round++) {
      for (const s of phones) {
        void s.command({ do: 'hangup' } satisfies Command);
        s.bench.hangUp();
      }
      await lab.run(2_000);
    }
    await lab.run(70_000);
    for (const [i, s] of phones.entries()) {
      const what = `seed ${seed}, phone ${i}`;
      expect(s.phone.status(), what).toMatchObject({ state: 'on hook', calls: [], bell: false, tone: '' });
      if (s.audio.running.length > 0) console.log(what, done.slice(-25).join(' '), s.events.slice(-25).map((e) => JSON.stringify(e).slice(22, 140)).join('\n'), s.sent.slice(-30).map((c) => JSON.stringify(c).slice(0, 110)).join('\n'));
      expect(s.audio.running.length, what).toBe(0);
      expect(s.sent.filter((c) => c.do === 'close').length, what).toBe(s.sent.filter((c) => c.do === 'open').length);
      expect(s.story().filter((e) => e === 'ended').length, what).toBe(s.story().filter((e) => e === 'incoming').length + s.events.filter((e) => e.event === 'calling').length);
      expect(s.bench.state.ringing, what).toBe(false);
    }
    expect(lab.clock.pending, `seed ${seed}`).toBeLessThan(9);
  }
}, 120_000);
