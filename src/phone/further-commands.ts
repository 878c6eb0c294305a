// Commands that begin something: calls, transfers, conferences, texts, the test of a sound card. Loaded with the first of them (main/dialled.ts).

import { no } from './commands.ts';
import type { Desk } from './desk.ts';
import type { Handset } from './handset.ts';
import type { Line } from './line.ts';
import type { LineEvent } from './line-types.ts';
import { destinations, plan } from './outgoing.ts';
import type { Beyond } from './ports.ts';
import { recorderOf } from './record.ts';
import type { Command, Outcome } from './status.ts';
import type { MediaEvent } from '../media/door.ts';
import type { Reply, RequestOptions } from '../sip/outside.ts';

type Heard = Extract<MediaEvent, { event: 'probed' }>['heard'];

const REINVITE_MS = 35_000;
const TRANSFER_MS = 60_000;
const PROBED_MS = 20_000;
/** RFC 3428 §8: longer ones would need a session. */
const MESSAGE_BYTES = 1_300;

/** What these commands share with the others. */
export interface Tools {
  readonly until: (line: Line, on: (event: LineEvent) => Outcome | undefined, ms: number, late: Outcome) => Promise<Outcome>;
  readonly lineOf: (id: string | undefined, fits: (line: Line) => boolean) => Line | Outcome;
  readonly talking: (line: Line) => boolean;
  readonly request: (options: RequestOptions) => Promise<Reply>;
  readonly beyond: () => Promise<Pick<Beyond, 'reportOf'>>;
  readonly nextAsk: () => number;
}

export interface FurtherCommands {
  call(command: Extract<Command, { do: 'call' }>): Promise<Outcome>;
  join(): Promise<Outcome>;
  audioTest(place: string): Promise<Outcome>;
  transfer(line: Line, command: Extract<Command, { do: 'transfer' }>): Promise<Outcome>;
  message(command: Extract<Command, { do: 'message' }>): Promise<Outcome>;
  record(line: Line, on: boolean): Promise<Outcome>;
  onProbed(event: Extract<MediaEvent, { event: 'probed' }>): void;
}

export function createFurther(desk: Desk, handset: Handset, tools: Tools): FurtherCommands {
  const { clock, media } = desk.ports, { until, lineOf, talking } = tools;

  const call = (command: Extract<Command, { do: 'call' }>): Promise<Outcome> => {
    const planned = plan(desk, command.target, command);
    if ('done' in planned) return Promise.resolve({ ok: true, state: 'done' });
    if ('refused' in planned) return Promise.resolve(no(planned.tone === 'sit' ? 'NOT_A_NUMBER' : 'NOT_REGISTERED', planned.refused));
    let line: Line | undefined;
    if (desk.headless) {
      line = desk.newLine('out', planned.label);
      void line.dial(planned.call, { to: 'place', place: 'handset' });
    } else line = handset.call(planned);
    if (line === undefined) return Promise.resolve(no('BUSY', 'the telephone is in use'));
    const { id } = line;
    const { noAnswerS } = desk.settings().calls;
    return until(line, (event) => {
      if (event.is === 'established') return { ok: true, call: id, state: 'answered' };
      if (event.is === 'ended') return no('CALL_FAILED', event.ending.why, event.ending.status);
      return command.until === 'ringing' && (event.is === 'ringing' || event.is === 'early') ? { ok: true, call: id, state: 'ringing' } : undefined;
    }, (noAnswerS + 10) * 1_000, no('NO_ANSWER', 'no answer', 408));
  };

  const join = (): Promise<Outcome> => {
    const { active, second } = handset;
    if (active === undefined || !talking(active) || second === undefined || !talking(second) || !second.held) return Promise.resolve(no('WRONG_STATE', 'that takes a call that is talked on and one on hold'));
    const done = until(second, (event) => event.is === 'resumed' ? { ok: true, call: second.id, state: 'joined' } : event.is === 'not held' ? no('REFUSED', event.why)
      : event.is === 'ended' ? no('CALL_FAILED', event.ending.why) : undefined, REINVITE_MS, no('NO_ANSWER', 'the other side did not answer'));
    handset.handle('join');
    return done;
  };

  /** Each with what it asks for. */
  const probes = new Map<number, (heard: Heard) => void>();
  const audioTest = async (place: string): Promise<Outcome> => {
    if (place !== 'handset' && place !== 'speaker' && place !== 'ringer') return no('BAD_COMMAND', 'place is handset, speaker or ringer');
    if (desk.lines.size > 0 || handset.tone !== '') return no('BUSY', 'the telephone is in use');
    const id = tools.nextAsk();
    media.command({ do: 'probe', place, ask: id });
    const heard = await new Promise<Heard>((resolve) => {
      probes.set(id, resolve);
      clock.after(PROBED_MS, () => resolve('the sound engine did not answer'));
    });
    probes.delete(id);
    if (typeof heard === 'string') return no('NOT_TESTED', heard);
    return { ok: true, sound: (await tools.beyond()).reportOf(heard, desk.settings().sound[place].captureDb, place === 'speaker') };
  };

  const transfer = (line: Line, { target, to }: Extract<Command, { do: 'transfer' }>): Promise<Outcome> => {
    const other = to === undefined ? undefined : lineOf(to, talking);
    if (other !== undefined && 'ok' in other) return Promise.resolve(other);
    let address: string;
    if (other !== undefined) address = other.call!.remote.uri;
    else {
      const planned = plan(desk, target ?? '');
      if (!('call' in planned)) return Promise.resolve(no('NOT_A_NUMBER', 'refused' in planned ? planned.refused : 'that is a service code'));
      const [first] = planned.call.to;
      address = first!.target;
      if (!/^sips?:/i.test(address)) address = `sip:${address}@${(line.call!.account ?? first!.account)?.options.server ?? line.call!.remote.host}`;
    }
    const done = until(line, (event) => {
      if (event.is === 'transfer progress' && event.status >= 200) {
        if (event.status >= 300) return no('TRANSFER_FAILED', event.reason, event.status);
        desk.raise({ event: 'transferred', call: line.id, to: address });
        return { ok: true, call: line.id, state: 'transferred' };
      }
      // Some end the call at once instead of telling how it went (RFC 5589 §6.1).
      return event.is === 'ended' ? event.ending.by === 'them' ? { ok: true, call: line.id, state: 'transferred' } : no('CALL_FAILED', event.ending.why) : undefined;
    }, TRANSFER_MS, no('NO_ANSWER', 'nothing was heard of the transfer'));
    line.call!.transfer(address, other?.call);
    return done.then((outcome) => {
      if (outcome.ok) {
        line.hangUp('transferred');
        other?.hangUp('transferred');
      }
      return outcome;
    });
  };

  const message = async ({ target, text, account }: Extract<Command, { do: 'message' }>): Promise<Outcome> => {
    const found = destinations(desk, target, false, account), body = Buffer.from(text);
    if ('refused' in found) return no('NOT_REGISTERED', found.refused);
    const to = found[0]!;
    if (body.length > MESSAGE_BYTES) return no('TOO_LONG', `a text has ${MESSAGE_BYTES} bytes at most`);
    const { status: said, reason } = await tools.request({ method: 'MESSAGE', target: to.target, body, headers: [['Content-Type', 'text/plain;charset=utf-8']], ...(to.account === undefined ? {} : { account: to.account }) });
    return said < 300 ? { ok: true, state: 'sent' } : no('NOT_SENT', reason === '' ? 'the other side did not take it' : reason, said);
  };

  return { call, join, audioTest, transfer, message, record: (line, on) => recorderOf(desk).record(line, on), onProbed: ({ ask, heard }) => probes.get(ask)?.(heard) };
}
