// A call whose other side sends us on to a third (RFC 5589 §6.1). In the bundle loaded with the first of them (scripts/later.js).

import type { Desk } from './desk.ts';
import type { Handset } from './handset.ts';
import type { Line } from './line.ts';

/** The other side asks us to call somebody in its place (RFC 3515); what was answered by itself may not send us on. `sentOn`: who is called in whose place. */
export function sendOn(desk: Desk, handset: Handset, sentOn: Map<Line, Line>, line: Line, target: string, by: string): void {
  const call = line.call!;
  const address = target.replace(/^<|>$/g, '');
  const planned = line.intercom || !/^sips?:/i.test(address) ? undefined : desk.ports.dialled().plan(desk, address, {
    account: call.account?.id, headers: [['Referred-By', by.includes('<') ? by : `<${by}>`]],
  });
  if (planned === undefined || !('call' in planned)) return call.transferProgress(603, 'Declined');
  const next = desk.newLine('out', planned.label.split('?')[0]!); // the Replaces in it is nobody's name
  sentOn.set(line, next);
  const ms = (desk.settings().calls.noAnswerS + 10) * 1_000;
  desk.watch((from, event) => {
    if (from !== next) return false;
    const waits = sentOn.has(line);
    if (event.is === 'ringing' && waits) call.transferProgress(180, 'Ringing');
    if (event.is !== 'established' && event.is !== 'ended') return false;
    sentOn.delete(line);
    if (event.is === 'ended') {
      if (waits) call.transferProgress(event.ending.status >= 300 ? event.ending.status : 503, event.ending.why);
      return true;
    }
    desk.raise({ event: 'transferred', call: line.id, to: next.remote });
    if (!waits) return true;
    call.transferProgress(200, 'OK');
    handset.replace(line, next);
    if (line.held) next.hold(true);
    line.hangUp('transferred');
    return true;
  }, ms, () => undefined);
  void next.dial(planned.call, { to: 'place', place: line.place });
}
