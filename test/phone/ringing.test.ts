import { describe, expect, test } from 'vitest';
import { ringNameOf, ringOf } from '../../src/phone/ringing.ts';

const LONG = [2000, 4000], DOUBLE = [400, 200, 400, 2000];
const file = (name: string) => `/sounds/${name}`;
const any = () => true;
const ring = (alert: string, national: readonly number[] = LONG, tones: Readonly<Record<string, string>> = {}) => ringOf([alert], national, tones, file);

describe('Alert-Info names a kind of ring', () => {
  test.each([
    ['<http://127.0.0.1/Bellcore-dr2>', 'dr2'], ['Bellcore-dr3', 'dr3'], ['<Bellcore-dr4>', 'dr4'], ['<http://example.com/x>;info=Bellcore-dr5', 'dr5'], ['<bellcore-dr1>;volume=0', 'dr1'],
    ['<http://www.notused.com>;info=alert-internal', 'internal'], ['<http://www.notused.com>;info="external"', 'external'], ['<http://pbx/>;alert-external', 'external'], [';info=alert-group;x-line-id=0', 'group'],
    ['<sip:pbx@example.com>;alert-internal', 'internal'], ['internal', 'internal'], ['<file://dr2.wav>', 'dr2'], ['<http://x>; info = "alert-group"', 'group'],
    ['<urn:alert:source:internal>', 'internal'], ['<urn:alert:source:external>', 'external'], ['<urn:alert:service:group>', 'group'], // RFC 7462 §9
  ])('%s is %s', (text, name) => {
    const known = ['dr1', 'dr2', 'dr3', 'dr4', 'dr5', 'internal', 'external', 'group'];
    expect(ringNameOf([text], (n) => known.includes(n))).toBe(name);
  });

  test('the first that is known counts, others are passed over', () => {
    expect(ringNameOf(['<http://x/loud.wav>;info=klingon', '<http://x/Bellcore-dr2>'], (n) => n === 'dr2')).toBe('dr2');
    expect(ringNameOf(['<http://x/loud.wav>;info=klingon'], (n) => n === 'dr2')).toBeUndefined();
  });

  test.each(['', ';', '<', '<>', '<http://x', ';;;info', 'info=', '"', '<;;>;=;', 'x'.repeat(5000), '\u0000', 'constructor', '<urn:alert:__proto__>'])('anything else is a usual ring: %j', (text) => {
    expect(ring(text)).toEqual(ring('<http://x/normal>'));
    ringNameOf([text], any); // and never throws
  });
});

describe('the bell rings', () => {
  test.each([
    ['dr1', LONG, LONG], ['dr2', LONG, [800, 400, 800, 4000]], ['dr3', LONG, [400, 200, 400, 200, 800, 4000]], ['dr4', LONG, [300, 200, 1000, 200, 300, 4000]], ['dr5', LONG, [500, 5500]], // GR-506
    ['external', LONG, LONG], ['external', DOUBLE, DOUBLE], ['internal', LONG, [400, 200, 400, 3000]], ['internal', DOUBLE, [1000, 3000]], ['group', DOUBLE, [300, 200, 300, 200, 300, 3000]], ['nonsense', DOUBLE, DOUBLE],
  ])('for %s where the country has %j as %j', (name, national, cadence) => {
    const { cadence: heard, program } = ring(`<http://x>;info=${name}`, national);
    expect(heard).toEqual(cadence);
    expect('steps' in program && program.steps.map(({ ms }) => ms)).toEqual(cadence);
  });
});

describe('the owner\'s ring tones', () => {
  const tones = { normal: 'warble', internal: 'chime', door: 'dingdong.wav', dr2: 'gone' };

  test('are taken by the kind of call, the normal one for all others', () => {
    const first = (alert: string) => {
      const { program } = ring(alert, LONG, tones);
      return 'wav' in program ? program.wav : program.steps[0]!.hz;
    };
    expect(first('internal')).toEqual([660, 1320]);
    expect(first('external')).toEqual([800]);
    expect(first('<http://x>;info=door')).toBe('/sounds/dingdong.wav');
    expect(first('dr2')).toEqual([800, 820, 1200, 1220]); // none of that name: the bell
  });

  test('a file is never one that the caller names, and the bell stands in for it', () => {
    for (const alert of ['<file:///etc/passwd>', '<http://evil/x.wav>', '<dingdong.wav>', '<../../dingdong.wav>;info=../dingdong.wav']) expect('steps' in ring(alert, LONG, tones).program).toBe(true);
    const { program } = ring('door', DOUBLE, tones);
    expect(program).toMatchObject({ wav: '/sounds/dingdong.wav', instead: { steps: [{ hz: [800, 820, 1200, 1220], ms: 400 }, { ms: 200 }, { ms: 400 }, { ms: 2000 }] } });
  });
});
