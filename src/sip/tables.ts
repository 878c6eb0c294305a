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

export interface Row { readonly to: string; readonly do: readonly Action[] }
export type Machine = Readonly<Record<string, Readonly<Partial<Record<Event, Row>>>>>;

/** INVITE client transaction: RFC 3261 §17.1.1.2 figure 5, as corrected by RFC 6026 §8.4. */
export const inviteClient = {
  initial: { request: { to: 'calling', do: ['send', 'start A', 'start B'] } },
  calling: {
    '1xx': { to: 'proceeding', do: ['stop A', 'stop B', 'pass up'] },
    '2xx': { to: 'accepted', do: ['stop A', 'stop B', 'start M', 'pass up'] },
    '3xx-6xx': { to: 'completed', do: ['stop A', 'stop B', 'start D', 'ack', 'pass up'] },
    'timer A': { to: 'calling', do: ['send', 'double A'] },
    'timer B': { to: 'terminated', do: ['time out'] },
    'transport error': { to: 'terminated', do: ['give up'] },
  },
  proceeding: {
    '1xx': { to: 'proceeding', do: ['pass up'] },
    '2xx': { to: 'accepted', do: ['start M', 'pass up'] },
    '3xx-6xx': { to: 'completed', do: ['start D', 'ack', 'pass up'] },
    // Timer B runs again once CANCEL was sent: no final response within 64*T1 ends the transaction (§9.1)
    'timer B': { to: 'terminated', do: ['time out'] },
    'transport error': { to: 'terminated', do: ['give up'] },
  },
  accepted: { '2xx': { to: 'accepted', do: ['pass up'] }, 'timer M': { to: 'terminated', do: [] } },
  completed: { '3xx-6xx': { to: 'completed', do: ['ack'] }, 'timer D': { to: 'terminated', do: [] } },
  terminated: {},
} as const satisfies Machine;

/** Non-INVITE client transaction: RFC 3261 §17.1.2.2 figure 6. */
export const nonInviteClient = {
  initial: { request: { to: 'trying', do: ['send', 'start E', 'start F'] } },
  trying: {
    '1xx': { to: 'proceeding', do: ['pass up'] },
    '2xx': { to: 'completed', do: ['stop E', 'stop F', 'start K', 'pass up'] },
    '3xx-6xx': { to: 'completed', do: ['stop E', 'stop F', 'start K', 'pass up'] },
    'timer E': { to: 'trying', do: ['send', 'double E'] },
    'timer F': { to: 'terminated', do: ['time out'] },
    'transport error': { to: 'terminated', do: ['give up'] },
  },
  proceeding: {
    '1xx': { to: 'proceeding', do: ['pass up'] },
    '2xx': { to: 'completed', do: ['stop E', 'stop F', 'start K', 'pass up'] },
    '3xx-6xx': { to: 'completed', do: ['stop E', 'stop F', 'start K', 'pass up'] },
    'timer E': { to: 'proceeding', do: ['send', 'pause E'] },
    'timer F': { to: 'terminated', do: ['time out'] },
    'transport error': { to: 'terminated', do: ['give up'] },
  },
  completed: { 'timer K': { to: 'terminated', do: [] } },
  terminated: {},
} as const satisfies Machine;

/** INVITE server transaction: RFC 3261 §17.2.1 figure 7, as corrected by RFC 6026 §7.1 and §8.7: a failed send ends nothing. */
export const inviteServer = {
  initial: { request: { to: 'proceeding', do: ['start 100', 'pass up'] } },
  proceeding: {
    request: { to: 'proceeding', do: ['send'] },
    'timer 100': { to: 'proceeding', do: ['send 100'] },
    'send 1xx': { to: 'proceeding', do: ['stop 100', 'send'] },
    'send 2xx': { to: 'accepted', do: ['stop 100', 'start L', 'send'] },
    'send 3xx-6xx': { to: 'completed', do: ['stop 100', 'send', 'start G', 'start H'] },
    'transport error': { to: 'proceeding', do: ['give up'] },
  },
  accepted: {
    request: { to: 'accepted', do: [] },
    'send 2xx': { to: 'accepted', do: ['send'] },
    ack: { to: 'accepted', do: ['pass up'] },
    'transport error': { to: 'accepted', do: ['give up'] },
    'timer L': { to: 'terminated', do: [] },
  },
  completed: {
    request: { to: 'completed', do: ['send'] },
    ack: { to: 'confirmed', do: ['stop G', 'stop H', 'start I'] },
    'transport error': { to: 'completed', do: ['give up'] },
    'timer G': { to: 'completed', do: ['send', 'double G'] },
    'timer H': { to: 'terminated', do: ['time out'] },
  },
  confirmed: { 'timer I': { to: 'terminated', do: [] } },
  terminated: {},
} as const satisfies Machine;

/** Non-INVITE server transaction: RFC 3261 §17.2.2 figure 8. */
export const nonInviteServer = {
  initial: { request: { to: 'trying', do: ['pass up'] } },
  trying: {
    'send 1xx': { to: 'proceeding', do: ['send'] },
    'send 2xx': { to: 'completed', do: ['send', 'start J'] },
    'send 3xx-6xx': { to: 'completed', do: ['send', 'start J'] },
  },
  proceeding: {
    request: { to: 'proceeding', do: ['send'] },
    'send 1xx': { to: 'proceeding', do: ['send'] },
    'send 2xx': { to: 'completed', do: ['send', 'start J'] },
    'send 3xx-6xx': { to: 'completed', do: ['send', 'start J'] },
    'transport error': { to: 'terminated', do: ['give up'] },
  },
  completed: {
    request: { to: 'completed', do: ['send'] },
    'transport error': { to: 'terminated', do: ['give up'] },
    'timer J': { to: 'terminated', do: [] },
  },
  terminated: {},
} as const satisfies Machine;

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
  const rows = Object.entries(machine).flatMap(([state, events]) =>
    Object.entries(events).map(([event, row]) => `  ${state} --> ${row.to}: ${event}${row.do.length === 0 ? '' : ` / ${row.do.join(', ')}`}`));
  return ['stateDiagram-v2', '  [*] --> initial', ...rows, '  terminated --> [*]', ''].join('\n');
}
