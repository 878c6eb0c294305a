import fc from 'fast-check';
import { expect, test } from 'vitest';
import { changesAt, edge, resting, sample, settled } from '../../src/hardware/debounce.ts';

const REST = 20;

/** Closed or open after each edge in turn, and when it changed. */
function run(edges: readonly (readonly [atMs: number, raw: boolean])[], untilMs: number): (readonly [number, boolean])[] {
  const changes: (readonly [number, boolean])[] = [];
  let contact = settled(false, REST, 0);
  const reach = (atMs: number) => {
    const due = changesAt(contact, REST);
    if (due !== undefined && due <= atMs) {
      contact = edge(contact, contact.raw, due, REST);
      changes.push([due, contact.closed]);
    }
  };
  for (const [atMs, raw] of edges) {
    reach(atMs);
    contact = edge(contact, raw, atMs, REST);
  }
  reach(untilMs);
  return changes;
}

test('a clean press counts once it has rested', () => {
  expect(run([[100, true], [300, false]], 400)).toEqual([[120, true], [320, false]]);
});

test('a bouncing press counts once, later by what the bounce cost', () => {
  // closed 2 ms, open 1 ms, closed 3 ms, open 3 ms, closed for good: weight 2 - 1 + 3 - 3 = 1 at 109 ms
  expect(run([[100, true], [102, false], [103, true], [106, false], [109, true]], 200)).toEqual([[128, true]]);
});

test('spikes every 8 ms on a closed line do not keep it from settling', () => {
  const edges: [number, boolean][] = [];
  for (let at = 100; at < 200; at += 8) edges.push([at, true], [at + 6, false]);
  expect(run([...edges, [204, true]], 300)[0]![1]).toBe(true);
  expect(run([...edges, [204, true]], 300)).toHaveLength(1);
});

test('no disturbance shorter than the rest ever counts', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: REST - 1 }), fc.integer({ min: REST, max: 100 })), { maxLength: 20 }), (spikes) => {
    let at = 50;
    const edges: [number, boolean][] = [];
    for (const [lengthMs, gapMs] of spikes) {
      edges.push([at, true], [at + lengthMs, false]);
      at += lengthMs + gapMs;
    }
    expect(run(edges, at + 100)).toEqual([]);
  }));
});

test('whatever the edges are, open and closed alternate and the last level wins in the end', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }), (gaps) => {
    let at = 0, raw = false;
    const edges = gaps.map((gap): [number, boolean] => { at += gap; raw = !raw; return [at, raw]; });
    const changes = run(edges, at + REST);
    changes.forEach(([, closed], i) => expect(closed).toBe(i % 2 === 0));
    expect(changes.length % 2 === 1).toBe(raw);
  }));
});

test('one look at a closed contact is no evidence, two in a row are', () => {
  let contact = settled(false, 10, 0);
  contact = sample(contact, true, 0, 10);
  contact = sample(contact, false, 10, 10);
  contact = sample(contact, false, 20, 10);
  expect(resting(contact)).toBe(true);
  contact = sample(contact, true, 30, 10);
  expect(contact.closed).toBe(false);
  contact = sample(contact, true, 40, 10);
  expect(contact.closed).toBe(true);
  expect(resting(contact)).toBe(false);
});
