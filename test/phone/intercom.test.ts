import { describe, expect, test } from 'vitest';
import { accountSettings, settings as make } from './settings.ts';
import type { Settings } from '../../src/config/types.ts';
import { decide, onList, wishOf, type Caller, type Surroundings } from '../../src/phone/intercom.ts';

type Headers = Readonly<Record<string, readonly string[]>>;
const wish = (headers: Headers) => wishOf((name) => headers[name] ?? []);
const allow = [{ caller: '201', password: '' }, { caller: 'door', password: 'let me in' }];
const settings = (patch: { intercom?: Partial<Settings['intercom']>; calls?: Partial<Settings['calls']> } = {}): Settings =>
  make({ ...patch, intercom: { enabled: true, allow, ...patch.intercom } });
const account = (autoAnswer: 'off' | 'allowed' | 'all') => accountSettings({ autoAnswer });

/** Every spelling that phones and exchanges send, and after how long it wants to be answered. */
const forms: readonly (readonly [headers: Headers, afterMs: number, form: string])[] = [
  [{ 'call-info': ['<sip:x>;answer-after=0'] }, 0, 'Call-Info answer-after'],
  [{ 'call-info': ['<http://x>;purpose=icon', '<sip:x>; Answer-After=2'] }, 2_000, 'Call-Info answer-after'],
  [{ 'call-info': ['<uri>;answer-after=0.5'] }, 500, 'Call-Info answer-after'],
  [{ 'alert-info': ['<http://www.example.com>;info=alert-autoanswer'] }, 0, 'Alert-Info alert-autoanswer'],
  [{ 'alert-info': ['<http://www.example.com>;info=alert-autoanswer;delay=3'] }, 3_000, 'Alert-Info alert-autoanswer'],
  [{ 'alert-info': ['info=alert-autoanswer'] }, 0, 'Alert-Info alert-autoanswer'],
  [{ 'alert-info': ['<http://127.0.0.1>;info=intercom'] }, 0, 'Alert-Info intercom'],
  [{ 'alert-info': ['Auto Answer'] }, 0, 'Alert-Info auto-answer'],
  [{ 'alert-info': ['<Auto Answer>'] }, 0, 'Alert-Info auto-answer'],
  [{ 'alert-info': ['"Intercom"'] }, 0, 'Alert-Info intercom'],
  [{ 'alert-info': ['Intercom'] }, 0, 'Alert-Info intercom'],
  [{ 'alert-info': ['ring-answer'] }, 2_000, 'Alert-Info ring-answer'],
  [{ 'alert-info': ['Ring Answer'] }, 2_000, 'Alert-Info ring-answer'],
  [{ 'alert-info': ['<http://x>;answer-after=1'] }, 1_000, 'Alert-Info answer-after'],
  [{ 'answer-mode': ['Auto'] }, 0, 'Answer-Mode'],
  [{ 'answer-mode': ['auto;require'] }, 0, 'Answer-Mode'],
  [{ 'priv-answer-mode': ['Auto;require'], 'answer-mode': ['Manual'] }, 0, 'Priv-Answer-Mode'],
];

/** Headers that ring a bell in some way, and open nothing. */
const nothing: readonly Headers[] = [
  {}, { 'alert-info': ['<http://x/bellcore-dr1>'] }, { 'alert-info': ['<http://x>;info=alert-external'] }, { 'alert-info': ['<http://intercom.example.com/ring.wav>'] },
  { 'call-info': ['<http://x/answer-after=0>;purpose=icon'] }, { 'answer-mode': ['sometimes'] }, { 'alert-info': ['<http://x>;delay=2'] },
];

describe('what the caller wishes', () => {
  for (const [headers, afterMs, form] of forms) {
    test(`${JSON.stringify(headers)} wants an answer after ${afterMs} ms`, () => expect(wish(headers)).toMatchObject({ mode: 'auto', afterMs, form }));
  }
  for (const headers of nothing) {
    test(`${JSON.stringify(headers)} wants nothing`, () => expect(wish(headers)).toBeUndefined());
  }
  test('Answer-Mode: Manual wants a person (RFC 5373)', () => expect(wish({ 'answer-mode': ['Manual;require'] })).toMatchObject({ mode: 'manual', require: true }));
  test('a wait without end is cut to a minute', () => expect(wish({ 'call-info': ['<x>;answer-after=999999999999'] })?.afterMs).toBe(60_000));
});

const server: Caller = { throughServer: true, authenticated: undefined, trusted: true, user: '201', host: 'example.org' };
const callers: readonly (readonly [who: string, caller: Caller, allowed: boolean])[] = [
  ['an allowed caller through the server', server, true],
  ['a stranger through the server', { ...server, user: '666' }, false],
  ['an allowed number from elsewhere', { ...server, throughServer: false, trusted: false }, false],
  ['an allowed number from a listed address', { ...server, throughServer: false }, false],
  ['a caller that proved its password', { ...server, throughServer: false, authenticated: 'door', user: 'door' }, true],
  ['a proven name that is not on the list', { ...server, throughServer: false, authenticated: '666', user: '201' }, false],
  ['a proven name whose entry has no password', { ...server, throughServer: false, authenticated: '201', user: '201' }, false],
];
const rest: Surroundings = { busy: false, privacy: false, headless: false };

describe('each form by each caller', () => {
  for (const [headers] of forms) {
    for (const [who, caller, allowed] of callers) {
      for (const privacy of [false, true]) {
        const w = wish(headers);
        const expected = allowed && !privacy ? 'answer' : w?.require === true ? 'refuse' : 'ring';
        test(`${JSON.stringify(headers)} of ${who}${privacy ? ', privacy on' : ''}: ${expected}`, () => {
          expect(decide(w, caller, { ...rest, privacy }, settings(), account('off')).do).toBe(expected);
          expect(decide(w, caller, { ...rest, privacy }, settings({ intercom: { enabled: false } }), account('all')).do).toBe(w?.require === true ? 'refuse' : 'ring');
        });
      }
    }
  }
});

describe('who is on the list', () => {
  test('* is everyone the server lets through, and nobody else', () => {
    const allow = [{ caller: '*', password: '' }];
    expect(onList(allow, { ...server, user: '999' })).toBe(true);
    expect(onList(allow, { ...server, user: '999', throughServer: false })).toBe(false);
  });
  test('an entry with a domain wants that domain', () => {
    const allow = [{ caller: '201@Example.org', password: '' }];
    expect(onList(allow, server)).toBe(true);
    expect(onList(allow, { ...server, host: 'example.com' })).toBe(false);
  });
});

describe('without a wish of the caller', () => {
  const rows: readonly (readonly [what: string, autoAnswer: 'off' | 'allowed' | 'all', caller: Caller, answers: boolean])[] = [
    ['an account that is off rings', 'off', server, false],
    ['an account answers allowed callers', 'allowed', server, true],
    ['an account that answers allowed callers rings for others', 'allowed', { ...server, user: '5' }, false],
    ['an account answers all through its server', 'all', { ...server, user: '5' }, true],
    ['an account that answers all does not answer calls from elsewhere', 'all', { ...server, throughServer: false }, false],
  ];
  for (const [what, autoAnswer, caller, answers] of rows) {
    test(what, () => expect(decide(undefined, caller, rest, settings(), account(autoAnswer)).do).toBe(answers ? 'answer' : 'ring'));
  }
  test('a wish for a person is respected by an account that answers all', () => {
    expect(decide(wish({ 'answer-mode': ['Manual'] }), server, rest, settings(), account('all')).do).toBe('ring');
  });
});

describe('during a call', () => {
  const asks = wish({ 'answer-mode': ['Auto'] });
  test('an allowed caller waits like any other', () => expect(decide(asks, server, { ...rest, busy: true }, settings(), undefined)).toEqual({ do: 'ring', why: 'in use' }));
  test('unless the setting lets it in', () => {
    expect(decide(asks, server, { ...rest, busy: true }, settings({ intercom: { whileBusy: true } }), undefined).do).toBe('answer');
  });
});

describe('a phone without handset that answers by itself', () => {
  const headless = { ...rest, headless: true };
  const auto = settings({ calls: { answer: 'auto' }, intercom: { enabled: false } });
  test('answers whoever may call, without a longest time', () => {
    expect(decide(undefined, { ...server, throughServer: false }, headless, auto, undefined)).toMatchObject({ do: 'answer', place: 'handset', maxS: 0 });
  });
  test('rings for callers who are only let in because anyone is', () => {
    expect(decide(undefined, { ...server, throughServer: false, trusted: false }, headless, auto, undefined).do).toBe('ring');
  });
  test('rings while privacy is on', () => expect(decide(undefined, server, { ...headless, privacy: true }, auto, undefined).do).toBe('ring'));
  test('refuses a caller who requires a person (RFC 5373)', () => {
    expect(decide(wish({ 'answer-mode': ['Manual;require'] }), server, headless, auto, undefined)).toMatchObject({ do: 'refuse', status: 403 });
  });
  test('a phone with handset rings under the same setting', () => expect(decide(undefined, server, rest, auto, undefined).do).toBe('ring'));
});
