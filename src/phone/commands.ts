// Commands from page, command line and programs: each resolves when the thing happened, or says why it did not.

import type { Desk } from './desk.ts';
import type { FurtherCommands } from './further-commands.ts';
import type { Handset } from './handset.ts';
import type { Line } from './line.ts';
import type { LineEvent } from './line-types.ts';
import type { Command, Outcome, PhoneStatus } from './status.ts';
import type { HookEvent } from '../ports/hardware.ts';
import type { Reply, RequestOptions } from '../sip/outside.ts';
import type { MediaCommand, MediaEvent, PlaceSound, StreamStats } from '../media/door.ts';
import type { Beyond } from './ports.ts';

const GAP_MS = 70;
const REINVITE_MS = 35_000;
const ENDED_MS = 6_000;
const ANSWER_MS = 10_000;

export const no = (code: string, why: string, status = 0): Outcome => ({ ok: false, code, why, ...(status === 0 ? {} : { status }) });

/** What each command must say; any may name a call. As text it costs the heap a seventh. */
const NEEDED = ';call:target;answer:;hangup:;hold:;resume:;join:;audio test:place;transfer:;dtmf:digits;message:target,text;mute:;record:;measure:;sound:;status:;lift:;hang:;flash:;key:key;';
const TEXTS = ['target', 'call', 'to', 'account', 'digits', 'key', 'text'] as const;
/** Header lines that a request must have once, and the agent writes. */
const OURS = /^(via|from|to|call-id|cseq|contact|content-length|content-type|max-forwards|route|record-route|[vftimlc])$/i;

/** What is wrong with a command that came as text from outside; undefined when it may be run. */
function faultOf(command: unknown): string | undefined {
  if (typeof command !== 'object' || command === null) return 'a command is an object';
  const fields = command as Readonly<Record<string, unknown>>;
  const word = `;${String(fields['do'])}:`, at = typeof fields['do'] === 'string' && /^[a-z ]+$/.test(fields['do']) ? NEEDED.indexOf(word) : -1;
  if (at < 0) return `no such command: ${String(fields['do'])}`;
  const needed = NEEDED.slice(at + word.length, NEEDED.indexOf(';', at + 1)).split(',');
  for (const name of TEXTS) if (fields[name] !== undefined && typeof fields[name] !== 'string') return `${name} is a text`;
  for (const name of needed) if (name !== '' && (fields[name] === undefined || fields[name] === '')) return `${name} is missing`;
  if (fields['do'] === 'key' && !/^[0-9*#A-D]$/.test(String(fields['key']))) return 'key is one of 0-9 * # A-D';
  if (fields['do'] === 'transfer' && fields['target'] === undefined && fields['to'] === undefined) return 'target or to is missing';
  if (fields['do'] === 'mute' && typeof fields['muted'] !== 'boolean') return 'muted is true or false';
  if (fields['until'] !== undefined && fields['until'] !== 'ringing' && fields['until'] !== 'answered') return 'until is ringing or answered';
  if (fields['ms'] !== undefined && !Number.isFinite(fields['ms'])) return 'ms is a number';
  const headers = fields['headers'];
  const pair = (h: unknown): boolean => Array.isArray(h) && h.length === 2 && typeof h[0] === 'string' && typeof h[1] === 'string';
  if (headers === undefined) return undefined;
  if (!Array.isArray(headers) || !headers.every(pair)) return 'headers are pairs of texts';
  const own = (headers as string[][]).find(([name]) => OURS.test(name!));
  return own && `the header ${own[0]} is the phone's own`;
}

export interface Commands {
  run(command: Command): Promise<Outcome>;
  onStats(ask: number, stats: StreamStats | readonly PlaceSound[]): void;
  onProbed(event: Extract<MediaEvent, { event: 'probed' }>): void;
}

export function createCommands(desk: Desk, handset: Handset, status: () => PhoneStatus, onHook: (event: HookEvent) => void, request: (options: RequestOptions) => Promise<Reply>, beyond: () => Promise<Pick<Beyond, 'reportOf'>>): Commands {
  const { clock, media } = desk.ports;
  const asked = new Map<number, (stats: never) => void>();
  let ask = 0;

  /** Resolves with what `on` makes of the line's events, or with `late`. */
  const until = (line: Line, on: (event: LineEvent) => Outcome | undefined, ms: number, late: Outcome): Promise<Outcome> =>
    new Promise((resolve) => desk.watch((from, event) => {
      const outcome = from === line ? on(event) : undefined;
      if (outcome === undefined) return false;
      resolve(outcome);
      return true;
    }, ms, () => resolve(late)));

  /** The call meant: by its id, else the one talked on, else the newest that `fits`. */
  const lineOf = (id: string | undefined, fits: (line: Line) => boolean): Line | Outcome => {
    const all = [...desk.lines].filter((l) => !l.leaving);
    if (id !== undefined) {
      const line = all.find((l) => l.id === id);
      return line === undefined ? no('NO_SUCH_CALL', `there is no call ${id}`) : fits(line) ? line : no('WRONG_STATE', `call ${id} is ${line.state}`);
    }
    const line = handset.active !== undefined && fits(handset.active) ? handset.active : all.reverse().find(fits);
    return line ?? no('NO_SUCH_CALL', 'there is no such call');
  };
  const talking = (line: Line): boolean => line.state === 'established';
  let begun: FurtherCommands | undefined;
  const further = (): FurtherCommands => begun ??= desk.ports.dialled().createFurther(desk, handset, { until, lineOf, talking, request, beyond, nextAsk: () => ++ask });

  const hangUp = (line: Line): Promise<Outcome> => {
    const over = until(line, (event) => event.is === 'ended' ? { ok: true, call: line.id, state: 'ended' } : undefined, ENDED_MS, no('NOT_ENDED', 'the call did not end'));
    if (line === handset.active) handset.handle('ask end');
    line.hangUp();
    return over;
  };

  const answer = (line: Line): Promise<Outcome> => {
    const up = until(line, (event) => event.is === 'established' ? { ok: true, call: line.id, state: 'answered' }
      : event.is === 'ended' ? no('CALL_FAILED', event.ending.why, event.ending.status) : undefined, ANSWER_MS, no('NOT_ANSWERED', 'the call was not answered'));
    if (line === handset.active || line === handset.second) handset.handle('ask answer');
    else line.pickUp('handset');
    desk.show();
    return up;
  };

  const hold = (line: Line, on: boolean): Promise<Outcome> => {
    const state = on ? 'held' : 'resumed';
    if (line.held === on) return Promise.resolve({ ok: true, call: line.id, state });
    const done = until(line, (event) => event.is === state && event.by === 'us' ? { ok: true, call: line.id, state }
      : event.is === 'not held' ? no('REFUSED', event.why) : event.is === 'ended' ? no('CALL_FAILED', event.ending.why) : undefined, REINVITE_MS, no('NO_ANSWER', 'the other side did not answer'));
    if (on && line.joined && handset.handle('split')) {
      if (line === handset.active) handset.handle('flash'); // the other one is talked on
    } else if (on || line !== handset.second || !handset.handle('flash')) line.hold(on); // it comes back as by a flash: one talks, the other is held
    return done;
  };

  const dtmf = (line: Line, digits: string, ms: number): Promise<Outcome> => {
    if (!/^[0-9*#A-D]{1,64}$/.test(digits)) return Promise.resolve(no('BAD_DIGITS', 'digits are 0-9 * # A-D, 64 at most'));
    for (const digit of digits) if (!line.digit(digit, ms)) return Promise.resolve(no('WRONG_STATE', 'digits cannot be sent now'));
    return new Promise((resolve) => clock.after(digits.length * (ms + GAP_MS), () => resolve({ ok: true, call: line.id, state: 'sent' })));
  };

  const question = <T>(outcome: (said: T) => Outcome, command: (ask: number) => MediaCommand): Promise<Outcome> => new Promise((resolve) => {
    const id = ++ask;
    asked.set(id, (said: T) => resolve(outcome(said)));
    clock.after(1_000, () => { if (asked.delete(id)) resolve(no('NO_ANSWER', 'the sound engine did not answer')); });
    media.command(command(id));
  });

  return {
    onStats(id, stats) {
      asked.get(id)?.(stats as never);
      asked.delete(id);
    },
    onProbed: (event) => begun?.onProbed(event),
    async run(command) {
      const fault = faultOf(command);
      if (fault !== undefined) return no('BAD_COMMAND', fault);
      switch (command.do) {
        case 'status': return { ok: true, status: status() };
        case 'sound': return question((places: readonly PlaceSound[]) => ({ ok: true, places }), (id) => ({ do: 'sound', ask: id }));
        case 'call': return further().call(command);
        case 'message': return further().message(command);
        case 'join': return further().join();
        case 'audio test': return further().audioTest(command.place);
        case 'lift':
        case 'hang':
        case 'flash':
        case 'key':
          if (desk.headless) return no('NO_HANDSET', 'this phone has no handset');
          if (command.do === 'key') handset.key(command.key, true);
          else onHook(command.do === 'hang' ? 'hung up' : command.do === 'lift' ? 'lifted' : 'flash');
          return { ok: true, state: handset.state.line };
        case 'hangup': {
          if (command.call === undefined) {
            const all = [...desk.lines].filter((l) => !l.leaving);
            if (all.length === 0) return no('NO_SUCH_CALL', 'there is no call');
            const outcomes = await Promise.all(all.map(hangUp));
            return outcomes.find((o) => !o.ok) ?? outcomes[0]!;
          }
          break;
        }
        default:
      }
      const fits = command.do === 'answer' ? (l: Line) => l.rings : command.do === 'hangup' ? () => true
        : command.do === 'resume' ? (l: Line) => talking(l) && l.held : command.do === 'hold' ? (l: Line) => talking(l) && !l.held : command.do === 'dtmf' ? (l: Line) => l.state !== 'ringing' : talking;
      const line = lineOf(command.call, fits);
      if ('ok' in line) return line;
      switch (command.do) {
        case 'hangup': return hangUp(line);
        case 'answer': return answer(line);
        case 'hold': return hold(line, true);
        case 'resume': return hold(line, false);
        case 'transfer': return further().transfer(line, command);
        case 'dtmf': return dtmf(line, command.digits.toUpperCase(), Math.min(2_000, Math.max(40, command.ms ?? 100)));
        case 'mute':
          line.mute(command.muted);
          return { ok: true, call: line.id, state: command.muted ? 'muted' : 'unmuted' };
        case 'record': return further().record(line, command.on);
        case 'measure':
          return question((stats: StreamStats) => ({ ok: true, call: line.id, stats }), (id) => ({ do: 'measure', stream: line.stream, ask: id }));
      }
    },
  };
}
