import assert from 'node:assert/strict';
import { describe, test } from 'vitest';
import { callTable, collision, glarePauseMs, type CallAction, type CallInput, type CallPhase } from '../../src/sip/session-machine.ts';
import { rowOf, rowsOf } from '../../src/sip/tables.ts';

const edges = rowsOf<CallInput, CallAction>(callTable).map(([from, input, row]) => ({ from: from as CallPhase, input, to: row.to as CallPhase, do: row.do }));
const phases = [...new Set<CallPhase>([...edges.map((e) => e.from), 'ended'])];

function walk(from: CallPhase, ...inputs: CallInput[]) {
  const done: string[] = [];
  let phase = from;
  for (const input of inputs) {
    const edge = rowOf<CallAction>(callTable, phase, input);
    if (edge === undefined) continue;
    phase = edge.to as CallPhase;
    done.push(...edge.do);
  }
  return { phase, done };
}

describe('the table of a call', () => {
  test('has only words that the call understands', () => {
    const known: Record<CallAction, true> = {
      progress: true, established: true, end: true, ack: true, CANCEL: true, BYE: true, 'send 2xx': true, 'send refusal': true, 487: true, 603: true, 'stop resending': true, gone: true,
    };
    for (const e of edges) for (const action of e.do) assert.ok(action in known, `${e.from} ${e.input}: ${action}`);
    const inputs: Record<CallInput, true> = {
      '1xx': true, '2xx': true, failure: true, 'hang up': true, accept: true, reject: true, cancel: true, ack: true, 'no ack': true, bye: true, 'bye answered': true, lost: true,
    };
    for (const e of edges) assert.ok(e.input in inputs, e.input);
    assert.equal(new Set(edges.map((e) => `${e.from} ${e.input}`)).size, edges.length);
  });

  test('names only phases that exist, and every phase is reached', () => {
    const reached = new Set<string>(['calling', 'ringing', ...edges.map((e) => e.to)]);
    assert.deepEqual([...reached].sort(), [...phases].sort());
  });

  test('tells the end exactly once on every way through it', () => {
    const seen = new Set<string>();
    const visit = (phase: CallPhase, ends: number) => {
      assert.ok(ends <= 1, `${phase} ended ${ends} times`);
      if (phase === 'ended') assert.equal(ends, 1);
      if (seen.has(`${phase} ${ends}`)) return;
      seen.add(`${phase} ${ends}`);
      for (const edge of edges.filter((e) => e.from === phase)) visit(edge.to, ends + edge.do.filter((a) => a === 'end').length);
    };
    visit('calling', 0);
    visit('ringing', 0);
  });

  test('forgets the call exactly on entering ended', () => {
    for (const e of edges) assert.equal(e.do.includes('gone'), e.to === 'ended', `${e.from} ${e.input}`);
  });

  test('lets a person hang up wherever the call has not ended for him', () => {
    for (const phase of ['calling', 'proceeding', 'ringing', 'accepted', 'confirmed'] as const) {
      assert.ok(rowOf<CallAction>(callTable, phase, 'hang up')?.do.includes('end'), phase);
    }
  });
});

describe('races', () => {
  const rows: [string, CallPhase, CallInput[], CallPhase, string[]][] = [
    ['hanging up before any response waits for one, then cancels (§9.1)', 'calling', ['hang up', '1xx', 'failure'], 'ended', ['end', 'CANCEL', 'gone']],
    ['a 200 without provisional response after hanging up is acknowledged and ended (§15)', 'calling', ['hang up', '2xx', 'bye answered'], 'ended', ['end', 'ack', 'BYE', 'gone']],
    ['a 200 that crosses the CANCEL is acknowledged and ended (§15)', 'proceeding', ['hang up', '2xx', 'bye answered'], 'ended', ['CANCEL', 'end', 'ack', 'BYE', 'gone']],
    ['a cancelled INVITE that never ends is given up (§9.1)', 'proceeding', ['hang up', 'failure'], 'ended', ['CANCEL', 'end', 'gone']],
    ['a CANCEL after our 200 changes nothing (§9.2)', 'ringing', ['accept', 'cancel', 'ack'], 'confirmed', ['send 2xx', 'established', 'stop resending']],
    ['the called side sends no BYE before the ACK (§15)', 'ringing', ['accept', 'hang up', 'ack', 'bye answered'], 'ended', ['send 2xx', 'established', 'end', 'stop resending', 'BYE', 'gone']],
    ['an ACK that never comes ends the call by BYE (§13.3.1.4)', 'ringing', ['accept', 'no ack'], 'leaving', ['send 2xx', 'established', 'BYE', 'end']],
    ['a BYE that crosses ours ends nothing twice', 'confirmed', ['hang up', 'bye', 'bye answered'], 'ended', ['BYE', 'end', 'gone']],
    ['a BYE in an early dialog gives 487 to the INVITE (§15.1.2)', 'ringing', ['bye'], 'ended', ['487', 'end', 'gone']],
  ];
  for (const [name, from, inputs, to, actions] of rows) {
    test(name, () => assert.deepEqual(walk(from, ...inputs), { phase: to, done: actions }));
  }
});

test('an offer that meets another is refused by 491, or by 500 when the other is theirs (§14.2)', () => {
  assert.deepEqual((['none', 'ours', 'theirs', 'ack'] as const).map(collision), [undefined, 491, 500, 491]);
});

test('after 491 the owner of the Call-ID waits 2.1 to 4 s, the other up to 2 s, in steps of 10 ms (§14.1)', () => {
  assert.deepEqual([glarePauseMs(true, 0), glarePauseMs(true, 0.9999), glarePauseMs(false, 0), glarePauseMs(false, 0.9999)], [2_100, 4_000, 0, 2_000]);
  assert.equal(glarePauseMs(true, 0.1234) % 10, 0);
});
