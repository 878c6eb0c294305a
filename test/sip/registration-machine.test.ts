import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import type { RegistrationState } from '../../src/sip/agent-types.ts';
import {
  PACE, registrationOff, shown, step, type Registration, type RegistrationAction, type RegistrationEvent,
} from '../../src/sip/registration-machine.ts';

/** Runs the machine with its timer in fake time; `sent` holds the instants of tries. */
function bench(chance = 0.5, expiresS = 600) {
  let state: Registration = registrationOff(expiresS);
  let dueMs = Infinity;
  const run = {
    nowMs: 0,
    sent: [] as { atMs: number; expiresS: number; to: string | undefined }[],
    gone: false,
    get phase() { return state.phase; },
    get shown(): RegistrationState { return shown(state); },
    get dueMs() { return dueMs; },
    feed(event: RegistrationEvent) {
      const [next, ...actions] = step(state, event, run.nowMs, chance);
      state = next;
      for (const action of actions as RegistrationAction[]) {
        if (action.do === 'wait') dueMs = run.nowMs + action.ms;
        else if (action.do === 'gone') { run.gone = true; dueMs = Infinity; }
        else run.sent.push({ atMs: run.nowMs, expiresS: action.expiresS, to: action.to });
      }
    },
    until(ms: number, onTry: () => void = () => {}) {
      let seen = run.sent.length;
      while (dueMs <= ms) {
        run.nowMs = dueMs;
        dueMs = Infinity;
        run.feed({ event: 'timer' });
        while (seen < run.sent.length) { seen++; onTry(); }
      }
      run.nowMs = ms;
    },
  };
  return run;
}

const granted: RegistrationEvent = { event: 'granted', server: '192.0.2.1', grantedS: 600 };
const refused: RegistrationEvent = { event: 'failed', why: 'server refused', detail: 'connection refused' };

describe('registration', () => {
  test('is refreshed at a fraction of what was granted, not of what was asked (RFC 3261 §10.2.4)', () => {
    const r = bench(0.5, 3600);
    r.feed({ event: 'start' });
    r.feed({ event: 'granted', server: '192.0.2.1', grantedS: 100 });
    assert.deepEqual(r.shown, { state: 'registered', server: '192.0.2.1', untilMs: 100_000 });
    r.until(69_999);
    assert.equal(r.sent.length, 1);
    r.until(70_000);
    assert.equal(r.sent.length, 2);
    assert.equal(r.sent[1]?.expiresS, 3600);
    assert.ok(r.shown.state === 'registered');
  });

  test('a challenge is answered at once, a second refusal of the same password is told as wrong password and tried slowly', () => {
    const r = bench(0);
    r.feed({ event: 'start' });
    r.feed({ event: 'challenged', with: 'retry', status: 401 });
    assert.equal(r.sent.length, 2);
    r.feed({ event: 'challenged', with: 'refused', status: 401 });
    assert.deepEqual({ ...r.shown, detail: '' }, { state: 'failed', why: 'wrong password', status: 401, detail: '', retryAtMs: 60_000 });
    const tries: number[] = [];
    r.until(2_000_000, () => { tries.push(r.nowMs); r.feed({ event: 'challenged', with: 'refused', status: 401 }); });
    assert.deepEqual(tries.slice(0, 5), [60_000, 180_000, 420_000, 900_000, 1_400_000]);
  });

  test('a stale nonce is no wrong password (RFC 7616 §3.3), but not without end', () => {
    const r = bench();
    r.feed({ event: 'start' });
    for (let i = 0; i < 4; i++) r.feed({ event: 'challenged', with: 'retry', status: 401 });
    assert.equal(r.phase, 'sending');
    r.feed({ event: 'challenged', with: 'retry', status: 401 });
    assert.equal(r.shown.state === 'failed' && r.shown.why, 'server trouble');
  });

  test('423 raises the time asked for, and it stays raised (RFC 3261 §10.2.8)', () => {
    const r = bench(0.5, 60);
    r.feed({ event: 'start' });
    r.feed({ event: 'too brief', minS: 900 });
    assert.equal(r.sent[1]?.expiresS, 900);
    r.feed({ event: 'granted', server: 's', grantedS: 900 });
    r.until(900_000 * 0.75);
    assert.equal(r.sent[2]?.expiresS, 900);
  });

  test('423 with no longer time than asked is nonsense', () => {
    const r = bench(0.5, 600);
    r.feed({ event: 'start' });
    r.feed({ event: 'too brief', minS: 60 });
    assert.equal(r.shown.state === 'failed' && r.shown.why, 'server trouble');
  });

  test('a redirection is followed once', () => {
    const r = bench();
    r.feed({ event: 'start' });
    r.feed({ event: 'redirected', to: 'sip:other', status: 302 });
    assert.equal(r.sent[1]?.to, 'sip:other');
    r.feed({ event: 'redirected', to: 'sip:third', status: 302 });
    assert.equal(r.sent.length, 2);
    assert.equal(r.shown.state, 'failed');
  });

  for (const chance of [0, 0.5, 0.999]) {
    test(`a silent server is tried every 4 to 5 s for five minutes, later at most every 30 s, for ever (chance ${chance})`, () => {
      const r = bench(chance);
      r.feed({ event: 'start' });
      r.until(4 * 3_600_000);
      const gaps = r.sent.slice(1).map((s, i) => s.atMs - r.sent[i]!.atMs);
      gaps.forEach((gap, i) => {
        assert.ok(gap >= 4_000, `gap ${gap}`);
        assert.ok(gap <= (r.sent[i]!.atMs <= 300_000 ? 5_000 : 30_000), `gap ${gap} at ${r.sent[i]!.atMs}`);
      });
      assert.ok(gaps.at(-1)! >= 25_000);
      assert.equal(r.shown.state === 'failed' && r.shown.why, 'server silent');
    });
  }

  test('a refusing server is tried no oftener than every 4 s and found within 5 s', () => {
    const r = bench(0.999);
    r.feed({ event: 'start' });
    r.feed(refused);
    r.until(200_000, () => r.feed(refused));
    const gaps = r.sent.slice(1).map((s, i) => s.atMs - r.sent[i]!.atMs);
    assert.ok(gaps.every((g) => g >= 4_000 && g <= 5_000));
    assert.equal(r.shown.state === 'failed' && r.shown.why, 'server refused');
  });

  test('one lost refresh is not shown while the binding stands, the second is', () => {
    const r = bench(0);
    r.feed({ event: 'start' });
    r.feed(granted);
    r.until(390_000);
    assert.equal(r.sent.length, 2);
    const seen: string[] = [];
    r.until(394_000);
    seen.push(r.shown.state);
    r.until(398_000);
    seen.push(r.shown.state);
    r.feed(granted);
    seen.push(r.shown.state);
    assert.deepEqual(seen, ['registered', 'failed', 'registered']);
  });

  test('the network coming back brings a try at once, also in a slow pause', () => {
    const r = bench();
    r.feed({ event: 'start' });
    r.feed({ event: 'refused', status: 404, detail: 'Not Found', credentials: false });
    assert.equal(r.shown.state === 'failed' && r.shown.why, 'not allowed');
    r.until(10_000);
    r.feed({ event: 'now' });
    assert.deepEqual(r.sent.map((s) => s.atMs), [0, 10_000]);
    r.feed({ event: 'now' });
    assert.equal(r.sent.length, 2, 'a burst of link events is one try');
  });

  test('a packet from a server thought dead brings a try, but none sooner than 4 s after the last', () => {
    const r = bench(0.999);
    r.feed({ event: 'start' });
    r.until(900_000, () => r.feed(refused));
    const last = r.sent.at(-1)!.atMs;
    r.until(last + 1_000);
    r.feed({ event: 'heard' });
    assert.equal(r.dueMs, Math.max(last + 4_000, r.nowMs));
  });

  test('Retry-After is honoured up to ten minutes (RFC 3261 §20.33)', () => {
    for (const [asked, low, high] of [[30, 30_000, 33_001], [1, 4_000, 4_801], [100_000, 600_000, 660_001]] as const) {
      const r = bench(0.5);
      r.feed({ event: 'start' });
      r.feed({ event: 'refused', status: 503, detail: 'Service Unavailable', retryAfterS: asked, credentials: false });
      assert.ok(r.dueMs >= low && r.dueMs <= high, `${asked}: ${r.dueMs}`);
    }
  });

  test('403 after a password is told as wrong password, without one as not allowed', () => {
    for (const [credentials, why] of [[true, 'wrong password'], [false, 'not allowed']] as const) {
      const r = bench();
      r.feed({ event: 'start' });
      r.feed({ event: 'refused', status: 403, detail: 'Forbidden', credentials });
      assert.equal(r.shown.state === 'failed' && r.shown.why, why);
    }
  });

  test('stopping takes the binding back with expires 0 and gives up after 2 s (RFC 3261 §10.2.2)', () => {
    const r = bench();
    r.feed({ event: 'start' });
    r.feed(granted);
    r.feed({ event: 'stop' });
    assert.equal(r.sent.at(-1)?.expiresS, 0);
    assert.deepEqual(r.shown, { state: 'off' });
    r.feed({ event: 'challenged', with: 'retry', status: 401 });
    assert.equal(r.sent.length, 3);
    r.until(PACE.leave);
    assert.ok(r.gone);
    assert.equal(r.phase, 'off');
  });

  test('stopping while nothing is registered sends nothing', () => {
    const r = bench();
    r.feed({ event: 'start' });
    r.feed(refused);
    r.feed({ event: 'stop' });
    assert.equal(r.sent.length, 1);
    assert.ok(r.gone);
  });

  test('answers that come while nothing is asked change nothing', () => {
    const r = bench();
    r.feed(granted);
    assert.equal(r.phase, 'off');
    r.feed({ event: 'start' });
    r.feed(granted);
    r.feed({ event: 'refused', status: 500, detail: 'late', credentials: false });
    assert.ok(r.shown.state === 'registered');
  });
});
