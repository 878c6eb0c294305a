import { describe, expect, test } from 'vitest';
import type { Settings } from '../../../src/config/types.ts';
import { accountSettings } from '../settings.ts';
import { createLab, loudness, type Subject } from './lab.ts';

const A = '192.0.2.1', B = '192.0.2.2', SUITE = 'AES_CM_128_HMAC_SHA1_80';
const sine = (i: number) => Math.round(8_000 * Math.sin(2 * Math.PI * 440 * i / 16_000));
type Policy = Settings['media']['encryption'];

/** Two phones without handset that answer by themselves; `a` calls `b`. */
async function called(ours: Policy, theirs: Policy) {
  const lab = createLab();
  const phone = (address: string, encryption: Policy) => lab.phone(address, { hardware: 'none', settings: { calls: { answer: 'auto' }, media: { codecs: ['PCMA'], encryption } } });
  const a = await phone(A, ours), b = await phone(B, theirs);
  a.audio.microphone = sine;
  const call = a.command({ do: 'call', target: `sip:b@${B}` });
  await lab.run(2_000);
  return { lab, a, b, call };
}
const secrecy = ({ phone }: Subject) => phone.status().calls.map(({ encrypted, suite, keysInClear }) => ({ encrypted, suite, keysInClear }));
const SECRET = [{ encrypted: true, suite: SUITE, keysInClear: true }], PLAIN = [{ encrypted: false, suite: '', keysInClear: false }];

describe('a call', () => {
  test.each([
    ['never', 'never', PLAIN], ['never', 'offered', PLAIN], ['never', 'preferred', PLAIN], ['offered', 'never', PLAIN], ['offered', 'offered', PLAIN], ['offered', 'preferred', PLAIN],
    ['offered', 'always', SECRET], ['preferred', 'never', PLAIN], ['preferred', 'offered', SECRET], ['preferred', 'preferred', SECRET], ['preferred', 'always', SECRET],
    ['always', 'offered', SECRET], ['always', 'preferred', SECRET], ['always', 'always', SECRET],
  ] as const)('of one who encrypts %s to one who does %s comes about', async (ours, theirs, expected) => {
    const { a, b } = await called(ours, theirs);
    expect(secrecy(a)).toEqual(expected);
    expect(secrecy(b)).toEqual(expected);
    expect(loudness(b)).toBeGreaterThan(1_000);
    expect(a.events.filter((e) => e.event === 'calling')).toHaveLength(1); // whatever was tried
    expect(a.events.find((e) => e.event === 'answered')).toMatchObject({ encrypted: expected[0]!.suite });
  });

  test.each([['never', 'always', 'Not Acceptable Here'], ['always', 'never', 'Not Acceptable Here']] as const)('of one who encrypts %s to one who does %s is refused, and they are told why', async (ours, theirs, why) => {
    const { a, b, call } = await called(ours, theirs);
    expect(call.outcome).toMatchObject({ ok: false, status: 488, why });
    expect(b.events.find((e) => e.event === 'ended')).toMatchObject({ status: 488, why: theirs === 'always' ? 'it is not encrypted' : 'it wants encryption, which is switched off' });
    expect(secrecy(a)).toEqual([]);
  });

  test('refused says why in the response (RFC 3261 §20.43)', async () => {
    const { lab } = await called('never', 'always');
    const refusal = lab.wire.sent.map(({ bytes }) => bytes.toString()).find((text) => text.startsWith('SIP/2.0 488'));
    expect(refusal).toContain('Warning: 399 offhook "it is not encrypted"\r\n');
  });

  test('through hold and resume stays encrypted under its keys (RFC 4568 §7.1.4)', async () => {
    const { lab, a, b } = await called('preferred', 'offered');
    a.command({ do: 'hold' });
    await lab.run(1_000);
    expect(secrecy(b)).toEqual(SECRET);
    a.command({ do: 'resume' });
    await lab.run(2_000);
    b.command({ do: 'hold' });
    await lab.run(1_000);
    b.command({ do: 'resume' });
    await lab.run(2_000);
    expect(secrecy(a)).toEqual(SECRET);
    expect(loudness(b)).toBeGreaterThan(1_000);
    expect(b.events.filter((e) => e.event === 'encryption')).toEqual([]);
    const keys = new Set(lab.wire.sent.flatMap(({ bytes }) => [...bytes.toString('latin1').matchAll(/^a=crypto:1 .*inline:(\S+)/gm)].map((m) => m[1])));
    expect(keys.size).toBe(2);
  });

  test('whose keys went in readable messages is warned of, and no key is in the log', async () => {
    const { lab, a, b } = await called('preferred', 'offered');
    const keys = lab.wire.sent.flatMap(({ bytes }) => [...bytes.toString('latin1').matchAll(/inline:(\S+)/g)].map((m) => m[1]!));
    expect(keys.length).toBeGreaterThan(2);
    for (const { log } of [a, b]) {
      const text = JSON.stringify(log.lines);
      expect(text).toContain('could be read on the way');
      for (const key of keys) expect(text).not.toContain(key);
    }
    for (const { phone, events } of [a, b]) for (const key of keys) expect(JSON.stringify([phone.status(), events])).not.toContain(key);
  });

  test('is seen by the lamp, which hardly goes out then', async () => {
    const lab = createLab();
    const media = { codecs: ['PCMA'] as Settings['media']['codecs'], encryption: 'preferred' } as const;
    const a = await lab.phone(A, { settings: { media, dialing: { speedDial: { '2': `sip:b@${B}` }, plan: ['4xx'] } } });
    await lab.phone(B, { hardware: 'none', settings: { calls: { answer: 'auto' }, media } });
    a.bench.lift();
    await a.dial('2');
    await lab.run(2_000);
    let lit = 0;
    for (let i = 0; i < 40; i++) {
      await lab.run(50);
      if (a.bench.state.lamp) lit++;
    }
    expect(secrecy(a)).toEqual(SECRET);
    expect(lit).toBe(36);
  });

  test('to an emergency number is made without, where there is no other way', async () => {
    const lab = createLab();
    const a = await lab.phone(A, { hardware: 'none', settings: { media: { codecs: ['PCMA'], encryption: 'always' }, dialing: { emergency: ['112'] }, accounts: [accountSettings({ user: '201', server: B, register: false })] } });
    const b = await lab.phone(B, { hardware: 'none', settings: { calls: { answer: 'auto' }, media: { codecs: ['PCMA'], encryption: 'never' } } });
    const call = a.command({ do: 'call', target: '112' });
    await lab.run(2_000);
    expect(call.outcome).toMatchObject({ ok: true });
    expect(secrecy(b)).toEqual(PLAIN);
  });
});
