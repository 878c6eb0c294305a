// The four transaction machines of RFC 3261 §17 as RFC 6026 corrects them. Only data: transactions.ts knows what 'start M' means.

/** T1: an estimate of the round trip; T2: the longest pause between resends; T4: how long a message stays in the network (§17.1.1.1). */
export const T1 = 500, T2 = 4_000, T4 = 5_000;

/** Timers by the RFC's letters; '100' is the 200 ms of §17.2.1 after which the server says Trying. Timer C belongs to proxies. */
export type Timer = 'A' | 'B' | 'D' | 'E' | 'F' | 'G' | 'H' | 'I' | 'J' | 'K' | 'L' | 'M' | '100';

/** What happens to a transaction: a message, an order of its user, a timer, a failed send. */
export type Event = 'request' | 'ack' | '1xx' | '2xx' | '3xx-6xx' | 'send 1xx' | 'send 2xx' | 'send 3xx-6xx' | 'transport error' | `timer ${Timer}`;

/**
 * send: the request, or the last response, once more. double A: start A again, twice as long (E and G at most T2). pause E: start E
 * at T2. ack: acknowledge the non-2xx. pass up: give the message to the user. time out, give up: tell the user.
 */
export type Action = 'send' | 'send 100' | 'ack' | 'pass up' | 'time out' | 'give up' | `start ${Timer}` | `stop ${Timer}` | `double ${'A' | 'E' | 'G'}` | 'pause E';

export interface Row<A = Action> { readonly to: string; readonly do: readonly A[] }

/** Lines 'state | event > next state: actions'. Kept as text: half the heap that objects take; test/sip/tables.test.ts checks each word. */
export type Machine = string;

/** INVITE client transaction: RFC 3261 §17.1.1.2 figure 5, as corrected by RFC 6026 §8.4. */
export const inviteClient: Machine = `
initial | request > calling: send, start A, start B
calling | 1xx > proceeding: stop A, stop B, pass up
calling | 2xx > accepted: stop A, stop B, start M, pass up
calling | 3xx-6xx > completed: stop A, stop B, start D, ack, pass up
calling | timer A > calling: send, double A
calling | timer B > terminated: time out
calling | transport error > terminated: give up
proceeding | 1xx > proceeding: pass up
proceeding | 2xx > accepted: start M, pass up
proceeding | 3xx-6xx > completed: start D, ack, pass up
proceeding | timer B > terminated: time out
proceeding | transport error > terminated: give up
accepted | 2xx > accepted: pass up
accepted | timer M > terminated:
completed | 3xx-6xx > completed: ack
completed | timer D > terminated:
`;
// 'proceeding | timer B': it runs again once CANCEL was sent; no final response within 64*T1 ends the transaction (§9.1)

/** Non-INVITE client transaction: RFC 3261 §17.1.2.2 figure 6. */
export const nonInviteClient: Machine = `
initial | request > trying: send, start E, start F
trying | 1xx > proceeding: pass up
trying | 2xx > completed: stop E, stop F, start K, pass up
trying | 3xx-6xx > completed: stop E, stop F, start K, pass up
trying | timer E > trying: send, double E
trying | timer F > terminated: time out
trying | transport error > terminated: give up
proceeding | 1xx > proceeding: pass up
proceeding | 2xx > completed: stop E, stop F, start K, pass up
proceeding | 3xx-6xx > completed: stop E, stop F, start K, pass up
proceeding | timer E > proceeding: send, pause E
proceeding | timer F > terminated: time out
proceeding | transport error > terminated: give up
completed | timer K > terminated:
`;

/** INVITE server transaction: RFC 3261 §17.2.1 figure 7, as corrected by RFC 6026 §7.1 and §8.7: a failed send ends nothing. */
export const inviteServer: Machine = `
initial | request > proceeding: start 100, pass up
proceeding | request > proceeding: send
proceeding | timer 100 > proceeding: send 100
proceeding | send 1xx > proceeding: stop 100, send
proceeding | send 2xx > accepted: stop 100, start L, send
proceeding | send 3xx-6xx > completed: stop 100, send, start G, start H
proceeding | transport error > proceeding: give up
accepted | request > accepted:
accepted | send 2xx > accepted: send
accepted | ack > accepted: pass up
accepted | transport error > accepted: give up
accepted | timer L > terminated:
completed | request > completed: send
completed | ack > confirmed: stop G, stop H, start I
completed | transport error > completed: give up
completed | timer G > completed: send, double G
completed | timer H > terminated: time out
confirmed | timer I > terminated:
`;

/** Non-INVITE server transaction: RFC 3261 §17.2.2 figure 8. */
export const nonInviteServer: Machine = `
initial | request > trying: pass up
trying | send 1xx > proceeding: send
trying | send 2xx > completed: send, start J
trying | send 3xx-6xx > completed: send, start J
proceeding | request > proceeding: send
proceeding | send 1xx > proceeding: send
proceeding | send 2xx > completed: send, start J
proceeding | send 3xx-6xx > completed: send, start J
proceeding | transport error > terminated: give up
completed | request > completed: send
completed | transport error > terminated: give up
completed | timer J > terminated:
`;

/** What `event` does in `state`; undefined when nothing. */
export function rowOf<A = Action>(machine: Machine, state: string, event: string): Row<A> | undefined {
  const key = `\n${state} | ${event} > `;
  const at = machine.indexOf(key);
  return at < 0 ? undefined : readRow(machine.slice(at + key.length, machine.indexOf('\n', at + key.length)));
}

function readRow<A>(text: string): Row<A> {
  const colon = text.indexOf(':');
  const actions = text.slice(colon + 2);
  return { to: text.slice(0, colon), do: actions === '' ? [] : actions.split(', ') as A[] };
}

/** All rows of a machine, for the drawing and the tests. */
export function rowsOf<E = Event, A = Action>(machine: Machine): (readonly [state: string, event: E, row: Row<A>])[] {
  return machine.trim().split('\n').map((line) => {
    const [state = '', event = '', row = ''] = line.split(/ [|>] /);
    return [state, event as E, readRow<A>(row)] as const;
  });
}

export const machines = { inviteClient, nonInviteClient, inviteServer, nonInviteServer } as const;

/** Milliseconds of `timer`; 0 is due at once, undefined never starts (RFC 3261 table 4, RFC 6026 §7). */
export function timerMs(timer: Timer, reliable: boolean): number | undefined {
  switch (timer) {
    case 'A': case 'E': case 'G': return reliable ? undefined : T1;
    case 'B': case 'F': case 'H': case 'L': case 'M': return 64 * T1;
    case 'D': case 'J': return reliable ? 0 : 64 * T1;
    case 'I': case 'K': return reliable ? 0 : T4;
    case '100': return 200;
  }
}

/** `machine` as a Mermaid state diagram, for the documents. */
export function drawing(machine: Machine): string {
  const rows = rowsOf(machine).map(([state, event, row]) => `  ${state} --> ${row.to}: ${event}${row.do.length === 0 ? '' : ` / ${row.do.join(', ')}`}`);
  return ['stateDiagram-v2', '  [*] --> initial', ...rows, '  terminated --> [*]', ''].join('\n');
}
