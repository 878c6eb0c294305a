import { describe, expect, test } from 'vitest';
import { drawing, machines, rowOf, rowsOf, timerMs, T1, T2, T4 } from '../../src/sip/tables.ts';
import type { Machine, Timer } from '../../src/sip/tables.ts';

const EVENTS = /^(request|ack|1xx|2xx|3xx-6xx|send (1xx|2xx|3xx-6xx)|transport error|timer ([ABD-M]|100))$/;
const ACTIONS = /^(send|send 100|ack|pass up|time out|give up|(start|stop) ([ABD-M]|100)|double [AEG]|pause E)$/;
const statesOf = (machine: Machine): string[] => [...new Set(rowsOf(machine).flatMap(([state, , row]) => [state, row.to]))];
const eventsIn = (machine: Machine, state: string) => rowsOf(machine).filter(([s]) => s === state);

describe.each(Object.entries<Machine>(machines))('%s', (name, machine) => {
  test('every row is well spelt, stands once, and is found', () => {
    const seen = new Set<string>();
    for (const [state, event, row] of rowsOf(machine)) {
      expect(event).toMatch(EVENTS);
      for (const action of row.do) expect(action).toMatch(ACTIONS);
      expect(seen.has(`${state} ${event}`), `${state} ${event}`).toBe(false);
      seen.add(`${state} ${event}`);
      expect(rowOf(machine, state, event)).toEqual(row);
    }
    expect(rowOf(machine, 'terminated', 'request')).toBeUndefined();
  });

  test('every row leads to a state that has rows, or to the end', () => {
    for (const [state, event, row] of rowsOf(machine)) if (row.to !== 'terminated') expect(eventsIn(machine, row.to).length, `${state} ${event}`).toBeGreaterThan(0);
  });

  test('every state is reached from initial, and terminated from every state', () => {
    const reach = (from: string, seen = new Set<string>()): Set<string> => {
      if (!seen.has(from)) {
        seen.add(from);
        for (const [, , row] of eventsIn(machine, from)) reach(row.to, seen);
      }
      return seen;
    };
    expect([...reach('initial')].sort()).toEqual(statesOf(machine).sort());
    for (const state of statesOf(machine)) expect(reach(state), state).toContain('terminated');
  });

  test('every timer started is handled wherever it can still run', () => {
    // Walk all paths with the set of running timers; each must have a row in each state it can be due in
    const seen = new Set<string>();
    const walk = (state: string, running: ReadonlySet<string>): void => {
      const place = `${state} ${[...running].sort().join()}`;
      if (seen.has(place)) return;
      seen.add(place);
      for (const timer of running) if (state !== 'terminated') expect(rowOf(machine, state, `timer ${timer as Timer}`), `${name}: timer ${timer} in ${state}`).toBeDefined();
      for (const [, event, row] of eventsIn(machine, state)) {
        const next = new Set(running);
        if (event.startsWith('timer ')) {
          if (!running.has(event.slice(6)) && event !== 'timer B') continue;
          next.delete(event.slice(6));
        }
        for (const action of row.do) {
          const [verb, timer = ''] = action.split(' ');
          if (verb === 'start' || verb === 'double' || verb === 'pause') next.add(timer);
          if (verb === 'stop') next.delete(timer);
        }
        walk(row.to, row.to === 'terminated' ? new Set() : next);
      }
    };
    walk('initial', new Set());
    expect(seen.size).toBeGreaterThan(3);
  });

  test('the drawing shows every row', () => {
    const picture = drawing(machine);
    expect(picture.split('\n').filter((line) => line.includes('-->'))).toHaveLength(rowsOf(machine).length + 2);
  });
});

test('timers last what RFC 3261 table 4 and RFC 6026 §7 say', () => {
  const rows: [Timer, number | undefined, number | undefined][] = [
    ['A', T1, undefined], ['B', 32_000, 32_000], ['D', 32_000, 0], ['E', T1, undefined], ['F', 32_000, 32_000], ['G', T1, undefined],
    ['H', 32_000, 32_000], ['I', T4, 0], ['J', 32_000, 0], ['K', T4, 0], ['L', 32_000, 32_000], ['M', 32_000, 32_000], ['100', 200, 200],
  ];
  for (const [timer, udp, tcp] of rows) {
    expect(timerMs(timer, false), `timer ${timer} over UDP`).toBe(udp);
    expect(timerMs(timer, true), `timer ${timer} over TCP`).toBe(tcp);
  }
  expect([T1, T2, T4]).toEqual([500, 4_000, 5_000]);
});
