// The test of a sound card, below the settings of sound: two sweeps are played, and what was heard of them is shown.

import { useState } from 'preact/hooks';
import type { SoundReport } from '../types.ts';
import { ask } from './api.ts';

const PLACES = [['speaker', 'Loudspeaker'], ['handset', 'Handset'], ['ringer', 'Ringer']] as const;

export function SoundTest() {
  const [place, setPlace] = useState<string>('speaker');
  const [busy, setBusy] = useState(false);
  const [report, setReport] = useState<SoundReport>();
  const [trouble, setTrouble] = useState('');
  const run = () => {
    setBusy(true);
    setReport(undefined);
    setTrouble('');
    ask<{ readonly sound: SoundReport }>('POST', '/api/phone', { command: { do: 'audio test', place } })
      .then((answer) => setReport(answer.sound), (error: Error) => setTrouble(error.message)).finally(() => setBusy(false));
  };
  return (
    <div class="sound-test">
      <h3>Test</h3>
      <p class="aside">Plays two sweeps, eight seconds long, and measures what the microphone hears of them.</p>
      <div class="acts">
        <select aria-label="What to test" value={place} onChange={(e) => setPlace(e.currentTarget.value)}>{PLACES.map(([id, name]) => <option key={id} value={id}>{name}</option>)}</select>
        <button type="button" disabled={busy} onClick={run}>{busy ? 'Listening …' : 'Test the sound'}</button>
      </div>
      <div role="status">
        {trouble !== '' && <p class="problem">{trouble}</p>}
        {report !== undefined && <>
          <dl class="facts">{rows(report).map(([name, value]) => <div key={name} class="fact"><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
          {report.advice.length === 0 ? <p>All is well.</p> : <ul>{report.advice.map((each) => <li key={each}>{each}</li>)}</ul>}
        </>}
      </div>
    </div>
  );
}

function rows({ noiseDb, clipped, xruns, echo }: SoundReport): (readonly [string, string])[] {
  const common = [['Noise in silence', `${noiseDb.toFixed(0)} dBFS`], ['Samples at the limit', String(clipped)], ['Times the card ran dry', String(xruns)]] as const;
  if (echo === undefined) return [...common, ['Loudspeaker in the microphone', 'not heard']];
  return [...common, ['Loudspeaker in the microphone', `${echo.lossDb.toFixed(0)} dB weaker`], ['Delay from writing to reading', `${echo.delayMs.toFixed(0)} ms`],
    ['Drift between the two', `${echo.driftPpm.toFixed(0)} ppm`], ['Echo gone after', `${echo.tailMs.toFixed(0)} ms`]];
}
