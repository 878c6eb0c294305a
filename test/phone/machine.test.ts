import { describe, expect, test } from 'vitest';
import { diagram, drawMachine, drawnRows } from '../../src/phone/draw.ts';
import { atRest, offHook } from '../../src/phone/line-state.ts';
import { rowOf, step, table, type HandsetAction, type HandsetEvent, type HandsetState, type Second } from '../../src/phone/machine.ts';

const lines = Object.keys(table()) as HandsetState['line'][];
const rows = drawnRows().map((r) => ({ ...r, event: r.key.split('|')[0] as HandsetEvent }));
const events = [...new Set(rows.map((r) => r.event))];

// The words the table may use, held against the types by the compiler.
const knownEvents: Readonly<Record<HandsetEvent, true>> = {
  'lift': true, 'hang up': true, 'flash': true, 'digit': true, 'more': true, 'dial': true, 'refused': true, 'done': true, 'ringing': true, 'early': true,
  'answered': true, 'failed': true, 'ended': true, 'sent on': true, 'second ended': true, 'incoming': true, 'intercom': true, 'ask call': true, 'ask answer': true,
  'ask end': true, 'join': true, 'split': true, 'T glare': true, 'T hotline': true, 'T no dial': true, 'T inter digit': true, 'T dead': true, 'T howler': true, 'T recall': true,
};
const knownActions: Readonly<Record<Exclude<HandsetAction, 'stop timers'>, true>> = {
  'start glare': true, 'start hotline': true, 'start no dial': true, 'start inter digit': true, 'start dead': true, 'start howler': true, 'start recall': true,
  'quiet': true, 'tone dial': true, 'tone recall': true, 'tone ringback': true, 'tone failure': true, 'tone gone': true, 'tone sit': true, 'tone congestion': true,
  'tone howler': true, 'tone confirm': true, 'key tone': true, 'collect': true, 'finish': true, 'forget digits': true, 'dial': true, 'dial hotline': true,
  'send digit': true, 'take as active': true, 'take as second': true, 'refuse busy': true, 'second to active': true, 'hold': true, 'resume': true, 'swap': true,
  'join': true, 'part': true, 'hold second': true, 'accept': true, 'accept on speaker': true, 'end active': true, 'end second': true, 'forget active': true, 'forget second': true, 'ring': true, 'recall ring': true,
  'stop bell': true, 'waiting tone': true, 'waiting off': true, 'to handset': true, 'to speaker': true, 'warm': true, 'cool': true,
};

/** Every line state with every second call that can really come together, walked from rest. */
function walk(): Map<string, HandsetState> {
  const seen = new Map<string, HandsetState>();
  const todo: HandsetState[] = [atRest];
  for (let state = todo.pop(); state !== undefined; state = todo.pop()) {
    const key = `${state.line}|${state.second}`;
    if (seen.has(key)) continue;
    seen.set(key, state);
    for (const event of events) todo.push(step(state, event)[0]);
  }
  return seen;
}
const reached = walk();

describe('the table', () => {
  test('uses the words of its types, all of them, and no row twice', () => {
    expect(new Set(events)).toEqual(new Set(Object.keys(knownEvents)));
    expect(new Set(rows.flatMap((r) => r.row.do))).toEqual(new Set(Object.keys(knownActions)));
    for (const { key, row } of rows) {
      expect(['none', 'held', 'waiting', 'joined', undefined]).toContain(key.split('|')[1]);
      expect(['none', 'held', 'waiting', 'joined']).toContain(row.second);
    }
    const keys = rows.map((r) => `${r.line}: ${r.key}`);
    expect(keys.filter((k, i) => keys.indexOf(k) !== i)).toEqual([]);
  });

  test('every next state exists', () => {
    for (const { row } of rows) expect(lines).toContain(row.to);
  });

  test('every line state is reached from rest', () => {
    for (const line of lines) expect([...reached.values()].some((s) => s.line === line), line).toBe(true);
  });

  test('every reachable state takes hanging up, and then nobody is on the handset', () => {
    for (const [key, state] of reached) {
      expect(rowOf(state, 'hang up'), key).toBeDefined();
      expect(offHook(step(state, 'hang up')[0].line), key).toBe(false);
    }
  });

  test('hanging up an active call ends it, whatever else there is', () => {
    for (const [key, state] of reached) {
      if (['in call', 'calling', 'speaker', 'speaker calling'].includes(state.line)) expect(step(state, 'hang up')[1], key).toContain('end active');
    }
  });

  test('every timer that a row starts is handled where it leads, and where timers are kept', () => {
    for (const { line, key, row } of rows) {
      for (const action of row.do) {
        if (action.startsWith('start ')) expect(rows.some((r) => r.line === row.to && r.key === `T ${action.slice(6)}`), `${line}: ${key}`).toBe(true);
      }
      if (!row.keep) continue;
      for (const { key: timer } of rows.filter((r) => r.line === line && r.key.startsWith('T ') && r.key !== key)) {
        expect(rows.some((r) => r.line === row.to && r.key === timer), `${line} -> ${row.to}: ${timer}`).toBe(true);
      }
    }
  });

  test('leaving a line state stops its timers and tone first, unless the row keeps them', () => {
    for (const state of reached.values()) {
      for (const event of events) {
        const [next, actions] = step(state, event);
        const keeps = rowOf(state, event)?.keep === true;
        if (next.line !== state.line) expect(actions.slice(0, 2), `${state.line}: ${event}`).toEqual(keeps ? actions.slice(0, 2) : ['stop timers', 'quiet']);
        if (!keeps && next.line === state.line) expect(actions).not.toContain('stop timers');
      }
    }
  });

  test('a held call is never lost by a step: it stays held, becomes active, or is told to end', () => {
    for (const [key, state] of reached) {
      if (state.second !== 'held') continue;
      for (const event of events) {
        const [next, actions] = step(state, event);
        if (next.second === 'held') continue;
        const explained = ['second to active', 'swap', 'join', 'end second', 'forget second'].some((a) => actions.includes(a as HandsetAction));
        expect(explained, `${key}: ${event}`).toBe(true);
      }
    }
  });

  test('who is joined is never forgotten by a step, and is parted from the other by every step out of the conference', () => {
    expect([...reached.values()].some((s) => s.second === 'joined')).toBe(true);
    for (const [key, state] of reached) {
      if (state.second !== 'joined') continue;
      for (const event of events) {
        const [next, actions] = step(state, event);
        if (next.second === 'joined') continue;
        expect(['second to active', 'hold second', 'end second', 'forget second'].filter((a) => actions.includes(a as HandsetAction)), `${key}: ${event}`).toHaveLength(1);
        expect(actions, `${key}: ${event}`).toContain('part');
      }
    }
  });

  test('a waiting caller is never forgotten by a step: it goes on waiting, rings, is answered, or is gone by itself', () => {
    for (const [key, state] of reached) {
      if (state.second !== 'waiting') continue;
      for (const event of events) {
        const [next, actions] = step(state, event);
        if (next.second === 'waiting') continue;
        const explained = ['second to active', 'swap', 'forget second'].some((a) => actions.includes(a as HandsetAction));
        expect(explained, `${key}: ${event}`).toBe(true);
        expect(actions, `${key}: ${event}`).toContain('waiting off');
      }
    }
  });

  test('a caller who comes in is taken or hears busy in every reachable state', () => {
    for (const [key, state] of reached) {
      const [, actions] = step(state, 'incoming');
      expect(['take as active', 'take as second', 'refuse busy'].filter((a) => actions.includes(a as HandsetAction)), key).toHaveLength(1);
    }
  });

  test('the bell is stopped by every step that leaves ringing', () => {
    for (const state of reached.values()) {
      if (state.line !== 'ringing' && state.line !== 'recall') continue;
      for (const event of events) {
        const [next, actions] = step(state, event);
        if (next.line !== state.line) expect(actions, event).toContain('stop bell');
      }
    }
  });

  test('no line on the hook has a second call but a held one that rings back, or one beside the speaker', () => {
    for (const { line, second } of reached.values()) if (line === 'on hook' || line === 'ringing' || line === 'speaker calling') expect(second).toBe('none');
  });

  test('its drawing names every state and every event of the table', () => {
    const drawing = drawMachine();
    for (const line of lines) expect(drawing.split('\n')).toContain(line);
    for (const { key } of rows) expect(drawing).toContain(key.replace('|', ' & '));
    expect(diagram()).toContain('on_hook --> just_lifted: lift');
  });
});

/** What is to come of events, one after another from rest. */
const rowsOfLife: readonly (readonly [what: string, events: readonly HandsetEvent[], line: HandsetState['line'], second: Second, last: readonly HandsetAction[]])[] = [
  ['lifting gives dial tone', ['lift'], 'just lifted', 'none', ['stop timers', 'quiet', 'warm', 'forget digits', 'tone dial', 'start glare', 'start hotline', 'start no dial']],
  ['the glare time passes without touching tone or timers', ['lift', 'T glare'], 'dial tone', 'none', []],
  ['a call that comes in while the handset is just lifted is answered', ['lift', 'incoming'], 'in call', 'none', ['stop timers', 'quiet', 'take as active', 'accept']],
  ['the first digit ends dial tone', ['lift', 'digit'], 'collecting', 'none', ['stop timers', 'quiet', 'key tone', 'collect']],
  ['nothing dialled becomes the dead line', ['lift', 'T no dial'], 'dead line', 'none', ['stop timers', 'quiet', 'tone congestion', 'start dead']],
  ['the dead line howls', ['lift', 'T no dial', 'T dead'], 'howler', 'none', ['stop timers', 'quiet', 'tone howler', 'start howler']],
  ['the howler gives up', ['lift', 'T no dial', 'T dead', 'T howler'], 'silence', 'none', ['stop timers', 'quiet']],
  ['a hotline is called by itself', ['lift', 'T hotline'], 'calling', 'none', ['stop timers', 'quiet', 'dial hotline']],
  ['the pause after the last digit ends the number', ['lift', 'digit', 'more', 'T inter digit'], 'collecting', 'none', ['finish']],
  ['180 gives ring-back', ['lift', 'digit', 'dial', 'ringing'], 'calling', 'none', ['tone ringback']],
  ['sound before the answer silences our ring-back', ['lift', 'digit', 'dial', 'ringing', 'early'], 'calling', 'none', ['quiet']],
  ['hanging up while calling ends the call', ['lift', 'digit', 'dial', 'hang up'], 'on hook', 'none', ['stop timers', 'quiet', 'end active', 'cool']],
  ['a call that fails leaves its tone', ['lift', 'digit', 'dial', 'failed'], 'dead line', 'none', ['stop timers', 'quiet', 'forget active', 'tone failure', 'start dead']],
  ['the other side hanging up leaves a dead line', ['incoming', 'lift', 'ended'], 'dead line', 'none', ['stop timers', 'quiet', 'forget active', 'tone gone', 'start dead']],
  ['lifting answers', ['incoming', 'lift'], 'in call', 'none', ['stop timers', 'quiet', 'stop bell', 'warm', 'accept']],
  ['a caller who gives up stops the bell', ['incoming', 'ended'], 'on hook', 'none', ['stop timers', 'quiet', 'stop bell', 'forget active']],
  ['flash holds and gives dial tone', ['incoming', 'lift', 'flash'], 'dial tone', 'held', ['stop timers', 'quiet', 'hold', 'forget digits', 'tone recall', 'start no dial']],
  ['flash again takes the held call back', ['incoming', 'lift', 'flash', 'flash'], 'in call', 'none', ['stop timers', 'quiet', 'end active', 'second to active', 'resume']],
  ['flash between two calls swaps them', ['incoming', 'lift', 'flash', 'digit', 'dial', 'answered', 'flash'], 'in call', 'held', ['swap']],
  ['the held call joins the conversation', ['incoming', 'lift', 'flash', 'digit', 'dial', 'answered', 'join'], 'in call', 'joined', ['join']],
  ['a flash ends the call made last and leaves the other', ['incoming', 'lift', 'flash', 'digit', 'dial', 'answered', 'join', 'flash'], 'in call', 'none', ['part', 'end active', 'second to active']],
  ['hanging up a conference ends both calls', ['incoming', 'lift', 'flash', 'digit', 'dial', 'answered', 'join', 'hang up'], 'on hook', 'none', ['stop timers', 'quiet', 'part', 'end active', 'end second', 'cool']],
  ['who stays of a conference goes on as a call', ['incoming', 'lift', 'flash', 'digit', 'dial', 'answered', 'join', 'ended'], 'in call', 'none', ['part', 'forget active', 'second to active']],
  ['a conference is parted: one talks, one is held', ['incoming', 'lift', 'flash', 'digit', 'dial', 'answered', 'join', 'split'], 'in call', 'held', ['part', 'hold second']],
  ['a second caller is heard as a tone', ['incoming', 'lift', 'incoming'], 'in call', 'waiting', ['take as second', 'waiting tone']],
  ['flash takes the waiting caller and holds the first', ['incoming', 'lift', 'incoming', 'flash'], 'in call', 'held', ['waiting off', 'swap']],
  ['a third caller hears busy', ['incoming', 'lift', 'incoming', 'incoming'], 'in call', 'waiting', ['refuse busy']],
  ['hanging up with a caller waiting rings', ['incoming', 'lift', 'incoming', 'hang up'], 'ringing', 'none', ['stop timers', 'quiet', 'end active', 'waiting off', 'cool', 'second to active', 'ring']],
  ['hanging up with a call on hold rings back', ['incoming', 'lift', 'flash', 'hang up'], 'recall', 'held', ['stop timers', 'quiet', 'end active', 'cool', 'recall ring', 'start recall']],
  ['a held call that nobody takes back is ended in time', ['incoming', 'lift', 'flash', 'hang up', 'T recall'], 'on hook', 'none', ['stop timers', 'quiet', 'stop bell', 'end second']],
  ['a call sent on to a third is a call of ours again', ['incoming', 'lift', 'sent on'], 'calling', 'none', ['stop timers', 'quiet', 'take as active', 'tone ringback']],
  ['lifting again takes the held call', ['incoming', 'lift', 'flash', 'hang up', 'lift'], 'in call', 'none', ['stop timers', 'quiet', 'stop bell', 'warm', 'to handset', 'second to active', 'resume']],
  ['an intercom call is heard on the speaker', ['intercom'], 'speaker', 'none', ['stop timers', 'quiet', 'take as active', 'accept on speaker']],
  ['lifting takes a call from the speaker to the handset', ['intercom', 'lift'], 'in call', 'none', ['stop timers', 'quiet', 'warm', 'to handset']],
  ['lifting while the speaker still calls keeps its ring-back', ['ask call', 'ringing', 'lift'], 'calling', 'none', ['warm', 'to handset']],
  ['a caller hears busy at a handset left off', ['lift', 'T no dial', 'incoming'], 'dead line', 'none', ['refuse busy']],
  ['a service code is confirmed and dial tone returns', ['lift', 'digit', 'done'], 'dial tone', 'none', ['stop timers', 'quiet', 'forget digits', 'tone confirm', 'start no dial']],
];

describe('life at the handset', () => {
  for (const [what, sequence, line, second, last] of rowsOfLife) {
    test(what, () => {
      let state = atRest;
      let actions: readonly HandsetAction[] = [];
      for (const event of sequence) [state, actions] = step(state, event);
      expect(state).toEqual({ line, second });
      expect(actions).toEqual(last);
    });
  }
});
