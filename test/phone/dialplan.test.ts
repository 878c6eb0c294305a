import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { outranked } from '../../src/phone/dial-rules.ts';
import { compilePlan, emergencyNumbers, judge, settle, type Dialling, type Verdict } from '../../src/phone/dialplan.ts';
import { PhoneError } from '../../src/ports/errors.ts';

const dialling = (plan: readonly string[], more: Partial<Dialling> = {}): Dialling =>
  ({ plan: compilePlan(plan), emergency: ['112', '911'], abroad: [], speedDial: {}, codes: ['*43', '*66'], ...more });
const short = (v: Verdict) => 'number' in v ? `${v.say} ${v.number}` : v.say;

/** plan, dialled, verdict. */
const rows: readonly (readonly [plan: readonly string[], dialled: string, verdict: string])[] = [
  [[], '', 'incomplete'],
  [[], '2', 'may grow 2'],
  [[], '201', 'may grow 201'],
  [['201'], '20', 'incomplete'],
  [['201'], '201', 'complete 201'],
  [['201'], '202', 'no match'],
  [['xxx'], '12', 'incomplete'],
  [['2xx'], '299', 'complete 299'],
  [['[2-57]x'], '4', 'incomplete'],
  [['[2-57]x'], '79', 'complete 79'],
  [['[2-57]x'], '69', 'no match'],
  [['[*#2]1'], '#1', 'complete #1'],
  [['zn'], '12', 'complete 12'],
  [['zn'], '01', 'no match'],
  [['zn'], '11', 'incomplete'], // 112 may be meant
  [['0x.'], '0', 'may grow 0'],
  [['0x.'], '0123', 'may grow 0123'],
  [['xx.'], '7', 'may grow 7'],
  [['1x.5'], '1', 'incomplete'],
  [['1x.5'], '125', 'may grow 125'],
  [['1x.5'], '126', 'incomplete'],
  [['<9:>xxx'], '9201', 'complete 201'],
  [['<:0>2xx'], '201', 'complete 0201'],
  [['<00:+>x.'], '0049', 'may grow +49'],
  [['<8x:7>1'], '851', 'complete 71'],
  [['!900x.', 'x.'], '9001', 'incomplete'],
  [['!900', 'x.'], '900', 'refused'],
  [['900!', 'x.'], '900', 'refused'],
  [['20x', '20'], '20', 'may grow 20'], // the first could still match
  [['20', '20x'], '20', 'complete 20'], // first match wins
  [['201T'], '201', 'may grow 201'],
  [['201|202'], '202', 'complete 202'],
  [['x'], '1', 'may grow 1'], // 112
  [['x'], '2', 'complete 2'],
  [['x'], '9', 'may grow 9'], // 911
  [['A'], 'A', 'complete A'],
  [['xxxx'], '112', 'complete 112'],
  [['!11x'], '112', 'complete 112'],
  [['<112:5>'], '112', 'complete 112'],
  [['2xx'], '*4', 'incomplete'],
  [['2xx'], '*43', 'complete *43'],
  [['2xx'], '*97', 'no match'],
];

describe('a number dialled key by key', () => {
  for (const [plan, dialled, verdict] of rows) {
    test(`[${plan.join(', ')}] takes "${dialled}" as ${verdict}`, () => {
      expect(short(judge(dialling(plan), dialled))).toBe(verdict);
    });
  }

  test('a speed dial is called as what it stands for, at once where no longer number can be meant', () => {
    const speedDial = { '1': 'sip:door@192.0.2.7', '20': '5551234' };
    expect(judge(dialling(['2xx'], { speedDial, emergency: [] }), '1')).toEqual({ say: 'complete', number: 'sip:door@192.0.2.7', kind: 'speed dial' });
    expect(short(judge(dialling(['2xx'], { speedDial }), '20'))).toBe('may grow 5551234');
    expect(short(judge(dialling(['2xx'], { speedDial }), '201'))).toBe('complete 201');
    expect(short(judge(dialling([], { speedDial }), '1'))).toBe('may grow sip:door@192.0.2.7');
  });

  test('an own speed dial wins over the service code of the same keys', () => {
    expect(judge(dialling([], { speedDial: { '*43': '300' } }), '*43')).toEqual({ say: 'complete', number: '300', kind: 'speed dial' });
  });

  test('when nothing more comes a good number is taken and a begun one is not', () => {
    expect(settle(dialling(['0x.']), '0123')?.number).toBe('0123');
    expect(settle(dialling(['2xx']), '20')).toBeUndefined();
    expect(settle(dialling([]), '20')?.kind).toBe('number');
  });

  test('a number that becomes an emergency number by replacement counts as one', () => {
    expect(judge(dialling(['<9:>x.']), '9112')).toMatchObject({ number: '112', kind: 'emergency' });
  });
});

describe('emergency numbers', () => {
  test('come with the country and can be added to', () => {
    expect(emergencyNumbers(['999', '112'], true, ['110', '112'])).toEqual(['999', '112', '110']);
    expect(emergencyNumbers(['112', '15'], true, [])).toEqual(['112', '15']);
    expect(emergencyNumbers(['911'], false, ['110', '110'])).toEqual(['110']);
  });

  test('are complete under any plan whatever, speed dial and codes included', () => {
    const pattern = fc.stringMatching(/^!?(<[0-9]{0,2}:[0-9]{0,2}>)?([0-9xn]|\[1-9\]){1,5}\.?T?$/);
    fc.assert(fc.property(fc.array(pattern, { maxLength: 6 }), fc.constantFrom('112', '911'), (plan, number) => {
      const d = dialling(plan, { speedDial: { '112': '1', '911': '2' }, codes: ['112'] });
      expect(judge(d, number)).toEqual({ say: 'complete', number, kind: 'emergency' });
      for (let n = 1; n < number.length; n++) expect(judge(d, number.slice(0, n)).say).not.toMatch(/^(complete|refused|no match)$/);
    }));
  });

  test('rules that would stand in their way are named', () => {
    expect(outranked(compilePlan(['!9x.', '2xx', '112x', '<1:>12', 'x.']), ['911', '112'])).toEqual([
      '"!9x." would refuse 911, which is called as it is',
      '"112x" begins like 112, which is called at once',
      '"<1:>12" would change 112, which is called as it is',
    ]);
  });

  test('speed dials and extensions that are one, or begin like one, are named', () => {
    expect(outranked([], ['112', '100', '101'], ['1', '101', '1120'], ['100', '1001', '200'])).toEqual([
      'speed dial 1120 begins like 112, which is called at once', 'extension 100 is an emergency number, which is called instead', 'extension 1001 begins like 100, which is called at once',
      'speed dial 101 is an emergency number, which is called instead',
    ]);
  });
});

describe('emergency numbers of other countries (ITU-T E.161.1)', () => {
  const abroad = { emergency: ['999'], abroad: ['112', '911'] };

  test('are called as such where nothing else here has them', () => {
    expect(settle(dialling([], abroad), '112')).toEqual({ say: 'may grow', number: '112', kind: 'emergency' });
    expect(judge(dialling(['2xx'], abroad), '112')).toEqual({ say: 'complete', number: '112', kind: 'emergency' });
    expect(['1', '11', '9', '91'].map((begun) => judge(dialling(['2xx'], abroad), begun).say)).toEqual(['incomplete', 'incomplete', 'incomplete', 'incomplete']);
    expect(judge(dialling(['2xx'], abroad), '12')).toEqual({ say: 'no match' });
  });

  test('are no longer numbers\' beginning that is cut short', () => {
    expect(judge(dialling([], abroad), '1120')).toEqual({ say: 'may grow', number: '1120', kind: 'number' });
    expect(judge(dialling(['112x'], abroad), '112')).toEqual({ say: 'may grow', number: '112', kind: 'emergency' });
    expect(judge(dialling(['1xx'], abroad), '112')).toEqual({ say: 'complete', number: '112', kind: 'emergency' }); // patterns for many numbers name none
    expect(settle(dialling(['x.'], abroad), '911')).toEqual({ say: 'may grow', number: '911', kind: 'emergency' });
    expect(judge(dialling(['112x'], abroad), '1125')).toEqual({ say: 'complete', number: '1125', kind: 'number' });
  });

  test('give way to a speed dial, to a pattern, and to a bar', () => {
    expect(judge(dialling([], { ...abroad, speedDial: { 112: '201' } }), '112')).toMatchObject({ number: '201', kind: 'speed dial' });
    expect(judge(dialling(['<1:9>xx'], abroad), '112')).toEqual({ say: 'complete', number: '912', kind: 'number' });
    expect(judge(dialling(['!9x.'], abroad), '911').say).toBe('incomplete');
    expect(settle(dialling(['!9x.'], abroad), '911')).toBeUndefined();
  });
});

describe('a bad pattern', () => {
  const bad: readonly (readonly [pattern: string, why: string])[] = [
    ['', 'matches nothing'],
    ['!', 'matches nothing'],
    ['.', '"." must follow a digit, x or [..]'],
    ['x..', '"." must follow a digit, x or [..]'],
    ['<9:0>.', '"." must follow a digit, x or [..]'],
    ['[12', '"[" needs keys and a "]"'],
    ['[]', '"[" needs keys and a "]"'],
    ['[5-2]', '"5-2" is not a range of digits'],
    ['[x]', '"[x]" is not a choice of keys'],
    ['<9>1', 'a replacement is written <dialled:instead>'],
    ['1<9:0>', '"<" belongs at the start'],
    ['<9:x>1', '"x" cannot be dialled instead'],
    ['<.:1>1', '"." cannot be replaced, only keys can'],
    ['1T2', '"T" belongs at the end'],
    ['1-2', '"-" means nothing here'],
    ['201|', 'matches nothing'],
  ];
  for (const [pattern, why] of bad) {
    test(`"${pattern}" is refused by name: ${why}`, () => {
      const compile = () => compilePlan(['x', pattern]);
      expect(compile).toThrow(PhoneError);
      expect(compile).toThrow(`dialing.plan.1 "${pattern}": ${why}`);
    });
  }
});

test('any pattern of the setting\'s characters compiles or is refused by name, and any keys are judged', () => {
  const characters = [...'0123456789*#ABCDxXzZnN.[]-+T<>:|!'];
  const pattern = fc.array(fc.constantFrom(...characters), { minLength: 1, maxLength: 12 }).map((c) => c.join(''));
  const keys = fc.array(fc.constantFrom(...'0123456789*#ABCD'), { maxLength: 20 }).map((c) => c.join(''));
  fc.assert(fc.property(pattern, keys, (p, k) => {
    let plan;
    try {
      plan = compilePlan([p]);
    } catch (error) {
      expect((error as PhoneError).code).toBe('BAD_DIAL_PLAN');
      return;
    }
    judge({ plan, emergency: [], abroad: [], speedDial: {}, codes: [] }, k);
  }), { numRuns: 2_000 });
});
