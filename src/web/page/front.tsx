// The front view: what the phone is doing, in plain words, the drawn telephone, and what can be done about it.

import { useEffect, useState } from 'preact/hooks';
import type { CallLogEntry, PhoneStatus, StateView } from '../types.ts';
import { ask } from './api.ts';
import { CallRow } from './calls.tsx';
import { CallQuality } from './quality.tsx';
import { soundFacts, useSound } from './sound.tsx';
import { Telephone } from './telephone.tsx';
import { clockTime, doorWords, lineWords, readiness, registeredWords, secrecyWords, silenceWords, when } from './words.ts';

interface Props {
  readonly state: StateView;
  /** When `state` came, by this browser's clock. */
  readonly since: number;
  readonly calls: readonly CallLogEntry[];
  readonly onTrouble: (why: string) => void;
}

export function Front({ state, since, calls, onTrouble }: Props) {
  const { phone, bench, exchange, problems } = state;
  const words = lineWords(phone);
  const ready = readiness(phone);
  const command = (body: object) => { ask('POST', '/api/phone', { command: body }).catch((error: Error) => onTrouble(error.message)); };
  const sound = useSound(phone.calls.some((call) => call.state === 'established'));
  const number = phone.registrations.find((r) => r.state === 'registered')?.user ?? '';
  return (
    <div class={bench === null ? 'front' : 'front with-phone'}>
      {bench !== null && <Telephone bench={bench} label={number || phone.name} dialled={phone.dialled} onTrouble={onTrouble} />}
      <div class="side">
        <section class={`panel now ${words.mood}`} aria-live="polite" aria-atomic="true">
          <h2 class="headline"><span class="dot" aria-hidden="true" />{words.headline}</h2>
          {words.detail !== '' && <p>{words.detail}</p>}
          {words !== ready && words.headline !== ready.headline && (ready.mood === 'bad' || ready.mood === 'warn') && <p class="aside">{ready.headline}. {ready.detail}</p>}
          {silenceWords(phone) !== '' && <p class="problem">{silenceWords(phone)}.</p>}
        </section>

        {phone.calls.length > 0 && <section class="panel" aria-label="Calls">
          <ul class="live">{phone.calls.map((call) => <LiveCall key={call.id} call={call} joinable={call.held && phone.calls.some((other) => other !== call && other.state === 'established' && !other.held)} since={since} hook={phone.hook} recordable={state.recording !== 'off'} onCommand={command} />)}</ul>
        </section>}

        {problems.length > 0 && <section class="panel warn">
          <h3>Settings that could not be used</h3>
          <ul class="plain">{problems.map((p) => <li key={p.key + p.reason}><code>{p.key}</code> {p.reason}</li>)}</ul>
        </section>}

        {phone.lastFailure !== '' && phone.lastFailure !== silenceWords(phone) && <section class="panel failure">
          <h3>Last trouble <span class="aside">{phone.lastFailureAt > 0 ? when(phone.lastFailureAt, Date.now()) : ''}</span></h3>
          <p>{phone.lastFailure}</p>
        </section>}

        <Dial onCommand={command} busy={phone.calls.length > 0} />

        <section class="panel facts">
          <dl>
            {phone.registrations.map((r) => <Fact key={r.account} name={r.account} mood={r.state === 'registered' ? 'good' : r.state === 'failed' ? 'bad' : 'calm'}
              value={{ registered: 'registered', failed: r.why || 'not registered', trying: 'registering …', off: 'not registering' }[r.state]} />)}
            {phone.devices.filter((d) => d.state !== 'unused').map((d) => <Fact key={d.place} name={{ handset: 'Handset', speaker: 'Loudspeaker', ringer: 'Ringer' }[d.place]}
              mood={d.state === 'lost' ? 'bad' : d.trouble !== '' ? 'warn' : 'good'} value={d.state === 'lost' ? d.trouble || 'sound device lost' : d.trouble !== '' ? 'no sound card' : d.device} />)}
            {soundFacts(sound).map(({ name, value }) => <Fact key={name} name={name} mood="calm" value={value} />)}
            {phone.registrations.map((r) => r.messages?.waiting === true && <Fact key={r.account} name="Voice messages" mood="warn"
              value={`${r.messages.fresh > 0 ? `${r.messages.fresh} new` : 'waiting'}${r.messages.old > 0 ? `, ${r.messages.old} old` : ''} at ${r.account}`} />)}
            <Fact name="Listening" mood="calm" value={phone.listening} />
            {phone.privacy && <Fact name="Privacy" mood="warn" value="never answers by itself" />}
          </dl>
        </section>

        {exchange !== null && <section class="panel facts house" aria-label="Phones of the house">
          <h3>Phones of the house {exchange.ringing > 0 && <span class="badge">{exchange.ringing} ringing</span>}</h3>
          {exchange.users.length === 0 ? <p class="empty">None yet: Settings, Exchange, Users.</p>
            : <dl>{exchange.users.map((u) => <Fact key={u.user} name={u.displayName === '' ? u.user : `${u.user} ${u.displayName}`} mood={u.phones.length > 0 ? 'good' : 'calm'} value={registeredWords(u.phones, Date.now())} />)}</dl>}
          <p class="aside">They register at {exchange.listening}{doorWords(exchange.doors)}.</p>
        </section>}

        {calls.length > 0 && <section class="panel">
          <h3>Latest calls {phone.missed > 0 && <span class="badge">{phone.missed} missed</span>}</h3>
          <ul class="calls">{calls.slice(0, 4).map((call) => <CallRow key={call.at} call={call} onCall={(target) => command({ do: 'call', target })} />)}</ul>
          <a href="#calls" class="more">All calls</a>
        </section>}
      </div>
    </div>
  );
}

function Fact({ name, value, mood }: { readonly name: string; readonly value: string; readonly mood: string }) {
  return <div class={`fact ${mood}`}><dt>{name}</dt><dd><span class="dot" aria-hidden="true" />{value}</dd></div>;
}

const Lock = () => <svg class="lock" viewBox="0 0 16 16" aria-hidden="true"><path d="M4 7V5a4 4 0 0 1 8 0v2h1v8H3V7h1Zm2 0h4V5a2 2 0 0 0-4 0v2Z" /></svg>;

function LiveCall({ call, joinable, since, hook, recordable, onCommand }: { readonly call: PhoneStatus['calls'][number]; readonly joinable: boolean; readonly since: number; readonly hook: PhoneStatus['hook']; readonly recordable: boolean; readonly onCommand: (body: object) => void }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const [target, setTarget] = useState<string>();
  const established = call.state === 'established';
  const seconds = call.seconds + Math.max(0, now - since) / 1_000;
  const facts = [call.direction === 'in' ? 'incoming' : 'outgoing', call.diverted ? `for ${call.diverted}` : '', call.codec, call.held ? 'on hold' : '', call.joined ? 'in conference' : '', call.remoteHeld ? 'held by them' : '', call.muted ? 'muted' : '', call.intercom ? 'intercom' : '', call.emergency ? 'emergency' : ''];
  return (
    <li>
      <div class="who"><strong>{call.remoteName || call.remote}</strong>{call.remoteName !== '' && call.remoteName !== call.remote && <span class="aside"> {call.remote}</span>}
        <span class="time">{established ? clockTime(seconds) : call.state}</span></div>
      <div class="aside">{facts.filter(Boolean).join(' · ')}</div>
      {call.recording && <div class="aside recorded"><span class="dot" aria-hidden="true" />{call.held || call.remoteHeld ? 'Recording waits while this call is on hold' : 'Recorded; both sides hear a beep'}</div>}
      {call.encrypted && <div class={call.keysInClear ? 'aside secret half' : 'aside secret'}><Lock />{secrecyWords(call)}</div>}
      {established && <CallQuality call={call} />}
      <div class="acts">
        {call.direction === 'in' && call.state === 'ringing' && hook !== 'on' && <button type="button" class="main" onClick={() => onCommand({ do: 'answer', call: call.id })}>Answer</button>}
        {established && <button type="button" onClick={() => onCommand({ do: call.held ? 'resume' : 'hold', call: call.id })}>{call.held ? 'Resume' : 'Hold'}</button>}
        {joinable && <button type="button" title="All three talk" onClick={() => onCommand({ do: 'join' })}>Join</button>}
        {established && <button type="button" aria-pressed={call.muted} onClick={() => onCommand({ do: 'mute', muted: !call.muted, call: call.id })}>{call.muted ? 'Microphone on' : 'Mute'}</button>}
        {established && (call.recording || (recordable && !call.emergency)) && <button type="button" aria-pressed={call.recording} onClick={() => onCommand({ do: 'record', on: !call.recording, call: call.id })}>{call.recording ? 'Stop recording' : 'Record'}</button>}
        {established && <button type="button" aria-expanded={target !== undefined} onClick={() => setTarget(target === undefined ? '' : undefined)}>Transfer</button>}
        <button type="button" class="end" onClick={() => onCommand({ do: 'hangup', call: call.id })}>{call.direction === 'in' && !established ? 'Decline' : 'Hang up'}</button>
      </div>
      {target !== undefined && <form class="dial" onSubmit={(event) => { event.preventDefault(); onCommand({ do: 'transfer', target: target.trim(), call: call.id }); setTarget(undefined); }}>
        <input aria-label="Number or address to hand the call to" placeholder="Hand this call to" value={target} maxLength={255} spellcheck={false} autocapitalize="off" autofocus onInput={(e) => setTarget(e.currentTarget.value)} />
        <button type="submit" disabled={target.trim() === ''}>Transfer</button>
      </form>}
    </li>
  );
}

function Dial({ onCommand, busy }: { readonly onCommand: (body: object) => void; readonly busy: boolean }) {
  const [target, setTarget] = useState('');
  return (
    <form class="dial" onSubmit={(event) => { event.preventDefault(); if (target.trim() !== '') onCommand({ do: 'call', target: target.trim() }); }}>
      <input aria-label="Number or address to call" placeholder="Number or address" value={target} maxLength={255} spellcheck={false} autocapitalize="off" onInput={(e) => setTarget(e.currentTarget.value)} />
      <button type="submit" class="main" disabled={busy || target.trim() === ''}>Call</button>
    </form>
  );
}
