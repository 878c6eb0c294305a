// Before anything else: the first password, or the login.

import { useState } from 'preact/hooks';
import type { SessionView } from '../types.ts';
import { ask, Refused } from './api.ts';

export function Door({ session, onOpen }: { readonly session: SessionView; readonly onOpen: () => void }) {
  const first = session.state === 'new';
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [shown, setShown] = useState(false);
  const [trouble, setTrouble] = useState('');
  const [busy, setBusy] = useState(false);

  async function submit(event: Event) {
    event.preventDefault();
    if (first && [...password].length < 8) return setTrouble('At least 8 characters, please.');
    if (first && password !== again) return setTrouble('The two are not the same.');
    setBusy(true);
    setTrouble('');
    try {
      await ask('POST', first ? '/api/password' : '/api/login', { password });
      onOpen();
    } catch (error) {
      setTrouble(error instanceof Refused ? error.message : String(error));
    }
    setBusy(false);
  }

  const kind = (shown ? 'text' : 'password') as 'password'; // the types want to know which
  return (
    <main class="door">
      <form onSubmit={submit} class="panel">
        <Handset />
        <h1>{session.name}</h1>
        <p>{first ? 'Welcome. Choose a password for this page; whoever has it can change how the phone works. The handset never asks for it.' : 'Log in to see and set this phone.'}</p>
        {first && !session.near
          ? <p class="problem" role="alert">You come from another network. The first password can only be set from the phone’s own network.</p>
          : <>
              <input class="visually-hidden" type="text" tabIndex={-1} aria-hidden="true" readOnly autocomplete="username" value={session.name} />
              <label class="field"><span class="title">Password</span>
                <input type={kind} value={password} required autofocus autocomplete={first ? 'new-password' : 'current-password'} maxLength={512}
                  aria-invalid={trouble !== ''} aria-describedby="door-trouble" onInput={(e) => setPassword(e.currentTarget.value)} />
              </label>
              {first && <label class="field"><span class="title">Once more</span>
                <input type={kind} value={again} required autocomplete="new-password" maxLength={512} onInput={(e) => setAgain(e.currentTarget.value)} />
              </label>}
              <label class="tick"><input type="checkbox" checked={shown} onChange={(e) => setShown(e.currentTarget.checked)} /> Show what I type</label>
              <p id="door-trouble" class="problem" role="alert">{trouble}</p>
              <button type="submit" class="main" disabled={busy}>{busy ? 'One moment …' : first ? 'Set password' : 'Log in'}</button>
              {!first && <details class="help"><summary>Forgotten?</summary><p>Delete the file <code>page-password</code> in the phone’s state folder. The next visit sets a new one; all settings stay.</p></details>}
            </>}
      </form>
    </main>
  );
}

export const Handset = () => (
  <svg class="mark" viewBox="0 0 32 22" aria-hidden="true"><path d="M2 9c0-5 6-7 14-7s14 2 14 7v4c0 1-1 2-2 2h-4c-1 0-2-1-2-2v-2c0-2-2-3-6-3s-6 1-6 3v2c0 1-1 2-2 2H4c-1 0-2-1-2-2z" /></svg>
);
