// The call log.

import type { CallLogEntry } from '../types.ts';
import { callWords, soundedFigures, soundedWords, when } from './words.ts';

export function CallRow({ call, onCall }: { readonly call: CallLogEntry; readonly onCall: (target: string) => void }) {
  const kind = call.missed ? 'missed' : call.direction === 'in' ? 'in' : 'out';
  return (
    <li class={`call ${kind}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d={kind === 'out' ? 'M4 12 12 4M6 4h6v6' : 'M12 4 4 12M10 12H4V6'} /></svg>
      <span class="who"><strong>{call.name || call.who || 'unknown'}</strong>{call.name !== '' && call.name !== call.who && <span class="aside"> {call.who}</span>}
        <span class="visually-hidden">{kind === 'missed' ? ', missed' : kind === 'in' ? ', incoming' : ', outgoing'}</span>{call.diverted && <span class="aside"> for {call.diverted}</span>}{call.intercom && <span class="badge">intercom</span>}</span>
      <span class="how">{callWords(call)}</span>
      <span class="aside when" title={soundedFigures(call)}><time dateTime={new Date(call.at).toISOString()}>{when(call.at, Date.now())}</time>{soundedWords(call) !== '' && ` · ${soundedWords(call)}`}</span>
      {call.who !== '' && <button type="button" class="quiet" aria-label={`Call ${call.name || call.who}`} title={`Call ${call.who}`} onClick={() => onCall(call.who)}>Call</button>}
    </li>
  );
}

export function Calls({ calls, onCall }: { readonly calls: readonly CallLogEntry[]; readonly onCall: (target: string) => void }) {
  return (
    <section class="panel wide">
      <h2>Calls</h2>
      {calls.length === 0 ? <p class="empty">No calls yet. Lift the handset and dial <code>*43</code> to hear yourself.</p>
        : <ul class="calls">{calls.map((call) => <CallRow key={`${call.at}${call.who}`} call={call} onCall={onCall} />)}</ul>}
    </section>
  );
}
