import { describe, expect, test } from 'vitest';
import { accountSettings } from './settings.ts';
import { createLab, loudness } from './calls/lab.ts';

const sine = (i: number) => Math.round(8_000 * Math.sin(2 * Math.PI * 440 * i / 16_000));

describe('the built-in line', () => {
  test('*43 sends back what is said, through SIP and RTP', async () => {
    const lab = createLab();
    const a = await lab.phone('127.0.0.1', { builtIn: true });
    a.audio.microphone = sine;
    a.bench.lift();
    await a.dial('*43');
    await lab.run(2_000);
    expect(a.phone.status()).toMatchObject({ state: 'in call', calls: [{ remote: '*43', state: 'established' }] });
    expect(loudness(a)).toBeGreaterThan(1_000);
    a.bench.hangUp();
    await lab.run(2_000);
    expect(a.phone.status()).toMatchObject({ state: 'on hook', calls: [] });
    const opened = a.sent.filter((c) => c.do === 'open').length;
    expect(a.sent.filter((c) => c.do === 'close')).toHaveLength(opened);
  });

  test('*44 plays how the telephone is', async () => {
    const lab = createLab();
    const a = await lab.phone('127.0.0.1', { builtIn: true });
    a.bench.lift();
    await a.dial('*44');
    await lab.run(1_000);
    expect(a.sent.find((c) => c.do === 'route' && c.route.to === 'program')).toBeDefined();
    expect(loudness(a, 1_000)).toBeGreaterThan(300);
  });

  test('*44 is reached while the server is silent', async () => {
    const lab = createLab();
    const a = await lab.phone('127.0.0.1', { builtIn: true, settings: { accounts: [accountSettings({ user: '200', server: '127.0.0.1:5999' })] } });
    await lab.run(2_000);
    a.bench.lift();
    await lab.run(100);
    expect(a.heard()).toBe('server silent');
    await a.dial('*44');
    await lab.run(500);
    expect(a.phone.status().state).toBe('in call');
  });

  test('knows no other number', async () => {
    const lab = createLab();
    const a = await lab.phone('127.0.0.1', { builtIn: true });
    const called = a.command({ do: 'call', target: a.builtIn!.echo.replace('echo', 'secret') });
    await lab.run(1_000);
    expect(called.outcome).toMatchObject({ ok: false, status: 404 });
  });

  test('is not there for others', async () => {
    const lab = createLab();
    const a = await lab.phone('127.0.0.1', { builtIn: true });
    const b = await lab.phone('192.0.2.66', { hardware: 'none' });
    const called = b.command({ do: 'call', target: a.builtIn!.echo });
    await lab.run(1_000);
    expect(called.outcome).toMatchObject({ ok: false, status: 404 });
  });
});
