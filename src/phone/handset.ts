// The shell of the handset's machine: carries its actions out in order, runs its timers, plays its tones, and holds the two calls that the
// machine speaks of as active and second.

import type { Desk, Planned } from './desk.ts';
import { judge } from './dialplan.ts';
import type { Line } from './line.ts';
import { atRest, offHook } from './line-state.ts';
import { rowOf, step, type HandsetAction, type HandsetEvent, type HandsetState, type TimerName, type ToneAction } from './machine.ts';
import { plan } from './outgoing.ts';
import { failureTone, type CountryTone, type StatusName } from './words.ts';
import type { Place, ToneProgram } from '../media/door.ts';
import type { Key } from '../ports/hardware.ts';
import type { Ending } from '../sip/agent-types.ts';

const GLARE_MS = 1_500;
const HOWLER_MS = 60_000;
const KEY_TONE_MS = 100;

const countryTones: Readonly<Record<Exclude<ToneAction, 'failure'>, CountryTone>> = {
  dial: 'dial', recall: 'recall', ringback: 'ringback', gone: 'busy', sit: 'sit', congestion: 'congestion', howler: 'howler', confirm: 'confirm',
};

export interface Handset {
  readonly state: HandsetState;
  readonly active: Line | undefined;
  readonly second: Line | undefined;
  /** Name of what is heard, '' for nothing. */
  readonly tone: string;
  readonly digits: string;
  /** False when the event means nothing in this state. */
  handle(event: HandsetEvent): boolean;
  /** The hook was flashed: with two calls as the setting says, the other one or all three. */
  flash(): boolean;
  key(key: Key, down: boolean): void;
  /** A caller to ring for. */
  incoming(line: Line): void;
  /** A caller to answer at once, now or after ringing; false when the handset is not free for it. */
  intercom(line: Line): boolean;
  /** A call wanted by page or command line; undefined when the line is in use. */
  call(planned: Extract<Planned, { call: unknown }>): Line | undefined;
  /** What a line of the handset did. */
  lineDid(line: Line, event: 'ringing' | 'early' | 'answered'): void;
  lineEnded(line: Line, wasEstablished: boolean, ending: Ending): void;
  /** `to` takes the place of `from` in whatever slot that is. */
  replace(from: Line, to: Line): void;
  /** `from` ended and `to` is still being called in its place; false when nobody waits for it. */
  sentOn(from: Line, to: Line): boolean;
  toneEnded(place: Place, id: number): void;
}

export function createHandset(desk: Desk): Handset {
  const { clock, media, sounds } = desk.ports;
  let state = atRest;
  let active: Line | undefined;
  let second: Line | undefined;
  /** Came in and is not in a slot yet. */
  let pending: Line | undefined;
  let digits = '';
  let planned: Planned | undefined;
  /** Why the last call of ours failed, as a tone. */
  let failure: CountryTone | StatusName | '' = '';
  let tone: CountryTone | StatusName | '' = '';
  let toneId = 0;
  let toneAt: Place = 'handset';
  let beep = false;
  let running = false;
  const queue: HandsetEvent[] = [];
  const timers = new Map<TimerName, () => void>();

  const place = (): Place => desk.headless || offHook(state.line) ? 'handset' : 'speaker';
  const program = (name: CountryTone | StatusName): ToneProgram => {
    const { tones } = sounds.national();
    return name in tones ? tones[name as CountryTone] : sounds.statusTones[name as StatusName].program;
  };

  const sound = (what: ToneProgram): void => {
    if (toneAt !== place()) media.command({ do: 'quiet', place: toneAt });
    toneAt = place();
    media.command({ do: 'tone', place: toneAt, program: what, id: ++toneId });
  };
  /** The tone that ought to be heard now: the state's, else call waiting, else none. */
  const replay = (): void => {
    const name = tone !== '' ? tone : beep && (offHook(state.line) || state.line === 'speaker') ? 'callWaiting' : '';
    if (name !== '') sound(program(name));
    else media.command({ do: 'quiet', place: toneAt });
  };
  const play = (name: typeof tone): void => {
    tone = name;
    replay();
  };

  const duration = (name: TimerName): number => {
    const { dialing, calls } = desk.settings();
    switch (name) {
      case 'glare': return GLARE_MS;
      case 'hotline': return dialing.hotlineS * 1_000;
      case 'no dial': return dialing.noDialS * 1_000;
      case 'inter digit': return dialing.interDigitS * 1_000;
      case 'dead': return calls.howlerS * 1_000;
      case 'howler': return HOWLER_MS;
      case 'recall': return calls.ringS * 1_000;
    }
  };
  const start = (name: TimerName): void => {
    if (name === 'hotline' && desk.settings().dialing.hotline === '') return;
    timers.get(name)?.();
    timers.set(name, clock.after(duration(name), () => {
      timers.delete(name);
      handle(`T ${name}`);
    }));
  };

  const settled = (): void => {
    planned = plan(desk, digits);
    queue.push('done' in planned ? 'done' : 'refused' in planned && planned.tone === 'sit' ? 'refused' : 'dial');
    if ('refused' in planned) desk.failed(`${digits}: ${planned.refused}`);
  };
  const collect = (key: Key): void => {
    if (key === '#' && digits !== '' && desk.settings().dialing.sendKey === '#') return settled();
    digits += key;
    const { say } = judge(desk.dialling(), digits);
    if (say === 'complete') settled();
    else if (say === 'refused' || say === 'no match') {
      desk.failed(`${digits} ${say === 'refused' ? 'is refused by' : 'is no number of'} the dial plan`);
      queue.push('refused');
    } else queue.push('more');
  };
  const dial = (): void => {
    if (planned === undefined || !('call' in planned)) {
      failure = planned !== undefined && 'refused' in planned ? planned.tone : 'sit';
      queue.push('failed');
      return;
    }
    const { call, label, redial } = planned;
    if (redial !== '' && desk.memory.redial !== redial) {
      desk.memory.redial = redial;
      desk.remember();
    }
    active = desk.newLine('out', label);
    void active.dial(call, { to: 'place', place: place() });
  };

  const answer = (line: Line | undefined): void => {
    if (line === undefined) return;
    if (line.rings) line.pickUp(place());
    else {
      line.moveTo(place());
      line.hold(false);
    }
  };

  let pressed: Key = '0';
  const carryOut = (action: HandsetAction): void => {
    if (action.startsWith('start ')) return start(action.slice(6) as TimerName);
    if (action.startsWith('tone ')) {
      const name = action.slice(5) as ToneAction;
      return play(name === 'failure' ? failure : name === 'dial' ? desk.dialTone() : countryTones[name]);
    }
    switch (action as Exclude<HandsetAction, `start ${TimerName}` | `tone ${ToneAction}`>) {
      case 'stop timers':
        for (const stop of timers.values()) stop();
        return timers.clear();
      case 'quiet': return play('');
      case 'key tone': return sound(sounds.dtmfProgram(pressed, KEY_TONE_MS));
      case 'collect': return collect(pressed);
      case 'finish': return settled();
      case 'forget digits':
        digits = '';
        return;
      case 'dial': return dial();
      case 'dial hotline':
        planned = plan(desk, desk.settings().dialing.hotline);
        return dial();
      case 'send digit':
        active?.digit(pressed);
        return;
      case 'take as active':
        active = pending;
        pending = undefined;
        return;
      case 'take as second':
        second = pending;
        pending = undefined;
        return;
      case 'refuse busy': {
        const refused = pending;
        pending = undefined;
        return refused?.hangUp('busy');
      }
      case 'second to active':
        active = second;
        second = undefined;
        return;
      case 'hold':
        second = active;
        active = undefined;
        return second?.hold(true);
      case 'swap':
        [active, second] = [second, active];
        second?.hold(true);
        return answer(active);
      case 'join':
        answer(second);
        for (const line of [active, second]) line?.meet(true);
        return;
      case 'part':
        for (const line of [active, second]) line?.meet(false);
        return;
      case 'hold second': return second?.hold(true);
      case 'resume':
      case 'accept': return answer(active);
      case 'accept on speaker': return answer(active);
      case 'end active': {
        const line = active;
        active = undefined;
        return line?.hangUp();
      }
      case 'end second': {
        const line = second;
        second = undefined;
        return line?.hangUp();
      }
      case 'forget active':
        active = undefined;
        return;
      case 'forget second':
        second = undefined;
        return;
      case 'waiting tone':
        beep = true;
        return tone === '' ? replay() : undefined;
      case 'waiting off':
        beep = false;
        return replay();
      case 'to handset':
      case 'to speaker':
        active?.moveTo(place());
        if (state.second === 'joined') second?.moveTo(place());
        return tone === '' && !beep ? undefined : replay();
      case 'warm': return media.command({ do: 'warm', place: 'handset', on: true });
      case 'cool': return media.command({ do: 'warm', place: 'handset', on: false });
      case 'ring':
      case 'recall ring':
      case 'stop bell': return; // shown below, from the state alone
    }
  };

  const handle = (event: HandsetEvent): boolean => {
    const known = running || rowOf(state, event) !== undefined;
    queue.push(event);
    if (running) return known;
    running = true;
    const before = state.line, heard = tone;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [to, actions] = step(state, next);
        state = to;
        for (const action of actions) carryOut(action);
        if (next === 'incoming' || next === 'intercom') carryOut('refuse busy'); // unless a slot took the caller
      }
    } finally {
      queue.length = 0;
      running = false;
    }
    desk.show();
    if (state.line !== before || tone !== heard) desk.raise({ event: 'state', state: state.line, tone });
    return known;
  };

  return {
    get state() { return state; },
    get active() { return active; },
    get second() { return second; },
    get tone() { return tone; },
    get digits() { return digits; },
    handle,
    flash: () => handle(state.second === 'held' && desk.settings().calls.flash === 'join' && rowOf(state, 'join') !== undefined ? 'join' : 'flash'),
    key(key, down) {
      desk.raise({ event: 'key', key, down });
      if (!down) return;
      pressed = key;
      handle('digit');
    },
    incoming(line) {
      if (running) return line.hangUp('busy'); // in the midst of another event: cannot be told apart from its own
      pending = line;
      handle('incoming');
    },
    intercom(line) {
      if (running) return false;
      if (line === active) return handle('ask answer');
      if (rowOf(state, 'intercom') === undefined) return false;
      pending = line;
      return handle('intercom');
    },
    call(wanted) {
      if (running || rowOf(state, 'ask call') === undefined) return undefined;
      planned = wanted;
      digits = '';
      handle('ask call');
      return active;
    },
    lineDid(line, event) {
      if (line === active) handle(event);
    },
    lineEnded(line, wasEstablished, ending) {
      if (line === active) {
        failure = failureTone(ending);
        handle(wasEstablished || line.direction === 'in' ? 'ended' : 'failed');
        if (active === line) active = undefined;
      } else if (line === second) {
        handle('second ended');
        if (second === line) second = undefined;
      }
    },
    replace(from, to) {
      if (active === from) active = to;
      else if (second === from) second = to;
    },
    sentOn(from, to) {
      if (from !== active || running || rowOf(state, 'sent on') === undefined) return false;
      pending = to;
      handle('sent on');
      if (to.early) handle('early');
      return true;
    },
    toneEnded(at, id) {
      if (at !== toneAt || id !== toneId) return;
      const next = tone === 'confirm' && state.line === 'dial tone' ? desk.dialTone() : tone === 'sit' ? 'congestion' : tone;
      if (next !== tone) {
        play(next);
        desk.raise({ event: 'state', state: state.line, tone });
      } else if (tone !== 'confirm' && beep) replay();
    },
  };
}
