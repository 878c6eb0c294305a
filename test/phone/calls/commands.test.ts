import { describe, expect, test } from 'vitest';
import { createLab, loudness, type Lab, type Subject } from './lab.ts';

const sine = (i: number) => Math.round(8_000 * Math.sin(2 * Math.PI * 440 * i / 16_000));
const headless = { hardware: 'none' } as const;
const auto = { ...headless, settings: { calls: { answer: 'auto' } } } as const;
const B = 'sip:bob@192.0.2.2';

/** Two phones without handset; b answers by itself. */
const pair = async (seed = 1): Promise<{ lab: Lab; a: Subject; b: Subject }> => {
  const lab = createLab(seed);
  return { lab, a: await lab.phone('192.0.2.1', headless), b: await lab.phone('192.0.2.2', auto) };
};
const connected = async () => {
  const world = await pair();
  world.a.command({ do: 'call', target: B });
  await world.lab.run(1_000);
  expect(world.a.phone.status().calls).toMatchObject([{ state: 'established' }]);
  return world;
};

describe('commands to a phone without handset', () => {
  test('call resolves when the other side answers, and both are heard', async () => {
    const { lab, a, b } = await pair();
    b.audio.microphone = a.audio.microphone = sine;
    const called = a.command({ do: 'call', target: B });
    await lab.run(1_500);
    expect(called.outcome).toMatchObject({ ok: true, state: 'answered' });
    expect(loudness(a)).toBeGreaterThan(1_000);
    expect(loudness(b)).toBeGreaterThan(1_000);
    expect(a.phone.status()).toMatchObject({ hook: 'none', state: 'on hook' });
    expect(b.story()).toEqual(['incoming', 'answered']);
  });

  test('call until ringing resolves at the ringing; answer and hangup do what they say', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', headless);
    const b = await lab.phone('192.0.2.2', headless);
    const called = a.command({ do: 'call', target: B, until: 'ringing' });
    await lab.run(300);
    expect(called.outcome).toMatchObject({ ok: true, state: 'ringing' });
    expect(b.phone.status()).toMatchObject({ bell: true, calls: [{ state: 'ringing' }] });
    const answered = b.command({ do: 'answer' });
    await lab.run(300);
    expect(answered.outcome).toMatchObject({ ok: true, state: 'answered' });
    expect(b.phone.status().bell).toBe(false);
    const gone = a.command({ do: 'hangup' });
    await lab.run(300);
    expect(gone.outcome).toMatchObject({ ok: true, state: 'ended' });
    expect(b.phone.status().calls).toEqual([]);
    expect(a.phone.status().calls).toEqual([]);
  });

  test('a call that fails says why and with which status', async () => {
    const { lab, a } = await pair();
    const lost = a.command({ do: 'call', target: 'sip:x@192.0.2.77' });
    const wrong = a.command({ do: 'call', target: 'sip:' });
    const none = a.command({ do: 'call', target: '201' });
    await lab.run(1_000);
    expect(lost.outcome).toEqual({ ok: false, code: 'CALL_FAILED', why: 'the connection was refused', status: 503 });
    expect(wrong.outcome).toMatchObject({ ok: false, code: 'CALL_FAILED' });
    expect(none.outcome).toEqual({ ok: false, code: 'NOT_REGISTERED', why: 'there is no account to call through' });
    expect(a.phone.status().calls).toEqual([]);
  });

  test('a refused call carries the other side\'s status', async () => {
    const { lab, a, b } = await pair();
    b.settings = { ...b.settings, sip: { ...b.settings.sip, allowAddresses: [] } };
    const called = a.command({ do: 'call', target: B });
    await lab.run(1_000);
    expect(called.outcome).toMatchObject({ ok: false, status: 403 });
  });

  test('no codec in common is refused 488 before anything rings (RFC 3261 §21.4.26)', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { ...headless, settings: { media: { codecs: ['PCMU'] } } });
    const b = await lab.phone('192.0.2.2', { ...headless, settings: { media: { codecs: ['PCMA'] } } });
    const called = a.command({ do: 'call', target: B });
    await lab.run(1_000);
    expect(called.outcome).toMatchObject({ ok: false, status: 488 });
    expect(b.phone.status()).toMatchObject({ bell: false, calls: [] });
  });

  test('hold and resume resolve at the answer to the re-INVITE (RFC 3264 §8.4)', async () => {
    const { lab, a, b } = await connected();
    a.audio.microphone = sine;
    const held = a.command({ do: 'hold' });
    expect(held.outcome).toBeUndefined();
    await lab.run(1_000);
    expect(held.outcome).toMatchObject({ ok: true, state: 'held' });
    expect(b.phone.status().calls[0]).toMatchObject({ remoteHeld: true });
    const resumed = a.command({ do: 'resume' });
    await lab.run(1_000);
    expect(resumed.outcome).toMatchObject({ ok: true, state: 'resumed' });
    expect(b.phone.status().calls[0]).toMatchObject({ remoteHeld: false });
    const again = a.command({ do: 'resume' });
    await lab.run(50);
    expect(again.outcome).toMatchObject({ ok: false, code: 'NO_SUCH_CALL' });
  });

  test('both sides may hold, and each takes back its own', async () => {
    const { lab, a, b } = await connected();
    a.command({ do: 'hold' });
    await lab.run(300);
    b.command({ do: 'hold' });
    await lab.run(300);
    expect(a.phone.status().calls[0]).toMatchObject({ held: true, remoteHeld: true });
    a.command({ do: 'resume' });
    await lab.run(300);
    expect(b.phone.status().calls[0]).toMatchObject({ held: true, remoteHeld: false });
    b.command({ do: 'resume' });
    await lab.run(300);
    expect(a.phone.status().calls[0]).toMatchObject({ held: false, remoteHeld: false });
    b.audio.microphone = a.audio.microphone = sine;
    await lab.run(1_000);
    expect(loudness(a)).toBeGreaterThan(1_000);
    expect(loudness(b)).toBeGreaterThan(1_000);
  });

  test('both holding at the same instant ends with both holding (RFC 3261 §14.1)', async () => {
    const { lab, a, b } = await connected();
    const one = a.command({ do: 'hold' }), two = b.command({ do: 'hold' });
    await lab.run(6_000);
    expect([one.outcome, two.outcome]).toMatchObject([{ ok: true }, { ok: true }]);
    expect(a.phone.status().calls[0]).toMatchObject({ held: true, remoteHeld: true });
  });

  test('dtmf resolves when all digits are out; the other side hears each once', async () => {
    const { lab, a, b } = await connected();
    const sent = a.command({ do: 'dtmf', digits: '42#' });
    const bad = a.command({ do: 'dtmf', digits: '4x' });
    await lab.run(1_000);
    expect(sent.outcome).toMatchObject({ ok: true });
    expect(bad.outcome).toMatchObject({ ok: false, code: 'BAD_DIGITS' });
    expect(b.events.filter((e) => e.event === 'digit').map((e) => e.digit)).toEqual(['4', '2', '#']);
  });

  test('a blind transfer joins the other side to the third and ends our call (RFC 5589 §6.1)', async () => {
    const { lab, a, b } = await connected();
    const c = await lab.phone('192.0.2.3', auto);
    const moved = a.command({ do: 'transfer', target: 'sip:carol@192.0.2.3' });
    await lab.run(3_000);
    expect(moved.outcome).toMatchObject({ ok: true, state: 'transferred' });
    expect(a.phone.status().calls).toEqual([]);
    expect(b.phone.status().calls).toMatchObject([{ direction: 'out', state: 'established' }]);
    expect(c.phone.status().calls).toMatchObject([{ direction: 'in', state: 'established' }]);
    expect(lab.wire.sent.some((d) => /\r\nReferred-By: </i.test(d.bytes.toString()))).toBe(true);
  });

  test('a transfer that fails says so and the call goes on', async () => {
    const { lab, a, b } = await connected();
    const moved = a.command({ do: 'transfer', target: 'sip:nobody@192.0.2.88' });
    await lab.run(3_000);
    expect(moved.outcome).toMatchObject({ ok: false, code: 'TRANSFER_FAILED', status: 503 });
    expect(a.phone.status().calls).toMatchObject([{ state: 'established' }]);
    expect(b.phone.status().calls).toMatchObject([{ state: 'established' }]);
  });

  test('an attended transfer joins the two we talked to (RFC 3891, RFC 5589 §7)', async () => {
    const { lab, a, b } = await connected();
    const c = await lab.phone('192.0.2.3', auto);
    const second = a.command({ do: 'call', target: 'sip:carol@192.0.2.3' });
    await lab.run(1_000);
    expect(second.outcome).toMatchObject({ ok: true });
    const [first, other] = a.phone.status().calls;
    const moved = a.command({ do: 'transfer', call: first!.id, to: other!.id });
    await lab.run(3_000);
    expect(moved.outcome).toMatchObject({ ok: true });
    expect(a.phone.status().calls).toEqual([]);
    expect(b.phone.status().calls).toMatchObject([{ state: 'established', direction: 'out', remote: 'sip:carol@192.0.2.3:5060' }]); // without the Replaces it was called by
    expect(c.phone.status().calls).toMatchObject([{ state: 'established' }]);
  });

  test('who is taken over by an attended transfer goes on talking without a ring (RFC 3891 §3)', async () => {
    const { lab, a, b } = await connected();
    const c = await lab.phone('192.0.2.3');
    a.command({ do: 'call', target: 'sip:carol@192.0.2.3' });
    await lab.run(300);
    c.bench.lift();
    await lab.run(1_000);
    const [first, other] = a.phone.status().calls;
    a.command({ do: 'transfer', call: first!.id, to: other!.id });
    await lab.run(2_000);
    expect(c.phone.status()).toMatchObject({ state: 'in call', calls: [{ state: 'established', place: 'handset', remote: expect.stringContaining('192.0.2.2') }] });
    expect(c.phone.status().calls).toHaveLength(1);
    expect(b.phone.status().calls).toHaveLength(1);
    c.bench.hangUp();
    await lab.run(1_500);
    expect(b.phone.status().calls).toEqual([]);
    expect(c.phone.status().state).toBe('on hook');
  });

  test('when no port is left for sound, both sides are told so and nothing hangs', async () => {
    const lab = createLab();
    const b = await lab.phone('192.0.2.2', { ...auto, settings: { ...auto.settings, media: { codecs: ['PCMA'], rtpPortMin: 20_000, rtpPortMax: 20_001 } } });
    const a = await lab.phone('192.0.2.1', headless);
    const one = a.command({ do: 'call', target: B });
    await lab.run(500);
    const two = a.command({ do: 'call', target: B });
    await lab.run(500);
    expect([one.outcome, two.outcome]).toMatchObject([{ ok: true }, { ok: false, status: 500 }]);
    const out = b.command({ do: 'call', target: 'sip:alice@192.0.2.1' });
    await lab.run(500);
    expect(out.outcome).toMatchObject({ ok: false, code: 'CALL_FAILED', status: 500, why: expect.stringMatching(/port/i) });
    expect(b.phone.status()).toMatchObject({ calls: [{ state: 'established' }], lastFailure: expect.stringMatching(/port/i) });
  });

  test('what cannot be done is said in words', async () => {
    const { lab, a } = await pair();
    const rows = [
      [{ do: 'answer' }, 'NO_SUCH_CALL'], [{ do: 'hangup' }, 'NO_SUCH_CALL'], [{ do: 'hangup', call: '77' }, 'NO_SUCH_CALL'], [{ do: 'hold' }, 'NO_SUCH_CALL'],
      [{ do: 'dtmf', digits: '1' }, 'NO_SUCH_CALL'], [{ do: 'lift' }, 'NO_HANDSET'], [{ do: 'key', key: '1' }, 'NO_HANDSET'],
    ] as const;
    for (const [command, code] of rows) {
      const { outcome } = await (async () => { const o = a.command(command); await lab.run(50); return o; })();
      expect(outcome, JSON.stringify(command)).toMatchObject({ ok: false, code });
    }
  });

  test('nonsense from outside is refused in words and does nothing', async () => {
    const { lab, a } = await pair();
    const rows: readonly (readonly [command: unknown, why: string])[] = [
      [null, 'a command is an object'], ['call', 'a command is an object'], [{}, 'no such command: undefined'], [{ do: 'toString' }, 'no such command: toString'],
      [{ do: 'call' }, 'target is missing'], [{ do: 'call', target: 7 }, 'target is a text'], [{ do: 'call', target: 'x', headers: [['a']] }, 'headers are pairs of texts'],
      [{ do: 'dtmf', digits: '1', ms: 'x' }, 'ms is a number'], [{ do: 'key', key: '12' }, 'key is one of 0-9 * # A-D'], [{ do: 'transfer' }, 'target or to is missing'],
      [{ do: 'mute' }, 'muted is true or false'], [{ do: 'mute', muted: 'no' }, 'muted is true or false'], [{ do: 'key', key: ['1'] }, 'key is a text'],
      [{ do: 'call', target: B, until: 'morning' }, 'until is ringing or answered'], [{ do: 'call', target: B, headers: [['Alert-Info', 'x'], ['VIA', 'x']] }, "the header VIA is the phone's own"],
    ];
    for (const [command, why] of rows) {
      const asked = a.command(command as Parameters<Subject['command']>[0]);
      await lab.run(20);
      expect(asked.outcome).toEqual({ ok: false, code: 'BAD_COMMAND', why });
    }
    const injected = a.command({ do: 'call', target: B, headers: [['X', 'a\r\nVia: evil']] });
    await lab.run(300);
    expect(injected.outcome).toMatchObject({ ok: false });
    expect(a.phone.status().calls).toEqual([]);
  });

  test('a measurement of the sound comes back', async () => {
    const { lab, a } = await connected();
    await lab.run(2_000);
    const measured = a.command({ do: 'measure' });
    await lab.run(50);
    expect(measured.outcome).toMatchObject({ ok: true, stats: { codec: 'PCMA', lostPackets: 0 } });
  });

  test('several callers are answered side by side, and a ninth hears busy', async () => {
    const lab = createLab();
    const b = await lab.phone('192.0.2.2', auto);
    const a = await lab.phone('192.0.2.1', headless);
    const calls = Array.from({ length: 9 }, () => a.command({ do: 'call', target: B }));
    await lab.run(2_000);
    expect(calls.filter((c) => c.outcome?.ok === true)).toHaveLength(8);
    expect(calls.find((c) => c.outcome?.ok === false)?.outcome).toMatchObject({ status: 486 });
    a.command({ do: 'hangup' });
    await lab.run(2_000);
    expect(b.phone.status().calls).toEqual([]);
  });

  test('a peer that falls silent ends the call after the time set', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { ...headless, settings: { media: { codecs: ['PCMA'], rtpTimeoutS: 5 } } });
    const b = await lab.phone('192.0.2.2', auto);
    a.command({ do: 'call', target: B });
    await lab.run(1_000);
    lab.wire.down.add('192.0.2.2');
    await lab.run(6_000);
    expect(a.events.find((e) => e.event === 'ended')).toMatchObject({ why: 'no sound for 5 s', by: 'us' });
    expect(b.phone.status().calls).toHaveLength(1);
  });

  test('a hundred calls one after another leave nothing behind', async () => {
    const { lab, a, b } = await pair();
    for (let i = 0; i < 100; i++) {
      const called = a.command({ do: 'call', target: B });
      await lab.run(200);
      expect(called.outcome).toMatchObject({ ok: true });
      const ended = a.command({ do: 'hangup' });
      await lab.run(100);
      expect(ended.outcome).toMatchObject({ ok: true });
    }
    await lab.run(40_000);
    expect(a.audio.running).toEqual([]);
    expect(lab.clock.pending).toBeLessThan(6);
    expect(b.phone.status().calls).toEqual([]);
    expect(await b.phone.callLog()).toHaveLength(100);
  }, 60_000);
});

describe('commands to a phone with handset', () => {
  test('call rings on the speaker, lifting takes it, and a second is refused while the line is in use', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1');
    const b = await lab.phone('192.0.2.2', headless);
    const called = a.command({ do: 'call', target: B });
    await lab.run(300);
    expect(a.phone.status()).toMatchObject({ state: 'speaker calling', tone: 'ringback', hook: 'on' });
    expect(a.heard('speaker')).toBe('ringback');
    a.bench.lift();
    await lab.run(300);
    expect(a.heard('speaker')).toBe('');
    expect(a.heard('handset')).toBe('ringback');
    b.command({ do: 'answer' });
    await lab.run(500);
    expect(called.outcome).toMatchObject({ ok: true });
    expect(a.phone.status()).toMatchObject({ state: 'in call', calls: [{ place: 'handset' }] });
    const second = a.command({ do: 'call', target: 'sip:x@192.0.2.3' });
    await lab.run(50);
    expect(second.outcome).toMatchObject({ ok: false, code: 'BUSY' });
  });

  test('answer takes a ringing call on the speaker, hangup ends it', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', headless);
    const b = await lab.phone('192.0.2.2');
    a.command({ do: 'call', target: B });
    await lab.run(300);
    const answered = b.command({ do: 'answer' });
    await lab.run(300);
    expect(answered.outcome).toMatchObject({ ok: true });
    expect(b.phone.status()).toMatchObject({ state: 'speaker', bell: false });
    const ended = b.command({ do: 'hangup' });
    await lab.run(300);
    expect(ended.outcome).toMatchObject({ ok: true });
    expect(b.phone.status().state).toBe('on hook');
    expect(a.phone.status().calls).toEqual([]);
  });

  test('hangup of a ringing call refuses it 486', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', headless);
    const b = await lab.phone('192.0.2.2');
    const called = a.command({ do: 'call', target: B });
    await lab.run(300);
    b.command({ do: 'hangup' });
    await lab.run(300);
    expect(called.outcome).toMatchObject({ ok: false, status: 486 });
    expect(b.phone.status()).toMatchObject({ state: 'on hook', bell: false });
    expect((await b.phone.callLog())[0]).toMatchObject({ how: 'declined', missed: false });
  });

  test('lift, keys and hang work the handset from afar', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { dialing: { speedDial: { '2': B }, plan: ['4'] } } });
    const b = await lab.phone('192.0.2.2', headless);
    for (const command of [{ do: 'lift' }, { do: 'key', key: '2' }] as const) a.command(command);
    await lab.run(500);
    expect(b.phone.status().bell).toBe(true);
    a.command({ do: 'hang' });
    await lab.run(500);
    expect(b.phone.status().bell).toBe(false);
    expect(a.phone.status().state).toBe('on hook');
  });
});

describe('a sound card that is lost', () => {
  test('is told, the call lives on, and its return is told too', async () => {
    const { lab, a } = await connected();
    const card = a.audio.running.at(-1)!;
    card.lose();
    await lab.run(500);
    expect(a.phone.status()).toMatchObject({ lastFailure: 'the sound card is unplugged', calls: [{ state: 'established' }] });
    expect(a.phone.status().devices[0]).toMatchObject({ place: 'handset', state: 'lost' });
    card.find();
    await lab.run(500);
    expect(a.events.filter((e) => e.event === 'device').map((e) => e.state)).toEqual(['lost', 'running']);
  });
});

describe('closing', () => {
  test('ends calls on both sides and frees the port', async () => {
    const { lab, a, b } = await connected();
    let closed = false;
    void a.phone.close().then(() => { closed = true; });
    await lab.run(3_000);
    expect(closed).toBe(true);
    expect(b.phone.status().calls).toEqual([]);
    await expect(lab.phone('192.0.2.1', headless)).resolves.toBeDefined();
  });

  test('a call that rings is told 480, not that somebody is busy, so that a server may go on to voice mail', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', headless);
    const b = await lab.phone('192.0.2.2', headless);
    const called = a.command({ do: 'call', target: B });
    await lab.run(300);
    expect(b.phone.status()).toMatchObject({ calls: [{ state: 'ringing' }] });
    void b.phone.close();
    await lab.run(500);
    expect(called.outcome).toMatchObject({ ok: false, status: 480 });
  });

  test('a command that comes meanwhile is refused in words', async () => {
    const { lab, a } = await pair();
    void a.phone.close();
    const late = a.command({ do: 'call', target: B });
    await lab.run(50);
    expect(late.outcome).toEqual({ ok: false, code: 'ENDING', why: 'the phone is ending' });
    const asked = a.command({ do: 'status' });
    await lab.run(50);
    expect(asked.outcome).toMatchObject({ ok: true });
  });
});

describe('the test of a sound card', () => {
  test('tells what the microphone hears of two sweeps', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1');
    const tested = a.command({ do: 'audio test', place: 'speaker' });
    await lab.run(9_000);
    expect(tested.outcome).toMatchObject({ ok: true, sound: { xruns: 0, clipped: 0, echo: undefined, advice: [expect.stringMatching(/digital silence/)] } });
    expect(Math.max(...a.audio.devices.flatMap((device) => device.played))).toBeGreaterThan(8_000);
  });

  test('a call goes before it, and a telephone in use is not tested', async () => {
    const lab = createLab();
    const a = await lab.phone('192.0.2.1', { settings: { dialing: { speedDial: { 2: 'sip:bob@192.0.2.2' } } } });
    await lab.phone('192.0.2.2');
    const interrupted = a.command({ do: 'audio test', place: 'handset' });
    await lab.run(1_000);
    a.bench.lift();
    await lab.run(500);
    expect(interrupted.outcome).toMatchObject({ ok: false, code: 'NOT_TESTED', why: expect.stringMatching(/interrupted/) });
    const refused = a.command({ do: 'audio test', place: 'handset' });
    await lab.run(100);
    expect(refused.outcome).toMatchObject({ ok: false, code: 'BUSY' });
    const unknown = a.command({ do: 'audio test', place: 'attic' });
    await lab.run(100);
    expect(unknown.outcome).toMatchObject({ ok: false, code: 'BAD_COMMAND' });
  });
});
