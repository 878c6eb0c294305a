// A call comes in: who it is, whether it may, and whether it rings, answers itself or hears busy.

import type { Accounts } from './accounts.ts';
import { admit } from './admission.ts';
import type { Desk } from './desk.ts';
import type { Handset } from './handset.ts';
import { decide, wishOf } from './intercom.ts';
import { offHook } from './line-state.ts';
import { hostOf, userOf } from './addresses.ts';
import type { AgentHandlers, Call } from '../sip/agent-types.ts';

/** More calls than anyone can want at once; the next one hears busy. */
const MOST_LINES = 8;
/** A stranger is told of once in this time; scanners come in hundreds. */
const STRANGER_MS = 60_000;
/** Of callers who might come in and are turned away so many are told of, and kept as missed, in that time. */
const TURNED_AWAY = 10;

export function createIncoming(desk: Desk, handset: Handset, accounts: Accounts): AgentHandlers['onIncoming'] {
  let toldAtMs = -STRANGER_MS;
  let untold = 0;
  let sinceMs = 0;
  let turnedAway = 0;
  const tell = (from: string, peer: string, status: number, why: string): void => {
    if (clock.now() - toldAtMs < STRANGER_MS) {
      untold++;
      return;
    }
    desk.raise({ event: 'refused', from, peer, status, why: untold === 0 ? why : `${why} (and ${untold} more since)` });
    toldAtMs = clock.now();
    untold = 0;
  };
  const { clock, hardware, sounds } = desk.ports;

  return (call, source, challenge) => {
    const settings = desk.settings();
    const { invite } = call;
    const texts = (name: string): readonly string[] => invite === undefined ? [] : desk.ports.texts(invite, name);
    // Behind the registered server the identity it asserts counts (RFC 3325 §9); from elsewhere nobody vouches for one.
    const asserted = source.registeredServer === undefined ? undefined : texts('p-asserted-identity').find((t) => /sips?:/i.test(t));
    const assertedUri = asserted === undefined ? undefined : /<([^<>]*)>/.exec(asserted)?.[1] ?? asserted.trim();
    const user = assertedUri === undefined ? call.remote.user : userOf(assertedUri);
    const host = assertedUri === undefined ? call.remote.host : hostOf(assertedUri);
    const peer = `${source.peer.host}:${source.peer.port}`;
    // What calls back: through the server the number, to a direct caller its whole address.
    const from = source.registeredServer !== undefined ? user || host : `sip:${user === '' ? '' : `${user}@`}${hostPort(call.remote.uri)}`;

    const refuse = (status: number, why: string, missed = false): void => {
      call.reject(status);
      if (clock.now() - sinceMs >= STRANGER_MS) {
        sinceMs = clock.now();
        turnedAway = 0;
      }
      if (++turnedAway > TURNED_AWAY) return tell(from, peer, status, why); // neither log nor flash card take a flood
      if (missed) desk.record({ at: clock.wall(), direction: 'in', who: from, name: call.remote.display, seconds: 0, how: why, missed, intercom: false });
      desk.raise({ event: 'refused', from, peer, status, why });
    };

    const admission = admit(source, call.remote.user, settings, desk.services.from);
    if (admission.let === 'prove') {
      if (texts('authorization').length > 0) tell(from, peer, 401, 'the password was not right');
      return challenge();
    }
    if (admission.let === 'out') {
      call.reject(admission.status);
      return tell(from, peer, admission.status, admission.why);
    }
    if (desk.lines.size >= MOST_LINES) return refuse(486, 'too many calls');
    if (settings.calls.doNotDisturb) return refuse(486, 'do not disturb', true);
    const { line: state } = handset.state;
    const privacy = settings.intercom.privacy || hardware.privacy?.closed === true;
    const around = { busy: [...desk.lines].some((l) => !l.leaving) || offHook(state), privacy, headless: desk.headless };
    const caller = { throughServer: source.registeredServer !== undefined, authenticated: source.authenticated, trusted: admission.trusted, user, host };
    const wish = wishOf(texts);
    const decision = decide(wish, caller, around, settings, accounts.settingsOf(call.account));
    if (decision.do === 'refuse') return refuse(decision.status, decision.why);

    const line = desk.newLine('in', from);
    line.name = call.remote.display;
    line.diverted = calledFirst(texts, call.account?.options.user);
    if (user !== '' && desk.memory.lastCaller !== from) {
      desk.memory.lastCaller = from;
      desk.remember();
    }
    // Told before anything can come of it: the log then reads incoming, answered, ended, however quick it goes.
    desk.raise({ event: 'incoming', call: line.id, from, name: line.name, account: source.registeredServer?.id ?? '', ...line.diverted });
    line.ring(call, settings.calls.ringS);
    if (line.state !== 'ringing') return; // no sound in common
    const replaced = [...desk.lines].find((l) => l.call !== undefined && l.call === (call as Call & { readonly replaces?: Call }).replaces);
    if (replaced !== undefined) { // RFC 3891 §3: it takes over a call of ours without asking anew
      handset.replace(replaced, line);
      return line.pickUp(replaced.place);
    }
    call.progress(180);
    if (wish !== undefined || decision.do === 'answer') desk.ports.log.info({ call: line.id, from, do: decision.do, why: decision.why }, 'automatic answer decided');

    const ringNow = (): void => {
      if (desk.headless) desk.show();
      else if ((!settings.calls.waiting && around.busy && state !== 'just lifted') || handset.active?.emergency === true) line.hangUp('busy');
      else handset.incoming(line);
    };
    const alert = texts('alert-info'), { ringTones } = settings.sound;
    const ring = (): void => {
      if (alert.length === 0 && Object.keys(ringTones).length === 0) return ringNow();
      void desk.ports.beyond().then(({ ringOf }) => { line.ringStyle = ringOf(alert, sounds.national().ringCadence, ringTones, sounds.file); }, () => undefined).then(() => { if (line.rings) ringNow(); });
    };
    if (decision.do === 'ring') return ring();
    const { place, afterMs, maxS } = decision;
    const answer = (): void => {
      if (!line.rings) return; // gone, or a person was quicker: then it is an ordinary call
      line.auto = { place, beep: sounds.intercomBeep, maxS };
      line.intercom = maxS > 0;
      if (desk.headless || around.busy || !handset.intercom(line)) line.pickUp(place);
      desk.show();
    };
    if (afterMs === 0) return answer();
    if (desk.headless || !around.busy) ring();
    clock.after(afterMs, answer);
  };
}

/** Who was called first, when that was not us: the lowest Diversion (RFC 5806 §4.1), or the first History-Info (RFC 7044 §5). */
export function calledFirst(texts: (name: string) => readonly string[], own: string | undefined): { readonly diverted?: string } {
  const first = texts('diversion').at(-1) ?? texts('history-info')[0], uri = first && (/<([^>?]*)/.exec(first)?.[1] ?? first.split(/[;?]/)[0]!).trim();
  const who = uri && (userOf(uri) || hostOf(uri));
  return who === undefined || who === '' || who === own || who === 'anonymous' ? {} : { diverted: who };
}

/** user@host:port of a direct caller, so that calling back works. */
function hostPort(uri: string): string {
  return /^sips?:(?:[^@]*@)?(\[[^\]]*\](?::\d+)?|[^;?>]*)/i.exec(uri)?.[1] ?? '';
}
