import { expect, test } from 'vitest';
import { createBench } from '../../src/hardware/bench.ts';
import { applyTerminal, decodeTerminal, type TerminalState } from '../../src/hardware/terminal.ts';
import { FakeClock } from '../fakes/clock.ts';

const decode = (...chunks: string[]): string[] => {
  let state: TerminalState = 'plain';
  return chunks.flatMap((chunk) => {
    const [next, ...actions] = decodeTerminal(state, Buffer.from(chunk, 'latin1'));
    state = next;
    return actions.map((action) => (action.do === 'key' ? action.key : action.do));
  });
};

test('keys of the terminal are keys of the telephone', () => {
  expect(decode('0123456789*#abCD')).toEqual([...'0123456789*#ABCD']);
  expect(decode(' \rh', 'f', 'p', 'q')).toEqual(['lift or hang up', 'lift or hang up', 'lift or hang up', 'flash', 'privacy', 'quit']);
  expect(decode('\u0003', '\u0004')).toEqual(['quit', 'quit']);
  expect(decode('xyz\u00e9\t')).toEqual([]);
});

test('arrow and function keys dial none of their letters, also when cut in two', () => {
  expect(decode('1\x1b[A2\x1b[1;5D3\x1bOC4', '\x1b', '[B5', '\x1b[', 'C6\x1b\x1b[D7')).toEqual([...'1234567']);
});

test('actions work the bench', () => {
  const clock = new FakeClock();
  const bench = createBench({ clock });
  const act = (...keys: string[]) => keys.map((k) => decodeTerminal('plain', Buffer.from(k)).slice(1).map((a) => applyTerminal(bench, a as never))).flat();
  expect(act(' ', 'p', '5', 'f')).toEqual([true, true, true, true]);
  expect(bench.state).toMatchObject({ offHook: true, privacy: true, key: '5' });
  clock.advance(1_000);
  expect(act('p', 'h', 'q')).toEqual([true, true, false]);
  expect(bench.state).toMatchObject({ offHook: false, privacy: false, key: undefined });
});
