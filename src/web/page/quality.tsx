// How a call sounds while it lasts: the phone's figures, asked for every few seconds.

import { useEffect, useState } from 'preact/hooks';
import type { PhoneStatus, StateView } from '../types.ts';
import { ask } from './api.ts';
import { heardThereWords, qualityFigures, qualityWords } from './words.ts';

const EVERY_MS = 3_000;
type Call = PhoneStatus['calls'][number];

export function CallQuality({ call }: { readonly call: Call }) {
  const [quality, setQuality] = useState(call.quality);
  useEffect(() => {
    const look = () => { ask<StateView>('GET', '/api/state').then(({ phone }) => setQuality(phone.calls.find(({ id }) => id === call.id)?.quality), () => setQuality(undefined)); };
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, [call.id]);
  if (quality === undefined) return null;
  return (
    <div class={`aside quality ${quality.heard.words}`} title={qualityFigures(quality)}>
      <div>{qualityWords(quality)}</div>
      {heardThereWords(quality) !== '' && <div>{heardThereWords(quality)}</div>}
    </div>
  );
}
