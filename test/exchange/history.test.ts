import { describe, expect, test } from 'vitest';
import { forwardedTo, historyOf } from '../../src/exchange/history.ts';

describe('what came before (RFC 7044 §10.3)', () => {
  test('nothing: the number that was called is the first entry', () => {
    expect(historyOf([], 'sip:202@home')).toEqual({ entries: ['<sip:202@home>;index=1'], index: '1' });
  });

  test.each([
    ['the last entry is the number called', ['<sip:9@far>;index=1', '<sip:202@home;cause=302>;index=1.1;mp=1'], ['<sip:9@far>;index=1', '<sip:202@home;cause=302>;index=1.1;mp=1'], '1.1'],
    ['the last entry has a reason', ['<sip:202@home?Reason=SIP%3Bcause%3D302>;index=2'], ['<sip:202@home?Reason=SIP%3Bcause%3D302>;index=2'], '2'],
    ['the last entry is another: whoever sent it on did not say so', ['<sip:9@far>;index=1.3'], ['<sip:9@far>;index=1.3', '<sip:202@home>;index=1.3.1'], '1.3.1'],
    ['no index', ['<sip:9@far>'], ['<sip:202@home>;index=1'], '1'],
    ['nonsense', ['<<', ';index=x'], ['<sip:202@home>;index=1'], '1'],
    ['endless', Array(31).fill('<sip:9@far>;index=1') as string[], ['<sip:202@home>;index=1'], '1'],
  ])('%s', (_, past, entries, index) => {
    expect(historyOf(past, 'sip:202@home')).toEqual({ entries, index });
  });
});

describe('a forward', () => {
  test.each([
    ['unconditional', '<sip:202@home>;index=1', 302], ['user-busy', '<sip:202@home?Reason=SIP%3Bcause%3D486>;index=1', 486], ['no-answer', '<sip:202@home?Reason=SIP%3Bcause%3D408>;index=1', 408],
    ['unavailable', '<sip:202@home?Reason=SIP%3Bcause%3D480>;index=1', 404], ['deflection', '<sip:202@home?Reason=SIP%3Bcause%3D302>;index=1', 480],
  ] as const)('%s: the number before says what it answered (§10.2), the next one by whom and why it is called (§10.4 mp, RFC 4458 §2)', (why, first, cause) => {
    expect(forwardedTo(historyOf([], 'sip:202@home'), 'sip:203@home', why)).toEqual({ entries: [first, `<sip:203@home;cause=${cause}>;index=1.1;mp=1`], index: '1.1' });
  });

  test('after a forward: one deeper; a reason that stands is left, other headers stay', () => {
    const twice = forwardedTo(forwardedTo(historyOf([], 'sip:202@home'), 'sip:203@home', 'unconditional'), 'sip:204@home', 'user-busy');
    expect(twice.entries).toEqual(['<sip:202@home>;index=1', '<sip:203@home;cause=302?Reason=SIP%3Bcause%3D486>;index=1.1;mp=1', '<sip:204@home;cause=486>;index=1.1.1;mp=1.1']);
    const from = (entry: string): string | undefined => forwardedTo(historyOf([entry], 'sip:202@home'), 'sip:203@home', 'user-busy').entries[0];
    expect(from('<sip:202@home?Reason=SIP%3Bcause%3D480>;index=1')).toBe('<sip:202@home?Reason=SIP%3Bcause%3D480>;index=1');
    expect(from('<sip:202@home?Privacy=none>;index=1')).toBe('<sip:202@home?Privacy=none&Reason=SIP%3Bcause%3D486>;index=1');
  });
});
