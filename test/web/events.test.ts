import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { liveEvents } from '../../src/web/events.ts';
import type { StateView } from '../../src/web/types.ts';
import { FakeClock } from '../fakes/clock.ts';

/** A browser that listens: what it got, and what it has not read yet. */
function browser() {
  const on = new Map<string, () => void>();
  const got: string[] = [];
  const fake = {
    writableLength: 0, gone: false,
    writeHead: () => fake,
    write: (text: string) => { got.push(text); return true; },
    on: (name: string, done: () => void) => { on.set(name, done); return fake; },
    end: () => { fake.gone = true; on.get('close')?.(); return fake; },
    destroy: () => fake.end(),
  };
  return { got, fake, response: fake as unknown as ServerResponse, states: () => got.filter((text) => text.includes('event: state')).map((text) => Number(/"revision":(\d+)/.exec(text)?.[1])) };
}

function set() {
  const clock = new FakeClock();
  let revision = 1;
  const events = liveEvents(clock, () => ({ revision }) as unknown as StateView);
  return { clock, events, turn: (to: number) => { revision = to; events.changed(); } };
}

test('a state that changes all the time is told ten times a second, the last one always', () => {
  const { clock, events, turn } = set();
  const one = browser();
  events.add(one.response, 's', {});
  for (let n = 2; n <= 41; n++) {
    turn(n);
    clock.advance(10);
  }
  clock.advance(100);
  expect(one.states().length).toBeGreaterThanOrEqual(5);
  expect(one.states().length).toBeLessThanOrEqual(7);
  expect(one.states().at(-1)).toBe(41);
  events.close();
  expect(clock.pending).toBe(0);
});

test('the same state is not told twice, and a quiet line says every 15 s that it lives', () => {
  const { clock, events, turn } = set();
  const one = browser();
  events.add(one.response, 's', {});
  turn(2);
  clock.advance(200);
  turn(2);
  clock.advance(30_000);
  expect(one.states()).toEqual([1, 2]);
  expect(one.got.filter((text) => text === ': still here\n\n')).toHaveLength(2);
});

test('a browser that does not read is let go, the others hear on', () => {
  const { events } = set();
  const slow = browser(), quick = browser();
  events.add(slow.response, 's', {});
  events.add(quick.response, 't', {});
  slow.fake.writableLength = 300_000;
  events.bench({} as never);
  events.bench({} as never);
  expect([slow.fake.gone, slow.got.length, quick.fake.gone, quick.got.length]).toEqual([true, 2, false, 3]);
});

test('24 may listen, the next one is refused; whose session ends goes alone', () => {
  const { clock, events } = set();
  const all = Array.from({ length: 25 }, browser);
  expect(all.map(({ response }, i) => events.add(response, `s${i}`, {}))).toEqual([...Array(24).fill(true), false]);
  events.endSession('s3');
  expect(all.map(({ fake }) => fake.gone).indexOf(true)).toBe(3);
  expect(all.filter(({ fake }) => fake.gone)).toHaveLength(1);
  expect(events.add(browser().response, 'new', {})).toBe(true);
  events.close();
  expect(clock.pending).toBe(0);
});
