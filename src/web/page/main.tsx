// The page: who is there, the live state, and three views.

import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { CallLogEntry, CallsView, SessionView, StateView } from '../types.ts';
import { ask, visit, watch } from './api.ts';
import { Calls } from './calls.tsx';
import { Front } from './front.tsx';
import { Door, Handset } from './login.tsx';
import './page.css';
import { Recordings } from './recordings.tsx';
import { Settings } from './settings.tsx';
import { readiness } from './words.ts';

const VIEWS = [['phone', 'Phone'], ['calls', 'Calls'], ['settings', 'Settings']] as const;
const viewOf = (hash: string) => VIEWS.find(([id]) => hash === `#${id}` || hash.startsWith(`#${id}/`))?.[0] ?? 'phone';

function App() {
  const [session, setSession] = useState<SessionView>();
  const [trouble, setTrouble] = useState('');
  const look = () => visit().then((s) => { setSession(s); setTrouble(''); }, (error: Error) => setTrouble(error.message));
  useEffect(() => { void look(); }, []);
  if (session === undefined) return <main class="door"><p role="status">{trouble || 'Loading …'}</p>{trouble !== '' && <button type="button" onClick={look}>Try again</button>}</main>;
  return session.state === 'open' ? <House session={session} onLeave={look} /> : <Door session={session} onOpen={look} />;
}

function House({ session, onLeave }: { readonly session: SessionView; readonly onLeave: () => Promise<void> }) {
  const [state, setState] = useState<StateView>();
  const [since, setSince] = useState(0);
  const [calls, setCalls] = useState<readonly CallLogEntry[]>([]);
  const [connected, setConnected] = useState(true);
  const [trouble, setTrouble] = useState('');
  const [view, setView] = useState(viewOf(location.hash));

  const seen = useRef(false);
  seen.current ||= view === 'settings';

  const loadCalls = () => ask<CallsView>('GET', '/api/calls').then((answer) => setCalls(answer.calls), () => undefined);
  useEffect(() => {
    void loadCalls();
    const end = watch({
      onState: (next) => { setState(next); setSince(Date.now()); },
      onBench: (bench) => setState((now) => (now === undefined ? now : { ...now, bench })),
      onLife: (event) => { if (event.event === 'ended' || event.event === 'refused') void loadCalls(); },
      onConnected: (up) => {
        setConnected(up);
        if (up) setTrouble('');
        else visit().then((s) => { if (s.state !== 'open') void onLeave(); }, () => undefined); // logged out, or only gone for a moment
      },
    });
    const onHash = () => setView(viewOf(location.hash));
    window.addEventListener('hashchange', onHash);
    return () => {
      end();
      window.removeEventListener('hashchange', onHash);
    };
  }, []);
  useEffect(() => {
    if (trouble === '') return undefined;
    const timer = setTimeout(() => setTrouble(''), 8_000);
    return () => clearTimeout(timer);
  }, [trouble]);

  const phone = state?.phone;
  const name = phone?.name ?? session.name;
  useEffect(() => { document.title = phone?.bell === true || state?.bench?.ringing === true ? `☎ ${name} rings` : name; }, [name, phone?.bell, state?.bench?.ringing]);
  const call = (target: string) => { ask('POST', '/api/phone', { command: { do: 'call', target } }).then(() => { location.hash = '#phone'; }, (error: Error) => setTrouble(error.message)); };
  const ready = phone === undefined ? undefined : readiness(phone);

  return (
    <>
      <header class="top">
        <a class="brand" href="#phone"><Handset /><span>{name}</span></a>
        {ready !== undefined && <span class={`pill ${connected ? ready.mood : 'bad'}`}><span class="dot" aria-hidden="true" /><span class="text">{connected ? ready.headline : 'No connection'}</span></span>}
        <nav aria-label="Views">{VIEWS.map(([id, title]) => <a key={id} href={`#${id}`} aria-current={view === id ? 'page' : undefined}>{title}</a>)}</nav>
        <button type="button" class="quiet leave" onClick={() => { ask('POST', '/api/logout').then(onLeave, (error: Error) => setTrouble(error.message)); }}>Log out</button>
      </header>
      {!connected && <p class="banner" role="alert">The connection to the phone is lost. Trying again …</p>}
      {trouble !== '' && <p class="toast" role="alert">{trouble} <button type="button" class="quiet" aria-label="Close" onClick={() => setTrouble('')}>✕</button></p>}
      <main>
        {/* Once opened it stays, so that what was typed survives a look at the phone. */}
        {seen.current && <div hidden={view !== 'settings'}><Settings revision={state?.revision} onTrouble={setTrouble} /></div>}
        {view === 'settings' ? null : view === 'calls' ? <><Calls calls={calls} onCall={call} /><Recordings mode={state?.recording ?? 'off'} running={state?.phone.calls.filter((each) => each.recording).length ?? 0} onTrouble={setTrouble} /></>
          : state === undefined ? <p class="empty">Loading …</p> : <Front state={state} since={since} calls={calls} onTrouble={setTrouble} />}
      </main>
      <footer>Offhook {session.version}</footer>
    </>
  );
}

render(<App />, document.getElementById('page')!);
