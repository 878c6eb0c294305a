// Recorded calls: played, saved, removed.

import { useEffect, useState } from 'preact/hooks';
import type { RecordingsView, StateView } from '../types.ts';
import { ask } from './api.ts';
import { clockTime, when } from './words.ts';

interface Props {
  readonly mode: StateView['recording'];
  /** Calls that are being recorded: the list is asked for anew when their number changes. */
  readonly running: number;
  readonly onTrouble: (why: string) => void;
}

export function Recordings({ mode, running, onTrouble }: Props) {
  const [list, setList] = useState<RecordingsView['recordings']>([]);
  const [played, setPlayed] = useState<string>();
  const [doubted, setDoubted] = useState<string>();
  const load = () => ask<RecordingsView>('GET', '/api/recordings').then(({ recordings }) => setList(recordings), (error: Error) => onTrouble(error.message));
  useEffect(() => { void load(); }, [running]);
  if (mode === 'off' && list.length === 0) return null;
  const remove = (name: string) => {
    setDoubted(undefined);
    ask('DELETE', `/api/recordings/${name}`).then(load, (error: Error) => onTrouble(error.message));
  };
  return (
    <section class="panel wide" aria-label="Recordings">
      <h2>Recordings</h2>
      <p class="lead">{mode === 'off' ? 'Recording is switched off; these are from before.' : mode === 'always' ? 'Every call is recorded.' : 'Calls are recorded when asked for.'} Both sides hear a beep. Left is what was said here, right what was heard.</p>
      {list.length === 0 ? <p class="empty">None yet.</p> : <ul class="calls recordings">{list.map(({ name, at, direction, who, seconds, bytes, running: now }) => (
        <li key={name} class={`call ${direction}`}>
          <svg viewBox="0 0 16 16" aria-hidden="true"><path d={direction === 'out' ? 'M4 12 12 4M6 4h6v6' : 'M12 4 4 12M10 12H4V6'} /></svg>
          <span class="who"><strong>{who}</strong><span class="visually-hidden">{direction === 'in' ? ', incoming' : ', outgoing'}</span>{now && <span class="badge">recording</span>}</span>
          <span class="how">{clockTime(seconds)}, {(bytes / 1_000_000).toFixed(1)} MB</span>
          <time class="when aside" dateTime={new Date(at).toISOString()}>{when(at, Date.now())}</time>
          <span class="acts">
            <button type="button" class="quiet" aria-label={`Play the call with ${who}`} aria-expanded={played === name} onClick={() => setPlayed(played === name ? undefined : name)}>{played === name ? 'Close' : 'Play'}</button>
            <a class="button quiet" href={`/api/recordings/${name}?save`} download={name} aria-label={`Save the call with ${who}`}>Save</a>
            {!now && (doubted === name ? <button type="button" class="end" onClick={() => remove(name)}>Really delete</button>
              : <button type="button" class="quiet" aria-label={`Delete the call with ${who}`} onClick={() => setDoubted(name)}>Delete</button>)}
          </span>
          {played === name && <audio controls autoplay src={`/api/recordings/${name}`} aria-label={`The call with ${who}`} />}
        </li>))}</ul>}
    </section>
  );
}
